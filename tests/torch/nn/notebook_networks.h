#ifndef HOPFIELD_TESTS_TORCH_NN_NOTEBOOK_NETWORKS_H_
#define HOPFIELD_TESTS_TORCH_NN_NOTEBOOK_NETWORKS_H_

#include <ATen/Functions.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <torch/utils.h>

#include <cstdint>
#include <tuple>
#include <vector>

#include "hopfield/torch/nn/hopfield.h"
#include "hopfield/torch/nn/layer.h"
#include "hopfield/torch/nn/pooling.h"
#include "hopfield/torch/train/classification.h"

namespace hopfield::testing {

/// Which samples a notebook trains on (the middle) and evaluates on (first and last eighth).
struct Split {
  std::vector<std::int64_t> train, eval;
};
inline Split middle_split(std::int64_t count) {
  Split split;
  for (std::int64_t i = 0; i < count; ++i) {
    (i < count / 8 || i >= count - count / 8 ? split.eval : split.train).push_back(i);
  }
  return split;
}

/// Distinct rows of the training samples, sorted.
inline at::Tensor distinct_rows(const at::Tensor& data, const Split& split) {
  const at::Tensor rows = data.index_select(0, at::tensor(split.train, at::kLong)).flatten(0, 1);
  return std::get<0>(at::unique_dim(rows, 0));
}

/// layer -> flatten -> linear -> one logit a sample. The linear map is drawn after the layer.
template <class Layer>
torch::nn::Sequential with_head(const Layer& layer, std::int64_t features) {
  return torch::nn::Sequential(layer, torch::nn::Flatten(), torch::nn::Linear(features, 1),
                               torch::nn::Flatten(torch::nn::FlattenOptions().start_dim(0)));
}

inline std::vector<train::EpochMetrics> run_network(
    torch::nn::Sequential network, const at::Tensor& data, const at::Tensor& targets,
    const Split& split, std::int64_t epochs,
    const std::function<bool(std::int64_t, const train::EpochMetrics&)>& on_epoch = {}) {
  train::BinaryClassificationOptions options;
  options.epochs = epochs;
  return train::train_binary_classifier(
      *network, [&](const at::Tensor& batch) { return network->forward(batch); }, data, targets,
      split.train, split.eval, options, on_epoch);
}

}  // namespace hopfield::testing

#endif  // HOPFIELD_TESTS_TORCH_NN_NOTEBOOK_NETWORKS_H_
