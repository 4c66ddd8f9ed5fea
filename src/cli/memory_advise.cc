#include <algorithm>
#include <chrono>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "cli/memory_recall.h"
#include "cli/theory_output.h"
#include "hopfield/base/version.h"
#include "hopfield/memory/advice.h"
#include "hopfield/memory/bounds.h"
#include "hopfield/report/format.h"
#include "hopfield/report/table.h"

namespace hopfield::cli {
namespace {

using report::fixed;
using report::general;

constexpr std::size_t kListed = 20;  // shadowed and duplicate patterns that people see

struct AdviseArguments {
  std::string memory, patterns, expect = kExpectDefault;
  double error = 0.1, wanted = 0.95;
  std::int64_t seed = 0;
  ResultPaths paths;
};

/// All that is told.
struct Answer {
  BetaAdvice advice;
  double error = 0;         ///< wanted retrieval error, a length
  double beta_theorem = 0;  ///< for that error, from the pattern itself
  std::vector<double> amounts;
  std::vector<BetaTrial> damage;
  std::vector<std::size_t> shadowed;  ///< places in statistics.compared, lowest separation first
};

Answer measure(const AdviseArguments& a, const store::MemoryFile& memory, const Context& context) {
  AdviceOptions options = affordable_advice(memory, a.expect, context.stoppable_executor.get());
  options.tolerance = a.error;
  options.wanted = a.wanted;
  options.seed = options.statistics.seed = static_cast<std::uint64_t>(a.seed);
  Answer answer;
  answer.advice = measure_beta(memory, options);
  stop_if_cancelled(context);
  const PatternStatistics& seen = answer.advice.statistics;
  answer.error = a.error * seen.spread;
  if (answer.error > 0) {
    answer.beta_theorem = beta_for_error(answer.error, answer.advice.separation_quantile, 0,
                                         static_cast<double>(seen.num_patterns), seen.norm_max);
  }
  constexpr int kAmounts = 11;
  const double most = options.cue == CueKind::kNoisy ? 2 : 1;
  for (int i = 0; i < kAmounts; ++i) answer.amounts.push_back(most * i / (kAmounts - 1));
  answer.damage =
      damage_trials(memory.patterns(), answer.advice.beta, answer.amounts, seen, options);
  for (std::size_t i = 0; i < seen.compared.size(); ++i) {
    if (seen.separation[i] <= 0) answer.shadowed.push_back(i);
  }
  std::stable_sort(
      answer.shadowed.begin(), answer.shadowed.end(),
      [&](std::size_t x, std::size_t y) { return seen.separation[x] < seen.separation[y]; });
  return answer;
}

std::string damage_name(const AdviseArguments& a) {
  return a.expect == "noisy" ? "noise (length, in spreads)" : "hidden share";
}

Json trial_json(const char* over, double value, const BetaTrial& trial) {
  return {{over, value},
          {"recovered", trial.recovered},
          {"identified", trial.identified},
          {"error_median", trial.error_median},
          {"error_max", trial.error_max},
          {"metastable_size_mean", trial.metastable_size_mean}};
}

Json to_json(const AdviseArguments& a, const Answer& answer, const store::MemoryFile& memory) {
  const BetaAdvice& advice = answer.advice;
  const PatternStatistics& seen = advice.statistics;
  Json betas = Json::array(), damage = Json::array(), separations = Json::array(),
       shadowed = Json::array(), duplicates = Json::array();
  for (const BetaTrial& trial : advice.trials) {
    betas.push_back(trial_json("beta", trial.beta, trial));
  }
  for (std::size_t i = 0; i < answer.damage.size(); ++i) {
    damage.push_back(trial_json("amount", answer.amounts[i], answer.damage[i]));
  }
  for (std::size_t i = 0; i < seen.compared.size(); ++i) {
    separations.push_back(
        {{"id", memory.id(seen.compared[i])}, {"separation", seen.separation[i]}});
  }
  for (const std::size_t i : answer.shadowed) {
    shadowed.push_back({{"id", memory.id(seen.compared[i])},
                        {"separation", seen.separation[i]},
                        {"by", memory.id(seen.rival[i])}});
  }
  for (std::size_t i = 0; i < seen.duplicate.size(); ++i) {
    duplicates.push_back(
        {{"id", memory.id(seen.duplicate[i])}, {"of", memory.id(seen.duplicate_of[i])}});
  }
  return {{"memory", a.memory},
          {"num_patterns", seen.num_patterns},
          {"depth", seen.depth},
          {"expect", a.expect},
          {"wanted", a.wanted},
          {"error", answer.error},
          {"beta", advice.beta},
          {"source", beta_source_name(advice.source)},
          {"recovered", advice.recovered},
          {"beta_theorem_error", answer.beta_theorem},
          {"beta_theorem", advice.beta_master},
          {"beta_sharp", advice.beta_sharp},
          {"beta_global_average", advice.beta_global},
          {"norm_min", seen.norm_min},
          {"norm_mean", seen.norm_mean},
          {"norm_max", seen.norm_max},
          {"spread", seen.spread},
          {"num_cues", advice.num_cues},
          {"seed", a.seed},
          {"over_beta", betas},
          {"over_damage", damage},
          {"separations", separations},
          {"num_shadowed", seen.num_shadowed},
          {"shadowed", shadowed},
          {"num_duplicates", seen.num_duplicates},
          {"duplicates", duplicates},
          {"hopfield", version()}};
}

CsvTable to_csv(const Answer& answer) {
  CsvTable table{{"over", "value", "recovered", "identified", "error_median", "error_max"}, {}};
  const auto add = [&table](const char* over, double value, const BetaTrial& trial) {
    table.rows.push_back({over, csv_number(value), csv_number(trial.recovered),
                          csv_number(trial.identified), csv_number(trial.error_median),
                          csv_number(trial.error_max)});
  };
  for (const BetaTrial& trial : answer.advice.trials) add("beta", trial.beta, trial);
  for (std::size_t i = 0; i < answer.damage.size(); ++i) {
    add("damage", answer.amounts[i], answer.damage[i]);
  }
  return table;
}

/// Share recovered and identified.
report::Plot shares(const std::string& title, report::Axis x, const std::vector<double>& at,
                    const std::vector<BetaTrial>& trials) {
  report::Plot plot;
  plot.title = title;
  plot.x = std::move(x);
  plot.y = {"share of cues", report::Scale::kLinear, 0.0, 1.0};
  report::Series recovered{"recovered", at, {}, {}, report::Mark::kLineAndPoints};
  report::Series identified{"identified", at, {}, {}, report::Mark::kLineAndPoints};
  for (const BetaTrial& trial : trials) {
    recovered.y.push_back(trial.recovered);
    identified.y.push_back(trial.identified);
  }
  plot.series = {std::move(recovered), std::move(identified)};
  return plot;
}

report::Plot errors(const std::string& title, report::Axis x, const std::vector<double>& at,
                    const std::vector<BetaTrial>& trials, double wanted) {
  report::Plot plot;
  plot.title = title;
  plot.x = std::move(x);
  plot.y = {"|result - pattern|", report::Scale::kLog10, {}, {}};
  report::Series median{"median", at, {}, {}, report::Mark::kLineAndPoints};
  for (const BetaTrial& trial : trials) median.y.push_back(trial.error_median);
  plot.series = {std::move(median)};
  plot.series.push_back({.name = "wanted",
                         .x = {at.front(), at.back()},
                         .y = {wanted, wanted},
                         .tone = report::Tone::kMuted});
  return plot;
}

std::vector<double> betas_of(const Answer& answer) {
  std::vector<double> betas;
  for (const BetaTrial& trial : answer.advice.trials) betas.push_back(trial.beta);
  return betas;
}

report::Plot beta_plot(const Answer& answer) {
  return shares("Recall over beta", {"beta", report::Scale::kLog10, {}, {}}, betas_of(answer),
                answer.advice.trials);
}

report::Table shadowed_table(const Answer& answer, const store::MemoryFile& memory) {
  report::Table table({{"pattern", report::Align::kLeft},
                       {"separation", report::Align::kRight},
                       {"shadowed by", report::Align::kLeft}});
  const PatternStatistics& seen = answer.advice.statistics;
  for (std::size_t i = 0; i < std::min(answer.shadowed.size(), kListed); ++i) {
    const std::size_t at = answer.shadowed[i];
    table.add_row(
        {memory.id(seen.compared[at]), general(seen.separation[at]), memory.id(seen.rival[at])});
  }
  return table;
}

std::vector<std::pair<std::string, std::string>> facts(const AdviseArguments& a,
                                                       const Answer& answer) {
  const BetaAdvice& advice = answer.advice;
  const PatternStatistics& seen = advice.statistics;
  std::string measured = general(advice.beta) + " (" + std::string(beta_source_name(advice.source));
  if (std::isfinite(advice.recovered)) {
    measured += "; " + general(100 * advice.recovered) + " % of " +
                std::to_string(advice.num_cues) + " " + a.expect + " cues recovered";
  }
  return {
      {"norm", general(seen.norm_min) + " to " + general(seen.norm_max) + ", mean " +
                   general(seen.norm_mean)},
      {"separation", "min " + general(seen.separation_quantile(0)) + ", median " +
                         general(seen.separation_quantile(0.5)) + ", max " +
                         general(seen.separation_quantile(1))},
      {"wanted error", general(answer.error) + " (" + general(a.error) + " of the spread) for " +
                           general(100 * a.wanted) + " % of the cues"},
      {"beta, measured", measured + ")"},
      {"beta, theorem", general(answer.beta_theorem) + " for that error from the pattern itself; " +
                            general(advice.beta_master) + " to store it, " +
                            general(advice.beta_sharp) + " by the sharp form"},
      {"shadowed", shadowed_text(seen)},
      {"duplicates", std::to_string(seen.num_duplicates)}};
}

report::Page to_page(const AdviseArguments& a, const Answer& answer,
                     const store::MemoryFile& memory) {
  const PatternStatistics& seen = answer.advice.statistics;
  report::Page page("Advice for a memory",
                    memory.path() + ": " + std::to_string(memory.num_patterns()) +
                        " patterns of depth " + std::to_string(memory.depth()));
  page.section("In short").facts(facts(a, answer));
  if (!answer.advice.trials.empty()) {
    page.section("Over beta")
        .paragraph(
            "The same damaged copies of stored patterns, recalled at each beta. Identified: the "
            "largest association is the pattern; recovered: the state is also within the wanted "
            "error of it.")
        .begin_row()
        .plot(beta_plot(answer))
        .plot(errors("Error over beta", {"beta", report::Scale::kLog10, {}, {}}, betas_of(answer),
                     answer.advice.trials, answer.error))
        .end_row();
  }
  page.section("Over damage")
      .paragraph("Recall at beta " + general(answer.advice.beta) + ".")
      .begin_row()
      .plot(shares("Recall over damage", {damage_name(a)}, answer.amounts, answer.damage))
      .plot(errors("Error over damage", {damage_name(a)}, answer.amounts, answer.damage,
                   answer.error))
      .end_row();
  page.section("Patterns that cannot be retrieved");
  if (answer.shadowed.empty()) {
    page.paragraph("None of the compared ones.");
  } else {
    page.paragraph(
        "Another pattern is at least as alike each of these as it is itself: no beta makes "
        "it a state that stays.");
    page.table(shadowed_table(answer, memory),
               std::to_string(std::min(answer.shadowed.size(), kListed)) + " of " +
                   std::to_string(answer.shadowed.size()) + ", lowest separation first");
  }
  page.section("Duplicates");
  if (seen.duplicate.empty()) page.paragraph("No two patterns are equal.");
  std::vector<std::string> duplicates;
  for (std::size_t i = 0; i < std::min(seen.duplicate.size(), kListed); ++i) {
    duplicates.push_back(memory.id(seen.duplicate[i]) + " repeats " +
                         memory.id(seen.duplicate_of[i]));
  }
  if (!duplicates.empty()) page.list(duplicates);
  return page.footer("hopfield " + std::string(version()) + ", seed " + std::to_string(a.seed));
}

/// Says beforehand what comparing all patterns will take, if that is more than 10 s: measured on so
/// many of them that this takes a sixteenth of the time at most.
void announce_all(const store::MemoryFile& memory, StatisticsOptions options) {
  constexpr std::int64_t kSample = 1024;
  const std::int64_t parts = memory.num_patterns() / kSample;
  if (parts < 16) return;
  const auto time = [&](std::int64_t num_compared) {
    options.num_compared = num_compared;
    const auto start = std::chrono::steady_clock::now();
    (void)pattern_statistics(memory.patterns(), options);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const double fixed = time(1);  // what does not grow with the number of compared patterns
  const double seconds = fixed + (time(kSample) - fixed) * static_cast<double>(parts);
  if (seconds > 10) {
    note("--patterns compares each of " + std::to_string(memory.num_patterns()) +
         " patterns with all others: about " + report::seconds(seconds));
  }
}

/// Statistics of each pattern: `measured` where it has them all, as of a small memory.
PatternStatistics all_statistics(const PatternStatistics& measured, const store::MemoryFile& memory,
                                 const Context& context) {
  if (std::ssize(measured.compared) == measured.num_patterns &&
      std::ssize(measured.duplicate) == measured.num_duplicates) {
    return measured;
  }
  StatisticsOptions options;
  options.num_compared = 0;
  options.num_listed = memory.num_patterns();
  options.executor = context.stoppable_executor.get();
  announce_all(memory, options);
  return pattern_statistics(memory.patterns(), options);
}

/// --patterns: a line a pattern.
void write_patterns(const AdviseArguments& a, const PatternStatistics& measured,
                    const store::MemoryFile& memory, const Context& context) {
  const PatternStatistics seen = all_statistics(measured, memory, context);
  const auto num_patterns = static_cast<double>(seen.num_patterns);
  const store::PatternSource source = pattern_source(memory);
  LineOutput output(a.patterns);
  output.write("id,norm,separation,nearest,similarity,beta_theorem,duplicate_of,shadowed_by\n");
  std::size_t duplicate = 0;
  for (std::int64_t first = 0; first < seen.num_patterns; first += kCueBatch) {
    stop_if_cancelled(context);
    const std::int64_t count = std::min(kCueBatch, seen.num_patterns - first);
    const std::vector<double> rows = source.rows(first, count);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto row = rows.begin() + i * seen.depth;
      const double square = std::inner_product(row, row + seen.depth, row, 0.0);
      const auto at = static_cast<std::size_t>(first + i);
      const bool alone = seen.rival[at] < 0;
      const std::string rival = alone ? "" : csv_cell(memory.id(seen.rival[at]));
      std::string equal;
      if (duplicate < seen.duplicate.size() && seen.duplicate[duplicate] == first + i) {
        equal = csv_cell(memory.id(seen.duplicate_of[duplicate++]));
      }
      const double beta = seen.norm_max > 0
                              ? beta_needed(StorageCriterion::kMaster, seen.separation[at],
                                            num_patterns, seen.norm_max)
                              : std::numeric_limits<double>::infinity();
      output.write(csv_cell(memory.id(first + i)) + "," + csv_number(std::sqrt(square)) + "," +
                   (alone ? "" : csv_number(seen.separation[at])) + "," + rival + "," +
                   (alone ? "" : csv_number(square - seen.separation[at])) + "," +
                   (std::isfinite(beta) ? csv_number(beta) : "") + "," + equal + "," +
                   (seen.separation[at] <= 0 ? rival : "") + "\n");
    }
  }
  output.commit();
}

int run_advise(const AdviseArguments& a, const Context& context) {
  check_results(a.paths, {a.memory});
  require(a.patterns != "-", "--patterns",
          "expected a file, got -, standard output, which holds the advice");
  check_output(a.patterns,
               {a.memory, json_path(a.paths.json), a.paths.csv, a.paths.report, a.paths.svg});
  const store::MemoryFile memory = open_memory(a.memory);
  const Answer answer = measure(a, memory, context);
  if (json_path(a.paths.json) != "-") {
    std::cout << a.memory << ": " << memory.num_patterns() << " patterns of depth "
              << memory.depth() << "\n";
    for (const auto& [name, value] : facts(a, answer)) {
      std::cout << std::left << std::setw(16) << name << value << "\n";
    }
    report::Table table({{damage_name(a), report::Align::kRight},
                         {"recovered", report::Align::kRight},
                         {"identified", report::Align::kRight},
                         {"median error", report::Align::kRight}});
    for (std::size_t i = 0; i < answer.damage.size(); ++i) {
      table.add_row({general(answer.amounts[i]), fixed(answer.damage[i].recovered, 3),
                     fixed(answer.damage[i].identified, 3),
                     general(answer.damage[i].error_median)});
    }
    std::cout << "\n" << table.text();
    if (!answer.shadowed.empty()) std::cout << "\n" << shadowed_table(answer, memory).text();
  }
  write_results(
      a.paths, to_json(a, answer, memory), to_csv(answer),
      [&] { return to_page(a, answer, memory); }, [&] { return beta_plot(answer); });
  if (!a.patterns.empty()) write_patterns(a, answer.advice.statistics, memory, context);
  return kOk;
}

}  // namespace

void add_memory_advise(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<AdviseArguments>();
  CLI::App& command = add_command(
      noun, context, "advise", "Measure recall over beta and damage; name what cannot be recalled",
      {"hopfield memory advise memory.safetensors",
       "hopfield memory advise memory.safetensors --expect noisy --error 0.05 --report advice.html",
       "hopfield memory advise memory.safetensors --csv curves.csv --json",
       "hopfield memory advise memory.safetensors --patterns patterns.csv"},
      [a, &context] { return run_advise(*a, context); });
  command.add_option("memory", a->memory, "A memory")->type_name("FILE")->required();
  add_expect(command, a->expect);
  add_number(command, "--error", a->error,
             "Wanted retrieval error, as a share of the patterns' spread", 1e-6, 10);
  add_number(command, "--wanted", a->wanted, "Wanted share of recovered cues", 1e-6, 1);
  add_whole_number(command, "--seed", a->seed, "Of the cues and of sampled patterns", 0);
  add_results(command, a->paths, "recall over beta and over damage", "recall over beta");
  command
      .add_option(
          "--patterns", a->patterns,
          "Write a line on each pattern (CSV): norm, separation, nearest other pattern, beta "
          "that the theorem asks for, what it repeats, what shadows it. Compares all S "
          "patterns with each other, which takes S * S * depth products")
      ->type_name("FILE");
  add_threads(command, context);
}

}  // namespace hopfield::cli
