#include "hopfield/memory/advice.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "hopfield/base/error.h"
#include "hopfield/memory/complete.h"
#include "hopfield/memory/retrieve.h"
#include "memory/pattern_rows.h"
#include "memory/seeded.h"

namespace hopfield {
namespace {

constexpr std::string_view kOp = "advise_beta";

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

void check(const PatternView& patterns, const AdviceOptions& options) {
  require(patterns.rows >= 1, kOp, "expected at least one pattern, got none");
  const auto in_range = [&](bool ok, const char* expected, double got) {
    require(ok, kOp, std::string("expected ") + expected + ", got " + std::to_string(got));
  };
  in_range(options.noise >= 0 && std::isfinite(options.noise), "noise >= 0", options.noise);
  in_range(options.hidden_fraction >= 0 && options.hidden_fraction <= 1,
           "hidden_fraction in [0, 1]", options.hidden_fraction);
  if (options.cue == CueKind::kMissing) {
    const auto entries = static_cast<std::int64_t>(options.missing.size());
    require(entries > 0 && patterns.depth > 0 && entries % patterns.depth == 0, kOp,
            "expected missing to hold rows of " + std::to_string(patterns.depth) +
                " entries, got " + std::to_string(entries) + " entries");
  }
  in_range(options.num_cues >= 1, "num_cues >= 1", static_cast<double>(options.num_cues));
  in_range(options.tolerance > 0, "tolerance > 0", options.tolerance);
  in_range(options.wanted > 0 && options.wanted <= 1, "wanted in (0, 1]", options.wanted);
  in_range(options.quantile <= 1, "quantile <= 1", options.quantile);
  in_range(!options.betas.empty() || options.num_betas >= 2, "num_betas >= 2",
           static_cast<double>(options.num_betas));
  for (std::size_t i = 0; i < options.betas.size(); ++i) {
    in_range(options.betas[i] > 0 && std::isfinite(options.betas[i]), "betas > 0 and finite",
             options.betas[i]);
    in_range(i == 0 || options.betas[i] > options.betas[i - 1], "ascending betas",
             options.betas[i]);
  }
}

/// Scores are products of two patterns; distances take four of them.
void check_lengths(const PatternStatistics& seen, DType dtype) {
  if (dtype == DType::kF64 || seen.norm_max == 0) return;
  const double square = seen.norm_max * seen.norm_max;
  require(square >= static_cast<double>(std::numeric_limits<float>::min()) &&
              square <= static_cast<double>(std::numeric_limits<float>::max()) / 4,
          kOp,
          "expected patterns of length 1e-19 to 9e18, whose squares f32 holds, got " +
              std::string(square < 1 ? "shorter" : "longer") + " ones; scale them");
}

/// Geometric grid from just below the one-average regime up to where the theorem promises storage.
std::vector<double> grid(const BetaAdvice& advice, const AdviceOptions& options) {
  if (!options.betas.empty()) return options.betas;
  double low = advice.beta_global, high = advice.beta_sharp;
  double least = 10 * low, most = 1e6 * low;
  if (options.cue == CueKind::kMissing) {
    high = most;  // separations of whole patterns say little about those of a part
  } else if (options.similarity == Similarity::kNegativeSquaredDistance) {
    // beta |x - xi|^2 weighs like a dot product at 2 beta; separations are half squared distances.
    low /= 2;
    high = most;
  } else if (options.similarity == Similarity::kCosine) {
    low = 1;
    least = most = high = 1e4;
  }
  if (!std::isfinite(high)) high = 1e4 * low;
  high = std::clamp(high, least, most);
  std::vector<double> betas;
  const auto last = static_cast<double>(options.num_betas - 1);
  for (std::int64_t i = 0; i < options.num_betas; ++i) {
    betas.push_back(low * std::pow(high / low, static_cast<double>(i) / last));
  }
  return betas;
}

/// Recall of the same damaged patterns at any beta.
template <class T>
class Trials {
 public:
  Trials(const PatternView& patterns, const AdviceOptions& options,
         const PatternStatistics& statistics)
      : patterns_(patterns), options_(options), statistics_(statistics) {
    internal::Seeded random(options.seed);
    chosen_ = random.sample(patterns.rows, options.num_cues);
    cues_.resize(chosen_.size() * depth());
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
      internal::load_row(patterns, chosen_[i], 0, cues_.data() + i * depth());
      damage(cues_.data() + i * depth(), i, random);
    }
  }

  std::int64_t count() const { return static_cast<std::int64_t>(chosen_.size()); }

  BetaTrial at(double beta) const {
    std::vector<T> state(cues_.size()), largest(chosen_.size());
    std::vector<std::int64_t> largest_index(chosen_.size()), size(chosen_.size()),
        steps(chosen_.size());
    AssociateOutputs<T> out;
    out.state = mutable_view(state.data(), count(), patterns_.depth);
    out.largest_index = largest_index;
    out.metastable_size = size;
    RetrieveReport<T> report;
    report.steps = steps;
    recall(beta, out, report);
    return summary(beta, state, largest_index, size, steps);
  }

 private:
  std::size_t depth() const { return index(patterns_.depth); }

  void recall(double beta, const AssociateOutputs<T>& out, const RetrieveReport<T>& report) const {
    const PatternView cues = pattern_view(cues_.data(), count(), patterns_.depth);
    if (options_.cue == CueKind::kMissing) {
      CompleteOptions complete_options;
      complete_options.update_steps_max = options_.update_steps;
      complete_options.executor = options_.executor;
      complete(patterns_, cues, beta, complete_options, out, report);
      return;
    }
    Associations in;
    in.stored = patterns_;
    in.states = cues;
    in.beta = {&beta, 1};
    in.similarity = options_.similarity;
    UpdateOptions update;
    update.update_steps_max = {&options_.update_steps, 1};
    AssociateOptions associate_options;
    associate_options.executor = options_.executor;
    retrieve(in, update, out, report, associate_options);
  }

  void damage(T* cue, std::size_t i, internal::Seeded& random) const {
    const auto hidden = static_cast<std::int64_t>(
        std::llround(options_.hidden_fraction * static_cast<double>(patterns_.depth)));
    switch (options_.cue) {
      case CueKind::kNoisy: {
        const double deviation =
            options_.noise * statistics_.spread / std::sqrt(static_cast<double>(patterns_.depth));
        for (std::size_t k = 0; k < depth(); ++k) {
          cue[k] = static_cast<T>(static_cast<double>(cue[k]) + deviation * random.normal());
        }
        return;
      }
      case CueKind::kHidden:
        for (const std::int64_t k : random.sample(patterns_.depth, hidden)) cue[k] = T{0};
        return;
      case CueKind::kCovered:
        std::fill(cue + (patterns_.depth - hidden), cue + patterns_.depth, T{0});
        return;
      case CueKind::kMissing:
        for (std::size_t k = 0; k < depth(); ++k) {
          if (options_.missing[(i * depth() + k) % options_.missing.size()] != 0) {
            cue[k] = std::numeric_limits<T>::quiet_NaN();
          }
        }
        return;
    }
  }

  BetaTrial summary(double beta, const std::vector<T>& state,
                    const std::vector<std::int64_t>& largest_index,
                    const std::vector<std::int64_t>& size,
                    const std::vector<std::int64_t>& steps) const {
    BetaTrial trial;
    trial.beta = beta;
    const auto cues = static_cast<double>(count());
    // Rounding of T must not count as a failed recall.
    const double limit =
        options_.tolerance * statistics_.spread +
        16 * static_cast<double>(std::numeric_limits<T>::epsilon()) * statistics_.norm_max;
    // Whole numbers first: a share of all cues must come out as exactly 1.
    std::int64_t num_identified = 0, num_recovered = 0, sum_steps = 0, sum_size = 0;
    std::vector<double> errors, pattern(depth()), found(depth());
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
      internal::load_row(patterns_, chosen_[i], 0, pattern.data());
      double square = 0;
      for (std::size_t k = 0; k < depth(); ++k) {
        const double difference = static_cast<double>(state[i * depth() + k]) - pattern[k];
        square += difference * difference;
      }
      errors.push_back(std::sqrt(square));
      bool identified = largest_index[i] == chosen_[i];
      if (!identified && largest_index[i] >= 0) {
        internal::load_row(patterns_, largest_index[i], 0, found.data());
        identified = found == pattern;
      }
      num_identified += identified;
      num_recovered += identified && errors.back() <= limit;
      sum_steps += steps[i];
      sum_size += size[i];
    }
    trial.identified = static_cast<double>(num_identified) / cues;
    trial.recovered = static_cast<double>(num_recovered) / cues;
    trial.steps_mean = static_cast<double>(sum_steps) / cues;
    trial.metastable_size_mean = static_cast<double>(sum_size) / cues;
    std::sort(errors.begin(), errors.end());
    trial.error_max = errors.back();
    trial.error_median = (errors[(errors.size() - 1) / 2] + errors[errors.size() / 2]) / 2;
    return trial;
  }

  const PatternView& patterns_;
  const AdviceOptions& options_;
  const PatternStatistics& statistics_;
  std::vector<std::int64_t> chosen_;
  std::vector<T> cues_;
};

template <class T>
void measure(const PatternView& patterns, const AdviceOptions& options, BetaAdvice& advice) {
  const Trials<T> trials(patterns, options, advice.statistics);
  advice.num_cues = trials.count();
  for (const double beta : grid(advice, options)) {
    if (options.progress) options.progress(std::ssize(advice.trials));
    advice.trials.push_back(trials.at(beta));
  }
}

void recommend(const AdviceOptions& options, BetaAdvice& advice) {
  double best = 0;
  for (const BetaTrial& trial : advice.trials) best = std::max(best, trial.recovered);
  if (best == 0) {
    advice.source = BetaSource::kTheorem;
    advice.beta = std::isfinite(advice.beta_sharp) ? advice.beta_sharp : advice.trials.back().beta;
    advice.recovered = std::isfinite(advice.beta_sharp) ? std::nan("") : 0.0;
    return;
  }
  const bool reached = best >= options.wanted;
  // Short of the wanted fraction, one part in a hundred is not worth a larger beta.
  const double enough = reached ? options.wanted : 0.99 * best;
  const auto trial = std::find_if(advice.trials.begin(), advice.trials.end(),
                                  [&](const BetaTrial& t) { return t.recovered >= enough; });
  advice.source = reached ? BetaSource::kMeasured : BetaSource::kMeasuredBest;
  advice.beta = trial->beta;
  advice.recovered = trial->recovered;
}

}  // namespace

std::string_view beta_source_name(BetaSource source) {
  switch (source) {
    case BetaSource::kMeasured:
      return "measured";
    case BetaSource::kMeasuredBest:
      return "measured-best";
    case BetaSource::kTheorem:
      return "theorem";
    case BetaSource::kSingle:
      return "single";
  }
  return "unknown";
}

BetaAdvice advise_beta(const PatternView& patterns, const AdviceOptions& options) {
  check(patterns, options);
  BetaAdvice advice;
  StatisticsOptions statistics = options.statistics;
  if (statistics.executor == nullptr) statistics.executor = options.executor;
  advice.statistics = pattern_statistics(patterns, statistics);
  const PatternStatistics& seen = advice.statistics;
  check_lengths(seen, patterns.dtype);
  advice.quantile = options.quantile < 0 ? 1 - options.wanted : options.quantile;
  advice.separation_quantile = seen.separation_quantile(advice.quantile);
  advice.beta_global = global_average_beta(seen.distance_to_mean_max);
  const auto num = static_cast<double>(seen.num_patterns);
  if (seen.num_duplicates == seen.num_patterns - 1) {
    advice.beta = seen.norm_max > 0 ? 1 / (seen.norm_max * seen.norm_max) : 1;
    if (!options.betas.empty()) advice.beta = options.betas.front();
    advice.recovered = 1;
    return advice;
  }
  advice.beta_master =
      beta_needed(StorageCriterion::kMaster, advice.separation_quantile, num, seen.norm_max);
  advice.beta_sharp =
      beta_needed(StorageCriterion::kSharp, advice.separation_quantile, num, seen.norm_max);
  if (patterns.dtype == DType::kF64) {
    measure<double>(patterns, options, advice);
  } else {
    measure<float>(patterns, options, advice);
  }
  recommend(options, advice);
  return advice;
}

std::vector<BetaTrial> damage_trials(const PatternView& patterns, double beta,
                                     std::span<const double> amounts,
                                     const PatternStatistics& statistics,
                                     const AdviceOptions& options) {
  constexpr std::string_view kDamage = "damage_trials";
  require(options.cue != CueKind::kMissing, kDamage,
          "expected noisy, hidden or covered cues, got cues with given gaps");
  require(beta > 0 && std::isfinite(beta), kDamage,
          "expected beta > 0 and finite, got " + std::to_string(beta));
  std::vector<BetaTrial> trials;
  for (const double amount : amounts) {
    AdviceOptions damaged = options;
    (options.cue == CueKind::kNoisy ? damaged.noise : damaged.hidden_fraction) = amount;
    check(patterns, damaged);
    trials.push_back(patterns.dtype == DType::kF64
                         ? Trials<double>(patterns, damaged, statistics).at(beta)
                         : Trials<float>(patterns, damaged, statistics).at(beta));
  }
  return trials;
}

double choose_beta(const PatternView& patterns, const AdviceOptions& options) {
  return advise_beta(patterns, options).beta;
}

}  // namespace hopfield
