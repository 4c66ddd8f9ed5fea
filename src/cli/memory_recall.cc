#include "cli/memory_recall.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iomanip>
#include <limits>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "cli/memory_codes.h"
#include "cli/memory_partial.h"
#include "cli/memory_recall_output.h"
#include "cli/theory_output.h"
#include "hopfield/base/version.h"
#include "hopfield/memory/complete.h"
#include "hopfield/memory/retrieve.h"
#include "hopfield/store/memory_file.h"

namespace hopfield::cli {
namespace {

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
  require(*std::min_element(batch.top_index.begin(), batch.top_index.end()) >= 0, "recall",
          "expected scores within the range of f32, got one beyond it; choose a smaller --beta or "
          "scale patterns and cues");
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

RecallHead head_of(const Recall& recall) {
  const store::MemoryFile& memory = recall.memory;
  const RecallArguments& a = recall.arguments;
  RecallHead head;
  head.what = recall.values ? "values" : "state";
  head.readout_depth = recall.readout_depth();
  head.num_top = recall.num_top();
  head.judged = recall.threshold.has_value();
  head.output = a.output;
  head.json_path = a.json;
  head.json = {{"memory", memory.path()},
               {"num_patterns", memory.num_patterns()},
               {"depth", memory.depth()},
               {"where", a.paths.where.empty() ? Json(nullptr) : Json(a.paths.where)},
               {"what", head.what},
               {"similarity", a.complete ? Json(nullptr) : Json(a.similarity)},
               {"beta", recall.beta.value},
               {"beta_source", recall.beta.source},
               {"updates", recall.updates < 0 ? Json("converge") : Json(recall.updates)},
               {"eps", a.eps},
               {"threshold", recall.threshold ? Json(recall.threshold->energy) : Json(nullptr)},
               {"hopfield", version()}};
  std::ostringstream text;
  text << std::setprecision(4) << "memory   " << memory.path() << ": " << memory.num_patterns()
       << " patterns of depth " << memory.depth() << "\n"
       << "beta     " << recall.beta.value << " (" << recall.beta.source << ")"
       << (a.similarity == "dot" ? "" : ", similarity " + a.similarity) << "\n"
       << "updates  " << a.updates << "\n";
  head.text = text.str();
  return head;
}

/// One cue of a batch.
RecallAnswer answer_of(const Recall& recall, const Recalled& batch, std::int64_t first,
                       std::size_t i) {
  const store::MemoryFile& memory = recall.memory;
  RecallAnswer answer;
  answer.cue = first + static_cast<std::int64_t>(i);
  answer.updates = batch.steps[i];
  answer.stop = reason_name(batch.reason[i]);
  if (recall.updates < 0) answer.converged = batch.reason[i] == StopReason::kConverged;
  if (recall.has_energy()) {
    answer.energy = short_number(batch.energy[i]);
    answer.energy_cue = short_number(batch.energy_cue[i]);
  }
  answer.lse = short_number(batch.lse[i]);
  answer.entropy = short_number(batch.entropy[i]);
  answer.metastable_size = batch.size[i];
  answer.regime = regime_name(regime(batch.size[i], memory.num_patterns()));
  if (recall.threshold) {
    answer.match_energy = batch.match_energy[i];
    answer.match = recall.threshold->matches(batch.match_energy[i]);
  }
  const auto k = static_cast<std::size_t>(recall.num_top());
  for (std::size_t j = i * k; j < (i + 1) * k; ++j) {
    const std::int64_t index = batch.top_index[j];
    answer.top.push_back({memory.id(index), index, short_number(batch.top[j]), {}});
    if (memory.has_metadata()) answer.top.back().metadata = metadata_of(memory, index);
  }
  if (batch.codes) answer.codes = codes_json(*batch.codes, i);
  const auto depth = static_cast<std::size_t>(recall.readout_depth());
  answer.readout = std::span(batch.readout).subspan(i * depth, depth);
  return answer;
}

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

bool reads_values(const RecallArguments& a, const store::MemoryFile& memory) {
  require(a.what != "values" || memory.has_values(), "--what",
          "expected a memory with values, got '" + a.paths.memory + "', which has none");
  return !a.complete && a.what != "state" && memory.has_values();
}

int run_recall(const RecallArguments& a, const Context& context) {
  if (!a.partial.empty()) return run_partial(a, context);
  const double given_beta = parse_beta(a.beta.beta);
  const std::int64_t updates = parse_updates(a.updates);
  check_recall_output(a.output, a.json, {a.paths.memory, a.paths.cue, a.mask, a.threshold});
  const store::MemoryFile memory = open_memory(a.paths.memory, a.paths.where);
  const bool values = reads_values(a, memory);
  const Missing missing = a.complete ? Missing::kAllow : Missing::kRefuse;
  Rows cues = open_cues(a.paths.cue, memory, missing, a.paths.tensor);
  if (!a.mask.empty()) cues = masked(std::move(cues), a.mask);
  if (a.verify) memory.verify();

  Recall recall{a, memory, updates, values, {}, {}};
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
  std::int64_t num_converged = 0;
  CodesSummary codes;
  const auto begin = [&](const PatternView& states) {
    if (!recall.threshold) recall.beta = choose_beta_of(a, given_beta, memory, states, context);
    if (!recall.beta.doubt.empty()) note(recall.beta.doubt);
    output.emplace(head_of(recall));
  };
  const auto add = [&](std::int64_t first, const PatternView& states) {
    if (!output) begin(states);
    const Recalled batch = answer(recall, states, context);
    num_converged += std::count(batch.reason.begin(), batch.reason.end(), StopReason::kConverged);
    if (batch.codes) codes.add(*batch.codes);
    std::vector<RecallAnswer> answers;
    for (std::size_t i = 0; output->wants_answers() && i < batch.steps.size(); ++i) {
      answers.push_back(answer_of(recall, batch, first, i));
    }
    output->add(answers, batch.readout);
  };
  const std::int64_t num_cues = for_cue_batches(cues, "recalling", context, add, missing);
  if (!output) begin({});
  output->finish(updates < 0 ? Json(num_converged) : Json(nullptr),
                 recall.reranks() ? codes.line() : "");
  const std::int64_t num_moving = num_cues - num_converged;
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
      .add_option(
          "-o,--output", arguments.output,
          "Write the recalled states or values: .npy (f32) alone, .csv, .tsv or .jsonl with "
          "what else is told about each cue; - prints JSON lines")
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
       "hopfield memory recall memory.safetensors --cue cue.npy --threshold threshold.json",
       "hopfield memory recall memory.safetensors --cue cue.npy --beta 8 --updates 1 --partial "
       "a.partial"},
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
  command
      .add_option("--partial", a->partial,
                  "Write what this memory, one of several shards, says about the cues, for memory "
                  "merge; with --updates 1 and a number as --beta")
      ->type_name("FILE");
  add_recall_options(command, context, *a);
}

}  // namespace hopfield::cli
