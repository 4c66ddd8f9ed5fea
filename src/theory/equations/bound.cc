#include "hopfield/theory/bound.h"

#include <algorithm>
#include <boost/math/constants/constants.hpp>
#include <boost/math/special_functions/factorials.hpp>
#include <boost/math/special_functions/lambert_w.hpp>
#include <cmath>
#include <limits>
#include <sstream>
#include <string>

#include "hopfield/base/error.h"
#include "theory/equations/newton.h"

namespace hopfield::theory {
namespace {

namespace constants = boost::math::double_constants;

void require_range(bool ok, const char* op, const std::string& expected, double value) {
  std::ostringstream got;
  got << value;
  require(ok && std::isfinite(value), op, "expected " + expected + ", got " + got.str());
}

double gaussian_tail(double x) {
  return std::erfc(x * constants::one_div_root_two) / 2;
}

/// (2n - 3)!!
double odd_factorial(int degree) {
  return boost::math::double_factorial<double>(static_cast<unsigned>(2 * degree - 3));
}

void require_degree(const char* op, int degree) {
  require(degree >= 2 && degree <= 100, op,
          "expected a degree from 2 to 100, got " + std::to_string(degree));
}

/// B as a function of q, with u = ln(q / ((1 - q)/(N - 1))) the logarithm of the ratio: monotone,
/// and no digits are lost near q = 1.
double coupling_of(double u, double n) {
  const double e = std::exp(-u);
  return u * (1 + (n - 1) * e) / (1 - e);
}
double association_of(double u, double n) {
  return 1 / (1 + (n - 1) * std::exp(-u));
}

/// u of the smallest B.
double single_u(double n) {
  const auto slope = [n](double u) {
    const double e = std::exp(-u);
    return (1 + (n - 1) * e) * (1 - e) - u * n * e;
  };
  return bracketed_root(slope, 0.5 * std::log(n - 1), 4 + 4 * std::log(n));
}

/// ln E exp(kappa cos) = ln[Gamma(h) (2/kappa)^(h-1) I_{h-1}(kappa)], h = d/2, cos between random
/// unit vectors of R^d.
double log_mean_exponential(double kappa, double half) {
  constexpr double kLarge = 1e4;
  if (kappa > kLarge) {
    // Uniform expansion of the Bessel function in 1/s, s = |(nu, kappa)|, to 1/s^2.
    const double nu = half - 1, s = std::hypot(nu, kappa), v = nu * nu / (s * s);
    const double first = (3 - 5 * v) / (24 * s);
    const double second = (81 - 462 * v + 385 * v * v) / (1152 * s * s);
    return s + std::lgamma(half) + nu * std::log(2 / (nu + s)) -
           std::log(constants::two_pi * s) / 2 + std::log1p(first + second);
  }
  // The power series sum_k (kappa^2/4)^k / (k! (h)_k): positive terms, summed as logarithms.
  double log_term = 0, log_sum = 0;
  for (int k = 1;; ++k) {
    log_term += 2 * std::log(kappa / 2) - std::log(k) - std::log(half + k - 1);
    const double gap = log_term - log_sum;
    log_sum = gap > 0 ? log_term + std::log1p(std::exp(-gap)) : log_sum + std::log1p(std::exp(gap));
    if (gap < -45 && k > kappa / 2) return log_sum;
  }
}

}  // namespace

double capacity_base_without_lambert(double a, double b) {
  require_range(true, "capacity_base", "a finite a", a);
  require_range(b > 0, "capacity_base", "b > 0", b);
  const double omega = boost::math::lambert_w0(1.0), u = a + std::log(b);
  if (u > 0) return b * std::pow(u, -u / (u + 1));
  return b / std::log((omega * std::exp(u) + 1) / (omega * (1 + omega)));
}

double log_half_capacity(double kappa, std::int64_t depth) {
  require_range(kappa > 0, "log_half_capacity", "kappa > 0", kappa);
  require(depth >= 2, "log_half_capacity", "expected depth >= 2, got " + std::to_string(depth));
  const double gap = kappa - log_mean_exponential(kappa, static_cast<double>(depth) / 2);
  // ln(1 + exp(gap)).
  return gap > 0 ? gap + std::log1p(std::exp(-gap)) : std::log1p(std::exp(gap));
}

double half_capacity_exponent(double l) {
  require_range(l > 0, "half_capacity_exponent", "l > 0", l);
  const double t = 2 * l / (1 + std::sqrt(1 + 4 * l * l));
  return l * (1 - t) - std::log1p(-t * t) / 2;
}

double antipodal_fixed_point(double kappa) {
  require_range(kappa > 0, "antipodal_fixed_point", "beta M^2 > 0", kappa);
  if (kappa <= 1) return 0;
  // tanh(kappa s) >= kappa s - (kappa s)^3/3 puts the root above this.
  const double low = std::min(0.5, std::sqrt(3 * (kappa - 1)) / (2 * kappa * std::sqrt(kappa)));
  const auto excess = [kappa](double s) { return std::tanh(kappa * s) - s; };
  return excess(low) > 0 ? bracketed_root(excess, low, 1) : low;
}

OrthogonalPatterns orthogonal_patterns(double n) {
  require_range(n >= 3 && n == std::floor(n) && n <= 1e15, "orthogonal_patterns",
                "a whole number of patterns from 3 to 1e15", n);
  OrthogonalPatterns result;
  const double u = single_u(n);
  result.b_single = coupling_of(u, n);
  result.q_single = association_of(u, n);
  result.b_equal = 2 * (n - 1) * std::log(n - 1) / (n - 2);
  result.b_uniform = n;
  return result;
}

double orthogonal_association(double n, double b) {
  const OrthogonalPatterns edges = orthogonal_patterns(n);
  require_range(b > 0, "orthogonal_association", "beta M^2 > 0", b);
  if (b < edges.b_single) return std::numeric_limits<double>::quiet_NaN();
  const auto excess = [n, b](double u) { return coupling_of(u, n) - b; };
  const double low = single_u(n), high = b + 1;  // coupling_of(u) > u
  return excess(low) >= 0 ? edges.q_single : association_of(bracketed_root(excess, low, high), n);
}

double classical_bit_error(double alpha) {
  require_range(alpha >= 0, "classical_bit_error", "a load alpha >= 0", alpha);
  return alpha == 0 ? 0 : gaussian_tail(1 / std::sqrt(alpha));
}

double polynomial_bit_error(std::int64_t depth, int degree, double num_patterns) {
  require_degree("polynomial_bit_error", degree);
  require(depth >= 1, "polynomial_bit_error", "expected depth >= 1, got " + std::to_string(depth));
  require_range(num_patterns > 0, "polynomial_bit_error", "num_patterns > 0", num_patterns);
  return gaussian_tail(std::sqrt(std::pow(static_cast<double>(depth), degree - 1) /
                                 (odd_factorial(degree) * num_patterns)));
}

double polynomial_capacity(int degree) {
  require_degree("polynomial_capacity", degree);
  constexpr double kClassical = 0.138;  // the load whose bit error is the yardstick
  return kClassical / odd_factorial(degree);
}

double exponential_capacity(double flipped) {
  require_range(flipped >= 0 && flipped < 0.5, "exponential_capacity",
                "a flipped fraction in [0, 0.5)", flipped);
  const double a = 1 - 2 * flipped;
  const double low = flipped > 0 ? (1 - a) * std::log1p(-a) : 0;
  return ((1 + a) * std::log1p(a) + low) / 4;
}

}  // namespace hopfield::theory
