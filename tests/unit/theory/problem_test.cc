// The portable problem against the check values of docs/math/bounds.md.
#include "hopfield/theory/problem.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/unit/theory/expect_error.h"

namespace hopfield::theory {
namespace {

using testing::expect_refused;

struct Row {
  ProblemParameters at;
  double norm_max, m_max, separation, energy0, energy1, energy_end, v_update, jacobian0;
  std::int64_t steps;
  double norm_end, association, jacobian_end;
  std::int64_t size0, size_end;
  double gradient_norm, gradient_sum, gradient_beta;
};

const Row kRows[] = {
    {{6, 5, 1},
     1.8027213570,
     2.0447741939,
     0.15432393,
     2.8695648946,
     1.6436452667,
     1.2458523266,
     0.5902365298,
     1.0254516619,
     31,
     1.3130265787,
     0.4547420522,
     0.4188783594,
     3,
     3,
     1.0385524600,
     0.6862840788,
     -0.0593880721},
    {{6, 5, 0.35},
     1.8027213570,
     2.0447741939,
     0.15432393,
     3.2209490565,
     1.5275757104,
     1.4780230943,
     0.1085388149,
     0.3859702247,
     24,
     0.6376485055,
     0.2447274279,
     0.3656188904,
     5,
     5,
     0.7332206871,
     0.6252832813,
     0.0006734013},
    {{8, 12, 0.25},
     2.9426038642,
     3.0329032534,
     -0.96502958,
     5.9428672097,
     4.3919987165,
     4.3085857050,
     0.1065785715,
     0.3403124496,
     22,
     0.2296385351,
     0.0869942993,
     0.3586468493,
     10,
     11,
     0.5895355792,
     -1.3512068184,
     0.0601896627},
};

TEST(Problem, HasTheCheckValues) {
  // One unit of the tenth digit after the point: that is how they are printed.
  constexpr double kDigit = 1e-10;
  for (const Row& row : kRows) {
    const ProblemAnswer got = solve_problem(row.at);
    EXPECT_TRUE(got.report.converged);
    EXPECT_LT(got.report.residual, 1e-15);
    EXPECT_NEAR(got.norm_max, row.norm_max, kDigit);
    EXPECT_NEAR(got.distance_to_mean_max, row.m_max, kDigit);
    EXPECT_NEAR(got.separation_min, row.separation, 1e-8);  // printed with eight digits
    EXPECT_NEAR(got.energy_first, row.energy0, kDigit);
    EXPECT_NEAR(got.energy_second, row.energy1, kDigit);
    EXPECT_NEAR(got.energy_end, row.energy_end, kDigit);
    EXPECT_NEAR(got.v_update, row.v_update, kDigit);
    EXPECT_NEAR(got.jacobian_first, row.jacobian0, kDigit);
    EXPECT_EQ(got.steps, row.steps);
    EXPECT_NEAR(got.norm_end, row.norm_end, kDigit);
    EXPECT_NEAR(got.association_max, row.association, kDigit);
    EXPECT_NEAR(got.jacobian_end, row.jacobian_end, kDigit);
    EXPECT_EQ(got.metastable_first, row.size0);
    EXPECT_EQ(got.metastable_end, row.size_end);
    EXPECT_NEAR(got.gradient_norm, row.gradient_norm, kDigit);
    EXPECT_NEAR(got.gradient_sum, row.gradient_sum, kDigit);
    EXPECT_NEAR(got.gradient_beta, row.gradient_beta, kDigit);
  }
}

TEST(Problem, FixedPointsMultiplyWithBeta) {
  const struct {
    double beta;
    std::int64_t count;
  } rows[] = {{0.1, 1}, {0.5, 1}, {1, 2}, {2, 3}, {3, 4}, {5, 4}, {10, 4}, {20, 4}, {50, 5}};
  for (const auto& row : rows) {
    EXPECT_EQ(solve_problem({6, 5, row.beta}).num_fixed_points, row.count) << row.beta;
  }
}

TEST(Problem, JacobianStaysBelowEveryBound) {
  for (const std::int64_t depth : {1, 3, 9}) {
    for (const std::int64_t n : {2, 7, 40}) {
      for (const double beta : {0.05, 0.7, 6.0}) {
        const ProblemAnswer got = solve_problem({depth, n, beta});
        // Rounding of the norm: it is at most a few hundred here.
        const double norm = got.jacobian_first - 1e-12;
        EXPECT_LE(norm, got.bounds.softmax);
        EXPECT_LE(norm, got.bounds.half);
        EXPECT_LE(norm, got.bounds.spread);
        EXPECT_LE(norm, got.bounds.diameter);
        EXPECT_LE(norm, got.bounds.concentration);
        EXPECT_LE(norm, got.bounds.ball);
        EXPECT_LE(norm, got.bounds.peaked);
        EXPECT_LE(norm, got.bounds.group);
      }
    }
  }
}

TEST(Problem, DistancesShrinkByTheLargestEigenvalue) {
  for (const ProblemParameters& at :
       {ProblemParameters{6, 5, 1}, {6, 5, 0.35}, {8, 12, 0.25}, {6, 5, 0.5}, {9, 7, 0.3}}) {
    const ProblemAnswer got = solve_problem(at);
    // Five steps or more from the start, so within one per cent after transients.
    EXPECT_NEAR(got.contraction / got.jacobian_end, 1, 0.01) << at.depth << " " << at.beta;
  }
  EXPECT_TRUE(std::isnan(solve_problem({4, 1, 2}).contraction));  // there in one update
}

TEST(Problem, OnePatternIsItsOwnFixedPoint) {
  const ProblemAnswer got = solve_problem({4, 1, 2});
  EXPECT_TRUE(got.report.converged);
  EXPECT_NEAR(got.norm_end, got.norm_max, 1e-15);
  EXPECT_EQ(got.separation_min, std::numeric_limits<double>::infinity());
  EXPECT_EQ(got.jacobian_end, 0);
  EXPECT_EQ(got.num_fixed_points, 1);
}

TEST(Problem, RefusesWhatMakesNoNetwork) {
  expect_refused([] { solve_problem({0, 5, 1}); }, "depth and num_patterns >= 1");
  expect_refused([] { solve_problem({6, 5, 0}); }, "beta > 0");
  expect_refused([] { solve_problem({6, 5, std::nan("")}); }, "beta > 0");
  expect_refused([] { solve_problem({1'000'000, 1'000'000, 1}); }, "10^7");
}

}  // namespace
}  // namespace hopfield::theory
