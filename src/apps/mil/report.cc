#include "hopfield/apps/mil/report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/mil/cv_parts.h"
#include "hopfield/report/format.h"

namespace hopfield::mil {
namespace {

using report::Align;
using report::fixed;

/// Rows as printed, in per cent; NaN: not reported. Columns: tiger, fox, elephant, ucsb.
struct PublishedRow {
  std::string_view method, source;
  std::array<double, 4> auc;
};

constexpr std::array<std::string_view, 4> kSets = {"tiger", "fox", "elephant", "ucsb"};

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

constexpr std::array kPublished = {
    PublishedRow{"Hopfield", "Ramsauer et al. 2021, table 1", {91.3, 64.05, 94.9, 89.5}},
    PublishedRow{"Path encoding", "Kucukasci and Baydogan 2018", {91.0, 71.2, 94.4, 88.0}},
    PublishedRow{"MInD", "Cheplygina et al. 2016", {85.3, 70.4, 93.6, 83.1}},
    PublishedRow{"MILES", "Chen et al. 2006", {87.2, 73.8, 92.7, 83.3}},
    PublishedRow{
        "Dense Hopfield, re-run", "Hu et al. 2025, nonparametric", {81.3, 56.3, 87.7, 52.4}},
    PublishedRow{"Sparse Hopfield", "Hu et al. 2025, nonparametric", {83.0, 57.3, 89.3, 58.5}},
    PublishedRow{"Sparse Hopfield", "Hu et al. 2023, recalled", {89.2, 61.1, 91.2, 87.7}},
    PublishedRow{"Hopfield, softmax", "Santos et al. 2024, recalled", {87.1, 66.4, 92.6, kNone}},
    PublishedRow{"SparseMAP, k = 3", "Santos et al. 2024, recalled", {86.1, 67.4, 92.1, kNone}},
    PublishedRow{"Attention trained on AUC", "Zhang and Gao", {94.2, 73.8, 93.1, kNone}},
};

std::string file_stem(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  return name.substr(0, name.find('.'));
}

/// Scores of all folds with each fold's own ranks in (0, 1), and their labels.
struct RankedScores {
  std::vector<double> scores;
  std::vector<int> labels;
};

RankedScores rank_scores(const ModelResult& model) {
  RankedScores out;
  for (const RepetitionResult& repetition : model.repetitions) {
    for (const FoldResult& fold : repetition.folds) {
      const auto n = static_cast<double>(fold.scores.size());
      for (std::size_t i = 0; i < fold.scores.size(); ++i) {
        double below = 0;
        for (const double other : fold.scores) {
          below += other < fold.scores[i] ? 1.0 : other == fold.scores[i] ? 0.5 : 0.0;
        }
        out.scores.push_back(below / n);
        out.labels.push_back(fold.labels[i]);
      }
    }
  }
  return out;
}

std::string joined(const std::vector<double>& values) {
  std::string out;
  for (const double value : values) out += (out.empty() ? "" : ", ") + report::general(value);
  return out;
}

std::string joined(const std::vector<std::int64_t>& values) {
  std::string out;
  for (const std::int64_t value : values) out += (out.empty() ? "" : ", ") + std::to_string(value);
  return out.empty() ? "none" : out;
}

/// Networks have settings; stored bags choose theirs from the training bags of each fold.
std::vector<std::pair<std::string, std::string>> settings(const CvResult& result) {
  const ModelOptions& model = result.options.model;
  if (model.pooling == Pooling::kStoredBags) {
    std::vector<std::pair<std::string, std::string>> facts;
    for (const FoldResult& fold : result.model.repetitions.front().folds) {
      facts.emplace_back("Chosen without fold " + std::to_string(fold.fold), fold.chosen);
    }
    for (const auto& version : result.versions) facts.push_back(version);
    return facts;
  }
  const TrainOptions& train = result.options.train;
  std::string code(input_code_name(model.input_code));
  if (model.input_code == InputCode::kThermometer) {
    code += ", " + std::to_string(model.levels) + " levels";
  }
  std::vector<std::pair<std::string, std::string>> facts = {
      {"Input code", code + " (fitted on training bags)"},
      {"Embedding widths", joined(model.embedding)},
      {"Heads, depth of each, state patterns", std::to_string(model.num_heads) + ", " +
                                                   std::to_string(model.head_size) + ", " +
                                                   std::to_string(model.quantity)},
      {"beta", joined(model.beta)},
      {"Hidden units and dropout of the output",
       std::to_string(model.head_hidden) + ", " + report::general(model.head_dropout)},
      {"Learning rate, decay, weight decay", report::general(train.learning_rate) + ", " +
                                                 report::general(train.learning_rate_decay) + ", " +
                                                 report::general(train.weight_decay)},
      {"Bags a step, epochs, patience", std::to_string(train.batch_size) + ", " +
                                            std::to_string(train.epochs) + ", " +
                                            std::to_string(train.patience)},
      {"Bag dropout, members",
       report::general(train.bag_dropout) + ", " + std::to_string(train.members)},
      {"Seed", std::to_string(result.options.seed)}};
  for (const auto& version : result.versions) facts.push_back(version);
  return facts;
}

report::BarPlot fold_plot(const CvResult& result) {
  report::BarPlot plot;
  const std::string figure = main_title(result.scheme.target);
  plot.title = figure + " of each test fold, " + result.model.repetitions.front().name;
  plot.description = plot.title;
  plot.value = {figure, report::Scale::kLinear};
  if (result.scheme.target != Target::kRegression) {
    plot.value.min = 0.0;
    plot.value.max = 1.0;
  }
  report::BarPlot::Bars bars{result.model.title, {}, {}};
  for (const FoldResult& fold : result.model.repetitions.front().folds) {
    plot.categories.push_back("fold " + std::to_string(fold.fold));
    bars.values.push_back(fold.auc);
  }
  plot.series.push_back(std::move(bars));
  return plot;
}

}  // namespace

std::vector<PublishedAuc> published_aucs(const std::string& origin) {
  const auto set = std::find(kSets.begin(), kSets.end(), file_stem(origin));
  std::vector<PublishedAuc> out;
  if (set == kSets.end()) return out;
  const auto column = static_cast<std::size_t>(set - kSets.begin());
  for (const PublishedRow& row : kPublished) {
    if (std::isnan(row.auc[column])) continue;
    out.push_back({std::string(row.method), std::string(row.source), row.auc[column] / 100});
  }
  return out;
}

report::Plot cv_roc_plot(const CvResult& result) {
  std::vector<RankedScores> ranked = {rank_scores(result.model)};
  std::vector<std::string> names = {result.model.title + ", AUC " +
                                    fixed(result.model.auc_mean, 3)};
  for (const ModelResult& baseline : result.baselines) {
    ranked.push_back(rank_scores(baseline));
    names.push_back(baseline.title + ", AUC " + fixed(baseline.auc_mean, 3));
  }
  std::vector<report::RocInput> curves;
  for (std::size_t i = 0; i < ranked.size(); ++i) {
    curves.push_back({names[i], ranked[i].scores, ranked[i].labels});
  }
  return report::roc_plot("ROC over all test folds", curves);
}

report::Table cv_auc_table(const CvResult& result) {
  report::Table table({{"model"},
                       {main_title(result.scheme.target), Align::kRight},
                       {"95 % interval", Align::kRight},
                       {"model minus it", Align::kRight},
                       {"folds won / tied / lost", Align::kRight},
                       {"Wilcoxon p", Align::kRight},
                       {"weights", Align::kRight},
                       {"CPU time", Align::kRight}});
  const auto row = [&](const ModelResult& model, const Comparison* paired) {
    std::vector<std::string> cells = {
        model.title, report::plus_minus(model.auc_mean, model.auc_sd, 3), interval_cell(model)};
    const std::vector<std::string> compared = comparison_cells(paired);
    cells.insert(cells.end(), compared.begin(), compared.end());
    cells.push_back(report::grouped(model.num_parameters));
    cells.push_back(report::seconds(model.seconds));
    table.add_row(std::move(cells), paired == nullptr);
  };
  row(result.model, nullptr);
  for (std::size_t b = 0; b < result.baselines.size(); ++b) {
    row(result.baselines[b], &result.comparisons[b]);
  }
  const std::vector<PublishedAuc> published = published_aucs(result.origin);
  if (!published.empty()) table.add_rule();
  for (const PublishedAuc& entry : published) {
    table.add_row({entry.method + " (" + entry.source + ")", fixed(entry.auc, 3), "",
                   report::signed_fixed(result.model.auc_mean - entry.auc, 3)});
  }
  return table;
}

namespace {

/// Estimate against label of every test bag of the first repetition.
report::Plot estimate_plot(const CvResult& result) {
  report::Plot plot;
  plot.title = "Estimate and label, " + result.model.title;
  plot.x.label = "label";
  plot.y.label = "estimate";
  report::Series points;
  points.name = "test bags of " + result.model.repetitions.front().name;
  points.mark = report::Mark::kPoints;
  for (const FoldResult& fold : result.model.repetitions.front().folds) {
    points.x.insert(points.x.end(), fold.numbers.begin(), fold.numbers.end());
    points.y.insert(points.y.end(), fold.scores.begin(), fold.scores.end());
  }
  const auto [low, high] = std::minmax_element(points.x.begin(), points.x.end());
  report::Series equal{.name = "equal", .x = {*low, *high}, .y = {*low, *high}};
  equal.tone = report::Tone::kMuted;
  plot.series = {std::move(points), std::move(equal)};
  return plot;
}

/// Share that came true against what was said, with the diagonal of honesty.
report::Plot calibration_plot(const CvResult& result, const Calibration& calibration) {
  report::Plot plot;
  plot.title = "Reliability, " + result.model.title;
  plot.square = true;
  plot.x = {"mean probability of the bin", report::Scale::kLinear, 0.0, 1.0};
  plot.y = {"share that came true", report::Scale::kLinear, 0.0, 1.0};
  report::Series points{.name = result.model.title, .x = {}, .y = {}};
  points.mark = report::Mark::kPoints;
  for (const CalibrationBin& bin : calibration.bins) {
    points.x.push_back(bin.mean_probability);
    points.y.push_back(bin.observed);
    plot.series.push_back({.name = plot.series.empty() ? "95 % interval" : "",
                           .x = {bin.mean_probability, bin.mean_probability},
                           .y = {bin.interval.low, bin.interval.high},
                           .tone = report::Tone::kMuted});
  }
  plot.series.push_back(std::move(points));
  // In colour, for the intervals are grey and dashed already.
  plot.series.push_back({.name = "said = came true", .x = {0, 1}, .y = {0, 1}});
  return plot;
}

report::Table calibration_table(const Calibration& calibration) {
  report::Table table({{"probability"},
                       {"bags", Align::kRight},
                       {"mean probability", Align::kRight},
                       {"came true", Align::kRight},
                       {"95 % interval", Align::kRight}});
  for (const CalibrationBin& bin : calibration.bins) {
    table.add_row({fixed(bin.low, 1) + " to " + fixed(bin.high, 1), std::to_string(bin.count),
                   fixed(bin.mean_probability, 3), fixed(bin.observed, 3),
                   fixed(bin.interval.low, 3) + " to " + fixed(bin.interval.high, 3)});
  }
  return table;
}

void add_calibration(report::Page& page, const CvResult& result) {
  const Calibration calibration = cv_calibration(result.model, result.scheme);
  page.plot(
      calibration_plot(result, calibration),
      std::string(result.scheme.target == Target::kBinary ? "Probability of the positive class"
                                                          : "Probability of the predicted class") +
          ", test bags of the first repetition, in bins of a tenth. Brier score " +
          fixed(calibration.brier, 3) + ", expected calibration error " +
          fixed(calibration.ece, 3) + " (" + std::to_string(kCalibrationBins) +
          " bins of equal width).");
  page.table(calibration_table(calibration), "The points of the plot; Wilson intervals.");
}

/// What a page shows first: ROC curves of two classes, estimates of a regression.
void add_target_plot(report::Page& page, const CvResult& result) {
  if (result.scheme.target == Target::kRegression) {
    page.plot(estimate_plot(result), "Each bag is scored by the model of the fold that tests it.");
  } else if (result.scheme.target == Target::kBinary) {
    page.plot(
        cv_roc_plot(result),
        "Test bags of all folds and repetitions. Scores are ranked within their fold first, "
        "since the scores of different folds share no scale; the AUCs named are means of fold "
        "AUCs.");
  }
}

}  // namespace

void add_cv_report(report::Page& page, const CvResult& result, const std::string& command) {
  const std::vector<RepetitionResult>& repetitions = result.model.repetitions;
  const std::string folds = std::to_string(repetitions.front().folds.size());
  page.paragraph(
      "Bags of instances from `" + file_stem(result.origin) + "`: " + bags_text(result) + ", " +
      std::to_string(result.num_instances) + " instances with " +
      std::to_string(result.num_features) +
      " features. Only bags have labels. In turn one fold of bags is tested, the next one "
      "decides when a network's training stops, the others train; stored bags need no such fold "
      "and store it, too. The test fold decides nothing.");
  const std::string figure = main_title(result.scheme.target);
  page.tiles({{fixed(result.model.auc_mean, 3), "mean " + figure + ", " + result.model.title,
               folds + " folds, " + std::to_string(repetitions.size()) +
                   (repetitions.size() == 1 ? " repetition" : " repetitions")},
              {report::seconds(result.seconds), "for everything on this page",
               std::to_string(1 + result.baselines.size()) + " models, each fold"}});
  add_target_plot(page, result);
  page.table(cv_auc_table(result),
             "Same folds, same input code, same training for all measured models. p: two-sided "
             "Wilcoxon test over paired folds, which share training bags; read it as a measure of "
             "consistency." +
                 std::string(published_aucs(result.origin).empty()
                                 ? ""
                                 : " Below the line: printed by others, on folds of their own."));
  if (repetitions.size() > 1) {
    page.table(repetition_table(result), figure + " of each repetition: mean over its folds.");
  }
  page.table(figure_table(result), "Of all test bags of a repetition, mean over the repetitions.");
  if (result.scheme.target != Target::kRegression) {
    page.table(confusion_table(result),
               result.model.title + ": test bags of all repetitions by label and prediction.");
    add_calibration(page, result);
  }
  page.plot(fold_plot(result));
  page.facts(settings(result));
  if (!command.empty()) page.code(command);
}

report::Page cv_page(const CvResult& result, const std::string& command) {
  report::Page page("Bags classified by association", "Cross-validation of " + result.model.title +
                                                          " on " + file_stem(result.origin));
  add_cv_report(page, result, command);
  return page;
}

}  // namespace hopfield::mil
