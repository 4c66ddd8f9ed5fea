// Loads and temperatures where branches end, cross or lose their stability.
#include <algorithm>
#include <boost/math/constants/constants.hpp>
#include <cmath>
#include <limits>

#include "hopfield/base/error.h"
#include "theory/equations/dense_equations.h"
#include "theory/equations/gaussian.h"

namespace hopfield::theory {
namespace {

namespace constants = boost::math::double_constants;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

CriticalLoad critical_replica_symmetric(int p) {
  // Where the derivative of the maximised function vanishes.
  const auto slope = [p](double x) {
    const double bell = constants::two_div_root_pi * std::exp(-x * x);
    return (p == 2 ? bell * x * (1 + 2 * x * x) : (p - 1) * bell * x) - std::erf(x);
  };
  CriticalLoad edge;
  edge.x = bracketed_root(slope, 0.1, 10);
  edge.m = std::erf(edge.x);
  if (p == 2) {
    const double root = edge.m / edge.x - constants::two_div_root_pi * std::exp(-edge.x * edge.x);
    edge.gamma = root * root / 2;
  } else {
    edge.gamma = p / 4.0 * std::pow(edge.m, 2 * p - 2) / (edge.x * edge.x);
  }
  edge.q1 = 1;
  edge.y = kNan;
  edge.report = {true, 1, std::abs(slope(edge.x)), ""};
  return edge;
}

namespace {

/// The one-step branch at T = 0 by its magnetisation: gamma, y, 1 - q1 (and C) for a given m.
class GroundBranch {
 public:
  explicit GroundBranch(int p) : p_(p) {}

  /// Starts at a solution.
  void start(double gamma, const GroundUnknowns& at) { x_ = to_vector(gamma, at); }

  /// Moves to m; the last solution is the start. False if Newton's method does not get there.
  bool move(double m) {
    const auto equations = [&](const Vector& v, Vector& value) {
      if (!(v[0] > 0)) return false;
      GroundUnknowns at;
      at.m = m;
      at.y = v[1];
      at.one_minus_q1 = v[2];
      if (p_ == 2) at.susceptibility = v[3];
      const GroundPoint point = ground_point(p_, v[0], at);
      if (!point.valid) return false;
      value[0] = point.m - m;
      value[1] = point.energy_by_y / at.one_minus_q1;  // as small as 1 - q1 without this
      value[2] = point.one_minus_q1 - at.one_minus_q1;
      if (p_ == 2) value[3] = point.susceptibility - at.susceptibility;
      return true;
    };
    const NewtonResult found = newton(
        equations, x_, [](const Vector& v) { return v; }, 1e-10, 40);
    iterations_ += found.iterations;
    residual_ = found.residual;
    if (found.converged) x_ = found.x;
    return found.converged;
  }

  double gamma() const { return x_[0]; }
  double y() const { return x_[1]; }
  double q1() const { return 1 - x_[2]; }
  double residual() const { return residual_; }
  std::int64_t iterations() const { return iterations_; }

 private:
  Vector to_vector(double gamma, const GroundUnknowns& at) const {
    Vector x = {gamma, at.y, at.one_minus_q1};
    if (p_ == 2) x.push_back(at.susceptibility);
    return x;
  }

  int p_;
  Vector x_;
  double residual_ = kNan;
  std::int64_t iterations_ = 0;
};

CriticalLoad not_found(const std::string& message) {
  CriticalLoad load;
  load.gamma = load.m = load.x = load.q1 = load.y = load.report.residual = kNan;
  load.report.message = message;
  return load;
}

CriticalLoad critical_one_step(int p) {
  const double start = 0.9 * critical_replica_symmetric(p).gamma;
  const GroundState ground = solve_ground(p, start, Branch::kRetrieval);
  if (!ground.report.converged) return not_found(ground.report.message);
  GroundBranch branch(p);
  branch.start(start, ground.at);
  // Down the branch until gamma falls; then the maximum lies within the last two steps.
  double m = ground.at.m, largest = 0;
  const double step = (1 - m) / 4;
  for (;; m -= step) {
    if (m < 0.1 || !branch.move(m)) return not_found("the one-step branch could not be followed");
    if (branch.gamma() < largest) break;
    largest = branch.gamma();
  }
  // gamma(m) is smooth: the zero of its central difference gives m to about 1e-8.
  bool followed = true;
  const auto slope = [&](double at) {
    const double h = 1e-4;
    followed = followed && branch.move(at + h);
    const double above = branch.gamma();
    followed = followed && branch.move(at - h);
    return (above - branch.gamma()) / (2 * h);
  };
  CriticalLoad edge;
  if (!(slope(m) > 0 && slope(m + 2 * step) < 0 && followed)) {
    return not_found("the one-step branch could not be followed");
  }
  edge.m = bracketed_root(slope, m, m + 2 * step);
  edge.report.converged = branch.move(edge.m) && followed;
  edge.gamma = branch.gamma();
  edge.q1 = branch.q1();
  edge.y = branch.y();
  edge.x = kNan;
  edge.report.residual = branch.residual();
  edge.report.iterations = branch.iterations() + ground.report.iterations;
  return edge;
}

LinePoint no_line(const std::string& message) {
  LinePoint point;
  point.temperature = point.m = point.q = point.report.residual = kNan;
  point.report.message = message;
  return point;
}

DenseState retrieval(int p, double gamma, double temperature) {
  return solve_replica_symmetric({p, gamma, temperature}, Branch::kRetrieval);
}

/// gamma = 0: T = max_m (P/2) m^(P-1) / artanh m.
LinePoint noiseless_spinodal(int p) {
  LinePoint point;
  point.report = {true, 1, 0, ""};
  if (p == 2) {
    point.temperature = 1;
    return point;
  }
  const auto slope = [p](double m) { return (p - 1) * (1 - m * m) * std::atanh(m) - m; };
  point.m = bracketed_root(slope, 0.1, 1 - 1e-12);
  point.q = point.m * point.m;
  point.temperature = p / 2.0 * std::pow(point.m, p - 1) / std::atanh(point.m);
  point.report.residual = std::abs(slope(point.m));
  return point;
}

/// Newton's method for the end of the branch: the equations and a singular slope matrix.
NewtonResult fold(int p, double gamma, const DenseState& near, double temperature) {
  const auto equations = [p, gamma](const Vector& v, Vector& value) {
    if (!(v[0] > 0 && v[0] < 1 && v[1] > 0 && v[1] < 1 && v[2] > 0)) return false;
    const RsPoint point = rs_point({p, gamma, v[2]}, v[0], v[1]);
    if (!point.valid) return false;
    value[0] = point.m - v[0];
    value[1] = point.q - v[1];
    value[2] = (1 - point.m_by_m) * (1 - point.q_by_q) - point.m_by_q * point.q_by_m;
    return true;
  };
  const auto scale = [](const Vector& v) {
    return Vector{std::min(v[0], 1 - v[0]), std::min(v[1], 1 - v[1]), v[2]};
  };
  return newton(equations, {near.m, near.q1, temperature}, scale, 1e-11);
}

}  // namespace

CriticalLoad critical_load(int p, Ansatz ansatz) {
  check_load("critical_load", p, 0);
  return ansatz == Ansatz::kReplicaSymmetric ? critical_replica_symmetric(p) : critical_one_step(p);
}

CriticalLoad ground_state_load(int p, Ansatz ansatz) {
  check_load("ground_state_load", p, 0);
  std::int64_t solved = 0;
  DenseState state;
  bool complete = true;
  const auto excess = [&](double gamma) {
    const DenseParameters at = {p, gamma, 0};
    const DenseState glass = solve_dense(at, ansatz, Branch::kGlass);
    state = solve_dense(at, ansatz, Branch::kRetrieval);
    ++solved;
    complete = complete && glass.report.converged && state.report.converged;
    // 0 ends the search: without both energies there is nothing to compare.
    return complete ? state.free_energy - glass.free_energy : 0.0;
  };
  const double edge = critical_replica_symmetric(p).gamma;
  CriticalLoad load;
  // Breaking raises the energy of the glass much more than that of retrieval.
  const double low = ansatz == Ansatz::kReplicaSymmetric
                         ? edge / 10
                         : ground_state_load(p, Ansatz::kReplicaSymmetric).gamma;
  const double high = edge * (1 - 1e-9);
  if (!(excess(low) < 0 && excess(high) > 0)) {
    return not_found(complete ? "the energies of retrieval and glass do not cross"
                              : "retrieval or glass could not be solved at some load");
  }
  load.gamma = bracketed_root(excess, low, high);
  load.report.residual = std::abs(excess(load.gamma));
  if (!complete) return not_found("retrieval or glass could not be solved at some load");
  load.report.converged = true;
  load.report.iterations = solved;
  load.m = state.m;
  load.q1 = state.q1;
  load.y = state.y;
  load.x = kNan;
  return load;
}

LinePoint spinodal_temperature(int p, double gamma) {
  check_load("spinodal_temperature", p, gamma);
  const LinePoint top = noiseless_spinodal(p);
  if (gamma == 0) return top;
  // Highest of a falling row of temperatures that has the branch.
  double low = 0, high = top.temperature;
  DenseState inside;
  std::int64_t iterations = 0;
  const auto exists = [&](double temperature) {
    const DenseState state = retrieval(p, gamma, temperature);
    iterations += state.report.iterations;
    if (state.report.converged) inside = state;
    return state.report.converged;
  };
  constexpr int kRow = 40;
  for (int k = 1; k <= kRow && low == 0; ++k) {
    // The last ones shrink towards 0.
    const double linear = top.temperature * (kRow - k) / kRow;
    const double t = k < kRow ? linear : top.temperature / kRow * 1e-3;
    if (exists(t)) {
      low = t;
    } else {
      high = t;
    }
  }
  if (low == 0) return no_line("no retrieval solution at any temperature at this load");
  for (double width = 1e-3; width > 1e-10; width /= 30) {
    while (high - low > width * high) {
      const double middle = (low + high) / 2;
      if (exists(middle)) {
        low = middle;
      } else {
        high = middle;
      }
    }
    const NewtonResult found = fold(p, gamma, inside, low);
    iterations += found.iterations;
    if (!found.converged || std::abs(found.x[2] - low) > 3 * width * high) continue;
    LinePoint point;
    point.temperature = found.x[2];
    point.m = found.x[0];
    point.q = found.x[1];
    point.report = {true, iterations, found.residual, ""};
    return point;
  }
  return no_line("the end of the branch could not be located");
}

LinePoint reentry_temperature(int p, double gamma) {
  check_load("reentry_temperature", p, gamma);
  LinePoint point;
  point.report.converged = true;
  if (gamma <= critical_replica_symmetric(p).gamma) return point;
  const LinePoint end = spinodal_temperature(p, gamma);
  if (!end.report.converged) return end;
  constexpr double kWidth = 1e-6;
  double low = 0, high = end.temperature * (1 - kWidth);
  DenseState state = retrieval(p, gamma, high);
  if (!state.report.converged) return no_line("the branch is too short to be followed");
  while (high - low > kWidth * end.temperature) {
    const double middle = (low + high) / 2;
    const DenseState found = retrieval(p, gamma, middle);
    point.report.iterations += found.report.iterations;
    if (found.report.converged) {
      high = middle;
      state = found;
    } else {
      low = middle;
    }
  }
  point.temperature = high;
  point.m = state.m;
  point.q = state.q1;
  point.report.residual = high - low;
  return point;
}

double largest_load(int p) {
  check_load("largest_load", p, 0);
  double low = critical_replica_symmetric(p).gamma, high = 2 * low;
  while (high - low > 1e-4 * low) {
    const double middle = (low + high) / 2;
    (spinodal_temperature(p, middle).report.converged ? low : high) = middle;
  }
  return low;
}

LinePoint crossing_temperature(int p, double gamma) {
  check_load("crossing_temperature", p, gamma);
  const LinePoint end = spinodal_temperature(p, gamma);
  if (!end.report.converged) return end;
  const double frozen = p > 2 && gamma > 0 ? static_glass_temperature(p, gamma).temperature : 0;
  if (p == 2 && gamma == 0) return no_line("P = 2 at gamma = 0: a continuous transition at T = 1");
  DenseState state;
  std::int64_t solved = 0;
  bool complete = true;
  const auto excess = [&](double temperature) {
    state = retrieval(p, gamma, temperature);
    const DenseParameters at = {p, gamma, temperature};
    const bool glass = p == 2 || temperature < frozen;
    const DenseState rival =
        glass
            ? solve_dense(at, p == 2 ? Ansatz::kReplicaSymmetric : Ansatz::kOneStep, Branch::kGlass)
            : solve_dense(at, Ansatz::kReplicaSymmetric, Branch::kParamagnet);
    ++solved;
    complete = complete && state.report.converged && rival.report.converged;
    return complete ? state.free_energy - rival.free_energy : 0.0;  // 0 ends the search
  };
  if (p == 2 || gamma > 0) {
    if (!retrieval(p, gamma, 0).report.converged || excess(0) >= 0) {
      return no_line("retrieval has the higher free energy at every temperature at this load");
    }
  }
  // Just inside the end of the branch; at gamma = 0 the energies differ at any low temperature.
  const double high = end.temperature * (1 - 1e-6);
  const double low = gamma > 0 ? 0 : end.temperature / 100;
  if (!(excess(high) > 0)) return no_line("retrieval has the lower free energy up to its end");
  LinePoint point;
  point.temperature = bracketed_root(excess, low, high);
  point.report.residual = std::abs(excess(point.temperature));
  point.report.converged = complete;
  if (!complete) point.report.message = "a branch could not be solved at some temperature";
  point.report.iterations = solved;
  point.m = state.m;
  point.q = state.q1;
  return point;
}

LinePoint stability_temperature(int p, double gamma) {
  check_load("stability_temperature", p, gamma);
  if (gamma == 0) return no_line("without load the replica-symmetric solution is always stable");
  const LinePoint end = spinodal_temperature(p, gamma);
  if (!end.report.converged) return end;
  DenseState state;
  std::int64_t solved = 0;
  const auto replicon = [&](double temperature) {
    state = retrieval(p, gamma, temperature);
    ++solved;
    return state.report.converged ? state.replicon : kNan;
  };
  double high = end.temperature * (1 - 1e-6);
  if (!(replicon(high) > 0)) return no_line("unstable on the whole retrieval branch");
  constexpr double kLeast = 1e-12;
  double low = high;
  while (low > kLeast) {
    low *= 0.8;
    const double value = replicon(low);
    if (std::isnan(value)) return no_line("the retrieval branch ends before it becomes unstable");
    if (value <= 0) break;
    high = low;
  }
  if (low <= kLeast) return no_line("stable down to T = 1e-12");
  LinePoint point;
  point.temperature = bracketed_root(replicon, low, high);
  point.report.residual = std::abs(replicon(point.temperature));
  point.report.converged = true;
  point.report.iterations = solved;
  point.m = state.m;
  point.q = state.q1;
  return point;
}

double glass_overlap(double l) {
  return tanh_averages(l, std::sqrt(l)).tanh;
}
double glass_log_cosh(double l) {
  return tanh_averages(l, std::sqrt(l)).log_cosh;
}

namespace {

/// The overlap at which the glass appears: where l / q(l)^(P-1) is smallest.
double dynamic_l(int p) {
  const auto slope = [p](double l) {
    const TanhAverages average = tanh_averages(l, std::sqrt(l));
    return (p - 1) * l * (average.tanh_by_mean + average.tanh_by_variance) - average.tanh;
  };
  return bracketed_root(slope, 1e-2, 100);
}

LinePoint glass_line(int p, double gamma, double l, double residual) {
  LinePoint point;
  point.q = glass_overlap(l);
  // l = (gamma / T^2) (P/2) q^(P-1).
  point.temperature = std::sqrt(gamma * p / 2 * std::pow(point.q, p - 1) / l);
  point.report = {true, 1, residual, ""};
  return point;
}

void check_glass(const char* op, int p, double gamma) {
  require(p >= 2 && p <= 100, op, "expected P from 2 to 100, got " + std::to_string(p));
  check_load(op, 2, gamma);
}

}  // namespace

LinePoint static_glass_temperature(int p, double gamma) {
  check_glass("static_glass_temperature", p, gamma);
  if (gamma == 0) return no_line("no glass without load");
  if (p == 2) {
    LinePoint point;
    point.temperature = 1 + std::sqrt(gamma);
    point.report = {true, 1, 0, ""};
    return point;
  }
  // dA/dtheta at theta = 1, times 1: zero where the clusters' entropy vanishes.
  const auto slope = [p](double l) {
    return -l / 2 + glass_log_cosh(l) - l * (p - 1) / (2 * p) * glass_overlap(l);
  };
  const double low = dynamic_l(p), high = 2 * p * constants::ln_two + 10;
  const double l = bracketed_root(slope, low, high);
  return glass_line(p, gamma, l, std::abs(slope(l)));
}

LinePoint dynamic_glass_temperature(int p, double gamma) {
  check_glass("dynamic_glass_temperature", p, gamma);
  if (gamma == 0) return no_line("no glass without load");
  if (p == 2) return no_line("P = 2: the glass appears continuously, at the static temperature");
  return glass_line(p, gamma, dynamic_l(p), 0);
}

}  // namespace hopfield::theory
