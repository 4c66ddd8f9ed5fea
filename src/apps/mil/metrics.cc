#include "hopfield/apps/mil/metrics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <string>
#include <vector>

#include "hopfield/base/error.h"

namespace hopfield::mil {

double roc_auc(std::span<const double> scores, std::span<const int> labels) {
  require(scores.size() == labels.size(), "roc_auc",
          "expected as many labels as scores, got " + std::to_string(scores.size()) +
              " scores and " + std::to_string(labels.size()) + " labels");
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = 0; i < scores.size(); ++i) {
    require(!std::isnan(scores[i]), "roc_auc", "expected numbers, got NaN at " + std::to_string(i));
  }
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  double num_positive = 0, num_negative = 0, wins = 0;
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin;
    double positive = 0, negative = 0;
    for (; end < order.size() && scores[order[end]] == scores[order[begin]]; ++end) {
      (labels[order[end]] != 0 ? positive : negative) += 1;
    }
    wins += positive * (num_negative + negative / 2);
    num_positive += positive;
    num_negative += negative;
    begin = end;
  }
  require(num_positive > 0 && num_negative > 0, "roc_auc",
          "expected both classes, got " + std::to_string(static_cast<long>(num_positive)) +
              " positive and " + std::to_string(static_cast<long>(num_negative)) + " negative");
  return wins / (num_positive * num_negative);
}

}  // namespace hopfield::mil
