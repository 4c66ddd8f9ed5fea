#ifndef HOPFIELD_TORCH_NN_TRANSFORMER_H_
#define HOPFIELD_TORCH_NN_TRANSFORMER_H_

#include <ATen/core/Tensor.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/common.h>
#include <torch/nn/modules/container/any_value.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <utility>

#include "hopfield/torch/nn/hopfield.h"

namespace hopfield::nn {

/// Options of HopfieldEncoderLayer and HopfieldDecoderLayer besides their associations.
class HopfieldTransformerOptions {
 public:
  HopfieldTransformerOptions(std::int64_t dim_feedforward = 2048)  // NOLINT: as torch::nn
      : dim_feedforward_(dim_feedforward) {}

  HopfieldTransformerOptions& dim_feedforward(std::int64_t value) {
    dim_feedforward_ = value;
    return *this;
  }
  std::int64_t dim_feedforward() const { return dim_feedforward_; }
  HopfieldTransformerOptions& dropout(double value) {
    dropout_ = value;
    return *this;
  }
  double dropout() const { return dropout_; }
  /// One of activation_names().
  HopfieldTransformerOptions& activation(std::string value) {
    activation_ = std::move(value);
    return *this;
  }
  const std::string& activation() const { return activation_; }
  /// kHflayers_1_0_2: construction draws the given association's weights anew (defect B9), and in
  /// the reference's order. Otherwise they are kept.
  HopfieldTransformerOptions& compat(Compat value) {
    compat_ = value;
    return *this;
  }
  HopfieldTransformerOptions& compat(const char* name) { return compat(compat_from_name(name)); }
  Compat compat() const { return compat_; }

 private:
  std::int64_t dim_feedforward_ = 2048;
  double dropout_ = 0.1;
  std::string activation_ = "relu";
  Compat compat_ = Compat::kNone;
};

using HopfieldEncoderLayerOptions = HopfieldTransformerOptions;
using HopfieldDecoderLayerOptions = HopfieldTransformerOptions;

/// A post-norm transformer encoder block around an association:
/// x = LN(src + drop(hopfield(src))), y = LN(x + drop(lin_out(drop(act(lin_in(x)))))).
///
/// The layer owns a deep copy of the association, with the weights it was given. The association's
/// output_size must equal its input_size. Interface of hflayers.transformer.HopfieldEncoderLayer.
class HopfieldEncoderLayerImpl : public torch::nn::Cloneable<HopfieldEncoderLayerImpl> {
 public:
  explicit HopfieldEncoderLayerImpl(const Hopfield& association,
                                    const HopfieldEncoderLayerOptions& options_ = {});

  void reset() override;
  /// Draws all weights anew, the association's too, in the reference's order.
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;

  at::Tensor forward(const at::Tensor& src, const at::Tensor& src_mask = {},
                     const at::Tensor& src_key_padding_mask = {});
  at::Tensor get_association_matrix(const at::Tensor& src, const at::Tensor& src_mask = {},
                                    const at::Tensor& src_key_padding_mask = {});

  bool batch_first() const { return hopfield_association->batch_first(); }
  std::int64_t input_size() const { return *hopfield_association->input_size(); }
  std::int64_t output_size() const { return linear_output->options.out_features(); }

  HopfieldEncoderLayerOptions options;
  Hopfield hopfield_association{nullptr};
  torch::nn::Linear linear_residual{nullptr}, linear_output{nullptr};
  torch::nn::LayerNorm norm_residual{nullptr}, norm_output{nullptr};

 protected:
  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(at::Tensor())},
                           {2, torch::nn::AnyValue(at::Tensor())})
};

TORCH_MODULE(HopfieldEncoderLayer);

/// A post-norm transformer decoder block: self association over the target, cross association of
/// the target (state) with the memory (stored pattern and projection), feed-forward. Interface of
/// hflayers.transformer.HopfieldDecoderLayer.
class HopfieldDecoderLayerImpl : public torch::nn::Cloneable<HopfieldDecoderLayerImpl> {
 public:
  HopfieldDecoderLayerImpl(const Hopfield& association_self, const Hopfield& association_cross,
                           const HopfieldDecoderLayerOptions& options_ = {});

  void reset() override;
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;

  at::Tensor forward(const at::Tensor& tgt, const at::Tensor& memory,
                     const at::Tensor& tgt_mask = {}, const at::Tensor& memory_mask = {},
                     const at::Tensor& tgt_key_padding_mask = {},
                     const at::Tensor& memory_key_padding_mask = {});
  /// Of the self association.
  at::Tensor get_association_matrix_self(const at::Tensor& tgt, const at::Tensor& tgt_mask = {},
                                         const at::Tensor& tgt_key_padding_mask = {});
  /// Of the cross association for (memory, target after the self block, memory).
  at::Tensor get_association_matrix_cross(const HopfieldInput& input,
                                          const at::Tensor& memory_mask = {},
                                          const at::Tensor& memory_key_padding_mask = {});

  bool batch_first() const { return hopfield_association_self->batch_first(); }
  std::int64_t input_size() const { return *hopfield_association_self->input_size(); }
  std::int64_t output_size() const { return linear_output->options.out_features(); }

  HopfieldDecoderLayerOptions options;
  Hopfield hopfield_association_self{nullptr}, hopfield_association_cross{nullptr};
  torch::nn::Linear linear_residual{nullptr}, linear_output{nullptr};
  torch::nn::LayerNorm norm_residual_self{nullptr}, norm_residual_cross{nullptr},
      norm_output{nullptr};

 protected:
  FORWARD_HAS_DEFAULT_ARGS({2, torch::nn::AnyValue(at::Tensor())},
                           {3, torch::nn::AnyValue(at::Tensor())},
                           {4, torch::nn::AnyValue(at::Tensor())},
                           {5, torch::nn::AnyValue(at::Tensor())})
};

TORCH_MODULE(HopfieldDecoderLayer);

}  // namespace hopfield::nn

#endif  // HOPFIELD_TORCH_NN_TRANSFORMER_H_
