// The replica-symmetric equations, at any temperature.
#include <algorithm>
#include <boost/math/constants/constants.hpp>
#include <cmath>
#include <limits>
#include <sstream>

#include "hopfield/base/error.h"
#include "theory/equations/dense_equations.h"
#include "theory/equations/gaussian.h"

namespace hopfield::theory {
namespace {

namespace constants = boost::math::double_constants;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string number(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

// Below these the iteration has left the branch. For P > 2 retrieval ends at a finite m.
double magnetisation_least(int p) {
  return p == 2 ? 1e-6 : 1e-3;
}
constexpr double kOverlapLeast = 1e-7;

bool on_branch(const DenseParameters& at, Branch branch, double m, double q) {
  if (!(q > kOverlapLeast && q <= 1)) return false;
  return branch == Branch::kGlass || (m > magnetisation_least(at.p) && m <= 1);
}

/// Whether small departures die out under the damped iteration.
bool attracts(const RsPoint& point, Branch branch) {
  if (branch == Branch::kGlass) return point.q_by_q < 1;
  const double a = point.m_by_m - 1, d = point.q_by_q - 1;
  return a + d < 0 && a * d - point.m_by_q * point.q_by_m > 0;
}

struct Root {
  double m, q;
  bool found = false;
  double residual = kInfinity;
  std::int64_t iterations = 0;
};

double misfit(const RsPoint& point, double m, double q) {
  return std::max(std::abs(point.m - m), std::abs(point.q - q));
}

/// Newton's method from (m, q), with the exact slopes, until the residual stops falling.
Root polish(const DenseParameters& at, Branch branch, double m, double q) {
  Root root{m, q};
  constexpr double kGood = 1e-12;
  for (int step = 0; step < 40; ++step) {
    const RsPoint point = rs_point(at, m, q);
    ++root.iterations;
    if (!point.valid) break;
    const double residual = misfit(point, m, q);
    if (!(residual < root.residual)) break;
    root.m = m;
    root.q = q;
    root.residual = residual;
    root.found = residual < kGood && on_branch(at, branch, m, q) && attracts(point, branch);
    if (residual == 0) break;
    if (branch == Branch::kGlass) {
      q += (point.q - q) / (1 - point.q_by_q);
    } else {
      const double a = 1 - point.m_by_m, b = -point.m_by_q, c = -point.q_by_m;
      const double d = 1 - point.q_by_q, e = point.m - m, f = point.q - q;
      const double det = a * d - b * c;
      m += (e * d - b * f) / det;
      q += (a * f - c * e) / det;
    }
    if (!(q > 0 && q <= 1 && m >= 0 && m <= 1)) break;
  }
  return root;
}

/// The iteration from m = q = 1 (glass: m = 0) decides the branch, Newton's method finishes it.
Root iterate(const DenseParameters& at, Branch branch) {
  constexpr std::int64_t kIterationsMax = 20000;
  constexpr int kBetweenPolish = 8;
  const double damping = at.p == 2 ? 0.5 : 1;
  double m = branch == Branch::kGlass ? 0 : 1, q = 1;
  std::int64_t spent = 0;
  for (std::int64_t i = 1; i <= kIterationsMax; ++i) {
    const RsPoint point = rs_point(at, m, q);
    const double q_before = q;
    ++spent;
    if (!point.valid) break;
    m = std::min(m + damping * (point.m - m), 1.0);
    q = std::min(q + damping * (point.q - q), 1.0);
    // P = 2 needs 1 - b (1 - q) > 0: at most half of what is left of it in one step.
    if (at.p == 2) q = std::max(q, 1 - (at.temperature + 1 - q_before) / 2);
    if (!on_branch(at, branch, m, q)) break;
    if (i % kBetweenPolish != 0) continue;
    Root root = polish(at, branch, m, q);
    spent += root.iterations;
    if (root.found) {
      root.iterations = spent;
      return root;
    }
  }
  Root none{0, 0};
  none.iterations = spent;
  none.residual = kNan;
  return none;
}

/// P = 2: the right side lies above q where 1 - b (1 - q) = 0 (q = 0 if T > 1), below it at q = 1.
Root hopfield_glass(const DenseParameters& at) {
  Root none{0, 0};
  none.residual = kNan;
  const double low = at.temperature < 1 ? 1 - at.temperature * (1 - 1e-9) : 10 * kOverlapLeast;
  const auto excess = [&](double q) {
    ++none.iterations;
    return rs_point(at, 0, q).q - q;
  };
  if (!(excess(low) > 0)) return none;
  const double q = bracketed_root(excess, low, 1);
  Root root = polish(at, Branch::kGlass, 0, q);
  root.iterations += none.iterations;
  return root;
}

std::string absent(const DenseParameters& at, Branch branch) {
  const std::string where = " at gamma = " + number(at.gamma) + ", T = " + number(at.temperature);
  if (branch == Branch::kRetrieval) {
    return "no retrieval solution" + where + ": the iteration from m = 1 leaves the branch";
  }
  return "no glass solution" + where + ": the iteration from q = 1 ends at q = 0";
}

DenseState missing(const std::string& message) {
  DenseState state;
  state.report.message = message;
  state.m = state.q1 = state.q2 = state.theta = state.y = state.susceptibility = state.r = kNan;
  state.a = state.free_energy = state.replicon = state.report.residual = kNan;
  return state;
}

/// E |mean + deviation z|.
double mean_absolute(double mean, double deviation) {
  if (deviation == 0) return std::abs(mean);
  const double u = mean / deviation;
  return mean * std::erf(u * constants::one_div_root_two) + 2 * deviation * normal_density(u);
}

/// The root x >= x_critical of the T = 0 equation (see critical_load), gamma <= the critical load.
double zero_temperature_x(int p, double gamma, double x_critical) {
  const auto excess = [p, gamma](double x) {
    if (p == 2) {
      return std::erf(x) / x - constants::two_div_root_pi * std::exp(-x * x) - std::sqrt(2 * gamma);
    }
    // Logarithms: gamma may be tiny.
    return std::log(p / 4.0) + (2 * p - 2) * std::log(std::erf(x)) - 2 * std::log(x) -
           std::log(gamma);
  };
  // erf < 1, so the root lies below that of the equation with 1 in its place; a little beyond it,
  // since at small loads erf is 1 to rounding and the two roots are the same number.
  constexpr double kBeyond = 1 + 1e-9;
  const double high = kBeyond * (p == 2 ? 1 / std::sqrt(2 * gamma) : std::sqrt(p / (4 * gamma)));
  if (excess(x_critical) <= 0 || high <= x_critical) return x_critical;
  return bracketed_root(excess, x_critical, high);
}

DenseState ground_retrieval(const DenseParameters& at) {
  const int p = at.p;
  DenseState state;
  state.y = state.a = kNan;
  state.q1 = state.q2 = 1;
  double deviation = 0;
  if (at.gamma == 0) {
    state.m = 1;
    state.susceptibility = 0;
    state.r = p == 2 ? 1 : kNan;
    state.replicon = 1;
  } else {
    const CriticalLoad edge = critical_load(p, Ansatz::kReplicaSymmetric);
    if (at.gamma > edge.gamma) {
      return missing("no retrieval solution at T = 0 above gamma = " + number(edge.gamma) +
                     ", got gamma = " + number(at.gamma));
    }
    const double x = zero_temperature_x(p, at.gamma, edge.x);
    state.m = std::erf(x);
    // x = mean / (sqrt 2 deviation), mean = (P/2) m^(P-1).
    const double mean = p / 2.0 * std::pow(state.m, p - 1);
    deviation = mean / (x * constants::root_two);
    state.r = p == 2 ? deviation * deviation / at.gamma : kNan;
    state.susceptibility = 2 * normal_density(mean / deviation) / deviation;
    state.replicon = state.susceptibility > 0 ? -kInfinity : 1;
    // Put back into the equation for m.
    const double noise =
        p == 2 ? std::sqrt(at.gamma) / (1 - state.susceptibility) : std::sqrt(at.gamma * p / 2.0);
    state.report.residual =
        std::abs(std::erf(mean / noise * constants::one_div_root_two) - state.m);
    deviation = noise;
  }
  const double mean = p / 2.0 * std::pow(state.m, p - 1), c = state.susceptibility;
  state.free_energy = -mean_absolute(mean, deviation) + (p - 1) / 2.0 * std::pow(state.m, p);
  if (p == 2) state.free_energy -= at.gamma / 2 * (1 - 2 * c) / ((1 - c) * (1 - c));
  state.report.converged = true;
  state.report.iterations = 1;
  return state;
}

DenseState ground_glass(const DenseParameters& at) {
  if (at.gamma == 0) return missing("no glass at gamma = 0: nothing is frozen without noise");
  DenseState state;
  state.y = state.a = kNan;
  state.q1 = state.q2 = 1;
  double deviation = std::sqrt(at.gamma * at.p / 2);
  state.r = kNan;
  if (at.p == 2) {
    const double k = std::sqrt(2 / (constants::pi * at.gamma));
    state.susceptibility = k / (1 + k);  // C = k (1 - C)
    state.r = (1 + k) * (1 + k);         // 1 / (1 - C)^2
    deviation = std::sqrt(at.gamma * state.r);
  } else {
    state.susceptibility = 2 * normal_density(0) / deviation;
  }
  const double c = state.susceptibility;
  state.free_energy = -mean_absolute(0, deviation);
  if (at.p == 2) state.free_energy -= at.gamma / 2 * (1 - 2 * c) / ((1 - c) * (1 - c));
  state.replicon = -kInfinity;
  state.report.converged = true;
  state.report.iterations = 1;
  return state;
}

DenseState paramagnet(const DenseParameters& at) {
  if (at.temperature == 0) return missing("no paramagnet at T = 0");
  const double b = 1 / at.temperature;
  DenseState state;
  state.y = b;
  state.susceptibility = b;
  state.r = at.p == 2 ? 0 : kNan;
  state.replicon = 1;
  state.a = constants::ln_two + b * b * at.gamma / 4;
  if (at.p == 2) {
    if (!(b < 1)) return missing("no paramagnet for P = 2 at T <= 1");
    state.a = constants::ln_two - at.gamma / 2 * std::log1p(-b);
    state.replicon = 1 - at.gamma * b * b / ((1 - b) * (1 - b));
  }
  state.free_energy = -at.temperature * state.a;
  state.report.converged = true;
  state.report.iterations = 1;
  return state;
}

}  // namespace

RsPoint rs_point(const DenseParameters& at, double m, double q) {
  const int p = at.p;
  const double b = 1 / at.temperature, gamma = at.gamma;
  RsPoint point;
  double mean = 0, mean_by_m = 0, variance = 0, variance_by_q = 0;
  const double c = b * (1 - q);
  if (p == 2) {
    if (!(c < 1)) return point;
    mean = b * m;
    mean_by_m = b;
    point.r = q / ((1 - c) * (1 - c));
    variance = gamma * b * b * point.r;
    variance_by_q = gamma * b * b * (1 - c - 2 * b * q) / std::pow(1 - c, 3);
  } else {
    mean = b * p / 2 * std::pow(m, p - 1);
    mean_by_m = b * p * (p - 1) / 2 * std::pow(m, p - 2);
    variance = b * b * gamma * p / 2 * std::pow(q, p - 1);
    variance_by_q = b * b * gamma * p * (p - 1) / 2 * std::pow(q, p - 2);
    point.r = kNan;
  }
  const TanhAverages average = tanh_averages(mean, std::sqrt(variance));
  point.valid = true;
  point.m = std::min(average.tanh, 1.0);  // the weights sum to 1 up to rounding only
  point.q = std::min(average.tanh2, 1.0);
  point.m_by_m = average.tanh_by_mean * mean_by_m;
  point.m_by_q = average.tanh_by_variance * variance_by_q;
  point.q_by_m = average.tanh2_by_mean * mean_by_m;
  point.q_by_q = average.tanh2_by_variance * variance_by_q;
  point.susceptibility = b * average.tanh_by_mean;
  if (p == 2) {
    point.a = constants::ln_two + average.log_cosh - b * m * m / 2 -
              gamma / 2 * (std::log1p(-c) - b * q / (1 - c)) - gamma * b / 2 * point.r * c;
    point.replicon = 1 - gamma * b * b / ((1 - c) * (1 - c)) * average.sech4;
  } else {
    point.a = constants::ln_two + average.log_cosh - b * (p - 1) / 2 * std::pow(m, p) +
              b * b * gamma / 4 * (1 - p * std::pow(q, p - 1) + (p - 1) * std::pow(q, p));
    point.replicon = 1 - variance_by_q * average.sech4;
  }
  return point;
}

void check_load(const char* op, int p, double gamma) {
  require(p >= 2 && p <= 100 && p % 2 == 0, op,
          "expected an even P from 2 to 100, got " + std::to_string(p));
  require(gamma >= 0 && std::isfinite(gamma), op,
          "expected a finite load gamma >= 0, got " + number(gamma));
}

void check_dense(const char* op, const DenseParameters& at, Branch branch) {
  const bool odd_allowed = branch != Branch::kRetrieval && at.p >= 3 && at.p <= 100;
  if (!odd_allowed) check_load(op, at.p, at.gamma);
  check_load(op, 2, at.gamma);
  require(at.temperature >= 0 && std::isfinite(at.temperature), op,
          "expected a finite temperature >= 0, got " + number(at.temperature));
}

DenseState solve_replica_symmetric(const DenseParameters& at, Branch branch) {
  if (branch == Branch::kParamagnet) return paramagnet(at);
  if (at.temperature == 0) {
    return branch == Branch::kRetrieval ? ground_retrieval(at) : ground_glass(at);
  }
  const bool bracketed = at.p == 2 && branch == Branch::kGlass;
  const Root root = bracketed ? hopfield_glass(at) : iterate(at, branch);
  if (!root.found) {
    DenseState none = missing(absent(at, branch));
    none.report.iterations = root.iterations;
    return none;
  }
  const RsPoint point = rs_point(at, root.m, root.q);
  DenseState state;
  state.report = {true, root.iterations, root.residual, ""};
  state.m = root.m;
  state.q1 = state.q2 = root.q;
  state.y = 1 / at.temperature;
  state.susceptibility = point.susceptibility;
  state.r = point.r;
  state.a = point.a;
  state.free_energy = -at.temperature * point.a;
  state.replicon = point.replicon;
  return state;
}

DenseState solve_dense(const DenseParameters& at, Ansatz ansatz, Branch branch) {
  check_dense("solve_dense", at, branch);
  return ansatz == Ansatz::kReplicaSymmetric || branch == Branch::kParamagnet
             ? solve_replica_symmetric(at, branch)
             : solve_one_step(at, branch);
}

}  // namespace hopfield::theory
