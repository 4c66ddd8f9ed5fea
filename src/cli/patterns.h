#ifndef HOPFIELD_SRC_CLI_PATTERNS_H_
#define HOPFIELD_SRC_CLI_PATTERNS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hopfield/memory/advice.h"
#include "hopfield/store/memory_file.h"

namespace hopfield::cli {

/// Rows of numbers as commands take them.
struct Rows {
  store::PatternSource source;
  std::vector<std::string> ids;  ///< of the id column, if one was named

  // Of open_named_rows.
  std::optional<store::PatternSource> values;
  std::vector<std::string> metadata;
  std::string metadata_file;
  /// For a memory; the rows must outlive it.
  store::Attachments attached() const {
    return {values ? &*values : nullptr, metadata, metadata_file};
  }
};

/// What NaN, or an empty cell or "nan" in a table, means.
enum class Missing : std::uint8_t {
  kRefuse,  ///< bad data
  kAllow,   ///< a number that is not known; it comes as NaN
};

/// Opens an NPY file or a safetensors file (dimensions after the first are flattened), an fvecs
/// file or a CSV / TSV table, plain or gz; "-" is a CSV from standard input. `id_column` names a
/// column of text, `tensor` a tensor, which a safetensors file with one needs not. A
/// one-dimensional NPY or tensor is one row if `single` allows it. Errors: kIo, kCorruptData,
/// kInvalidArgument naming the file.
Rows open_rows(const std::string& path, const std::string& id_column, bool single,
               Missing missing = Missing::kRefuse, const std::string& tensor = "");

/// The same for rows that are read once, in order (read_rows): a table is not held in memory, and
/// its num_patterns is kUnknownCount.
constexpr std::int64_t kUnknownCount = -1;
Rows open_row_stream(const std::string& path, Missing missing = Missing::kRefuse,
                     const std::string& tensor = "");

/// --tensor NAME of a safetensors file.
void add_tensor(CLI::App& command, std::string& tensor);

/// PATTERNS, --tensor NAME, --ids FILE and --id-column NAME, --values FILE and --metadata FILE:
/// patterns and what belongs to them.
struct NamedRows {
  std::string patterns, tensor, ids, id_column, values, metadata;
};
/// Returns PATTERNS, which may be left away.
CLI::Option* add_named_rows(CLI::App& command, NamedRows& arguments);
/// Without PATTERNS the source has as many patterns as there are ids, and no depth. Errors: as
/// open_rows and read_lines; kCorruptData for files of which the lengths differ.
Rows open_named_rows(const NamedRows& arguments);

/// Rows [first, first + count) as f32, fewer where they end. Errors: kCorruptData naming row and
/// column of a number that is not finite; NaN passes if `missing` allows it.
std::vector<float> read_rows(const Rows& rows, std::int64_t first, std::int64_t count,
                             Missing missing = Missing::kRefuse);

/// One id, or one JSON object, a line. Errors: kIo.
std::vector<std::string> read_lines(const std::string& path);

/// --expect: how cues differ from the stored patterns, which is what a beta is measured with.
constexpr const char* kExpectDefault = "hidden";
void add_expect(CLI::App& command, std::string& expect);

/// Options of advise_beta for a memory of this size: as many cues and compared patterns as take a
/// few seconds at most. They depend on nothing else, so `--beta auto` and `memory stat` agree.
AdviceOptions affordable_advice(const store::MemoryFile& memory, const std::string& expect,
                                Executor* executor);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_PATTERNS_H_
