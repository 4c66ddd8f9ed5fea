#ifndef HOPFIELD_APPS_MIL_BAGS_H_
#define HOPFIELD_APPS_MIL_BAGS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace hopfield::mil {

/// Bags of instances: bag b owns rows offsets[b] .. offsets[b + 1] of `values`. Never padded.
struct Bags {
  std::int64_t num_features = 0;
  std::vector<float> values;               ///< [num_instances, num_features]
  std::vector<std::int64_t> offsets;       ///< [num_bags + 1], ascending from 0
  std::vector<int> labels;                 ///< [num_bags], 0 or 1; empty: unknown
  std::vector<std::string> bag_ids;        ///< [num_bags], distinct
  std::vector<std::string> instance_ids;   ///< [num_instances]
  std::vector<std::string> feature_names;  ///< [num_features]
  std::string origin;                      ///< for messages: the file's name

  std::int64_t num_bags() const { return static_cast<std::int64_t>(bag_ids.size()); }
  std::int64_t num_instances() const { return offsets.empty() ? 0 : offsets.back(); }
  std::int64_t bag_size(std::int64_t bag) const {
    const auto b = static_cast<std::size_t>(bag);
    return offsets[b + 1] - offsets[b];
  }
};

/// Which columns of a table mean what.
struct CsvBagOptions {
  std::string bag_column = "bag_id";
  /// Absent: `label` if there is such a column, else no labels are read.
  std::optional<std::string> label_column;
  /// Absent: `instance_id` if there is such a column, else instances count from 1 in their bag.
  std::optional<std::string> instance_column;
  std::vector<std::string> features;  ///< empty: all columns not otherwise named
  std::vector<std::string> ignore;    ///< columns that are no features
  bool sort_bags = false;             ///< gather bags whose rows are apart, in order of appearance
};

/// Reads one row an instance, rows grouped by bag, from CSV or TSV, plain or gzip.
///
/// Errors   kIo, kCorruptData as store::CsvReader (NaN cells by line and column);
///          kInvalidArgument for unknown columns; kCorruptData for a bag whose rows are apart
///          (unless sort_bags), a label that is not 0 or 1 or differs inside a bag, an instance
///          named twice in its bag, no feature, no row.
Bags read_csv_bags(const std::string& path, const CsvBagOptions& options = {});

/// Reads values [N, D] (any floating or integer type), offsets [B + 1] and, if given, labels [B]
/// from NPY files. Bags and instances are named by their number, from 1.
///
/// Errors   kIo, kCorruptData as store::NpyFile; kCorruptData for wrong shapes, offsets that do
///          not ascend from 0 to N, a bag without instances, values that are not finite (row and
///          column).
Bags read_npy_bags(const std::string& values_path, const std::string& offsets_path,
                   const std::string& labels_path = {});

/// The bags with these numbers, in this order. Errors: kInvalidArgument for a number out of range.
Bags select_bags(const Bags& bags, std::span<const std::int64_t> which);

/// Throws kInvalidArgument unless sizes agree, every bag has an instance and all values are finite.
void check_bags(const Bags& bags);

/// Throws kInvalidArgument unless there are labels, each 0 or 1.
void check_labels(const Bags& bags);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_BAGS_H_
