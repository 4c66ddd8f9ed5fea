#ifndef HOPFIELD_REPORT_ROC_H_
#define HOPFIELD_REPORT_ROC_H_

#include <span>
#include <vector>

namespace hopfield::report {

/// Area under the ROC curve of `scores` against `labels` (0 or 1), ties counted half (the
/// Mann-Whitney statistic). Errors: kInvalidArgument if sizes differ, a score is NaN, or one class
/// is missing.
double roc_auc(std::span<const double> scores, std::span<const int> labels);

/// Standard error of roc_auc from the spread of each class's own wins (DeLong, DeLong,
/// Clarke-Pearson 1988, with n instead of n - 1): 0 for an AUC of 1. Errors: as roc_auc.
double auc_standard_error(std::span<const double> scores, std::span<const int> labels);

/// What each score adds to the error of its AUC: a positive (its share of negatives below - AUC) /
/// P(positive), a negative (its share of positives above - AUC) / P(negative), ties counted half;
/// they sum to 0. The P are shares over all `labels`. Errors: as roc_auc.
std::vector<double> auc_influence(std::span<const double> scores, std::span<const int> labels);

struct Interval {
  double low = 0, high = 0;
};
/// The 95 % normal interval around `auc`, cut to [0, 1], for `influence` [n] of n independent
/// cases: auc +- 1.96 sqrt(sum of squares) / n. For cross-validated AUCs, each case's influence is
/// its influence in its own fold (LeDell, Petersen, van der Laan 2015), averaged over repetitions.
/// It is too narrow for an AUC near 1 and for few cases.
Interval auc_interval(double auc, std::span<const double> influence);
/// Half of it, before it is cut: also for the difference of two AUCs, of whose influences
/// `influence` is the difference, and for other means of cases.
double interval_half_width(std::span<const double> influence);

}  // namespace hopfield::report

#endif  // HOPFIELD_REPORT_ROC_H_
