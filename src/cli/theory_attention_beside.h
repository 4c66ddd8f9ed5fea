#ifndef HOPFIELD_SRC_CLI_THEORY_ATTENTION_BESIDE_H_
#define HOPFIELD_SRC_CLI_THEORY_ATTENTION_BESIDE_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "hopfield/theory/attention_comparison.h"

// `theory attention --beside FILE`: what another program says of the same test rows.
namespace hopfield::cli {

/// Values of the classes, row after row: [rows][classes].
using ClassValues = std::vector<std::vector<double>>;

/// By set and classifier.
using OtherValues = std::map<std::pair<std::string, std::string>, ClassValues>;

/// CSV: set, split, row (test rows in the file's order, from 0), classifier, v0, v1, ...; cells of
/// classes that a set does not have are empty. Rows of other splits are passed over.
/// Errors: kIo, kCorruptData.
OtherValues read_other_values(const std::string& path, std::int64_t split);

struct BesideOther {
  std::int64_t num_states = 0;
  std::int64_t num_ties = 0;    ///< states where two classes lead alike; not compared below
  std::int64_t num_differ = 0;  ///< states that get another class
  double difference_max = 0;    ///< of a value
};

/// Errors: kCorruptData if the numbers of rows or classes differ.
BesideOther compare_beside(const theory::LayerComparison& layer, const ClassValues& other,
                           const std::string& where);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_THEORY_ATTENTION_BESIDE_H_
