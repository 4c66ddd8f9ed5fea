#include "hopfield/memory/bounds.h"

#include <algorithm>
#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/lambert_w.hpp>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>

#include "hopfield/base/error.h"

namespace hopfield {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void require_positive(double x, std::string_view op, const char* name) {
  require(x > 0 && std::isfinite(x), op,
          std::string("expected ") + name + " > 0 and finite, got " + std::to_string(x));
}

void require_patterns(double num_patterns, std::string_view op) {
  require(num_patterns >= 1, op, "expected num_patterns >= 1, got " + std::to_string(num_patterns));
}

/// ln of the number whose logarithm the criterion takes, divided by beta: the balls are disjoint
/// where beta * exp(this) > 1.
double log_crowd(StorageCriterion criterion, double num_patterns, double norm_max) {
  const double others = std::log(num_patterns - 1) + 2 * std::log(norm_max);
  return criterion == StorageCriterion::kMaster ? std::log(2.0) + std::log(num_patterns) + others
                                                : std::log(4.0) + others;
}

double offset(StorageCriterion criterion, double num_patterns) {
  return criterion == StorageCriterion::kMaster ? 2 / num_patterns : 1.0;
}

/// The root y >= 1 of y - ln y = k, k >= 1: -W_{-1}(-exp(-k)), which Boost cannot reach once
/// exp(-k) underflows. Newton from the right of the root of a convex function never crosses it.
double larger_root(double k) {
  double y = k + std::sqrt(2 * (k - 1));
  for (int i = 0; i < 100 && y > 1; ++i) {
    const double next = y - (y - std::log(y) - k) / (1 - 1 / y);
    if (!(next < y)) break;
    y = next;
  }
  return y;
}

}  // namespace

double separation_needed(StorageCriterion criterion, double beta, double num_patterns,
                         double norm_max) {
  constexpr std::string_view op = "separation_needed";
  require_positive(beta, op, "beta");
  require_positive(norm_max, op, "norm_max");
  require_patterns(num_patterns, op);
  if (num_patterns < 2) return -kInfinity;
  return (offset(criterion, num_patterns) + log_crowd(criterion, num_patterns, norm_max) +
          std::log(beta)) /
         beta;
}

double beta_needed(StorageCriterion criterion, double separation, double num_patterns,
                   double norm_max) {
  constexpr std::string_view op = "beta_needed";
  require_positive(norm_max, op, "norm_max");
  require_patterns(num_patterns, op);
  require(!std::isnan(separation), op, "expected a separation, got NaN");
  if (num_patterns < 2) return 0;
  if (separation <= 0) return kInfinity;
  const double crowd = log_crowd(criterion, num_patterns, norm_max);
  const double disjoint = std::exp(-crowd);
  if (std::isinf(separation)) return disjoint;
  const double k = offset(criterion, num_patterns) + crowd - std::log(separation);
  return k < 1 ? disjoint : std::max(disjoint, larger_root(k) / separation);
}

double certified_radius(StorageCriterion criterion, double beta, double num_patterns,
                        double norm_max) {
  constexpr std::string_view op = "certified_radius";
  require_positive(beta, op, "beta");
  require_positive(norm_max, op, "norm_max");
  require_patterns(num_patterns, op);
  return 1 / (beta * norm_max * (criterion == StorageCriterion::kMaster ? num_patterns : 2.0));
}

double retrieval_error_bound(double beta, double separation, double radius, double num_patterns,
                             double norm_max) {
  constexpr std::string_view op = "retrieval_error_bound";
  require_positive(beta, op, "beta");
  require(norm_max >= 0, op, "expected norm_max >= 0, got " + std::to_string(norm_max));
  require(radius >= 0, op, "expected radius >= 0, got " + std::to_string(radius));
  require_patterns(num_patterns, op);
  if (num_patterns < 2) return 0;
  return 2 * (num_patterns - 1) * norm_max * std::exp(-beta * (separation - 2 * radius * norm_max));
}

double beta_for_error(double error, double separation, double radius, double num_patterns,
                      double norm_max) {
  constexpr std::string_view op = "beta_for_error";
  require_positive(error, op, "error");
  require(norm_max >= 0, op, "expected norm_max >= 0, got " + std::to_string(norm_max));
  require(radius >= 0, op, "expected radius >= 0, got " + std::to_string(radius));
  require_patterns(num_patterns, op);
  const double at_zero = 2 * (num_patterns - 1) * norm_max;  // the bound at beta = 0
  if (at_zero <= error) return 0;
  const double slope = separation - 2 * radius * norm_max;
  return slope > 0 ? std::log(at_zero / error) / slope : kInfinity;
}

namespace {

void check_sphere(std::string_view op, double beta, double k, std::int64_t depth, double p) {
  require_positive(beta, op, "beta");
  require_positive(k, op, "K");
  require(depth >= 2, op, "expected depth >= 2, got " + std::to_string(depth));
  require(p > 0 && p <= 1, op, "expected failure_probability in (0, 1], got " + std::to_string(p));
}

}  // namespace

GuaranteedCapacity guaranteed_capacity(double beta, double k, std::int64_t depth,
                                       double failure_probability) {
  check_sphere("guaranteed_capacity", beta, k, depth, failure_probability);
  const auto degrees = static_cast<double>(depth - 1);
  GuaranteedCapacity capacity;
  capacity.a = 2 / degrees * (1 + std::log(2 * beta * k * k * failure_probability * degrees));
  capacity.b = 2 * k * k * beta / 5;
  capacity.c = capacity.b / boost::math::lambert_w0(std::exp(capacity.a + std::log(capacity.b)));
  capacity.c_min = std::pow(2 / std::sqrt(failure_probability), 4 / degrees);
  capacity.applies = capacity.c >= capacity.c_min;
  if (capacity.applies) {
    capacity.num_patterns = std::sqrt(failure_probability) * std::pow(capacity.c, degrees / 4);
  }
  return capacity;
}

double cosine_tail(std::int64_t depth, double t) {
  constexpr std::string_view op = "cosine_tail";
  require(depth >= 2, op, "expected depth >= 2, got " + std::to_string(depth));
  require(t >= -1 && t <= 1, op, "expected t in [-1, 1], got " + std::to_string(t));
  const double half =
      0.5 * boost::math::ibeta(0.5 * static_cast<double>(depth - 1), 0.5, (1 - t) * (1 + t));
  return t >= 0 ? half : 1 - half;
}

double exact_tail_capacity(StorageCriterion criterion, double beta, double k, std::int64_t depth,
                           double failure_probability) {
  check_sphere("exact_tail_capacity", beta, k, depth, failure_probability);
  const double norm = k * std::sqrt(static_cast<double>(depth - 1));
  const auto stored = [&](double n) {
    if (n < 2) return true;
    const double t =
        std::clamp(1 - separation_needed(criterion, beta, n, norm) / (norm * norm), -1.0, 1.0);
    return n * (n - 1) / 2 * cosine_tail(depth, t) <= failure_probability;
  };
  constexpr double kCap = 1e300;
  double low = 1, high = 2;
  while (high < kCap && stored(high)) {
    low = high;
    high *= 2;
  }
  if (high >= kCap) return kCap;
  for (;;) {
    const double middle = std::floor(low + (high - low) / 2);
    if (!(middle > low && middle < high)) break;
    (stored(middle) ? low : high) = middle;
  }
  // Where beta is so small that the balls overlap, the criterion says nothing.
  const bool disjoint = low < 2 || std::log(beta) + log_crowd(criterion, low, norm) > 0;
  return disjoint ? low : 1;
}

double global_average_beta(double distance_to_mean_max) {
  require(distance_to_mean_max >= 0, "global_average_beta",
          "expected a distance >= 0, got " + std::to_string(distance_to_mean_max));
  return 1 / (distance_to_mean_max * distance_to_mean_max);
}

}  // namespace hopfield
