#ifndef HOPFIELD_SRC_THEORY_EQUATIONS_DENSE_EQUATIONS_H_
#define HOPFIELD_SRC_THEORY_EQUATIONS_DENSE_EQUATIONS_H_

#include "hopfield/theory/dense.h"
#include "theory/equations/newton.h"

// The equations behind dense.h; docs/math/dense.md derives them.
namespace hopfield::theory {

/// Throws kInvalidArgument unless p, gamma, temperature are in range for `branch`.
void check_dense(const char* op, const DenseParameters& parameters, Branch branch);
/// Even p in [2, 100] and finite gamma >= 0.
void check_load(const char* op, int p, double gamma);

DenseState solve_replica_symmetric(const DenseParameters& parameters, Branch branch);
DenseState solve_one_step(const DenseParameters& parameters, Branch branch);

/// Right sides of the RS equations at (m, q), with their slopes.
struct RsPoint {
  bool valid = false;  ///< P = 2: 1 - b (1 - q) > 0
  double m = 0, q = 0;
  double m_by_m = 0, m_by_q = 0, q_by_m = 0, q_by_q = 0;
  double a = 0, replicon = 0, susceptibility = 0, r = 0;
};
RsPoint rs_point(const DenseParameters& parameters, double m, double q);

/// One-step equations at T = 0, y = theta / T. `one_minus_q1` keeps the digits that q1 near 1
/// loses.
struct GroundPoint {
  bool valid = false;
  double m = 0, one_minus_q1 = 0, susceptibility = 0;  ///< right sides
  double energy = 0;
  double energy_by_y = 0;  ///< explicit derivative
};
struct GroundUnknowns {
  double m = 0, one_minus_q1 = 0, y = 0;
  double susceptibility = 0;  ///< P = 2 only: (1 - q2) / T
};
/// `sk`: P = 2 with the noise of P > 2, which is the Sherrington-Kirkpatrick model.
GroundPoint ground_point(int p, double gamma, const GroundUnknowns& at, bool sk = false);

/// critical_load in the RS theory, for odd P too.
CriticalLoad critical_replica_symmetric(int p);

/// Solves them: retrieval first by Newton's method from the limit q1 -> 1; else scans y.
struct GroundState {
  SolverReport report;
  /// Not converged because 1 - q1 is below the precision: the replica-symmetric state is the
  /// answer.
  bool unresolved = false;
  GroundUnknowns at;
  double energy = 0;
};
GroundState solve_ground(int p, double gamma, Branch branch, bool sk = false);

/// Pure P-spin glass (m = 0) at theta = 1 in terms of l = b^2 gamma (P/2) q^(P-1): its overlap
/// E tanh(l + sqrt(l) z), and E ln cosh of the same.
double glass_overlap(double l);
double glass_log_cosh(double l);

}  // namespace hopfield::theory

#endif  // HOPFIELD_SRC_THEORY_EQUATIONS_DENSE_EQUATIONS_H_
