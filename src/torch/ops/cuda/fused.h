#ifndef HOPFIELD_SRC_TORCH_OPS_CUDA_FUSED_H_
#define HOPFIELD_SRC_TORCH_OPS_CUDA_FUSED_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "hopfield/torch/ops/retrieve.h"

namespace hopfield::ops {

/// True where torch's fused attention gives all that is asked: one softmax association by the dot
/// product without masks, one beta, dense bags, nothing but state and lse.
bool fused_attention_fits(const at::Tensor& states, const at::Tensor& stored,
                          const RetrieveOptions& options);

/// state by torch's fused attention, lse over blocks of `block_size` stored patterns: memory
/// O(T (dv + block_size)), not O(T S). No gradient. Runs on any device.
RetrieveResult retrieve_fused(const at::Tensor& states, const at::Tensor& stored,
                              const RetrieveOptions& options, std::int64_t block_size = 4096);

}  // namespace hopfield::ops

#endif  // HOPFIELD_SRC_TORCH_OPS_CUDA_FUSED_H_
