#ifndef HOPFIELD_KERNELS_ASSOCIATE_SEPARATION_H_
#define HOPFIELD_KERNELS_ASSOCIATE_SEPARATION_H_

// From the scores of one row to its associations, for every separation. Shared by all
// implementations: only the scores come from faster code.

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/associate/rows.h"

namespace hopfield::internal {

/// The visible patterns of one row and their scores, in order.
template <class T>
struct VisibleScores {
  std::vector<T> score;
  std::vector<std::int64_t> index;  ///< within the bag

  void clear() {
    score.clear();
    index.clear();
  }
};

/// Associations p of the visible patterns: p = argmax_p <p, scores> - Omega(p), and that maximum.
struct SeparatedRow {
  std::vector<double> p;  ///< as long as the scores
  double conjugate = 0;   ///< what `lse` reports; -inf without scores
};

/// Exact: sparsemax and 1.5-entmax by sorting. A NaN or +inf among the scores makes everything NaN.
template <class T>
void separate(Separation separation, std::int64_t top_k, std::span<const T> scores,
              SeparatedRow& row);

/// q of the Jacobian dp/dscores = diag(q) - q q^T / sum(q), where p > 0: p (softmax, top-k), 1
/// (sparsemax), sqrt(p) (1.5-entmax), 0 (max).
double jacobian_weight(Separation separation, double p);

/// Fewest weights whose sum reaches `mass` times the sum of all; `weights` is sorted on return.
std::int64_t smallest_cover(std::vector<double>& weights, double mass);

/// Writes lse, energy, entropy, largest and largest_index of a row that was separated (softmax gets
/// them from its partial state instead).
template <class T>
void write_separated_scalars(const AssociateCall& call, const AssociateOutputs<T>& out,
                             const RowPlace& place, std::int64_t head,
                             const VisibleScores<T>& visible, const SeparatedRow& row,
                             double max_square_norm);

/// Whether the largest associations are asked for.
template <class T>
bool wants_top(const AssociateOutputs<T>& out) {
  return out.num_top > 0 && (!out.top.empty() || !out.top_index.empty());
}

/// Writes top of one row, whose visible patterns (or the largest num_top of them) have weights `p`;
/// the first one is NaN for a row that saw NaN.
template <class T>
void write_top(const AssociateOutputs<T>& out, std::int64_t output_index,
               const VisibleScores<T>& visible, std::span<const double> p);

/// Writes top, metastable_size and association of one row, for every separation. `association_row`
/// holds the bag's stored_count entries of this row, or is null.
template <class T>
void write_distribution(const AssociateOutputs<T>& out, std::int64_t output_index,
                        const VisibleScores<T>& visible, const SeparatedRow& row,
                        T* association_row, std::int64_t stored_count);

}  // namespace hopfield::internal

#endif  // HOPFIELD_KERNELS_ASSOCIATE_SEPARATION_H_
