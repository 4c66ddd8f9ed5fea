#include "hopfield/report/plot.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "hopfield/base/error.h"
#include "hopfield/report/format.h"
#include "report/axis.h"
#include "report/style.h"
#include "report/svg_writer.h"

namespace hopfield::report {
namespace {

using internal::AxisMap;
using internal::coordinate;
using internal::Extent;
using internal::kPlotWidth;
using internal::Look;
using internal::SvgWriter;
using internal::Tick;

// More markers than this carry no text of their own to point at: the page would grow for nothing.
constexpr std::size_t kMarkersWithText = 100;

double error_at(const Series& series, std::size_t i) {
  return series.error.empty() ? 0.0 : series.error[i];
}

void check(const Plot& plot) {
  for (const Series& series : plot.series) {
    const auto sizes = [&] {
      return "series '" + series.name + "', got " + std::to_string(series.x.size()) + " x, " +
             std::to_string(series.y.size()) + " y, " + std::to_string(series.error.size()) +
             " errors";
    };
    require(series.x.size() == series.y.size() &&
                (series.error.empty() || series.error.size() == series.y.size()),
            "svg", "expected equal lengths in " + sizes());
  }
}

/// The drawing while it is made: where things go and what could not be drawn.
class Drawing {
 public:
  explicit Drawing(const Plot& plot)
      : plot_(plot), extent_x_(plot.x.scale), extent_y_(plot.y.scale), looks_(looks(plot)) {
    for (const Series& series : plot.series) {
      for (std::size_t i = 0; i < series.x.size(); ++i) {
        if (!drawable(series, i)) continue;
        extent_x_.add(series.x[i]);
        extent_y_.add(series.y[i]);
        extent_y_.add(series.y[i] - error_at(series, i));
        extent_y_.add(series.y[i] + error_at(series, i));
      }
    }
  }

  std::string svg() {
    AxisMap map_x(plot_.x, extent_x_, "svg"), map_y(plot_.y, extent_y_, "svg");
    x_ = &map_x;
    y_ = &map_y;
    top_ = out_.header(plot_.title, legend()) + 6;
    const auto ticks_y = y_->ticks(plot_.square ? 7 : 6);
    double tick_width = 0;
    for (const Tick& tick : ticks_y) {
      tick_width = std::max(tick_width, internal::text_width(tick.text));
    }
    left_ = 10 + (plot_.y.label.empty() ? 0 : 20) + tick_width;
    right_ = kPlotWidth - 16;
    bottom_ = plot_.square ? top_ + (right_ - left_) : std::max(top_ + 180, 282.0);
    axes(ticks_y);
    for (std::size_t i = 0; i < plot_.series.size(); ++i) series(plot_.series[i], looks_[i]);
    double height = bottom_ + (plot_.x.label.empty() ? 26 : 46);
    if (extent_x_.empty() || extent_y_.empty()) {
      out_.text((left_ + right_) / 2, (top_ + bottom_) / 2, "no data", SvgWriter::Anchor::kMiddle,
                "hf-axis-label");
    }
    if (num_hidden_ > 0) {
      height += 18;
      out_.text(4, height - 6,
                std::to_string(num_hidden_) + (num_hidden_ == 1 ? " value" : " values") +
                    " not drawn (not a finite number, or outside the axes)",
                SvgWriter::Anchor::kStart, "hf-remark");
    }
    return out_.finish(height, plot_.description.empty() ? plot_.title : plot_.description);
  }

 private:
  static std::vector<Look> looks(const Plot& plot) {
    std::vector<Look> looks;
    std::size_t next = 0;
    for (const Series& series : plot.series) {
      looks.push_back(series.tone == Tone::kMuted ? internal::muted_look()
                                                  : internal::look_of(next++));
    }
    return looks;
  }

  std::vector<SvgWriter::LegendEntry> legend() const {
    std::vector<SvgWriter::LegendEntry> entries;
    for (std::size_t i = 0; i < plot_.series.size(); ++i) {
      const Mark mark = plot_.series[i].mark;
      entries.push_back({plot_.series[i].name, looks_[i], mark != Mark::kPoints,
                         mark == Mark::kPoints || mark == Mark::kLineAndPoints, false});
    }
    return entries;
  }

  bool drawable(const Series& series, std::size_t i) const {
    return extent_x_.drawable(series.x[i]) && extent_y_.drawable(series.y[i]);
  }
  double px(double x) const { return left_ + (right_ - left_) * x_->part(x); }
  double py(double y) const { return bottom_ - (bottom_ - top_) * y_->part(y); }

  void axes(const std::vector<Tick>& ticks_y) {
    using Anchor = SvgWriter::Anchor;
    for (const Tick& tick : ticks_y) {
      out_.line(left_, py(tick.value), right_, py(tick.value), "class=\"hf-grid\"");
      out_.text(left_ - 7, py(tick.value) + 4.5, tick.text, Anchor::kEnd, "hf-tick");
    }
    double free_from = -1e9;
    for (const Tick& tick : x_->ticks(plot_.square ? 6 : 7)) {
      const double x = px(tick.value), half = internal::text_width(tick.text) / 2;
      out_.line(x, top_, x, bottom_, "class=\"hf-grid\"");
      if (x - half < free_from) continue;
      out_.text(std::min(x, kPlotWidth - half - 2), bottom_ + 18, tick.text, Anchor::kMiddle,
                "hf-tick");
      free_from = x + half + 8;
    }
    out_.line(left_, bottom_, right_, bottom_, "class=\"hf-axis\"");
    out_.line(left_, top_, left_, bottom_, "class=\"hf-axis\"");
    if (!plot_.x.label.empty()) {
      out_.text((left_ + right_) / 2, bottom_ + 38,
                internal::shortened(plot_.x.label, right_ - left_ + 40), Anchor::kMiddle,
                "hf-axis-label");
    }
    if (!plot_.y.label.empty()) {
      out_.upward_text(15, (top_ + bottom_) / 2,
                       internal::shortened(plot_.y.label, bottom_ - top_ + 20));
    }
  }

  void series(const Series& series, const Look& look) {
    out_.raw("<g class=\"hf-series " + std::string(look.css_class) + "\">\n");
    if (series.mark != Mark::kPoints) curve(series, look);
    const bool markers = series.mark == Mark::kPoints || series.mark == Mark::kLineAndPoints;
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      const double x = series.x[i], y = series.y[i], error = error_at(series, i);
      if (!drawable(series, i) || !x_->shows(x) || !y_->shows(y)) {
        ++num_hidden_;
        continue;
      }
      if (error > 0) error_bar(x, y - error, y + error);
      if (!markers) continue;
      const std::string tip =
          series.x.size() > kMarkersWithText ? "" : general(x, 6) + ", " + general(y, 6);
      out_.marker(px(x), py(y), look.marker, tip);
    }
    out_.raw("</g>\n");
  }

  /// The line through all drawable points, broken where one is missing. A piece of one point alone
  /// becomes a marker, for a path of length 0 would not be seen.
  void curve(const Series& series, const Look& look) {
    constexpr double kOverhang = 2;  // so that a line along the border keeps its thickness
    out_.open_clip(left_ - kOverhang, top_ - kOverhang, right_ - left_ + 2 * kOverhang,
                   bottom_ - top_ + 2 * kOverhang);
    std::string path;
    bool in_piece = false;
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      const bool drawn = drawable(series, i);
      const bool more = i + 1 < series.x.size() && drawable(series, i + 1);
      if (drawn) {
        const double x = px(series.x[i]), y = py(series.y[i]);
        if (in_piece) {
          path += series.mark == Mark::kSteps ? "H" + coordinate(x) + "V" + coordinate(y)
                                              : "L" + coordinate(x) + " " + coordinate(y);
        } else if (more) {
          path += "M" + coordinate(x) + " " + coordinate(y);
        } else {
          out_.marker(x, y, look.marker);
        }
      }
      in_piece = drawn;
    }
    if (!path.empty()) {
      out_.raw("<path class=\"hf-line\" d=\"" + path + "\"");
      if (*look.dashes) out_.raw(" stroke-dasharray=\"" + std::string(look.dashes) + "\"");
      out_.raw("/>\n");
    }
    out_.raw("</svg>\n");
  }

  void error_bar(double x, double low, double high) {
    const double clipped_low = extent_y_.drawable(low) ? std::max(low, y_->low()) : y_->low();
    const double clipped_high = extent_y_.drawable(high) ? std::min(high, y_->high()) : y_->high();
    const std::string top = coordinate(py(clipped_high)), bottom = coordinate(py(clipped_low));
    const std::string left = coordinate(px(x) - 3.5);
    out_.raw("<path class=\"hf-error\" d=\"M" + coordinate(px(x)) + " " + top + "V" + bottom + "M" +
             left + " " + top + "h7M" + left + " " + bottom + "h7\"/>\n");
  }

  const Plot& plot_;
  Extent extent_x_, extent_y_;
  std::vector<Look> looks_;
  SvgWriter out_;
  const AxisMap* x_ = nullptr;
  const AxisMap* y_ = nullptr;
  double left_ = 0, right_ = 0, top_ = 0, bottom_ = 0;
  std::size_t num_hidden_ = 0;
};

}  // namespace

std::string svg(const Plot& plot) {
  check(plot);
  return Drawing(plot).svg();
}

std::string standalone_svg(const Plot& plot) {
  return internal::with_style(svg(plot));
}

}  // namespace hopfield::report
