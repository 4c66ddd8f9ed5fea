// The iteration against the check values of docs/math/retrieve.md: exactly solvable networks.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/unit/memory/problem.h"

namespace hopfield {
namespace {

using testing::distance;
using testing::norm;
using testing::Portable;
using testing::run_retrieve;
using testing::Updates;

struct Row {
  int d, n;
  double beta, energy0, energy1, energy_end, v_first;
  int steps;
  double norm_end, largest;
};

class PortableProblem : public ::testing::TestWithParam<Row> {};

// Printed with ten digits; one unit of the last digit is allowed.
TEST_P(PortableProblem, ReachesThePublishedFixedPointInThePublishedSteps) {
  const Row row = GetParam();
  const Portable problem(row.d, row.n, row.beta);
  const Updates until({-1}, {1e-10}, StopCriterion::kState);
  const auto got = run_retrieve<double>(problem.associations(), until.options, 40);
  EXPECT_EQ(got.steps[0], row.steps);
  EXPECT_EQ(got.reason[0], StopReason::kConverged);
  EXPECT_NEAR(got.energies[0], row.energy0, 1e-10);
  EXPECT_NEAR(got.energies[1], row.energy1, 1e-10);
  EXPECT_NEAR(got.energies[39], row.energy_end, 1e-10);
  EXPECT_NEAR(norm(got.final_state), row.norm_end, 1e-10);

  Associations in = problem.associations();
  in.states = pattern_view(got.final_state.data(), 1, row.d);
  std::vector<double> largest(1);
  AssociateOutputs<double> out;
  out.largest = largest;
  associate(in, out);
  EXPECT_NEAR(largest[0], row.largest, 1e-10);

  const Updates none({0});
  const auto first = run_retrieve<double>(problem.associations(), none.options);
  double projected = 0;
  for (std::size_t k = 0; k < problem.v.size(); ++k) projected += problem.v[k] * first.state[k];
  EXPECT_NEAR(projected, row.v_first, 1e-10);
}

INSTANTIATE_TEST_SUITE_P(FixedPoints, PortableProblem,
                         ::testing::Values(Row{6, 5, 1.0, 2.8695648946, 1.6436452667, 1.2458523266,
                                               0.5902365298, 31, 1.3130265787, 0.4547420522},
                                           Row{6, 5, 0.35, 3.2209490565, 1.5275757104, 1.4780230943,
                                               0.1085388149, 24, 0.6376485055, 0.2447274279},
                                           Row{8, 12, 0.25, 5.9428672097, 4.3919987165,
                                               4.3085857050, 0.1065785715, 22, 0.2296385351,
                                               0.0869942993}));

TEST(FixedPoints, AsManyAsPublishedAreReachedFromThePatterns) {
  const std::vector<std::pair<double, int>> expected = {{0.1, 1}, {0.5, 1}, {1, 2},  {2, 3}, {3, 4},
                                                        {5, 4},   {10, 4},  {20, 4}, {50, 5}};
  for (const auto& [beta, count] : expected) {
    const Portable problem(6, 5, beta);
    Associations in = problem.associations();
    in.states = in.stored;  // every pattern is a start
    const Updates until({-1}, {1e-12}, StopCriterion::kState);
    const auto got = run_retrieve<double>(in, until.options);
    std::vector<std::vector<double>> found;
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(got.reason[i], StopReason::kConverged) << "beta " << beta << " start " << i;
      const std::vector<double> point(got.final_state.data() + 6 * i,
                                      got.final_state.data() + 6 * (i + 1));
      const bool known = std::any_of(found.begin(), found.end(),
                                     [&](const auto& f) { return distance(f, point) < 1e-6; });
      if (!known) found.push_back(point);
    }
    EXPECT_EQ(static_cast<int>(found.size()), count) << "beta " << beta;
  }
}

/// xi = s x for the pair x, -x with s = tanh(beta M^2 s).
TEST(FixedPoints, AntipodalPairMagnetisesAsTanhSays) {
  const double root3 = std::sqrt(3.0);
  const std::vector<double> x = {1, -1, 1, -1, 1, -1};  // rows x and -x of norm sqrt 3
  const std::vector<double> start = {0.3, -0.2, 0.1};
  for (const auto& [strength, magnetisation] :
       {std::pair{1.352, 0.78740967}, {2.535, 0.98664469}, {0.9, 0.0}}) {
    const double beta = strength / 3;
    Associations in;
    in.stored = pattern_view(x.data(), 2, 3);
    in.states = pattern_view(start.data(), 1, 3);
    in.beta = {&beta, 1};
    const Updates until({-1}, {1e-13}, StopCriterion::kState);
    const auto got = run_retrieve<double>(in, until.options);
    EXPECT_EQ(got.reason[0], StopReason::kConverged);
    EXPECT_NEAR(norm(got.final_state) / root3, magnetisation, 1e-8) << "beta M^2 = " << strength;
  }
}

/// N orthonormal patterns: the mean-field Potts model.
class Potts {
 public:
  explicit Potts(int n) : n_(n), x_(static_cast<std::size_t>(n * n), 0.0) {
    for (int i = 0; i < n; ++i) x_[static_cast<std::size_t>(i * n + i)] = 1;
  }
  testing::Retrieved<double> run(double beta, const std::vector<double>& start,
                                 std::int64_t energies = 0) const {
    Associations in;
    in.stored = pattern_view(x_.data(), n_, n_);
    in.states = pattern_view(start.data(), 1, n_);
    in.beta = {&beta, 1};
    const Updates until({-1}, {1e-13}, StopCriterion::kState, 100000);
    const auto got = run_retrieve<double>(in, until.options, energies);
    EXPECT_EQ(got.reason[0], StopReason::kConverged);
    return got;
  }
  std::vector<double> pattern(int i) const {
    std::vector<double> e(static_cast<std::size_t>(n_), 0.0);
    e[static_cast<std::size_t>(i)] = 1;
    return e;
  }
  std::vector<double> mean() const {
    return std::vector<double>(static_cast<std::size_t>(n_), 1.0 / n_);
  }

 private:
  int n_;
  std::vector<double> x_;
};

struct PottsRow {
  int n;
  double beta_s, q_s, beta_c;
};

class PottsModel : public ::testing::TestWithParam<PottsRow> {};

TEST_P(PottsModel, RetrievalAppearsAtTheSpinodal) {
  const auto [n, beta_s, q_s, beta_c] = GetParam();
  const Potts potts(n);
  // The branch opens like a square root: at 1e-3 above, q is within some 0.05 of q_s.
  EXPECT_NEAR(potts.run(beta_s + 1e-3, potts.pattern(0)).final_state[0], q_s, 0.05);
  EXPECT_GT(potts.run(beta_s + 1e-3, potts.pattern(0)).final_state[0], q_s);
  EXPECT_NEAR(potts.run(beta_s - 1e-3, potts.pattern(0)).final_state[0], 1.0 / n, 1e-9);
}

TEST_P(PottsModel, EnergiesCrossWherePublished) {
  const auto [n, beta_s, q_s, beta_c] = GetParam();
  const Potts potts(n);
  const auto energy = [&](double beta, const std::vector<double>& start) {
    return potts.run(beta, start, 1).energies.back();
  };
  const auto last_energy = [&](double beta) {
    const auto end = potts.run(beta, potts.pattern(0));
    return energy(beta, end.final_state);
  };
  const double exact = 2.0 * (n - 1) * std::log(n - 1) / (n - 2);
  EXPECT_NEAR(exact, beta_c, 1e-6);
  EXPECT_NEAR(potts.run(exact, potts.pattern(0)).final_state[0], (n - 1.0) / n, 1e-9);
  EXPECT_NEAR(last_energy(exact), energy(exact, potts.mean()), 1e-11);
  EXPECT_GT(last_energy(exact - 1e-3), energy(exact - 1e-3, potts.mean()));
  EXPECT_LT(last_energy(exact + 1e-3), energy(exact + 1e-3, potts.mean()));
}

TEST_P(PottsModel, TheAverageIsLostAtBetaN) {
  const int n = GetParam().n;
  const Potts potts(n);
  std::vector<double> start = potts.mean();
  start[0] += 1e-3;
  start[1] -= 1e-3;
  EXPECT_NEAR(distance(potts.run(0.97 * n, potts.mean()).final_state, potts.mean()), 0, 1e-12);
  EXPECT_NEAR(distance(potts.run(0.90 * n, start).final_state, potts.mean()), 0, 1e-9);
  EXPECT_GT(distance(potts.run(1.03 * n, start).final_state, potts.mean()), 0.3);
}

INSTANTIATE_TEST_SUITE_P(FixedPoints, PottsModel,
                         ::testing::Values(PottsRow{3, 2.745644, 0.5848, 2.772589},
                                           PottsRow{8, 4.249799, 0.710019, 4.540457},
                                           PottsRow{64, 6.924585, 0.828395, 8.419919}));

TEST(FixedPoints, BasinOfAnOrthonormalPatternEndsHalfwayToTheNext) {
  const Potts potts(8);
  for (const double beta : {7.0, 9.0, 12.0, 20.0}) {
    for (const double radius : {0.7071, 0.70715}) {
      std::vector<double> start = potts.pattern(0);
      start[0] -= radius / std::sqrt(2.0);
      start[1] += radius / std::sqrt(2.0);
      const auto end = potts.run(beta, start).final_state;
      const bool stays = radius < 1 / std::sqrt(2.0);
      EXPECT_EQ(end[0] > 0.9, stays) << "beta " << beta << " radius " << radius;
      EXPECT_EQ(end[1] > 0.9, !stays) << "beta " << beta << " radius " << radius;
    }
  }
}

/// E(xi') <= E(xi) - c |xi' - xi|^2 with c = 1/2 (dot product) or 1 (squared distance): the update
/// is a concave-convex step, docs/math/retrieve.md.
TEST(Energy, FallsByHalfTheSquaredStepAtLeast) {
  testing::Numbers numbers(11);
  for (const Similarity similarity : {Similarity::kDot, Similarity::kNegativeSquaredDistance}) {
    for (const Separation separation :
         {Separation::kSoftmax, Separation::kSparsemax, Separation::kEntmax15,
          Separation::kTopKSoftmax, Separation::kMax}) {
      for (int round = 0; round < 20; ++round) {
        const std::int64_t n = 1 + numbers.below(30), d = 1 + numbers.below(9);
        const auto x = numbers.vector<double>(n * d), xi = numbers.vector<double>(5 * d);
        const double beta = std::exp(numbers.between(-2, 2));
        Associations in;
        in.stored = pattern_view(x.data(), n, d);
        in.states = pattern_view(xi.data(), 5, d);
        in.beta = {&beta, 1};
        in.similarity = similarity;
        in.separation = separation;
        in.top_k = 3;
        std::vector<double> before = xi;
        const Updates ten({10}, {1e-300});
        const auto trace = run_retrieve<double>(in, ten.options, 11);
        for (int t = 1; t <= 10; ++t) {
          const Updates some({t}, {1e-300});
          const auto after = run_retrieve<double>(in, some.options).final_state;
          for (int r = 0; r < 5; ++r) {
            double square = 0;
            for (std::int64_t k = r * d; k < (r + 1) * d; ++k) {
              const auto i = static_cast<std::size_t>(k);
              square += (after[i] - before[i]) * (after[i] - before[i]);
            }
            const double* energies = trace.energies.data() + r * 11;
            const double drop = energies[t] - energies[t - 1];
            const double factor = similarity == Similarity::kDot ? 0.5 : 1.0;
            EXPECT_LE(drop + factor * square, 1e-12 * (1 + square))
                << "seed 11, similarity " << int(similarity) << " separation " << int(separation)
                << " round " << round << " step " << t;
          }
          before = after;
        }
      }
    }
  }
}

}  // namespace
}  // namespace hopfield
