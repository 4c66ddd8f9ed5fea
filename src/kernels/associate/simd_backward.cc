// Softmax, backward. Scores are recomputed tile by tile from the saved lse: one pass over the
// states gives their gradients and beta's, one over the stored patterns gives theirs (or one does
// both), one more the bias's. With p = exp(score - lse):
//
//   ds = p (<g, v> - <g, out> + g_lse - g_E / beta - g_H (score - lse + H))

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <vector>

#include "kernels/associate/simd_backward_joint-inl.h"
#include "kernels/associate/simd_backward_states-inl.h"
#include "kernels/associate/simd_backward_stored-inl.h"
#include "kernels/associate/simd_gradients.h"
#include "kernels/associate/simd_implementation.h"
#include "kernels/associate/simd_work.h"

namespace hopfield::internal {
namespace {

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
    const GradientTile<T> tile =
        load_gradient_tile(engine_, arrivals_, group.rows.place, item.head, begin, item.num_stored,
                           group.rows.count, scratch);
    TileGradients<T> tiles(engine_, arrivals_, group, scratch);
    tiles.compute(tile);
    for (std::int64_t r = 0; r < group.rows.count; ++r) {
      T* to = to_.bias + item.bag * to_.bias_bag_stride + item.head * to_.bias_head_stride +
              group.rows.state[r] * to_.bias_state_stride + begin * to_.bias_stored_stride;
      const T* ds = tiles.ds() + r * kTile;
      for (std::int64_t s = 0; s < tile.stored.count; ++s) to[s * to_.bias_stored_stride] += ds[s];
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
  const bool of_states = gradients.states.wanted() || !gradients.beta.empty() || bias_by_row;
  if (!arrivals.state) zero_fill(gradients.projections);
  StatePass<T> states(engine, arrivals, gradients, bias_by_row);
  StoredPass<T> stored(engine, arrivals, gradients);
  JointPass<T> joint(engine, arrivals, states, stored);
  if (of_states && stored.wanted() && joint.suits()) {
    joint.run();
  } else {
    if (of_states) states.run();
    if (stored.wanted()) stored.run();
  }
  if (of_states) finish_beta(call, states.beta(), gradients.beta);
  if (bias_by_row) add_row_sums(call, states.row_sums(), gradients);
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
