#include "torch/ops/separation.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

namespace hopfield::ops {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kTiny = std::numeric_limits<float>::min();  // keeps sqrt differentiable
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Largest score a row, without gradient (every separation is shift invariant), 0 for empty rows.
struct Shift {
  at::Tensor max;    // [..., 1]
  at::Tensor empty;  // [..., 1] bool
};

Shift shift_of(const at::Tensor& scores) {
  at::Tensor max = scores.detach().amax(-1, /*keepdim=*/true);
  at::Tensor empty = max == -kInfinity;
  max = max.masked_fill(empty, 0);
  return {max, empty};
}

Separated softmax(const at::Tensor& scores) {
  const Shift shift = shift_of(scores);
  const at::Tensor weights = (scores - shift.max).exp();
  const at::Tensor sum = weights.sum(-1, /*keepdim=*/true).masked_fill(shift.empty, 1);
  const at::Tensor lse = (shift.max + sum.log()).masked_fill(shift.empty, -kInfinity);
  return {weights / sum, lse.squeeze(-1), shift.empty.squeeze(-1)};
}

/// A row that holds NaN or +inf has no separation; the support below would hide it.
Separated with_nan_rows(Separated in, const Shift& shift) {
  const at::Tensor bad = shift.max.isfinite().logical_not();
  in.association = in.association.masked_fill(bad, kNan);
  in.lse = in.lse.masked_fill(bad.squeeze(-1), kNan).masked_fill(in.empty, -kInfinity);
  return in;
}

/// The support's scores relative to the maximum, 0 elsewhere, and its size (at least 1).
struct Support {
  at::Tensor inside;  // [..., S] bool
  at::Tensor values;  // [..., S]
  at::Tensor size;    // [..., 1]
};

Support support_above(const at::Tensor& z, const at::Tensor& threshold, const Shift& shift) {
  Support s;
  s.inside = (z.detach() > threshold).logical_and(shift.empty.logical_not());
  s.values = z.masked_fill(s.inside.logical_not(), 0);
  s.size = s.inside.sum(-1, /*keepdim=*/true).clamp_min(1).to(z.scalar_type());
  return s;
}

/// Descending, in double and from `floor` up: prefix sums over many patterns stay finite and exact
/// enough. What lies 1 or more below the maximum (of z / 2 for 1.5-entmax) is in no support.
at::Tensor sorted_above(const at::Tensor& z, double floor) {
  return std::get<0>(z.detach().to(at::kDouble).clamp_min(floor).sort(-1, /*descending=*/true));
}

at::Tensor counts_from_one(const at::Tensor& like) {
  return at::arange(1, like.size(-1) + 1, like.options());
}

// sum [z - tau]_+ = 1.
Separated sparsemax(const at::Tensor& scores) {
  const Shift shift = shift_of(scores);
  const at::Tensor z = scores - shift.max;
  const at::Tensor sorted = sorted_above(z, -2);
  const at::Tensor sum = sorted.cumsum(-1), k = counts_from_one(sorted);
  const at::Tensor count = (1 + k * sorted > sum).sum(-1, /*keepdim=*/true).clamp_min(1);
  const at::Tensor threshold = (sum.gather(-1, count - 1) - 1) / count;

  const Support s = support_above(z, threshold, shift);
  const at::Tensor tau = (s.values.sum(-1, true) - 1) / s.size;
  const at::Tensor p = (s.values - tau).masked_fill(s.inside.logical_not(), 0);
  const at::Tensor conjugate =
      shift.max + (p * s.values).sum(-1, true) - ((p * p).sum(-1, true) - 1) / 2;
  return with_nan_rows({p, conjugate.squeeze(-1), shift.empty.squeeze(-1)}, shift);
}

// sum [z / 2 - tau]_+^2 = 1: with the mean and the scatter of the support's z / 2,
// tau = mean - sqrt((1 - scatter) / size).
Separated entmax15(const at::Tensor& scores) {
  const Shift shift = shift_of(scores);
  const at::Tensor z = (scores - shift.max) / 2;
  const at::Tensor sorted = sorted_above(z, -1.5);
  const at::Tensor k = counts_from_one(sorted);
  const at::Tensor mean = sorted.cumsum(-1) / k;
  const at::Tensor scatter = sorted.square().cumsum(-1) - k * mean.square();
  const at::Tensor candidates = mean - ((1 - scatter) / k).clamp_min(0).sqrt();
  const at::Tensor count = (candidates <= sorted).sum(-1, /*keepdim=*/true).clamp_min(1);
  const at::Tensor threshold = candidates.gather(-1, count - 1);

  const Support s = support_above(z, threshold, shift);
  const at::Tensor outside = s.inside.logical_not();
  const at::Tensor center = s.values.sum(-1, true) / s.size;
  const at::Tensor spread = (s.values - center).masked_fill(outside, 0).square().sum(-1, true);
  const at::Tensor tau = center - ((1 - spread) / s.size).clamp_min(kTiny).sqrt();
  const at::Tensor root = (s.values - tau).masked_fill(outside, 0);
  const at::Tensor p = root.square();
  const at::Tensor conjugate =
      shift.max + 2 * (p * s.values).sum(-1, true) - ((p * root).sum(-1, true) - 1) / 0.75;
  return with_nan_rows({p, conjugate.squeeze(-1), shift.empty.squeeze(-1)}, shift);
}

// Of equal scores the first ones stay: the sort is stable.
Separated top_k_softmax(const at::Tensor& scores, std::int64_t top_k) {
  const std::int64_t count = std::min(top_k, scores.size(-1));
  const at::Tensor order =
      std::get<1>(at::sort(scores.detach(), /*stable=*/true, /*dim=*/-1, /*descending=*/true));
  const at::Tensor dropped = at::ones_like(scores, scores.options().dtype(at::kBool))
                                 .scatter(-1, order.narrow(-1, 0, count), false);
  // A NaN is never dropped: it must show.
  return softmax(
      scores.masked_fill(dropped.logical_and(scores.detach().isnan().logical_not()), -kInfinity));
}

Separated hard_max(const at::Tensor& scores) {
  const Shift shift = shift_of(scores);
  const at::Tensor index = scores.detach().argmax(-1, /*keepdim=*/true);
  const at::Tensor p =
      at::zeros_like(scores.detach()).scatter(-1, index, 1).masked_fill(shift.empty, 0);
  const at::Tensor lse = scores.gather(-1, index).masked_fill(shift.empty, -kInfinity).squeeze(-1);
  return with_nan_rows({p, lse, shift.empty.squeeze(-1)}, shift);
}

}  // namespace

Separated separate(const at::Tensor& scores, Separation separation, std::int64_t top_k) {
  switch (separation) {
    case Separation::kSoftmax:
      return softmax(scores);
    case Separation::kSparsemax:
      return sparsemax(scores);
    case Separation::kEntmax15:
      return entmax15(scores);
    case Separation::kTopKSoftmax:
      return top_k_softmax(scores, top_k);
    case Separation::kMax:
      return hard_max(scores);
  }
  return {};
}

}  // namespace hopfield::ops
