#ifndef HOPFIELD_APPS_MIL_CV_PARTS_H_
#define HOPFIELD_APPS_MIL_CV_PARTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "hopfield/apps/mil/cv.h"
#include "hopfield/apps/mil/options.h"
#include "hopfield/apps/mil/saved_model.h"
#include "hopfield/report/table.h"

namespace hopfield::mil {

/// The checks of cross_validate; and the model and its baselines.
std::vector<ModelOptions> cv_models(const Bags& bags, const std::vector<Repetition>& repetitions,
                                    const CvOptions& options);
/// Folds that are trained at the same time.
int cv_threads(const CvOptions& options);

/// The checks of fit; and the bags that train and those that decide when to stop.
struct FitSplit {
  std::vector<std::int64_t> training, validation;
};
FitSplit fit_split(const Bags& bags, const FitOptions& options);

/// What people read: "HopfieldPooling", "mean + max, linear", ...
std::string pooling_title(Pooling pooling);

/// AUC of each repetition, a column a model; for terminals and pages alike.
report::Table repetition_table(const CvResult& result);

/// The other figures, a row a model; and the model's confusion matrix.
report::Table figure_table(const CvResult& result);
report::Table confusion_table(const CvResult& result);

/// "200 bags (100 positive)", "90 bags (30 a, 60 b)", "75 bags".
std::string bags_text(const CvResult& result);

/// "0.912 to 0.967"
std::string interval_cell(const ModelResult& model);

/// Cells "difference", "folds won / tied / lost", "Wilcoxon p"; empty ones without a comparison.
std::vector<std::string> comparison_cells(const Comparison* paired);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_CV_PARTS_H_
