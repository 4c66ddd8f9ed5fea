#include "cli/patterns.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "hopfield/base/error.h"
#include "hopfield/base/os.h"
#include "hopfield/store/csv.h"
#include "hopfield/store/fvecs.h"
#include "hopfield/store/npy.h"

namespace hopfield::cli {
namespace {

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

bool is_table(const std::string& path) {
  std::string name = path;
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (ends_with(name, ".gz")) name.resize(name.size() - 3);
  return ends_with(name, ".csv") || ends_with(name, ".tsv") || ends_with(name, ".tab") ||
         ends_with(name, ".txt");
}

std::string shape_error(const std::string& path, const std::string& got) {
  return "'" + path + "': expected numbers of shape [rows, depth], got " + got;
}

std::function<std::string(std::int64_t, std::int64_t)> counted_from_0(const std::string& path) {
  return [path](std::int64_t row, std::int64_t column) {
    return "'" + path + "', row " + std::to_string(row) + ", column " + std::to_string(column) +
           " (counted from 0)";
  };
}

Rows open_npy(const std::string& path, bool single) {
  const auto file = std::make_shared<store::NpyFile>(path);
  const std::vector<std::int64_t>& shape = file->shape();
  if (shape.empty() || (shape.size() == 1 && !single)) {
    fail(ErrorCode::kCorruptData, "npy", shape_error(path, store::shape_text(shape)));
  }
  Rows rows;
  const bool one = shape.size() == 1;
  rows.source.num_patterns = one ? 1 : shape[0];
  rows.source.depth = 1;
  for (std::size_t i = one ? 0 : 1; i < shape.size(); ++i) {
    // Cannot wrap for a file with numbers in it; with a size of 0 the product of the rest may.
    if (__builtin_mul_overflow(rows.source.depth, shape[i], &rows.source.depth)) {
      rows.source.depth = 0;
    }
  }
  if (rows.source.depth == 0) {
    fail(ErrorCode::kCorruptData, "npy", shape_error(path, store::shape_text(shape)));
  }
  rows.source.rows = [file, one](std::int64_t first, std::int64_t count) {
    return one ? (count == 1 ? file->read<double>() : std::vector<double>())
               : file->read_rows<double>(first, count);
  };
  rows.source.where = counted_from_0(path);
  return rows;
}

double number_of(const store::CsvReader& reader, std::size_t column, Missing missing) {
  const std::string_view cell = reader.text(column);
  if (missing == Missing::kAllow && (cell.empty() || cell == "nan" || cell == "NaN")) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return reader.number(column);
}

Rows open_table(const std::string& path, const std::string& id_column, Missing missing) {
  store::CsvReader reader(path);
  constexpr auto kNone = std::numeric_limits<std::size_t>::max();
  const std::size_t id = id_column.empty() ? kNone : reader.column(id_column);
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < reader.columns().size(); ++i) {
    if (i != id) numbers.push_back(i);
  }
  if (numbers.empty()) {
    fail(ErrorCode::kCorruptData, "csv", "'" + path + "': expected columns of numbers, got none");
  }
  Rows rows;
  const auto values = std::make_shared<std::vector<double>>();
  while (reader.next()) {
    for (const std::size_t column : numbers) values->push_back(number_of(reader, column, missing));
    if (id != kNone) rows.ids.emplace_back(reader.text(id));
  }
  const auto depth = static_cast<std::int64_t>(numbers.size());
  rows.source.depth = depth;
  rows.source.num_patterns = reader.row();
  rows.source.rows = [values, depth](std::int64_t first, std::int64_t count) {
    return std::vector<double>(values->begin() + first * depth,
                               values->begin() + (first + count) * depth);
  };
  std::vector<std::string> names;
  for (const std::size_t column : numbers) names.push_back(reader.columns()[column]);
  rows.source.where = [path, names](std::int64_t row, std::int64_t column) {
    return "'" + path + "', row " + std::to_string(row + 1) + ", column '" +
           names[static_cast<std::size_t>(column)] + "'";
  };
  return rows;
}

Rows open_fvecs(const std::string& path) {
  const auto file = std::make_shared<store::FvecsFile>(path);
  if (file->depth() == 0) {
    fail(ErrorCode::kCorruptData, "fvecs", "'" + path + "': expected vectors, got an empty file");
  }
  Rows rows;
  rows.source.num_patterns = file->num_vectors();
  rows.source.depth = file->depth();
  rows.source.rows = [file](std::int64_t first, std::int64_t count) {
    return file->read_rows(first, count);
  };
  rows.source.where = counted_from_0(path);
  return rows;
}

}  // namespace

Rows open_rows(const std::string& path, const std::string& id_column, bool single,
               Missing missing) {
  if (path == "-") return open_table("/dev/stdin", id_column, missing);
  if (is_table(path)) return open_table(path, id_column, missing);
  if (ends_with(path, ".fvecs") && id_column.empty()) return open_fvecs(path);
  if (!ends_with(path, ".npy")) {
    // The system's complaint about a missing file comes before ours about its name.
    (void)InputFile(path);
    fail(ErrorCode::kInvalidArgument, "read",
         "expected a file named .npy, .csv, .tsv, .csv.gz, .tsv.gz or .fvecs, or - (a CSV from "
         "standard input), got '" +
             path + "'");
  }
  require(id_column.empty(), "--id-column", "expected a CSV or TSV file, got '" + path + "'");
  return open_npy(path, single);
}

std::vector<float> read_rows(const Rows& rows, std::int64_t first, std::int64_t count,
                             Missing missing) {
  const store::PatternSource& source = rows.source;
  const std::vector<double> numbers = source.rows(first, count);
  std::vector<float> result(numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    result[i] = static_cast<float>(numbers[i]);
    if (std::isfinite(result[i])) continue;
    if (missing == Missing::kAllow && std::isnan(numbers[i])) continue;
    const auto at = static_cast<std::int64_t>(i);
    fail(ErrorCode::kCorruptData, "read",
         source.where(first + at / source.depth, at % source.depth) +
             ": expected a finite number within the range of f32, got " +
             (std::isnan(numbers[i]) ? std::string("NaN") : std::to_string(numbers[i])));
  }
  return result;
}

std::vector<std::string> read_ids(const std::string& path) {
  const MappedFile file(path);
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()),
                              file.bytes().size());
  std::vector<std::string> ids;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    ids.emplace_back(line);
    begin = end + 1;
  }
  return ids;
}

void add_named_rows(CLI::App& command, NamedRows& arguments) {
  command
      .add_option("patterns", arguments.patterns,
                  "Patterns, one a row: NPY (dimensions after the first are flattened), CSV or TSV "
                  "(first line names the columns), plain or gz")
      ->type_name("FILE")
      ->required();
  CLI::Option* ids =
      command.add_option("--ids", arguments.ids, "Names of the patterns, one a line")
          ->type_name("FILE");
  command.add_option("--id-column", arguments.id_column, "Column of a CSV that holds the names")
      ->type_name("NAME")
      ->excludes(ids);
}

Rows open_named_rows(const NamedRows& arguments) {
  Rows rows = open_rows(arguments.patterns, arguments.id_column, false);
  if (arguments.ids.empty()) return rows;
  rows.ids = read_ids(arguments.ids);
  if (rows.ids.size() != static_cast<std::uint64_t>(rows.source.num_patterns)) {
    fail(ErrorCode::kCorruptData, "--ids",
         "'" + arguments.ids + "': expected " + std::to_string(rows.source.num_patterns) +
             " lines, one a pattern, got " + std::to_string(rows.ids.size()));
  }
  return rows;
}

void add_expect(CLI::App& command, std::string& expect) {
  command
      .add_option("--expect", expect,
                  "How cues differ from patterns, for the measured beta: noise half as long as the "
                  "patterns' spread, a random half hidden (0), or the second half covered (0)")
      ->check(CLI::IsMember({"noisy", "hidden", "covered"}))
      ->type_name("noisy|hidden|covered")
      ->capture_default_str();
}

AdviceOptions affordable_advice(const store::MemoryFile& memory, const std::string& expect,
                                Executor* executor) {
  constexpr double kProducts = 1e11;
  constexpr std::int64_t kFewestCues = 16, kMostCues = 256;
  const double pass =
      static_cast<double>(memory.num_patterns()) * static_cast<double>(memory.depth());
  AdviceOptions options;
  options.executor = executor;
  options.cue = expect == "noisy"    ? CueKind::kNoisy
                : expect == "hidden" ? CueKind::kHidden
                                     : CueKind::kCovered;
  options.num_betas = 16;
  // A pass multiplies each pattern twice: score, then mean.
  const auto cues_within = [&options, pass] {
    const std::int64_t passes = options.num_betas * (options.update_steps + 1);
    return kProducts / (2 * static_cast<double>(passes) * pass);
  };
  if (cues_within() < kFewestCues) {  // a large memory: a coarser grid and fewer updates
    options.num_betas = 8;
    options.update_steps = 1;
  }
  options.num_cues =
      static_cast<std::int64_t>(std::clamp(cues_within(), double{kFewestCues}, double{kMostCues}));
  options.statistics.num_compared =
      static_cast<std::int64_t>(std::clamp(kProducts / pass / 2, 64.0, 4096.0));
  return options;
}

}  // namespace hopfield::cli
