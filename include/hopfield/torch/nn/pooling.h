#ifndef HOPFIELD_TORCH_NN_POOLING_H_
#define HOPFIELD_TORCH_NN_POOLING_H_

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

/// Pools each bag of stored patterns with `quantity` learned state patterns.
///
/// Input    (B, S, Dk), (S, Dk) for one bag, or ragged values [N, Dk] + offsets [B+1].
/// Output   (B, quantity * O); (quantity * O) for one unbatched bag. An empty bag gives the out
///          projection's bias `quantity` times.
/// Cost     the pooling weights are normalised and projected once a call, whatever B.
/// Errors, threads: as Hopfield. Interface of hflayers.HopfieldPooling.
class HopfieldPoolingImpl : public torch::nn::Cloneable<HopfieldPoolingImpl>,
                            public HopfieldProperties<HopfieldPoolingImpl>,
                            public HopfieldQueries<HopfieldPoolingImpl, HopfieldInput> {
 public:
  explicit HopfieldPoolingImpl(std::int64_t input_size)
      : HopfieldPoolingImpl(HopfieldPoolingOptions(input_size)) {}
  explicit HopfieldPoolingImpl(const HopfieldPoolingOptions& options_);

  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;

  at::Tensor forward(const at::Tensor& input, const at::Tensor& stored_pattern_padding_mask = {},
                     const at::Tensor& association_mask = {});
  /// Stored patterns and pattern projections of their own.
  at::Tensor forward_patterns(const at::Tensor& stored_pattern,
                              const at::Tensor& pattern_projection,
                              const at::Tensor& stored_pattern_padding_mask = {},
                              const at::Tensor& association_mask = {});
  /// Bags without padding: values [N, Dk], int64 offsets [B+1] -> [B, quantity * O].
  at::Tensor forward_ragged(const at::Tensor& values, const at::Tensor& offsets);
  /// Output and whatever else is requested; `state_pattern` of the input must be undefined. Rows
  /// are (B, quantity), also for ragged bags.
  HopfieldOutput associate(const HopfieldInput& input, const HopfieldRequest& request = {});

  /// How much each instance mattered: [N, H, quantity], instance n's association with the pooling
  /// patterns of its own bag; each column sums to 1 over a bag (less what the zero or bias pattern
  /// takes). No gradient, no dropout.
  at::Tensor instance_associations(const at::Tensor& values, const at::Tensor& offsets);

  std::int64_t quantity() const { return options.quantity(); }
  /// True depth of the output: quantity times the inner module's.
  std::optional<std::int64_t> output_depth() const;

  HopfieldPoolingOptions options;
  at::Tensor pooling_weights;  ///< (1, quantity, w) or (quantity, 1, w)
  Hopfield hopfield{nullptr};

 private:
  at::Tensor flatten(const at::Tensor& output, bool unbatched) const;

 protected:
  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(at::Tensor())},
                           {2, torch::nn::AnyValue(at::Tensor())})
};

TORCH_MODULE(HopfieldPooling);

}  // namespace hopfield::nn

#endif  // HOPFIELD_TORCH_NN_POOLING_H_
