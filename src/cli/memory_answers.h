#ifndef HOPFIELD_SRC_CLI_MEMORY_ANSWERS_H_
#define HOPFIELD_SRC_CLI_MEMORY_ANSWERS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/common.h"
#include "cli/patterns.h"
#include "hopfield/base/os.h"
#include "hopfield/memory/retrieve.h"
#include "hopfield/store/memory_file.h"
#include "hopfield/store/npy.h"

// What the commands that ask a memory share.
namespace hopfield::cli {

using Json = nlohmann::ordered_json;

/// How many cues are read and answered at a time, so that an interrupt is heard and memory stays
/// bounded; no result depends on it.
constexpr std::int64_t kCueBatch = 256;

/// The positional argument MEMORY, --cue FILE and --tensor NAME, of which the cue `cue_help`
/// introduces ("States to score").
struct QuestionPaths {
  std::string memory, cue, tensor;
  std::string where;  ///< of add_where
};
void add_question(CLI::App& command, QuestionPaths& paths, const std::string& cue_help);

/// Opens a memory, or its patterns that match. Errors: as store::MemoryFile and restrict_where;
/// kCorruptData if there is no pattern.
store::MemoryFile open_memory(const std::string& path, const std::string& where = "");

/// Opens cues for a memory, for for_cue_batches. Errors: as open_row_stream; kCorruptData if their
/// depth is another one.
Rows open_cues(const std::string& path, const store::MemoryFile& memory,
               Missing missing = Missing::kRefuse, const std::string& tensor = "");

/// --where PREDICATE (hopfield/store/predicate.h), and the memory of the patterns that match; no
/// PREDICATE keeps all. Errors: as store::matching_patterns.
CLI::Option* add_where(CLI::App& command, std::string& where);
void restrict_where(store::MemoryFile& memory, const std::string& where);

/// --beta and --expect.
struct BetaArguments {
  std::string beta = "auto", expect = kExpectDefault;
};
void add_beta(CLI::App& command, BetaArguments& arguments);

/// --similarity, which starts as "dot".
void add_similarity(CLI::App& command, std::string& similarity);
Similarity parse_similarity(const std::string& name);

struct Beta {
  double value = 0;
  std::string source = "given";
  std::string doubt = {};  ///< why a measured one recalls few patterns; empty: it recalls enough
};
/// The number given on the command line; 0 for "auto". Errors: kInvalidArgument.
double parse_beta(const std::string& text);
/// advise_beta, with progress on a terminal.
BetaAdvice measure_beta(const store::MemoryFile& memory, AdviceOptions options);
/// How many patterns are shadowed, "2 of 9 compared", and what helps.
std::string shadowed_text(const PatternStatistics& seen);
/// `given`, or, where that is 0, what advise_beta measures on the memory.
Beta choose_beta(double given, const store::MemoryFile& memory, const AdviceOptions& advice);

/// --updates: number of updates asked for, -1 for "converge".
std::int64_t parse_updates(const std::string& text);
std::string_view reason_name(StopReason reason);

/// What `stat --quick` tells.
Json memory_facts(const store::MemoryFile& memory);

/// Metadata of a pattern. Errors: kCorruptData if it is damaged.
Json metadata_of(const store::MemoryFile& memory, std::int64_t pattern);

/// The double that prints as shortly as the float does.
double short_number(float value);

/// Reads all cues, kCueBatch at a time, and calls answer(first, states [count, depth]) for each
/// batch; shows progress, hears an interrupt. Returns how many there were.
std::int64_t for_cue_batches(
    const Rows& cues, const std::string& label, const Context& context,
    const std::function<void(std::int64_t first, const PatternView& states)>& answer,
    Missing missing = Missing::kRefuse);

/// Lines as they come: a file that appears when complete, or standard output for "-".
class LineOutput {
 public:
  explicit LineOutput(const std::string& path);
  void write(std::string_view text);
  void commit();

 private:
  std::unique_ptr<AtomicFile> file_;
};

/// What -o FILE is by its name's ending.
enum class AnswerFormat : std::uint8_t { kNone, kNpy, kCsv, kTsv, kJsonLines };
/// "" is kNone, "-" kJsonLines. Errors: kInvalidArgument for another ending.
AnswerFormat answer_format(const std::string& path);

/// Answers of type T as they come; the file appears when complete. Of `numbers`, `cells` and
/// `json`, those do something that the format wants; a caller asks `format` to save work.
template <class T>
class AnswerOutput {
 public:
  /// An NPY has rows of `num_numbers`, a table these columns.
  AnswerOutput(const std::string& path, std::int64_t num_numbers,
               const std::vector<std::string>& columns)
      : format_(answer_format(path)), delimiter_(format_ == AnswerFormat::kTsv ? '\t' : ',') {
    if (format_ == AnswerFormat::kNone) return;
    if (format_ == AnswerFormat::kNpy) {
      npy_ = std::make_unique<store::NpyWriter<T>>(path, num_numbers);
      return;
    }
    lines_ = std::make_unique<LineOutput>(path);
    cells(columns);
  }

  AnswerFormat format() const { return format_; }
  bool table() const { return format_ == AnswerFormat::kCsv || format_ == AnswerFormat::kTsv; }

  void numbers(std::span<const T> rows) {
    if (npy_ != nullptr) npy_->append(rows);
  }
  /// A line of a table; texts as csv_cell gives them.
  void cells(const std::vector<std::string>& row) {
    if (!table()) return;
    std::string line;
    for (const std::string& cell : row) line += cell + delimiter_;
    line.back() = '\n';
    lines_->write(line);
  }
  void json(const Json& answer) {
    if (format_ == AnswerFormat::kJsonLines) lines_->write(answer.dump() + "\n");
  }
  void commit() {
    if (npy_ != nullptr) npy_->commit();
    if (lines_ != nullptr) lines_->commit();
  }

 private:
  AnswerFormat format_;
  char delimiter_;
  std::unique_ptr<store::NpyWriter<T>> npy_;
  std::unique_ptr<LineOutput> lines_;
};

/// A JSON file that a command wrote for one memory: what `kind` says ("threshold"). Errors:
/// kCorruptData naming the file.
class MemoryJson {
 public:
  /// `command` ("memory calibrate") wrote it, as format "hopfield." + kind. Errors: kIo.
  MemoryJson(const std::string& path, const std::string& kind, const std::string& command);
  const Json& json() const { return json_; }
  double number(const char* key) const;
  /// Its num_patterns and depth are those of this memory.
  void require_for(const store::MemoryFile& memory) const;
  [[noreturn]] void damaged(const std::string& what) const;

 private:
  std::string path_, kind_, command_;
  Json json_;
};

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_MEMORY_ANSWERS_H_
