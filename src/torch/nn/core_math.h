#ifndef HOPFIELD_SRC_TORCH_NN_CORE_MATH_H_
#define HOPFIELD_SRC_TORCH_NN_CORE_MATH_H_

#include <ATen/core/Tensor.h>

#include <torch/nn/module.h>

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "hopfield/torch/nn/functional.h"
#include "hopfield/torch/nn/hopfield.h"

namespace hopfield::nn::internal {

/// A set of patterns: dense [B, T, depth], or ragged [N, depth] with offsets [B+1].
struct Patterns {
  at::Tensor rows;
  at::Tensor offsets;
  bool ragged() const { return offsets.defined(); }
};

/// The caller's words for the parts, so that messages speak of what the caller gave.
struct PartNames {
  std::string_view op = "hopfield_core_forward";
  std::string_view key = "key", query = "query", value = "value";
  std::string_view key_mask = "key_padding_mask", mask = "attn_mask";
};

/// Projected patterns [.., H or 1, depth], layout as Patterns.
struct Projected {
  at::Tensor query, key, value;
};

/// Step 3 and 4 of the forward: projections, static and connected patterns, association-space norm.
Projected project(Patterns query, Patterns key, Patterns value,
                  const functional::HopfieldCoreForwardFuncOptions& options,
                  const PartNames& names);

/// beta as the options give it: floating, 0-d, [1] or [H].
at::Tensor beta_tensor(const Scaling& scaling, std::int64_t num_heads, const at::Tensor& like);

/// Everything from the projections to the out projection. Batch first throughout; `output` has rows
/// [B, L] or [T]. The dropped association (after dropout) is only made for `mean_weights`.
struct CoreOutput {
  HopfieldOutput report;
  at::Tensor mean_weights;  ///< (B, L, S') head mean after dropout; only when asked
};
CoreOutput core_associate(const Patterns& query, const Patterns& key, const Patterns& value,
                          const functional::HopfieldCoreForwardFuncOptions& options,
                          const at::Tensor& beta, const HopfieldRequest& request,
                          bool want_mean_weights, const PartNames& names);

/// The tensors of a report that have one entry a row.
std::array<at::Tensor*, 12> row_tensors(HopfieldOutput& report);

/// Moves a freshly drawn module to where and to what the options ask. Weights are drawn in the
/// default type on the CPU first, so that a seed gives the same ones everywhere.
void convert(torch::nn::Module& module, std::optional<c10::ScalarType> dtype,
             std::optional<c10::Device> device);

/// Both kinds of masks in one form for S' stored patterns of which the last `extra` are appended.
struct Masks {
  at::Tensor hidden;  ///< bool [B, S'] or undefined
  at::Tensor mask;    ///< bool or floating, broadcastable to [B, H, L, S'], or undefined
};
Masks combine_masks(const at::Tensor& padding, const at::Tensor& association, std::int64_t batch,
                    std::int64_t heads, std::int64_t num_states, std::int64_t num_stored,
                    std::int64_t extra, const at::Tensor& like, const PartNames& names);

/// The iteration of hflayers 1.0.2: heads stop for the whole batch together (B14), beta as B1 has
/// it. Dense [B or 1, T, H or 1, depth].
struct CompatResult {
  at::Tensor retrieved;             ///< [B, L, H, p]
  at::Tensor association;           ///< [B, H, L, S'] before dropout
  at::Tensor dropped;               ///< the same after dropout
  at::Tensor final_state;           ///< [B, L, H, d]
  std::vector<std::int64_t> steps;  ///< one a head
  std::vector<StopReason> reason;   ///< one a head
};
CompatResult compat_retrieve(const Projected& projected, const at::Tensor& beta, const Masks& masks,
                             const functional::HopfieldCoreForwardFuncOptions& options);

}  // namespace hopfield::nn::internal

#endif  // HOPFIELD_SRC_TORCH_NN_CORE_MATH_H_
