#ifndef HOPFIELD_THEORY_DENSE_H_
#define HOPFIELD_THEORY_DENSE_H_

#include <cstdint>
#include <string>

#include "hopfield/theory/solver.h"

// Equations of the dense associative network with P-spin interactions, even P, N spins and
// K = (2 gamma / P!) N^(P-1) random binary patterns:
//   H = -(P! / (2 N^(P-1))) sum_mu sum_{i1<...<iP} prod xi_i^mu sigma_i;  b = 1/T.
// P = 2 is the Hopfield network of 1982 with load gamma = alpha; it has equations of its own.
// Derivations: docs/math/dense.md. Sources: arXiv:2111.12997; Gardner 1987; Amit, Gutfreund,
// Sompolinsky 1987. Every function is deterministic and may be called from several threads.
namespace hopfield::theory {

enum class Ansatz : std::uint8_t {
  kReplicaSymmetric,
  kOneStep,  ///< one step of replica-symmetry breaking
};

enum class Branch : std::uint8_t {
  kRetrieval,   ///< m > 0: the state belongs to a pattern
  kGlass,       ///< m = 0, q > 0
  kParamagnet,  ///< m = q = 0
};

struct DenseParameters {
  int p = 4;               ///< P: even and >= 2; the glass and the paramagnet also take odd P >= 3
  double gamma = 0;        ///< load >= 0
  double temperature = 0;  ///< T >= 0 (T = 0: the limit)
};

/// A solution of the self-consistency equations. What has no meaning for a case is NaN.
struct DenseState {
  SolverReport report;  ///< converged = false: this branch has no solution there (message says why)
  double m = 0;         ///< Mattis magnetisation
  double q1 = 0;        ///< overlap of two replicas of different clusters (RS: q1 = q2 = q)
  double q2 = 0;        ///< overlap within a cluster
  double theta = 1;     ///< breaking parameter in (0, 1]; RS: 1. At T = 0 it vanishes like y T
  double y = 0;         ///< theta / T, finite at T = 0
  double susceptibility = 0;  ///< (1 - q2) / T, finite at T = 0
  double r = 0;               ///< P = 2: noise strength r (RS) or its within-cluster value r2
  double a = 0;               ///< A = -f / T; NaN at T = 0
  double free_energy = 0;     ///< f; at T = 0 the ground-state energy per spin
  /// 1 - (slope of the replicon mode) within the innermost cluster: > 0 is stable. RS: the de
  /// Almeida-Thouless condition. -inf at T = 0 where the field distribution is positive at 0.
  double replicon = 0;
  bool collapsed = false;  ///< one-step only: q1 = q2, the replica-symmetric solution is the answer
};

/// Solves one branch: plain iteration from m = q = 1 (glass: m = 0, q = 1), finished by Newton's
/// method; one-step: theta from a scan of its stationarity condition, then Newton's method for all
/// unknowns. Residual: largest |right side - left side| of the equations.
/// Errors: kInvalidArgument unless P, gamma, T are in range (see DenseParameters).
DenseState solve_dense(const DenseParameters& parameters, Ansatz ansatz, Branch branch);

/// The replica-symmetric glass as a sum of two spin glasses, each solved by itself:
/// A = hard + gamma soft + offset. P = 2: hard is the Sherrington-Kirkpatrick model of the spins at
/// hard_beta = sqrt(gamma) b/(1 - C), C = b (1 - q); soft the Gaussian spin glass of the K hidden
/// units at soft_beta = 1 - C with field b; offset -hard_beta^2/4. P > 2: hard alone, the pure
/// P-spin glass at b sqrt(gamma).
struct GlassParts {
  SolverReport report;  ///< residual: |hard + gamma soft + offset - A|
  double a = 0;         ///< A of the network
  double hard = 0, hard_beta = 0;
  double hard_q = 0;  ///< overlap of the hard glass: that of the network
  double soft = 0, soft_beta = 0;
  double soft_p = 0;  ///< overlap of the soft glass: b r of the network
  double offset = 0;
};
/// Errors: as solve_dense; also unless gamma, T > 0. No glass there: converged = false.
GlassParts decompose_glass(const DenseParameters& parameters);

/// End of the retrieval branch at T = 0.
struct CriticalLoad {
  SolverReport report;
  double gamma = 0;  ///< largest load with a retrieval solution
  double m = 0;      ///< there
  double x = 0;      ///< RS: m = erf(x); one-step: NaN
  double q1 = 0, y = 0;
};
/// RS: P > 2: max_x (P/4) erf(x)^(2P-2) / x^2; P = 2: sqrt(2 alpha) = max_x [erf(x)/x - 2
/// exp(-x^2)/sqrt(pi)]. One-step: largest gamma(m) along the branch.
/// Errors: kInvalidArgument unless p is even and 2 <= p <= 100.
CriticalLoad critical_load(int p, Ansatz ansatz);

/// Largest load at which the retrieval state is the ground state: its energy at T = 0 meets that of
/// the glass, both within `ansatz`. Where one of them could not be solved: NaN, converged = false.
CriticalLoad ground_state_load(int p, Ansatz ansatz);

/// A point of a phase line.
struct LinePoint {
  SolverReport report;  ///< converged = false: the line does not exist at this load
  double temperature = 0;
  double m = 0, q = 0;  ///< of the retrieval state there, 0 where it plays no part
};
/// Largest T of the RS retrieval branch.
LinePoint spinodal_temperature(int p, double gamma);
/// Least T of the RS retrieval branch: 0 up to the RS critical_load, above it larger, because
/// retrieval returns when the temperature rises; by bisection to 1e-6 of the spinodal temperature,
/// which is the residual. RS is unstable there: with one step retrieval reaches T = 0 up to the
/// one-step critical_load.
LinePoint reentry_temperature(int p, double gamma);
/// Largest load with an RS retrieval state at any temperature, by bisection to 1e-4 of it.
double largest_load(int p);
/// T where RS retrieval has the free energy of what competes: the paramagnet, below the static
/// glass temperature the one-step glass; for P = 2 the RS glass.
LinePoint crossing_temperature(int p, double gamma);
/// T below which the RS retrieval state is unstable (de Almeida-Thouless).
LinePoint stability_temperature(int p, double gamma);
/// T below which the glass is the state without magnetisation: P > 2: theta = 1 in the one-step
/// equations; P = 2: 1 + sqrt(alpha). Scales as sqrt(gamma) for P > 2.
LinePoint static_glass_temperature(int p, double gamma);
/// P > 2: T below which the glass exists as a metastable state (dynamic transition).
LinePoint dynamic_glass_temperature(int p, double gamma);

}  // namespace hopfield::theory

#endif  // HOPFIELD_THEORY_DENSE_H_
