#ifndef HOPFIELD_APPS_MIL_TRAINER_H_
#define HOPFIELD_APPS_MIL_TRAINER_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "apps/mil/net.h"
#include "apps/mil/optimizer.h"
#include "apps/mil/random.h"
#include "hopfield/apps/mil/bags.h"
#include "hopfield/apps/mil/coder.h"
#include "hopfield/apps/mil/options.h"

namespace hopfield::mil {

/// All bags of a data set after the input code.
struct CodedBags {
  at::Tensor values;  ///< [num_instances, num_coded] f32
  std::vector<std::int64_t> offsets;
  LabelScheme scheme;
  std::vector<int> labels;
  std::vector<double> numbers;
};
CodedBags code_bags(const Bags& bags, const InputCoder& coder);

/// The rows of these bags, side by side. With `random`, each instance is left out with probability
/// `bag_dropout`; a bag that would lose all keeps one of them.
BagBatch make_batch(const CodedBags& bags, std::span<const std::int64_t> which,
                    double bag_dropout = 0, Random* random = nullptr);

/// From now on torch's operations on this thread use one thread, so that sums run in one order.
void limit_to_one_thread();

/// Does so for the calling thread and the threads it starts, and puts the number back at the end.
class SingleThreaded {
 public:
  SingleThreaded();
  SingleThreaded(const SingleThreaded&) = delete;
  SingleThreaded& operator=(const SingleThreaded&) = delete;
  ~SingleThreaded();

 private:
  int num_threads_;
};

/// Trains one network, epoch by epoch. The state after an epoch is all there is to know: every
/// epoch's random numbers come from the seed and the epoch's number, so a training that was saved
/// and loaded ends with the same bits as one that ran through.
///
/// Loss      mean over a step's bags of the binary cross entropy, of several classes the softmax
///           cross entropy, times the class's weight; of a regression the squared error, numbers
///           scaled to mean 0 and sd 1 over the training bags. AdamW; the rate decays every epoch.
/// Stopping  after each epoch the validation figure (main_figure) is smoothed, s = 0.8 s + 0.2
///           figure; the weights of the epoch with the highest s are kept, and training ends when
///           `patience` epochs brought no higher one. Without validation bags all epochs run and
///           the last weights are kept.
class Trainer {
 public:
  Trainer(const ModelOptions& model, const TrainOptions& train, std::uint64_t seed,
          const CodedBags& bags, std::vector<std::int64_t> training_bags,
          std::vector<std::int64_t> validation_bags);

  bool finished() const;
  void run_epoch();
  std::int64_t epoch() const { return epoch_; }  ///< made so far
  std::int64_t best_epoch() const { return best_epoch_; }
  double best_validation_auc() const {
    return best_auc_;
  }  ///< not smoothed; NaN without validation

  /// The network with the weights kept; of a regression its outputs have the labels' unit.
  BagNet best_net() const;

  /// Everything needed to go on, and going on from it. Errors: kCorruptData naming what is missing.
  NamedTensors checkpoint() const;
  void restore(const NamedTensors& tensors);

 private:
  void step(std::span<const std::int64_t> which, Random& random, const at::Generator& dropout);
  at::Tensor loss(const at::Tensor& outputs, std::span<const std::int64_t> which) const;
  void validate();

  ModelOptions model_;
  TrainOptions train_;
  std::uint64_t seed_;
  const CodedBags* bags_;
  std::vector<std::int64_t> training_bags_, validation_bags_;
  std::vector<double> class_weights_;
  double shift_ = 0, scale_ = 1;  // of a regression's numbers
  BagBatch validation_batch_;
  BagNet net_, best_{nullptr};
  FlatAdamW optimizer_;  // of net_
  std::int64_t epoch_ = 0, best_epoch_ = 0;
  double smoothed_auc_ = 0, best_smoothed_auc_ = std::numeric_limits<double>::lowest();
  double best_auc_ = 0;
};

/// Scores of these bags [which, outputs]. Each bag is computed on its own, so that its bits do not
/// depend on the others.
std::vector<double> score_bags(BagNet& net, const CodedBags& bags,
                               std::span<const std::int64_t> which);
/// Means over the members.
std::vector<double> mean_scores(std::vector<BagNet>& members, const CodedBags& bags,
                                std::span<const std::int64_t> which);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_TRAINER_H_
