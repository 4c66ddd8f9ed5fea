#ifndef HOPFIELD_MEMORY_SHARDS_H_
#define HOPFIELD_MEMORY_SHARDS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "hopfield/kernels/associate.h"
#include "hopfield/memory/search.h"

namespace hopfield {

/// What some of the stored patterns, a shard, say about states: enough to answer for all shards.
struct ShardAnswer {
  std::int64_t num_patterns = 0, depth = 0;
  double beta = 0;
  Similarity similarity = Similarity::kDot;
  std::vector<float> states;            ///< [T, depth] the states that were asked
  std::vector<Partials<float>> blocks;  ///< of the shard's patterns, in order; of one head
  std::int64_t num_top = 0;             ///< min(SearchOptions::num_top, num_patterns)
  std::vector<std::int64_t> top_index;  ///< [T, num_top] within the shard, falling similarity
  std::vector<double> top_similarity;   ///< [T, num_top]
};

/// One association of the states with a shard. Shapes, types and errors as `search` (beta > 0, no
/// f64); `projections` [S, dv] as in Associations. Memory and size of the answer: T * (dv + 7)
/// numbers for each AssociateOptions::block_size patterns.
ShardAnswer ask_shard(const PatternView& stored, const PatternView& projections,
                      const PatternView& states, double beta, const SearchOptions& options = {});

/// The answer of all shards together: that of one `associate` over their patterns in this order.
struct WholeAnswer {
  std::int64_t num_patterns = 0;
  std::vector<float> state;                 ///< [T, dv]
  std::vector<float> lse, energy, entropy;  ///< [T]; energy is empty for kCosine
  std::int64_t num_top = 0;
  std::vector<std::int64_t> top_shard, top_index;  ///< [T, num_top]; the index is within the shard
  std::vector<double> top_weight;                  ///< [T, num_top] descending
  /// [T] as AssociateOutputs::metastable_size for a mass of 0.9; -1 where the largest associations
  /// that the shards kept hold less, so that it cannot be told.
  std::vector<std::int64_t> metastable_size;
};

/// How many of the largest associations of the whole these shards tell: the fewest that one of them
/// kept, if it did not keep all.
std::int64_t known_top(std::span<const ShardAnswer> shards);

/// Promise  state, lse, energy and entropy: same bits as one `associate` over all patterns if each
///          shard but the last holds a multiple of AssociateOptions::block_size patterns, else
///          equal up to rounding. Weights: exp(beta * similarity - lse) in double.
/// Errors   kInvalidArgument: no shard; shards that were not asked the same (states, beta,
///          similarity, dv), which are named by their place; num_top < 1 or > known_top(shards).
WholeAnswer merge_shards(std::span<const ShardAnswer> shards, std::int64_t num_top);

}  // namespace hopfield

#endif  // HOPFIELD_MEMORY_SHARDS_H_
