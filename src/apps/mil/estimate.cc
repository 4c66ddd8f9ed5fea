#include "hopfield/apps/mil/estimate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include "apps/mil/cv_parts.h"
#include "apps/mil/trainer.h"
#include "hopfield/apps/mil/coder.h"
#include "hopfield/apps/mil/stored_bags.h"

namespace hopfield::mil {
namespace {

constexpr std::size_t kStoredSample = 128;
constexpr double kShortSeconds = 0.25;

double seconds_of(const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Bytes of f32 numbers.
std::int64_t f32_bytes(std::int64_t count) {
  return count * static_cast<std::int64_t>(sizeof(float));
}

/// The first bags of each class in turn, so that the sample has all of them.
std::vector<std::int64_t> sample_of(const Bags& bags, std::vector<std::int64_t> which) {
  if (bags.scheme.target != Target::kRegression) {
    const auto label = [&](std::int64_t bag) { return bags.labels[static_cast<std::size_t>(bag)]; };
    std::vector<std::int64_t> seen(bags.scheme.class_names.size());
    std::vector<std::pair<std::int64_t, std::int64_t>> keys;  // place within the class, bag
    for (const std::int64_t bag : which) {
      keys.emplace_back(seen[static_cast<std::size_t>(label(bag))]++, bag);
    }
    std::sort(keys.begin(), keys.end());
    for (std::size_t i = 0; i < which.size(); ++i) which[i] = keys[i].second;
  }
  which.resize(std::min(which.size(), std::max(kStoredSample, bags.scheme.class_names.size())));
  return which;
}

Estimate stored_bags(const Bags& bags, const FitSplit& split) {
  std::vector<std::int64_t> stored = split.training;
  stored.insert(stored.end(), split.validation.begin(), split.validation.end());
  const std::vector<std::int64_t> sample = sample_of(bags, stored);
  const double growth = static_cast<double>(stored.size()) / static_cast<double>(sample.size());
  Estimate out;
  out.seconds = std::pow(growth, 3) * seconds_of([&] { (void)StoredBags::fit(bags, sample); });
  // The instances in both codes beside a copy of them; of a pair six distances in both codes and
  // three matrices, all f64.
  const auto n = static_cast<std::int64_t>(stored.size());
  out.bytes = f32_bytes(3 * bags.num_instances() * bags.num_features) + 15 * 8 * n * n;
  return out;
}

/// Numbers that a step holds for one row: its code and the layers' outputs with their gradients.
std::int64_t numbers_of_a_row(const ModelOptions& model, std::int64_t num_coded) {
  std::int64_t layers = folds_projections(model) ? 0 : 2 * model.num_heads * model.head_size;
  for (const std::int64_t width : model.embedding) layers += 2 * width;
  return num_coded + 2 * layers;
}

Estimate network(const Bags& bags, const FitSplit& split, const ModelOptions& model,
                 const TrainOptions& train) {
  Estimate out;
  CodedBags coded;
  out.seconds += seconds_of([&] {
    coded = code_bags(bags, InputCoder::fit(bags, split.training, model.input_code, model.levels));
  });
  Trainer trainer(model, train, /*seed=*/0, coded, split.training, split.validation);
  double epoch = seconds_of([&] { trainer.run_epoch(); });
  // A short one is mostly what happens for the first time in the process.
  if (epoch < kShortSeconds) epoch = seconds_of([&] { trainer.run_epoch(); });
  out.seconds += epoch * static_cast<double>(train.epochs * train.members);
  std::vector<std::int64_t> sizes;
  for (const std::int64_t bag : split.training) sizes.push_back(bags.bag_size(bag));
  std::sort(sizes.rbegin(), sizes.rend());
  std::int64_t step = 0, validation = 0;
  for (std::size_t i = 0; i < std::min(sizes.size(), static_cast<std::size_t>(train.batch_size));
       ++i) {
    step += sizes[i];
  }
  for (const std::int64_t bag : split.validation) validation += bags.bag_size(bag);
  const std::int64_t width = coded.values.size(1);
  out.bytes = f32_bytes(width * (bags.num_instances() + validation) +
                        std::max(step, validation) * numbers_of_a_row(model, width));
  return out;
}

Estimate one_model(const Bags& bags, const FitSplit& split, const ModelOptions& model,
                   const TrainOptions& train) {
  return model.pooling == Pooling::kStoredBags ? stored_bags(bags, split)
                                               : network(bags, split, model, train);
}

/// Mapped values need no memory of their own.
std::int64_t bytes_of(const Bags& bags) {
  return f32_bytes(static_cast<std::int64_t>(bags.values.size()));
}

}  // namespace

Estimate estimate_cv(const Bags& bags, const std::vector<Repetition>& repetitions,
                     const CvOptions& options) {
  const std::vector<ModelOptions> models = cv_models(bags, repetitions, options);
  const SingleThreaded single_threaded;
  const FitSplit split{repetitions.front().training_bags(0),
                       repetitions.front().validation_bags(0)};
  std::int64_t num_folds = 0;
  for (const Repetition& repetition : repetitions) num_folds += repetition.num_folds;
  const std::int64_t num_threads = std::min<std::int64_t>(cv_threads(options), num_folds);
  Estimate out;
  std::int64_t largest = 0;
  for (const ModelOptions& model : models) {
    const Estimate one = one_model(bags, split, model, options.train);
    out.seconds += one.seconds;
    largest = std::max(largest, one.bytes);
  }
  const auto rounds = static_cast<double>((num_folds + num_threads - 1) / num_threads);
  out.seconds *= rounds;
  out.bytes = bytes_of(bags) + num_threads * largest;
  return out;
}

Estimate estimate_fit(const Bags& bags, const FitOptions& options) {
  const SingleThreaded single_threaded;
  Estimate out = one_model(bags, fit_split(bags, options), options.model, options.train);
  out.bytes += bytes_of(bags);
  return out;
}

}  // namespace hopfield::mil
