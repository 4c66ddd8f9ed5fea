#include "hopfield/theory/simulate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "hopfield/base/error.h"
#include "hopfield/theory/bound.h"
#include "hopfield/theory/dense.h"
#include "hopfield/theory/multitask.h"

namespace hopfield::theory {
namespace {

constexpr const char* kOp = "simulate";

void validate(const Simulation& s) {
  const bool multitask = s.kind == NetworkKind::kMultitask;
  require(s.num_spins >= 1 && s.num_patterns >= 1, kOp,
          "expected at least one spin and one pattern, got " + std::to_string(s.num_spins) +
              " and " + std::to_string(s.num_patterns));
  require(s.num_patterns <= std::int64_t{2'000'000'000} / s.num_spins, kOp,
          "expected num_spins * num_patterns <= 2e9, got " + std::to_string(s.num_spins) + " * " +
              std::to_string(s.num_patterns));
  require(s.temperature >= 0 && std::isfinite(s.temperature), kOp,
          "expected a temperature >= 0, got " + std::to_string(s.temperature));
  require(s.flipped >= 0 && s.flipped <= 1, kOp,
          "expected a flipped fraction from 0 to 1, got " + std::to_string(s.flipped));
  require(multitask || (s.dilution == 0 && s.num_examples == 0), kOp,
          "expected dilution and examples for the multitasking network only");
  require(!multitask || s.flipped == 0, kOp,
          "expected no flipped spins for the multitasking network; its start is made of all "
          "patterns");
  require(s.sweeps >= 1 && (s.temperature == 0 || (s.discard >= 0 && s.discard < s.sweeps)), kOp,
          "expected 0 <= discard < sweeps, got " + std::to_string(s.discard) + " and " +
              std::to_string(s.sweeps));
  require(s.num_examples >= 0, kOp,
          "expected num_examples >= 0, got " + std::to_string(s.num_examples));
}

/// Every spin from the first pattern that says something about it.
std::vector<Spin> hierarchical_start(const SpinPatterns& patterns, RandomStream& random) {
  std::vector<Spin> spins(static_cast<std::size_t>(patterns.num_spins), 0);
  for (std::size_t i = 0; i < spins.size(); ++i) {
    for (std::int64_t mu = 0; mu < patterns.num_patterns && spins[i] == 0; ++mu) {
      spins[i] = patterns.row(mu)[i];
    }
    if (spins[i] == 0) spins[i] = random.sign();
  }
  return spins;
}

double one_step_error(const SpinNetwork& network, std::span<const Spin> pattern) {
  const std::unique_ptr<SpinState> state = network.state(pattern);
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < network.num_spins(); ++i) {
    wrong += state->field(i) * state->spin(i) < 0;
  }
  return static_cast<double>(wrong) / static_cast<double>(network.num_spins());
}

std::vector<std::string> observable_names(const Simulation& s) {
  if (s.temperature > 0 || s.kind == NetworkKind::kMultitask) {
    std::vector<std::string> names;
    if (s.kind != NetworkKind::kMultitask) {
      names.push_back("overlap");
    } else {
      for (std::int64_t mu = 1; mu <= s.num_patterns; ++mu) {
        names.push_back("overlap_" + std::to_string(mu));
      }
    }
    names.push_back("energy");
    return names;
  }
  return {"one_step_error", "overlap", "recovered", "converged", "energy", "energy_rise"};
}

std::vector<double> sample_multitask(const Simulation& s, RandomStream& random) {
  const SpinPatterns patterns = random_patterns(s.num_patterns, s.num_spins, s.dilution, random);
  const std::unique_ptr<SpinNetwork> network = make_network(s, patterns, random);
  const std::vector<Spin> start = hierarchical_start(patterns, random);
  std::vector<double> result;
  double energy_per_spin = 0;
  if (s.temperature > 0) {
    GlauberAverages averages =
        theory::simulate(*network, start, patterns, {s.temperature, s.sweeps, s.discard}, random);
    result = std::move(averages.overlaps);
    energy_per_spin = averages.energy;
  } else {
    const SpinRetrieval end = retrieve(*network, start, s.order, s.sweeps, random);
    for (std::int64_t mu = 0; mu < s.num_patterns; ++mu) {
      result.push_back(overlap(patterns.row(mu), end.spins));
    }
    energy_per_spin = end.energies.back() / static_cast<double>(s.num_spins);
  }
  for (double& m : result) m = std::abs(m);
  std::sort(result.begin(), result.end(), std::greater<>());
  result.push_back(energy_per_spin);
  return result;
}

std::vector<double> sample_one(const Simulation& s, RandomStream& random) {
  if (s.kind == NetworkKind::kMultitask) return sample_multitask(s, random);
  const SpinPatterns patterns = random_patterns(s.num_patterns, s.num_spins, 0, random);
  const std::unique_ptr<SpinNetwork> network = make_network(s, patterns, random);
  const std::vector<Spin> start = damaged(patterns.row(0), s.flipped, random);
  if (s.temperature > 0) {
    const SpinPatterns first{1, s.num_spins, {patterns.row(0).begin(), patterns.row(0).end()}};
    const GlauberAverages averages =
        theory::simulate(*network, start, first, {s.temperature, s.sweeps, s.discard}, random);
    return {averages.overlaps[0], averages.energy};
  }
  const SpinRetrieval end = retrieve(*network, start, s.order, s.sweeps, random);
  const double m = overlap(patterns.row(0), end.spins);
  return {one_step_error(*network, patterns.row(0)),
          m,
          m == 1 ? 1.0 : 0.0,
          end.stop == SpinStop::kConverged ? 1.0 : 0.0,
          end.energies.back() / static_cast<double>(s.num_spins),
          end.energy_rise_max};
}

/// By the observables' names.
std::map<std::string, double> theory_of(const Simulation& s) {
  std::map<std::string, double> values;
  const double n = static_cast<double>(s.num_spins), k = static_cast<double>(s.num_patterns);
  if (s.kind == NetworkKind::kHebbian) values["one_step_error"] = classical_bit_error(k / n);
  if (s.kind == NetworkKind::kPolynomial) {
    values["one_step_error"] = polynomial_bit_error(s.num_spins, s.power, k);
  }
  const bool p_spin = s.kind == NetworkKind::kPSpin && s.power % 2 == 0;
  if (s.flipped == 0 && (s.kind == NetworkKind::kHebbian || p_spin)) {
    const int p = p_spin ? s.power : 2;
    // K = (2 gamma / P!) N^(P-1); for P = 2 gamma is K / N.
    const double gamma = k * std::tgamma(p + 1.0) / 2 / std::pow(n, p - 1);
    values["overlap"] =
        solve_dense({p, gamma, s.temperature}, Ansatz::kReplicaSymmetric, Branch::kRetrieval).m;
  }
  constexpr std::int64_t kPatternsMax = 8;  // that solve_multitask takes at any temperature
  if (s.kind == NetworkKind::kMultitask && s.num_patterns <= kPatternsMax) {
    const double rho =
        s.num_examples == 0 ? 0 : dataset_entropy(s.quality, static_cast<double>(s.num_examples));
    MultitaskState state =
        solve_multitask({static_cast<int>(s.num_patterns), s.dilution, s.temperature, rho});
    if (!state.report.converged) return values;
    std::sort(state.m.begin(), state.m.end(), std::greater<>());
    for (std::size_t mu = 0; mu < state.m.size(); ++mu) {
      values["overlap_" + std::to_string(mu + 1)] = state.m[mu];
    }
    const bool same_energy = s.num_examples == 0 || s.learning == Learning::kSupervised;
    if (same_energy) values["energy"] = state.energy;
  }
  return values;
}

}  // namespace

double Observable::z() const {
  const double distance = (estimate.mean - theory) / estimate.standard_error;
  return std::isfinite(distance) ? distance : std::numeric_limits<double>::quiet_NaN();
}

std::vector<std::vector<double>> replicate(
    const ReplicaOptions& options,
    const std::function<std::vector<double>(RandomStream&)>& sample) {
  require(options.num_replicas >= 1, "replicate",
          "expected at least one replica, got " + std::to_string(options.num_replicas));
  Executor& executor = options.executor != nullptr ? *options.executor : default_executor();
  std::vector<std::vector<double>> samples(static_cast<std::size_t>(options.num_replicas));
  // In batches, so that progress is told from the caller's thread.
  const std::int64_t batch = 4 * static_cast<std::int64_t>(executor.concurrency());
  for (std::int64_t first = 0; first < options.num_replicas; first += batch) {
    if (options.progress) options.progress(first);
    executor.run(std::min(batch, options.num_replicas - first), [&](std::int64_t k) {
      if (options.cancelled && options.cancelled()) {
        fail(ErrorCode::kCancelled, "replicate", "interrupted; nothing was written");
      }
      const std::int64_t replica = first + k;
      RandomStream random(options.seed, static_cast<std::uint64_t>(replica));
      samples[static_cast<std::size_t>(replica)] = sample(random);
    });
  }
  return samples;
}

std::vector<Estimate> estimates(const std::vector<std::vector<double>>& samples) {
  require(!samples.empty(), "estimates", "expected at least one sample, got none");
  const double n = static_cast<double>(samples.size());
  std::vector<Estimate> result(samples[0].size());
  for (std::size_t column = 0; column < result.size(); ++column) {
    double sum = 0;
    for (const auto& row : samples) sum += row[column];
    const double mean = sum / n;
    double square = 0;
    for (const auto& row : samples) square += (row[column] - mean) * (row[column] - mean);
    result[column] = {mean, samples.size() > 1 ? std::sqrt(square / (n - 1) / n)
                                               : std::numeric_limits<double>::quiet_NaN()};
  }
  return result;
}

std::string_view network_name(NetworkKind kind) {
  switch (kind) {
    case NetworkKind::kHebbian:
      return "hebbian";
    case NetworkKind::kPseudoInverse:
      return "pseudo-inverse";
    case NetworkKind::kStorkey:
      return "storkey";
    case NetworkKind::kPolynomial:
      return "polynomial";
    case NetworkKind::kPSpin:
      return "p-spin";
    case NetworkKind::kExponential:
      return "exponential";
    case NetworkKind::kMultitask:
      return "multitask";
  }
  return "?";
}

std::unique_ptr<SpinNetwork> make_network(const Simulation& s, const SpinPatterns& patterns,
                                          RandomStream& random) {
  switch (s.kind) {
    case NetworkKind::kHebbian:
      return hebbian_network(patterns);
    case NetworkKind::kPseudoInverse:
      return pseudo_inverse_network(patterns);
    case NetworkKind::kStorkey:
      return storkey_network(patterns);
    case NetworkKind::kPolynomial:
      return polynomial_network(patterns, s.power);
    case NetworkKind::kPSpin:
      return p_spin_network(patterns, s.power);
    case NetworkKind::kExponential:
      return exponential_network(patterns);
    case NetworkKind::kMultitask:
      return s.num_examples == 0
                 ? multitask_network(patterns)
                 : multitask_network(patterns, s.learning, s.quality, s.num_examples, random);
  }
  fail(ErrorCode::kInternal, "make_network", "unknown kind of network");
}

std::vector<Spin> damaged(std::span<const Spin> pattern, double fraction, RandomStream& random) {
  require(fraction >= 0 && fraction <= 1, "damaged",
          "expected a fraction from 0 to 1, got " + std::to_string(fraction));
  std::vector<Spin> spins(pattern.begin(), pattern.end());
  for (Spin& s : spins) {
    if (s == 0) s = random.sign();
  }
  std::vector<std::int32_t> order(spins.size());
  std::iota(order.begin(), order.end(), 0);
  random.shuffle(order);
  order.resize(
      static_cast<std::size_t>(std::llround(fraction * static_cast<double>(spins.size()))));
  for (const std::int32_t i : order) {
    Spin& s = spins[static_cast<std::size_t>(i)];
    s = static_cast<Spin>(-s);
  }
  return spins;
}

std::vector<Observable> simulate(const Simulation& simulation, const ReplicaOptions& options) {
  validate(simulation);
  const std::vector<std::string> names = observable_names(simulation);
  const std::vector<Estimate> means = estimates(
      replicate(options, [&](RandomStream& random) { return sample_one(simulation, random); }));
  const std::map<std::string, double> theory = theory_of(simulation);
  std::vector<Observable> result;
  for (std::size_t k = 0; k < names.size(); ++k) {
    result.push_back({names[k], means[k]});
    const auto known = theory.find(names[k]);
    if (known != theory.end()) result.back().theory = known->second;
  }
  return result;
}

std::int64_t num_patterns_at_load(NetworkKind kind, double alpha, std::int64_t num_spins,
                                  int power) {
  constexpr const char* kLoad = "num_patterns_at_load";
  require(alpha >= 0 && std::isfinite(alpha) && num_spins >= 1, kLoad,
          "expected a load >= 0 and at least one spin, got " + std::to_string(alpha) + " and " +
              std::to_string(num_spins));
  const double n = static_cast<double>(num_spins);
  double count = alpha * n;
  if (kind == NetworkKind::kPolynomial) count = alpha * std::pow(n, power - 1);
  if (kind == NetworkKind::kPSpin) {
    count = 2 * alpha / std::tgamma(power + 1.0) * std::pow(n, power - 1);
  }
  if (kind == NetworkKind::kExponential) count = std::exp(alpha * n) + 1;
  require(count <= 1e9, kLoad,
          "expected at most 1e9 patterns, got a load that asks for " + std::to_string(count));
  return std::max<std::int64_t>(1, std::llround(count));
}

}  // namespace hopfield::theory
