// Exactly solvable networks and capacities against the check values of docs/math/bounds.md.
#include "hopfield/theory/bound.h"

#include <gtest/gtest.h>

#include <cmath>

#include "hopfield/memory/bounds.h"
#include "tests/unit/theory/expect_error.h"

namespace hopfield::theory {
namespace {

using testing::expect_refused;

TEST(BoundEquations, CapacityBaseWithoutLambertIsTheCorollarys) {
  const GuaranteedCapacity first = guaranteed_capacity(1, 3, 20, 0.001);
  const GuaranteedCapacity second = guaranteed_capacity(1, 1, 75, 0.001);
  // Printed with seven digits.
  EXPECT_NEAR(capacity_base_without_lambert(first.a, first.b), 3.144409, 1e-6);
  EXPECT_NEAR(capacity_base_without_lambert(second.a, second.b), 1.258496, 1e-6);
  // It bounds the exact one from below.
  EXPECT_LT(capacity_base_without_lambert(first.a, first.b), first.c);
  EXPECT_LT(capacity_base_without_lambert(second.a, second.b), second.c);
}

TEST(BoundEquations, HalfCapacityIsThePublishedOne) {
  // Printed with six digits.
  EXPECT_NEAR(std::exp(log_half_capacity(7, 8)), 93.0025, 5e-5);
  EXPECT_NEAR(std::exp(log_half_capacity(11, 12)), 1110.4, 0.05);
  EXPECT_NEAR(std::exp(log_half_capacity(15, 16)), 13381.2, 0.05);
  EXPECT_NEAR(half_capacity_exponent(1), 0.622572, 1e-6);
  EXPECT_NEAR(half_capacity_exponent(2), 0.908754, 1e-6);
  EXPECT_NEAR(half_capacity_exponent(4), 1.224357, 1e-6);
}

TEST(BoundEquations, HalfCapacityGrowsWithItsExponent) {
  // The first correction of the saddle point falls as ln(d)/d: 5e-3 at d = 2000.
  EXPECT_NEAR(log_half_capacity(2000, 2000) / 2000, half_capacity_exponent(1), 5e-3);
  // In three dimensions the average of exp(kappa cos) is sinh(kappa)/kappa.
  const double kappa = 2.5;
  EXPECT_NEAR(std::exp(log_half_capacity(kappa, 3)), 1 + std::exp(kappa) * kappa / std::sinh(kappa),
              1e-12);
}

TEST(BoundEquations, HalfCapacityIsSmoothWhereItsFormChanges) {
  for (const std::int64_t depth : {2, 3, 50, 20000}) {
    const double below = log_half_capacity(1e4, depth),
                 above = log_half_capacity(1e4 + 1e-3, depth);
    // The slope is 1 - E cos, between 0 and 1. The next term of the expansion is of order 1e-13;
    // thousands of sums near 1e4 are rounded by 1e-12 each.
    EXPECT_GT(above, below - 1e-8);
    EXPECT_LT(above, below + 1e-3 + 1e-8);
  }
}

TEST(BoundEquations, AntipodalPairSplitsAtOne) {
  EXPECT_EQ(antipodal_fixed_point(0.5), 0);
  EXPECT_EQ(antipodal_fixed_point(1), 0);
  EXPECT_NEAR(antipodal_fixed_point(1.352), 0.78740967, 1e-8);
  EXPECT_NEAR(antipodal_fixed_point(2.535), 0.98664469, 1e-8);
  // Near the pitchfork s = sqrt(3 (kappa - 1)), up to a relative kappa - 1.
  EXPECT_NEAR(antipodal_fixed_point(1 + 1e-6), std::sqrt(3e-6), 1e-8);
}

TEST(BoundEquations, OrthogonalPatternsHaveThePublishedBorders) {
  const struct {
    double n, b_single, q, b_equal, q_digit;
  } rows[] = {{3, 2.745644, 0.5848, 2.772589, 5e-5},
              {8, 4.249799, 0.710019, 4.540457, 1e-6},
              {64, 6.924585, 0.828395, 8.419919, 1e-6}};
  for (const auto& row : rows) {
    const OrthogonalPatterns got = orthogonal_patterns(row.n);
    EXPECT_NEAR(got.b_single, row.b_single, 1e-6);
    EXPECT_NEAR(got.q_single, row.q, row.q_digit);
    EXPECT_NEAR(got.b_equal, row.b_equal, 1e-6);
    EXPECT_EQ(got.b_uniform, row.n);
    // Where the energies are equal p_1 = (N - 1)/N.
    EXPECT_NEAR(orthogonal_association(row.n, got.b_equal), (row.n - 1) / row.n, 1e-12);
    EXPECT_TRUE(std::isnan(orthogonal_association(row.n, got.b_single * (1 - 1e-9))));
  }
}

TEST(BoundEquations, ClassicalAndPolynomialErrorsAreThePublishedOnes) {
  EXPECT_NEAR(classical_bit_error(0.138), 0.003552, 1e-6);
  EXPECT_NEAR(polynomial_bit_error(100, 2, 20), 0.0127, 5e-5);
  EXPECT_NEAR(polynomial_bit_error(60, 3, 360), 0.0339, 5e-5);
  EXPECT_NEAR(polynomial_bit_error(24, 4, 691), 0.124, 5e-4);
  EXPECT_NEAR(polynomial_capacity(4), 0.138 / 15, 1e-15);
  // The polynomial network of degree 2 is the classical one.
  EXPECT_NEAR(polynomial_bit_error(1000, 2, 138), classical_bit_error(0.138), 1e-16);
}

TEST(BoundEquations, ExponentialCapacityIsThePublishedOne) {
  EXPECT_NEAR(exponential_capacity(0), std::log(2) / 2, 1e-15);
  EXPECT_NEAR(exponential_capacity(0.1), 0.18403, 5e-6);
  EXPECT_NEAR(exponential_capacity(0.2), 0.09637, 5e-6);
  EXPECT_NEAR(exponential_capacity(0.3), 0.04114, 5e-6);
}

TEST(BoundEquations, RefuseWhatIsOutOfRange) {
  expect_refused([] { antipodal_fixed_point(0); }, "beta M^2 > 0");
  expect_refused([] { orthogonal_patterns(2); }, "from 3");
  expect_refused([] { log_half_capacity(1, 1); }, "depth >= 2");
  expect_refused([] { half_capacity_exponent(-1); }, "l > 0");
  expect_refused([] { classical_bit_error(-0.1); }, "alpha >= 0");
  expect_refused([] { polynomial_capacity(1); }, "degree");
  expect_refused([] { exponential_capacity(0.5); }, "[0, 0.5)");
}

}  // namespace
}  // namespace hopfield::theory
