#include <string>
#include <utility>
#include <vector>

#include "apps/mil/cv_parts.h"
#include "hopfield/apps/mil/cv.h"
#include "hopfield/base/error.h"
#include "hopfield/report/format.h"
#include "hopfield/report/table.h"

namespace hopfield::mil {
namespace {

using report::Align;
using report::fixed;

report::Table model_table(const CvResult& result) {
  report::Table table({{"model"},
                       {"AUC", Align::kRight},
                       {"95 % interval", Align::kRight},
                       {"validation AUC", Align::kRight},
                       {"difference", Align::kRight},
                       {"folds won / tied / lost", Align::kRight},
                       {"Wilcoxon p", Align::kRight},
                       {"sign p", Align::kRight},
                       {"weights", Align::kRight},
                       {"CPU time", Align::kRight}});
  const auto row = [&](const ModelResult& model, const Comparison* paired) {
    std::vector<std::string> cells = {model.title,
                                      report::plus_minus(model.auc_mean, model.auc_sd, 3),
                                      interval_cell(model), fixed(model.validation_auc_mean, 3)};
    const std::vector<std::string> compared = comparison_cells(paired);
    cells.insert(cells.end(), compared.begin(), compared.end());
    cells.push_back(paired == nullptr ? "" : report::general(paired->sign_p, 2));
    cells.push_back(std::to_string(model.num_parameters));
    cells.push_back(report::seconds(model.seconds));
    table.add_row(std::move(cells), paired == nullptr);
  };
  row(result.model, nullptr);
  for (std::size_t b = 0; b < result.baselines.size(); ++b) {
    row(result.baselines[b], &result.comparisons[b]);
  }
  return table;
}

}  // namespace

std::string pooling_title(Pooling pooling) {
  switch (pooling) {
    case Pooling::kHopfield:
      return "HopfieldPooling";
    case Pooling::kMeanMax:
      return "mean + max, linear";
    case Pooling::kMean:
      return "mean, linear";
    case Pooling::kMax:
      return "max, linear";
    case Pooling::kAttention:
      return "attention pooling";
    case Pooling::kGatedAttention:
      return "gated attention";
    case Pooling::kStoredBags:
      return "stored bags";
  }
  HOPFIELD_CHECK(false);
  return {};
}

report::Table repetition_table(const CvResult& result) {
  std::vector<report::Column> columns = {{"repetition"}, {result.model.title, Align::kRight}};
  for (const ModelResult& baseline : result.baselines) {
    columns.push_back({baseline.title, Align::kRight});
  }
  report::Table table(std::move(columns));
  for (std::size_t r = 0; r < result.model.repetitions.size(); ++r) {
    std::vector<std::string> row = {result.model.repetitions[r].name,
                                    fixed(result.model.repetitions[r].auc, 4)};
    for (const ModelResult& baseline : result.baselines) {
      row.push_back(fixed(baseline.repetitions[r].auc, 4));
    }
    table.add_row(std::move(row));
  }
  return table;
}

std::string interval_cell(const ModelResult& model) {
  return fixed(model.auc_interval.low, 3) + " to " + fixed(model.auc_interval.high, 3);
}

std::vector<std::string> comparison_cells(const Comparison* paired) {
  if (paired == nullptr) return {"", "", ""};
  return {report::signed_fixed(paired->mean_difference, 3),
          std::to_string(paired->wins) + " / " + std::to_string(paired->ties) + " / " +
              std::to_string(paired->losses),
          report::general(paired->wilcoxon_p, 2)};
}

std::string cv_text(const CvResult& result) {
  std::string text = result.origin + ": " + std::to_string(result.num_bags) + " bags (" +
                     std::to_string(result.num_positive) + " positive), " +
                     std::to_string(result.num_instances) + " instances, " +
                     std::to_string(result.num_features) + " features; seed " +
                     std::to_string(result.options.seed) + "\n\n";
  text += repetition_table(result).text() + "\n" + model_table(result).text();
  text +=
      "\nAUC of a repetition: mean over its folds; AUC: mean ± sd over the repetitions; "
      "difference: "
      "the model's\nAUC minus the baseline's, paired over all folds, with the folds won/tied/lost "
      "and two-sided p values.\n"
      "95 % interval: of the AUC on new bags, from the spread over the bags of this file.\n"
      "validation AUC: at the epoch kept; of stored bags: of each training bag by the others.\n" +
      report::seconds(result.seconds) + " in all.\n";
  return text;
}

}  // namespace hopfield::mil
