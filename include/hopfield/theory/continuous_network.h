#ifndef HOPFIELD_THEORY_CONTINUOUS_NETWORK_H_
#define HOPFIELD_THEORY_CONTINUOUS_NETWORK_H_

#include <cstdint>
#include <span>
#include <vector>

#include "hopfield/memory/retrieve.h"
#include "hopfield/theory/simulate.h"

namespace hopfield::theory {

/// The modern continuous network over S patterns in R^d, in double precision:
///   E(xi) = -Omega*(beta X^T xi)/beta + |xi|^2/2 + log(S)/beta + M^2/2,  xi <- X grad Omega*,
/// Omega* = log sum exp for kSoftmax, its Fenchel-Young relatives for kSparsemax and kEntmax15.
/// For these three every update lowers the energy by at least half its squared length.
/// Threads: const after construction. Source: arXiv:2008.02217, eq. 2 and 3; arXiv:2402.13725.
class ContinuousNetwork {
 public:
  /// patterns [S, depth], row-major. Errors: kInvalidArgument (S or depth 0, a number that is not
  /// finite, beta <= 0, another separation).
  ContinuousNetwork(std::vector<double> patterns, std::int64_t depth, double beta,
                    Separation separation = Separation::kSoftmax);

  std::int64_t num_patterns() const { return num_patterns_; }
  std::int64_t depth() const { return depth_; }
  double beta() const { return beta_; }
  Separation separation() const { return separation_; }
  std::span<const double> patterns() const { return patterns_; }
  std::span<const double> pattern(std::int64_t i) const;
  double norm_max() const { return norm_max_; }  ///< M

  /// One update of states [T, depth], and the energies of the states before it.
  struct Step {
    std::vector<double> states;    ///< [T, depth]
    std::vector<double> energies;  ///< [T]
  };
  Step step(std::span<const double> states, Executor* executor = nullptr) const;
  std::vector<double> update(std::span<const double> states, Executor* executor = nullptr) const;
  std::vector<double> energy(std::span<const double> states, Executor* executor = nullptr) const;
  /// Weights [T, S] that the update gives the patterns.
  std::vector<double> associations(std::span<const double> states,
                                   Executor* executor = nullptr) const;

  struct Retrieval {
    std::vector<double> states;       ///< [T, depth]
    std::vector<std::int64_t> steps;  ///< [T]
    std::vector<StopReason> reason;   ///< [T]
  };
  /// Updates every state until it moves by at most `eps` (> 0) or `steps_max` (>= 1) were made. A
  /// rounding cycle (kCycle) stands still, too, as far as double precision can.
  Retrieval retrieve(std::span<const double> states, double eps, std::int64_t steps_max,
                     Executor* executor = nullptr) const;

 private:
  Associations associations_of(std::span<const double> states) const;

  std::vector<double> patterns_;
  std::int64_t num_patterns_, depth_;
  double beta_, norm_max_ = 0;
  Separation separation_;
};

/// The way of states [T, depth] downhill.
struct Descent {
  std::int64_t num_states = 0;
  std::vector<std::vector<double>> states;    ///< [steps + 1] of [T, depth]
  std::vector<std::vector<double>> energies;  ///< [steps + 1] of [T]
  double rise_max = 0;                        ///< largest E_{t+1} - E_t that was seen
  double balance_max = 0;  ///< largest E_{t+1} - E_t + |step|^2/2; <= 0 but for rounding
};
/// Makes `steps` >= 1 updates. Errors: kInvalidArgument.
Descent descend(const ContinuousNetwork& network, std::span<const double> starts,
                std::int64_t steps, Executor* executor = nullptr);

/// Random patterns on the sphere of radius k sqrt(depth - 1); the cue lies `distance` away from the
/// first one, in a random direction.
struct ContinuousSimulation {
  std::int64_t num_patterns = 100, depth = 16;  ///< depth >= 2
  double beta = 1, k = 1, distance = 0;
  Separation separation = Separation::kSoftmax;
  double eps = 1e-9;
  std::int64_t steps_max = 10000;
};
/// Per replica: one_step_error |f(xi) - x_1|, error |xi* - x_1|, largest (association of x_1 in the
/// first update), steps, converged, balance (see Descent, of the first update). Errors:
/// kInvalidArgument, kCancelled.
std::vector<Observable> simulate(const ContinuousSimulation& simulation,
                                 const ReplicaOptions& options);

}  // namespace hopfield::theory

#endif  // HOPFIELD_THEORY_CONTINUOUS_NETWORK_H_
