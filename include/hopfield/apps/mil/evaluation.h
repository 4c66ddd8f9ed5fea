#ifndef HOPFIELD_APPS_MIL_EVALUATION_H_
#define HOPFIELD_APPS_MIL_EVALUATION_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "hopfield/apps/mil/metrics.h"
#include "hopfield/apps/mil/options.h"

namespace hopfield::mil {

/// What a model said of some bags, and what is true of them. Spans: the owner must outlive it.
struct Outcomes {
  const LabelScheme* scheme = nullptr;
  std::span<const double> scores;   ///< [num_bags, scheme->num_outputs()]
  std::span<const int> labels;      ///< [num_bags] classes; of a regression empty
  std::span<const double> numbers;  ///< [num_bags] of a regression; else empty
};

/// "auc" or "r2"; "AUC", "macro AUC" or "R2": names of the main figure.
std::string main_key(Target target);
std::string main_title(Target target);

/// The figure that models are compared by; the greater, the better.
///
/// kBinary      roc_auc of the scores.
/// kClasses     macro one-vs-rest AUC: mean over the classes of roc_auc of the class's probability
///              against all other classes.
/// kRegression  R2 = 1 - mean (number - score)^2 / mean (number - mean number)^2.
/// Errors: kInvalidArgument if sizes differ, a score is NaN or a class has no bag; kCorruptData if
/// all numbers are equal.
double main_figure(const Outcomes& outcomes);

/// What each bag adds to the error of the main figure; they sum to 0. As auc_influence; of several
/// classes the mean over the classes; of R2 its derivative by the bag's weight. Errors: as above.
std::vector<double> main_influence(const Outcomes& outcomes);

/// sqrt(sum of squared influences) / number of bags.
double main_standard_error(const Outcomes& outcomes);

/// As auc_interval, around an R2 not cut at 0.
Interval main_interval(Target target, double value, std::span<const double> influence);

/// A figure beside the main one.
struct Figure {
  std::string key, title;
  double value = 0;
};

/// Classes: accuracy, and balanced accuracy, the mean over the classes of the share found.
/// Regression: RMSE and MAE in the labels' unit, and Spearman's rank correlation (ties share their
/// mean rank; NaN if all scores are equal). Errors: as main_figure.
std::vector<Figure> other_figures(const Outcomes& outcomes);

/// Counts [num_classes, num_classes]: row true class, column predicted class.
std::vector<std::int64_t> confusion_matrix(const Outcomes& outcomes);

/// Bags whose probability lies in [low, high); the last bin also holds 1.
struct CalibrationBin {
  double low = 0, high = 0;
  std::int64_t count = 0;       ///< >= 1
  double mean_probability = 0;  ///< what the model said, on average
  double observed = 0;          ///< share that came true
  Interval interval;            ///< 95 % of that share (Wilson 1927)
};

/// How far probabilities can be taken at their word: of two classes the probability of the second,
/// of several that of the predicted class.
struct Calibration {
  /// Mean squared error of the probabilities: of two classes (p - truth)^2, of several the sum of
  /// that over the classes (Brier 1950).
  double brier = 0;
  /// Expected calibration error: sum over the bins of count / all * |observed - mean_probability|.
  double ece = 0;
  std::vector<CalibrationBin> bins;  ///< of kCalibrationBins bins of equal width those with bags
};
inline constexpr int kCalibrationBins = 10;

/// Errors: as main_figure; kInvalidArgument for a regression.
Calibration calibration_of(const Outcomes& outcomes);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_EVALUATION_H_
