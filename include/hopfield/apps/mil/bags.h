#ifndef HOPFIELD_APPS_MIL_BAGS_H_
#define HOPFIELD_APPS_MIL_BAGS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hopfield/apps/mil/options.h"
#include "hopfield/store/npy.h"

namespace hopfield::mil {

/// Bags of instances: bag b owns rows offsets[b] .. offsets[b + 1] of their values. Never padded.
///
/// Values   [num_instances, num_features], read by all_values(): what `values` holds, or what lies
///          in a mapped file, which the system reads when asked and may forget again. A mapped file
///          must not change while the bags live.
struct Bags {
  std::int64_t num_features = 0;
  std::vector<float> values;                     ///< empty where they are mapped
  std::shared_ptr<const store::NpyFile> mapped;  ///< f32 in C order, aligned; or null
  std::vector<std::int64_t> offsets;             ///< [num_bags + 1], ascending from 0
  LabelScheme scheme;                            ///< what labels mean
  std::vector<int> labels;                       ///< [num_bags], classes from 0; empty: unknown
  std::vector<double> numbers;                   ///< [num_bags], of a regression; empty: unknown
  std::vector<std::string> bag_ids;              ///< [num_bags], distinct
  std::vector<std::string> instance_ids;         ///< [num_instances]
  std::vector<std::string> feature_names;        ///< [num_features]
  std::vector<double> coordinates;               ///< [num_instances, 2]; or empty
  std::vector<std::string> coordinate_names;     ///< two; or empty
  std::string origin;                            ///< for messages: the file's name

  std::span<const float> all_values() const;
  std::int64_t num_bags() const { return static_cast<std::int64_t>(bag_ids.size()); }
  std::int64_t num_instances() const { return offsets.empty() ? 0 : offsets.back(); }
  std::int64_t bag_size(std::int64_t bag) const {
    const auto b = static_cast<std::size_t>(bag);
    return offsets[b + 1] - offsets[b];
  }
  bool has_labels() const { return !labels.empty() || !numbers.empty(); }
  /// As in the table: the name of the class, or the shortest text of the number. Needs labels.
  std::string label_text(std::int64_t bag) const;
};

/// How labels are understood.
///
/// Without a word from the caller: 0 and 1 are two classes; other whole numbers are classes if
/// there are at most 20 different ones; other numbers are a regression; text is classes. Two
/// classes are kBinary, the second is the positive one. Names of classes are sorted, numbers by
/// value; "1.0" is "1".
struct LabelOptions {
  std::optional<Target> target = {};  ///< kClasses with two classes is kBinary
  std::optional<LabelScheme> scheme =
      {};  ///< a model's: other labels are errors; `target` is ignored
};

/// Which columns of a table mean what.
struct CsvBagOptions {
  std::string bag_column = "bag_id";
  /// Absent: `label` if there is such a column, else no labels are read.
  std::optional<std::string> label_column;
  /// Absent: `instance_id` if there is such a column, else instances count from 1 in their bag.
  std::optional<std::string> instance_column;
  std::vector<std::string> features;     ///< empty: all columns not otherwise named
  std::vector<std::string> ignore;       ///< columns that are no features
  std::vector<std::string> coordinates;  ///< two columns with an instance's place; or empty
  bool sort_bags = false;  ///< gather bags whose rows are apart, in order of appearance
  LabelOptions labels;
};

/// Reads one row an instance, rows grouped by bag, from CSV or TSV, plain or gzip.
///
/// Errors   kIo, kCorruptData as store::CsvReader (NaN cells by line and column);
///          kInvalidArgument for unknown columns; kCorruptData for a bag whose rows are apart
///          (unless sort_bags), a label that is not what LabelOptions ask for or differs inside a
///          bag, an instance named twice in its bag, no feature, no row.
Bags read_csv_bags(const std::string& path, const CsvBagOptions& options = {});

/// Reads values [N, D] (any floating or integer type), offsets [B + 1] and, if given, labels [B]
/// from NPY files. Bags and instances are named by their number, from 1. Values of type f32 in C
/// order are mapped, see Bags; others are read and converted.
///
/// Errors   kIo, kCorruptData as store::NpyFile; kCorruptData for wrong shapes, offsets that do
///          not ascend from 0 to N, a bag without instances, values that are not finite (row and
///          column).
Bags read_npy_bags(const std::string& values_path, const std::string& offsets_path,
                   const std::string& labels_path = {}, const LabelOptions& labels = {});

/// Reads the places of the instances [N, 2] from an NPY file; they are called x and y. Errors: as
/// read_npy_bags.
void read_npy_coordinates(const std::string& path, Bags& bags);

/// "3 classes: a, b, c": what the labels were taken for.
std::string label_text(const LabelScheme& scheme);

/// The name of a class that this text stands for: that of the number if it is one ("1.0" is "1"),
/// else the text.
std::string label_name(std::string_view text);

/// The bags with these numbers, in this order. Errors: kInvalidArgument for a number out of range.
Bags select_bags(const Bags& bags, std::span<const std::int64_t> which);

/// Throws kInvalidArgument unless sizes agree, every bag has an instance and all values are finite.
void check_bags(const Bags& bags);

/// Throws kInvalidArgument unless there are labels: of two classes or more, each below
/// scheme.num_classes(); or finite numbers of a regression. kCorruptData if there is only one class
/// or all numbers are equal.
void check_labels(const Bags& bags);

/// Throws kCorruptData "[op] ..." unless every class has a bag; in a regression, unless two labels
/// differ. Needs labels.
void check_variety(const Bags& bags, const char* op);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_BAGS_H_
