#include "hopfield/theory/landscape.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "hopfield/base/error.h"

namespace hopfield::theory {
namespace {

constexpr const char* kOp = "landscape";

double between(double low, double high, std::int64_t index, std::int64_t count) {
  const double t = static_cast<double>(index) / static_cast<double>(count - 1);
  return low + (high - low) * t;
}

}  // namespace

double Window::x(std::int64_t column) const {
  return between(x_min, x_max, column, width);
}
double Window::y(std::int64_t row) const {
  return between(y_max, y_min, row, height);
}

Window window_around(const ContinuousNetwork& network, std::int64_t side) {
  require(network.depth() == 2, kOp,
          "expected patterns of depth 2, got depth " + std::to_string(network.depth()));
  double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
  for (std::int64_t i = 0; i < network.num_patterns(); ++i) {
    for (std::size_t k = 0; k < 2; ++k) {
      low[k] = std::min(low[k], network.pattern(i)[k]);
      high[k] = std::max(high[k], network.pattern(i)[k]);
    }
  }
  const double extent = std::max(high[0] - low[0], high[1] - low[1]);
  const double reach = extent > 0 ? extent : 1.0;  // half the side
  const double x = 0.5 * (low[0] + high[0]), y = 0.5 * (low[1] + high[1]);
  return {x - reach, x + reach, y - reach, y + reach, side, side};
}

Landscape landscape(const ContinuousNetwork& network, const Window& window,
                    const FixedPointOptions& options) {
  require(network.depth() == 2, kOp,
          "expected patterns of depth 2, got depth " + std::to_string(network.depth()));
  require(
      window.width >= 2 && window.height >= 2 && window.width <= 4096 && window.height <= 4096 &&
          window.x_min < window.x_max && window.y_min < window.y_max &&
          std::isfinite(window.x_max - window.x_min) && std::isfinite(window.y_max - window.y_min),
      kOp, "expected a window of from 2 to 4096 points a side with x_min < x_max, y_min < y_max");
  Landscape result;
  result.window = window;
  std::vector<double> states;
  for (std::int64_t row = 0; row < window.height; ++row) {
    for (std::int64_t column = 0; column < window.width; ++column) {
      states.push_back(window.x(column));
      states.push_back(window.y(row));
    }
  }
  result.energy = network.energy(states, options.executor);
  const double unit = network.norm_max() > 0 ? network.norm_max() : 1.0;
  const auto end =
      network.retrieve(states, options.eps * unit, options.steps_max, options.executor);
  result.steps = end.steps;
  result.fixed_points = find_fixed_points(network, end.states, options);
  const auto& points = result.fixed_points.points;
  for (std::size_t at = 0; at < end.steps.size(); ++at) {
    std::int64_t found = -1;
    for (std::size_t k = 0; k < points.size() && found < 0; ++k) {
      const double x = end.states[2 * at] - points[k].state[0];
      const double y = end.states[2 * at + 1] - points[k].state[1];
      if (std::hypot(x, y) <= options.merge * unit) found = static_cast<std::int64_t>(k);
    }
    result.basin.push_back(found);
  }
  return result;
}

EnergyLine energy_line(const ContinuousNetwork& network, std::span<const double> from,
                       std::span<const double> to, std::int64_t num_points, double margin,
                       Executor* executor) {
  const auto depth = static_cast<std::size_t>(network.depth());
  require(from.size() == depth && to.size() == depth, "energy_line",
          "expected two points of depth " + std::to_string(depth) + ", got " +
              std::to_string(from.size()) + " and " + std::to_string(to.size()));
  require(num_points >= 2 && num_points <= 10'000'000 && margin >= 0 && std::isfinite(margin),
          "energy_line",
          "expected from 2 to 1e7 points and a margin >= 0, got " + std::to_string(num_points) +
              " and " + std::to_string(margin));
  EnergyLine line;
  std::vector<double> states;
  for (std::int64_t i = 0; i < num_points; ++i) {
    line.t.push_back(between(-margin, 1 + margin, i, num_points));
    for (std::size_t k = 0; k < depth; ++k) {
      states.push_back(from[k] + line.t.back() * (to[k] - from[k]));
    }
  }
  ContinuousNetwork::Step step = network.step(states, executor);
  for (std::size_t i = 0; i < line.t.size(); ++i) {
    double slope = 0;
    for (std::size_t k = 0; k < depth; ++k) {
      slope += (states[i * depth + k] - step.states[i * depth + k]) * (to[k] - from[k]);
    }
    line.slope.push_back(slope);
  }
  line.energy = std::move(step.energies);
  return line;
}

}  // namespace hopfield::theory
