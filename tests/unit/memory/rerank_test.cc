#include "hopfield/memory/rerank.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "hopfield/base/error.h"
#include "tests/unit/memory/problem.h"

namespace hopfield {
namespace {

using testing::Numbers;

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// Patterns and their codes.
struct Coded {
  std::int64_t rows, depth;
  std::vector<float> x, scales;
  std::vector<std::int8_t> codes;

  Coded(std::vector<float> numbers, std::int64_t d)
      : rows(std::ssize(numbers) / d), depth(d), x(std::move(numbers)) {
    for (std::int64_t s = 0; s < rows; ++s) {
      double largest = 0;
      for (std::int64_t k = 0; k < d; ++k) {
        largest = std::max(largest, std::abs(static_cast<double>(x[at(s * d + k)])));
      }
      scales.push_back(static_cast<float>(largest / 127));
      for (std::int64_t k = 0; k < d; ++k) {
        const double number = static_cast<double>(x[at(s * d + k)]);
        const double unit = static_cast<double>(scales.back());
        codes.push_back(static_cast<std::int8_t>(unit > 0 ? std::nearbyint(number / unit) : 0));
      }
    }
  }
  PatternView view() const { return coded_view(codes.data(), scales.data(), rows, depth); }
  /// States [num_states, depth] against the codes. `beta` must outlive the answer.
  Associations question(const float* xi, std::int64_t num_states, const double& beta) const {
    Associations in;
    in.stored = view();
    in.states = pattern_view(xi, num_states, depth);
    in.beta = {&beta, 1};
    return in;
  }
  PatternView exact_view() const { return pattern_view(x.data(), rows, depth); }
  ExactRows exact() const {
    return [this](std::int64_t first, std::int64_t count) {
      return std::vector<double>(x.begin() + first * depth, x.begin() + (first + count) * depth);
    };
  }
};

/// Everything rerank takes and gives for some states.
struct Answer {
  std::int64_t depth, num_top;
  std::vector<float> state, lse, entropy, energy, top;
  std::vector<std::int64_t> top_index, size;
  RerankReport report;

  Answer(const Associations& in, const ExactRows& exact, std::int64_t candidates,
         const RerankOptions& options)
      : depth(in.projections.given() ? in.projections.depth : in.stored.depth),
        num_top(candidates) {
    const std::size_t rows = at(in.states.rows);
    for (std::vector<float>* numbers : {&lse, &entropy, &energy}) numbers->resize(rows);
    state.resize(rows * at(depth));
    top.resize(rows * at(num_top));
    top_index.resize(top.size());
    size.resize(rows);
    AssociateOutputs<float> out;
    out.state = mutable_view(state.data(), in.states.rows, depth);
    out.lse = lse;
    out.entropy = entropy;
    if (in.similarity != Similarity::kCosine) out.energy = energy;
    out.metastable_size = size;
    out.num_top = num_top;
    out.top = top;
    out.top_index = top_index;
    associate(in, out);
    report = rerank(in, exact, out, options);
  }
};

/// The association of a state with the exact rows, in double.
struct Truth {
  std::vector<double> score, weight, state;
  std::vector<std::int64_t> order;  ///< by falling score

  Truth(const Coded& memory, const float* xi, double beta) : state(at(memory.depth)) {
    for (std::int64_t s = 0; s < memory.rows; ++s) {
      double product = 0;
      for (std::int64_t k = 0; k < memory.depth; ++k) {
        product +=
            static_cast<double>(memory.x[at(s * memory.depth + k)]) * static_cast<double>(xi[k]);
      }
      score.push_back(beta * product);
    }
    const double largest = *std::max_element(score.begin(), score.end());
    double sum = 0;
    for (const double t : score) sum += std::exp(t - largest);
    for (std::int64_t s = 0; s < memory.rows; ++s) {
      weight.push_back(std::exp(score[at(s)] - largest) / sum);
      for (std::int64_t k = 0; k < memory.depth; ++k) {
        state[at(k)] += weight.back() * static_cast<double>(memory.x[at(s * memory.depth + k)]);
      }
    }
    order.resize(score.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [this](std::int64_t a, std::int64_t b) {
      return score[at(a)] > score[at(b)];
    });
  }
};

constexpr std::int64_t kPatterns = 600, kStates = 8, kDepth = 24, kTop = 3;

/// Random rows; with `outliers`, some have a number that makes their scale large.
Coded memory(bool outliers, std::uint64_t seed) {
  Numbers numbers(seed);
  std::vector<float> x = numbers.vector<float>(kPatterns * kDepth);
  for (std::int64_t s = 0; outliers && s < kPatterns; s += 17) {
    x[at(s * kDepth + s % kDepth)] = 40;
  }
  std::fill_n(x.begin() + 5 * kDepth, kDepth, 0.0f);  // a row of scale 0
  return Coded(std::move(x), kDepth);
}

class RerankOutliers : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Rerank, RerankOutliers, ::testing::Bool(), [](const auto& param) {
  return param.param ? "WithAFewLargeNumbers" : "OfRandomNumbers";
});

TEST_P(RerankOutliers, KeepsItsBoundsAndNamesTheCertainTop) {
  int certain = 0, uncertain = 0, narrow = 0;
  for (const bool with_rows : {false, true}) {
    const Coded stored = memory(GetParam(), 3);
    Numbers numbers(4);
    const std::vector<float> xi = numbers.vector<float>(kStates * kDepth);
    for (const double beta : {0.02, 0.3, 2.0}) {
      Associations in = stored.question(xi.data(), kStates, beta);
      RerankOptions options;
      options.num_top = kTop;
      options.max_candidates = 200;
      const Answer got(in, with_rows ? stored.exact() : ExactRows(), 20, options);
      for (std::int64_t t = 0; t < kStates; ++t) {
        const Truth truth(stored, &xi[at(t * kDepth)], beta);
        double moved = 0, distance = 0;
        for (std::int64_t s = 0; s < kPatterns; ++s) {
          double code = 0;
          for (std::int64_t k = 0; k < kDepth; ++k) {
            code += static_cast<double>(static_cast<float>(stored.codes[at(s * kDepth + k)]) *
                                        stored.scales[at(s)]) *
                    static_cast<double>(xi[at(t * kDepth + k)]);
          }
          EXPECT_LE(std::abs(beta * code - truth.score[at(s)]), got.report.score_bound[at(t)]);
        }
        for (std::int64_t k = 0; k < kDepth; ++k) {
          const double d = static_cast<double>(got.state[at(t * kDepth + k)]) - truth.state[at(k)];
          distance += d * d;
        }
        // Rounding of `associate`: some 1e-6 of the numbers, which are below 41.
        EXPECT_LE(std::sqrt(distance), got.report.state_bound[at(t)] + 1e-4);
        for (std::int64_t i = 0; i < 20; ++i) {
          const double weight = truth.weight[at(got.top_index[at(t * 20 + i)])];
          moved += std::abs(static_cast<double>(got.top[at(t * 20 + i)]) - weight);
        }
        // A part of the sum of which half is bounded; 2e-6 for the rounding of 20 weights.
        EXPECT_LE(moved / 2, got.report.weight_bound[at(t)] + 2e-6);
        EXPECT_GT(got.report.weight_bound[at(t)], 0) << "there are patterns known by codes only";
        narrow += got.report.weight_bound[at(t)] < 0.1 ? 1 : 0;
        EXPECT_EQ(got.report.num_candidates[at(t)] >= 20, with_rows);
        if (got.report.top_certain[at(t)] == 0) {
          ++uncertain;
          continue;
        }
        ++certain;
        std::vector<std::int64_t> best(truth.order.begin(), truth.order.begin() + kTop);
        std::vector<std::int64_t> told(&got.top_index[at(t * 20)],
                                       &got.top_index[at(t * 20)] + kTop);
        if (!with_rows) {  // which they are is certain, their order is not
          std::sort(best.begin(), best.end());
          std::sort(told.begin(), told.end());
        }
        EXPECT_EQ(told, best) << "state " << t;
        for (std::int64_t i = 0; with_rows && i < kTop; ++i) {
          EXPECT_NEAR(got.report.top_similarity[at(t * kTop + i)],
                      truth.score[at(best[at(i)])] / beta, 1e-9);
        }
      }
    }
  }
  EXPECT_GT(certain, 0);
  EXPECT_GT(uncertain, 0);
  EXPECT_GT(narrow, 0) << "bounds that say nothing";
}

TEST_P(RerankOutliers, OfAllPatternsIsTheAnswerOfTheExactRows) {
  const Coded stored = memory(GetParam(), 5);
  Numbers numbers(6);
  const std::vector<float> xi = numbers.vector<float>(kStates * kDepth);
  const std::vector<float> values = numbers.vector<float>(kPatterns * 2);
  for (const Similarity similarity :
       {Similarity::kDot, Similarity::kCosine, Similarity::kNegativeSquaredDistance}) {
    for (const bool with_values : {false, true}) {
      const double beta = 0.4;
      Associations in = stored.question(xi.data(), kStates, beta);
      in.similarity = similarity;
      if (with_values) in.projections = pattern_view(values.data(), kPatterns, 2);
      RerankOptions options;
      options.num_top = kTop;
      const Answer got(in, stored.exact(), kPatterns, options);
      Associations exact = in;
      exact.stored = stored.exact_view();
      const std::int64_t depth = with_values ? 2 : kDepth;
      std::vector<float> state(at(kStates * depth)), lse(kStates), entropy(lse), top(kStates * 9);
      std::vector<std::int64_t> top_index(top.size()), size(kStates);
      AssociateOutputs<float> out;
      out.state = mutable_view(state.data(), kStates, depth);
      out.lse = lse;
      out.entropy = entropy;
      out.num_top = 9;
      out.top = top;
      out.top_index = top_index;
      out.metastable_size = size;
      associate(exact, out);
      // Scores up to 50 err by some 1e-6 in f32, and with them weights; numbers up to 41.
      for (std::size_t i = 0; i < state.size(); ++i) EXPECT_NEAR(got.state[i], state[i], 1e-4);
      for (std::size_t t = 0; t < at(kStates); ++t) {
        EXPECT_NEAR(got.lse[t], lse[t], 1e-4);
        EXPECT_NEAR(got.entropy[t], entropy[t], 1e-4);
        EXPECT_EQ(got.size[t], size[t]);
        for (std::size_t i = 0; i < 9; ++i) {
          EXPECT_NEAR(got.top[t * at(kPatterns) + i], top[t * 9 + i], 2e-6);
          EXPECT_EQ(got.top_index[t * at(kPatterns) + i], top_index[t * 9 + i]);
        }
        EXPECT_EQ(got.report.weight_bound[t], 0);
        EXPECT_EQ(got.report.state_bound[t], 0);
        EXPECT_EQ(got.report.top_certain[t], 1);
      }
    }
  }
}

TEST(Rerank, LooksFurtherUntilTheTopIsCertain) {
  // 300 patterns that codes can hardly tell apart and the rest far away.
  std::vector<float> x;
  for (std::int64_t s = 0; s < 500; ++s) {
    const float first = s < 300 ? 100 : -100;
    x.insert(x.end(), {first, static_cast<float>(s % 300) * 0.001f});
  }
  const Coded stored(x, 2);
  const float xi[] = {1, 1};
  const double beta = 1;
  Associations in = stored.question(xi, 1, beta);
  RerankOptions options;
  options.num_top = 2;
  const Answer found(in, stored.exact(), 10, options);
  EXPECT_GE(found.report.num_candidates[0], 300);
  EXPECT_EQ(found.report.top_certain[0], 1);
  EXPECT_EQ(found.top_index[0], 299);
  EXPECT_EQ(found.top_index[1], 298);
  options.max_candidates = 10;
  const Answer stopped(in, stored.exact(), 10, options);
  EXPECT_EQ(stopped.report.num_candidates[0], 10);
  EXPECT_EQ(stopped.report.top_certain[0], 0);
}

TEST(Rerank, HoldsForDepthOneAndForRowsOfZeros) {
  const Coded line({3, -2, 0, 2.99f}, 1), zeros(std::vector<float>(8, 0.0f), 2);
  const float xi[] = {1, 0.5f};
  const double beta = 4;
  Associations in = line.question(xi, 1, beta);
  RerankOptions options;
  options.num_top = 2;
  const Answer got(in, line.exact(), 2, options);
  EXPECT_EQ(got.top_index, (std::vector<std::int64_t>{0, 3}));
  const Truth truth(line, xi, beta);
  EXPECT_NEAR(got.top[0], truth.weight[0], 1e-6);
  EXPECT_NEAR(got.state[0], truth.state[0], 1e-6 + got.report.state_bound[0]);
  in.stored = zeros.view();
  in.states = pattern_view(xi, 1, 2);
  const Answer flat(in, zeros.exact(), 2, options);
  EXPECT_EQ(flat.report.score_bound[0], 0);
  EXPECT_EQ(flat.report.weight_bound[0], 0);
  EXPECT_EQ(flat.report.state_bound[0], 0);
  EXPECT_NEAR(flat.top[0], 0.25, 1e-6);
  EXPECT_NEAR(flat.lse[0], std::log(4.0), 1e-6);
}

TEST(Rerank, AStateThatIsNoNumberKeepsItsAnswer) {
  const Coded stored({3, -2, 1, 2}, 2);
  const float xi[] = {std::numeric_limits<float>::quiet_NaN(), 1};
  const double beta = 1;
  Associations in = stored.question(xi, 1, beta);
  RerankOptions options;
  options.num_top = 1;
  const Answer got(in, stored.exact(), 1, options);
  EXPECT_EQ(got.top_index[0], -1);
  EXPECT_EQ(got.report.top_certain[0], 0);
  EXPECT_TRUE(std::isnan(got.report.score_bound[0]));
}

TEST(SearchCodes, FindsWhatSearchFindsInTheExactRows) {
  const Coded stored = memory(false, 7);
  Numbers numbers(8);
  const std::vector<float> xi = numbers.vector<float>(kStates * kDepth);
  const PatternView states = pattern_view(xi.data(), kStates, kDepth);
  for (const Similarity similarity : {Similarity::kDot, Similarity::kNegativeSquaredDistance}) {
    SearchOptions options;
    options.similarity = similarity;
    options.num_top = 4;
    RerankReport report;
    const SearchResult got =
        search_codes(stored.view(), stored.exact(), states, 0.3, options, &report);
    const SearchResult expected = search(stored.exact_view(), states, 0.3, options);
    EXPECT_EQ(got.index, expected.index);
    EXPECT_EQ(got.similarity, expected.similarity) << "the same sums in double";
    for (std::size_t i = 0; i < got.weight.size(); ++i) {
      EXPECT_NEAR(got.weight[i], expected.weight[i], report.weight_bound[i / 4] + 1e-6);
    }
    const bool all = std::count(report.top_certain.begin(), report.top_certain.end(), 1) == kStates;
    EXPECT_EQ(all, similarity == Similarity::kDot) << "bounds are of the scalar product";
  }
}

TEST(Rerank, RefusesWhatItCannotCorrect) {
  const Coded stored({3, -2, 1, 2}, 2);
  const float xi[] = {1, 1};
  const double beta = 1;
  Associations in = stored.question(xi, 1, beta);
  float number[2] = {};
  std::int64_t pattern[1] = {};
  AssociateOutputs<float> out;
  out.num_top = 1;
  out.top = std::span(number).first(1);
  out.top_index = pattern;
  out.lse = out.entropy = out.top;
  out.state = mutable_view(number, 1, 2);
  const auto refused = [&](const Associations& question, const AssociateOutputs<float>& answer,
                           std::int64_t num_top, const std::string& part) {
    RerankOptions options;
    options.num_top = num_top;
    try {
      rerank(question, stored.exact(), answer, options);
      ADD_FAILURE() << "accepted, expected an error with '" << part << "'";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  refused(in, out, 2, "num_top from 1 to the 1 associations");
  refused(in, out, 0, "got 0");
  AssociateOutputs<float> fewer = out;
  fewer.entropy = {};
  refused(in, fewer, 1, "expected state, lse, entropy");
  Associations other = in;
  other.stored = stored.exact_view();
  refused(other, out, 1, "expected int8 patterns");
  other = in;
  other.separation = Separation::kMax;
  refused(other, out, 1, "expected a softmax");
}

}  // namespace
}  // namespace hopfield
