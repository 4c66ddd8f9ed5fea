#include "hopfield/memory/recall_trial.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "hopfield/base/error.h"
#include "hopfield/memory/complete.h"
#include "hopfield/memory/retrieve.h"
#include "hopfield/memory/search.h"
#include "memory/pattern_rows.h"
#include "memory/seeded.h"

namespace hopfield {
namespace {

bool has_gaps(const Cues& cues) {
  return std::any_of(cues.state.begin(), cues.state.end(), [](float x) { return std::isnan(x); });
}

void damage(float* cue, std::int64_t depth, const DamageOptions& o, internal::Seeded& random) {
  const auto count =
      o.damage == Damage::kGaussian
          ? std::int64_t{0}
          : static_cast<std::int64_t>(std::llround(o.amount * static_cast<double>(depth)));
  switch (o.damage) {
    case Damage::kCovered:
      std::fill(cue + (depth - count), cue + depth, o.low);
      return;
    case Damage::kMissing:
      std::fill(cue + (depth - count), cue + depth, std::numeric_limits<float>::quiet_NaN());
      return;
    case Damage::kSaltAndPepper:
      for (const std::int64_t k : random.sample(depth, count)) {
        cue[k] = random.below(2) == 0 ? o.low : o.high;
      }
      return;
    case Damage::kGaussian:
      for (std::int64_t k = 0; k < depth; ++k) {
        cue[k] += static_cast<float>(o.amount * random.normal());
      }
      return;
  }
}

/// Compares the ends with the patterns the cues came from.
void judge(const PatternView& stored, const Cues& cues, double tolerance, RecallTrial& trial) {
  const auto depth = static_cast<std::size_t>(cues.depth);
  std::vector<float> pattern(depth), found(depth);
  for (std::size_t i = 0; i < cues.pattern.size(); ++i) {
    internal::load_row(stored, cues.pattern[i], 0, pattern.data());
    bool identified = trial.found[i] == cues.pattern[i];
    if (!identified && trial.found[i] >= 0) {
      internal::load_row(stored, trial.found[i], 0, found.data());
      identified = found == pattern;
    }
    double worst = 0;
    for (std::size_t k = 0; k < depth; ++k) {
      worst = std::max(worst, std::abs(double{trial.state[i * depth + k]} - double{pattern[k]}));
    }
    trial.identified.push_back(identified);
    trial.exact.push_back(identified && worst <= tolerance);
    trial.num_identified += trial.identified.back();
    trial.num_exact += trial.exact.back();
  }
}

}  // namespace

Cues make_cues(const PatternView& patterns, std::int64_t num_cues, const DamageOptions& options) {
  constexpr std::string_view kOp = "make_cues";
  require(patterns.heads == 1, kOp,
          "expected patterns of one head, got " + std::to_string(patterns.heads));
  require(num_cues >= 1, kOp, "expected num_cues >= 1, got " + std::to_string(num_cues));
  require(std::isfinite(options.amount) && options.amount >= 0 &&
              (options.damage == Damage::kGaussian || options.amount <= 1),
          kOp,
          "expected a share in [0, 1] or a standard deviation >= 0, got " +
              std::to_string(options.amount));
  internal::Seeded random(options.seed);
  Cues cues;
  cues.depth = patterns.depth;
  cues.pattern = random.sample(patterns.rows, num_cues);
  const auto depth = static_cast<std::size_t>(cues.depth);
  cues.state.resize(cues.pattern.size() * depth);
  for (std::size_t i = 0; i < cues.pattern.size(); ++i) {
    float* cue = cues.state.data() + i * depth;
    internal::load_row(patterns, cues.pattern[i], 0, cue);
    damage(cue, cues.depth, options, random);
  }
  return cues;
}

RecallTrial recall_trial(const PatternView& stored, const Cues& cues,
                         const RecallTrialOptions& options) {
  constexpr std::string_view kOp = "recall_trial";
  require(options.tolerance > 0, kOp,
          "expected tolerance > 0, got " + std::to_string(options.tolerance));
  require(options.beta > 0 && std::isfinite(options.beta), kOp,
          "expected beta > 0 and finite, got " + std::to_string(options.beta));
  RecallTrial trial;
  trial.state.resize(cues.state.size());
  trial.found.resize(cues.pattern.size());
  AssociateOutputs<float> out;
  out.state = mutable_view(trial.state.data(), cues.count(), cues.depth);
  out.largest_index = trial.found;
  if (has_gaps(cues)) {
    CompleteOptions complete_options;
    complete_options.update_steps_max = options.update_steps;
    complete_options.update_steps_cap = options.update_steps_cap;
    complete_options.executor = options.executor;
    complete(stored, cues.view(), options.beta, complete_options, out);
  } else {
    Associations in;
    in.stored = stored;
    in.states = cues.view();
    in.beta = {&options.beta, 1};
    in.similarity = options.similarity;
    const double eps = options.tolerance / 4;  // a step that could not be seen in the verdict
    UpdateOptions update;
    update.update_steps_max = {&options.update_steps, 1};
    update.update_steps_eps = {&eps, 1};
    update.criterion = StopCriterion::kState;
    update.update_steps_cap = options.update_steps_cap;
    AssociateOptions associate_options;
    associate_options.executor = options.executor;
    retrieve(in, update, out, {}, associate_options);
  }
  judge(stored, cues, options.tolerance, trial);
  return trial;
}

RecallTrial nearest_trial(const PatternView& stored, const Cues& cues, Similarity similarity,
                          Executor* executor) {
  PatternView known = stored, states = cues.view();
  for (std::size_t i = 0; i < cues.state.size(); ++i) {
    if (!std::isnan(cues.state[i])) continue;
    known.depth = std::min(known.depth, static_cast<std::int64_t>(i) % cues.depth);
  }
  states.depth = known.depth;
  SearchOptions options;
  options.similarity = similarity;
  options.num_top = 1;
  options.executor = executor;
  RecallTrial trial;
  trial.found = search(known, states, 1, options).index;
  trial.state.resize(cues.state.size());
  for (std::size_t i = 0; i < trial.found.size(); ++i) {
    internal::load_row(stored, trial.found[i], 0,
                       trial.state.data() + i * static_cast<std::size_t>(cues.depth));
  }
  judge(stored, cues, 0, trial);
  return trial;
}

}  // namespace hopfield
