#ifndef HOPFIELD_SRC_TORCH_OPS_SEPARATION_H_
#define HOPFIELD_SRC_TORCH_OPS_SEPARATION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "hopfield/kernels/associate.h"

namespace hopfield::ops {

/// How scores [..., S] separate along the last dimension.
struct Separated {
  at::Tensor association;  ///< [..., S] p = argmax_p <p, scores> - Omega(p)
  at::Tensor lse;          ///< [...] that maximum; -inf in empty rows
  at::Tensor empty;        ///< [...] bool: every score is -inf
};

/// Plain torch operations, twice differentiable. S >= 1; a score of -inf is a blocked association.
/// Rows without a visible score give 0 and no gradient; a row with a NaN or +inf gives NaN.
Separated separate(const at::Tensor& scores, Separation separation, std::int64_t top_k);

}  // namespace hopfield::ops

#endif  // HOPFIELD_SRC_TORCH_OPS_SEPARATION_H_
