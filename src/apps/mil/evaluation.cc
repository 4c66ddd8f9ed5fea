#include "hopfield/apps/mil/evaluation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <utility>

#include "hopfield/base/error.h"

namespace hopfield::mil {
namespace {

std::size_t num_outputs(const Outcomes& outcomes) {
  return static_cast<std::size_t>(outcomes.scheme->num_outputs());
}

std::size_t num_bags(const Outcomes& outcomes) {
  return outcomes.scores.size() / num_outputs(outcomes);
}

std::span<const double> scores_of(const Outcomes& outcomes, std::size_t bag) {
  return outcomes.scores.subspan(bag * num_outputs(outcomes), num_outputs(outcomes));
}

void check(const Outcomes& outcomes) {
  const std::size_t n = outcomes.scheme->target == Target::kRegression ? outcomes.numbers.size()
                                                                       : outcomes.labels.size();
  require(outcomes.scores.size() == n * num_outputs(outcomes) && n > 0, "figures",
          "expected scores of " + std::to_string(n) + " bags, got " +
              std::to_string(outcomes.scores.size()) + " numbers");
  require(std::none_of(outcomes.scores.begin(), outcomes.scores.end(),
                       [](double score) { return std::isnan(score); }),
          "figures", "expected numbers as scores, got NaN");
}

/// One class against the others: its probabilities and who belongs to it.
struct OneVsRest {
  std::vector<double> scores;
  std::vector<int> labels;
};

OneVsRest one_vs_rest(const Outcomes& outcomes, int label) {
  OneVsRest out;
  for (std::size_t b = 0; b < num_bags(outcomes); ++b) {
    const std::vector<double> p = outcomes.scheme->probabilities(scores_of(outcomes, b));
    out.scores.push_back(p[static_cast<std::size_t>(label)]);
    out.labels.push_back(outcomes.labels[b] == label ? 1 : 0);
  }
  return out;
}

/// Squared errors, squared deviations from the mean, and the means of both.
struct Squares {
  std::vector<double> errors, deviations;
  double mean_error = 0, variance = 0;
};

Squares squares_of(const Outcomes& outcomes) {
  const double center = mean(outcomes.numbers);
  Squares out;
  for (std::size_t b = 0; b < outcomes.numbers.size(); ++b) {
    const double error = outcomes.numbers[b] - outcomes.scores[b];
    const double deviation = outcomes.numbers[b] - center;
    out.errors.push_back(error * error);
    out.deviations.push_back(deviation * deviation);
  }
  out.mean_error = mean(out.errors);
  out.variance = mean(out.deviations);
  if (!(out.variance > 0)) {
    fail(ErrorCode::kCorruptData, "figures",
         "expected labels that differ among the bags to score, got equal ones; use fewer folds");
  }
  return out;
}

/// Wilson's 95 % interval of a share of `count` cases.
Interval share_interval(double share, double count) {
  constexpr double kNormal975 = 1.959963984540054;
  constexpr double kSquare = kNormal975 * kNormal975;
  const double center = (share + kSquare / (2 * count)) / (1 + kSquare / count);
  const double half = kNormal975 / (1 + kSquare / count) *
                      std::sqrt(share * (1 - share) / count + kSquare / (4 * count * count));
  return {std::max(0.0, center - half), std::min(1.0, center + half)};
}

/// Ranks from 1, equal values share their mean rank.
std::vector<double> mid_ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (std::size_t i = begin; i < end; ++i) {
      ranks[order[i]] = static_cast<double>(begin + end + 1) / 2;
    }
    begin = end;
  }
  return ranks;
}

double spearman(std::span<const double> a, std::span<const double> b) {
  const std::vector<double> x = mid_ranks(a), y = mid_ranks(b);
  const double center = static_cast<double>(a.size() + 1) / 2;
  double xy = 0, xx = 0, yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - center) * (y[i] - center);
    xx += (x[i] - center) * (x[i] - center);
    yy += (y[i] - center) * (y[i] - center);
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

std::string main_key(Target target) {
  return target == Target::kRegression ? "r2" : "auc";
}

std::string main_title(Target target) {
  return target == Target::kRegression ? "R2" : target == Target::kClasses ? "macro AUC" : "AUC";
}

double main_figure(const Outcomes& outcomes) {
  check(outcomes);
  switch (outcomes.scheme->target) {
    case Target::kBinary:
      return roc_auc(outcomes.scores, outcomes.labels);
    case Target::kClasses: {
      double sum = 0;
      const auto num_classes = static_cast<int>(outcomes.scheme->num_classes());
      for (int label = 0; label < num_classes; ++label) {
        const OneVsRest one = one_vs_rest(outcomes, label);
        sum += roc_auc(one.scores, one.labels);
      }
      return sum / num_classes;
    }
    case Target::kRegression: {
      const Squares squares = squares_of(outcomes);
      return 1 - squares.mean_error / squares.variance;
    }
  }
  HOPFIELD_CHECK(false);
  return 0;
}

std::vector<double> main_influence(const Outcomes& outcomes) {
  check(outcomes);
  if (outcomes.scheme->target == Target::kBinary) {
    return auc_influence(outcomes.scores, outcomes.labels);
  }
  std::vector<double> out(num_bags(outcomes), 0.0);
  if (outcomes.scheme->target == Target::kClasses) {
    const auto num_classes = static_cast<int>(outcomes.scheme->num_classes());
    for (int label = 0; label < num_classes; ++label) {
      const OneVsRest one = one_vs_rest(outcomes, label);
      const std::vector<double> influence = auc_influence(one.scores, one.labels);
      for (std::size_t b = 0; b < out.size(); ++b) out[b] += influence[b] / num_classes;
    }
    return out;
  }
  const Squares squares = squares_of(outcomes);
  const double ratio = squares.mean_error / squares.variance;
  for (std::size_t b = 0; b < out.size(); ++b) {
    out[b] = (ratio * squares.deviations[b] - squares.errors[b]) / squares.variance;
  }
  return out;
}

double main_standard_error(const Outcomes& outcomes) {
  double squares = 0;
  const std::vector<double> influence = main_influence(outcomes);
  for (const double part : influence) squares += part * part;
  return std::sqrt(squares) / static_cast<double>(influence.size());
}

Interval main_interval(Target target, double value, std::span<const double> influence) {
  if (target != Target::kRegression) return auc_interval(value, influence);
  const double half = interval_half_width(influence);
  return {value - half, std::min(1.0, value + half)};
}

std::vector<Figure> other_figures(const Outcomes& outcomes) {
  check(outcomes);
  if (outcomes.scheme->target == Target::kRegression) {
    const Squares squares = squares_of(outcomes);
    double absolute = 0;
    for (const double error : squares.errors) absolute += std::sqrt(error);
    return {{"rmse", "RMSE", std::sqrt(squares.mean_error)},
            {"mae", "MAE", absolute / static_cast<double>(squares.errors.size())},
            {"spearman", "Spearman", spearman(outcomes.scores, outcomes.numbers)}};
  }
  const std::vector<std::int64_t> counts = confusion_matrix(outcomes);
  const auto num_classes = static_cast<std::size_t>(outcomes.scheme->num_classes());
  double found = 0, shares = 0;
  for (std::size_t c = 0; c < num_classes; ++c) {
    const auto row = counts.begin() + static_cast<std::ptrdiff_t>(c * num_classes);
    const auto all = std::accumulate(row, row + static_cast<std::ptrdiff_t>(num_classes), 0.0);
    require(all > 0, "figures",
            "expected bags of all classes, got none with label " + outcomes.scheme->class_names[c]);
    const auto right = static_cast<double>(row[static_cast<std::ptrdiff_t>(c)]);
    found += right;
    shares += right / all;
  }
  return {{"accuracy", "accuracy", found / static_cast<double>(outcomes.labels.size())},
          {"balanced_accuracy", "balanced accuracy", shares / static_cast<double>(num_classes)}};
}

std::vector<std::int64_t> confusion_matrix(const Outcomes& outcomes) {
  check(outcomes);
  const std::int64_t num_classes = outcomes.scheme->num_classes();
  std::vector<std::int64_t> counts(static_cast<std::size_t>(num_classes * num_classes));
  for (std::size_t b = 0; b < outcomes.labels.size(); ++b) {
    const std::int64_t predicted = outcomes.scheme->predicted(scores_of(outcomes, b));
    ++counts[static_cast<std::size_t>(outcomes.labels[b] * num_classes + predicted)];
  }
  return counts;
}

Calibration calibration_of(const Outcomes& outcomes) {
  check(outcomes);
  const LabelScheme& scheme = *outcomes.scheme;
  require(scheme.target != Target::kRegression, "calibration",
          "expected probabilities of classes, got a regression");
  Calibration out;
  std::vector<CalibrationBin> bins(kCalibrationBins);
  const auto n = static_cast<double>(outcomes.labels.size());
  for (std::size_t b = 0; b < outcomes.labels.size(); ++b) {
    const std::vector<double> p = scheme.probabilities(scores_of(outcomes, b));
    const auto label = static_cast<std::size_t>(outcomes.labels[b]);
    const bool two = scheme.target == Target::kBinary;
    const std::size_t told =
        two ? 1 : static_cast<std::size_t>(scheme.predicted(scores_of(outcomes, b)));
    for (std::size_t c = two ? 1 : 0; c < p.size(); ++c) {
      const double error = p[c] - (c == label ? 1 : 0);
      out.brier += error * error / n;
    }
    const int k = std::min(kCalibrationBins - 1, static_cast<int>(p[told] * kCalibrationBins));
    CalibrationBin& bin = bins[static_cast<std::size_t>(k)];
    ++bin.count;
    bin.mean_probability += p[told];
    bin.observed += told == label ? 1 : 0;
  }
  for (int k = 0; k < kCalibrationBins; ++k) {
    CalibrationBin& bin = bins[static_cast<std::size_t>(k)];
    if (bin.count == 0) continue;
    const auto count = static_cast<double>(bin.count);
    bin.low = static_cast<double>(k) / kCalibrationBins;
    bin.high = static_cast<double>(k + 1) / kCalibrationBins;
    bin.mean_probability /= count;
    bin.observed /= count;
    bin.interval = share_interval(bin.observed, count);
    out.ece += count / n * std::abs(bin.observed - bin.mean_probability);
    out.bins.push_back(bin);
  }
  return out;
}

}  // namespace hopfield::mil
