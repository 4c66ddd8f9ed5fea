#ifndef HOPFIELD_SRC_MEMORY_TIED_UPDATES_H_
#define HOPFIELD_SRC_MEMORY_TIED_UPDATES_H_

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "hopfield/kernels/associate.h"
#include "hopfield/memory/retrieve.h"

namespace hopfield::internal {

/// A caller's associations seen by the iteration: the states live in a buffer of ours, [R, H, d]
/// dense and of type T, one row a result. A "pair" is a (row, head) at index row * H + head.
template <class T>
class TiedUpdates {
 public:
  /// Keeps a reference to `in`, which must outlive this.
  TiedUpdates(const Associations& in, std::string_view op);

  const AssociationShape& shape() const { return shape_; }
  std::span<const std::uint8_t> active() const { return in_.active; }
  Separation separation() const { return in_.separation; }
  std::int64_t pairs() const { return shape_.rows * shape_.heads; }
  std::int64_t elements() const { return pairs() * shape_.depth; }
  std::int64_t head_of_pair(std::int64_t pair) const { return pair % shape_.heads; }
  bool wanted(std::int64_t pair) const {
    return in_.active.empty() || in_.active[static_cast<std::size_t>(pair)] != 0;
  }

  /// xi_0 of every pair; where the caller's states are shared by heads or bags they are repeated.
  std::vector<T> initial_states() const;

  /// The update f: the patterns are their own projections.
  Associations update(const T* states, std::span<const std::uint8_t> active) const;
  /// The last association, which meets the caller's projections.
  Associations last(const T* states, std::span<const std::uint8_t> active) const;

  /// Rows of bag b: [first_row(b), first_row(b + 1)); likewise of its stored patterns.
  std::int64_t first_row(std::int64_t bag) const;
  std::int64_t first_stored(std::int64_t bag) const;
  std::int64_t num_stored(std::int64_t bag) const;

  /// `update` for the whole bags [first, last). `offsets` must outlive the result.
  Associations bags(const T* states, std::span<const std::uint8_t> active, std::int64_t first,
                    std::int64_t last, std::vector<std::int64_t>& offsets) const;
  /// `update` for one head, states [state, state + num_states) of one bag, and its stored patterns
  /// [stored, stored + num_stored); every pair active.
  Associations piece(const T* states, std::int64_t bag, std::int64_t head, std::int64_t state,
                     std::int64_t num_states, std::int64_t stored, std::int64_t num_stored) const;

  /// Sums a gradient [R, H, d] into the caller's states (shared ones collect), in a fixed order.
  void reduce_states(const T* gradient, const MutablePatternView<T>& out) const;

 private:
  std::int64_t source_row(std::int64_t row) const {
    return repeated_ ? row % in_.states.rows : row;
  }

  const Associations& in_;
  AssociationShape shape_;
  bool repeated_ = false;                     ///< every bag sees all the caller's states
  std::vector<std::int64_t> repeat_offsets_;  ///< the state offsets then
  std::span<const std::int64_t> state_offsets_;
};

/// UpdateOptions checked and spread over the heads.
struct UpdateLimits {
  UpdateLimits(const UpdateOptions& update, std::int64_t heads, std::string_view op);

  std::vector<std::int64_t> steps_max;  ///< [H]
  std::vector<double> eps;              ///< [H]
  bool any_update = false;              ///< some head makes updates
  bool any_until_converged = false;
};

/// For every pair with `test` set, writes to `settled` whether max_s |p_s(now) - p_s(before)| <=
/// eps of its head. `lse_now`, `lse_before`: [pairs], read for softmax only. Two dense associations
/// of a bounded number of entries exist at a time.
template <class T>
void test_associations(const TiedUpdates<T>& updates, const T* now, const T* before,
                       std::span<const T> lse_now, std::span<const T> lse_before,
                       std::span<const double> eps, std::span<const std::uint8_t> test,
                       std::span<std::uint8_t> settled, const AssociateOptions& options);

}  // namespace hopfield::internal

#endif  // HOPFIELD_SRC_MEMORY_TIED_UPDATES_H_
