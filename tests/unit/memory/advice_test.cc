#include "hopfield/memory/advice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "hopfield/base/error.h"
#include "tests/unit/memory/problem.h"

namespace hopfield {
namespace {

using testing::Numbers;
using testing::Portable;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Statistics, ThePortableProblemsAreAsPublished) {
  struct Row {
    int d, n;
    double norm, m_max, separation;
  };
  for (const Row& row : {Row{6, 5, 1.8027213570, 2.0447741939, 0.15432393},
                         Row{8, 12, 2.9426038642, 3.0329032534, -0.96502958}}) {
    const Portable problem(row.d, row.n, 1);
    const PatternStatistics got = pattern_statistics(pattern_view(problem.x.data(), row.n, row.d));
    EXPECT_EQ(got.num_patterns, row.n);
    EXPECT_EQ(got.depth, row.d);
    EXPECT_NEAR(got.norm_max, row.norm, 1e-10);
    EXPECT_NEAR(got.distance_to_mean_max, row.m_max, 1e-10);
    EXPECT_NEAR(got.separation_quantile(0), row.separation, 1e-8);
    EXPECT_EQ(got.num_duplicates, 0);
  }
}

/// The definition, all pairs.
TEST(Statistics, EqualTheDefinition) {
  Numbers numbers(5);
  const std::int64_t n = 1500, d = 7;
  std::vector<float> x = numbers.vector<float>(n * d);
  const auto copy = [&](std::int64_t from, std::int64_t to) {
    std::copy_n(x.begin() + from * d, d, x.begin() + to * d);
  };
  for (std::size_t k = 3 * 7; k < 4 * 7; ++k) x[k] *= 4;  // so long that only its equals rival it
  copy(3, 1400);
  copy(3, 700);
  copy(1200, 1201);
  for (std::int64_t k = 0; k < d; ++k) {  // 20 shadows 10
    x[static_cast<std::size_t>(20 * d + k)] = 1.5f * x[static_cast<std::size_t>(10 * d + k)];
  }
  x[5 * 7] = 0.0f;
  std::copy_n(x.begin() + 5 * d, d, x.begin() + 6 * d);
  x[6 * 7] = -0.0f;  // still equal
  StatisticsOptions options;
  options.num_compared = 0;
  options.num_listed = 3;
  const PatternStatistics got = pattern_statistics(pattern_view(x.data(), n, d), options);

  const auto dot = [&](std::int64_t i, std::int64_t j) {
    double sum = 0;
    for (std::int64_t k = 0; k < d; ++k) {
      sum += static_cast<double>(x[static_cast<std::size_t>(i * d + k)]) *
             static_cast<double>(x[static_cast<std::size_t>(j * d + k)]);
    }
    return sum;
  };
  double norm_sum = 0, norm_min = kInfinity, norm_max = 0;
  std::int64_t shadowed = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double norm = std::sqrt(dot(i, i));
    norm_sum += norm;
    norm_min = std::min(norm_min, norm);
    norm_max = std::max(norm_max, norm);
    double best = -kInfinity;
    for (std::int64_t j = 0; j < n; ++j) {
      if (j != i) best = std::max(best, dot(i, j));
    }
    const auto at = static_cast<std::size_t>(i);
    ASSERT_EQ(got.compared[at], i);
    ASSERT_NEAR(got.separation[at], dot(i, i) - best, 1e-13);
    ASSERT_NEAR(dot(i, got.rival[at]), best, 1e-13);
    ASSERT_NE(got.rival[at], i);
    shadowed += dot(i, i) - best <= 0;
  }
  EXPECT_NEAR(got.norm_mean, norm_sum / static_cast<double>(n), 1e-12);
  EXPECT_NEAR(got.norm_min, norm_min, 1e-14);
  EXPECT_NEAR(got.norm_max, norm_max, 1e-14);
  EXPECT_EQ(got.num_shadowed, shadowed);
  EXPECT_EQ(got.num_duplicates, 4);
  EXPECT_EQ(got.duplicate, (std::vector<std::int64_t>{6, 700, 1201}));  // only three are listed
  EXPECT_EQ(got.duplicate_of, (std::vector<std::int64_t>{5, 3, 1200}));
  EXPECT_EQ(got.separation[3], 0);  // exactly: it has equals
  EXPECT_LT(got.separation[10], 0);

  double spread = 0, farthest = 0;
  std::vector<double> mean(static_cast<std::size_t>(d));
  for (std::size_t i = 0; i < x.size(); ++i) {
    mean[i % 7] += static_cast<double>(x[i]) / static_cast<double>(n);
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
    double square = 0;
    for (std::size_t k = 0; k < 7; ++k) {
      square += std::pow(static_cast<double>(x[i * 7 + k]) - mean[k], 2);
    }
    spread += square / static_cast<double>(n);
    farthest = std::max(farthest, square);
  }
  EXPECT_NEAR(got.spread, std::sqrt(spread), 1e-12);
  EXPECT_NEAR(got.distance_to_mean_max, std::sqrt(farthest), 1e-12);
}

TEST(Statistics, ASampleIsComparedWithAllAndDependsOnTheSeedAlone) {
  Numbers numbers(6);
  const std::int64_t n = 5000, d = 4;  // more than one block
  const std::vector<float> x = numbers.vector<float>(n * d);
  const PatternView view = pattern_view(x.data(), n, d);
  StatisticsOptions all, some;
  all.num_compared = 0;
  some.num_compared = 50;
  const PatternStatistics whole = pattern_statistics(view, all);
  const PatternStatistics part = pattern_statistics(view, some);
  ASSERT_EQ(part.compared.size(), 50u);
  EXPECT_TRUE(std::is_sorted(part.compared.begin(), part.compared.end()));
  EXPECT_EQ(std::adjacent_find(part.compared.begin(), part.compared.end()), part.compared.end());
  for (std::size_t i = 0; i < 50; ++i) {
    const auto at = static_cast<std::size_t>(part.compared[i]);
    EXPECT_EQ(part.rival[i], whole.rival[at]);
    EXPECT_EQ(part.separation[i], whole.separation[at]);
  }
  for (const int threads : {1, 7}) {
    const std::unique_ptr<Executor> executor = make_executor(threads);
    some.executor = executor.get();
    const PatternStatistics again = pattern_statistics(view, some);
    EXPECT_EQ(again.compared, part.compared);
    EXPECT_EQ(again.separation, part.separation);
    EXPECT_EQ(again.norm_mean, part.norm_mean);
    EXPECT_EQ(again.spread, part.spread);
  }
  some.executor = nullptr;
  some.seed = 1;
  EXPECT_NE(pattern_statistics(view, some).compared, part.compared);
}

TEST(Statistics, ReadsStridesAndStorageTypes) {
  const std::vector<F16> x = {to_f16(1), to_f16(2), to_f16(99), to_f16(3), to_f16(-4), to_f16(99)};
  PatternView view = pattern_view(x.data(), 2, 2);
  view.row_stride = 3;
  const PatternStatistics got = pattern_statistics(view);
  EXPECT_DOUBLE_EQ(got.norm_min, std::sqrt(5.0));
  EXPECT_DOUBLE_EQ(got.norm_max, 5);
  EXPECT_DOUBLE_EQ(got.separation[0], 5 - (3 - 8));
  EXPECT_DOUBLE_EQ(got.separation[1], 25 - (3 - 8));
}

TEST(Statistics, QuantilesAreLinearBetweenOrderStatistics) {
  PatternStatistics statistics;
  EXPECT_TRUE(std::isnan(statistics.separation_quantile(0.5)));
  statistics.separation = {4, 1, 2};
  EXPECT_EQ(statistics.separation_quantile(0), 1);
  EXPECT_EQ(statistics.separation_quantile(0.25), 1.5);
  EXPECT_EQ(statistics.separation_quantile(1), 4);
  statistics.separation = {kInfinity};
  EXPECT_EQ(statistics.separation_quantile(0.3), kInfinity);
}

TEST(Statistics, FewPatternsAreNoSpecialCase) {
  const std::vector<double> x = {3, 4};
  const PatternStatistics none = pattern_statistics(pattern_view<double>(nullptr, 0, 2));
  EXPECT_EQ(none.num_patterns, 0);
  EXPECT_TRUE(none.compared.empty());
  const PatternStatistics one = pattern_statistics(pattern_view(x.data(), 1, 2));
  EXPECT_EQ(one.norm_mean, 5);
  EXPECT_EQ(one.spread, 0);
  EXPECT_EQ(one.separation, (std::vector<double>{kInfinity}));
  EXPECT_EQ(one.rival, (std::vector<std::int64_t>{-1}));
}

template <class Call>
std::string error(const Call& call) {
  try {
    call();
  } catch (const Error& caught) {
    EXPECT_EQ(caught.code(), ErrorCode::kInvalidArgument);
    return caught.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(Statistics, NameTheRowAndColumnThatIsNoNumber) {
  const std::vector<float> x = {1, 2, 3, 4, std::nanf(""), 6};
  const std::string text = error([&] { pattern_statistics(pattern_view(x.data(), 3, 2)); });
  EXPECT_EQ(text.rfind("[pattern_statistics] expected finite patterns, got ", 0), 0u) << text;
  EXPECT_NE(text.find("in row 2, column 0"), std::string::npos) << text;
  EXPECT_NE(error([&] { pattern_statistics(pattern_view(x.data(), 1, 3, 2)); }).find("one head"),
            std::string::npos);
}

/// Patterns of +-1, as good as random.
std::vector<float> signs(std::int64_t n, std::int64_t d, std::uint64_t seed) {
  Numbers numbers(seed);
  std::vector<float> x;
  for (std::int64_t i = 0; i < n * d; ++i) x.push_back(numbers.uniform() < 0.5 ? -1.0f : 1.0f);
  return x;
}

TEST(Advice, TheBetaRecommendedRecoversWhatWasWanted) {
  const std::int64_t n = 300, d = 64;
  const std::vector<float> x = signs(n, d, 1);
  for (const CueKind cue : {CueKind::kNoisy, CueKind::kHidden, CueKind::kCovered}) {
    AdviceOptions options;
    options.cue = cue;
    const BetaAdvice advice = advise_beta(pattern_view(x.data(), n, d), options);
    EXPECT_EQ(advice.source, BetaSource::kMeasured);
    EXPECT_GE(advice.recovered, options.wanted);
    EXPECT_EQ(advice.num_cues, 256);
    EXPECT_EQ(advice.trials.size(), 24u);
    EXPECT_GT(advice.beta, advice.beta_global);
    EXPECT_LT(advice.beta_sharp, advice.beta_master);
    for (const BetaTrial& trial : advice.trials) {
      EXPECT_TRUE(trial.beta >= advice.beta || trial.recovered < options.wanted);
      EXPECT_LE(trial.recovered, trial.identified + 1e-12);
      EXPECT_LE(trial.error_median, trial.error_max);
    }
    // At the lowest beta everything flows to the average: many patterns hold the mass.
    EXPECT_GT(advice.trials.front().metastable_size_mean, 0.5 * static_cast<double>(n));
    EXPECT_EQ(advice.trials.front().recovered, 0);
    EXPECT_NEAR(advice.trials.back().metastable_size_mean, 1, 0.05);

    // Seen from outside: recall fresh damage with that beta.
    Numbers numbers(99);
    std::vector<float> cues = x;
    const float noise = 0.25f;
    for (float& value : cues) value += noise * static_cast<float>(numbers.between(-1, 1));
    Associations in;
    in.stored = pattern_view(x.data(), n, d);
    in.states = pattern_view(cues.data(), n, d);
    in.beta = {&advice.beta, 1};
    const testing::Updates three({3});
    const auto got = testing::run_retrieve<float>(in, three.options);
    std::int64_t exact = 0;
    for (std::size_t i = 0; i < 300; ++i) {
      bool all = true;
      for (std::size_t k = i * 64; k < (i + 1) * 64; ++k)
        all = all && (got.state[k] > 0) == (x[k] > 0);
      exact += all;
    }
    EXPECT_GE(exact, 285);  // 95 in a hundred
  }
}

TEST(Advice, IsTheSameForTheSameSeedAndAnyThreads) {
  const std::vector<float> x = signs(100, 16, 2);
  AdviceOptions options;
  options.num_cues = 30;
  const BetaAdvice first = advise_beta(pattern_view(x.data(), 100, 16), options);
  for (const int threads : {1, 7}) {
    const std::unique_ptr<Executor> executor = make_executor(threads);
    options.executor = executor.get();
    const BetaAdvice again = advise_beta(pattern_view(x.data(), 100, 16), options);
    EXPECT_EQ(again.beta, first.beta);
    for (std::size_t i = 0; i < first.trials.size(); ++i) {
      EXPECT_EQ(again.trials[i].error_median, first.trials[i].error_median);
      EXPECT_EQ(again.trials[i].recovered, first.trials[i].recovered);
    }
    EXPECT_EQ(choose_beta(pattern_view(x.data(), 100, 16), options), first.beta);
  }
  options.executor = nullptr;
  options.seed = 5;
  EXPECT_NE(advise_beta(pattern_view(x.data(), 100, 16), options).trials[12].error_median,
            first.trials[12].error_median);
}

TEST(Advice, WhatCannotBeRecoveredLowersTheAim) {
  // Half the patterns are shadowed by one three times as long in the same direction.
  std::vector<double> x(40 * 20, 0.0);
  for (std::size_t i = 0; i < 20; ++i) {
    x[i * 20 + i] = 1;
    x[(i + 20) * 20 + i] = 3;
  }
  AdviceOptions options;
  options.noise = 0.1;
  const BetaAdvice advice = advise_beta(pattern_view(x.data(), 40, 20), options);
  EXPECT_EQ(advice.statistics.num_shadowed, 20);
  EXPECT_EQ(advice.source, BetaSource::kMeasuredBest);
  EXPECT_NEAR(advice.recovered, 0.5, 1e-9);
  EXPECT_EQ(advice.beta_sharp, kInfinity);  // the 5 % quantile of the separation is below 0
  EXPECT_LT(advice.separation_quantile, 0);
  // By distance each is its own nearest: nothing is shadowed.
  options.similarity = Similarity::kNegativeSquaredDistance;
  options.wanted = 1;
  const BetaAdvice distance = advise_beta(pattern_view(x.data(), 40, 20), options);
  EXPECT_EQ(distance.source, BetaSource::kMeasured);
  EXPECT_EQ(distance.recovered, 1);
}

TEST(Advice, ATheoremsBetaStandsInWhenNothingIsRecovered) {
  const std::vector<float> x = signs(50, 32, 3);
  AdviceOptions options;
  options.betas = {1e-6, 1e-5};  // hopelessly small
  const BetaAdvice advice = advise_beta(pattern_view(x.data(), 50, 32), options);
  EXPECT_EQ(advice.source, BetaSource::kTheorem);
  EXPECT_EQ(advice.beta, advice.beta_sharp);
  EXPECT_TRUE(std::isnan(advice.recovered));
  // The criterion holds there for the quantile: those patterns are stored.
  EXPECT_LE(separation_needed(StorageCriterion::kSharp, advice.beta, 50, std::sqrt(32.0)),
            advice.separation_quantile * (1 + 1e-12));
  EXPECT_EQ(beta_source_name(advice.source), "theorem");
}

TEST(Advice, EqualPatternsAndASinglePatternNeedNoBeta) {
  const std::vector<float> x = {3, 4, 3, 4, 3, 4};
  for (const std::int64_t n : {1, 3}) {
    const BetaAdvice advice = advise_beta(pattern_view(x.data(), n, 2));
    EXPECT_EQ(advice.source, BetaSource::kSingle);
    EXPECT_DOUBLE_EQ(advice.beta, 1.0 / 25);
  }
  const std::vector<float> zero = {0, 0};
  EXPECT_EQ(choose_beta(pattern_view(zero.data(), 1, 2)), 1);
}

TEST(Advice, DuplicatesCountAsThePatternTheyEqual) {
  std::vector<float> x = signs(60, 32, 4);
  std::copy_n(x.begin(), 30 * 32, x.begin() + 30 * 32);
  const BetaAdvice advice = advise_beta(pattern_view(x.data(), 60, 32));
  EXPECT_EQ(advice.statistics.num_duplicates, 30);
  EXPECT_EQ(advice.statistics.num_shadowed, 60);  // none is ahead of its equal
  EXPECT_EQ(advice.source, BetaSource::kMeasured);
}

TEST(Advice, WorksForCosineAndForDoublesAlike) {
  const std::vector<float> x = signs(80, 32, 6);
  const std::vector<double> wide(x.begin(), x.end());
  AdviceOptions options;
  const double single = choose_beta(pattern_view(x.data(), 80, 32), options);
  EXPECT_EQ(choose_beta(pattern_view(wide.data(), 80, 32), options), single);
  options.similarity = Similarity::kCosine;
  const BetaAdvice cosine = advise_beta(pattern_view(x.data(), 80, 32), options);
  EXPECT_EQ(cosine.source, BetaSource::kMeasured);
  EXPECT_GT(cosine.beta, 1);
}

TEST(Advice, SaysWhatIsWrong) {
  const std::vector<float> x = {1, 0, 0, 1};
  const PatternView view = pattern_view(x.data(), 2, 2);
  const auto text = [&](const auto& change) {
    AdviceOptions options;
    change(options);
    return error([&] { advise_beta(view, options); });
  };
  EXPECT_NE(text([](auto& o) { o.noise = -1; }).find("[advise_beta] expected noise >= 0"),
            std::string::npos);
  EXPECT_NE(text([](auto& o) { o.hidden_fraction = 2; }).find("hidden_fraction"),
            std::string::npos);
  EXPECT_NE(text([](auto& o) { o.num_cues = 0; }).find("num_cues"), std::string::npos);
  EXPECT_NE(text([](auto& o) { o.wanted = 0; }).find("wanted"), std::string::npos);
  EXPECT_NE(text([](auto& o) { o.tolerance = 0; }).find("tolerance"), std::string::npos);
  EXPECT_NE(text([](auto& o) { o.num_betas = 1; }).find("num_betas"), std::string::npos);
  EXPECT_NE(text([](auto& o) { o.betas = {1, 1}; }).find("ascending"), std::string::npos);
  EXPECT_NE(text([](auto& o) { o.betas = {-1, 1}; }).find("betas > 0"), std::string::npos);
  EXPECT_NE(error([] { choose_beta(pattern_view<float>(nullptr, 0, 2)); }).find("one pattern"),
            std::string::npos);
  const std::vector<float> tiny = {1e-20F, 0, 0, 1e-20F}, huge = {1e19F, 0, 0, 1e19F};
  EXPECT_NE(error([&] { choose_beta(pattern_view(tiny.data(), 2, 2)); }).find("got shorter ones"),
            std::string::npos);
  EXPECT_NE(error([&] { choose_beta(pattern_view(huge.data(), 2, 2)); }).find("got longer ones"),
            std::string::npos);
  const std::vector<double> huge64(huge.begin(), huge.end());
  EXPECT_GT(choose_beta(pattern_view(huge64.data(), 2, 2)), 0);
}

TEST(Advice, ProgressCountsTheBetasTried) {
  const std::vector<float> x = {1, 0, 0, 1};
  std::vector<std::int64_t> tried;
  AdviceOptions options;
  options.betas = {1, 2, 4};
  options.progress = [&tried](std::int64_t count) { tried.push_back(count); };
  advise_beta(pattern_view(x.data(), 2, 2), options);
  EXPECT_EQ(tried, (std::vector<std::int64_t>{0, 1, 2}));
}

TEST(Advice, GrowingDamageIsTheTrialOfEachAmount) {
  Numbers numbers(61);
  const std::vector<float> x = numbers.vector<float>(200 * 12);
  const PatternView patterns = pattern_view(x.data(), 200, 12);
  for (const CueKind cue : {CueKind::kNoisy, CueKind::kCovered}) {
    AdviceOptions options;
    options.cue = cue;
    const BetaAdvice advice = advise_beta(patterns, options);
    const std::vector<double> amounts = {0, 0.5, 1};
    const std::vector<BetaTrial> got =
        damage_trials(patterns, advice.beta, amounts, advice.statistics, options);
    ASSERT_EQ(got.size(), 3U);
    // Without damage the cue is the pattern; 0.5 is what advise_beta itself tried.
    EXPECT_GE(got[0].identified, got[2].identified);
    EXPECT_EQ(got[1].recovered, advice.recovered);
    EXPECT_LT(got[2].identified, 0.95);
  }
  AdviceOptions gaps;
  gaps.cue = CueKind::kMissing;
  EXPECT_THROW(damage_trials(patterns, 1, std::vector<double>{0.5}, {}, gaps), Error);
  EXPECT_THROW(damage_trials(patterns, 0, std::vector<double>{0.5}, {}), Error);
  EXPECT_THROW(damage_trials(patterns, 1, std::vector<double>{-1}, {}), Error);
}

}  // namespace
}  // namespace hopfield
