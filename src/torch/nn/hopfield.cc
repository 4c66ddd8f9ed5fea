#include "hopfield/torch/nn/hopfield.h"

#include <ATen/Functions.h>
#include <c10/util/Exception.h>

#include <cmath>

#include "torch/nn/core_math.h"

namespace hopfield::nn {

namespace {

const internal::PartNames kNames = {"Hopfield",
                                    "stored_pattern",
                                    "state_pattern",
                                    "pattern_projection",
                                    "stored_pattern_padding_mask",
                                    "association_mask"};

void check_offsets(const at::Tensor& offsets, std::int64_t rows, const char* name) {
  TORCH_CHECK(offsets.dim() == 1 && offsets.scalar_type() == at::kLong && offsets.size(0) >= 1,
              "[Hopfield] expected ", name, " as int64 of shape [B+1], got ", offsets.scalar_type(),
              " ", offsets.sizes());
  const at::Tensor values = offsets.to(at::kCPU).contiguous();
  const std::int64_t* data = values.const_data_ptr<std::int64_t>();
  const std::int64_t bags = values.size(0) - 1;
  TORCH_CHECK(data[0] == 0, "[Hopfield] expected ", name, " to begin with 0, got ", data[0]);
  for (std::int64_t b = 0; b < bags; ++b) {
    TORCH_CHECK(data[b] <= data[b + 1], "[Hopfield] expected ascending ", name, ", got ", data[b],
                " before ", data[b + 1], " at bag ", b);
  }
  TORCH_CHECK(data[bags] == rows, "[Hopfield] expected ", name, " to end with the number of rows ",
              rows, ", got ", data[bags]);
}

/// Brings one part to batch first: [B, T, depth] or ragged [N, depth].
internal::Patterns arrange(const at::Tensor& part, const at::Tensor& offsets, bool batch_first,
                           std::string_view name) {
  TORCH_CHECK(part.defined(), "[Hopfield] expected ", name, ", got an undefined tensor");
  TORCH_CHECK(c10::isFloatingType(part.scalar_type()), "[Hopfield] expected ", name,
              " of a floating type, got ", part.scalar_type());
  if (offsets.defined()) {
    TORCH_CHECK(part.dim() == 2, "[Hopfield] expected ragged ", name, " of shape [N, depth], got ",
                part.sizes());
    check_offsets(offsets, part.size(0),
                  name == "state_pattern" ? "state_offsets" : "stored_offsets");
    return {part, offsets.to(part.device())};
  }
  TORCH_CHECK(part.dim() == 2 || part.dim() == 3, "[Hopfield] expected ", name, " of shape ",
              batch_first ? "[batch, length, depth]" : "[length, batch, depth]",
              " or [length, depth], got ", part.sizes());
  if (part.dim() == 2) return {part.unsqueeze(0), {}};
  return {batch_first ? part : part.transpose(0, 1), {}};
}

void normalize(internal::Patterns& part, bool on, torch::nn::LayerNorm& norm,
               std::string_view name) {
  if (!on) return;
  const std::int64_t depth = norm->options.normalized_shape().at(0);
  TORCH_CHECK(part.rows.size(-1) == depth, "[Hopfield] expected ", name, " of depth ", depth,
              ", got shape ", part.rows.sizes());
  TORCH_CHECK(!norm->weight.defined() || norm->weight.scalar_type() == part.rows.scalar_type(),
              "[Hopfield] expected ", name, " of type ", norm->weight.scalar_type(),
              " as the weights, got ", part.rows.scalar_type(),
              "; convert the input or the module");
  part.rows = norm->forward(part.rows);
}

/// Every tensor of the report that has a batch dimension loses it.
void drop_batch(HopfieldOutput& out) {
  for (at::Tensor* one : internal::row_tensors(out)) {
    if (one->defined()) *one = one->squeeze(0);
  }
  for (at::Tensor* one : {&out.output, &out.association, &out.projected}) {
    if (one->defined()) *one = one->squeeze(0);
  }
}

}  // namespace

HopfieldInput::HopfieldInput(at::Tensor patterns) : stored_pattern(std::move(patterns)) {}

HopfieldInput::HopfieldInput(at::Tensor stored, at::Tensor state, at::Tensor projection)
    : stored_pattern(std::move(stored)),
      state_pattern(std::move(state)),
      pattern_projection(std::move(projection)) {}

HopfieldRequest HopfieldRequest::masked(at::Tensor stored_pattern_padding_mask,
                                        at::Tensor association_mask) {
  HopfieldRequest request;
  request.stored_pattern_padding_mask = std::move(stored_pattern_padding_mask);
  request.association_mask = std::move(association_mask);
  return request;
}

HopfieldInput HopfieldInput::ragged(at::Tensor values, at::Tensor offsets) {
  HopfieldInput input(std::move(values));
  input.state_offsets = offsets;
  input.stored_offsets = std::move(offsets);
  return input;
}

HopfieldImpl::HopfieldImpl(const HopfieldOptions& options_) : options(options_) {
  check_options();
  reset();
}

void HopfieldImpl::check_options() const {
  const auto per_head = [&](std::size_t size, const char* name) {
    TORCH_CHECK(size == 1 || static_cast<std::int64_t>(size) == options.num_heads(),
                "[Hopfield] expected ", name, " as one number or one for each of ",
                options.num_heads(), " heads, got ", size);
  };
  TORCH_CHECK(options.num_heads() >= 1, "[Hopfield] expected num_heads >= 1, got ",
              options.num_heads());
  per_head(options.update_steps_max().values().size(), "update_steps_max");
  per_head(options.update_steps_eps().values().size(), "update_steps_eps");
  for (const double eps : options.update_steps_eps().values()) {
    TORCH_CHECK(eps > 0, "[Hopfield] expected update_steps_eps > 0, got ", eps);
  }
  TORCH_CHECK(options.update_steps_cap() >= 1, "[Hopfield] expected update_steps_cap >= 1, got ",
              options.update_steps_cap());
  TORCH_CHECK(options.dropout() >= 0 && options.dropout() <= 1,
              "[Hopfield] expected dropout in [0, 1], got ", options.dropout());
  if (options.scaling().is_number()) {
    TORCH_CHECK(std::isfinite(options.scaling().number()),
                "[Hopfield] expected a finite scaling, got ", options.scaling().number());
  } else if (options.scaling().is_tensor()) {
    const at::Tensor& beta = options.scaling().tensor();
    TORCH_CHECK(beta.dim() <= 1,
                "[Hopfield] expected scaling as one number or one a head, got shape ",
                beta.sizes());
    per_head(static_cast<std::size_t>(beta.numel()), "scaling");
    TORCH_CHECK(!beta.requires_grad() || beta.is_leaf(),
                "[Hopfield] expected scaling as a leaf tensor, got one that was computed; pass its "
                "detached "
                "value and trainable_scaling(true)");
  }
  for (const auto& [name, eps] :
       {std::pair{"normalize_stored_pattern_eps", options.normalize_stored_pattern_eps()},
        {"normalize_state_pattern_eps", options.normalize_state_pattern_eps()},
        {"normalize_pattern_projection_eps", options.normalize_pattern_projection_eps()},
        {"normalize_hopfield_space_eps", options.normalize_hopfield_space_eps()}}) {
    TORCH_CHECK(eps >= 0, "[Hopfield] expected ", name, " >= 0, got ", eps);
  }
  if (!options.association_activation()
           .empty()) {  // an unknown name fails now, not at the first forward
    functional::apply_activation(at::zeros({1}), options.association_activation());
  }
  TORCH_CHECK(options.separation() != Separation::kTopKSoftmax || options.top_k() >= 1,
              "[Hopfield] expected top_k >= 1 with the top-k softmax, got ", options.top_k());
  TORCH_CHECK(options.compat() == Compat::kNone || (options.separation() == Separation::kSoftmax &&
                                                    options.similarity() == Similarity::kDot),
              "[Hopfield] expected softmax over dot products with compat = \"hflayers-1.0.2\"");
  TORCH_CHECK(
      options.compat() == Compat::kNone || options.gradient() == RetrieveGradient::kUnrolled,
      "[Hopfield] expected the unrolled gradient with compat = \"hflayers-1.0.2\"");
}

void HopfieldImpl::reset() {
  association_core = register_module(
      "association_core",
      HopfieldCore(HopfieldCoreOptions(options.input_size(), options.num_heads())
                       .dropout(options.dropout())
                       .bias(options.input_bias())
                       .add_bias_kv(options.concat_bias_pattern())
                       .add_zero_attn(options.add_zero_association())
                       .kdim(options.stored_pattern_size())
                       .vdim(options.pattern_projection_size())
                       .head_dim(options.hidden_size())
                       .pattern_dim(options.pattern_size())
                       .out_dim(options.output_size())
                       .disable_out_projection(options.disable_out_projection())
                       .key_as_static(options.stored_pattern_as_static())
                       .query_as_static(options.state_pattern_as_static())
                       .value_as_static(options.pattern_projection_as_static())
                       .value_as_connected(options.pattern_projection_as_connected())
                       .normalize_pattern(options.normalize_hopfield_space())
                       .normalize_pattern_affine(normalize_hopfield_space_affine())
                       .normalize_pattern_eps(options.normalize_hopfield_space_eps())
                       .compat(options.compat())
                       .separation(options.separation())
                       .similarity(options.similarity())
                       .top_k(options.top_k())
                       .criterion(options.criterion())
                       .update_steps_cap(options.update_steps_cap())
                       .gradient(options.gradient())));
  const auto norm = [&](const char* name, bool on, bool affine, double eps,
                        std::optional<std::int64_t> depth) {
    if (!on) return torch::nn::LayerNorm(nullptr);
    TORCH_CHECK(depth, "[Hopfield] expected input_size, which ", name,
                " needs; switch the norms off for static retrieval: normalize_inputs(false)");
    return torch::nn::LayerNorm(register_module(
        name, torch::nn::LayerNorm(
                  torch::nn::LayerNormOptions({*depth}).elementwise_affine(affine).eps(eps))));
  };
  norm_stored_pattern =
      norm("norm_stored_pattern", normalize_stored_pattern(), normalize_stored_pattern_affine(),
           options.normalize_stored_pattern_eps(), association_core->kdim());
  norm_state_pattern =
      norm("norm_state_pattern", normalize_state_pattern(), normalize_state_pattern_affine(),
           options.normalize_state_pattern_eps(), association_core->embed_dim());
  norm_pattern_projection =
      norm("norm_pattern_projection", normalize_pattern_projection(),
           normalize_pattern_projection_affine(), options.normalize_pattern_projection_eps(),
           association_core->vdim());
  scaling_ = at::Tensor();
  const Scaling& given = options.scaling();
  if (given.is_tensor() || options.trainable_scaling()) {
    const auto type = options.dtype().value_or(c10::typeMetaToScalarType(at::get_default_dtype()));
    at::Tensor beta;
    if (given.is_tensor()) {
      beta = given.tensor()
                 .detach()
                 .to(at::kCPU, type, /*non_blocking=*/false, /*copy=*/true)
                 .reshape({-1});
    } else {
      const double number = given.is_number() ? given.number() : scaling().item<double>();
      beta = at::full({options.num_heads()}, number, type);
    }
    const bool learn =
        options.trainable_scaling() || (given.is_tensor() && given.tensor().requires_grad());
    scaling_ = learn ? register_parameter("scaling", beta) : register_buffer("scaling", beta);
  }
  reset_parameters();
  internal::convert(*this, options.dtype(), options.device());
}

void HopfieldImpl::reset_parameters() {
  association_core->reset_parameters();
  for (torch::nn::LayerNorm* norm :
       {&norm_stored_pattern, &norm_state_pattern, &norm_pattern_projection}) {
    if (!norm->is_empty()) (*norm)->reset_parameters();
  }
}

void HopfieldImpl::pretty_print(std::ostream& stream) const {
  stream << "hopfield::nn::Hopfield(";
  if (input_size()) {
    stream << "input_size=" << *input_size() << ", hidden_size=" << *hidden_size()
           << ", output_size=" << *output_depth();
  } else {
    stream << "static retrieval";
  }
  stream << ", num_heads=" << options.num_heads() << ", update_steps_max=" << update_steps_max();
  if (options.compat() != Compat::kNone) stream << ", compat=" << compat_name(options.compat());
  stream << ")";
}

HopfieldOutput HopfieldImpl::associate(const HopfieldInput& input, const HopfieldRequest& request) {
  const at::Tensor& state_part =
      input.state_pattern.defined() ? input.state_pattern : input.stored_pattern;
  const at::Tensor& value_part =
      input.pattern_projection.defined() ? input.pattern_projection : input.stored_pattern;
  internal::Patterns stored =
      arrange(input.stored_pattern, input.stored_offsets, batch_first(), kNames.key);
  internal::Patterns state = arrange(state_part, input.state_offsets, batch_first(), kNames.query);
  internal::Patterns value = arrange(value_part, input.stored_offsets, batch_first(), kNames.value);
  const bool any_ragged = stored.ragged() || state.ragged();
  const bool unbatched = !any_ragged && input.stored_pattern.dim() == 2 && state_part.dim() == 2 &&
                         value_part.dim() == 2;

  normalize(stored, normalize_stored_pattern(), norm_stored_pattern, kNames.key);
  normalize(state, normalize_state_pattern(), norm_state_pattern, kNames.query);
  normalize(value, normalize_pattern_projection(), norm_pattern_projection, kNames.value);

  const at::Tensor beta = internal::beta_tensor(
      scaling_.defined() ? Scaling(scaling_) : Scaling(scaling().item<double>()),
      options.num_heads(), state.rows);
  HopfieldOutput out = internal::core_associate(state, stored, value,
                                                association_core->functional_options()
                                                    .update_steps_max(options.update_steps_max())
                                                    .update_steps_eps(options.update_steps_eps())
                                                    .training(is_training() && request.dropout),
                                                beta, request, /*want_mean_weights=*/false, kNames)
                           .report;
  if (!options.association_activation().empty()) {
    out.output = functional::apply_activation(out.output, options.association_activation());
  }
  if (unbatched) {
    drop_batch(out);
  } else if (!batch_first() && out.output.dim() == 3) {
    out.output = out.output.transpose(0, 1);
  }
  return out;
}

at::Tensor HopfieldImpl::forward(const at::Tensor& input,
                                 const at::Tensor& stored_pattern_padding_mask,
                                 const at::Tensor& association_mask) {
  return associate(input, HopfieldRequest::masked(stored_pattern_padding_mask, association_mask))
      .output;
}

at::Tensor HopfieldImpl::forward_patterns(const at::Tensor& stored_pattern,
                                          const at::Tensor& state_pattern,
                                          const at::Tensor& pattern_projection,
                                          const at::Tensor& stored_pattern_padding_mask,
                                          const at::Tensor& association_mask) {
  return associate({stored_pattern, state_pattern, pattern_projection},
                   HopfieldRequest::masked(stored_pattern_padding_mask, association_mask))
      .output;
}

at::Tensor HopfieldImpl::forward_ragged(const at::Tensor& values, const at::Tensor& offsets) {
  return associate(HopfieldInput::ragged(values, offsets)).output;
}

ConvergenceReport summarize_convergence(const HopfieldOutput& output) {
  ConvergenceReport report;
  report.steps = output.steps;
  report.reason = output.reason;
  report.steps_max = output.steps.numel() == 0 ? 0 : output.steps.max().item<std::int64_t>();
  const auto count = [&](StopReason reason) {
    return output.reason.eq(static_cast<std::int64_t>(reason)).sum().item<std::int64_t>();
  };
  report.num_step_limit = count(StopReason::kStepLimit);
  report.num_converged = count(StopReason::kConverged);
  report.num_cycle = count(StopReason::kCycle);
  report.num_capped = count(StopReason::kCapped);
  report.num_empty = count(StopReason::kEmpty);
  return report;
}

at::Tensor HopfieldImpl::scaling() const {
  if (scaling_.defined()) return scaling_;
  double value = 1.0;
  if (options.scaling().is_number()) {
    value = options.scaling().number();
  } else if (!association_core->static_only()) {
    value = 1.0 / std::sqrt(static_cast<double>(*association_core->head_dim()));
  }
  return at::scalar_tensor(value, at::kDouble);
}

std::optional<std::int64_t> HopfieldImpl::stored_pattern_dim() const {
  return association_core->static_only() ? std::nullopt : association_core->kdim();
}

std::optional<std::int64_t> HopfieldImpl::state_pattern_dim() const {
  return association_core->static_only() ? std::nullopt : association_core->embed_dim();
}

std::optional<std::int64_t> HopfieldImpl::pattern_projection_dim() const {
  return association_core->static_only() ? std::nullopt : association_core->vdim();
}

std::optional<std::int64_t> HopfieldImpl::hidden_size() const {
  return association_core->static_only() ? std::nullopt : association_core->head_dim();
}

std::optional<std::int64_t> HopfieldImpl::output_size() const {
  return association_core->static_only() ? std::nullopt : association_core->out_dim();
}

std::optional<std::int64_t> HopfieldImpl::pattern_size() const {
  return association_core->static_only() ? std::nullopt : association_core->pattern_dim();
}

std::optional<std::int64_t> HopfieldImpl::output_depth() const {
  if (association_core->static_only()) return std::nullopt;
  if (!options.disable_out_projection()) return output_size();
  if (options.pattern_projection_as_static() && !options.pattern_projection_as_connected()) {
    return options.num_heads() * *association_core->vdim();
  }
  return options.num_heads() * *pattern_size();
}

const std::vector<std::int64_t>& HopfieldImpl::update_steps_max() const {
  return options.update_steps_max().values();
}

const std::vector<double>& HopfieldImpl::update_steps_eps() const {
  return options.update_steps_eps().values();
}

bool HopfieldImpl::normalize_stored_pattern_affine() const {
  return options.normalize_stored_pattern() && options.normalize_stored_pattern_affine();
}

bool HopfieldImpl::normalize_state_pattern_affine() const {
  return options.normalize_state_pattern() && options.normalize_state_pattern_affine();
}

bool HopfieldImpl::normalize_pattern_projection_affine() const {
  return options.normalize_pattern_projection() && options.normalize_pattern_projection_affine();
}

bool HopfieldImpl::normalize_hopfield_space_affine() const {
  return options.normalize_hopfield_space() && options.normalize_hopfield_space_affine();
}

}  // namespace hopfield::nn
