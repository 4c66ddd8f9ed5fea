#ifndef HOPFIELD_APPS_MIL_METRICS_H_
#define HOPFIELD_APPS_MIL_METRICS_H_

#include <span>

namespace hopfield::mil {

/// Area under the ROC curve of `scores` against `labels` (0 or 1), ties counted half (the
/// Mann-Whitney statistic). Errors: kInvalidArgument if sizes differ, a score is NaN, or one class
/// is missing.
double roc_auc(std::span<const double> scores, std::span<const int> labels);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_METRICS_H_
