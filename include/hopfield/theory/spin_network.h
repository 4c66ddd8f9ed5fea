#ifndef HOPFIELD_THEORY_SPIN_NETWORK_H_
#define HOPFIELD_THEORY_SPIN_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "hopfield/base/executor.h"
#include "hopfield/theory/random.h"

// Networks of N spins s_i = -1 or +1. docs/math/networks.md has the formulas and the sources.
namespace hopfield::theory {

using Spin = std::int8_t;

/// Patterns [K, N], row-major, entries -1, +1 or (diluted) 0.
struct SpinPatterns {
  std::int64_t num_patterns = 0, num_spins = 0;
  std::vector<Spin> values;

  std::span<const Spin> row(std::int64_t pattern) const {
    return std::span(values).subspan(static_cast<std::size_t>(pattern * num_spins),
                                     static_cast<std::size_t>(num_spins));
  }
};

/// Independent entries: 0 with probability `dilution`, else -1 or +1 with equal probability.
/// Errors: kInvalidArgument unless num_patterns >= 0, num_spins >= 1, dilution in [0, 1].
SpinPatterns random_patterns(std::int64_t num_patterns, std::int64_t num_spins, double dilution,
                             RandomStream& random);

/// m = (1/N) sum_i x_i s_i.
double overlap(std::span<const Spin> pattern, std::span<const Spin> spins);

/// A network in a state, with what makes single flips cheap. The network must outlive it.
/// Threads: one state belongs to one thread; many states of one network may run side by side.
class SpinState {
 public:
  virtual ~SpinState() = default;
  std::span<const Spin> spins() const { return spins_; }
  Spin spin(std::int64_t i) const { return spins_[static_cast<std::size_t>(i)]; }

  /// Half the energy that spin i would gain by pointing down: (E(s_i = -1) - E(s_i = +1)) / 2.
  /// It does not depend on s_i itself. sgn(field) is the update at temperature 0.
  virtual double field(std::int64_t i) const = 0;
  virtual double energy() const = 0;
  virtual void flip(std::int64_t i) = 0;

 protected:
  explicit SpinState(std::span<const Spin> spins) : spins_(spins.begin(), spins.end()) {}
  std::vector<Spin> spins_;
};

/// Stored patterns and the energy they make. Threads: const after construction.
class SpinNetwork {
 public:
  virtual ~SpinNetwork() = default;
  virtual std::int64_t num_spins() const = 0;
  /// Errors: kInvalidArgument unless there are num_spins() spins, each -1 or +1.
  std::unique_ptr<SpinState> state(std::span<const Spin> spins) const;

 protected:
  virtual std::unique_ptr<SpinState> make_state(std::span<const Spin> spins) const = 0;
};

/// E = -1/2 s^T W s, W = (1/N) sum_mu x^mu (x^mu)^T without its diagonal. Keeps the K overlaps: a
/// field costs K products, a flip K additions, memory 2 N K bytes; exact in whole numbers.
/// Source: Hopfield 1982. Errors of these makers: kInvalidArgument (no spin, sizes that do not fit,
/// entries other than -1, 0, +1; diluted patterns only where said).
std::unique_ptr<SpinNetwork> hebbian_network(const SpinPatterns& patterns);

/// E = -1/2 s^T W s, W the projector onto the span of the patterns, without its diagonal: every
/// pattern is a fixed point as long as they span less than R^N. Keeps N fields; memory 8 N^2 bytes.
/// Source: Personnaz, Guyon, Dreyfus 1986.
std::unique_ptr<SpinNetwork> pseudo_inverse_network(const SpinPatterns& patterns);

/// E = -1/2 s^T W s, W learned one pattern after another by the local second-order rule
/// W_ij += (x_i x_j - x_i h_ji - h_ij x_j) / N, h_ij = sum over k other than i and j of W_ik x_k.
/// Memory 8 N^2 bytes. Source: Storkey 1997.
std::unique_ptr<SpinNetwork> storkey_network(const SpinPatterns& patterns);

/// E = -N sum_mu m_mu^n: all index tuples, n >= 2 even or odd. Keeps the K overlaps. Source:
/// Krotov, Hopfield, arXiv:1606.01164 (there without the factor N^(1-n)).
std::unique_ptr<SpinNetwork> polynomial_network(const SpinPatterns& patterns, int power);

/// E = -P!/(2 N^(P-1)) sum_mu sum over i1 < ... < iP of prod x_i s_i: distinct indices, as in
/// replica theory, P >= 2. Source: Gardner 1987; arXiv:2111.12997.
std::unique_ptr<SpinNetwork> p_spin_network(const SpinPatterns& patterns, int power);

/// E = -log sum_mu exp(N m_mu): a monotone function of Demircigil et al.'s -sum exp, with the same
/// updates at temperature 0 and no overflow. Source: arXiv:1702.01929.
std::unique_ptr<SpinNetwork> exponential_network(const SpinPatterns& patterns);

/// E = -(1/(2N)) sum_mu (sum_i x_i s_i)^2 for diluted patterns (the diagonal kept). Source:
/// arXiv:2308.04106.
std::unique_ptr<SpinNetwork> multitask_network(const SpinPatterns& patterns);

/// How a network learns from noisy examples eta^{mu,a}_i = x^mu_i chi, P(chi = +1) = (1 + r)/2.
enum class Learning : std::uint8_t {
  kSupervised,    ///< from the mean example of every pattern
  kUnsupervised,  ///< from all examples alike
};

/// E = -(1/(2NR)) sum_mu (sum_i mean_a eta_i s_i)^2, or -(1/(2NRM)) sum_{mu,a} (sum_i eta_i s_i)^2,
/// R = r^2 + (1 - r^2)/M, with M = num_examples drawn a pattern. Errors: also unless r in (0, 1],
/// num_examples >= 1.
std::unique_ptr<SpinNetwork> multitask_network(const SpinPatterns& patterns, Learning learning,
                                               double quality, std::int64_t num_examples,
                                               RandomStream& random);

enum class UpdateOrder : std::uint8_t {
  kAsynchronous,  ///< one spin after another, in an order drawn anew every sweep
  kSynchronous,   ///< all at once
};

double energy(const SpinNetwork& network, std::span<const Spin> spins);

/// One sweep at temperature 0, s_i <- sgn(field_i); a spin whose field is 0 stays. Returns how many
/// spins changed. `random` is only used by kAsynchronous.
std::int64_t update(SpinState& state, UpdateOrder order, RandomStream& random);

/// One sweep of Glauber dynamics: N times a random spin is set up with probability
/// (1 + tanh(field/T))/2. Errors: kInvalidArgument unless T > 0 and finite.
void glauber_sweep(SpinState& state, double temperature, RandomStream& random);

enum class SpinStop : std::uint8_t {
  kConverged,  ///< a sweep changed nothing
  kCycle,      ///< synchronous: the state before last came again
  kSweeps,     ///< still moving after sweeps_max
};

struct SpinRetrieval {
  std::vector<Spin> spins;
  SpinStop stop = SpinStop::kSweeps;
  std::int64_t sweeps = 0;       ///< made
  std::vector<double> energies;  ///< of the start and after every sweep
  /// Largest rise of the energy in one sweep; <= rounding for asynchronous sweeps.
  double energy_rise_max = 0;
};

/// Updates until nothing changes. Errors: kInvalidArgument (start, sweeps_max < 1).
SpinRetrieval retrieve(const SpinNetwork& network, std::span<const Spin> start, UpdateOrder order,
                       std::int64_t sweeps_max, RandomStream& random);

/// Whether asynchronous updates of each start end at the pattern of the same row, spin for spin: 1
/// or 0. Row i draws its orders from RandomStream(seed, i). Errors: as retrieve; kInvalidArgument
/// if the sizes differ. Threads: rows run on the executor (null: default_executor()).
std::vector<std::uint8_t> recalled_exactly(const SpinNetwork& network, const SpinPatterns& patterns,
                                           const SpinPatterns& starts, std::int64_t sweeps_max,
                                           std::uint64_t seed, Executor* executor = nullptr);

struct GlauberOptions {
  double temperature = 0.1;   ///< > 0
  std::int64_t sweeps = 50;   ///< made, >= 1
  std::int64_t discard = 15;  ///< not counted in the averages, in [0, sweeps)
};

struct GlauberAverages {
  std::vector<double> overlaps;  ///< [K] of the observed patterns, mean over the counted sweeps
  double energy = 0;             ///< per spin
};

/// Glauber dynamics from `start`. Errors: kInvalidArgument.
GlauberAverages simulate(const SpinNetwork& network, std::span<const Spin> start,
                         const SpinPatterns& observed, const GlauberOptions& options,
                         RandomStream& random);

}  // namespace hopfield::theory

#endif  // HOPFIELD_THEORY_SPIN_NETWORK_H_
