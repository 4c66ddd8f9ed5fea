#ifndef HOPFIELD_APPS_MIL_BAG_PATTERN_H_
#define HOPFIELD_APPS_MIL_BAG_PATTERN_H_

#include <cstddef>
#include <span>
#include <vector>

#include "hopfield/apps/mil/stored_bags.h"

namespace hopfield::mil {

/// Levels of the thermometer that codes a rank.
inline constexpr std::size_t kStoredLevels = 8;

/// What pooling leaves of a bag of K columns.
struct PooledBag {
  std::vector<float> mean;      ///< [K * levels], mean thermometer code
  std::vector<float> max, min;  ///< [K], largest and smallest rank, sd 1 for uniform ranks
};

/// Pools `ranks` [n, K], n >= 1, as InputCoder codes them with kRank. The order of instances does
/// not matter, not even in the last bit: codes are multiples of a power of two, and their sums in
/// double are exact for any bag of practical size.
PooledBag pool_bag(std::span<const float> ranks, std::size_t num_columns);

/// The same for each bag that lacks one of the instances, n >= 2. Time O(n K levels).
std::vector<PooledBag> pool_without_each(std::span<const float> ranks, std::size_t num_columns);

/// A pooled bag on the scales of the stored bags.
struct BagPattern {
  std::vector<float> mean;       ///< [K * levels]
  std::vector<float> max, min;   ///< [K] z-scores, cut at +-4, 0 where they were constant
  std::vector<float> direction;  ///< [K * levels + K], of length 1; 0 if there is none
};

/// The scales, from the stored bags.
struct PatternScales {
  std::vector<float> center;                                      ///< [K * levels]
  std::vector<float> max_shift, max_scale, min_shift, min_scale;  ///< [K]; scale 0: constant
};
PatternScales fit_scales(std::span<const PooledBag> pooled);

/// From raw pooled numbers; and from the z-scores that were saved.
BagPattern scale_bag(const PooledBag& pooled, const PatternScales& scales);
BagPattern restore_bag(std::vector<float> mean, std::vector<float> max, std::vector<float> min,
                       const PatternScales& scales);

/// What BagSimilarity weighs, for one pair of bags.
struct BagDistances {
  double mean = 0, max = 0, min = 0;
  double cosine = 1;
  double set = 1;
};

/// All but `set`. Symmetric to the bit; a bag and itself give 0 and a cosine of exactly 1.
BagDistances pattern_distances(const BagPattern& a, const BagPattern& b,
                               const PatternScales& scales);

/// K of BagSimilarity.
double similarity_of(const BagSimilarity& similarity, const BagDistances& distances);

/// Mean over pairs of instances of exp(-2 d), d the mean |difference| of ranks. Ranks [n, K].
double instance_similarity(std::span<const float> a, std::span<const float> b,
                           std::size_t num_columns);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_BAG_PATTERN_H_
