// What the iteration promises beyond its fixed points: when it stops, that nobody sees a neighbour,
// edges and errors.
#include "hopfield/memory/retrieve.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "hopfield/base/error.h"
#include "tests/unit/memory/problem.h"

namespace hopfield {
namespace {

using testing::Numbers;
using testing::Retrieved;
using testing::run_retrieve;
using testing::Updates;

constexpr double kNever = 1e-300;  // an eps that only exact standstill meets

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

/// Ragged bags with everything on: masks, biases, heads, separate projections.
template <class T>
struct Bags {
  explicit Bags(std::uint64_t seed, std::int64_t num_bags = 4, std::int64_t stored_max = 40)
      : numbers(seed) {
    for (std::int64_t b = 0; b < num_bags; ++b) {
      stored_offsets.push_back(stored_offsets.back() +
                               (b == 2 ? 0 : 1 + numbers.below(stored_max)));
      state_offsets.push_back(state_offsets.back() + numbers.below(5));
    }
    const std::int64_t s = stored_offsets.back(), t = state_offsets.back();
    x = numbers.vector<T>(s * heads * depth, 1.3);
    v = numbers.vector<T>(s * heads * values);
    xi = numbers.vector<T>(t * heads * depth);
    for (std::int64_t i = 0; i < s; ++i) hidden_stored.push_back(numbers.uniform() < 0.15);
    for (std::int64_t i = 0; i < s * t * heads; ++i) hidden.push_back(numbers.uniform() < 0.15);
    bias = numbers.vector<T>(s * t * heads, 0.5);
    in.stored = pattern_view(x.data(), s, heads, depth);
    in.projections = pattern_view(v.data(), s, heads, values);
    in.states = pattern_view(xi.data(), t, heads, depth);
    in.beta = beta;
    in.stored_offsets = stored_offsets;
    in.state_offsets = state_offsets;
    in.hidden_stored = hidden_stored;
    // Any layout will do as long as bags do not read beyond the buffer.
    in.hidden = {hidden.data(), 0, s * t, s, 1};
    if constexpr (std::is_same_v<T, double>) {
      in.bias_f64 = {bias.data(), 0, s * t, s, 1};
    } else {
      in.bias_f32 = {bias.data(), 0, s * t, s, 1};
    }
  }
  Bags(const Bags&) = delete;
  Bags& operator=(const Bags&) = delete;

  /// State `row` of `bag` alone with its stored patterns.
  Associations alone(std::int64_t bag, std::int64_t row) const {
    Associations one = in;
    const auto b = static_cast<std::size_t>(bag);
    const std::int64_t first = stored_offsets[b], count = stored_offsets[b + 1] - first;
    one.stored_offsets = {};
    one.state_offsets = {};
    one.stored = pattern_view(x.data() + first * heads * depth, count, heads, depth);
    one.projections = pattern_view(v.data() + first * heads * values, count, heads, values);
    one.states =
        pattern_view(xi.data() + (state_offsets[b] + row) * heads * depth, 1, heads, depth);
    one.hidden_stored =
        std::span(hidden_stored)
            .subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    one.hidden.data += row * one.hidden.state_stride;
    if constexpr (std::is_same_v<T, double>) {
      one.bias_f64.data += row * one.bias_f64.state_stride;
    } else {
      one.bias_f32.data += row * one.bias_f32.state_stride;
    }
    return one;
  }

  Numbers numbers;
  static constexpr std::int64_t heads = 2, depth = 5, values = 3;
  std::vector<std::int64_t> stored_offsets{0}, state_offsets{0};
  std::vector<double> beta{1.1, 1.9};
  std::vector<T> x, v, xi, bias;
  std::vector<std::uint8_t> hidden_stored, hidden;
  Associations in;
};

constexpr Separation kSeparations[] = {Separation::kSoftmax, Separation::kSparsemax,
                                       Separation::kEntmax15, Separation::kTopKSoftmax,
                                       Separation::kMax};
constexpr Similarity kSimilarities[] = {Similarity::kDot, Similarity::kCosine,
                                        Similarity::kNegativeSquaredDistance};

/// The textbook loop for one state: dense associations, compared whole.
template <class T>
Retrieved<T> naive(const Associations& in, std::int64_t steps_max, double eps,
                   StopCriterion criterion) {
  const AssociationShape shape = validate(in, "naive");
  const auto d = static_cast<std::size_t>(shape.depth);
  Retrieved<T> result;
  result.steps = {0};
  result.reason = {StopReason::kStepLimit};
  result.final_state.resize(d);
  for (std::size_t k = 0; k < d; ++k) {
    result.final_state[k] = static_cast<const T*>(in.states.data)[k];
  }
  Associations update = in;
  update.projections = {};
  std::vector<T> before, p(static_cast<std::size_t>(shape.num_stored)), next(d);
  for (;;) {
    update.states = pattern_view(result.final_state.data(), 1, shape.depth);
    AssociateOutputs<T> out;
    out.state = mutable_view(next.data(), 1, shape.depth);
    out.association = p;
    associate(update, out);
    if (result.steps[0] == steps_max) break;
    if (result.steps[0] > 0 && criterion == StopCriterion::kAssociation) {
      double change = 0;
      for (std::size_t s = 0; s < p.size(); ++s) {
        change =
            std::max(change, std::abs(static_cast<double>(p[s]) - static_cast<double>(before[s])));
      }
      if (change <= eps) {
        result.reason = {StopReason::kConverged};
        break;
      }
    }
    double square = 0;
    for (std::size_t k = 0; k < d; ++k) {
      const double step = static_cast<double>(next[k]) - static_cast<double>(result.final_state[k]);
      square += step * step;
    }
    before = p;
    result.final_state = next;
    ++result.steps[0];
    if (criterion == StopCriterion::kState && result.steps[0] != steps_max &&
        std::sqrt(square) <= eps) {
      result.reason = {StopReason::kConverged};
      break;
    }
  }
  Associations last = in;
  last.states = pattern_view(result.final_state.data(), 1, shape.depth);
  result.state.resize(static_cast<std::size_t>(shape.projection_depth));
  AssociateOutputs<T> out;
  out.state = mutable_view(result.state.data(), 1, shape.projection_depth);
  associate(last, out);
  return result;
}

TEST(Retrieve, StopsWhereTheTextbookLoopStops) {
  Numbers numbers(3);
  int converged = 0;
  for (const Separation separation : kSeparations) {
    for (const Similarity similarity : kSimilarities) {
      for (const StopCriterion criterion : {StopCriterion::kAssociation, StopCriterion::kState}) {
        for (const std::int64_t steps_max : {-1, 0, 1, 2, 7}) {
          const auto x = numbers.vector<double>(9 * 4), v = numbers.vector<double>(9 * 2);
          const auto xi = numbers.vector<double>(4);
          const double beta = 1.5, eps = 1e-3;
          Associations in;
          in.stored = pattern_view(x.data(), 9, 4);
          in.projections = pattern_view(v.data(), 9, 2);
          in.states = pattern_view(xi.data(), 1, 4);
          in.beta = {&beta, 1};
          in.separation = separation;
          in.similarity = similarity;
          in.top_k = 3;
          const Updates update({steps_max}, {eps}, criterion);
          const auto got = run_retrieve<double>(in, update.options);
          const auto expected = naive<double>(in, steps_max, eps, criterion);
          EXPECT_EQ(got.steps, expected.steps);
          EXPECT_EQ(got.reason, expected.reason);
          EXPECT_TRUE(same_bits(got.final_state, expected.final_state));
          EXPECT_TRUE(same_bits(got.state, expected.state));
          converged += got.reason[0] == StopReason::kConverged;
        }
      }
    }
  }
  EXPECT_GT(converged, 30);  // the case that matters was met
}

/// More associations than are held at a time: many bags, one large bag, one long row.
TEST(Retrieve, StopsTheSameWhenTheComparisonIsCutIntoPieces) {
  Numbers numbers(4);
  const double beta = 1;
  for (const auto& [stored, states, bags] :
       {std::array<std::int64_t, 3>{2000, 300, 3}, {2000, 600, 1}, {1100000, 1, 1}}) {
    const auto x = numbers.vector<float>(stored, 1.5);
    const auto xi = numbers.vector<float>(states * bags);
    std::vector<std::int64_t> offsets;
    for (std::int64_t b = 0; b <= bags; ++b) offsets.push_back(b * states);
    Associations in;
    in.stored = pattern_view(x.data(), stored, 1);
    in.states = pattern_view(xi.data(), states * bags, 1);
    in.beta = {&beta, 1};
    if (bags > 1) in.state_offsets = offsets;
    const double eps = 1.0 / static_cast<double>(stored) * 1e-3;
    const Updates update({-1}, {eps});
    const auto got = run_retrieve<float>(in, update.options);
    for (std::int64_t t = 0; t < states * bags; t += 97) {
      Associations one = in;
      one.state_offsets = {};
      one.states = pattern_view(xi.data() + t, 1, 1);
      const auto expected = naive<float>(one, -1, eps, StopCriterion::kAssociation);
      const auto i = static_cast<std::size_t>(t);
      EXPECT_EQ(got.reason[i], StopReason::kConverged);
      EXPECT_GT(got.steps[i], 1);
      if (stored < 1000000) {
        EXPECT_EQ(got.steps[i], expected.steps[0]);
      } else {  // blocks of stored patterns are put together with rounding
        EXPECT_NEAR(static_cast<double>(got.steps[i]), static_cast<double>(expected.steps[0]), 1);
      }
    }
  }
}

template <class T>
void expect_rows_alone(Separation separation, Similarity similarity, StopCriterion criterion) {
  const Bags<T> bags(17);
  Associations in = bags.in;
  in.separation = separation;
  in.similarity = similarity;
  in.top_k = 4;
  const Updates update({-1, 3}, {1e-4, 1e-2}, criterion, 50);
  const auto batch = run_retrieve<T>(in, update.options);
  for (std::int64_t b = 0; b + 1 < static_cast<std::int64_t>(bags.state_offsets.size()); ++b) {
    const auto i = static_cast<std::size_t>(b);
    for (std::int64_t t = 0; t < bags.state_offsets[i + 1] - bags.state_offsets[i]; ++t) {
      Associations one = bags.alone(b, t);
      one.separation = separation;
      one.similarity = similarity;
      one.top_k = 4;
      const auto alone = run_retrieve<T>(one, update.options);
      const auto row = static_cast<std::size_t>(bags.state_offsets[i] + t);
      for (std::size_t h = 0; h < 2; ++h) {
        const std::size_t pair = row * 2 + h;
        EXPECT_EQ(batch.steps[pair], alone.steps[h]);
        EXPECT_EQ(batch.reason[pair], alone.reason[h]);
        EXPECT_EQ(0, std::memcmp(&batch.lse[pair], &alone.lse[h], sizeof(T)));
        EXPECT_EQ(0, std::memcmp(&batch.state[pair * 3], &alone.state[h * 3], 3 * sizeof(T)));
        EXPECT_EQ(
            0, std::memcmp(&batch.final_state[pair * 5], &alone.final_state[h * 5], 5 * sizeof(T)));
      }
    }
  }
}

TEST(Retrieve, ARowDoesNotSeeItsBatchNeighbours) {
  for (const Separation separation : kSeparations) {
    for (const Similarity similarity : kSimilarities) {
      for (const StopCriterion criterion : {StopCriterion::kAssociation, StopCriterion::kState}) {
        expect_rows_alone<float>(separation, similarity, criterion);
        expect_rows_alone<double>(separation, similarity, criterion);
      }
    }
  }
}

TEST(Retrieve, GivesTheSameBitsForAnyNumberOfThreads) {
  const Bags<float> bags(23, 20, 60);
  const Updates update({-1, 5}, {1e-5});
  AssociateOptions options;
  options.executor = &serial_executor();
  const auto expected = run_retrieve<float>(bags.in, update.options, 0, options);
  for (const int threads : {1, 2, 7}) {
    const std::unique_ptr<Executor> executor = make_executor(threads);
    options.executor = executor.get();
    const auto got = run_retrieve<float>(bags.in, update.options, 0, options);
    EXPECT_EQ(got.steps, expected.steps);
    EXPECT_EQ(got.reason, expected.reason);
    EXPECT_TRUE(same_bits(got.state, expected.state));
    EXPECT_TRUE(same_bits(got.final_state, expected.final_state));
    EXPECT_TRUE(same_bits(got.lse, expected.lse));
  }
}

TEST(Retrieve, StepsAreCountedPerRowAndHead) {
  // Head 0 makes two updates, head 1 none, head 2 runs until converged.
  Numbers numbers(5);
  const auto x = numbers.vector<double>(6 * 3 * 4), xi = numbers.vector<double>(2 * 3 * 4);
  const std::vector<double> beta = {0.7};
  Associations in;
  in.stored = pattern_view(x.data(), 6, 3, 4);
  in.states = pattern_view(xi.data(), 2, 3, 4);
  in.beta = beta;
  const Updates update({2, 0, -1}, {kNever, kNever, 1e-6});
  const auto got = run_retrieve<double>(in, update.options, 4);
  for (std::size_t r = 0; r < 2; ++r) {
    EXPECT_EQ(got.steps[r * 3], 2);
    EXPECT_EQ(got.steps[r * 3 + 1], 0);
    EXPECT_GT(got.steps[r * 3 + 2], 2);
    EXPECT_EQ(got.reason[r * 3], StopReason::kStepLimit);
    EXPECT_EQ(got.reason[r * 3 + 1], StopReason::kStepLimit);
    EXPECT_EQ(got.reason[r * 3 + 2], StopReason::kConverged);
    const double* energies = got.energies.data() + r * 12;
    EXPECT_GT(energies[0], energies[1]);
    EXPECT_GT(energies[1], energies[2]);
    EXPECT_EQ(energies[2], energies[3]);  // stopped after two: repeated
    EXPECT_EQ(energies[4], energies[5]);  // head 1 never moved
    EXPECT_EQ(energies[4], energies[7]);
  }
}

TEST(Retrieve, StatesSharedByBagsAndHeadsAreUpdatedForEachOfThem) {
  Numbers numbers(6);
  const std::int64_t d = 3, heads = 2;
  const std::vector<std::int64_t> offsets = {0, 4, 4, 9};
  const auto x = numbers.vector<float>(9 * heads * d), xi = numbers.vector<float>(2 * d);
  const std::vector<double> beta = {2};
  Associations in;
  in.stored = pattern_view(x.data(), 9, heads, d);
  in.states = pattern_view(xi.data(), 2, 1, d);
  in.beta = beta;
  in.stored_offsets = offsets;
  const Updates update({3}, {kNever});
  const auto got = run_retrieve<float>(in, update.options);
  ASSERT_EQ(got.steps.size(), 3u * 2 * 2);
  for (std::size_t b = 0; b < 3; ++b) {
    for (std::size_t t = 0; t < 2; ++t) {
      for (std::size_t h = 0; h < 2; ++h) {
        Associations one;
        const auto first = offsets[b], count = offsets[b + 1] - first;
        one.stored = pattern_view(x.data() + (first * heads + static_cast<std::int64_t>(h)) * d,
                                  count, 1, d);
        one.stored.row_stride = heads * d;
        one.states = pattern_view(xi.data() + static_cast<std::int64_t>(t) * d, 1, d);
        one.beta = beta;
        const auto alone = run_retrieve<float>(one, update.options);
        const std::size_t pair = (b * 2 + t) * 2 + h;
        EXPECT_EQ(got.steps[pair], alone.steps[0]);
        EXPECT_EQ(got.reason[pair], alone.reason[0]);
        EXPECT_EQ(0, std::memcmp(&got.state[pair * 3], alone.state.data(), 3 * sizeof(float)));
        EXPECT_EQ(got.reason[pair], b == 1 ? StopReason::kEmpty : StopReason::kStepLimit);
      }
    }
  }
}

TEST(Retrieve, SixteenBitPatternsAreIteratedInSinglePrecision) {
  Numbers numbers(7);
  const std::int64_t n = 12, d = 6;
  const auto exact = numbers.vector<float>(n * d), start = numbers.vector<float>(3 * d);
  const std::vector<double> beta = {1.2};
  std::vector<BF16> x16, xi16;
  std::vector<F16> v16;
  std::vector<float> x, xi, v;
  for (const float value : exact) {
    x16.push_back(to_bf16(value));
    x.push_back(to_f32(x16.back()));
    v16.push_back(to_f16(value));
    v.push_back(to_f32(v16.back()));
  }
  for (const float value : start) {
    xi16.push_back(to_bf16(value));
    xi.push_back(to_f32(xi16.back()));
  }
  Associations small, wide;
  small.stored = pattern_view(x16.data(), n, d);
  small.projections = pattern_view(v16.data(), n, d);
  small.states = pattern_view(xi16.data(), 3, d);
  wide.stored = pattern_view(x.data(), n, d);
  wide.projections = pattern_view(v.data(), n, d);
  wide.states = pattern_view(xi.data(), 3, d);
  small.beta = wide.beta = beta;
  const Updates update({-1}, {1e-5});
  const auto got = run_retrieve<float>(small, update.options);
  const auto expected = run_retrieve<float>(wide, update.options);
  for (std::size_t i = 0; i < got.final_state.size(); ++i) {
    // Storage rounding is in both; sums may be ordered differently. Rounding 6e-8 of values of
    // size 1, some ten sums long, amplified by 1/(1 - |J|) < 10.
    EXPECT_NEAR(got.final_state[i], expected.final_state[i], 1e-5);
    EXPECT_NEAR(got.state[i], expected.state[i], 1e-5);
  }
  for (const StopReason reason : got.reason) EXPECT_EQ(reason, StopReason::kConverged);
}

/// Rounding cycles are real: with eps far below rounding, single precision states often end in a
/// loop of a few neighbouring numbers. All of them must stop, and both ways of stopping be met.
TEST(Retrieve, ReportsARoundingCycleInsteadOfHanging) {
  int cycles = 0, standstills = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    Numbers numbers(seed);
    const std::int64_t n = 30, d = 16;
    const auto x = numbers.vector<float>(n * d), xi = numbers.vector<float>(4 * d);
    const std::vector<double> beta = {0.4 / d};  // one flat minimum
    Associations in;
    in.stored = pattern_view(x.data(), n, d);
    in.states = pattern_view(xi.data(), 4, d);
    in.beta = beta;
    for (const StopCriterion criterion : {StopCriterion::kAssociation, StopCriterion::kState}) {
      const Updates update({-1}, {kNever}, criterion);
      const auto got = run_retrieve<float>(in, update.options);
      for (std::size_t r = 0; r < 4; ++r) {
        EXPECT_LT(got.steps[r], 10000);
        EXPECT_TRUE(got.reason[r] == StopReason::kCycle || got.reason[r] == StopReason::kConverged)
            << "seed " << seed << " reason " << int(got.reason[r]);
        cycles += got.reason[r] == StopReason::kCycle;
        standstills += got.reason[r] == StopReason::kConverged;
        if (got.reason[r] != StopReason::kCycle) continue;
        // It is a cycle: the same state comes back, and its neighbour is another one.
        Associations again = in;
        again.states = pattern_view(got.final_state.data() + r * 16, 1, d);
        const Updates one({1}, {kNever});
        std::vector<float> state(got.final_state.data() + r * 16,
                                 got.final_state.data() + r * 16 + 16);
        const std::vector<float> begin = state;
        int period = 0;
        do {
          again.states = pattern_view(state.data(), 1, d);
          state = run_retrieve<float>(again, one.options).final_state;
          ++period;
        } while (!same_bits(state, begin) && period < 1000);
        EXPECT_GT(period, 1);
        EXPECT_LT(period, 1000);
      }
    }
  }
  EXPECT_GT(cycles, 0);
  EXPECT_GT(standstills, 0);
}

TEST(Retrieve, ACycleOfTwoIsFoundWhateverItsLead) {
  // Cosine similarity descends no energy, and a hard maximum can swing: negative beta recalls the
  // least similar pattern, so that two opposite ones alternate for ever.
  const std::vector<double> x = {1, 0, -1, 0}, xi = {0.3, 0.1};
  const double beta = -1;
  Associations in;
  in.stored = pattern_view(x.data(), 2, 2);
  in.states = pattern_view(xi.data(), 1, 2);
  in.beta = {&beta, 1};
  in.separation = Separation::kMax;
  for (const StopCriterion criterion : {StopCriterion::kAssociation, StopCriterion::kState}) {
    const Updates until({-1}, {1e-4}, criterion);
    const auto got = run_retrieve<double>(in, until.options);
    EXPECT_EQ(got.reason[0], StopReason::kCycle);
    EXPECT_LE(got.steps[0], 8);
    // A number of updates that was asked for is made, cycle or not: parity decides.
    for (const std::int64_t n : {6, 7}) {
      const Updates exactly({n}, {1e-4}, criterion);
      const auto made = run_retrieve<double>(in, exactly.options);
      EXPECT_EQ(made.steps[0], n);
      EXPECT_EQ(made.reason[0], StopReason::kStepLimit);
      EXPECT_EQ(made.final_state[0], n % 2 == 0 ? 1 : -1);
    }
  }
}

TEST(Retrieve, GivesUpAtTheCap) {
  // At beta M^2 = 1 the antipodal pair is critical: |xi| falls like 1/sqrt(t).
  const std::vector<double> x = {1, -1}, xi = {0.5};
  const double beta = 1;
  Associations in;
  in.stored = pattern_view(x.data(), 2, 1);
  in.states = pattern_view(xi.data(), 1, 1);
  in.beta = {&beta, 1};
  for (const StopCriterion criterion : {StopCriterion::kAssociation, StopCriterion::kState}) {
    const Updates until({-1}, {1e-12}, criterion, 37);
    const auto got = run_retrieve<double>(in, until.options);
    EXPECT_EQ(got.reason[0], StopReason::kCapped);
    EXPECT_EQ(got.steps[0], 37);
  }
}

TEST(Retrieve, AStateThatIsNoNumberStopsAlone) {
  std::vector<float> xi = {0.5f, 0.1f, std::numeric_limits<float>::quiet_NaN(), 0.1f, 0.2f, -0.3f};
  const std::vector<float> x = {1, 0, 0, 1, -1, -1};
  const std::vector<double> beta = {1};
  Associations in;
  in.stored = pattern_view(x.data(), 3, 2);
  in.states = pattern_view(xi.data(), 3, 2);
  in.beta = beta;
  for (const StopCriterion criterion : {StopCriterion::kAssociation, StopCriterion::kState}) {
    const Updates until({-1}, {1e-6}, criterion);
    const auto got = run_retrieve<float>(in, until.options);
    EXPECT_EQ(got.reason[0], StopReason::kConverged);
    EXPECT_EQ(got.reason[1], StopReason::kCycle);
    EXPECT_EQ(got.reason[2], StopReason::kConverged);
    EXPECT_TRUE(std::isnan(got.state[2]));
    EXPECT_FALSE(std::isnan(got.state[0]) || std::isnan(got.state[4]));
  }
}

TEST(Retrieve, EmptyAndFullyMaskedRowsAreEmpty) {
  const std::vector<double> x = {1, 0, 0, 1}, xi = {0.5, 0.1, 0.2, 0.3, 0.4, 0.5};
  const std::vector<std::int64_t> stored_offsets = {0, 0, 2}, state_offsets = {0, 1, 3};
  const std::vector<std::uint8_t> hidden = {1, 1, 0, 0};
  const double beta = 1;
  Associations in;
  in.stored = pattern_view(x.data(), 2, 2);
  in.states = pattern_view(xi.data(), 3, 2);
  in.beta = {&beta, 1};
  in.stored_offsets = stored_offsets;
  in.state_offsets = state_offsets;
  in.hidden = {hidden.data(), 0, 0, 2, 1};  // the first state of a bag sees nothing
  for (const std::int64_t n : {0, 3, -1}) {
    const Updates update({n});
    const auto got = run_retrieve<double>(in, update.options, 2);
    for (std::size_t r = 0; r < 2; ++r) {
      EXPECT_EQ(got.reason[r], StopReason::kEmpty);
      EXPECT_EQ(got.steps[r], 0);
      EXPECT_EQ(got.lse[r], -std::numeric_limits<double>::infinity());
      EXPECT_EQ(got.state[2 * r], 0);
      EXPECT_EQ(got.state[2 * r + 1], 0);
      EXPECT_EQ(got.final_state[2 * r], xi[2 * r]);
      EXPECT_EQ(got.energies[2 * r], std::numeric_limits<double>::infinity());
    }
    EXPECT_NE(got.reason[2], StopReason::kEmpty);
    EXPECT_GT(got.state[4], 0);
  }
}

TEST(Retrieve, NothingToDoIsNoError) {
  const std::vector<float> x = {1, 2, 3, 4};
  const std::vector<double> beta = {1};
  const std::vector<std::int64_t> no_bags = {0};
  for (const std::int64_t n : {0, 2, -1}) {
    const Updates update({n});
    Associations in;
    in.beta = beta;
    in.stored = pattern_view(x.data(), 2, 2);
    in.states = pattern_view<float>(nullptr, 0, 2);
    EXPECT_TRUE(run_retrieve<float>(in, update.options).steps.empty());
    in.stored = pattern_view<float>(nullptr, 0, 2);
    EXPECT_TRUE(run_retrieve<float>(in, update.options).steps.empty());
    in.stored_offsets = no_bags;
    in.states = pattern_view(x.data(), 2, 2);
    EXPECT_TRUE(run_retrieve<float>(in, update.options).steps.empty());
    in.stored_offsets = {};
    const auto got = run_retrieve<float>(in, update.options);
    EXPECT_EQ(got.reason, (std::vector<StopReason>{StopReason::kEmpty, StopReason::kEmpty}));
  }
}

TEST(Retrieve, RowsThatAreNotActiveStayUntouched) {
  const std::vector<float> x = {1, 0, 0, 1}, xi = {0.5f, 0.1f, 0.2f, 0.3f};
  const std::vector<double> beta = {1};
  const std::vector<std::uint8_t> active = {0, 1};
  Associations in;
  in.stored = pattern_view(x.data(), 2, 2);
  in.states = pattern_view(xi.data(), 2, 2);
  in.beta = beta;
  const Updates update({-1});
  const auto all = run_retrieve<float>(in, update.options, 3);
  in.active = active;
  const auto got = run_retrieve<float>(in, update.options, 3);
  EXPECT_EQ(got.steps[0], -7);
  EXPECT_EQ(got.state[0], -7);
  EXPECT_EQ(got.final_state[1], -7);
  EXPECT_EQ(got.energies[2], -7);
  EXPECT_EQ(got.steps[1], all.steps[1]);
  EXPECT_EQ(got.state[2], all.state[2]);
  EXPECT_EQ(got.energies[5], all.energies[5]);
}

template <class Call>
std::string message(ErrorCode code, const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(Retrieve, SaysWhatIsWrong) {
  const std::vector<float> x = {1, 0, 0, 1}, xi = {0.5f, 0.1f};
  const std::vector<double> beta = {1};
  Associations in;
  in.stored = pattern_view(x.data(), 2, 2);
  in.states = pattern_view(xi.data(), 1, 2);
  in.beta = beta;
  const auto has = [](const std::string& text, const char* part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
    EXPECT_EQ(text.rfind("[retrieve] expected", 0), 0u) << text;
  };
  const auto invalid = [&](const Updates& update) {
    return message(ErrorCode::kInvalidArgument, [&] { run_retrieve<float>(in, update.options); });
  };
  has(invalid(Updates({1, 2})), "update_steps_max to have 1 or 1 entries");
  has(invalid(Updates({1}, {1e-4, 1e-4})), "update_steps_eps");
  has(invalid(Updates({1}, {0})), "update_steps_eps > 0");
  has(invalid(Updates({1}, {std::nan("")})), "update_steps_eps > 0");
  has(invalid(Updates({1}, {1e-4}, StopCriterion::kState, 0)), "update_steps_cap >= 1");

  const Updates two({2});
  std::vector<std::int64_t> steps(3);
  std::vector<float> state(2, 7.0f), energies(1);
  AssociateOutputs<float> out;
  out.state = mutable_view(state.data(), 1, 2);
  RetrieveReport<float> report;
  report.steps = steps;
  has(message(ErrorCode::kInvalidArgument, [&] { retrieve(in, two.options, out, report); }),
      "report.steps to have 1");
  report = {};
  report.final_state = mutable_view(state.data(), 2, 1);
  has(message(ErrorCode::kInvalidArgument, [&] { retrieve(in, two.options, out, report); }),
      "report.final_state to be [1, 1, 2], got [2, 1, 1]");
  report = {};
  report.num_energies = 1;
  has(message(ErrorCode::kInvalidArgument, [&] { retrieve(in, two.options, out, report); }),
      "report.energies");
  report.energies = energies;
  in.similarity = Similarity::kCosine;
  has(message(ErrorCode::kUnsupported, [&] { retrieve(in, two.options, out, report); }), "cosine");
  in.similarity = Similarity::kDot;
  const std::vector<double> negative = {-1};
  in.beta = negative;
  has(message(ErrorCode::kInvalidArgument, [&] { retrieve(in, two.options, out, report); }),
      "beta > 0");
  in.beta = beta;
  // A contradiction in the outputs shows before the first update, with nothing written.
  std::vector<float> lse(2);
  out.lse = lse;
  report.num_energies = 0;
  report.energies = {};
  message(ErrorCode::kInvalidArgument, [&] { retrieve(in, two.options, out, report); });
  EXPECT_EQ(state[0], 7.0f);
  EXPECT_NE(message(ErrorCode::kInvalidArgument, [&] { run_retrieve<double>(in, two.options); })
                .find("expected"),
            std::string::npos);
}

}  // namespace
}  // namespace hopfield
