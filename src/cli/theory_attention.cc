#include <algorithm>
#include <cmath>
#include <memory>

#include "cli/theory_answer.h"
#include "cli/theory_attention_beside.h"
#include "cli/theory_networks.h"
#include "cli/theory_studies.h"
#include "hopfield/base/version.h"
#include "hopfield/report/format.h"
#include "hopfield/report/table.h"
#include "hopfield/store/csv.h"

namespace hopfield::cli {
namespace {

using Arguments = AttentionArguments;

/// One data set: what was compared on which rows.
struct SetResult {
  std::string name, path;
  std::int64_t num_train = 0, num_test = 0, depth = 0, num_classes = 0;
  theory::AttentionComparison comparison;
};

std::string set_path(const Arguments& a, const std::string& name) {
  const std::string file = "uci/" + name;
  return find_data_file(data_folders(a.data), {file + ".csv.gz", file + ".csv"}, "theory attention",
                        "name the folder that holds uci/ with --data (columns: f0, f1, ..., label, "
                        "test0 ... test3; the UCI Machine Learning Repository publishes the data)");
}

/// Rows of a file, cut into those of the test and the others.
struct Rows {
  theory::LabelledPatterns train, test;
};

Rows read_rows(const std::string& path, std::int64_t split) {
  store::CsvReader reader(path);
  std::vector<std::size_t> features;
  while (reader.has_column("f" + std::to_string(features.size()))) {
    features.push_back(reader.column("f" + std::to_string(features.size())));
  }
  if (features.empty()) {
    fail(ErrorCode::kCorruptData, "theory attention",
         "'" + path + "': expected columns f0, f1, ..., got none");
  }
  const std::size_t label = reader.column("label");
  const std::size_t is_test = reader.column("test" + std::to_string(split));
  constexpr std::int64_t kClassesMax = 10'000;
  Rows rows;
  std::int64_t num_classes = 0;
  while (reader.next()) {
    const std::int64_t own = reader.integer(label);
    if (own < 0 || own >= kClassesMax) {
      fail(ErrorCode::kCorruptData, "theory attention",
           reader.where(label) + ": expected a class from 0 to " + std::to_string(kClassesMax - 1) +
               ", got " + std::to_string(own));
    }
    theory::LabelledPatterns& part = reader.integer(is_test) != 0 ? rows.test : rows.train;
    for (const std::size_t column : features) part.values.push_back(reader.number(column));
    part.labels.push_back(own);
    num_classes = std::max(num_classes, own + 1);
  }
  std::vector<bool> seen(static_cast<std::size_t>(num_classes));
  for (const std::int64_t own : rows.train.labels) seen[static_cast<std::size_t>(own)] = true;
  const bool complete = std::all_of(seen.begin(), seen.end(), [](bool is) { return is; });
  if (num_classes < 2 || !complete || rows.test.labels.empty()) {
    fail(ErrorCode::kCorruptData, "theory attention",
         "'" + path + "', split " + std::to_string(split) +
             ": expected test rows, and training rows of each of at least two classes");
  }
  for (theory::LabelledPatterns* part : {&rows.train, &rows.test}) {
    part->depth = static_cast<std::int64_t>(features.size());
    part->num_classes = num_classes;
  }
  return rows;
}

SetResult compare_set(const Arguments& a, const std::string& name, Executor* executor) {
  SetResult result;
  result.name = name;
  result.path = set_path(a, name);
  Rows rows = read_rows(result.path, a.split);
  theory::standardise(rows.train, rows.test);
  result.num_train = rows.train.count();
  result.num_test = rows.test.count();
  result.depth = rows.train.depth;
  result.num_classes = rows.train.num_classes;
  theory::AttentionOptions options = a.options;
  options.k = std::min(options.k, result.num_train);
  options.executor = executor;
  result.comparison = theory::compare_attention(rows.train, rows.test, options);
  return result;
}

Json set_json(const SetResult& set) {
  Json layers = Json::array(), sharpness = Json::array();
  for (const theory::LayerComparison& layer : set.comparison.layers) {
    Json entry = {{"classifier", layer.classifier},       {"num_states", layer.num_states},
                  {"num_undecided", layer.num_undecided}, {"num_differ", layer.num_differ},
                  {"num_correct", layer.num_correct},     {"error_max", layer.error_max},
                  {"error_allowed", layer.error_allowed}, {"equal", layer.holds}};
    if (layer.report.iterations > 0) entry["training"] = report_json(layer.report);
    layers.push_back(entry);
  }
  for (const theory::SharpnessPoint& point : set.comparison.sharpness) {
    sharpness.push_back({{"beta", point.beta},
                         {"num_states", point.num_states},
                         {"num_equal", point.num_equal},
                         {"mass_median", point.mass_median},
                         {"mass_to_bound_max", point.bound_ratio},
                         {"num_violations", point.num_violations}});
  }
  const theory::TrainedPrototypes& lvq = set.comparison.prototypes;
  return {{"set", set.name},
          {"num_train", set.num_train},
          {"num_test", set.num_test},
          {"depth", set.depth},
          {"num_classes", set.num_classes},
          {"layers", layers},
          {"nearest_at_beta", sharpness},
          {"lvq",
           {{"num_prototypes", lvq.prototypes.count()},
            {"log_likelihood_start", lvq.start_log_likelihood},
            {"log_likelihood", lvq.log_likelihood},
            {"gradient_error", lvq.gradient_error}}},
          {"equal", set.comparison.holds}};
}

report::Plot agreement_plot(const std::vector<SetResult>& sets) {
  report::Plot plot;
  plot.title = "A layer becomes the nearest neighbour as beta grows";
  plot.x = {"beta", report::Scale::kLog10, {}, {}};
  plot.y.label = "share that agrees";
  for (const SetResult& set : sets) {
    report::Series series{set.name, {}, {}, {}, report::Mark::kLineAndPoints};
    for (const theory::SharpnessPoint& point : set.comparison.sharpness) {
      series.x.push_back(point.beta);
      series.y.push_back(static_cast<double>(point.num_equal) /
                         static_cast<double>(point.num_states));
    }
    plot.series.push_back(std::move(series));
  }
  return plot;
}

report::Table table_of(const std::vector<SetResult>& sets) {
  using report::Align;
  report::Table table({{"set"},
                       {"layer set to be"},
                       {"test accuracy", Align::kRight},
                       {"decided otherwise", Align::kRight},
                       {"ties", Align::kRight},
                       {"largest error", Align::kRight},
                       {"by rounding", Align::kRight},
                       {"equal", Align::kRight}});
  for (const SetResult& set : sets) {
    if (&set != &sets.front()) table.add_rule();
    for (const theory::LayerComparison& layer : set.comparison.layers) {
      const double share =
          static_cast<double>(layer.num_correct) / static_cast<double>(layer.num_states);
      table.add_row({set.name, layer.classifier, report::general(share, 4),
                     std::to_string(layer.num_differ), std::to_string(layer.num_undecided),
                     report::general(layer.error_max, 2), report::general(layer.error_allowed, 2),
                     layer.holds ? "yes" : "NO"});
    }
  }
  return table;
}

CsvTable csv_of(const std::vector<SetResult>& sets) {
  CsvTable csv{{"set", "beta", "states", "equal", "mass_median", "mass_to_bound_max"}, {}};
  for (const SetResult& set : sets) {
    for (const theory::SharpnessPoint& point : set.comparison.sharpness) {
      csv.rows.push_back({set.name, csv_number(point.beta), csv_number(point.num_states),
                          csv_number(point.num_equal), csv_number(point.mass_median),
                          csv_number(point.bound_ratio)});
    }
  }
  return csv;
}

/// Layers beside the values of another program; adds a table, JSON and checks.
void add_beside(const AttentionArguments& a, const std::vector<SetResult>& sets, Findings& found) {
  // The usual trainer of support vector machines (libsvm) keeps its kernel in single precision.
  constexpr double kDifference = 1e-6;
  using report::Align;
  report::Table table({{"set"},
                       {"layer set to be"},
                       {"test rows", Align::kRight},
                       {"decided otherwise", Align::kRight},
                       {"ties", Align::kRight},
                       {"largest difference", Align::kRight}});
  const OtherValues others = read_other_values(a.beside, a.split);
  double num_compared = 0, num_differ = 0, difference = 0;
  Json list = Json::array();
  for (const SetResult& set : sets) {
    for (const theory::LayerComparison& layer : set.comparison.layers) {
      const auto other = others.find({set.name, layer.classifier});
      if (other == others.end()) continue;
      const BesideOther beside = compare_beside(
          layer, other->second, "'" + a.beside + "', " + set.name + ", " + layer.classifier);
      ++num_compared;
      num_differ += static_cast<double>(beside.num_differ);
      difference = std::max(difference, beside.difference_max);
      table.add_row({set.name, layer.classifier, std::to_string(beside.num_states),
                     std::to_string(beside.num_differ), std::to_string(beside.num_ties),
                     report::general(beside.difference_max, 2)});
      list.push_back({{"set", set.name},
                      {"classifier", layer.classifier},
                      {"num_states", beside.num_states},
                      {"num_differ", beside.num_differ},
                      {"num_ties", beside.num_ties},
                      {"difference_max", beside.difference_max}});
    }
  }
  found.text += "\nbeside " + a.beside + "\n" + table.text();
  found.exhibits.push_back({"beside", std::move(table),
                            "The layers beside the values in `" + a.beside +
                                "`. Ties: two classes lead alike; not compared."});
  found.json["beside"] = list;
  found.checks.push_back(
      check_at_least("layers that '" + a.beside + "' has values for", num_compared, 1));
  found.checks.push_back(
      check_at_most("test rows that '" + a.beside + "' decides otherwise", num_differ, 0));
  found.checks.push_back(check_at_most("largest difference of a value from '" + a.beside + "'",
                                       difference, kDifference));
}

}  // namespace

Findings study_attention(const AttentionArguments& a, const Context& context) {
  std::vector<SetResult> sets;
  for (const std::string& name : a.sets) {
    stop_if_cancelled(context);
    sets.push_back(compare_set(a, name, context.stoppable_executor.get()));
  }
  Json list = Json::array();
  double num_different = 0, num_untrained = 0;
  for (const SetResult& set : sets) {
    list.push_back(set_json(set));
    num_different += !set.comparison.holds;
    for (const theory::LayerComparison& layer : set.comparison.layers) {
      num_untrained += layer.report.iterations > 0 && !layer.report.converged;
    }
  }
  Findings found;
  found.title = "One layer, four classifiers";
  found.subtitle = "softmax(beta Q K^T) V with fixed K and V, beside the plain form of each";
  found.exhibits = {
      {"layers", table_of(sets),
       "Same test rows, layer against plain form. Ties: decided by a gap within rounding."},
      {"agreement", agreement_plot(sets),
       "Share of states that a layer of finite beta gives the class of their nearest pattern; with "
       "all "
       "weight on the largest score it is the nearest neighbour."}};
  found.facts = {{"split", std::to_string(a.split)},
                 {"k", std::to_string(a.options.k)},
                 {"beta of weighted votes", report::general(a.options.vote_beta)},
                 {"C", report::general(a.options.cost)},
                 {"gamma", a.options.gamma > 0 ? report::general(a.options.gamma) : "1/depth"},
                 {"prototypes a class", std::to_string(a.options.prototypes.per_class)}};
  found.notes = {"Constructions and proofs: docs/math/attention.md."};
  found.csv = csv_of(sets);
  found.json = {{"split", a.split},
                {"sets", list},
                {"equal", num_different == 0},
                {"converged", num_untrained == 0},
                {"hopfield", version()}};
  found.checks = {
      check_at_most("data sets where a layer differs from the plain form of its classifier",
                    num_different, 0),
      check_at_most("kernel machines not trained to their tolerance", num_untrained, 0)};
  found.text = table_of(sets).text();
  if (!a.beside.empty()) add_beside(a, sets, found);
  return found;
}

void add_theory_attention(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<Arguments>();
  CLI::App& command = add_command(
      noun, context, "attention",
      "One layer set to be 1-NN, k-NN, RBF-SVM and LVQ, equal to each on real data (exit 4 if not)",
      {"hopfield theory attention", "hopfield theory attention --set iris --json",
       "hopfield theory attention --set iris,wine --k 3 --cost 10 --csv beta.csv --report "
       "attention.html"},
      [a, &context] {
        check_results(a->paths, {a->beside});
        return give_findings(a->paths, study_attention(*a, context));
      });
  command
      .add_option("--data", a->data,
                  "Folder that holds uci/; may be given again. Then $HOPFIELD_DATA and "
                  "../shared/data")
      ->type_name("DIR");
  command.add_option("--set", a->sets, "Data sets: uci/NAME.csv.gz or uci/NAME.csv")
      ->delimiter(',')
      ->type_name("NAME,...")
      ->capture_default_str();
  command
      .add_option("--beside", a->beside,
                  "CSV with another program's values: set, split, row, classifier, v0, v1, ...")
      ->type_name("FILE");
  add_whole_number(command, "--split", a->split, "Which column testN marks the test rows", 0, 3);
  add_positive_list(command, "--beta", a->options.betas, "Of the layer's nearest neighbour");
  add_whole_number(command, "--k", a->options.k, "Neighbours that vote", 1, 1'000'000);
  add_number(command, "--vote-beta", a->options.vote_beta, "Of the weighted votes", 1e-9, 1e9);
  add_number(command, "--gamma", a->options.gamma, "Of the kernel exp(-gamma |q-z|^2); 0: 1/depth",
             0, 1e9);
  add_number(command, "--cost", a->options.cost, "C of the kernel machine", 1e-9, 1e9);
  add_whole_number(command, "--prototypes", a->options.prototypes.per_class,
                   "LVQ: prototypes of a class", 1, 1'000'000);
  add_whole_number(command, "--steps", a->options.prototypes.steps, "LVQ: steps of training", 0,
                   1'000'000);
  add_results(command, a->paths, "what a finite beta does, a row a set and beta",
              "agreement with the nearest neighbour against beta");
  add_threads(command, context);
}

}  // namespace hopfield::cli
