#include "cli/demo_page.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>

#include "hopfield/base/error.h"
#include "hopfield/base/version.h"
#include "hopfield/report/format.h"

namespace hopfield::cli {
namespace {

using report::Align;
using report::fixed;
using report::grouped;
using report::Scale;

/// A number that others published or that was measured before, never by this run.
struct Quoted {
  const char* method;
  double auc_mean;
  const char* source;
  bool same_folds;
};
// The last two were measured by this project with scikit-learn 1.9.1, defaults but for what is
// said, on [mean, max] of the instances of each bag and repetition skl0.
constexpr Quoted kQuoted[] = {
    {"Hopfield, as published", 0.949,
     "Ramsauer et al., arXiv:2008.02217, table 1 (five other 10-fold repetitions)", false},
    {"dense Hopfield, repeated by others", 0.877,
     "Hu et al., Nonparametric Modern Hopfield Models, 2025 (5 folds)", false},
    {"random forest, 300 trees, mean + max", 0.954,
     "measured earlier with scikit-learn 1.9.1, skl0", true},
    {"gradient boosting, mean + max", 0.939, "measured earlier with scikit-learn 1.9.1, skl0",
     true},
};

double pooled_auc(const mil::ModelResult& model) {
  return model.repetitions.front().auc_pooled;
}

std::string joined_scale(const std::vector<mil::RepetitionResult>& repetitions) {
  std::string names;
  for (const mil::RepetitionResult& repetition : repetitions) {
    names += (names.empty() ? "" : ", ") + repetition.name;
  }
  return names;
}

std::vector<const mil::ModelResult*> all_models(const mil::CvResult& cv) {
  std::vector<const mil::ModelResult*> models = {&cv.model};
  for (const mil::ModelResult& baseline : cv.baselines) models.push_back(&baseline);
  return models;
}

/// Standard deviation of the fold AUCs of all repetitions.
double fold_sd(const mil::ModelResult& model) {
  double sum = 0, squares = 0, n = 0;
  for (const mil::RepetitionResult& repetition : model.repetitions) {
    for (const mil::FoldResult& fold : repetition.folds) {
      sum += fold.auc;
      n += 1;
    }
  }
  for (const mil::RepetitionResult& repetition : model.repetitions) {
    for (const mil::FoldResult& fold : repetition.folds) {
      squares += (fold.auc - sum / n) * (fold.auc - sum / n);
    }
  }
  return n > 1 ? std::sqrt(squares / (n - 1)) : std::numeric_limits<double>::quiet_NaN();
}

report::Plot roc(const mil::CvResult& cv) {
  struct Pooled {
    std::string name;
    std::vector<double> scores;
    std::vector<int> labels;
  };
  std::vector<Pooled> pooled;
  for (const mil::ModelResult* model : all_models(cv)) {
    Pooled& p = pooled.emplace_back();
    p.name = model->title + " " + fixed(pooled_auc(*model), 3);
    for (const mil::FoldResult& fold : model->repetitions.front().folds) {
      p.scores.insert(p.scores.end(), fold.scores.begin(), fold.scores.end());
      p.labels.insert(p.labels.end(), fold.labels.begin(), fold.labels.end());
    }
  }
  std::vector<report::RocInput> curves;
  for (const Pooled& p : pooled) curves.push_back({p.name, p.scores, p.labels});
  return report::roc_plot("ROC, all test bags pooled", curves);
}

report::BarPlot auc_bars(const BagsResult& bags) {
  report::BarPlot plot;
  plot.title = "AUC, mean of the test folds";
  plot.value = {"AUC (axis begins at 0.5, chance)", Scale::kLinear, 0.5, 1.0};
  plot.origin = 0.5;
  report::BarPlot::Bars bars;
  for (const mil::ModelResult* model : all_models(bags.cv)) {
    plot.categories.push_back(model->title);
    bars.values.push_back(model->auc_mean);
  }
  plot.series.push_back(std::move(bars));
  plot.description = "Bars: AUC of each model on the same folds";
  return plot;
}

std::size_t smallest_fold(const mil::CvResult& cv) {
  std::size_t smallest = std::numeric_limits<std::size_t>::max();
  for (const mil::FoldResult& fold : cv.model.repetitions.front().folds) {
    smallest = std::min(smallest, fold.test_bags.size());
  }
  return smallest;
}

/// AUC of each test fold: how much luck there is in one.
report::Plot fold_plot(const mil::CvResult& cv) {
  report::Plot plot;
  plot.title = "AUC of each test fold";
  plot.description = "Points: AUC of each model on each test fold";
  plot.x = {"test fold"};
  plot.y = {"AUC"};
  for (const mil::ModelResult* model : all_models(cv)) {
    report::Series& series = plot.series.emplace_back();
    series.name = model->title;
    series.mark = report::Mark::kPoints;
    for (const mil::FoldResult& fold : model->repetitions.front().folds) {
      series.x.push_back(fold.fold);
      series.y.push_back(fold.auc);
    }
  }
  return plot;
}

report::Table auc_table(const BagsResult& bags) {
  report::Table table(
      {{"model"}, {"AUC", Align::kRight}, {"sd", Align::kRight}, {"pooled AUC", Align::kRight}});
  bool first = true;
  for (const mil::ModelResult* model : all_models(bags.cv)) {
    table.add_row({model->title, fixed(model->auc_mean, 3), fixed(fold_sd(*model), 3),
                   fixed(pooled_auc(*model), 3)},
                  first);
    first = false;
  }
  return table;
}

report::Table quoted_table(const BagsResult& bags) {
  report::Table table({{"model"}, {"AUC", Align::kRight}, {"source"}});
  for (const Quoted& quoted : kQuoted) {
    table.add_row(
        {quoted.method, fixed(quoted.auc_mean, 3),
         std::string(quoted.source) +
             (quoted.same_folds && !bags.published_folds ? ", not the folds of this run" : "")});
  }
  return table;
}

std::vector<std::string> differences(const mil::CvResult& cv) {
  std::vector<std::string> lines;
  for (const mil::Comparison& comparison : cv.comparisons) {
    const auto baseline =
        std::find_if(cv.baselines.begin(), cv.baselines.end(),
                     [&](const auto& b) { return b.name == comparison.baseline; });
    lines.push_back(
        cv.model.title + " minus " +
        (baseline == cv.baselines.end() ? comparison.baseline : baseline->title) + ": " +
        (comparison.mean_difference >= 0 ? "+" : "") + fixed(comparison.mean_difference, 3) +
        "; better in " + std::to_string(comparison.wins) + ", equal in " +
        std::to_string(comparison.ties) + ", worse in " + std::to_string(comparison.losses) +
        " folds, signed-rank p " + fixed(comparison.wilcoxon_p, 2));
  }
  return lines;
}

const mil::ModelResult* best_other(const mil::CvResult& cv) {
  const mil::ModelResult* best = nullptr;
  for (const mil::ModelResult& baseline : cv.baselines) {
    if (best == nullptr || baseline.auc_mean > best->auc_mean) best = &baseline;
  }
  return best;
}

report::Picture picture(const Digits& digits, std::span<const float> ink) {
  return {digits.side, digits.side, {ink.begin(), ink.end()}};
}

std::span<const float> pixels_of(const std::vector<float>& all, const Digits& digits,
                                 std::size_t i) {
  return std::span(all).subspan(i * digits.pixels(), digits.pixels());
}

report::Picture cue_picture(const DigitsResult& result, std::size_t i) {
  report::Picture cue = picture(result.digits, pixels_of(result.digits.ink, result.digits, i));
  const std::size_t hidden = static_cast<std::size_t>(result.hidden_rows * result.digits.side);
  std::fill(cue.pixels.end() - static_cast<std::ptrdiff_t>(hidden), cue.pixels.end(),
            std::numeric_limits<float>::quiet_NaN());
  return cue;
}

std::string example_title(const DigitsResult& result, std::size_t i) {
  return "a " + std::to_string(result.digits.label[i]) + ", picture " + std::to_string(i + 1);
}

/// "exact", or how many pixels differ.
std::string verdict_text(const DigitsResult& result, const Restoration& restoration,
                         std::size_t i) {
  if (restoration.exact[i]) return "exact";
  const Digits& digits = result.digits;
  int wrong = 0;
  for (std::size_t k = 0; k < digits.pixels(); ++k) {
    const float ink = restoration.restored[i * digits.pixels() + k];
    wrong += std::lround(ink * static_cast<float>(digits.num_greys - 1)) !=
             digits.grey[i * digits.pixels() + k];
  }
  return std::to_string(wrong) + (wrong == 1 ? " pixel off" : " pixels off");
}

report::PictureCell restored_cell(const DigitsResult& result, const Restoration& restoration,
                                  std::size_t i) {
  return {picture(result.digits, pixels_of(restoration.restored, result.digits, i)),
          verdict_text(result, restoration, i),
          restoration.exact[i] ? report::Verdict::kGood : report::Verdict::kBad};
}

report::PictureGrid example_grid(const DigitsResult& result) {
  report::PictureGrid grid;
  grid.picture_width = 56;
  grid.column_titles = {"cue", "1 update", "settled", "stored"};
  for (const std::size_t i : result.examples) {
    grid.rows.push_back(
        {example_title(result, i),
         {{cue_picture(result, i)},
          restored_cell(result, result.runs[1].result, i),
          restored_cell(result, result.runs[0].result, i),
          {picture(result.digits, pixels_of(result.digits.ink, result.digits, i))}}});
  }
  return grid;
}

/// Up to six pictures that a method did not restore, spread over the set.
report::PictureGrid failure_grid(const DigitsResult& result, const RestorationRun& run) {
  report::PictureGrid grid;
  grid.column_titles = {"cue", "settled", "stored"};
  std::vector<std::size_t> failed;
  for (std::size_t i = 0; i < result.digits.count(); ++i) {
    if (!run.result.exact[i]) failed.push_back(i);
  }
  const std::size_t shown = std::min<std::size_t>(6, failed.size());
  for (std::size_t k = 0; k < shown; ++k) {
    const std::size_t i = failed[k * failed.size() / shown];
    grid.rows.push_back(
        {example_title(result, i),
         {{cue_picture(result, i)},
          restored_cell(result, run.result, i),
          {picture(result.digits, pixels_of(result.digits.ink, result.digits, i))}}});
  }
  return grid;
}

report::Table restoration_table(const DigitsResult& result) {
  report::Table table({{"method"},
                       {"beta", Align::kRight},
                       {"exact recalls", Align::kRight},
                       {"of all", Align::kRight},
                       {"largest pixel error", Align::kRight},
                       {"updates: median, most", Align::kRight}});
  for (const RestorationRun& run : result.runs) {
    const Restoration& r = run.result;
    const bool memory = run.method != RestoreMethod::kNearest;
    std::vector<std::int64_t> updates = r.updates;
    std::sort(updates.begin(), updates.end());
    const double error = *std::max_element(r.largest_error.begin(), r.largest_error.end());
    table.add_row({run.title, memory ? report::general(run.beta, 4) : "", grouped(r.num_exact),
                   fixed(100.0 * static_cast<double>(r.num_exact) /
                             static_cast<double>(result.digits.count()),
                         1) +
                       " %",
                   report::general(error, 2),
                   memory ? std::to_string(updates[updates.size() / 2]) + ", " +
                                std::to_string(updates.back())
                          : ""},
                  &run == &result.runs.front());
  }
  return table;
}

report::Plot curve_plot(const std::string& title, const report::Axis& x,
                        const std::vector<RecallCurve>& curves) {
  report::Plot plot;
  plot.title = title;
  plot.description = title;
  plot.x = x;
  plot.y = {"pictures restored exactly, %", Scale::kLinear, -2.0, 102.0};
  for (const RecallCurve& curve : curves) {
    report::Series& series = plot.series.emplace_back();
    series.name = curve.title;
    series.x = curve.x;
    for (const double fraction : curve.fraction) series.y.push_back(100 * fraction);
    series.mark = report::Mark::kLineAndPoints;
  }
  return plot;
}

report::Plot beta_plot(const DigitsResult& result) {
  report::Plot plot =
      curve_plot("Exact recalls over beta", {"beta (log scale)", Scale::kLog10}, result.over_beta);
  const double beta = result.runs.front().beta;
  plot.series.push_back(
      {.name = "chosen", .x = {beta, beta}, .y = {0, 100}, .tone = report::Tone::kMuted});
  return plot;
}

report::Plot energy_plot(const DigitsResult& result, const EnergyTrace& trace) {
  report::Plot plot;
  plot.title = "Energy per update, beta " + report::general(trace.beta, 4);
  plot.description =
      "Energy of the states of some examples after each update: it falls and then stays";
  plot.x = {"updates made"};
  plot.y = {"energy"};
  // The hardest examples come last.
  const std::size_t num_shown = std::min<std::size_t>(6, result.examples.size());
  for (std::size_t e = result.examples.size() - num_shown; e < result.examples.size(); ++e) {
    report::Series& series = plot.series.emplace_back();
    series.name = example_title(result, result.examples[e]);
    series.mark = report::Mark::kLineAndPoints;
    for (std::size_t t = 0; t < trace.num_energies; ++t) {
      series.x.push_back(static_cast<double>(t));
      series.y.push_back(trace.energies[e * trace.num_energies + t]);
    }
  }
  return plot;
}

void bags_section(report::Page& page, const DemoResult& result) {
  const BagsResult& bags = result.bags;
  const mil::CvResult& cv = bags.cv;
  page.section("Bags classified");
  page.paragraph(
      "Elephant (Andrews, Tsochantaridis, Hofmann 2002): every bag is a photograph, its instances "
      "are " +
      std::to_string(cv.num_features) +
      " numbers for each image segment. The label says whether an elephant is somewhere in the "
      "picture, never in which segment. A learned state pattern associates with the segments of a "
      "bag; "
      "what it retrieves is classified. With stored bags the training bags are the stored "
      "patterns, "
      "and a bag recalls its class from those it resembles. " +
      std::to_string(cv.num_bags) + " bags (" + std::to_string(cv.num_positive) + " positive), " +
      grouped(cv.num_instances) + " instances.");
  page.begin_row()
      .plot(roc(cv),
            "ROC curves over the scores of all test folds together, with the area below each. "
            "Models of "
            "different folds need not share a scale, so the mean of the fold AUCs is the fairer "
            "number.")
      .begin_stack()
      .plot(auc_bars(bags),
            "Measured in this run on the same folds; the networks with the same input code and "
            "training options. Stored bags need no training.")
      .plot(fold_plot(cv), "A fold has " + std::to_string(smallest_fold(cv)) +
                               " bags or little more: one bag ranked differently moves its AUC "
                               "by hundredths.")
      .end_row();
  page.begin_row()
      .table(auc_table(bags),
             "Measured by this run. AUC: mean of the test folds; sd: standard deviation over them.")
      .table(quoted_table(bags), "For orientation, quoted and not computed here.")
      .end_row();
  page.paragraph("Fold by fold:").list(differences(cv));
  page.paragraph(
      "Folds share training bags, so these p values are smaller than a test on new data would "
      "give.");
}

const RestorationRun& run_of(const DigitsResult& d, RestoreMethod method) {
  const auto run = std::find_if(d.runs.begin(), d.runs.end(),
                                [&](const RestorationRun& r) { return r.method == method; });
  HOPFIELD_CHECK(run != d.runs.end());
  return *run;
}

/// What the nearest neighbour says about the task.
std::string rival_text(const DigitsResult& d) {
  const auto count = static_cast<std::int64_t>(d.digits.count());
  const std::int64_t nearest = run_of(d, RestoreMethod::kNearest).result.num_exact;
  const std::int64_t memory = d.runs.front().result.num_exact;
  // Comparing known parts exactly fails only where an earlier picture has the very same known part.
  std::string text = "The nearest neighbour on the known part is the honest rival. It restores " +
                     grouped(nearest) + " of " + grouped(count) + " exactly: ";
  text += nearest == count ? "no two pictures of the set share their upper half, so comparing "
                             "halves must find the right one. "
                           : "the others share their upper half with an earlier picture, and "
                             "nobody could tell them apart. ";
  text +=
      "The memory restores " + grouped(memory) +
      " by its own dynamics, from one operation that also yields energy, probability and a "
      "gradient. What is "
      "lost when unknown pixels are passed off as known ones shows in the other rows of the table.";
  return text;
}

void digits_section(report::Page& page, const DemoResult& result) {
  const DigitsResult& d = result.digits;
  const std::string count = grouped(static_cast<long long>(d.digits.count()));
  const std::string side = std::to_string(d.digits.side);
  page.section("Pictures restored");
  page.paragraph(
      "All " + count + " handwritten digits of the set (" + side + " x " + side + " pixels, " +
      std::to_string(d.digits.num_greys) +
      " greys) are stored as patterns. Then each is shown again with its lower half (" +
      std::to_string(d.hidden_rows) + " of " + side +
      " rows) unknown, and the memory completes it. The first update compares the cue with the "
      "patterns "
      "only where it is known; the later ones compare whole pictures, until the picture moves by "
      "less "
      "than 0.00001. A recall is exact if all pixels, rounded to the set's greys, equal the stored "
      "picture's.");
  page.pictures(
      example_grid(d),
      std::string(
          "The first picture of each digit, then the two that the first update restored worst") +
          (d.runs[0].result.num_exact < static_cast<std::int64_t>(d.digits.count())
               ? " and up to four that were not restored. "
               : ". ") +
          "Hatched: unknown." +
          (d.runs[0].result.num_exact > d.runs[1].result.num_exact
               ? " Later updates repair what the first one blended."
               : ""));
  page.table(restoration_table(d),
             "Every stored picture as a cue, lower half unknown. Errors in units of full ink. Beta "
             "is chosen from the "
             "stored patterns alone, the same for all cues.");
  page.note(rival_text(d));
  page.begin_row()
      .plot(beta_plot(d),
            "Small beta averages many pictures, large beta retrieves one. More updates reach exact "
            "recall at a smaller beta. At most 50 updates.")
      .plot(
          curve_plot("Exact recalls over what is hidden", {"hidden rows of 8"}, d.over_hidden_rows),
          "Beta as in the table, the same for every number of hidden rows.")
      .end_row();
  page.begin_row();
  for (const EnergyTrace& trace : d.traces) {
    page.plot(
        energy_plot(d, trace),
        &trace == &d.traces.front()
            ? "Energy over whole pictures at the beta chosen. 0: the cue, its unknown half filled "
              "with the mean "
              "picture; then the state after each update. An update over whole pictures never "
              "raises it."
            : "The same at a smaller beta: patterns blend, and the way down takes more updates.");
  }
  page.end_row();
  const RestorationRun& unit = run_of(d, RestoreMethod::kUnit);
  if (unit.result.num_exact < static_cast<std::int64_t>(d.digits.count())) {
    page.pictures(failure_grid(d, unit),
                  "Failures of the simpler way, in which unknown pixels count as mean pixels (" +
                      unit.title + "): the state settles elsewhere.");
  }
}

void protocol_section(report::Page& page, const DemoResult& result) {
  const mil::CvResult& cv = result.bags.cv;
  const mil::TrainOptions& train = cv.options.train;
  page.section("How it was measured");
  std::vector<std::pair<std::string, std::string>> facts = {
      {"Command", "`" + result.command + "`"},
      {"Seed", std::to_string(result.seed) + " (initial weights, order of bags; beta advice)"},
      {"Bags", "`" + cv.origin + "`"},
      {"Folds", result.bags.folds_origin + "; repetitions: " + joined_scale(cv.model.repetitions) +
                    (result.bags.published_folds
                         ? ". These are the test folds of scikit-learn's StratifiedKFold(10, "
                           "shuffle, random_state 0), "
                           "which earlier publications used, too."
                         : ". These are NOT the folds that the quoted numbers were measured on.")},
      {"Protocol",
       "fold k tests, fold k + 1 validates (early stopping), the other folds train; stored bags "
       "store all folds but k. Input codes are fitted on training bags. Nothing was chosen on a "
       "test fold of this run; default settings "
       "of "
       "`hopfield mil cv`."},
      {"Training", std::to_string(train.epochs) + " epochs at most, AdamW, learning rate " +
                       report::general(train.learning_rate) + ", batches of " +
                       std::to_string(train.batch_size) + " bags; " +
                       std::to_string(cv.model.num_parameters) + " parameters"},
      {"Pictures", "`" + result.digits.digits.origin + "`; " +
                       std::to_string(result.digits.digits.num_repeated) +
                       " repeated pictures left out"},
      {"Data from",
       "Elephant: package mil 1.0.5 of the Python registry; digits: package scikit-learn 1.9.1 "
       "(the test "
       "part of the UCI set Optical Recognition of Handwritten Digits, Alpaydin and Kaynak 1998); "
       "both fetched by `tools/fetch-demo-data`, unless your own folder has them"},
  };
  for (const auto& [name, version] : cv.versions) facts.push_back({"Version of " + name, version});
  page.facts(facts);
  page.paragraph(
      "Two runs of this command on the same machine give this page bit for bit, but for the "
      "section below.");
  page.section("Times");
  std::vector<std::pair<std::string, std::string>> times;
  for (const auto& [name, value] : result.times) times.push_back({name, report::seconds(value)});
  page.facts(times);
}

}  // namespace

std::string demo_text(const DemoResult& result) {
  const mil::CvResult& cv = result.bags.cv;
  std::string text = "Elephant, " + std::to_string(cv.num_bags) + " bags: AUC " +
                     fixed(cv.model.auc_mean, 3) + " (" + cv.model.title +
                     "; mean of the test folds of " + joined_scale(cv.model.repetitions) +
                     ", seed " + std::to_string(result.seed) + ")\n";
  for (const mil::ModelResult& baseline : cv.baselines) {
    text += "  " + baseline.title + " " + fixed(baseline.auc_mean, 3) + "\n";
  }
  text += "  quoted: " + std::string(kQuoted[0].method) + " " + fixed(kQuoted[0].auc_mean, 3) +
          "; " + kQuoted[2].method + " " + fixed(kQuoted[2].auc_mean, 3) + "\n";
  const DigitsResult& d = result.digits;
  text += "Digits, lower half hidden: " + std::to_string(d.runs[0].result.num_exact) + " of " +
          std::to_string(d.digits.count()) + " restored exactly (beta " +
          report::general(d.runs[0].beta, 4) + ", chosen from the patterns)\n";
  for (std::size_t i = 1; i < d.runs.size(); ++i) {
    text += "  " + d.runs[i].title + " " + std::to_string(d.runs[i].result.num_exact) + "\n";
  }
  return text;
}

report::Page demo_page(const DemoResult& result) {
  const mil::CvResult& cv = result.bags.cv;
  const DigitsResult& d = result.digits;
  report::Page page(
      "hopfield: a memory at work",
      "Photographs classified as bags of segments, and half-hidden digits restored, by one "
      "operation: states associate with stored patterns.");
  const mil::ModelResult* best = best_other(cv);
  page.tiles({{fixed(cv.model.auc_mean, 3), "AUC on Elephant",
               cv.model.title + ", mean of " +
                   std::to_string(cv.model.repetitions.front().folds.size()) + " test folds"},
              {best == nullptr ? "n/a" : fixed(best->auc_mean, 3), "best other model of this run",
               (best == nullptr ? "" : best->title) + "; published Hopfield " +
                   fixed(kQuoted[0].auc_mean, 3)},
              {grouped(d.runs[0].result.num_exact) + " of " +
                   grouped(static_cast<long long>(d.digits.count())),
               "digits restored exactly", "from their upper halves"},
              {report::general(d.runs[0].beta, 4), "beta of the digits",
               "chosen from the stored pictures"}});
  bags_section(page, result);
  digits_section(page, result);
  protocol_section(page, result);
  page.footer(std::string("Made by hopfield ") + version() +
              ". Nothing on this page is loaded from elsewhere.");
  return page;
}

nlohmann::ordered_json demo_json(const DemoResult& result) {
  using Json = nlohmann::ordered_json;
  const DigitsResult& d = result.digits;
  Json json;
  json["auc_mean"] = result.bags.cv.model.auc_mean;
  json["exact_recalls"] = d.runs[0].result.num_exact;
  json["pictures"] = d.digits.count();
  json["beta"] = d.runs[0].beta;
  json["seed"] = result.seed;
  json["command"] = result.command;
  json["bags"] = Json::parse(mil::cv_json(result.bags.cv, "", /*times=*/false));
  json["bags"]["folds_origin"] = result.bags.folds_origin;
  Json& digits = json["digits"];
  digits["origin"] = d.digits.origin;
  digits["repeated_left_out"] = d.digits.num_repeated;
  digits["hidden_rows"] = d.hidden_rows;
  digits["runs"] = Json::array();
  for (const RestorationRun& run : d.runs) {
    Json entry;
    entry["method"] = run.title;
    entry["beta"] = run.method == RestoreMethod::kNearest ? Json() : Json(run.beta);
    entry["exact_recalls"] = run.result.num_exact;
    entry["largest_pixel_error"] =
        *std::max_element(run.result.largest_error.begin(), run.result.largest_error.end());
    entry["updates_most"] = *std::max_element(run.result.updates.begin(), run.result.updates.end());
    entry["still_moving"] = run.result.num_moving;
    digits["runs"].push_back(std::move(entry));
  }
  const auto curves = [](const std::vector<RecallCurve>& list) {
    Json array = Json::array();
    for (const RecallCurve& curve : list) {
      array.push_back(
          {{"method", curve.title}, {"x", curve.x}, {"exact_fraction", curve.fraction}});
    }
    return array;
  };
  digits["over_beta"] = curves(d.over_beta);
  digits["over_hidden_rows"] = curves(d.over_hidden_rows);
  digits["examples"] = d.examples;
  digits["energies"] = Json::array();
  for (const EnergyTrace& trace : d.traces) {
    digits["energies"].push_back(
        {{"beta", trace.beta}, {"a_cue", trace.num_energies}, {"energy", trace.energies}});
  }
  Json& times = json["times"];
  for (const auto& [name, value] : result.times) times[name] = value;
  return json;
}

}  // namespace hopfield::cli
