#ifndef HOPFIELD_TESTS_OPS_ASSOCIATE_OUTPUTS_H_
#define HOPFIELD_TESTS_OPS_ASSOCIATE_OUTPUTS_H_

// Every output of `associate`, between guards.

#include <algorithm>
#include <string>

#include "hopfield/kernels/associate.h"
#include "support/memory_guards.h"

namespace hopfield::test {

inline std::int64_t association_count(const Associations& in, const AssociationShape& shape) {
  std::int64_t sum = 0;
  for (std::int64_t b = 0; b < shape.num_bags; ++b) {
    const auto i = static_cast<std::size_t>(b);
    sum +=
        shape.heads *
        (shape.stored_shared ? shape.num_stored : in.stored_offsets[i + 1] - in.stored_offsets[i]) *
        (shape.states_shared ? shape.num_states : in.state_offsets[i + 1] - in.state_offsets[i]);
  }
  return sum;
}

template <class T>
struct AllOutputs {
  Guarded<T> state, lse, energy, entropy, largest, top, association;
  Guarded<std::int64_t> largest_index, top_index, metastable_size;
  LayoutStrides strides;
  AssociateOutputs<T> view;

  AllOutputs(const Associations& in, const AssociationShape& shape, Layout layout, bool want_energy,
             std::int64_t num_top, double mass) {
    const std::int64_t n = shape.rows * shape.heads;
    strides = strides_of(layout, shape.rows, shape.heads, shape.projection_depth);
    state = Guarded<T>(strides.size);
    view.state = {state.data() + strides.offset, shape.rows,  shape.heads,
                  shape.projection_depth,        strides.row, strides.head};
    lse = Guarded<T>(n);
    entropy = Guarded<T>(n);
    largest = Guarded<T>(n);
    largest_index = Guarded<std::int64_t>(n);
    metastable_size = Guarded<std::int64_t>(n);
    top = Guarded<T>(n * num_top);
    top_index = Guarded<std::int64_t>(n * num_top);
    association = Guarded<T>(association_count(in, shape));
    view.lse = lse.span();
    view.entropy = entropy.span();
    view.largest = largest.span();
    view.largest_index = largest_index.span();
    view.metastable_size = metastable_size.span();
    view.num_top = num_top;
    view.top = top.span();
    view.top_index = top_index.span();
    view.association = association.span();
    view.metastable_mass = mass;
    if (want_energy) {
      energy = Guarded<T>(n);
      view.energy = energy.span();
    }
  }

  T state_at(std::int64_t row, std::int64_t head, std::int64_t k) const {
    return view.state.row(row, head)[k];
  }

  bool same_bits(const AllOutputs& other) const {
    return state.same_bits(other.state) && lse.same_bits(other.lse) &&
           energy.same_bits(other.energy) && entropy.same_bits(other.entropy) &&
           largest.same_bits(other.largest) && top.same_bits(other.top) &&
           association.same_bits(other.association) &&
           largest_index.same_bits(other.largest_index) && top_index.same_bits(other.top_index) &&
           metastable_size.same_bits(other.metastable_size);
  }

  /// Guards, gaps between rows of the state, and rows that were skipped: all as they were.
  bool nothing_else_touched(const AssociationShape& shape,
                            std::span<const std::uint8_t> active) const {
    bool ok = state.guards_intact() && lse.guards_intact() && energy.guards_intact() &&
              entropy.guards_intact() && largest.guards_intact() && top.guards_intact() &&
              association.guards_intact() && largest_index.guards_intact() &&
              top_index.guards_intact() && metastable_size.guards_intact();
    std::vector<char> written(static_cast<std::size_t>(state.size()), 0);
    for (std::int64_t r = 0; r < shape.rows; ++r) {
      for (std::int64_t h = 0; h < shape.heads; ++h) {
        const std::int64_t i = r * shape.heads + h;
        const bool skipped = !active.empty() && active[static_cast<std::size_t>(i)] == 0;
        for (std::int64_t k = 0; k < shape.projection_depth && !skipped; ++k) {
          written[static_cast<std::size_t>(strides.offset + r * strides.row + h * strides.head +
                                           k)] = 1;
        }
        if (!skipped) continue;
        ok = ok && lse.untouched(i) && entropy.untouched(i) && largest.untouched(i) &&
             largest_index.untouched(i) && metastable_size.untouched(i);
        if (energy.size() > 0) ok = ok && energy.untouched(i);
        for (std::int64_t k = 0; k < view.num_top; ++k) {
          ok = ok && top.untouched(i * view.num_top + k) &&
               top_index.untouched(i * view.num_top + k);
        }
      }
    }
    for (std::int64_t i = 0; i < state.size(); ++i) {
      if (!written[static_cast<std::size_t>(i)]) ok = ok && state.untouched(i);
    }
    return ok;
  }
};

/// Whether (row_a, head) of a equals (row_b, head) of b bit for bit, associations excepted.
template <class T>
bool same_row(const AllOutputs<T>& a, std::int64_t row_a, const AllOutputs<T>& b,
              std::int64_t row_b, std::int64_t head, std::int64_t heads, std::int64_t depth) {
  const std::int64_t i = row_a * heads + head, j = row_b * heads + head;
  bool same = test::same_bits(a.lse[i], b.lse[j]) && test::same_bits(a.entropy[i], b.entropy[j]) &&
              test::same_bits(a.largest[i], b.largest[j]) &&
              a.largest_index[i] == b.largest_index[j] &&
              a.metastable_size[i] == b.metastable_size[j];
  if (a.energy.size() > 0) same = same && test::same_bits(a.energy[i], b.energy[j]);
  for (std::int64_t k = 0; k < a.view.num_top; ++k) {
    const std::int64_t ka = i * a.view.num_top + k, kb = j * b.view.num_top + k;
    same = same && test::same_bits(a.top[ka], b.top[kb]) && a.top_index[ka] == b.top_index[kb];
  }
  for (std::int64_t k = 0; k < depth; ++k) {
    same = same && test::same_bits(a.state_at(row_a, head, k), b.state_at(row_b, head, k));
  }
  return same;
}

}  // namespace hopfield::test

#endif  // HOPFIELD_TESTS_OPS_ASSOCIATE_OUTPUTS_H_
