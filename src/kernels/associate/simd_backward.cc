// Softmax, backward. Scores are recomputed tile by tile from the saved lse: one pass over the
// states gives their gradients and beta's, one over the stored patterns gives theirs, one more the
// bias's.
//
//   p = exp(score - lse)     ds = p (<g, v> - <g, out> + g_lse - g_E / beta - g_H (score - lse +
//   H))

#include <cmath>

#include "kernels/associate/simd_gradients.h"
#include "kernels/associate/simd_implementation.h"
#include "kernels/associate/simd_work.h"

namespace hopfield::internal {
namespace {

/// What arrives at a call, and what of it a tile needs.
template <class T>
struct Arrivals {
  const AssociateSaved<T>& saved;
  const AssociateCotangents<T>& cotangents;
  bool state;                      ///< a cotangent of the state arrives
  bool similarities;               ///< sum_s ds_s similarity_s is wanted
  std::vector<std::uint8_t> dead;  ///< [R, H] rows without a visible pattern; they have no gradient
};

/// The states of an item with what arrives at them.
template <class T>
struct GradientGroup {
  RowGroup<T> rows;
  const T* cotangents = nullptr;  ///< [count, padded value depth], or null
  T offset[kGroupRows] = {};
  T lse[kGroupRows] = {};
  T entropy[kGroupRows] = {};
};

template <class T>
void load_gradient_group(const Engine<T>& engine, const Arrivals<T>& arrivals, const Item& item,
                         Scratch<T>& scratch, GradientGroup<T>& group) {
  const std::int64_t heads = engine.heads;
  load_group(
      engine, item,
      [&](std::int64_t row) {
        return arrivals.dead[static_cast<std::size_t>(row * heads + item.head)] == 0;
      },
      scratch, group.rows);
  const std::int64_t stride = engine.padded_value_depth;
  T* cotangents = arrivals.state ? scratch.cotangents.need(group.rows.count * stride) : nullptr;
  group.cotangents = cotangents;
  std::vector<double> out(static_cast<std::size_t>(arrivals.state ? engine.value_depth : 0));
  for (std::int64_t r = 0; r < group.rows.count; ++r) {
    const std::int64_t row = group.rows.row(r);
    const auto index = static_cast<std::size_t>(group.rows.output(r, heads));
    double offset = 0;
    if (arrivals.state) {
      const PatternView& g = arrivals.cotangents.state;
      engine.kernels.pack_rows(pattern_address(g, row, item.head), g.dtype, 0, 1,
                               engine.value_depth, cotangents + r * stride, stride);
      read_row(arrivals.saved.state, row, item.head, out.data());
      for (std::size_t k = 0; k < out.size(); ++k) {
        offset -=
            static_cast<double>(cotangents[r * stride + static_cast<std::int64_t>(k)]) * out[k];
      }
    }
    const auto& given = arrivals.cotangents;
    if (!given.lse.empty()) offset += static_cast<double>(given.lse[index]);
    if (!given.energy.empty() && given.energy[index] != 0) {
      offset -= static_cast<double>(given.energy[index]) / beta_of(engine.call.in, item.head);
    }
    if (!given.entropy.empty()) {
      group.entropy[r] = given.entropy[index];
      if (group.entropy[r] != 0) {
        offset -= static_cast<double>(group.entropy[r]) *
                  static_cast<double>(arrivals.saved.entropy[index]);
      }
    }
    group.offset[r] = static_cast<T>(offset);
    group.lse[r] = arrivals.saved.lse[index];
  }
}

/// p and ds of a group against a tile, rows kTile apart.
template <class T>
class TileGradients {
 public:
  TileGradients(const Engine<T>& engine, const Arrivals<T>& arrivals, const GradientGroup<T>& group,
                Scratch<T>& scratch)
      : engine_(engine),
        arrivals_(arrivals),
        group_(group),
        scratch_(scratch),
        mask_(engine, group.rows.bag, group.rows.head, group.rows.place, scratch.bias),
        similarity_(scratch.similarity.need(group.rows.count * kTile)),
        p_(scratch.scores.need(group.rows.count * kTile)),
        ds_(scratch.u.need(group.rows.count * kTile)) {}

  /// Columns of the patterns that are read out, for compute(). To be called once a tile.
  static const T* load_value_columns(const Engine<T>& engine, const RowGroup<T>& rows,
                                     const StoredTile<T>& tile, Scratch<T>& scratch) {
    if (engine.call.shape.tied) return tile.columns;
    T* columns = scratch.value_columns.need(kTile * engine.value_depth);
    const PatternView& view = engine.values();
    engine.kernels.pack_columns(
        pattern_address(view, rows.place.stored_begin + tile.begin, rows.head), view.dtype,
        view.row_stride, tile.count, engine.value_depth, columns);
    return columns;
  }

  /// sums[r]: sum_s ds_s and sum_s ds_s similarity_s; visible[r]: patterns seen.
  void compute(const StoredTile<T>& tile, const T* value_columns) {
    const RowGroup<T>& rows = group_.rows;
    tile_similarities(engine_, rows, tile, similarity_);
    if (arrivals_.state) {
      tile_products(engine_, false, rows.count, group_.cotangents, engine_.padded_value_depth,
                    engine_.value_depth, tile, value_columns, ds_);
      if (tile.logical > tile.padded) {  // the kernel reads whole kLogicalLanes
        for (std::int64_t r = 0; r < rows.count; ++r) {
          std::fill(ds_ + r * kTile + tile.padded, ds_ + r * kTile + tile.logical, T{0});
        }
      }
    }
    mask_.start(tile.begin, tile.count);
    for (std::int64_t r = 0; r < rows.count; ++r) {
      T* p = p_ + r * kTile;
      T* similarity = similarity_ + r * kTile;
      std::fill(similarity + tile.count, similarity + tile.logical, T{0});
      engine_.kernels.score_row(similarity, tile.count, rows.beta, mask_.row(rows.state[r]), p);
      visible[r] = mask_.visible();
      GradientRow<T> g;
      g.count = tile.logical;
      g.scores = g.p = p;
      g.p = p;
      g.u = arrivals_.state ? ds_ + r * kTile : nullptr;
      g.similarity = arrivals_.similarities ? similarity : nullptr;
      g.lse = group_.lse[r];
      g.offset = group_.offset[r];
      g.entropy = group_.entropy[r];
      g.ds = ds_ + r * kTile;
      sums[r] = engine_.kernels.gradient_row(g);
    }
  }

  /// Cosine: turns ds into the weights of the patterns; along_s += sum_r ds similarity.
  void weigh_cosine(const StoredTile<T>& tile, T* along) {
    for (std::int64_t r = 0; r < group_.rows.count; ++r) {
      CosineGradientRow<T> g;
      g.count = tile.padded;
      g.norms = tile.norms;
      g.norm = group_.rows.norms[r];
      g.similarity = similarity_ + r * kTile;
      g.ds = ds_ + r * kTile;
      g.along = along;
      engine_.kernels.cosine_gradient_row(g);
    }
  }

  T* p() const { return p_; }
  T* ds() const { return ds_; }

  RowSums<T> sums[kGroupRows];
  std::int64_t visible[kGroupRows];

 private:
  const Engine<T>& engine_;
  const Arrivals<T>& arrivals_;
  const GradientGroup<T>& group_;
  Scratch<T>& scratch_;
  TileMask<T> mask_;
  T* similarity_;
  T* p_;
  T* ds_;
};

/// c += a b by `product`. Where a blocked association has a weight of exactly 0, what it would be
/// multiplied by must not turn that into NaN: with masks and operands that are not finite, entries
/// of weight 0 are left out one by one.
template <class T>
void accumulate_visible(const Engine<T>& engine, void (*product)(const Product<T>&),
                        const Product<T>& g) {
  const bool plain =
      !engine.masked ||
      (all_finite(g.b, g.b_depth, g.depth, g.width) &&
       (g.center == nullptr || all_finite(g.center, g.center_row, g.rows, g.width)));
  if (plain) return product(g);
  Product<T> one = g;
  one.rows = one.depth = 1;
  for (std::int64_t r = 0; r < g.rows; ++r) {
    for (std::int64_t k = 0; k < g.depth; ++k) {
      one.a = g.a + r * g.a_row + k * g.a_depth;
      if (*one.a == 0) continue;
      one.b = g.b + k * g.b_depth;
      one.c = g.c + r * g.c_row;
      one.center = g.center == nullptr ? nullptr : g.center + r * g.center_row;
      product(one);
    }
  }
}

/// Sums of one row over some of its stored patterns.
struct RowTotals {
  double moment = 0;  ///< sum ds similarity
  double ds = 0;
  std::int64_t visible = 0;
};

// ------------------------------------------------------------------ pass over the states

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
    const Plan plan = make_plan(engine_);
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
    states_.finish();
  }

  const std::vector<double>& beta() const { return beta_; }
  const std::vector<double>& row_sums() const { return ds_; }

 private:
  std::int64_t stride() const { return engine_.padded_depth; }

  void run_here(const Item& item) {
    states_.zero(item);
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
    states_.zero(item);
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
    const Similarity similarity = engine_.call.in.similarity;
    std::fill(gradient, gradient + rows.count * stride(), T{0});
    std::fill(sums, sums + rows.count, RowTotals());
    TileGradients<T> tiles(engine_, arrivals_, group, scratch);
    for (std::int64_t s = begin; s < end; s += kTile) {
      const StoredTile<T> tile = load_tile(engine_, rows.place, rows.head, s, end,
                                           similarity == Similarity::kCosine, scratch);
      tiles.compute(tile, arrivals_.state
                              ? TileGradients<T>::load_value_columns(engine_, rows, tile, scratch)
                              : nullptr);
      for (std::int64_t r = 0; r < rows.count; ++r) {
        sums[r].ds += static_cast<double>(tiles.sums[r].sum);
        sums[r].moment += static_cast<double>(tiles.sums[r].moment);
        sums[r].visible += tiles.visible[r];
      }
      if (!states_.wanted()) continue;
      if (similarity == Similarity::kCosine) tiles.weigh_cosine(tile, nullptr);
      const PatternRows<T> patterns =
          load_rows(engine_, engine_.call.in.stored, rows.place.stored_begin + s, rows.head,
                    tile.count, scratch.rows);
      Product<T> g;
      g.rows = rows.count;
      g.width = stride();
      g.depth = tile.count;
      g.a = tiles.ds();
      g.a_row = kTile;
      g.b = patterns.data;
      g.b_depth = patterns.stride;
      g.c = gradient;
      g.c_row = stride();
      g.center = rows.states;
      g.center_row = stride();
      accumulate_visible(engine_,
                         similarity == Similarity::kNegativeSquaredDistance
                             ? engine_.kernels.accumulate_difference
                             : engine_.kernels.accumulate,
                         g);
    }
  }

  void add(std::int64_t rows, const T* part, const RowTotals* part_sums, T* total,
           RowTotals* sums) {
    for (std::int64_t i = 0; i < rows * stride(); ++i) total[i] += part[i];
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
      for (std::int64_t k = 0; k < engine_.depth; ++k) {
        const double passed = scale * static_cast<double>(from[k]);
        to[k] = static_cast<T>(own == 0 ? passed : passed + own * static_cast<double>(xi[k]));
      }
    }
  }

  const Engine<T>& engine_;
  const Arrivals<T>& arrivals_;
  StateGradients<T> states_;
  std::vector<double> beta_;  ///< [R, H]
  std::vector<double> ds_;    ///< [R, H]
};

// ------------------------------------------------------------------ pass over the stored patterns

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

  void run_here(const Target& target) {
    const std::int64_t stored_size = kTile * stored_stride(), value_size = kTile * value_stride();
    std::vector<T> totals(static_cast<std::size_t>(stored_size * engine_.call.in.stored.heads +
                                                   value_size * engine_.values().heads));
    Scratch<T>& scratch = thread_scratch<T>();
    T* part = scratch.total.need(stored_size + value_size);
    for (const Item& span : spans_of(target)) {
      run_span(target, span, scratch, part);
      add(span.head, part, totals);
    }
    write(target, totals);
  }

  void run_apart(const Target& target) {
    const std::int64_t stored_size = kTile * stored_stride(), value_size = kTile * value_stride();
    const std::int64_t size = stored_size + value_size;
    std::vector<T> totals(static_cast<std::size_t>(stored_size * engine_.call.in.stored.heads +
                                                   value_size * engine_.values().heads));
    const std::vector<Item> spans = spans_of(target);
    const auto count = static_cast<std::int64_t>(spans.size());
    const std::int64_t wave = std::min(
        count, std::max<std::int64_t>(2 * engine_.call.executor.concurrency(),
                                      (std::int64_t{8} << 20) / std::max<std::int64_t>(size, 1)));
    Buffer<T> parts;
    parts.need(wave * size);
    for (std::int64_t first = 0; first < count; first += wave) {
      const std::int64_t now = std::min(wave, count - first);
      engine_.call.executor.run(now, [&](std::int64_t i) {
        run_span(target, spans[static_cast<std::size_t>(first + i)], thread_scratch<T>(),
                 parts.data() + i * size);
      });
      for (std::int64_t i = 0; i < now; ++i) {
        add(spans[static_cast<std::size_t>(first + i)].head, parts.data() + i * size, totals);
      }
    }
    write(target, totals);
  }

  void add(std::int64_t head, const T* part, std::vector<T>& totals) const {
    const std::int64_t stored_size = kTile * stored_stride(), value_size = kTile * value_stride();
    T* stored =
        totals.data() + head_of(engine_.call.in.stored, heads_apart_ ? 0 : head) * stored_size;
    T* values = totals.data() + engine_.call.in.stored.heads * stored_size +
                head_of(engine_.values(), heads_apart_ ? 0 : head) * value_size;
    for (std::int64_t i = 0; i < stored_size; ++i) stored[i] += part[i];
    for (std::int64_t i = 0; i < value_size; ++i) values[i] += part[stored_size + i];
  }

  void write(const Target& target, const std::vector<T>& totals) const {
    const std::int64_t stored_size = kTile * stored_stride(), value_size = kTile * value_stride();
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
    if (want_stored_) copy(stored_, totals.data(), stored_stride(), stored_size);
    if (value_stride() > 0) {
      copy(values_, totals.data() + engine_.call.in.stored.heads * stored_size, value_stride(),
           value_size);
    }
  }

  /// What the states of a span contribute to a tile: part = stored [kTile, stride], values
  /// [kTile, stride].
  void run_span(const Target& target, const Item& span, Scratch<T>& scratch, T* part) {
    const Similarity similarity = engine_.call.in.similarity;
    const std::int64_t stored_size = kTile * stored_stride();
    std::fill(part, part + stored_size + kTile * value_stride(), T{0});
    // With tied patterns, both kinds of gradients go to the same place, but by different factors.
    T* tied_values = nullptr;
    if (want_values_ && engine_.call.shape.tied) {
      tied_values = scratch.value_gradient.need(kTile * engine_.padded_value_depth);
      std::fill(tied_values, tied_values + kTile * engine_.padded_value_depth, T{0});
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
        g.c = tied_values != nullptr ? tied_values : part + stored_size;
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

// ------------------------------------------------------------------ pass for the bias

/// Whether no two of the (bag, head, state, stored) share an element of the bias gradient, but for
/// strides of 0.
template <class T>
bool is_nested(const AssociateCall& call, const AssociateGradients<T>& to) {
  std::int64_t most_states = 0, most_stored = 0;
  for (std::int64_t b = 0; b < call.shape.num_bags; ++b) {
    const BagPlace place = locate_bag(call, b);
    most_states = std::max(most_states, place.state_count);
    most_stored = std::max(most_stored, place.stored_count);
  }
  struct Dimension {
    std::int64_t stride, extent;
  };
  Dimension dimensions[] = {{to.bias_bag_stride, call.shape.num_bags},
                            {to.bias_head_stride, call.shape.heads},
                            {to.bias_state_stride, most_states},
                            {to.bias_stored_stride, most_stored}};
  std::sort(std::begin(dimensions), std::end(dimensions),
            [](const Dimension& a, const Dimension& b) { return a.stride < b.stride; });
  std::int64_t covered = 1;
  for (const Dimension& one : dimensions) {
    if (one.stride == 0 || one.extent <= 1) continue;
    if (one.stride < covered) return false;
    covered = one.stride * one.extent;
  }
  return true;
}

template <class T>
class BiasPass {
 public:
  BiasPass(const Engine<T>& engine, const Arrivals<T>& arrivals, const AssociateGradients<T>& to)
      : engine_(engine), arrivals_(arrivals), to_(to) {}

  /// Tiles in parallel where each has its own elements. Sums run over bag, head, state.
  void run() {
    std::int64_t most = 0;
    for (std::int64_t b = 0; b < engine_.call.shape.num_bags; ++b) {
      most = std::max(most, locate_bag(engine_.call, b).stored_count);
    }
    const std::vector<Item> items = make_items(engine_.call, kGroupRows);
    const std::int64_t tiles = num_blocks(most, kTile);
    const auto run_tile = [&](std::int64_t i) {
      for (const Item& item : items) run_item(item, i * kTile);
    };
    if (is_nested(engine_.call, to_)) {
      engine_.call.executor.run(tiles, run_tile);
    } else {
      for (std::int64_t i = 0; i < tiles; ++i) run_tile(i);
    }
  }

 private:
  void run_item(const Item& item, std::int64_t begin) {
    if (begin >= item.num_stored) return;
    Scratch<T>& scratch = thread_scratch<T>();
    GradientGroup<T> group;
    load_gradient_group(engine_, arrivals_, item, scratch, group);
    if (group.rows.count == 0) return;
    const StoredTile<T> tile = load_tile(
        engine_, group.rows.place, item.head, begin, std::min(item.num_stored, begin + kTile),
        engine_.call.in.similarity == Similarity::kCosine, scratch);
    TileGradients<T> tiles(engine_, arrivals_, group, scratch);
    tiles.compute(tile, arrivals_.state ? TileGradients<T>::load_value_columns(engine_, group.rows,
                                                                               tile, scratch)
                                        : nullptr);
    for (std::int64_t r = 0; r < group.rows.count; ++r) {
      T* to = to_.bias + item.bag * to_.bias_bag_stride + item.head * to_.bias_head_stride +
              group.rows.state[r] * to_.bias_state_stride + begin * to_.bias_stored_stride;
      const T* ds = tiles.ds() + r * kTile;
      for (std::int64_t s = 0; s < tile.count; ++s) to[s * to_.bias_stored_stride] += ds[s];
    }
  }

  const Engine<T>& engine_;
  const Arrivals<T>& arrivals_;
  const AssociateGradients<T>& to_;
};

/// A bias that is the same for all stored patterns collects the rows' sums.
template <class T>
void add_row_sums(const AssociateCall& call, const std::vector<double>& sums,
                  const AssociateGradients<T>& to) {
  for (std::int64_t b = 0; b < call.shape.num_bags; ++b) {
    const BagPlace place = locate_bag(call, b);
    for (std::int64_t h = 0; h < call.shape.heads && place.stored_count > 0; ++h) {
      for (std::int64_t t = 0; t < place.state_count; ++t) {
        to.bias[b * to.bias_bag_stride + h * to.bias_head_stride + t * to.bias_state_stride] +=
            static_cast<T>(
                sums[static_cast<std::size_t>((place.row_begin + t) * call.shape.heads + h)]);
      }
    }
  }
}

template <class T>
std::vector<std::uint8_t> find_dead(const AssociateCall& call, std::span<const T> lse) {
  std::vector<std::uint8_t> dead(static_cast<std::size_t>(call.shape.rows * call.shape.heads));
  for (std::size_t i = 0; i < dead.size(); ++i) {
    const bool skipped = !call.in.active.empty() && call.in.active[i] == 0;
    dead[i] = skipped || lse[i] == -std::numeric_limits<T>::infinity();
  }
  return dead;
}

}  // namespace

template <class T>
void simd_softmax_backward(const TileKernels<T>& kernels, const AssociateCall& call,
                           const AssociateSaved<T>& saved, const AssociateCotangents<T>& cotangents,
                           const AssociateGradients<T>& gradients) {
  const Engine<T> engine(call, kernels);
  const bool cosine = call.in.similarity == Similarity::kCosine;
  const Arrivals<T> arrivals = {saved, cotangents, cotangents.state.given(),
                                !gradients.beta.empty() || cosine, find_dead(call, saved.lse)};
  const bool bias_by_row = gradients.bias != nullptr && gradients.bias_stored_stride == 0;
  if (gradients.states.wanted() || !gradients.beta.empty() || bias_by_row) {
    StatePass<T> pass(engine, arrivals, gradients, bias_by_row);
    pass.run();
    finish_beta(call, pass.beta(), gradients.beta);
    if (bias_by_row) add_row_sums(call, pass.row_sums(), gradients);
  }
  if (!arrivals.state) zero_fill(gradients.projections);
  if (gradients.stored.wanted() || gradients.projections.wanted()) {
    StoredPass<T>(engine, arrivals, gradients).run();
  }
  if (gradients.stored.wanted() && !cotangents.energy.empty() &&
      call.in.similarity == Similarity::kDot) {
    add_largest_norm_gradient(engine, cotangents.energy, arrivals.dead, gradients.stored);
  }
  if (gradients.bias != nullptr && !bias_by_row) {
    BiasPass<T>(engine, arrivals, gradients).run();
  }
}

#define HOPFIELD_INSTANTIATE(T)                                                                \
  template void simd_softmax_backward(const TileKernels<T>&, const AssociateCall&,             \
                                      const AssociateSaved<T>&, const AssociateCotangents<T>&, \
                                      const AssociateGradients<T>&);
HOPFIELD_INSTANTIATE(float)
HOPFIELD_INSTANTIATE(double)
#undef HOPFIELD_INSTANTIATE

}  // namespace hopfield::internal
