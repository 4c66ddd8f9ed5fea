// Capacity and separation formulas against the check values of docs/math/advice.md.
#include "hopfield/memory/bounds.h"

#include <gtest/gtest.h>

#include <boost/math/special_functions/lambert_w.hpp>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "hopfield/base/error.h"
#include "tests/unit/memory/problem.h"

namespace hopfield {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr StorageCriterion kCriteria[] = {StorageCriterion::kMaster, StorageCriterion::kSharp};

struct CapacityRow {
  double beta, k;
  std::int64_t depth;
  double p, a, b, c, c_min, num_patterns;
};

TEST(Bounds, GuaranteedCapacityIsThatOfTheoremThree) {
  const CapacityRow rows[] = {
      {1, 3, 20, 0.001, -0.007678, 3.6, 3.154611, 2.394221, 7.412974},
      {1, 1, 75, 0.001, -0.024609, 0.4, 1.371878, 1.251276, 10.973249},
      {1, 2, 40, 0.01, 0.109632, 1.6, 1.996915, 1.359687, 84.821469},
  };
  for (const CapacityRow& row : rows) {
    const GuaranteedCapacity got = guaranteed_capacity(row.beta, row.k, row.depth, row.p);
    EXPECT_NEAR(got.a, row.a, 1e-6);
    EXPECT_NEAR(got.b, row.b, 1e-12);
    EXPECT_NEAR(got.c, row.c, 1e-6);
    EXPECT_NEAR(got.c_min, row.c_min, 1e-6);
    EXPECT_NEAR(got.num_patterns, row.num_patterns, 1e-5);
    EXPECT_TRUE(got.applies);
    EXPECT_NEAR(got.a * got.c + got.c * std::log(got.c), got.b, 1e-12);
  }
  // Too few dimensions for beta = 1, K = 3, c = 2, p = 0.001: the theorem is silent.
  const GuaranteedCapacity low = guaranteed_capacity(0.1, 1, 5, 0.001);
  EXPECT_FALSE(low.applies);
  EXPECT_EQ(low.num_patterns, 0);
}

TEST(Bounds, ExactTailCapacityIsThePublishedOne) {
  EXPECT_EQ(exact_tail_capacity(StorageCriterion::kMaster, 1, 3, 20, 0.001), 341);
  EXPECT_EQ(exact_tail_capacity(StorageCriterion::kSharp, 1, 3, 20, 0.001), 861);
  EXPECT_EQ(exact_tail_capacity(StorageCriterion::kMaster, 1, 1, 75, 0.001), 13504);
  EXPECT_EQ(exact_tail_capacity(StorageCriterion::kSharp, 1, 1, 75, 0.001), 353005);
  // Overlapping balls prove nothing.
  EXPECT_EQ(exact_tail_capacity(StorageCriterion::kSharp, 1e-6, 1, 10, 0.5), 1);
}

TEST(Bounds, CosineTailIsTheShareOfASphericalCap) {
  for (const double t : {-1.0, -0.7, 0.0, 0.3, 0.9999999, 1.0}) {
    EXPECT_NEAR(cosine_tail(2, t), std::acos(t) / M_PI, 1e-14);  // an arc
    EXPECT_NEAR(cosine_tail(3, t), (1 - t) / 2, 1e-14);          // Archimedes
  }
  EXPECT_NEAR(cosine_tail(64, 0.2) + cosine_tail(64, -0.2), 1, 1e-15);
}

TEST(Bounds, BetaNeededIsTheEdgeOfTheCriterion) {
  testing::Numbers numbers(7);
  for (int round = 0; round < 500; ++round) {
    const double n = 2 + static_cast<double>(numbers.below(100000));
    const double norm = std::exp(numbers.between(-3, 3));
    const double separation = 2 * norm * norm * std::pow(10, numbers.between(-6, 0));
    for (const StorageCriterion criterion : kCriteria) {
      const double beta = beta_needed(criterion, separation, n, norm);
      ASSERT_TRUE(std::isfinite(beta) && beta > 0);
      // It holds from there on ...
      for (const double factor : {1 + 1e-9, 1.1, 10.0, 1e4}) {
        EXPECT_LE(separation_needed(criterion, beta * factor, n, norm), separation);
      }
      // ... and not just below, unless it is the disjointness of the balls that ends.
      const double crowd = criterion == StorageCriterion::kMaster ? 2 * n * (n - 1) * norm * norm
                                                                  : 4 * (n - 1) * norm * norm;
      EXPECT_GE(beta * crowd, 1 - 1e-12);
      if (beta * crowd > 1 + 1e-9) {
        EXPECT_GT(separation_needed(criterion, beta * (1 - 1e-6), n, norm), separation);
      }
    }
  }
}

TEST(Bounds, BetaNeededIsTheLowerLambertBranch) {
  // y - ln y = k <=> y = -W_{-1}(-exp(-k)).
  for (const double n : {2.0, 10.0, 1e6}) {
    const double separation = 0.3, norm = 1.5;
    const double k = 1 + std::log(4 * (n - 1) * norm * norm / separation);
    EXPECT_NEAR(beta_needed(StorageCriterion::kSharp, separation, n, norm) * separation,
                -boost::math::lambert_wm1(-std::exp(-k)), 1e-12 * k);
  }
}

TEST(Bounds, EdgesOfTheFormulas) {
  for (const StorageCriterion criterion : kCriteria) {
    EXPECT_EQ(separation_needed(criterion, 1, 1, 1), -kInfinity);
    EXPECT_EQ(beta_needed(criterion, kInfinity, 1, 1), 0);
    EXPECT_EQ(beta_needed(criterion, 0, 5, 1), kInfinity);
    EXPECT_EQ(beta_needed(criterion, -1, 5, 1), kInfinity);
    EXPECT_TRUE(std::isfinite(beta_needed(criterion, 1e-300, 1e300, 1e10)));
  }
  EXPECT_NEAR(certified_radius(StorageCriterion::kMaster, 12, 8, 1), 0.010417, 1e-6);
  EXPECT_NEAR(certified_radius(StorageCriterion::kSharp, 12, 8, 1), 0.041667, 1e-6);
  EXPECT_EQ(global_average_beta(2), 0.25);
  EXPECT_EQ(global_average_beta(0), kInfinity);
  EXPECT_EQ(retrieval_error_bound(1, 0.5, 0.1, 1, 1), 0);
}

TEST(Bounds, BetaForAnErrorIsWhereTheBoundFallsToIt) {
  for (const double error : {1e-6, 0.1, 3.0}) {
    const double beta = beta_for_error(error, 1.4, 0.05, 1000, 2);
    EXPECT_NEAR(retrieval_error_bound(beta, 1.4, 0.05, 1000, 2), error, 1e-12 * error);
  }
  EXPECT_EQ(beta_for_error(0.1, 0.4, 0.1, 1000, 2), std::numeric_limits<double>::infinity());
  EXPECT_EQ(beta_for_error(0.1, -1, 0, 1, 2), 0);
  EXPECT_EQ(beta_for_error(5, 0.1, 0, 2, 2), 0);
  EXPECT_THROW(beta_for_error(0, 1, 0, 10, 1), Error);
}

TEST(Bounds, SayWhatIsWrong) {
  const auto error = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const Error& caught) {
      EXPECT_EQ(caught.code(), ErrorCode::kInvalidArgument);
      return caught.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  };
  EXPECT_EQ(error([] {
              separation_needed(StorageCriterion::kSharp, 0, 3, 1);
            }).rfind("[separation_needed] expected beta > 0", 0),
            0u);
  EXPECT_NE(error([] { beta_needed(StorageCriterion::kSharp, 1, 0.5, 1); }).find("num_patterns"),
            std::string::npos);
  EXPECT_NE(error([] { beta_needed(StorageCriterion::kSharp, std::nan(""), 3, 1); }).find("NaN"),
            std::string::npos);
  EXPECT_NE(error([] { guaranteed_capacity(1, 1, 1, 0.1); }).find("depth >= 2"), std::string::npos);
  EXPECT_NE(error([] {
              exact_tail_capacity(StorageCriterion::kMaster, 1, 1, 9, 0);
            }).find("failure_probability"),
            std::string::npos);
  EXPECT_NE(error([] { cosine_tail(3, 1.5); }).find("[-1, 1]"), std::string::npos);
}

/// N patterns of norm K sqrt(d - 1) = 1 in directions as good as random.
std::vector<double> sphere(std::int64_t n, std::int64_t d, std::uint64_t seed) {
  testing::Numbers numbers(seed);
  std::vector<double> x = numbers.vector<double>(n * d);
  for (std::int64_t i = 0; i < n; ++i) {
    double square = 0;
    for (std::int64_t k = i * d; k < (i + 1) * d; ++k) {
      square += x[static_cast<std::size_t>(k)] * x[static_cast<std::size_t>(k)];
    }
    for (std::int64_t k = i * d; k < (i + 1) * d; ++k) {
      x[static_cast<std::size_t>(k)] /= std::sqrt(square);
    }
  }
  return x;
}

double separation_of(const std::vector<double>& x, std::size_t i, std::size_t n, std::size_t d) {
  const auto dot = [&](std::size_t j) {
    double sum = 0;
    for (std::size_t k = 0; k < d; ++k) sum += x[i * d + k] * x[j * d + k];
    return sum;
  };
  double rival = -kInfinity;
  for (std::size_t j = 0; j < n; ++j) {
    if (j != i) rival = std::max(rival, dot(j));
  }
  return dot(i) - rival;
}

TEST(Bounds, ACertifiedBallKeepsItsStates) {
  const std::size_t n = 40, d = 24;
  const std::vector<double> x = sphere(40, 24, 12);
  testing::Numbers numbers(13);
  for (std::size_t i = 0; i < n; ++i) {
    const double separation = separation_of(x, i, n, d);
    for (const StorageCriterion criterion : kCriteria) {
      const double beta = beta_needed(criterion, separation, n, 1) * (1 + 1e-9);
      const double radius = certified_radius(criterion, beta, n, 1);
      const auto direction = numbers.vector<double>(static_cast<std::int64_t>(d));
      std::vector<double> xi(d), pattern(x.begin() + static_cast<std::ptrdiff_t>(i * d),
                                         x.begin() + static_cast<std::ptrdiff_t>((i + 1) * d));
      for (std::size_t k = 0; k < d; ++k) {
        xi[k] = pattern[k] + radius * direction[k] / testing::norm(direction);
      }
      Associations in;
      in.stored = pattern_view(x.data(), 40, 24);
      in.states = pattern_view(xi.data(), 1, 24);
      in.beta = {&beta, 1};
      const testing::Updates one({0}), all({-1}, {1e-12}, StopCriterion::kState);
      const auto first = testing::run_retrieve<double>(in, one.options);
      EXPECT_LE(testing::distance(first.state, pattern), radius);
      // Theorem 5 at this state.
      EXPECT_LE(testing::distance(first.state, pattern),
                retrieval_error_bound(beta, separation, radius, n, 1));
      const auto end = testing::run_retrieve<double>(in, all.options);
      EXPECT_EQ(end.reason[0], StopReason::kConverged);
      EXPECT_LE(testing::distance(end.final_state, pattern), radius);
    }
  }
}

/// N = 32 unit patterns, d = 64, states at distance 0.05, beta from 1 to 64.
TEST(Bounds, TheoremFiveHoldsAtEveryBeta) {
  const std::size_t n = 32, d = 64;
  const std::vector<double> x = sphere(32, 64, 21);
  testing::Numbers numbers(22);
  for (double beta = 1; beta <= 64; beta *= 2) {
    for (std::size_t i = 0; i < n; ++i) {
      const auto direction = numbers.vector<double>(64);
      std::vector<double> xi(x.begin() + static_cast<std::ptrdiff_t>(i * d),
                             x.begin() + static_cast<std::ptrdiff_t>((i + 1) * d));
      const std::vector<double> pattern = xi;
      for (std::size_t k = 0; k < d; ++k) xi[k] += 0.05 * direction[k] / testing::norm(direction);
      Associations in;
      in.stored = pattern_view(x.data(), 32, 64);
      in.states = pattern_view(xi.data(), 1, 64);
      in.beta = {&beta, 1};
      const testing::Updates none({0});
      const auto got = testing::run_retrieve<double>(in, none.options);
      EXPECT_LE(testing::distance(got.state, pattern),
                retrieval_error_bound(beta, separation_of(x, i, n, d), 0.05, n, 1));
    }
  }
}

}  // namespace
}  // namespace hopfield
