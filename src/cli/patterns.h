#ifndef HOPFIELD_SRC_CLI_PATTERNS_H_
#define HOPFIELD_SRC_CLI_PATTERNS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "hopfield/memory/advice.h"
#include "hopfield/store/memory_file.h"

namespace hopfield::cli {

/// Rows of numbers as commands take them.
struct Rows {
  store::PatternSource source;
  std::vector<std::string> ids;  ///< of the id column, if one was named
};

/// What NaN, or an empty cell or "nan" in a table, means.
enum class Missing : std::uint8_t {
  kRefuse,  ///< bad data
  kAllow,   ///< a number that is not known; it comes as NaN
};

/// Opens an NPY file (dimensions after the first are flattened), an fvecs file or a CSV / TSV
/// table, plain or gz; "-" is a CSV from standard input. `id_column` names a column of text. A
/// one-dimensional NPY is one row if `single` allows it. Errors: kIo, kCorruptData,
/// kInvalidArgument naming the file.
Rows open_rows(const std::string& path, const std::string& id_column, bool single,
               Missing missing = Missing::kRefuse);

/// PATTERNS, --ids FILE and --id-column NAME: patterns with or without names.
struct NamedRows {
  std::string patterns, ids, id_column;
};
void add_named_rows(CLI::App& command, NamedRows& arguments);
/// Errors: as open_rows and read_ids.
Rows open_named_rows(const NamedRows& arguments);

/// Rows [first, first + count) as f32. Errors: kCorruptData naming row and column of a number that
/// is not finite; NaN passes if `missing` allows it.
std::vector<float> read_rows(const Rows& rows, std::int64_t first, std::int64_t count,
                             Missing missing = Missing::kRefuse);

/// One id a line. Errors: kIo.
std::vector<std::string> read_ids(const std::string& path);

/// --expect: how cues differ from the stored patterns, which is what a beta is measured with.
constexpr const char* kExpectDefault = "hidden";
void add_expect(CLI::App& command, std::string& expect);

/// Options of advise_beta for a memory of this size: as many cues and compared patterns as take a
/// few seconds at most. They depend on nothing else, so `--beta auto` and `memory stat` agree.
AdviceOptions affordable_advice(const store::MemoryFile& memory, const std::string& expect,
                                Executor* executor);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_PATTERNS_H_
