#ifndef HOPFIELD_APPS_MIL_METRICS_H_
#define HOPFIELD_APPS_MIL_METRICS_H_

#include <cstdint>
#include <span>
#include <vector>

namespace hopfield::mil {

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

/// Two paired samples compared, without assuming a distribution.
struct PairedTest {
  double mean_difference = 0;                   ///< of a - b; 0 for no pair
  std::int64_t wins = 0, ties = 0, losses = 0;  ///< pairs with a > b, a = b, a < b
  /// Two-sided p of Wilcoxon's signed-rank test; ties are left out, equal sizes share their mean
  /// rank. Exact (all sign patterns) up to 200 untied pairs, else the normal approximation with tie
  /// correction. 1 without untied pairs.
  double wilcoxon_p = 1;
  /// Two-sided p of the sign test, exact; ties are left out.
  double sign_p = 1;
};

/// Errors: kInvalidArgument if sizes differ or a number is NaN.
PairedTest paired_test(std::span<const double> a, std::span<const double> b);

/// Mean; NaN for none. Sample standard deviation (n - 1); NaN for fewer than two.
double mean(std::span<const double> values);
double sample_sd(std::span<const double> values);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_METRICS_H_
