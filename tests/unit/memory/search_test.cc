#include "hopfield/memory/search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "hopfield/base/error.h"
#include "tests/unit/memory/problem.h"

namespace hopfield {
namespace {

using testing::Numbers;

double plain_similarity(Similarity similarity, const float* x, const float* xi, int d) {
  double product = 0, xx = 0, yy = 0, distance = 0;
  for (int k = 0; k < d; ++k) {
    const double a = x[k], b = xi[k];
    product += a * b;
    xx += a * a;
    yy += b * b;
    distance += (a - b) * (a - b);
  }
  if (similarity == Similarity::kDot) return product;
  return similarity == Similarity::kCosine ? product / std::sqrt(xx * yy) : -distance;
}

TEST(Search, FindsWhatSortingAllSimilaritiesFinds) {
  constexpr int kPatterns = 900, kStates = 7, kDepth = 11;
  Numbers numbers(2);
  const std::vector<float> x = numbers.vector<float>(kPatterns * kDepth);
  const std::vector<float> xi = numbers.vector<float>(kStates * kDepth);
  for (const Similarity similarity :
       {Similarity::kDot, Similarity::kCosine, Similarity::kNegativeSquaredDistance}) {
    SearchOptions options;
    options.similarity = similarity;
    options.num_top = 5;
    const double beta = 0.7;
    const SearchResult got = search(pattern_view(x.data(), kPatterns, kDepth),
                                    pattern_view(xi.data(), kStates, kDepth), beta, options);
    ASSERT_EQ(got.num_top, 5);
    for (int t = 0; t < kStates; ++t) {
      std::vector<double> all;
      for (int s = 0; s < kPatterns; ++s) {
        all.push_back(plain_similarity(similarity, &x[static_cast<std::size_t>(s * kDepth)],
                                       &xi[static_cast<std::size_t>(t * kDepth)], kDepth));
      }
      double sum = 0;
      for (const double similar : all) sum += std::exp(beta * similar);
      std::vector<std::int64_t> order(kPatterns);
      std::iota(order.begin(), order.end(), 0);
      std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
        return all[static_cast<std::size_t>(a)] > all[static_cast<std::size_t>(b)];
      });
      // Scores below 50 in f32, a few dozen roundings of 6e-8 each.
      EXPECT_NEAR(got.lse[static_cast<std::size_t>(t)], std::log(sum), 1e-4);
      for (int k = 0; k < 5; ++k) {
        const auto at = static_cast<std::size_t>(t * 5 + k);
        const double wanted = all[static_cast<std::size_t>(order[static_cast<std::size_t>(k)])];
        EXPECT_EQ(got.index[at], order[static_cast<std::size_t>(k)]);
        EXPECT_NEAR(got.similarity[at], wanted, 1e-13 * (1 + std::abs(wanted)));
        EXPECT_NEAR(got.weight[at], std::exp(beta * wanted) / sum, 1e-4);
      }
    }
  }
}

TEST(Search, VanishedWeightsStillRankByTheirSimilarity) {
  const std::vector<float> x = {1, 2, 3, 4, 5};
  const std::vector<float> xi = {1};
  SearchOptions options;
  options.num_top = 9;
  const SearchResult got =
      search(pattern_view(x.data(), 5, 1), pattern_view(xi.data(), 1, 1), 1e4, options);
  EXPECT_EQ(got.num_top, 5);
  EXPECT_EQ(got.index, (std::vector<std::int64_t>{4, 3, 2, 1, 0}));
  EXPECT_EQ(got.weight, (std::vector<double>{1, 0, 0, 0, 0}));
  EXPECT_EQ(got.similarity, (std::vector<double>{5, 4, 3, 2, 1}));
}

TEST(Search, OfEqualPatternsTheFirstComesFirst) {
  const std::vector<double> x = {2, 1, 2, 2};
  const std::vector<double> xi = {1};
  SearchOptions options;
  options.num_top = 3;
  const SearchResult got =
      search(pattern_view(x.data(), 4, 1), pattern_view(xi.data(), 1, 1), 1, options);
  EXPECT_EQ(got.index, (std::vector<std::int64_t>{0, 2, 3}));
}

TEST(Search, RefusesWhatItCannotAnswer) {
  const std::vector<float> x = {1, 2};
  const float nan = std::nanf("");
  SearchOptions none;
  none.num_top = 0;
  const PatternView patterns = pattern_view(x.data(), 1, 2);
  EXPECT_THROW(search(patterns, patterns, 1, none), Error);
  EXPECT_THROW(search(patterns, pattern_view(x.data(), 2, 1), 1), Error);
  EXPECT_THROW(search(pattern_view(x.data(), 0, 2), patterns, 1), Error);
  EXPECT_THROW(search(patterns, pattern_view(std::vector<float>{nan, 1}.data(), 1, 2), 1), Error);
}

}  // namespace
}  // namespace hopfield
