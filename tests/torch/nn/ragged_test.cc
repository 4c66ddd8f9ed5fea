#include <ATen/Functions.h>

#include "hopfield/torch/nn/hopfield.h"
#include "hopfield/torch/nn/layer.h"
#include "hopfield/torch/nn/pooling.h"
#include "nn_testing.h"

namespace hopfield::testing {
namespace {

using nn::Hopfield;
using nn::HopfieldInput;
using nn::HopfieldLayer;
using nn::HopfieldLayerOptions;
using nn::HopfieldPooling;
using nn::HopfieldPoolingOptions;
using nn::HopfieldRequest;

// Bags of 3, 0, 5 and 1 instances, and the same padded to 5 with the padding hidden.
struct Bags {
  at::Tensor values = normal({9, 6});
  at::Tensor offsets = offsets_of({0, 3, 3, 8, 9});
  std::vector<std::int64_t> lengths = {3, 0, 5, 1};
  at::Tensor padded = normal({4, 5, 6});  // what is hidden is arbitrary
  at::Tensor hidden = at::ones({4, 5}, at::kBool);

  Bags() {
    std::int64_t row = 0;
    for (std::int64_t b = 0; b < 4; ++b) {
      for (std::int64_t i = 0; i < lengths[static_cast<std::size_t>(b)]; ++i, ++row) {
        padded[b][i].copy_(values[row]);
        hidden[b][i].fill_(false);
      }
    }
  }
  /// Rows of a padded result [4, 5, ..] that are real, in the order of `values`.
  at::Tensor real(const at::Tensor& rows) const {
    return rows.flatten(0, 1).index_select(0, hidden.logical_not().flatten().nonzero().squeeze(1));
  }
};

class Ragged : public NnTest, public ::testing::WithParamInterface<int> {
 protected:
  /// Variants: plain; updates and zero pattern; bias pattern, zero pattern, heads with p != d.
  template <class Options>
  Options vary(Options options) const {
    options.num_heads(2).dtype(at::kDouble).scaling({0.5, 1.5});
    if (GetParam() >= 1) options.update_steps_max(3).add_zero_association(true);
    if (GetParam() >= 2) options.concat_bias_pattern(true).pattern_size(4);
    return options;
  }
};

TEST_P(Ragged, PoolingEqualsPaddedAndMasked) {
  HopfieldPooling module =
      lively(HopfieldPooling(vary(HopfieldPoolingOptions(6).quantity(3).output_size(5))));
  const Bags bags;
  const at::Tensor out = module->forward_ragged(bags.values, bags.offsets);
  EXPECT_EQ(out.sizes(), at::IntArrayRef({4, 15}));
  EXPECT_TRUE(near(out, module->forward(bags.padded, bags.hidden)));
  EXPECT_EQ(module->output_depth(), 15);
}

TEST_P(Ragged, PoolingGradientsEqualPaddedAndMasked) {
  HopfieldPooling module = lively(HopfieldPooling(vary(HopfieldPoolingOptions(6).quantity(3))));
  const Bags bags;
  const at::Tensor values = bags.values.clone().requires_grad_(),
                   padded = bags.padded.clone().requires_grad_();
  module->forward_ragged(values, bags.offsets).square().sum().backward();
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& p : module->parameters()) gradients.push_back(p.grad().clone());
  module->zero_grad();
  module->forward(padded, bags.hidden).square().sum().backward();
  EXPECT_TRUE(near(values.grad(), bags.real(padded.grad()), 1e-10));
  std::size_t i = 0;
  for (const auto& item : module->named_parameters()) {
    EXPECT_TRUE(near(gradients[i++], item.value().grad(), 1e-9)) << item.key();
  }
}

TEST_P(Ragged, SelfAssociationEqualsPaddedAndMasked) {
  Hopfield module = lively(Hopfield(vary(nn::HopfieldOptions(6))));
  const Bags bags;
  EXPECT_TRUE(near(module->forward_ragged(bags.values, bags.offsets),
                   bags.real(module->forward(bags.padded, bags.hidden))));
}

TEST_P(Ragged, MixedWithDenseParts) {
  Hopfield module = lively(Hopfield(vary(nn::HopfieldOptions(6))));
  const Bags bags;
  const at::Tensor states = normal({4, 2, 6});
  HopfieldInput input(bags.values, states, bags.values);
  input.stored_offsets = bags.offsets;
  EXPECT_TRUE(near(module->associate(input).output,
                   module->forward_patterns(bags.padded, states, bags.padded, bags.hidden)));
  // One dense set of states for all bags.
  input.state_pattern = states[0];
  EXPECT_TRUE(near(module->associate(input).output,
                   module->forward_patterns(bags.padded, states[0], bags.padded, bags.hidden)));
  // Ragged states over dense stored patterns, one set a bag and one for all.
  const at::Tensor stored = normal({4, 7, 6});
  HopfieldInput ragged_states(stored, bags.values, stored);
  ragged_states.state_offsets = bags.offsets;
  const at::Tensor padded = module->forward_patterns(stored, bags.padded, stored);
  EXPECT_TRUE(near(module->associate(ragged_states).output, bags.real(padded)));
  ragged_states.stored_pattern = ragged_states.pattern_projection = stored[2];
  EXPECT_TRUE(near(module->associate(ragged_states).output,
                   bags.real(module->forward_patterns(stored[2], bags.padded, stored[2]))));
}

TEST_P(Ragged, LayerTakesRows) {
  HopfieldLayer module = lively(HopfieldLayer(vary(HopfieldLayerOptions(6).quantity(7))));
  const Bags bags;
  EXPECT_TRUE(
      near(module->forward_ragged(bags.values, bags.offsets), module->forward(bags.values)));
  EXPECT_TRUE(
      near(module->forward(bags.values), module->forward(bags.values.unsqueeze(0)).squeeze(0)));
}

TEST_P(Ragged, InstanceAssociationsAreTheMatrixByInstance) {
  HopfieldPooling module = lively(HopfieldPooling(vary(HopfieldPoolingOptions(6).quantity(3))));
  const Bags bags;
  const at::Tensor found = module->instance_associations(bags.values, bags.offsets);
  EXPECT_EQ(found.sizes(), at::IntArrayRef({9, 2, 3}));
  // Dense (B, H, q, S') -> [B, S, H, q].
  const at::Tensor dense = module->get_association_matrix(bags.padded, bags.hidden)
                               .narrow(-1, 0, 5)
                               .permute({0, 3, 1, 2});
  EXPECT_TRUE(near(found, bags.real(dense)));
  if (GetParam() == 0) {
    const at::Tensor sums = at::stack(
        {found.narrow(0, 0, 3).sum(0), found.narrow(0, 3, 5).sum(0), found.narrow(0, 8, 1).sum(0)});
    EXPECT_TRUE(near(sums, at::ones({3, 2, 3}, at::kDouble)));
  }
}

TEST_P(Ragged, HiddenInstancesEqualAbsentOnes) {
  HopfieldPooling module = lively(HopfieldPooling(vary(HopfieldPoolingOptions(6).quantity(2))));
  const Bags bags;
  at::Tensor hidden = at::zeros({9}, at::kBool);
  hidden[1].fill_(true);
  hidden[7].fill_(true);
  HopfieldInput input(bags.values);
  input.stored_offsets = bags.offsets;
  HopfieldRequest request;
  request.stored_pattern_padding_mask = hidden;
  const at::Tensor kept = bags.values.index_select(0, offsets_of({0, 2, 3, 4, 5, 6, 8}));
  EXPECT_TRUE(near(module->associate(input, request).output,
                   module->forward_ragged(kept, offsets_of({0, 2, 2, 6, 7}))));
}

TEST_P(Ragged, ReportsRowsByBag) {
  HopfieldPooling module = lively(HopfieldPooling(vary(HopfieldPoolingOptions(6).quantity(3))));
  const Bags bags;
  const HopfieldInput input = HopfieldInput::ragged(bags.values, bags.offsets);
  EXPECT_EQ(module->energy(input).sizes(), at::IntArrayRef({4, 3, 2}));
  EXPECT_EQ(module->retrieve(input).sizes().slice(0, 3), at::IntArrayRef({4, 3, 2}));
  const nn::ConvergenceReport report = module->convergence(input);
  EXPECT_EQ(report.num_empty,
            GetParam() == 0 ? 6 : 0);  // the zero pattern keeps a bag from being empty
}

INSTANTIATE_TEST_SUITE_P(Variants, Ragged, ::testing::Values(0, 1, 2));

class RaggedErrors : public NnTest {};

TEST_F(RaggedErrors, NameWhatIsWrong) {
  HopfieldPooling module(HopfieldPoolingOptions(6).dtype(at::kDouble));
  const at::Tensor values = normal({4, 6});
  const auto message = [&](const at::Tensor& v, const at::Tensor& o) {
    return message_of([&] { module->forward_ragged(v, o); });
  };
  EXPECT_TRUE(holds(message(values, offsets_of({0, 2, 3})), "number of rows 4"));
  EXPECT_TRUE(holds(message(values, offsets_of({0, 3, 2, 4})), "ascending"));
  EXPECT_TRUE(holds(message(values, offsets_of({1, 4})), "begin with 0"));
  EXPECT_TRUE(holds(message(values, at::tensor({0, 4}, at::kInt)), "int64"));
  EXPECT_TRUE(holds(message(normal({1, 4, 6}), offsets_of({0, 4})), "[N, depth]"));
  EXPECT_TRUE(holds(message(normal({4, 5}), offsets_of({0, 4})), "depth 6"));
  HopfieldPooling compat(HopfieldPoolingOptions(6).dtype(at::kDouble).compat("hflayers-1.0.2"));
  EXPECT_TRUE(holds(message_of([&] {
                      compat->forward_ragged(values, offsets_of({0, 4}));
                    }),
                    "compat"));
  HopfieldRequest request;
  request.association_mask = at::zeros({1, 4}, at::kBool);
  EXPECT_TRUE(holds(message_of([&] {
                      module->associate(HopfieldInput::ragged(values, offsets_of({0, 4})), request);
                    }),
                    "association_mask"));
}

TEST_F(RaggedErrors, NoBagsAtAll) {
  HopfieldPooling module(HopfieldPoolingOptions(6).dtype(at::kDouble));
  EXPECT_EQ(module->forward_ragged(at::empty({0, 6}, at::kDouble), offsets_of({0})).sizes(),
            at::IntArrayRef({0, 6}));
  EXPECT_EQ(module->forward_ragged(at::empty({0, 6}, at::kDouble), offsets_of({0, 0})).sizes(),
            at::IntArrayRef({1, 6}));
}

}  // namespace
}  // namespace hopfield::testing
