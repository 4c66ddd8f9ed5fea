// Edges of the registered op: nothing to see, nothing to do, layouts, types, errors, independence.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "hopfield/torch/ops/retrieve.h"
#include "tests/torch/ops/cases.h"
#include "torch/ops/cpu/core_inputs.h"
#include "torch/ops/cuda/fused.h"

namespace hopfield::ops::testing {
namespace {

using at::Tensor;

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.sizes() != b.sizes() || a.scalar_type() != b.scalar_type()) return false;
  return distance(a, b) == 0;
}

TEST(RetrieveEdges, EmptySetsGiveZeroAndMinusInfinityForEverySeparation) {
  for (int separation = 0; separation < 5; ++separation) {
    for (const std::int64_t updates : {0, 2, -1}) {
      Case c = make_case(
          {.name = "", .separation = static_cast<Separation>(separation), .updates = {updates}});
      c.stored = c.stored.narrow(1, 0, 0);
      c.options.projections = c.options.projections->narrow(1, 0, 0);
      c.options.want_association = false;
      for (const Retrieve f : {Retrieve{retrieve}, Retrieve{retrieve_composition}}) {
        const RetrieveResult r = f(c.states, c.stored, c.options);
        EXPECT_EQ(r.state.sizes(), (std::vector<std::int64_t>{3, 2, 2, 3}));
        EXPECT_TRUE((r.state == 0).all().item<bool>());
        EXPECT_TRUE((r.lse == -std::numeric_limits<double>::infinity()).all().item<bool>());
        EXPECT_TRUE((r.energy == std::numeric_limits<double>::infinity()).all().item<bool>());
        EXPECT_TRUE((r.entropy == 0).all().item<bool>());
        EXPECT_TRUE((r.largest == 0).all().item<bool>());
        EXPECT_TRUE((r.largest_index == -1).all().item<bool>());
        EXPECT_TRUE((r.top == 0).all().item<bool>());
        EXPECT_TRUE((r.top_index == -1).all().item<bool>());
        EXPECT_TRUE((r.metastable_size == 0).all().item<bool>());
        EXPECT_TRUE((r.steps == 0).all().item<bool>());
        EXPECT_TRUE((r.reason == static_cast<int>(StopReason::kEmpty)).all().item<bool>());
        EXPECT_TRUE(at::equal(r.final_state, c.states));
        for (const Tensor& g : gradients_of(f, c)) EXPECT_TRUE((g == 0).all().item<bool>());
      }
    }
  }
}

TEST(RetrieveEdges, FullyHiddenRowGivesZeroAndNoGradient) {
  Case c = make_case({.name = "", .mask = 'r'});  // state 0 of bag 1 sees nothing
  const RetrieveResult r = retrieve(c.states, c.stored, c.options);
  EXPECT_TRUE((r.state[1][0] == 0).all().item<bool>());
  EXPECT_TRUE((r.lse[1][0] == -std::numeric_limits<double>::infinity()).all().item<bool>());
  const std::vector<Tensor> g = gradients_of(retrieve, c);
  EXPECT_TRUE((g[0][1][0] == 0).all().item<bool>());
  EXPECT_TRUE((g[0][0][0] != 0).any().item<bool>());
  for (const Tensor& x : g) EXPECT_TRUE(x.isfinite().all().item<bool>());
  // Also when a gradient arrives at its infinite lse and energy.
  for (const Retrieve f : {Retrieve{retrieve}, Retrieve{retrieve_composition}}) {
    std::vector<Tensor> leaves;
    for (const Tensor& x : c.leaves()) leaves.push_back(x.detach().clone().requires_grad_(true));
    const Case at = c.with_leaves(leaves);
    const RetrieveResult here = f(at.states, at.stored, at.options);
    const Tensor ones = at::ones_like(here.lse);
    const std::vector<Tensor> arrived = torch::autograd::grad(
        {here.lse, here.energy}, leaves, {ones, ones}, {}, false, /*allow_unused=*/true);
    EXPECT_TRUE((arrived[0][1][0] == 0).all().item<bool>());
    for (const Tensor& x : arrived) {
      EXPECT_TRUE(!x.defined() || x.isfinite().all().item<bool>());
    }
  }
}

TEST(RetrieveEdges, ZeroSizesKeepTheirShapes) {
  struct Sizes {
    std::int64_t bags, states, stored, depth, projection;
  };
  for (const Sizes s : {Sizes{0, 2, 3, 4, 5}, Sizes{2, 0, 3, 4, 5}, Sizes{2, 2, 0, 4, 5},
                        Sizes{2, 2, 3, 0, 5}, Sizes{2, 2, 3, 4, 0}, Sizes{0, 0, 0, 0, 0}}) {
    for (const std::int64_t updates : {0, 3}) {
      Case c;
      c.states = at::ones({s.bags, s.states, 2, s.depth}, at::kDouble);
      c.stored = at::ones({s.bags, s.stored, 2, s.depth}, at::kDouble);
      c.options.projections = at::ones({s.bags, s.stored, 2, s.projection}, at::kDouble);
      c.options.beta = at::ones({2}, at::kDouble);
      c.options.want_energy = c.options.want_entropy = c.options.want_largest = true;
      c.options.update_steps_max = {updates};
      const RetrieveResult r = retrieve(c.states, c.stored, c.options);
      const RetrieveResult truth = retrieve_composition(c.states, c.stored, c.options);
      EXPECT_EQ(r.state.sizes(), (std::vector<std::int64_t>{s.bags, s.states, 2, s.projection}));
      EXPECT_EQ(distance(r.state, truth.state), 0);
      EXPECT_LE(distance(r.lse, truth.lse), 1e-15);
      EXPECT_LE(distance(r.energy, truth.energy), 1e-14);
      EXPECT_TRUE(at::equal(r.steps, truth.steps));
      EXPECT_TRUE(at::equal(r.final_state, truth.final_state));
      const std::vector<Tensor> g = gradients_of(retrieve, c);
      const std::vector<Tensor> expected = gradients_of(retrieve_composition, c);
      for (std::size_t i = 0; i < g.size(); ++i) EXPECT_LE(distance(g[i], expected[i]), 1e-13) << i;
    }
  }
  // Ragged without any bag.
  RetrieveOptions o;
  o.beta = at::ones({1}, at::kDouble);
  o.stored_offsets = at::zeros({1}, at::kLong);
  const Tensor stored = at::ones({0, 2, 4}, at::kDouble);
  for (const Retrieve f : {Retrieve{retrieve}, Retrieve{retrieve_composition}}) {
    EXPECT_EQ(f(at::ones({3, 2, 4}, at::kDouble), stored, o).state.sizes(),
              (std::vector<std::int64_t>{0, 3, 2, 4}));
  }
}

TEST(RetrieveEdges, NanStaysInTheRowsThatSeeIt) {
  Case c = make_case({.name = ""});
  c.stored[1][3][0][2] = std::numeric_limits<double>::quiet_NaN();
  for (const Retrieve f : {Retrieve{retrieve}, Retrieve{retrieve_composition}}) {
    const RetrieveResult r = f(c.states, c.stored, c.options);
    EXPECT_TRUE(r.state.select(0, 1).select(1, 0).isnan().all().item<bool>());
    EXPECT_FALSE(r.state.select(0, 1).select(1, 1).isnan().any().item<bool>());
    EXPECT_FALSE(r.state[0].isnan().any().item<bool>() || r.state[2].isnan().any().item<bool>());
    EXPECT_EQ(r.largest_index[1][0][0].item<std::int64_t>(), -1);
    EXPECT_EQ(r.metastable_size[1][0][0].item<std::int64_t>(), 0);
    // Hidden from all, it is as if it were not there.
    RetrieveOptions hidden = c.options;
    hidden.hidden_stored = at::zeros({3, 7}, at::kBool);
    (*hidden.hidden_stored)[1][3] = true;
    EXPECT_FALSE(f(c.states, c.stored, hidden).state.isnan().any().item<bool>());
  }
}

// Layouts that the core reads where they lie, and layouts it cannot: the same bits.
TEST(RetrieveEdges, StridesDoNotMatter) {
  const Case c = make_case({.name = "", .mask = 'f', .updates = {2}});
  const RetrieveResult plain = retrieve(c.states, c.stored, c.options);
  const std::vector<Tensor> gradients = gradients_of(retrieve, c);
  const auto heads_first = [](const Tensor& x) {
    return x.transpose(1, 2).contiguous().transpose(1, 2);
  };
  const auto rows_first = [](const Tensor& x) {
    return x.transpose(0, 1).contiguous().transpose(0, 1);
  };
  const auto depth_first = [](const Tensor& x) {
    return x.transpose(2, 3).contiguous().transpose(2, 3);
  };
  const auto part = [](const Tensor& x) { return at::cat({x, x}, -1).narrow(-1, 0, x.size(-1)); };
  for (const auto& change : std::vector<std::function<Tensor(const Tensor&)>>{
           heads_first, rows_first, depth_first, part}) {
    Case moved = c;
    moved.states = change(c.states);
    moved.stored = change(c.stored);
    moved.options.projections = change(*c.options.projections);
    ASSERT_FALSE(moved.states.is_contiguous());
    const RetrieveResult r = retrieve(moved.states, moved.stored, moved.options);
    EXPECT_TRUE(same_bits(r.state, plain.state));
    EXPECT_TRUE(same_bits(r.energy, plain.energy));
    // Cotangents with strides of 0, too: those of sum().
    const Tensor leaf = moved.states.detach().requires_grad_(true);
    retrieve(leaf, moved.stored, moved.options).state.sum().backward();
    const Tensor dense = c.states.detach().requires_grad_(true);
    retrieve(dense, c.stored, c.options).state.sum().backward();
    EXPECT_TRUE(same_bits(leaf.grad(), dense.grad()));
  }
}

TEST(RetrieveEdges, SharedAndStridedPatternsAreNotCopied) {
  RetrieveOptions o;
  o.beta = at::ones({1});
  const Tensor packed = at::randn({4, 5, 3, 2 * 8});  // [B, L, H, states and more]
  const Tensor states = packed.narrow(-1, 8, 8);
  const Tensor lookup = at::randn({1, 100, 1, 8});
  const CoreInputs inputs(states, lookup, o);
  EXPECT_EQ(inputs.associations().states.data, states.const_data_ptr());
  EXPECT_EQ(inputs.associations().states.row_stride, 3 * 16);
  EXPECT_EQ(inputs.associations().stored.data, lookup.const_data_ptr());
  EXPECT_EQ(inputs.associations().stored.rows, 100);  // not 4 * 100
  EXPECT_EQ(inputs.associations().stored.heads, 1);
  EXPECT_TRUE(inputs.associations().stored_offsets.empty());
}

// Nobody's result depends on batch neighbours.
TEST(RetrieveEdges, ABagAloneHasTheSameBits) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16}) {
    const Case c = make_case({.name = "", .mask = 'b', .updates = {-1}, .eps = 1e-4}).to(type);
    const RetrieveResult all = retrieve(c.states, c.stored, c.options);
    for (std::int64_t b = 0; b < 3; ++b) {
      RetrieveOptions one = c.options;
      one.projections = c.options.projections->narrow(0, b, 1);
      one.mask = c.options.mask->narrow(0, b, 1);
      const RetrieveResult r = retrieve(c.states.narrow(0, b, 1), c.stored.narrow(0, b, 1), one);
      EXPECT_TRUE(same_bits(r.state, all.state.narrow(0, b, 1)));
      EXPECT_TRUE(same_bits(r.lse, all.lse.narrow(0, b, 1)));
      EXPECT_TRUE(at::equal(r.steps, all.steps.narrow(0, b, 1)));
    }
  }
  // Against one shared set all states may be folded into one bag: the bits stay.
  const Case shared = make_case({.name = "", .form = Form::kSharedStored}).to(at::kFloat);
  const RetrieveResult all = retrieve(shared.states, shared.stored, shared.options);
  const RetrieveResult r = retrieve(shared.states.narrow(0, 1, 1), shared.stored, shared.options);
  EXPECT_TRUE(same_bits(r.state, all.state.narrow(0, 1, 1)));
}

TEST(RetrieveEdges, ThreadsDoNotChangeBits) {
  const int before = at::get_num_threads();
  Case c = make_case({.name = "", .mask = 'f', .updates = {3}}).to(at::kFloat);
  c.states = c.states.repeat({1, 20, 1, 1});
  std::vector<Tensor> results[2];
  for (int threads = 1; threads <= 2; ++threads) {
    at::set_num_threads(threads);
    const RetrieveResult r = retrieve(c.states, c.stored, c.options);
    results[threads - 1] = gradients_of(retrieve, c);
    results[threads - 1].push_back(r.state);
    results[threads - 1].push_back(r.energy);
  }
  at::set_num_threads(before);
  for (std::size_t i = 0; i < results[0].size(); ++i) {
    EXPECT_TRUE(same_bits(results[0][i], results[1][i])) << i;
  }
}

TEST(RetrieveEdges, SixteenBitInputsAccumulateInSingle) {
  for (const at::ScalarType type : {at::kBFloat16, at::kHalf}) {
    Case c = make_case({.name = "", .updates = {2}}).to(type);
    const Case wide = c.to(at::kFloat);
    const RetrieveResult r = retrieve(c.states, c.stored, c.options);
    const RetrieveResult truth = retrieve(wide.states, wide.stored, wide.options);
    EXPECT_EQ(r.state.scalar_type(), type);
    EXPECT_EQ(r.lse.scalar_type(), at::kFloat);
    EXPECT_TRUE(same_bits(r.state, truth.state.to(type)));
    EXPECT_LE(distance(r.lse, truth.lse), 1e-5);
    const std::vector<Tensor> g = gradients_of(retrieve, c),
                              expected = gradients_of(retrieve, wide);
    for (std::size_t i = 0; i < g.size(); ++i) {
      EXPECT_EQ(g[i].scalar_type(), type);
      // Cotangent of the state and the gradient itself are rounded to 16 bits.
      const double scale = std::max(1.0, expected[i].abs().max().item<double>());
      EXPECT_LE(distance(g[i], expected[i]), 0.06 * scale);
    }
  }
  // Mixed: states in f32 against stored patterns in bf16, and f64 among f32.
  Case c = make_case({.name = ""}).to(at::kFloat);
  c.stored = c.stored.to(at::kBFloat16);
  const Case wide = c.to(at::kFloat);
  EXPECT_TRUE(same_bits(retrieve(c.states, c.stored, c.options).state,
                        retrieve(wide.states, wide.stored, wide.options).state));
  c.stored = wide.stored.to(at::kDouble);
  EXPECT_EQ(retrieve(c.states, c.stored, c.options).state.scalar_type(), at::kFloat);
}

TEST(RetrieveEdges, AutocastReadsPatternsInBfloat16) {
  const Case c = make_case({.name = ""}).to(at::kFloat);
  const Case narrow = c.to(at::kBFloat16);
  RetrieveOptions kept = c.options;
  kept.projections = narrow.options.projections;
  const RetrieveResult expected = retrieve(narrow.states, narrow.stored, kept);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  const RetrieveResult r = retrieve(c.states, c.stored, c.options);
  const RetrieveResult composed = retrieve_composition(c.states, c.stored, c.options);
  at::autocast::set_autocast_enabled(at::kCPU, false);
  at::autocast::clear_cache();
  EXPECT_EQ(r.state.scalar_type(), at::kBFloat16);
  EXPECT_EQ(composed.state.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(same_bits(r.state, expected.state));
  EXPECT_LE(distance(composed.lse, expected.lse), 1e-5);
}

TEST(RetrieveEdges, MetaTensorsHaveTheShapesAndTypesOfTheResult) {
  for (const Settings& s : all_settings()) {
    const Case c = make_case(s);
    std::vector<Tensor> leaves;
    for (const Tensor& x : c.leaves()) leaves.push_back(x.to(at::kMeta).requires_grad_(true));
    Case meta = c.with_leaves(leaves);
    const auto move = [](std::optional<Tensor>& x) {
      if (x && !x->is_meta()) x = x->to(at::kMeta);
    };
    move(meta.options.mask);
    move(meta.options.hidden_stored);
    move(meta.options.stored_offsets);
    move(meta.options.state_offsets);
    const RetrieveResult r = retrieve(meta.states, meta.stored, meta.options);
    const RetrieveResult truth = retrieve(c.states, c.stored, c.options);
    using R = RetrieveResult;
    for (Tensor R::*m :
         {&R::state, &R::lse, &R::energy, &R::entropy, &R::largest, &R::largest_index, &R::top,
          &R::top_index, &R::metastable_size, &R::steps, &R::reason, &R::final_state}) {
      ASSERT_EQ((r.*m).defined(), (truth.*m).defined()) << s.name;
      if (!(r.*m).defined()) continue;
      EXPECT_EQ((r.*m).sizes(), (truth.*m).sizes()) << s.name;
      EXPECT_EQ((r.*m).scalar_type(), (truth.*m).scalar_type()) << s.name;
      EXPECT_TRUE((r.*m).is_meta()) << s.name;
    }
    (r.state.sum() + r.lse.sum()).backward();
    for (const Tensor& x : leaves) EXPECT_EQ(x.grad().sizes(), x.sizes()) << s.name;
  }
}

TEST(RetrieveEdges, FusedAttentionEqualsTheComposition) {
  Case c = make_case({.name = "", .form = Form::kSharedStored, .beta_per_head = false});
  RetrieveOptions plain;
  plain.projections = c.options.projections;
  plain.beta = c.options.beta;
  c.options = plain;
  ASSERT_TRUE(fused_attention_fits(c.states, c.stored, c.options));
  const RetrieveResult truth = retrieve_composition(c.states, c.stored, c.options);
  for (const std::int64_t block : {1, 3, 100}) {
    const RetrieveResult r = retrieve_fused(c.states, c.stored, c.options, block);
    EXPECT_LE(distance(r.state, truth.state), 1e-13);
    EXPECT_LE(distance(r.lse, truth.lse), 1e-13);
    EXPECT_TRUE(at::equal(r.reason, truth.reason));
  }
  c.options.want_entropy = true;
  EXPECT_FALSE(fused_attention_fits(c.states, c.stored, c.options));
}

TEST(RetrieveEdges, DropoutZeroesAndRescalesTheAssociationOnce) {
  Case c = make_case({.name = ""});
  c.options.projections = at::eye(7, at::kDouble).view({1, 7, 1, 7}).expand({3, 7, 2, 7});
  c.options.want_association = true;
  const Tensor p = retrieve(c.states, c.stored, c.options).association.transpose(1, 2);
  c.options.dropout = 0.5;
  const RetrieveResult r = retrieve(c.states, c.stored, c.options);
  // The state shows the association that was applied: each entry 0 or doubled.
  const Tensor kept = r.state != 0;
  EXPECT_LE(distance(r.state, at::where(kept, 2 * p, at::zeros_like(p))), 1e-12);
  EXPECT_GT(kept.sum().item<std::int64_t>(), 0);
  EXPECT_LT(kept.sum().item<std::int64_t>(), kept.numel());
  EXPECT_LE(distance(r.association.transpose(1, 2), p), 1e-12);
}

template <class F>
std::string message_of(F call) {
  try {
    call();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
  return "nothing thrown";
}

TEST(RetrieveErrors, SayWhatWasExpectedAndWhatCame) {
  const Case c = make_case({.name = ""});
  const auto expect = [](const Case& bad, const std::string& text) {
    for (const Retrieve f : {Retrieve{retrieve}, Retrieve{retrieve_composition}}) {
      const std::string message = message_of([&] { f(bad.states, bad.stored, bad.options); });
      EXPECT_NE(message.find(text), std::string::npos) << message;
      EXPECT_EQ(message.rfind("[", 0), 0u) << message;
    }
  };
  Case bad = c;
  bad.states = c.states.narrow(-1, 0, 3);
  expect(bad, "[retrieve] expected stored patterns of depth 3, as the states have, got 4");
  bad = c;
  bad.states = c.states[0];
  expect(bad, "[retrieve] expected states [B or 1, rows, H or 1, depth], got [2, 2, 4]");
  bad = c;
  bad.stored = c.stored.narrow(0, 0, 2);
  expect(bad, "[retrieve] expected stored with 3 or 1 bags, got 2");
  bad = c;
  bad.options.projections = c.options.projections->narrow(1, 0, 5);
  expect(bad, "[retrieve] expected projections of 7 stored patterns, got 5");
  bad = c;
  bad.options.mask = at::zeros({3, 2, 2, 6}, at::kBool);
  expect(bad,
         "[retrieve] expected a mask broadcastable to [3, 2, 2, 7] (bag, head, state, stored), "
         "got [3, 2, 2, 6]");
  bad = c;
  bad.options.mask = at::zeros({7}, at::kLong);
  expect(bad, "[retrieve] expected a mask of type bool or floating, got Long");
  bad = c;
  bad.options.beta = at::ones({3});
  expect(bad, "[retrieve] expected beta floating, one or one for each of 2 heads, got [3]");
  bad = c;
  bad.options.hidden_stored = at::zeros({3, 6}, at::kBool);
  expect(bad, "[retrieve] expected hidden_stored [3 or 1, 7], got [3, 6]");
  bad = c;
  bad.options.separation = Separation::kTopKSoftmax;
  bad.options.top_k = 0;
  expect(bad, "[retrieve] expected top_k >= 1");
  bad = c;
  bad.options.update_steps_max = {1, 2, 3};
  expect(bad, "[retrieve] expected update_steps_max with 1 or 2 entries, got 3");
  bad = c;
  bad.options.update_steps_eps = {0};
  expect(bad, "[retrieve] expected update_steps_eps > 0, got 0");
  bad = c;
  bad.options.similarity = Similarity::kCosine;
  expect(bad, "when the energy is wanted, got cosine");
  bad = c;
  bad.options.beta = at::tensor({1.0, -1.0}, at::kDouble);
  expect(bad, "expected beta > 0 for the energy, got");
  bad = c;
  bad.states = c.states.to(at::kLong);
  expect(bad, "[retrieve] expected states of type f32, f64, bf16 or f16, got Long");
}

TEST(RetrieveErrors, OffsetsMustAscendFromZeroToTheRows) {
  Case c = make_case({.name = "", .form = Form::kRagged});
  const auto message = [&](std::vector<std::int64_t> offsets, Retrieve f) {
    RetrieveOptions o = c.options;
    o.stored_offsets = at::tensor(offsets, at::kLong);
    return message_of([&] { f(c.states, c.stored, o); });
  };
  for (const Retrieve f : {Retrieve{retrieve}, Retrieve{retrieve_composition}}) {
    EXPECT_NE(message({1, 5, 5, 12}, f).find("expected stored_offsets starting at 0, got 1"),
              std::string::npos);
    EXPECT_NE(message({0, 6, 5, 12}, f).find("expected stored_offsets ascending, got 5 after 6"),
              std::string::npos);
    EXPECT_NE(message({0, 5, 5, 11}, f).find("expected stored_offsets ending at the 12 rows"),
              std::string::npos);
    EXPECT_NE(message({0, 12}, f).find("expected state_offsets of 1 bags"), std::string::npos);
  }
}

TEST(RetrieveErrors, ErrorsOfTheCoreKeepTheirText) {
  const Case c = make_case({.name = ""});
  RetrieveOptions o = c.options;
  o.beta = at::tensor({std::numeric_limits<double>::quiet_NaN()}, at::kDouble);
  o.want_energy = false;
  try {
    retrieve(c.states, c.stored, o);
    FAIL() << "nothing thrown";
  } catch (const c10::ValueError& error) {
    EXPECT_NE(std::string(error.what()).find("expected finite beta, got nan"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace hopfield::ops::testing
