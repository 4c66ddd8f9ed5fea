#include "cli/memory_recall.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/patterns.h"
#include "hopfield/base/os.h"
#include "hopfield/base/version.h"
#include "hopfield/memory/advice.h"
#include "hopfield/memory/retrieve.h"
#include "hopfield/store/memory_file.h"
#include "hopfield/store/npy.h"

namespace hopfield::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kBatch = 256;
constexpr std::int64_t kShown = 20;  // cues in the table

struct RecallArguments {
  std::string memory, cue, output, json;
  std::string beta = "auto", updates = "converge", expect = kExpectDefault;
  double eps = 1e-4;
  std::int64_t cap = 10000, top = 3;
  bool verify = false;
};

struct Beta {
  double value = 0;
  std::string source = "given";
};

/// What one recall told about each cue, cue after cue.
struct Recalled {
  std::vector<float> state, energy, energy_cue, lse, entropy, top;
  std::vector<std::int64_t> top_index, size, steps;
  std::vector<StopReason> reason;
  std::int64_t num_top = 0;

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

std::string_view reason_name(StopReason reason) {
  switch (reason) {
    case StopReason::kStepLimit:
      return "step-limit";
    case StopReason::kConverged:
      return "converged";
    case StopReason::kCycle:
      return "cycle";
    case StopReason::kCapped:
      return "capped";
    case StopReason::kEmpty:
      return "empty";
  }
  return "?";
}

/// Number of updates asked for, -1 for "converge".
std::int64_t parse_updates(const std::string& text) {
  if (text == "converge") return -1;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size() && value >= 1, "--updates",
          "expected a whole number >= 1 or 'converge', got '" + text + "'");
  return value;
}

/// Given on the command line; 0 for "auto".
double parse_beta(const std::string& text) {
  if (text == "auto") return 0;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(
      error == std::errc() && end == text.data() + text.size() && std::isfinite(value) && value > 0,
      "--beta", "expected a number > 0 or 'auto', got '" + text + "'");
  return value;
}

Beta choose(double given, const store::MemoryFile& memory, const std::string& expect,
            const Context& context) {
  if (given > 0) return {given, "given"};
  const BetaAdvice advice = advise_beta(
      memory.patterns(), affordable_advice(memory, expect, context.stoppable_executor.get()));
  return {advice.beta, std::string(beta_source_name(advice.source))};
}

/// Cues in batches, so that an interrupt is heard; no result depends on the batch.
Recalled recall(const store::MemoryFile& memory, const std::vector<float>& cues, double beta,
                std::int64_t updates, const RecallArguments& a, const Context& context) {
  const std::int64_t depth = memory.depth();
  const std::int64_t num_cues = static_cast<std::int64_t>(cues.size()) / depth;
  Recalled all(num_cues, depth, std::min(a.top, memory.num_patterns()));
  Progress progress("recalling", num_cues);
  for (std::int64_t first = 0; first < num_cues; first += kBatch) {
    stop_if_cancelled(context);
    progress.update(first);
    const std::int64_t count = std::min(kBatch, num_cues - first);
    const auto at = static_cast<std::size_t>(first), n = static_cast<std::size_t>(count);
    const auto part = [at, n](auto& values) { return std::span(values).subspan(at, n); };
    Associations in;
    in.stored = memory.patterns();
    in.states = pattern_view(cues.data() + first * depth, count, depth);
    in.beta = {&beta, 1};
    // N updates are N associations: the last one gives both the state and what is said about it.
    const std::int64_t steps_max = updates < 0 ? -1 : updates - 1;
    UpdateOptions update;
    update.update_steps_max = {&steps_max, 1};
    update.update_steps_eps = {&a.eps, 1};
    update.update_steps_cap = a.cap;
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
    AssociateOptions options;
    options.executor = context.stoppable_executor.get();
    retrieve(in, update, out, report, options);
  }
  for (std::int64_t& steps : all.steps) ++steps;  // the last association updated, too
  return all;
}

/// The double that prints as shortly as the float does.
double short_number(float value) {
  char text[32];
  const auto written = std::to_chars(text, text + sizeof text, value);
  double result = value;
  std::from_chars(text, written.ptr, result);
  return result;
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
            << "   cue  updates  stop              energy  metastable size  associations\n";
  const auto k = static_cast<std::size_t>(all.num_top);
  const std::size_t shown = std::min<std::size_t>(all.steps.size(), kShown);
  for (std::size_t cue = 0; cue < shown; ++cue) {
    std::cout << std::setw(6) << cue << std::setw(9) << all.steps[cue] << "  " << std::left
              << std::setw(11) << reason_name(all.reason[cue]) << std::right << std::setw(13)
              << all.energy[cue] << std::setw(17) << all.size[cue] << "  ";
    for (std::size_t i = cue * k; i < (cue + 1) * k; ++i) {
      std::cout << (i > cue * k ? ", " : "") << memory.id(all.top_index[i]) << " " << all.top[i];
    }
    std::cout << "\n";
  }
  if (shown < all.steps.size()) {
    std::cout << "   ... " << all.steps.size() - shown << " more; --json FILE has them all\n";
  }
}

int run_recall(const RecallArguments& a, const Context& context) {
  const double given_beta = parse_beta(a.beta);
  const std::int64_t updates = parse_updates(a.updates);
  require(a.output.empty() || (a.output.size() > 4 && a.output.ends_with(".npy")), "--output",
          "expected a name that ends in .npy, got '" + a.output + "'");
  check_output(a.output, {a.memory, a.cue});
  check_output(a.json, {a.memory, a.cue});
  const store::MemoryFile memory(a.memory);
  if (memory.num_patterns() == 0) {
    fail(ErrorCode::kCorruptData, "memory recall",
         "'" + a.memory + "': expected a memory with patterns, got an empty one");
  }
  const Rows cues = open_rows(a.cue, "", true);
  if (cues.source.depth != memory.depth()) {
    fail(ErrorCode::kCorruptData, "memory recall",
         "'" + a.cue + "': expected cues of depth " + std::to_string(memory.depth()) +
             " as the patterns of '" + a.memory + "', got depth " +
             std::to_string(cues.source.depth));
  }
  const std::vector<float> states = read_finite(cues);
  if (a.verify) memory.verify();
  const Beta beta = choose(given_beta, memory, a.expect, context);
  const Recalled all = recall(memory, states, beta.value, updates, a, context);
  const std::int64_t num_cues = cues.source.num_patterns;
  const std::int64_t num_converged =
      std::count(all.reason.begin(), all.reason.end(), StopReason::kConverged);
  if (!a.output.empty()) {
    const std::int64_t shape[] = {num_cues, memory.depth()};
    store::write_npy<float>(a.output, all.state, shape);
  }
  if (!a.json.empty()) {
    Json head = {{"memory", a.memory},
                 {"num_patterns", memory.num_patterns()},
                 {"depth", memory.depth()},
                 {"beta", beta.value},
                 {"beta_source", beta.source},
                 {"updates", updates < 0 ? Json("converge") : Json(updates)},
                 {"eps", a.eps},
                 {"num_cues", num_cues},
                 {"num_converged", updates < 0 ? Json(num_converged) : Json(nullptr)},
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

}  // namespace

void add_memory_recall(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<RecallArguments>();
  CLI::App& command = add_command(
      noun, context, "recall", "Recall the stored patterns that cues resemble",
      {"hopfield memory recall memory.safetensors --cue cue.npy",
       "hopfield memory recall memory.safetensors --cue cue.npy --beta 8 --updates 1 -o states.npy",
       "hopfield memory recall memory.safetensors --cue cue.npy --top 5 --json recall.json"},
      [a, &context] { return run_recall(*a, context); });
  command.add_option("memory", a->memory, "A memory")->type_name("FILE")->required();
  command
      .add_option("--cue", a->cue,
                  "States to start from, one a row: NPY, CSV or TSV, plain or gz; of the patterns' "
                  "depth")
      ->type_name("FILE")
      ->required();
  command
      .add_option("--beta", a->beta,
                  "Inverse temperature > 0: large recalls single patterns, small averages; 'auto' "
                  "measures on the patterns which one serves (memory stat shows how)")
      ->type_name("B|auto")
      ->capture_default_str();
  add_expect(command, a->expect);
  command
      .add_option("--updates", a->updates,
                  "How many updates; 'converge' goes on until a state stands still and exits 4 if "
                  "one does not")
      ->type_name("N|converge")
      ->capture_default_str();
  add_number(command, "--eps", a->eps, "Converged: no association changed by more than this", 1e-12,
             1);
  add_whole_number(command, "--cap", a->cap, "Most updates of 'converge'", 1);
  add_whole_number(command, "--top", a->top, "How many associations to tell", 1, 1000);
  command.add_option("-o,--output", a->output, "Write the recalled states (NPY, f32)")
      ->type_name("FILE");
  command.add_option("--json", a->json, "Write everything as JSON; - is standard output")
      ->type_name("FILE");
  command.add_flag("--verify", a->verify, "Compare the memory's checksums first");
  add_threads(command, context);
}

}  // namespace hopfield::cli
