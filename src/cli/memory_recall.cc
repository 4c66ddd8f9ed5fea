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

#include "cli/memory_codes.h"
#include "cli/theory_output.h"
#include "hopfield/base/version.h"
#include "hopfield/memory/complete.h"
#include "hopfield/memory/retrieve.h"
#include "hopfield/store/memory_file.h"
#include "hopfield/store/npy.h"

namespace hopfield::cli {
namespace {

constexpr std::int64_t kShown = 20;  // cues in the table

/// What was told about each cue of a batch, cue after cue.
struct Recalled {
  std::vector<float> readout, energy, energy_cue, lse, entropy, top;
  std::vector<std::int64_t> top_index, size, steps;
  std::vector<StopReason> reason;
  std::vector<double> match_energy;  ///< with a threshold only
  std::optional<RerankReport> codes;

  /// Of readouts [cues, depth].
  Recalled(std::int64_t cues, std::int64_t depth, std::int64_t num_top)
      : readout(static_cast<std::size_t>(cues * depth)),
        energy(static_cast<std::size_t>(cues)),
        energy_cue(energy),
        lse(energy),
        entropy(energy),
        top(static_cast<std::size_t>(cues * num_top)),
        top_index(top.size()),
        size(energy.size()),
        steps(energy.size()),
        reason(energy.size()) {}

  /// Keeps the first `kept` of each cue's `asked` associations.
  void cut_top(std::int64_t asked, std::int64_t kept) {
    const auto cut = [asked, kept](auto& numbers) {
      auto to = numbers.begin();
      for (auto from = numbers.begin(); from != numbers.end(); from += asked) {
        to = std::copy_n(from, kept, to);
      }
      numbers.erase(to, numbers.end());
    };
    cut(top);
    cut(top_index);
  }
};

/// `values` may be not given: then the patterns themselves are read out.
Associations question(const PatternView& patterns, const PatternView& values,
                      const PatternView& cues, const double& beta, const RecallArguments& a) {
  Associations in;
  in.stored = patterns;
  in.projections = values;
  in.states = cues;
  in.beta = {&beta, 1};
  in.similarity = parse_similarity(a.similarity);
  return in;
}

void ask(const PatternView& patterns, const PatternView& values, const PatternView& cues,
         double beta, std::int64_t updates, const RecallArguments& a, Executor* executor,
         const AssociateOutputs<float>& out, const RetrieveReport<float>& report) {
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
  UpdateOptions update;
  update.update_steps_max = {&steps_max, 1};
  update.update_steps_eps = {&a.eps, 1};
  update.update_steps_cap = a.cap;
  AssociateOptions options;
  options.executor = executor;
  retrieve(question(patterns, values, cues, beta, a), update, out, report, options);
}

/// Everything a recall knows before its first cue.
struct Recall {
  const RecallArguments& arguments;
  const store::MemoryFile& memory;
  std::int64_t updates = -1;  ///< negative: converge
  bool values = false;        ///< read out values instead of states
  Beta beta;
  std::optional<MatchThreshold> threshold;

  std::int64_t readout_depth() const { return values ? memory.values_depth() : memory.depth(); }
  std::int64_t num_top() const { return std::min(arguments.top, memory.num_patterns()); }
  /// No energy falls along updates by cosines.
  bool has_energy() const { return arguments.similarity != "cosine"; }
  /// Whether the last association is corrected by exact rows.
  bool reranks() const { return memory.dtype() == DType::kI8 && !arguments.complete; }
};

Recalled answer(const Recall& recall, const PatternView& cues, const Context& context) {
  const std::int64_t num_cues = cues.rows, depth = recall.readout_depth();
  Executor* executor = context.stoppable_executor.get();
  const std::int64_t num_asked =
      recall.reranks() ? rerank_candidates(recall.num_top(), recall.memory.num_patterns())
                       : recall.num_top();
  Recalled batch(num_cues, depth, num_asked);
  AssociateOutputs<float> out;
  out.state = mutable_view(batch.readout.data(), num_cues, depth);
  if (recall.has_energy()) out.energy = batch.energy;
  out.lse = batch.lse;
  out.entropy = batch.entropy;
  out.metastable_size = batch.size;
  out.num_top = num_asked;
  out.top = batch.top;
  out.top_index = batch.top_index;
  RetrieveReport<float> report;
  report.steps = batch.steps;
  report.reason = batch.reason;
  if (recall.has_energy()) {
    report.energies = batch.energy_cue;
    report.num_energies = 1;
  }
  std::vector<float> final_states;
  if (recall.reranks()) {
    final_states.resize(static_cast<std::size_t>(num_cues * cues.depth));
    report.final_state = mutable_view(final_states.data(), num_cues, cues.depth);
  }
  const PatternView patterns = recall.memory.patterns();
  const PatternView values = recall.values ? recall.memory.values() : PatternView();
  ask(patterns, values, cues, recall.beta.value, recall.updates, recall.arguments, executor, out,
      report);
  if (recall.reranks()) {
    RerankOptions options;
    options.num_top = recall.num_top();
    options.executor = executor;
    batch.codes =
        rerank(question(patterns, values, pattern_view(final_states.data(), num_cues, cues.depth),
                        recall.beta.value, recall.arguments),
               exact_rows(recall.memory), out, options);
    batch.cut_top(num_asked, recall.num_top());
  }
  for (std::int64_t& steps : batch.steps) ++steps;  // the last association updated, too
  if (recall.threshold) {
    batch.match_energy = match_energies(recall.memory, cues, recall.beta.value, executor);
  }
  return batch;
}

/// Writes the answers as they come: a table, JSON, readouts.
class RecallOutput {
 public:
  explicit RecallOutput(const Recall& recall) : recall_(recall) {
    const RecallArguments& a = recall.arguments;
    if (!a.output.empty()) {
      npy_ = std::make_unique<store::NpyWriter<float>>(a.output, recall.readout_depth());
    }
    if (a.json != "-") print_head();
    if (a.json.empty()) return;
    json_ = std::make_unique<LineOutput>(a.json);
    std::string text = head().dump(2);
    text.resize(text.size() - 2);  // the line end and the closing brace
    json_->write(text + ",\n  \"results\": [");
  }

  void add(std::int64_t first, const Recalled& batch) {
    num_cues_ = first + std::ssize(batch.steps);
    num_converged_ += std::count(batch.reason.begin(), batch.reason.end(), StopReason::kConverged);
    if (npy_ != nullptr) npy_->append(batch.readout);
    if (batch.codes) codes_.add(*batch.codes);
    for (std::size_t i = 0; i < batch.steps.size(); ++i) {
      const std::int64_t cue = first + static_cast<std::int64_t>(i);
      if (json_ != nullptr) {
        json_->write((cue == 0 ? "\n    " : ",\n    ") + result(cue, batch, i).dump());
      }
      if (recall_.arguments.json != "-" && cue < kShown) print(cue, batch, i);
    }
  }

  void finish() {
    if (npy_ != nullptr) npy_->commit();
    if (json_ != nullptr) {
      const Json converged = recall_.updates < 0 ? Json(num_converged_) : Json(nullptr);
      json_->write((num_cues_ == 0 ? "],\n" : "\n  ],\n") +
                   ("  \"num_cues\": " + std::to_string(num_cues_) +
                    ",\n  \"num_converged\": " + converged.dump() + "\n}\n"));
      json_->commit();
    }
    if (recall_.arguments.json != "-" && num_cues_ > kShown) {
      std::cout << "   ... " << num_cues_ - kShown << " more; --json FILE has them all\n";
    }
    if (recall_.arguments.json != "-" && recall_.reranks()) std::cout << "\n" << codes_.line();
  }

  std::int64_t num_cues() const { return num_cues_; }
  std::int64_t num_converged() const { return num_converged_; }

 private:
  Json head() const {
    const store::MemoryFile& memory = recall_.memory;
    const RecallArguments& a = recall_.arguments;
    return {{"memory", memory.path()},
            {"num_patterns", memory.num_patterns()},
            {"depth", memory.depth()},
            {"where", a.paths.where.empty() ? Json(nullptr) : Json(a.paths.where)},
            {"what", recall_.values ? "values" : "state"},
            {"similarity", a.complete ? Json(nullptr) : Json(a.similarity)},
            {"beta", recall_.beta.value},
            {"beta_source", recall_.beta.source},
            {"updates", recall_.updates < 0 ? Json("converge") : Json(recall_.updates)},
            {"eps", a.eps},
            {"threshold", recall_.threshold ? Json(recall_.threshold->energy) : Json(nullptr)},
            {"hopfield", version()}};
  }

  Json result(std::int64_t cue, const Recalled& batch, std::size_t i) const {
    const store::MemoryFile& memory = recall_.memory;
    const bool judged = recall_.threshold.has_value();
    Json json;
    json["cue"] = cue;
    json["steps"] = batch.steps[i];
    json["stop"] = reason_name(batch.reason[i]);
    json["converged"] =
        recall_.updates < 0 ? Json(batch.reason[i] == StopReason::kConverged) : Json(nullptr);
    const bool has_energy = recall_.has_energy();
    json["energy"] = has_energy ? Json(short_number(batch.energy[i])) : Json(nullptr);
    json["energy_cue"] = has_energy ? Json(short_number(batch.energy_cue[i])) : Json(nullptr);
    json["lse"] = short_number(batch.lse[i]);
    json["entropy"] = short_number(batch.entropy[i]);
    json["metastable_size"] = batch.size[i];
    json["regime"] = regime_name(regime(batch.size[i], memory.num_patterns()));
    json["match_energy"] = judged ? Json(batch.match_energy[i]) : Json(nullptr);
    json["match"] = judged ? Json(matches(batch, i)) : Json(nullptr);
    const auto k = static_cast<std::size_t>(recall_.num_top());
    json["largest"] = short_number(batch.top[i * k]);
    Json top = Json::array();
    for (std::size_t j = i * k; j < (i + 1) * k; ++j) {
      top.push_back({{"id", memory.id(batch.top_index[j])},
                     {"index", batch.top_index[j]},
                     {"weight", short_number(batch.top[j])}});
      if (memory.has_metadata()) {
        top.back()["metadata"] = metadata_of(memory, batch.top_index[j]);
      }
    }
    json["top"] = std::move(top);
    if (batch.codes) json["codes"] = codes_json(*batch.codes, i);
    Json readout = Json::array();
    const auto depth = static_cast<std::size_t>(recall_.readout_depth());
    for (std::size_t j = i * depth; j < (i + 1) * depth; ++j) {
      readout.push_back(short_number(batch.readout[j]));
    }
    json[recall_.values ? "values" : "state"] = std::move(readout);
    return json;
  }

  bool matches(const Recalled& batch, std::size_t i) const {
    return recall_.threshold->matches(batch.match_energy[i]);
  }

  void print_head() const {
    std::cout << std::setprecision(4) << "memory   " << recall_.memory.path() << ": "
              << recall_.memory.num_patterns() << " patterns of depth " << recall_.memory.depth()
              << "\n"
              << "beta     " << recall_.beta.value << " (" << recall_.beta.source << ")"
              << (recall_.arguments.similarity == "dot"
                      ? ""
                      : ", similarity " + recall_.arguments.similarity)
              << "\n"
              << "updates  " << recall_.arguments.updates << "\n\n"
              << "   cue  updates  stop              energy  metastable size  regime          "
              << (recall_.threshold ? "match  " : "") << "associations\n";
  }

  void print(std::int64_t cue, const Recalled& batch, std::size_t i) const {
    const store::MemoryFile& memory = recall_.memory;
    std::cout << std::setw(6) << cue << std::setw(9) << batch.steps[i] << "  " << std::left
              << std::setw(11) << reason_name(batch.reason[i]) << std::right << std::setw(13);
    if (recall_.has_energy()) {
      std::cout << batch.energy[i];
    } else {
      std::cout << "-";
    }
    std::cout << std::setw(17) << batch.size[i] << "  " << std::left << std::setw(14)
              << regime_name(regime(batch.size[i], memory.num_patterns())) << "  ";
    if (recall_.threshold) std::cout << std::setw(7) << (matches(batch, i) ? "yes" : "no");
    std::cout << std::right;
    const auto k = static_cast<std::size_t>(recall_.num_top());
    for (std::size_t j = i * k; j < (i + 1) * k; ++j) {
      std::cout << (j > i * k ? ", " : "") << memory.id(batch.top_index[j]) << " " << batch.top[j];
    }
    std::cout << "\n";
  }

  const Recall& recall_;
  std::unique_ptr<store::NpyWriter<float>> npy_;
  std::unique_ptr<LineOutput> json_;
  std::int64_t num_cues_ = 0, num_converged_ = 0;
  CodesSummary codes_;
};

/// Cues of which the numbers that a mask names are NaN. The mask has one row for all cues or one a
/// cue, and is read along with them.
Rows masked(Rows cues, const std::string& path) {
  const Rows mask = open_row_stream(path);
  const std::int64_t depth = cues.source.depth;
  const auto require_fit = [path, depth](bool fits, const std::string& got) {
    if (fits) return;
    fail(ErrorCode::kCorruptData, "memory complete",
         "'" + path + "': expected a mask of shape [1, " + std::to_string(depth) + "] or [cues, " +
             std::to_string(depth) + "], got " + got);
  };
  require_fit(mask.source.depth == depth, "depth " + std::to_string(mask.source.depth));
  std::vector<float> start = read_rows(mask, 0, kCueBatch);
  require_fit(!start.empty(), "no row");
  const bool one_for_all = std::ssize(start) == depth;
  cues.source.rows = [=, read = cues.source.rows](std::int64_t first, std::int64_t count) {
    std::vector<double> numbers = read(first, count);
    const std::vector<float> missing =
        one_for_all || first == 0 ? start : read_rows(mask, first, kCueBatch);
    require_fit(one_for_all || missing.size() == numbers.size(),
                missing.size() > numbers.size() ? "more rows" : "fewer rows");
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      if (missing[i % missing.size()] != 0) numbers[i] = std::numeric_limits<double>::quiet_NaN();
    }
    return numbers;
  };
  return cues;
}

/// Beta is measured with the gaps of the first cues themselves.
Beta choose_beta_of(const RecallArguments& a, double given, const store::MemoryFile& memory,
                    const PatternView& states, const Context& context) {
  AdviceOptions advice = affordable_advice(memory, a.beta.expect, context.stoppable_executor.get());
  advice.similarity = parse_similarity(a.similarity);
  std::vector<std::uint8_t> missing;
  if (a.complete && states.rows > 0) {
    const auto* numbers = static_cast<const float*>(states.data);
    missing.resize(
        static_cast<std::size_t>(std::min(states.rows, advice.num_cues) * memory.depth()));
    for (std::size_t i = 0; i < missing.size(); ++i) missing[i] = std::isnan(numbers[i]) ? 1 : 0;
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
  const store::MemoryFile memory = open_memory(a.paths.memory, a.paths.where);
  require(a.what != "values" || memory.has_values(), "--what",
          "expected a memory with values, got '" + a.paths.memory + "', which has none");
  const Missing missing = a.complete ? Missing::kAllow : Missing::kRefuse;
  Rows cues = open_cues(a.paths.cue, memory, missing, a.paths.tensor);
  if (!a.mask.empty()) cues = masked(std::move(cues), a.mask);
  if (a.verify) memory.verify();

  Recall recall{a,  memory, updates, !a.complete && a.what != "state" && memory.has_values(),
                {}, {}};
  if (!a.threshold.empty()) {
    require(a.similarity == "dot", "--similarity",
            "expected dot with --threshold, whose beta belongs to it, got " + a.similarity);
    const Threshold threshold = read_threshold(a.threshold, memory);
    require(given_beta == 0 || given_beta == threshold.beta, "--beta",
            "expected the beta of the threshold, " + csv_number(threshold.beta) + ", got " +
                a.beta.beta + "; leave --beta away");
    recall.threshold = threshold.match;
    recall.beta = {threshold.beta, "threshold"};
  }
  std::optional<RecallOutput> output;
  const auto begin = [&](const PatternView& states) {
    if (!recall.threshold) recall.beta = choose_beta_of(a, given_beta, memory, states, context);
    output.emplace(recall);
  };
  const auto add = [&](std::int64_t first, const PatternView& states) {
    if (!output) begin(states);
    output->add(first, answer(recall, states, context));
  };
  const std::int64_t num_cues = for_cue_batches(cues, "recalling", context, add, missing);
  if (!output) begin({});
  output->finish();
  const std::int64_t num_moving = output->num_cues() - output->num_converged();
  if (updates < 0 && num_moving > 0) {
    note(std::to_string(num_moving) + " of " + std::to_string(num_cues) +
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
  command
      .add_option("-o,--output", arguments.output, "Write the recalled states or values (NPY, f32)")
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
       "hopfield memory recall memory.safetensors --cue cue.npy --similarity distance",
       "hopfield memory recall memory.safetensors --cue cue.npy --threshold threshold.json"},
      [a, &context] { return run_recall(*a, context); });
  add_question(command, a->paths, "States to start from");
  command
      .add_option(
          "--what", a->what,
          "Recall the state, or the values that are stored beside the patterns, weighted by "
          "association [default: values if there are any]")
      ->check(CLI::IsMember({"state", "values"}))
      ->type_name("state|values");
  add_where(command, a->paths.where);
  add_similarity(command, a->similarity);
  add_beta(command, a->beta);
  command
      .add_option("--threshold", a->threshold,
                  "What memory calibrate wrote: tells which cues match no pattern")
      ->type_name("FILE");
  add_recall_options(command, context, *a);
}

}  // namespace hopfield::cli
