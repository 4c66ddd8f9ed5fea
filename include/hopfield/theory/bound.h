#ifndef HOPFIELD_THEORY_BOUND_H_
#define HOPFIELD_THEORY_BOUND_H_

#include <cstdint>

#include "hopfield/theory/solver.h"

// Capacities and exactly solvable cases beside those of hopfield/memory/bounds.h (theorem 3, the
// exact tail, the criteria for a stored pattern). docs/math/bounds.md. Everything is deterministic
// and may be called from several threads; errors are kInvalidArgument.
namespace hopfield::theory {

/// The c of theorem 3 by elementary functions only (corollary A1), from a and b.
double capacity_base_without_lambert(double a, double b);

/// Random patterns on the sphere of norm M in R^depth, state x_1, kappa = beta M^2: the number N at
/// which the median of p_1 is about 1/2. N = 1 + exp(kappa) / E exp(kappa cos); depth >= 2.
/// As its natural logarithm, since N may exceed the range of doubles.
double log_half_capacity(double kappa, std::int64_t depth);
/// lim ln N / depth for kappa = l depth.
double half_capacity_exponent(double l);

/// Patterns x and -x: the fixed point s x with s = tanh(kappa s), s > 0; 0 for kappa <= 1.
double antipodal_fixed_point(double kappa);

/// N >= 3 orthogonal patterns of equal norm M, B = beta M^2: states sum_i p_i x_i with p_1 = q and
/// the others equal.
struct OrthogonalPatterns {
  double b_single = 0;   ///< B_s: from here on the state near one pattern exists
  double q_single = 0;   ///< its p_1 there
  double b_equal = 0;    ///< B_c: it has the energy of the uniform state; p_1 = (N - 1)/N there
  double b_uniform = 0;  ///< = N: the uniform state is a minimum below
};
OrthogonalPatterns orthogonal_patterns(double num_patterns);
/// p_1 of the state near one pattern at B >= b_single; NaN below.
double orthogonal_association(double num_patterns, double b);

/// Chance that one update flips a bit of a stored pattern in the network of 1982: Q(1/sqrt(alpha)).
double classical_bit_error(double alpha);
/// The same for the polynomial network of degree n: Q(sqrt(d^(n-1) / ((2n-3)!! N))).
double polynomial_bit_error(std::int64_t depth, int degree, double num_patterns);
/// alpha_n of N = alpha_n d^(n-1) at the bit error that alpha_2 = 0.138 has: 0.138 / (2n-3)!!.
double polynomial_capacity(int degree);
/// Exponential network: alpha of N = exp(alpha d) for cues with a fraction `flipped` < 1/2 of wrong
/// bits: I(1 - 2 flipped)/2, I(a) = ((1+a) ln(1+a) + (1-a) ln(1-a))/2.
double exponential_capacity(double flipped);

}  // namespace hopfield::theory

#endif  // HOPFIELD_THEORY_BOUND_H_
