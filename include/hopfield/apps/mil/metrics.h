#ifndef HOPFIELD_APPS_MIL_METRICS_H_
#define HOPFIELD_APPS_MIL_METRICS_H_

#include <cstdint>
#include <span>

#include "hopfield/report/roc.h"

namespace hopfield::mil {

using report::auc_influence;
using report::auc_interval;
using report::auc_standard_error;
using report::Interval;
using report::interval_half_width;
using report::roc_auc;

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
