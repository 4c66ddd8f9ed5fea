#ifndef HOPFIELD_KERNELS_ASSOCIATE_REFERENCE_H_
#define HOPFIELD_KERNELS_ASSOCIATE_REFERENCE_H_

// The plain truth in double: what a score is, and its derivative. For students and tests.

#include <cstdint>
#include <vector>

#include "kernels/associate/partials.h"
#include "kernels/associate/rows.h"
#include "kernels/associate/separation.h"

namespace hopfield::internal {

/// Scores of one state pattern against its bag, one pattern at a time.
template <class T>
class RowScorer {
 public:
  RowScorer(const AssociateCall& call, const RowPlace& place, std::int64_t head);

  /// Reads stored pattern s (within the bag) and scores it; false: it is hidden and was not read.
  bool look_at(std::int64_t s);

  double similarity() const { return similarity_; }
  /// beta * similarity + bias in double, rounded to T once.
  T score() const { return score_; }
  double square_norm() const { return square_norm_; }  ///< |x|^2
  double beta() const { return beta_; }
  const std::vector<double>& pattern() const { return x_; }
  const std::vector<double>& state() const { return xi_; }
  double state_square_norm() const { return state_square_norm_; }

  /// dx += c dsim/dx, dxi += c dsim/dxi, at the pattern last looked at. Null: not wanted.
  void add_gradient(double c, double* dx, double* dxi) const;

 private:
  const AssociateCall& call_;
  RowPlace place_;
  std::int64_t stored_head_;
  RowMask<T> mask_;
  double beta_;
  std::vector<double> xi_, x_;
  double state_square_norm_ = 0, square_norm_ = 0, similarity_ = 0;
  T score_ = 0;
};

template <class T>
std::string_view reference_backward(const AssociateCall& call, const AssociateSaved<T>& saved,
                                    const AssociateCotangents<T>& cotangents,
                                    const AssociateGradients<T>& gradients);

/// The view that is read out: the projections, or the stored patterns when tied.
inline const PatternView& read_out(const AssociateCall& call) {
  return call.shape.tied ? call.in.stored : call.in.projections;
}

}  // namespace hopfield::internal

#endif  // HOPFIELD_KERNELS_ASSOCIATE_REFERENCE_H_
