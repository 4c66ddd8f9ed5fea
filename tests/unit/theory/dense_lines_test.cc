// Critical loads and phase lines against the check values of docs/math/dense.md.
#include <gtest/gtest.h>

#include <cmath>

#include "hopfield/theory/dense.h"
#include "tests/unit/theory/expect_error.h"

namespace hopfield::theory {
namespace {

using testing::expect_refused;

TEST(DenseLines, CriticalLoadIsThePublishedOne) {
  const struct {
    int p;
    double gamma, x, m;
  } rows[] = {{2, 0.1379055665, 1.511219, 0.967417},
              {4, 0.3957202384, 1.229485, 0.917922},
              {6, 0.4730386097, 1.467046, 0.961987}};
  for (const auto& row : rows) {
    const CriticalLoad got = critical_load(row.p, Ansatz::kReplicaSymmetric);
    EXPECT_TRUE(got.report.converged);
    EXPECT_NEAR(got.gamma, row.gamma, 1e-10);  // printed with ten digits
    EXPECT_NEAR(got.x, row.x, 1e-6);
    EXPECT_NEAR(got.m, row.m, 1e-6);
  }
}

TEST(DenseLines, CriticalLoadIsTheEndOfTheBranch) {
  // Inside by what the solvers need: the one-step scan of y is coarser close to the end.
  const struct {
    Ansatz ansatz;
    double inside;
  } rows[] = {{Ansatz::kReplicaSymmetric, 1 - 1e-9}, {Ansatz::kOneStep, 0.98}};
  for (const auto& row : rows) {
    const double edge = critical_load(4, row.ansatz).gamma;
    const auto exists = [&](double factor) {
      return solve_dense({4, edge * factor, 0}, row.ansatz, Branch::kRetrieval).report.converged;
    };
    EXPECT_TRUE(exists(row.inside));
    EXPECT_FALSE(exists(1.001));
  }
}

TEST(DenseLines, BreakingRaisesTheCriticalLoad) {
  EXPECT_NEAR(critical_load(4, Ansatz::kOneStep).gamma, 0.4583, 5e-5);  // as printed
  EXPECT_NEAR(critical_load(6, Ansatz::kOneStep).gamma, 0.5277, 5e-5);
  // For P = 2 the literature gives 0.138186.
  EXPECT_NEAR(critical_load(2, Ansatz::kOneStep).gamma, 0.138186, 1e-6);
}

TEST(DenseLines, RetrievalIsTheGroundStateAtSmallLoads) {
  EXPECT_NEAR(ground_state_load(2, Ansatz::kReplicaSymmetric).gamma, 0.0518543, 1e-7);
  EXPECT_NEAR(ground_state_load(4, Ansatz::kOneStep).gamma, 0.37979, 5e-6);  // as printed
  EXPECT_NEAR(ground_state_load(6, Ansatz::kOneStep).gamma, 0.36381, 5e-6);
}

TEST(DenseLines, SpinodalIsThePublishedOne) {
  EXPECT_NEAR(spinodal_temperature(4, 0).temperature, 0.9915726, 1e-7);
  EXPECT_NEAR(spinodal_temperature(4, 0).m, 0.889437, 1e-6);
  EXPECT_NEAR(spinodal_temperature(6, 0).temperature, 1.2681609, 1e-7);
  EXPECT_EQ(spinodal_temperature(2, 0).temperature, 1);
  const struct {
    int p;
    double gamma, temperature, tolerance;  // as the sheet states it
  } rows[] = {{4, 0.05, 0.9598, 2e-4}, {4, 0.1, 0.9270, 2e-4},  {4, 0.2, 0.8571, 2e-4},
              {4, 0.3, 0.7770, 2e-4},  {4, 0.35, 0.7291, 2e-4}, {2, 0.01, 0.801, 2e-3},
              {2, 0.03, 0.650, 2e-3},  {2, 0.05, 0.542, 2e-3},  {2, 0.1, 0.315, 2e-3}};
  for (const auto& row : rows) {
    const LinePoint got = spinodal_temperature(row.p, row.gamma);
    EXPECT_TRUE(got.report.converged);
    EXPECT_NEAR(got.temperature, row.temperature, row.tolerance);
    // It is the end: just below there is a solution, just above none.
    const auto exists = [&](double factor) {
      return solve_dense({row.p, row.gamma, got.temperature * factor}, Ansatz::kReplicaSymmetric,
                         Branch::kRetrieval)
          .report.converged;
    };
    EXPECT_TRUE(exists(1 - 1e-5));
    EXPECT_FALSE(exists(1 + 1e-5));
  }
}

TEST(DenseLines, RetrievalReturnsBeyondTheLargestLoadAtZeroTemperature) {
  EXPECT_EQ(reentry_temperature(4, 0.39).temperature, 0);
  constexpr int p = 4;
  const double edge = critical_load(p, Ansatz::kReplicaSymmetric).gamma;
  const double end = largest_load(p);
  EXPECT_GT(end, edge);
  EXPECT_TRUE(spinodal_temperature(p, end).report.converged);
  EXPECT_FALSE(spinodal_temperature(p, end + 2e-4 * edge).report.converged);
  const double gamma = (edge + end) / 2;
  const LinePoint start = reentry_temperature(p, gamma);
  const double top = spinodal_temperature(p, gamma).temperature;
  EXPECT_TRUE(start.report.converged);
  const auto exists = [&](double temperature, Ansatz ansatz) {
    return solve_dense({p, gamma, temperature}, ansatz, Branch::kRetrieval).report.converged;
  };
  // Bisected to 1e-6 of the upper end.
  EXPECT_TRUE(exists(start.temperature + 2e-6 * top, Ansatz::kReplicaSymmetric));
  EXPECT_FALSE(exists(start.temperature - 2e-6 * top, Ansatz::kReplicaSymmetric));
  EXPECT_TRUE(exists(0, Ansatz::kOneStep));
  EXPECT_FALSE(reentry_temperature(4, 0.5).report.converged);
}

TEST(DenseLines, CrossingIsThePublishedOne) {
  const struct {
    double gamma, temperature;
  } rows[] = {{0, 0.725899}, {0.05, 0.701079}, {0.1, 0.674582}, {0.2, 0.614656}};
  for (const auto& row : rows) {
    EXPECT_NEAR(crossing_temperature(4, row.gamma).temperature, row.temperature, 1e-6);
  }
  // P = 2: it ends at T = 0 where retrieval ceases to be the ground state.
  EXPECT_TRUE(crossing_temperature(2, 0.0518).report.converged);
  EXPECT_FALSE(crossing_temperature(2, 0.0519).report.converged);
}

TEST(DenseLines, StabilityEndsAtThePublishedTemperatures) {
  EXPECT_NEAR(stability_temperature(4, 0.3).temperature, 0.05537, 5e-6);  // as printed
  EXPECT_NEAR(stability_temperature(4, 0.38).temperature, 0.15898, 5e-6);
  EXPECT_FALSE(stability_temperature(4, 0).report.converged);
}

TEST(DenseLines, GlassTemperaturesAreThePublishedOnes) {
  const struct {
    int p;
    double fixed, moving;  // static, dynamic
  } rows[] = {{3, 0.65138, 0.6816}, {4, 0.61687, 0.6784}, {6, 0.60328, 0.7275}};
  for (const auto& row : rows) {
    // Printed with five and four digits; two units of the last.
    EXPECT_NEAR(static_glass_temperature(row.p, 1).temperature, row.fixed, 2e-5);
    EXPECT_NEAR(dynamic_glass_temperature(row.p, 1).temperature, row.moving, 1e-4);
  }
  EXPECT_NEAR(static_glass_temperature(10, 1).temperature, 0.60068, 2e-5);
  EXPECT_NEAR(static_glass_temperature(60, 1).temperature, 1 / (2 * std::sqrt(std::log(2))), 1e-12);
  EXPECT_NEAR(static_glass_temperature(4, 0.25).temperature,
              static_glass_temperature(4, 1).temperature / 2, 1e-15);
  EXPECT_EQ(static_glass_temperature(2, 0.25).temperature, 1.5);
  EXPECT_FALSE(dynamic_glass_temperature(2, 0.25).report.converged);
}

TEST(DenseLines, RefuseWhatIsOutOfRange) {
  expect_refused([] { critical_load(3, Ansatz::kReplicaSymmetric); }, "even P");
  expect_refused([] { spinodal_temperature(4, -1); }, "gamma >= 0");
  expect_refused([] { largest_load(5); }, "even P");
  expect_refused([] { static_glass_temperature(1, 1); }, "P from 2");
}

}  // namespace
}  // namespace hopfield::theory
