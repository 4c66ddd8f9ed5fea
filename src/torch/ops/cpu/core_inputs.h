#ifndef HOPFIELD_SRC_TORCH_OPS_CPU_CORE_INPUTS_H_
#define HOPFIELD_SRC_TORCH_OPS_CPU_CORE_INPUTS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "hopfield/kernels/associate.h"
#include "hopfield/memory/retrieve.h"
#include "hopfield/torch/ops/retrieve.h"
#include "torch/ops/arguments.h"

namespace hopfield::ops {

/// The op's tensors as views for the core. Tensors are passed as they lie, strides and all, where
/// the last dimension is dense and bags follow each other evenly; otherwise they are copied. A
/// stored batch of 1 stays one set that all bags share. Owns what the views point to; not copyable.
class CoreInputs {
 public:
  CoreInputs(const at::Tensor& states, const at::Tensor& stored, const RetrieveOptions& options);
  CoreInputs(const CoreInputs&) = delete;
  CoreInputs& operator=(const CoreInputs&) = delete;

  const Associations& associations() const { return in_; }
  const RetrieveShape& shape() const { return shape_; }
  UpdateOptions update_options() const;

  /// The tensors behind the views [.., rows, heads, depth]: as given, or expanded to all bags.
  const at::Tensor& states() const { return states_; }
  const at::Tensor& stored() const { return stored_; }
  const at::Tensor& projections() const { return projections_; }

 private:
  void cut_into_bags(const RetrieveOptions& options);
  void add_masks(const RetrieveOptions& options);

  RetrieveShape shape_;
  at::Tensor states_, stored_, projections_, hidden_stored_, hidden_, bias_;
  at::Tensor stored_rows_, state_rows_, projection_rows_;  // [rows, heads, depth]
  std::vector<double> beta_;
  std::vector<std::int64_t> stored_offsets_, state_offsets_;
  std::vector<std::int64_t> update_steps_max_;
  std::vector<double> update_steps_eps_;
  StopCriterion criterion_;
  std::int64_t update_steps_cap_;
  Associations in_;
};

/// [rows, heads, depth] of a tensor with leading dimensions to merge: a view if it can be one.
at::Tensor as_rows(const at::Tensor& x);

/// The core's view of as_rows(x).
PatternView pattern_view_of(const at::Tensor& rows);

}  // namespace hopfield::ops

#endif  // HOPFIELD_SRC_TORCH_OPS_CPU_CORE_INPUTS_H_
