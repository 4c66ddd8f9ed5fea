#ifndef HOPFIELD_SRC_CLI_MEMORY_CODES_H_
#define HOPFIELD_SRC_CLI_MEMORY_CODES_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "hopfield/memory/rerank.h"
#include "hopfield/store/memory_file.h"

// What recall and search tell about answers from int8 codes (docs/math/codes.md).
namespace hopfield::cli {

/// The rows that a memory keeps beside its codes; none where it keeps none. The memory must
/// outlive them.
ExactRows exact_rows(const store::MemoryFile& memory);

/// The bounds of one state; null for what is not bounded.
nlohmann::ordered_json codes_json(const RerankReport& report, std::size_t state);

/// The worst bounds of all states so far.
class CodesSummary {
 public:
  void add(const RerankReport& report);
  /// "codes    scores within 0.031, weights within 2e-05; the top is certain for 3 of 3 cues"
  std::string line() const;

 private:
  double score_bound_ = 0, weight_bound_ = 0;
  std::int64_t num_states_ = 0, num_certain_ = 0;
};

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_MEMORY_CODES_H_
