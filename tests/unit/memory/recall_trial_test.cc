#include "hopfield/memory/recall_trial.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "hopfield/base/error.h"

namespace hopfield {
namespace {

constexpr std::int64_t kPatterns = 60, kDepth = 40;

/// Numbers of [0, 1]; the last pattern repeats the first.
std::vector<float> some_patterns() {
  std::mt19937 random(1);
  std::vector<float> numbers(kPatterns * kDepth);
  for (float& x : numbers) x = static_cast<float>(random() % 1000) / 999.0f;
  std::copy_n(numbers.begin(), kDepth, numbers.end() - kDepth);
  return numbers;
}

class RecallTrials : public ::testing::Test {
 protected:
  Cues cues(Damage damage, double amount, std::int64_t count = kPatterns) const {
    DamageOptions options;
    options.damage = damage;
    options.amount = amount;
    return make_cues(stored_, count, options);
  }

  const std::vector<float> patterns_ = some_patterns();
  const PatternView stored_ = pattern_view(patterns_.data(), kPatterns, kDepth);
};

TEST_F(RecallTrials, DamageChangesWhatItSaysAndNothingElse) {
  const Cues covered = cues(Damage::kCovered, 0.25), missing = cues(Damage::kMissing, 0.25);
  const Cues salted = cues(Damage::kSaltAndPepper, 0.25), noisy = cues(Damage::kGaussian, 0.5);
  ASSERT_EQ(covered.count(), kPatterns);
  double sum = 0, squares = 0;
  std::int64_t num_high = 0;
  for (std::int64_t i = 0; i < kPatterns; ++i) {
    std::int64_t num_changed = 0;
    for (std::int64_t k = 0; k < kDepth; ++k) {
      const auto at = static_cast<std::size_t>(i * kDepth + k);
      const float x = patterns_[at];
      EXPECT_EQ(covered.state[at], k < 30 ? x : 0.0f);
      EXPECT_EQ(std::isnan(missing.state[at]), k >= 30);
      if (k < 30) {
        EXPECT_EQ(missing.state[at], x);
      }
      if (salted.state[at] != x) {
        ++num_changed;
        EXPECT_TRUE(salted.state[at] == 0 || salted.state[at] == 1);
        num_high += salted.state[at] == 1;
      }
      const double noise = double{noisy.state[at]} - double{x};
      sum += noise;
      squares += noise * noise;
    }
    EXPECT_LE(num_changed, 10);
    EXPECT_GE(num_changed, 8);  // a few of the ten may have been 0 or 1 before
  }
  // 600 fair coins: 300 +- 5 standard deviations of 12.2; 2400 numbers of deviation 0.5: mean
  // 0 +- 5 * 0.0102, mean square 0.25 +- 5 * 0.0072.
  EXPECT_NEAR(static_cast<double>(num_high), 300, 61);
  EXPECT_NEAR(sum / 2400, 0, 0.051);
  EXPECT_NEAR(squares / 2400, 0.25, 0.036);
}

TEST_F(RecallTrials, EveryDamageMeetsTheSamePatterns) {
  const Cues a = cues(Damage::kCovered, 0.5, 20), b = cues(Damage::kGaussian, 1, 20);
  EXPECT_EQ(a.pattern, b.pattern);
  EXPECT_EQ(a.count(), 20);
  EXPECT_TRUE(std::is_sorted(a.pattern.begin(), a.pattern.end()));
}

TEST_F(RecallTrials, LargeBetaRecallsExactlyAndTwinsCount) {
  RecallTrialOptions options;
  options.beta = 100;  // rivals are further by more than 1 in squared distance: exp(-100)
  for (const Damage damage : {Damage::kCovered, Damage::kMissing, Damage::kSaltAndPepper}) {
    const RecallTrial trial = recall_trial(stored_, cues(damage, 0.1), options);
    EXPECT_EQ(trial.num_exact, kPatterns) << static_cast<int>(damage);
    EXPECT_EQ(trial.found.back(), 0);  // the repeated pattern is found as its twin
    EXPECT_EQ(trial.exact_rate(), 1);
  }
}

TEST_F(RecallTrials, SmallBetaGivesTheMeanWhichIsNoPattern) {
  RecallTrialOptions options;
  options.beta = 1e-6;
  const RecallTrial trial = recall_trial(stored_, cues(Damage::kCovered, 0.25), options);
  EXPECT_EQ(trial.num_exact, 0);
  double mean = 0;
  for (std::int64_t i = 0; i < kPatterns; ++i) {
    mean += patterns_[static_cast<std::size_t>(i * kDepth)] / double{kPatterns};
  }
  EXPECT_NEAR(trial.state[0], mean, 1e-4);  // beta times squared distances of some 10
}

TEST_F(RecallTrials, TheToleranceDecides) {
  RecallTrialOptions options;
  options.beta = 2;
  options.update_steps = 1;
  const Cues given = cues(Damage::kCovered, 0.1);
  const RecallTrial wide = recall_trial(stored_, given, options);
  double worst = 0;  // of the identified ones
  for (std::size_t i = 0; i < wide.state.size(); ++i) {
    if (wide.identified[i / kDepth] == 0) continue;
    worst = std::max(worst, std::abs(double{wide.state[i]} - double{patterns_[i]}));
  }
  ASSERT_GT(worst, 0);
  options.tolerance = worst;
  EXPECT_EQ(recall_trial(stored_, given, options).num_exact, wide.num_identified);
  options.tolerance = worst * 0.999;
  EXPECT_EQ(recall_trial(stored_, given, options).num_exact, wide.num_identified - 1);
}

TEST_F(RecallTrials, TheNearestPatternIsFoundAlsoFromAPart) {
  // Hidden components count as 0 where they are not missing, so that few may be.
  const Similarity distance = Similarity::kNegativeSquaredDistance;
  EXPECT_EQ(nearest_trial(stored_, cues(Damage::kCovered, 0.1), distance).num_exact, kPatterns);
  EXPECT_EQ(nearest_trial(stored_, cues(Damage::kMissing, 0.5), distance).num_exact, kPatterns);
  std::vector<float> bright = patterns_;
  for (std::int64_t k = 0; k < kDepth; ++k) bright[static_cast<std::size_t>(kDepth + k)] = 3;
  const PatternView view = pattern_view(bright.data(), kPatterns, kDepth);
  const RecallTrial trial = nearest_trial(view, cues(Damage::kCovered, 0), Similarity::kDot);
  EXPECT_EQ(trial.num_exact, 1);  // by the scalar product all find the brightest
  EXPECT_EQ(std::count(trial.found.begin(), trial.found.end(), 1), kPatterns);
}

TEST_F(RecallTrials, BadOptionsAreRefused) {
  EXPECT_THROW(cues(Damage::kCovered, 1.5), Error);
  EXPECT_THROW(cues(Damage::kGaussian, -1), Error);
  EXPECT_THROW(cues(Damage::kCovered, 0.5, 0), Error);
  RecallTrialOptions options;
  options.tolerance = 0;
  EXPECT_THROW(recall_trial(stored_, cues(Damage::kCovered, 0.5), options), Error);
  options.tolerance = 1;
  options.beta = 0;
  EXPECT_THROW(recall_trial(stored_, cues(Damage::kCovered, 0.5), options), Error);
}

}  // namespace
}  // namespace hopfield
