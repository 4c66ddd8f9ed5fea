#ifndef HOPFIELD_TESTS_OPS_ERROR_BOUNDS_H_
#define HOPFIELD_TESTS_OPS_ERROR_BOUNDS_H_

// The two-times rule: |ours - exact| <= 2 max |naive - exact| + floor, the maximum over the tensor,
// the floor of the element. Derivation of the floors: docs/math/associate.md, "Error promise".
// In short: whoever keeps scores as numbers of type T perturbs each by delta = u * reach, where
// reach = max_s |beta| |x_s| |xi| + |bias_s| and u is half an ulp of 1; what that alone does to a
// result no method in T can avoid, and the naive one avoids it only by luck.

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/dense_association.h"

namespace hopfield::test {

using Exact = long double;

template <class T>
Exact score_rounding(const DenseRow<Exact>& row) {
  return static_cast<Exact>(std::numeric_limits<T>::epsilon()) / 2 * 4 * (1 + row.reach);
}

inline Exact support_size(const DenseRow<Exact>& row) {
  Exact n = 0;
  for (const Exact p : row.p) n += p > 0 ? 1 : 0;
  return n;
}

/// What a perturbation of the scores by score_rounding does to each output.
template <class T>
struct Floors {
  Exact association = 0, state = 0, lse = 0, energy = 0, entropy = 0;

  Floors(const DenseRow<Exact>& row, Separation separation) {
    const Exact delta = score_rounding<T>(row);
    const Exact u = static_cast<Exact>(std::numeric_limits<T>::epsilon()) / 2;
    const Exact n = std::max<Exact>(1, support_size(row));
    const Exact log_n = std::log(std::max<Exact>(1, static_cast<Exact>(row.num_visible)));
    const bool soft = separation == Separation::kSoftmax || separation == Separation::kTopKSoftmax;
    association = delta * 2;
    state = delta * row.max_value * (soft ? 2 : 2 * n);
    lse = delta + 4 * u * log_n;
    energy = lse / std::max<Exact>(std::abs(row.beta), 1e-30L) + 8 * u * row.energy_terms;
    entropy = soft ? delta * (1 + 2 * log_n) : delta * n * (1 - std::log(u));
  }
};

/// Collects |ours - exact| and |naive - exact| over a tensor, then judges.
class TwoTimesRule {
 public:
  explicit TwoTimesRule(std::string name) : name_(std::move(name)) {}

  void add(Exact ours, Exact naive, Exact exact, Exact floor) {
    if (!std::isfinite(exact)) {
      if (!(ours == exact)) mismatch_ = true;
      return;
    }
    const Exact error = std::abs(ours - exact);
    if (std::isfinite(naive)) naive_error_ = std::max(naive_error_, std::abs(naive - exact));
    // Judged at the end, when the naive error of the whole tensor is known.
    if (!(error <= floor)) excess_.push_back({error, floor});
  }

  /// Failure text, empty when all is well.
  std::string verdict() const {
    if (mismatch_) return name_ + ": an infinity differs";
    for (const auto& [error, floor] : excess_) {
      if (!(error <= 2 * naive_error_ + floor)) {
        return name_ + ": error " + std::to_string(static_cast<double>(error * 1e9L)) +
               "e-9, naive " + std::to_string(static_cast<double>(naive_error_ * 1e9L)) +
               "e-9, floor " + std::to_string(static_cast<double>(floor * 1e9L)) + "e-9";
      }
    }
    return "";
  }

 private:
  struct Excess {
    Exact error, floor;
  };
  std::string name_;
  std::vector<Excess> excess_;
  Exact naive_error_ = 0;
  bool mismatch_ = false;
};

/// A row whose separation could jump under the rounding of T.
template <class T>
bool fragile(const DenseRow<Exact>& row) {
  return row.margin < 16 * score_rounding<T>(row);
}

}  // namespace hopfield::test

#endif  // HOPFIELD_TESTS_OPS_ERROR_BOUNDS_H_
