// One step of replica-symmetry breaking at T > 0, and what T = 0 gives to the caller.
#include <algorithm>
#include <boost/math/constants/constants.hpp>
#include <cmath>
#include <limits>
#include <sstream>
#include <vector>

#include "theory/equations/dense_equations.h"
#include "theory/equations/gaussian.h"

namespace hopfield::theory {
namespace {

namespace constants = boost::math::double_constants;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kGood = 1e-9;

/// w1 = 1 - q1 and w2 = 1 - q2 keep the digits that overlaps near 1 lose.
struct Unknowns {
  double m = 0, w1 = 0, w2 = 0, theta = 0;
};

struct Point {
  bool valid = false;
  double m = 0, w1 = 0, w2 = 0;  ///< right sides
  double a = 0;
  double slope = 0;  ///< T^2 dA/dtheta: finite as T -> 0
  double sech4 = 0;  ///< E1 <sech^4>
};

/// Variances of the outer and inner field, and the parts of A that know them.
struct Noise {
  bool valid = false;
  double outer = 0, inner = 0;
  double a = 0, a_by_theta = 0;  ///< of A, without ln cosh, ln 2 and m
  double replicon_factor = 0;    ///< of E1 <sech^4>
};

Noise noise_of(const DenseParameters& at, const Unknowns& x) {
  const int p = at.p;
  const double b = 1 / at.temperature, gamma = at.gamma, theta = x.theta;
  const double q1 = 1 - x.w1, q2 = 1 - x.w2, gap = x.w1 - x.w2;
  Noise noise;
  if (p == 2) {
    const double open0 = 1 - b * x.w2, open1 = open0 - b * theta * gap;
    if (!(open1 > 0)) return noise;
    const double r1 = q1 / (open1 * open1), dr = gap / (open0 * open1), r2 = r1 + dr;
    const double ratio = std::log(open1 / open0), rest = r2 * q2 - r1 * q1;
    noise.outer = gamma * r1;
    noise.inner = gamma * dr;
    noise.a = -gamma / 2 * (std::log(open0) + ratio / theta - b * q1 / open1) -
              gamma * b * b / 2 * (r2 * x.w2 + theta * rest);
    noise.a_by_theta = -gamma / 2 *
                           (-ratio / (theta * theta) - b * gap / (theta * open1) -
                            b * b * q1 * gap / (open1 * open1)) -
                       gamma * b * b / 2 * rest;
    noise.replicon_factor = gamma * b * b / (open0 * open0);
  } else {
    const double power1 = std::pow(q1, p - 1), power2 = std::pow(q2, p - 1);
    noise.outer = gamma * p / 2 * power1;
    noise.inner = gamma * p / 2 * (power2 - power1);
    const double split = (p - 1) * (power2 * q2 - power1 * q1);
    noise.a = b * b * gamma / 4 * (1 - p * power2 + (p - 1) * power2 * q2 - theta * split);
    noise.a_by_theta = -b * b * gamma / 4 * split;
    noise.replicon_factor = b * b * gamma * p * (p - 1) / 2 * std::pow(q2, p - 2);
  }
  noise.valid = true;
  return noise;
}

/// Averages over the inner z with weight cosh^theta(b (c + d z)).
struct Inner {
  double log_z = 0;  ///< ln E2 cosh^theta
  double tanh = 0, sech2 = 0, sech4 = 0, log_cosh = 0;
};

Inner inner_average(double c, double d, double b, double theta, std::vector<GaussianNode>& nodes) {
  const double tilt = theta * b * d;
  if (d > 0) {
    gaussian_nodes(-c / d, 1 / (b * d), tilt, nodes);
  } else {
    nodes.assign(1, {0, 1});
  }
  // The weights' logarithm is near theta b |c| + tilt^2/2; taken out, it cannot overflow.
  const double reference = theta * b * std::abs(c) + tilt * tilt / 2;
  Inner sum;
  double z = 0;
  for (const GaussianNode& node : nodes) {
    const double g = b * (c + d * node.z), magnitude = std::abs(g), e = std::exp(-2 * magnitude);
    const double log_cosh_g = magnitude + std::log1p(e) - constants::ln_two;
    const double t = std::copysign((1 - e) / (1 + e), g), s = 4 * e / ((1 + e) * (1 + e));
    const double weight = node.weight * std::exp(theta * log_cosh_g - reference);
    z += weight;
    sum.tanh += weight * t;
    sum.sech2 += weight * s;
    sum.sech4 += weight * s * s;
    sum.log_cosh += weight * log_cosh_g;
  }
  sum.tanh /= z;
  sum.sech2 /= z;
  sum.sech4 /= z;
  sum.log_cosh /= z;
  sum.log_z = std::log(z) + reference;
  return sum;
}

Point evaluate(const DenseParameters& at, const Unknowns& x) {
  Point point;
  const bool inside = x.m >= 0 && x.m <= 1 && x.w1 <= 1 && x.w2 > 0 && x.w1 >= x.w2 &&
                      x.theta > 0 && x.theta <= 1.5;  // a little beyond 1 for the slopes
  if (!inside) return point;
  const Noise noise = noise_of(at, x);
  if (!noise.valid) return point;
  const int p = at.p;
  const double t = at.temperature, b = 1 / t, theta = x.theta;
  const double a = std::sqrt(noise.outer), d = std::sqrt(std::max(noise.inner, 0.0));
  constexpr double kTiltMax = 25;  // exp(tilt^2) must stay a number
  if (!(theta * b * d < kTiltMax)) return point;
  const double mean = p / 2.0 * std::pow(x.m, p - 1);
  std::vector<GaussianNode> outer, inner_nodes;
  if (a > 0) {
    gaussian_nodes(-mean / a, std::max(t, std::min(d, t / theta)) / a, 0, outer);
  } else {
    outer.push_back({0, 1});
  }
  double log_z = 0, log_cosh_mean = 0;
  for (const GaussianNode& node : outer) {
    const Inner inner = inner_average(mean + a * node.z, d, b, theta, inner_nodes);
    point.m += node.weight * inner.tanh;
    point.w1 += node.weight * (1 - inner.tanh) * (1 + inner.tanh);
    point.w2 += node.weight * inner.sech2;
    point.sech4 += node.weight * inner.sech4;
    log_z += node.weight * inner.log_z;
    log_cosh_mean += node.weight * inner.log_cosh;
  }
  point.m = std::min(point.m, 1.0);  // the weights sum to 1 up to rounding only
  point.valid = true;
  point.a = constants::ln_two + log_z / theta - b * (p - 1) / 2 * std::pow(x.m, p) + noise.a;
  point.slope = t * t * (-log_z / (theta * theta) + log_cosh_mean / theta + noise.a_by_theta);
  return point;
}

/// Which of the four numbers are unknown: without magnetisation m = 0, and for P > 2 also q1 = 0.
struct Layout {
  bool magnetised, outer;
};

Vector to_vector(const Unknowns& x, const Layout& layout) {
  Vector v = {x.theta, x.w2};
  if (layout.outer) v.push_back(x.w1);
  if (layout.magnetised) v.push_back(x.m);
  return v;
}

Unknowns from_vector(const Vector& v, const Layout& layout) {
  Unknowns x;
  x.theta = v[0];
  x.w2 = v[1];
  x.w1 = layout.outer ? v[2] : 1;
  x.m = layout.magnetised ? v[3] : 0;
  return x;
}

NewtonResult solve_from(const DenseParameters& at, const Unknowns& start, const Layout& layout) {
  const auto equations = [&](const Vector& v, Vector& value) {
    const Unknowns x = from_vector(v, layout);
    const Point point = evaluate(at, x);
    // q1 = q2 solves the equations as they stand at any theta: near it the slope falls with the
    // square of the gap, the equation of the gap with the gap itself.
    const double gap = layout.outer ? (x.w1 - x.w2) / x.w1 : 1;
    if (!point.valid || !(gap > 0)) return false;
    value[0] = point.slope / (gap * gap);
    value[1] = point.w2 - x.w2;
    if (layout.outer) value[2] = ((point.w1 - point.w2) - (x.w1 - x.w2)) / gap;
    if (layout.magnetised) value[3] = point.m - x.m;
    return true;
  };
  const auto scale = [&](const Vector& v) {
    Vector result = v;
    result[1] = std::min(v[1], 1 - v[1]);
    if (layout.outer) {
      result[1] = std::min(result[1], v[2] - v[1]);
      result[2] = std::min({v[2] - v[1], 1 - v[2], v[2]});
    }
    if (layout.magnetised) result[3] = std::min(v[3], 1 - v[3]);
    for (double& s : result) s = std::max(std::abs(s), 1e-10);
    return result;
  };
  return newton(equations, to_vector(start, layout), scale, kGood, 30);
}

bool broken(const Unknowns& x, const Layout& layout) {
  return x.theta > 0 && x.theta <= 1 && x.w1 - x.w2 > 1e-7 * x.w1 &&
         (!layout.magnetised || x.m > 1e-2);
}

struct Search {
  bool found = false;
  Unknowns x;
  double residual = kNan;
  std::int64_t iterations = 0;
};

bool accept(const NewtonResult& result, const Layout& layout, Search& search) {
  search.iterations += result.iterations;
  const Unknowns x = from_vector(result.x, layout);
  search.found = result.converged && broken(x, layout);
  if (search.found) {
    search.x = x;
    search.residual = result.residual;
  }
  return search.found;
}

/// Follows the solution from T = 0 up to the temperature asked for, with shorter steps where
/// Newton's method needs them.
bool follow_from_ground(const DenseParameters& at, Branch branch, const Layout& layout,
                        Search& search) {
  const GroundState ground = solve_ground(at.p, at.gamma, branch);
  search.iterations += ground.report.iterations;
  if (!ground.report.converged) return false;
  const double susceptibility = ground_point(at.p, at.gamma, ground.at).susceptibility;
  constexpr double kShortest = 1.0 / 400;
  Unknowns x, last;
  double reached = 0, last_reached = 0, step = at.temperature / 5;
  while (reached < at.temperature) {
    const bool final_step = reached + step >= at.temperature * (1 - kShortest / 2);
    DenseParameters here = at;
    if (!final_step) here.temperature = reached + step;
    const double t = here.temperature;
    Unknowns start;
    if (reached == 0) {
      start = {ground.at.m, ground.at.one_minus_q1, 0, ground.at.y * t};
      start.w2 = std::min(susceptibility * t, start.w1 / 2);
    } else if (last_reached == 0) {
      start = x;
      start.theta = std::min(x.theta * t / reached, 1.0);
      start.w2 = std::min(x.w2 * t / reached, (x.w2 + x.w1) / 2);
    } else {
      const double ahead = (t - reached) / (reached - last_reached);
      const auto extrapolated = [ahead](double now, double before) {
        return now + ahead * (now - before);
      };
      const double gap = extrapolated(x.w1 - x.w2, last.w1 - last.w2);
      start.theta = std::min(extrapolated(x.theta, last.theta), 1.0);
      start.w2 = extrapolated(x.w2, last.w2);
      start.w1 = start.w2 + std::max(gap, (x.w1 - x.w2) / 4);
      start.m = std::min(extrapolated(x.m, last.m), 1.0);
      if (!layout.outer) start.w1 = 1;
      if (!layout.magnetised) start.m = 0;
    }
    // Far from where it was expected it is noise: near q1 = q2 hardly anything depends on theta.
    const bool expected = accept(solve_from(here, start, layout), layout, search) &&
                          search.x.theta > start.theta / 2 && search.x.theta < start.theta * 2;
    search.found = expected;
    if (expected) {
      last = x;
      last_reached = reached;
      x = search.x;
      reached = t;
      step *= 1.5;
    } else {
      step /= 2;
      if (step < kShortest * at.temperature) return false;
    }
  }
  return true;
}

/// Scans theta for a change of sign of dA/dtheta from - to + (A is smallest there), with the other
/// unknowns iterated at each theta.
bool scan(const DenseParameters& at, const Layout& layout, Search& search) {
  constexpr int kIterations = 60;
  constexpr double kRatio = 0.75;
  const double least = std::min(0.5, 0.3 * at.temperature / std::sqrt(at.gamma));
  double slope_above = kNan;
  for (double theta = 1; theta > least; theta *= kRatio) {
    Unknowns x;
    x.m = layout.magnetised ? 1 : 0;
    x.w2 = std::min(0.01, at.temperature / 4);
    x.w1 = layout.outer ? std::min(2 * x.w2 + 0.02, 0.5) : 1;
    x.theta = theta;
    Point point;
    const double damping = at.p == 2 ? 0.5 : 1;
    for (int i = 0; i < kIterations; ++i) {
      point = evaluate(at, x);
      ++search.iterations;
      if (!point.valid) break;
      if (layout.magnetised) x.m += damping * (point.m - x.m);
      x.w2 += damping * (point.w2 - x.w2);
      if (layout.outer) x.w1 = std::max(x.w2, x.w1 + damping * (point.w1 - x.w1));
      if (std::max(std::abs(point.w2 - x.w2), std::abs(point.m - x.m)) < 1e-7 && i > 10) break;
    }
    const bool usable = point.valid && broken(x, layout);
    const double slope = usable ? point.slope : kNan;
    // Going down in theta the slope turns from + to -.
    if (slope_above > 0 && slope <= 0 && accept(solve_from(at, x, layout), layout, search)) {
      return true;
    }
    slope_above = slope;
  }
  return false;
}

DenseState from_ground(const DenseParameters& at, Branch branch) {
  DenseState state;
  if (at.gamma == 0) return solve_replica_symmetric(at, branch);
  const GroundState ground = solve_ground(at.p, at.gamma, branch);
  state.report = ground.report;
  state.m = ground.at.m;
  state.q1 = 1 - ground.at.one_minus_q1;
  state.q2 = 1;
  state.theta = 0;
  state.y = ground.at.y;
  state.a = kNan;
  state.r = kNan;
  state.free_energy = ground.energy;
  state.replicon = -kInfinity;
  if (!ground.report.converged) {
    if (ground.unresolved) {
      DenseState symmetric = solve_replica_symmetric(at, branch);
      symmetric.collapsed = true;
      symmetric.report.message = ground.report.message;
      return symmetric;
    }
    state.m = state.q1 = state.q2 = state.theta = state.y = state.replicon = kNan;
    state.susceptibility = kNan;
    return state;
  }
  state.susceptibility = ground_point(at.p, at.gamma, ground.at).susceptibility;
  return state;
}

}  // namespace

DenseState solve_one_step(const DenseParameters& at, Branch branch) {
  if (at.temperature == 0) return from_ground(at, branch);
  const Layout layout = {branch == Branch::kRetrieval, branch == Branch::kRetrieval || at.p == 2};
  // Where the replica-symmetric solution is stable it is the answer.
  DenseState symmetric;
  if (layout.outer) {
    symmetric = solve_replica_symmetric(at, branch);
    if (symmetric.report.converged && symmetric.replicon >= 0) {
      symmetric.collapsed = true;
      symmetric.report.message = "replica symmetry is stable here: q1 = q2, theta plays no part";
      return symmetric;
    }
  }
  Search search;
  search.iterations = symmetric.report.iterations;
  const bool frozen = layout.outer || at.gamma > 0;
  if (frozen && !follow_from_ground(at, branch, layout, search)) scan(at, layout, search);
  DenseState state;
  state.report.iterations = search.iterations;
  if (!search.found) {
    std::ostringstream text;
    text << "no one-step " << (layout.magnetised ? "retrieval" : "glass")
         << " solution found at gamma = " << at.gamma << ", T = " << at.temperature;
    if (symmetric.report.converged) {
      text << "; the replica-symmetric one has the replicon " << symmetric.replicon;
    }
    if (!layout.magnetised && at.p > 2) {
      text << "; the static glass temperature is "
           << static_glass_temperature(at.p, at.gamma).temperature;
    }
    state.report.message = text.str();
    state.report.residual = state.m = state.q1 = state.q2 = state.theta = state.y = kNan;
    state.susceptibility = state.r = state.a = state.free_energy = state.replicon = kNan;
    return state;
  }
  const Point point = evaluate(at, search.x);
  // As small as rounding, the breaking has no digits.
  constexpr double kResolved = 1e-12;
  if (symmetric.report.converged &&
      std::abs(point.a - symmetric.a) < kResolved * std::abs(symmetric.a)) {
    symmetric.collapsed = true;
    std::ostringstream text;
    text << "replica-symmetric to rounding: one step changes A by " << point.a - symmetric.a;
    symmetric.report.message = text.str();
    return symmetric;
  }
  const Noise noise = noise_of(at, search.x);
  state.report.converged = true;
  state.report.residual = search.residual;
  state.m = search.x.m;
  state.q1 = 1 - search.x.w1;
  state.q2 = 1 - search.x.w2;
  state.theta = search.x.theta;
  state.y = search.x.theta / at.temperature;
  state.susceptibility = search.x.w2 / at.temperature;
  state.r = at.p == 2 ? (noise.outer + noise.inner) / at.gamma : kNan;
  state.a = point.a;
  state.free_energy = -at.temperature * point.a;
  state.replicon = 1 - noise.replicon_factor * point.sech4;
  return state;
}

}  // namespace hopfield::theory
