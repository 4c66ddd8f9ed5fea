#ifndef HOPFIELD_KERNELS_ASSOCIATE_SIMD_SEPARATED_H_
#define HOPFIELD_KERNELS_ASSOCIATE_SIMD_SEPARATED_H_

#include <cstdint>
#include <span>

#include "kernels/associate/simd_collect.h"
#include "kernels/associate/simd_work.h"

namespace hopfield::internal {

/// What must be kept to separate a row exactly and to tell its `num_top` largest scores.
CollectOptions separation_options(const Associations& in, std::int64_t num_top);

/// sum[0, padded depth) += sum_i weights_i view(index_i), in order.
template <class T>
void add_weighted(const Engine<T>& engine, const PatternView& view, const BagPlace& place,
                  std::int64_t head, std::span<const std::int64_t> index,
                  std::span<const T> weights, Buffer<T>& gathered, T* sum);

}  // namespace hopfield::internal

#endif  // HOPFIELD_KERNELS_ASSOCIATE_SIMD_SEPARATED_H_
