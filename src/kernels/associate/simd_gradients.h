#ifndef HOPFIELD_KERNELS_ASSOCIATE_SIMD_GRADIENTS_H_
#define HOPFIELD_KERNELS_ASSOCIATE_SIMD_GRADIENTS_H_

// Parts of the backward pass that do not depend on the separation: what is shared between heads and
// bags, beta, and what the energy depends on besides the scores. Every sum has a fixed order.

#include <cstdint>
#include <vector>

#include "kernels/associate/simd_work.h"

namespace hopfield::internal {

/// Gradients of the states. Rows of different bags or heads that share a state are written apart
/// and summed at the end, bag by bag, head by head.
template <class T>
class StateGradients {
 public:
  StateGradients(const AssociateCall& call, const MutablePatternView<T>& to);

  bool wanted() const { return to_.wanted(); }
  /// Where the depth numbers of (row, head) go; written by one thread each.
  T* row(const BagPlace& place, std::int64_t state_in_bag, std::int64_t head);
  void zero(const Item& item);
  void finish();

 private:
  const AssociateCall& call_;
  const MutablePatternView<T>& to_;
  bool shared_;
  std::vector<T> apart_;  ///< [R, H, depth]
};

/// sum over rows in order; per_row is [R, H].
template <class T>
void finish_beta(const AssociateCall& call, const std::vector<double>& per_row, std::span<T> to);

/// d energy / d stored by way of M^2 / 2: cotangent times the first visible pattern of largest
/// norm, added to `to`. Rows with `dead[row * heads + head]` have no visible pattern.
template <class T>
void add_largest_norm_gradient(const Engine<T>& engine, std::span<const T> energy_cotangents,
                               const std::vector<std::uint8_t>& dead,
                               const MutablePatternView<T>& to);

template <class T>
void zero_fill(const MutablePatternView<T>& to);

}  // namespace hopfield::internal

#endif  // HOPFIELD_KERNELS_ASSOCIATE_SIMD_GRADIENTS_H_
