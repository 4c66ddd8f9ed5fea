#include "hopfield/theory/basins.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "hopfield/base/error.h"
#include "hopfield/memory/bounds.h"
#include "theory/networks/vectors.h"

namespace hopfield::theory {
namespace {

using internal::distance;
using internal::dot;
constexpr const char* kOp = "measure_basin";
constexpr double kInfinity = std::numeric_limits<double>::infinity();

double separation_of(const ContinuousNetwork& network, std::int64_t i) {
  double rival = -kInfinity;
  for (std::int64_t j = 0; j < network.num_patterns(); ++j) {
    if (j != i) rival = std::max(rival, dot(network.pattern(i), network.pattern(j)));
  }
  return dot(network.pattern(i), network.pattern(i)) - rival;
}

double certified(StorageCriterion criterion, const ContinuousNetwork& network, double separation) {
  const double count = static_cast<double>(network.num_patterns());
  const double beta = network.beta(), norm = network.norm_max();
  if (norm == 0) return 0;
  const double needed = separation_needed(criterion, beta, count, norm);
  const bool stored =
      criterion == StorageCriterion::kMaster ? separation >= needed : separation > needed;
  return stored ? certified_radius(criterion, beta, count, norm) : 0;
}

void check_softmax(const char* op, const ContinuousNetwork& network) {
  if (network.separation() != Separation::kSoftmax) {
    fail(ErrorCode::kUnsupported, op, "expected a network with softmax, got another separation");
  }
}

void check_pattern(const char* op, const ContinuousNetwork& network, std::int64_t i) {
  require(i >= 0 && i < network.num_patterns(), op,
          "expected a pattern from 0 to " + std::to_string(network.num_patterns() - 1) + ", got " +
              std::to_string(i));
}

void check(const ContinuousNetwork& network, std::span<const double> origin,
           std::span<const double> directions, const BasinOptions& o) {
  const auto depth = static_cast<std::size_t>(network.depth());
  require(origin.size() == depth, kOp,
          "expected an origin of depth " + std::to_string(depth) + ", got " +
              std::to_string(origin.size()) + " numbers");
  require(!directions.empty() && directions.size() % depth == 0, kOp,
          "expected directions of depth " + std::to_string(depth) + ", got " +
              std::to_string(directions.size()) + " numbers");
  for (std::size_t at = 0; at < directions.size(); at += depth) {
    const double square = dot(directions.subspan(at, depth), directions.subspan(at, depth));
    require(square > 0 && std::isfinite(square), kOp,
            "expected finite directions of a length above 0, got " + std::to_string(square));
  }
  for (const double x : {o.radius_max, o.tolerance, o.eps, o.merge}) {
    require(x > 0 && std::isfinite(x), kOp,
            "expected finite options above 0, got " + std::to_string(x));
  }
  require(o.num_scan >= 1 && o.steps_max >= 1, kOp, "expected num_scan and steps_max >= 1");
  require(network.norm_max() > 0, kOp, "expected a pattern other than 0, got none");
}

/// Starts and where they end.
class Rays {
 public:
  Rays(const ContinuousNetwork& network, std::span<const double> origin,
       std::span<const double> directions, const BasinOptions& options)
      : network_(network), origin_(origin), options_(options) {
    const auto depth = static_cast<std::size_t>(network.depth());
    for (std::size_t at = 0; at < directions.size(); at += depth) {
      const auto one = directions.subspan(at, depth);
      const double length = std::sqrt(dot(one, one));
      for (const double x : one) unit_.push_back(x / length);
    }
    home_ = ends(std::vector<double>(origin_.begin(), origin_.end()));
  }

  std::size_t size() const { return unit_.size() / origin_.size(); }
  const std::vector<double>& home() const { return home_; }

  /// Whether the start at `radius[k]` along direction k ends at home.
  std::vector<bool> at_home(const std::vector<double>& radius) const {
    const std::size_t depth = origin_.size();
    std::vector<double> starts(unit_.size());
    for (std::size_t at = 0; at < starts.size(); ++at) {
      starts[at] = origin_[at % depth] + radius[at / depth] * unit_[at];
    }
    const std::vector<double> found = ends(starts);
    std::vector<bool> result;
    for (std::size_t k = 0; k < size(); ++k) {
      const double apart = distance(std::span(found).subspan(k * depth, depth), home_);
      result.push_back(apart <= options_.merge * network_.norm_max());
    }
    return result;
  }

 private:
  std::vector<double> ends(const std::vector<double>& starts) const {
    return network_
        .retrieve(starts, options_.eps * network_.norm_max(), options_.steps_max, options_.executor)
        .states;
  }

  const ContinuousNetwork& network_;
  std::span<const double> origin_;
  const BasinOptions& options_;
  std::vector<double> unit_, home_;
};

}  // namespace

MeasuredBasin measure_basin(const ContinuousNetwork& network, std::span<const double> origin,
                            std::span<const double> directions, const BasinOptions& o) {
  check(network, origin, directions, o);
  const Rays rays(network, origin, directions, o);
  const double reach = o.radius_max * network.norm_max();
  const double scan_step = reach / static_cast<double>(o.num_scan);
  std::vector<double> inside(rays.size(), 0), outside(rays.size(), kInfinity);
  for (std::int64_t n = 1; n <= o.num_scan; ++n) {
    const double radius = scan_step * static_cast<double>(n);
    const std::vector<bool> home = rays.at_home(std::vector<double>(rays.size(), radius));
    for (std::size_t k = 0; k < rays.size(); ++k) {
      if (outside[k] < kInfinity) continue;
      (home[k] ? inside : outside)[k] = radius;
    }
  }
  for (double width = scan_step; width > o.tolerance * network.norm_max(); width /= 2) {
    std::vector<double> middle(rays.size(), 0);
    for (std::size_t k = 0; k < rays.size(); ++k) {
      if (outside[k] < kInfinity) middle[k] = (inside[k] + outside[k]) / 2;
    }
    const std::vector<bool> home = rays.at_home(middle);
    for (std::size_t k = 0; k < rays.size(); ++k) {
      if (outside[k] < kInfinity) (home[k] ? inside : outside)[k] = middle[k];
    }
  }
  return {rays.home(), outside};
}

Basin measure_basin(const ContinuousNetwork& network, std::int64_t i,
                    std::span<const double> directions, const BasinOptions& o) {
  check_softmax(kOp, network);
  check_pattern(kOp, network, i);
  MeasuredBasin measured = measure_basin(network, network.pattern(i), directions, o);
  Basin result;
  result.fixed_point = std::move(measured.fixed_point);
  result.radii = std::move(measured.radii);
  result.separation = separation_of(network, i);
  result.certified_master = certified(StorageCriterion::kMaster, network, result.separation);
  result.certified_sharp = certified(StorageCriterion::kSharp, network, result.separation);
  const double proven = std::max(result.certified_master, result.certified_sharp);
  for (const double radius : result.radii) result.holds = result.holds && radius >= proven;
  return result;
}

MetastableCertificate certify_metastable(const ContinuousNetwork& network,
                                         std::span<const std::int64_t> group,
                                         const BasinOptions& o) {
  constexpr const char* kName = "certify_metastable";
  check_softmax(kName, network);
  require(!group.empty(), kName, "expected at least one pattern in the group, got none");
  std::vector<bool> inside(static_cast<std::size_t>(network.num_patterns()), false);
  MetastableCertificate result;
  result.mean.assign(static_cast<std::size_t>(network.depth()), 0);
  for (const std::int64_t i : group) {
    check_pattern(kName, network, i);
    require(!inside[static_cast<std::size_t>(i)], kName,
            "expected different patterns, got " + std::to_string(i) + " twice");
    inside[static_cast<std::size_t>(i)] = true;
    for (std::size_t c = 0; c < result.mean.size(); ++c) {
      result.mean[c] += network.pattern(i)[c] / static_cast<double>(group.size());
    }
  }
  double rival = -kInfinity;
  for (std::int64_t i = 0; i < network.num_patterns(); ++i) {
    const std::span<const double> x = network.pattern(i);
    if (inside[static_cast<std::size_t>(i)]) {
      result.spread = std::max(result.spread, distance(x, result.mean));
    } else {
      rival = std::max(rival, dot(result.mean, x));
    }
  }
  const double beta = network.beta(), m = result.spread, norm = network.norm_max();
  const double others =
      static_cast<double>(network.num_patterns()) - static_cast<double>(group.size());
  result.contraction = beta * m * m;
  result.separation = dot(result.mean, result.mean) - rival;
  result.radius = 1 / (beta * m);
  result.needed = std::numeric_limits<double>::quiet_NaN();
  if (result.contraction < 1) {
    result.needed = others == 0 ? -kInfinity
                                : 2 * norm / (beta * m) -
                                      std::log((1 - result.contraction) /
                                               (2 * beta * others * norm * std::max(m, 2 * norm))) /
                                          beta;
  }
  result.holds = result.separation >= result.needed;
  const double unit = norm > 0 ? norm : 1;
  const auto end = network.retrieve(result.mean, o.eps * unit, o.steps_max, o.executor);
  result.fixed_point = end.states;
  result.distance = distance(result.mean, result.fixed_point);
  result.converged = end.reason[0] == StopReason::kConverged || end.reason[0] == StopReason::kCycle;
  return result;
}

}  // namespace hopfield::theory
