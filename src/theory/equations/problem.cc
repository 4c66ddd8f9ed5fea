#include "hopfield/theory/problem.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <sstream>
#include <vector>

#include "hopfield/base/error.h"

namespace hopfield::theory {
namespace {

using Vector = std::vector<double>;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kUpdatesMax = 100000;

double dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}
double norm(const Vector& a) {
  return std::sqrt(dot(a, a));
}
double distance(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
  return std::sqrt(sum);
}

/// The largest eigenvalue of a symmetric positive semidefinite operator on R^n, by Lanczos with
/// full reorthogonalisation: exact after n steps, converged long before.
double largest_eigenvalue(std::size_t n, const std::function<Vector(const Vector&)>& apply) {
  constexpr std::size_t kStepsMax = 300;
  std::vector<Vector> basis;
  Vector diagonal, off, v(n);
  for (std::size_t k = 0; k < n; ++k) v[k] = 1 + 0.5 * std::sin(1.7 * static_cast<double>(k) + 0.3);
  double scale = norm(v), previous = -1;
  for (double& x : v) x /= scale;
  // Largest eigenvalue of the tridiagonal matrix: bisection on the number of negative pivots.
  const auto ritz = [&] {
    double high = 0;
    for (std::size_t i = 0; i < diagonal.size(); ++i) {
      high = std::max(high, std::abs(diagonal[i]) + (i > 0 ? off[i - 1] : 0.0) +
                                (i + 1 < diagonal.size() ? off[i] : 0.0));
    }
    double low = 0;
    for (int step = 0; step < 200 && low < high; ++step) {
      const double middle = low + (high - low) / 2;
      if (middle == low || middle == high) break;
      bool above = true;  // no eigenvalue of the matrix lies above middle
      double pivot = 1;
      for (std::size_t i = 0; i < diagonal.size() && above; ++i) {
        const double coupling = i > 0 ? off[i - 1] * off[i - 1] / pivot : 0;
        pivot = middle - diagonal[i] - coupling;
        above = pivot > 0;
      }
      (above ? high : low) = middle;
    }
    return high;
  };
  double value = 0;
  for (std::size_t step = 0; step < std::min(n, kStepsMax); ++step) {
    basis.push_back(v);
    Vector w = apply(v);
    diagonal.push_back(dot(w, v));
    value = ritz();
    for (int pass = 0; pass < 2; ++pass) {
      for (const Vector& b : basis) {
        const double part = dot(w, b);
        for (std::size_t k = 0; k < n; ++k) w[k] -= part * b[k];
      }
    }
    const double rest = norm(w);
    const bool settled = step > 4 && std::abs(value - previous) <= 1e-15 * value;
    if (settled || rest <= 1e-14 * std::max(value, 1e-300)) break;
    previous = value;
    off.push_back(rest);
    v = w;
    for (double& x : v) x /= rest;
  }
  return value;
}

class Problem {
 public:
  explicit Problem(const ProblemParameters& at) : beta_(at.beta) {
    const auto d = static_cast<std::size_t>(at.depth);
    for (std::int64_t i = 1; i <= at.num_patterns; ++i) {
      Vector x(d);
      for (std::size_t k = 1; k <= d; ++k) {
        const auto pattern = static_cast<double>(i), row = static_cast<double>(k);
        x[k - 1] = std::cos(0.7 * row * pattern) + 0.3 * std::sin(1.3 * row + 2.1 * pattern);
      }
      x_.push_back(std::move(x));
    }
    for (std::size_t k = 1; k <= d; ++k) {
      start_.push_back(std::sin(0.9 * static_cast<double>(k)));
      v_.push_back(std::cos(0.4 * static_cast<double>(k)));
    }
    for (const Vector& x : x_) norm_max_ = std::max(norm_max_, norm(x));
  }

  const std::vector<Vector>& patterns() const { return x_; }
  const Vector& start() const { return start_; }
  const Vector& v() const { return v_; }
  double norm_max() const { return norm_max_; }

  struct Association {
    Vector p;
    double lse;
  };
  Association associate(const Vector& xi) const {
    Association a;
    for (const Vector& x : x_) a.p.push_back(beta_ * dot(x, xi));
    const double top = *std::max_element(a.p.begin(), a.p.end());
    double sum = 0;
    for (double& s : a.p) sum += s = std::exp(s - top);
    for (double& s : a.p) s /= sum;
    a.lse = top + std::log(sum);
    return a;
  }
  Vector mean(const Vector& weights) const {
    Vector sum(start_.size(), 0);
    for (std::size_t i = 0; i < x_.size(); ++i) {
      for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += weights[i] * x_[i][k];
    }
    return sum;
  }
  Vector update(const Vector& xi) const { return mean(associate(xi).p); }
  double energy(const Vector& xi) const {
    return (std::log(static_cast<double>(x_.size())) - associate(xi).lse) / beta_ +
           dot(xi, xi) / 2 + norm_max_ * norm_max_ / 2;
  }
  /// w_i = p_i (<x_i, u> - mean of that).
  Vector contrast(const Vector& p, const Vector& u) const {
    Vector w;
    for (const Vector& x : x_) w.push_back(dot(x, u));
    const double middle = dot(p, w);
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = p[i] * (w[i] - middle);
    return w;
  }
  /// J u = beta X w.
  Vector jacobian(const Vector& p, const Vector& u) const {
    Vector result = mean(contrast(p, u));
    for (double& r : result) r *= beta_;
    return result;
  }
  double jacobian_norm(const Vector& p) const {
    return largest_eigenvalue(start_.size(), [&](const Vector& u) { return jacobian(p, u); });
  }
  /// |X|^2 = lambda_max(X X^T).
  double pattern_norm2() const {
    return largest_eigenvalue(start_.size(), [&](const Vector& u) {
      Vector w;
      for (const Vector& x : x_) w.push_back(dot(x, u));
      return mean(w);
    });
  }

  struct End {
    Vector xi;
    std::int64_t steps = -1, updates = 0;  ///< steps: until an update is shorter than 1e-10
    double residual = 0;
  };
  /// Updates on after `steps` until rounding stops them, so that the answer has all its digits.
  End fixed_point(Vector xi) const {
    End end;
    double before = std::numeric_limits<double>::infinity();
    for (end.updates = 1; end.updates <= kUpdatesMax; ++end.updates) {
      Vector next = update(xi);
      end.residual = distance(next, xi);
      xi = std::move(next);
      if (end.steps < 0 && end.residual < 1e-10) end.steps = end.updates;
      if (end.steps >= 0 && (end.residual < 1e-16 || end.residual >= before)) break;
      before = end.residual;
    }
    end.xi = std::move(xi);
    return end;
  }

 private:
  double beta_, norm_max_ = 0;
  std::vector<Vector> x_;
  Vector start_, v_;
};

std::int64_t metastable_size(Vector p) {
  std::sort(p.rbegin(), p.rend());
  double sum = 0;
  std::int64_t count = 0;
  while (sum < 0.9 && count < static_cast<std::int64_t>(p.size())) {
    sum += p[static_cast<std::size_t>(count++)];
  }
  return count;
}

/// Lemma A8 for the fewest patterns that hold 0.9.
double group_bound(const Problem& problem, const Vector& p, double beta) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p[a] > p[b]; });
  const auto size = static_cast<std::size_t>(metastable_size(p));
  Vector weights(p.size(), 0);
  double rest = 0, spread = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    if (k < size) {
      weights[order[k]] = 1 / static_cast<double>(size);
    } else {
      rest += p[order[k]];
    }
  }
  const Vector centre = problem.mean(weights);
  for (std::size_t k = 0; k < size; ++k) {
    spread = std::max(spread, distance(problem.patterns()[order[k]], centre));
  }
  const double norm2 = problem.norm_max() * problem.norm_max();
  return beta * ((1 - rest) * spread * spread + 2 * rest * (2 - rest) * norm2);
}

/// Ratio of the last two distances from `end` on the way from the start that rounding leaves alone.
double contraction_of(const Problem& problem, const Vector& end) {
  constexpr int kTransient = 5;
  const double least = 1e-8 * problem.norm_max();
  Vector xi = problem.start();
  double ratio = kNan, before = distance(xi, end);
  for (std::int64_t t = 0; t < kUpdatesMax; ++t) {
    xi = problem.update(xi);
    const double after = distance(xi, end);
    if (after < least) break;
    if (t >= kTransient) ratio = after / before;
    before = after;
  }
  return ratio;
}

void geometry(const Problem& problem, const Vector& p, double beta, ProblemAnswer& answer) {
  const std::vector<Vector>& x = problem.patterns();
  const std::size_t n = x.size();
  const Vector centre = problem.mean(Vector(n, 1 / static_cast<double>(n)));
  answer.norm_max = problem.norm_max();
  answer.separation_min = std::numeric_limits<double>::infinity();
  double diameter = 0, concentration = std::numeric_limits<double>::infinity(), m = 0;
  for (std::size_t i = 0; i < n; ++i) {
    answer.distance_to_mean_max = std::max(answer.distance_to_mean_max, distance(x[i], centre));
    double reach = 0;
    for (std::size_t j = 0; j < n; ++j) {
      if (j == i) continue;
      answer.separation_min = std::min(answer.separation_min, dot(x[i], x[i]) - dot(x[i], x[j]));
      reach = std::max(reach, distance(x[i], x[j]));
    }
    diameter = std::max(diameter, reach);
    concentration = std::min(concentration, beta * (1 - p[i]) * reach * reach);
    m = std::max(m, p[i] * (1 - p[i]));
  }
  const double norm2 = problem.pattern_norm2();
  const double spread = answer.distance_to_mean_max;
  const double ball = beta * problem.norm_max() * problem.norm_max();
  const double rest = 1 - *std::max_element(p.begin(), p.end());
  const double peaked = rest <= 0.5 ? 2 * static_cast<double>(n) * ball * rest
                                    : std::numeric_limits<double>::infinity();
  answer.bounds = {2 * beta * m * norm2,
                   beta * norm2 / 2,
                   beta * spread * spread,
                   beta * diameter * diameter / 4,
                   concentration,
                   ball,
                   peaked,
                   group_bound(problem, p, beta)};
}

/// Conjugate gradients on (I - J) u = v, then the gradients of L by X and beta.
void gradients(const Problem& problem, const Vector& p, const Vector& xi, double beta,
               ProblemAnswer& answer) {
  answer.gradient_norm = answer.gradient_sum = answer.gradient_beta = kNan;
  if (!(answer.jacobian_end < 1)) return;
  const auto apply = [&](const Vector& u) {
    Vector result = problem.jacobian(p, u);
    for (std::size_t k = 0; k < u.size(); ++k) result[k] = u[k] - result[k];
    return result;
  };
  Vector u(xi.size(), 0), r = problem.v(), direction = r;
  double rr = dot(r, r);
  const double enough = 1e-32 * rr;
  for (std::size_t step = 0; step < 10 * xi.size() + 1000 && rr > enough; ++step) {
    const Vector image = apply(direction);
    const double length = rr / dot(direction, image);
    for (std::size_t k = 0; k < u.size(); ++k) {
      u[k] += length * direction[k];
      r[k] -= length * image[k];
    }
    const double next = dot(r, r);
    for (std::size_t k = 0; k < u.size(); ++k) direction[k] = r[k] + next / rr * direction[k];
    rr = next;
  }
  // dL/dX = u p^T + beta xi* w^T; dL/dbeta = w . (X^T xi*).
  const Vector w = problem.contrast(p, u);
  double square = 0, sum = 0, by_beta = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    for (std::size_t k = 0; k < u.size(); ++k) {
      const double entry = u[k] * p[i] + beta * xi[k] * w[i];
      square += entry * entry;
      sum += entry;
    }
    by_beta += w[i] * dot(problem.patterns()[i], xi);
  }
  answer.gradient_norm = std::sqrt(square);
  answer.gradient_sum = sum;
  answer.gradient_beta = by_beta;
}

}  // namespace

ProblemAnswer solve_problem(const ProblemParameters& at) {
  const auto whole = [](std::int64_t value) { return std::to_string(value); };
  require(at.depth >= 1 && at.num_patterns >= 1, "solve_problem",
          "expected depth and num_patterns >= 1, got " + whole(at.depth) + " and " +
              whole(at.num_patterns));
  constexpr std::int64_t kNumbersMax = 10'000'000;
  require(at.depth <= kNumbersMax / at.num_patterns, "solve_problem",
          "expected at most 10^7 numbers, got " + whole(at.depth) + " x " + whole(at.num_patterns));
  std::ostringstream beta;
  beta << at.beta;
  require(at.beta > 0 && std::isfinite(at.beta), "solve_problem",
          "expected a finite beta > 0, got " + beta.str());
  const Problem problem(at);
  ProblemAnswer answer;
  const Vector p0 = problem.associate(problem.start()).p;
  geometry(problem, p0, at.beta, answer);
  const Vector xi1 = problem.update(problem.start());
  answer.energy_first = problem.energy(problem.start());
  answer.energy_second = problem.energy(xi1);
  answer.v_update = dot(problem.v(), xi1);
  answer.jacobian_first = problem.jacobian_norm(p0);
  answer.metastable_first = metastable_size(p0);

  const Problem::End end = problem.fixed_point(problem.start());
  answer.report.converged = end.steps >= 0;
  answer.report.iterations = end.updates;
  answer.report.residual = end.residual;
  if (!answer.report.converged) answer.report.message = "still moving after 100000 updates";
  answer.steps = end.steps;
  const Vector p = problem.associate(end.xi).p;
  answer.energy_end = problem.energy(end.xi);
  answer.norm_end = norm(end.xi);
  answer.association_max = *std::max_element(p.begin(), p.end());
  answer.jacobian_end = problem.jacobian_norm(p);
  answer.metastable_end = metastable_size(p);
  answer.contraction = contraction_of(problem, end.xi);
  gradients(problem, p, end.xi, at.beta, answer);

  std::vector<Vector> points;
  for (const Vector& x : problem.patterns()) {
    const Vector reached = problem.fixed_point(x).xi;
    const bool known = std::any_of(points.begin(), points.end(), [&](const Vector& point) {
      return distance(point, reached) < 1e-6;
    });
    if (!known) points.push_back(reached);
  }
  answer.num_fixed_points = static_cast<std::int64_t>(points.size());
  return answer;
}

}  // namespace hopfield::theory
