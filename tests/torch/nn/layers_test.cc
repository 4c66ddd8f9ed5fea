#include <ATen/Functions.h>
#include <ATen/record_function.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

#include "hopfield/torch/nn/core.h"
#include "hopfield/torch/nn/layer.h"
#include "hopfield/torch/nn/pooling.h"
#include "hopfield/torch/nn/state_dict.h"
#include "hopfield/torch/nn/transformer.h"
#include "nn_testing.h"

namespace hopfield::testing {
namespace {

using nn::Hopfield;
using nn::HopfieldEncoderLayer;
using nn::HopfieldLayer;
using nn::HopfieldLayerOptions;
using nn::HopfieldPooling;
using nn::HopfieldPoolingOptions;

class Layers : public NnTest {};

HopfieldPoolingOptions pooling_options() {
  return HopfieldPoolingOptions(6).num_heads(2).dtype(at::kDouble);
}
HopfieldLayerOptions layer_options() {
  return HopfieldLayerOptions(6).num_heads(2).dtype(at::kDouble);
}

TEST_F(Layers, PoolingIsTheHopfieldWithItsWeightsAsStates) {
  HopfieldPooling module = lively(HopfieldPooling(pooling_options().quantity(3).output_size(4)));
  const at::Tensor x = normal({2, 5, 6}), p = normal({2, 5, 6});
  const at::Tensor expected =
      module->hopfield->forward_patterns(x, module->pooling_weights.expand({2, 3, 6}), p)
          .flatten(1);
  EXPECT_TRUE(near(module->forward_patterns(x, p), expected));
  EXPECT_EQ(module->forward(x).sizes(), at::IntArrayRef({2, 12}));
  EXPECT_TRUE(near(module->forward(x[0]), module->forward(x)[0]));
  EXPECT_EQ(module->get_association_matrix(x).sizes(), at::IntArrayRef({2, 2, 3, 5}));
}

// B11: the batch comes first in a pooled result, whatever the layout of the input.
TEST_F(Layers, PoolingFlattensBySample) {
  HopfieldPooling module =
      lively(HopfieldPooling(pooling_options().quantity(3).batch_first(false)));
  EXPECT_EQ(module->pooling_weights.sizes(), at::IntArrayRef({3, 1, 6}));
  const at::Tensor x = normal({5, 2, 6});
  HopfieldPooling first = HopfieldPooling(pooling_options().quantity(3));
  for (const auto& item : module->named_parameters()) {
    const at::NoGradGuard no_grad;
    at::Tensor mine = first->named_parameters()[item.key()];
    mine.copy_(item.key() == "pooling_weights" ? item.value().transpose(0, 1) : item.value());
  }
  EXPECT_TRUE(near(module->forward(x), first->forward(x.transpose(0, 1))));
  EXPECT_EQ(module->forward(x).sizes(), at::IntArrayRef({2, 18}));
  HopfieldPooling compat(pooling_options().quantity(3).batch_first(false).compat("hflayers-1.0.2"));
  EXPECT_EQ(compat->forward(x).sizes(), at::IntArrayRef({3, 12}));
}

/// Entries that go through the linear maps and norms while it lives.
class EntryCount {
 public:
  EntryCount() {
    handle_ = at::addThreadLocalCallback(
        at::RecordFunctionCallback(
            [](const at::RecordFunction& call) -> std::unique_ptr<at::ObserverContext> {
              const std::string name = call.name();
              if (name == "aten::linear" || name == "aten::layer_norm")
                count_ += call.inputs()[0].toTensor().numel();
              return nullptr;
            })
            .needsInputs(true)
            .scopes({at::RecordScope::FUNCTION}));
    count_ = 0;
  }
  ~EntryCount() { at::removeCallback(handle_); }
  EntryCount(const EntryCount&) = delete;
  EntryCount& operator=(const EntryCount&) = delete;
  std::int64_t count() const { return count_; }

 private:
  at::CallbackHandle handle_;
  inline static thread_local std::int64_t count_ = 0;
};

// The learned patterns are normalised and projected once a call, not once a sample.
TEST_F(Layers, StaticWeightsAreProjectedOnceABatch) {
  constexpr std::int64_t kBatch = 8, kDepth = 6;
  HopfieldLayer layer = lively(HopfieldLayer(layer_options().quantity(7)));
  const at::Tensor x = normal({kBatch, 3, kDepth});
  {
    const EntryCount entries;
    layer->forward(x);
    // States: norm, query, out projection. Table: twice a norm, key and value projection.
    EXPECT_EQ(entries.count(), 3 * kBatch * 3 * kDepth + 4 * 7 * kDepth);
  }
  HopfieldPooling pooling = lively(HopfieldPooling(pooling_options().quantity(4)));
  {
    const EntryCount entries;
    pooling->forward(x);
    EXPECT_EQ(entries.count(), 4 * kBatch * 3 * kDepth + 2 * 4 * kDepth + kBatch * 4 * kDepth);
  }
  {
    const EntryCount entries;
    pooling->forward_ragged(x.flatten(0, 1), offsets_of({0, 3, 6, 9, 12, 15, 18, 21, 24}));
    EXPECT_EQ(entries.count(), 4 * kBatch * 3 * kDepth + 2 * 4 * kDepth + kBatch * 4 * kDepth);
  }
  std::vector<at::Tensor> alone;
  for (std::int64_t b = 0; b < kBatch; ++b) alone.push_back(layer->forward(x.narrow(0, b, 1)));
  EXPECT_TRUE(at::equal(layer->forward(x), at::cat(alone)));
}

TEST_F(Layers, HaveThePropertiesOfTheReference) {
  HopfieldPooling pooling(
      pooling_options().quantity(3).hidden_size(4).output_size(5).normalize_state_pattern_affine(
          false));
  EXPECT_EQ(pooling->quantity(), 3);
  EXPECT_EQ(pooling->input_size(), 6);
  EXPECT_EQ(pooling->hidden_size(), 4);
  EXPECT_EQ(pooling->output_size(), 5);
  EXPECT_EQ(pooling->output_depth(), 15);
  EXPECT_TRUE(pooling->normalize_state_pattern());
  EXPECT_FALSE(pooling->normalize_state_pattern_affine());
  HopfieldLayer layer(layer_options()
                          .quantity(3)
                          .stored_pattern_size(4)
                          .pattern_projection_size(5)
                          .lookup_weights_as_separated(true));
  EXPECT_EQ(layer->stored_pattern_dim(), 4);
  EXPECT_EQ(layer->state_pattern_dim(), 6);
  EXPECT_EQ(layer->pattern_projection_dim(), 5);
  EXPECT_EQ(layer->lookup_weights.sizes(), at::IntArrayRef({1, 3, 4}));
  EXPECT_EQ(layer->target_weights.sizes(), at::IntArrayRef({1, 3, 5}));
  EXPECT_FALSE(layer->state_pattern_as_static());
  EXPECT_EQ(layer->update_steps_max(), std::vector<std::int64_t>{0});
}

TEST_F(Layers, LayerIsTheHopfieldWithItsTableAsStored) {
  for (const bool separated : {false, true}) {
    HopfieldLayer module =
        lively(HopfieldLayer(layer_options().quantity(7).lookup_weights_as_separated(separated)));
    const at::Tensor x = normal({2, 3, 6});
    const at::Tensor& targets = separated ? module->target_weights : module->lookup_weights;
    EXPECT_TRUE(near(module->forward(x),
                     module->hopfield->forward_patterns(module->lookup_weights.expand({2, 7, 6}), x,
                                                        targets.expand({2, 7, 6}))));
    EXPECT_EQ(module->target_weights.defined(), separated);
    at::Tensor hidden = at::zeros({2, 7}, at::kBool);
    hidden[0][3].fill_(true);
    EXPECT_EQ(module->get_association_matrix(x, hidden)[0].select(-1, 3).abs().max().item<double>(),
              0);
  }
}

// B16: a table of one entry makes the output constant; said in the documentation, true here.
TEST_F(Layers, ATableOfOneEntryIsConstant) {
  HopfieldLayer module = lively(HopfieldLayer(layer_options()));
  EXPECT_TRUE(near(module->forward(normal({1, 2, 6})), module->forward(normal({1, 2, 6}))));
}

TEST_F(Layers, TrainableFlags) {
  HopfieldLayer frozen(layer_options()
                           .quantity(4)
                           .trainable(false)
                           .lookup_weights_as_separated(true)
                           .lookup_targets_as_trainable(false));
  EXPECT_FALSE(frozen->lookup_weights.requires_grad());
  EXPECT_FALSE(frozen->target_weights.requires_grad());
  frozen->forward(normal({1, 2, 6})).sum().backward();
  EXPECT_FALSE(frozen->lookup_weights.grad().defined());
  EXPECT_FALSE(
      HopfieldPooling(pooling_options().trainable(false))->pooling_weights.requires_grad());
  EXPECT_TRUE(HopfieldPooling(pooling_options())->pooling_weights.requires_grad());
  const auto copy = std::dynamic_pointer_cast<nn::HopfieldLayerImpl>(frozen->clone());
  EXPECT_TRUE(at::equal(copy->lookup_weights, frozen->lookup_weights));
  EXPECT_FALSE(copy->lookup_weights.requires_grad());
}

// B19: the eps of every norm reaches it, in every layer.
TEST_F(Layers, NormEpsIsSettableEverywhere) {
  const at::Tensor x = normal({1, 4, 6});
  HopfieldPooling pooling(pooling_options()
                              .normalize_stored_pattern_eps(0.1)
                              .normalize_state_pattern_eps(0.2)
                              .normalize_pattern_projection_eps(0.3));
  EXPECT_EQ(pooling->hopfield->norm_stored_pattern->options.eps(), 0.1);
  EXPECT_EQ(pooling->hopfield->norm_state_pattern->options.eps(), 0.2);
  EXPECT_EQ(pooling->hopfield->norm_pattern_projection->options.eps(), 0.3);
  HopfieldLayer layer(
      layer_options().quantity(3).normalize_hopfield_space(true).normalize_hopfield_space_eps(0.4));
  EXPECT_EQ(layer->hopfield->association_core->options.normalize_pattern_eps(), 0.4);
}

TEST_F(Layers, EmptyTablesAndBags) {
  HopfieldLayer layer = lively(HopfieldLayer(layer_options().quantity(0)));
  EXPECT_TRUE(near(layer->forward(normal({2, 3, 6})),
                   layer->hopfield->association_core->out_proj->bias.detach().expand({2, 3, 6})));
  HopfieldPooling none(pooling_options().quantity(0));
  EXPECT_EQ(none->forward(normal({2, 3, 6})).sizes(), at::IntArrayRef({2, 0}));
  HopfieldPooling pooling = lively(HopfieldPooling(pooling_options().quantity(2)));
  EXPECT_TRUE(near(
      pooling->forward(at::empty({3, 0, 6}, at::kDouble)),
      pooling->hopfield->association_core->out_proj->bias.detach().repeat({2}).expand({3, 12})));
}

TEST_F(Layers, WorkInSequential) {
  torch::nn::Sequential network(HopfieldPooling(pooling_options().quantity(2)),
                                torch::nn::Linear(12, 1));
  network->to(at::kDouble);
  EXPECT_EQ(network->forward(normal({3, 5, 6})).sizes(), at::IntArrayRef({3, 1}));
  torch::nn::Sequential other(Hopfield(small()), HopfieldLayer(layer_options().quantity(4)),
                              HopfieldEncoderLayer(Hopfield(small()), 8));
  EXPECT_EQ(other->forward(normal({3, 5, 6})).sizes(), at::IntArrayRef({3, 5, 6}));
}

// B9: what is given is kept; compat draws it anew.
TEST_F(Layers, EncoderKeepsATrainedAssociation) {
  Hopfield trained = lively(Hopfield(small()));
  HopfieldEncoderLayer kept(trained, nn::HopfieldEncoderLayerOptions(9));
  EXPECT_TRUE(at::equal(kept->hopfield_association->association_core->in_proj_weight,
                        trained->association_core->in_proj_weight));
  EXPECT_FALSE(kept->hopfield_association->association_core->in_proj_weight.is_same(
      trained->association_core->in_proj_weight));
  HopfieldEncoderLayer drawn(trained, nn::HopfieldEncoderLayerOptions(9).compat("hflayers-1.0.2"));
  EXPECT_LT(drawn->hopfield_association->association_core->in_proj_weight.std().item<double>(),
            0.03);

  nn::HopfieldDecoderLayer decoder(trained, trained, nn::HopfieldDecoderLayerOptions(9));
  EXPECT_TRUE(at::equal(decoder->hopfield_association_cross->association_core->in_proj_weight,
                        trained->association_core->in_proj_weight));
  EXPECT_EQ(decoder->output_size(), 6);  // B10
  EXPECT_EQ(decoder->input_size(), 6);

  // Wrapping draws for the linear maps only, so the copy costs no draws.
  torch::manual_seed(3);
  torch::nn::Linear residual(6, 9), output(9, 6);
  torch::manual_seed(3);
  HopfieldEncoderLayer again(trained, nn::HopfieldEncoderLayerOptions(9));
  EXPECT_TRUE(at::equal(again->linear_output->weight, output->weight.to(at::kDouble)));
}

TEST_F(Layers, EncoderAndDecoderEqualTheFormula) {
  Hopfield association = lively(Hopfield(small()));
  HopfieldEncoderLayer encoder(association, nn::HopfieldEncoderLayerOptions(9).activation("gelu"));
  enliven(*encoder);
  encoder->eval();
  const auto norm = [](const at::Tensor& x, const torch::nn::LayerNorm& n) {
    return at::layer_norm(x, {6}, n->weight, n->bias, 1e-5);
  };
  const at::Tensor src = normal({2, 4, 6}), mask = at::ones({4, 4}, at::kBool).triu(1);
  const at::Tensor hidden = at::zeros({2, 4}, at::kBool).logical_or(at::arange(4).eq(3));
  const at::Tensor x =
      norm(src + encoder->hopfield_association->forward(src, hidden, mask), encoder->norm_residual);
  const at::Tensor expected =
      norm(x + encoder->linear_output->forward(at::gelu(encoder->linear_residual->forward(x))),
           encoder->norm_output);
  EXPECT_TRUE(near(encoder->forward(src, mask, hidden), expected));
  EXPECT_TRUE(near(encoder->get_association_matrix(src, mask, hidden),
                   encoder->hopfield_association->get_association_matrix(src, hidden, mask)));
  encoder->train();
  EXPECT_GT(largest_difference(encoder->forward(src), encoder->forward(src)), 1e-6);  // dropout 0.1
  EXPECT_TRUE(holds(message_of([&] {
                      HopfieldEncoderLayer(association,
                                           nn::HopfieldEncoderLayerOptions(9).activation("no"));
                    }),
                    "relu"));
  EXPECT_TRUE(holds(message_of([&] { HopfieldEncoderLayer(Hopfield(small().output_size(5)), 9); }),
                    "output_size"));

  // A memory of another depth.
  nn::HopfieldDecoderLayer decoder(
      association, Hopfield(small().stored_pattern_size(5).pattern_projection_size(5)), 9);
  decoder->eval();
  EXPECT_EQ(decoder->forward(src, normal({2, 7, 5})).sizes(), src.sizes());
}

TEST_F(Layers, CoreHasNoScalingByDefault) {
  nn::HopfieldCore core(nn::HopfieldCoreOptions(6, 2).dtype(at::kDouble));
  enliven(*core);
  core->eval();
  const at::Tensor q = normal({3, 2, 6}), k = normal({5, 2, 6});
  nn::HopfieldCoreCall call;
  call.return_raw_associations = true;
  call.return_pattern_projections = true;
  const auto [output, mean, raw, projected] = core->forward(q, k, k, call);
  EXPECT_EQ(output.sizes(), at::IntArrayRef({3, 2, 6}));
  EXPECT_TRUE(near(mean, raw.mean(1)));
  EXPECT_EQ(projected.sizes(), at::IntArrayRef({2, 2, 5, 3}));
  const auto w = core->in_proj_weight.chunk(3);
  const auto b = core->in_proj_bias.chunk(3);
  const at::Tensor scores =
      at::matmul(at::linear(q, w[0], b[0]).narrow(-1, 0, 3).transpose(0, 1),
                 at::linear(k, w[1], b[1]).narrow(-1, 0, 3).permute({1, 2, 0}));
  EXPECT_TRUE(near(raw.select(1, 0), at::softmax(scores, -1)));
  call.scaling = 0.25;
  EXPECT_TRUE(
      near(std::get<2>(core->forward(q, k, k, call)).select(1, 0), at::softmax(0.25 * scores, -1)));
  call.need_weights = call.return_raw_associations = call.return_pattern_projections = false;
  EXPECT_FALSE(std::get<1>(core->forward(q, k, k, call)).defined());
  EXPECT_FALSE(std::get<2>(core->forward(q, k, k, call)).defined());
  EXPECT_TRUE(holds(message_of([&] { core->forward(q[0], k, k); }), "query"));
}

}  // namespace
}  // namespace hopfield::testing
