#include "hopfield/apps/mil/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

#include "apps/mil/random.h"
#include "tests/unit/store/temp_folder.h"

namespace hopfield::mil {
namespace {

TEST(RocAuc, CountsPairsAndHalvesTies) {
  const std::vector<double> scores = {0.1, 0.4, 0.4, 0.9};
  const std::vector<int> labels = {0, 0, 1, 1};
  // Pairs (positive, negative): 0.4 > 0.1, 0.4 = 0.4, 0.9 > 0.1, 0.9 > 0.4.
  EXPECT_DOUBLE_EQ(roc_auc(scores, labels), 3.5 / 4);
}

TEST(RocAuc, EqualsTheCountOverAllPairs) {
  Random random(11);
  for (int round = 0; round < 20; ++round) {
    std::vector<double> scores;
    std::vector<int> labels = {0, 1};
    while (labels.size() < 40) labels.push_back(random.below(3) == 0 ? 1 : 0);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      scores.push_back(static_cast<double>(random.below(12)));  // many ties
    }
    double wins = 0, pairs = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      for (std::size_t j = 0; j < labels.size(); ++j) {
        if (labels[i] != 1 || labels[j] != 0) continue;
        pairs += 1;
        wins += scores[i] > scores[j] ? 1.0 : scores[i] == scores[j] ? 0.5 : 0.0;
      }
    }
    EXPECT_NEAR(roc_auc(scores, labels), wins / pairs, 1e-15) << round;
  }
}

TEST(AucInterval, StandardErrorEqualsTheSpreadOverAllPairs) {
  const std::vector<double> scores = {0.1, 0.4, 0.4, 0.9, 0.2, 0.7};
  const std::vector<int> labels = {0, 0, 1, 1, 1, 0};
  const double auc = roc_auc(scores, labels);
  double square = 0;
  for (const int own : {0, 1}) {
    for (std::size_t i = 0; i < 6; ++i) {
      if (labels[i] != own) continue;
      double wins = 0;
      for (std::size_t j = 0; j < 6; ++j) {
        if (labels[j] == own) continue;
        const double ahead = own == 1 ? scores[i] - scores[j] : scores[j] - scores[i];
        wins += ahead > 0 ? 1.0 : ahead == 0 ? 0.5 : 0.0;
      }
      square += (wins / 3 - auc) * (wins / 3 - auc) / 9;
    }
  }
  EXPECT_NEAR(auc_standard_error(scores, labels), std::sqrt(square), 1e-15);
  const std::vector<double> influence = auc_influence(scores, labels);
  EXPECT_NEAR(std::accumulate(influence.begin(), influence.end(), 0.0), 0, 1e-14);
  const Interval interval = auc_interval(auc, influence);
  EXPECT_NEAR(interval.low, std::max(0.0, auc - 1.959964 * std::sqrt(square)), 1e-6);
  EXPECT_NEAR(interval.high, std::min(1.0, auc + 1.959964 * std::sqrt(square)), 1e-6);
}

TEST(AucInterval, HoldsTheTrueAucAboutAsOftenAsItSays) {
  // Positives are one sd above negatives: the true AUC is Phi(1 / sqrt(2)).
  const double truth = 0.5 * std::erfc(-0.5);
  Random random(3);
  int held = 0;
  constexpr int kRounds = 1000;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> scores;
    std::vector<int> labels;
    for (int i = 0; i < 120; ++i) {
      labels.push_back(i % 2);
      scores.push_back(random.normal() + i % 2);
    }
    const Interval interval = auc_interval(roc_auc(scores, labels), auc_influence(scores, labels));
    held += interval.low <= truth && truth <= interval.high ? 1 : 0;
  }
  // 95 % with a sd of 0.7 %; four of them, and a point for n instead of n - 1.
  EXPECT_NEAR(held / static_cast<double>(kRounds), 0.95, 0.04);
}

TEST(RocAuc, NeedsBothClassesAndNumbers) {
  const std::vector<double> scores = {1, 2};
  const std::vector<int> one_class = {1, 1}, both = {0, 1};
  EXPECT_ERROR(roc_auc(scores, one_class), kInvalidArgument, "both classes");
  const std::vector<double> nan = {1, std::numeric_limits<double>::quiet_NaN()};
  EXPECT_ERROR(roc_auc(nan, both), kInvalidArgument, "NaN");
}

/// Two-sided Wilcoxon p by listing all 2^n signs.
double brute_force_wilcoxon(const std::vector<double>& differences) {
  const std::size_t n = differences.size();
  std::vector<double> ranks;
  for (const double x : differences) {
    double rank = 0.5;
    for (const double y : differences) {
      rank += std::abs(y) < std::abs(x) ? 1.0 : std::abs(y) == std::abs(x) ? 0.5 : 0.0;
    }
    ranks.push_back(rank);
  }
  const auto statistic = [&](const auto& is_positive) {
    double positive = 0, negative = 0;
    for (std::size_t i = 0; i < n; ++i) (is_positive(i) ? positive : negative) += ranks[i];
    return std::min(positive, negative);
  };
  const double seen = statistic([&](std::size_t i) { return differences[i] > 0; });
  std::size_t as_extreme = 0;
  for (std::size_t signs = 0; signs < (std::size_t{1} << n); ++signs) {
    if (statistic([&](std::size_t i) { return (signs >> i) & 1u; }) <= seen) ++as_extreme;
  }
  return std::min(1.0, static_cast<double>(as_extreme) / static_cast<double>(std::size_t{1} << n));
}

TEST(PairedTest, WilcoxonEqualsTheListOfAllSigns) {
  Random random(5);
  for (int round = 0; round < 40; ++round) {
    std::vector<double> a, b, untied;
    for (std::size_t i = 0; i < 2 + random.below(9); ++i) {
      a.push_back(static_cast<double>(random.below(6)));
      b.push_back(static_cast<double>(random.below(6)));
      if (a.back() != b.back()) untied.push_back(a.back() - b.back());
    }
    const PairedTest test = paired_test(a, b);
    EXPECT_NEAR(test.wilcoxon_p, untied.empty() ? 1.0 : brute_force_wilcoxon(untied), 1e-12)
        << round;
    EXPECT_EQ(test.wins + test.ties + test.losses, static_cast<std::int64_t>(a.size()));
  }
}

TEST(PairedTest, KnownValues) {
  const std::vector<double> a = {1, 2, 3, 4, 5}, zero(5, 0.0);
  const PairedTest test = paired_test(a, zero);
  EXPECT_DOUBLE_EQ(test.mean_difference, 3);
  EXPECT_DOUBLE_EQ(test.wilcoxon_p, 2.0 / 32);
  EXPECT_NEAR(test.sign_p, 2.0 / 32, 1e-15);
  EXPECT_EQ(paired_test(a, a).wilcoxon_p, 1);
  EXPECT_EQ(paired_test(a, a).ties, 5);
  EXPECT_EQ(paired_test({}, {}).sign_p, 1);
}

TEST(PairedTest, TheNormalApproximationJoinsTheExactTest) {
  // 200 pairs are exact, 201 are not; one small extra pair must not move p by much.
  Random random(9);
  std::vector<double> a(200), zero(200, 0.0);
  for (double& x : a) x = random.normal() + 0.12;
  const double exact = paired_test(a, zero).wilcoxon_p;
  a.push_back(1e-9);
  zero.push_back(0);
  const double approximate = paired_test(a, zero).wilcoxon_p;
  EXPECT_GT(exact, 0.001);
  EXPECT_LT(exact, 0.6);
  EXPECT_NEAR(approximate / exact, 1.0, 0.05);  // the approximation's error at n = 200 is about 1 %
}

TEST(Spread, SampleStandardDeviation) {
  const std::vector<double> values = {1, 2, 3, 4};
  EXPECT_DOUBLE_EQ(mean(values), 2.5);
  EXPECT_DOUBLE_EQ(sample_sd(values), std::sqrt(5.0 / 3));
  EXPECT_TRUE(std::isnan(sample_sd(std::vector<double>{1})));
}

}  // namespace
}  // namespace hopfield::mil
