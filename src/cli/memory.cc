#include <cmath>
#include <cstdio>
#include <iomanip>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>

#include "cli/memory_change.h"
#include "cli/memory_recall.h"
#include "cli/nouns.h"
#include "cli/patterns.h"
#include "hopfield/base/os.h"
#include "hopfield/memory/advice.h"
#include "hopfield/memory/bounds.h"
#include "hopfield/store/memory_file.h"

namespace hopfield::cli {
namespace {

using Json = nlohmann::ordered_json;

struct CreateArguments {
  NamedRows rows;
  std::string output, json, dtype = "f32", exact, values_dtype = "f32";
  bool force = false;
};

DType parse_dtype(const std::string& name) {
  if (name == "int8") return DType::kI8;
  return name == "f32" ? DType::kF32 : name == "bf16" ? DType::kBF16 : DType::kF16;
}

/// An option whose values are f32, bf16, f16 and, if not empty, `other`.
CLI::Option* add_dtype(CLI::App& command, const std::string& option, std::string& dtype,
                       const std::string& what, const std::string& other = "") {
  std::vector<std::string> names = {"f32", "bf16", "f16"};
  if (!other.empty()) names.push_back(other);
  return command.add_option(option, dtype, what)
      ->check(CLI::IsMember(names))
      ->type_name("f32|bf16|f16" + (other.empty() ? "" : "|" + other));
}

/// "f32", "int8 with exact f32"
std::string dtype_text(const Json& facts) {
  const auto text = facts["dtype"].get<std::string>();
  const Json exact = facts.value("exact_dtype", Json());
  return exact.is_string() ? text + " with exact " + exact.get<std::string>() : text;
}

int run_create(const CreateArguments& a, const Context& context) {
  const std::vector<std::string> inputs = {a.rows.patterns, a.rows.ids, a.rows.values,
                                           a.rows.metadata};
  const std::string target = json_path(a.json);
  check_outputs({a.output, target}, inputs);
  check_new_output(a.output, inputs, a.force);
  const Rows rows = open_named_rows(a.rows);
  store::CreateMemoryOptions options;
  require(a.dtype == "int8" || a.exact.empty(), "--exact",
          "expected --dtype int8 with --exact, got " + a.dtype);
  options.dtype = parse_dtype(a.dtype);
  if (!a.exact.empty()) {
    options.exact = a.exact == "none" ? std::nullopt : std::optional(parse_dtype(a.exact));
  }
  options.values_dtype = parse_dtype(a.values_dtype);
  options.ids = rows.ids;
  options.attached = rows.attached();
  options.if_exists = a.force ? IfExists::kReplace : IfExists::kRefuse;
  options.cancelled = context.cancelled;
  {
    Progress progress("storing", rows.source.num_patterns);
    store::PatternSource source = rows.source;
    source.rows = [&](std::int64_t first, std::int64_t count) {
      progress.update(first);
      return rows.source.rows(first, count);
    };
    store::create_memory(a.output, source, options);
  }
  const store::MemoryFile memory(a.output);
  const Json facts = memory_facts(memory);
  if (!target.empty()) write_json(target, facts);
  if (target == "-") return kOk;
  std::cout << a.output << ": " << memory.num_patterns() << " patterns of depth " << memory.depth()
            << ", " << dtype_text(facts) << ", " << memory.num_bytes() << " bytes\n";
  return kOk;
}

void add_create(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<CreateArguments>();
  CLI::App& command = add_command(
      noun, context, "create", "Store patterns in a file",
      {"hopfield memory create patterns.npy -o memory.safetensors",
       "hopfield memory create table.csv --id-column name -o memory.safetensors --force",
       "hopfield memory create patterns.npy --ids names.txt --dtype bf16 -o small.safetensors",
       "hopfield memory create patterns.npy --dtype int8 -o coded.safetensors",
       "hopfield memory create patterns.npy --values values.npy --metadata about.jsonl -o "
       "rich.safetensors"},
      [a, &context] { return run_create(*a, context); });
  add_named_rows(command, a->rows)->required();
  command.add_option("-o,--output", a->output, "The memory to write (safetensors)")
      ->type_name("FILE")
      ->required();
  add_dtype(command, "--dtype", a->dtype, "How numbers of patterns are stored", "int8")
      ->capture_default_str();
  add_dtype(command, "--exact", a->exact,
            "With --dtype int8: keep the patterns beside their codes, too, to score the best ones "
            "exactly [default: f32]",
            "none");
  add_dtype(command, "--values-dtype", a->values_dtype, "How numbers of values are stored")
      ->capture_default_str();
  add_json_flag(command, a->json);
  add_force(command, a->force);
}

int run_verify(const std::string& path) {
  const store::MemoryFile memory(path);
  memory.verify();
  std::cout << path << ": " << memory.num_patterns() << " patterns of depth " << memory.depth()
            << (memory.num_changes() > 0
                    ? ", " + std::to_string(memory.num_changes()) + " changes in the log"
                    : std::string())
            << ", all checksums fit\n";
  return kOk;
}

void add_verify(CLI::App& noun, Context& context) {
  const auto path = std::make_shared<std::string>();
  CLI::App& command = add_command(
      noun, context, "verify", "Read a whole memory and compare its checksums",
      {"hopfield memory verify memory.safetensors"}, [path] { return run_verify(*path); });
  command.add_option("memory", *path, "A memory")->type_name("FILE")->required();
}

struct StatArguments {
  std::string memory, json, expect = kExpectDefault;
  bool quick = false;
};

constexpr double kFailureProbability = 0.001;

/// Patterns that the theorems promise to store at this beta, were they random on a sphere through
/// the longest pattern.
Json capacity(const BetaAdvice& advice) {
  const PatternStatistics& seen = advice.statistics;
  Json json = {{"beta", advice.beta}, {"failure_probability", kFailureProbability}};
  if (seen.depth < 2 || seen.norm_max <= 0) return json;
  const double k = seen.norm_max / std::sqrt(static_cast<double>(seen.depth - 1));
  const GuaranteedCapacity theorem =
      guaranteed_capacity(advice.beta, k, seen.depth, kFailureProbability);
  json["theorem_applies"] = theorem.applies;
  json["theorem"] = theorem.num_patterns;
  json["exact_tail"] = exact_tail_capacity(StorageCriterion::kSharp, advice.beta, k, seen.depth,
                                           kFailureProbability);
  return json;
}

Json statistics(const store::MemoryFile& memory, const PatternStatistics& seen) {
  Json json;
  json["norm"] = {{"min", seen.norm_min}, {"mean", seen.norm_mean}, {"max", seen.norm_max}};
  json["spread"] = seen.spread;
  json["distance_to_mean_max"] = seen.distance_to_mean_max;
  json["separation"] = {
      {"num_compared", seen.compared.size()},  {"min", seen.separation_quantile(0)},
      {"q05", seen.separation_quantile(0.05)}, {"median", seen.separation_quantile(0.5)},
      {"max", seen.separation_quantile(1)},    {"num_shadowed", seen.num_shadowed}};
  Json listed = Json::array();
  for (std::size_t i = 0; i < seen.duplicate.size(); ++i) {
    listed.push_back(
        {{"id", memory.id(seen.duplicate[i])}, {"of", memory.id(seen.duplicate_of[i])}});
  }
  json["duplicates"] = {{"count", seen.num_duplicates}, {"listed", listed}};
  return json;
}

Json advice_json(const BetaAdvice& advice, const AdviceOptions& options,
                 const std::string& expect) {
  Json trials = Json::array();
  for (const BetaTrial& trial : advice.trials) {
    trials.push_back({{"beta", trial.beta},
                      {"recovered", trial.recovered},
                      {"identified", trial.identified},
                      {"error_median", trial.error_median},
                      {"error_max", trial.error_max},
                      {"metastable_size_mean", trial.metastable_size_mean}});
  }
  return {{"beta", advice.beta},
          {"source", beta_source_name(advice.source)},
          {"recovered", advice.recovered},
          {"wanted", options.wanted},
          {"expect", expect},
          {"num_cues", advice.num_cues},
          {"seed", options.seed},
          {"beta_global_average", advice.beta_global},
          {"beta_theorem", advice.beta_master},
          {"beta_sharp", advice.beta_sharp},
          {"separation_quantile", advice.quantile},
          {"trials", trials}};
}

void print_stat(const Json& json, const BetaAdvice* advice) {
  std::cout << std::setprecision(4);
  const auto line = [](const char* name) -> std::ostream& {
    return std::cout << std::left << std::setw(14) << name << std::right;
  };
  line("memory") << json["path"].get<std::string>() << "\n";
  line("patterns") << json["num_patterns"] << " of depth " << json["depth"] << ", "
                   << dtype_text(json) << (json["has_ids"].get<bool>() ? ", with ids" : "")
                   << (json["has_metadata"].get<bool>() ? ", with metadata" : "") << "\n";
  if (json["has_values"].get<bool>()) {
    line("values") << "of depth " << json["values_depth"] << ", "
                   << json["values_dtype"].get<std::string>() << "\n";
  }
  line("size") << json["bytes"] << " bytes, format version " << json["version"] << ", "
               << json["tombstones"] << " tombstones, " << json["changes"]
               << " changes in the log\n";
  if (advice == nullptr) return;
  const PatternStatistics& seen = advice->statistics;
  line("norm") << seen.norm_min << " to " << seen.norm_max << ", mean " << seen.norm_mean << "\n";
  line("spread") << seen.spread << " (root mean square distance from the mean pattern)\n";
  line("separation") << "min " << seen.separation_quantile(0) << ", 5 % below "
                     << seen.separation_quantile(0.05) << ", median "
                     << seen.separation_quantile(0.5) << "; shadowed by another are "
                     << shadowed_text(seen) << "\n";
  line("duplicates") << seen.num_duplicates << "\n";
  line("beta") << advice->beta << " (" << beta_source_name(advice->source);
  if (std::isfinite(advice->recovered)) {
    std::cout << "; " << 100 * advice->recovered << " % of " << advice->num_cues << " "
              << json["advice"]["expect"].get<std::string>() << " cues recovered";
  }
  std::cout << ")\n";
  line("") << "theorem asks for " << advice->beta_master << ", its sharp form for "
           << advice->beta_sharp << "; below " << advice->beta_global
           << " everything is one average\n";
  const Json& promised = json["capacity"];
  if (promised.contains("theorem")) {
    line("capacity") << "at this beta, random patterns of depth " << seen.depth << ", failure "
                     << kFailureProbability << ": ";
    if (promised["theorem_applies"].get<bool>()) {
      std::cout << promised["theorem"].get<double>() << " by the theorem, ";
    } else {
      std::cout << "none by the theorem (its condition is not met), ";
    }
    std::cout << promised["exact_tail"].get<double>() << " by the exact tail\n";
  }
  if (advice->trials.empty()) return;
  std::cout << "\n        beta  recovered  identified  median error  metastable size\n";
  for (const BetaTrial& trial : advice->trials) {
    std::cout << std::setw(12) << trial.beta << std::setw(11) << trial.recovered << std::setw(12)
              << trial.identified << std::setw(14) << trial.error_median << std::setw(17)
              << trial.metastable_size_mean << (trial.beta == advice->beta ? "  <-\n" : "\n");
  }
}

int run_stat(const StatArguments& a, const Context& context) {
  const std::string target = json_path(a.json);
  check_output(target, {a.memory});
  const store::MemoryFile memory(a.memory);
  Json json = memory_facts(memory);
  BetaAdvice advice;
  const bool measured = !a.quick && memory.num_patterns() > 0;
  if (!a.quick) memory.verify();
  if (measured) {
    stop_if_cancelled(context);
    const AdviceOptions options =
        affordable_advice(memory, a.expect, context.stoppable_executor.get());
    advice = measure_beta(memory, options);
    stop_if_cancelled(context);
    json.update(statistics(memory, advice.statistics));
    json["advice"] = advice_json(advice, options, a.expect);
    json["capacity"] = capacity(advice);
  }
  if (!target.empty()) write_json(target, json);
  if (target != "-") print_stat(json, measured ? &advice : nullptr);
  return kOk;
}

void add_stat(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<StatArguments>();
  CLI::App& command = add_command(
      noun, context, "stat", "Describe a memory: geometry, capacity, which beta to use",
      {"hopfield memory stat memory.safetensors", "hopfield memory stat memory.safetensors --json",
       "hopfield memory stat memory.safetensors --quick --json=stat.json"},
      [a, &context] { return run_stat(*a, context); });
  command.add_option("memory", a->memory, "A memory")->type_name("FILE")->required();
  add_json_flag(command, a->json);
  add_expect(command, a->expect);
  command.add_flag("--quick", a->quick,
                   "Only what the header and the log say, without reading the patterns");
  add_threads(command, context);
}

}  // namespace

void add_memory(CLI::App& program, Context& context) {
  CLI::App& noun = add_noun(program, "memory", "Store patterns in a file and recall them");
  add_create(noun, context);
  add_memory_changes(noun, context);
  add_memory_recall(noun, context);
  add_memory_complete(noun, context);
  add_memory_search(noun, context);
  add_memory_calibrate(noun, context);
  add_memory_ood(noun, context);
  add_memory_dedup(noun, context);
  add_memory_influence(noun, context);
  add_memory_advise(noun, context);
  add_stat(noun, context);
  add_verify(noun, context);
}

}  // namespace hopfield::cli
