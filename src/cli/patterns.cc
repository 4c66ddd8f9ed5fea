#include "cli/patterns.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <memory>

#include "cli/common.h"
#include "hopfield/base/error.h"
#include "hopfield/base/os.h"
#include "hopfield/store/csv.h"
#include "hopfield/store/fvecs.h"
#include "hopfield/store/npy.h"
#include "hopfield/store/safetensors.h"

namespace hopfield::cli {
namespace {

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// "-" is a CSV from standard input.
std::string file_of(const std::string& path) {
  return path == "-" ? "/dev/stdin" : path;
}

bool is_table(const std::string& path) {
  if (path == "-") return true;
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

/// Rows of an array of this shape, without how they are read. `format` and `path` are for messages.
Rows rows_of_shape(const std::vector<std::int64_t>& shape, bool single, const std::string& format,
                   const std::string& path) {
  if (shape.empty() || (shape.size() == 1 && !single)) {
    fail(ErrorCode::kCorruptData, format,
         shape_error(path, store::shape_text(shape)) +
             (shape.empty() ? "" : "; reshape it to [rows, 1] or [1, depth]"));
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
    fail(ErrorCode::kCorruptData, format, shape_error(path, store::shape_text(shape)));
  }
  rows.source.where = counted_from_0(path);
  return rows;
}

Rows open_npy(const std::string& path, bool single) {
  const auto file = std::make_shared<store::NpyFile>(path);
  Rows rows = rows_of_shape(file->shape(), single, "npy", path);
  const bool one = file->shape().size() == 1;
  rows.source.rows = [file, one](std::int64_t first, std::int64_t count) {
    return one ? (count == 1 ? file->read<double>() : std::vector<double>())
               : file->read_rows<double>(first, count);
  };
  return rows;
}

Rows open_safetensors(const std::string& path, const std::string& tensor, bool single) {
  const auto file = std::make_shared<store::SafetensorsFile>(path);
  if (tensor.empty() && file->tensors().size() != 1) {
    std::string names;
    for (const store::TensorEntry& entry : file->tensors()) names += " " + entry.name;
    fail(ErrorCode::kInvalidArgument, "--tensor",
         "expected the name of a tensor of '" + path + "', got none; it has" +
             (names.empty() ? " none" : names));
  }
  const store::TensorEntry& entry = tensor.empty() ? file->tensors().front() : file->at(tensor);
  if (!store::float_dtype(entry.type)) {
    fail(ErrorCode::kCorruptData, "safetensors",
         "'" + path + "', tensor '" + entry.name + "': expected F32, F16, BF16 or F64, got " +
             std::string(store::tensor_type_name(entry.type)));
  }
  Rows rows = rows_of_shape(entry.shape, single, "safetensors", path);
  const std::int64_t depth = rows.source.depth;
  rows.source.rows = [file, &entry, depth](std::int64_t first, std::int64_t count) {
    return file->read_part<double>(entry, first * depth, count * depth);
  };
  return rows;
}

double number_of(const store::CsvReader& reader, std::size_t column, Missing missing) {
  const std::string_view cell = reader.text(column);
  if (missing == Missing::kAllow && (cell.empty() || cell == "nan" || cell == "NaN")) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return reader.number(column);
}

bool is_number(std::string_view text) {
  double value = 0;
  return std::from_chars(text.data(), text.data() + text.size(), value).ptr ==
         text.data() + text.size();
}

/// A table, read row by row.
struct Table {
  Table(const std::string& path, const std::string& id_column, Missing missing_means)
      : reader(path), missing(missing_means) {
    if (!id_column.empty()) id = reader.column(id_column);
    for (std::size_t i = 0; i < reader.columns().size(); ++i) {
      if (i == id) continue;
      numbers.push_back(i);
      names.push_back(reader.columns()[i]);
    }
    if (numbers.empty()) {
      fail(ErrorCode::kCorruptData, "csv", "'" + path + "': expected columns of numbers, got none");
    }
    if (std::all_of(names.begin(), names.end(), is_number)) {
      note("'" + path +
           "': the first line, all numbers, names the columns; if it is a row, put a line of names "
           "before it");
    }
  }

  /// The next rows, `count` at most; their names behind `ids`.
  std::vector<double> next(std::int64_t count, std::vector<std::string>& ids) {
    std::vector<double> values;
    for (std::int64_t i = 0; i < count && reader.next(); ++i) {
      for (const std::size_t column : numbers) {
        values.push_back(number_of(reader, column, missing));
      }
      if (id) ids.emplace_back(reader.text(*id));
    }
    return values;
  }

  store::CsvReader reader;
  Missing missing;
  std::optional<std::size_t> id;
  std::vector<std::size_t> numbers;
  std::vector<std::string> names;
};

Rows table_rows(const std::string& path, const Table& table) {
  Rows rows;
  rows.source.num_patterns = kUnknownCount;
  rows.source.depth = std::ssize(table.numbers);
  rows.source.where = [path, names = table.names](std::int64_t row, std::int64_t column) {
    return "'" + path + "', row " + std::to_string(row + 1) + ", column '" +
           names[static_cast<std::size_t>(column)] + "'";
  };
  return rows;
}

Rows stream_table(const std::string& path, Missing missing) {
  const auto table = std::make_shared<Table>(path, "", missing);
  Rows rows = table_rows(path, *table);
  rows.source.rows = [table](std::int64_t, std::int64_t count) {
    std::vector<std::string> no_ids;
    return table->next(count, no_ids);
  };
  return rows;
}

Rows open_table(const std::string& path, const std::string& id_column, Missing missing) {
  Table table(path, id_column, missing);
  Rows rows = table_rows(path, table);
  const std::int64_t depth = rows.source.depth;
  const auto values = std::make_shared<std::vector<double>>(
      table.next(std::numeric_limits<std::int64_t>::max(), rows.ids));
  rows.source.num_patterns = std::ssize(*values) / depth;
  rows.source.rows = [values, depth](std::int64_t first, std::int64_t count) {
    return std::vector<double>(values->begin() + first * depth,
                               values->begin() + (first + count) * depth);
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

Rows open_rows(const std::string& path, const std::string& id_column, bool single, Missing missing,
               const std::string& tensor) {
  const bool tensors = ends_with(path, ".safetensors");
  require(tensors || tensor.empty(), "--tensor",
          "expected a file named .safetensors, got '" + path + "'; leave --tensor away");
  if (is_table(path)) return open_table(file_of(path), id_column, missing);
  if (ends_with(path, ".fvecs") && id_column.empty()) return open_fvecs(path);
  if (!tensors && !ends_with(path, ".npy")) {
    // The system's complaint about a missing file comes before ours about its name.
    (void)InputFile(path);
    fail(ErrorCode::kInvalidArgument, "read",
         "expected a file named .npy, .csv, .tsv, .csv.gz, .tsv.gz, .fvecs or .safetensors, or - "
         "(a CSV from standard input), got '" +
             path + "'");
  }
  require(id_column.empty(), "--id-column", "expected a CSV or TSV file, got '" + path + "'");
  return tensors ? open_safetensors(path, tensor, single) : open_npy(path, single);
}

Rows open_row_stream(const std::string& path, Missing missing, const std::string& tensor) {
  if (is_table(path) && tensor.empty()) return stream_table(file_of(path), missing);
  return open_rows(path, "", true, missing, tensor);
}

std::vector<float> read_rows(const Rows& rows, std::int64_t first, std::int64_t count,
                             Missing missing) {
  const store::PatternSource& source = rows.source;
  if (source.num_patterns != kUnknownCount) count = std::min(count, source.num_patterns - first);
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

std::vector<std::string> read_lines(const std::string& path) {
  const MappedFile file(path);
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()),
                              file.bytes().size());
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    lines.emplace_back(line);
    begin = end + 1;
  }
  return lines;
}

void add_tensor(CLI::App& command, std::string& tensor) {
  command
      .add_option("--tensor", tensor,
                  "Tensor of a safetensors file (F32, F16, BF16 or F64); not needed if it has one")
      ->type_name("NAME");
}

CLI::Option* add_named_rows(CLI::App& command, NamedRows& arguments) {
  CLI::Option* patterns =
      command
          .add_option(
              "patterns", arguments.patterns,
              "Patterns, one a row: NPY or safetensors (dimensions after the first are "
              "flattened), fvecs, CSV or TSV (first line names the columns; also .gz); - is a CSV "
              "from standard input")
          ->type_name("FILE");
  add_tensor(command, arguments.tensor);
  CLI::Option* ids =
      command.add_option("--ids", arguments.ids, "Names of the patterns, one a line")
          ->type_name("FILE");
  command.add_option("--id-column", arguments.id_column, "Column of a CSV that holds the names")
      ->type_name("NAME")
      ->excludes(ids);
  command
      .add_option("--values", arguments.values,
                  "What is recalled instead of the patterns: one row of numbers a pattern, of any "
                  "depth, in any of their formats")
      ->type_name("FILE");
  command
      .add_option("--metadata", arguments.metadata,
                  "What else is known of the patterns: one JSON object a line (JSONL)")
      ->type_name("FILE");
  return patterns;
}

Rows open_named_rows(const NamedRows& arguments) {
  Rows rows;
  if (!arguments.patterns.empty()) {
    rows = open_rows(arguments.patterns, arguments.id_column, false, Missing::kRefuse,
                     arguments.tensor);
  }
  const auto check_count = [&rows](std::int64_t count, const char* what, const char* option,
                                   const std::string& path) {
    if (count == rows.source.num_patterns) return;
    fail(ErrorCode::kCorruptData, option,
         "'" + path + "': expected " + std::to_string(rows.source.num_patterns) + " " + what +
             ", one a pattern, got " + std::to_string(count));
  };
  if (!arguments.ids.empty()) {
    rows.ids = read_lines(arguments.ids);
    if (arguments.patterns.empty()) rows.source.num_patterns = std::ssize(rows.ids);
    check_count(std::ssize(rows.ids), "lines", "--ids", arguments.ids);
  }
  if (!arguments.values.empty()) {
    rows.values = open_rows(arguments.values, "", false).source;
    check_count(rows.values->num_patterns, "rows", "--values", arguments.values);
  }
  if (!arguments.metadata.empty()) {
    rows.metadata = read_lines(arguments.metadata);
    rows.metadata_file = arguments.metadata;
    check_count(std::ssize(rows.metadata), "lines", "--metadata", arguments.metadata);
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
