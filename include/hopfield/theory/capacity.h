#ifndef HOPFIELD_THEORY_CAPACITY_H_
#define HOPFIELD_THEORY_CAPACITY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "hopfield/theory/simulate.h"

namespace hopfield::theory {

/// When a pattern counts as stored.
enum class StoredIf : std::uint8_t {
  kStable,     ///< no spin of it changes in an update
  kRetrieved,  ///< asynchronous updates from the damaged pattern end at an overlap >= overlap_min
};

struct CapacityOptions {
  NetworkKind kind = NetworkKind::kHebbian;  ///< not kMultitask
  std::int64_t num_spins = 100;
  int power = 4;
  StoredIf criterion = StoredIf::kStable;
  double flipped = 0;         ///< kRetrieved
  double overlap_min = 0.95;  ///< kRetrieved
  std::int64_t sweeps_max = 200;
  std::int64_t num_patterns_max = 1'000'000;  ///< trials that store as many are counted as capped
  ReplicaOptions trials;                      ///< num_replicas >= 6: see median_interval
  double confidence = 0.95;                   ///< in (0, 1)
};

struct CapacityEstimate {
  double median = 0;         ///< over trials
  double low = 0, high = 0;  ///< interval of the median, at the wanted confidence or more
  std::int64_t num_capped = 0;
  std::vector<double> trials;  ///< ascending
};

/// For every trial the number K at which its first pattern ceases to be stored: K doubles until it
/// is lost, then the interval is halved (patterns are added to those before, never redrawn; where
/// storage is not monotone in K this finds one of the changes). Errors: kInvalidArgument,
/// kCancelled. Same numbers for any executor.
CapacityEstimate measure_capacity(const CapacityOptions& options);

/// Random patterns on the sphere of radius k sqrt(depth-1), the first one as cue: the largest
/// number of patterns for which its association is still >= 1/2. depth >= 2, beta > 0, k > 0.
CapacityEstimate measure_continuous_capacity(double beta, double k, std::int64_t depth,
                                             std::int64_t num_patterns_max,
                                             const ReplicaOptions& trials, double confidence);

struct RecallCapacityOptions {
  double beta = 1, k = 1;   ///< radius of the sphere: k sqrt(depth - 1)
  std::int64_t depth = 16;  ///< >= 2
  /// A cue lies this far from its pattern, in a random direction; in radii, >= 0.
  double distance = 0.05;
  /// Recalled: updates end where the own association is the largest and no component differs from
  /// the pattern by more than tolerance * k; > 0.
  double tolerance = 0.01;
  double wanted = 0.99;                  ///< share of the cues to be recalled, in (0, 1]
  std::int64_t num_cues = 100;           ///< of the first so many patterns, >= 1
  std::int64_t num_patterns_max = 4096;  ///< trials that store as many are counted as capped
  ReplicaOptions trials;                 ///< num_replicas >= 6: see median_interval
  double confidence = 0.95;              ///< in (0, 1)
};

/// Random patterns on the sphere: the largest number of which the wanted share is recalled, found
/// as in measure_capacity. Patterns in f32. Errors: kInvalidArgument, kCancelled. Same numbers for
/// any executor.
CapacityEstimate measure_recall_capacity(const RecallCapacityOptions& options);

/// Median of ascending samples with an interval between two of them that holds the true median with
/// at least that probability (binomial). Errors: kInvalidArgument where there are too few (fewer
/// than 6 for 0.95).
struct MedianInterval {
  double median = 0, low = 0, high = 0;
};
MedianInterval median_interval(const std::vector<double>& ascending, double confidence);

/// Clopper-Pearson interval of a probability after `successes` of `trials`.
struct ProbabilityInterval {
  double low = 0, high = 1;
};
ProbabilityInterval probability_interval(std::int64_t successes, std::int64_t trials,
                                         double confidence);

/// A formula that stands beside the measured number.
struct CapacityFormula {
  std::string name;  ///< such as "N^(n-1) / (2 (2n-3)!! ln N)"
  double num_patterns = 0;
};
/// For the kind and criterion of `options`; docs/math/networks.md derives them. Constants such as
/// 0.138 are computed here.
std::vector<CapacityFormula> capacity_formulas(const CapacityOptions& options);

/// Number N at which the median of the first association is 1/2: 1 + e^kappa / A, kappa = beta M^2,
/// A = E exp(kappa cos) over the sphere.
double half_association_capacity(double beta, double k, std::int64_t depth);

}  // namespace hopfield::theory

#endif  // HOPFIELD_THEORY_CAPACITY_H_
