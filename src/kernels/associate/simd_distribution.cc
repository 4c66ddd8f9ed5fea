#include "kernels/associate/simd_distribution.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <vector>

#include "kernels/associate/separation.h"
#include "kernels/associate/simd_collect.h"

namespace hopfield::internal {
namespace {

/// Weights in [0, 1] by exponent and the first four bits of the fraction: a larger weight never has
/// a smaller class.
constexpr int kFractionBits = 23, kKeptBits = 4;
template <class T>
std::size_t class_of(T weight) {
  return std::bit_cast<std::uint32_t>(static_cast<float>(weight)) >> (kFractionBits - kKeptBits);
}
constexpr std::size_t kClasses =
    (std::bit_cast<std::uint32_t>(1.0f) >> (kFractionBits - kKeptBits)) + 1;

/// A row is cut into pieces that depend on its length alone, a multiple of kTile each.
struct Pieces {
  explicit Pieces(std::size_t length)
      : total(static_cast<std::int64_t>(length)),
        each(std::max<std::int64_t>(std::int64_t{1} << 15, (total / 256 + kTile) / kTile * kTile)) {
  }
  std::int64_t count() const { return num_blocks(total, each); }
  template <class X>
  std::span<X> of(std::span<X> row, std::int64_t piece) const {
    const auto begin = static_cast<std::size_t>(piece * each);
    return row.subspan(begin, std::min(static_cast<std::size_t>(each), row.size() - begin));
  }
  std::int64_t total, each;
};

template <class T>
void to_weights(const TileKernels<T>& kernels, std::span<T> scores, T max) {
  T tile[kTile];
  for (std::size_t begin = 0; begin < scores.size(); begin += kTile) {
    const std::size_t count = std::min<std::size_t>(kTile, scores.size() - begin);
    std::fill(std::copy_n(scores.data() + begin, count, tile), tile + kTile, max);
    kernels.exp_row(kTile, max, tile);
    std::copy_n(tile, count, scores.data() + begin);
  }
}

/// How many weights there are of each class, and their sums.
struct Census {
  std::vector<std::int64_t> count = std::vector<std::int64_t>(kClasses);
  std::vector<double> sum = std::vector<double>(kClasses);

  template <class T>
  void add(std::span<const T> weights) {
    for (const T weight : weights) {
      const std::size_t c = class_of(weight);
      ++count[c];
      sum[c] += static_cast<double>(weight);
    }
  }
  void add(const Census& next) {
    for (std::size_t c = 0; c < kClasses; ++c) {
      count[c] += next.count[c];
      sum[c] += next.sum[c];
    }
  }
};

/// Fewest weights whose sum reaches `wanted`, or all. Halves around the last one that is needed.
template <class T>
std::int64_t fewest_reaching(std::span<T> weights, double wanted) {
  std::int64_t taken = 0;
  while (weights.size() > 1) {
    const std::size_t half = weights.size() / 2;
    std::nth_element(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(half),
                     weights.end(), std::greater<>());
    double sum = 0;
    for (const T weight : weights.first(half)) sum += static_cast<double>(weight);
    if (sum >= wanted) {
      weights = weights.first(half);
    } else {
      wanted -= sum;
      taken += static_cast<std::int64_t>(half);
      weights = weights.subspan(half);
    }
  }
  return taken + (!weights.empty() && wanted > 0 ? 1 : 0);
}

}  // namespace

template <class T>
std::int64_t fewest_weights(const TileKernels<T>& kernels, Executor& executor, std::span<T> scores,
                            T max, double mass) {
  const Pieces pieces(scores.size());
  std::vector<Census> parts(static_cast<std::size_t>(pieces.count()));
  executor.run(pieces.count(), [&](std::int64_t i) {
    const std::span<T> weights = pieces.of(scores, i);
    to_weights(kernels, weights, max);
    parts[static_cast<std::size_t>(i)].add(std::span<const T>(weights));
  });
  Census all;
  for (const Census& part : parts) all.add(part);
  double total = 0;
  for (std::size_t c = kClasses; c-- > 0;) total += all.sum[c];  // in the order of the search
  double sum = 0;
  std::int64_t count = 0;
  std::size_t last = kClasses;  // the class where the mass is reached
  while (last-- > 0 && sum + all.sum[last] < mass * total) {
    sum += all.sum[last];
    count += all.count[last];
  }
  if (last >= kClasses) return count;
  std::vector<std::vector<T>> found(parts.size());
  executor.run(pieces.count(), [&](std::int64_t i) {
    for (const T weight : pieces.of(scores, i)) {
      if (class_of(weight) == last) found[static_cast<std::size_t>(i)].push_back(weight);
    }
  });
  std::vector<T> border;
  for (const std::vector<T>& part : found) border.insert(border.end(), part.begin(), part.end());
  return count + fewest_reaching(std::span<T>(border), mass * total - sum);
}

namespace {

template <class T>
RowCandidates<T> largest_of(const Engine<T>& engine, Executor& executor,
                            const CollectOptions& options, std::span<const T> scores) {
  const Pieces pieces(scores.size());
  std::vector<RowCandidates<T>> parts(static_cast<std::size_t>(pieces.count()));
  executor.run(pieces.count(), [&](std::int64_t i) {
    const std::span<const T> piece = pieces.of(scores, i);
    T tile[kTile];  // whole vectors are read, which the last few scores are not
    for (std::size_t begin = 0; begin < piece.size(); begin += kTile) {
      const auto count =
          static_cast<std::int64_t>(std::min<std::size_t>(kTile, piece.size() - begin));
      std::copy_n(piece.data() + begin, count, tile);
      const RowMax<T> top = engine.kernels.score_row(tile, count, T{1}, nullptr, tile);
      parts[static_cast<std::size_t>(i)].add(options, tile,
                                             i * pieces.each + static_cast<std::int64_t>(begin),
                                             count, top, nullptr, count);
    }
  });
  RowCandidates<T> all;
  for (const RowCandidates<T>& part : parts) all.absorb(options, part);
  return all;
}

}  // namespace

template <class T>
void write_softmax_distribution(const Engine<T>& engine, Executor& executor,
                                const AssociateOutputs<T>& out, std::int64_t output_index,
                                const RowPartial<T>& partial, std::span<T> scores,
                                std::span<const std::int64_t> index) {
  const bool nan = partial.sum != partial.sum;
  if (wants_top(out)) {
    CollectOptions options;
    options.count = std::min(out.num_top, static_cast<std::int64_t>(scores.size()));
    VisibleScores<T> largest;
    largest_of(engine, executor, options, std::span<const T>(scores)).take(options, largest);
    std::vector<double> weights;
    for (std::size_t i = 0; i < largest.score.size(); ++i) {
      weights.push_back(
          nan ? std::numeric_limits<double>::quiet_NaN()
              : std::exp(static_cast<double>(largest.score[i]) - static_cast<double>(partial.max)) /
                    static_cast<double>(partial.sum));
      if (!index.empty()) largest.index[i] = index[static_cast<std::size_t>(largest.index[i])];
    }
    write_top(out, output_index, largest, weights);
  }
  if (!out.metastable_size.empty()) {
    out.metastable_size[static_cast<std::size_t>(output_index)] =
        nan || scores.empty()
            ? 0
            : fewest_weights(engine.kernels, executor, scores, partial.max, out.metastable_mass);
  }
}

#define HOPFIELD_INSTANTIATE(T)                                                                    \
  template std::int64_t fewest_weights(const TileKernels<T>&, Executor&, std::span<T>, T, double); \
  template void write_softmax_distribution(                                                        \
      const Engine<T>&, Executor&, const AssociateOutputs<T>&, std::int64_t, const RowPartial<T>&, \
      std::span<T>, std::span<const std::int64_t>);
HOPFIELD_INSTANTIATE(float)
HOPFIELD_INSTANTIATE(double)
#undef HOPFIELD_INSTANTIATE

}  // namespace hopfield::internal
