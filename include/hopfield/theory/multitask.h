#ifndef HOPFIELD_THEORY_MULTITASK_H_
#define HOPFIELD_THEORY_MULTITASK_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "hopfield/theory/solver.h"

// The multitasking Hebbian network: K patterns whose entries are 0 with probability d (dilution)
// and +-1 otherwise, H = -(N/2) sum_mu m_mu^2. Derivations: docs/math/multitask.md. Source:
// arXiv:2308.04106. Deterministic; may be called from several threads; errors kInvalidArgument.
namespace hopfield::theory {

struct MultitaskParameters {
  int num_patterns = 1;    ///< K: 1 to 100; below T = 0.001 to 12, with rho > 0 to 8
  double dilution = 0;     ///< d in [0, 1]
  double temperature = 0;  ///< T >= 0
  /// Data-set entropy (1 - r^2)/(M r^2) >= 0 of M noisy examples of quality r; 0: exact patterns.
  double rho = 0;
};

enum class MultitaskStart : std::uint8_t {
  kHierarchical,  ///< m_mu = (1-d) d^(mu-1)
  kParallel,      ///< all equal
};

enum class MultitaskRegime : std::uint8_t {
  kParamagnet,    ///< all m = 0
  kParallel,      ///< all equal, K > 1
  kHierarchical,  ///< every m that is not 0 outweighs all that follow together
  kMixed,         ///< none of these
};
std::string_view multitask_regime_name(MultitaskRegime regime);

struct MultitaskState {
  SolverReport report;    ///< residual: largest |right side - left side|
  std::vector<double> m;  ///< [K] Mattis magnetisations
  std::vector<double> n;  ///< [K] magnetisations of the examples' means; = m for rho = 0
  /// [K] L = 1/(2N) sum_i (xi_i - s_i)^2 = 1 - d/2 - m; d/2 at best.
  std::vector<double> loss;
  double energy = 0;       ///< per spin, -(1 + rho)/2 sum n^2: the cost function of learning
  double free_energy = 0;  ///< per spin
  MultitaskRegime regime = MultitaskRegime::kParamagnet;
};

/// m_mu = E[xi^mu tanh(b G)], n_mu = m_mu/(1+rho) + (b rho/(1+rho)) n_mu E[(xi^mu)^2 sech^2(b G)],
/// G = sum_nu n_nu xi^nu + z sqrt(rho sum_nu (n_nu xi^nu)^2); iterated from `start`, so the
/// answer is the state whose basin holds the start. Averages over the entries: all 3^K choices, or
/// where that is cheaper integrals over products of K factors, both exact to rounding. At T = 0 a
/// field that vanishes adds nothing.
MultitaskState solve_multitask(const MultitaskParameters& parameters,
                               MultitaskStart start = MultitaskStart::kHierarchical);

/// d above which the hierarchical state is no longer self-consistent at T = 0: the root of
/// 1 - 2d + d^K in (0, 1); 1 for K <= 2, where it always is.
double hierarchical_dilution_max(int num_patterns);

/// The parallel state's magnetisation (0 above T = 1 - d), any K >= 1, rho = 0.
double parallel_magnetisation(int num_patterns, double dilution, double temperature);
/// b (E[xi_1^2 sech^2] - E[xi_1 xi_2 sech^2]) there, K >= 2: the parallel state is stable below 1.
double parallel_slope(int num_patterns, double dilution, double temperature);

/// Lower end in T of the parallel regime (its upper end is 1 - d): where parallel_slope = 1.
struct ParallelEdge {
  SolverReport report;  ///< converged = false: the parallel state is not stable just below 1 - d
  double temperature = 0;
  double m = 0;
};
ParallelEdge parallel_edge(int num_patterns, double dilution);

/// rho of num_examples examples of quality r in (0, 1].
double dataset_entropy(double quality, double num_examples);
/// One pattern at T -> 0, exact entries: m = erf(1/sqrt(2 rho)).
double learned_magnetisation(double rho);

/// The same for any K, d and T: the largest rho at which the first pattern of the hierarchical
/// start keeps m_1 >= (1 - d) erf(theta); `parameters.rho` plays no part. Where m_1 jumps over that
/// value: the rho of the jump, with the jump as residual. Errors: as solve_multitask, and theta >
/// 0.
struct LearningThreshold {
  SolverReport report;  ///< converged = false: not reached at any rho
  double rho = 0;
};
LearningThreshold learning_threshold(const MultitaskParameters& parameters, double theta);

/// One pattern, T -> 0: examples needed for m >= erf(theta): num_examples >= 2 theta^2 (1 -
/// r^2)/r^2.
double examples_needed(double quality, double theta);

}  // namespace hopfield::theory

#endif  // HOPFIELD_THEORY_MULTITASK_H_
