#ifndef HOPFIELD_SRC_THEORY_EQUATIONS_NEWTON_H_
#define HOPFIELD_SRC_THEORY_EQUATIONS_NEWTON_H_

#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

namespace hopfield::theory {

using Vector = std::vector<double>;

/// Solves a x = b by elimination with row pivots; `a` is row-major and destroyed, `b` becomes x.
/// False if a is singular.
bool solve_linear(Vector& a, Vector& b);

/// Determinant by the same elimination.
double determinant(Vector a, std::size_t n);

/// Equations F(x) = 0. Fills `value` (same size as x); false: x lies outside the domain.
using Equations = std::function<bool(const Vector& x, Vector& value)>;

struct NewtonResult {
  bool converged = false;
  Vector x;
  double residual = 0;  ///< max |F|
  std::int64_t iterations = 0;
};

/// Newton's method with a central-difference Jacobian; `step[i]` is the scale of x[i]'s own change
/// (its distance to the edge of the domain, say), of which 1e-5 is used. Steps are halved
/// while they leave the domain or enlarge the residual much. Runs until the residual stops falling;
/// converged: it is at most `tolerance`.
NewtonResult newton(const Equations& equations, const Vector& start,
                    const std::function<Vector(const Vector&)>& scale, double tolerance,
                    std::int64_t steps_max = 60);

/// Root of f in [low, high], to the last digits. f must differ in sign at the ends (checked).
double bracketed_root(const std::function<double(double)>& f, double low, double high);

}  // namespace hopfield::theory

#endif  // HOPFIELD_SRC_THEORY_EQUATIONS_NEWTON_H_
