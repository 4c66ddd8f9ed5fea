#include "memory/pruned_blocks.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <string>
#include <type_traits>

#include "hopfield/base/error.h"
#include "hopfield/memory/pruned.h"
#include "memory/pattern_rows.h"
#include "memory/seeded.h"

namespace hopfield {
namespace internal {
namespace {

constexpr std::string_view kOp = "PrunedPatterns";
/// Rows that one task loads.
constexpr std::int64_t kRun = 512;
/// Patterns whose second moments give the directions, and rounds of the iteration. Neither matters
/// to the bounds, only to how tight they are.
constexpr std::int64_t kSample = 2048;
constexpr int kRounds = 6;
/// An exponential costs about as much as so many products.
constexpr std::int64_t kExponential = 24;
/// Sketches are made if looking at them costs at most 1 / kCheap of an association with all
/// patterns.
constexpr std::int64_t kCheap = 10;

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// Calls task(first row, end) for runs of rows.
template <class Task>
void for_runs(Executor& executor, std::int64_t rows, const Task& task) {
  executor.run((rows + kRun - 1) / kRun,
               [&](std::int64_t run) { task(run * kRun, std::min(rows, (run + 1) * kRun)); });
}

/// Gram-Schmidt, twice for rounding. Rows that depend on earlier ones are dropped.
std::vector<std::vector<double>> orthonormal(std::vector<std::vector<double>> rows) {
  std::vector<std::vector<double>> result;
  for (std::vector<double>& row : rows) {
    const double before = std::sqrt(dot(row, row));
    for (int pass = 0; pass < 2; ++pass) {
      for (const std::vector<double>& other : result) {
        const double along = dot(other, row);
        for (std::size_t k = 0; k < row.size(); ++k) row[k] -= along * other[k];
      }
    }
    const double length = std::sqrt(dot(row, row));
    if (!(length > 1e-9 * before)) continue;
    for (double& x : row) x /= length;
    result.push_back(std::move(row));
  }
  return result;
}

}  // namespace

template <class T>
void Directions::sketch(std::vector<double>& vector, T* result) const {
  std::vector<double> along(index(count), 0);
  for (std::int64_t k = 0; k < depth; ++k) {
    const double x = vector[index(k)];
    const double* column = columns.data() + k * count;
    for (std::int64_t i = 0; i < count; ++i) along[index(i)] += x * column[i];
  }
  for (std::int64_t i = 0; i < count; ++i) {
    const double* row = rows.data() + i * depth;
    for (std::int64_t k = 0; k < depth; ++k) vector[index(k)] -= along[index(i)] * row[k];
    result[i] = static_cast<T>(along[index(i)]);
  }
  result[count] = static_cast<T>(std::sqrt(dot(vector, vector)));
}
template void Directions::sketch(std::vector<double>&, float*) const;
template void Directions::sketch(std::vector<double>&, double*) const;

Directions leading_directions(const PatternView& patterns, std::int64_t count, std::uint64_t seed,
                              Executor& executor) {
  Seeded random(seed);
  std::vector<std::vector<double>> sample;
  for (const std::int64_t row : random.sample(patterns.rows, kSample)) {
    sample.emplace_back(index(patterns.depth));
    load_row(patterns, row, 0, sample.back().data());
  }
  std::vector<std::vector<double>> rows(index(std::min(count, patterns.depth)));
  for (std::vector<double>& row : rows) {
    row.resize(index(patterns.depth));
    for (double& x : row) x = random.normal();
  }
  for (int round = 0; round < kRounds; ++round) {
    rows = orthonormal(std::move(rows));
    executor.run(static_cast<std::int64_t>(rows.size()), [&](std::int64_t i) {
      std::vector<double> next(index(patterns.depth), 0);
      for (const std::vector<double>& x : sample) {
        const double along = dot(x, rows[index(i)]);
        for (std::size_t k = 0; k < next.size(); ++k) next[k] += along * x[k];
      }
      rows[index(i)] = std::move(next);
    });
  }
  rows = orthonormal(std::move(rows));
  Directions result;
  result.count = static_cast<std::int64_t>(rows.size());
  result.depth = patterns.depth;
  result.columns.resize(index(result.count * result.depth));
  double worst = 0;  // largest absolute row sum of (products - identity)
  for (std::size_t i = 0; i < rows.size(); ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < rows.size(); ++j) {
      sum += std::abs(dot(rows[i], rows[j]) - (i == j ? 1 : 0));
    }
    worst = std::max(worst, sum);
    result.rows.insert(result.rows.end(), rows[i].begin(), rows[i].end());
    for (std::size_t k = 0; k < rows[i].size(); ++k) {
      result.columns[k * rows.size() + i] = rows[i][k];
    }
  }
  // Rounding of these products and of those in `sketch`: each at most depth * 2^-53 of the lengths.
  const auto sums = static_cast<double>((result.depth + 8) * (result.count + 1));
  result.error = 4 * (worst + sums * 0x1p-52);
  return result;
}

namespace {

template <class T>
class Builder {
 public:
  Builder(const PatternView& stored, const PrunedPatternsOptions& options, PrunedBlocks<T>& blocks)
      : stored_(stored),
        options_(options),
        executor_(options.executor != nullptr ? *options.executor : default_executor()),
        blocks_(blocks) {}

  void run() {
    require(stored_.heads == 1, kOp,
            "expected patterns of one head, got " + std::to_string(stored_.heads));
    require(stored_.dtype != DType::kI8, kOp, "expected f64, f32, bf16 or f16 patterns, got int8");
    require((stored_.dtype == DType::kF64) == std::is_same_v<T, double>, kOp,
            "expected double for f64 patterns and float for others, got the other one");
    require(options_.block_size >= 0, kOp,
            "expected block_size >= 0, got " + std::to_string(options_.block_size));
    const bool alike = options_.order == BlockOrder::kAlike;
    require(!alike || options_.num_directions != 0, kOp,
            "expected num_directions > 0 to find alike patterns, got 0; keep the order");
    blocks_.original = blocks_.stored = stored_;
    // Enough to tell patterns apart, few enough to be cheap beside the patterns.
    std::int64_t count = options_.num_directions;
    blocks_.sketched = count > 0;
    if (count < 0) {
      count = std::clamp<std::int64_t>(stored_.depth / 16, 4, 48);
      blocks_.sketched = kCheap * (count + 1 + kExponential) <= 2 * stored_.depth + kExponential;
      if (!blocks_.sketched) count = alike ? 48 : 0;  // only to tell which are alike
    }
    // Bounds of small blocks cost too much beside patterns that are short themselves.
    blocks_.block_size = options_.block_size;
    if (blocks_.block_size == 0) blocks_.block_size = blocks_.sketched ? 64 : 256;
    for (std::int64_t s = 0; s < stored_.rows; s += blocks_.block_size) {
      blocks_.offsets.push_back(s);
    }
    blocks_.offsets.push_back(stored_.rows);
    if (!all_finite()) return;
    blocks_.directions = leading_directions(stored_, count, options_.seed, executor_);
    if (blocks_.directions.count > 0) {
      make_sketches();
      if (alike) arrange();
    }
    blocks_.sketched = blocks_.sketched && blocks_.directions.count > 0;
    if (!blocks_.sketched) blocks_.sketches = {};
    measure();
  }

 private:
  /// Finds norm_max; false where a square norm is not finite.
  bool all_finite() {
    std::vector<double> squares(index(stored_.rows));
    for_runs(executor_, stored_.rows, [&](std::int64_t first, std::int64_t end) {
      std::vector<double> x(index(stored_.depth));
      for (std::int64_t s = first; s < end; ++s) {
        load_row(stored_, s, 0, x.data());
        squares[index(s)] = dot(x, x);
      }
    });
    for (const double square : squares) {
      if (!std::isfinite(square)) return false;
      blocks_.norm_max = std::max(blocks_.norm_max, std::sqrt(square) * kUp);
    }
    return true;
  }

  void make_sketches() {
    const std::int64_t length = blocks_.directions.count + 1;
    blocks_.sketches.resize(index(stored_.rows * length));
    for_runs(executor_, stored_.rows, [&](std::int64_t first, std::int64_t end) {
      std::vector<double> x(index(stored_.depth));
      for (std::int64_t s = first; s < end; ++s) {
        load_row(stored_, s, 0, x.data());
        blocks_.directions.sketch(x, blocks_.sketches.data() + s * length);
      }
    });
  }

  /// Splits the patterns, again and again, where their sketches spread most, until the parts fit
  /// blocks; then moves sketches and patterns.
  void arrange() {
    std::vector<std::int64_t>& order = blocks_.order;
    order.resize(index(stored_.rows));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    std::vector<std::int64_t> ends = {0, stored_.rows};
    for (bool again = true; again;) {
      std::vector<std::int64_t> middles(ends.size() - 1);
      executor_.run(static_cast<std::int64_t>(middles.size()), [&](std::int64_t i) {
        middles[index(i)] = split(ends[index(i)], ends[index(i + 1)]);
      });
      std::vector<std::int64_t> next = {0};
      for (std::size_t i = 0; i < middles.size(); ++i) {
        if (middles[i] > ends[i]) next.push_back(middles[i]);
        next.push_back(ends[i + 1]);
      }
      again = next.size() > ends.size();
      ends = std::move(next);
    }
    for (std::size_t i = 1; i < ends.size(); ++i) {
      std::sort(order.begin() + ends[i - 1], order.begin() + ends[i]);
    }
    blocks_.offsets = std::move(ends);
    move_rows();
  }

  /// Parts [first, end) of the order at the mean of the component that varies most, or at its
  /// median where the mean would part off less than a quarter. Returns the end of the first part;
  /// `first` if the whole fits a block.
  std::int64_t split(std::int64_t first, std::int64_t end) {
    const std::int64_t count = end - first;
    if (count <= blocks_.block_size) return first;
    const std::int64_t length = blocks_.directions.count + 1;
    const auto value = [&](std::int64_t row, std::int64_t k) {
      return static_cast<double>(blocks_.sketches[index(row * length + k)]);
    };
    std::vector<double> sum(index(length), 0), squares(index(length), 0);
    for (std::int64_t i = first; i < end; ++i) {
      for (std::int64_t k = 0; k < length; ++k) {
        const double x = value(blocks_.order[index(i)], k);
        sum[index(k)] += x;
        squares[index(k)] += x * x;
      }
    }
    std::int64_t widest = 0;
    double spread = -1;
    for (std::int64_t k = 0; k < length; ++k) {
      const double mean = sum[index(k)] / static_cast<double>(count);
      const double variance = squares[index(k)] / static_cast<double>(count) - mean * mean;
      if (variance > spread) {
        spread = variance;
        widest = k;
      }
    }
    const double mean = sum[index(widest)] / static_cast<double>(count);
    const auto begin = blocks_.order.begin() + first, last = blocks_.order.begin() + end;
    const std::int64_t below =
        std::partition(begin, last, [&](std::int64_t row) { return value(row, widest) < mean; }) -
        begin;
    if (4 * std::min(below, count - below) >= count) return first + below;
    std::nth_element(begin, begin + count / 2, last, [&](std::int64_t a, std::int64_t b) {
      const double x = value(a, widest), y = value(b, widest);
      return x < y || (x == y && a < b);
    });
    return first + count / 2;
  }

  void move_rows() {
    const std::int64_t length = blocks_.directions.count + 1;
    const auto bytes = static_cast<std::int64_t>(dtype_bytes(stored_.dtype));
    const std::int64_t row_bytes = stored_.depth * bytes;
    std::vector<T> sketches(blocks_.sketches.size());
    blocks_.rows.resize(index(stored_.rows * row_bytes));
    for_runs(executor_, stored_.rows, [&](std::int64_t first, std::int64_t end) {
      for (std::int64_t i = first; i < end; ++i) {
        const std::int64_t from = blocks_.order[index(i)];
        std::copy_n(blocks_.sketches.data() + from * length, length, sketches.data() + i * length);
        std::memcpy(blocks_.rows.data() + i * row_bytes,
                    static_cast<const char*>(stored_.data) + from * stored_.row_stride * bytes,
                    index(row_bytes));
      }
    });
    blocks_.sketches = std::move(sketches);
    blocks_.stored.data = blocks_.rows.data();
    blocks_.stored.row_stride = stored_.depth;
  }

  void measure() {
    const auto count = static_cast<std::int64_t>(blocks_.offsets.size()) - 1;
    const std::int64_t panels = (count + kCentroidPanel - 1) / kCentroidPanel;
    const PatternView summaries = blocks_.summaries();
    blocks_.centroids.assign(index(panels * kCentroidPanel * summaries.depth), T{0});
    blocks_.radius.assign(index(count), 0);
    blocks_.norm.assign(index(count), 0);
    for (std::int64_t b = 0; b < count; ++b) {
      blocks_.log_rows.push_back(std::log(static_cast<double>(blocks_.block_rows(b))));
    }
    executor_.run(count, [&](std::int64_t b) { measure_block(summaries, b); });
  }

  void measure_block(const PatternView& summaries, std::int64_t b) {
    const std::int64_t first = blocks_.offsets[index(b)], end = blocks_.offsets[index(b + 1)];
    std::vector<double> x(index(summaries.depth)), centroid(x.size(), 0);
    double norm = 0, radius = 0;
    for (std::int64_t s = first; s < end; ++s) {
      load_row(summaries, s, 0, x.data());
      norm = std::max(norm, dot(x, x));
      for (std::size_t k = 0; k < x.size(); ++k) {
        centroid[k] += x[k] / static_cast<double>(end - first);
      }
    }
    T* column = blocks_.centroids.data() + b / kCentroidPanel * kCentroidPanel * summaries.depth +
                b % kCentroidPanel;
    for (std::size_t k = 0; k < x.size(); ++k) {
      const auto rounded = static_cast<T>(centroid[k]);
      column[index(kCentroidPanel) * k] = rounded;
      centroid[k] = static_cast<double>(rounded);
    }
    for (std::int64_t s = first; s < end; ++s) {
      load_row(summaries, s, 0, x.data());
      double sum = 0;
      for (std::size_t k = 0; k < x.size(); ++k) {
        sum += (x[k] - centroid[k]) * (x[k] - centroid[k]);
      }
      radius = std::max(radius, sum);
    }
    blocks_.norm[index(b)] = std::sqrt(norm) * kUp;
    blocks_.radius[index(b)] = std::sqrt(radius) * kUp;
  }

  /// Upwards, by more than sums of squares in double can round.
  static constexpr double kUp = 1 + 1e-9;

  const PatternView& stored_;
  const PrunedPatternsOptions& options_;
  Executor& executor_;
  PrunedBlocks<T>& blocks_;
};

}  // namespace
}  // namespace internal

template <class T>
PrunedPatterns<T>::PrunedPatterns(const PatternView& stored, const PrunedPatternsOptions& options) {
  auto blocks = std::make_shared<internal::PrunedBlocks<T>>();
  internal::Builder<T>(stored, options, *blocks).run();
  blocks_ = std::move(blocks);
}

template <class T>
std::int64_t PrunedPatterns<T>::num_patterns() const {
  return blocks_->original.rows;
}
template <class T>
std::int64_t PrunedPatterns<T>::depth() const {
  return blocks_->original.depth;
}
template <class T>
std::int64_t PrunedPatterns<T>::num_blocks() const {
  return static_cast<std::int64_t>(blocks_->offsets.size()) - 1;
}

template class PrunedPatterns<float>;
template class PrunedPatterns<double>;

}  // namespace hopfield
