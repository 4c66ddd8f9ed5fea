#ifndef HOPFIELD_TORCH_NN_CORE_H_
#define HOPFIELD_TORCH_NN_CORE_H_

#include <ATen/core/Tensor.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <optional>
#include <ostream>
#include <tuple>
#include <utility>

#include "hopfield/torch/nn/functional.h"
#include "hopfield/torch/nn/options.h"

namespace hopfield::nn {

/// Options of HopfieldCore, in the reference's order and with its names.
class HopfieldCoreOptions {
 public:
  HopfieldCoreOptions() = default;
  HopfieldCoreOptions(std::optional<std::int64_t> embed_dim, std::int64_t num_heads = 1)
      : embed_dim_(embed_dim), num_heads_(num_heads) {}

#define HOPFIELD_NN_CORE_ARG(type, name, initial) \
 public:                                          \
  HopfieldCoreOptions& name(type value) {         \
    name##_ = std::move(value);                   \
    return *this;                                 \
  }                                               \
  const type& name() const {                      \
    return name##_;                               \
  }                                               \
                                                  \
 private:                                         \
  type name##_ = initial

  HOPFIELD_NN_CORE_ARG(std::optional<std::int64_t>, embed_dim, std::nullopt);
  HOPFIELD_NN_CORE_ARG(std::int64_t, num_heads, 1);
  HOPFIELD_NN_CORE_ARG(double, dropout, 0.0);
  HOPFIELD_NN_CORE_ARG(bool, bias, true);
  HOPFIELD_NN_CORE_ARG(bool, add_bias_kv, false);
  HOPFIELD_NN_CORE_ARG(bool, add_zero_attn, false);
  HOPFIELD_NN_CORE_ARG(std::optional<std::int64_t>, kdim, std::nullopt);
  HOPFIELD_NN_CORE_ARG(std::optional<std::int64_t>, vdim, std::nullopt);
  HOPFIELD_NN_CORE_ARG(std::optional<std::int64_t>, head_dim, std::nullopt);
  HOPFIELD_NN_CORE_ARG(std::optional<std::int64_t>, pattern_dim, std::nullopt);
  HOPFIELD_NN_CORE_ARG(std::optional<std::int64_t>, out_dim, std::nullopt);
  HOPFIELD_NN_CORE_ARG(bool, disable_out_projection, false);
  HOPFIELD_NN_CORE_ARG(bool, key_as_static, false);
  HOPFIELD_NN_CORE_ARG(bool, query_as_static, false);
  HOPFIELD_NN_CORE_ARG(bool, value_as_static, false);
  HOPFIELD_NN_CORE_ARG(bool, value_as_connected, false);
  HOPFIELD_NN_CORE_ARG(bool, normalize_pattern, false);
  HOPFIELD_NN_CORE_ARG(bool, normalize_pattern_affine, false);
  HOPFIELD_NN_CORE_ARG(double, normalize_pattern_eps, 1e-5);
  // Not in the reference.
  HOPFIELD_NN_CORE_ARG(Compat, compat, Compat::kNone);
  HOPFIELD_NN_CORE_ARG(Separation, separation, Separation::kSoftmax);
  HOPFIELD_NN_CORE_ARG(Similarity, similarity, Similarity::kDot);
  HOPFIELD_NN_CORE_ARG(std::int64_t, top_k, 0);
  HOPFIELD_NN_CORE_ARG(StopCriterion, criterion, StopCriterion::kAssociation);
  HOPFIELD_NN_CORE_ARG(std::int64_t, update_steps_cap, 1000);
  HOPFIELD_NN_CORE_ARG(RetrieveGradient, gradient, RetrieveGradient::kUnrolled);
  HOPFIELD_NN_CORE_ARG(std::optional<c10::ScalarType>, dtype, std::nullopt);
  HOPFIELD_NN_CORE_ARG(std::optional<c10::Device>, device, std::nullopt);
#undef HOPFIELD_NN_CORE_ARG
};

/// How one call of HopfieldCore::forward differs from the defaults.
struct HopfieldCoreCall {
  at::Tensor key_padding_mask;
  bool need_weights = true;
  at::Tensor attn_mask;
  Scaling scaling;  ///< absent: NO scaling (beta 1), unlike Hopfield
  UpdateStepsMax update_steps_max;
  UpdateStepsEps update_steps_eps;
  bool return_raw_associations = false;
  bool return_pattern_projections = false;
};

/// The projections and the association itself, without the layer norms of the inputs; patterns are
/// always (length, batch, depth). Interface of hflayers.activation.HopfieldCore.
class HopfieldCoreImpl : public torch::nn::Cloneable<HopfieldCoreImpl> {
 public:
  explicit HopfieldCoreImpl(const HopfieldCoreOptions& options_ = {});
  HopfieldCoreImpl(std::int64_t embed_dim, std::int64_t num_heads)
      : HopfieldCoreImpl(HopfieldCoreOptions(embed_dim, num_heads)) {}

  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;

  /// -> (output, head mean of the association after dropout or undefined, association or undefined,
  /// projected values or undefined).
  std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> forward(
      const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
      const HopfieldCoreCall& call = {});

  /// All three patterns enter as they are, nothing is learned.
  bool static_only() const;
  /// One in_proj_weight instead of q/k/v_proj_weight.
  bool packed() const;
  std::optional<std::int64_t> embed_dim() const { return options.embed_dim(); }
  std::optional<std::int64_t> kdim() const;
  std::optional<std::int64_t> vdim() const;
  std::optional<std::int64_t> head_dim() const;     ///< d
  std::optional<std::int64_t> pattern_dim() const;  ///< p
  std::optional<std::int64_t> out_dim() const;      ///< O

  /// The weights and switches as the functional form takes them; beta, updates and masks are the
  /// caller's to add.
  functional::HopfieldCoreForwardFuncOptions functional_options() const;

  HopfieldCoreOptions options;
  at::Tensor p_norm_weight, p_norm_bias;                   ///< (d)
  at::Tensor in_proj_weight;                               ///< packed
  at::Tensor q_proj_weight, k_proj_weight, v_proj_weight;  ///< separate
  at::Tensor in_proj_bias, bias_k, bias_v;
  torch::nn::Linear out_proj{nullptr};
};

TORCH_MODULE(HopfieldCore);

}  // namespace hopfield::nn

#endif  // HOPFIELD_TORCH_NN_CORE_H_
