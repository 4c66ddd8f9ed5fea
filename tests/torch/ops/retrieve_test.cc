// The registered op against its composition from torch operations, and both against central
// differences.
#include "hopfield/torch/ops/retrieve.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>

#include "tests/torch/ops/cases.h"

namespace hopfield::ops::testing {
namespace {

using at::Tensor;

class RetrieveCase : public ::testing::TestWithParam<Settings> {};

INSTANTIATE_TEST_SUITE_P(All, RetrieveCase, ::testing::ValuesIn(all_settings()),
                         [](const auto& test) { return test.param.name; });

struct Named {
  const char* name;
  Tensor RetrieveResult::*member;
};
constexpr Named kReal[] = {{"state", &RetrieveResult::state},
                           {"lse", &RetrieveResult::lse},
                           {"energy", &RetrieveResult::energy},
                           {"entropy", &RetrieveResult::entropy},
                           {"largest", &RetrieveResult::largest},
                           {"top", &RetrieveResult::top},
                           {"association", &RetrieveResult::association},
                           {"final_state", &RetrieveResult::final_state}};
constexpr Named kWhole[] = {{"largest_index", &RetrieveResult::largest_index},
                            {"top_index", &RetrieveResult::top_index},
                            {"metastable_size", &RetrieveResult::metastable_size},
                            {"steps", &RetrieveResult::steps},
                            {"reason", &RetrieveResult::reason}};

TEST_P(RetrieveCase, EqualsCompositionInDouble) {
  Case c = make_case(GetParam());
  c.options.want_association = true;
  const RetrieveResult op = retrieve(c.states, c.stored, c.options);
  const RetrieveResult truth = retrieve_composition(c.states, c.stored, c.options);
  for (const Named& output : kReal) {
    const Tensor &a = op.*output.member, &b = truth.*output.member;
    ASSERT_EQ(a.defined(), b.defined()) << output.name;
    if (!a.defined()) continue;
    EXPECT_EQ(a.scalar_type(), at::kDouble) << output.name;
    // Numbers of order 1 from sums of at most 100 terms; a few hundred roundings of 1e-16.
    EXPECT_LE(distance(a, b), 1e-12) << output.name << "\n" << a << "\n" << b;
  }
  for (const Named& output : kWhole) {
    EXPECT_TRUE(at::equal(op.*output.member, truth.*output.member)) << output.name << "\n"
                                                                    << op.*output.member << "\n"
                                                                    << truth.*output.member;
  }
}

// |f32 op - exact| is at most twice the error of the f32 composition, with room for the roundings
// of the output itself.
TEST_P(RetrieveCase, SingleErrsAtMostTwiceAsMuchAsComposition) {
  const Case c = make_case(GetParam());
  if (std::any_of(GetParam().updates.begin(), GetParam().updates.end(),
                  [](std::int64_t n) { return n < 0 || n > 9; })) {
    GTEST_SKIP() << "the number of steps depends on rounding";
  }
  const Case single = c.to(at::kFloat), widened = single.to(at::kDouble);
  const RetrieveResult op = retrieve(single.states, single.stored, single.options);
  const RetrieveResult plain = retrieve_composition(single.states, single.stored, single.options);
  const RetrieveResult truth =
      retrieve_composition(widened.states, widened.stored, widened.options);
  for (const Named& output : kReal) {
    if (!(op.*output.member).defined()) continue;
    const Tensor exact = truth.*output.member;
    const Tensor finite = exact.masked_fill(exact.isinf(), 0);
    const double scale = std::max(1.0, finite.numel() ? finite.abs().max().item<double>() : 0.0);
    EXPECT_EQ((op.*output.member).scalar_type(), at::kFloat);
    EXPECT_LE(distance(op.*output.member, exact),
              2 * distance(plain.*output.member, exact) + 4 * scale * 0x1p-24)
        << output.name;
  }
}

TEST_P(RetrieveCase, GradientsEqualThoseOfComposition) {
  const Case c = make_case(GetParam());
  for (int output = 0; output < 5; ++output) {  // each output alone, then all
    const Weighs w{output == 0 || output == 4, output == 1 || output == 4,
                   (output == 2 || output == 4) && c.options.want_energy,
                   output == 3 || output == 4};
    const std::vector<Tensor> op = gradients_of(retrieve, c, w);
    const std::vector<Tensor> truth = gradients_of(retrieve_composition, c, w);
    for (std::size_t i = 0; i < op.size(); ++i) {
      EXPECT_LE(distance(op[i], truth[i]), 1e-11) << "output " << output << ", input " << i << "\n"
                                                  << op[i] << "\n"
                                                  << truth[i];
      EXPECT_TRUE(op[i].isfinite().all().item<bool>());
    }
  }
}

TEST_P(RetrieveCase, GradientsEqualCentralDifferences) {
  const Case c = make_case(GetParam());
  const auto loss = [](const Case& at) {
    return loss_of(retrieve(at.states, at.stored, at.options)).item<double>();
  };
  const std::vector<Tensor> op = gradients_of(retrieve, c);
  const std::vector<Tensor> differences = differences_of(loss, c);
  for (std::size_t i = 0; i < op.size(); ++i) {
    // Rounding 1e-16 |f| / h = 1e-10; truncation h^2 |third derivative| / 6, and the entropy near
    // the edge of a support has a third derivative of order 1 / p^2, here up to 3e4.
    EXPECT_LE(distance(op[i], differences[i]), 1e-6) << "input " << i << "\n"
                                                     << op[i] << "\n"
                                                     << differences[i];
  }
}

// The derivative of the squared length of the first derivative, along one direction that moves
// every number, against central differences of the composition's. (The entropy of a sparse
// association has an unbounded second derivative near the edge of the support and is left out
// there.)
TEST_P(RetrieveCase, SecondDerivativeEqualsCentralDifferences) {
  const Case c = make_case(GetParam());
  const Separation kind = GetParam().separation;
  Weighs w;
  w.entropy = kind != Separation::kSparsemax && kind != Separation::kEntmax15;
  std::vector<Tensor> directions;
  for (const Tensor& x : c.leaves())
    directions.push_back(at::arange(1, x.numel() + 1, at::kDouble).cos().view(x.sizes()));
  const auto squared_length = [&](double t) {
    std::vector<Tensor> leaves = c.leaves();
    for (std::size_t i = 0; i < leaves.size(); ++i) leaves[i] = leaves[i] + t * directions[i];
    double sum = 0;
    for (const Tensor& g : gradients_of(retrieve_composition, c.with_leaves(leaves), w)) {
      sum += g.square().sum().item<double>();
    }
    return sum;
  };
  constexpr double h = 1e-5;
  const double difference = (squared_length(h) - squared_length(-h)) / (2 * h);
  for (const Retrieve f : {Retrieve{retrieve}, Retrieve{retrieve_composition}}) {
    std::vector<Tensor> leaves;
    for (const Tensor& x : c.leaves()) leaves.push_back(x.detach().clone().requires_grad_(true));
    const Case at = c.with_leaves(leaves);
    const Tensor loss = loss_of(f(at.states, at.stored, at.options), w);
    Tensor length = at::zeros({}, at::kDouble);
    for (const Tensor& g : torch::autograd::grad({loss}, leaves, {}, true, true, true)) {
      if (g.defined()) length = length + g.square().sum();
    }
    double along = 0;
    if (length.requires_grad()) {
      const auto second = torch::autograd::grad({length}, leaves, {}, false, false, true);
      for (std::size_t i = 0; i < second.size(); ++i) {
        if (second[i].defined()) along += (second[i] * directions[i]).sum().item<double>();
      }
    }
    // Truncation h^2 / 6 times a fourth derivative of the loss, relative to the sizes of both.
    const double scale = std::max({1.0, squared_length(0), std::abs(difference)});
    EXPECT_NEAR(along, difference, 1e-6 * scale);
    EXPECT_TRUE(std::isfinite(along));
  }
}

// At a fixed point both ways to differentiate agree; the initial states have no influence left.
TEST(RetrieveGradients, ImplicitEqualsUnrolledAtTheFixedPoint) {
  for (const Similarity similarity : {Similarity::kDot, Similarity::kNegativeSquaredDistance}) {
    Case c = make_case(
        {.name = "", .similarity = similarity, .mask = 'f', .updates = {-1}, .eps = 1e-14});
    c.options.beta = c.options.beta * 0.25;  // contracts quickly
    c.options.update_steps_cap = 2000;
    const RetrieveResult r = retrieve(c.states, c.stored, c.options);
    EXPECT_TRUE((r.reason == static_cast<int>(StopReason::kConverged)).all().item<bool>())
        << r.reason;
    const std::vector<Tensor> unrolled = gradients_of(retrieve, c);
    c.options.gradient = RetrieveGradient::kImplicit;
    const std::vector<Tensor> implicit = gradients_of(retrieve, c);
    EXPECT_TRUE((implicit[0] == 0).all().item<bool>());
    for (std::size_t i = 0; i < implicit.size(); ++i) {
      EXPECT_LE(distance(implicit[i], unrolled[i]), 1e-9) << "input " << i;
    }
  }
}

// Where stored is made of states, each must get its own part of the gradient, twice over.
TEST(RetrieveGradients, SelfAssociationDifferentiatesTwice) {
  const Tensor x = make_case({.name = ""}).states.detach().clone().requires_grad_(true);
  Tensor results[2];
  for (int i = 0; i < 2; ++i) {
    const Retrieve f = i == 0 ? Retrieve{retrieve} : Retrieve{retrieve_composition};
    RetrieveOptions o;
    o.beta = at::tensor({0.8}, at::kDouble);
    const Tensor loss = f(x, x * 2, o).state.pow(3).sum();
    const Tensor first = torch::autograd::grad({loss}, {x}, {}, true, true)[0];
    results[i] = torch::autograd::grad({first.pow(2).sum()}, {x})[0];
  }
  EXPECT_LE(distance(results[0], results[1]), 1e-10 * results[1].abs().max().item<double>());
}

// The dense association has a gradient, too (by the composition).
TEST(RetrieveGradients, OfTheAssociation) {
  Case c = make_case({.name = "", .mask = 'r'});
  c.options.want_association = true;
  const auto loss = [](const Case& at) {
    const Tensor p = retrieve(at.states, at.stored, at.options).association;
    return (p * at::arange(p.numel(), at::kDouble).view(p.sizes())).sum();
  };
  std::vector<Tensor> leaves;
  for (const Tensor& x : c.leaves()) leaves.push_back(x.detach().clone().requires_grad_(true));
  const std::vector<Tensor> op =
      torch::autograd::grad({loss(c.with_leaves(leaves))}, leaves, {}, {}, false, true);
  const std::vector<Tensor> differences =
      differences_of([&](const Case& at) { return loss(at).item<double>(); }, c);
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const Tensor g = op[i].defined() ? op[i] : at::zeros_like(leaves[i]);
    EXPECT_LE(distance(g, differences[i]), 1e-6) << "input " << i;
  }
}

}  // namespace
}  // namespace hopfield::ops::testing
