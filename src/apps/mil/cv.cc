#include "hopfield/apps/mil/cv.h"

#include <torch/version.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <limits>
#include <mutex>
#include <string>
#include <utility>

#include "apps/mil/cv_parts.h"
#include "apps/mil/random.h"
#include "apps/mil/trainer.h"
#include "hopfield/apps/mil/coder.h"
#include "hopfield/apps/mil/stored_bags.h"
#include "hopfield/base/error.h"
#include "hopfield/base/executor.h"
#include "hopfield/base/version.h"
#include "hopfield/report/format.h"

namespace hopfield::mil {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The options of a baseline: those of the model, pooled differently. The output of mean and
/// maximum is linear and their input not embedded, see BagNet.
ModelOptions with_pooling(ModelOptions options, Pooling pooling) {
  options.pooling = pooling;
  return options;
}

Outcomes outcomes_of(const LabelScheme& scheme, const FoldResult& fold) {
  return {&scheme, fold.scores, fold.labels, fold.numbers};
}

/// One fold of one repetition, all models.
class FoldTask {
 public:
  FoldTask(const Bags& bags, const Repetition& repetition, int fold, const CvOptions& options)
      : bags_(bags), repetition_(repetition), fold_(fold), options_(options) {}

  /// Splits the bags.
  void split() {
    training_ = repetition_.training_bags(fold_);
    validation_ = repetition_.validation_bags(fold_);
    test_ = repetition_.test_bags(fold_);
  }

  /// Fits the networks' input code on the training bags and codes all bags.
  void code(InputCode code, std::int64_t levels) {
    coded_ = code_bags(bags_, InputCoder::fit(bags_, training_, code, levels));
  }

  /// Trains and scores one model; `stop` is polled between epochs.
  template <class Stop>
  FoldResult run(const ModelOptions& model, std::int64_t& num_parameters, const Stop& stop) const {
    const Clock::time_point start = Clock::now();
    FoldResult result;
    result.fold = fold_;
    result.test_bags = test_;
    for (const std::int64_t bag : test_) {
      const auto b = static_cast<std::size_t>(bag);
      if (!bags_.labels.empty()) result.labels.push_back(bags_.labels[b]);
      if (!bags_.numbers.empty()) result.numbers.push_back(bags_.numbers[b]);
    }
    if (model.pooling == Pooling::kStoredBags) {
      store(result, num_parameters, stop);
    } else {
      train(model, result, num_parameters, stop);
    }
    result.auc = main_figure(outcomes_of(bags_.scheme, result));
    result.seconds = seconds_since(start);
    return result;
  }

 private:
  template <class Stop>
  void store(FoldResult& result, std::int64_t& num_parameters, const Stop& stop) const {
    std::vector<std::int64_t> stored = training_;
    stored.insert(stored.end(), validation_.begin(), validation_.end());
    std::sort(stored.begin(), stored.end());
    const StoredBags model = StoredBags::fit(bags_, stored, stop, options_.train.class_weights);
    result.scores = model.scores(bags_, test_);
    result.validation_auc = model.left_out_auc();
    result.chosen = model.text();
    num_parameters = model.num_values();
  }

  template <class Stop>
  void train(const ModelOptions& model, FoldResult& result, std::int64_t& num_parameters,
             const Stop& stop) const {
    result.scores.assign(test_.size() * static_cast<std::size_t>(bags_.scheme.num_outputs()), 0.0);
    const std::uint64_t seed =
        mix_seed(mix_seed(mix_seed(options_.seed, repetition_.name), pooling_name(model.pooling)),
                 static_cast<std::uint64_t>(fold_));
    const auto members = static_cast<double>(options_.train.members);
    for (std::int64_t member = 0; member < options_.train.members; ++member) {
      Trainer trainer(model, options_.train, mix_seed(seed, static_cast<std::uint64_t>(member)),
                      coded_, training_, validation_);
      while (!trainer.finished()) {
        stop();
        trainer.run_epoch();
      }
      BagNet net = trainer.best_net();
      num_parameters = net->num_parameters();
      const std::vector<double> scores = score_bags(net, coded_, test_);
      for (std::size_t i = 0; i < scores.size(); ++i) result.scores[i] += scores[i] / members;
      result.validation_auc += trainer.best_validation_auc() / members;
      result.best_epoch += static_cast<double>(trainer.best_epoch()) / members;
    }
  }

  const Bags& bags_;
  const Repetition& repetition_;
  int fold_;
  const CvOptions& options_;
  std::vector<std::int64_t> training_, validation_, test_;
  CodedBags coded_;
};

/// Scores and truth of all folds, one after another.
FoldResult all_folds(const RepetitionResult& repetition) {
  FoldResult all;
  for (const FoldResult& fold : repetition.folds) {
    all.scores.insert(all.scores.end(), fold.scores.begin(), fold.scores.end());
    all.labels.insert(all.labels.end(), fold.labels.begin(), fold.labels.end());
    all.numbers.insert(all.numbers.end(), fold.numbers.begin(), fold.numbers.end());
  }
  return all;
}

void summarise(RepetitionResult& repetition, const LabelScheme& scheme) {
  std::vector<double> aucs, validation;
  for (const FoldResult& fold : repetition.folds) {
    aucs.push_back(fold.auc);
    validation.push_back(fold.validation_auc);
  }
  repetition.auc = mean(aucs);
  repetition.validation_auc = mean(validation);
  const FoldResult all = all_folds(repetition);
  const Outcomes outcomes = outcomes_of(scheme, all);
  repetition.auc_pooled = main_figure(outcomes);
  repetition.figures = other_figures(outcomes);
  if (scheme.target != Target::kRegression) repetition.confusion = confusion_matrix(outcomes);
}

/// Each bag's influence on the mean AUC of the folds, averaged over the repetitions.
std::vector<double> bag_influence(const ModelResult& model, const LabelScheme& scheme,
                                  std::int64_t num_bags) {
  std::vector<double> influence(static_cast<std::size_t>(num_bags), 0.0);
  const auto repetitions = static_cast<double>(model.repetitions.size());
  for (const RepetitionResult& repetition : model.repetitions) {
    const auto folds = static_cast<double>(repetition.folds.size());
    for (const FoldResult& fold : repetition.folds) {
      const std::vector<double> own = main_influence(outcomes_of(scheme, fold));
      // A fold counts as one of `folds`, whatever its size.
      const double factor =
          static_cast<double>(num_bags) / (folds * static_cast<double>(own.size()) * repetitions);
      for (std::size_t i = 0; i < own.size(); ++i) {
        influence[static_cast<std::size_t>(fold.test_bags[i])] += factor * own[i];
      }
    }
  }
  return influence;
}

/// Adds what a repetition contributes to the model's means and sums.
void add_figures(const RepetitionResult& repetition, ModelResult& model) {
  if (model.figures.empty()) {
    model.figures = repetition.figures;
    for (Figure& figure : model.figures) figure.value = 0;
    model.confusion.assign(repetition.confusion.size(), 0);
  }
  const auto repetitions = static_cast<double>(model.repetitions.size());
  for (std::size_t f = 0; f < model.figures.size(); ++f) {
    model.figures[f].value += repetition.figures[f].value / repetitions;
  }
  for (std::size_t c = 0; c < model.confusion.size(); ++c) {
    model.confusion[c] += repetition.confusion[c];
  }
}

std::vector<double> fold_aucs(const ModelResult& model) {
  std::vector<double> aucs;
  for (const RepetitionResult& repetition : model.repetitions) {
    for (const FoldResult& fold : repetition.folds) aucs.push_back(fold.auc);
  }
  return aucs;
}

ModelResult empty_result(Pooling pooling, const std::vector<Repetition>& repetitions) {
  ModelResult result;
  result.name = std::string(pooling_name(pooling));
  result.title = pooling_title(pooling);
  for (const Repetition& repetition : repetitions) {
    RepetitionResult& entry = result.repetitions.emplace_back();
    entry.name = repetition.name;
    entry.folds.resize(static_cast<std::size_t>(repetition.num_folds));
  }
  return result;
}

void describe_data(const Bags& bags, CvResult& result) {
  result.origin = bags.origin;
  result.num_bags = bags.num_bags();
  result.num_instances = bags.num_instances();
  result.num_features = bags.num_features;
  result.scheme = bags.scheme;
  result.bags_of_class.resize(bags.scheme.class_names.size());
  for (const int label : bags.labels) ++result.bags_of_class[static_cast<std::size_t>(label)];
  if (bags.scheme.target == Target::kBinary) result.num_positive = result.bags_of_class[1];
  result.versions = {{"hopfield", version()}, {"torch", TORCH_VERSION}};
}

}  // namespace

Calibration cv_calibration(const ModelResult& model, const LabelScheme& scheme) {
  const FoldResult all = all_folds(model.repetitions.front());
  return calibration_of(outcomes_of(scheme, all));
}

void summarise(ModelResult& model, const LabelScheme& scheme, std::int64_t num_bags) {
  std::vector<double> aucs, validation;
  model.seconds = 0;
  model.figures.clear();
  model.confusion.clear();
  for (RepetitionResult& repetition : model.repetitions) {
    summarise(repetition, scheme);
    add_figures(repetition, model);
    aucs.push_back(repetition.auc);
    validation.push_back(repetition.validation_auc);
    for (const FoldResult& fold : repetition.folds) model.seconds += fold.seconds;
  }
  model.auc_mean = mean(aucs);
  model.auc_sd = sample_sd(aucs);
  model.auc_interval =
      main_interval(scheme.target, model.auc_mean, bag_influence(model, scheme, num_bags));
  model.validation_auc_mean = mean(validation);
}

Comparison compare(const ModelResult& model, const ModelResult& baseline, const LabelScheme& scheme,
                   std::int64_t num_bags) {
  const PairedTest test = paired_test(fold_aucs(model), fold_aucs(baseline));
  std::vector<double> influence = bag_influence(model, scheme, num_bags);
  const std::vector<double> other = bag_influence(baseline, scheme, num_bags);
  for (std::size_t b = 0; b < influence.size(); ++b) influence[b] -= other[b];
  const double half = interval_half_width(influence);
  return {baseline.name, test.mean_difference,
          test.wins,     test.ties,
          test.losses,   test.wilcoxon_p,
          test.sign_p,   {test.mean_difference - half, test.mean_difference + half}};
}

std::vector<ModelOptions> cv_models(const Bags& bags, const std::vector<Repetition>& repetitions,
                                    const CvOptions& options) {
  check_options(options.model);
  check_options(options.train);
  check_bags(bags);
  check_labels(bags);
  require(!repetitions.empty(), "mil cv", "expected at least one repetition, got none");
  require(options.num_threads >= 0, "mil cv",
          "expected threads >= 0, got " + std::to_string(options.num_threads));
  for (const Repetition& repetition : repetitions) check_folds(repetition, bags);

  std::vector<ModelOptions> models = {options.model};
  for (const Pooling pooling : options.baselines) {
    if (pooling != options.model.pooling) models.push_back(with_pooling(options.model, pooling));
  }
  return models;
}

int cv_threads(const CvOptions& options) {
  // More threads than the machine has would gain nothing.
  const int most = default_executor().concurrency();
  return options.num_threads == 0 ? most : std::min(options.num_threads, most);
}

CvResult cross_validate(const Bags& bags, const std::vector<Repetition>& repetitions,
                        const CvOptions& options, const Control& control) {
  const Clock::time_point start = Clock::now();
  const std::vector<ModelOptions> models = cv_models(bags, repetitions, options);
  const bool any_network = std::any_of(models.begin(), models.end(), [](const ModelOptions& model) {
    return model.pooling != Pooling::kStoredBags;
  });
  std::vector<ModelResult> results;
  for (const ModelOptions& model : models) {
    results.push_back(empty_result(model.pooling, repetitions));
  }
  std::vector<std::pair<std::size_t, int>> tasks;  // repetition, fold
  for (std::size_t r = 0; r < repetitions.size(); ++r) {
    for (int k = 0; k < repetitions[r].num_folds; ++k) tasks.emplace_back(r, k);
  }

  std::mutex mutex;  // guards `done` and the calls of progress
  std::int64_t done = 0;
  const auto total = static_cast<std::int64_t>(tasks.size() * models.size());
  std::atomic<bool> stopped = false;
  std::vector<std::int64_t> num_parameters(models.size() * tasks.size());
  const auto stop_if_asked = [&] {
    if (stopped || (control.cancelled && control.cancelled())) {
      stopped = true;
      fail(ErrorCode::kCancelled, "mil cv", "interrupted; nothing was written");
    }
  };
  const SingleThreaded single_threaded;
  const auto run_task = [&](std::int64_t index) {
    limit_to_one_thread();
    const auto i = static_cast<std::size_t>(index);
    const auto [r, k] = tasks[i];
    try {
      FoldTask task(bags, repetitions[r], k, options);
      stop_if_asked();
      task.split();
      if (any_network) task.code(options.model.input_code, options.model.levels);
      for (std::size_t m = 0; m < models.size(); ++m) {
        FoldResult fold = task.run(models[m], num_parameters[m * tasks.size() + i], stop_if_asked);
        stop_if_asked();
        const std::lock_guard lock(mutex);
        results[m].repetitions[r].folds[static_cast<std::size_t>(k)] = std::move(fold);
        ++done;
        if (control.progress) {
          control.progress(done, total, repetitions[r].name + " " + results[m].title);
        }
      }
    } catch (...) {
      stopped = true;  // the others need not finish
      throw;
    }
  };
  make_executor(cv_threads(options))->run(static_cast<std::int64_t>(tasks.size()), run_task);

  CvResult result;
  result.options = options;
  describe_data(bags, result);
  for (std::size_t m = 0; m < results.size(); ++m) {
    summarise(results[m], bags.scheme, bags.num_bags());
    results[m].num_parameters = num_parameters[m * tasks.size()];
  }
  result.model = std::move(results.front());
  result.baselines.assign(std::make_move_iterator(results.begin() + 1),
                          std::make_move_iterator(results.end()));
  for (const ModelResult& baseline : result.baselines) {
    result.comparisons.push_back(compare(result.model, baseline, bags.scheme, bags.num_bags()));
  }
  result.seconds = seconds_since(start);
  return result;
}

ModelResult cross_validate_settings(const Bags& bags, const std::vector<Repetition>& repetitions,
                                    const std::vector<Setting>& settings, const CvOptions& options,
                                    const Control& control) {
  require(!settings.empty(), "mil cv", "expected settings to choose from, got none");
  ModelResult best;
  for (std::size_t s = 0; s < settings.size(); ++s) {
    CvOptions one = options;
    one.model = settings[s].model;
    one.train = settings[s].train;
    one.baselines.clear();
    CvResult result = cross_validate(bags, repetitions, one, control);
    if (s == 0) best = result.model;
    for (std::size_t r = 0; r < repetitions.size(); ++r) {
      for (std::size_t k = 0; k < best.repetitions[r].folds.size(); ++k) {
        FoldResult& kept = best.repetitions[r].folds[k];
        FoldResult& fold = result.model.repetitions[r].folds[k];
        const double seconds = s == 0 ? fold.seconds : kept.seconds + fold.seconds;
        if (s == 0 || fold.validation_auc > kept.validation_auc) {
          kept = std::move(fold);
          kept.chosen = settings[s].text;
        }
        kept.seconds = seconds;
      }
    }
  }
  summarise(best, bags.scheme, bags.num_bags());
  return best;
}

std::vector<Setting> plain_settings(bool quick) {
  std::vector<Setting> out;
  for (const double beta : {0.1, 1.0, 10.0}) {
    for (const double dropout : quick ? std::vector<double>{0} : std::vector<double>{0, 0.75}) {
      Setting setting;
      setting.text = "beta " + report::general(beta) + ", bag dropout " + report::general(dropout);
      setting.model.input_code = InputCode::kZ;
      setting.model.embedding = {32, 32};
      setting.model.num_heads = 8;
      setting.model.head_size = 32;
      setting.model.beta = {beta};
      setting.model.head_hidden = 32;
      setting.model.head_dropout = 0;
      setting.train.learning_rate = 1e-3;
      setting.train.learning_rate_decay = 0.96;
      setting.train.weight_decay = 1e-4;
      setting.train.batch_size = 4;
      setting.train.epochs = 50;
      setting.train.patience = 0;
      setting.train.bag_dropout = dropout;
      out.push_back(std::move(setting));
    }
  }
  return out;
}

}  // namespace hopfield::mil
