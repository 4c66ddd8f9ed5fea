#ifndef HOPFIELD_TORCH_TRAIN_CLASSIFICATION_H_
#define HOPFIELD_TORCH_TRAIN_CLASSIFICATION_H_

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace hopfield::train {

/// Hands out the given indices in a new random order each epoch, in batches, drawing from the
/// global CPU generator exactly what PyTorch's DataLoader over a SubsetRandomSampler draws: one
/// int64 seed, then a permutation. So a C++ program repeats a Python experiment batch by batch.
class SubsetBatches {
 public:
  SubsetBatches(std::vector<std::int64_t> indices, std::int64_t batch_size);
  /// The batches of one epoch as int64 index tensors; the last may be smaller.
  std::vector<at::Tensor> epoch() const;

 private:
  at::Tensor indices_;
  std::int64_t batch_size_;
};

struct BinaryClassificationOptions {
  std::int64_t epochs = 1;
  std::int64_t batch_size = 32;
  double learning_rate = 1e-3;
  double weight_decay = 0.01;
  double clip_norm = 1.0;  ///< of all gradients together
};

/// Means over the batches of an epoch.
struct EpochMetrics {
  double train_loss = 0, train_accuracy = 0, eval_loss = 0, eval_accuracy = 0;
};

/// Trains `module` by AdamW on the binary cross-entropy of the logits that `forward` makes of a
/// batch [b, ...] -> [b], and evaluates after every epoch.
///
/// Draws    from the global CPU generator only, in the order of a usual PyTorch loop, so that a
/// seed set
///          before the module was built fixes the whole run.
/// on_epoch (optional) sees each epoch's metrics and may end the run by returning false.
std::vector<EpochMetrics> train_binary_classifier(
    torch::nn::Module& module, const std::function<at::Tensor(const at::Tensor&)>& forward,
    const at::Tensor& data, const at::Tensor& targets,
    const std::vector<std::int64_t>& train_indices, const std::vector<std::int64_t>& eval_indices,
    const BinaryClassificationOptions& options = {},
    const std::function<bool(std::int64_t, const EpochMetrics&)>& on_epoch = {});

}  // namespace hopfield::train

#endif  // HOPFIELD_TORCH_TRAIN_CLASSIFICATION_H_
