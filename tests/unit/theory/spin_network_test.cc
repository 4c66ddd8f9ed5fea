#include "hopfield/theory/spin_network.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hopfield/base/error.h"
#include "hopfield/theory/simulate.h"

namespace hopfield::theory {
namespace {

using Maker = std::function<std::unique_ptr<SpinNetwork>(const SpinPatterns&)>;

struct Named {
  std::string name;
  Maker make;
};

std::vector<Named> makers() {
  return {{"hebbian", hebbian_network},
          {"pseudo-inverse", pseudo_inverse_network},
          {"storkey", storkey_network},
          {"polynomial 3", [](const SpinPatterns& p) { return polynomial_network(p, 3); }},
          {"polynomial 4", [](const SpinPatterns& p) { return polynomial_network(p, 4); }},
          {"p-spin 4", [](const SpinPatterns& p) { return p_spin_network(p, 4); }},
          {"p-spin 5", [](const SpinPatterns& p) { return p_spin_network(p, 5); }},
          {"exponential", exponential_network},
          {"multitask", [](const SpinPatterns& p) {
             RandomStream random(5, 5);
             return multitask_network(p, Learning::kUnsupervised, 0.5, 7, random);
           }}};
}

std::vector<Spin> random_spins(std::int64_t n, RandomStream& random) {
  std::vector<Spin> spins;
  for (std::int64_t i = 0; i < n; ++i) spins.push_back(random.sign());
  return spins;
}

/// The definitions, term by term.
double plain_energy(const std::string& name, const SpinPatterns& p, const std::vector<Spin>& s) {
  const double n = static_cast<double>(p.num_spins);
  double sum = 0;
  for (std::int64_t mu = 0; mu < p.num_patterns; ++mu) {
    const auto x = p.row(mu);
    const auto at = [&](std::size_t i) { return double{x[i] * 1.0} * s[i]; };
    if (name == "hebbian") {
      for (std::size_t i = 0; i < s.size(); ++i) {
        for (std::size_t j = 0; j < s.size(); ++j) sum -= i == j ? 0 : at(i) * at(j) / (2 * n);
      }
    } else if (name == "polynomial 3") {
      sum -= n * std::pow(overlap(x, s), 3);
    } else if (name == "polynomial 4") {
      sum -= n * std::pow(overlap(x, s), 4);
    } else if (name == "p-spin 4") {
      for (std::size_t i = 0; i < s.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
          for (std::size_t k = 0; k < j; ++k)
            for (std::size_t l = 0; l < k; ++l)
              sum -= 24 / (2 * n * n * n) * at(i) * at(j) * at(k) * at(l);
    } else {
      sum += std::exp(n * overlap(x, s));
    }
  }
  return name == "exponential" ? -std::log(sum) : sum;
}

TEST(SpinNetwork, EnergiesEqualTheirDefinitions) {
  RandomStream random(11, 0);
  const SpinPatterns patterns = random_patterns(4, 13, 0, random);
  for (const Named& maker : makers()) {
    if (maker.name == "pseudo-inverse" || maker.name == "storkey" || maker.name == "p-spin 5" ||
        maker.name == "multitask") {
      continue;  // tested by what they promise, below
    }
    const auto network = maker.make(patterns);
    for (int trial = 0; trial < 5; ++trial) {
      const std::vector<Spin> spins = random_spins(13, random);
      const double want = plain_energy(maker.name, patterns, spins);
      // Some 10^3 terms of order 1, each with a rounding or two.
      EXPECT_NEAR(energy(*network, spins), want, 1e-12 * (1 + std::abs(want))) << maker.name;
    }
  }
}

TEST(SpinNetwork, FieldIsHalfTheEnergyOfAFlipAndStateFollowsFlips) {
  RandomStream random(12, 0);
  const SpinPatterns patterns = random_patterns(6, 21, 0, random);
  for (const Named& maker : makers()) {
    const auto network = maker.make(patterns);
    const auto state = network->state(random_spins(21, random));
    for (int step = 0; step < 60; ++step) {
      const std::int64_t i = random.below(21);
      const double before = state->energy(), field = state->field(i);
      const int s = state->spin(i);
      state->flip(i);
      EXPECT_EQ(state->spin(i), -s);
      // Energies of order 20 with a hundred roundings; the field does not see its own spin.
      EXPECT_NEAR(state->energy() - before, 2 * s * field, 1e-11) << maker.name;
      EXPECT_NEAR(state->field(i), field, 1e-11) << maker.name;
      EXPECT_NEAR(energy(*network, state->spins()), state->energy(), 1e-11) << maker.name;
    }
  }
}

/// Sheet 6.1: the closed form for four distinct indices.
TEST(PSpin, FourDistinctIndicesHaveTheClosedForm) {
  RandomStream random(13, 0);
  const std::int64_t n = 40;
  const SpinPatterns patterns = random_patterns(1, n, 0, random);
  const auto network = p_spin_network(patterns, 4);
  for (int trial = 0; trial < 20; ++trial) {
    const std::vector<Spin> spins = random_spins(n, random);
    const double s = overlap(patterns.row(0), spins) * n, m = n;
    const double e4 = (s * s * s * s - (6 * m - 8) * s * s + 3 * m * m - 6 * m) / 24;
    EXPECT_NEAR(energy(*network, spins), -24 / (2 * m * m * m) * e4, 1e-12);
  }
}

TEST(PSpin, DistinctIndicesAreElementarySymmetricPolynomials) {
  RandomStream random(13, 1);
  const std::size_t n = 17;
  const SpinPatterns patterns = random_patterns(1, n, 0, random);
  for (const int power : {2, 3, 5, 8, 17}) {
    const auto network = p_spin_network(patterns, power);
    const std::vector<Spin> spins = random_spins(n, random);
    // Coefficients of prod (1 + x_i s_i t), one factor after another, in whole numbers.
    std::vector<double> e(n + 1, 0.0);
    e[0] = 1;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t k = i + 1; k > 0; --k) e[k] += patterns.row(0)[i] * spins[i] * e[k - 1];
    }
    const double unit = std::tgamma(power + 1.0) / (2 * std::pow(double{n}, power - 1));
    const double want = -unit * e[static_cast<std::size_t>(power)];
    // The recursion's terms are of order N; its errors stay near their roundings.
    EXPECT_NEAR(energy(*network, spins), want, 1e-12 * double{n}) << power;
  }
}

TEST(SpinNetwork, AsynchronousEnergyNeverRises) {
  RandomStream random(14, 0);
  const SpinPatterns patterns = random_patterns(12, 60, 0, random);
  for (const Named& maker : makers()) {
    const auto network = maker.make(patterns);
    for (int trial = 0; trial < 10; ++trial) {
      const SpinRetrieval end =
          retrieve(*network, random_spins(60, random), UpdateOrder::kAsynchronous, 200, random);
      EXPECT_EQ(end.stop, SpinStop::kConverged) << maker.name;
      EXPECT_LE(end.energy_rise_max, 1e-11) << maker.name;  // rounding of energies of order 60
      EXPECT_EQ(end.energies.size(), static_cast<std::size_t>(end.sweeps) + 1);
    }
  }
}

TEST(SpinNetwork, SynchronousHebbianEndsInAFixedPointOrATwoCycle) {
  RandomStream random(15, 0);
  int cycles = 0;
  for (int trial = 0; trial < 40; ++trial) {
    const auto network = hebbian_network(random_patterns(8, 40, 0, random));
    const SpinRetrieval end =
        retrieve(*network, random_spins(40, random), UpdateOrder::kSynchronous, 500, random);
    EXPECT_NE(end.stop, SpinStop::kSweeps);
    if (end.stop != SpinStop::kCycle) continue;
    ++cycles;
    const auto state = network->state(end.spins);
    EXPECT_GT(update(*state, UpdateOrder::kSynchronous, random), 0);
    EXPECT_GT(update(*state, UpdateOrder::kSynchronous, random), 0);
    EXPECT_TRUE(std::equal(end.spins.begin(), end.spins.end(), state->spins().begin()));
  }
  EXPECT_GT(cycles, 0);  // so that the case was seen
}

TEST(PseudoInverse, StoresFarMoreThanHebb) {
  RandomStream random(16, 0);
  const SpinPatterns patterns = random_patterns(40, 100, 0, random);
  const auto network = pseudo_inverse_network(patterns);
  const auto hebbian = hebbian_network(patterns);
  std::int64_t hebbian_wrong = 0;
  for (std::int64_t mu = 0; mu < 40; ++mu) {
    EXPECT_EQ(update(*network->state(patterns.row(mu)), UpdateOrder::kSynchronous, random), 0);
    hebbian_wrong += update(*hebbian->state(patterns.row(mu)), UpdateOrder::kSynchronous, random);
  }
  EXPECT_GT(hebbian_wrong, 100);
}

TEST(PseudoInverse, DependentPatternsChangeNothing) {
  RandomStream random(17, 0);
  const SpinPatterns patterns = random_patterns(3, 20, 0, random);
  SpinPatterns more = patterns;
  more.num_patterns = 4;
  for (std::size_t i = 0; i < 20; ++i)
    more.values.push_back(static_cast<Spin>(-patterns.values[i]));
  const std::vector<Spin> spins = random_spins(20, random);
  EXPECT_EQ(energy(*pseudo_inverse_network(patterns), spins),
            energy(*pseudo_inverse_network(more), spins));
}

/// Storkey 1997: capacity N / sqrt(2 ln N) against Hebb's N / (2 ln N).
TEST(Storkey, ErrsLessThanHebb) {
  RandomStream random(18, 0);
  const SpinPatterns patterns = random_patterns(30, 150, 0, random);
  std::int64_t wrong[2] = {};
  const std::unique_ptr<SpinNetwork> networks[2] = {hebbian_network(patterns),
                                                    storkey_network(patterns)};
  for (int k = 0; k < 2; ++k) {
    for (std::int64_t mu = 0; mu < 30; ++mu) {
      wrong[k] += update(*networks[k]->state(patterns.row(mu)), UpdateOrder::kSynchronous, random);
    }
  }
  EXPECT_LT(10 * wrong[1], wrong[0]);
}

TEST(SpinNetwork, LargeNetworksUseWideOverlapsWithTheSameResult) {
  // 33,000 spins no longer fit 16-bit overlaps.
  RandomStream random(19, 0);
  const std::int64_t n = 33000;
  const SpinPatterns patterns = random_patterns(3, n, 0, random);
  const auto network = hebbian_network(patterns);
  const auto state = network->state(patterns.row(1));
  double sum = 0;
  for (std::int64_t mu = 0; mu < 3; ++mu) {
    const double m = overlap(patterns.row(mu), patterns.row(1));
    sum += m * m;
  }
  EXPECT_NEAR(state->energy(), -0.5 * static_cast<double>(n) * sum + 1.5, 1e-6);
  EXPECT_EQ(update(*state, UpdateOrder::kSynchronous, random), 0);
}

TEST(SpinNetwork, BadInputIsNamed) {
  RandomStream random(20, 0);
  SpinPatterns patterns = random_patterns(2, 10, 0, random);
  const auto message = [](const std::function<void()>& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message([&] { polynomial_network(patterns, 1); }),
            "[polynomial_network] expected a power >= 2, got 1");
  EXPECT_EQ(message([&] { p_spin_network(patterns, 11); }),
            "[p_spin_network] expected a P from 2 to the number of spins, got 11");
  EXPECT_EQ(message([&] { hebbian_network(patterns)->state(std::vector<Spin>(9, 1)); }),
            "[SpinNetwork::state] expected 10 spins, got 9");
  EXPECT_EQ(message([&] { hebbian_network(patterns)->state(std::vector<Spin>(10, 2)); }),
            "[SpinNetwork::state] expected spins of -1 and +1, got 2");
  EXPECT_EQ(message([&] {
              multitask_network(patterns, Learning::kSupervised, 0, 3, random);
            }).substr(0, 40),
            "[multitask_network] expected a quality r");
  const auto network = hebbian_network(patterns);
  EXPECT_NE(message([&] { glauber_sweep(*network->state(patterns.row(0)), 0, random); }),
            "no error");
  patterns.values[13] = 0;
  EXPECT_EQ(message([&] { hebbian_network(patterns); }),
            "[hebbian_network] expected entries of -1 and +1, got 0 in pattern 1, spin 3");
  patterns.values.pop_back();
  EXPECT_EQ(message([&] { hebbian_network(patterns); }),
            "[hebbian_network] expected patterns of shape [2, 10], got 19 entries");
}

/// Glauber dynamics samples exp(-E/T): all 2^5 states of a small network are visited as often.
TEST(Glauber, VisitsStatesWithBoltzmannsFrequency) {
  RandomStream random(21, 0);
  const auto network = hebbian_network(random_patterns(2, 5, 0, random));
  const double temperature = 0.7;
  std::vector<double> weight(32), seen(32, 0.0);
  double total = 0;
  for (unsigned code = 0; code < 32; ++code) {
    std::vector<Spin> spins;
    for (unsigned i = 0; i < 5; ++i) spins.push_back((code >> i & 1u) != 0 ? 1 : -1);
    weight[code] = std::exp(-energy(*network, spins) / temperature);
    total += weight[code];
  }
  const auto state = network->state(std::vector<Spin>(5, 1));
  constexpr int kSweeps = 20000;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    glauber_sweep(*state, temperature, random);
    unsigned code = 0;
    for (unsigned i = 0; i < 5; ++i) code |= (state->spins()[i] == 1 ? 1u : 0u) << i;
    seen[code] += 1.0 / kSweeps;
  }
  for (unsigned code = 0; code < 32; ++code) {
    const double p = weight[code] / total;
    // Five standard errors of kSweeps / 4 independent states: sweeps of 5 spins are correlated.
    EXPECT_NEAR(seen[code], p, 5 * std::sqrt(p * 4 / kSweeps)) << code;
  }
}

TEST(SpinNetwork, ExactRecallIsCountedRowByRow) {
  RandomStream random(3, 0);
  const SpinPatterns patterns = random_patterns(3, 200, 0, random);  // far below 0.138 N
  const auto network = hebbian_network(patterns);
  SpinPatterns starts = patterns;
  for (std::size_t i = 0; i < 20; ++i) starts.values[i] = static_cast<Spin>(-starts.values[i]);
  for (std::size_t i = 400; i < 600; ++i) starts.values[i] = static_cast<Spin>(-starts.values[i]);
  // The last start is the pattern turned over, which is a fixed point of its own.
  EXPECT_EQ(recalled_exactly(*network, patterns, starts, 50, 1),
            (std::vector<std::uint8_t>{1, 1, 0}));
  starts.num_patterns = 2;
  EXPECT_THROW(recalled_exactly(*network, patterns, starts, 50, 1), Error);
}

}  // namespace
}  // namespace hopfield::theory
