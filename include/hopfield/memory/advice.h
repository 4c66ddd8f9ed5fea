#ifndef HOPFIELD_MEMORY_ADVICE_H_
#define HOPFIELD_MEMORY_ADVICE_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "hopfield/base/executor.h"
#include "hopfield/base/view.h"
#include "hopfield/kernels/associate.h"
#include "hopfield/memory/bounds.h"

namespace hopfield {

/// What to look at and how much of it. Everything is deterministic by `seed`.
struct StatisticsOptions {
  /// At most this many patterns (a seeded sample without repetition) are compared with ALL others;
  /// 0: every pattern. Costs num_compared * S * depth products.
  std::int64_t num_compared = 4096;
  std::int64_t num_listed = 100;  ///< how many duplicates are listed (all are counted)
  std::uint64_t seed = 0;
  Executor* executor = nullptr;  ///< null: default_executor()
};

/// Geometry of a set of patterns. Delta_i = <x_i, x_i> - max_{j != i} <x_i, x_j>.
struct PatternStatistics {
  std::int64_t num_patterns = 0, depth = 0;
  double norm_min = 0, norm_mean = 0, norm_max = 0;
  double spread = 0;                ///< root mean square distance of a pattern from their mean
  double distance_to_mean_max = 0;  ///< m_max

  /// Patterns equal, number by number, to an earlier one (-0 equals 0); the first `num_listed` of
  /// them with the first pattern they equal.
  std::int64_t num_duplicates = 0;
  std::vector<std::int64_t> duplicate, duplicate_of;

  /// The compared patterns, ascending, and for each its separation (+inf if it is alone) and its
  /// nearest rival argmax_{j != i} <x_i, x_j> (-1 if alone; of equals the first).
  std::vector<std::int64_t> compared;
  std::vector<double> separation;
  std::vector<std::int64_t> rival;
  /// Compared patterns with separation <= 0: no beta makes them a fixed point of their own; the
  /// rival shadows (or equals) them.
  std::int64_t num_shadowed = 0;

  /// The q-quantile of `separation` (q in [0, 1], linear between order statistics; 0 is the
  /// smallest); NaN if nothing was compared.
  double separation_quantile(double q) const;
};

/// Streams over the patterns [S, d] (one head, any dtype); sums in double. Memory O(S + d + block),
/// never S x S.
/// Errors: kInvalidArgument for more than one head, depth 0 with S > 0, or a pattern that is not
/// finite (row and column named).
PatternStatistics pattern_statistics(const PatternView& patterns,
                                     const StatisticsOptions& options = {});

/// How a stored pattern is damaged to make a cue.
enum class CueKind : std::uint8_t {
  kNoisy,    ///< Gaussian noise of length about `noise` * spread is added
  kHidden,   ///< a seeded choice of `hidden_fraction` of its components is set to 0
  kCovered,  ///< its last `hidden_fraction` of components are set to 0 (half a picture)
  kMissing,  ///< components are missing as `missing` says, and `complete` fills them in
};

struct AdviceOptions {
  StatisticsOptions statistics;
  Similarity similarity = Similarity::kDot;
  CueKind cue = CueKind::kNoisy;
  double noise = 0.5;            ///< >= 0, length of the noise in units of the spread
  double hidden_fraction = 0.5;  ///< in [0, 1]
  /// For kMissing, which ignores `similarity`: [n, depth], n >= 1, non-zero = missing; cue i takes
  /// row i modulo n.
  std::span<const std::uint8_t> missing;
  std::int64_t num_cues = 256;  ///< at most this many patterns are recalled, >= 1; a seeded sample
  /// As UpdateOptions::update_steps_max: so many updates, then the association that is the result.
  std::int64_t update_steps = 3;
  /// Recovered = the result lies within tolerance * spread of the pattern AND its largest
  /// association is the pattern or one equal to it.
  double tolerance = 0.1;
  double wanted = 0.95;  ///< wanted fraction of recovered patterns, in (0, 1]
  /// Separation quantile the theorems' beta is computed for: 1 - wanted by default (< 0).
  double quantile = -1;
  /// Ascending, all > 0; empty: `num_betas` values in geometric progression between
  /// global_average_beta and the theorem's beta (docs/math/advice.md says exactly which).
  std::vector<double> betas;
  std::int64_t num_betas = 24;
  std::uint64_t seed = 0;                           ///< of the cues
  Executor* executor = nullptr;                     ///< null: default_executor()
  std::function<void(std::int64_t)> progress = {};  ///< betas tried; on the caller's thread
};

/// Recall measured at one beta over the same cues.
struct BetaTrial {
  double beta = 0;
  double recovered = 0;     ///< fraction of the cues, see AdviceOptions::tolerance
  double identified = 0;    ///< fraction whose largest association is the pattern or an equal one
  double error_median = 0;  ///< |result - pattern|
  double error_max = 0;
  double steps_mean = 0;            ///< updates made
  double metastable_size_mean = 0;  ///< patterns that hold 0.9 of the last association
};

/// Where a recommended beta comes from.
enum class BetaSource : std::uint8_t {
  kMeasured,      ///< smallest tried beta that recovers the wanted fraction
  kMeasuredBest,  ///< the wanted fraction is out of reach: smallest beta near the best one reached
  kTheorem,       ///< nothing was recovered at any beta: what the sharp criterion asks for
  kSingle,        ///< fewer than two distinct patterns: any beta serves
};
std::string_view beta_source_name(BetaSource source);  ///< "measured", "measured-best", ...

struct BetaAdvice {
  double beta = 0;  ///< recommended
  BetaSource source = BetaSource::kSingle;
  double recovered = 0;  ///< at `beta`, as tried; NaN if it was not tried

  double quantile = 0;             ///< the separation quantile used
  double separation_quantile = 0;  ///< its value
  double beta_global = 0;          ///< below it all cues flow to one average (global_average_beta)
  double beta_master = 0, beta_sharp = 0;  ///< beta_needed at separation_quantile; may be +inf
  std::int64_t num_cues = 0;
  std::vector<BetaTrial> trials;  ///< ascending beta
  PatternStatistics statistics;
};

/// Recalls sampled patterns from damaged cues over a grid of beta and recommends the smallest beta
/// that recovers the wanted fraction; rule and fall-backs in docs/math/advice.md. Patterns [S, d]
/// as for pattern_statistics, S >= 1. Costs num_betas * (update_steps + 1) * num_cues * S * depth.
/// Errors: kInvalidArgument (options out of range, no pattern, not finite, or a longest pattern
/// whose squared length f32 cannot hold and patterns not f64).
BetaAdvice advise_beta(const PatternView& patterns, const AdviceOptions& options = {});

/// Recall at one beta over growing damage: for each amount a trial as those of advise_beta, with
/// the amount as `noise` (kNoisy) or `hidden_fraction` (kHidden, kCovered). `statistics` is that of
/// advise_beta on the same patterns. Errors: as advise_beta; kInvalidArgument for kMissing, beta <=
/// 0.
std::vector<BetaTrial> damage_trials(const PatternView& patterns, double beta,
                                     std::span<const double> amounts,
                                     const PatternStatistics& statistics,
                                     const AdviceOptions& options = {});

/// advise_beta(...).beta: what `auto` means. Finite and > 0.
double choose_beta(const PatternView& patterns, const AdviceOptions& options = {});

}  // namespace hopfield

#endif  // HOPFIELD_MEMORY_ADVICE_H_
