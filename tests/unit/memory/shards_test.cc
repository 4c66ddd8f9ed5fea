#include "hopfield/memory/shards.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "hopfield/base/error.h"
#include "tests/unit/memory/problem.h"

namespace hopfield {
namespace {

using testing::Numbers;

constexpr std::int64_t kDepth = 6, kStates = 5, kBlock = AssociateOptions().block_size;

/// Patterns, values of another depth and states; and shards of them.
struct Problem {
  explicit Problem(std::int64_t count) : num_patterns(count) {
    Numbers numbers(11);
    x = numbers.vector<float>(count * kDepth);
    v = numbers.vector<float>(count * 2);
    xi = numbers.vector<float>(kStates * kDepth);
  }

  PatternView states() const { return pattern_view(xi.data(), kStates, kDepth); }

  /// Of the patterns, cut after these numbers of them; the last shard takes the rest.
  std::vector<ShardAnswer> shards(const std::vector<std::int64_t>& sizes, double beta,
                                  const SearchOptions& options, bool values = false) const {
    std::vector<ShardAnswer> answers;
    std::int64_t first = 0;
    for (std::size_t i = 0; i <= sizes.size(); ++i) {
      const std::int64_t count = i < sizes.size() ? sizes[i] : num_patterns - first;
      answers.push_back(
          ask_shard(pattern_view(x.data() + first * kDepth, count, kDepth),
                    values ? pattern_view(v.data() + first * 2, count, 2) : PatternView(), states(),
                    beta, options));
      first += count;
    }
    return answers;
  }

  std::int64_t num_patterns;
  std::vector<float> x, v, xi;
};

/// What one `associate` over all patterns gives.
struct Whole {
  Whole(const Problem& problem, double beta, Similarity similarity, bool values,
        std::int64_t num_top)
      : state(static_cast<std::size_t>(kStates * (values ? 2 : kDepth))),
        lse(kStates),
        energy(kStates),
        entropy(kStates),
        top(static_cast<std::size_t>(kStates * num_top)),
        top_index(top.size()),
        size(kStates) {
    Associations in;
    in.stored = pattern_view(problem.x.data(), problem.num_patterns, kDepth);
    if (values) in.projections = pattern_view(problem.v.data(), problem.num_patterns, 2);
    in.states = problem.states();
    in.beta = {&beta, 1};
    in.similarity = similarity;
    AssociateOutputs<float> out;
    out.state = mutable_view(state.data(), kStates, values ? 2 : kDepth);
    out.lse = lse;
    if (similarity != Similarity::kCosine) out.energy = energy;
    out.entropy = entropy;
    out.num_top = num_top;
    out.top = top;
    out.top_index = top_index;
    out.metastable_size = size;
    associate(in, out);
  }
  std::vector<float> state, lse, energy, entropy, top;
  std::vector<std::int64_t> top_index, size;
};

constexpr Similarity kSimilarities[] = {Similarity::kDot, Similarity::kCosine,
                                        Similarity::kNegativeSquaredDistance};

TEST(Shards, OfWholeBlocksGiveTheBitsOfOneMemory) {
  const Problem problem(4 * kBlock + 100);
  for (const Similarity similarity : kSimilarities) {
    for (const bool values : {false, true}) {
      SearchOptions options;
      options.similarity = similarity;
      options.num_top = 4;
      const Whole whole(problem, 2, similarity, values, 4);
      for (const std::vector<std::int64_t>& sizes :
           {std::vector<std::int64_t>{}, {kBlock}, {2 * kBlock, kBlock}, {kBlock, 3 * kBlock}}) {
        const WholeAnswer merged = merge_shards(problem.shards(sizes, 2, options, values), 4);
        EXPECT_EQ(merged.num_patterns, problem.num_patterns);
        EXPECT_EQ(merged.state, whole.state);
        EXPECT_EQ(merged.lse, whole.lse);
        EXPECT_EQ(merged.entropy, whole.entropy);
        if (similarity != Similarity::kCosine) {
          EXPECT_EQ(merged.energy, whole.energy);
        } else {
          EXPECT_TRUE(merged.energy.empty());
        }
      }
    }
  }
}

TEST(Shards, OfAnySizeGiveTheAnswerOfOneMemoryUpToRounding) {
  const Problem problem(9000);
  const std::vector<std::int64_t> sizes = {1, 5000, 17};
  SearchOptions options;
  options.num_top = 6;
  const Whole whole(problem, 2, Similarity::kDot, false, 6);
  const WholeAnswer merged = merge_shards(problem.shards(sizes, 2, options), 1);
  // Numbers of size 1 to 30 in f32; a few dozen roundings of 6e-8 each.
  for (std::size_t i = 0; i < whole.state.size(); ++i) {
    EXPECT_NEAR(merged.state[i], whole.state[i], 1e-5);
  }
  for (std::size_t t = 0; t < whole.lse.size(); ++t) {
    EXPECT_NEAR(merged.lse[t], whole.lse[t], 5e-5);
    EXPECT_NEAR(merged.energy[t], whole.energy[t], 5e-5);
    EXPECT_NEAR(merged.entropy[t], whole.entropy[t], 5e-5);
  }
}

TEST(Shards, TellTheLargestAssociationsOfAllPatterns) {
  const Problem problem(900);
  const std::vector<std::int64_t> sizes = {400, 3};
  SearchOptions options;
  options.num_top = 7;
  const Whole whole(problem, 2, Similarity::kDot, false, 7);
  const std::vector<ShardAnswer> shards = problem.shards(sizes, 2, options);
  EXPECT_EQ(known_top(shards), 7);  // the shard of three patterns keeps all of them
  const WholeAnswer merged = merge_shards(shards, 7);
  const std::vector<std::int64_t> first = {0, 400, 403};
  for (std::size_t i = 0; i < whole.top.size(); ++i) {
    EXPECT_EQ(first[static_cast<std::size_t>(merged.top_shard[i])] + merged.top_index[i],
              whole.top_index[i]);
    // exp of scores below 30, which have errors of some 30 * 6e-8.
    EXPECT_NEAR(merged.top_weight[i], whole.top[i], 1e-5);
  }
  EXPECT_THROW(merge_shards(shards, 8), Error);
  EXPECT_THROW(merge_shards(shards, 0), Error);
}

TEST(Shards, TellTheMetastableSizeWhereTheyKeptEnough) {
  const Problem problem(900);
  SearchOptions few, all;
  few.num_top = 5;
  all.num_top = 900;
  for (const double beta : {0.01, 1.0, 4.0, 50.0}) {
    const Whole whole(problem, beta, Similarity::kDot, false, 5);
    const WholeAnswer known = merge_shards(problem.shards({450}, beta, all), 1);
    const WholeAnswer kept = merge_shards(problem.shards({450}, beta, few), 1);
    EXPECT_EQ(known.metastable_size, whole.size) << beta;
    for (std::size_t t = 0; t < whole.size.size(); ++t) {
      EXPECT_EQ(kept.metastable_size[t], whole.size[t] <= 5 ? whole.size[t] : -1) << beta;
    }
  }
}

TEST(Shards, OfTwoEqualPatternsTheFirstComesFirst) {
  const std::vector<float> x = {1, 0, 0, 1, 1, 0}, xi = {1, 0.5F};
  const auto ask = [&](std::int64_t first, std::int64_t count) {
    return ask_shard(pattern_view(x.data() + first * 2, count, 2), {},
                     pattern_view(xi.data(), 1, 2), 1);
  };
  const std::vector<ShardAnswer> shards = {ask(0, 2), ask(2, 1)};
  const WholeAnswer merged = merge_shards(shards, 3);
  EXPECT_EQ(merged.top_shard, (std::vector<std::int64_t>{0, 1, 0}));
  EXPECT_EQ(merged.top_index, (std::vector<std::int64_t>{0, 0, 1}));
}

std::string message_of(const std::vector<ShardAnswer>& shards) {
  try {
    merge_shards(shards, 1);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "none";
}

TEST(Shards, ThatWereAskedDifferentlyAreRefused) {
  const Problem problem(40);
  const std::vector<ShardAnswer> shards = problem.shards({20}, 2, {});
  EXPECT_EQ(message_of(shards), "none");
  EXPECT_NE(message_of({}).find("expected at least one shard"), std::string::npos);
  const auto with = [&](auto change) {
    std::vector<ShardAnswer> other = shards;
    change(other[1]);
    return message_of(other);
  };
  EXPECT_NE(with([](ShardAnswer& s) { s.beta = 3; }).find("same beta, got another one in shard 1"),
            std::string::npos);
  EXPECT_NE(with([](ShardAnswer& s) { s.states[3] += 1; }).find("same states"), std::string::npos);
  EXPECT_NE(with([](ShardAnswer& s) { s.similarity = Similarity::kCosine; }).find("similarity"),
            std::string::npos);
  EXPECT_NE(with([](ShardAnswer& s) { s.depth = 3; }).find("same depth"), std::string::npos);
  EXPECT_NE(with([](ShardAnswer& s) { s.blocks.clear(); }).find("shards with patterns"),
            std::string::npos);
  EXPECT_THROW(problem.shards({20}, 0, {}), Error);
}

}  // namespace
}  // namespace hopfield
