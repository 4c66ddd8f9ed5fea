#ifndef HOPFIELD_MEMORY_INFLUENCE_H_
#define HOPFIELD_MEMORY_INFLUENCE_H_

#include <cstdint>
#include <vector>

#include "hopfield/base/executor.h"
#include "hopfield/base/view.h"

namespace hopfield {

/// What one update of each state loses if a pattern is forgotten. Row (t, k) speaks of the pattern
/// with the k-th largest association.
struct Influence {
  std::int64_t num_top = 0;
  std::vector<std::int64_t> index;  ///< [T, num_top]
  std::vector<double> weight;       ///< [T, num_top] its association p_i
  /// [T, num_top] |f'(xi) - f(xi)|, f = sum_s p_s x_s and f' the same without pattern i; NaN if
  /// there is no other pattern.
  std::vector<double> state_shift;
  /// [T, num_top] how much -lse/beta rises, the part of the energy that knows the patterns; +inf if
  /// there is no other pattern.
  std::vector<double> energy_rise;
};

/// Without pattern i the other associations keep their ratios, p'_s = p_s / (1 - p_i), so that one
/// pass tells about all patterns:
///   f' - f = p_i / (1 - p_i) (f - x_i),   energy rise = -log(1 - p_i) / beta.
/// Where p_i > 1/2 that difference has lost its digits: then (for at most one pattern a state) the
/// association is computed anew without the pattern.
///
/// Scalar product (as `retrieve`), any types; shapes and errors as `search`; beta > 0.
/// Memory: O(T (d + num_top)) plus 64 MiB for large S.
Influence influence(const PatternView& stored, const PatternView& states, double beta,
                    std::int64_t num_top, Executor* executor = nullptr);

}  // namespace hopfield

#endif  // HOPFIELD_MEMORY_INFLUENCE_H_
