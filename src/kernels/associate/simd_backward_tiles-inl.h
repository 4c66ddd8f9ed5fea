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
  const bool plain = !engine.masked ||
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

}  // namespace hopfield::internal

#endif  // HOPFIELD_KERNELS_ASSOCIATE_SIMD_BACKWARD_TILES_INL_H_
