// Replica-symmetric equations against the check values of docs/math/dense.md.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "hopfield/theory/dense.h"
#include "tests/unit/theory/expect_error.h"

namespace hopfield::theory {
namespace {

using testing::expect_refused;
constexpr Ansatz kRs = Ansatz::kReplicaSymmetric;

TEST(DenseRs, HasTheCheckValuesAtFiniteTemperature) {
  const struct {
    double gamma, temperature, m, q, a;
  } rows[] = {{0.05, 0.5, 0.9984679, 0.9969470, 1.00075617},
              {0.2, 0.3, 0.9959084, 0.9944833, 1.66943598},
              {0.3, 0.2, 0.9852948, 0.9896375, 2.51698255},
              {0.3, 0.3, 0.9816345, 0.9816345, 1.68170285}};
  for (const auto& row : rows) {
    const DenseState got = solve_dense({4, row.gamma, row.temperature}, kRs, Branch::kRetrieval);
    EXPECT_TRUE(got.report.converged);
    EXPECT_LT(got.report.residual, 1e-14);
    EXPECT_NEAR(got.m, row.m, 1e-7);  // printed with seven and eight digits
    EXPECT_NEAR(got.q1, row.q, 1e-7);
    EXPECT_NEAR(got.a, row.a, 1e-8);
    EXPECT_EQ(got.q1, got.q2);
  }
}

TEST(DenseRs, HopfieldNetworkHasEquationsOfItsOwn) {
  const DenseState warm = solve_dense({2, 0.05, 0.5}, kRs, Branch::kRetrieval);
  EXPECT_NEAR(warm.m, 0.9041061, 1e-7);
  EXPECT_NEAR(warm.q1, 0.8333580, 1e-7);
  EXPECT_NEAR(warm.r, 1.8747783, 1e-7);
  EXPECT_NEAR(warm.a, 1.08402757, 1e-8);
  const DenseState cold = solve_dense({2, 0.1, 0.2}, kRs, Branch::kRetrieval);
  EXPECT_NEAR(cold.m, 0.9890852, 1e-7);
  EXPECT_NEAR(cold.q1, 0.9844171, 1e-7);
  EXPECT_NEAR(cold.r, 1.1578090, 1e-7);
  EXPECT_NEAR(cold.a, 2.75520328, 1e-8);
  EXPECT_NEAR(solve_dense({2, 0.05, 0}, kRs, Branch::kRetrieval).m, 0.999992229, 1e-9);
  EXPECT_NEAR(solve_dense({2, 0.10, 0}, kRs, Branch::kRetrieval).m, 0.997999266, 1e-9);
}

TEST(DenseRs, MagnetisationEqualsOverlapWhereTemperatureEqualsLoad) {
  for (const int p : {4, 6, 8}) {
    for (const double t : {0.1, 0.23, 0.3}) {
      const DenseState got = solve_dense({p, t, t}, kRs, Branch::kRetrieval);
      ASSERT_TRUE(got.report.converged);
      EXPECT_NEAR(got.m, got.q1, 1e-13);  // both solved to rounding
    }
  }
}

TEST(DenseRs, ZeroTemperatureIsTheLimit) {
  for (const int p : {2, 4, 6}) {
    for (const Branch branch : {Branch::kRetrieval, Branch::kGlass}) {
      const double gamma = 0.11, t = 1e-4;
      const DenseState zero = solve_dense({p, gamma, 0}, kRs, branch);
      const DenseState low = solve_dense({p, gamma, t}, kRs, branch);
      ASSERT_TRUE(zero.report.converged && low.report.converged) << p;
      // Corrections are of order T^2 for m, of order T for the others.
      EXPECT_NEAR(low.m, zero.m, 1e-6);
      EXPECT_NEAR(low.free_energy, zero.free_energy, 2 * t);
      EXPECT_NEAR(low.susceptibility, zero.susceptibility, 20 * t);
    }
  }
}

TEST(DenseRs, FreeEnergyIsStationary) {
  // dA/dT at fixed order parameters equals the total derivative: A(b) - A(b') over b - b' is minus
  // the energy, which the equations give as -m^P/2 - (b gamma/2)(1 - q^P) for P > 2.
  const double gamma = 0.2, t = 0.3, h = 1e-4;
  const DenseState at = solve_dense({4, gamma, t}, kRs, Branch::kRetrieval);
  const double b = 1 / t;
  const DenseState above = solve_dense({4, gamma, 1 / (b + h)}, kRs, Branch::kRetrieval);
  const DenseState below = solve_dense({4, gamma, 1 / (b - h)}, kRs, Branch::kRetrieval);
  const double energy = -std::pow(at.m, 4) / 2 - b * gamma / 2 * (1 - std::pow(at.q1, 4));
  // Central difference: its error is h^2 times a third derivative of order 1.
  EXPECT_NEAR(-(above.a - below.a) / (2 * h), energy, 1e-7);
}

TEST(DenseRs, ParamagnetIsKnownInClosedForm) {
  const DenseState dense = solve_dense({4, 1, 0.5}, kRs, Branch::kParamagnet);
  EXPECT_NEAR(dense.a, std::log(2) + 1, 1e-15);
  const DenseState hopfield = solve_dense({2, 0.1, 2}, kRs, Branch::kParamagnet);
  EXPECT_NEAR(hopfield.a, std::log(2) - 0.05 * std::log(0.5), 1e-15);
  EXPECT_GT(hopfield.replicon, 0);
  // Unstable below 1 + sqrt(alpha).
  EXPECT_GT(solve_dense({2, 0.04, 1.2001}, kRs, Branch::kParamagnet).replicon, 0);
  EXPECT_LT(solve_dense({2, 0.04, 1.1999}, kRs, Branch::kParamagnet).replicon, 0);
}

TEST(DenseRs, GlassOfTheHopfieldNetworkEndsAtItsTemperature) {
  EXPECT_TRUE(solve_dense({2, 0.04, 1.19}, kRs, Branch::kGlass).report.converged);
  const DenseState above = solve_dense({2, 0.04, 1.21}, kRs, Branch::kGlass);
  EXPECT_FALSE(above.report.converged);
  EXPECT_NE(above.report.message.find("no glass"), std::string::npos);
}

TEST(DenseRs, SaysWhereRetrievalHasEnded) {
  for (const DenseParameters& at : {DenseParameters{4, 0.2, 0.9}, DenseParameters{4, 0.5, 0},
                                    DenseParameters{2, 0.1, 0.4}, DenseParameters{2, 0.2, 0}}) {
    const DenseState got = solve_dense(at, kRs, Branch::kRetrieval);
    EXPECT_FALSE(got.report.converged);
    EXPECT_TRUE(std::isnan(got.m));
    EXPECT_NE(got.report.message.find("no retrieval solution"), std::string::npos);
  }
}

TEST(DenseRs, WithoutLoadItIsTheMeanFieldMagnet) {
  const DenseState got = solve_dense({2, 0, 0.5}, kRs, Branch::kRetrieval);
  EXPECT_NEAR(got.m, std::tanh(2 * got.m), 1e-14);
  EXPECT_NEAR(got.q1, got.m * got.m, 1e-14);
  EXPECT_EQ(solve_dense({4, 0, 0}, kRs, Branch::kRetrieval).free_energy, -0.5);
}

TEST(DenseRs, ZeroTemperatureIsSolvedAtAnyLoad) {
  for (const int p : {2, 4, 6, 8, 20}) {
    const double edge = critical_load(p, kRs).gamma;
    for (double gamma = edge * 0.999; gamma > 1e-12; gamma *= 0.83) {
      const DenseState got = solve_dense({p, gamma, 0}, kRs, Branch::kRetrieval);
      ASSERT_TRUE(got.report.converged) << p << " " << gamma;
      EXPECT_LT(got.report.residual, 1e-9);  // the root in x is good to 1e-15, slopes are below 1e3
    }
  }
}

TEST(DenseRs, RefusesWhatIsOutOfRange) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto solve = [](int p, double gamma, double t) {
    return [=] { solve_dense({p, gamma, t}, kRs, Branch::kRetrieval); };
  };
  expect_refused(solve(3, 0.1, 0.1), "even P");
  expect_refused(solve(0, 0.1, 0.1), "even P");
  expect_refused(solve(4, -0.1, 0.1), "gamma >= 0");
  expect_refused(solve(4, nan, 0.1), "gamma >= 0");
  expect_refused(solve(4, 0.1, -0.1), "temperature >= 0");
  expect_refused(solve(4, 0.1, nan), "temperature >= 0");
  // Without magnetisation an odd P has a meaning.
  EXPECT_TRUE(solve_dense({3, 1, 0}, kRs, Branch::kGlass).report.converged);
}

TEST(DenseRs, HopfieldGlassIsAHardAndASoftOne) {
  for (const double alpha : {0.05, 0.3, 1.0, 4.0}) {
    for (const double t : {0.2, 0.7, 1.1}) {
      const DenseParameters at = {2, alpha, t};
      const DenseState glass = solve_dense(at, Ansatz::kReplicaSymmetric, Branch::kGlass);
      const GlassParts parts = decompose_glass(at);
      ASSERT_TRUE(parts.report.converged) << alpha << " " << t;
      // Three models solved apart; roots to rounding, A up to about 10.
      EXPECT_LT(parts.report.residual, 1e-11) << alpha << " " << t;
      EXPECT_NEAR(parts.hard_q, glass.q2, 1e-9) << alpha << " " << t;
      EXPECT_NEAR(parts.soft_p / (glass.r / t), 1, 1e-9) << alpha << " " << t;
      // The soft part is no small correction.
      EXPECT_GT(std::abs(parts.soft), 1e-3);
    }
  }
}

TEST(DenseRs, DenserGlassesAreHardOnly) {
  for (const int p : {3, 4, 6}) {
    const GlassParts parts = decompose_glass({p, 0.4, 0.1});
    ASSERT_TRUE(parts.report.converged);
    EXPECT_LT(parts.report.residual, 1e-11) << p;
    EXPECT_EQ(parts.soft, 0);
    EXPECT_EQ(parts.offset, 0);
  }
  EXPECT_FALSE(decompose_glass({4, 0.1, 2}).report.converged);  // no glass there
  expect_refused([] { decompose_glass({2, 0.1, 0}); }, "above 0");
}

}  // namespace
}  // namespace hopfield::theory
