#ifndef HOPFIELD_THEORY_PROBLEM_H_
#define HOPFIELD_THEORY_PROBLEM_H_

#include <cstdint>

#include "hopfield/theory/solver.h"

namespace hopfield::theory {

/// A continuous network without random numbers, so that anybody can build it:
///   x_i[k] = cos(0.7 k i) + 0.3 sin(1.3 k + 2.1 i), xi_0[k] = sin(0.9 k), v[k] = cos(0.4 k),
/// k = 1..depth, i = 1..num_patterns; L = <v, xi*>, xi* the fixed point reached from xi_0.
struct ProblemParameters {
  std::int64_t depth = 6;
  std::int64_t num_patterns = 5;
  double beta = 1;
};

/// Upper bounds on the norm of the Jacobian J = beta Cov_p[x] at xi_0; docs/math/bounds.md.
struct JacobianBounds {
  double softmax = 0;        ///< 2 beta m |X|^2, m = max p_i (1 - p_i)
  double half = 0;           ///< beta |X|^2 / 2
  double spread = 0;         ///< beta m_max^2
  double diameter = 0;       ///< beta D^2 / 4, D the largest distance of two patterns
  double concentration = 0;  ///< min_i beta (1 - p_i) D_i^2, D_i the largest distance from x_i
  double ball = 0;           ///< beta M^2
  double peaked = 0;         ///< 2 beta N M^2 (1 - p_max); infinity unless p_max >= 1/2
  /// beta ((1-g) m_max^2 + 2g (2-g) M^2): m_max among the fewest patterns that hold 0.9, g the rest
  double group = 0;
};

struct ProblemAnswer {
  SolverReport report;              ///< of xi*: residual |f(xi*) - xi*|
  double norm_max = 0;              ///< M
  double distance_to_mean_max = 0;  ///< m_max
  double separation_min = 0;        ///< min_i Delta_i; +inf for one pattern
  double energy_first = 0, energy_second = 0, energy_end = 0;  ///< of xi_0, xi_1, xi*
  double v_update = 0;                                         ///< <v, f(xi_0)>
  double jacobian_first = 0;                                   ///< |J(xi_0)|
  JacobianBounds bounds;
  std::int64_t steps = 0;  ///< updates until one is shorter than 1e-10
  double norm_end = 0;     ///< |xi*|
  double association_max = 0;
  double jacobian_end = 0;  ///< lambda_max(J(xi*)); the fixed point is a strict minimum below 1
  /// |xi_t+1 - xi*| / |xi_t - xi*| late on the way from xi_0: tends to jacobian_end. NaN if the way
  /// is too short to tell.
  double contraction = 0;
  std::int64_t metastable_first = 0, metastable_end = 0;  ///< fewest associations that hold 0.9
  /// Implicit gradients at xi*: (I - J) u = v. NaN unless jacobian_end < 1.
  double gradient_norm = 0;  ///< |dL/dX|_F
  double gradient_sum = 0;   ///< sum of its entries
  double gradient_beta = 0;  ///< dL/dbeta
  /// Different fixed points reached from the patterns (closer than 1e-6 counts as the same).
  std::int64_t num_fixed_points = 0;
};

/// Everything in double, by plain loops; cost depth * num_patterns per update.
/// Errors: kInvalidArgument unless depth, num_patterns >= 1, their product <= 10^7 and beta is
/// positive and finite. Source: arXiv:2008.02217.
ProblemAnswer solve_problem(const ProblemParameters& parameters);

}  // namespace hopfield::theory

#endif  // HOPFIELD_THEORY_PROBLEM_H_
