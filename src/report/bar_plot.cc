#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "hopfield/base/error.h"
#include "hopfield/report/format.h"
#include "hopfield/report/plot.h"
#include "report/axis.h"
#include "report/style.h"
#include "report/svg_writer.h"

namespace hopfield::report {
namespace {

using internal::AxisMap;
using internal::coordinate;
using internal::Extent;
using internal::kPlotWidth;
using internal::SvgWriter;
using internal::Tick;

constexpr double kBarHeight = 17, kBarGap = 3, kGroupGap = 9, kLabelHeight = 18;

void check(const BarPlot& plot) {
  require(plot.value.scale == Scale::kLinear, "svg",
          "expected a linear axis of bars, got a log axis");
  require(std::isfinite(plot.origin), "svg",
          "expected a finite origin, got " + general(plot.origin));
  for (const BarPlot::Bars& bars : plot.series) {
    require(bars.values.size() == plot.categories.size() &&
                (bars.error.empty() || bars.error.size() == bars.values.size()),
            "svg",
            "expected " + std::to_string(plot.categories.size()) + " values in bars '" + bars.name +
                "', got " + std::to_string(bars.values.size()) + " values, " +
                std::to_string(bars.error.size()) + " errors");
  }
}

double error_at(const BarPlot::Bars& bars, std::size_t i) {
  return bars.error.empty() || !(bars.error[i] > 0) ? 0.0 : bars.error[i];
}

std::string number_at(const BarPlot::Bars& bars, std::size_t i, int decimals) {
  return plus_minus(bars.values[i],
                    bars.error.empty() ? std::numeric_limits<double>::quiet_NaN() : bars.error[i],
                    decimals);
}

class Drawing {
 public:
  explicit Drawing(const BarPlot& plot) : plot_(plot) {
    double number_width = 0, label_width = 0;
    for (const BarPlot::Bars& bars : plot.series) {
      for (std::size_t i = 0; i < bars.values.size(); ++i) {
        extent_.add(bars.values[i] - error_at(bars, i));
        extent_.add(bars.values[i] + error_at(bars, i));
        number_width =
            std::max(number_width, internal::text_width(number_at(bars, i, plot.decimals)));
      }
    }
    for (const std::string& category : plot.categories) {
      label_width = std::max(label_width, internal::text_width(category));
    }
    labels_beside_ = label_width <= 0.42 * kPlotWidth;
    left_ = labels_beside_ ? 14 + label_width : 6;
    right_ = kPlotWidth - 14 - number_width;
  }

  std::string svg() {
    if (!extent_.empty()) extent_.add(plot_.origin);
    // The origin is an end of the axis where all bars lie on one side of it: no room beyond.
    Axis axis = plot_.value;
    if (!axis.min && extent_.min() >= plot_.origin && !extent_.empty()) axis.min = plot_.origin;
    if (!axis.max && extent_.max() <= plot_.origin && !extent_.empty()) axis.max = plot_.origin;
    if (axis.min && axis.max && *axis.min >= *axis.max) axis = plot_.value;
    const AxisMap map(axis, extent_, "svg");
    map_ = &map;

    std::vector<SvgWriter::LegendEntry> legend;
    for (std::size_t s = 0; s < plot_.series.size(); ++s) {
      legend.push_back({plot_.series[s].name, internal::look_of(s), false, false, true});
    }
    const double top = out_.header(plot_.title, legend) + 4;
    const double group = (labels_beside_ ? 0 : kLabelHeight) +
                         static_cast<double>(plot_.series.size()) * (kBarHeight + kBarGap) +
                         kGroupGap;
    const double num_groups = static_cast<double>(plot_.categories.size());
    const double bottom = top + std::max(num_groups * group, 40.0);
    grid(top, bottom);
    if (plot_.series.empty() || plot_.categories.empty()) {
      out_.text((left_ + right_) / 2, (top + bottom) / 2 + 4, "no data", SvgWriter::Anchor::kMiddle,
                "hf-axis-label");
    } else {
      for (std::size_t c = 0; c < plot_.categories.size(); ++c) {
        category(c, top + static_cast<double>(c) * group + kGroupGap / 2);
      }
    }
    const double zero = at(plot_.origin);
    out_.line(zero, top, zero, bottom, "class=\"hf-axis\"");
    return out_.finish(bottom + (plot_.value.label.empty() ? 26 : 46),
                       plot_.description.empty() ? plot_.title : plot_.description);
  }

 private:
  /// Where a value lies; ends of the axis for what is beyond.
  double at(double value) const {
    const double clamped = std::clamp(value, map_->low(), map_->high());
    return left_ + (right_ - left_) * map_->part(clamped);
  }

  void grid(double top, double bottom) {
    double free_from = -1e9;
    for (const Tick& tick : map_->ticks(5)) {
      const double x = at(tick.value), half = internal::text_width(tick.text) / 2;
      out_.line(x, top, x, bottom, "class=\"hf-grid\"");
      if (x - half < free_from) continue;
      out_.text(std::max(x, half + 2), bottom + 18, tick.text, SvgWriter::Anchor::kMiddle,
                "hf-tick");
      free_from = x + half + 8;
    }
    if (!plot_.value.label.empty()) {
      out_.text((left_ + right_) / 2, bottom + 38,
                internal::shortened(plot_.value.label, kPlotWidth - 20), SvgWriter::Anchor::kMiddle,
                "hf-axis-label");
    }
  }

  void category(std::size_t c, double y) {
    const std::string& name = plot_.categories[c];
    const double bars_height =
        static_cast<double>(plot_.series.size()) * (kBarHeight + kBarGap) - kBarGap;
    if (labels_beside_) {
      out_.text(left_ - 8, y + bars_height / 2 + 4.5, name, SvgWriter::Anchor::kEnd);
    } else {
      out_.text(left_, y + 12, internal::shortened(name, kPlotWidth - 12),
                SvgWriter::Anchor::kStart);
      y += kLabelHeight;
    }
    for (std::size_t s = 0; s < plot_.series.size(); ++s) {
      bar(plot_.series[s], s, c, y);
      y += kBarHeight + kBarGap;
    }
  }

  void bar(const BarPlot::Bars& bars, std::size_t s, std::size_t c, double y) {
    const double value = bars.values[c], error = error_at(bars, c);
    double text_from = at(plot_.origin);
    if (extent_.drawable(value)) {
      const double from = std::min(at(plot_.origin), at(value));
      const double to = std::max(at(plot_.origin), at(value));
      out_.raw("<g class=\"hf-series " + std::string(internal::look_of(s).css_class) + "\">\n");
      out_.rect(from, y, std::max(to - from, 0.5), kBarHeight, "rx=\"1.5\" class=\"hf-bar\"");
      out_.raw("</g>\n");
      text_from = to;
      if (error > 0 && extent_.drawable(value - error) && extent_.drawable(value + error)) {
        const std::string middle = coordinate(y + kBarHeight / 2),
                          cap = coordinate(y + kBarHeight / 2 - 4);
        const std::string low = coordinate(at(value - error)), high = coordinate(at(value + error));
        out_.raw("<path class=\"hf-bar-error\" d=\"M" + low + " " + middle + "H" + high + "M" +
                 low + " " + cap + "v8M" + high + " " + cap + "v8\"/>\n");
        text_from = std::max(text_from, at(value + error));
      }
    }
    out_.text(text_from + 7, y + kBarHeight / 2 + 4.5, number_at(bars, c, plot_.decimals),
              SvgWriter::Anchor::kStart, "hf-number");
  }

  const BarPlot& plot_;
  Extent extent_{Scale::kLinear};
  const AxisMap* map_ = nullptr;
  SvgWriter out_;
  bool labels_beside_ = true;
  double left_ = 0, right_ = 0;
};

}  // namespace

std::string svg(const BarPlot& plot) {
  check(plot);
  return Drawing(plot).svg();
}

std::string standalone_svg(const BarPlot& plot) {
  return internal::with_style(svg(plot));
}

}  // namespace hopfield::report
