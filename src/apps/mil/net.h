#ifndef HOPFIELD_APPS_MIL_NET_H_
#define HOPFIELD_APPS_MIL_NET_H_

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "hopfield/apps/mil/options.h"
#include "hopfield/torch/nn/pooling.h"

namespace hopfield::mil {

/// Some bags, coded: rows of bag b are offsets[b] .. offsets[b + 1]; every bag has a row.
struct BagBatch {
  at::Tensor values;   ///< [n, D] f32
  at::Tensor offsets;  ///< [B + 1] int64
  at::Tensor bag_of;   ///< [n] int64, the bag of each row

  std::int64_t num_bags() const { return offsets.size(0) - 1; }
};

/// Mean and maximum: fixed statistics of the coded features, then a linear output, no embedding and
/// no hidden units.
bool is_linear(Pooling pooling);

/// Whether the projections of HopfieldPooling meet its states and its results instead of each
/// instance: pays where a head has fewer states than components.
bool folds_projections(const ModelOptions& options);

/// Coded instances -> embedding -> pooling over each bag -> output head -> one number a bag
/// and output.
class BagNetImpl : public torch::nn::Module {
 public:
  BagNetImpl(const ModelOptions& options, std::int64_t input_size, std::int64_t num_outputs = 1);

  /// Draws all weights anew: N(0, 2 / fan-in) before a ReLU, N(0, 1 / fan-in) elsewhere, pooling
  /// patterns N(0, 1), biases 0. Same seed, same bits; torch's global generator is not read.
  void initialise(std::uint64_t seed);

  /// [B, num_outputs]. `dropout`: source of randomness in training, null to predict.
  at::Tensor forward(const BagBatch& batch, const at::Generator* dropout = nullptr);

  /// The two halves of forward: instances [n, input_size] -> [n, width], of which bags can be put
  /// together anew; and bags of such instances -> [B, num_outputs].
  at::Tensor embed(const at::Tensor& values);
  at::Tensor forward_embedded(const BagBatch& embedded, const at::Generator* dropout = nullptr);

  /// [1, num_outputs] of a bag without instances: its state is 0.
  at::Tensor forward_nothing();

  /// From now on outputs are shift + scale * what they were.
  void scale_output(double shift, double scale);

  /// How much each instance counts in its bag's states: [n, heads, quantity] of HopfieldPooling,
  /// [n, 1, 1] of attention; undefined for mean and maximum. No gradient.
  at::Tensor instance_weights(const BagBatch& batch);

  std::int64_t num_parameters() const;

 private:
  at::Tensor attention(const BagBatch& embedded);
  at::Tensor hopfield_pooled(const BagBatch& embedded);
  at::Tensor pool(const BagBatch& embedded);
  at::Tensor head(at::Tensor state, const at::Generator* dropout);

  ModelOptions options_;
  std::int64_t state_size_ = 0;
  std::vector<torch::nn::Linear> embedding_;
  nn::HopfieldPooling hopfield_{nullptr};
  at::Tensor beta_;  // of hopfield_, [num_heads or 1, 1, 1]
  torch::nn::Linear attention_tanh_{nullptr}, attention_gate_{nullptr}, attention_score_{nullptr};
  torch::nn::Linear hidden_{nullptr}, output_{nullptr};
};

TORCH_MODULE(BagNet);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_NET_H_
