#include "hopfield/torch/nn/transformer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <c10/util/Exception.h>

#include <mutex>

#include "hopfield/torch/nn/functional.h"

namespace hopfield::nn {

namespace {

/// A deep copy with the same weights. Cloning constructs, and constructing draws: the global
/// generator is put back, so that a copy costs no draws.
Hopfield copy_of(const Hopfield& association, const char* op, const char* name) {
  TORCH_CHECK(!association.is_empty(), "[", op, "] expected ", name, ", got an empty module");
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  at::Tensor state;
  {
    const std::lock_guard<std::mutex> lock(generator.mutex());
    state = generator.get_state();
  }
  auto copy = std::dynamic_pointer_cast<HopfieldImpl>(association->clone());
  copy->train(association->is_training());
  {
    const std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(state);
  }
  return Hopfield(copy);
}

void check_depths(const Hopfield& association, const char* op, const char* name) {
  TORCH_CHECK(association->input_size() && association->output_depth() == association->input_size(),
              "[", op, "] expected ", name,
              " with output_size equal to input_size, which the residual sum needs, got ",
              association->output_depth().value_or(-1), " and ",
              association->input_size().value_or(-1));
}

at::Tensor drop(const at::Tensor& input, double p, bool training) {
  return training && p > 0 ? at::dropout(input, p, true) : input;
}

}  // namespace

HopfieldEncoderLayerImpl::HopfieldEncoderLayerImpl(const Hopfield& association,
                                                   const HopfieldEncoderLayerOptions& options_)
    : options(options_), hopfield_association(association) {
  TORCH_CHECK(options.dim_feedforward() >= 1,
              "[HopfieldEncoderLayer] expected dim_feedforward >= 1, got ",
              options.dim_feedforward());
  functional::apply_activation(at::zeros({1}), options.activation());
  reset();
  if (options.compat() != Compat::kNone) reset_parameters();
}

void HopfieldEncoderLayerImpl::reset() {
  hopfield_association =
      register_module("hopfield_association",
                      copy_of(hopfield_association, "HopfieldEncoderLayer", "an association"));
  check_depths(hopfield_association, "HopfieldEncoderLayer", "an association");
  const std::int64_t depth = *hopfield_association->output_depth();
  linear_residual =
      register_module("linear_residual", torch::nn::Linear(depth, options.dim_feedforward()));
  linear_output =
      register_module("linear_output", torch::nn::Linear(options.dim_feedforward(), depth));
  norm_residual =
      register_module("norm_residual", torch::nn::LayerNorm(torch::nn::LayerNormOptions({depth})));
  norm_output =
      register_module("norm_output", torch::nn::LayerNorm(torch::nn::LayerNormOptions({depth})));
  const at::Tensor like = hopfield_association->association_core->in_proj_weight.defined()
                              ? hopfield_association->association_core->in_proj_weight
                          : hopfield_association->association_core->out_proj.is_empty()
                              ? hopfield_association->association_core->q_proj_weight
                              : hopfield_association->association_core->out_proj->weight;
  if (like.defined()) to(like.device(), like.scalar_type());
}

void HopfieldEncoderLayerImpl::reset_parameters() {
  hopfield_association->reset_parameters();
  linear_residual->reset_parameters();
  linear_output->reset_parameters();
  norm_residual->reset_parameters();
  norm_output->reset_parameters();
}

void HopfieldEncoderLayerImpl::pretty_print(std::ostream& stream) const {
  stream << "hopfield::nn::HopfieldEncoderLayer(dim_feedforward=" << options.dim_feedforward()
         << ", dropout=" << options.dropout() << ", activation=" << options.activation() << ")";
}

at::Tensor HopfieldEncoderLayerImpl::forward(const at::Tensor& src, const at::Tensor& src_mask,
                                             const at::Tensor& src_key_padding_mask) {
  const double p = options.dropout();
  const at::Tensor associated = hopfield_association->forward(src, src_key_padding_mask, src_mask);
  const at::Tensor x = norm_residual->forward(src + drop(associated, p, is_training()));
  const at::Tensor inner =
      drop(functional::apply_activation(linear_residual->forward(x), options.activation()), p,
           is_training());
  return norm_output->forward(x + drop(linear_output->forward(inner), p, is_training()));
}

at::Tensor HopfieldEncoderLayerImpl::get_association_matrix(
    const at::Tensor& src, const at::Tensor& src_mask, const at::Tensor& src_key_padding_mask) {
  return hopfield_association->get_association_matrix(src, src_key_padding_mask, src_mask);
}

HopfieldDecoderLayerImpl::HopfieldDecoderLayerImpl(const Hopfield& association_self,
                                                   const Hopfield& association_cross,
                                                   const HopfieldDecoderLayerOptions& options_)
    : options(options_),
      hopfield_association_self(association_self),
      hopfield_association_cross(association_cross) {
  TORCH_CHECK(options.dim_feedforward() >= 1,
              "[HopfieldDecoderLayer] expected dim_feedforward >= 1, got ",
              options.dim_feedforward());
  functional::apply_activation(at::zeros({1}), options.activation());
  reset();
  if (options.compat() != Compat::kNone) reset_parameters();
}

void HopfieldDecoderLayerImpl::reset() {
  const char* op = "HopfieldDecoderLayer";
  hopfield_association_self = register_module(
      "hopfield_association_self", copy_of(hopfield_association_self, op, "a self association"));
  hopfield_association_cross = register_module(
      "hopfield_association_cross", copy_of(hopfield_association_cross, op, "a cross association"));
  check_depths(hopfield_association_self, op, "a self association");
  check_depths(hopfield_association_cross, op, "a cross association");
  const std::int64_t depth = *hopfield_association_self->output_depth();
  TORCH_CHECK(hopfield_association_cross->input_size() == depth, "[", op,
              "] expected self and cross association of equal input_size, got ", depth, " and ",
              *hopfield_association_cross->input_size());
  linear_residual =
      register_module("linear_residual", torch::nn::Linear(depth, options.dim_feedforward()));
  linear_output =
      register_module("linear_output", torch::nn::Linear(options.dim_feedforward(), depth));
  const auto norm = [&](const char* name) {
    return register_module(name, torch::nn::LayerNorm(torch::nn::LayerNormOptions({depth})));
  };
  norm_residual_self = norm("norm_residual_self");
  norm_residual_cross = norm("norm_residual_cross");
  norm_output = norm("norm_output");
  for (const at::Tensor& like : hopfield_association_self->parameters()) {
    to(like.device(), like.scalar_type());
    break;
  }
}

void HopfieldDecoderLayerImpl::reset_parameters() {
  hopfield_association_self->reset_parameters();
  hopfield_association_cross->reset_parameters();
  linear_residual->reset_parameters();
  linear_output->reset_parameters();
  norm_residual_self->reset_parameters();
  norm_residual_cross->reset_parameters();
  norm_output->reset_parameters();
}

void HopfieldDecoderLayerImpl::pretty_print(std::ostream& stream) const {
  stream << "hopfield::nn::HopfieldDecoderLayer(dim_feedforward=" << options.dim_feedforward()
         << ", dropout=" << options.dropout() << ", activation=" << options.activation() << ")";
}

at::Tensor HopfieldDecoderLayerImpl::forward(const at::Tensor& tgt, const at::Tensor& memory,
                                             const at::Tensor& tgt_mask,
                                             const at::Tensor& memory_mask,
                                             const at::Tensor& tgt_key_padding_mask,
                                             const at::Tensor& memory_key_padding_mask) {
  const double p = options.dropout();
  const at::Tensor self = hopfield_association_self->forward(tgt, tgt_key_padding_mask, tgt_mask);
  const at::Tensor x = norm_residual_self->forward(tgt + drop(self, p, is_training()));
  const at::Tensor cross = hopfield_association_cross->forward_patterns(
      memory, x, memory, memory_key_padding_mask, memory_mask);
  const at::Tensor y = norm_residual_cross->forward(x + drop(cross, p, is_training()));
  const at::Tensor inner =
      drop(functional::apply_activation(linear_residual->forward(y), options.activation()), p,
           is_training());
  return norm_output->forward(y + drop(linear_output->forward(inner), p, is_training()));
}

at::Tensor HopfieldDecoderLayerImpl::get_association_matrix_self(
    const at::Tensor& tgt, const at::Tensor& tgt_mask, const at::Tensor& tgt_key_padding_mask) {
  return hopfield_association_self->get_association_matrix(tgt, tgt_key_padding_mask, tgt_mask);
}

at::Tensor HopfieldDecoderLayerImpl::get_association_matrix_cross(
    const HopfieldInput& input, const at::Tensor& memory_mask,
    const at::Tensor& memory_key_padding_mask) {
  return hopfield_association_cross->get_association_matrix(input, memory_key_padding_mask,
                                                            memory_mask);
}

}  // namespace hopfield::nn
