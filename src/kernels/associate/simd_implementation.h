#ifndef HOPFIELD_KERNELS_ASSOCIATE_SIMD_IMPLEMENTATION_H_
#define HOPFIELD_KERNELS_ASSOCIATE_SIMD_IMPLEMENTATION_H_

// The passes of the vectorised implementation. Each serves every legal call.

#include <cstdint>
#include <vector>

#include "kernels/associate/implementation.h"
#include "kernels/associate/simd_tiles.h"

namespace hopfield::internal {

template <class T>
void simd_softmax_forward(const TileKernels<T>& kernels, const AssociateCall& call,
                          const AssociateOutputs<T>& out);
template <class T>
void simd_softmax_partials(const TileKernels<T>& kernels, const AssociateCall& call,
                           std::int64_t first_index, std::vector<Partials<T>>& blocks);
template <class T>
void simd_softmax_backward(const TileKernels<T>& kernels, const AssociateCall& call,
                           const AssociateSaved<T>& saved, const AssociateCotangents<T>& cotangents,
                           const AssociateGradients<T>& gradients);

/// Sparsemax, 1.5-entmax, top-k softmax and max.
template <class T>
void simd_separated_forward(const TileKernels<T>& kernels, const AssociateCall& call,
                            const AssociateOutputs<T>& out);
template <class T>
void simd_separated_backward(const TileKernels<T>& kernels, const AssociateCall& call,
                             const AssociateCotangents<T>& cotangents,
                             const AssociateGradients<T>& gradients);

}  // namespace hopfield::internal

#endif  // HOPFIELD_KERNELS_ASSOCIATE_SIMD_IMPLEMENTATION_H_
