#include "hopfield/report/roc.h"

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

double roc_auc(std::span<const double> scores, std::span<const int> labels) {
  require(scores.size() == labels.size(), "roc_auc",
          "expected as many labels as scores, got " + std::to_string(scores.size()) +
              " scores and " + std::to_string(labels.size()) + " labels");
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = 0; i < scores.size(); ++i) {
    require(!std::isnan(scores[i]), "roc_auc", "expected numbers, got NaN at " + std::to_string(i));
  }
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  double num_positive = 0, num_negative = 0, wins = 0;
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    double positive = 0, negative = 0;
    for (; end < order.size() && scores[order[end]] == scores[order[begin]]; ++end) {
      (labels[order[end]] != 0 ? positive : negative) += 1;
    }
    wins += positive * (num_negative + negative / 2);
    num_positive += positive;
    num_negative += negative;
    begin = end;
  }
  require(num_positive > 0 && num_negative > 0, "roc_auc",
          "expected both classes, got " + std::to_string(static_cast<long>(num_positive)) +
              " positive and " + std::to_string(static_cast<long>(num_negative)) + " negative");
  return wins / (num_positive * num_negative);
}

std::vector<double> auc_influence(std::span<const double> scores, std::span<const int> labels) {
  const double auc = roc_auc(scores, labels);
  std::vector<double> positive, negative;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    (labels[i] != 0 ? positive : negative).push_back(scores[i]);
  }
  std::sort(positive.begin(), positive.end());
  std::sort(negative.begin(), negative.end());
  // Share of `others` (ascending) that is smaller, equal ones counted half.
  const auto share_below = [](const std::vector<double>& others, double score) {
    const auto [first, last] = std::equal_range(others.begin(), others.end(), score);
    return static_cast<double>((first - others.begin()) + (last - others.begin())) /
           (2 * static_cast<double>(others.size()));
  };
  const auto n = static_cast<double>(scores.size());
  std::vector<double> out;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    out.push_back(labels[i] != 0 ? (share_below(negative, scores[i]) - auc) * n /
                                       static_cast<double>(positive.size())
                                 : (1 - share_below(positive, scores[i]) - auc) * n /
                                       static_cast<double>(negative.size()));
  }
  return out;
}

double auc_standard_error(std::span<const double> scores, std::span<const int> labels) {
  double squares = 0;
  for (const double x : auc_influence(scores, labels)) squares += x * x;
  return std::sqrt(squares) / static_cast<double>(scores.size());
}

double interval_half_width(std::span<const double> influence) {
  double squares = 0;
  for (const double x : influence) squares += x * x;
  constexpr double kNormal975 = 1.959963984540054;  // the normal distribution's 97.5 % quantile
  return kNormal975 * std::sqrt(squares) / static_cast<double>(influence.size());
}

Interval auc_interval(double auc, std::span<const double> influence) {
  const double half = interval_half_width(influence);
  return {std::max(0.0, auc - half), std::min(1.0, auc + half)};
}

}  // namespace hopfield::report
