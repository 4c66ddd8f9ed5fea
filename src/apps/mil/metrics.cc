#include "hopfield/apps/mil/metrics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "hopfield/base/error.h"

namespace hopfield::mil {

namespace {

/// Twice the mid-ranks of |difference|, ascending order assumed: whole numbers.
std::vector<std::int64_t> doubled_ranks(const std::vector<double>& magnitudes) {
  std::vector<std::int64_t> ranks(magnitudes.size());
  for (std::size_t begin = 0; begin < magnitudes.size();) {
    std::size_t end = begin;
    while (end < magnitudes.size() && magnitudes[end] == magnitudes[begin]) ++end;
    // ranks begin + 1 .. end, whose mean is (begin + 1 + end) / 2
    std::fill(ranks.begin() + static_cast<std::ptrdiff_t>(begin),
              ranks.begin() + static_cast<std::ptrdiff_t>(end),
              static_cast<std::int64_t>(begin + end + 1));
    begin = end;
  }
  return ranks;
}

/// P(sum of the ranks with positive sign <= smaller), two-sided, over all 2^n sign patterns.
double exact_signed_rank_p(const std::vector<std::int64_t>& ranks, std::int64_t smaller) {
  const std::int64_t total = std::accumulate(ranks.begin(), ranks.end(), std::int64_t{0});
  std::vector<double> chance(static_cast<std::size_t>(total) + 1, 0.0);
  chance[0] = 1;
  std::size_t reach = 0;
  for (const std::int64_t rank : ranks) {
    const auto r = static_cast<std::size_t>(rank);
    reach += r;
    for (std::size_t sum = reach + 1; sum-- > 0;) {
      chance[sum] = 0.5 * (chance[sum] + (sum >= r ? chance[sum - r] : 0.0));
    }
  }
  double tail = 0;
  for (std::int64_t sum = 0; sum <= smaller; ++sum) tail += chance[static_cast<std::size_t>(sum)];
  return std::min(1.0, 2 * tail);
}

double normal_signed_rank_p(const std::vector<std::int64_t>& ranks, std::int64_t smaller) {
  // In doubled ranks: mean sum / 2, variance sum of squares / 4; ties are inside the squares.
  double sum = 0, squares = 0;
  for (const std::int64_t rank : ranks) {
    sum += static_cast<double>(rank);
    squares += static_cast<double>(rank) * static_cast<double>(rank);
  }
  const double z = (static_cast<double>(smaller) - sum / 2) / std::sqrt(squares / 4);
  return std::min(1.0, std::erfc(-z / std::sqrt(2.0)));
}

double signed_rank_p(std::vector<double> differences) {
  std::sort(differences.begin(), differences.end(),
            [](double x, double y) { return std::abs(x) < std::abs(y); });
  std::vector<double> magnitudes(differences.size());
  std::transform(differences.begin(), differences.end(), magnitudes.begin(),
                 [](double x) { return std::abs(x); });
  const std::vector<std::int64_t> ranks = doubled_ranks(magnitudes);
  std::int64_t positive = 0, negative = 0;
  for (std::size_t i = 0; i < differences.size(); ++i) {
    (differences[i] > 0 ? positive : negative) += ranks[i];
  }
  const std::int64_t smaller = std::min(positive, negative);
  constexpr std::size_t kExactUpTo = 200;
  return ranks.size() <= kExactUpTo ? exact_signed_rank_p(ranks, smaller)
                                    : normal_signed_rank_p(ranks, smaller);
}

/// P(at most k heads of n fair coins), twice, at most 1.
double sign_test_p(std::int64_t wins, std::int64_t losses) {
  const auto n = static_cast<double>(wins + losses);
  double tail = 0;
  for (std::int64_t k = 0; k <= std::min(wins, losses); ++k) {
    const auto x = static_cast<double>(k);
    tail += std::exp(std::lgamma(n + 1) - std::lgamma(x + 1) - std::lgamma(n - x + 1) -
                     n * std::log(2.0));
  }
  return std::min(1.0, 2 * tail);
}

}  // namespace

PairedTest paired_test(std::span<const double> a, std::span<const double> b) {
  require(a.size() == b.size(), "paired_test",
          "expected samples of one size, got " + std::to_string(a.size()) + " and " +
              std::to_string(b.size()));
  PairedTest test;
  std::vector<double> untied;
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = a[i] - b[i];
    require(!std::isnan(difference), "paired_test",
            "expected numbers, got NaN at " + std::to_string(i));
    sum += difference;
    ++(difference > 0 ? test.wins : difference < 0 ? test.losses : test.ties);
    if (difference != 0) untied.push_back(difference);
  }
  if (!a.empty()) test.mean_difference = sum / static_cast<double>(a.size());
  if (!untied.empty()) {
    test.wilcoxon_p = signed_rank_p(std::move(untied));
    test.sign_p = sign_test_p(test.wins, test.losses);
  }
  return test;
}

double mean(std::span<const double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double sample_sd(std::span<const double> values) {
  if (values.size() < 2) return std::numeric_limits<double>::quiet_NaN();
  const double center = mean(values);
  double squares = 0;
  for (const double value : values) squares += (value - center) * (value - center);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

}  // namespace hopfield::mil
