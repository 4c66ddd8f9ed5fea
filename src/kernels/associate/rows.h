#ifndef HOPFIELD_KERNELS_ASSOCIATE_ROWS_H_
#define HOPFIELD_KERNELS_ASSOCIATE_ROWS_H_

// Which stored patterns a result row meets, and reading patterns as double. Shared by all
// implementations.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kernels/associate/implementation.h"

namespace hopfield::internal {

/// Where a result row comes from.
struct RowPlace {
  std::int64_t row = 0;  ///< result row
  std::int64_t bag = 0;
  std::int64_t state = 0;         ///< row of `states`
  std::int64_t state_in_bag = 0;  ///< what masks count
  std::int64_t stored_begin = 0, stored_count = 0;
};

struct BagPlace {
  std::int64_t stored_begin = 0, stored_count = 0;
  std::int64_t state_begin = 0, state_count = 0;
  std::int64_t row_begin = 0;  ///< result rows row_begin + [0, state_count)
};

inline BagPlace locate_bag(const AssociateCall& call, std::int64_t bag) {
  const auto b = static_cast<std::size_t>(bag);
  BagPlace place;
  if (call.shape.stored_shared) {
    place.stored_count = call.shape.num_stored;
  } else {
    place.stored_begin = call.in.stored_offsets[b];
    place.stored_count = call.in.stored_offsets[b + 1] - place.stored_begin;
  }
  if (call.shape.states_shared) {
    place.state_count = call.shape.num_states;
    place.row_begin = bag * call.shape.num_states;
  } else {
    place.state_begin = call.in.state_offsets[b];
    place.state_count = call.in.state_offsets[b + 1] - place.state_begin;
    place.row_begin = place.state_begin;
  }
  return place;
}

inline RowPlace locate_row(const AssociateCall& call, std::int64_t row) {
  RowPlace place;
  place.row = row;
  if (call.shape.states_shared) {
    place.bag = row / call.shape.num_states;
  } else {
    const auto offsets = call.in.state_offsets;
    place.bag = std::upper_bound(offsets.begin(), offsets.end(), row) - offsets.begin() - 1;
  }
  const BagPlace bag = locate_bag(call, place.bag);
  place.state_in_bag = row - bag.row_begin;
  place.state = bag.state_begin + place.state_in_bag;
  place.stored_begin = bag.stored_begin;
  place.stored_count = bag.stored_count;
  return place;
}

/// Head of a view that serves head `head`.
inline std::int64_t head_of(const PatternView& view, std::int64_t head) {
  return view.heads == 1 ? 0 : head;
}

inline double beta_of(const Associations& in, std::int64_t head) {
  return in.beta[in.beta.size() == 1 ? 0 : static_cast<std::size_t>(head)];
}

inline bool is_active(const AssociateCall& call, std::int64_t row, std::int64_t head) {
  return call.in.active.empty() ||
         call.in.active[static_cast<std::size_t>(row * call.shape.heads + head)] != 0;
}

template <class T>
const MaskView<T>& bias_of(const Associations& in) {
  if constexpr (std::is_same_v<T, float>) {
    return in.bias_f32;
  } else {
    return in.bias_f64;
  }
}

/// out[0, depth) = view(row, head, :). Reads by memcpy: no alignment is needed.
void read_row(const PatternView& view, std::int64_t row, std::int64_t head, double* out);

/// |view(row, head, :)|^2 in double, summed from the first element to the last: the one definition
/// of |xi|^2 in the energy.
double square_norm(const PatternView& view, std::int64_t row, std::int64_t head);

/// Mask and bias of one (row, head), and its bag's stored patterns.
template <class T>
class RowMask {
 public:
  RowMask(const AssociateCall& call, const RowPlace& place, std::int64_t head)
      : hidden_stride_(call.in.hidden.stored_stride),
        bias_stride_(bias_of<T>(call.in).stored_stride) {
    if (!call.in.hidden_stored.empty()) {
      hidden_stored_ = call.in.hidden_stored.data() + place.stored_begin;
    }
    // A mask is touched only where an association exists, so no address is formed otherwise.
    if (place.stored_count == 0) return;
    if (call.in.hidden.given()) hidden_ = call.in.hidden.row(place.bag, head, place.state_in_bag);
    if (bias_of<T>(call.in).given()) {
      bias_ = bias_of<T>(call.in).row(place.bag, head, place.state_in_bag);
    }
  }

  T bias(std::int64_t s) const { return bias_ == nullptr ? T{0} : bias_[s * bias_stride_]; }
  bool visible(std::int64_t s) const {
    if (hidden_stored_ != nullptr && hidden_stored_[s] != 0) return false;
    if (hidden_ != nullptr && hidden_[s * hidden_stride_] != 0) return false;
    return bias_ == nullptr || bias_[s * bias_stride_] != -std::numeric_limits<T>::infinity();
  }

 private:
  const std::uint8_t* hidden_stored_ = nullptr;
  const std::uint8_t* hidden_ = nullptr;
  const T* bias_ = nullptr;
  std::int64_t hidden_stride_;
  std::int64_t bias_stride_;
};

}  // namespace hopfield::internal

#endif  // HOPFIELD_KERNELS_ASSOCIATE_ROWS_H_
