#include "torch/ops/cpu/core_inputs.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <span>

namespace hopfield::ops {
namespace {

using at::Tensor;

std::vector<std::int64_t> uniform_offsets(std::int64_t bags, std::int64_t rows) {
  std::vector<std::int64_t> offsets;
  for (std::int64_t b = 0; b <= bags; ++b) offsets.push_back(b * rows);
  return offsets;
}

std::vector<std::int64_t> copied_offsets(const Tensor& offsets) {
  const Tensor host = offsets.contiguous();
  const std::int64_t* data = host.const_data_ptr<std::int64_t>();
  return {data, data + host.numel()};
}

DType dtype_of_tensor(const Tensor& x) {
  switch (x.scalar_type()) {
    case at::kDouble:
      return DType::kF64;
    case at::kBFloat16:
      return DType::kBF16;
    case at::kHalf:
      return DType::kF16;
    default:
      return DType::kF32;
  }
}

template <class T>
MaskView<T> mask_view(const T* data, const Tensor& full) {  // full: [B, H, L, S]
  return {data, full.stride(0), full.stride(1), full.stride(2), full.stride(3)};
}

}  // namespace

Tensor as_rows(const Tensor& x) {
  const Tensor rows = x.dim() == 4 ? x.flatten(0, 1) : x;
  return rows.size(-1) <= 1 || rows.stride(-1) == 1 ? rows : rows.contiguous();
}

PatternView pattern_view_of(const Tensor& rows) {
  PatternView view;
  view.data = rows.numel() == 0 ? nullptr : rows.const_data_ptr();
  view.dtype = dtype_of_tensor(rows);
  view.rows = rows.size(0);
  view.heads = rows.size(1);
  view.depth = rows.size(2);
  view.row_stride = rows.stride(0);
  view.head_stride = rows.stride(1);
  return view;
}

CoreInputs::CoreInputs(const Tensor& states, const Tensor& stored, const RetrieveOptions& o)
    : shape_(check_arguments(states, stored, o)),
      states_(states),
      stored_(stored),
      update_steps_max_(o.update_steps_max),
      update_steps_eps_(o.update_steps_eps),
      criterion_(o.criterion),
      update_steps_cap_(o.update_steps_cap) {
  const auto readable = [&](const Tensor& x) {
    return shape_.compute == at::kDouble ? x.to(at::kDouble) : x;
  };
  states_ = readable(states);
  stored_ = readable(stored);
  if (o.projections) {
    projections_ = readable(*o.projections);
    // The core cuts both by the same offsets.
    if (projections_.dim() == 4 && projections_.size(0) != stored_.size(0)) {
      const std::int64_t bags = shape_.bags.expect_int();
      stored_ = stored_.expand({bags, -1, -1, -1});
      projections_ = projections_.expand({bags, -1, -1, -1});
    }
  }
  const Tensor beta = o.beta.detach().to(at::kDouble).contiguous();
  beta_.assign(beta.const_data_ptr<double>(), beta.const_data_ptr<double>() + beta.numel());

  in_.beta = beta_;
  in_.similarity = o.similarity;
  in_.separation = o.separation;
  in_.top_k = o.top_k;
  state_rows_ = as_rows(states_);
  stored_rows_ = as_rows(stored_);
  in_.states = pattern_view_of(state_rows_);
  in_.stored = pattern_view_of(stored_rows_);
  if (projections_.defined()) {
    projection_rows_ = as_rows(projections_);
    in_.projections = pattern_view_of(projection_rows_);
  }
  cut_into_bags(o);
  add_masks(o);
}

// One bag where all states meet all stored patterns: no offsets at all.
void CoreInputs::cut_into_bags(const RetrieveOptions& o) {
  const std::int64_t bags = shape_.bags.expect_int();
  const auto batch = [](const Tensor& x) { return x.dim() == 4 ? x.size(0) : 1; };
  if (o.stored_offsets) {
    stored_offsets_ = copied_offsets(*o.stored_offsets);
  } else if (batch(stored_) == bags && bags != 1) {
    stored_offsets_ = uniform_offsets(bags, stored_.size(1));
  }
  // Dense states against one shared set: cut only if the result tells bags apart.
  const bool told_apart = !stored_offsets_.empty() || o.mask || o.want_association ||
                          (o.hidden_stored && o.hidden_stored->size(0) == bags);
  if (o.state_offsets) {
    state_offsets_ = copied_offsets(*o.state_offsets);
  } else if (states_.dim() == 4 && batch(states_) == bags && bags != 1 && told_apart) {
    state_offsets_ = uniform_offsets(bags, states_.size(1));
  }
  in_.stored_offsets = stored_offsets_;
  in_.state_offsets = state_offsets_;
}

void CoreInputs::add_masks(const RetrieveOptions& o) {
  const std::int64_t bags = shape_.bags.expect_int(), heads = shape_.heads.expect_int();
  const std::int64_t num_states = shape_.num_states.expect_int();
  const std::int64_t num_stored = shape_.num_stored.expect_int();
  Tensor blocked;
  if (o.hidden_stored) {
    const Tensor& hidden = *o.hidden_stored;
    if (shape_.ragged_stored || hidden.size(0) == stored_.size(0) || hidden.size(0) == 1) {
      const bool repeat = !shape_.ragged_stored && hidden.size(0) != stored_.size(0);
      hidden_stored_ =
          (repeat ? hidden.expand({stored_.size(0), num_stored}) : hidden).contiguous();
      in_.hidden_stored = {
          reinterpret_cast<const std::uint8_t*>(hidden_stored_.const_data_ptr<bool>()),
          static_cast<std::size_t>(hidden_stored_.numel())};
    } else {  // each bag hides its own of the shared patterns
      blocked = hidden.unsqueeze(1).unsqueeze(1);
    }
  }
  if (o.mask && o.mask->scalar_type() == at::kBool) {
    const Tensor mask = mask_of_rank_4(*o.mask);
    blocked = blocked.defined() ? blocked.logical_or(mask) : mask;
  }
  // Where nothing is associated no mask is read; a null address stands for none.
  if (blocked.defined() && blocked.numel() > 0) {
    // Ragged bags have no common number of states; what hides a pattern there hides it from all.
    hidden_ = blocked.expand({bags, heads, shape_.ragged_states ? 1 : num_states, num_stored});
    in_.hidden =
        mask_view(reinterpret_cast<const std::uint8_t*>(hidden_.const_data_ptr<bool>()), hidden_);
    if (shape_.ragged_states) in_.hidden.state_stride = 0;
  }
  if (o.mask && o.mask->scalar_type() != at::kBool && o.mask->numel() > 0) {
    bias_ = mask_of_rank_4(o.mask->detach().to(shape_.compute))
                .expand({bags, heads, num_states, num_stored});
    if (shape_.compute == at::kDouble) {
      in_.bias_f64 = mask_view(bias_.const_data_ptr<double>(), bias_);
    } else {
      in_.bias_f32 = mask_view(bias_.const_data_ptr<float>(), bias_);
    }
  }
}

UpdateOptions CoreInputs::update_options() const {
  UpdateOptions update;
  update.update_steps_max = update_steps_max_;
  update.update_steps_eps = update_steps_eps_;
  update.criterion = criterion_;
  update.update_steps_cap = update_steps_cap_;
  return update;
}

}  // namespace hopfield::ops
