#include "cli/memory_answers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iostream>

#include "hopfield/base/error.h"

namespace hopfield::cli {

void add_question(CLI::App& command, QuestionPaths& paths, const std::string& cue_help) {
  command.add_option("memory", paths.memory, "A memory")->type_name("FILE")->required();
  command
      .add_option("--cue", paths.cue,
                  cue_help +
                      ", one a row and of the patterns' depth: NPY, fvecs, CSV or TSV, plain or "
                      "gz; - is a CSV from standard input")
      ->type_name("FILE")
      ->required();
}

store::MemoryFile open_memory(const std::string& path) {
  store::MemoryFile memory(path);
  if (memory.num_patterns() == 0) {
    fail(ErrorCode::kCorruptData, "memory",
         "'" + path + "': expected a memory with patterns, got an empty one");
  }
  return memory;
}

Rows open_cues(const std::string& path, const store::MemoryFile& memory, Missing missing) {
  Rows cues = open_rows(path, "", true, missing);
  if (cues.source.depth != memory.depth()) {
    fail(ErrorCode::kCorruptData, "memory",
         "'" + path + "': expected cues of depth " + std::to_string(memory.depth()) +
             " as the patterns of '" + memory.path() + "', got depth " +
             std::to_string(cues.source.depth));
  }
  return cues;
}

void add_beta(CLI::App& command, BetaArguments& arguments) {
  command
      .add_option("--beta", arguments.beta,
                  "Inverse temperature > 0: large recalls single patterns, small averages; 'auto' "
                  "measures on the patterns which one serves (memory stat shows how)")
      ->type_name("B|auto")
      ->capture_default_str();
  add_expect(command, arguments.expect);
}

double parse_beta(const std::string& text) {
  if (text == "auto") return 0;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(
      error == std::errc() && end == text.data() + text.size() && std::isfinite(value) && value > 0,
      "--beta", "expected a number > 0 or 'auto', got '" + text + "'");
  return value;
}

Beta choose_beta(double given, const store::MemoryFile& memory, const AdviceOptions& advice) {
  if (given > 0) return {given, "given"};
  const BetaAdvice measured = advise_beta(memory.patterns(), advice);
  return {measured.beta, std::string(beta_source_name(measured.source))};
}

std::int64_t parse_updates(const std::string& text) {
  if (text == "converge") return -1;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size() && value >= 1, "--updates",
          "expected a whole number >= 1 or 'converge', got '" + text + "'");
  return value;
}

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

double short_number(float value) {
  char text[32];
  const auto written = std::to_chars(text, text + sizeof text, value);
  double result = value;
  std::from_chars(text, written.ptr, result);
  return result;
}

void for_cue_batches(const Rows& cues, std::int64_t num_cues, const std::string& label,
                     const Context& context,
                     const std::function<void(std::int64_t, const PatternView&)>& answer) {
  Progress progress(label, num_cues);
  for (std::int64_t first = 0; first < num_cues; first += kCueBatch) {
    stop_if_cancelled(context);
    progress.update(first);
    const std::int64_t count = std::min(kCueBatch, num_cues - first);
    const std::vector<float> states = read_rows(cues, first, count);
    answer(first, pattern_view(states.data(), count, cues.source.depth));
  }
}

LineOutput::LineOutput(const std::string& path) {
  if (path != "-") file_ = std::make_unique<AtomicFile>(path);
}

void LineOutput::write(std::string_view text) {
  if (file_ != nullptr) {
    file_->write(text);
  } else {
    std::cout << text;
  }
}

void LineOutput::commit() {
  if (file_ != nullptr) {
    file_->commit();
  } else {
    std::cout << std::flush;
  }
}

}  // namespace hopfield::cli
