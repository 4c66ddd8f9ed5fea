#ifndef HOPFIELD_SRC_TORCH_OPS_AUTOCAST_INPUTS_H_
#define HOPFIELD_SRC_TORCH_OPS_AUTOCAST_INPUTS_H_

#include <ATen/core/Tensor.h>

#include "hopfield/torch/ops/retrieve.h"

namespace hopfield::ops {

/// The inputs as autocast wants them where it is enabled for their device: f32 patterns in its
/// 16-bit type (the op accumulates in f32 anyway), f64 patterns, beta and masks as they are.
struct AutocastInputs {
  AutocastInputs(const at::Tensor& states, const at::Tensor& stored,
                 const RetrieveOptions& options);

  at::Tensor states, stored;
  RetrieveOptions options;
};

}  // namespace hopfield::ops

#endif  // HOPFIELD_SRC_TORCH_OPS_AUTOCAST_INPUTS_H_
