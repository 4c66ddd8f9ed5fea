#include "cli/memory_answers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iostream>

#include "hopfield/base/error.h"
#include "hopfield/store/predicate.h"

namespace hopfield::cli {

void add_question(CLI::App& command, QuestionPaths& paths, const std::string& cue_help) {
  command.add_option("memory", paths.memory, "A memory")->type_name("FILE")->required();
  command
      .add_option("--cue", paths.cue,
                  cue_help +
                      ", one a row and of the patterns' depth: NPY, safetensors, fvecs, CSV or "
                      "TSV (also .gz); - is a CSV from standard input")
      ->type_name("FILE")
      ->required();
  add_tensor(command, paths.tensor);
}

CLI::Option* add_where(CLI::App& command, std::string& where) {
  return command
      .add_option("--where", where,
                  "Only patterns whose metadata match, as in: label == \"cat\" and (year < 2020 or "
                  "not has(source.file)); also !=, <=, >, >=, in [..], not in [..]")
      ->type_name("PREDICATE");
}

void restrict_where(store::MemoryFile& memory, const std::string& where) {
  if (where.empty()) return;
  memory.restrict_to(matching_patterns(memory, store::Predicate(where)));
}

store::MemoryFile open_memory(const std::string& path, const std::string& where) {
  store::MemoryFile memory(path);
  restrict_where(memory, where);
  if (memory.num_patterns() == 0) {
    fail(ErrorCode::kCorruptData, "memory",
         "'" + path + "': expected a memory with patterns" +
             (where.empty() ? ", got an empty one" : " that match --where, got none"));
  }
  return memory;
}

Rows open_cues(const std::string& path, const store::MemoryFile& memory, Missing missing,
               const std::string& tensor) {
  Rows cues = open_row_stream(path, missing, tensor);
  if (cues.source.depth != memory.depth()) {
    fail(ErrorCode::kCorruptData, "memory",
         "'" + path + "': expected cues of depth " + std::to_string(memory.depth()) +
             " as the patterns of '" + memory.path() + "', got depth " +
             std::to_string(cues.source.depth) +
             (cues.source.depth == memory.depth() + 1 ? "; leave a column of names away" : ""));
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

void add_similarity(CLI::App& command, std::string& similarity) {
  command
      .add_option("--similarity", similarity,
                  "Scalar product, its cosine, or minus the squared distance")
      ->check(CLI::IsMember({"dot", "cosine", "distance"}))
      ->type_name("dot|cosine|distance")
      ->capture_default_str();
}

Similarity parse_similarity(const std::string& name) {
  if (name == "cosine") return Similarity::kCosine;
  return name == "distance" ? Similarity::kNegativeSquaredDistance : Similarity::kDot;
}

double parse_beta(const std::string& text) {
  if (text == "auto") return 0;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto as_float = static_cast<float>(value);  // what scores are multiplied by
  require(error == std::errc() && end == text.data() + text.size() && std::isfinite(as_float) &&
              as_float > 0,
          "--beta", "expected a number > 0 within the range of f32 or 'auto', got '" + text + "'");
  return value;
}

BetaAdvice measure_beta(const store::MemoryFile& memory, AdviceOptions options) {
  Progress progress("measuring beta", options.num_betas);
  options.progress = [&progress](std::int64_t tried) { progress.update(tried); };
  return advise_beta(memory.patterns(), options);
}

std::string shadowed_text(const PatternStatistics& seen) {
  return std::to_string(seen.num_shadowed) + " of " + std::to_string(seen.compared.size()) +
         " compared" +
         (seen.num_shadowed > 0 ? " (recall --similarity distance tells all but equal ones apart)"
                                : "");
}

Beta choose_beta(double given, const store::MemoryFile& memory, const AdviceOptions& advice) {
  if (given > 0) return {given, "given"};
  const BetaAdvice measured = measure_beta(memory, advice);
  const PatternStatistics& seen = measured.statistics;
  Beta beta{measured.beta, std::string(beta_source_name(measured.source))};
  const bool falls_short =
      measured.source != BetaSource::kMeasured && measured.source != BetaSource::kSingle;
  const auto tolerated = (1 - advice.wanted) * static_cast<double>(seen.compared.size());
  if (falls_short && advice.similarity == Similarity::kDot && advice.cue != CueKind::kMissing &&
      static_cast<double>(seen.num_shadowed) > tolerated) {
    beta.doubt = "no beta recalls patterns whose scalar product with another is larger: " +
                 shadowed_text(seen);
  }
  return beta;
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

Json memory_facts(const store::MemoryFile& memory) {
  Json json = {{"path", memory.path()},
               {"num_patterns", memory.num_patterns()},
               {"depth", memory.depth()},
               {"dtype", dtype_name(memory.dtype())},
               {"bytes", memory.num_bytes()},
               {"tombstones", memory.tombstones()},
               {"changes", memory.num_changes()},
               {"version", memory.version()},
               {"has_ids", memory.has_ids()},
               {"has_metadata", memory.has_metadata()},
               {"has_values", memory.has_values()}};
  if (memory.dtype() == DType::kI8) {
    const auto exact = memory.exact_dtype();
    json["exact_dtype"] = exact ? Json(dtype_name(*exact)) : Json(nullptr);
  }
  if (memory.has_values()) {
    json["values_depth"] = memory.values_depth();
    json["values_dtype"] = dtype_name(memory.values_dtype());
  }
  return json;
}

Json metadata_of(const store::MemoryFile& memory, std::int64_t pattern) {
  Json json = Json::parse(memory.metadata(pattern), nullptr, false);
  if (!json.is_object()) {
    fail(ErrorCode::kCorruptData, "memory",
         "'" + memory.path() + "', pattern '" + memory.id(pattern) +
             "': expected a JSON object as metadata, got another text; the file is damaged");
  }
  return json;
}

double short_number(float value) {
  char text[32];
  const auto written = std::to_chars(text, text + sizeof text, value);
  double result = value;
  std::from_chars(text, written.ptr, result);
  return result;
}

std::int64_t for_cue_batches(const Rows& cues, const std::string& label, const Context& context,
                             const std::function<void(std::int64_t, const PatternView&)>& answer,
                             Missing missing) {
  Progress progress(label, cues.source.num_patterns);
  std::int64_t num_cues = 0;
  while (true) {
    stop_if_cancelled(context);
    // The first answers may be printed, which must not meet a line of progress.
    if (num_cues > 0) progress.update(num_cues);
    const std::vector<float> states = read_rows(cues, num_cues, kCueBatch, missing);
    if (states.empty()) return num_cues;
    const std::int64_t count = std::ssize(states) / cues.source.depth;
    answer(num_cues, pattern_view(states.data(), count, cues.source.depth));
    num_cues += count;
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

AnswerFormat answer_format(const std::string& path) {
  if (path.empty()) return AnswerFormat::kNone;
  const auto named = [&path](std::string_view ending) {
    return path.size() > ending.size() && path.ends_with(ending);
  };
  if (path == "-" || named(".jsonl")) return AnswerFormat::kJsonLines;
  if (named(".npy")) return AnswerFormat::kNpy;
  if (named(".csv")) return AnswerFormat::kCsv;
  require(named(".tsv"), "--output",
          "expected - or a name that ends in .npy, .csv, .tsv or .jsonl, got '" + path + "'");
  return AnswerFormat::kTsv;
}

MemoryJson::MemoryJson(const std::string& path, const std::string& kind, const std::string& command)
    : path_(path), kind_(kind), command_(command) {
  const MappedFile file(path);
  const auto* text = reinterpret_cast<const char*>(file.bytes().data());
  json_ = Json::parse(text, text + file.bytes().size(), nullptr, false);
  if (!json_.is_object() || json_.value("format", Json()) != "hopfield." + kind) {
    damaged("expected a file that " + command + " wrote, got something else");
  }
}

double MemoryJson::number(const char* key) const {
  if (!json_.contains(key) || !json_[key].is_number()) {
    damaged(std::string("expected a number '") + key + "', got none");
  }
  return json_[key].get<double>();
}

void MemoryJson::require_for(const store::MemoryFile& memory) const {
  const double patterns = number("num_patterns"), depth = number("depth");
  if (patterns == static_cast<double>(memory.num_patterns()) &&
      depth == static_cast<double>(memory.depth())) {
    return;
  }
  damaged("expected a " + kind_ + " for '" + memory.path() + "' with " +
          std::to_string(memory.num_patterns()) + " patterns of depth " +
          std::to_string(memory.depth()) + ", got one for " +
          std::to_string(static_cast<std::int64_t>(patterns)) + " of depth " +
          std::to_string(static_cast<std::int64_t>(depth)) + "; run " + command_ + " again");
}

void MemoryJson::damaged(const std::string& what) const {
  fail(ErrorCode::kCorruptData, kind_, "'" + path_ + "': " + what);
}

}  // namespace hopfield::cli
