#ifndef HOPFIELD_MEMORY_RECALL_TRIAL_H_
#define HOPFIELD_MEMORY_RECALL_TRIAL_H_

#include <cstdint>
#include <span>
#include <vector>

#include "hopfield/base/executor.h"
#include "hopfield/base/view.h"
#include "hopfield/kernels/associate.h"

namespace hopfield {

/// What is done to a pattern to make a cue of it.
enum class Damage : std::uint8_t {
  kCovered,        ///< its last `amount` of components are `low`
  kMissing,        ///< the same components are not known: NaN
  kSaltAndPepper,  ///< a seeded choice of `amount` of its components becomes `low` or `high`,
                   ///< evenly
  kGaussian,       ///< Gaussian noise of standard deviation `amount` is added to each component
};

struct DamageOptions {
  Damage damage = Damage::kCovered;
  double amount = 0.5;  ///< a share in [0, 1], or a standard deviation >= 0
  float low = 0, high = 1;
  std::uint64_t seed = 0;
};

/// Damaged patterns, and which ones they were.
struct Cues {
  std::vector<std::int64_t> pattern;  ///< [T]
  std::vector<float> state;           ///< [T, d]
  std::int64_t depth = 0;

  std::int64_t count() const { return static_cast<std::int64_t>(pattern.size()); }
  PatternView view() const { return pattern_view(state.data(), count(), depth); }
};

/// A seeded sample of different patterns of [S, d] (all if there are fewer), ascending, damaged.
/// The sample follows from seed, S and num_cues, so that every damage meets the same patterns.
/// Errors: kInvalidArgument (several heads, num_cues < 1, amount out of range).
Cues make_cues(const PatternView& patterns, std::int64_t num_cues, const DamageOptions& options);

struct RecallTrialOptions {
  Similarity similarity = Similarity::kNegativeSquaredDistance;
  double beta = 1;  ///< > 0
  /// Updates before the final association, as in UpdateOptions; negative: until converged, at most
  /// `update_steps_cap`.
  std::int64_t update_steps = -1;
  std::int64_t update_steps_cap = 30;
  /// Recalled exactly: no component of the end differs from the pattern by more, > 0.
  double tolerance = 0.01;
  Executor* executor = nullptr;  ///< null: default_executor()
};

/// What became of cues.
struct RecallTrial {
  std::vector<float> state;         ///< [T, d] the end
  std::vector<std::int64_t> found;  ///< [T] largest association of the end
  /// [T] the found pattern is the cue's own or equals it number by number.
  std::vector<std::uint8_t> identified;
  std::vector<std::uint8_t> exact;  ///< [T] identified, and the end is the pattern within tolerance
  std::int64_t num_identified = 0, num_exact = 0;

  double exact_rate() const {
    return static_cast<double>(num_exact) / static_cast<double>(exact.size());
  }
};

/// Recalls every cue from the patterns [S, d]: `retrieve` at that similarity, or `complete` where
/// the cues have NaN (then `similarity` plays no part). Associations are those of the last update,
/// computed once more at the end. Errors: as these; kInvalidArgument (tolerance, beta).
RecallTrial recall_trial(const PatternView& stored, const Cues& cues,
                         const RecallTrialOptions& options = {});

/// The baseline without a memory: the stored pattern most alike each cue. Where cues have NaN, over
/// the leading components that all of them know. Exact is identified.
RecallTrial nearest_trial(const PatternView& stored, const Cues& cues, Similarity similarity,
                          Executor* executor = nullptr);

}  // namespace hopfield

#endif  // HOPFIELD_MEMORY_RECALL_TRIAL_H_
