// The glass of a dense network as a sum of spin glasses.
#include <boost/math/constants/constants.hpp>
#include <cmath>
#include <limits>

#include "hopfield/base/error.h"
#include "theory/equations/dense_equations.h"
#include "theory/equations/gaussian.h"

namespace hopfield::theory {
namespace {

namespace constants = boost::math::double_constants;

/// Sherrington-Kirkpatrick model at inverse temperature beta > 1: A, and its overlap q.
double hard_glass(double beta, double& q) {
  const auto excess = [beta](double x) { return tanh_averages(0, beta * std::sqrt(x)).tanh2 - x; };
  constexpr double kLeast = 1e-9;
  q = excess(kLeast) > 0 ? bracketed_root(excess, kLeast, 1) : 0;
  return constants::ln_two + tanh_averages(0, beta * std::sqrt(q)).log_cosh +
         beta * beta / 4 * (1 - q) * (1 - q);
}

/// Gaussian spins with weight exp(lambda z^2/2 - beta^2 (sum z^2)^2/(4K)): A per spin, and its
/// overlap p, the root of (1 - lambda + beta^2 p)^2 = beta^2.
double soft_glass(double beta, double lambda, double& p) {
  p = (beta - 1 + lambda) / (beta * beta);
  return -std::log(beta) / 2 + beta * p / 2 + beta * beta * p * p / 4;
}

}  // namespace

GlassParts decompose_glass(const DenseParameters& at) {
  check_dense("decompose_glass", at, Branch::kGlass);
  require(at.temperature > 0 && at.gamma > 0, "decompose_glass",
          "expected a temperature and a load above 0");
  const DenseState glass = solve_replica_symmetric(at, Branch::kGlass);
  GlassParts parts;
  parts.report = glass.report;
  parts.a = glass.a;
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  if (!glass.report.converged) {
    parts.hard = parts.hard_beta = parts.hard_q = parts.soft = parts.soft_beta = parts.soft_p =
        parts.offset = kNan;
    return parts;
  }
  const double b = 1 / at.temperature;
  if (at.p > 2) {
    const DenseState pure =
        solve_replica_symmetric({at.p, 1, at.temperature / std::sqrt(at.gamma)}, Branch::kGlass);
    parts.hard_beta = b * std::sqrt(at.gamma);
    parts.hard = pure.a;
    parts.hard_q = pure.q2;
    parts.soft_beta = parts.soft_p = kNan;
  } else {
    parts.soft_beta = 1 - b * (1 - glass.q2);
    parts.hard_beta = std::sqrt(at.gamma) * b / parts.soft_beta;
    parts.hard = hard_glass(parts.hard_beta, parts.hard_q);
    parts.soft = soft_glass(parts.soft_beta, b, parts.soft_p);
    parts.offset = -parts.hard_beta * parts.hard_beta / 4;
  }
  parts.report.residual = std::abs(parts.hard + at.gamma * parts.soft + parts.offset - glass.a);
  return parts;
}

}  // namespace hopfield::theory
