// What `hopfield reproduce mil` shows: tables, page, JSON.
#include "cli/reproduce_mil.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "hopfield/apps/mil/report.h"
#include "hopfield/base/version.h"
#include "hopfield/report/format.h"

namespace hopfield::cli {
namespace {

using Json = nlohmann::ordered_json;
using report::Align;
using report::fixed;

constexpr const char* kProtocol =
    "Folds are skl0 to skl4: five repetitions of stratified ten-fold cross-validation. AUC: mean "
    "over the ten folds, then mean ± sd over the repetitions, in per cent. Nothing is fitted or "
    "chosen on a test fold. Networks train on eight folds, the ninth picks the epoch (and the "
    "setting, where there is a grid); stored bags, forest, boosting and set kernel fit on nine.";

/// AUC in per cent, as printed by others; empty: not reported.
std::string published_cell(const std::string& set, const std::string& method,
                           const std::string& source) {
  for (const mil::PublishedAuc& entry : mil::published_aucs(set)) {
    if (entry.method == method && entry.source == source)
      return report::general(100 * entry.auc, 4);
  }
  return "";
}

std::string repetitions_text(const MilReproduction& run) {
  std::string out;
  for (const std::string& name : run.repetitions) out += (out.empty() ? "" : ", ") + name;
  return out;
}

/// Of all sets that are shown, each once.
std::vector<std::pair<std::string, std::string>> published_rows(const MilReproduction& run) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const MilSet& set : run.sets) {
    for (const mil::PublishedAuc& entry : mil::published_aucs(set.name)) {
      const std::pair row(entry.method, entry.source);
      if (std::find(rows.begin(), rows.end(), row) == rows.end()) rows.push_back(row);
    }
  }
  return rows;
}

Json model_json(const mil::ModelResult& model) {
  Json repetitions = Json::array();
  for (const mil::RepetitionResult& repetition : model.repetitions) {
    Json aucs = Json::array(), chosen = Json::array();
    for (const mil::FoldResult& fold : repetition.folds) {
      aucs.push_back(fold.auc);
      if (!fold.chosen.empty()) chosen.push_back(fold.chosen);
    }
    Json entry = {{"name", repetition.name}, {"auc", repetition.auc}, {"fold_aucs", aucs}};
    if (!chosen.empty()) entry["chosen"] = std::move(chosen);
    repetitions.push_back(std::move(entry));
  }
  return {{"model", model.name},
          {"title", model.title},
          {"auc_mean", model.auc_mean},
          {"auc_sd", model.auc_sd},
          {"auc_interval", {model.auc_interval.low, model.auc_interval.high}},
          {"seconds_of_one_thread", model.seconds},
          {"repetitions", std::move(repetitions)}};
}

Json comparison_json(const mil::Comparison& paired) {
  return {{"baseline", paired.baseline},
          {"mean_difference", paired.mean_difference},
          {"interval", {paired.interval.low, paired.interval.high}},
          {"wins", paired.wins},
          {"ties", paired.ties},
          {"losses", paired.losses},
          {"wilcoxon_p", paired.wilcoxon_p}};
}

report::Table check_table(const std::vector<Check>& checks) {
  report::Table table(
      {{"statement"}, {"value", Align::kRight}, {"expected", Align::kRight}, {"holds"}});
  for (const Check& check : checks) {
    table.add_row(
        {check.statement, fixed(check.value, 1), check.expected, check.holds ? "yes" : "NO"},
        !check.holds);
  }
  return table;
}

}  // namespace

report::Table mil_auc_table(const MilReproduction& run) {
  std::vector<report::Column> columns = {{"model"}};
  for (const MilSet& set : run.sets) columns.push_back({set.name, Align::kRight});
  report::Table table(std::move(columns));
  for (std::size_t m = 0; m < run.sets.front().models.size(); ++m) {
    std::vector<std::string> row = {run.sets.front().models[m].title};
    for (const MilSet& set : run.sets) {
      row.push_back(
          report::plus_minus(100 * set.models[m].auc_mean, 100 * set.models[m].auc_sd, 1));
    }
    table.add_row(std::move(row), m == 0);
  }
  std::vector<std::string> goals = {"goal of stored bags, five repetitions"};
  for (const MilSet& set : run.sets) goals.push_back(fixed(100 * set.goal, 1));
  table.add_rule().add_row(std::move(goals)).add_rule();
  for (const auto& [method, source] : published_rows(run)) {
    std::vector<std::string> row = {method + " (" + source + ")"};
    for (const MilSet& set : run.sets) row.push_back(published_cell(set.name, method, source));
    table.add_row(std::move(row));
  }
  return table;
}

report::Table mil_difference_table(const MilReproduction& run) {
  report::Table table({{"set"},
                       {"stored bags minus"},
                       {"difference", Align::kRight},
                       {"95 % interval", Align::kRight},
                       {"folds won / tied / lost", Align::kRight},
                       {"Wilcoxon p", Align::kRight}});
  for (const MilSet& set : run.sets) {
    if (table.num_rows() > 0) table.add_rule();
    for (std::size_t m = 0; m < set.comparisons.size(); ++m) {
      const mil::Comparison& paired = set.comparisons[m];
      table.add_row({set.name, set.models[m + 1].title,
                     report::signed_fixed(100 * paired.mean_difference, 1),
                     report::signed_fixed(100 * paired.interval.low, 1) + " to " +
                         report::signed_fixed(100 * paired.interval.high, 1),
                     std::to_string(paired.wins) + " / " + std::to_string(paired.ties) + " / " +
                         std::to_string(paired.losses),
                     report::general(paired.wilcoxon_p, 2)});
    }
  }
  return table;
}

std::vector<Check> mil_checks(const MilReproduction& run) {
  std::vector<Check> checks;
  for (const MilSet& set : run.sets) {
    const double auc = 100 * set.models.front().auc_mean;
    const auto check = [&](const std::string& what, double bound) {
      checks.push_back(
          {set.name + ": stored bags reach " + what, auc, ">= " + fixed(bound, 1), auc >= bound});
    };
    check("the goal", 100 * set.goal);
    const std::vector<mil::PublishedAuc> published = mil::published_aucs(set.name);
    if (!published.empty()) check("the paper's Hopfield", 100 * published.front().auc);
  }
  return checks;
}

Json mil_json(const MilReproduction& run) {
  Json json = {{"command", run.command}, {"hopfield", version()}, {"seed", run.seed},
               {"quick", run.quick},     {"python", run.python},  {"repetitions", run.repetitions}};
  if (!run.skipped.empty()) json["skipped"] = run.skipped;
  json["grid"] = Json::array();
  for (const mil::Setting& setting : run.grid) json["grid"].push_back(setting.text);
  json["sets"] = Json::array();
  for (const MilSet& set : run.sets) {
    Json models = Json::array(), comparisons = Json::array(), published = Json::array();
    for (const mil::ModelResult& model : set.models) models.push_back(model_json(model));
    for (const mil::Comparison& paired : set.comparisons) {
      comparisons.push_back(comparison_json(paired));
    }
    for (const mil::PublishedAuc& entry : mil::published_aucs(set.name)) {
      published.push_back({{"method", entry.method}, {"source", entry.source}, {"auc", entry.auc}});
    }
    json["sets"].push_back({{"set", set.name},
                            {"bags", set.num_bags},
                            {"goal", set.goal},
                            {"models", std::move(models)},
                            {"comparisons", std::move(comparisons)},
                            {"published", std::move(published)}});
  }
  json["checks"] = Json::array();
  for (const Check& check : mil_checks(run)) {
    json["checks"].push_back({{"statement", check.statement},
                              {"value", check.value},
                              {"expected", check.expected},
                              {"holds", check.holds}});
  }
  json["seconds"] = run.seconds;
  return json;
}

std::string mil_markdown(const MilReproduction& run) {
  return mil_auc_table(run).markdown() + "\n" + mil_difference_table(run).markdown();
}

report::Page mil_page(const MilReproduction& run) {
  report::Page page("Bags of instances, measured again",
                    "The first experiment of arXiv:2008.02217 beside simpler models, same folds.");
  const std::vector<Check> checks = mil_checks(run);
  const auto held =
      std::count_if(checks.begin(), checks.end(), [](const Check& check) { return check.holds; });
  page.section("AUC");
  page.paragraph(kProtocol);
  if (run.quick) {
    page.note("--quick: repetition skl0 alone, and a smaller grid. Goals are for five.",
              report::NoteKind::kWarning);
  }
  if (!run.skipped.empty()) page.note(run.skipped, report::NoteKind::kWarning);
  page.table(mil_auc_table(run),
             "Measured in this run; below, what others printed, on folds of their own. "
             "\"Recalled\": from notes, not compared with the paper again.");
  page.section("Differences");
  page.table(
      mil_difference_table(run),
      "AUC in points, paired over all folds. Interval: of the difference on new bags, from "
      "the spread over the bags of the set. p: two-sided Wilcoxon test; folds share training "
      "bags, so read it as a measure of consistency.");
  page.section("Statements");
  page.paragraph(std::to_string(held) + " of " + std::to_string(checks.size()) + " hold.");
  page.table(check_table(checks));
  page.section("Settings");
  page.paragraph(
      "HopfieldPooling, mean + max, attention and gated attention: the defaults of `hopfield mil "
      "cv`. Stored bags have no settings. \"HopfieldPooling, plain\": z-scores and one beta for "
      "all heads, as in the paper; for each fold the setting with the largest validation AUC, of:");
  std::vector<std::string> grid;
  for (const mil::Setting& setting : run.grid) grid.push_back(setting.text);
  page.list(grid);
  std::vector<std::pair<std::string, std::string>> facts = {
      {"command", "`" + run.command + "`"},
      {"repetitions", repetitions_text(run)},
      {"seed", std::to_string(run.seed)},
      {"time of all parts", report::seconds(run.seconds)},
      {"hopfield", version()}};
  if (run.python.is_object()) {
    for (const auto& [name, text] : run.python.items()) {
      facts.emplace_back(name, text.get<std::string>());
    }
  }
  page.facts(facts);
  page.footer(std::string("Made by hopfield ") + version() +
              ". Nothing on this page is loaded from elsewhere.");
  return page;
}

}  // namespace hopfield::cli
