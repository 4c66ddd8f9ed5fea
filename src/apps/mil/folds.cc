#include "hopfield/apps/mil/folds.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "apps/mil/random.h"
#include "hopfield/base/error.h"
#include "hopfield/store/csv.h"

namespace hopfield::mil {
namespace {

constexpr const char* kReadFolds = "read folds";
constexpr int kMaxFolds = 100000;

template <class Keep>
std::vector<std::int64_t> bags_where(const std::vector<int>& fold, const Keep& keep) {
  std::vector<std::int64_t> bags;
  for (std::size_t b = 0; b < fold.size(); ++b) {
    if (keep(fold[b])) bags.push_back(static_cast<std::int64_t>(b));
  }
  return bags;
}

std::optional<int> fold_number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > kMaxFolds) {
    return std::nullopt;
  }
  return value;
}

/// The cells of a folds file, by bag.
struct FoldTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> cells;  ///< [bags][columns]; empty: no row
};

FoldTable read_table(const std::string& path, const Bags& bags, const std::string& bag_column) {
  store::CsvReader csv(path);
  const std::size_t bag_cell = csv.column(bag_column);
  std::unordered_map<std::string_view, std::size_t> number_of_bag;
  for (std::size_t b = 0; b < bags.bag_ids.size(); ++b) number_of_bag.emplace(bags.bag_ids[b], b);
  FoldTable table{csv.columns(), std::vector<std::vector<std::string>>(bags.bag_ids.size())};
  while (csv.next()) {
    const auto entry = number_of_bag.find(csv.text(bag_cell));
    if (entry == number_of_bag.end()) {
      fail(ErrorCode::kCorruptData, kReadFolds,
           csv.where(bag_cell) + ": expected a bag of " + bags.origin + ", got '" +
               std::string(csv.text(bag_cell)) + "'");
    }
    std::vector<std::string>& row = table.cells[entry->second];
    if (!row.empty()) {
      fail(ErrorCode::kCorruptData, kReadFolds,
           csv.where(bag_cell) + ": expected each bag once, got '" +
               std::string(csv.text(bag_cell)) + "' again");
    }
    for (std::size_t c = 0; c < table.columns.size(); ++c) row.emplace_back(csv.text(c));
  }
  for (std::size_t b = 0; b < table.cells.size(); ++b) {
    if (table.cells[b].empty()) {
      fail(ErrorCode::kCorruptData, kReadFolds,
           "expected a row for every bag in " + path + ", got none for bag '" + bags.bag_ids[b] +
               "'");
    }
  }
  return table;
}

void check_labels_agree(const FoldTable& table, const std::string& path, const Bags& bags) {
  const auto column = std::find(table.columns.begin(), table.columns.end(), "label");
  if (column == table.columns.end() || !bags.has_labels()) return;
  const auto c = static_cast<std::size_t>(column - table.columns.begin());
  for (std::size_t b = 0; b < table.cells.size(); ++b) {
    const std::string& label = table.cells[b][c];
    const std::string expected = bags.label_text(static_cast<std::int64_t>(b));
    if (!label.empty() && label_name(label) != expected) {
      fail(ErrorCode::kCorruptData, kReadFolds,
           "expected the labels of " + bags.origin + " in " + path + ", got " + label +
               " instead of " + expected + " for bag '" + bags.bag_ids[b] + "'");
    }
  }
}

std::vector<std::size_t> repetition_columns(const FoldTable& table, const std::string& path,
                                            std::span<const std::string> names,
                                            const std::string& bag_column) {
  std::vector<std::size_t> wanted;
  if (names.empty()) {
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      const bool other = table.columns[c] == bag_column || table.columns[c] == "label";
      const auto is_fold = [&](const auto& row) { return fold_number(row[c]).has_value(); };
      if (!other && std::all_of(table.cells.begin(), table.cells.end(), is_fold))
        wanted.push_back(c);
    }
    if (wanted.empty()) {
      fail(ErrorCode::kCorruptData, kReadFolds,
           "expected a column of fold numbers in " + path + ", got none");
    }
    return wanted;
  }
  for (const std::string& name : names) {
    const auto column = std::find(table.columns.begin(), table.columns.end(), name);
    if (column == table.columns.end()) {
      std::string list;
      for (const std::string& title : table.columns) list += (list.empty() ? "" : ", ") + title;
      fail(ErrorCode::kInvalidArgument, kReadFolds,
           "expected a column '" + name + "' in " + path + ", got " + list);
    }
    wanted.push_back(static_cast<std::size_t>(column - table.columns.begin()));
  }
  return wanted;
}

Repetition parse_repetition(const FoldTable& table, std::size_t column, const std::string& path,
                            const Bags& bags) {
  Repetition repetition;
  repetition.name = table.columns[column];
  std::vector<int> sizes;
  for (std::size_t b = 0; b < table.cells.size(); ++b) {
    const std::optional<int> fold = fold_number(table.cells[b][column]);
    if (!fold) {
      fail(ErrorCode::kCorruptData, kReadFolds,
           "expected fold numbers from 0 in column '" + repetition.name + "' of " + path +
               ", got '" + table.cells[b][column] + "' for bag '" + bags.bag_ids[b] + "'");
    }
    repetition.fold.push_back(*fold);
    const auto f = static_cast<std::size_t>(*fold);
    if (f >= sizes.size()) sizes.resize(f + 1);
    ++sizes[f];
  }
  repetition.num_folds = static_cast<int>(sizes.size());
  const auto empty = std::find(sizes.begin(), sizes.end(), 0);
  if (sizes.size() < 3 || empty != sizes.end()) {
    fail(ErrorCode::kCorruptData, kReadFolds,
         "expected at least 3 folds numbered 0, 1, 2, ... in column '" + repetition.name + "' of " +
             path + " (one tests, one validates, the others train), got " +
             (empty != sizes.end() ? "no bag in fold " + std::to_string(empty - sizes.begin())
                                   : std::to_string(sizes.size())));
  }
  return repetition;
}

}  // namespace

std::vector<std::int64_t> Repetition::test_bags(int k) const {
  return bags_where(fold, [&](int f) { return f == k; });
}

std::vector<std::int64_t> Repetition::validation_bags(int k) const {
  return bags_where(fold, [&](int f) { return f == (k + 1) % num_folds; });
}

std::vector<std::int64_t> Repetition::training_bags(int k) const {
  return bags_where(fold, [&](int f) { return f != k && f != (k + 1) % num_folds; });
}

std::vector<Repetition> read_folds(const std::string& path, const Bags& bags,
                                   std::span<const std::string> names,
                                   const std::string& bag_column) {
  const FoldTable table = read_table(path, bags, bag_column);
  check_labels_agree(table, path, bags);
  std::vector<Repetition> repetitions;
  for (const std::size_t column : repetition_columns(table, path, names, bag_column)) {
    repetitions.push_back(parse_repetition(table, column, path, bags));
  }
  return repetitions;
}

namespace {

void check_num_folds(int num_folds) {
  require(num_folds >= 3 && num_folds <= kMaxFolds, "folds",
          "expected at least 3 folds (one tests, one validates, the others train), got " +
              std::to_string(num_folds));
}

/// Deals the bags of each class in turn; class_text(label) names a class in messages.
template <class ClassText>
Repetition deal_bags(std::span<const int> labels, int num_folds, std::uint64_t seed,
                     std::string name, const ClassText& class_text) {
  check_num_folds(num_folds);
  Repetition repetition{std::move(name), num_folds, std::vector<int>(labels.size())};
  Random random(mix_seed(seed, "folds"));
  std::size_t dealt = 0;  // dealing goes on where the other class ended, which balances the sizes
  const int largest =
      labels.empty() ? 1 : std::max(1, *std::max_element(labels.begin(), labels.end()));
  for (int label = largest; label >= 0; --label) {
    std::vector<std::size_t> members;
    for (std::size_t b = 0; b < labels.size(); ++b) {
      if (labels[b] == label) members.push_back(b);
    }
    if (members.size() < static_cast<std::size_t>(num_folds)) {
      fail(ErrorCode::kCorruptData, "folds",
           "expected at least " + std::to_string(num_folds) + " bags of each class for " +
               std::to_string(num_folds) + " folds, got " + std::to_string(members.size()) +
               " with label " + class_text(label) +
               (members.size() < 3 ? "; leave out the class, or join it with another"
                                   : "; ask for fewer folds (--num-folds)"));
    }
    random.shuffle(members);
    for (const std::size_t b : members) {
      repetition.fold[b] = static_cast<int>(dealt++ % static_cast<std::size_t>(num_folds));
    }
  }
  return repetition;
}

}  // namespace

Repetition stratified_folds(std::span<const int> labels, int num_folds, std::uint64_t seed,
                            std::string name) {
  return deal_bags(labels, num_folds, seed, std::move(name),
                   [](int label) { return std::to_string(label); });
}

Repetition stratified_folds(const Bags& bags, int num_folds, std::uint64_t seed, std::string name) {
  check_labels(bags);
  if (bags.scheme.target != Target::kRegression) {
    return deal_bags(bags.labels, num_folds, seed, std::move(name), [&](int label) {
      return bags.scheme.class_names[static_cast<std::size_t>(label)];
    });
  }
  check_num_folds(num_folds);
  if (bags.numbers.size() < 2 * static_cast<std::size_t>(num_folds)) {
    fail(ErrorCode::kCorruptData, "folds",
         "expected at least two bags a fold, got " + std::to_string(bags.numbers.size()) + " for " +
             std::to_string(num_folds) + " folds; ask for fewer folds (--num-folds)");
  }
  std::vector<std::size_t> order(bags.numbers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return bags.numbers[a] < bags.numbers[b]; });
  Repetition repetition{std::move(name), num_folds, std::vector<int>(order.size())};
  std::vector<int> folds(static_cast<std::size_t>(num_folds));
  std::iota(folds.begin(), folds.end(), 0);
  Random random(mix_seed(seed, "folds"));
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i % folds.size() == 0) random.shuffle(folds);
    repetition.fold[order[i]] = folds[i % folds.size()];
  }
  return repetition;
}

void check_folds(const Repetition& repetition, const Bags& bags) {
  require(repetition.fold.size() == bags.bag_ids.size() && repetition.num_folds >= 3, "folds",
          "expected at least 3 folds of " + std::to_string(bags.bag_ids.size()) + " bags, got " +
              std::to_string(repetition.num_folds) + " folds of " +
              std::to_string(repetition.fold.size()));
  check_labels(bags);
  const auto num_folds = static_cast<std::size_t>(repetition.num_folds);
  const bool regression = bags.scheme.target == Target::kRegression;
  const auto num_classes = static_cast<std::size_t>(bags.scheme.num_classes());
  std::vector<std::vector<std::size_t>> counts(num_folds, std::vector<std::size_t>(num_classes));
  std::vector<std::set<double>> numbers(num_folds);
  for (std::size_t b = 0; b < repetition.fold.size(); ++b) {
    require(repetition.fold[b] >= 0 && repetition.fold[b] < repetition.num_folds, "folds",
            "expected fold numbers below " + std::to_string(repetition.num_folds) + ", got " +
                std::to_string(repetition.fold[b]));
    const auto k = static_cast<std::size_t>(repetition.fold[b]);
    if (regression) {
      numbers[k].insert(bags.numbers[b]);
    } else {
      ++counts[k][static_cast<std::size_t>(bags.labels[b])];
    }
  }
  for (std::size_t k = 0; k < num_folds; ++k) {
    const std::string place =
        " in fold " + std::to_string(k) + " of '" + repetition.name + "', whose ";
    if (regression && numbers[k].size() < 2) {
      fail(ErrorCode::kCorruptData, "folds",
           "expected bags with different labels in every fold, got " +
               std::to_string(numbers[k].size()) + " label" + place +
               "R2 is undefined; use fewer folds");
    }
    for (std::size_t c = 0; c < num_classes; ++c) {
      if (counts[k][c] > 0) continue;
      fail(ErrorCode::kCorruptData, "folds",
           std::string("expected ") + (num_classes == 2 ? "both" : "all") +
               " classes in every fold, got no bag with label " + bags.scheme.class_names[c] +
               place + "AUC is undefined; use fewer or stratified folds");
    }
  }
}

}  // namespace hopfield::mil
