#ifndef HOPFIELD_APPS_MIL_REPORT_H_
#define HOPFIELD_APPS_MIL_REPORT_H_

#include <string>
#include <vector>

#include "hopfield/apps/mil/cv.h"
#include "hopfield/report/page.h"
#include "hopfield/report/plot.h"
#include "hopfield/report/table.h"

namespace hopfield::mil {

/// What others printed for a data set, as fractions; found by the file's name ("elephant.csv.gz").
/// The first is the paper's own. "recalled": from notes, not compared with its source again.
struct PublishedAuc {
  std::string method, source;
  double auc = 0;
};
std::vector<PublishedAuc> published_aucs(const std::string& origin);

/// ROC curves of model and baselines: test scores of all folds of all repetitions, each turned into
/// its rank among its own fold's scores first, because scores of different folds share no scale.
report::Plot cv_roc_plot(const CvResult& result);

/// Model, baselines and published numbers: AUC, difference, folds won, p, weights, time.
report::Table cv_auc_table(const CvResult& result);

/// Tiles, ROC curve, table, AUC by repetition and fold, settings: for a page that has more to say.
void add_cv_report(report::Page& page, const CvResult& result, const std::string& command);

/// A page of its own.
report::Page cv_page(const CvResult& result, const std::string& command);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_REPORT_H_
