#ifndef HOPFIELD_MEMORY_RERANK_H_
#define HOPFIELD_MEMORY_RERANK_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "hopfield/kernels/associate.h"
#include "hopfield/memory/search.h"

namespace hopfield {

/// Rows [first, first + count) of stored patterns as they are, dense [count, depth].
using ExactRows = std::function<std::vector<double>(std::int64_t first, std::int64_t count)>;

struct RerankOptions {
  std::int64_t num_top = 3;  ///< how many patterns are wanted, >= 1
  /// How many may be scored exactly for a state until its top is certain; at least as many as
  /// `out.num_top` are.
  std::int64_t max_candidates = 4096;
  Executor* executor = nullptr;  ///< null: default_executor()
};

/// What is known about each state's answer. Bounds are of the scalar product: infinite with other
/// similarities, and NaN for a state that has no associations.
struct RerankReport {
  std::vector<std::int64_t> num_candidates;  ///< patterns that were scored exactly
  /// |score of the codes - score of the pattern| <= this, for all patterns.
  std::vector<double> score_bound;
  /// Half the sum over all patterns of |association - exact association| <= this.
  std::vector<double> weight_bound;
  /// |state - exact state| (Euclidean) <= this; infinite where projections are read out.
  std::vector<double> state_bound;
  /// No other patterns have larger exact scores than the `num_top` (with exact rows in their
  /// order).
  std::vector<std::uint8_t> top_certain;
  std::vector<double> top_similarity;  ///< [T, num_top], of exact rows where there are such
};

/// How many associations to ask for before `rerank`: enough that one pass mostly does.
std::int64_t rerank_candidates(std::int64_t num_top, std::int64_t num_patterns);

/// Corrects an association with int8 codes by the exact rows of the largest scores. `out` is what
/// `associate` (or the last association of `retrieve`, `in.states` being its final states) gave
/// for `in`, with state, lse, entropy, top and top_index, energy and metastable_size if wanted.
/// The candidates, num_top of `out`, are scored with their exact rows, in double; all others keep
/// the scores of their codes. Where the num_top largest are not certain yet, more candidates are
/// asked for, eight times as many at a time. Then the first `options.num_top` of `top` are the best
/// by exact score, with their weights; state, lse, entropy and energy are those of the corrected
/// scores and the exact rows (M of the energy stays that of the codes), and so is metastable_size
/// where the candidates hold the mass. Earlier updates of a `retrieve` went by the codes alone.
/// Without `exact` nothing is corrected or reordered beyond the scores of the codes in double.
///
/// Shapes   stored kI8 [S, d], S >= 1, one head, one bag, softmax without masks.
/// Promise  weights and states lie within the bounds of those of the exact patterns but for the
///          rounding of `associate` (docs/math/codes.md); the bound of scores and `top_certain`
///          take rounding into account. All patterns being candidates, the bounds of weights and
///          states are 0.
/// Errors   kInvalidArgument; whatever `exact` throws.
/// Threads  `exact` is called from the calling thread only.
RerankReport rerank(const Associations& in, const ExactRows& exact,
                    const AssociateOutputs<float>& out, const RerankOptions& options = {});

/// `search` over codes, corrected by `rerank`. `report` may be null.
SearchResult search_codes(const PatternView& stored, const ExactRows& exact,
                          const PatternView& states, double beta, const SearchOptions& options = {},
                          RerankReport* report = nullptr);

}  // namespace hopfield

#endif  // HOPFIELD_MEMORY_RERANK_H_
