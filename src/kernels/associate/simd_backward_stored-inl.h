#ifndef HOPFIELD_KERNELS_ASSOCIATE_SIMD_BACKWARD_STORED_INL_H_
#define HOPFIELD_KERNELS_ASSOCIATE_SIMD_BACKWARD_STORED_INL_H_

// Softmax, backward: the pass that gives the gradients of stored patterns and projections. Part of
// simd_backward.cc.

#include <cstdint>
#include <vector>

#include "kernels/associate/simd_backward_tiles-inl.h"

namespace hopfield::internal {

/// States whose contributions to a stored pattern are summed in one chain. The chains of different
/// spans, heads and bags are added in order.
constexpr std::int64_t kStateSpan = 16 * kGroupRows;

template <class T>
class StoredPass {
 public:
  StoredPass(const Engine<T>& engine, const Arrivals<T>& arrivals,
             const AssociateGradients<T>& gradients)
      : engine_(engine),
        arrivals_(arrivals),
        stored_(gradients.stored),
        values_(engine.call.shape.tied ? gradients.stored : gradients.projections),
        want_stored_(gradients.stored.wanted()),
        want_values_(arrivals.state && values_.wanted()),
        heads_apart_(engine.call.in.stored.heads == engine.heads &&
                     engine.values().heads == engine.heads) {}

  void run() {
    if (!want_stored_ && !want_values_) return;
    make_targets();
    std::int64_t spans = 0;
    for (const Target& target : targets_)
      spans += static_cast<std::int64_t>(spans_of(target).size());
    const auto num_targets = static_cast<std::int64_t>(targets_.size());
    const std::int64_t wanted = 4 * static_cast<std::int64_t>(engine_.call.executor.concurrency());
    if (wanted > 4 && num_targets < wanted && spans > num_targets) {
      for (const Target& target : targets_) run_apart(target);
      return;
    }
    run_balanced(
        engine_.call.executor, num_targets,
        [&](std::int64_t i) { return target_cost(targets_[static_cast<std::size_t>(i)]); },
        [&](std::int64_t i) { run_here(targets_[static_cast<std::size_t>(i)]); });
  }

 private:
  /// A tile of stored patterns: of one bag, or seen by all; for one head, or for all.
  struct Target {
    std::int64_t bag = -1, head = -1;  ///< -1: all
    std::int64_t begin = 0, end = 0;   ///< within the bag
  };

  void make_targets() {
    const AssociateCall& call = engine_.call;
    const std::int64_t bags = call.shape.stored_shared ? 1 : call.shape.num_bags;
    const std::int64_t heads = heads_apart_ ? engine_.heads : 1;
    for (std::int64_t b = 0; b < bags; ++b) {
      const std::int64_t count =
          call.shape.stored_shared ? call.shape.num_stored : locate_bag(call, b).stored_count;
      for (std::int64_t h = 0; h < heads; ++h) {
        for (std::int64_t s = 0; s < count; s += kTile) {
          targets_.push_back({call.shape.stored_shared ? -1 : b, heads_apart_ ? h : -1, s,
                              std::min(count, s + kTile)});
        }
      }
    }
  }

  /// The states that see a target, in the order of summation.
  std::vector<Item> spans_of(const Target& target) const {
    std::vector<Item> spans;
    const std::int64_t first_bag = target.bag < 0 ? 0 : target.bag;
    const std::int64_t end_bag = target.bag < 0 ? engine_.call.shape.num_bags : target.bag + 1;
    const std::int64_t first_head = target.head < 0 ? 0 : target.head;
    const std::int64_t end_head = target.head < 0 ? engine_.heads : target.head + 1;
    for (std::int64_t b = first_bag; b < end_bag; ++b) {
      const BagPlace place = locate_bag(engine_.call, b);
      for (std::int64_t h = first_head; h < end_head; ++h) {
        for (std::int64_t t = 0; t < place.state_count; t += kStateSpan) {
          spans.push_back(
              {b, h, t, std::min(place.state_count, t + kStateSpan), place.stored_count});
        }
      }
    }
    return spans;
  }

  std::int64_t target_cost(const Target& target) const {
    std::int64_t rows = 0;
    if (target.bag < 0) {
      rows = engine_.call.shape.rows;
    } else {
      rows = locate_bag(engine_.call, target.bag).state_count;
    }
    return (rows * (target.head < 0 ? engine_.heads : 1) + 4) * (target.end - target.begin + 4) *
           (engine_.depth + engine_.value_depth + 8) * 2;
  }

  std::int64_t stored_stride() const { return want_stored_ ? engine_.padded_depth : 0; }
  std::int64_t value_stride() const {
    return want_values_ && !engine_.call.shape.tied ? engine_.padded_value_depth : 0;
  }

  /// Elements of a target's sums: [patterns, stride] a head, stored patterns first, then values.
  struct Sizes {
    std::int64_t stored, values;             ///< of one head
    std::int64_t stored_heads, value_heads;  ///< whose sums are kept apart
    std::int64_t part() const { return stored + values; }
    std::int64_t totals() const { return stored * stored_heads + values * value_heads; }
  };
  Sizes sizes_of(const Target& target) const {
    const std::int64_t patterns = target.end - target.begin;
    return {patterns * stored_stride(), patterns * value_stride(),
            heads_apart_ ? 1 : engine_.call.in.stored.heads,
            heads_apart_ ? 1 : engine_.values().heads};
  }

  void run_here(const Target& target) {
    const Sizes sizes = sizes_of(target);
    std::vector<T> totals(static_cast<std::size_t>(sizes.totals()));
    Scratch<T>& scratch = thread_scratch<T>();
    T* part = scratch.total.need(sizes.part());
    for (const Item& span : spans_of(target)) {
      run_span(target, span, scratch, part);
      add(span.head, sizes, part, totals);
    }
    write(target, sizes, totals);
  }

  void run_apart(const Target& target) {
    const Sizes sizes = sizes_of(target);
    std::vector<T> totals(static_cast<std::size_t>(sizes.totals()));
    const std::vector<Item> spans = spans_of(target);
    const auto count = static_cast<std::int64_t>(spans.size());
    const std::int64_t wave = std::min(
        count,
        std::max<std::int64_t>(2 * engine_.call.executor.concurrency(),
                               (std::int64_t{8} << 20) / std::max<std::int64_t>(sizes.part(), 1)));
    Buffer<T> parts;
    parts.need(wave * sizes.part());
    for (std::int64_t first = 0; first < count; first += wave) {
      const std::int64_t now = std::min(wave, count - first);
      engine_.call.executor.run(now, [&](std::int64_t i) {
        run_span(target, spans[static_cast<std::size_t>(first + i)], thread_scratch<T>(),
                 parts.data() + i * sizes.part());
      });
      for (std::int64_t i = 0; i < now; ++i) {
        add(spans[static_cast<std::size_t>(first + i)].head, sizes, parts.data() + i * sizes.part(),
            totals);
      }
    }
    write(target, sizes, totals);
  }

  void add(std::int64_t head, const Sizes& sizes, const T* part, std::vector<T>& totals) const {
    T* stored =
        totals.data() + head_of(engine_.call.in.stored, heads_apart_ ? 0 : head) * sizes.stored;
    T* values = totals.data() + sizes.stored_heads * sizes.stored +
                head_of(engine_.values(), heads_apart_ ? 0 : head) * sizes.values;
    for (std::int64_t i = 0; i < sizes.stored; ++i) stored[i] += part[i];
    for (std::int64_t i = 0; i < sizes.values; ++i) values[i] += part[sizes.stored + i];
  }

  void write(const Target& target, const Sizes& sizes, const std::vector<T>& totals) const {
    const std::int64_t begin =
        target.begin + (target.bag < 0 ? 0 : locate_bag(engine_.call, target.bag).stored_begin);
    const auto copy = [&](const MutablePatternView<T>& to, const T* from, std::int64_t stride,
                          std::int64_t size) {
      for (std::int64_t h = 0; h < (heads_apart_ ? 1 : to.heads); ++h) {
        for (std::int64_t s = 0; s < target.end - target.begin; ++s) {
          const T* row = from + h * size + s * stride;
          std::copy(row, row + to.depth, to.row(begin + s, heads_apart_ ? target.head : h));
        }
      }
    };
    if (want_stored_) copy(stored_, totals.data(), stored_stride(), sizes.stored);
    if (sizes.values > 0) {
      copy(values_, totals.data() + sizes.stored_heads * sizes.stored, value_stride(),
           sizes.values);
    }
  }

  /// What the states of a span contribute to a target, as sizes_of says.
  void run_span(const Target& target, const Item& span, Scratch<T>& scratch, T* part) {
    const Similarity similarity = engine_.call.in.similarity;
    const Sizes sizes = sizes_of(target);
    std::fill(part, part + sizes.part(), T{0});
    // With tied patterns, both kinds of gradients go to the same place, but by different factors.
    T* tied_values = nullptr;
    if (want_values_ && engine_.call.shape.tied) {
      const std::int64_t size = (target.end - target.begin) * engine_.padded_value_depth;
      tied_values = scratch.value_gradient.need(size);
      std::fill(tied_values, tied_values + size, T{0});
    }
    T* along = scratch.along.need(kTile);
    std::fill(along, along + kTile, T{0});

    const BagPlace place = locate_bag(engine_.call, span.bag);
    const StoredTile<T> tile = load_tile(engine_, place, span.head, target.begin, target.end,
                                         similarity == Similarity::kCosine, scratch);
    const T* value_columns = nullptr;
    PatternRows<T> patterns;
    if (want_stored_ && similarity != Similarity::kDot) {
      patterns = load_rows(engine_, engine_.call.in.stored, place.stored_begin + target.begin,
                           span.head, tile.count, scratch.rows);
    }
    for (std::int64_t t = span.begin; t < span.end; t += kGroupRows) {
      GradientGroup<T> group;
      const Item item = {span.bag, span.head, t, std::min(span.end, t + kGroupRows),
                         span.num_stored};
      load_gradient_group(engine_, arrivals_, item, scratch, group);
      if (group.rows.count == 0) continue;
      if (arrivals_.state && value_columns == nullptr) {
        value_columns = TileGradients<T>::load_value_columns(engine_, group.rows, tile, scratch);
      }
      TileGradients<T> tiles(engine_, arrivals_, group, scratch);
      tiles.compute(tile, value_columns);
      if (want_values_) {
        Product<T> g = transposed(tile, group.rows.count, tiles.p());
        g.width = g.b_depth = g.c_row = engine_.padded_value_depth;
        g.b = group.cotangents;
        g.c = tied_values != nullptr ? tied_values : part + sizes.stored;
        accumulate_visible(engine_, engine_.kernels.accumulate, g);
      }
      if (!want_stored_) continue;
      if (similarity == Similarity::kCosine) tiles.weigh_cosine(tile, along);
      Product<T> g = transposed(tile, group.rows.count, tiles.ds());
      g.width = g.b_depth = g.c_row = engine_.padded_depth;
      g.b = group.rows.states;
      g.c = part;
      g.center = patterns.data;
      g.center_row = patterns.stride;
      accumulate_visible(engine_,
                         similarity == Similarity::kNegativeSquaredDistance
                             ? engine_.kernels.accumulate_difference
                             : engine_.kernels.accumulate,
                         g);
    }
    if (want_stored_) scale_stored(span, tile, patterns, along, tied_values, part);
  }

  Product<T> transposed(const StoredTile<T>& tile, std::int64_t states, const T* weights) const {
    Product<T> g;
    g.rows = tile.count;
    g.depth = states;
    g.a = weights;
    g.a_row = 1;
    g.a_depth = kTile;
    return g;
  }

  /// From sums over scores to gradients of the patterns.
  void scale_stored(const Item& span, const StoredTile<T>& tile, const PatternRows<T>& patterns,
                    const T* along, const T* tied_values, T* part) const {
    const Similarity similarity = engine_.call.in.similarity;
    const double beta = beta_of(engine_.call.in, span.head);
    const double scale = similarity == Similarity::kNegativeSquaredDistance ? 2 * beta : beta;
    for (std::int64_t s = 0; s < tile.count; ++s) {
      double own = 0;
      if (along[s] != 0) {  // cosine; stays 0 for patterns without direction and hidden ones
        const auto norm = static_cast<double>(tile.norms[s]);
        own = -beta * static_cast<double>(along[s]) / (norm * norm);
      }
      for (std::int64_t k = 0; k < engine_.depth; ++k) {
        double x = scale * static_cast<double>(part[s * stored_stride() + k]);
        if (own != 0) x += own * static_cast<double>(patterns.data[s * patterns.stride + k]);
        if (tied_values != nullptr) {
          x += static_cast<double>(tied_values[s * engine_.padded_value_depth + k]);
        }
        part[s * stored_stride() + k] = static_cast<T>(x);
      }
    }
  }

  const Engine<T>& engine_;
  const Arrivals<T>& arrivals_;
  const MutablePatternView<T>& stored_;
  const MutablePatternView<T>& values_;
  bool want_stored_, want_values_;
  bool heads_apart_;  ///< no pattern is shared by heads
  std::vector<Target> targets_;
};

}  // namespace hopfield::internal

#endif  // HOPFIELD_KERNELS_ASSOCIATE_SIMD_BACKWARD_STORED_INL_H_
