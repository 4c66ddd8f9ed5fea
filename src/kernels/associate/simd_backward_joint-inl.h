#ifndef HOPFIELD_KERNELS_ASSOCIATE_SIMD_BACKWARD_JOINT_INL_H_
#define HOPFIELD_KERNELS_ASSOCIATE_SIMD_BACKWARD_JOINT_INL_H_

// Softmax, backward: the gradients of states and of stored patterns in one pass, which computes the
// scores once. One thread does all of a (bag, head): no sum is merged with another thread's. The
// sums run as in the two passes, so the bits are the same. Part of simd_backward.cc.

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/associate/simd_backward_states-inl.h"
#include "kernels/associate/simd_backward_stored-inl.h"

namespace hopfield::internal {

/// A group that stays loaded while others are.
template <class T>
struct HeldGroup {
  GradientGroup<T> group;
  Buffer<T> states, norms, cotangents;
};

template <class T>
std::vector<HeldGroup<T>>& thread_groups() {
  thread_local std::vector<HeldGroup<T>> groups;
  return groups;
}

template <class T>
class JointPass {
 public:
  JointPass(const Engine<T>& engine, const Arrivals<T>& arrivals, StatePass<T>& states,
            StoredPass<T>& stored)
      : engine_(engine), arrivals_(arrivals), states_(states), stored_(stored) {
    for (std::int64_t b = 0; b < engine.call.shape.num_bags; ++b) {
      const BagPlace place = locate_bag(engine.call, b);
      for (std::int64_t h = 0; h < engine.heads; ++h) {
        units_.push_back({b, h, 0, place.state_count, place.stored_count});
      }
    }
  }

  /// Whether every (bag, head) has stored patterns of its own, a single span of states, and no more
  /// than its share of the work.
  bool suits() const {
    const AssociationShape& shape = engine_.call.shape;
    if (!stored_.heads_apart() || (shape.stored_shared && shape.num_bags != 1)) return false;
    std::int64_t total = 0, largest = 0;
    for (const Item& unit : units_) {
      if (unit.end > kStateSpan) return false;
      total += item_cost(engine_, unit);
      largest = std::max(largest, item_cost(engine_, unit));
    }
    const std::int64_t concurrency = engine_.call.executor.concurrency();
    return concurrency <= 1 || largest <= total / (2 * concurrency);
  }

  void run() {
    run_balanced(
        engine_.call.executor, static_cast<std::int64_t>(units_.size()),
        [&](std::int64_t i) { return 2 * item_cost(engine_, units_[static_cast<std::size_t>(i)]); },
        [&](std::int64_t i) { run_unit(units_[static_cast<std::size_t>(i)]); });
    states_.finish();
  }

 private:
  /// Rows of all groups: sums of a block and of all blocks.
  struct StateSums {
    T* block = nullptr;
    T* total = nullptr;
    std::vector<RowTotals> block_rows, rows;
  };

  void run_unit(const Item& unit) {
    states_.zero(unit);
    Scratch<T>& scratch = thread_scratch<T>();
    const std::int64_t num_groups = load_groups(unit, scratch);
    const std::int64_t elements = unit.end * states_.stride();
    StateSums sums;
    sums.block = scratch.gradient.need(elements);
    sums.total = scratch.gradient_total.need(elements);
    std::fill(sums.total, sums.total + elements, T{0});
    sums.rows.resize(static_cast<std::size_t>(unit.end));
    sums.block_rows.resize(sums.rows.size());
    for (std::int64_t s = 0; s < unit.num_stored;) {
      const std::int64_t end = s + std::min(engine_.call.block_size, unit.num_stored - s);
      std::fill(sums.block_rows.begin(), sums.block_rows.end(), RowTotals());
      for (std::int64_t begin = s; begin < end; begin += kTile) {
        run_tile(unit, num_groups, begin, std::min(end, begin + kTile), begin == s, scratch, sums);
      }
      for_each_group(num_groups, [&](const GradientGroup<T>& group, std::int64_t row) {
        states_.add(group.rows.count, sums.block + row * states_.stride(),
                    sums.block_rows.data() + row, sums.total + row * states_.stride(),
                    sums.rows.data() + row);
      });
      s = end;
    }
    for_each_group(num_groups, [&](const GradientGroup<T>& group, std::int64_t row) {
      states_.finish_rows(group, sums.total + row * states_.stride(), sums.rows.data() + row);
    });
  }

  void run_tile(const Item& unit, std::int64_t num_groups, std::int64_t begin, std::int64_t end,
                bool first, Scratch<T>& scratch, StateSums& sums) {
    const BagPlace place = locate_bag(engine_.call, unit.bag);
    const GradientTile<T> tile =
        load_gradient_tile(engine_, arrivals_, place, unit.head, begin, end, unit.end, scratch);
    const PatternRows<T> patterns = load_tile_rows(engine_, place, unit.head, tile.stored, scratch);
    const typename StoredPass<T>::Target target = {unit.bag, unit.head, begin, end};
    typename StoredPass<T>::Sums stored = stored_.open(target, scratch);
    for_each_group(num_groups, [&](const GradientGroup<T>& group, std::int64_t row) {
      TileGradients<T> tiles(engine_, arrivals_, group, scratch);
      tiles.compute(tile);
      if (engine_.call.in.similarity == Similarity::kCosine) {
        tiles.weigh_cosine(tile.stored, stored.along);
      }
      stored_.add_group(group, tile.stored, patterns, tiles, stored);
      states_.add_tile(group.rows, tiles, patterns, tile.stored.count, first,
                       sums.block + row * states_.stride(), sums.block_rows.data() + row);
    });
    stored_.finish(unit.head, tile.stored, patterns, stored);
    stored_.close(target, stored);
  }

  /// Loads the groups of a unit that have rows; how many.
  std::int64_t load_groups(const Item& unit, Scratch<T>& scratch) {
    std::vector<HeldGroup<T>>& groups = thread_groups<T>();
    const auto most = static_cast<std::size_t>(num_blocks(unit.end, kGroupRows));
    if (groups.size() < most) groups.resize(most);
    std::int64_t count = 0;
    for (std::int64_t t = 0; t < unit.end; t += kGroupRows) {
      HeldGroup<T>& held = groups[static_cast<std::size_t>(count)];
      const auto exchange = [&] {
        std::swap(scratch.states, held.states);
        std::swap(scratch.state_norms, held.norms);
        std::swap(scratch.cotangents, held.cotangents);
      };
      exchange();
      load_gradient_group(
          engine_, arrivals_,
          {unit.bag, unit.head, t, std::min(unit.end, t + kGroupRows), unit.num_stored}, scratch,
          held.group);
      exchange();
      count += held.group.rows.count > 0;
    }
    return count;
  }

  /// visit(group, its first row among all groups')
  template <class Visit>
  void for_each_group(std::int64_t num_groups, const Visit& visit) {
    std::int64_t row = 0;
    for (std::int64_t i = 0; i < num_groups; ++i) {
      const GradientGroup<T>& group = thread_groups<T>()[static_cast<std::size_t>(i)].group;
      visit(group, row);
      row += group.rows.count;
    }
  }

  const Engine<T>& engine_;
  const Arrivals<T>& arrivals_;
  StatePass<T>& states_;
  StoredPass<T>& stored_;
  std::vector<Item> units_;  ///< a (bag, head) each
};

}  // namespace hopfield::internal

#endif  // HOPFIELD_KERNELS_ASSOCIATE_SIMD_BACKWARD_JOINT_INL_H_
