#include "memory/seeded.h"

#include <algorithm>
#include <boost/math/special_functions/erf.hpp>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_set>

namespace hopfield::internal {

std::uint64_t Seeded::below(std::uint64_t bound) {
  // Reject the incomplete last run of remainders.
  const std::uint64_t limit = std::numeric_limits<std::uint64_t>::max() / bound * bound;
  std::uint64_t x = engine_();
  while (x >= limit) x = engine_();
  return x % bound;
}

double Seeded::normal() {
  const double uniform = (static_cast<double>(engine_() >> 11) + 0.5) * 0x1p-53;
  return -std::sqrt(2.0) * boost::math::erfc_inv(2 * uniform);
}

std::vector<std::int64_t> Seeded::sample(std::int64_t size, std::int64_t count) {
  if (count >= size) {
    std::vector<std::int64_t> all(static_cast<std::size_t>(size));
    std::iota(all.begin(), all.end(), std::int64_t{0});
    return all;
  }
  std::unordered_set<std::int64_t> chosen;  // Floyd's algorithm
  for (std::int64_t last = size - count; last < size; ++last) {
    const auto candidate = static_cast<std::int64_t>(below(static_cast<std::uint64_t>(last) + 1));
    if (!chosen.insert(candidate).second) chosen.insert(last);
  }
  std::vector<std::int64_t> result(chosen.begin(), chosen.end());
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace hopfield::internal
