#include "hopfield/torch/nn/pooling.h"

#include <ATen/Functions.h>
#include <c10/util/Exception.h>
#include <torch/nn/init.h>

#include "torch/nn/core_math.h"

namespace hopfield::nn {

HopfieldPoolingImpl::HopfieldPoolingImpl(const HopfieldPoolingOptions& options_)
    : options(options_) {
  TORCH_CHECK(options.input_size(), "[HopfieldPooling] expected input_size, got none");
  TORCH_CHECK(options.quantity() >= 0, "[HopfieldPooling] expected quantity >= 0, got ",
              options.quantity());
  reset();
}

void HopfieldPoolingImpl::reset() {
  const std::int64_t depth =
      options.state_pattern_as_static()
          ? options.hidden_size().value_or(*options.input_size() / options.num_heads())
          : *options.input_size();
  const auto sizes = options.batch_first() ? std::vector<std::int64_t>{1, quantity(), depth}
                                           : std::vector<std::int64_t>{quantity(), 1, depth};
  pooling_weights = register_parameter("pooling_weights", at::zeros(sizes), options.trainable());
  // The inner module draws its weights before ours, in the device and type of ours at the end.
  hopfield = register_module(
      "hopfield",
      Hopfield(HopfieldOptions(options.arguments()).dtype(std::nullopt).device(std::nullopt)));
  reset_parameters();
  internal::convert(*this, options.dtype(), options.device());
}

void HopfieldPoolingImpl::reset_parameters() {
  const at::NoGradGuard no_grad;
  hopfield->reset_parameters();
  torch::nn::init::normal_(pooling_weights, 0.0, 0.02);
}

void HopfieldPoolingImpl::pretty_print(std::ostream& stream) const {
  stream << "hopfield::nn::HopfieldPooling(input_size=" << *options.input_size()
         << ", quantity=" << quantity()
         << ", trainable=" << (options.trainable() ? "true" : "false") << ")";
}

at::Tensor HopfieldPoolingImpl::flatten(const at::Tensor& output, bool unbatched) const {
  if (unbatched) return output.flatten();
  if (options.batch_first()) return output.flatten(1);
  // (quantity, B, O): the reference flattens this as it is (defect B11).
  if (options.compat() != Compat::kNone) return output.flatten(1);
  return output.transpose(0, 1).flatten(1);
}

HopfieldOutput HopfieldPoolingImpl::associate(const HopfieldInput& input,
                                              const HopfieldRequest& request) {
  TORCH_CHECK(!input.state_pattern.defined() &&
                  (!input.state_offsets.defined() || input.stored_offsets.defined()),
              "[HopfieldPooling] expected no state_pattern: the pooling weights are the states");
  TORCH_CHECK(input.stored_pattern.defined(),
              "[HopfieldPooling] expected stored_pattern, got an undefined tensor");
  const bool unbatched = !input.stored_offsets.defined() && input.stored_pattern.dim() == 2;
  HopfieldInput full = input;
  full.state_offsets = at::Tensor();
  full.state_pattern =
      unbatched ? pooling_weights.squeeze(options.batch_first() ? 0 : 1) : pooling_weights;
  HopfieldOutput out = hopfield->associate(full, request);
  out.output = flatten(out.output, unbatched);
  return out;
}

at::Tensor HopfieldPoolingImpl::forward(const at::Tensor& input,
                                        const at::Tensor& stored_pattern_padding_mask,
                                        const at::Tensor& association_mask) {
  return forward_patterns(input, input, stored_pattern_padding_mask, association_mask);
}

at::Tensor HopfieldPoolingImpl::forward_patterns(const at::Tensor& stored_pattern,
                                                 const at::Tensor& pattern_projection,
                                                 const at::Tensor& stored_pattern_padding_mask,
                                                 const at::Tensor& association_mask) {
  return associate({stored_pattern, at::Tensor(), pattern_projection},
                   HopfieldRequest::masked(stored_pattern_padding_mask, association_mask))
      .output;
}

at::Tensor HopfieldPoolingImpl::forward_ragged(const at::Tensor& values,
                                               const at::Tensor& offsets) {
  return associate(HopfieldInput::ragged(values, offsets)).output;
}

at::Tensor HopfieldPoolingImpl::instance_associations(const at::Tensor& values,
                                                      const at::Tensor& offsets) {
  const at::Tensor flat = get_association_matrix(HopfieldInput::ragged(values, offsets));
  const std::int64_t heads = options.num_heads();
  const std::int64_t columns = heads * quantity();
  const std::int64_t extra =
      (options.concat_bias_pattern() ? 1 : 0) + (options.add_zero_association() ? 1 : 0);
  const at::Tensor cuts = offsets.to(values.device());
  const std::int64_t bags = cuts.size(0) - 1;
  const auto indices = at::TensorOptions(values.device()).dtype(at::kLong);
  // Bag b lies at (offsets[b] + b * extra) * H * q as [H, q, S_b + extra].
  const at::Tensor lengths = cuts.narrow(0, 1, bags) - cuts.narrow(0, 0, bags);
  const at::Tensor bag = at::repeat_interleave(at::arange(bags, indices), lengths);
  const at::Tensor start = cuts.narrow(0, 0, bags).index_select(0, bag);
  const at::Tensor within = at::arange(values.size(0), indices) - start;
  const at::Tensor begin = (start + bag * extra) * columns + within;
  const at::Tensor stride = lengths.index_select(0, bag) + extra;
  const at::Tensor place =
      begin.unsqueeze(1) + stride.unsqueeze(1) * at::arange(columns, indices).unsqueeze(0);
  return flat.reshape({-1})
      .index_select(0, place.reshape({-1}))
      .view({values.size(0), heads, quantity()});
}

std::optional<std::int64_t> HopfieldPoolingImpl::output_depth() const {
  const auto one = hopfield->output_depth();
  return one ? std::optional<std::int64_t>(*one * quantity()) : std::nullopt;
}

}  // namespace hopfield::nn
