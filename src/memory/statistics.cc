#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "hopfield/base/error.h"
#include "hopfield/memory/advice.h"
#include "memory/pattern_rows.h"
#include "memory/seeded.h"

namespace hopfield {
namespace {

using internal::dot;

constexpr std::string_view kOp = "pattern_statistics";
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

std::uint64_t mix(std::uint64_t h) {
  h ^= h >> 30;
  h *= 0xbf58476d1ce4e5b9U;
  h ^= h >> 27;
  h *= 0x94d049bb133111ebU;
  return h ^ (h >> 31);
}

/// Equal rows have equal hashes; -0 counts as 0.
std::uint64_t hash_row(const std::vector<double>& row) {
  std::uint64_t h = row.size();
  for (const double value : row) {
    const double x = value == 0 ? 0.0 : value;
    std::uint64_t bits;
    std::memcpy(&bits, &x, sizeof(bits));
    h = mix(h + 0x9e3779b97f4a7c15U + bits);
  }
  return h;
}

/// Rows are summed in this many runs at most, merged in order: the sums depend on S alone.
constexpr std::int64_t kRuns = 256;

struct Runs {
  explicit Runs(std::int64_t num_rows)
      : rows(num_rows), length(std::max<std::int64_t>(1024, (num_rows + kRuns - 1) / kRuns)) {}
  std::int64_t count() const { return (rows + length - 1) / length; }
  std::int64_t begin(std::int64_t run) const { return run * length; }
  std::int64_t end(std::int64_t run) const { return std::min(rows, (run + 1) * length); }
  std::int64_t rows, length;
};

struct Hashed {
  std::uint64_t hash;
  std::int64_t row;
  bool operator<(const Hashed& other) const {
    return std::pair(hash, row) < std::pair(other.hash, other.row);
  }
};

class Statistics {
 public:
  Statistics(const PatternView& patterns, const StatisticsOptions& options)
      : patterns_(patterns),
        options_(options),
        executor_(options.executor != nullptr ? *options.executor : default_executor()),
        runs_(patterns.rows) {
    require(patterns.heads == 1, kOp,
            "expected patterns of one head, got " + std::to_string(patterns.heads));
    require(patterns.rows >= 0 && patterns.depth >= 0, kOp,
            "expected sizes >= 0, got negative ones");
    require(patterns.rows == 0 || patterns.depth > 0, kOp,
            "expected patterns of depth >= 1, got depth 0");
    require(options.num_compared >= 0, kOp,
            "expected num_compared >= 0, got " + std::to_string(options.num_compared));
    require(options.num_listed >= 0, kOp,
            "expected num_listed >= 0, got " + std::to_string(options.num_listed));
    result_.num_patterns = patterns.rows;
    result_.depth = patterns.depth;
  }

  PatternStatistics run() {
    if (patterns_.rows == 0) return result_;
    measure_norms();
    measure_spread();
    find_duplicates();
    compare();
    return std::move(result_);
  }

 private:
  std::vector<double> row(std::int64_t r) const {
    std::vector<double> x(index(patterns_.depth));
    internal::load_row(patterns_, r, 0, x.data());
    return x;
  }

  void measure_norms() {
    struct Sum {
      double least = kInfinity, most = 0, total = 0;
      std::vector<double> mean;
    };
    std::vector<Sum> sums(index(runs_.count()));
    hashes_.resize(index(patterns_.rows));
    executor_.run(runs_.count(), [&](std::int64_t run) {
      Sum& sum = sums[index(run)];
      sum.mean.assign(index(patterns_.depth), 0);
      for (std::int64_t r = runs_.begin(run); r < runs_.end(run); ++r) {
        const std::vector<double> x = row(r);
        for (std::size_t k = 0; k < x.size(); ++k) {
          require(std::isfinite(x[k]), kOp,
                  "expected finite patterns, got " + std::to_string(x[k]) + " in row " +
                      std::to_string(r) + ", column " + std::to_string(k));
          sum.mean[k] += x[k];
        }
        const double norm = std::sqrt(dot(x, x));
        sum.least = std::min(sum.least, norm);
        sum.most = std::max(sum.most, norm);
        sum.total += norm;
        hashes_[index(r)] = {hash_row(x), r};
      }
    });
    const auto count = static_cast<double>(patterns_.rows);
    mean_.assign(index(patterns_.depth), 0);
    result_.norm_min = kInfinity;
    for (const Sum& sum : sums) {
      result_.norm_min = std::min(result_.norm_min, sum.least);
      result_.norm_max = std::max(result_.norm_max, sum.most);
      result_.norm_mean += sum.total / count;
      for (std::size_t k = 0; k < mean_.size(); ++k) mean_[k] += sum.mean[k] / count;
    }
  }

  void measure_spread() {
    std::vector<double> total(index(runs_.count())), most(index(runs_.count()));
    executor_.run(runs_.count(), [&](std::int64_t run) {
      for (std::int64_t r = runs_.begin(run); r < runs_.end(run); ++r) {
        std::vector<double> x = row(r);
        for (std::size_t k = 0; k < x.size(); ++k) x[k] -= mean_[k];
        const double square = dot(x, x);
        total[index(run)] += square;
        most[index(run)] = std::max(most[index(run)], square);
      }
    });
    double sum = 0, largest = 0;
    for (const double part : total) sum += part;
    for (const double part : most) largest = std::max(largest, part);
    result_.spread = std::sqrt(sum / static_cast<double>(patterns_.rows));
    result_.distance_to_mean_max = std::sqrt(largest);
  }

  void find_duplicates() {
    std::sort(hashes_.begin(), hashes_.end());
    std::vector<std::pair<std::int64_t, std::int64_t>> found;
    for (std::size_t i = 0; i < hashes_.size();) {
      std::size_t end = i + 1;
      while (end < hashes_.size() && hashes_[end].hash == hashes_[i].hash) ++end;
      if (end - i > 1) split_group(i, end, found);
      i = end;
    }
    hashes_ = {};
    std::sort(found.begin(), found.end());
    result_.num_duplicates = static_cast<std::int64_t>(found.size());
    for (const auto& [duplicate, original] : found) {
      if (static_cast<std::int64_t>(result_.duplicate.size()) >= options_.num_listed) break;
      result_.duplicate.push_back(duplicate);
      result_.duplicate_of.push_back(original);
    }
  }

  /// Rows of equal hash, ascending: nearly always equal to the first of them.
  void split_group(std::size_t begin, std::size_t end,
                   std::vector<std::pair<std::int64_t, std::int64_t>>& found) const {
    std::vector<std::pair<std::int64_t, std::vector<double>>> different;
    for (std::size_t i = begin; i < end; ++i) {
      std::vector<double> x = row(hashes_[i].row);
      const auto equal = std::find_if(different.begin(), different.end(),
                                      [&](const auto& known) { return known.second == x; });
      if (equal != different.end()) {
        found.emplace_back(hashes_[i].row, equal->first);
      } else {
        different.emplace_back(hashes_[i].row, std::move(x));
      }
    }
  }

  /// Nearest rivals by a hard-max association in double, blocks of states by blocks of patterns.
  void compare() {
    const std::int64_t wanted = options_.num_compared == 0 ? patterns_.rows : options_.num_compared;
    result_.compared = internal::Seeded(options_.seed).sample(patterns_.rows, wanted);
    result_.rival.assign(result_.compared.size(), -1);
    result_.separation.assign(result_.compared.size(), kInfinity);
    best_.assign(result_.compared.size(), -kInfinity);
    const auto count = static_cast<std::int64_t>(result_.compared.size());
    for (std::int64_t first = 0; first < count; first += kStates) {
      compare_states(first, std::min(kStates, count - first));
    }
    for (std::size_t i = 0; i < result_.compared.size(); ++i) {
      if (result_.rival[i] < 0) continue;
      // One and the same summation for both products, so that equal patterns differ by exactly 0.
      const std::vector<double> x = row(result_.compared[i]);
      result_.separation[i] = dot(x, x) - dot(x, row(result_.rival[i]));
      result_.num_shadowed += result_.separation[i] <= 0;
    }
  }

  void compare_states(std::int64_t first, std::int64_t count) {
    const std::size_t depth = index(patterns_.depth);
    std::vector<double> states(index(count) * depth), block, score(index(count));
    std::vector<std::int64_t> at(index(count));
    std::vector<std::uint8_t> self;
    for (std::int64_t i = 0; i < count; ++i) {
      internal::load_row(patterns_, result_.compared[index(first + i)], 0,
                         states.data() + index(i) * depth);
    }
    const double beta = 1;
    for (std::int64_t s = 0; s < patterns_.rows; s += kBlock) {
      const std::int64_t num = std::min(kBlock, patterns_.rows - s);
      block.resize(index(num) * depth);
      for (std::int64_t j = 0; j < num; ++j) {
        internal::load_row(patterns_, s + j, 0, block.data() + index(j) * depth);
      }
      Associations in;
      in.stored = pattern_view(block.data(), num, patterns_.depth);
      in.states = pattern_view(states.data(), count, patterns_.depth);
      in.beta = {&beta, 1};
      in.separation = Separation::kMax;
      hide_selves(in, self, first, count, s, num);
      AssociateOutputs<double> out;
      out.lse = score;  // of kMax: the largest score itself
      out.largest_index = at;
      AssociateOptions options;
      options.executor = &executor_;
      associate(in, out, options);
      for (std::int64_t i = 0; i < count; ++i) {
        if (at[index(i)] < 0 || !(score[index(i)] > best_[index(first + i)])) continue;
        best_[index(first + i)] = score[index(i)];
        result_.rival[index(first + i)] = s + at[index(i)];
      }
    }
  }

  void hide_selves(Associations& in, std::vector<std::uint8_t>& self, std::int64_t first,
                   std::int64_t count, std::int64_t stored, std::int64_t num) const {
    bool met = false;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t own = result_.compared[index(first + i)] - stored;
      if (own < 0 || own >= num) continue;
      if (!met) self.assign(index(count * num), 0);
      met = true;
      self[index(i * num + own)] = 1;
    }
    if (met) in.hidden = {self.data(), 0, 0, num, 1};
  }

  static constexpr std::int64_t kStates = 1024;
  static constexpr std::int64_t kBlock = 4096;

  const PatternView& patterns_;
  const StatisticsOptions& options_;
  Executor& executor_;
  Runs runs_;
  std::vector<Hashed> hashes_;
  std::vector<double> mean_, best_;
  PatternStatistics result_;
};

}  // namespace

PatternStatistics pattern_statistics(const PatternView& patterns,
                                     const StatisticsOptions& options) {
  return Statistics(patterns, options).run();
}

double PatternStatistics::separation_quantile(double q) const {
  require(q >= 0 && q <= 1, "separation_quantile",
          "expected q in [0, 1], got " + std::to_string(q));
  if (separation.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::vector<double> sorted = separation;
  std::sort(sorted.begin(), sorted.end());
  const double place = q * static_cast<double>(sorted.size() - 1);
  const double below = std::floor(place);
  const double lower = sorted[static_cast<std::size_t>(below)];
  if (place == below) return lower;
  return lower + (place - below) * (sorted[static_cast<std::size_t>(below) + 1] - lower);
}

}  // namespace hopfield
