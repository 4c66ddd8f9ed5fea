#include "apps/mil/ridge.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include "hopfield/base/error.h"

namespace hopfield::mil {
namespace {

constexpr double kSmallestSlope = 0.01;
constexpr int kMaxNewtonSteps = 100;

/// Sum of a[i] b[i], always in the same order: eight running sums, which compilers keep in vectors.
double dot(const double* a, const double* b, std::size_t n) {
  constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> sums{};
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  double sum = 0;
  for (; i < n; ++i) sum += a[i] * b[i];
  for (const double part : sums) sum += part;
  return sum;
}

/// The lower triangle of `a` becomes L with L L^T = a. False if `a` is not positive definite.
bool cholesky(std::vector<double>& a, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    double* row = a.data() + i * n;
    for (std::size_t j = 0; j < i; ++j) {
      const double* other = a.data() + j * n;
      row[j] = (row[j] - dot(row, other, j)) / other[j];
    }
    const double pivot = row[i] - dot(row, row, i);
    if (!(pivot > 0)) return false;
    row[i] = std::sqrt(pivot);
  }
  return true;
}

/// Row j of the result is column j of L^-1, from its place j on.
std::vector<double> inverse_columns(const std::vector<double>& lower, std::size_t n) {
  std::vector<double> out(n * n, 0.0);
  for (std::size_t j = 0; j < n; ++j) {
    double* column = out.data() + j * n;
    column[j] = 1 / lower[j * n + j];
    for (std::size_t i = j + 1; i < n; ++i) {
      const double* row = lower.data() + i * n;
      column[i] = -dot(row + j, column + j, i - j) / row[i];
    }
  }
  return out;
}

}  // namespace

RidgeFit fit_ridge(std::span<const double> gram, std::span<const double> targets, double ridge,
                   std::size_t num_outputs) {
  const std::size_t n = targets.size() / num_outputs;
  require(gram.size() == n * n, "fit_ridge",
          "expected " + std::to_string(n) + " x " + std::to_string(n) + " similarities, got " +
              std::to_string(gram.size()) + " numbers");
  std::vector<double> lower(gram.begin(), gram.end());
  for (std::size_t i = 0; i < n; ++i) lower[i * n + i] += ridge;
  require(cholesky(lower, n), "fit_ridge",
          "expected similarities that are positive definite with the ridge " +
              std::to_string(ridge) + ", got others");
  const std::vector<double> inverse = inverse_columns(lower, n);
  // z = L^-1 t, then v = L^-T z and G_jj = sum over i of (L^-1)_ij^2.
  RidgeFit fit{std::vector<double>(targets.size()), std::vector<double>(targets.size())};
  for (std::size_t output = 0; output < num_outputs; ++output) {
    std::vector<double> z(n, 0.0);
    for (std::size_t j = 0; j < n; ++j) {
      const double target = targets[j * num_outputs + output];
      for (std::size_t i = j; i < n; ++i) z[i] += inverse[j * n + i] * target;
    }
    for (std::size_t j = 0; j < n; ++j) {
      const double* column = inverse.data() + j * n + j;
      const std::size_t at = j * num_outputs + output;
      fit.values[at] = dot(column, z.data() + j, n - j);
      fit.left_out[at] = targets[at] - fit.values[at] / dot(column, column, n - j);
    }
  }
  return fit;
}

Logistic fit_logistic(std::span<const double> scores, std::span<const int> labels) {
  require(scores.size() == labels.size(), "fit_logistic",
          "expected as many labels as scores, got " + std::to_string(scores.size()) +
              " scores and " + std::to_string(labels.size()) + " labels");
  double num_positive = 0, num_negative = 0, center = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    require(
        std::isfinite(scores[i]), "fit_logistic",
        "expected finite scores, got " + std::to_string(scores[i]) + " at " + std::to_string(i));
    (labels[i] != 0 ? num_positive : num_negative) += 1;
    center += scores[i] / static_cast<double>(scores.size());
  }
  require(num_positive > 0 && num_negative > 0, "fit_logistic", "expected both classes, got one");
  const std::array<double, 2> target = {1 / (num_negative + 2),
                                        (num_positive + 1) / (num_positive + 2)};
  const double share =
      (num_positive * target[1] + num_negative * target[0]) / static_cast<double>(scores.size());
  const auto loss = [&](double slope, double level) {
    double sum = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const double logit = slope * (scores[i] - center) + level;
      // log(1 + exp(logit)) - target * logit, without overflow
      sum += std::max(logit, 0.0) + std::log1p(std::exp(-std::abs(logit))) -
             target[labels[i] != 0] * logit;
    }
    return sum;
  };
  double slope = 0, level = std::log(share / (1 - share));
  double current = loss(slope, level);
  for (int step = 0; step < kMaxNewtonSteps; ++step) {
    double g0 = 0, g1 = 0, h00 = 1e-12, h01 = 0, h11 = 1e-12;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const double x = scores[i] - center;
      const double p = 1 / (1 + std::exp(-(slope * x + level)));
      const double error = p - target[labels[i] != 0], spread = p * (1 - p);
      g0 += error;
      g1 += error * x;
      h00 += spread;
      h01 += spread * x;
      h11 += spread * x * x;
    }
    const double determinant = h00 * h11 - h01 * h01;
    const double by_level = (h11 * g0 - h01 * g1) / determinant;
    const double by_slope = (h00 * g1 - h01 * g0) / determinant;
    double length = 1, next = current;
    for (; length > 1e-6; length /= 2) {
      next = loss(slope - length * by_slope, level - length * by_level);
      if (next < current) break;
    }
    if (!(next < current)) break;
    slope -= length * by_slope;
    level -= length * by_level;
    current = next;
  }
  if (slope < kSmallestSlope) {
    slope = kSmallestSlope;
    level = std::log(share / (1 - share));
  }
  return {slope, level - slope * center};
}

}  // namespace hopfield::mil
