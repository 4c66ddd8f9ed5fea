#ifndef HOPFIELD_TORCH_NN_FUNCTIONAL_H_
#define HOPFIELD_TORCH_NN_FUNCTIONAL_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "hopfield/torch/nn/options.h"
#include "hopfield/torch/ops/retrieve.h"

namespace hopfield::nn::functional {

/// Arguments of hopfield_core_forward after (query, key, value): names, order and defaults of the
/// reference's function, then ours. Undefined tensors mean None.
class HopfieldCoreForwardFuncOptions {
 public:
  HopfieldCoreForwardFuncOptions() = default;
  HopfieldCoreForwardFuncOptions(std::optional<std::int64_t> embed_dim_to_check,
                                 std::int64_t num_heads, at::Tensor in_proj_weight,
                                 at::Tensor in_proj_bias, at::Tensor bias_k, at::Tensor bias_v,
                                 bool add_zero_attn, double dropout_p, at::Tensor out_proj_weight,
                                 at::Tensor out_proj_bias)
      : embed_dim_to_check_(embed_dim_to_check),
        num_heads_(num_heads),
        in_proj_weight_(std::move(in_proj_weight)),
        in_proj_bias_(std::move(in_proj_bias)),
        bias_k_(std::move(bias_k)),
        bias_v_(std::move(bias_v)),
        add_zero_attn_(add_zero_attn),
        dropout_p_(dropout_p),
        out_proj_weight_(std::move(out_proj_weight)),
        out_proj_bias_(std::move(out_proj_bias)) {}

#define HOPFIELD_NN_FUNC_ARG(type, name, initial)    \
 public:                                             \
  HopfieldCoreForwardFuncOptions& name(type value) { \
    name##_ = std::move(value);                      \
    return *this;                                    \
  }                                                  \
  const type& name() const {                         \
    return name##_;                                  \
  }                                                  \
                                                     \
 private:                                            \
  type name##_ = initial

  HOPFIELD_NN_FUNC_ARG(std::optional<std::int64_t>, embed_dim_to_check, std::nullopt);
  HOPFIELD_NN_FUNC_ARG(std::int64_t, num_heads, 1);
  HOPFIELD_NN_FUNC_ARG(at::Tensor, in_proj_weight, {});
  HOPFIELD_NN_FUNC_ARG(at::Tensor, in_proj_bias, {});
  HOPFIELD_NN_FUNC_ARG(at::Tensor, bias_k, {});
  HOPFIELD_NN_FUNC_ARG(at::Tensor, bias_v, {});
  HOPFIELD_NN_FUNC_ARG(bool, add_zero_attn, false);
  HOPFIELD_NN_FUNC_ARG(double, dropout_p, 0.0);
  HOPFIELD_NN_FUNC_ARG(at::Tensor, out_proj_weight, {});
  HOPFIELD_NN_FUNC_ARG(at::Tensor, out_proj_bias, {});
  HOPFIELD_NN_FUNC_ARG(bool, training, true);
  HOPFIELD_NN_FUNC_ARG(at::Tensor, key_padding_mask, {});
  HOPFIELD_NN_FUNC_ARG(bool, need_weights, true);
  HOPFIELD_NN_FUNC_ARG(at::Tensor, attn_mask, {});
  HOPFIELD_NN_FUNC_ARG(bool, use_separate_proj_weight, false);
  HOPFIELD_NN_FUNC_ARG(at::Tensor, q_proj_weight, {});
  HOPFIELD_NN_FUNC_ARG(at::Tensor, k_proj_weight, {});
  HOPFIELD_NN_FUNC_ARG(at::Tensor, v_proj_weight, {});
  /// (B*H, S', d) and (B*H, S', p), index b*H + h: replace the projected key and value.
  HOPFIELD_NN_FUNC_ARG(at::Tensor, static_k, {});
  HOPFIELD_NN_FUNC_ARG(at::Tensor, static_v, {});
  HOPFIELD_NN_FUNC_ARG(bool, key_as_static, false);
  HOPFIELD_NN_FUNC_ARG(bool, query_as_static, false);
  HOPFIELD_NN_FUNC_ARG(bool, value_as_static, false);
  HOPFIELD_NN_FUNC_ARG(bool, value_as_connected, false);
  HOPFIELD_NN_FUNC_ARG(bool, normalize_pattern, false);
  HOPFIELD_NN_FUNC_ARG(double, normalize_pattern_eps, 1e-5);
  HOPFIELD_NN_FUNC_ARG(at::Tensor, p_norm_weight, {});
  HOPFIELD_NN_FUNC_ARG(at::Tensor, p_norm_bias, {});
  HOPFIELD_NN_FUNC_ARG(std::optional<std::int64_t>, head_dim, std::nullopt);
  HOPFIELD_NN_FUNC_ARG(std::optional<std::int64_t>, pattern_dim, std::nullopt);
  HOPFIELD_NN_FUNC_ARG(Scaling, scaling, {});  ///< absent: beta 1
  HOPFIELD_NN_FUNC_ARG(UpdateStepsMax, update_steps_max, {});
  HOPFIELD_NN_FUNC_ARG(UpdateStepsEps, update_steps_eps, {});
  HOPFIELD_NN_FUNC_ARG(bool, return_raw_associations, false);
  HOPFIELD_NN_FUNC_ARG(bool, return_projected_patterns, false);
  // Not in the reference.
  HOPFIELD_NN_FUNC_ARG(Compat, compat, Compat::kNone);
  HOPFIELD_NN_FUNC_ARG(Separation, separation, Separation::kSoftmax);
  HOPFIELD_NN_FUNC_ARG(Similarity, similarity, Similarity::kDot);
  HOPFIELD_NN_FUNC_ARG(std::int64_t, top_k, 0);
  HOPFIELD_NN_FUNC_ARG(StopCriterion, criterion, StopCriterion::kAssociation);
  HOPFIELD_NN_FUNC_ARG(std::int64_t, update_steps_cap, 1000);
  HOPFIELD_NN_FUNC_ARG(RetrieveGradient, gradient, RetrieveGradient::kUnrolled);
#undef HOPFIELD_NN_FUNC_ARG
};

/// The association of (length, batch, depth) patterns, with everything given as arguments:
/// -> (output, head mean of the association after dropout or undefined, association (B, H, L, S')
/// or undefined, projected values (B, H, S', p) or undefined).
std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> hopfield_core_forward(
    const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
    const HopfieldCoreForwardFuncOptions& options);

/// Elementwise function by name; see activation_names(). c10::Error lists the names if unknown.
at::Tensor apply_activation(const at::Tensor& input, std::string_view name);

}  // namespace hopfield::nn::functional

#endif  // HOPFIELD_TORCH_NN_FUNCTIONAL_H_
