#include "hopfield/memory/match.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "hopfield/base/error.h"

namespace hopfield {

Regime regime(std::int64_t metastable_size, std::int64_t num_patterns) {
  if (metastable_size <= 1) return Regime::kSingle;
  return 2 * metastable_size > num_patterns ? Regime::kGlobal : Regime::kMetastable;
}

std::string_view regime_name(Regime regime) {
  switch (regime) {
    case Regime::kSingle:
      return "single-pattern";
    case Regime::kMetastable:
      return "metastable";
    case Regime::kGlobal:
      return "global-average";
  }
  return "unknown";
}

MatchThreshold calibrate_match(std::span<const double> held_back_energies,
                               double false_recall_rate) {
  constexpr std::string_view kOp = "calibrate_match";
  require(false_recall_rate > 0 && false_recall_rate < 1, kOp,
          "expected a false-recall rate in (0, 1), got " + std::to_string(false_recall_rate));
  std::vector<double> energies(held_back_energies.begin(), held_back_energies.end());
  for (std::size_t i = 0; i < energies.size(); ++i) {
    require(!std::isnan(energies[i]), kOp, "expected numbers, got NaN at " + std::to_string(i));
  }
  const auto ranks = static_cast<double>(energies.size() + 1);
  // A rate such as 0.01 is no binary number: 0.01 * 100 must still count as 1.
  const double k = std::floor(false_recall_rate * ranks * (1 + 1e-12));
  require(k >= 1, kOp,
          "expected at least " +
              std::to_string(static_cast<std::int64_t>(std::ceil(1 / false_recall_rate)) - 1) +
              " held-back cues for a false-recall rate of " + std::to_string(false_recall_rate) +
              ", got " + std::to_string(energies.size()));
  const auto place = static_cast<std::ptrdiff_t>(k) - 1;
  std::nth_element(energies.begin(), energies.begin() + place, energies.end());
  return {energies[static_cast<std::size_t>(place)], k / ranks,
          static_cast<std::int64_t>(energies.size())};
}

}  // namespace hopfield
