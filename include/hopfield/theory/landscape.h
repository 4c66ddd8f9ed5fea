#ifndef HOPFIELD_THEORY_LANDSCAPE_H_
#define HOPFIELD_THEORY_LANDSCAPE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "hopfield/theory/continuous_network.h"
#include "hopfield/theory/fixed_points.h"

namespace hopfield::theory {

/// A rectangle of the plane with width * height points, the corners among them.
struct Window {
  double x_min = -2, x_max = 2, y_min = -2, y_max = 2;
  std::int64_t width = 81, height = 81;  ///< >= 2

  double x(std::int64_t column) const;
  double y(std::int64_t row) const;  ///< row 0 is y_max: the picture's first line
};

/// A square that shows all patterns (depth 2) with a margin of half their extent.
Window window_around(const ContinuousNetwork& network, std::int64_t side);

struct Landscape {
  Window window;
  std::vector<double> energy;       ///< [height, width]
  std::vector<std::int64_t> basin;  ///< [height, width] index into fixed_points.points, or -1
  std::vector<std::int64_t> steps;  ///< [height, width] updates until the point stood still
  FixedPoints fixed_points;         ///< those that the points of the window reach
};

/// Energy and basins of a network of depth 2. Errors: kInvalidArgument (another depth, window).
Landscape landscape(const ContinuousNetwork& network, const Window& window,
                    const FixedPointOptions& options = {});

/// Energy and length of the update along the straight line from `from` (t = 0) to `to` (t = 1),
/// from t = -margin to 1 + margin.
struct EnergyLine {
  std::vector<double> t, energy;
  std::vector<double> slope;  ///< dE/dt = <xi - f(xi), to - from>; softmax, sparsemax, entmax alike
};
/// Errors: kInvalidArgument (depths differ, num_points < 2, margin < 0).
EnergyLine energy_line(const ContinuousNetwork& network, std::span<const double> from,
                       std::span<const double> to, std::int64_t num_points, double margin,
                       Executor* executor = nullptr);

}  // namespace hopfield::theory

#endif  // HOPFIELD_THEORY_LANDSCAPE_H_
