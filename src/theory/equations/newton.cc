#include "theory/equations/newton.h"

#include <algorithm>
#include <boost/math/tools/toms748_solve.hpp>
#include <limits>
#include <utility>

#include "hopfield/base/error.h"

namespace hopfield::theory {
namespace {

double largest(const Vector& value) {
  double result = 0;
  for (const double v : value) {
    if (!std::isfinite(v)) return std::numeric_limits<double>::infinity();
    result = std::max(result, std::abs(v));
  }
  return result;
}

/// Elimination with row pivots on `a` [n, n] and, if given, `b`; returns the determinant.
double eliminate(Vector& a, std::size_t n, Vector* b) {
  double product = 1;
  for (std::size_t k = 0; k < n; ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k + 1; i < n; ++i) {
      if (std::abs(a[i * n + k]) > std::abs(a[pivot * n + k])) pivot = i;
    }
    if (!(std::abs(a[pivot * n + k]) > 0)) return 0;
    if (pivot != k) {
      for (std::size_t j = 0; j < n; ++j) std::swap(a[k * n + j], a[pivot * n + j]);
      if (b != nullptr) std::swap((*b)[k], (*b)[pivot]);
      product = -product;
    }
    product *= a[k * n + k];
    for (std::size_t i = k + 1; i < n; ++i) {
      const double factor = a[i * n + k] / a[k * n + k];
      for (std::size_t j = k; j < n; ++j) a[i * n + j] -= factor * a[k * n + j];
      if (b != nullptr) (*b)[i] -= factor * (*b)[k];
    }
  }
  return product;
}

/// Central differences; false if a neighbour lies outside the domain.
bool jacobian(const Equations& equations, const Vector& x, const Vector& scale, Vector& result) {
  const std::size_t n = x.size();
  result.assign(n * n, 0);
  Vector above(n), below(n), moved = x;
  for (std::size_t j = 0; j < n; ++j) {
    const double h = 1e-5 * scale[j];
    moved[j] = x[j] + h;
    const double high = moved[j];
    if (!equations(moved, above)) return false;
    moved[j] = x[j] - h;
    const double low = moved[j];
    if (!equations(moved, below)) return false;
    moved[j] = x[j];
    for (std::size_t i = 0; i < n; ++i) result[i * n + j] = (above[i] - below[i]) / (high - low);
  }
  return true;
}

}  // namespace

bool solve_linear(Vector& a, Vector& b) {
  const std::size_t n = b.size();
  if (eliminate(a, n, &b) == 0) return false;
  for (std::size_t k = n; k-- > 0;) {
    for (std::size_t j = k + 1; j < n; ++j) b[k] -= a[k * n + j] * b[j];
    b[k] /= a[k * n + k];
  }
  return largest(b) < std::numeric_limits<double>::infinity();
}

double determinant(Vector a, std::size_t n) {
  return eliminate(a, n, nullptr);
}

NewtonResult newton(const Equations& equations, const Vector& start,
                    const std::function<Vector(const Vector&)>& scale, double tolerance,
                    std::int64_t steps_max) {
  NewtonResult best;
  best.x = start;
  Vector value(start.size()), slopes;
  if (!equations(start, value)) return best;
  best.residual = largest(value);
  for (std::int64_t step = 0; step < steps_max && best.residual > 0; ++step) {
    best.iterations += 1 + 2 * static_cast<std::int64_t>(start.size());
    if (!jacobian(equations, best.x, scale(best.x), slopes)) break;
    Vector change = value;
    if (!solve_linear(slopes, change)) break;
    bool moved = false;
    for (double length = 1; length > 1e-4 && !moved; length /= 2) {
      Vector next = best.x, next_value(start.size());
      for (std::size_t i = 0; i < next.size(); ++i) next[i] -= length * change[i];
      if (!equations(next, next_value)) continue;
      const double residual = largest(next_value);
      if (residual < best.residual) {
        best.x = next;
        best.residual = residual;
        value = next_value;
        moved = true;
      }
    }
    if (!moved) break;
  }
  best.converged = best.residual <= tolerance;
  return best;
}

double bracketed_root(const std::function<double(double)>& f, double low, double high) {
  const double at_low = f(low), at_high = f(high);
  if (at_low == 0) return low;
  if (at_high == 0) return high;
  HOPFIELD_CHECK((at_low < 0) != (at_high < 0));
  std::uintmax_t steps = 200;
  const auto [left, right] = boost::math::tools::toms748_solve(
      f, low, high, at_low, at_high, boost::math::tools::eps_tolerance<double>(52), steps);
  return left + (right - left) / 2;
}

}  // namespace hopfield::theory
