#include "hopfield/torch/nn/layer.h"

#include <ATen/Functions.h>
#include <c10/util/Exception.h>
#include <torch/nn/init.h>

#include "torch/nn/core_math.h"

namespace hopfield::nn {

HopfieldLayerImpl::HopfieldLayerImpl(const HopfieldLayerOptions& options_) : options(options_) {
  TORCH_CHECK(options.input_size(), "[HopfieldLayer] expected input_size, got none");
  TORCH_CHECK(options.quantity() >= 0, "[HopfieldLayer] expected quantity >= 0, got ",
              options.quantity());
  reset();
}

void HopfieldLayerImpl::reset() {
  const std::int64_t input_size = *options.input_size();
  const std::int64_t depth = options.stored_pattern_as_static()
                                 ? options.hidden_size().value_or(input_size / options.num_heads())
                                 : options.stored_pattern_size().value_or(input_size);
  const auto sizes = [&](std::int64_t last) {
    return options.batch_first() ? std::vector<std::int64_t>{1, quantity(), last}
                                 : std::vector<std::int64_t>{quantity(), 1, last};
  };
  lookup_weights =
      register_parameter("lookup_weights", at::zeros(sizes(depth)), options.trainable());
  target_weights =
      options.lookup_weights_as_separated()
          ? register_parameter("target_weights",
                               at::zeros(sizes(options.pattern_projection_size().value_or(depth))),
                               options.lookup_targets_as_trainable())
          : register_parameter("target_weights", at::Tensor(), false);
  hopfield = register_module(
      "hopfield",
      Hopfield(HopfieldOptions(options.arguments()).dtype(std::nullopt).device(std::nullopt)));
  reset_parameters();
  internal::convert(*this, options.dtype(), options.device());
}

void HopfieldLayerImpl::reset_parameters() {
  const at::NoGradGuard no_grad;
  hopfield->reset_parameters();
  torch::nn::init::normal_(lookup_weights, 0.0, 0.02);
  if (target_weights.defined()) torch::nn::init::normal_(target_weights, 0.0, 0.02);
}

void HopfieldLayerImpl::pretty_print(std::ostream& stream) const {
  stream << "hopfield::nn::HopfieldLayer(input_size=" << *options.input_size()
         << ", quantity=" << quantity() << ", lookup_weights_as_separated="
         << (options.lookup_weights_as_separated() ? "true" : "false") << ")";
}

HopfieldOutput HopfieldLayerImpl::associate(const at::Tensor& input,
                                            const HopfieldRequest& request) {
  TORCH_CHECK(input.defined(), "[HopfieldLayer] expected an input, got an undefined tensor");
  const at::Tensor& targets = target_weights.defined() ? target_weights : lookup_weights;
  if (input.dim() == 2) {
    const std::int64_t batch_dim = options.batch_first() ? 0 : 1;
    return hopfield->associate(
        {lookup_weights.squeeze(batch_dim), input, targets.squeeze(batch_dim)}, request);
  }
  return hopfield->associate({lookup_weights, input, targets}, request);
}

at::Tensor HopfieldLayerImpl::forward(const at::Tensor& input,
                                      const at::Tensor& stored_pattern_padding_mask,
                                      const at::Tensor& association_mask) {
  return associate(input, HopfieldRequest::masked(stored_pattern_padding_mask, association_mask))
      .output;
}

at::Tensor HopfieldLayerImpl::forward_ragged(const at::Tensor& values, const at::Tensor& offsets) {
  const at::Tensor& targets = target_weights.defined() ? target_weights : lookup_weights;
  HopfieldInput input(lookup_weights, values, targets);
  input.state_offsets = offsets;
  return hopfield->associate(input).output;
}

}  // namespace hopfield::nn
