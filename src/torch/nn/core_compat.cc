#include <ATen/Functions.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "torch/nn/core_math.h"

namespace hopfield::nn::internal {

namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

/// Softmax over the stored patterns; a row that sees none gives zeros, with gradient zero.
at::Tensor association_of(const at::Tensor& query, const at::Tensor& key, const at::Tensor& hidden,
                          const at::Tensor& additive) {
  at::Tensor scores = at::matmul(query, key.transpose(-2, -1));
  if (additive.defined()) scores = scores + additive;
  if (hidden.defined()) scores = scores.masked_fill(hidden, kMinusInfinity);
  if (!additive.defined() && !hidden.defined()) return at::softmax(scores, -1);
  const at::Tensor blind = scores.detach().eq(kMinusInfinity).all(-1, /*keepdim=*/true);
  return at::softmax(scores.masked_fill(blind, 0), -1).masked_fill(blind, 0);
}

/// What the reference multiplies projected states by (defect B1): entry (head, channel).
at::Tensor first_scale(const at::Tensor& beta, std::int64_t heads, std::int64_t depth) {
  if (beta.numel() == 1) return beta;
  const at::Tensor channel =
      at::arange(heads * depth, at::TensorOptions(beta.device()).dtype(at::kLong));
  return beta.index_select(0, channel.remainder(heads)).view({heads, 1, depth});
}

/// What static states and all later states are multiplied by: entry (channel).
at::Tensor later_scale(const at::Tensor& beta, std::int64_t heads, std::int64_t depth) {
  if (beta.numel() == 1) return beta;
  TORCH_CHECK(depth % heads == 0,
              "[compat hflayers-1.0.2] expected num_heads to divide hidden_size when "
              "scaling is a tensor, got ",
              heads, " and ", depth, "; the default mode has no such limit");
  const at::Tensor channel = at::arange(depth, at::TensorOptions(beta.device()).dtype(at::kLong));
  return beta.index_select(0, channel.remainder(heads)).view({1, depth});
}

template <class T>
T of_head(const std::vector<T>& values, std::int64_t head, std::int64_t heads, const char* name) {
  TORCH_CHECK(values.size() == 1 || static_cast<std::int64_t>(values.size()) == heads,
              "[Hopfield] expected ", name, " as one number or one for each of ", heads,
              " heads, got ", values.size());
  return values[values.size() == 1 ? 0 : static_cast<std::size_t>(head)];
}

}  // namespace

CompatResult compat_retrieve(const Projected& projected, const at::Tensor& beta, const Masks& masks,
                             const functional::HopfieldCoreForwardFuncOptions& o) {
  TORCH_CHECK(o.separation() == Separation::kSoftmax && o.similarity() == Similarity::kDot,
              "[compat hflayers-1.0.2] expected softmax over dot products, the only kind the "
              "reference has");
  const std::int64_t heads = o.num_heads();
  const std::int64_t batch =
      std::max({projected.query.size(0), projected.key.size(0), projected.value.size(0)});
  const auto spread = [&](const at::Tensor& rows) {  // -> [B, H, T, depth]
    return rows.expand({batch, rows.size(1), heads, rows.size(3)}).transpose(1, 2);
  };
  at::Tensor query = spread(projected.query);
  const at::Tensor key = spread(projected.key);
  const at::Tensor value = spread(projected.value);
  const std::int64_t depth = query.size(-1);
  const at::Tensor scale = beta.to(query.scalar_type());

  at::Tensor hidden, additive;
  if (masks.mask.defined()) {
    (masks.mask.scalar_type() == at::kBool ? hidden : additive) = masks.mask;
    if (additive.defined()) additive = additive.to(query.scalar_type());
  }
  if (masks.hidden.defined()) {
    const at::Tensor columns = masks.hidden.unsqueeze(1).unsqueeze(1);
    hidden = hidden.defined() ? hidden.logical_or(columns) : columns;
  }

  const at::Tensor start_scale =
      o.query_as_static() ? later_scale(scale, heads, depth) : first_scale(scale, heads, depth);
  at::Tensor association = association_of(query * start_scale, key, hidden, additive);

  CompatResult out;
  out.steps.assign(static_cast<std::size_t>(heads), 0);
  out.reason.assign(static_cast<std::size_t>(heads), StopReason::kStepLimit);
  std::vector<bool> active(static_cast<std::size_t>(heads));
  for (std::int64_t h = 0; h < heads; ++h) {
    active[static_cast<std::size_t>(h)] =
        of_head(o.update_steps_max().values(), h, heads, "update_steps_max") != 0;
  }
  const auto any_active = [&] {
    return std::find(active.begin(), active.end(), true) != active.end();
  };
  for (std::int64_t step = 1; any_active(); ++step) {
    const at::Tensor moved = at::matmul(association, key);
    const at::Tensor next =
        association_of(moved * later_scale(scale, heads, depth), key, hidden, additive);
    // Largest Frobenius norm over the batch, one a head.
    const at::Tensor change = association.numel() == 0 ? at::zeros({heads}, at::kDouble)
                                                       : (next - association)
                                                             .detach()
                                                             .square()
                                                             .sum({-2, -1})
                                                             .sqrt()
                                                             .amax(0)
                                                             .to(at::kCPU, at::kDouble);
    const double* changes = change.const_data_ptr<double>();
    const at::Tensor choose = at::empty({heads}, at::kBool);
    for (std::int64_t h = 0; h < heads; ++h) {
      choose.mutable_data_ptr<bool>()[h] = active[static_cast<std::size_t>(h)];
    }
    const at::Tensor mine = choose.to(query.device()).view({1, heads, 1, 1});
    query = at::where(mine, moved, query);
    association = at::where(mine, next, association);
    for (std::int64_t h = 0; h < heads; ++h) {
      const auto i = static_cast<std::size_t>(h);
      if (!active[i]) continue;
      out.steps[i] = step;
      const std::int64_t steps_max =
          of_head(o.update_steps_max().values(), h, heads, "update_steps_max");
      const double eps = of_head(o.update_steps_eps().values(), h, heads, "update_steps_eps");
      if (steps_max >= 0 && step >= steps_max) {
        active[i] = false;
      } else if (!(changes[h] > eps)) {  // also where it is NaN
        active[i] = false;
        out.reason[i] = StopReason::kConverged;
      } else if (step >= o.update_steps_cap()) {
        active[i] = false;
        out.reason[i] = StopReason::kCapped;
      }
    }
  }
  out.association = association;
  out.dropped = o.training() && o.dropout_p() > 0 ? at::dropout(association, o.dropout_p(), true)
                                                  : association;
  out.retrieved = at::matmul(out.dropped, value).transpose(1, 2);
  out.final_state = query.transpose(1, 2);
  return out;
}

}  // namespace hopfield::nn::internal
