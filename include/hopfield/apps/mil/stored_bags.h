#ifndef HOPFIELD_APPS_MIL_STORED_BAGS_H_
#define HOPFIELD_APPS_MIL_STORED_BAGS_H_

#include <cstdint>
#include <functional>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "hopfield/apps/mil/bags.h"
#include "hopfield/apps/mil/coder.h"
#include "hopfield/apps/mil/metrics.h"

namespace hopfield::mil {

/// How alike two bags are, in [0, 1], 1 for a bag and itself:
///   K(b, b') = exp(-mean D_mean - max D_max - min D_min + cosine (cos - 1)
///                  + code_cosine (code cos - 1)) * (set ? S : 1).
///
/// Instances are coded as ranks (sd 1 if uniform) or, with `z`, as z-scores cut at +-3: ranks see
/// the order of values alone, z-scores the distances between them, too.
/// D_mean  mean |difference| of the bags' mean codes: association at beta = 0. A rank's code is a
///         thermometer of 8 levels (its mean: the column's distribution in the bag; D_mean: the
///         mean one-dimensional Wasserstein distance of the columns), a z-score's itself.
/// D_max   the same of the largest number of each column, as a z-score over the stored bags, cut at
///         +-4: association of each column with itself at beta -> infinity. D_min: the smallest.
/// cos     1 - |x - x'|^2 / 2, x the pattern [2 (mean code - its mean over the stored bags), 0.35 z
///         of the largest numbers] divided by its length: the cosine.
/// code cos  the same of [mean code, code of the largest rank], both with 4 levels, less their mean
///         over the stored bags; for ranks only.
/// S       instance set kernel: mean of exp(-2 d) over pairs of instances, d the mean |difference|
///         of their numbers, divided by the geometric mean of its values of each bag with itself.
/// Every factor is positive semidefinite, and so is K.
struct BagSimilarity {
  double mean = 0, max = 0, min = 0, cosine = 0, code_cosine = 0;
  bool set = false, z = false;

  bool operator==(const BagSimilarity&) const = default;
};

/// "3 mean + 0.5 max", "cosine", "z: 0.5 max, set": for people.
std::string similarity_text(const BagSimilarity& similarity);

/// The similarities that a fit chooses from; the same for every data set.
std::vector<BagSimilarity> similarity_candidates();

/// A classifier of bags that stores the training bags as patterns and associates a bag with them:
///   score(b) = intercept + sum_m sum_j K_m(b, j) values_m[j],   a logit.
///
/// Of several classes each has a logit of its own, that of the class against the rest, and its
/// score is log(probability) + log(class weight): softmax shares them out. Of a regression the
/// score is the estimate.
///
/// Values   v = (K + 0.01 I)^-1 (t - mean t), t = +-1, or the number: the exact minimum of the
///          squared error with its ridge; no seed, no epoch. The columns' ranks are fitted on the
///          stored bags.
/// Choice   every candidate scores each stored bag as if it had not been stored (closed form,
///          t_j - v_j / G_jj, G the inverse). A candidate weighs exp(-2 (best - AUC) / se), AUC
///          that (macro AUC, R2: main_figure) of these scores, se the standard error of the best
///          one; under 0.01 it is left out. The scores are divided by the sd of the left-out ones,
///          averaged by weight, and turned into logits by a logistic fit to the left-out scores.
///          Numbers are averaged as they are.
/// Bits     a fixed function of bags and labels; independent of threads and of other bags scored.
/// Threads  const members may run in parallel.
class StoredBags {
 public:
  struct Member {
    BagSimilarity similarity;
    double weight = 0;           ///< sums to 1 over the members
    double left_out_auc = 0;     ///< main figure of the left-out scores
    std::vector<double> values;  ///< [stored bags, outputs], weight and calibration multiplied in
  };

  /// The stored bags in one code of their instances. Empty if no member asks for it; that of ranks
  /// has its coder in any case.
  struct Coded {
    InputCoder coder;               ///< kRank or kClippedZ
    std::vector<float> center;      ///< [K * levels], mean of `mean`
    std::vector<float> max_center;  ///< [K * 4], mean code of the largest ranks; empty in `z`
    std::vector<float> max_shift, max_scale, min_shift, min_scale;  ///< [K]; scale 0: left out
    std::vector<float> mean;                                        ///< [stored bags, K * levels]
    std::vector<float> max, min;                                    ///< [stored bags, K], z-scores
    std::vector<float> instances;       ///< [n, K] codes; empty without `set`
    std::vector<std::int64_t> offsets;  ///< [stored bags + 1]; empty likewise
  };

  /// All there is to save.
  struct State {
    Coded ranks, z;
    std::vector<Member> members;
    std::vector<double> intercept = {0.0};  ///< [outputs]
    std::vector<double> log_class_weights;  ///< [outputs] of several classes; else empty
    double left_out_auc = 0;                ///< of the average; the weights have seen these labels
    Interval left_out_interval;             ///< 95 %, around it; not saved
  };

  StoredBags() = default;

  /// Stores the bags `which`. `poll`, if given, is called between steps and may throw. Class
  /// weights of two classes shift the intercept by the difference of their logarithms. Time
  /// O(candidates * n^3) for n stored bags, and O(N^2 K) for their N instances; with more
  ///          than 20000 instances candidates with `set` are not tried. Memory O(n^2).
  /// Errors   kInvalidArgument for bad bags, labels or numbers; kCorruptData with one class only or
  ///          constant features only; kUnsupported for more than 4096 bags.
  static StoredBags fit(const Bags& bags, std::span<const std::int64_t> which,
                        const std::function<void()>& poll = {}, const ClassWeights& weights = {});

  std::int64_t num_features() const { return state_.ranks.coder.num_features(); }
  std::int64_t num_stored() const;  ///< bags
  std::int64_t num_values() const;  ///< of all members
  double left_out_auc() const { return state_.left_out_auc; }
  /// 95 %, as main_interval; 0 to 0 of a model that was read from a file.
  Interval left_out_interval() const { return state_.left_out_interval; }
  const std::vector<Member>& members() const { return state_.members; }
  double intercept() const { return state_.intercept.front(); }  ///< of the first output
  std::int64_t num_outputs() const { return std::ssize(state_.intercept); }
  std::string text() const;  ///< the members, their weights in per cent

  /// Scores [which, num_outputs()]. Errors: kInvalidArgument for another number of features.
  std::vector<double> scores(const Bags& bags, std::span<const std::int64_t> which) const;

  /// What single instances of a bag do to one of its scores.
  struct InstanceEffects {
    std::int64_t output = 0;  ///< that score; of several classes the greatest
    double score = 0;
    std::vector<double> alone;    ///< [instances], score of a bag of this instance only
    std::vector<double> without;  ///< [instances], score of the bag without it; of a bag that has
                                  ///< no other that of an association with nothing
  };
  /// One entry for each of the bags `which`; of the score number `output`, if it is not negative.
  /// Errors: as scores.
  std::vector<InstanceEffects> instance_effects(const Bags& bags,
                                                std::span<const std::int64_t> which,
                                                std::int64_t output = -1) const;

  const State& state() const { return state_; }
  /// Errors: kCorruptData if the parts contradict each other.
  static StoredBags from_state(State state);

 private:
  State state_;
};

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_STORED_BAGS_H_
