#ifndef HOPFIELD_KERNELS_ASSOCIATE_SIMD_BACKWARD_TILES_INL_H_
#define HOPFIELD_KERNELS_ASSOCIATE_SIMD_BACKWARD_TILES_INL_H_

// Softmax, backward: p and ds of a group of states against a tile. Part of simd_backward.cc.

#include <cstdint>
#include <vector>

#include "kernels/associate/simd_work.h"

namespace hopfield::internal {

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

/// In double, by four sums in a fixed order: one alone would wait for each of its additions.
template <class T>
double dot_in_double(const T* a, const T* b, std::int64_t depth) {
  double sum[4] = {};
  std::int64_t k = 0;
  for (; k + 4 <= depth; k += 4) {
    for (std::int64_t i = 0; i < 4; ++i) {
      sum[i] += static_cast<double>(a[k + i]) * static_cast<double>(b[k + i]);
    }
  }
  for (; k < depth; ++k) sum[0] += static_cast<double>(a[k]) * static_cast<double>(b[k]);
  return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

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
  const auto pack = [&](const PatternView& view, Buffer<T>& buffer) -> T* {
    if (!arrivals.state) return nullptr;
    T* to = buffer.need(group.rows.count * stride);
    for (std::int64_t r = 0; r < group.rows.count; ++r) {
      engine.kernels.pack_rows(pattern_address(view, group.rows.row(r), item.head), view.dtype,
                               nullptr, 0, 1, engine.value_depth, to + r * stride, stride);
    }
    return to;
  };
  // One after the other, apart from the arithmetic: many rows are on their way from memory then.
  group.cotangents = pack(arrivals.cotangents.state, scratch.cotangents);
  const T* const saved = pack(arrivals.saved.state, scratch.saved);
  for (std::int64_t r = 0; r < group.rows.count; ++r) {
    const auto index = static_cast<std::size_t>(group.rows.output(r, heads));
    double offset = 0;
    if (arrivals.state) {
      offset =
          -dot_in_double(group.cotangents + r * stride, saved + r * stride, engine.value_depth);
    }
    const auto& given = arrivals.cotangents;
    if (!given.lse.empty()) offset += static_cast<double>(given.lse[index]);
    if (!given.energy.empty() && given.energy[index] != 0) {
      offset -= static_cast<double>(given.energy[index]) / beta_of(engine.call.in, item.head);
    }
    group.entropy[r] = given.entropy.empty() ? T{0} : given.entropy[index];
    if (group.entropy[r] != 0) {
      offset -= static_cast<double>(group.entropy[r]) *
                static_cast<double>(arrivals.saved.entropy[index]);
    }
    group.offset[r] = static_cast<T>(offset);
    group.lse[r] = arrivals.saved.lse[index];
  }
}

/// Stored patterns as they are read by TileGradients. For few states they have no columns and are
/// read where they lie.
template <class T>
struct GradientTile {
  StoredTile<T> stored;
  const T* value_columns = nullptr;  ///< of what is read out; null where nothing arrives at it
};

/// Patterns [begin, end) of a bag, kTile at most, for `rows` states altogether.
template <class T>
GradientTile<T> load_gradient_tile(const Engine<T>& engine, const Arrivals<T>& arrivals,
                                   const BagPlace& place, std::int64_t head, std::int64_t begin,
                                   std::int64_t end, std::int64_t rows, Scratch<T>& scratch) {
  const bool cosine = engine.call.in.similarity == Similarity::kCosine;
  if (rows <= FewRowsProduct<T>::kMostRows && !cosine && engine.depth > 0 &&
      engine.value_depth > 0) {
    return {tile_extent(engine, begin, end)};
  }
  GradientTile<T> tile;
  tile.stored = load_tile(engine, place, head, begin, end, cosine, scratch);
  if (!arrivals.state) return tile;
  if (engine.call.shape.tied) {
    tile.value_columns = tile.stored.columns;
    return tile;
  }
  T* columns = scratch.value_columns.need(kTile * engine.value_depth);
  const PatternView& view = engine.values();
  engine.kernels.pack_columns(pattern_address(view, place.stored_begin + begin, head), view.dtype,
                              scales_from(view, place.stored_begin + begin), view.row_stride,
                              tile.stored.count, engine.value_depth, columns);
  tile.value_columns = columns;
  return tile;
}

/// The same patterns as rows.
template <class T>
PatternRows<T> load_tile_rows(const Engine<T>& engine, const BagPlace& place, std::int64_t head,
                              const StoredTile<T>& tile, Scratch<T>& scratch) {
  return load_rows(engine, engine.call.in.stored, place.stored_begin + tile.begin, head, tile.count,
                   scratch.rows);
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

  /// sums[r]: sum_s ds_s and sum_s ds_s similarity_s; visible[r]: patterns seen.
  void compute(const GradientTile<T>& from) {
    const RowGroup<T>& rows = group_.rows;
    const StoredTile<T>& tile = from.stored;
    const bool few = tile.columns == nullptr;
    if (few) {
      few_tile_products(engine_, engine_.call.in.similarity == Similarity::kNegativeSquaredDistance,
                        rows.count, rows.states, engine_.padded_depth, engine_.call.in.stored, rows,
                        tile, similarity_);
    } else {
      tile_similarities(engine_, rows, tile, similarity_);
    }
    if (arrivals_.state) {
      if (few) {
        few_tile_products(engine_, false, rows.count, group_.cotangents, engine_.padded_value_depth,
                          engine_.values(), rows, tile, ds_);
      } else {
        tile_products(engine_, false, rows.count, group_.cotangents, engine_.padded_value_depth,
                      engine_.value_depth, tile, from.value_columns, ds_);
      }
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

  const T* p() const { return p_; }
  const T* ds() const { return ds_; }

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
  const bool plain = !engine.masked ||
                     (all_finite(g.b, g.b_depth, g.depth, g.width) &&
                      (g.center == nullptr || all_finite(g.center, g.center_row, g.rows, g.width)));
  if (plain) return product(g);
  for (std::int64_t r = 0; g.fresh && r < g.rows; ++r) {
    std::fill(g.c + r * g.c_row, g.c + r * g.c_row + g.width, T{0});
  }
  Product<T> one = g;
  one.rows = one.depth = 1;
  one.fresh = false;
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

}  // namespace hopfield::internal

#endif  // HOPFIELD_KERNELS_ASSOCIATE_SIMD_BACKWARD_TILES_INL_H_
