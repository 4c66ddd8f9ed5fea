#include "hopfield/report/plot.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "hopfield/base/error.h"
#include "unit/report/xml_check.h"

namespace hopfield::report {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

std::size_t occurrences(const std::string& text, const std::string& piece) {
  std::size_t count = 0;
  for (std::size_t at = text.find(piece); at != text.npos; at = text.find(piece, at + 1)) ++count;
  return count;
}

Plot two_lines() {
  Plot plot;
  plot.title = "a < b & \"c\"";
  plot.x = {"steps"};
  plot.y = {"β"};
  plot.series = {{.name = "one", .x = {0, 1, 2}, .y = {3, 2, 1}, .error = {0.1, 0, 0.3}},
                 {.name = "two", .x = {0, 1, 2}, .y = {1, 1, 2}, .mark = Mark::kLineAndPoints}};
  return plot;
}

/// Numbers of the first path that is drawn as a line.
std::string first_line(const std::string& svg) {
  const std::string start = "<path class=\"hf-line\" d=\"";
  const std::size_t at = svg.find(start);
  if (at == svg.npos) return "";
  return svg.substr(at + start.size(), svg.find('"', at + start.size()) - at - start.size());
}

TEST(Plot, IsWellFormedAndEscaped) {
  const std::string text = svg(two_lines());
  const XmlCheck xml(text);
  EXPECT_EQ(xml.fault(), "");
  EXPECT_NE(xml.all_text().find("a &lt; b &amp; &quot;c&quot;"), std::string::npos);
  EXPECT_NE(xml.all_text().find("two"), std::string::npos);
  EXPECT_EQ(XmlCheck(standalone_svg(two_lines())).fault(), "");
  EXPECT_NE(standalone_svg(two_lines()).find("prefers-color-scheme"), std::string::npos);
}

TEST(Plot, SameInputSameBytes) {
  EXPECT_EQ(svg(two_lines()), svg(two_lines()));
}

TEST(Plot, DrawsErrorBarsOnlyWhereThereIsAnError) {
  EXPECT_EQ(occurrences(svg(two_lines()), "hf-error"), 2u);
}

TEST(Plot, PutsValuesWhereTheAxisSays) {
  Plot plot;
  plot.x.min = 0;
  plot.x.max = 1;
  plot.y.min = 0;
  plot.y.max = 1;
  plot.series = {{.name = "", .x = {0, 0.5, 1}, .y = {0, 0.5, 1}}};
  double x[3], y[3];
  ASSERT_EQ(std::sscanf(first_line(svg(plot)).c_str(), "M%lf %lfL%lf %lfL%lf %lf", &x[0], &y[0],
                        &x[1], &y[1], &x[2], &y[2]),
            6);
  EXPECT_NEAR(x[1], (x[0] + x[2]) / 2, 0.011);
  EXPECT_NEAR(y[1], (y[0] + y[2]) / 2, 0.011);
  EXPECT_GT(x[2], x[0]);
  EXPECT_LT(y[2], y[0]);  // upward
}

TEST(Plot, LogAxisSpacesDecadesEvenly) {
  Plot plot;
  plot.x.scale = Scale::kLog10;
  plot.series = {{.name = "", .x = {1, 100, 10000}, .y = {0, 1, 2}}};
  const std::string text = svg(plot);
  double x[3], y[3];
  ASSERT_EQ(std::sscanf(first_line(text).c_str(), "M%lf %lfL%lf %lfL%lf %lf", &x[0], &y[0], &x[1],
                        &y[1], &x[2], &y[2]),
            6);
  EXPECT_NEAR(x[1], (x[0] + x[2]) / 2, 0.011);
  for (const char* tick : {">1<", ">10<", ">100<", ">1000<", ">10000<"}) {
    EXPECT_NE(text.find(tick), std::string::npos) << tick;
  }
}

TEST(Plot, NarrowLogAxisStillHasTicks) {
  Plot plot;
  plot.y.scale = Scale::kLog10;
  plot.series = {{.name = "", .x = {0, 1}, .y = {3.1, 3.4}}};
  EXPECT_GE(occurrences(svg(plot), "hf-tick"), 4u);
}

TEST(Plot, ValuesThatCannotBeDrawnLeaveAGapAndAreCounted) {
  Plot plot;
  plot.series = {{.name = "", .x = {0, 1, 2, 3, 4, 5}, .y = {1, 2, kNan, 4, 5, kInf}}};
  const std::string text = svg(plot);
  EXPECT_EQ(XmlCheck(text).fault(), "");
  EXPECT_EQ(occurrences(first_line(text), "M"), 2u);
  EXPECT_NE(text.find("2 values not drawn"), std::string::npos);
  EXPECT_EQ(text.find("nan"), std::string::npos);
  EXPECT_EQ(text.find("inf"), std::string::npos);
}

TEST(Plot, LogAxisHidesWhatIsNotPositive) {
  Plot plot;
  plot.y.scale = Scale::kLog10;
  plot.series = {{.name = "", .x = {0, 1, 2}, .y = {0, -1, 10}, .mark = Mark::kPoints}};
  const std::string text = svg(plot);
  EXPECT_EQ(occurrences(text, "<circle"), 1u);
  EXPECT_NE(text.find("2 values not drawn"), std::string::npos);
}

TEST(Plot, PointAloneBetweenGapsIsSeen) {
  Plot plot;
  plot.series = {{.name = "", .x = {0, 1, 2}, .y = {kNan, 2, kNan}}};
  EXPECT_EQ(occurrences(svg(plot), "<circle"), 1u);
}

TEST(Plot, DegenerateInputsAreDrawn) {
  const std::vector<std::vector<double>> values = {{},
                                                   {5},
                                                   {5, 5, 5},
                                                   {kNan},
                                                   {0, 0},
                                                   {kInf},
                                                   {1e300, 1},
                                                   {-1e300, 1e300},
                                                   {1e308, 2},
                                                   {1e-320, 2e-320},
                                                   {1, 1 + 2.3e-16},
                                                   {-3, -3},
                                                   {1e12, 1e12 + 1}};
  for (const Scale scale : {Scale::kLinear, Scale::kLog10}) {
    for (const auto& y : values) {
      Plot plot;
      plot.y.scale = scale;
      std::vector<double> x;
      for (std::size_t i = 0; i < y.size(); ++i) x.push_back(static_cast<double>(i));
      plot.series = {{.name = "s", .x = x, .y = y, .mark = Mark::kLineAndPoints}};
      const std::string text = svg(plot);
      EXPECT_EQ(XmlCheck(text).fault(), "");
      EXPECT_EQ(text.find("n/a"), std::string::npos) << text;
      EXPECT_LT(text.size(), 20000u);
    }
  }
  EXPECT_NE(svg(Plot{}).find("no data"), std::string::npos);
}

TEST(Plot, AxisEndsBeyondAllDataAreKept) {
  Plot plot;
  plot.x.min = 10;
  plot.series = {{.name = "", .x = {0, 1}, .y = {0, 1}}};
  const std::string text = svg(plot);
  EXPECT_EQ(XmlCheck(text).fault(), "");
  EXPECT_NE(text.find("2 values not drawn"), std::string::npos);
}

TEST(Plot, RefusesContradictions) {
  Plot plot;
  plot.series = {{.name = "s", .x = {1, 2}, .y = {1}}};
  EXPECT_THROW(svg(plot), Error);
  plot.series = {{.name = "s", .x = {1}, .y = {1}, .error = {1, 2}}};
  EXPECT_THROW(svg(plot), Error);
  plot.series.clear();
  plot.x.min = 1;
  plot.x.max = 1;
  EXPECT_THROW(svg(plot), Error);
  plot.x.max = kNan;
  EXPECT_THROW(svg(plot), Error);
  plot.x = {"", Scale::kLog10, 0.0};
  EXPECT_THROW(svg(plot), Error);
}

TEST(Plot, SeriesDifferByMoreThanColour) {
  Plot plot;
  for (int i = 0; i < 6; ++i) plot.series.push_back({.name = "", .x = {0, 1}, .y = {0, 1.0 + i}});
  const std::string text = svg(plot);
  EXPECT_EQ(occurrences(text, "stroke-dasharray"), 5u);  // the first is solid
}

TEST(Roc, PerfectAndReversedScores) {
  const std::vector<int> labels = {0, 0, 1, 1};
  const auto perfect = roc_points(std::vector<double>{1, 2, 3, 4}, labels);
  EXPECT_EQ(perfect[2].false_positive_rate, 0);
  EXPECT_EQ(perfect[2].true_positive_rate, 1);
  const auto reversed = roc_points(std::vector<double>{4, 3, 2, 1}, labels);
  EXPECT_EQ(reversed[2].false_positive_rate, 1);
  EXPECT_EQ(reversed[2].true_positive_rate, 0);
}

TEST(Roc, AreaIsTheMannWhitneyStatistic) {
  const std::vector<double> scores = {0.1, 0.4, 0.4, 0.4, 0.8, 0.3, 0.9, 0.1};
  const std::vector<int> labels = {0, 1, 0, 1, 1, 0, 0, 1};
  double wins = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    for (std::size_t j = 0; j < scores.size(); ++j) {
      if (labels[i] == 1 && labels[j] == 0) {
        wins += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
      }
    }
  }
  const auto points = roc_points(scores, labels);
  EXPECT_EQ(points.size(), 6u);  // the origin and five distinct scores
  double area = 0;
  for (std::size_t i = 1; i < points.size(); ++i) {
    area += (points[i].false_positive_rate - points[i - 1].false_positive_rate) *
            (points[i].true_positive_rate + points[i - 1].true_positive_rate) / 2;
  }
  EXPECT_DOUBLE_EQ(area, wins / 16);
  EXPECT_EQ(points.back().false_positive_rate, 1);
  EXPECT_EQ(points.back().true_positive_rate, 1);
}

TEST(Roc, RefusesWhatHasNoCurve) {
  const std::vector<double> scores = {1, 2};
  EXPECT_THROW(roc_points(scores, std::vector<int>{1, 1}), Error);
  EXPECT_THROW(roc_points(scores, std::vector<int>{1}), Error);
  EXPECT_THROW(roc_points(std::vector<double>{1, kNan}, std::vector<int>{0, 1}), Error);
}

TEST(Roc, PlotHasChanceAndAllCurves) {
  const std::vector<double> scores = {1, 2, 3};
  const std::vector<int> labels = {0, 1, 1};
  const RocInput curves[] = {{"first", scores, labels}, {"second", scores, labels}};
  const Plot plot = roc_plot("ROC", curves);
  EXPECT_EQ(plot.series.size(), 3u);
  EXPECT_EQ(plot.series.back().name, "chance");
  EXPECT_EQ(XmlCheck(svg(plot)).fault(), "");
}

BarPlot bars() {
  BarPlot plot;
  plot.title = "AUC";
  plot.categories = {"<a>", "b"};
  plot.series = {{"s", {0.5, 1.0}, {0.1, kNan}}};
  return plot;
}

TEST(BarPlot, LengthsAreProportional) {
  const std::string text = svg(bars());
  EXPECT_EQ(XmlCheck(text).fault(), "");
  std::vector<double> widths;
  const std::string marker = "rx=\"1.5\" class=\"hf-bar\"";
  for (std::size_t at = text.find(marker); at != text.npos; at = text.find(marker, at + 1)) {
    const std::size_t width = text.rfind("width=\"", at);
    widths.push_back(std::stod(text.substr(width + 7)));
  }
  ASSERT_EQ(widths.size(), 2u);
  EXPECT_NEAR(widths[1], 2 * widths[0], 0.03);
  EXPECT_EQ(occurrences(text, "hf-bar-error"), 1u);
  EXPECT_NE(text.find("0.500 ± 0.100"), std::string::npos);
  EXPECT_NE(text.find("&lt;a&gt;"), std::string::npos);
}

TEST(BarPlot, DegenerateInputsAreDrawn) {
  EXPECT_NE(svg(BarPlot{}).find("no data"), std::string::npos);
  BarPlot plot = bars();
  for (const std::vector<double>& values : {std::vector<double>{kNan, kNan},
                                            {0, 0},
                                            {-1, 2},
                                            {-5, -3},
                                            {kInf, 1e308},
                                            {1e300, -1e300}}) {
    plot.series = {{"s", values}};
    EXPECT_EQ(XmlCheck(svg(plot)).fault(), "");
  }
  plot.categories = {"a label so long that it cannot stand beside its bar on any page at all", "b"};
  plot.series = {{"s", {1, 2}}, {"t", {2, 1}}};
  EXPECT_EQ(XmlCheck(svg(plot)).fault(), "");
}

TEST(BarPlot, RefusesContradictions) {
  BarPlot plot = bars();
  plot.series[0].values.pop_back();
  EXPECT_THROW(svg(plot), Error);
  plot = bars();
  plot.value.scale = Scale::kLog10;
  EXPECT_THROW(svg(plot), Error);
  plot = bars();
  plot.origin = kNan;
  EXPECT_THROW(svg(plot), Error);
}

}  // namespace
}  // namespace hopfield::report
