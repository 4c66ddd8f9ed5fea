#ifndef HOPFIELD_APPS_MIL_FOLDS_H_
#define HOPFIELD_APPS_MIL_FOLDS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "hopfield/apps/mil/bags.h"

namespace hopfield::mil {

/// One partition of the bags. In turn k = 0 .. num_folds - 1, fold k is tested on, fold
/// (k + 1) mod num_folds validates, the others train.
struct Repetition {
  std::string name;
  int num_folds = 0;
  std::vector<int> fold;  ///< [num_bags], 0 .. num_folds - 1

  std::vector<std::int64_t> test_bags(int k) const;
  std::vector<std::int64_t> validation_bags(int k) const;
  std::vector<std::int64_t> training_bags(int k) const;
};

/// Reads repetitions from a table with the column `bag_column` and one column a repetition, whose
/// cells number the test fold of that bag from 0. A column `label`, if both have one, must agree
/// (empty cells do). `names` empty: all columns whose cells could be fold numbers, in file order.
/// Errors   as store::CsvReader; kInvalidArgument for a repetition that is not there;
///          kCorruptData for a bag the table lacks, has twice, or does not know, for a label that
///          differs, for fewer than 3 folds or a number between that no bag has.
std::vector<Repetition> read_folds(const std::string& path, const Bags& bags,
                                   std::span<const std::string> names = {},
                                   const std::string& bag_column = "bag_id");

/// Stratified folds of our own: each class is shuffled by `seed` and dealt to the folds in turn, so
/// fold sizes differ by one at most, and so do the counts of each class. Same seed, same folds.
/// Errors: kInvalidArgument for num_folds < 3 or a class with fewer bags than folds.
Repetition stratified_folds(std::span<const int> labels, int num_folds, std::uint64_t seed,
                            std::string name);

/// The same by the labels of the bags. In a regression the bags are sorted by their number; of each
/// num_folds neighbours every fold gets one, by `seed`. Errors: also as check_labels.
Repetition stratified_folds(const Bags& bags, int num_folds, std::uint64_t seed, std::string name);

/// Throws kCorruptData, naming repetition, fold and bag count, unless every fold has all classes
/// (in a regression: two different numbers): without them neither its test figure nor its
/// validation figure is defined.
void check_folds(const Repetition& repetition, const Bags& bags);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_FOLDS_H_
