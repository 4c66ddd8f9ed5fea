// Multitasking networks against the check values of docs/math/multitask.md.
#include "hopfield/theory/multitask.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/unit/theory/expect_error.h"
#include "theory/equations/multitask_averages.h"

namespace hopfield::theory {
namespace {

using testing::expect_refused;

void expect_values(const std::vector<double>& got, const std::vector<double>& wanted,
                   double tolerance) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t k = 0; k < got.size(); ++k) EXPECT_NEAR(got[k], wanted[k], tolerance) << k;
}

TEST(Multitask, HasTheCheckValues) {
  const struct {
    int k;
    double d, t;
    std::vector<double> m;
    double tolerance;  // one unit of the last printed digit
    MultitaskRegime regime;
  } rows[] = {
      {3, 0.2, 0.1, {0.8000, 0.1425, 0}, 1e-4, MultitaskRegime::kHierarchical},
      {3, 0.4, 0.05, {0.6000, 0.2396, 0.0916}, 1e-4, MultitaskRegime::kHierarchical},
      {3, 0.7, 0.1, {0.2313, 0.2313, 0.1958}, 1e-4, MultitaskRegime::kMixed},
      {3, 0.7, 0.2, {0.17353, 0.17353, 0.17353}, 1e-5, MultitaskRegime::kParallel},
      {3, 0.9, 0.05, {0.08529, 0.08529, 0.08529}, 1e-5, MultitaskRegime::kParallel},
      {2, 0.3, 0.2, {0.69835, 0.08597}, 1e-5, MultitaskRegime::kHierarchical},
  };
  for (const auto& row : rows) {
    const MultitaskState got = solve_multitask({row.k, row.d, row.t});
    EXPECT_TRUE(got.report.converged);
    expect_values(got.m, row.m, row.tolerance);
    EXPECT_EQ(got.regime, row.regime) << row.k << " " << row.d << " " << row.t;
    EXPECT_EQ(got.m, got.n);
  }
}

TEST(Multitask, HierarchyIsAPowerLawAtZeroTemperature) {
  for (const int k : {1, 2, 3, 5}) {
    const double d = 0.45;
    const MultitaskState got = solve_multitask({k, d, 0});
    EXPECT_TRUE(got.report.converged);
    for (int mu = 0; mu < k; ++mu) {
      EXPECT_NEAR(got.m[static_cast<std::size_t>(mu)], (1 - d) * std::pow(d, mu), 1e-14);
    }
    EXPECT_NEAR(got.energy, -(1 - d) * (1 - d) * (1 - std::pow(d, 2 * k)) / (1 - d * d) / 2, 1e-14);
    EXPECT_NEAR(got.free_energy, got.energy, 1e-14);
    EXPECT_EQ(got.regime, MultitaskRegime::kHierarchical);
  }
  expect_values(solve_multitask({3, 0.7, 0}).m, {0.2865, 0.2235, 0.1605}, 1e-12);
}

TEST(Multitask, HierarchyEndsAtTheGoldenRatio) {
  EXPECT_NEAR(hierarchical_dilution_max(3), (std::sqrt(5) - 1) / 2, 1e-14);
  EXPECT_NEAR(hierarchical_dilution_max(4), 0.5436890, 1e-7);
  EXPECT_NEAR(hierarchical_dilution_max(5), 0.5187901, 1e-7);
  EXPECT_NEAR(hierarchical_dilution_max(60), 0.5, 1e-15);
  EXPECT_EQ(hierarchical_dilution_max(2), 1);
  // The state itself says the same.
  for (const double side : {-1e-3, 1e-3}) {
    const double d = hierarchical_dilution_max(3) + side;
    const bool power_law = std::abs(solve_multitask({3, d, 0}).m[2] - (1 - d) * d * d) < 1e-12;
    EXPECT_EQ(power_law, side < 0);
  }
}

TEST(Multitask, ParallelRegimeHasThePublishedEdge) {
  const struct {
    int k;
    double d, t, tolerance;  // as printed
  } rows[] = {{2, 0.7, 0.093764, 1e-6}, {2, 0.8, 0.040081, 1e-6}, {2, 0.9, 0.0100, 5e-5},
              {3, 0.7, 0.10498, 1e-5},  {3, 0.8, 0.048649, 1e-6}, {3, 0.9, 0.0135, 5e-5},
              {5, 0.7, 0.11004, 1e-5},  {5, 0.8, 0.056845, 1e-6}, {5, 0.9, 0.018429, 1e-6}};
  for (const auto& row : rows) {
    const ParallelEdge got = parallel_edge(row.k, row.d);
    EXPECT_TRUE(got.report.converged);
    EXPECT_NEAR(got.temperature, row.t, row.tolerance) << row.k << " " << row.d;
  }
}

TEST(Multitask, ParallelRegimeBeginsAtTwoThirds) {
  for (const int k : {2, 3, 5}) {
    EXPECT_FALSE(parallel_edge(k, 0.665).report.converged);
    EXPECT_TRUE(parallel_edge(k, 0.670).report.converged);
    // Just below the onset the slope crosses 1 there.
    const double below = parallel_slope(k, 0.665, 0.335 * 0.999);
    const double above = parallel_slope(k, 0.670, 0.330 * 0.999);
    EXPECT_GT(below, 1);
    EXPECT_LT(above, 1);
  }
}

TEST(Multitask, ParallelMagnetisationSolvesTheFullEquations) {
  const double d = 0.8, t = 0.1;
  const MultitaskState full = solve_multitask({4, d, t, 0}, MultitaskStart::kParallel);
  EXPECT_EQ(full.regime, MultitaskRegime::kParallel);
  EXPECT_NEAR(parallel_magnetisation(4, d, t), full.m[0], 1e-12);
  EXPECT_EQ(parallel_magnetisation(4, d, 0.21), 0);
}

TEST(Multitask, LearnsFromNoisyExamples) {
  const MultitaskState half = solve_multitask({1, 0, 0.1, 0.5});
  expect_values(half.m, {0.83577}, 1e-5);
  expect_values(half.n, {0.69776}, 1e-5);
  const MultitaskState one = solve_multitask({1, 0, 0.1, 1});
  expect_values(one.m, {0.67688}, 1e-5);
  expect_values(one.n, {0.58036}, 1e-5);
  const MultitaskState two = solve_multitask({2, 0.3, 0.2, 0.25});
  expect_values(two.m, {0.57143, 0.25269}, 1e-5);
  expect_values(two.n, {0.51879, 0.24353}, 1e-5);
  const MultitaskState three = solve_multitask({3, 0.8, 0.08, 0.2});
  expect_values(three.m, {0.14389, 0.14389, 0.14389}, 1e-5);
  expect_values(three.n, {0.13409, 0.13409, 0.13409}, 1e-5);
  expect_values(solve_multitask({1, 0, 0.01, 1}).m, {0.68263}, 1e-5);
}

TEST(Multitask, LearningThresholdIsAnErrorFunction) {
  EXPECT_NEAR(solve_multitask({1, 0, 0, 0.7}).m[0], std::erf(1 / std::sqrt(1.4)), 1e-14);
  EXPECT_NEAR(learned_magnetisation(1), 0.682689, 1e-6);
  EXPECT_NEAR(dataset_entropy(0.5, 12), 0.25, 1e-15);
  const double r = 0.3, theta = std::sqrt(0.5);
  EXPECT_NEAR(dataset_entropy(r, examples_needed(r, theta)), 1, 1e-14);
  // Theory of the published simulations, K = 1, d = 0, T = 0.1.
  expect_values(solve_multitask({1, 0, 0.1, dataset_entropy(0.3, 20)}).m, {0.8335}, 5e-5);
  expect_values(solve_multitask({1, 0, 0.1, dataset_entropy(0.2, 25)}).m, {0.687}, 5e-4);
  expect_values(solve_multitask({2, 0.8, 0.06, dataset_entropy(0.4, 40)}).m, {0.1726, 0.1726},
                5e-5);
}

TEST(Multitask, FreeEnergyIsStationary) {
  // df/dT = -S: the central difference of f agrees with (f - U)/T, U the energy.
  const double t = 0.15, h = 1e-4;
  const MultitaskState at = solve_multitask({3, 0.3, t, 0.3});
  const double slope = (solve_multitask({3, 0.3, t + h, 0.3}).free_energy -
                        solve_multitask({3, 0.3, t - h, 0.3}).free_energy) /
                       (2 * h);
  EXPECT_NEAR(slope, (at.free_energy - at.energy) / t, 1e-6);  // h^2 times derivatives of order 10
}

TEST(Multitask, IntegralsOverProductsEqualTheSumOverAllPatterns) {
  const struct {
    MultitaskParameters at;
    std::vector<double> n;
  } rows[] = {
      {{3, 0.4, 0.05}, {0.6, 0.24, 0.09}},          {{5, 0.7, 0.2}, {0.2, 0.2, 0.2, 0.1, 0}},
      {{4, 0, 0.5}, {0.9, 0.1, 0.1, 0.1}},          {{1, 0, 0.1, 0.5}, {0.7}},
      {{4, 0.3, 0.15, 0.4}, {0.6, 0.3, 0.3, 0.02}}, {{2, 0.2, 0.01, 3}, {0.3, 0.2}}};
  for (const auto& row : rows) {
    const FieldAverages sum = enumerated_averages(row.at, row.n);
    const FieldAverages integral = fourier_averages(row.at, row.n);
    // Rounding of a few thousand terms of order 1; the slope has a factor 1/T.
    expect_values(integral.m, sum.m, 1e-13);
    expect_values(integral.slope, sum.slope, 1e-13 / row.at.temperature);
    EXPECT_NEAR(integral.pressure, sum.pressure, 1e-13);
    for (std::size_t a = 0; a < row.n.size(); ++a) {
      for (std::size_t b = 0; b < a; ++b) {
        if (row.n[a] == row.n[b]) {
          EXPECT_EQ(integral.m[a], integral.m[b]);
        }
      }
    }
  }
}

TEST(Multitask, ManyPatternsAreSolvedToo) {
  // The parallel state solves an equation of its own, with its own sum.
  const MultitaskState many = solve_multitask({40, 0.9, 0.08}, MultitaskStart::kParallel);
  EXPECT_TRUE(many.report.converged);
  EXPECT_EQ(many.regime, MultitaskRegime::kParallel);
  EXPECT_NEAR(many.m[0], parallel_magnetisation(40, 0.9, 0.08), 1e-12);
  // Patterns beyond the first few hardly count in the hierarchy: K = 12 from its 3^12 terms at
  // T = 0, from integrals at a temperature that is low beside the gaps.
  const MultitaskState cold = solve_multitask({12, 0.3, 0.001}),
                       none = solve_multitask({12, 0.3, 0});
  EXPECT_NEAR(cold.m[0], none.m[0], 1e-6);
  EXPECT_NEAR(cold.m[1], none.m[1], 1e-6);
  EXPECT_TRUE(solve_multitask({12, 0.8, 0.08, 0.2}).report.converged);
}

TEST(Multitask, LossIsTheDistanceAndItsProductTheCost) {
  const double d = 0.4;
  const MultitaskState got = solve_multitask({3, d, 0.05});
  double product = 0;
  for (std::size_t mu = 0; mu < 3; ++mu) {
    EXPECT_GT(got.loss[mu], d / 2);
    // With the mirrored pattern's loss: L+ L- = (1 - d/2)^2 - m^2.
    product += got.loss[mu] * (2 - d - got.loss[mu]);
  }
  EXPECT_NEAR(got.energy, -(3 * (1 - d / 2) * (1 - d / 2) - product) / 2, 1e-14);
}

TEST(Multitask, LearningThresholdOfManyPatternsContainsThatOfOne) {
  const double theta = std::sqrt(0.5);
  const LearningThreshold one = learning_threshold({1, 0, 0}, theta);
  ASSERT_TRUE(one.report.converged);
  EXPECT_NEAR(one.rho, 1 / (2 * theta * theta), 1e-9);
  // Heat and rivals make learning harder; on the threshold the state has the wanted magnetisation.
  const LearningThreshold warm = learning_threshold({1, 0, 0.2}, theta);
  const LearningThreshold two = learning_threshold({2, 0.3, 0.2}, theta);
  ASSERT_TRUE(warm.report.converged && two.report.converged);
  EXPECT_LT(warm.rho, one.rho);
  EXPECT_NEAR(solve_multitask({2, 0.3, 0.2, two.rho}).m[0], 0.7 * std::erf(theta), 1e-9);
  EXPECT_FALSE(learning_threshold({1, 0, 1.2}, theta).report.converged);  // paramagnet
}

TEST(Multitask, EdgesOfTheParameters) {
  const MultitaskState empty = solve_multitask({3, 1, 0.1});
  EXPECT_EQ(empty.regime, MultitaskRegime::kParamagnet);
  EXPECT_NEAR(empty.free_energy, -0.1 * std::log(2), 1e-15);
  EXPECT_EQ(solve_multitask({2, 0.4, 0.7}).regime, MultitaskRegime::kParamagnet);
  expect_values(solve_multitask({3, 0, 0}).m, {1, 0, 0}, 0);
}

TEST(Multitask, RefusesWhatIsOutOfRange) {
  expect_refused([] { solve_multitask({0, 0.1, 0.1}); }, "1 to 100 patterns");
  expect_refused([] { solve_multitask({13, 0.1, 1e-4}); }, "1 to 12 patterns below T = 0.001");
  expect_refused([] { solve_multitask({9, 0.1, 0, 0.5}); }, "1 to 8 patterns below T = 0.001");
  expect_refused([] { learning_threshold({1, 0, 0}, 0); }, "Theta > 0");
  expect_refused([] { solve_multitask({3, 1.1, 0.1}); }, "dilution in [0, 1]");
  expect_refused([] { solve_multitask({3, std::nan(""), 0.1}); }, "dilution in [0, 1]");
  expect_refused([] { solve_multitask({3, 0.1, -1}); }, "temperature >= 0");
  expect_refused([] { solve_multitask({3, 0.1, 0.1, -1}); }, "rho >= 0");
  expect_refused([] { dataset_entropy(0, 3); }, "quality");
  expect_refused([] { parallel_edge(1, 0.8); }, "2 to 200");
}

}  // namespace
}  // namespace hopfield::theory
