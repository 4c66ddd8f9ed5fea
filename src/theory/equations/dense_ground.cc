// One-step equations at zero temperature: the inner average is known in closed form.
#include <algorithm>
#include <boost/math/constants/constants.hpp>
#include <cmath>
#include <limits>
#include <optional>
#include <sstream>
#include <vector>

#include "theory/equations/dense_equations.h"
#include "theory/equations/gaussian.h"

namespace hopfield::theory {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kGood = 1e-7;    // of relative residuals
constexpr double kLeast = 1e-12;  // a smaller 1 - q1 is lost in the rounding of the outer field

/// Averages over the inner z of exp(y |h|), h = c + d z.
struct Inner {
  double log_z = 0;  ///< ln E2 exp(y |h|)
  double sign = 0;   ///< <sgn h>
  double one_minus_sign2 = 0;
  double slope =
      0;  ///< ln E2 exp(y |h|) - y <|h|> + (y d)^2 / 2, in which all that is large cancels
  double zero_density = 0;  ///< density of h at 0 under the tilted measure
};

Inner inner_average(double c, double d, double y) {
  const double u = c / d, t = y * d;
  const double plus = t * t / 2 + y * c + log_normal_cdf(u + t);
  const double minus = t * t / 2 - y * c + log_normal_cdf(t - u);
  const double high = std::max(plus, minus), gap = plus - minus, e = std::exp(-std::abs(gap));
  const double share = e / (1 + e);  // of the smaller part
  Inner inner;
  inner.log_z = high + std::log1p(e);
  inner.sign = std::copysign((1 - e) / (1 + e), gap);
  inner.one_minus_sign2 = 4 * e / ((1 + e) * (1 + e));
  inner.zero_density = normal_density(u) / d * std::exp(-inner.log_z);
  inner.slope = log_normal_cdf(std::abs(u) + t) + std::log1p(e) + 2 * y * std::abs(c) * share -
                2 * y * d * d * inner.zero_density;
  return inner;
}

double power_gap(double w, int n) {
  return -std::expm1(n * std::log1p(-w));
}  // 1 - (1-w)^n

/// (1 - p q^(p-1) + (p-1) q^p) / (1-q)^2 = 1 + 2q + ... + (p-1) q^(p-2).
double power_bend(double q, int p) {
  double sum = 0;
  for (int k = p - 1; k >= 1; --k) sum = sum * q + k;
  return sum;
}

/// ln(1-z) + z/(1-z), which begins with z^2/2.
double log_bend(double z) {
  if (z > 0.1) return std::log1p(-z) + z / (1 - z);
  double sum = 0;
  constexpr int kTerms = 18;  // 0.1^18 is below rounding
  for (int n = kTerms; n >= 2; --n) sum = (sum + (n - 1.0) / n) * z;
  return sum * z;
}

GroundUnknowns from_vector(const Vector& x, bool magnetised, bool hopfield) {
  GroundUnknowns at;
  std::size_t i = 0;
  at.y = x[i++];
  at.one_minus_q1 = x[i++];
  if (magnetised) at.m = x[i++];
  if (hopfield) at.susceptibility = x[i++];
  return at;
}

Vector to_vector(const GroundUnknowns& at, bool magnetised, bool hopfield) {
  Vector x = {at.y, at.one_minus_q1};
  if (magnetised) x.push_back(at.m);
  if (hopfield) x.push_back(at.susceptibility);
  return x;
}

Vector scale_of(const Vector& x, bool magnetised) {
  Vector scale = x;
  scale[1] = std::min(x[1], 1 - x[1]);
  if (magnetised) scale[2] = std::min(x[2], 1 - x[2]);
  for (double& s : scale) s = std::max(std::abs(s), 1e-9);
  return scale;
}

struct Model {
  int p;
  double gamma;
  bool magnetised, sk;
  bool hopfield() const { return p == 2 && !sk; }
};

/// From `start`; with `fixed_y` the breaking stays as it is there.
NewtonResult newton_ground(const Model& model, const GroundUnknowns& start, bool fixed_y) {
  const auto equations = [&](const Vector& x, Vector& value) {
    const GroundUnknowns at = from_vector(x, model.magnetised, model.hopfield());
    const GroundPoint point = ground_point(model.p, model.gamma, at, model.sk);
    if (!point.valid) return false;
    std::size_t i = 0;
    // In units of 1 - q1, which may be tiny; the slope is of second order in it.
    const double unit = at.one_minus_q1;
    value[i++] = fixed_y ? at.y / start.y - 1 : point.energy_by_y / (unit * unit);
    value[i++] = (point.one_minus_q1 - unit) / unit;
    if (model.magnetised) value[i++] = point.m - at.m;
    if (model.hopfield()) value[i++] = point.susceptibility - at.susceptibility;
    return true;
  };
  return newton(
      equations, to_vector(start, model.magnetised, model.hopfield()),
      [&](const Vector& x) { return scale_of(x, model.magnetised); }, kGood);
}

/// The limit q1 -> 1 of the retrieval branch. Where the inner field D z matters the outer one c has
/// a constant density, that of h = 0, so that in units of D only t = y D is left. dE/dy = 0 becomes
/// int slope dv = (t^2/4) int (1 - s^2) dv, v = c / D: the same t for every network.
struct WeakNoise {
  double t = 0;
  double width = 0;  ///< int (1 - s^2) dv
};

WeakNoise weak_noise() {
  WeakNoise limit;
  const auto excess = [&limit](double t) {
    // Smooth and falling like exp(-2 t |v|): sums in even steps are exact to rounding.
    constexpr double kStep = 0.05;
    double slope = 0;
    limit.width = 0;
    for (int k = -600; k <= 600; ++k) {
      const Inner inner = inner_average(kStep * k, 1, t);
      slope += kStep * inner.slope;
      limit.width += kStep * inner.one_minus_sign2;
    }
    return slope - t * t / 4 * limit.width;
  };
  limit.t = bracketed_root(excess, 0.5, 10);
  excess(limit.t);
  return limit;
}

/// First guess from the replica-symmetric state, where there is one, and the limit above.
std::optional<GroundUnknowns> weak_noise_guess(const Model& model) {
  const DenseState symmetric =
      solve_replica_symmetric({model.p, model.gamma, 0}, Branch::kRetrieval);
  if (!symmetric.report.converged) return std::nullopt;
  GroundUnknowns at;
  const WeakNoise limit = weak_noise();
  const double density = symmetric.susceptibility / 2;
  const double split = limit.t * density * limit.width;  // y (1 - q1)
  // D^2 = factor (1 - q1) and 1 - q1 = density D width.
  double factor = model.gamma * model.p * (model.p - 1) / 2;
  if (model.hopfield()) {
    const double open1 = 1 - symmetric.susceptibility;
    factor = model.gamma / (open1 * (open1 + split));
    at.susceptibility = symmetric.susceptibility - split;
  }
  const double deviation = factor * density * limit.width;
  at.m = symmetric.m;
  at.one_minus_q1 = density * deviation * limit.width;
  at.y = limit.t / deviation;
  return at;
}

/// The equations at fixed y, iterated from the given start. False if they leave the branch.
bool settle(const Model& model, GroundUnknowns& at, std::int64_t& iterations) {
  constexpr int kIterations = 100;
  constexpr double kEnough = 1e-9;  // Newton's method does the rest
  for (int i = 0; i < kIterations; ++i) {
    const GroundPoint point = ground_point(model.p, model.gamma, at, model.sk);
    ++iterations;
    if (!point.valid) return false;
    double dw = point.one_minus_q1 - at.one_minus_q1, dm = point.m - at.m, dc = 0;
    if (model.hopfield()) {
      // 1 - C - y (1 - q1) must stay positive: at most half of it in one step.
      dc = point.susceptibility - at.susceptibility;
      const double spent = dc + at.y * dw;
      const double left = 1 - at.susceptibility - at.y * at.one_minus_q1;
      const double factor = std::min(0.5, spent > 0 ? left / 2 / spent : 1);
      dw *= factor;
      dc *= factor;
      dm *= factor;
    }
    const double change = std::max(std::abs(dm), std::abs(dw) / at.one_minus_q1);
    if (model.magnetised) at.m = std::min(at.m + dm, 1.0);
    at.one_minus_q1 += dw;
    at.susceptibility += dc;
    if (model.magnetised && at.m < 0.3) return false;
    if (change < kEnough) return true;
  }
  // Slow near the end of the branch: finish at this y by Newton's method.
  const NewtonResult found = newton_ground(model, at, true);
  iterations += found.iterations;
  const GroundUnknowns solved = from_vector(found.x, model.magnetised, model.hopfield());
  // Else as far as it got: enough for the sign of the slope, and the last step checks the answer.
  if (found.converged && (!model.magnetised || solved.m > 0.3)) at = solved;
  return true;
}

GroundState finish(const Model& model, const GroundUnknowns& at, double residual,
                   std::int64_t iterations) {
  GroundState state;
  state.at = at;
  state.energy = ground_point(model.p, model.gamma, at, model.sk).energy;
  state.report = {true, iterations, residual, ""};
  return state;
}

GroundState missing(std::int64_t iterations, const std::string& message) {
  GroundState state;
  state.report = {false, iterations, kNan, message};
  state.energy = kNan;
  return state;
}

/// Retrieval from the guess in the limit q1 -> 1, or that rounding hides the breaking; nothing
/// where there is no guess or Newton's method strays from it.
std::optional<GroundState> solve_near_limit(const Model& model, std::int64_t& iterations) {
  const std::optional<GroundUnknowns> guess = weak_noise_guess(model);
  if (!guess) return std::nullopt;
  if (guess->one_minus_q1 < kLeast) {
    std::ostringstream text;
    text << "replica-symmetric to rounding: 1 - q1 is about " << guess->one_minus_q1;
    GroundState state = missing(iterations, text.str());
    state.unresolved = true;
    return state;
  }
  const NewtonResult found = newton_ground(model, *guess, false);
  iterations += found.iterations;
  const GroundUnknowns solved = from_vector(found.x, true, model.hopfield());
  const double ratio = solved.one_minus_q1 / guess->one_minus_q1;
  if (!found.converged || ratio < 1.0 / 3 || ratio > 3) return std::nullopt;
  return finish(model, solved, found.residual, iterations);
}

/// P > 2, no magnetisation: q1 = 0, and y alone is unknown.
GroundState solve_pure_glass(const Model& model) {
  GroundUnknowns at;
  at.one_minus_q1 = 1;
  std::int64_t iterations = 0;
  const auto slope = [&](double y) {
    ++iterations;
    at.y = y;
    return ground_point(model.p, model.gamma, at).energy_by_y;
  };
  const double unit = 1 / std::sqrt(model.gamma);
  at.y = bracketed_root(slope, 0.05 * unit, 50 * unit);
  const double residual = std::abs(slope(at.y));
  GroundState state = finish(model, at, residual, iterations);
  state.at.susceptibility = ground_point(model.p, model.gamma, at).susceptibility;
  return state;
}

}  // namespace

GroundPoint ground_point(int p, double gamma, const GroundUnknowns& at, bool sk) {
  const double w = at.one_minus_q1, y = at.y, m = at.m, q1 = 1 - w, c = at.susceptibility;
  const bool hopfield = p == 2 && !sk;
  GroundPoint point;
  if (!(w > 0 && w <= 1 && y > 0 && m >= 0 && m <= 1)) return point;
  double outer2 = 0, inner2 = 0, open0 = 1, open1 = 1, r1 = 0, dr = 0;
  if (hopfield) {
    open0 = 1 - c;
    open1 = open0 - y * w;
    if (!(open1 > 0 && c >= 0)) return point;
    r1 = q1 / (open1 * open1);
    dr = w / (open0 * open1);
    outer2 = gamma * r1;
    inner2 = gamma * dr;
  } else {
    outer2 = gamma * p / 2 * std::pow(q1, p - 1);
    inner2 = gamma * p / 2 * power_gap(w, p - 1);
  }
  const double a = std::sqrt(outer2), d = std::sqrt(inner2);
  const double mean = p / 2.0 * std::pow(m, p - 1);
  std::vector<GaussianNode> nodes;
  if (a > 0) {
    gaussian_nodes(-mean / a, std::min(d, 1 / y) / a, 0, nodes);
  } else {
    nodes.push_back({0, 1});
  }
  double log_z = 0, slope = 0;
  for (const GaussianNode& node : nodes) {
    const Inner inner = inner_average(mean + a * node.z, d, y);
    point.m += node.weight * inner.sign;
    point.one_minus_q1 += node.weight * inner.one_minus_sign2;
    point.susceptibility += node.weight * 2 * inner.zero_density;
    log_z += node.weight * inner.log_z;
    slope += node.weight * inner.slope;
  }
  point.m = std::min(point.m, 1.0);  // the weights sum to 1 up to rounding only
  point.valid = true;
  if (hopfield) {
    const double z = y * w / open0, ratio = std::log1p(-z);
    const double rest = dr + r1 * w;  // r2 - r1 q1
    point.energy = -(log_z / y - m * m / 2 - gamma / 2 * (ratio / y - q1 / open1) -
                     gamma / 2 * ((r1 + dr) * c + y * rest));
    point.energy_by_y = (slope - gamma / 2 * log_bend(z)) / (y * y);  // all else cancels
  } else {
    const double gap = (p - 1) * power_gap(w, p);
    point.energy = -log_z / y + (p - 1) / 2.0 * std::pow(m, p) + gamma / 4 * y * gap;
    point.energy_by_y = slope / (y * y) - gamma / 4 * w * w * power_bend(q1, p);
  }
  return point;
}

GroundState solve_ground(int p, double gamma, Branch branch, bool sk) {
  const Model model = {p, gamma, branch == Branch::kRetrieval, sk};
  if (!model.magnetised && p > 2) return solve_pure_glass(model);
  std::int64_t iterations = 0;
  if (model.magnetised) {
    const std::optional<GroundState> state = solve_near_limit(model, iterations);
    if (state) return *state;
  }
  // What y D is of order 1 at; for P = 2 the noise alpha r is stronger than alpha.
  const double lowest = (model.hopfield() ? 0.02 : 0.2) / std::sqrt(gamma);
  GroundUnknowns previous;
  double previous_slope = kNan;
  // The energy is largest in y: its slope changes from + to -. Where the last y gave nothing the
  // next starts afresh: beyond the replica-symmetric load the branch exists between two y only.
  for (double y = lowest; y < 1e6 * lowest; y *= 1.25) {
    GroundUnknowns fresh;
    fresh.m = model.magnetised ? 1 : 0;
    fresh.susceptibility = 0.1;
    // Keeps 1 - C - y (1 - q1) > 0 at the start.
    fresh.one_minus_q1 = std::min(model.magnetised ? 0.01 : 0.5, 0.5 / y);
    fresh.y = y;
    GroundUnknowns at = previous;
    at.y = y;
    // (Not the glass: q1 = 0 solves its equations at any y and would hold the iteration.)
    bool settled = model.magnetised && !std::isnan(previous_slope) && settle(model, at, iterations);
    if (!settled) {
      at = fresh;
      settled = settle(model, at, iterations);
    }
    double slope = kNan;
    if (settled) {
      slope = ground_point(p, gamma, at, sk).energy_by_y;
      if (previous_slope > 0 && slope <= 0) {
        for (const GroundUnknowns& start : {at, previous}) {
          const NewtonResult found = newton_ground(model, start, false);
          iterations += found.iterations;
          const GroundUnknowns solved = from_vector(found.x, model.magnetised, model.hopfield());
          if (found.converged && solved.one_minus_q1 > kLeast) {
            return finish(model, solved, found.residual, iterations);
          }
        }
      }
    }
    previous = at;
    previous_slope = slope;
  }
  return missing(iterations, "no one-step solution found at T = 0");
}

}  // namespace hopfield::theory
