#include "kernels/associate/separation.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "kernels/associate/partials.h"

namespace hopfield::internal {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Positions of the `count` largest values, largest first, of equals the first.
template <class X>
std::vector<std::size_t> largest_positions(std::span<const X> values, std::size_t count) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto before = [&](std::size_t a, std::size_t b) {
    return values[a] > values[b] || (values[a] == values[b] && a < b);
  };
  count = std::min(count, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    before);
  order.resize(count);
  return order;
}

/// Finite scores relative to the maximum, descending.
template <class T>
std::vector<double> sorted_shifted(std::span<const T> scores, double max) {
  std::vector<double> z;
  z.reserve(scores.size());
  for (const T s : scores) {
    if (std::isfinite(s)) z.push_back(static_cast<double>(s) - max);
  }
  std::sort(z.begin(), z.end(), std::greater<>());
  return z;
}

/// tau with sum [z - tau]_+ = 1.
double sparsemax_threshold(const std::vector<double>& z) {
  double sum = 0, tau = 0;
  for (std::size_t k = 0; k < z.size(); ++k) {
    sum += z[k];
    const auto count = static_cast<double>(k + 1);
    if (1 + count * z[k] <= sum) break;
    tau = (sum - 1) / count;
  }
  return tau;
}

/// tau with sum [z / 2 - tau]_+^2 = 1. With k patterns in the support, mean and mean square of
/// their z / 2: k (tau^2 - 2 mean tau + mean_square) = 1, and of the two roots the smaller one.
double entmax15_threshold(const std::vector<double>& z) {
  double mean = 0, scatter = 0, tau = 0;  // scatter = sum (z/2 - mean)^2, updated as by Welford
  for (std::size_t k = 0; k < z.size(); ++k) {
    const double x = z[k] / 2;
    const auto count = static_cast<double>(k + 1);
    const double step = x - mean;
    mean += step / count;
    scatter += step * (x - mean);
    const double discriminant = (1 - scatter) / count;
    if (discriminant < 0) break;
    const double candidate = mean - std::sqrt(discriminant);
    if (candidate > x) break;
    tau = candidate;
  }
  return tau;
}

void fill_nan(SeparatedRow& row) {
  std::fill(row.p.begin(), row.p.end(), kNan);
  row.conjugate = kNan;
}

/// Softmax over the given positions; the others get 0.
template <class T>
void softmax_over(std::span<const T> scores, double max, const std::vector<std::size_t>& positions,
                  SeparatedRow& row) {
  double sum = 0;
  for (const std::size_t i : positions) {
    row.p[i] = std::exp(static_cast<double>(scores[i]) - max);
    sum += row.p[i];
  }
  for (const std::size_t i : positions) row.p[i] /= sum;
  row.conjugate = max + std::log(sum);
}

}  // namespace

template <class T>
void separate(Separation separation, std::int64_t top_k, std::span<const T> scores,
              SeparatedRow& row) {
  row.p.assign(scores.size(), 0.0);
  row.conjugate = -kInfinity;
  if (scores.empty()) return;
  double max = -kInfinity;
  bool nan = false;
  for (const T s : scores) {
    nan = nan || s != s;
    max = std::max(max, static_cast<double>(s));
  }
  if (nan || !std::isfinite(max)) return fill_nan(row);

  switch (separation) {
    case Separation::kSoftmax:
    case Separation::kTopKSoftmax: {
      const std::size_t count =
          separation == Separation::kSoftmax
              ? scores.size()
              : static_cast<std::size_t>(std::min(top_k, static_cast<std::int64_t>(scores.size())));
      std::vector<std::size_t> positions(scores.size());
      std::iota(positions.begin(), positions.end(), std::size_t{0});
      if (count < scores.size()) {
        positions = largest_positions(scores, count);
        std::sort(positions.begin(), positions.end());  // sums run in pattern order
      }
      return softmax_over(scores, max, positions, row);
    }
    case Separation::kMax: {
      row.p[largest_positions(scores, 1).front()] = 1;
      row.conjugate = max;
      return;
    }
    case Separation::kSparsemax: {
      const double tau = sparsemax_threshold(sorted_shifted(scores, max));
      double linear = 0, square = 0;
      for (std::size_t i = 0; i < scores.size(); ++i) {
        const double z = static_cast<double>(scores[i]) - max;
        if (!(z > tau)) continue;
        row.p[i] = z - tau;
        linear += row.p[i] * z;
        square += row.p[i] * row.p[i];
      }
      row.conjugate = max + linear - (square - 1) / 2;
      return;
    }
    case Separation::kEntmax15: {
      const double tau = entmax15_threshold(sorted_shifted(scores, max));
      double linear = 0, power = 0;
      for (std::size_t i = 0; i < scores.size(); ++i) {
        const double z = static_cast<double>(scores[i]) - max;
        const double root = z / 2 - tau;
        if (!(root > 0)) continue;
        row.p[i] = root * root;
        linear += row.p[i] * z;
        power += row.p[i] * root;
      }
      row.conjugate = max + linear - (power - 1) / 0.75;
      return;
    }
  }
}

double jacobian_weight(Separation separation, double p) {
  switch (separation) {
    case Separation::kSoftmax:
    case Separation::kTopKSoftmax:
      return p;
    case Separation::kSparsemax:
      return p == 0 ? 0 : p == p ? 1 : p;
    case Separation::kEntmax15:
      return std::sqrt(p);
    case Separation::kMax:
      return p == p ? 0 : p;
  }
  return 0;
}

std::int64_t smallest_cover(std::vector<double>& weights, double mass) {
  double total = 0;
  bool nan = false;
  for (const double w : weights) nan = nan || w != w;
  if (nan) return 0;
  std::sort(weights.begin(), weights.end(), std::greater<>());
  for (const double w : weights) total += w;  // in the order of the search: mass 1 is reached
  double sum = 0;
  std::int64_t count = 0;
  for (const double w : weights) {
    if (sum >= mass * total) break;
    sum += w;
    ++count;
  }
  return count;
}

template <class T>
void write_separated_scalars(const AssociateCall& call, const AssociateOutputs<T>& out,
                             const RowPlace& place, std::int64_t head,
                             const VisibleScores<T>& visible, const SeparatedRow& row,
                             double max_square_norm) {
  RowScalars<T> scalars;
  if (!row.p.empty()) {
    scalars.lse = static_cast<T>(row.conjugate);
    double entropy = 0;
    std::size_t largest = 0;
    for (std::size_t i = 0; i < row.p.size(); ++i) {
      if (row.p[i] != 0) entropy -= row.p[i] * std::log(row.p[i]);
      if (row.p[i] > row.p[largest]) largest = i;
    }
    scalars.entropy = static_cast<T>(entropy < 0 ? 0 : entropy);
    scalars.largest = static_cast<T>(row.p[largest]);
    scalars.largest_index = row.p[largest] == row.p[largest] ? visible.index[largest] : -1;
    if (!out.energy.empty()) {
      const double norm = square_norm(call.in.states, place.state, head_of(call.in.states, head));
      scalars.energy =
          static_cast<T>(energy_of(call.in.similarity, beta_of(call.in, head), row.conjugate,
                                   static_cast<std::int64_t>(row.p.size()), norm, max_square_norm));
    }
  }
  write_row_scalars(out, place.row * call.shape.heads + head, scalars);
}

template <class T>
void write_top(const AssociateOutputs<T>& out, std::int64_t output_index,
               const VisibleScores<T>& visible, std::span<const double> p) {
  const bool nan = !p.empty() && p.front() != p.front();
  // Associations ascend with the scores, which tell equal or vanished ones apart.
  const auto order = nan ? std::vector<std::size_t>()
                         : largest_positions(std::span<const T>(visible.score),
                                             static_cast<std::size_t>(out.num_top));
  for (std::int64_t k = 0; k < out.num_top; ++k) {
    const auto at = static_cast<std::size_t>(output_index * out.num_top + k);
    const auto rank = static_cast<std::size_t>(k);
    const bool there = rank < order.size();
    if (!out.top.empty()) {
      out.top[at] = there ? static_cast<T>(p[order[rank]])
                    : nan ? std::numeric_limits<T>::quiet_NaN()
                          : T{0};
    }
    if (!out.top_index.empty()) out.top_index[at] = there ? visible.index[order[rank]] : -1;
  }
}

template <class T>
void write_distribution(const AssociateOutputs<T>& out, std::int64_t output_index,
                        const VisibleScores<T>& visible, const SeparatedRow& row,
                        T* association_row, std::int64_t stored_count) {
  if (wants_top(out)) write_top<T>(out, output_index, visible, row.p);
  if (!out.metastable_size.empty()) {
    std::vector<double> weights = row.p;
    out.metastable_size[static_cast<std::size_t>(output_index)] =
        smallest_cover(weights, out.metastable_mass);
  }
  if (association_row != nullptr) {
    for (std::int64_t s = 0; s < stored_count; ++s) association_row[s] = 0;
    for (std::size_t i = 0; i < row.p.size(); ++i) {
      association_row[visible.index[i]] = static_cast<T>(row.p[i]);
    }
  }
}

#define HOPFIELD_INSTANTIATE(T)                                                                 \
  template void write_separated_scalars(const AssociateCall&, const AssociateOutputs<T>&,       \
                                        const RowPlace&, std::int64_t, const VisibleScores<T>&, \
                                        const SeparatedRow&, double);                           \
  template void separate(Separation, std::int64_t, std::span<const T>, SeparatedRow&);          \
  template void write_top(const AssociateOutputs<T>&, std::int64_t, const VisibleScores<T>&,    \
                          std::span<const double>);                                             \
  template void write_distribution(const AssociateOutputs<T>&, std::int64_t,                    \
                                   const VisibleScores<T>&, const SeparatedRow&, T*,            \
                                   std::int64_t);
HOPFIELD_INSTANTIATE(float)
HOPFIELD_INSTANTIATE(double)
#undef HOPFIELD_INSTANTIATE

}  // namespace hopfield::internal
