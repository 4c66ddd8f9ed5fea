#include "hopfield/theory/fixed_points.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "hopfield/base/error.h"
#include "theory/networks/vectors.h"

namespace hopfield::theory {
namespace {

using internal::distance;
using internal::dot;
constexpr const char* kOp = "find_fixed_points";
constexpr double kMass = 0.9;

std::vector<double> mean_pattern(const ContinuousNetwork& network) {
  std::vector<double> mean(static_cast<std::size_t>(network.depth()), 0.0);
  for (std::int64_t i = 0; i < network.num_patterns(); ++i) {
    for (std::size_t k = 0; k < mean.size(); ++k) {
      mean[k] += network.pattern(i)[k] / static_cast<double>(network.num_patterns());
    }
  }
  return mean;
}

double distance_to_mean_max(const ContinuousNetwork& network) {
  const std::vector<double> mean = mean_pattern(network);
  double largest = 0;
  for (std::int64_t i = 0; i < network.num_patterns(); ++i) {
    largest = std::max(largest, distance(network.pattern(i), mean));
  }
  return largest;
}

/// Largest eigenvalue of a symmetric positive semidefinite `product` on R^depth: power iteration
/// from a fixed random direction, until the Rayleigh quotient stands still.
template <class Product>
double largest_eigenvalue(std::int64_t depth, Product product) {
  RandomStream random(0, 0);
  std::vector<double> u = random.on_sphere(depth, 1);
  double value = 0;
  int still = 0;
  for (int step = 0; step < 20000 && still < 3; ++step) {
    std::vector<double> next = product(u);
    const double norm = std::sqrt(dot(next, next)), before = value;
    if (norm == 0) return 0;
    value = dot(u, next);
    for (double& x : next) x /= norm;
    u = std::move(next);
    still = std::abs(value - before) <= 1e-14 * value ? still + 1 : 0;
  }
  return value;
}

std::vector<double> starts_of(const ContinuousNetwork& network, const FixedPointOptions& options) {
  const std::int64_t n = network.num_patterns();
  std::vector<double> starts(network.patterns().begin(), network.patterns().end());
  const std::vector<double> mean = mean_pattern(network);
  starts.insert(starts.end(), mean.begin(), mean.end());
  for (std::int64_t i = 0; i < n && n <= 64; ++i) {
    for (std::int64_t j = 0; j < i; ++j) {
      for (std::size_t k = 0; k < mean.size(); ++k) {
        starts.push_back(0.5 * (network.pattern(i)[k] + network.pattern(j)[k]));
      }
    }
  }
  const double reach = distance_to_mean_max(network);
  RandomStream random(options.seed, 0);
  for (std::int64_t t = 0; t < options.num_random; ++t) {
    const double radius = reach * random.uniform();
    const std::vector<double> x = random.on_sphere(network.depth(), radius);
    for (std::size_t k = 0; k < mean.size(); ++k) starts.push_back(mean[k] + x[k]);
  }
  return starts;
}

/// The fewest patterns whose associations p hold 0.9, largest first.
std::vector<std::int64_t> leading(const std::vector<double>& p) {
  std::vector<std::int64_t> order(p.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return p[static_cast<std::size_t>(a)] > p[static_cast<std::size_t>(b)];
  });
  double mass = 0;
  std::size_t count = 0;
  while (count < order.size() && mass < kMass) {
    mass += p[static_cast<std::size_t>(order[count++])];
  }
  order.resize(count);
  return order;
}

/// Lemma A8: the patterns of `group` hold all of p but g.
double group_bound(const ContinuousNetwork& network, const std::vector<double>& p,
                   const std::vector<std::int64_t>& group) {
  std::vector<double> mean(static_cast<std::size_t>(network.depth()), 0.0);
  std::vector<bool> inside(p.size(), false);
  for (const std::int64_t i : group) {
    inside[static_cast<std::size_t>(i)] = true;
    for (std::size_t k = 0; k < mean.size(); ++k) {
      mean[k] += network.pattern(i)[k] / static_cast<double>(group.size());
    }
  }
  double spread = 0, g = 0;
  for (const std::int64_t i : group) spread = std::max(spread, distance(network.pattern(i), mean));
  for (std::size_t i = 0; i < p.size(); ++i) g += inside[i] ? 0.0 : p[i];
  const double norm = network.norm_max();
  return network.beta() * ((1 - g) * spread * spread + 2 * g * (2 - g) * norm * norm);
}

FixedPoint describe(const ContinuousNetwork& network, std::vector<double> state) {
  FixedPoint point;
  Executor* serial = &serial_executor();
  const ContinuousNetwork::Step step = network.step(state, serial);
  const std::vector<double> p = network.associations(state, serial);
  point.energy = step.energies[0];
  point.residual = distance(step.states, state);
  point.patterns = leading(p);
  point.largest = p[static_cast<std::size_t>(point.patterns[0])];
  const auto size = static_cast<std::int64_t>(point.patterns.size());
  point.kind = size == 1                           ? FixedPointKind::kSingle
               : 2 * size > network.num_patterns() ? FixedPointKind::kGlobal
                                                   : FixedPointKind::kMetastable;
  if (network.separation() == Separation::kSoftmax) {
    point.jacobian_norm = jacobian_norm(network, state);
  }
  point.state = std::move(state);
  return point;
}

}  // namespace

std::string_view fixed_point_name(FixedPointKind kind) {
  switch (kind) {
    case FixedPointKind::kGlobal:
      return "global average";
    case FixedPointKind::kMetastable:
      return "metastable";
    case FixedPointKind::kSingle:
      return "single";
  }
  return "?";
}

FixedPoints find_fixed_points(const ContinuousNetwork& network, const FixedPointOptions& options) {
  require(options.num_random >= 0, kOp,
          "expected num_random >= 0, got " + std::to_string(options.num_random));
  return find_fixed_points(network, starts_of(network, options), options);
}

FixedPoints find_fixed_points(const ContinuousNetwork& network, std::span<const double> starts,
                              const FixedPointOptions& options) {
  require(options.merge > 0 && std::isfinite(options.merge), kOp,
          "expected merge > 0, got " + std::to_string(options.merge));
  const double unit = network.norm_max() > 0 ? network.norm_max() : 1.0;
  const ContinuousNetwork::Retrieval end =
      network.retrieve(starts, options.eps * unit, options.steps_max, options.executor);
  FixedPoints result;
  result.num_starts = static_cast<std::int64_t>(end.steps.size());
  const auto depth = static_cast<std::size_t>(network.depth());
  for (std::size_t t = 0; t < end.steps.size(); ++t) {
    if (end.reason[t] != StopReason::kConverged && end.reason[t] != StopReason::kCycle) {
      ++result.num_unfinished;
      continue;
    }
    const std::span<const double> state = std::span(end.states).subspan(t * depth, depth);
    const auto same = std::find_if(result.points.begin(), result.points.end(), [&](const auto& p) {
      return distance(p.state, state) <= options.merge * unit;
    });
    if (same != result.points.end()) {
      ++same->num_starts;
      continue;
    }
    result.points.push_back(describe(network, {state.begin(), state.end()}));
    result.points.back().num_starts = 1;
  }
  std::stable_sort(result.points.begin(), result.points.end(),
                   [](const auto& a, const auto& b) { return a.energy < b.energy; });
  return result;
}

double jacobian_norm(const ContinuousNetwork& network, std::span<const double> state) {
  if (network.separation() != Separation::kSoftmax) {
    fail(ErrorCode::kUnsupported, "jacobian_norm", "expected the softmax separation, got another");
  }
  const std::vector<double> p = network.associations(state, &serial_executor());
  return largest_eigenvalue(network.depth(), [&](const std::vector<double>& u) {
    // J u = beta sum_i p_i (a_i - <p, a>) x_i, a = X^T u.
    std::vector<double> a(p.size());
    for (std::size_t i = 0; i < p.size(); ++i) {
      a[i] = dot(network.pattern(static_cast<std::int64_t>(i)), u);
    }
    const double mean = dot(p, a);
    std::vector<double> result(u.size(), 0.0);
    for (std::size_t i = 0; i < p.size(); ++i) {
      const std::span<const double> x = network.pattern(static_cast<std::int64_t>(i));
      const double weight = network.beta() * p[i] * (a[i] - mean);
      for (std::size_t k = 0; k < result.size(); ++k) result[k] += weight * x[k];
    }
    return result;
  });
}

PatternGeometry pattern_geometry(const ContinuousNetwork& network) {
  PatternGeometry geometry;
  geometry.norm_max = network.norm_max();
  geometry.distance_to_mean_max = distance_to_mean_max(network);
  const std::int64_t n = network.num_patterns();
  geometry.reach.assign(static_cast<std::size_t>(n), 0.0);
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < i; ++j) {
      const double d = distance(network.pattern(i), network.pattern(j));
      double& at_i = geometry.reach[static_cast<std::size_t>(i)];
      double& at_j = geometry.reach[static_cast<std::size_t>(j)];
      at_i = std::max(at_i, d);
      at_j = std::max(at_j, d);
    }
    geometry.diameter = std::max(geometry.diameter, geometry.reach[static_cast<std::size_t>(i)]);
  }
  geometry.spectral_norm =
      std::sqrt(largest_eigenvalue(network.depth(), [&](const std::vector<double>& u) {
        std::vector<double> result(u.size(), 0.0);
        for (std::int64_t i = 0; i < n; ++i) {
          const std::span<const double> x = network.pattern(i);
          const double a = dot(x, u);
          for (std::size_t k = 0; k < result.size(); ++k) result[k] += a * x[k];
        }
        return result;
      }));
  return geometry;
}

std::vector<JacobianBound> jacobian_bounds(const ContinuousNetwork& network,
                                           const PatternGeometry& geometry,
                                           std::span<const double> state) {
  const std::vector<double> p = network.associations(state, &serial_executor());
  double m = 0;  // max p (1 - p)
  for (const double x : p) m = std::max(m, x * (1 - x));
  const auto top = static_cast<std::size_t>(std::max_element(p.begin(), p.end()) - p.begin());
  double rest = 0;  // 1 - p_top without cancellation
  for (std::size_t i = 0; i < p.size(); ++i) rest += i == top ? 0.0 : p[i];
  const auto square = [](double x) { return x * x; };
  const double beta = network.beta();
  // Lemma A2 asks for p_i >= 1/2.
  const double peaked = rest <= 0.5 ? 2 * beta * static_cast<double>(network.num_patterns()) *
                                          square(geometry.norm_max) * rest
                                    : std::numeric_limits<double>::infinity();
  return {{"2 beta max p(1-p) |X|^2", 2 * beta * m * square(geometry.spectral_norm)},
          {"beta |X|^2 / 2", 0.5 * beta * square(geometry.spectral_norm)},
          {"beta m_max^2", beta * square(geometry.distance_to_mean_max)},
          {"beta M^2", beta * square(geometry.norm_max)},
          {"beta D^2 / 4", 0.25 * beta * square(geometry.diameter)},
          {"beta (1-p_i) D_i^2", beta * rest * square(geometry.reach[top])},
          {"2 beta N M^2 (1-p_i)", peaked},
          {"beta ((1-g) m_max^2 + 2g(2-g) M^2)", group_bound(network, p, leading(p))}};
}

std::vector<double> gaussian_patterns(std::int64_t num_patterns, std::int64_t depth, double scale,
                                      RandomStream& random) {
  require(num_patterns >= 1 && depth >= 1 && num_patterns <= 100'000'000 / depth,
          "gaussian_patterns",
          "expected from 1 to 1e8 numbers, got " + std::to_string(num_patterns) +
              " patterns of depth " + std::to_string(depth));
  std::vector<double> patterns(static_cast<std::size_t>(num_patterns * depth));
  for (double& x : patterns) x = scale * random.normal();
  return patterns;
}

}  // namespace hopfield::theory
