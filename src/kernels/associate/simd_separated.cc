// Sparsemax, 1.5-entmax, top-k softmax and max, forward: candidates are streamed, separated exactly
// in double, and only the patterns of the support are read out.

#include "kernels/associate/simd_separated.h"

#include <cmath>

#include "kernels/associate/simd_associations.h"
#include "kernels/associate/simd_implementation.h"

namespace hopfield::internal {

CollectOptions separation_options(const Associations& in, std::int64_t num_top) {
  CollectOptions options;
  options.separation = in.separation;
  options.count = num_top;
  switch (in.separation) {
    case Separation::kSparsemax:
    case Separation::kEntmax15:
      options.keep = CollectOptions::kMargin;
      break;
    case Separation::kTopKSoftmax:
      options.count = std::max(num_top, in.top_k);
      break;
    case Separation::kMax:
      options.count = std::max<std::int64_t>(num_top, 1);
      break;
    case Separation::kSoftmax:
      options.keep = CollectOptions::kAll;
      break;
  }
  return options;
}

template <class T>
void add_weighted(const Engine<T>& engine, const PatternView& view, const BagPlace& place,
                  std::int64_t head, std::span<const std::int64_t> index,
                  std::span<const T> weights, Buffer<T>& gathered, T* sum) {
  constexpr std::size_t kChunk = kTile;
  const std::int64_t stride = engine.padded(view.depth);
  T* rows = gathered.need(kTile * stride);
  for (std::size_t first = 0; first < index.size(); first += kChunk) {
    const std::size_t count = std::min(kChunk, index.size() - first);
    for (std::size_t i = 0; i < count; ++i) {
      engine.kernels.pack_rows(pattern_address(view, place.stored_begin + index[first + i], head),
                               view.dtype, scales_from(view, place.stored_begin + index[first + i]),
                               0, 1, view.depth, rows + static_cast<std::int64_t>(i) * stride,
                               stride);
    }
    Product<T> g;
    g.rows = 1;
    g.width = stride;
    g.depth = static_cast<std::int64_t>(count);
    g.a = weights.data() + first;
    g.b = rows;
    g.b_depth = stride;
    g.c = sum;
    g.c_row = stride;
    engine.kernels.accumulate(g);
  }
}

namespace {

/// One finished row's candidates to its outputs.
template <class T>
class RowWriter {
 public:
  RowWriter(const Engine<T>& engine, const AssociateOutputs<T>& out, const CollectOptions& options)
      : engine_(engine), out_(out), options_(options), places_(engine.call, out) {
    without_energy_ = out;
    without_energy_.energy = {};
  }

  void write(const RowGroup<T>& group, std::int64_t r, RowCandidates<T>& found) const {
    const AssociateCall& call = engine_.call;
    const std::int64_t index = group.output(r, engine_.heads);
    VisibleScores<T> visible;
    SeparatedRow row;
    found.take(options_, visible);
    separate(call.in.separation, call.in.top_k, std::span<const T>(visible.score), row);
    const bool nan = !row.p.empty() && row.p.front() != row.p.front();

    const RowPlace place = {group.row(r),
                            group.bag,
                            group.place.state_begin + group.state[r],
                            group.state[r],
                            group.place.stored_begin,
                            group.place.stored_count};
    // Candidates are fewer than the visible patterns, which the energy counts.
    write_separated_scalars(call, without_energy_, place, group.head, visible, row, 0.0);
    if (!out_.energy.empty()) write_energy(group, place, index, found, row);
    if (out_.state.wanted()) write_state(group, r, visible, row);
    T* association = places_.row(group, r);
    if (association != nullptr && nan) {
      fill_nan(call, place, group.head, association);
      association = nullptr;
    }
    write_distribution(out_, index, visible, row, association, group.place.stored_count);
  }

 private:
  void write_energy(const RowGroup<T>& group, const RowPlace& place, std::int64_t index,
                    const RowCandidates<T>& found, const SeparatedRow& row) const {
    const PatternView& states = engine_.call.in.states;
    out_.energy[static_cast<std::size_t>(index)] = static_cast<T>(
        energy_of(engine_.call.in.similarity, beta_of(engine_.call.in, group.head), row.conjugate,
                  found.visible(), square_norm(states, place.state, head_of(states, group.head)),
                  found.max_square_norm()));
  }

  void write_state(const RowGroup<T>& group, std::int64_t r, const VisibleScores<T>& visible,
                   const SeparatedRow& row) const {
    std::vector<std::int64_t> index;
    std::vector<T> weight;
    for (std::size_t i = 0; i < row.p.size(); ++i) {
      if (row.p[i] == 0) continue;
      index.push_back(visible.index[i]);
      weight.push_back(static_cast<T>(row.p[i]));
    }
    Scratch<T>& scratch = thread_scratch<T>();
    T* sum = scratch.acc.need(engine_.padded_value_depth);
    std::fill(sum, sum + engine_.padded_value_depth, T{0});
    add_weighted(engine_, engine_.values(), group.place, group.head,
                 std::span<const std::int64_t>(index), std::span<const T>(weight),
                 scratch.value_rows, sum);
    T* to = out_.state.row(group.row(r), group.head);
    for (std::int64_t k = 0; k < engine_.value_depth; ++k) to[k] = sum[k];
  }

  /// A row without associations: NaN for what it sees, 0 for what it does not.
  static void fill_nan(const AssociateCall& call, const RowPlace& place, std::int64_t head,
                       T* association) {
    const RowMask<T> mask(call, place, head);
    for (std::int64_t s = 0; s < place.stored_count; ++s) {
      association[s] = mask.visible(s) ? std::numeric_limits<T>::quiet_NaN() : T{0};
    }
  }

  const Engine<T>& engine_;
  const AssociateOutputs<T>& out_;
  const CollectOptions options_;
  const AssociationPlace<T> places_;
  AssociateOutputs<T> without_energy_;
};

}  // namespace

template <class T>
void simd_separated_forward(const TileKernels<T>& kernels, const AssociateCall& call,
                            const AssociateOutputs<T>& out) {
  const Engine<T> engine(call, kernels);
  CollectOptions options = separation_options(call.in, out.num_top);
  options.count = std::min(options.count, call.shape.num_stored);
  options.norms = !out.energy.empty() && call.in.similarity == Similarity::kDot;
  const RowWriter<T> writer(engine, out, options);
  collect<T>(engine, options,
             [&](const RowGroup<T>& group, std::int64_t r, RowCandidates<T>& found) {
               writer.write(group, r, found);
             });
}

#define HOPFIELD_INSTANTIATE(T)                                                                   \
  template void add_weighted(const Engine<T>&, const PatternView&, const BagPlace&, std::int64_t, \
                             std::span<const std::int64_t>, std::span<const T>, Buffer<T>&, T*);  \
  template void simd_separated_forward(const TileKernels<T>&, const AssociateCall&,               \
                                       const AssociateOutputs<T>&);
HOPFIELD_INSTANTIATE(float)
HOPFIELD_INSTANTIATE(double)
#undef HOPFIELD_INSTANTIATE

}  // namespace hopfield::internal
