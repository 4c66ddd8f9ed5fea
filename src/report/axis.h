#ifndef HOPFIELD_REPORT_AXIS_H_
#define HOPFIELD_REPORT_AXIS_H_

#include <string>
#include <string_view>
#include <vector>

#include "hopfield/report/plot.h"

namespace hopfield::report::internal {

struct Tick {
  double value = 0;
  std::string text;
};

/// Smallest and largest of what an axis can show.
class Extent {
 public:
  explicit Extent(Scale scale) : scale_(scale) {}
  /// Whether the axis could show it at all: finite, of a sane magnitude, > 0 on a log axis.
  bool drawable(double value) const;
  void add(double value);  ///< ignored unless drawable
  bool empty() const { return !(min_ <= max_); }
  double min() const { return min_; }
  double max() const { return max_; }

 private:
  Scale scale_;
  double min_ = 1, max_ = 0;
};

/// Where values lie on the paper.
class AxisMap {
 public:
  /// The axis' own ends, else those of `extent` with a little room, else 0 to 1 (1 to 10). Errors:
  /// kInvalidArgument as svg(Plot). `room` is the part of the length left free at either end.
  AxisMap(const Axis& axis, const Extent& extent, std::string_view op, double room = 0.04);

  double low() const { return low_; }
  double high() const { return high_; }
  bool shows(double value) const { return value >= low_ && value <= high_; }
  /// 0 at low, 1 at high; beyond for values outside. Value must be drawable.
  double part(double value) const;
  /// About `wanted` round values, ascending, at least one.
  std::vector<Tick> ticks(int wanted) const;

 private:
  Scale scale_;
  double low_ = 0, high_ = 1;
};

/// A coordinate: at most two decimals, no trailing zeros.
std::string coordinate(double value);

}  // namespace hopfield::report::internal

#endif  // HOPFIELD_REPORT_AXIS_H_
