#include "hopfield/theory/basins.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "expect_error.h"
#include "hopfield/theory/random.h"

namespace hopfield::theory {
namespace {

using testing::expect_refused;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// e_1, ..., e_8.
ContinuousNetwork orthonormal_network(double beta) {
  std::vector<double> patterns(64, 0);
  for (std::size_t i = 0; i < 8; ++i) patterns[9 * i] = 1;
  return ContinuousNetwork(std::move(patterns), 8, beta);
}

TEST(MeasureBasin, TowardsARivalAndTowardsTheMeanIsExactForOrthonormalPatterns) {
  std::vector<double> directions(16, 0);
  directions[0] = -1;
  directions[1] = 1;
  for (std::size_t c = 0; c < 8; ++c) directions[8 + c] = 1.0 / 8 - (c == 0 ? 1 : 0);
  struct Case {
    double beta, rival, mean;
  };
  const double to_saddle = 1 / std::numbers::sqrt2, to_mean = std::sqrt(7.0 / 8);
  for (const Case& one : {Case{5, 0.681118, 0.663376}, Case{7, to_saddle, 0.886978},
                          Case{9, to_saddle, to_mean}, Case{12, to_saddle, to_mean}}) {
    const Basin basin = measure_basin(orthonormal_network(one.beta), 0, directions);
    ASSERT_EQ(basin.radii.size(), 2u);
    // Bisection to 1e-6, and six digits of the values.
    EXPECT_NEAR(basin.radii[0], one.rival, 2e-6) << one.beta;
    EXPECT_NEAR(basin.radii[1], one.mean, 2e-6) << one.beta;
    EXPECT_EQ(basin.separation, 1);
    EXPECT_TRUE(basin.holds);
  }
}

TEST(MeasureBasin, GivesTheCertifiedRadiiWhereTheirInequalitiesHold) {
  std::vector<double> direction(8, 0);
  direction[1] = -3;  // away from the rival; its length does not matter
  const Basin stored = measure_basin(orthonormal_network(12), 0, direction);
  EXPECT_DOUBLE_EQ(stored.certified_master, 1.0 / (12 * 8));
  EXPECT_DOUBLE_EQ(stored.certified_sharp, 1.0 / (2 * 12));
  const Basin weak = measure_basin(orthonormal_network(5), 0, direction);
  EXPECT_EQ(weak.certified_master, 0);
  EXPECT_EQ(weak.certified_sharp, 0);
}

TEST(MeasureBasin, OfTheOnlyPatternHasNoEnd) {
  const Basin basin =
      measure_basin(ContinuousNetwork({3, 4}, 2, 0.1), 0, std::vector<double>{1, 0});
  EXPECT_EQ(basin.radii, (std::vector<double>{kInfinity}));
  EXPECT_EQ(basin.fixed_point, (std::vector<double>{3, 4}));
}

TEST(MeasureBasin, IsNeverSmallerThanTheCertifiedBall) {
  int num_certified = 0;
  for (std::uint64_t draw = 0; draw < 6; ++draw) {
    RandomStream random(17, draw);
    std::vector<double> patterns, directions;
    for (int i = 0; i < 10; ++i) {
      const std::vector<double> x = random.on_sphere(12, 1), u = random.on_sphere(12, 1);
      patterns.insert(patterns.end(), x.begin(), x.end());
      directions.insert(directions.end(), u.begin(), u.end());
    }
    for (const double beta : {8.0, 20.0, 60.0}) {
      const Basin basin = measure_basin(ContinuousNetwork(patterns, 12, beta), 0, directions);
      EXPECT_TRUE(basin.holds) << "seed 17, stream " << draw << ", beta " << beta;
      num_certified += basin.certified_sharp > 0;
      const double smallest = *std::min_element(basin.radii.begin(), basin.radii.end());
      EXPECT_GT(smallest, basin.certified_sharp);
    }
  }
  EXPECT_GT(num_certified, 6);  // else nothing was tested
}

TEST(MeasureBasin, RefusesWhatHasNoMeaning) {
  const ContinuousNetwork network({1, 0, 0, 1}, 2, 5);
  const std::vector<double> right = {1, 0};
  expect_refused([&] { measure_basin(network, 2, right); }, "a pattern from 0 to 1, got 2");
  expect_refused([&] { measure_basin(network, 0, std::vector<double>{1}); }, "of depth 2, got 1");
  expect_refused([&] { measure_basin(network, 0, std::vector<double>{0, 0}); }, "length above 0");
  BasinOptions options;
  options.tolerance = 0;
  expect_refused([&] { measure_basin(network, 0, right, options); }, "options above 0");
  const ContinuousNetwork sparse({1, 0, 0, 1}, 2, 5, Separation::kSparsemax);
  EXPECT_THROW(measure_basin(sparse, 0, right), Error);
}

}  // namespace
}  // namespace hopfield::theory
