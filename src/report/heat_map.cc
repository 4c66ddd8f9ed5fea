#include "hopfield/report/heat_map.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "hopfield/base/error.h"
#include "hopfield/report/format.h"
#include "report/axis.h"
#include "report/style.h"
#include "report/svg_writer.h"

namespace hopfield::report {
namespace {

using internal::kPlotWidth;
using internal::Look;
using internal::SvgWriter;
using Anchor = SvgWriter::Anchor;

constexpr double kMaxHeight = 480;  // of the squares' area
constexpr double kBarRoom = 84, kBarWidth = 16;
constexpr int kBarSteps = 40;
constexpr double kTolerance = 0.01;  // of a grid's step
constexpr std::size_t kTipsUpTo = 2000;

void check(const HeatMap& map) {
  require(!map.x.empty() && map.x.size() == map.y.size() && map.x.size() == map.values.size(),
          "heat map",
          "expected as many values as places, and one at least, got " +
              std::to_string(map.x.size()) + ", " + std::to_string(map.y.size()) + " and " +
              std::to_string(map.values.size()));
  for (const std::vector<double>* places : {&map.x, &map.y}) {
    require(std::all_of(places->begin(), places->end(), [](double x) { return std::isfinite(x); }),
            "heat map", "expected finite places, got NaN or infinity");
  }
}

/// The smallest step between places of one axis, if all of them are whole numbers of it apart;
/// infinity if all are equal.
std::optional<double> grid_step(std::vector<double> places) {
  std::sort(places.begin(), places.end());
  double step = HUGE_VAL;
  for (std::size_t i = 1; i < places.size(); ++i) {
    if (places[i] > places[i - 1]) step = std::min(step, places[i] - places[i - 1]);
  }
  for (const double place : places) {
    const double steps = (place - places.front()) / step;
    if (std::abs(steps - std::round(steps)) > kTolerance) return std::nullopt;
  }
  return step;
}

/// One drawing in the making.
class Drawing {
 public:
  explicit Drawing(const HeatMap& map) : map_(map) {
    const auto [left, right] = std::minmax_element(map.x.begin(), map.x.end());
    const auto [top, bottom] = std::minmax_element(map.y.begin(), map.y.end());
    const double width = *right - *left, height = *bottom - *top;
    side_ = side(width, height);
    x0_ = *left - side_ / 2;
    y0_ = *top - side_ / 2;
    scale_ =
        std::min((kPlotWidth - kBarRoom - 30) / (width + side_), kMaxHeight / (height + side_));
    width_ = scale_ * (width + side_);
    height_ = scale_ * (height + side_);
    for (const double value : map.values) {
      if (std::isfinite(value)) {
        largest_ = std::max(largest_, value);
        smallest_ = std::min(smallest_, value);
      }
    }
  }

  std::string svg() {
    top_ = out_.header(map_.title, {}) + 6;
    out_.raw("<g shape-rendering=\"crispEdges\">\n");  // no seams between neighbours
    squares();
    out_.raw("</g>\n");
    out_.rect(kLeft, top_, width_, height_, "class=\"hf-axis\" fill=\"none\"");
    out_.text(kLeft + width_ / 2, top_ + height_ + 20,
              internal::shortened(map_.x_label + " " + range(map_.x), width_ + 40), Anchor::kMiddle,
              "hf-axis-label");
    out_.upward_text(15, top_ + height_ / 2,
                     internal::shortened(map_.y_label + " " + range(map_.y), height_ + 30));
    bar();
    return out_.finish(top_ + std::max(height_, kSmallestBar) + 34,
                       map_.description.empty() ? map_.title : map_.description);
  }

 private:
  static constexpr double kLeft = 26, kSmallestBar = 120;

  double side(double width, double height) const {
    const std::optional<double> x = grid_step(map_.x), y = grid_step(map_.y);
    if (x && y && std::isfinite(std::min(*x, *y))) return std::min(*x, *y);
    const double area = width * height;
    if (area > 0) return std::sqrt(area / static_cast<double>(map_.x.size()));
    return std::max({width, height, 1.0}) / static_cast<double>(map_.x.size());
  }

  static std::string range(const std::vector<double>& places) {
    const auto [low, high] = std::minmax_element(places.begin(), places.end());
    return "(" + general(*low) + " to " + general(*high) + ")";
  }

  /// The colour of a sign, and how much of it: all of it for the largest size of both signs.
  std::string tint(double value) const {
    const double most = std::max(largest_, -smallest_);
    const double part = most > 0 ? std::clamp(std::abs(value) / most, 0.0, 1.0) : 0.0;
    const Look look = internal::look_of(value < 0 ? 0 : 1);
    return "class=\"" + std::string(look.css_class) + "\" fill=\"currentColor\" fill-opacity=\"" +
           fixed(part, 3) + "\"";
  }

  void squares() {
    const double side = scale_ * side_;
    for (std::size_t i = 0; i < map_.values.size(); ++i) {
      const double x = kLeft + scale_ * (map_.x[i] - side_ / 2 - x0_);
      const double y = top_ + scale_ * (map_.y[i] - side_ / 2 - y0_);
      if (!std::isfinite(map_.values[i])) {
        out_.rect(x, y, side, side, "class=\"hf-grid\" fill=\"none\"");
        continue;
      }
      const bool tip = map_.values.size() <= kTipsUpTo;
      if (tip) out_.raw("<g><title>" + general(map_.values[i], 3) + "</title>");
      out_.rect(x, y, side, side, tint(map_.values[i]));
      if (tip) out_.raw("</g>\n");
    }
  }

  void bar() {
    const double left = kLeft + width_ + 18, height = std::max(height_, kSmallestBar) - 22;
    const double top = top_ + 22;
    const double span = largest_ - smallest_;
    out_.text(left, top_ + 8, internal::shortened(map_.value_label, kPlotWidth - left),
              Anchor::kStart, "hf-axis-label");
    if (!(span > 0)) {
      out_.text(left, top + 14, "all " + general(largest_, 3), Anchor::kStart, "hf-tick");
      return;
    }
    out_.raw("<g shape-rendering=\"crispEdges\">\n");
    for (int step = 0; step < kBarSteps; ++step) {
      const double value = largest_ - span * (step + 0.5) / kBarSteps;
      out_.rect(left, top + height * step / kBarSteps, kBarWidth, height / kBarSteps, tint(value));
    }
    out_.raw("</g>\n");
    out_.rect(left, top, kBarWidth, height, "class=\"hf-axis\" fill=\"none\"");
    const auto tick = [&](double value) {
      out_.text(left + kBarWidth + 6, top + height * (largest_ - value) / span + 4.5,
                general(value, 3), Anchor::kStart, "hf-tick");
    };
    tick(largest_);
    tick(smallest_);
    // 0 where it keeps clear of the ends' numbers.
    if (largest_ > 0.15 * span && -smallest_ > 0.15 * span) tick(0);
  }

  const HeatMap& map_;
  SvgWriter out_;
  double side_ = 1, x0_ = 0, y0_ = 0, scale_ = 1, width_ = 0, height_ = 0, top_ = 0;
  double largest_ = 0, smallest_ = 0;  // 0 is always on the bar
};

}  // namespace

std::string svg(const HeatMap& map) {
  check(map);
  return Drawing(map).svg();
}

std::string standalone_svg(const HeatMap& map) {
  return internal::with_style(svg(map));
}

}  // namespace hopfield::report
