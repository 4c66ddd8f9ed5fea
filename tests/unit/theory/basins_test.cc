#include "hopfield/theory/basins.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "expect_error.h"
#include "hopfield/theory/fixed_points.h"
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

/// A tight group of `size` patterns and `others` far ones, in depth 16.
std::vector<double> cluster(std::int64_t size, std::int64_t others, double spread,
                            RandomStream& random) {
  std::vector<double> patterns;
  const std::vector<double> centre = random.on_sphere(16, 4);
  for (std::int64_t i = 0; i < size + others; ++i) {
    std::vector<double> x = random.on_sphere(16, i < size ? spread : 1 + random.uniform());
    for (std::size_t c = 0; c < x.size(); ++c) x[c] += i < size ? centre[c] : 0;
    patterns.insert(patterns.end(), x.begin(), x.end());
  }
  return patterns;
}

TEST(CertifyMetastable, BallIsMappedIntoItselfAndHoldsOneFixedPoint) {
  int num_certified = 0;
  for (std::uint64_t draw = 0; draw < 40; ++draw) {
    RandomStream random(23, draw);
    const auto size = static_cast<std::int64_t>(1 + random.below(5));
    const std::vector<double> patterns = cluster(size, 1 + random.below(8), 0.3, random);
    std::vector<std::int64_t> group;
    for (std::int64_t i = 0; i < size; ++i) group.push_back(i);
    for (const double beta : {2.0, 4.0, 7.0}) {
      const ContinuousNetwork network(patterns, 16, beta);
      const MetastableCertificate got = certify_metastable(network, group);
      if (!got.holds) continue;
      ++num_certified;
      const std::string where = "seed 23, stream " + std::to_string(draw);
      EXPECT_TRUE(got.converged) << where;
      EXPECT_LE(got.distance, got.radius) << where;
      std::vector<double> starts;
      for (int t = 0; t < 10; ++t) {
        const std::vector<double> x = random.on_sphere(16, got.radius * random.uniform());
        for (std::size_t c = 0; c < x.size(); ++c) starts.push_back(got.mean[c] + x[c]);
      }
      const std::vector<double> image = network.update(starts);
      const std::vector<double> end = network.retrieve(starts, 1e-12, 100000).states;
      for (std::size_t t = 0; t < 10; ++t) {
        double moved = 0, apart = 0;
        for (std::size_t c = 0; c < 16; ++c) {
          moved += std::pow(image[16 * t + c] - got.mean[c], 2);
          apart += std::pow(end[16 * t + c] - got.fixed_point[c], 2);
        }
        EXPECT_LE(std::sqrt(moved), got.radius) << where;
        // Both stopped within 1e-10 of a fixed point that attracts at a rate below 1 - 1e-3.
        EXPECT_LE(std::sqrt(apart), 1e-6) << where;
        EXPECT_LT(jacobian_norm(network, std::span(starts).subspan(16 * t, 16)), 1) << where;
      }
    }
  }
  EXPECT_GT(num_certified, 20);  // else nothing was tested
}

TEST(CertifyMetastable, AllPatternsTogetherAreTheGlobalAverageOfLemmaA3) {
  const std::vector<std::int64_t> pair = {0, 1};
  // x and -x: m_max = M = 1, so beta itself must be below 1; no pattern is outside.
  const MetastableCertificate low =
      certify_metastable(ContinuousNetwork({1, 0, -1, 0}, 2, 0.9), pair);
  EXPECT_TRUE(low.holds);
  EXPECT_DOUBLE_EQ(low.contraction, 0.9);
  EXPECT_DOUBLE_EQ(low.radius, 1 / 0.9);
  EXPECT_EQ(low.separation, kInfinity);
  EXPECT_EQ(low.distance, 0);
  const MetastableCertificate high =
      certify_metastable(ContinuousNetwork({1, 0, -1, 0}, 2, 1), pair);
  EXPECT_FALSE(high.holds);
  EXPECT_TRUE(std::isnan(high.needed));
}

TEST(CertifyMetastable, NeedsTheSeparationOfTheLemma) {
  // Two patterns near (2, 0), one far away: l = 2, N = 3, M = sqrt(4 + 0.01), m_max = 0.1.
  const std::vector<std::int64_t> group = {0, 1};
  const double beta = 20, m = 0.1, norm = std::sqrt(4.01);
  const MetastableCertificate got =
      certify_metastable(ContinuousNetwork({2, 0.1, 2, -0.1, -1, 0}, 2, beta), group);
  EXPECT_NEAR(got.spread, m, 1e-15);
  EXPECT_NEAR(got.separation, 6, 1e-15);
  const double inside = (1 - beta * m * m) / (2 * beta * 1 * norm * 2 * norm);
  EXPECT_NEAR(got.needed, 2 * norm / (beta * m) - std::log(inside) / beta, 1e-14);
  EXPECT_EQ(got.holds, got.separation >= got.needed);
}

TEST(CertifyMetastable, RefusesWhatIsNoGroup) {
  const ContinuousNetwork network({1, 0, 0, 1}, 2, 5);
  const auto certify = [&](std::vector<std::int64_t> group) { certify_metastable(network, group); };
  expect_refused([&] { certify({}); }, "at least one pattern");
  expect_refused([&] { certify({2}); }, "a pattern from 0 to 1, got 2");
  expect_refused([&] { certify({-1}); }, "a pattern from 0 to 1, got -1");
  expect_refused([&] { certify({1, 1}); }, "got 1 twice");
  const std::vector<std::int64_t> one = {0};
  EXPECT_THROW(
      certify_metastable(ContinuousNetwork({1, 0, 0, 1}, 2, 5, Separation::kSparsemax), one),
      Error);
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
