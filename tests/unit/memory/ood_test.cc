#include "hopfield/memory/ood.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "hopfield/base/error.h"
#include "tests/unit/memory/problem.h"

namespace hopfield {
namespace {

using testing::Numbers;

double square_distance(const std::vector<float>& a, std::size_t i, const std::vector<float>& b,
                       std::size_t j, std::size_t d) {
  double sum = 0;
  for (std::size_t k = 0; k < d; ++k) {
    const double difference = static_cast<double>(a[i * d + k]) - static_cast<double>(b[j * d + k]);
    sum += difference * difference;
  }
  return sum;
}

TEST(DistanceScores, EqualTheirFormulas) {
  constexpr std::size_t kDepth = 5, kPatterns = 60, kStates = 8;
  Numbers numbers(41);
  const std::vector<float> x = numbers.vector<float>(kPatterns * kDepth);
  const std::vector<float> xi = numbers.vector<float>(kStates * kDepth, 2);
  for (const double beta : {0.3, 3.0}) {
    const DistanceScores got = distance_scores(pattern_view(x.data(), kPatterns, kDepth),
                                               pattern_view(xi.data(), kStates, kDepth), beta, 4);
    for (std::size_t t = 0; t < kStates; ++t) {
      std::vector<double> squares;
      double sum = 0, weighted = 0;
      for (std::size_t s = 0; s < kPatterns; ++s) {
        squares.push_back(square_distance(x, s, xi, t, kDepth));
        sum += std::exp(-beta / 2 * squares.back());
        weighted += std::exp(-beta / 2 * squares.back()) * squares.back() / 2;
      }
      // Scores up to 100 in f32, some ten roundings of 6e-8 each.
      EXPECT_NEAR(got.energy[t], -std::log(sum / kPatterns) / beta, 1e-4);
      EXPECT_NEAR(got.weighted[t], weighted / sum, 1e-4);
      std::sort(squares.begin(), squares.end());
      EXPECT_NEAR(got.nearest[t], std::sqrt(squares[3]), 1e-12);
    }
  }
}

TEST(HeldOutScores, AreTheScoresInAMemoryWithoutThePattern) {
  constexpr std::size_t kDepth = 5, kPatterns = 40;
  Numbers numbers(42);
  const std::vector<float> x = numbers.vector<float>(kPatterns * kDepth);
  HeldOutOptions options;
  options.num_sampled = kPatterns;
  for (const std::int64_t neighbours : {std::int64_t{3}, std::int64_t{100}}) {
    const DistanceScores got =
        held_out_scores(pattern_view(x.data(), kPatterns, kDepth), 2, neighbours, options);
    ASSERT_EQ(got.energy.size(), kPatterns);
    for (std::size_t i = 0; i < kPatterns; ++i) {
      std::vector<float> others = x;
      const auto row = others.begin() + static_cast<std::ptrdiff_t>(i * kDepth);
      others.erase(row, row + kDepth);
      const DistanceScores wanted =
          distance_scores(pattern_view(others.data(), kPatterns - 1, kDepth),
                          pattern_view(x.data() + i * kDepth, 1, kDepth), 2, neighbours);
      // Scores up to 50 in f32, some ten roundings of 4e-6; the distances are in double.
      EXPECT_NEAR(got.energy[i], wanted.energy[0], 1e-4);
      EXPECT_NEAR(got.weighted[i], wanted.weighted[0], 1e-4);
      EXPECT_NEAR(got.nearest[i], wanted.nearest[0], 1e-12);
    }
  }
}

TEST(HeldOutScores, RefuseWhatHasNoOthers) {
  const std::vector<float> x = {1, 2};
  EXPECT_THROW(held_out_scores(pattern_view(x.data(), 1, 2), 1, 1), Error);
  EXPECT_THROW(held_out_scores(pattern_view(x.data(), 2, 1), 0, 1), Error);
  EXPECT_THROW(held_out_scores(pattern_view(x.data(), 2, 1), 1, 0), Error);
}

TEST(ScoreQuantiles, AreOrderStatistics) {
  std::vector<double> scores;
  for (int i = 200; i >= 1; --i) scores.push_back(i);
  const ScoreQuantiles quantiles = score_quantiles(scores);
  ASSERT_EQ(quantiles.at_percent.size(), 101u);
  EXPECT_EQ(quantiles.at_percent[0], 1);
  EXPECT_EQ(quantiles.at_percent[1], 2);
  EXPECT_EQ(quantiles.at_percent[100], 200);
  EXPECT_EQ(quantiles.threshold(), 190);
  EXPECT_EQ(quantiles.share_further(0), 1);
  EXPECT_EQ(quantiles.share_further(200), 0);
  EXPECT_EQ(quantiles.share_further(1e9), 0);
  for (int i = 2; i < 200; ++i) {
    // Exact at the quantiles, linear between them: off by at most the rounding of a quotient.
    EXPECT_NEAR(quantiles.share_further(i), (200 - i) / 200.0, 1e-12);
  }
  const ScoreQuantiles one = score_quantiles({3});
  EXPECT_EQ(one.threshold(), 3);
  EXPECT_EQ(one.share_further(2), 1);
  EXPECT_EQ(one.share_further(3), 0);
  EXPECT_THROW(score_quantiles({}), Error);
  EXPECT_THROW(score_quantiles({1, std::nan("")}), Error);
}

/// At the optimum the derivative of the likelihood vanishes: better than betas around it.
TEST(LikelyBeta, MakesHeldOutPatternsMostLikely) {
  constexpr std::size_t kDepth = 3, kPatterns = 80;
  Numbers numbers(43);
  const std::vector<float> x = numbers.vector<float>(kPatterns * kDepth);
  HeldOutOptions options;
  options.num_sampled = kPatterns;
  const double beta = likely_beta(pattern_view(x.data(), kPatterns, kDepth), options);
  const auto log_likelihood = [&](double b) {
    double total = 0;
    for (std::size_t i = 0; i < kPatterns; ++i) {
      double sum = 0;
      for (std::size_t s = 0; s < kPatterns; ++s) {
        if (s != i) sum += std::exp(-b / 2 * square_distance(x, s, x, i, kDepth));
      }
      total += std::log(sum) + kDepth / 2.0 * std::log(b);
    }
    return total;
  };
  EXPECT_GT(log_likelihood(beta), log_likelihood(beta * 1.1));
  EXPECT_GT(log_likelihood(beta), log_likelihood(beta / 1.1));
}

TEST(LikelyBeta, RefusesPatternsThatDoNotDiffer) {
  const std::vector<float> x = {1, 2, 1, 2};
  EXPECT_THROW(likely_beta(pattern_view(x.data(), 2, 2)), Error);
  EXPECT_THROW(likely_beta(pattern_view(x.data(), 1, 2)), Error);
}

TEST(FalseRate, CountsOutsideScoresBelowTheNinetyFifthPercentile) {
  std::vector<double> inside, outside;
  for (int i = 1; i <= 100; ++i) inside.push_back(i);
  for (int i = 91; i <= 110; ++i) outside.push_back(i);
  const Rate rate = false_rate_at_95(inside, outside);
  EXPECT_DOUBLE_EQ(rate.value, 0.25);  // 91 to 95 of 20
  EXPECT_LT(rate.low, 0.25);
  EXPECT_GT(rate.high, 0.25);
  const Rate apart = false_rate_at_95(inside, std::vector<double>{200, 300});
  EXPECT_EQ(apart.value, 0);
  EXPECT_EQ(apart.high, 0);
  EXPECT_THROW(false_rate_at_95(inside, {}), Error);
  EXPECT_THROW(false_rate_at_95(inside, std::vector<double>{std::nan("")}), Error);
}

/// Truth: inside and outside normal with means 0 and 1.5; P(outside <= 1.6449) = 0.5576.
TEST(FalseRate, IntervalsHoldTheTruthAsOftenAsTheySay) {
  Numbers numbers(47);
  const auto normal = [&numbers](double mean) {
    const double u = numbers.between(1e-12, 1), v = numbers.uniform();
    return mean + std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * v);
  };
  int held = 0;
  constexpr int kTrials = 30;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> inside, outside;
    for (int i = 0; i < 200; ++i) inside.push_back(normal(0));
    for (int i = 0; i < 200; ++i) outside.push_back(normal(1.5));
    const Rate rate = false_rate_at_95(inside, outside, static_cast<std::uint64_t>(trial));
    held += rate.low <= 0.5576 && 0.5576 <= rate.high;
  }
  // 28.5 expected; the percentile interval of a quantile is a little short. Five deviations below.
  EXPECT_GE(held, 22);
}

}  // namespace
}  // namespace hopfield
