#include "kernels/associate/partials.h"

#include <string>

#include "hopfield/base/error.h"
#include "kernels/associate/validate.h"

namespace hopfield {
namespace internal {

template <class T>
Partials<T> empty_partials(std::int64_t rows, std::int64_t heads, std::int64_t depth) {
  const auto n = static_cast<std::size_t>(rows * heads);
  Partials<T> p;
  p.rows = rows;
  p.heads = heads;
  p.depth = depth;
  p.max.assign(n, -std::numeric_limits<T>::infinity());
  p.sum.assign(n, 0);
  p.acc.assign(n * static_cast<std::size_t>(depth), 0);
  p.moment.assign(n, 0);
  p.max_square_norm.assign(n, 0);
  p.visible.assign(n, 0);
  p.largest_index.assign(n, -1);
  return p;
}
template Partials<float> empty_partials(std::int64_t, std::int64_t, std::int64_t);
template Partials<double> empty_partials(std::int64_t, std::int64_t, std::int64_t);

}  // namespace internal

template <class T>
void merge(Partials<T>& into, const Partials<T>& next) {
  internal::validate_partials(into, "merge", "into");
  internal::validate_partials(next, "merge", "next");
  const auto shape = [](const Partials<T>& p) {
    return internal::shape_text(p.rows, p.heads, p.depth);
  };
  require(into.rows == next.rows && into.heads == next.heads && into.depth == next.depth, "merge",
          "expected partials of equal shape, got " + shape(into) + " and " + shape(next));
  for (std::int64_t i = 0; i < into.rows * into.heads; ++i) {
    auto row = internal::load_row(into, i);
    const auto scales = internal::merge_row(row, internal::load_row(next, i));
    internal::store_row(row, i, into);
    internal::merge_acc(scales, into.depth, next.acc.data() + i * into.depth,
                        into.acc.data() + i * into.depth);
  }
}

template <class T>
void finish(const Partials<T>& partials, const Associations& in, const AssociateOutputs<T>& out) {
  internal::validate_finish(partials, in, out);
  const bool energy = !out.energy.empty();
  for (std::int64_t r = 0; r < partials.rows; ++r) {
    for (std::int64_t h = 0; h < partials.heads; ++h) {
      const std::int64_t i = r * partials.heads + h;
      if (!in.active.empty() && in.active[static_cast<std::size_t>(i)] == 0) continue;
      const auto row = internal::load_row(partials, i);
      const double norm = energy && in.similarity == Similarity::kDot
                              ? internal::square_norm(in.states, r, internal::head_of(in.states, h))
                              : 0.0;
      internal::write_row_scalars(
          out, i, internal::finish_row(row, in.similarity, internal::beta_of(in, h), norm, energy));
      if (out.state.wanted()) {
        internal::finish_state(row, partials.acc.data() + i * partials.depth, partials.depth,
                               out.state.row(r, h));
      }
    }
  }
}

template void merge(Partials<float>&, const Partials<float>&);
template void merge(Partials<double>&, const Partials<double>&);
template void finish(const Partials<float>&, const Associations&, const AssociateOutputs<float>&);
template void finish(const Partials<double>&, const Associations&, const AssociateOutputs<double>&);

}  // namespace hopfield
