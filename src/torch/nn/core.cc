#include "hopfield/torch/nn/core.h"

#include <ATen/Functions.h>
#include <c10/util/Exception.h>
#include <torch/nn/init.h>

#include "torch/nn/core_math.h"

namespace hopfield::nn {

namespace {

constexpr double kInitialDeviation = 0.02;

/// [1, T, ...] results of internal::core_associate are batch first; the core's world is not.
at::Tensor length_first(const at::Tensor& rows) {
  return rows.transpose(0, 1);
}

}  // namespace

namespace internal {

void convert(torch::nn::Module& module, std::optional<c10::ScalarType> dtype,
             std::optional<c10::Device> device) {
  TORCH_CHECK(
      !device || !device->is_meta(),
      "[Hopfield] expected a device with memory, got meta; LibTorch's modules cannot live there");
  if (dtype) module.to(*dtype);
  if (device) module.to(*device);
}

}  // namespace internal

namespace functional {

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> hopfield_core_forward(
    const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
    const HopfieldCoreForwardFuncOptions& options) {
  const internal::PartNames names;
  for (const auto& [name, tensor] :
       {std::pair{"query", &query}, {"key", &key}, {"value", &value}}) {
    TORCH_CHECK(tensor->defined() && tensor->dim() == 3, "[hopfield_core_forward] expected ", name,
                " of shape [length, batch, depth], got ",
                tensor->defined() ? c10::str(tensor->sizes()) : std::string("an undefined tensor"));
  }
  if (options.embed_dim_to_check() && !(options.query_as_static())) {
    TORCH_CHECK(query.size(-1) == *options.embed_dim_to_check(),
                "[hopfield_core_forward] expected query of depth ", *options.embed_dim_to_check(),
                ", got shape ", query.sizes());
  }
  HopfieldRequest request;
  request.stored_pattern_padding_mask = options.key_padding_mask();
  request.association_mask = options.attn_mask();
  request.association = options.need_weights() || options.return_raw_associations();
  request.projected = options.return_projected_patterns();
  const at::Tensor beta = internal::beta_tensor(options.scaling(), options.num_heads(), query);
  internal::CoreOutput result = internal::core_associate(
      {length_first(query), {}}, {length_first(key), {}}, {length_first(value), {}}, options, beta,
      request, options.need_weights(), names);
  return {length_first(result.report.output), result.mean_weights,
          options.return_raw_associations() ? result.report.association : at::Tensor(),
          result.report.projected};
}

}  // namespace functional

HopfieldCoreImpl::HopfieldCoreImpl(const HopfieldCoreOptions& options_) : options(options_) {
  TORCH_CHECK(options.num_heads() >= 1, "[HopfieldCore] expected num_heads >= 1, got ",
              options.num_heads());
  TORCH_CHECK(options.dropout() >= 0 && options.dropout() <= 1,
              "[HopfieldCore] expected dropout in [0, 1], got ", options.dropout());
  if (!static_only()) {
    TORCH_CHECK(options.embed_dim() && *options.embed_dim() >= 1,
                "[HopfieldCore] expected embed_dim >= 1 (input_size of Hopfield), got ",
                options.embed_dim() ? std::to_string(*options.embed_dim()) : "none",
                "; it can only be left out when all three patterns are static, nothing is "
                "normalised in the "
                "association space and the out projection is disabled");
    TORCH_CHECK(options.head_dim() || *options.embed_dim() % options.num_heads() == 0,
                "[HopfieldCore] expected embed_dim divisible by num_heads, got ",
                *options.embed_dim(), " and ", options.num_heads(),
                "; give head_dim (hidden_size of Hopfield)");
    TORCH_CHECK(*head_dim() >= 1 && *pattern_dim() >= 1,
                "[HopfieldCore] expected head_dim and pattern_dim >= 1, got ", *head_dim(), " and ",
                *pattern_dim());
    TORCH_CHECK(!options.value_as_connected() || options.key_as_static() || *kdim() == *vdim(),
                "[HopfieldCore] expected kdim = vdim with value_as_connected, got ", *kdim(),
                " and ", *vdim());
    TORCH_CHECK(
        !options.add_bias_kv() || options.key_as_static() == options.value_as_static(),
        "[HopfieldCore] expected key and value both projected or both static with add_bias_kv "
        "(concat_bias_pattern), got one of each");
  }
  reset();
}

bool HopfieldCoreImpl::static_only() const {
  return options.query_as_static() && options.key_as_static() && options.value_as_static() &&
         !options.value_as_connected() && !options.normalize_pattern() &&
         options.disable_out_projection();
}

bool HopfieldCoreImpl::packed() const {
  return kdim() == options.embed_dim() && vdim() == options.embed_dim() && !options.pattern_dim() &&
         !options.value_as_connected();
}

std::optional<std::int64_t> HopfieldCoreImpl::kdim() const {
  return options.kdim() ? options.kdim() : options.embed_dim();
}

std::optional<std::int64_t> HopfieldCoreImpl::vdim() const {
  return options.vdim() ? options.vdim() : options.embed_dim();
}

std::optional<std::int64_t> HopfieldCoreImpl::head_dim() const {
  if (options.head_dim() || !options.embed_dim()) return options.head_dim();
  return *options.embed_dim() / options.num_heads();
}

std::optional<std::int64_t> HopfieldCoreImpl::pattern_dim() const {
  return options.pattern_dim() ? options.pattern_dim() : head_dim();
}

std::optional<std::int64_t> HopfieldCoreImpl::out_dim() const {
  return options.out_dim() ? options.out_dim() : options.embed_dim();
}

void HopfieldCoreImpl::reset() {
  const auto parameter = [this](const char* name, bool present, at::IntArrayRef sizes) {
    return present ? register_parameter(name, at::zeros(sizes))
                   : register_parameter(name, at::Tensor(), false);
  };
  const bool learned = !static_only();
  const bool all_static =
      options.query_as_static() && options.key_as_static() && options.value_as_static();
  const std::int64_t heads = options.num_heads();
  const std::int64_t d = learned ? *head_dim() : 0;
  const std::int64_t p = learned ? *pattern_dim() : 0;
  const std::int64_t query_rows = options.query_as_static() ? 0 : heads * d;
  const std::int64_t key_rows = options.key_as_static() ? 0 : heads * d;
  const std::int64_t value_rows = options.value_as_static() ? 0 : heads * p;

  const bool norm = learned && options.normalize_pattern() && options.normalize_pattern_affine();
  p_norm_weight = parameter("p_norm_weight", norm, {d});
  p_norm_bias = parameter("p_norm_bias", norm, {d});
  const bool separate = learned && !packed();
  const std::int64_t value_depth =
      learned ? (options.value_as_connected() && !options.key_as_static() ? heads * d : *vdim())
              : 0;
  q_proj_weight = parameter("q_proj_weight", separate && query_rows > 0,
                            {query_rows, learned ? *embed_dim() : 0});
  k_proj_weight =
      parameter("k_proj_weight", separate && key_rows > 0, {key_rows, learned ? *kdim() : 0});
  v_proj_weight = parameter("v_proj_weight", separate && value_rows > 0, {value_rows, value_depth});
  in_proj_weight = parameter("in_proj_weight", learned && packed() && !all_static,
                             {query_rows + key_rows + value_rows, learned ? *embed_dim() : 0});
  in_proj_bias = parameter("in_proj_bias", learned && options.bias() && !all_static,
                           {query_rows + key_rows + heads * p});
  // The reference gives bias_v the depth of bias_k, which is wrong (and unused) where p != d.
  const std::int64_t bias_v_depth = options.compat() == Compat::kNone ? heads * p : heads * d;
  bias_k = parameter("bias_k", learned && options.add_bias_kv() && !options.key_as_static(),
                     {1, 1, heads * d});
  bias_v = parameter("bias_v", learned && options.add_bias_kv() && !options.value_as_static(),
                     {1, 1, bias_v_depth});
  if (!options.disable_out_projection()) {
    out_proj = register_module(
        "out_proj",
        torch::nn::Linear(torch::nn::LinearOptions(heads * p, *out_dim()).bias(options.bias())));
  }
  reset_parameters();
  internal::convert(*this, options.dtype(), options.device());
}

void HopfieldCoreImpl::reset_parameters() {
  const at::NoGradGuard no_grad;
  const auto draw = [](at::Tensor& tensor) {
    if (tensor.defined()) torch::nn::init::normal_(tensor, 0.0, kInitialDeviation);
  };
  const auto fill = [](at::Tensor& tensor, double value) {
    if (tensor.defined()) torch::nn::init::constant_(tensor, value);
  };
  fill(p_norm_weight, 1);
  fill(p_norm_bias, 0);
  // The order of draws is part of the interface: the same seed gives the reference's weights.
  draw(in_proj_weight);
  draw(q_proj_weight);
  draw(k_proj_weight);
  draw(v_proj_weight);
  fill(in_proj_bias, 0);
  if (!out_proj.is_empty()) {
    draw(out_proj->weight);
    fill(out_proj->bias, 0);
  }
  draw(bias_k);
  draw(bias_v);
}

void HopfieldCoreImpl::pretty_print(std::ostream& stream) const {
  stream << "hopfield::nn::HopfieldCore(embed_dim=";
  if (embed_dim()) {
    stream << *embed_dim();
  } else {
    stream << "none";
  }
  stream << ", num_heads=" << options.num_heads() << (packed() ? ", packed" : ", separate") << ")";
}

functional::HopfieldCoreForwardFuncOptions HopfieldCoreImpl::functional_options() const {
  const bool learned = !static_only();
  return functional::HopfieldCoreForwardFuncOptions(
             learned ? options.embed_dim() : std::nullopt, options.num_heads(), in_proj_weight,
             in_proj_bias, bias_k, bias_v, options.add_zero_attn(), options.dropout(),
             out_proj.is_empty() ? at::Tensor() : out_proj->weight,
             out_proj.is_empty() ? at::Tensor() : out_proj->bias)
      .training(is_training())
      .use_separate_proj_weight(!packed())
      .q_proj_weight(q_proj_weight)
      .k_proj_weight(k_proj_weight)
      .v_proj_weight(v_proj_weight)
      .key_as_static(options.key_as_static())
      .query_as_static(options.query_as_static())
      .value_as_static(options.value_as_static())
      .value_as_connected(options.value_as_connected())
      .normalize_pattern(options.normalize_pattern())
      .normalize_pattern_eps(options.normalize_pattern_eps())
      .p_norm_weight(p_norm_weight)
      .p_norm_bias(p_norm_bias)
      .head_dim(learned ? options.head_dim() : std::nullopt)
      .pattern_dim(learned ? options.pattern_dim() : std::nullopt)
      .compat(options.compat())
      .separation(options.separation())
      .similarity(options.similarity())
      .top_k(options.top_k())
      .criterion(options.criterion())
      .update_steps_cap(options.update_steps_cap())
      .gradient(options.gradient());
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> HopfieldCoreImpl::forward(
    const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
    const HopfieldCoreCall& call) {
  return functional::hopfield_core_forward(
      query, key, value,
      functional_options()
          .key_padding_mask(call.key_padding_mask)
          .need_weights(call.need_weights)
          .attn_mask(call.attn_mask)
          .scaling(call.scaling)
          .update_steps_max(call.update_steps_max)
          .update_steps_eps(call.update_steps_eps)
          .return_raw_associations(call.return_raw_associations)
          .return_projected_patterns(call.return_pattern_projections));
}

}  // namespace hopfield::nn
