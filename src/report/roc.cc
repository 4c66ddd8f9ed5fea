#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hopfield/base/error.h"
#include "hopfield/report/plot.h"

namespace hopfield::report {

std::vector<RocPoint> roc_points(std::span<const double> scores, std::span<const int> labels) {
  require(scores.size() == labels.size(), "roc_points",
          "expected as many labels as scores, got " + std::to_string(scores.size()) +
              " scores and " + std::to_string(labels.size()) + " labels");
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  double num_positive = 0, num_negative = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    require(!std::isnan(scores[i]), "roc_points",
            "expected numbers, got NaN at " + std::to_string(i));
    (labels[i] != 0 ? num_positive : num_negative) += 1;
  }
  require(num_positive > 0 && num_negative > 0, "roc_points",
          "expected labels of both classes, got only one");
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  std::vector<RocPoint> points = {{0, 0}};
  double true_positives = 0, false_positives = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    (labels[order[i]] != 0 ? true_positives : false_positives) += 1;
    const bool last_of_equals = i + 1 == order.size() || scores[order[i + 1]] < scores[order[i]];
    if (last_of_equals)
      points.push_back({false_positives / num_negative, true_positives / num_positive});
  }
  return points;
}

Plot roc_plot(std::string title, std::span<const RocInput> curves) {
  Plot plot;
  plot.title = std::move(title);
  plot.square = true;
  plot.x = {"false positive rate", Scale::kLinear, 0.0, 1.0};
  plot.y = {"true positive rate", Scale::kLinear, 0.0, 1.0};
  plot.description = plot.title + ": ROC curves of";
  for (const RocInput& curve : curves) {
    Series series;
    series.name = curve.name;
    for (const RocPoint& point : roc_points(curve.scores, curve.labels)) {
      series.x.push_back(point.false_positive_rate);
      series.y.push_back(point.true_positive_rate);
    }
    plot.series.push_back(std::move(series));
    plot.description += " " + curve.name + ";";
  }
  plot.series.push_back({.name = "chance", .x = {0, 1}, .y = {0, 1}, .tone = Tone::kMuted});
  plot.description += " the diagonal is chance";
  return plot;
}

}  // namespace hopfield::report
