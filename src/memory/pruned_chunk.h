#ifndef HOPFIELD_SRC_MEMORY_PRUNED_CHUNK_H_
#define HOPFIELD_SRC_MEMORY_PRUNED_CHUNK_H_

#include <cstdint>
#include <vector>

#include "hopfield/memory/pruned.h"
#include "memory/pruned_blocks.h"

namespace hopfield::internal {

/// Associates states, which are rows [first, first + states.rows) of the results, with the blocks
/// that matter to each. Those for which too little can be left out get 1 in `whole` and no result.
/// beta > 0, tolerance > 0, at least one block. docs/math/pruning.md.
template <class T>
void associate_chunk(const PrunedBlocks<T>& blocks, const PatternView& states, double beta,
                     const PruneOptions& options, std::int64_t first, PrunedAssociation<T>& result,
                     std::vector<std::uint8_t>& whole);

}  // namespace hopfield::internal

#endif  // HOPFIELD_SRC_MEMORY_PRUNED_CHUNK_H_
