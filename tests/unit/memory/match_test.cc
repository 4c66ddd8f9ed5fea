#include "hopfield/memory/match.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "hopfield/base/error.h"
#include "tests/unit/memory/problem.h"

namespace hopfield {
namespace {

using testing::Numbers;

TEST(Match, RegimeFollowsTheMetastableSize) {
  EXPECT_EQ(regime(1, 1000), Regime::kSingle);
  EXPECT_EQ(regime(2, 1000), Regime::kMetastable);
  EXPECT_EQ(regime(500, 1000), Regime::kMetastable);
  EXPECT_EQ(regime(501, 1000), Regime::kGlobal);
  EXPECT_EQ(regime(1, 1), Regime::kSingle);
  EXPECT_EQ(regime(2, 2), Regime::kGlobal);
}

TEST(Match, ThresholdIsTheRankThatTheRateAllows) {
  std::vector<double> energies;
  for (int i = 99; i >= 1; --i) energies.push_back(i);
  const MatchThreshold one = calibrate_match(energies, 0.01);
  EXPECT_EQ(one.energy, 1);
  EXPECT_DOUBLE_EQ(one.false_recall_bound, 0.01);
  EXPECT_EQ(one.num_held_back, 99);
  EXPECT_FALSE(one.matches(1));
  EXPECT_TRUE(one.matches(0.999));
  const MatchThreshold some = calibrate_match(energies, 0.059);
  EXPECT_EQ(some.energy, 5);
  EXPECT_DOUBLE_EQ(some.false_recall_bound, 0.05);
}

/// The mean over held-back sets of the chance below the threshold is k / (n + 1) exactly; for
/// uniform energies that chance is the threshold itself.
TEST(Match, ForeignCuesMatchAsOftenAsPromisedOnAverage) {
  Numbers numbers(4);
  constexpr int kTrials = 4000, kHeldBack = 39;
  double sum = 0;
  for (int i = 0; i < kTrials; ++i) {
    std::vector<double> energies;
    for (int j = 0; j < kHeldBack; ++j) energies.push_back(numbers.uniform());
    sum += calibrate_match(energies, 0.1).energy;
  }
  // Beta(4, 36): standard deviation 0.047, of the mean 0.00074; five of them.
  EXPECT_NEAR(sum / kTrials, 0.1, 0.0037);
}

TEST(Match, RefusesWhatCannotBePromised) {
  const std::vector<double> energies(98, 1.0);
  EXPECT_THROW(calibrate_match(energies, 0.01), Error);
  EXPECT_THROW(calibrate_match(energies, 0), Error);
  EXPECT_THROW(calibrate_match(energies, 1), Error);
  EXPECT_THROW(calibrate_match({}, 0.5), Error);
  EXPECT_THROW(calibrate_match(std::vector<double>{1, std::nan("")}, 0.5), Error);
}

}  // namespace
}  // namespace hopfield
