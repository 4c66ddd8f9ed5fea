#ifndef HOPFIELD_MEMORY_OOD_H_
#define HOPFIELD_MEMORY_OOD_H_

#include <cstdint>
#include <span>
#include <vector>

#include "hopfield/base/executor.h"
#include "hopfield/base/view.h"

namespace hopfield {

/// How far states lie from the stored patterns; each [T], larger is further. docs/math/ood.md.
struct DistanceScores {
  std::vector<double> energy;    ///< -1/beta log(1/S sum_s exp(-beta/2 |x_s - xi|^2))
  std::vector<double> weighted;  ///< 1/2 sum_s p_s |x_s - xi|^2, p_s the association of that energy
  std::vector<double> nearest;   ///< distance to the `num_neighbours`-th nearest pattern
};

/// Shapes, types, errors as `search`; num_neighbours >= 1 is cut to S. beta > 0.
DistanceScores distance_scores(const PatternView& stored, const PatternView& states, double beta,
                               std::int64_t num_neighbours, Executor* executor = nullptr);

struct HeldOutOptions {
  std::int64_t num_sampled = 256;  ///< patterns that are held out, one at a time, >= 1
  std::uint64_t seed = 0;          ///< which ones
  Executor* executor = nullptr;    ///< null: default_executor()
};

/// Scores of sampled patterns, each as distance_scores gives it for all OTHER patterns: how far
/// patterns that belong here lie from the rest. In order of the patterns.
/// Errors: kInvalidArgument (S < 2, f64, more than one head, num_sampled < 1, num_neighbours < 1,
/// beta <= 0).
DistanceScores held_out_scores(const PatternView& stored, double beta, std::int64_t num_neighbours,
                               const HeldOutOptions& options = {});

/// How the scores of states that are known to lie inside are distributed.
struct ScoreQuantiles {
  /// [101] at_percent[p] is the smallest of the scores that at least p % of them do not exceed, and
  /// at_percent[0] the smallest of all. Ascending.
  std::vector<double> at_percent;

  /// 95 % of the inside states do not exceed it: larger scores count as outside.
  double threshold() const { return at_percent[95]; }
  /// Share of the inside states that lie further outside than `score`: linear between the
  /// quantiles, 0 from the largest one on.
  double share_further(double score) const;
};
/// Errors: kInvalidArgument if there is no score or one is NaN.
ScoreQuantiles score_quantiles(std::vector<double> scores);

/// The beta at which Gaussians of variance 1/beta around the other patterns make the held-out ones
/// most likely (a local maximum; expectation maximisation from the spread downwards, to a relative
/// change of 1e-3). Costs some 20 * num_sampled * S * d products.
/// Errors: kInvalidArgument (S < 2, one head, num_sampled < 1; all patterns equal).
double likely_beta(const PatternView& stored, const HeldOutOptions& options = {});

/// Share of the outside scores that lie at or below the score which 95 % of the inside ones do not
/// exceed (FPR95: outside states taken for inside ones), with a 95 % percentile interval over 1000
/// seeded resamples of both sets. Larger scores are further outside.
/// Errors: kInvalidArgument if a set is empty or holds NaN.
struct Rate {
  double value = 0, low = 0, high = 0;
};
Rate false_rate_at_95(std::span<const double> inside, std::span<const double> outside,
                      std::uint64_t seed = 0);

}  // namespace hopfield

#endif  // HOPFIELD_MEMORY_OOD_H_
