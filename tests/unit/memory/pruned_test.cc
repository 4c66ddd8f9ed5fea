#include "hopfield/memory/pruned.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "hopfield/base/error.h"
#include "tests/support/thread_executor.h"
#include "tests/unit/memory/problem.h"

namespace hopfield {
namespace {

using testing::Numbers;

constexpr std::int64_t kPatterns = 3201, kDepth = 24, kStates = 9, kCenters = 200;

/// Data on which bounds are loose, tight, equal or degenerate. Row i of `states` is a damaged
/// pattern, but for the last, which is 0.
struct Data {
  std::string name;
  std::vector<double> stored, states;

  PatternView stored_view() const { return pattern_view(stored.data(), kPatterns, kDepth); }
  PatternView states_view() const { return pattern_view(states.data(), kStates, kDepth); }
};

Data data_of(const std::string& name) {
  Numbers numbers(11);
  Data data{name, {}, {}};
  const std::vector<double> centers = numbers.vector<double>(kCenters * kDepth, 2);
  for (std::int64_t s = 0; s < kPatterns; ++s) {
    std::vector<double> x = numbers.vector<double>(kDepth);
    if (name == "clustered" || name == "duplicates") {
      const std::int64_t center = numbers.below(kCenters);
      for (std::int64_t k = 0; k < kDepth; ++k) {
        double& value = x[static_cast<std::size_t>(k)];
        value = centers[static_cast<std::size_t>(center * kDepth + k)] +
                (name == "clustered" ? 0.1 * value : 0);
      }
    }
    if (name == "equal norms") {
      const double length = testing::norm(x);
      for (double& value : x) value *= 3 / length;
    }
    if (name == "uneven norms") {
      for (double& value : x) value *= std::exp(6 * numbers.uniform() - 4);
    }
    if (name == "on a line") {
      for (std::size_t k = 1; k < x.size(); ++k) x[k] = 0.5 * x[0];
    }
    if (name == "only zeros" || (name == "zeros" && s % 3 != 0)) std::fill(x.begin(), x.end(), 0);
    data.stored.insert(data.stored.end(), x.begin(), x.end());
  }
  for (std::int64_t t = 0; t < kStates; ++t) {
    const std::vector<double> noise = numbers.vector<double>(kDepth, 0.2);
    for (std::int64_t k = 0; k < kDepth; ++k) {
      const double x = data.stored[static_cast<std::size_t>(177 * t * kDepth + k)];
      data.states.push_back(t + 1 < kStates ? x + noise[static_cast<std::size_t>(k)] : 0);
    }
  }
  return data;
}

const std::vector<std::string> kKinds = {"random",       "clustered", "duplicates", "equal norms",
                                         "uneven norms", "on a line", "zeros",      "only zeros"};

template <class T>
struct Exact {
  std::vector<T> state, lse, largest;
  std::vector<std::int64_t> largest_index;
};

template <class T>
Exact<T> exact(const PatternView& stored, const PatternView& states, double beta,
               Similarity similarity) {
  const auto rows = static_cast<std::size_t>(states.rows);
  Exact<T> result{std::vector<T>(rows * static_cast<std::size_t>(states.depth)),
                  std::vector<T>(rows), std::vector<T>(rows), std::vector<std::int64_t>(rows)};
  Associations in;
  in.stored = stored;
  in.states = states;
  in.beta = {&beta, 1};
  in.similarity = similarity;
  AssociateOutputs<T> out;
  out.state = mutable_view(result.state.data(), states.rows, states.depth);
  out.lse = result.lse;
  out.largest = result.largest;
  out.largest_index = result.largest_index;
  associate(in, out);
  return result;
}

template <class T>
void expect_same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  ASSERT_EQ(a.size(), b.size());
  EXPECT_TRUE(a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

template <class T>
void expect_same_bits(const PrunedAssociation<T>& got, const Exact<T>& whole, std::int64_t stored) {
  expect_same_bits(got.state, whole.state);
  expect_same_bits(got.lse, whole.lse);
  expect_same_bits(got.largest, whole.largest);
  expect_same_bits(got.largest_index, whole.largest_index);
  for (const std::int64_t visited : got.visited) EXPECT_EQ(visited, stored);
  for (const double bound : got.state_bound) EXPECT_EQ(bound, 0);
  for (const double bound : got.lse_bound) EXPECT_EQ(bound, 0);
}

template <class T>
std::vector<T> as(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

std::vector<PrunedPatternsOptions> builds() {
  std::vector<PrunedPatternsOptions> result;
  for (const BlockOrder order : {BlockOrder::kKept, BlockOrder::kAlike}) {
    for (const std::int64_t directions : {-1, 5, 24}) {
      PrunedPatternsOptions options;
      options.order = order;
      options.block_size = 8;
      options.num_directions = directions;  // -1 makes no sketches at this depth
      result.push_back(options);
    }
  }
  return result;
}

/// How often a case of `check` showed something.
struct Tally {
  int left_out = 0;  ///< states for which patterns were left out
  int visible = 0;   ///< of these, whose error is far above rounding
};

/// All bounds hold for patterns and states rounded to T, against associate in double.
template <class T>
void check(const Data& data, const PrunedPatterns<T>& patterns, const std::vector<T>& states,
           const Exact<double>& truth, double beta, Similarity similarity, double tolerance,
           Tally& tally) {
  PruneOptions options;
  options.similarity = similarity;
  options.tolerance = tolerance;
  const PrunedAssociation<T> got =
      associate_pruned(patterns, pattern_view(states.data(), kStates, kDepth), beta, options);
  double norm_max = 0;
  for (std::int64_t s = 0; s < kPatterns; ++s) {
    double square = 0;
    for (std::int64_t k = 0; k < kDepth; ++k) {
      const double x = data.stored[static_cast<std::size_t>(s * kDepth + k)];
      square += x * x;
    }
    norm_max = std::max(norm_max, std::sqrt(square));
  }
  for (std::size_t t = 0; t < kStates; ++t) {
    double error = 0, norm = 0;
    for (std::size_t k = 0; k < kDepth; ++k) {
      const std::size_t i = t * kDepth + k;
      const double difference = static_cast<double>(got.state[i]) - truth.state[i];
      error += difference * difference;
      norm += static_cast<double>(states[i]) * static_cast<double>(states[i]);
    }
    error = std::sqrt(error);
    norm = std::sqrt(norm);
    // The error promise of docs/math/associate.md for what was visited: its floor is 2 delta for a
    // component; twice that for the naive error that it is added to, sqrt(d) for the norm.
    const double reach = similarity == Similarity::kDot
                             ? beta * norm_max * norm
                             : beta * (norm_max + norm) * (norm_max + norm);
    const double unit = static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;
    const double delta = 4 * unit * (1 + reach);
    const double rounding = 4 * delta * norm_max * std::sqrt(static_cast<double>(kDepth));
    const double lse_rounding = 2 * (delta + 4 * unit * std::log(kPatterns));
    const std::string where = data.name + ", beta " + std::to_string(beta) + ", tolerance " +
                              std::to_string(tolerance) + ", state " + std::to_string(t);
    EXPECT_LE(error, got.state_bound[t] + rounding) << where;
    EXPECT_LE(got.state_bound[t], tolerance) << where;
    const double missing = truth.lse[t] - static_cast<double>(got.lse[t]);
    EXPECT_LE(missing, got.lse_bound[t] + lse_rounding) << where;
    EXPECT_GE(missing, -lse_rounding) << where;
    if (got.visited[t] == kPatterns) continue;
    ++tally.left_out;
    tally.visible += error > 100 * rounding;
    EXPECT_GT(got.visited[t], 0) << where;
  }
}

template <class T>
void check_all(Tally& tally) {
  for (const std::string& kind : kKinds) {
    Data data = data_of(kind);
    const std::vector<T> stored = as<T>(data.stored), states = as<T>(data.states);
    data.stored.assign(stored.begin(), stored.end());
    data.states.assign(states.begin(), states.end());
    for (const PrunedPatternsOptions& build : builds()) {
      const PrunedPatterns<T> patterns(pattern_view(stored.data(), kPatterns, kDepth), build);
      EXPECT_GE(patterns.num_blocks(), 401);  // 8 patterns each
      for (const Similarity similarity : {Similarity::kDot, Similarity::kNegativeSquaredDistance}) {
        for (const double beta : {0.02, 0.5, 3.0, 1e3}) {
          const Exact<double> truth =
              exact<double>(data.stored_view(), data.states_view(), beta, similarity);
          for (const double tolerance : {1e-9, 1e-3, 100.0}) {
            check(data, patterns, states, truth, beta, similarity, tolerance, tally);
          }
        }
      }
    }
  }
}

TEST(Pruned, BoundsHoldOnEveryKindOfDataInDouble) {
  Tally tally;
  check_all<double>(tally);
  EXPECT_GT(tally.left_out, 1000);
  EXPECT_GT(tally.visible, 100);
}

TEST(Pruned, BoundsHoldOnEveryKindOfDataInFloat) {
  Tally tally;
  check_all<float>(tally);
  EXPECT_GT(tally.left_out, 1000);
  EXPECT_GT(tally.visible, 20);  // rounding hides more of them in float
}

TEST(Pruned, ClusteredPatternsAreMostlyLeftOut) {
  const Data data = data_of("clustered");
  for (PrunedPatternsOptions build : builds()) {
    build.order = BlockOrder::kAlike;
    const PrunedPatterns<double> patterns(data.stored_view(), build);
    PruneOptions options;
    options.similarity = Similarity::kNegativeSquaredDistance;
    const auto got = associate_pruned(patterns, data.states_view(), 4, options);
    // The last state is near no cluster; others may lie where a split went through theirs.
    const auto few = std::count_if(got.visited.begin(), got.visited.end(),
                                   [](std::int64_t visited) { return visited < kPatterns / 20; });
    EXPECT_GE(few, 5);
  }
}

TEST(Pruned, IndicesAreThoseOfTheCaller) {
  const Data data = data_of("clustered");
  const Exact<double> whole = exact<double>(data.stored_view(), data.states_view(), 4,
                                            Similarity::kNegativeSquaredDistance);
  for (const PrunedPatternsOptions& build : builds()) {
    PruneOptions options;
    options.similarity = Similarity::kNegativeSquaredDistance;
    const auto got = associate_pruned(PrunedPatterns<double>(data.stored_view(), build),
                                      data.states_view(), 4, options);
    EXPECT_EQ(got.largest_index, whole.largest_index);
    for (std::size_t t = 0; t < kStates; ++t) EXPECT_NEAR(got.largest[t], whole.largest[t], 1e-9);
  }
}

TEST(Pruned, ToleranceZeroGivesTheBitsOfAssociate) {
  const Data data = data_of("clustered");
  const std::vector<float> stored = as<float>(data.stored), states = as<float>(data.states);
  const PatternView patterns = pattern_view(stored.data(), kPatterns, kDepth);
  const PatternView cues = pattern_view(states.data(), kStates, kDepth);
  for (const PrunedPatternsOptions& build : builds()) {
    PruneOptions options;
    options.tolerance = 0;
    expect_same_bits(associate_pruned(PrunedPatterns<float>(patterns, build), cues, 5, options),
                     exact<float>(patterns, cues, 5, options.similarity), kPatterns);
  }
}

TEST(Pruned, WhatCannotBePrunedGivesTheBitsOfAssociate) {
  const Data data = data_of("random");
  PrunedPatternsOptions build;
  build.block_size = 8;
  const PrunedPatterns<double> patterns(data.stored_view(), build);
  PruneOptions options;
  for (const double beta : {0.0, -2.0, 1e-3, 1e300}) {
    expect_same_bits(associate_pruned(patterns, data.states_view(), beta, options),
                     exact<double>(data.stored_view(), data.states_view(), beta, Similarity::kDot),
                     kPatterns);
  }
  build.block_size = kPatterns;  // one block
  expect_same_bits(associate_pruned(PrunedPatterns<double>(data.stored_view(), build),
                                    data.states_view(), 3, options),
                   exact<double>(data.stored_view(), data.states_view(), 3, Similarity::kDot),
                   kPatterns);
  const PatternView one = pattern_view(data.stored.data(), 1, kDepth);
  expect_same_bits(associate_pruned(PrunedPatterns<double>(one), data.states_view(), 3, options),
                   exact<double>(one, data.states_view(), 3, Similarity::kDot), 1);
  const PatternView none = pattern_view(data.stored.data(), 0, kDepth);
  expect_same_bits(associate_pruned(PrunedPatterns<double>(none), data.states_view(), 3, options),
                   exact<double>(none, data.states_view(), 3, Similarity::kDot), 0);
}

TEST(Pruned, NumbersThatAreNotFiniteReachOnlyTheirStates) {
  Data data = data_of("clustered");
  PrunedPatternsOptions build;
  build.block_size = 8;
  PruneOptions options;
  const PrunedPatterns<double> sound(data.stored_view(), build);
  const auto before = associate_pruned(sound, data.states_view(), 4, options);
  data.states[3 * kDepth + 1] = std::numeric_limits<double>::quiet_NaN();
  data.states[4 * kDepth] = std::numeric_limits<double>::infinity();
  const auto got = associate_pruned(sound, data.states_view(), 4, options);
  for (std::size_t t = 0; t < kStates; ++t) {
    const bool hit = t == 3 || t == 4;
    EXPECT_EQ(std::isnan(got.lse[t]), hit);
    EXPECT_TRUE(hit || got.lse[t] == before.lse[t]);
  }
  for (const double bad : {std::numeric_limits<double>::infinity(), std::nan(""), 1e200}) {
    data = data_of("clustered");
    data.stored[500 * kDepth] = bad;
    expect_same_bits(associate_pruned(PrunedPatterns<double>(data.stored_view(), build),
                                      data.states_view(), 4, options),
                     exact<double>(data.stored_view(), data.states_view(), 4, Similarity::kDot),
                     kPatterns);
  }
}

TEST(Pruned, BitsDependNeitherOnThreadsNorOnNeighbours) {
  const Data data = data_of("uneven norms");
  const std::vector<float> stored = as<float>(data.stored);
  Numbers numbers(5);
  constexpr std::int64_t kMany = 230;  // several chunks
  std::vector<float> states;
  for (std::int64_t t = 0; t < kMany; ++t) {
    for (std::int64_t k = 0; k < kDepth; ++k) {
      states.push_back(stored[static_cast<std::size_t>(t * kDepth + k)] *
                       static_cast<float>(numbers.between(0.9, 1.1)));
    }
  }
  const PatternView view = pattern_view(stored.data(), kPatterns, kDepth);
  PruneOptions options;
  options.tolerance = 1e-4;
  for (PrunedPatternsOptions build : builds()) {
    build.executor = options.executor = &serial_executor();
    const auto serial = associate_pruned(PrunedPatterns<float>(view, build),
                                         pattern_view(states.data(), kMany, kDepth), 2, options);
    test::ShuffledThreads threads(7);
    build.executor = options.executor = &threads;
    const PrunedPatterns<float> patterns(view, build);
    const auto threaded =
        associate_pruned(patterns, pattern_view(states.data(), kMany, kDepth), 2, options);
    expect_same_bits(serial.state, threaded.state);
    expect_same_bits(serial.lse, threaded.lse);
    expect_same_bits(serial.state_bound, threaded.state_bound);
    EXPECT_EQ(serial.visited, threaded.visited);
    for (const std::int64_t t : {0, 100, 229}) {
      const auto alone = associate_pruned(
          patterns, pattern_view(states.data() + t * kDepth, 1, kDepth), 2, options);
      const auto row = static_cast<std::size_t>(t);
      EXPECT_EQ(std::memcmp(alone.state.data(), serial.state.data() + row * kDepth,
                            kDepth * sizeof(float)),
                0);
      EXPECT_EQ(alone.state_bound[0], serial.state_bound[row]);
      EXPECT_EQ(alone.visited[0], serial.visited[row]);
    }
  }
}

TEST(Pruned, NarrowTypesAndGapsBetweenRowsAreRead) {
  const Data data = data_of("clustered");
  constexpr std::int64_t kStride = kDepth + 3;
  std::vector<BF16> narrow(kPatterns * kStride);
  std::vector<float> wide(kPatterns * kDepth);
  for (std::int64_t s = 0; s < kPatterns; ++s) {
    for (std::int64_t k = 0; k < kDepth; ++k) {
      const auto x = static_cast<float>(data.stored[static_cast<std::size_t>(s * kDepth + k)]);
      narrow[static_cast<std::size_t>(s * kStride + k)] = to_bf16(x);
      wide[static_cast<std::size_t>(s * kDepth + k)] =
          to_f32(narrow[static_cast<std::size_t>(s * kStride + k)]);
    }
  }
  PatternView gaps = pattern_view(narrow.data(), kPatterns, kDepth);
  gaps.row_stride = kStride;
  const std::vector<float> states = as<float>(data.states);
  const PatternView cues = pattern_view(states.data(), kStates, kDepth);
  for (const PrunedPatternsOptions& build : builds()) {
    const auto got = associate_pruned(PrunedPatterns<float>(gaps, build), cues, 4);
    const auto expected = associate_pruned(
        PrunedPatterns<float>(pattern_view(wide.data(), kPatterns, kDepth), build), cues, 4);
    expect_same_bits(got.state, expected.state);
    EXPECT_EQ(got.visited, expected.visited);
  }
}

template <class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Pruned, BadArgumentsAreNamed) {
  const Data data = data_of("random");
  const auto build_error = [&](PrunedPatternsOptions options) {
    return message_of([&] { PrunedPatterns<double>(data.stored_view(), options); });
  };
  PrunedPatternsOptions build;
  build.block_size = -1;
  EXPECT_EQ(build_error(build), "[PrunedPatterns] expected block_size >= 0, got -1");
  build = {};
  build.num_directions = 0;
  EXPECT_EQ(build_error(build),
            "[PrunedPatterns] expected num_directions > 0 to find alike patterns, got 0; keep the "
            "order");
  build.order = BlockOrder::kKept;
  EXPECT_EQ(build_error(build), "");
  EXPECT_NE(message_of([&] { PrunedPatterns<float>(data.stored_view()); }), "");
  PatternView heads = data.stored_view();
  heads.heads = 2;
  EXPECT_NE(message_of([&] { PrunedPatterns<double>(heads, build); }), "");

  const PrunedPatterns<double> patterns(data.stored_view());
  const auto error = [&](const PatternView& states, double beta, const PruneOptions& options) {
    return message_of([&] { associate_pruned(patterns, states, beta, options); });
  };
  PruneOptions options;
  options.tolerance = std::nan("");
  EXPECT_EQ(error(data.states_view(), 1, options),
            "[associate_pruned] expected tolerance >= 0, got nan");
  options = {};
  EXPECT_NE(error(data.states_view(), std::nan(""), options), "");
  EXPECT_NE(error(pattern_view(data.states.data(), kStates, kDepth - 1), 1, options), "");
  const std::vector<float> narrow = as<float>(data.states);
  EXPECT_NE(error(pattern_view(narrow.data(), kStates, kDepth), 1, options), "");
  options.similarity = Similarity::kCosine;
  EXPECT_EQ(error(data.states_view(), 1, options),
            "[associate_pruned] expected the dot product or the distance as similarity, got "
            "cosine; store patterns of length 1 and use the dot product");
}

}  // namespace
}  // namespace hopfield
