#ifndef HOPFIELD_APPS_MIL_SAVED_MODEL_H_
#define HOPFIELD_APPS_MIL_SAVED_MODEL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hopfield/apps/mil/bags.h"
#include "hopfield/apps/mil/options.h"
#include "hopfield/apps/mil/stored_bags.h"

namespace hopfield::mil {

/// One bag's verdict and how much each of its instances had to do with it.
struct BagExplanation {
  double score = 0;  ///< logit of the bag
  /// [instances, heads * quantity]: association of each instance with each pooling pattern, column
  /// h * quantity + q; each column sums to 1 over the bag. Empty for stored bags.
  std::vector<double> weights;
  /// [instances], mean of the columns; of stored bags |effect| as a share of all (all 0: even).
  std::vector<double> mean_weight;
  /// [instances] of stored bags: score less the score of the bag without this instance (a bag
  /// without any has the intercept); > 0 speaks for the label 1. Empty for networks.
  std::vector<double> effect;
  std::vector<double> alone;        ///< [instances], logit of a bag that held this instance only
  std::vector<std::int64_t> order;  ///< [instances], by falling mean weight, then by place
};

/// A trained classifier of bags: input code and networks, or stored bags; and where they come from.
///
/// File     safetensors with a JSON description, see docs/formats/mil-model.md; written whole
///          or not at all. Loading errors: kIo; kCorruptData naming the file and what is wrong.
/// Bits     the score of a bag depends on the model and on that bag alone.
/// Threads  const members may run in parallel.
class SavedModel {
 public:
  static SavedModel load(const std::string& path);
  void save(const std::string& path) const;

  const ModelOptions& options() const;
  const TrainOptions& train_options() const;
  std::uint64_t seed() const;
  std::int64_t num_features() const;
  const std::vector<std::string>& feature_names() const;
  std::int64_t num_parameters() const;    ///< of all members; of stored bags: values
  const StoredBags* stored_bags() const;  ///< null if it is made of networks
  const std::string& origin() const;      ///< file of the training bags

  /// Logits [num_bags]; > 0 means positive. Errors: kInvalidArgument if the bags have another
  /// number of features, naming both.
  std::vector<double> predict(const Bags& bags) const;

  /// Errors: as predict; kUnsupported for mean_max, mean and max, which have no weights.
  std::vector<BagExplanation> explain(const Bags& bags) const;
  /// Names of the columns of BagExplanation::weights: "h0_q0", ...
  std::vector<std::string> weight_names() const;

 private:
  friend class Fitter;
  struct State;
  std::shared_ptr<const State> state_;
};

struct FitOptions {
  ModelOptions model;
  TrainOptions train;
  std::uint64_t seed = 0;
  /// One of this many stratified folds validates (early stopping), the others train; 0: all bags
  /// train for all epochs. Stored bags store all bags, whatever this says.
  int num_folds = 10;
  /// Where an interrupted run leaves its state; empty: nowhere. Removed when the run completes.
  std::string checkpoint_path;
  bool resume = false;  ///< go on from checkpoint_path
};

struct FitResult {
  SavedModel model;
  std::int64_t num_training = 0, num_validation = 0;  ///< bags
  /// Mean over the members, at the epochs kept; NaN without validation; of stored bags: each bag by
  /// the others.
  double validation_auc = 0;
  double best_epoch = 0;        ///< mean over the members
  std::int64_t resumed_at = 0;  ///< epochs (of all members) found in the checkpoint
  double seconds = 0;
};

/// Trains on the bags. A run that was interrupted and resumed gives the same model, bit for bit, as
/// one that was not. Stored bags are one step and keep no checkpoint: `resume` is kInvalidArgument.
///
/// Errors   as cross_validate; kCancelled if control.cancelled said so, after the checkpoint was
///          written; with `resume`: kIo without a checkpoint, kInvalidArgument if it belongs to
///          other data, options or seed, kCorruptData if it is damaged.
/// Threads  one.
FitResult fit(const Bags& bags, const FitOptions& options, const Control& control = {});

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_SAVED_MODEL_H_
