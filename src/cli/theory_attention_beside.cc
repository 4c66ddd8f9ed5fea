#include "cli/theory_attention_beside.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "hopfield/base/error.h"
#include "hopfield/store/csv.h"

namespace hopfield::cli {
namespace {

constexpr const char* kOp = "theory attention";

/// Votes of a tie, and values as near as this, leave the class to the order of the patterns.
constexpr double kTie = 1e-9;

struct Leader {
  std::ptrdiff_t index;
  bool tied;
};

Leader leader(std::span<const double> values) {
  const auto first = std::max_element(values.begin(), values.end());
  const bool tied = std::any_of(values.begin(), values.end(), [&](const double& value) {
    return &value != &*first && *first - value <= kTie;
  });
  return {first - values.begin(), tied};
}

}  // namespace

OtherValues read_other_values(const std::string& path, std::int64_t split) {
  store::CsvReader reader(path);
  const std::size_t set = reader.column("set"), own_split = reader.column("split");
  const std::size_t row = reader.column("row"), classifier = reader.column("classifier");
  std::vector<std::size_t> classes;
  while (reader.has_column("v" + std::to_string(classes.size()))) {
    classes.push_back(reader.column("v" + std::to_string(classes.size())));
  }
  OtherValues result;
  while (reader.next()) {
    if (reader.integer(own_split) != split) continue;
    ClassValues& values =
        result[{std::string(reader.text(set)), std::string(reader.text(classifier))}];
    if (reader.integer(row) != std::ssize(values)) {
      fail(ErrorCode::kCorruptData, kOp,
           reader.where(row) + ": expected row " + std::to_string(values.size()) + ", got " +
               std::string(reader.text(row)));
    }
    std::vector<double>& own = values.emplace_back();
    for (const std::size_t column : classes) {
      if (!reader.text(column).empty()) own.push_back(reader.number(column));
    }
  }
  return result;
}

BesideOther compare_beside(const theory::LayerComparison& layer, const ClassValues& other,
                           const std::string& where) {
  const std::size_t num_classes =
      layer.values.size() / static_cast<std::size_t>(std::max<std::int64_t>(1, layer.num_states));
  const bool fits = std::ssize(other) == layer.num_states &&
                    std::all_of(other.begin(), other.end(),
                                [&](const auto& row) { return row.size() == num_classes; });
  if (!fits) {
    fail(ErrorCode::kCorruptData, kOp,
         where + ": expected " + std::to_string(layer.num_states) + " rows with a value for " +
             std::to_string(num_classes) + " classes each, got others");
  }
  BesideOther result;
  result.num_states = layer.num_states;
  for (std::size_t t = 0; t < other.size(); ++t) {
    const auto own = std::span(layer.values).subspan(t * num_classes, num_classes);
    const Leader ours = leader(own), theirs = leader(other[t]);
    if (ours.tied || theirs.tied) {
      ++result.num_ties;
      continue;
    }
    result.num_differ += ours.index != theirs.index;
    for (std::size_t c = 0; c < num_classes; ++c) {
      result.difference_max = std::max(result.difference_max, std::abs(own[c] - other[t][c]));
    }
  }
  return result;
}

}  // namespace hopfield::cli
