#ifndef HOPFIELD_REPORT_PLOT_H_
#define HOPFIELD_REPORT_PLOT_H_

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace hopfield::report {

enum class Scale : unsigned char { kLinear, kLog10 };

struct Axis {
  std::string label;
  Scale scale = Scale::kLinear;
  /// Ends of the axis; absent: from the data, with a little room. What lies outside is not drawn.
  /// On a log axis they must be > 0.
  std::optional<double> min = {}, max = {};
};

enum class Mark : unsigned char { kLine, kPoints, kLineAndPoints, kSteps };

/// How a series is drawn. kAuto takes the next of six colours, each with its own marker and dash,
/// so that nothing rests on colour alone; kMuted is for guides and references: grey and dashed.
enum class Tone : unsigned char { kAuto, kMuted };

struct Series {
  std::string name;  ///< in the legend; empty: no entry
  std::vector<double> x, y;
  std::vector<double> error = {};  ///< half length of the error bar of each y; or empty
  Mark mark = Mark::kLine;
  Tone tone = Tone::kAuto;
};

struct Plot {
  std::string title;
  std::string description;  ///< what the picture shows, for those who cannot see it; empty: title
  Axis x, y;
  std::vector<Series> series;
  bool square = false;  ///< plot area as high as wide (ROC curves)
};

/// Horizontal bars: one group a category, one bar in it a series, from `origin` to the value, with
/// its number beside it.
struct BarPlot {
  std::string title;
  std::string description;
  Axis value;  ///< linear
  std::vector<std::string> categories;
  struct Bars {
    std::string name;
    std::vector<double> values;      ///< one a category; NaN: no bar, "n/a"
    std::vector<double> error = {};  ///< half lengths, or empty
  };
  std::vector<Bars> series;
  double origin = 0;
  int decimals = 3;  ///< of the number beside the bar
};

/// One <svg> element, scalable, for use inside a page of class Page (it has the colours). Values
/// that are not finite, or not positive on a log axis, leave a gap, and a line below the plot says
/// how many. An empty series, a single point and constant data are drawn, too; without any value it
/// says "no data". Same input, same bytes. Errors   kInvalidArgument if x, y (and error, if any)
/// differ in length, an end of an axis is not
///          finite, min >= max, or a log axis has an end <= 0.
std::string svg(const Plot& plot);
std::string svg(const BarPlot& plot);

/// The same as a document of its own, for a file .svg: with colours for light and dark.
std::string standalone_svg(const Plot& plot);
std::string standalone_svg(const BarPlot& plot);

/// Corners of the ROC curve, from (0, 0) to (1, 1), by falling threshold; equal scores make one
/// slanted piece, so that the area below is the Mann-Whitney statistic. Errors: kInvalidArgument if
/// sizes differ, a score is NaN, or one class is missing.
struct RocPoint {
  double false_positive_rate, true_positive_rate;
};
std::vector<RocPoint> roc_points(std::span<const double> scores, std::span<const int> labels);

struct RocInput {
  std::string name;  ///< for example "Hopfield pooling, AUC 0.947"
  std::span<const double> scores;
  std::span<const int> labels;  ///< 0 or 1
};
/// A square plot of all curves with the diagonal of chance. Errors: as roc_points.
Plot roc_plot(std::string title, std::span<const RocInput> curves);

}  // namespace hopfield::report

#endif  // HOPFIELD_REPORT_PLOT_H_
