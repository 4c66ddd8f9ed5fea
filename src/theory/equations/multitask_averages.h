#ifndef HOPFIELD_SRC_THEORY_EQUATIONS_MULTITASK_AVERAGES_H_
#define HOPFIELD_SRC_THEORY_EQUATIONS_MULTITASK_AVERAGES_H_

#include "hopfield/theory/multitask.h"
#include "theory/equations/newton.h"

// Averages over the patterns' entries, and z, of functions of the field G of multitask.h.
namespace hopfield::theory {

struct FieldAverages {
  Vector m;             ///< [K] E[xi^mu tanh(b G)]
  Vector slope;         ///< [K] b E[(xi^mu)^2 sech^2(b G)]; 0 where T = 0 and rho = 0
  double pressure = 0;  ///< T E ln 2 cosh(b G)
};

/// Sums over all 3^K choices of the entries. At T = 0 a field that vanishes adds nothing.
FieldAverages enumerated_averages(const MultitaskParameters& at, const Vector& n);

/// The same for T > 0 as integrals over k: tanh x = int_0^inf sin(k x) / sinh(pi k/2) dk, and under
/// it the average over independent entries is a product of K factors. Midpoint rule, exact to
/// rounding. Equal n give equal averages to the last bit.
FieldAverages fourier_averages(const MultitaskParameters& at, const Vector& n);

/// Points of the midpoint rule.
double fourier_points(const MultitaskParameters& at, const Vector& n);

}  // namespace hopfield::theory

#endif  // HOPFIELD_SRC_THEORY_EQUATIONS_MULTITASK_AVERAGES_H_
