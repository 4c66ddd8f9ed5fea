#ifndef HOPFIELD_MEMORY_SEARCH_H_
#define HOPFIELD_MEMORY_SEARCH_H_

#include <cstdint>
#include <vector>

#include "hopfield/base/executor.h"
#include "hopfield/base/view.h"
#include "hopfield/kernels/associate.h"

namespace hopfield {

struct SearchOptions {
  Similarity similarity = Similarity::kDot;
  std::int64_t num_top = 10;     ///< >= 1; cut to S
  Executor* executor = nullptr;  ///< null: default_executor()
};

/// The patterns that are most alike each state.
struct SearchResult {
  std::int64_t num_top = 0;         ///< min(SearchOptions::num_top, S)
  std::vector<std::int64_t> index;  ///< [T, num_top], falling similarity, of equals the first
  std::vector<double> similarity;   ///< [T, num_top], computed anew in double
  std::vector<double> weight;       ///< [T, num_top], association: softmax over ALL patterns
  std::vector<double> lse;          ///< [T] log sum_s exp(beta * similarity_s)
  std::vector<double> entropy;      ///< [T] -sum_s weight_s log weight_s
};

/// Top-k search: similarity_s as in `Similarity`, score_s = beta * similarity_s, weight_s =
/// exp(score_s - lse).
///
/// Shapes   stored [S, d], states [T, d], one head, any types; S >= 1.
/// Promise  which patterns are found follows from scores in f32 (double if both views are f64), so
///          a pattern may miss the list by the rounding of a score; the order in the list follows
///          from the similarities in double. Same bits for any executor and any batch.
/// Memory   O(T * num_top) plus O(S) a thread.
/// Errors   kInvalidArgument (depths differ, no pattern, num_top < 1, beta not finite, a state or
///          pattern that is not finite).
SearchResult search(const PatternView& stored, const PatternView& states, double beta,
                    const SearchOptions& options = {});

}  // namespace hopfield

#endif  // HOPFIELD_MEMORY_SEARCH_H_
