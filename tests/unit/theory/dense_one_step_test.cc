// One step of replica-symmetry breaking against the check values of docs/math/dense.md.
#include <gtest/gtest.h>

#include <cmath>

#include "hopfield/theory/dense.h"
#include "theory/equations/dense_equations.h"

namespace hopfield::theory {
namespace {

constexpr Ansatz kOne = Ansatz::kOneStep;

TEST(DenseOneStep, PureGlassHasThePublishedGroundStates) {
  const struct {
    int p;
    double energy;
  } rows[] = {{3, -0.813535}, {4, -0.825471}, {6, -0.831276}, {10, -0.832495}};
  for (const auto& row : rows) {
    const DenseState got = solve_dense({row.p, 1, 0}, kOne, Branch::kGlass);
    EXPECT_TRUE(got.report.converged);
    EXPECT_NEAR(got.free_energy, row.energy, 1e-6);  // printed with six digits
    // Energies scale as the root of the load.
    EXPECT_NEAR(solve_dense({row.p, 0.3, 0}, kOne, Branch::kGlass).free_energy,
                got.free_energy * std::sqrt(0.3), 1e-12);
  }
  // Towards the random energy model.
  EXPECT_NEAR(solve_dense({60, 1, 0}, kOne, Branch::kGlass).free_energy, -std::sqrt(std::log(2)),
              1e-12);
}

TEST(DenseOneStep, SherringtonKirkpatrickIsReproduced) {
  const GroundState got = solve_ground(2, 1, Branch::kGlass, true);
  ASSERT_TRUE(got.report.converged);
  EXPECT_NEAR(got.energy, -0.765259, 1e-6);  // printed with six digits
  EXPECT_NEAR(1 - got.at.one_minus_q1, 0.476784, 1e-6);
  EXPECT_NEAR(got.at.y, 1.360821, 1e-6);
}

TEST(DenseOneStep, GlassHasTheCheckValuesAtFiniteTemperature) {
  const DenseState cold = solve_dense({4, 1, 0.3}, kOne, Branch::kGlass);
  EXPECT_NEAR(cold.theta, 0.46526, 1e-5);  // as printed
  EXPECT_NEAR(cold.q2, 0.986166, 1e-6);
  EXPECT_NEAR(cold.a, 2.754582, 1e-6);
  EXPECT_EQ(cold.q1, 0);
  const DenseState warm = solve_dense({4, 1, 0.5}, kOne, Branch::kGlass);
  EXPECT_NEAR(warm.theta, 0.79112, 1e-5);
  EXPECT_NEAR(warm.q2, 0.966344, 1e-6);
  EXPECT_NEAR(warm.a, 1.658852, 1e-6);
  EXPECT_NEAR(solve_dense({4, 1, 0.5}, kOne, Branch::kParamagnet).a, 1.693147, 1e-6);
  const DenseState above = solve_dense({4, 1, 0.65}, kOne, Branch::kGlass);
  EXPECT_FALSE(above.report.converged);
  EXPECT_NE(above.report.message.find("static glass temperature"), std::string::npos);
}

TEST(DenseOneStep, RetrievalHasTheCheckValues) {
  const DenseState got = solve_dense({4, 0.38, 0.05}, kOne, Branch::kRetrieval);
  EXPECT_TRUE(got.report.converged);
  EXPECT_NEAR(got.theta, 0.2415, 5e-4);  // as printed
  EXPECT_NEAR(got.m, 0.96052, 1e-5);
  EXPECT_NEAR(got.q1, 0.98424, 1e-5);
  EXPECT_NEAR(got.q2, 0.99768, 1e-5);
  EXPECT_NEAR(got.a, 10.17479, 1e-5);
  const DenseState rs = solve_dense({4, 0.38, 0.05}, Ansatz::kReplicaSymmetric, Branch::kRetrieval);
  EXPECT_NEAR(rs.m, 0.957618, 1e-6);
  EXPECT_NEAR(rs.q1, 0.994123, 1e-6);
  EXPECT_NEAR(rs.a, 10.177297, 1e-6);
  EXPECT_LT(rs.replicon, 0);
}

TEST(DenseOneStep, RetrievalHasTheCheckValuesAtZeroTemperature) {
  const struct {
    double gamma, energy, m;
  } rows[] = {{0.3, -0.502761, 0.98716}, {0.35, -0.505895, 0.97357}, {0.40, -0.511163, 0.9481}};
  for (const auto& row : rows) {
    const DenseState got = solve_dense({4, row.gamma, 0}, kOne, Branch::kRetrieval);
    EXPECT_TRUE(got.report.converged);
    EXPECT_NEAR(got.free_energy, row.energy, 1e-6);  // as printed
    EXPECT_NEAR(got.m, row.m, 5e-5);
  }
  EXPECT_FALSE(solve_dense({4, 0.47, 0}, kOne, Branch::kRetrieval).report.converged);
}

TEST(DenseOneStep, CollapsesWhereReplicaSymmetryIsStable) {
  const DenseState one = solve_dense({4, 0.38, 0.3}, kOne, Branch::kRetrieval);
  const DenseState rs = solve_dense({4, 0.38, 0.3}, Ansatz::kReplicaSymmetric, Branch::kRetrieval);
  EXPECT_TRUE(one.collapsed);
  EXPECT_EQ(one.m, rs.m);
  EXPECT_EQ(one.a, rs.a);
}

TEST(DenseOneStep, IsFoundUpToTheLineWhereItMeetsReplicaSymmetry) {
  const double line = stability_temperature(4, 0.3).temperature;
  double gap_before = 1;
  for (const double share : {0.5, 0.9}) {
    const DenseParameters at = {4, 0.3, share * line};
    const DenseState broken = solve_dense(at, Ansatz::kOneStep, Branch::kRetrieval);
    const DenseState symmetric = solve_dense(at, Ansatz::kReplicaSymmetric, Branch::kRetrieval);
    EXPECT_TRUE(broken.report.converged);
    EXPECT_FALSE(broken.collapsed);
    EXPECT_LT(broken.a, symmetric.a);
    EXPECT_LT(broken.q1, symmetric.q2);
    EXPECT_GT(broken.q2, symmetric.q2);
    const double gap = (broken.q2 - broken.q1) / (1 - broken.q1);
    EXPECT_LT(gap, gap_before);
    gap_before = gap;
  }
  EXPECT_LT(gap_before, 0.2);
  // The free energies differ by the third power of the distance from the line: soon by rounding.
  const DenseState near = solve_dense({4, 0.3, 0.999 * line}, Ansatz::kOneStep, Branch::kRetrieval);
  EXPECT_TRUE(near.report.converged && near.collapsed);
  EXPECT_NE(near.report.message.find("to rounding"), std::string::npos);
}

TEST(DenseOneStep, HopfieldGlassIsFoundBelowItsTemperature) {
  const DenseParameters at = {2, 0.1, 0.7};
  const DenseState broken = solve_dense(at, Ansatz::kOneStep, Branch::kGlass);
  EXPECT_TRUE(broken.report.converged && !broken.collapsed);
  EXPECT_LT(broken.a, solve_dense(at, Ansatz::kReplicaSymmetric, Branch::kGlass).a);
  EXPECT_LT(broken.q1, broken.q2);
}

TEST(DenseOneStep, ZeroTemperatureIsTheLimit) {
  const double t = 0.01;
  const DenseState zero = solve_dense({4, 0.42, 0}, kOne, Branch::kRetrieval);
  const DenseState low = solve_dense({4, 0.42, t}, kOne, Branch::kRetrieval);
  ASSERT_TRUE(zero.report.converged && low.report.converged);
  // m changes with T^2; y and the susceptibility with T.
  EXPECT_NEAR(low.m, zero.m, 1e-3);
  EXPECT_NEAR(low.free_energy, zero.free_energy, 1e-3);
  EXPECT_NEAR(low.y, zero.y, 0.05 * zero.y);
}

TEST(DenseOneStep, ExplicitSlopeIsThatOfTheEnergy) {
  const struct {
    int p;
    bool sk;
    GroundUnknowns at;
  } rows[] = {{2, true, {0, 0.5, 1.1, 0}}, {4, false, {0.9, 0.1, 2, 0}}};
  for (const auto& row : rows) {
    const double gamma = 0.4, h = 1e-5;
    GroundUnknowns above = row.at, below = row.at;
    above.y += h;
    below.y -= h;
    const double slope = (ground_point(row.p, gamma, above, row.sk).energy -
                          ground_point(row.p, gamma, below, row.sk).energy) /
                         (2 * h);
    // Central difference of a function with derivatives of order 1.
    EXPECT_NEAR(ground_point(row.p, gamma, row.at, row.sk).energy_by_y, slope, 1e-8);
  }
}

TEST(DenseOneStep, HopfieldRetrievalIsFoundAtEveryLoad) {
  double before = 0;
  for (const double alpha : {0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.11, 0.12, 0.13, 0.136}) {
    const DenseState one = solve_dense({2, alpha, 0}, kOne, Branch::kRetrieval);
    const DenseState rs = solve_dense({2, alpha, 0}, Ansatz::kReplicaSymmetric, Branch::kRetrieval);
    ASSERT_TRUE(one.report.converged) << alpha << " " << one.report.message;
    EXPECT_FALSE(one.collapsed);
    EXPECT_LT(one.report.residual, 1e-7);
    const double w = 1 - one.q1;
    EXPECT_GT(w, before) << alpha;  // breaking grows with the load
    before = w;
    // Both differ from the replica-symmetric values by little more than 1 - q1; the energy is the
    // larger one.
    EXPECT_NEAR(one.m, rs.m, w) << alpha;
    EXPECT_GT(one.free_energy, rs.free_energy - 1e-15) << alpha;
    EXPECT_NEAR(one.free_energy, rs.free_energy, w) << alpha;
  }
}

TEST(DenseOneStep, HopfieldRetrievalSolvesItsEquations) {
  // Near its end the breaking is large enough for the energy to show that it is stationary in y.
  const double alpha = 0.137;
  const GroundState last = solve_ground(2, alpha, Branch::kRetrieval);
  ASSERT_TRUE(last.report.converged);
  const auto slope_at = [&](double y) {
    GroundUnknowns above = last.at, below = last.at;
    const double h = 0.01 * y;
    above.y = y + h;
    below.y = y - h;
    return (ground_point(2, alpha, above).energy - ground_point(2, alpha, below).energy) / (2 * h);
  };
  // Off by a tenth in y it shows.
  EXPECT_LT(std::abs(slope_at(last.at.y)), 0.03 * std::abs(slope_at(0.9 * last.at.y)));
  EXPECT_LT(std::abs(slope_at(last.at.y)), 0.03 * std::abs(slope_at(1.1 * last.at.y)));
  // At small load 1 - q1 is tiny, and still solved to a relative precision.
  const GroundState found = solve_ground(2, 0.05, Branch::kRetrieval);
  ASSERT_TRUE(found.report.converged);
  const GroundPoint point = ground_point(2, 0.05, found.at);
  EXPECT_NEAR(point.one_minus_q1 / found.at.one_minus_q1, 1, 1e-7);
  EXPECT_NEAR(point.m, found.at.m, 1e-12);
  EXPECT_NEAR(point.susceptibility / found.at.susceptibility, 1, 1e-7);
}

TEST(DenseOneStep, WhatRoundingHidesIsSaid) {
  for (const int p : {2, 4}) {
    const DenseState got = solve_dense({p, 0.02, 0}, kOne, Branch::kRetrieval);
    EXPECT_TRUE(got.report.converged);
    EXPECT_TRUE(got.collapsed);
    EXPECT_NE(got.report.message.find("replica-symmetric to rounding"), std::string::npos);
    EXPECT_EQ(got.m, solve_dense({p, 0.02, 0}, Ansatz::kReplicaSymmetric, Branch::kRetrieval).m);
  }
}

TEST(DenseOneStep, HopfieldGroundStateCrossesAboveTheReplicaSymmetricLoad) {
  const CriticalLoad rs = ground_state_load(2, Ansatz::kReplicaSymmetric);
  const CriticalLoad one = ground_state_load(2, kOne);
  ASSERT_TRUE(one.report.converged) << one.report.message;
  // Breaking raises the glass's energy and hardly that of retrieval.
  EXPECT_GT(one.gamma, rs.gamma);
  EXPECT_LT(one.gamma, 0.06);
  const DenseState glass = solve_dense({2, one.gamma, 0}, kOne, Branch::kGlass);
  const DenseState retrieval = solve_dense({2, one.gamma, 0}, kOne, Branch::kRetrieval);
  EXPECT_NEAR(glass.free_energy, retrieval.free_energy, 1e-9);
}

TEST(DenseOneStep, HopfieldGlassHasTheHighestEnergyInItsBreaking) {
  const double gamma = 0.1;
  const GroundState best = solve_ground(2, gamma, Branch::kGlass);
  ASSERT_TRUE(best.report.converged);
  const DenseState rs = solve_dense({2, gamma, 0}, Ansatz::kReplicaSymmetric, Branch::kGlass);
  EXPECT_GT(best.energy, rs.free_energy);
  // Stationary in all unknowns: a small change of any moves the energy in second order only.
  for (int which = 0; which < 3; ++which) {
    GroundUnknowns above = best.at, below = best.at;
    const double h = 1e-4;
    double GroundUnknowns::*const field[] = {&GroundUnknowns::one_minus_q1, &GroundUnknowns::y,
                                             &GroundUnknowns::susceptibility};
    above.*field[which] += h;
    below.*field[which] -= h;
    const double slope =
        (ground_point(2, gamma, above).energy - ground_point(2, gamma, below).energy) / (2 * h);
    EXPECT_NEAR(slope, 0, 1e-6);  // h^2 times third derivatives of order 10
  }
}

}  // namespace
}  // namespace hopfield::theory
