#ifndef HOPFIELD_APPS_MIL_CV_H_
#define HOPFIELD_APPS_MIL_CV_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "hopfield/apps/mil/bags.h"
#include "hopfield/apps/mil/evaluation.h"
#include "hopfield/apps/mil/folds.h"
#include "hopfield/apps/mil/metrics.h"
#include "hopfield/apps/mil/options.h"

namespace hopfield::mil {

struct CvOptions {
  ModelOptions model;
  TrainOptions train;
  /// Trained on the same folds with the same input code, embedding and training options.
  std::vector<Pooling> baselines = default_baselines();
  std::uint64_t seed = 0;
  int num_threads = 0;  ///< folds trained at the same time; 0: as many as the machine has cores
};

/// What one fold's model did.
struct FoldResult {
  int fold = 0;
  std::vector<std::int64_t> test_bags;  ///< numbers of bags
  std::vector<double> scores;           ///< [test_bags, outputs], see LabelScheme
  std::vector<int> labels;              ///< [test_bags] classes; of a regression empty
  std::vector<double> numbers;          ///< [test_bags] of a regression; else empty
  double auc = 0;                       ///< main_figure of the test fold
  double validation_auc = 0;            ///< at the epoch kept; of stored bags: left_out_auc
  double best_epoch = 0;                ///< kept, from 1; mean over the members; 0: no epochs
  std::string chosen;                   ///< what the model chose by itself; empty: nothing
  double seconds = 0;                   ///< of one thread
};

struct RepetitionResult {
  std::string name;
  double auc = 0;         ///< mean of the fold AUCs
  double auc_pooled = 0;  ///< of all test scores at once (scores of folds need not share a scale)
  std::vector<Figure> figures;          ///< other_figures of all test scores at once
  std::vector<std::int64_t> confusion;  ///< confusion_matrix of them; of a regression empty
  double validation_auc = 0;            ///< mean over the folds
  std::vector<FoldResult> folds;
};

/// `auc...` is the main figure everywhere (see evaluation.h): AUC, macro AUC, or R2.
struct ModelResult {
  std::string name;     ///< pooling_name
  std::string title;    ///< for people: "HopfieldPooling", "mean + max, linear", ...
  double auc_mean = 0;  ///< over the repetitions
  double auc_sd = 0;    ///< sample standard deviation over the repetitions; NaN for one
  /// 95 % of the AUC on new bags, see auc_interval: each bag's influences in its folds, averaged
  /// over the repetitions. Does not hold what another draw of training bags would change.
  Interval auc_interval;
  double validation_auc_mean = 0;
  std::vector<Figure> figures;          ///< means over the repetitions
  std::vector<std::int64_t> confusion;  ///< sums over the repetitions
  std::int64_t num_parameters = 0;
  double seconds = 0;  ///< sum over folds, of one thread
  std::vector<RepetitionResult> repetitions;
};

/// Model minus baseline over all (repetition, fold) pairs.
struct Comparison {
  std::string baseline;
  double mean_difference = 0;
  std::int64_t wins = 0, ties = 0, losses = 0;  ///< folds
  /// Two-sided Wilcoxon signed-rank p over the folds. Folds share training bags (and repetitions
  /// all bags), so it is too small as a statement about other data; 1 if all folds tie.
  double wilcoxon_p = 1;
  double sign_p = 1;  ///< two-sided sign test, ties left out
  Interval interval;  ///< 95 % of the difference on new bags, as auc_interval of both AUCs
};

struct CvResult {
  ModelResult model;
  std::vector<ModelResult> baselines;
  std::vector<Comparison> comparisons;  ///< one a baseline
  CvOptions options;
  std::string origin;  ///< of the bags
  LabelScheme scheme;
  std::int64_t num_bags = 0, num_instances = 0, num_features = 0;
  std::int64_t num_positive = 0;            ///< bags of the second of two classes
  std::vector<std::int64_t> bags_of_class;  ///< [num_classes]; of a regression empty
  double seconds = 0;                       ///< on the clock
  std::vector<std::pair<std::string, std::string>> versions;  ///< "hopfield", "torch"
};

/// Cross-validates the model and the baselines on every repetition. Nothing is ever fitted or
/// chosen on a test fold: input codes see the training bags, early stopping the validation fold.
/// Stored bags need no validation fold: they store the bags of all folds but the test fold.
///
/// Bits     depend on bags, folds and options alone: not on num_threads, nor on which other
///          repetitions or baselines run.
/// Errors   kInvalidArgument for bad options, missing labels; kCorruptData as check_folds;
///          kCancelled if control.cancelled said so.
/// Threads  starts its own, each with torch limited to one thread, and puts torch's settings back.
CvResult cross_validate(const Bags& bags, const std::vector<Repetition>& repetitions,
                        const CvOptions& options, const Control& control = {});

/// Of the test bags of the model's first repetition, each of which was scored once. Errors:
/// kInvalidArgument for a regression.
Calibration cv_calibration(const ModelResult& model, const LabelScheme& scheme);

/// Fills in what the folds of `model` say, from their scores and labels: figures, means, sd,
/// interval and time. `num_bags`: all bags of the data.
void summarise(ModelResult& model, const LabelScheme& scheme, std::int64_t num_bags);

/// Both summarised, on the same folds.
Comparison compare(const ModelResult& model, const ModelResult& baseline, const LabelScheme& scheme,
                   std::int64_t num_bags);

/// One model whose settings are chosen for each fold: every setting is trained, and the one with
/// the largest main figure on that fold's validation fold is kept (the first of equals; `chosen`
/// says which). The test fold has no part in it. Of `options` the baselines are not read, nor what
/// the settings hold; class weights are a setting's. Errors and threads: as cross_validate;
/// kInvalidArgument without settings.
struct Setting {
  std::string text;  ///< for people
  ModelOptions model;
  TrainOptions train;
};
ModelResult cross_validate_settings(const Bags& bags, const std::vector<Repetition>& repetitions,
                                    const std::vector<Setting>& settings, const CvOptions& options,
                                    const Control& control = {});

/// Settings of the plain HopfieldPooling of arXiv:2008.02217, table A.2, cut down so that five sets
/// can be run: z-scores, two embedding layers of 32, eight heads of 32, one beta of 0.1, 1 or 10
/// for all, 32 hidden units, instances dropped with probability 0 or 0.75 (`quick`: 0 alone),
/// learning rate 1e-3 with decay 0.96, weight decay 1e-4; the validation AUC picks the epoch.
std::vector<Setting> plain_settings(bool quick);

/// The result as a JSON document. Keys: auc_mean, auc_sd (r2_mean, r2_sd of a regression), target,
/// classes, figures, confusion, calibration, repetitions, baselines, comparisons,
/// seed, settings, data, versions, seconds. `command`, if not empty, is stored, too. Without
/// `times` the text depends on input and options alone.
std::string cv_json(const CvResult& result, const std::string& command = {}, bool times = true);

/// A table for the terminal.
std::string cv_text(const CvResult& result);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_CV_H_
