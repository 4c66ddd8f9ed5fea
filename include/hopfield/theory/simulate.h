#ifndef HOPFIELD_THEORY_SIMULATE_H_
#define HOPFIELD_THEORY_SIMULATE_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hopfield/base/executor.h"
#include "hopfield/theory/random.h"
#include "hopfield/theory/spin_network.h"

namespace hopfield::theory {

/// Independent repetitions, one random stream each: replica r draws from RandomStream(seed, r).
struct ReplicaOptions {
  std::int64_t num_replicas = 8;  ///< >= 1
  std::uint64_t seed = 0;
  Executor* executor = nullptr;                     ///< null: default_executor()
  std::function<bool()> cancelled = {};             ///< true ends the work with kCancelled
  std::function<void(std::int64_t)> progress = {};  ///< replicas done; on the caller's thread
};

struct Estimate {
  double mean = 0;
  double standard_error = 0;  ///< of the mean over replicas; NaN for a single one
};

/// Calls sample(stream of r) for every replica and returns what they gave, in the order of the
/// replicas: the same numbers for any executor.
std::vector<std::vector<double>> replicate(
    const ReplicaOptions& options, const std::function<std::vector<double>(RandomStream&)>& sample);

/// Mean and standard error of each column; rows of equal size. Summed in order.
std::vector<Estimate> estimates(const std::vector<std::vector<double>>& samples);

enum class NetworkKind : std::uint8_t {
  kHebbian,
  kPseudoInverse,
  kStorkey,
  kPolynomial,  ///< all index tuples
  kPSpin,       ///< distinct indices
  kExponential,
  kMultitask,
};
std::string_view network_name(NetworkKind kind);  ///< "hebbian", "pseudo-inverse", ...

/// A network of random patterns and what is done with it.
struct Simulation {
  NetworkKind kind = NetworkKind::kHebbian;
  std::int64_t num_spins = 1000, num_patterns = 100;
  int power = 4;                  ///< kPolynomial, kPSpin
  double dilution = 0;            ///< kMultitask
  double quality = 1;             ///< kMultitask: r of the examples
  std::int64_t num_examples = 0;  ///< kMultitask: 0 learns from the patterns themselves
  Learning learning = Learning::kSupervised;

  /// 0: updates until nothing changes, at most `sweeps`. > 0: Glauber dynamics of `sweeps` sweeps.
  double temperature = 0;
  double flipped = 0;  ///< fraction of spins of the first pattern that the start has wrong
  UpdateOrder order = UpdateOrder::kAsynchronous;
  std::int64_t sweeps = 50, discard = 15;
};

/// Builds the network of a replica. Errors: kInvalidArgument as the makers of spin_network.h.
std::unique_ptr<SpinNetwork> make_network(const Simulation& simulation,
                                          const SpinPatterns& patterns, RandomStream& random);

/// `pattern` with exactly round(fraction * N) spins turned over; 0 becomes a random spin.
std::vector<Spin> damaged(std::span<const Spin> pattern, double fraction, RandomStream& random);

struct Observable {
  std::string name;
  Estimate estimate;
  /// What theory says for N -> infinity; NaN where the library knows nothing.
  double theory = std::numeric_limits<double>::quiet_NaN();
  /// (mean - theory) / standard error; NaN without either.
  double z() const;
};

/// What one replica measures, in the order of simulate():
///   temperature 0   one_step_error   spins of the undamaged first pattern that one update changes
///                   overlap          of the final state with that pattern
///                   recovered        1 if they are equal
///                   converged        1 if nothing moved any more
///                   energy           per spin, final
///                   energy_rise      largest rise in a sweep
///   temperature > 0 overlap, energy: means over the counted sweeps
///   multitask       overlap_1, ..., overlap_K (sorted |m|, largest first), energy; the start takes
///                   every spin from the first pattern whose entry is not 0
/// Theory: one_step_error of the Hebbian and polynomial networks (bound.h); overlap of the Hebbian
/// and, even P, P-spin networks from an undamaged pattern, replica-symmetric (dense.h); all of a
/// multitasking network of at most 8 patterns (multitask.h), but no energy of unsupervised
/// learning. Errors: kInvalidArgument, kCancelled. Threads: replicas run on the executor.
std::vector<Observable> simulate(const Simulation& simulation, const ReplicaOptions& options);

/// K for a load alpha: alpha N^(n-1) in whole numbers for quadratic (n = 2) and polynomial
/// energies, (2 alpha / P!) N^(P-1) for kPSpin (alpha is then the gamma of replica theory),
/// exp(alpha N) + 1 for kExponential. At least 1. Errors: kInvalidArgument (alpha < 0, more than
/// 10^9 patterns).
std::int64_t num_patterns_at_load(NetworkKind kind, double alpha, std::int64_t num_spins,
                                  int power);

}  // namespace hopfield::theory

#endif  // HOPFIELD_THEORY_SIMULATE_H_
