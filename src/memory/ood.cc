#include "hopfield/memory/ood.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "hopfield/base/error.h"
#include "hopfield/kernels/associate.h"
#include "hopfield/memory/advice.h"
#include "hopfield/memory/search.h"
#include "memory/pair_similarity.h"
#include "memory/pattern_rows.h"
#include "memory/seeded.h"

namespace hopfield {
namespace {

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// Sampled patterns, each associated with all others by its distance from them.
class HeldOut {
 public:
  HeldOut(const PatternView& stored, const HeldOutOptions& options, std::string_view op)
      : stored_(stored), executor_(options.executor) {
    require(stored.rows >= 2, op,
            "expected at least two patterns, got " + std::to_string(stored.rows));
    require(options.num_sampled >= 1, op,
            "expected num_sampled >= 1, got " + std::to_string(options.num_sampled));
    constexpr std::int64_t kMaskBytes = std::int64_t{1} << 26;
    chosen_ = internal::Seeded(options.seed).sample(stored.rows, options.num_sampled);
    batch_ = std::clamp<std::int64_t>(kMaskBytes / stored.rows, 1, 256);
  }

  /// Mean of sum_s p_s |x_s - x_i|^2, s over all others.
  double mean_square_distance(double beta) const {
    double sum = 0;
    for_parts([&](std::int64_t first, std::int64_t count) {
      std::vector<float> lse(index(count)), entropy(lse);
      AssociateOutputs<float> out;
      out.lse = lse;
      out.entropy = entropy;
      associate_part(beta / 2, first, count, out);
      // sum_s p_s score_s = lse - entropy
      for (std::size_t i = 0; i < lse.size(); ++i) {
        sum += (static_cast<double>(entropy[i]) - static_cast<double>(lse[i])) / (beta / 2);
      }
    });
    return sum / static_cast<double>(chosen_.size());
  }

  DistanceScores scores(double beta, std::int64_t num_neighbours) const {
    const std::int64_t k = std::min(num_neighbours, stored_.rows - 1);
    const double log_count = std::log(static_cast<double>(stored_.rows - 1));
    DistanceScores scores;
    for_parts([&](std::int64_t first, std::int64_t count) {
      std::vector<float> lse(index(count)), entropy(lse), top(index(count * k));
      std::vector<std::int64_t> nearest(top.size());
      AssociateOutputs<float> out;
      out.lse = lse;
      out.entropy = entropy;
      out.num_top = k;
      out.top = top;
      out.top_index = nearest;
      associate_part(beta / 2, first, count, out);
      for (std::int64_t i = 0; i < count; ++i) {
        const auto log_sum = static_cast<double>(lse[index(i)]);
        scores.energy.push_back((log_count - log_sum) / beta);
        scores.weighted.push_back((static_cast<double>(entropy[index(i)]) - log_sum) / beta);
        scores.nearest.push_back(farthest(chosen_[index(first + i)],
                                          std::span(nearest).subspan(index(i * k), index(k))));
      }
    });
    return scores;
  }

 private:
  void for_parts(const std::function<void(std::int64_t, std::int64_t)>& part) const {
    const auto count = static_cast<std::int64_t>(chosen_.size());
    for (std::int64_t first = 0; first < count; first += batch_) {
      part(first, std::min(batch_, count - first));
    }
  }

  void associate_part(double beta, std::int64_t first, std::int64_t count,
                      const AssociateOutputs<float>& out) const {
    std::vector<float> states(index(count * stored_.depth));
    std::vector<std::uint8_t> self(index(count * stored_.rows), 0);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t own = chosen_[index(first + i)];
      internal::load_row(stored_, own, 0, states.data() + i * stored_.depth);
      self[index(i * stored_.rows + own)] = 1;
    }
    Associations in;
    in.stored = stored_;
    in.states = pattern_view(states.data(), count, stored_.depth);
    in.beta = {&beta, 1};
    in.similarity = Similarity::kNegativeSquaredDistance;
    in.hidden = {self.data(), 0, 0, stored_.rows, 1};
    AssociateOptions options;
    options.executor = executor_;
    associate(in, out, options);
  }

  /// Distance from the farthest of these patterns, in double.
  double farthest(std::int64_t from, std::span<const std::int64_t> patterns) const {
    std::vector<double> x(index(stored_.depth)), other(x);
    internal::load_row(stored_, from, 0, x.data());
    double least = 0;
    for (const std::int64_t pattern : patterns) {
      internal::load_row(stored_, pattern, 0, other.data());
      least = std::min(least,
                       internal::pair_similarity(Similarity::kNegativeSquaredDistance, other, x));
    }
    return std::sqrt(-least);
  }

  const PatternView& stored_;
  Executor* executor_;
  std::vector<std::int64_t> chosen_;
  std::int64_t batch_ = 1;
};

/// As false_rate_at_95; `inside` ascends.
double false_rate(const std::vector<double>& inside, std::span<const double> outside) {
  const auto place =
      static_cast<std::size_t>(std::ceil(0.95 * static_cast<double>(inside.size()))) - 1;
  const auto taken =
      std::count_if(outside.begin(), outside.end(), [&](double x) { return x <= inside[place]; });
  return static_cast<double>(taken) / static_cast<double>(outside.size());
}

std::vector<double> resample(std::span<const double> values, internal::Seeded& random) {
  std::vector<double> drawn;
  for (std::size_t i = 0; i < values.size(); ++i) {
    drawn.push_back(values[static_cast<std::size_t>(random.below(values.size()))]);
  }
  return drawn;
}

}  // namespace

DistanceScores distance_scores(const PatternView& stored, const PatternView& states, double beta,
                               std::int64_t num_neighbours, Executor* executor) {
  require(beta > 0, "distance_scores", "expected beta > 0, got " + std::to_string(beta));
  SearchOptions options;
  options.similarity = Similarity::kNegativeSquaredDistance;
  options.num_top = num_neighbours;
  options.executor = executor;
  const SearchResult found = search(stored, states, beta / 2, options);
  const double log_count = std::log(static_cast<double>(stored.rows));
  DistanceScores scores;
  for (std::size_t t = 0; t < found.lse.size(); ++t) {
    scores.energy.push_back((log_count - found.lse[t]) / beta);
    scores.weighted.push_back((found.entropy[t] - found.lse[t]) / beta);
    const std::size_t last = (t + 1) * index(found.num_top) - 1;
    scores.nearest.push_back(std::sqrt(-found.similarity[last]));
  }
  return scores;
}

double likely_beta(const PatternView& stored, const HeldOutOptions& options) {
  constexpr std::string_view kOp = "likely_beta";
  const HeldOut held_out(stored, options, kOp);
  StatisticsOptions few;
  few.num_compared = 1;
  few.executor = options.executor;
  const double spread = pattern_statistics(stored, few).spread;
  require(spread > 0, kOp, "expected patterns that differ, got equal ones");
  const auto depth = static_cast<double>(stored.depth);
  constexpr int kMostPasses = 100;
  // So large a beta means that nearly every pattern has a duplicate.
  const double least = depth / (spread * spread), most = 1e8 * least;
  double beta = least;
  for (int pass = 0; pass < kMostPasses; ++pass) {
    const double next = std::min(most, depth / held_out.mean_square_distance(beta));
    const bool settled = std::abs(next - beta) <= 1e-3 * beta;
    beta = next;
    if (settled || beta == most) break;
  }
  return beta;
}

DistanceScores held_out_scores(const PatternView& stored, double beta, std::int64_t num_neighbours,
                               const HeldOutOptions& options) {
  constexpr std::string_view kOp = "held_out_scores";
  require(beta > 0, kOp, "expected beta > 0, got " + std::to_string(beta));
  require(num_neighbours >= 1, kOp,
          "expected num_neighbours >= 1, got " + std::to_string(num_neighbours));
  return HeldOut(stored, options, kOp).scores(beta, num_neighbours);
}

ScoreQuantiles score_quantiles(std::vector<double> scores) {
  constexpr std::string_view kOp = "score_quantiles";
  require(!scores.empty(), kOp, "expected scores, got none");
  require(std::none_of(scores.begin(), scores.end(), [](double x) { return std::isnan(x); }), kOp,
          "expected numbers, got NaN");
  std::sort(scores.begin(), scores.end());
  ScoreQuantiles quantiles;
  for (std::size_t percent = 0; percent <= 100; ++percent) {
    const std::size_t rank = (percent * scores.size() + 99) / 100;  // rounded up
    quantiles.at_percent.push_back(scores[rank == 0 ? 0 : rank - 1]);
  }
  return quantiles;
}

double ScoreQuantiles::share_further(double score) const {
  if (score < at_percent.front()) return 1;
  const auto above = std::upper_bound(at_percent.begin(), at_percent.end(), score);
  if (above == at_percent.end()) return 0;
  const auto below = above - 1;
  const double percent =
      static_cast<double>(below - at_percent.begin()) + (score - *below) / (*above - *below);
  return 1 - percent / 100;
}

Rate false_rate_at_95(std::span<const double> inside, std::span<const double> outside,
                      std::uint64_t seed) {
  constexpr std::string_view kOp = "false_rate_at_95";
  require(!inside.empty() && !outside.empty(), kOp, "expected scores of both sets, got only one");
  for (const std::span<const double> set : {inside, outside}) {
    require(std::none_of(set.begin(), set.end(), [](double x) { return std::isnan(x); }), kOp,
            "expected numbers, got NaN");
  }
  const auto of = [](std::vector<double> in, std::span<const double> out) {
    std::sort(in.begin(), in.end());
    return false_rate(in, out);
  };
  constexpr int kResamples = 1000;
  internal::Seeded random(seed);
  std::vector<double> rates;
  for (int i = 0; i < kResamples; ++i) {
    std::vector<double> in = resample(inside, random);
    rates.push_back(of(std::move(in), resample(outside, random)));
  }
  std::sort(rates.begin(), rates.end());
  return {of({inside.begin(), inside.end()}, outside), rates[kResamples / 40],
          rates[kResamples - 1 - kResamples / 40]};
}

}  // namespace hopfield
