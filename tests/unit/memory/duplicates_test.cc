#include "hopfield/memory/duplicates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "hopfield/base/error.h"
#include "tests/unit/memory/problem.h"

namespace hopfield {
namespace {

using testing::Numbers;

TEST(NearDuplicates, EqualTheDefinitionByAllPairs) {
  constexpr std::int64_t kPatterns = 700, kDepth = 3;
  Numbers numbers(53);
  // Whole numbers in a small box: similarities are exact in f32, and there are many ties.
  std::vector<float> x;
  for (std::int64_t i = 0; i < kPatterns * kDepth; ++i) {
    x.push_back(static_cast<float>(numbers.below(14)));
  }
  const auto similarity = [&](std::int64_t i, std::int64_t j) {
    double sum = 0;
    for (std::int64_t k = 0; k < kDepth; ++k) {
      const auto a = static_cast<double>(x[static_cast<std::size_t>(i * kDepth + k)]);
      const auto b = static_cast<double>(x[static_cast<std::size_t>(j * kDepth + k)]);
      sum -= (a - b) * (a - b);
    }
    return sum;
  };
  for (const double least : {0.0, -2.0}) {
    std::vector<std::int64_t> kept, duplicate;
    std::vector<double> best;
    for (std::int64_t i = 0; i < kPatterns; ++i) {
      double most = -1e300;
      for (const std::int64_t j : kept) most = std::max(most, similarity(i, j));
      if (most >= least) {
        duplicate.push_back(i);
        best.push_back(most);
      } else {
        kept.push_back(i);
      }
    }
    DuplicateOptions options;
    options.least_similarity = least;
    const NearDuplicates got = near_duplicates(pattern_view(x.data(), kPatterns, kDepth), options);
    EXPECT_GT(duplicate.size(), 10U);
    EXPECT_EQ(got.duplicate, duplicate);
    EXPECT_EQ(got.similarity, best);
    for (std::size_t i = 0; i < got.kept.size(); ++i) {
      EXPECT_LT(got.kept[i], got.duplicate[i]);
      EXPECT_EQ(similarity(got.duplicate[i], got.kept[i]), got.similarity[i]);
    }
  }
}

TEST(NearDuplicates, CosineIgnoresLength) {
  const std::vector<float> x = {1, 0, 3, 0, 0, 2, 1, 1};
  DuplicateOptions options;
  options.similarity = Similarity::kCosine;
  options.least_similarity = 0.999;
  const NearDuplicates got = near_duplicates(pattern_view(x.data(), 4, 2), options);
  EXPECT_EQ(got.duplicate, (std::vector<std::int64_t>{1}));
  EXPECT_EQ(got.kept, (std::vector<std::int64_t>{0}));
}

TEST(NearDuplicates, NoPatternsHaveNone) {
  EXPECT_TRUE(near_duplicates(PatternView{}).duplicate.empty());
  DuplicateOptions options;
  options.least_similarity = std::nan("");
  EXPECT_THROW(near_duplicates(PatternView{}, options), Error);
}

}  // namespace
}  // namespace hopfield
