// Gradients of every differentiable output with respect to every input, against central differences
// in double, away from kinks.

#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "hopfield/kernels/associate.h"
#include "support/dense_association.h"

namespace hopfield::test {
namespace {

constexpr std::int64_t kStored = 7, kStates = 5, kDepth = 4, kProjectionDepth = 3, kHeads = 2;

/// Which inputs are shared by heads or bags.
struct Sharing {
  const char* name;
  std::int64_t stored_heads, state_heads, projection_heads;
  std::vector<std::int64_t> stored_offsets, state_offsets;
  bool one_beta;
};

const std::vector<Sharing>& sharings() {
  static const std::vector<Sharing> kAll = {
      {"one bag", kHeads, kHeads, kHeads, {}, {}, false},
      {"ragged, stored shared by heads", 1, kHeads, 1, {0, 4, 4, 7}, {0, 2, 3, 5}, true},
      {"states shared by heads and bags", kHeads, 1, kHeads, {0, 3, 7}, {}, false},
      {"stored shared by bags, projections by heads", kHeads, kHeads, 1, {}, {0, 3, 5}, true}};
  return kAll;
}

/// A problem that owns its inputs; every number of them can be moved.
class Problem {
 public:
  Problem(const Sharing& sharing, Similarity similarity, Separation separation, bool tied,
          std::uint64_t seed)
      : sharing_(sharing), random_(seed) {
    fill(stored, kStored * sharing.stored_heads * kDepth);
    fill(states, kStates * sharing.state_heads * kDepth);
    if (!tied) fill(projections, kStored * sharing.projection_heads * kProjectionDepth);
    beta = sharing.one_beta ? std::vector<double>{0.8} : std::vector<double>{0.6, 1.1};
    in.stored = pattern_view(stored.data(), kStored, sharing.stored_heads, kDepth);
    in.states = pattern_view(states.data(), kStates, sharing.state_heads, kDepth);
    if (!tied) {
      in.projections =
          pattern_view(projections.data(), kStored, sharing.projection_heads, kProjectionDepth);
    }
    in.beta = beta;
    in.stored_offsets = sharing_.stored_offsets;
    in.state_offsets = sharing_.state_offsets;
    in.similarity = similarity;
    in.separation = separation;
    in.top_k = separation == Separation::kTopKSoftmax ? 2 : 0;
    shape = validate(in, "test");

    fill(bias, shape.num_bags * kHeads * kStates * kStored);
    for (double& b : bias) b *= 0.5;
    in.bias_f64 = {bias.data(), kHeads * kStates * kStored, kStates * kStored, kStored, 1};
    hidden.assign(bias.size(), 0);
    for (auto& h : hidden) h = random_() % 6 == 0;
    for (std::int64_t s = 0; s < kStored; ++s)
      hidden[static_cast<std::size_t>(s)] = 1;  // blind row
    in.hidden = {hidden.data(), kHeads * kStates * kStored, kStates * kStored, kStored, 1};

    const auto n = shape.rows * kHeads;
    fill(g_state, n * shape.projection_depth);
    fill(g_lse, n);
    fill(g_energy, n);
    fill(g_entropy, n);
  }
  Problem(const Problem&) = delete;
  Problem& operator=(const Problem&) = delete;

  /// No kink within reach of the differences.
  bool smooth() const {
    for (const auto& row : dense_associate<long double>(in).rows) {
      if (row.num_visible > 0 && (row.margin < 0.02L || row.norm_gap < 0.05L)) return false;
    }
    return true;
  }

  std::vector<double> stored, states, projections, beta, bias;
  std::vector<std::uint8_t> hidden;
  std::vector<double> g_state, g_lse, g_energy, g_entropy;
  Associations in;
  AssociationShape shape;

 private:
  void fill(std::vector<double>& to, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) to.push_back(normal_(random_));
  }
  Sharing sharing_;
  std::mt19937_64 random_;
  std::normal_distribution<double> normal_;
};

/// <cotangent, output> for each of the outputs state, lse, energy, entropy (blind rows aside).
std::vector<double> functionals(const Problem& p) {
  const std::int64_t n = p.shape.rows * kHeads;
  const auto size = static_cast<std::size_t>(n);
  std::vector<double> state(size * static_cast<std::size_t>(p.shape.projection_depth)), lse(size),
      energy(size), entropy(size);
  AssociateOutputs<double> out;
  out.state = mutable_view(state.data(), p.shape.rows, kHeads, p.shape.projection_depth);
  out.lse = lse;
  if (p.in.similarity != Similarity::kCosine) out.energy = energy;
  out.entropy = entropy;
  AssociateOptions options;
  options.executor = &serial_executor();
  options.target = "reference";
  associate(p.in, out, options);
  std::vector<double> sums(4, 0);
  const auto add = [](double& sum, const std::vector<double>& g, const std::vector<double>& x) {
    for (std::size_t i = 0; i < g.size() && i < x.size(); ++i) {
      if (std::isfinite(x[i])) sum += g[i] * x[i];
    }
  };
  add(sums[0], p.g_state, state);
  add(sums[1], p.g_lse, lse);
  add(sums[2], p.g_energy, energy);
  add(sums[3], p.g_entropy, entropy);
  return sums;
}

/// Derivatives of the four functionals by one number: fourth-order central differences. With step h
/// their error is about h^4 |f'''''| / 30 + 2 eps |f| / h: 1e-15 and 1e-11 for h = 1e-4.
std::vector<double> differences(const Problem& p, double& x) {
  constexpr double kStep = 1e-4;
  const double at = x;
  const auto f = [&](double by) {
    x = at + by * kStep;
    return functionals(p);
  };
  const auto a = f(-2), b = f(-1), c = f(1), d = f(2);
  x = at;
  std::vector<double> slope(4);
  for (std::size_t i = 0; i < 4; ++i) slope[i] = (a[i] - 8 * b[i] + 8 * c[i] - d[i]) / (12 * kStep);
  return slope;
}

struct Gradients {
  std::vector<double> stored, states, projections, beta, bias;
};

/// What `associate_backward` says about functional `which` on `target`.
Gradients analytic(const Problem& p, std::size_t which, const std::string& target) {
  const auto size = static_cast<std::size_t>(p.shape.rows * kHeads);
  std::vector<double> state(size * static_cast<std::size_t>(p.shape.projection_depth)), lse(size),
      entropy(size);
  AssociateOptions options;
  options.target = target;
  AssociateOutputs<double> out;
  out.state = mutable_view(state.data(), p.shape.rows, kHeads, p.shape.projection_depth);
  out.lse = lse;
  out.entropy = entropy;
  associate(p.in, out, options);
  AssociateSaved<double> saved;
  saved.state = pattern_view(state.data(), p.shape.rows, kHeads, p.shape.projection_depth);
  saved.lse = lse;
  saved.entropy = entropy;
  AssociateCotangents<double> g;
  if (which == 0) {
    g.state = pattern_view(p.g_state.data(), p.shape.rows, kHeads, p.shape.projection_depth);
  }
  if (which == 1) g.lse = p.g_lse;
  if (which == 2) g.energy = p.g_energy;
  if (which == 3) g.entropy = p.g_entropy;

  Gradients d = {std::vector<double>(p.stored.size()), std::vector<double>(p.states.size()),
                 std::vector<double>(p.projections.size()), std::vector<double>(p.beta.size()),
                 std::vector<double>(p.bias.size())};
  const auto like = [](std::vector<double>& to, const PatternView& v) {
    return mutable_view(to.data(), v.rows, v.heads, v.depth);
  };
  AssociateGradients<double> gradients;
  gradients.stored = like(d.stored, p.in.stored);
  gradients.states = like(d.states, p.in.states);
  if (!p.shape.tied) gradients.projections = like(d.projections, p.in.projections);
  gradients.beta = d.beta;
  gradients.bias = d.bias.data();
  gradients.bias_bag_stride = p.in.bias_f64.bag_stride;
  gradients.bias_head_stride = p.in.bias_f64.head_stride;
  gradients.bias_state_stride = p.in.bias_f64.state_stride;
  associate_backward(p.in, saved, g, gradients, options);
  return d;
}

struct GradientCase {
  Similarity similarity;
  Separation separation;
  std::string name;
};

class AssociateGradient : public ::testing::TestWithParam<GradientCase> {};

void expect_equal(const std::vector<std::vector<double>>& slopes, std::size_t which,
                  const std::vector<double>& gradient, const std::string& what, double* largest) {
  ASSERT_EQ(slopes.size(), gradient.size()) << what;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    ASSERT_NEAR(gradient[i], slopes[i][which], 1e-8 * (1 + std::abs(slopes[i][which])))
        << what << " element " << i;
    *largest = std::max(*largest, std::abs(gradient[i]));
  }
}

TEST_P(AssociateGradient, EqualsCentralDifferencesForEveryInputAndOutput) {
  static const char* const kOutputs[] = {"state", "lse", "energy", "entropy"};
  for (const Sharing& sharing : sharings()) {
    for (const bool tied : {false, true}) {
      std::uint64_t seed = 1;
      while (!Problem(sharing, GetParam().similarity, GetParam().separation, tied, seed).smooth()) {
        ASSERT_LT(++seed, 500u) << "no smooth problem found";
      }
      Problem p(sharing, GetParam().similarity, GetParam().separation, tied, seed);
      const auto all = [&](std::vector<double>& inputs) {
        std::vector<std::vector<double>> slopes;
        for (double& x : inputs) slopes.push_back(differences(p, x));
        return slopes;
      };
      const auto stored = all(p.stored), states = all(p.states), projections = all(p.projections),
                 beta = all(p.beta), bias = all(p.bias);
      for (std::size_t which = 0; which < 4; ++which) {
        if (which == 2 && GetParam().similarity == Similarity::kCosine) continue;
        for (const std::string& target : associate_targets()) {
          SCOPED_TRACE(std::string(sharing.name) + (tied ? ", tied, " : ", ") + kOutputs[which] +
                       ", target " + target + ", seed " + std::to_string(seed));
          const Gradients d = analytic(p, which, target);
          double largest = 0;
          expect_equal(stored, which, d.stored, "stored", &largest);
          expect_equal(states, which, d.states, "states", &largest);
          expect_equal(projections, which, d.projections, "projections", &largest);
          expect_equal(beta, which, d.beta, "beta", &largest);
          expect_equal(bias, which, d.bias, "bias", &largest);
          if (HasFatalFailure()) return;
          // The check means something: the gradient is not zero, except for max's constant entropy.
          if (GetParam().separation != Separation::kMax || which != 3) {
            EXPECT_GT(largest, 1e-3);
          }
        }
      }
    }
  }
}

std::vector<GradientCase> gradient_cases() {
  std::vector<GradientCase> cases;
  for (const auto& [similarity, first] : {std::pair{Similarity::kDot, "Dot"},
                                          {Similarity::kCosine, "Cosine"},
                                          {Similarity::kNegativeSquaredDistance, "Distance"}}) {
    for (const auto& [separation, second] : {std::pair{Separation::kSoftmax, "Softmax"},
                                             {Separation::kSparsemax, "Sparsemax"},
                                             {Separation::kEntmax15, "Entmax15"},
                                             {Separation::kTopKSoftmax, "TopKSoftmax"},
                                             {Separation::kMax, "Max"}}) {
      cases.push_back({similarity, separation, std::string(first) + second});
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(All, AssociateGradient, ::testing::ValuesIn(gradient_cases()),
                         [](const auto& tested) { return tested.param.name; });

// At a tie of the largest norms, M^2 / 2 passes its gradient to the first of them.
TEST(AssociateGradientOfEnergy, OfEqualNormsTheFirstVisibleGetsIt) {
  const std::vector<double> stored = {3, 4, 4, 3, 5, 0};
  const std::vector<double> state = {0, 0};
  const std::vector<double> beta = {1};
  const std::vector<std::uint8_t> hidden = {1, 0, 0};
  const std::vector<double> lse = {0}, one = {1};
  Associations in;
  in.stored = pattern_view(stored.data(), 3, 2);
  in.states = pattern_view(state.data(), 1, 2);
  in.beta = beta;
  in.hidden_stored = hidden;
  for (const std::string& target : associate_targets()) {
    AssociateOptions options;
    options.target = target;
    std::vector<double> found(1), gradient(6);
    AssociateOutputs<double> out;
    out.lse = found;
    associate(in, out, options);
    AssociateSaved<double> saved;
    saved.lse = found;
    AssociateCotangents<double> g;
    g.energy = one;
    AssociateGradients<double> d;
    d.stored = mutable_view(gradient.data(), 3, 2);
    associate_backward(in, saved, g, d, options);
    // The state is 0, so the scores pass nothing on to the patterns.
    EXPECT_EQ(gradient, (std::vector<double>{0, 0, 4, 3, 0, 0})) << target;
  }
}

}  // namespace
}  // namespace hopfield::test
