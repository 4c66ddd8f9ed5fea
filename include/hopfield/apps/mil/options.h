#ifndef HOPFIELD_APPS_MIL_OPTIONS_H_
#define HOPFIELD_APPS_MIL_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hopfield::mil {

/// What the label of a bag is.
enum class Target : std::uint8_t {
  kBinary,      ///< one of two classes
  kClasses,     ///< one of three or more
  kRegression,  ///< a number
};

/// What labels mean. A model gives a bag num_outputs() scores: the logit of the second of two
/// classes; of more classes one number each, whose softmax are the probabilities; the estimate of
/// a regression.
struct LabelScheme {
  Target target = Target::kBinary;
  std::vector<std::string> class_names = {"0", "1"};  ///< empty for a regression

  std::int64_t num_classes() const { return static_cast<std::int64_t>(class_names.size()); }
  std::int64_t num_outputs() const { return target == Target::kClasses ? num_classes() : 1; }
  /// Class with the greatest score, the first of equal ones; `scores` [num_outputs()]. Not for a
  /// regression.
  std::int64_t predicted(std::span<const double> scores) const;
  /// Probability of each class; `scores` [num_outputs()]. Not for a regression.
  std::vector<double> probabilities(std::span<const double> scores) const;

  bool operator==(const LabelScheme&) const = default;
};

/// How much the bags of each class count in training.
struct ClassWeights {
  bool balanced = false;  ///< number of bags / (number of classes * bags of the class)
  std::vector<double> weights =
      {};  ///< one a class, > 0; empty: all 1. Not together with `balanced`

  /// One weight a class, from the labels of the training bags. Errors: kInvalidArgument if the
  /// number of weights is not that of the classes, one is not > 0, or weights are asked for in a
  /// regression.
  std::vector<double> of(const LabelScheme& scheme, std::span<const int> labels) const;
};

/// How the features of instances are coded before the first layer. Everything is fitted on the
/// instances of the training bags alone.
enum class InputCode : std::uint8_t {
  kNone,         ///< as they are
  kZ,            ///< mean 0, standard deviation 1
  kClippedZ,     ///< the same, cut at +-3
  kRank,         ///< mid-rank in [0, 1], then centred, times sqrt(12)
  kThermometer,  ///< mid-rank u as `levels` numbers clip(levels u - t, 0, 1), centred, times 2.5
};

/// What makes one state of a bag.
enum class Pooling : std::uint8_t {
  kHopfield,        ///< HopfieldPooling: learned state patterns associate with the bag's instances
  kMeanMax,         ///< mean and maximum of every coded feature (no embedding), linear output
  kMean,            ///< the mean alone
  kMax,             ///< the maximum alone
  kAttention,       ///< Ilse, Tomczak, Welling 2018 (arXiv:1802.04712), eq. 8
  kGatedAttention,  ///< the same, eq. 9
  kStoredBags,      ///< the training bags are the stored patterns, see StoredBags: no network, and
                    ///< no other option matters
};

/// Names as the program spells them: "none", "z", "zclip", "rank", "thermometer"; "hopfield",
/// "mean_max", "mean", "max", "attention", "gated_attention", "stored_bags" (the parser takes - for
/// _, too). Errors of the parsers: kInvalidArgument listing them.
std::string_view input_code_name(InputCode code);
InputCode parse_input_code(std::string_view name);
std::string_view pooling_name(Pooling pooling);
Pooling parse_pooling(std::string_view name);
/// "binary", "classes", "regression"; the parser's errors likewise.
std::string_view target_name(Target target);
Target parse_target(std::string_view name);

/// kMeanMax, kAttention, kGatedAttention.
std::vector<Pooling> default_baselines();

/// The network: coded instances -> embedding layers (Linear, ReLU) -> pooling -> output head.
struct ModelOptions {
  Pooling pooling = Pooling::kHopfield;
  InputCode input_code = InputCode::kThermometer;
  std::int64_t levels = 4;                     ///< of the thermometer, 1..64
  std::vector<std::int64_t> embedding = {64};  ///< widths; may be empty
  std::int64_t num_heads = 8;                  ///< of HopfieldPooling
  std::int64_t head_size = 16;                 ///< depth of association and of projection, per head
  std::int64_t quantity = 1;                   ///< learned state patterns
  std::vector<double> beta = {0, 0, 0, 0, 1, 1, 1, 1};  ///< one, or one a head; >= 0
  std::int64_t attention_size = 32;                     ///< L of attention pooling
  std::int64_t head_hidden = 64;  ///< hidden units of the output head; 0: linear
  double head_dropout = 0.5;      ///< before the last layer
};

struct TrainOptions {
  double learning_rate = 2e-3;
  double learning_rate_decay = 0.98;  ///< factor an epoch
  double weight_decay = 0.1;          ///< on weights, not on biases and normalisations
  std::int64_t batch_size = 32;       ///< bags a step
  std::int64_t epochs = 60;           ///< at most
  std::int64_t patience =
      30;                  ///< epochs without a better smoothed validation AUC; 0: never stop early
  double bag_dropout = 0;  ///< chance of an instance to be left out of its bag in a step; one stays
  std::int64_t members = 1;  ///< networks trained from different seeds, scores averaged
  /// Of networks: factor of a bag's loss. Of stored bags: its logarithm is added to the class's
  /// score (of two classes the difference to the logit).
  ClassWeights class_weights = {};
};

/// What a long run tells its caller, and how it is stopped.
struct Control {
  /// Called from any thread, never from two at a time.
  std::function<void(std::int64_t done, std::int64_t total, const std::string& what)> progress;
  /// Polled between epochs; true ends the run with kCancelled. Called from several threads.
  std::function<bool()> cancelled;
};

/// Throws kInvalidArgument naming the option, what it may be and what it is (negative beta, sizes
/// of 0, rates that are not positive, ...).
void check_options(const ModelOptions& model);
void check_options(const TrainOptions& train);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_OPTIONS_H_
