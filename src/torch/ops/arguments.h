#ifndef HOPFIELD_SRC_TORCH_OPS_ARGUMENTS_H_
#define HOPFIELD_SRC_TORCH_OPS_ARGUMENTS_H_

// What every dispatch key of the retrieve op shares: checked shapes and types. The flat argument
// list of the registered schemas lives in signature.h.

#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>
#include <c10/core/SymInt.h>

#include <cstdint>
#include <string>
#include <vector>

#include "hopfield/torch/ops/retrieve.h"

namespace hopfield::ops {

/// Sizes and types that follow from the inputs. Symbolic, so that meta kernels trace dynamic
/// shapes.
struct RetrieveShape {
  bool ragged_states = false;  ///< states [T, H, d] cut by state_offsets
  bool shared_states = false;  ///< states [L, H, d] that meet every ragged bag
  bool ragged_stored = false;  ///< stored [N, H, d] cut by stored_offsets
  c10::SymInt bags = 1, heads = 1, depth = 0, projection_depth = 0;
  c10::SymInt num_states = 0;              ///< L (dense, shared) or T (ragged)
  c10::SymInt num_stored = 0;              ///< S (dense) or N (ragged)
  std::vector<c10::SymInt> leading;        ///< rows of the result: {B, L} or {T}
  at::ScalarType compute = at::kFloat;     ///< f64 if any pattern is f64, else f32
  at::ScalarType statistics = at::kFloat;  ///< f64 if the states are f64, else f32

  /// `leading` with further dimensions.
  std::vector<c10::SymInt> result(const std::vector<c10::SymInt>& more) const;
};

/// Throws c10::ValueError "[retrieve] expected ..., got ..." on any contradiction that shapes,
/// types and settings show; values (offsets, finite beta) are the kernel's to check.
RetrieveShape check_arguments(const at::Tensor& states, const at::Tensor& stored,
                              const RetrieveOptions& options);

/// True if any head may be updated at all.
bool wants_updates(const RetrieveOptions& options);
/// True if any head runs until it converges.
bool runs_until_converged(const RetrieveOptions& options);

/// A mask of any rank up to 4 with leading dimensions of size 1 added: rank 4.
at::Tensor mask_of_rank_4(const at::Tensor& mask);

/// "[2, 3, 4]"
std::string sizes_text(const at::Tensor& tensor);

}  // namespace hopfield::ops

#endif  // HOPFIELD_SRC_TORCH_OPS_ARGUMENTS_H_
