#ifndef HOPFIELD_KERNELS_ASSOCIATE_SIMD_BACKWARD_STATES_INL_H_
#define HOPFIELD_KERNELS_ASSOCIATE_SIMD_BACKWARD_STATES_INL_H_

// Softmax, backward: the pass that gives the gradients of states and beta. Part of
// simd_backward.cc.

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/associate/simd_backward_tiles-inl.h"
#include "kernels/associate/simd_gradients.h"

namespace hopfield::internal {

/// Sums of one row over some of its stored patterns.
struct RowTotals {
  double moment = 0;  ///< sum ds similarity
  double ds = 0;
  std::int64_t visible = 0;
};

template <class T>
class StatePass {
 public:
  StatePass(const Engine<T>& engine, const Arrivals<T>& arrivals,
            const AssociateGradients<T>& gradients, bool row_sums)
      : engine_(engine), arrivals_(arrivals), states_(engine.call, gradients.states) {
    const auto rows = static_cast<std::size_t>(engine.call.shape.rows * engine.heads);
    if (!gradients.beta.empty()) beta_.resize(rows);
    if (row_sums) ds_.resize(rows);
  }

  void run() {
    const Plan plan = make_plan(engine_, kGroupRows);
    if (plan.split_blocks) {
      for (const Item& item : plan.items) run_apart(item);
    } else {
      run_balanced(
          engine_.call.executor, static_cast<std::int64_t>(plan.items.size()),
          [&](std::int64_t i) {
            return 2 * item_cost(engine_, plan.items[static_cast<std::size_t>(i)]);
          },
          [&](std::int64_t i) { run_here(plan.items[static_cast<std::size_t>(i)]); });
    }
    finish();
  }

  const std::vector<double>& beta() const { return beta_; }
  const std::vector<double>& row_sums() const { return ds_; }

  // The steps of the pass, for the one that computes both kinds of gradients at once.

  bool wanted() const { return states_.wanted(); }
  std::int64_t stride() const { return engine_.padded_depth; }
  void zero(const Item& item) { states_.zero(item); }
  void finish() { states_.finish(); }

  /// Adds what `count` patterns contribute to a group: ds is weighed already. The first tile of a
  /// block writes the gradient.
  void add_tile(const RowGroup<T>& rows, const TileGradients<T>& tiles,
                const PatternRows<T>& patterns, std::int64_t count, bool first, T* gradient,
                RowTotals* sums) const {
    for (std::int64_t r = 0; r < rows.count; ++r) {
      sums[r].ds += static_cast<double>(tiles.sums[r].sum);
      sums[r].moment += static_cast<double>(tiles.sums[r].moment);
      sums[r].visible += tiles.visible[r];
    }
    if (!wanted()) return;
    Product<T> g;
    g.rows = rows.count;
    g.width = stride();
    g.depth = count;
    g.a = tiles.ds();
    g.a_row = kTile;
    g.b = patterns.data;
    g.b_depth = patterns.stride;
    g.c = gradient;
    g.c_row = stride();
    g.fresh = first;
    g.center = rows.states;
    g.center_row = stride();
    accumulate_visible(engine_,
                       engine_.call.in.similarity == Similarity::kNegativeSquaredDistance
                           ? engine_.kernels.accumulate_difference
                           : engine_.kernels.accumulate,
                       g);
  }

  /// Adds a block.
  void add(std::int64_t rows, const T* part, const RowTotals* part_sums, T* total,
           RowTotals* sums) const {
    for (std::int64_t i = 0; wanted() && i < rows * stride(); ++i) total[i] += part[i];
    for (std::int64_t r = 0; r < rows; ++r) {
      sums[r].ds += part_sums[r].ds;
      sums[r].moment += part_sums[r].moment;
      sums[r].visible += part_sums[r].visible;
    }
  }

  /// From sums over scores to the state's gradient, and what else the energy depends on.
  void finish_rows(const GradientGroup<T>& group, const T* total, const RowTotals* sums) {
    const Similarity similarity = engine_.call.in.similarity;
    const double beta = beta_of(engine_.call.in, group.rows.head);
    const auto& energies = arrivals_.cotangents.energy;
    for (std::int64_t r = 0; r < group.rows.count; ++r) {
      const auto index = static_cast<std::size_t>(group.rows.output(r, engine_.heads));
      const double energy = energies.empty() ? 0 : static_cast<double>(energies[index]);
      if (!ds_.empty()) ds_[index] = sums[r].ds;
      if (!beta_.empty()) {
        beta_[index] = sums[r].moment;
        if (energy != 0) {
          const double log_count = std::log(static_cast<double>(sums[r].visible));
          beta_[index] += energy * (static_cast<double>(group.lse[r]) - log_count) / (beta * beta);
        }
      }
      if (!states_.wanted()) continue;
      double scale = beta, own = similarity == Similarity::kDot ? energy : 0;
      if (similarity == Similarity::kNegativeSquaredDistance) scale = 2 * beta;
      if (similarity == Similarity::kCosine && group.rows.norms[r] != 0) {
        const auto norm = static_cast<double>(group.rows.norms[r]);
        own = -beta * sums[r].moment / (norm * norm);
      }
      const T* from = total + r * stride();
      const T* xi = group.rows.states + r * stride();
      T* to = states_.row(group.rows.place, group.rows.state[r], group.rows.head);
      if (own == 0) {
        std::copy(from, from + engine_.depth, to);
        engine_.kernels.scale_row(engine_.depth, static_cast<T>(scale), to);
        continue;
      }
      for (std::int64_t k = 0; k < engine_.depth; ++k) {
        to[k] =
            static_cast<T>(scale * static_cast<double>(from[k]) + own * static_cast<double>(xi[k]));
      }
    }
  }

 private:
  void run_here(const Item& item) {
    zero(item);
    Scratch<T>& scratch = thread_scratch<T>();
    GradientGroup<T> group;
    load_gradient_group(engine_, arrivals_, item, scratch, group);
    const std::int64_t count = group.rows.count;
    if (count == 0) return;
    T* block = scratch.gradient.need(count * stride());
    T* total = scratch.gradient_total.need(count * stride());
    std::fill(total, total + count * stride(), T{0});
    std::vector<RowTotals> sums(static_cast<std::size_t>(count)), block_sums(sums.size());
    for (std::int64_t s = 0; s < item.num_stored;) {
      const std::int64_t end = s + std::min(engine_.call.block_size, item.num_stored - s);
      run_block(group, s, end, scratch, block, block_sums.data());
      add(count, block, block_sums.data(), total, sums.data());
      s = end;
    }
    finish_rows(group, total, sums.data());
  }

  void run_apart(const Item& item) {
    zero(item);
    const std::int64_t rows = item.end - item.begin;
    const std::int64_t elements = rows * stride();
    const std::int64_t blocks = num_blocks(item.num_stored, engine_.call.block_size);
    const std::int64_t budget = (std::int64_t{32} << 20) / static_cast<std::int64_t>(sizeof(T));
    const std::int64_t wave = std::clamp<std::int64_t>(
        budget / (elements + 16 * rows), 2 * engine_.call.executor.concurrency(), blocks + 1);
    Buffer<T> parts, total;
    parts.need(std::min(wave, blocks) * elements);
    total.need(elements);
    std::fill(total.data(), total.data() + elements, T{0});
    std::vector<RowTotals> part_sums(static_cast<std::size_t>(std::min(wave, blocks) * rows));
    std::vector<RowTotals> sums(static_cast<std::size_t>(rows));
    for (std::int64_t first = 0; first < blocks; first += wave) {
      const std::int64_t count = std::min(wave, blocks - first);
      engine_.call.executor.run(count, [&](std::int64_t i) {
        Scratch<T>& scratch = thread_scratch<T>();
        GradientGroup<T> group;
        load_gradient_group(engine_, arrivals_, item, scratch, group);
        std::fill(parts.data() + i * elements, parts.data() + (i + 1) * elements, T{0});
        const std::int64_t begin = (first + i) * engine_.call.block_size;
        const std::int64_t end = begin + std::min(engine_.call.block_size, item.num_stored - begin);
        if (group.rows.count == 0) return;
        run_block(group, begin, end, scratch, parts.data() + i * elements,
                  part_sums.data() + i * rows);
      });
      for (std::int64_t i = 0; i < count; ++i) {
        add(rows, parts.data() + i * elements, part_sums.data() + i * rows, total.data(),
            sums.data());
      }
    }
    GradientGroup<T> group;
    load_gradient_group(engine_, arrivals_, item, thread_scratch<T>(), group);
    finish_rows(group, total.data(), sums.data());
  }

  void run_block(const GradientGroup<T>& group, std::int64_t begin, std::int64_t end,
                 Scratch<T>& scratch, T* gradient, RowTotals* sums) {
    const RowGroup<T>& rows = group.rows;
    std::fill(sums, sums + rows.count, RowTotals());
    TileGradients<T> tiles(engine_, arrivals_, group, scratch);
    for (std::int64_t s = begin; s < end; s += kTile) {
      const GradientTile<T> tile = load_gradient_tile(engine_, arrivals_, rows.place, rows.head, s,
                                                      end, rows.count, scratch);
      tiles.compute(tile);
      if (wanted() && engine_.call.in.similarity == Similarity::kCosine) {
        tiles.weigh_cosine(tile.stored, nullptr);
      }
      PatternRows<T> patterns;
      if (wanted()) {
        patterns = load_tile_rows(engine_, rows.place, rows.head, tile.stored, scratch);
      }
      add_tile(rows, tiles, patterns, tile.stored.count, s == begin, gradient, sums);
    }
  }

  const Engine<T>& engine_;
  const Arrivals<T>& arrivals_;
  StateGradients<T> states_;
  std::vector<double> beta_;  ///< [R, H]
  std::vector<double> ds_;    ///< [R, H]
};

}  // namespace hopfield::internal

#endif  // HOPFIELD_KERNELS_ASSOCIATE_SIMD_BACKWARD_STATES_INL_H_
