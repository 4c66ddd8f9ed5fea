#ifndef HOPFIELD_KERNELS_ASSOCIATE_PARTIALS_H_
#define HOPFIELD_KERNELS_ASSOCIATE_PARTIALS_H_

// The arithmetic of partial states: the only place where two of them become one and where one
// becomes a result. Every implementation calls these, so that folding inside `associate`, `merge`
// and merging shards give the same bits.

#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/associate/rows.h"

namespace hopfield::internal {

/// The numbers of one (row, head) besides acc. As in Partials<T>.
template <class T>
struct RowPartial {
  T max = -std::numeric_limits<T>::infinity();
  T sum = 0;
  T moment = 0;
  T max_square_norm = 0;
  std::int64_t visible = 0;
  std::int64_t largest_index = -1;
};

/// How the two weighted sums combine: acc_i := acc_i * into + next_i * next.
template <class T>
struct MergeScales {
  T into = 1, next = 0;
  bool keep = false;     ///< `next` saw nothing: leave acc as it is
  bool replace = false;  ///< `into` saw nothing: copy next's acc
};

/// into := into followed by next, but for acc. "Saw nothing" means visible == 0.
///   scale_x = T(exp(double(m_x) - double(m)))
///   l = l_a * scale_a + l_b * scale_b
///   moment = (mo_a + l_a * (m_a - m)) * scale_a + (mo_b + l_b * (m_b - m)) * scale_b
/// each operation rounded to T. One of the two scales is 1.
template <class T>
MergeScales<T> merge_row(RowPartial<T>& into, const RowPartial<T>& next) {
  MergeScales<T> scales;
  if (next.visible == 0) {
    scales.keep = true;
    return scales;
  }
  if (into.visible == 0) {
    into = next;
    scales.into = 0;
    scales.next = 1;
    scales.replace = true;
    return scales;
  }
  const bool next_wins = next.max > into.max;  // of equals the first
  const T max = next_wins ? next.max : into.max;
  const auto scale = [max](T m) {
    return static_cast<T>(std::exp(static_cast<double>(m) - static_cast<double>(max)));
  };
  const auto shifted = [max](const RowPartial<T>& p) {
    // 0 * (-inf - max) would be NaN where all scores of a part underflowed.
    return p.max == max ? p.moment : p.moment + p.sum * (p.max - max);
  };
  scales.into = next_wins ? scale(into.max) : T{1};
  scales.next = next_wins ? T{1} : scale(next.max);
  into.moment = shifted(into) * scales.into + shifted(next) * scales.next;
  into.sum = into.sum * scales.into + next.sum * scales.next;
  into.max = max;
  if (next_wins) into.largest_index = next.largest_index;
  if (next.max_square_norm > into.max_square_norm) into.max_square_norm = next.max_square_norm;
  into.visible += next.visible;
  return scales;
}

/// The acc part. Elementwise with a fixed rounding, so any vector width gives the same bits.
template <class T>
void merge_acc(const MergeScales<T>& scales, std::int64_t depth, const T* next, T* into) {
  if (scales.keep) return;
  if (scales.replace) {
    for (std::int64_t k = 0; k < depth; ++k) into[k] = next[k];
    return;
  }
  for (std::int64_t k = 0; k < depth; ++k) into[k] = into[k] * scales.into + next[k] * scales.next;
}

/// energy from a row's lse, or from any other separation's conjugate. `square_norm_state` and
/// `max_square_norm` enter for kDot only. All in double; the caller rounds.
inline double energy_of(Similarity similarity, double beta, double lse, std::int64_t visible,
                        double square_norm_state, double max_square_norm) {
  if (visible == 0) return std::numeric_limits<double>::infinity();
  double energy = (std::log(static_cast<double>(visible)) - lse) / beta;
  if (similarity == Similarity::kDot) {
    energy += 0.5 * square_norm_state + 0.5 * max_square_norm;
  }
  return energy;
}

/// What a finished row gives besides the state.
template <class T>
struct RowScalars {
  T lse = -std::numeric_limits<T>::infinity();
  T energy = std::numeric_limits<T>::infinity();
  T entropy = 0;
  T largest = 0;
  std::int64_t largest_index = -1;
};

/// Softmax row: lse = m + log l, entropy = log l - moment / l, largest = 1 / l; computed in double,
/// rounded once.
template <class T>
RowScalars<T> finish_row(const RowPartial<T>& partial, Similarity similarity, double beta,
                         double square_norm_state, bool want_energy) {
  RowScalars<T> row;
  if (partial.visible == 0) return row;
  const double sum = static_cast<double>(partial.sum);
  const double log_sum = std::log(sum);
  const double lse = static_cast<double>(partial.max) + log_sum;
  row.lse = static_cast<T>(lse);
  // The entropy lies in [0, log N]; rounding may leave the lower end by an ulp.
  const double entropy = log_sum - static_cast<double>(partial.moment) / sum;
  row.entropy = static_cast<T>(entropy < 0 ? 0 : entropy);
  row.largest = static_cast<T>(1 / sum);
  row.largest_index = sum == sum ? partial.largest_index : -1;
  if (want_energy) {
    row.energy = static_cast<T>(energy_of(similarity, beta, lse, partial.visible, square_norm_state,
                                          static_cast<double>(partial.max_square_norm)));
  }
  return row;
}

/// state_k = acc_k / l, one rounding; zeros where nothing was visible.
template <class T>
void finish_state(const RowPartial<T>& partial, const T* acc, std::int64_t depth, T* state) {
  for (std::int64_t k = 0; k < depth; ++k)
    state[k] = partial.visible == 0 ? T{0} : acc[k] / partial.sum;
}

/// Writes those of the row's scalars that are wanted, at index row * heads + head.
template <class T>
void write_row_scalars(const AssociateOutputs<T>& out, std::int64_t index,
                       const RowScalars<T>& row) {
  const auto i = static_cast<std::size_t>(index);
  if (!out.lse.empty()) out.lse[i] = row.lse;
  if (!out.energy.empty()) out.energy[i] = row.energy;
  if (!out.entropy.empty()) out.entropy[i] = row.entropy;
  if (!out.largest.empty()) out.largest[i] = row.largest;
  if (!out.largest_index.empty()) out.largest_index[i] = row.largest_index;
}

/// Partials in which nothing was seen.
template <class T>
Partials<T> empty_partials(std::int64_t rows, std::int64_t heads, std::int64_t depth);

/// Element `index` = row * heads + head of a Partials, without acc.
template <class T>
RowPartial<T> load_row(const Partials<T>& partials, std::int64_t index) {
  const auto i = static_cast<std::size_t>(index);
  return {partials.max[i],     partials.sum[i],
          partials.moment[i],  partials.max_square_norm[i],
          partials.visible[i], partials.largest_index[i]};
}
template <class T>
void store_row(const RowPartial<T>& row, std::int64_t index, Partials<T>& partials) {
  const auto i = static_cast<std::size_t>(index);
  partials.max[i] = row.max;
  partials.sum[i] = row.sum;
  partials.moment[i] = row.moment;
  partials.max_square_norm[i] = row.max_square_norm;
  partials.visible[i] = row.visible;
  partials.largest_index[i] = row.largest_index;
}

}  // namespace hopfield::internal

#endif  // HOPFIELD_KERNELS_ASSOCIATE_PARTIALS_H_
