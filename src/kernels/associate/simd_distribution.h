#ifndef HOPFIELD_KERNELS_ASSOCIATE_SIMD_DISTRIBUTION_H_
#define HOPFIELD_KERNELS_ASSOCIATE_SIMD_DISTRIBUTION_H_

// From the scores of one softmax row to its largest associations and its metastable size.

#include <cstdint>
#include <span>

#include "kernels/associate/simd_work.h"

namespace hopfield::internal {

/// Fewest of the weights exp(score - max) whose sum reaches `mass` times the sum of all, in time
/// proportional to how many there are: weights are counted by size, and only those around the last
/// one that is needed are put in order. The scores (none is NaN, `max` is the largest) are replaced
/// by the weights. Same number for any executor.
template <class T>
std::int64_t fewest_weights(const TileKernels<T>& kernels, Executor& executor, std::span<T> scores,
                            T max, double mass);

/// Writes `top`, `top_index` and `metastable_size` of the row with this output index, as far as
/// they are wanted. Score i is that of pattern index[i], or of pattern i where `index` is empty;
/// for `metastable_size` the scores are those of all visible patterns. The scores are overwritten.
template <class T>
void write_softmax_distribution(const Engine<T>& engine, Executor& executor,
                                const AssociateOutputs<T>& out, std::int64_t output_index,
                                const RowPartial<T>& partial, std::span<T> scores,
                                std::span<const std::int64_t> index);

}  // namespace hopfield::internal

#endif  // HOPFIELD_KERNELS_ASSOCIATE_SIMD_DISTRIBUTION_H_
