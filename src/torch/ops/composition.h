#ifndef HOPFIELD_SRC_TORCH_OPS_COMPOSITION_H_
#define HOPFIELD_SRC_TORCH_OPS_COMPOSITION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "hopfield/torch/ops/retrieve.h"
#include "torch/ops/arguments.h"

namespace hopfield::ops {

/// Offsets of ragged bags on the host, checked to ascend from 0 to `rows`.
std::vector<std::int64_t> read_offsets(const at::Tensor& offsets, std::int64_t rows,
                                       const char* name);

/// retrieve_composition without its care for autocast, for kernels that have taken it already.
RetrieveResult compose(const at::Tensor& states, const at::Tensor& stored,
                       const RetrieveOptions& options);

}  // namespace hopfield::ops

#endif  // HOPFIELD_SRC_TORCH_OPS_COMPOSITION_H_
