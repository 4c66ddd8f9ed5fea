#include "hopfield/memory/complete.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "hopfield/base/error.h"
#include "hopfield/memory/advice.h"
#include "tests/unit/memory/problem.h"

namespace hopfield {
namespace {

using testing::Numbers;

const double kMissing = std::nan("");

struct Completed {
  std::vector<double> state, lse, energy, energies, top;
  std::vector<std::int64_t> top_index, steps;
  std::vector<StopReason> reason;
};

Completed run(const std::vector<double>& stored, const std::vector<double>& cues, std::int64_t d,
              double beta, std::int64_t updates, double eps = 1e-12) {
  const std::int64_t n = static_cast<std::int64_t>(stored.size()) / d;
  const std::int64_t rows = static_cast<std::int64_t>(cues.size()) / d;
  Completed got;
  const auto size = static_cast<std::size_t>(rows);
  got.state.resize(cues.size());
  got.lse.resize(size);
  got.energy.resize(size);
  got.energies.resize(size * 12);
  got.top.resize(size);
  got.top_index.resize(size);
  got.steps.resize(size);
  got.reason.resize(size);
  AssociateOutputs<double> out;
  out.state = mutable_view(got.state.data(), rows, d);
  out.lse = got.lse;
  out.energy = got.energy;
  out.num_top = 1;
  out.top = got.top;
  out.top_index = got.top_index;
  RetrieveReport<double> report;
  report.steps = got.steps;
  report.reason = got.reason;
  report.energies = got.energies;
  report.num_energies = 12;
  CompleteOptions options;
  options.update_steps_max = updates;
  options.update_steps_eps = eps;
  complete(pattern_view(stored.data(), n, d), pattern_view(cues.data(), rows, d), beta, options,
           out, report);
  return got;
}

/// The two lines of the header, in double: one update from `xi`, NaN where missing.
struct Step {
  std::vector<double> state;
  double energy = 0;
};
Step plain_step(const std::vector<double>& stored, const std::vector<double>& cue,
                const std::vector<double>& xi, double beta) {
  const std::size_t d = cue.size(), n = stored.size() / d;
  std::vector<double> weight(n);
  double sum = 0;
  for (std::size_t s = 0; s < n; ++s) {
    double square = 0;
    for (std::size_t k = 0; k < d; ++k) {
      if (!std::isnan(xi[k])) square += (stored[s * d + k] - xi[k]) * (stored[s * d + k] - xi[k]);
    }
    weight[s] = std::exp(-beta / 2 * square);
    sum += weight[s];
  }
  Step step{cue, -std::log(sum / static_cast<double>(n)) / beta};
  for (std::size_t k = 0; k < d; ++k) {
    if (!std::isnan(cue[k])) continue;
    step.state[k] = 0;
    for (std::size_t s = 0; s < n; ++s) step.state[k] += weight[s] / sum * stored[s * d + k];
  }
  return step;
}

std::vector<double> cues_with_gaps(Numbers& numbers, std::int64_t rows, std::int64_t d) {
  std::vector<double> cues = numbers.vector<double>(rows * d);
  for (std::size_t i = 0; i < cues.size(); ++i) {
    if (i % static_cast<std::size_t>(d) == 0 || numbers.uniform() < 0.5) cues[i] = kMissing;
  }
  return cues;
}

std::vector<double> row(const std::vector<double>& values, std::size_t r, std::size_t d) {
  const auto begin = values.begin() + static_cast<std::ptrdiff_t>(r * d);
  return {begin, begin + static_cast<std::ptrdiff_t>(d)};
}

TEST(Complete, NUpdatesAreTheFormulaAppliedNTimes) {
  constexpr std::size_t kDepth = 6, kRows = 9;
  Numbers numbers(11);
  const std::vector<double> stored = numbers.vector<double>(40 * kDepth);
  const std::vector<double> cues = cues_with_gaps(numbers, kRows, kDepth);
  for (const double beta : {0.3, 4.0}) {
    for (const std::int64_t updates : {0, 1, 5}) {
      const Completed got = run(stored, cues, kDepth, beta, updates, 1e-300);
      for (std::size_t r = 0; r < kRows; ++r) {
        const std::vector<double> cue = row(cues, r, kDepth);
        Step step{cue, 0};
        for (std::int64_t t = 0; t <= updates; ++t) {
          step = plain_step(stored, cue, step.state, beta);
          // A few dozen roundings of numbers of size 10.
          EXPECT_NEAR(got.energies[r * 12 + static_cast<std::size_t>(t)], step.energy, 1e-12);
        }
        EXPECT_NEAR(got.energy[r], step.energy, 1e-12);
        EXPECT_EQ(got.steps[r], updates);
        for (std::size_t k = 0; k < kDepth; ++k) {
          EXPECT_NEAR(got.state[r * kDepth + k], step.state[k], 1e-12);
        }
      }
    }
  }
}

TEST(Complete, KnownCoordinatesComeBackBitForBit) {
  Numbers numbers(3);
  const std::vector<double> stored = numbers.vector<double>(20 * 5);
  const std::vector<double> cues = cues_with_gaps(numbers, 8, 5);
  const Completed got = run(stored, cues, 5, 2, -1);
  for (std::size_t i = 0; i < cues.size(); ++i) {
    if (!std::isnan(cues[i])) {
      EXPECT_EQ(got.state[i], cues[i]);
    }
    EXPECT_TRUE(std::isfinite(got.state[i]));
  }
}

TEST(Complete, EnergyFallsByHalfTheSquaredStepAtLeast) {
  constexpr std::size_t kDepth = 7;
  Numbers numbers(17);
  for (int trial = 0; trial < 30; ++trial) {
    const std::vector<double> stored = numbers.vector<double>(25 * kDepth);
    const std::vector<double> cue = cues_with_gaps(numbers, 1, kDepth);
    const double beta = numbers.between(0.2, 8);
    std::vector<double> before = run(stored, cue, kDepth, beta, 0).state;
    const Completed whole = run(stored, cue, kDepth, beta, 10, 1e-300);
    for (std::int64_t t = 1; t < 10; ++t) {
      const std::vector<double> after = run(stored, cue, kDepth, beta, t, 1e-300).state;
      const double step = testing::distance(before, after);
      const auto at = static_cast<std::size_t>(t);
      EXPECT_LE(whole.energies[at + 1], whole.energies[at] - step * step / 2 + 1e-12);
      before = after;
    }
  }
}

TEST(Complete, ConvergesToAFixedPoint) {
  constexpr std::size_t kDepth = 6;
  Numbers numbers(23);
  const std::vector<double> stored = numbers.vector<double>(30 * kDepth);
  const std::vector<double> cues = cues_with_gaps(numbers, 10, kDepth);
  const Completed got = run(stored, cues, kDepth, 3, -1);
  for (std::size_t r = 0; r < 10; ++r) {
    EXPECT_EQ(got.reason[r], StopReason::kConverged);
    const std::vector<double> state = row(got.state, r, kDepth);
    const Step again = plain_step(stored, row(cues, r, kDepth), state, 3);
    // The last step was 1e-12 of the norm; the map is no steeper than beta times the spread.
    EXPECT_LE(testing::distance(state, again.state), 1e-10);
  }
}

TEST(Complete, PatternsOfUnequalNormsAreFoundFromHalfOfThem) {
  constexpr std::size_t kDepth = 24, kPatterns = 50;
  Numbers numbers(5);
  std::vector<double> stored = numbers.vector<double>(kPatterns * kDepth);
  for (std::size_t i = 0; i < stored.size(); ++i) {
    stored[i] *= 1 + 0.2 * static_cast<double>(i / kDepth);
  }
  std::vector<double> cues = stored;
  for (std::size_t i = 0; i < cues.size(); ++i) {
    if (i % kDepth >= kDepth / 2) cues[i] = kMissing;
  }
  const Completed got = run(stored, cues, kDepth, 30, -1);
  for (std::size_t r = 0; r < kPatterns; ++r) {
    EXPECT_EQ(got.top_index[r], static_cast<std::int64_t>(r));
    EXPECT_LE(testing::distance(row(got.state, r, kDepth), row(stored, r, kDepth)), 1e-6);
  }
}

TEST(Complete, OfOneNormEnergyIsThatOfRetrieve) {
  constexpr std::int64_t kDepth = 8;
  Numbers numbers(29);
  std::vector<double> stored = numbers.vector<double>(12 * kDepth);
  for (std::size_t s = 0; s < 12; ++s) {
    const double length = testing::norm(row(stored, s, kDepth));
    for (std::size_t i = s * kDepth; i < (s + 1) * kDepth; ++i) stored[i] /= length;
  }
  const std::vector<double> cue = numbers.vector<double>(kDepth);
  const double beta = 2.5;
  const Completed got = run(stored, cue, kDepth, beta, 0);
  Associations in;
  in.stored = pattern_view(stored.data(), 12, kDepth);
  in.states = pattern_view(cue.data(), 1, kDepth);
  in.beta = {&beta, 1};
  double energy = 0;
  AssociateOutputs<double> out;
  out.energy = {&energy, 1};
  associate(in, out);
  EXPECT_NEAR(got.energy[0], energy, 1e-13);
}

TEST(Complete, NothingKnownGivesTheMeanFirst) {
  const std::vector<double> stored = {1, 2, 3, 4, 8, 0};
  const std::vector<double> cue = {kMissing, kMissing};
  const Completed got = run(stored, cue, 2, 1, 0);
  EXPECT_DOUBLE_EQ(got.state[0], 4);
  EXPECT_DOUBLE_EQ(got.state[1], 2);
  EXPECT_NEAR(got.energy[0], 0, 1e-15);
}

TEST(Complete, ARowDoesNotSeeItsNeighbours) {
  Numbers numbers(31);
  const std::vector<double> stored = numbers.vector<double>(15 * 4);
  const std::vector<double> cues = cues_with_gaps(numbers, 12, 4);
  const Completed together = run(stored, cues, 4, 2, -1);
  for (std::size_t r = 0; r < 12; ++r) {
    const Completed alone = run(stored, row(cues, r, 4), 4, 2, -1);
    EXPECT_EQ(alone.state, row(together.state, r, 4));
    EXPECT_EQ(alone.steps[0], together.steps[r]);
    EXPECT_EQ(alone.lse[0], together.lse[r]);
  }
}

TEST(Complete, RefusesWhatItCannotFillIn) {
  const std::vector<double> stored = {1, 2};
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_THROW(run(stored, {infinity, 1}, 2, 1, 1), Error);
  EXPECT_THROW(run(stored, {1, kMissing}, 2, 0, 1), Error);
  EXPECT_THROW(run({}, {1, kMissing}, 2, 1, 1), Error);
  EXPECT_THROW(run(stored, {1, kMissing}, 2, 1, -1, 0), Error);
}

TEST(Complete, AdviceForGapsRecoversFromGaps) {
  constexpr std::int64_t kDepth = 16, kPatterns = 200;
  Numbers numbers(37);
  const std::vector<float> stored = numbers.vector<float>(kPatterns * kDepth);
  std::vector<std::uint8_t> missing(kDepth, 0);
  for (std::size_t k = 8; k < 16; ++k) missing[k] = 1;
  AdviceOptions options;
  options.cue = CueKind::kMissing;
  options.missing = missing;
  const BetaAdvice advice = advise_beta(pattern_view(stored.data(), kPatterns, kDepth), options);
  EXPECT_EQ(advice.source, BetaSource::kMeasured);
  EXPECT_GE(advice.recovered, 0.95);
  // The same half left to the scalar product as zeros is not enough: norms differ.
  options.cue = CueKind::kCovered;
  options.missing = {};
  EXPECT_LT(advise_beta(pattern_view(stored.data(), kPatterns, kDepth), options).recovered, 0.9);
  options.cue = CueKind::kMissing;
  EXPECT_THROW(advise_beta(pattern_view(stored.data(), kPatterns, kDepth), options), Error);
}

}  // namespace
}  // namespace hopfield
