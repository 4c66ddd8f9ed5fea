#include "hopfield/torch/train/classification.h"

#include <ATen/Functions.h>
#include <c10/util/Exception.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adamw.h>

#include <utility>

namespace hopfield::train {

SubsetBatches::SubsetBatches(std::vector<std::int64_t> indices, std::int64_t batch_size)
    : indices_(at::tensor(indices, at::kLong)), batch_size_(batch_size) {
  TORCH_CHECK(batch_size >= 1, "[SubsetBatches] expected batch_size >= 1, got ", batch_size);
  TORCH_CHECK(!indices.empty(), "[SubsetBatches] expected at least one index, got none");
}

std::vector<at::Tensor> SubsetBatches::epoch() const {
  at::empty({}, at::kLong).random_();  // the seed a loader draws for its workers
  const at::Tensor order = indices_.index_select(0, at::randperm(indices_.size(0), at::kLong));
  return order.split(batch_size_);
}

std::vector<EpochMetrics> train_binary_classifier(
    torch::nn::Module& module, const std::function<at::Tensor(const at::Tensor&)>& forward,
    const at::Tensor& data, const at::Tensor& targets,
    const std::vector<std::int64_t>& train_indices, const std::vector<std::int64_t>& eval_indices,
    const BinaryClassificationOptions& options,
    const std::function<bool(std::int64_t, const EpochMetrics&)>& on_epoch) {
  TORCH_CHECK(data.size(0) == targets.size(0),
              "[train_binary_classifier] expected as many targets as samples, got ",
              targets.size(0), " and ", data.size(0));
  const SubsetBatches train(train_indices, options.batch_size),
      eval(eval_indices, options.batch_size);
  const std::vector<at::Tensor> parameters = module.parameters();
  torch::optim::AdamW optimizer(
      parameters,
      torch::optim::AdamWOptions(options.learning_rate).weight_decay(options.weight_decay));

  // Loss and accuracy of a batch; the loss keeps its graph.
  const auto assess = [&](const at::Tensor& batch) {
    const at::Tensor target = targets.index_select(0, batch);
    const at::Tensor logits = forward(data.index_select(0, batch));
    TORCH_CHECK(logits.sizes() == target.sizes(),
                "[train_binary_classifier] expected logits of shape ", target.sizes(), ", got ",
                logits.sizes());
    const at::Tensor loss = torch::nn::functional::binary_cross_entropy_with_logits(logits, target);
    const at::Tensor hits = logits.detach().sigmoid().round().eq(target).to(at::kFloat).mean();
    return std::pair(loss, hits.item<double>());
  };

  std::vector<EpochMetrics> history;
  for (std::int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    EpochMetrics metrics;
    module.train();
    const std::vector<at::Tensor> train_batches = train.epoch();
    for (const at::Tensor& batch : train_batches) {
      const auto [loss, accuracy] = assess(batch);
      optimizer.zero_grad();
      loss.backward();
      torch::nn::utils::clip_grad_norm_(parameters, options.clip_norm);
      optimizer.step();
      metrics.train_loss += loss.item<double>() / static_cast<double>(train_batches.size());
      metrics.train_accuracy += accuracy / static_cast<double>(train_batches.size());
    }
    module.eval();
    {
      const at::NoGradGuard no_grad;
      const std::vector<at::Tensor> eval_batches = eval.epoch();
      for (const at::Tensor& batch : eval_batches) {
        const auto [loss, accuracy] = assess(batch);
        metrics.eval_loss += loss.item<double>() / static_cast<double>(eval_batches.size());
        metrics.eval_accuracy += accuracy / static_cast<double>(eval_batches.size());
      }
    }
    history.push_back(metrics);
    if (on_epoch && !on_epoch(epoch, metrics)) break;
  }
  return history;
}

}  // namespace hopfield::train
