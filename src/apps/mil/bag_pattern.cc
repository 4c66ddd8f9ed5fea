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
constexpr double kSmallestSd = 1e-4;  // of pooled numbers: below, a column is as good as constant
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

/// Number t of the code of x: of a thermometer if there are several levels (x a rank of sd 1), or
/// x.
float code_of(float x, std::size_t t, std::size_t levels) {
  if (levels == 1) return x;
  static const float unit = 1 / std::sqrt(12.0f);
  const float u = x * unit + 0.5f;
  return std::clamp(static_cast<float>(levels) * u - static_cast<float>(t), 0.0f, 1.0f);
}

/// Sums of codes over instances, and the two largest and smallest numbers of each column.
struct PoolSums {
  std::vector<double> sums;
  std::vector<float> largest, second_largest, smallest, second_smallest;

  PoolSums(std::span<const float> rows, std::size_t num_columns, std::size_t levels)
      : sums(num_columns * levels, 0.0) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    largest.assign(num_columns, -kInfinity);
    second_largest = largest;
    smallest.assign(num_columns, kInfinity);
    second_smallest = smallest;
    for (std::size_t at = 0; at < rows.size(); ++at) {
      const std::size_t c = at % num_columns;
      const float x = rows[at];
      for (std::size_t t = 0; t < levels; ++t) sums[c * levels + t] += code_of(x, t, levels);
      second_largest[c] = std::max(second_largest[c], std::min(x, largest[c]));
      largest[c] = std::max(largest[c], x);
      second_smallest[c] = std::min(second_smallest[c], std::max(x, smallest[c]));
      smallest[c] = std::min(smallest[c], x);
    }
  }
};

/// Codes of the largest ranks, coarse.
std::vector<float> max_codes(const std::vector<float>& max) {
  std::vector<float> out;
  for (const float x : max) {
    for (std::size_t t = 0; t < kCoarseLevels; ++t) out.push_back(code_of(x, t, kCoarseLevels));
  }
  return out;
}

/// [4 levels of each column's mean code less its centre, the same of the largest rank], of
/// length 1.
std::vector<float> code_direction(const BagPattern& bag, const PatternScales& scales) {
  std::vector<float> out;
  for (std::size_t i = 0; i + 1 < bag.mean.size(); i += 2) {
    out.push_back((bag.mean[i] - scales.center[i] + bag.mean[i + 1] - scales.center[i + 1]) / 2);
  }
  std::vector<float> max(bag.max.size());
  for (std::size_t c = 0; c < max.size(); ++c) {
    // Back from the z-score, which is all that is stored.
    max[c] =
        scales.max_shift[c] + (scales.max_scale[c] == 0 ? 0 : bag.max[c] / scales.max_scale[c]);
  }
  const std::vector<float> codes = max_codes(max);
  for (std::size_t i = 0; i < codes.size(); ++i) out.push_back(codes[i] - scales.max_center[i]);
  return out;
}

void scale_to_length_one(std::vector<float>& values) {
  double square = 0;
  for (const float x : values) square += static_cast<double>(x) * x;
  if (square == 0) return;
  for (float& x : values) x = static_cast<float>(x / std::sqrt(square));
}

/// Exact for equal ones: |x - y|^2 = 2 - 2 cos for directions of length 1.
double cosine_of(std::span<const float> a, std::span<const float> b) {
  return 1 - lane_sum(a, b, [](float x, float y) { return (x - y) * (x - y); }) / 2;
}

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

PooledBag pool_bag(std::span<const float> rows, std::size_t num_columns, std::size_t levels) {
  PoolSums pool(rows, num_columns, levels);
  const auto n = static_cast<double>(rows.size() / num_columns);
  PooledBag out{{}, std::move(pool.largest), std::move(pool.smallest)};
  for (const double sum : pool.sums) out.mean.push_back(static_cast<float>(sum / n));
  return out;
}

std::vector<PooledBag> pool_without_each(std::span<const float> rows, std::size_t num_columns,
                                         std::size_t levels) {
  const PoolSums pool(rows, num_columns, levels);
  const std::size_t n = rows.size() / num_columns;
  HOPFIELD_CHECK(n >= 2);
  std::vector<PooledBag> out(n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t c = 0; c < num_columns; ++c) {
      const float x = rows[i * num_columns + c];
      for (std::size_t t = 0; t < levels; ++t) {
        const double sum = pool.sums[c * levels + t] - code_of(x, t, levels);
        out[i].mean.push_back(static_cast<float>(sum / static_cast<double>(n - 1)));
      }
      out[i].max.push_back(x == pool.largest[c] ? pool.second_largest[c] : pool.largest[c]);
      out[i].min.push_back(x == pool.smallest[c] ? pool.second_smallest[c] : pool.smallest[c]);
    }
  }
  return out;
}

PatternScales fit_scales(std::span<const PooledBag> pooled, std::size_t levels) {
  PatternScales scales;
  const auto mean_of = [&](const auto& part) {
    std::vector<double> sums(part(pooled.front()).size(), 0.0);
    for (const PooledBag& bag : pooled) {
      const std::vector<float> values = part(bag);
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += values[i];
    }
    std::vector<float> out;
    for (const double sum : sums) {
      out.push_back(static_cast<float>(sum / static_cast<double>(pooled.size())));
    }
    return out;
  };
  scales.center = mean_of([](const PooledBag& bag) { return bag.mean; });
  if (levels == kRankLevels) {
    scales.max_center = mean_of([](const PooledBag& bag) { return max_codes(bag.max); });
  }
  fit_scale(pooled, &PooledBag::max, scales.max_shift, scales.max_scale);
  fit_scale(pooled, &PooledBag::min, scales.min_shift, scales.min_scale);
  return scales;
}

BagPattern restore_bag(std::vector<float> mean, std::vector<float> max, std::vector<float> min,
                       const PatternScales& scales) {
  BagPattern bag{std::move(mean), std::move(max), std::move(min), {}, {}};
  for (std::size_t i = 0; i < bag.mean.size(); ++i) {
    bag.direction.push_back(kMeanInDirection * (bag.mean[i] - scales.center[i]));
  }
  for (const float z : bag.max) bag.direction.push_back(kMaxInDirection * z);
  scale_to_length_one(bag.direction);
  if (!scales.max_center.empty()) {
    bag.code_direction = code_direction(bag, scales);
    scale_to_length_one(bag.code_direction);
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
  out.cosine = cosine_of(a.direction, b.direction);
  out.code_cosine = cosine_of(a.code_direction, b.code_direction);
  return out;
}

double similarity_of(const BagSimilarity& similarity, const BagDistances& distances) {
  const double exponent = similarity.cosine * (distances.cosine - 1) +
                          similarity.code_cosine * (distances.code_cosine - 1) -
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
