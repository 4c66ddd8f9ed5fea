#include "apps/mil/bag_pattern.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "hopfield/base/error.h"

namespace hopfield::mil {
namespace {

constexpr float kCut = 4.0f;
constexpr double kSmallestSd = 1e-4;  // of pooled ranks: below, a column is as good as constant
constexpr float kMeanInDirection = 2.0f, kMaxInDirection = 0.35f;
constexpr double kInstanceSharpness = 2.0;

/// Sum of f(a[i], b[i]), always in the same order: sixteen running sums, which compilers keep in
/// vectors.
template <class F>
double lane_sum(std::span<const float> a, std::span<const float> b, const F& f) {
  constexpr std::size_t kLanes = 16;
  std::array<float, kLanes> sums{};
  const std::size_t n = a.size();
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += f(a[i + lane], b[i + lane]);
  }
  double sum = 0;
  for (; i < n; ++i) sum += f(a[i], b[i]);
  for (const float part : sums) sum += part;
  return sum;
}

double sum_of_differences(std::span<const float> a, std::span<const float> b) {
  return lane_sum(a, b, [](float x, float y) { return std::abs(x - y); });
}

double mean_or_zero(double sum, std::size_t count) {
  return count == 0 ? 0.0 : sum / static_cast<double>(count);
}

std::size_t count_used(const std::vector<float>& scale) {
  return static_cast<std::size_t>(
      std::count_if(scale.begin(), scale.end(), [](float s) { return s != 0; }));
}

/// Level t of the thermometer for a rank of sd 1.
float thermometer(float rank, std::size_t t) {
  static const float unit = 1 / std::sqrt(12.0f);
  const float u = rank * unit + 0.5f;
  return std::clamp(static_cast<float>(kStoredLevels) * u - static_cast<float>(t), 0.0f, 1.0f);
}

/// Sums of codes over instances, and the two largest and smallest ranks of each column.
struct PoolSums {
  std::vector<double> sums;
  std::vector<float> largest, second_largest, smallest, second_smallest;

  PoolSums(std::span<const float> ranks, std::size_t num_columns)
      : sums(num_columns * kStoredLevels, 0.0) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    largest.assign(num_columns, -kInfinity);
    second_largest = largest;
    smallest.assign(num_columns, kInfinity);
    second_smallest = smallest;
    for (std::size_t at = 0; at < ranks.size(); ++at) {
      const std::size_t c = at % num_columns;
      const float r = ranks[at];
      for (std::size_t t = 0; t < kStoredLevels; ++t) {
        sums[c * kStoredLevels + t] += thermometer(r, t);
      }
      second_largest[c] = std::max(second_largest[c], std::min(r, largest[c]));
      largest[c] = std::max(largest[c], r);
      second_smallest[c] = std::min(second_smallest[c], std::max(r, smallest[c]));
      smallest[c] = std::min(smallest[c], r);
    }
  }
};

/// Shift and scale to mean 0 and sd 1 of one pooled quantity of each column.
void fit_scale(std::span<const PooledBag> pooled, std::vector<float> PooledBag::*part,
               std::vector<float>& shift, std::vector<float>& scale) {
  const std::size_t columns = (pooled.front().*part).size();
  const auto n = static_cast<double>(pooled.size());
  for (std::size_t c = 0; c < columns; ++c) {
    double sum = 0, squares = 0;
    for (const PooledBag& bag : pooled) sum += (bag.*part)[c];
    const double center = sum / n;
    for (const PooledBag& bag : pooled) {
      squares += ((bag.*part)[c] - center) * ((bag.*part)[c] - center);
    }
    const double sd = std::sqrt(squares / n);
    shift.push_back(static_cast<float>(center));
    scale.push_back(sd > kSmallestSd ? static_cast<float>(1 / sd) : 0.0f);
  }
}

std::vector<float> scaled(const std::vector<float>& values, const std::vector<float>& shift,
                          const std::vector<float>& scale) {
  std::vector<float> out(values.size());
  for (std::size_t c = 0; c < out.size(); ++c) {
    out[c] = std::clamp((values[c] - shift[c]) * scale[c], -kCut, kCut);
  }
  return out;
}

}  // namespace

PooledBag pool_bag(std::span<const float> ranks, std::size_t num_columns) {
  PoolSums pool(ranks, num_columns);
  const auto n = static_cast<double>(ranks.size() / num_columns);
  PooledBag out{{}, std::move(pool.largest), std::move(pool.smallest)};
  for (const double sum : pool.sums) out.mean.push_back(static_cast<float>(sum / n));
  return out;
}

std::vector<PooledBag> pool_without_each(std::span<const float> ranks, std::size_t num_columns) {
  const PoolSums pool(ranks, num_columns);
  const std::size_t n = ranks.size() / num_columns;
  HOPFIELD_CHECK(n >= 2);
  std::vector<PooledBag> out(n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t c = 0; c < num_columns; ++c) {
      const float r = ranks[i * num_columns + c];
      for (std::size_t t = 0; t < kStoredLevels; ++t) {
        const double sum = pool.sums[c * kStoredLevels + t] - thermometer(r, t);
        out[i].mean.push_back(static_cast<float>(sum / static_cast<double>(n - 1)));
      }
      out[i].max.push_back(r == pool.largest[c] ? pool.second_largest[c] : pool.largest[c]);
      out[i].min.push_back(r == pool.smallest[c] ? pool.second_smallest[c] : pool.smallest[c]);
    }
  }
  return out;
}

PatternScales fit_scales(std::span<const PooledBag> pooled) {
  PatternScales scales;
  std::vector<double> sums(pooled.front().mean.size(), 0.0);
  for (const PooledBag& bag : pooled) {
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += bag.mean[i];
  }
  for (const double sum : sums) {
    scales.center.push_back(static_cast<float>(sum / static_cast<double>(pooled.size())));
  }
  fit_scale(pooled, &PooledBag::max, scales.max_shift, scales.max_scale);
  fit_scale(pooled, &PooledBag::min, scales.min_shift, scales.min_scale);
  return scales;
}

BagPattern restore_bag(std::vector<float> mean, std::vector<float> max, std::vector<float> min,
                       const PatternScales& scales) {
  BagPattern bag{std::move(mean), std::move(max), std::move(min), {}};
  double square = 0;
  for (std::size_t i = 0; i < bag.mean.size(); ++i) {
    bag.direction.push_back(kMeanInDirection * (bag.mean[i] - scales.center[i]));
  }
  for (const float z : bag.max) bag.direction.push_back(kMaxInDirection * z);
  for (const float x : bag.direction) square += static_cast<double>(x) * x;
  if (square > 0) {
    for (float& x : bag.direction) x = static_cast<float>(x / std::sqrt(square));
  }
  return bag;
}

BagPattern scale_bag(const PooledBag& pooled, const PatternScales& scales) {
  return restore_bag(pooled.mean, scaled(pooled.max, scales.max_shift, scales.max_scale),
                     scaled(pooled.min, scales.min_shift, scales.min_scale), scales);
}

BagDistances pattern_distances(const BagPattern& a, const BagPattern& b,
                               const PatternScales& scales) {
  BagDistances out;
  out.mean = mean_or_zero(sum_of_differences(a.mean, b.mean), a.mean.size());
  out.max = mean_or_zero(sum_of_differences(a.max, b.max), count_used(scales.max_scale));
  out.min = mean_or_zero(sum_of_differences(a.min, b.min), count_used(scales.min_scale));
  // |x - y|^2 = 2 - 2 cos for directions of length 1: exact for equal ones.
  out.cosine = 1 - lane_sum(a.direction, b.direction, [](float x, float y) {
                     return (x - y) * (x - y);
                   }) / 2;
  return out;
}

double similarity_of(const BagSimilarity& similarity, const BagDistances& distances) {
  const double exponent = similarity.cosine * (distances.cosine - 1) -
                          similarity.mean * distances.mean - similarity.max * distances.max -
                          similarity.min * distances.min;
  return std::exp(exponent) * (similarity.set ? distances.set : 1.0);
}

double instance_similarity(std::span<const float> a, std::span<const float> b,
                           std::size_t num_columns) {
  const double scale = kInstanceSharpness / static_cast<double>(num_columns);
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); i += num_columns) {
    for (std::size_t j = 0; j < b.size(); j += num_columns) {
      sum += std::exp(-scale *
                      sum_of_differences(a.subspan(i, num_columns), b.subspan(j, num_columns)));
    }
  }
  const double pairs =
      static_cast<double>(a.size() / num_columns) * static_cast<double>(b.size() / num_columns);
  return sum / pairs;
}

}  // namespace hopfield::mil
