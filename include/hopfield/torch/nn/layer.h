#ifndef HOPFIELD_TORCH_NN_LAYER_H_
#define HOPFIELD_TORCH_NN_LAYER_H_

#include <ATen/core/Tensor.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/common.h>
#include <torch/nn/modules/container/any_value.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <ostream>

#include "hopfield/torch/nn/hopfield.h"
#include "hopfield/torch/nn/options.h"

namespace hopfield::nn {

/// Associates the input with a learned table of `quantity` stored patterns.
///
/// Input    (B, L, D) or (L, D); output the same with depth O. Ragged values [N, D] -> [N, O].
/// Cost     the table is normalised and projected once a call, whatever B.
/// Masks    the padding mask (B, quantity) hides entries of the table.
/// Errors, threads: as Hopfield. Interface of hflayers.HopfieldLayer.
class HopfieldLayerImpl : public torch::nn::Cloneable<HopfieldLayerImpl>,
                          public HopfieldProperties<HopfieldLayerImpl>,
                          public HopfieldQueries<HopfieldLayerImpl, at::Tensor> {
 public:
  explicit HopfieldLayerImpl(std::int64_t input_size)
      : HopfieldLayerImpl(HopfieldLayerOptions(input_size)) {}
  explicit HopfieldLayerImpl(const HopfieldLayerOptions& options_);

  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;

  at::Tensor forward(const at::Tensor& input, const at::Tensor& stored_pattern_padding_mask = {},
                     const at::Tensor& association_mask = {});
  /// Bags without padding: values [N, D], offsets [B+1] -> [N, O] (the table is the same for all
  /// bags, so the offsets are only checked).
  at::Tensor forward_ragged(const at::Tensor& values, const at::Tensor& offsets);
  /// Output and whatever else is requested for state patterns `input`.
  HopfieldOutput associate(const at::Tensor& input, const HopfieldRequest& request = {});

  std::int64_t quantity() const { return options.quantity(); }
  std::optional<std::int64_t> output_depth() const { return hopfield->output_depth(); }

  HopfieldLayerOptions options;
  at::Tensor lookup_weights;  ///< (1, quantity, k) or (quantity, 1, k)
  at::Tensor target_weights;  ///< undefined unless separated
  Hopfield hopfield{nullptr};

 protected:
  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(at::Tensor())},
                           {2, torch::nn::AnyValue(at::Tensor())})
};

TORCH_MODULE(HopfieldLayer);

}  // namespace hopfield::nn

#endif  // HOPFIELD_TORCH_NN_LAYER_H_
