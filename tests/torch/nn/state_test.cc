#include <ATen/Functions.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "hopfield/base/error.h"
#include "hopfield/torch/nn/datasets.h"
#include "hopfield/torch/nn/layer.h"
#include "hopfield/torch/nn/pooling.h"
#include "hopfield/torch/nn/state_dict.h"
#include "hopfield/torch/train/checkpoint.h"
#include "hopfield/torch/train/classification.h"
#include "nn_testing.h"

namespace hopfield::testing {
namespace {

using nn::Hopfield;
using nn::HopfieldLayer;
using nn::HopfieldLayerOptions;
using nn::HopfieldPooling;
using nn::HopfieldPoolingOptions;

class State : public NnTest {
 protected:
  void SetUp() override {
    NnTest::SetUp();
    folder_ = std::filesystem::temp_directory_path() /
              ("hopfield_state_test_" +
               std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const char* name) const { return (folder_ / name).string(); }

  std::filesystem::path folder_;
};

std::vector<std::string> keys(const torch::nn::Module& module) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : nn::state_dict(module)) names.push_back(name);
  return names;
}

TEST_F(State, KeysAndTheirOrder) {
  EXPECT_EQ(
      keys(*HopfieldPooling(6)),
      (std::vector<std::string>{
          "pooling_weights", "hopfield.association_core.in_proj_weight",
          "hopfield.association_core.in_proj_bias", "hopfield.association_core.out_proj.weight",
          "hopfield.association_core.out_proj.bias", "hopfield.norm_stored_pattern.weight",
          "hopfield.norm_stored_pattern.bias", "hopfield.norm_state_pattern.weight",
          "hopfield.norm_state_pattern.bias", "hopfield.norm_pattern_projection.weight",
          "hopfield.norm_pattern_projection.bias"}));
  const nn::HopfieldCore core(nn::HopfieldCoreOptions(6, 2)
                                  .head_dim(3)
                                  .pattern_dim(4)
                                  .add_bias_kv(true)
                                  .normalize_pattern(true)
                                  .normalize_pattern_affine(true));
  EXPECT_EQ(keys(*core),
            (std::vector<std::string>{"p_norm_weight", "p_norm_bias", "q_proj_weight",
                                      "k_proj_weight", "v_proj_weight", "in_proj_bias", "bias_k",
                                      "bias_v", "out_proj.weight", "out_proj.bias"}));
  EXPECT_EQ(keys(*HopfieldLayer(HopfieldLayerOptions(6).lookup_weights_as_separated(true)))[1],
            "target_weights");
}

// Layouts: pattern_size = hidden_size makes the same map with separate keys.
TEST_F(State, PackedAndSeparateLayoutsConvert) {
  for (int statics = 0; statics < 8; ++statics) {
    const auto options = [&] {
      return small()
          .stored_pattern_as_static(statics & 1)
          .state_pattern_as_static(statics & 2)
          .pattern_projection_as_static(statics & 4)
          .hidden_size(6);
    };
    Hopfield packed = lively(Hopfield(options()));
    Hopfield separate = lively(Hopfield(options().pattern_size(6)));
    ASSERT_TRUE(packed->association_core->packed());
    ASSERT_FALSE(separate->association_core->packed());
    const at::Tensor x = normal({1, 4, 6});
    nn::load_state_dict(*separate, nn::state_dict(*packed));
    EXPECT_TRUE(near(separate->forward(x), packed->forward(x))) << statics;
    enliven(*separate);
    nn::load_state_dict(*packed, nn::state_dict(*separate));
    EXPECT_TRUE(near(packed->forward(x), separate->forward(x))) << statics;
  }
  HopfieldPooling packed = lively(HopfieldPooling(HopfieldPoolingOptions(6).dtype(at::kDouble)));
  HopfieldPooling separate(HopfieldPoolingOptions(6).dtype(at::kDouble).pattern_size(6));
  nn::load_state_dict(*separate, nn::state_dict(*packed));
  EXPECT_TRUE(near(separate->forward(normal({1, 4, 6})), packed->forward(normal({1, 4, 6})), 1e9));
  const at::Tensor x = normal({1, 4, 6});
  EXPECT_TRUE(near(separate->forward(x), packed->forward(x)));
}

TEST_F(State, LoadingIsStrictAndAllOrNothing) {
  Hopfield module = lively(Hopfield(small()));
  const at::Tensor before = module->association_core->out_proj->bias.detach().clone();
  const auto load = [&](auto change) {
    nn::StateDict tensors;
    for (const auto& [name, tensor] : nn::state_dict(*module))
      tensors.emplace_back(name, tensor.detach() + 1);
    change(tensors);
    return message_of([&] { nn::load_state_dict(*module, tensors); });
  };
  const std::string shape = load([](nn::StateDict& t) {
    t[2].second = at::zeros({6, 7}, at::kDouble);
  });
  EXPECT_TRUE(holds(shape, "association_core.out_proj.weight"));
  EXPECT_TRUE(holds(shape, "[6, 6]"));
  EXPECT_TRUE(holds(shape, "[6, 7]"));
  EXPECT_TRUE(
      holds(load([](nn::StateDict& t) { t.pop_back(); }), "missing: norm_pattern_projection.bias"));
  EXPECT_TRUE(holds(load([](nn::StateDict& t) { t.emplace_back("other", at::zeros({1})); }),
                    "unexpected: other"));
  EXPECT_TRUE(holds(load([](nn::StateDict& t) { t.push_back(t[0]); }), "twice"));
  EXPECT_TRUE(at::equal(module->association_core->out_proj->bias, before));
  EXPECT_EQ(load([](nn::StateDict&) {}), "");
  EXPECT_TRUE(near(module->association_core->out_proj->bias, before + 1));
}

TEST_F(State, AReferenceCheckpointLoadsIntoALearnedBeta) {
  Hopfield plain = lively(Hopfield(small().scaling(0.5)));
  Hopfield learned(small().scaling(0.5).trainable_scaling(true));
  nn::load_state_dict(*learned, nn::state_dict(*plain));
  const at::Tensor x = normal({1, 4, 6});
  EXPECT_TRUE(near(learned->forward(x), plain->forward(x)));
  EXPECT_TRUE(
      holds(message_of([&] { nn::load_state_dict(*plain, nn::state_dict(*learned)); }), "scaling"));
}

TEST_F(State, FilesKeepWeightsAndOptions) {
  const at::Tensor x = normal({2, 4, 6});
  Hopfield hopfield = lively(Hopfield(small()
                                          .scaling({0.5, 2.0})
                                          .trainable_scaling(true)
                                          .update_steps_max({1, -1})
                                          .association_activation("gelu")
                                          .separation(Separation::kSparsemax)));
  train::save(hopfield, path("h.safetensors"));
  Hopfield again = train::load_hopfield(path("h.safetensors"));
  again->eval();
  EXPECT_TRUE(at::equal(again->forward(x), hopfield->forward(x)));
  EXPECT_TRUE(again->named_parameters().contains("scaling"));
  EXPECT_EQ(again->options.to_json(), hopfield->options.to_json());

  HopfieldPooling pooling = lively(
      HopfieldPooling(HopfieldPoolingOptions(6).quantity(3).trainable(false).dtype(at::kDouble)));
  train::save(pooling, path("p.safetensors"));
  HopfieldPooling pooling_again = train::load_hopfield_pooling(path("p.safetensors"));
  EXPECT_TRUE(at::equal(pooling_again->forward(x), pooling->forward(x)));
  EXPECT_FALSE(pooling_again->pooling_weights.requires_grad());

  HopfieldLayer layer = lively(HopfieldLayer(
      HopfieldLayerOptions(6).quantity(5).lookup_weights_as_separated(true).dtype(at::kDouble)));
  train::save(layer, path("l.safetensors"));
  EXPECT_TRUE(
      at::equal(train::load_hopfield_layer(path("l.safetensors"))->forward(x), layer->forward(x)));

  EXPECT_TRUE(
      holds(message_of([&] { train::load_hopfield(path("p.safetensors")); }), "HopfieldPooling"));
  EXPECT_TRUE(holds(message_of([&] { train::load_hopfield(path("none.safetensors")); }),
                    "none.safetensors"));
  std::ofstream(path("bad.safetensors")) << "no such format";
  EXPECT_THROW(train::load_hopfield(path("bad.safetensors")), Error);

  // Weights only, into another module of the same shape and into one of another.
  Hopfield other(nn::HopfieldOptions(hopfield->options));
  train::load_weights(*other, path("h.safetensors"));
  EXPECT_TRUE(at::equal(other->forward(x), hopfield->forward(x)));
  const std::string message =
      message_of([&] { train::load_weights(*Hopfield(small(8)), path("l.safetensors")); });
  EXPECT_TRUE(holds(message, "l.safetensors"));
  EXPECT_TRUE(holds(message, "missing"));
}

TEST_F(State, AFailedSaveKeepsTheOldFile) {
  Hopfield module = lively(Hopfield(small()));
  train::save(module, path("h.safetensors"));
  EXPECT_THROW(train::save(module, path("no_such_folder/h.safetensors")), Error);
  train::Checkpoint broken{"Hopfield", "{}", {{"complex", at::zeros({1}, at::kComplexFloat)}}, {}};
  EXPECT_THROW(train::write_checkpoint(path("h.safetensors"), broken), Error);
  EXPECT_TRUE(
      at::equal(train::load_hopfield(path("h.safetensors"))->association_core->in_proj_weight,
                module->association_core->in_proj_weight));
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_))
    files += entry.exists() ? 1 : 0;
  EXPECT_EQ(files, 1u);
}

TEST_F(State, OptionsAsJson) {
  const auto options = small()
                           .scaling(0.25)
                           .update_steps_max(std::nullopt)
                           .compat("hflayers-1.0.2")
                           .similarity(Similarity::kDot);
  const auto again = nn::HopfieldOptions::from_json(options.to_json());
  EXPECT_EQ(again.to_json(), options.to_json());
  EXPECT_EQ(again.update_steps_max().values(), std::vector<std::int64_t>{-1});
  EXPECT_TRUE(
      holds(message_of([] { nn::HopfieldOptions::from_json("{\"input_siz\": 6}"); }), "input_siz"));
  EXPECT_TRUE(holds(message_of([] { nn::HopfieldOptions::from_json("{\"input_size\": \"six\"}"); }),
                    "JSON"));
  EXPECT_TRUE(holds(message_of([] { nn::HopfieldOptions::from_json("[1]"); }), "object"));
  EXPECT_TRUE(
      holds(message_of([] { nn::HopfieldOptions::from_json("{\"separation\": \"soft\"}"); }),
            "sparsemax"));
}

// B20: data sets leave the global generator alone.
TEST_F(State, DataSetsDoNotTouchTheGlobalGenerator) {
  torch::manual_seed(5);
  const at::Tensor expected = at::rand({3});
  torch::manual_seed(5);
  nn::BitPatternSet bits(16, 5, 3, 2, 0.5, 4);
  nn::LatchSequenceSet latch(16);
  EXPECT_TRUE(at::equal(at::rand({3}), expected));
  EXPECT_EQ(bits.initial_seed(), 44u);
  EXPECT_EQ(latch.initial_seed(), 43u);
  EXPECT_EQ(bits.num_targets_high() + bits.num_targets_low(), 16);
  EXPECT_EQ(bits.num_signals_per_bag(), 2);
  EXPECT_EQ(*latch.size(), 16u);
  EXPECT_EQ(latch.get(3).data.sizes(), at::IntArrayRef({20, 6}));
  EXPECT_EQ(bits.get(3).target.dim(), 0);
  // Each positive bag holds its signals, no negative one holds any.
  const at::Tensor hits = bits.bags().unsqueeze(2).eq(bits.signals()).all(-1).any(-1).sum(1);
  EXPECT_TRUE(hits.narrow(0, 0, 8).eq(2).all().item<bool>());
  EXPECT_TRUE(hits.narrow(0, 8, 8).eq(0).all().item<bool>());
  EXPECT_TRUE(holds(message_of([] { nn::BitPatternSet(16, 5, 3, 2, 1.0); }), "fraction_targets"));
  EXPECT_TRUE(holds(message_of([] { nn::BitPatternSet(16, 5, 3, 2, 0.5, 2); }), "num_signals"));
  EXPECT_TRUE(holds(message_of([] { nn::LatchSequenceSet(16, 5, 2); }), "num_characters"));
}

TEST_F(State, BatchesCoverTheIndicesOnce) {
  const train::SubsetBatches batches({4, 5, 6, 7, 8}, 2);
  const auto epoch = batches.epoch();
  ASSERT_EQ(epoch.size(), 3u);
  EXPECT_TRUE(at::equal(std::get<0>(at::cat(epoch).sort()), at::arange(4, 9)));
  torch::manual_seed(1);
  const auto first = batches.epoch(), second = batches.epoch();
  EXPECT_FALSE(at::equal(at::cat(first), at::cat(second)));
  torch::manual_seed(1);
  EXPECT_TRUE(at::equal(at::cat(batches.epoch()), at::cat(first)));
}

}  // namespace
}  // namespace hopfield::testing
