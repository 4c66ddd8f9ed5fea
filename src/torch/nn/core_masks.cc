#include <ATen/Functions.h>
#include <c10/util/Exception.h>

#include <limits>

#include "torch/nn/core_math.h"

namespace hopfield::nn::internal {

namespace {

/// bool stays, uint8 (and other integers) become bool, floating gets the scores' type.
at::Tensor as_mask(const at::Tensor& mask, const at::Tensor& like, std::string_view name,
                   const PartNames& names) {
  const auto type = mask.scalar_type();
  TORCH_CHECK(type == at::kBool || type == at::kByte || c10::isFloatingType(type), "[", names.op,
              "] expected ", name, " of type bool, uint8 or floating, got ", type);
  at::Tensor moved = mask.to(like.device());
  if (type == at::kByte) return moved.ne(0);
  if (type == at::kBool) return moved;
  return moved.to(like.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
}

/// Appends `extra` columns of "visible" to the last dimension.
at::Tensor append_visible(const at::Tensor& mask, std::int64_t extra) {
  if (extra == 0) return mask;
  auto sizes = mask.sizes().vec();
  sizes.back() = extra;
  return at::cat({mask, at::zeros(sizes, mask.options().requires_grad(false))}, -1);
}

}  // namespace

Masks combine_masks(const at::Tensor& padding, const at::Tensor& association, std::int64_t batch,
                    std::int64_t heads, std::int64_t num_states, std::int64_t num_stored,
                    std::int64_t extra, const at::Tensor& like, const PartNames& names) {
  Masks out;
  if (association.defined()) {
    at::Tensor mask = as_mask(association, like, names.mask, names);
    const auto sizes = mask.sizes();
    const bool pairs = mask.dim() >= 2 && sizes[sizes.size() - 2] == num_states &&
                       sizes[sizes.size() - 1] == num_stored;
    bool fits = pairs && mask.dim() <= 4;
    if (fits && mask.dim() == 2) {
      mask = mask.unsqueeze(0).unsqueeze(0);
    } else if (fits && mask.dim() == 3) {
      // (B*H, L, S) comes first: with one head it is (B, L, S), too.
      if (mask.size(0) == batch * heads) {
        mask = mask.reshape({batch, heads, num_states, num_stored});
      } else if (mask.size(0) == batch || mask.size(0) == 1) {
        mask = mask.unsqueeze(1);
      } else {
        fits = false;
      }
    } else if (fits && mask.dim() == 4) {
      fits = (mask.size(0) == batch || mask.size(0) == 1) &&
             (mask.size(1) == heads || mask.size(1) == 1);
    }
    TORCH_CHECK(fits, "[", names.op, "] expected ", names.mask, " of shape [", num_states, ", ",
                num_stored, "], or [n, ", num_states, ", ", num_stored, "] with n = ", batch,
                " or ", batch * heads, ", or [", batch, ", ", heads, ", ", num_states, ", ",
                num_stored, "], got ", association.sizes());
    out.mask = append_visible(mask, extra);
  }
  if (padding.defined()) {
    at::Tensor mask = as_mask(padding, like, names.key_mask, names);
    if (mask.dim() == 1) mask = mask.unsqueeze(0);
    TORCH_CHECK(mask.dim() == 2 && (mask.size(0) == batch || mask.size(0) == 1) &&
                    mask.size(1) == num_stored,
                "[", names.op, "] expected ", names.key_mask, " of shape [", batch, ", ",
                num_stored, "], got ", padding.sizes());
    mask = append_visible(mask, extra);
    if (mask.scalar_type() == at::kBool) {
      out.hidden = mask.expand({batch, num_stored + extra});
    } else {
      mask = mask.unsqueeze(1).unsqueeze(1);
      if (!out.mask.defined()) {
        out.mask = mask;
      } else if (out.mask.scalar_type() == at::kBool) {
        out.mask = mask.masked_fill(out.mask, -std::numeric_limits<double>::infinity());
      } else {
        out.mask = out.mask + mask;
      }
    }
  }
  return out;
}

}  // namespace hopfield::nn::internal
