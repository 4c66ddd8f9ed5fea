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
  std::int64_t output =
      0;             ///< which of the bag's scores is explained: of several classes the class
  double score = 0;  ///< that score: logit, class score, or estimate
  /// [instances, heads * quantity]: association of each instance with each pooling pattern, column
  /// h * quantity + q; each column sums to 1 over the bag. Empty for models that weigh no instances
  /// (stored bags, mean_max).
  std::vector<double> weights;
  /// [instances], mean of the columns; without columns |effect| as a share of all (all 0: even).
  std::vector<double> mean_weight;
  /// [instances], score less the score of the bag without this instance; > 0 speaks for the label
  /// 1, for the class, or for a greater number. A bag without any instance has the state 0, or
  /// associates with nothing. NaN where it was not computed: in bags of more than 4096 instances
  /// networks leave out the most weighted 2^24 / size only.
  std::vector<double> effect;
  std::vector<double> alone;        ///< [instances], score of a bag that held this instance only
  std::vector<std::int64_t> order;  ///< [instances], by falling mean weight, then by place
};

/// A trained model of bags: input code and networks, or stored bags; and where they come from.
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
  const LabelScheme& scheme() const;      ///< what the scores mean
  std::int64_t num_parameters() const;    ///< of all members; of stored bags: values
  const StoredBags* stored_bags() const;  ///< null if it is made of networks
  const std::string& origin() const;      ///< file of the training bags

  /// Scores [num_bags, scheme().num_outputs()], see LabelScheme. Errors: kInvalidArgument if the
  /// bags have another number of features, naming both.
  std::vector<double> predict(const Bags& bags) const;

  /// Explains the score number `output` of every bag; -1: of several classes the greatest. Errors:
  /// as predict; kInvalidArgument for an output that is not there; kUnsupported for bags of more
  /// than 4096 instances and a network without weights.
  std::vector<BagExplanation> explain(const Bags& bags, std::int64_t output = -1) const;
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
  /// Main figure, mean over the members, at the epochs kept; NaN without validation; of stored
  /// bags: each bag by the others.
  double validation_auc = 0;
  Interval validation_interval;  ///< 95 %, around it, as main_interval; 0 to 0 without validation
  double best_epoch = 0;         ///< mean over the members
  std::int64_t resumed_at = 0;   ///< epochs (of all members) found in the checkpoint
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
