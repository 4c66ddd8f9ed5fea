#include "cli/memory_recall.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/theory_output.h"
#include "hopfield/base/os.h"
#include "hopfield/base/version.h"
#include "hopfield/memory/complete.h"
#include "hopfield/memory/retrieve.h"
#include "hopfield/store/memory_file.h"
#include "hopfield/store/npy.h"

namespace hopfield::cli {
namespace {

constexpr std::int64_t kShown = 20;  // cues in the table

/// What one recall told about each cue, cue after cue.
struct Recalled {
  std::vector<float> state, energy, energy_cue, lse, entropy, top;
  std::vector<std::int64_t> top_index, size, steps;
  std::vector<StopReason> reason;
  std::int64_t num_top = 0;
  std::optional<MatchThreshold> threshold;

  std::vector<double> match_energy;  ///< with a threshold only

  bool matches(std::size_t cue) const { return threshold->matches(match_energy[cue]); }

  explicit Recalled(std::int64_t cues, std::int64_t depth, std::int64_t wanted_top)
      : state(static_cast<std::size_t>(cues * depth)),
        energy(static_cast<std::size_t>(cues)),
        energy_cue(energy),
        lse(energy),
        entropy(energy),
        top(static_cast<std::size_t>(cues * wanted_top)),
        top_index(top.size()),
        size(energy.size()),
        steps(energy.size()),
        reason(energy.size()),
        num_top(wanted_top) {}
};

void ask(const PatternView& patterns, const PatternView& cues, double beta, std::int64_t updates,
         const RecallArguments& a, Executor* executor, const AssociateOutputs<float>& out,
         const RetrieveReport<float>& report) {
  // N updates are N associations: the last one gives both the state and what is said about it.
  const std::int64_t steps_max = updates < 0 ? -1 : updates - 1;
  if (a.complete) {
    CompleteOptions options;
    options.update_steps_max = steps_max;
    options.update_steps_eps = a.eps;
    options.update_steps_cap = a.cap;
    options.executor = executor;
    complete(patterns, cues, beta, options, out, report);
    return;
  }
  Associations in;
  in.stored = patterns;
  in.states = cues;
  in.beta = {&beta, 1};
  UpdateOptions update;
  update.update_steps_max = {&steps_max, 1};
  update.update_steps_eps = {&a.eps, 1};
  update.update_steps_cap = a.cap;
  AssociateOptions options;
  options.executor = executor;
  retrieve(in, update, out, report, options);
}

/// Cues in batches, so that an interrupt is heard; no result depends on the batch.
Recalled recall(const store::MemoryFile& memory, const std::vector<float>& cues, double beta,
                std::int64_t updates, const RecallArguments& a, const Context& context) {
  const std::int64_t depth = memory.depth();
  const std::int64_t num_cues = static_cast<std::int64_t>(cues.size()) / depth;
  Recalled all(num_cues, depth, std::min(a.top, memory.num_patterns()));
  Progress progress("recalling", num_cues);
  for (std::int64_t first = 0; first < num_cues; first += kCueBatch) {
    stop_if_cancelled(context);
    progress.update(first);
    const std::int64_t count = std::min(kCueBatch, num_cues - first);
    const auto at = static_cast<std::size_t>(first), n = static_cast<std::size_t>(count);
    const auto part = [at, n](auto& values) { return std::span(values).subspan(at, n); };
    AssociateOutputs<float> out;
    out.state = mutable_view(all.state.data() + first * depth, count, depth);
    out.energy = part(all.energy);
    out.lse = part(all.lse);
    out.entropy = part(all.entropy);
    out.metastable_size = part(all.size);
    out.num_top = all.num_top;
    const std::size_t k = static_cast<std::size_t>(all.num_top);
    out.top = std::span(all.top).subspan(at * k, n * k);
    out.top_index = std::span(all.top_index).subspan(at * k, n * k);
    RetrieveReport<float> report;
    report.steps = part(all.steps);
    report.reason = part(all.reason);
    report.energies = part(all.energy_cue);
    report.num_energies = 1;
    ask(memory.patterns(), pattern_view(cues.data() + first * depth, count, depth), beta, updates,
        a, context.stoppable_executor.get(), out, report);
  }
  for (std::int64_t& steps : all.steps) ++steps;  // the last association updated, too
  return all;
}

Json result_json(const Recalled& all, std::size_t cue, const store::MemoryFile& memory,
                 bool asked_to_converge) {
  const auto number = [cue](const std::vector<float>& values) { return short_number(values[cue]); };
  Json json;
  json["cue"] = cue;
  json["steps"] = all.steps[cue];
  json["stop"] = reason_name(all.reason[cue]);
  json["converged"] =
      asked_to_converge ? Json(all.reason[cue] == StopReason::kConverged) : Json(nullptr);
  json["energy"] = number(all.energy);
  json["energy_cue"] = number(all.energy_cue);
  json["lse"] = number(all.lse);
  json["entropy"] = number(all.entropy);
  json["metastable_size"] = all.size[cue];
  json["regime"] = regime_name(regime(all.size[cue], memory.num_patterns()));
  json["match_energy"] = all.threshold ? Json(all.match_energy[cue]) : Json(nullptr);
  json["match"] = all.threshold ? Json(all.matches(cue)) : Json(nullptr);
  const auto k = static_cast<std::size_t>(all.num_top);
  json["largest"] = short_number(all.top[cue * k]);
  Json top = Json::array();
  for (std::size_t i = cue * k; i < (cue + 1) * k; ++i) {
    top.push_back({{"id", memory.id(all.top_index[i])},
                   {"index", all.top_index[i]},
                   {"weight", short_number(all.top[i])}});
  }
  json["top"] = std::move(top);
  Json state = Json::array();
  const auto depth = static_cast<std::size_t>(memory.depth());
  for (std::size_t i = cue * depth; i < (cue + 1) * depth; ++i) {
    state.push_back(short_number(all.state[i]));
  }
  json["state"] = std::move(state);
  return json;
}

/// Pretty at the top, one line a cue.
void write_results(const std::string& path, Json head, const Recalled& all,
                   const store::MemoryFile& memory, bool asked_to_converge) {
  std::string text = head.dump(2);
  text.resize(text.size() - 2);  // the line end and the closing brace
  text += ",\n  \"results\": [";
  for (std::size_t cue = 0; cue < all.steps.size(); ++cue) {
    text += cue == 0 ? "\n    " : ",\n    ";
    text += result_json(all, cue, memory, asked_to_converge).dump();
  }
  text += all.steps.empty() ? "]\n}\n" : "\n  ]\n}\n";
  if (path == "-") {
    std::cout << text;
  } else {
    atomic_write_file(path, text);
  }
}

void print_table(const Recalled& all, const store::MemoryFile& memory, const Beta& beta,
                 const std::string& updates) {
  std::cout << std::setprecision(4) << "memory   " << memory.path() << ": " << memory.num_patterns()
            << " patterns of depth " << memory.depth() << "\n"
            << "beta     " << beta.value << " (" << beta.source << ")\n"
            << "updates  " << updates << "\n\n"
            << "   cue  updates  stop              energy  metastable size  regime          "
            << (all.threshold ? "match  " : "") << "associations\n";
  const auto k = static_cast<std::size_t>(all.num_top);
  const std::size_t shown = std::min<std::size_t>(all.steps.size(), kShown);
  for (std::size_t cue = 0; cue < shown; ++cue) {
    std::cout << std::setw(6) << cue << std::setw(9) << all.steps[cue] << "  " << std::left
              << std::setw(11) << reason_name(all.reason[cue]) << std::right << std::setw(13)
              << all.energy[cue] << std::setw(17) << all.size[cue] << "  " << std::left
              << std::setw(14) << regime_name(regime(all.size[cue], memory.num_patterns())) << "  ";
    if (all.threshold) std::cout << std::setw(7) << (all.matches(cue) ? "yes" : "no");
    std::cout << std::right;
    for (std::size_t i = cue * k; i < (cue + 1) * k; ++i) {
      std::cout << (i > cue * k ? ", " : "") << memory.id(all.top_index[i]) << " " << all.top[i];
    }
    std::cout << "\n";
  }
  if (shown < all.steps.size()) {
    std::cout << "   ... " << all.steps.size() - shown << " more; --json FILE has them all\n";
  }
}

/// Sets to NaN what the mask calls missing.
void hide(const std::string& path, std::vector<float>& states, std::int64_t depth) {
  const Rows mask = open_rows(path, "", true);
  const auto cues = static_cast<std::int64_t>(states.size()) / depth;
  if (mask.source.depth != depth ||
      (mask.source.num_patterns != 1 && mask.source.num_patterns != cues)) {
    fail(ErrorCode::kCorruptData, "memory complete",
         "'" + path + "': expected a mask of shape [1, " + std::to_string(depth) + "] or [" +
             std::to_string(cues) + ", " + std::to_string(depth) + "], got [" +
             std::to_string(mask.source.num_patterns) + ", " + std::to_string(mask.source.depth) +
             "]");
  }
  const std::vector<float> missing = read_rows(mask, 0, mask.source.num_patterns);
  for (std::size_t i = 0; i < states.size(); ++i) {
    if (missing[i % missing.size()] != 0) states[i] = std::numeric_limits<float>::quiet_NaN();
  }
}

/// Beta is measured with the gaps of the cues themselves.
Beta choose_beta_of(const RecallArguments& a, double given, const store::MemoryFile& memory,
                    const std::vector<float>& states, const Context& context) {
  AdviceOptions advice = affordable_advice(memory, a.beta.expect, context.stoppable_executor.get());
  std::vector<std::uint8_t> missing;
  if (a.complete && !states.empty()) {
    const auto all = static_cast<std::int64_t>(states.size());
    missing.resize(static_cast<std::size_t>(std::min(all, advice.num_cues * memory.depth())));
    for (std::size_t i = 0; i < missing.size(); ++i) missing[i] = std::isnan(states[i]) ? 1 : 0;
    advice.cue = CueKind::kMissing;
    advice.missing = missing;
  }
  return choose_beta(given, memory, advice);
}

}  // namespace

int run_recall(const RecallArguments& a, const Context& context) {
  const double given_beta = parse_beta(a.beta.beta);
  const std::int64_t updates = parse_updates(a.updates);
  require(a.output.empty() || (a.output.size() > 4 && a.output.ends_with(".npy")), "--output",
          "expected a name that ends in .npy, got '" + a.output + "'");
  check_output(a.output, {a.paths.memory, a.paths.cue, a.mask, a.threshold});
  check_output(a.json, {a.paths.memory, a.paths.cue, a.mask, a.threshold});
  const store::MemoryFile memory = open_memory(a.paths.memory);
  const Missing missing = a.complete ? Missing::kAllow : Missing::kRefuse;
  const Rows cues = open_cues(a.paths.cue, memory, missing);
  std::vector<float> states = read_rows(cues, 0, cues.source.num_patterns, missing);
  if (!a.mask.empty()) hide(a.mask, states, memory.depth());
  if (a.verify) memory.verify();
  std::optional<Threshold> threshold;
  if (!a.threshold.empty()) {
    threshold = read_threshold(a.threshold, memory);
    require(given_beta == 0 || given_beta == threshold->beta, "--beta",
            "expected the beta of the threshold, " + csv_number(threshold->beta) + ", got " +
                a.beta.beta + "; leave --beta away");
  }
  const Beta beta = threshold ? Beta{threshold->beta, "threshold"}
                              : choose_beta_of(a, given_beta, memory, states, context);
  Recalled all = recall(memory, states, beta.value, updates, a, context);
  if (threshold) {
    all.threshold = threshold->match;
    all.match_energy = match_energies(memory, states, beta.value, context);
  }
  const std::int64_t num_cues = cues.source.num_patterns;
  const std::int64_t num_converged =
      std::count(all.reason.begin(), all.reason.end(), StopReason::kConverged);
  if (!a.output.empty()) {
    const std::int64_t shape[] = {num_cues, memory.depth()};
    store::write_npy<float>(a.output, all.state, shape);
  }
  if (!a.json.empty()) {
    Json head = {{"memory", a.paths.memory},
                 {"num_patterns", memory.num_patterns()},
                 {"depth", memory.depth()},
                 {"beta", beta.value},
                 {"beta_source", beta.source},
                 {"updates", updates < 0 ? Json("converge") : Json(updates)},
                 {"eps", a.eps},
                 {"num_cues", num_cues},
                 {"num_converged", updates < 0 ? Json(num_converged) : Json(nullptr)},
                 {"threshold", threshold ? Json(threshold->match.energy) : Json(nullptr)},
                 {"hopfield", version()}};
    write_results(a.json, std::move(head), all, memory, updates < 0);
  }
  if (a.json != "-") print_table(all, memory, beta, a.updates);
  if (updates < 0 && num_converged < num_cues) {
    note(std::to_string(num_cues - num_converged) + " of " + std::to_string(num_cues) +
         " states did not converge; another --beta, a larger --eps or a larger --cap may help");
    return kMissed;
  }
  return kOk;
}

void add_recall_options(CLI::App& command, Context& context, RecallArguments& arguments) {
  command
      .add_option("--updates", arguments.updates,
                  "How many updates; 'converge' goes on until a state stands still and exits 4 if "
                  "one does not")
      ->type_name("N|converge")
      ->capture_default_str();
  add_number(command, "--eps", arguments.eps,
             arguments.complete
                 ? "Converged: the state moved by no more than this share of its length"
                 : "Converged: no association changed by more than this",
             1e-12, 1);
  add_whole_number(command, "--cap", arguments.cap, "Most updates of 'converge'", 1);
  add_whole_number(command, "--top", arguments.top, "How many associations to tell", 1, 1000);
  command.add_option("-o,--output", arguments.output, "Write the recalled states (NPY, f32)")
      ->type_name("FILE");
  command.add_option("--json", arguments.json, "Write everything as JSON; - is standard output")
      ->type_name("FILE");
  command.add_flag("--verify", arguments.verify, "Compare the memory's checksums first");
  add_threads(command, context);
}

void add_memory_recall(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<RecallArguments>();
  CLI::App& command = add_command(
      noun, context, "recall", "Recall the stored patterns that cues resemble",
      {"hopfield memory recall memory.safetensors --cue cue.npy",
       "hopfield memory recall memory.safetensors --cue cue.npy --beta 8 --updates 1 -o states.npy",
       "hopfield memory recall memory.safetensors --cue cue.npy --top 5 --json recall.json",
       "hopfield memory recall memory.safetensors --cue cue.npy --threshold threshold.json"},
      [a, &context] { return run_recall(*a, context); });
  add_question(command, a->paths, "States to start from");
  add_beta(command, a->beta);
  command
      .add_option("--threshold", a->threshold,
                  "What memory calibrate wrote: tells which cues match no pattern")
      ->type_name("FILE");
  add_recall_options(command, context, *a);
}

}  // namespace hopfield::cli
