#ifndef HOPFIELD_APPS_MIL_BAG_PATTERN_H_
#define HOPFIELD_APPS_MIL_BAG_PATTERN_H_

#include <cstddef>
#include <span>
#include <vector>

#include "hopfield/apps/mil/stored_bags.h"

namespace hopfield::mil {

/// How many numbers code one feature of an instance when it is pooled at beta = 0: a rank becomes a
/// thermometer of 8 levels, a z-score stays itself.
inline constexpr std::size_t kRankLevels = 8, kZLevels = 1;
/// A coarser thermometer of ranks: each level the mean of two of the other's.
inline constexpr std::size_t kCoarseLevels = kRankLevels / 2;

/// What pooling leaves of a bag of K columns.
struct PooledBag {
  std::vector<float> mean;      ///< [K * levels], mean code
  std::vector<float> max, min;  ///< [K], largest and smallest number
};

/// Pools `rows` [n, K], n >= 1, as InputCoder codes them with kRank (levels = kRankLevels) or
/// kClippedZ (levels = kZLevels).
PooledBag pool_bag(std::span<const float> rows, std::size_t num_columns, std::size_t levels);

/// The same for each bag that lacks one of the instances, n >= 2. Time O(n K levels).
std::vector<PooledBag> pool_without_each(std::span<const float> rows, std::size_t num_columns,
                                         std::size_t levels);

/// A pooled bag on the scales of the stored bags.
struct BagPattern {
  std::vector<float> mean;            ///< [K * levels]
  std::vector<float> max, min;        ///< [K] z-scores, cut at +-4, 0 where they were constant
  std::vector<float> direction;       ///< [K * levels + K], of length 1; 0 if there is none
  std::vector<float> code_direction;  ///< [2 * K * kCoarseLevels], the same; empty for z-scores
};

/// The scales, from the stored bags.
struct PatternScales {
  std::vector<float> center;      ///< [K * levels]
  std::vector<float> max_center;  ///< [K * kCoarseLevels], of the largest rank's code; empty for z
  std::vector<float> max_shift, max_scale, min_shift, min_scale;  ///< [K]; scale 0: constant
};
PatternScales fit_scales(std::span<const PooledBag> pooled, std::size_t levels);

/// From raw pooled numbers; and from the z-scores that were saved.
BagPattern scale_bag(const PooledBag& pooled, const PatternScales& scales);
BagPattern restore_bag(std::vector<float> mean, std::vector<float> max, std::vector<float> min,
                       const PatternScales& scales);

/// What BagSimilarity weighs, for one pair of bags.
struct BagDistances {
  double mean = 0, max = 0, min = 0;
  double cosine = 1, code_cosine = 1;
  double set = 1;
};

/// All but `set`. Symmetric to the bit; a bag and itself give 0 and cosines of exactly 1.
BagDistances pattern_distances(const BagPattern& a, const BagPattern& b,
                               const PatternScales& scales);

/// K of BagSimilarity.
double similarity_of(const BagSimilarity& similarity, const BagDistances& distances);

/// Mean over pairs of instances of exp(-2 d), d the mean |difference| of their numbers; [n, K].
double instance_similarity(std::span<const float> a, std::span<const float> b,
                           std::size_t num_columns);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_BAG_PATTERN_H_
