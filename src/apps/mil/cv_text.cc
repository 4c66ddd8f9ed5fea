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
  const std::string figure = main_title(result.scheme.target);
  report::Table table({{"model"},
                       {figure, Align::kRight},
                       {"95 % interval", Align::kRight},
                       {"validation " + figure, Align::kRight},
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

/// "10 folds", "20 folds in 2 repetitions".
std::string folds_text(const ModelResult& model) {
  std::size_t num_folds = 0;
  for (const RepetitionResult& repetition : model.repetitions) num_folds += repetition.folds.size();
  std::string text = std::to_string(num_folds) + " folds";
  if (model.repetitions.size() > 1) {
    text += " in " + std::to_string(model.repetitions.size()) + " repetitions";
  }
  return text;
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

report::Table figure_table(const CvResult& result) {
  std::vector<report::Column> columns = {{"model"}};
  const bool classes = result.scheme.target != Target::kRegression;
  for (const Figure& figure : result.model.figures)
    columns.push_back({figure.title, Align::kRight});
  if (classes) columns.insert(columns.end(), {{"Brier", Align::kRight}, {"ECE", Align::kRight}});
  report::Table table(std::move(columns));
  const auto row = [&](const ModelResult& model, bool strong) {
    std::vector<std::string> cells = {model.title};
    for (const Figure& figure : model.figures) {
      cells.push_back(result.scheme.target == Target::kRegression ? report::general(figure.value)
                                                                  : fixed(figure.value, 3));
    }
    if (classes) {
      const Calibration calibration = cv_calibration(model, result.scheme);
      cells.insert(cells.end(), {fixed(calibration.brier, 3), fixed(calibration.ece, 3)});
    }
    table.add_row(std::move(cells), strong);
  };
  row(result.model, true);
  for (const ModelResult& baseline : result.baselines) row(baseline, false);
  return table;
}

report::Table confusion_table(const CvResult& result) {
  const std::vector<std::string>& names = result.scheme.class_names;
  std::vector<report::Column> columns = {{"label"}};
  for (const std::string& name : names) columns.push_back({"predicted " + name, Align::kRight});
  report::Table table(std::move(columns));
  for (std::size_t c = 0; c < names.size(); ++c) {
    std::vector<std::string> cells = {names[c]};
    for (std::size_t p = 0; p < names.size(); ++p) {
      cells.push_back(std::to_string(result.model.confusion[c * names.size() + p]));
    }
    table.add_row(std::move(cells));
  }
  return table;
}

std::string bags_text(const CvResult& result) {
  std::string text = std::to_string(result.num_bags) + " bags";
  if (result.scheme == LabelScheme{}) {
    text += " (" + std::to_string(result.num_positive) + " positive)";
  } else if (result.scheme.target != Target::kRegression) {
    for (std::size_t c = 0; c < result.bags_of_class.size(); ++c) {
      text += (c == 0 ? " (" : ", ") + std::to_string(result.bags_of_class[c]) + " " +
              result.scheme.class_names[c];
    }
    text += ")";
  }
  return text;
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
  const std::string figure = main_title(result.scheme.target);
  std::string text = result.origin + ": " + bags_text(result) + ", " +
                     std::to_string(result.num_instances) + " instances, " +
                     std::to_string(result.num_features) + " features; seed " +
                     std::to_string(result.options.seed) + ", " + folds_text(result.model) + "\n\n";
  text += repetition_table(result).text() + "\n" + model_table(result).text() + "\n" +
          figure_table(result).text();
  if (result.scheme.target != Target::kRegression) {
    text += "\n" + result.model.title + ", test bags of all repetitions\n" +
            confusion_table(result).text();
  }
  text +=
      "\n" + figure + " of a repetition: mean over its folds; " + figure +
      ": mean ± sd over the repetitions; difference: the model's\n" + figure +
      " minus the baseline's, paired over all folds, with the folds won/tied/lost and two-sided "
      "p values.\n95 % interval: of the " +
      figure + " on new bags, from the spread over the bags of this file.\nvalidation " + figure +
      ": at the epoch kept; of stored bags: of each training bag by the others.\n" +
      (result.scheme.target == Target::kRegression
           ? "RMSE, MAE (unit of the labels), Spearman: of all test bags of a repetition, mean "
             "over the repetitions.\n"
           : "accuracy: of all test bags of a repetition, mean over the repetitions; balanced: "
             "mean over the classes.\nBrier, ECE (10 bins of equal width): of the probabilities of "
             "the first repetition's test bags.\n") +
      report::seconds(result.seconds) + " in all.\n";
  return text;
}

}  // namespace hopfield::mil
