#include "kernels/associate/simd_collect.h"

#include <cmath>

namespace hopfield::internal {
namespace {

/// A score below this is no nearer to max than the widest support allows: z > -1 for sparsemax,
/// z > -2 for 1.5-entmax. Rounded down, so that nothing is lost.
template <class T>
T support_floor(Separation separation, T max) {
  const double margin = separation == Separation::kSparsemax ? 1.0 : 2.0;
  const auto floor = static_cast<T>(static_cast<double>(max) - margin);
  return std::nextafter(floor, -std::numeric_limits<T>::infinity());
}

constexpr auto kLater = [](const auto& a, const auto& b) { return a.index < b.index; };
constexpr auto kLarger = [](const auto& a, const auto& b) {
  return a.score > b.score || (a.score == b.score && a.index < b.index);
};

}  // namespace

template <class T>
void RowCandidates<T>::see_max(const CollectOptions& options, T max) {
  if (!(max > max_)) return;
  max_ = max;
  if (options.keep == CollectOptions::kMargin) floor_ = support_floor(options.separation, max);
}

template <class T>
void RowCandidates<T>::offer_near(const CollectOptions& options, Candidate c) {
  near_.push_back(c);
  if (near_.size() >= near_limit_) prune_near(options);
}

template <class T>
void RowCandidates<T>::offer_largest(const CollectOptions& options, Candidate c) {
  largest_.push_back(c);
  if (static_cast<std::int64_t>(largest_.size()) - 256 >= 2 * options.count) prune_largest(options);
}

/// Drops what can no longer be in the support: the threshold of a part of the scores is a lower
/// bound of that of all.
template <class T>
void RowCandidates<T>::prune_near(const CollectOptions& options) {
  std::erase_if(near_, [this](const Candidate& c) { return c.score < floor_; });
  if (2 * near_.size() > near_limit_) {
    std::vector<T> scores;
    for (const Candidate& c : near_) scores.push_back(c.score);
    SeparatedRow row;
    separate(options.separation, 0, std::span<const T>(scores), row);
    double lowest = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (row.p[i] > 0) lowest = std::min(lowest, static_cast<double>(scores[i]));
    }
    // The slack is far above the rounding of the threshold: what stays never depends on when this
    // happened, except for scores that end with weight 0.
    std::erase_if(near_, [lowest](const Candidate& c) {
      return static_cast<double>(c.score) < lowest - 1e-3;
    });
  }
  near_limit_ = std::max<std::size_t>(4096, 2 * near_.size());
}

template <class T>
void RowCandidates<T>::prune_largest(const CollectOptions& options) {
  const auto count = static_cast<std::size_t>(options.count);
  if (largest_.size() <= count) return;
  const auto last = largest_.begin() + static_cast<std::ptrdiff_t>(count) - 1;
  std::nth_element(largest_.begin(), last, largest_.end(), kLarger);
  kth_ = last->score;
  largest_.resize(count);
}

template <class T>
void RowCandidates<T>::add(const CollectOptions& options, const T* scores, std::int64_t begin,
                           std::int64_t count, const RowMax<T>& top, const T* bias,
                           std::int64_t visible) {
  constexpr T kBlocked = -std::numeric_limits<T>::infinity();
  if (visible == 0) return;
  visible_ += visible;
  nan_ = nan_ || top.nan;
  see_max(options, top.max);
  if (options.keep == CollectOptions::kAll) {
    for (std::int64_t s = 0; s < count; ++s) {
      if (bias == nullptr || bias[s] != kBlocked) near_.push_back({scores[s], begin + s});
    }
    return;
  }
  if (top.max == kBlocked) return;
  if (options.keep == CollectOptions::kMargin && top.max >= floor_) {
    for (std::int64_t s = 0; s < count; ++s) {
      if (scores[s] >= floor_) offer_near(options, {scores[s], begin + s});
    }
  }
  if (options.count > 0 && top.max > kth_) {
    for (std::int64_t s = 0; s < count; ++s) {
      if (scores[s] > kth_) offer_largest(options, {scores[s], begin + s});
    }
  }
}

template <class T>
void RowCandidates<T>::absorb(const CollectOptions& options, const RowCandidates& next) {
  visible_ += next.visible_;
  nan_ = nan_ || next.nan_;
  see_max(options, next.max_);
  add_norm(next.max_square_norm_);
  if (options.keep == CollectOptions::kAll) {
    near_.insert(near_.end(), next.near_.begin(), next.near_.end());
    return;
  }
  for (const Candidate& c : next.near_) {
    if (c.score >= floor_) offer_near(options, c);
  }
  for (const Candidate& c : next.largest_) {
    if (c.score > kth_) offer_largest(options, c);
  }
}

template <class T>
void RowCandidates<T>::take(const CollectOptions& options, VisibleScores<T>& visible) {
  visible.clear();
  if (visible_ == 0) return;
  if (options.keep != CollectOptions::kAll && (nan_ || !std::isfinite(max_))) {
    visible.score.push_back(std::numeric_limits<T>::quiet_NaN());
    visible.index.push_back(0);
    return;
  }
  if (options.keep == CollectOptions::kMargin) {
    std::erase_if(near_, [this](const Candidate& c) { return c.score < floor_; });
  }
  prune_largest(options);
  near_.insert(near_.end(), largest_.begin(), largest_.end());
  if (!largest_.empty()) {
    std::sort(near_.begin(), near_.end(), kLater);
    const auto same = [](const Candidate& a, const Candidate& b) { return a.index == b.index; };
    near_.erase(std::unique(near_.begin(), near_.end(), same), near_.end());
  }
  for (const Candidate& c : near_) {
    visible.score.push_back(c.score);
    visible.index.push_back(c.index);
  }
}

namespace {

/// One pass over the patterns [begin, end) for all rows of a group.
template <class T>
void scan(const Engine<T>& engine, const CollectOptions& options, const RowGroup<T>& group,
          std::int64_t begin, std::int64_t end, Scratch<T>& scratch, RowCandidates<T>* found) {
  TileMask<T> mask(engine, group.bag, group.head, group.place, scratch.bias);
  T* similarity = scratch.similarity.need(group.count * kTile);
  for (std::int64_t s = begin; s < end; s += kTile) {
    const StoredTile<T> tile =
        compare_tile(engine, group, s, end, options.norms, scratch, similarity);
    mask.start(s, tile.count);
    for (std::int64_t r = 0; r < group.count; ++r) {
      T* row = similarity + r * kTile;
      const T* bias = mask.row(group.state[r]);
      const RowMax<T> top = engine.kernels.score_row(row, tile.count, group.beta, bias, row);
      found[r].add(options, row, s, tile.count, top, bias, mask.visible());
      if (!options.norms) continue;
      for (std::int64_t j = 0; j < tile.count; ++j) {
        if (bias == nullptr || bias[j] != -std::numeric_limits<T>::infinity()) {
          found[r].add_norm(tile.norms[j]);
        }
      }
    }
  }
}

const auto kKeepAll = [](std::int64_t) { return true; };

/// Blocks of one item on all threads, in waves; what they keep is put together in order.
template <class T>
void collect_apart(const Engine<T>& engine, const CollectOptions& options, const Item& item,
                   const CollectVisit<T>& visit) {
  const std::int64_t rows = item.end - item.begin;
  const std::int64_t blocks = num_blocks(item.num_stored, engine.call.block_size);
  const std::int64_t wave = std::min<std::int64_t>(blocks, 8 * engine.call.executor.concurrency());
  std::vector<RowCandidates<T>> all(static_cast<std::size_t>(rows));
  for (std::int64_t first = 0; first < blocks; first += wave) {
    const std::int64_t count = std::min(wave, blocks - first);
    std::vector<RowCandidates<T>> parts(static_cast<std::size_t>(count * rows));
    engine.call.executor.run(count, [&](std::int64_t i) {
      Scratch<T>& scratch = thread_scratch<T>();
      RowGroup<T> group;
      load_group(engine, item, kKeepAll, scratch, group);
      const std::int64_t begin = (first + i) * engine.call.block_size;
      const std::int64_t end = begin + std::min(engine.call.block_size, item.num_stored - begin);
      if (group.count > 0) {
        scan(engine, options, group, begin, end, scratch, parts.data() + i * rows);
      }
    });
    for (std::size_t i = 0; i < parts.size(); ++i) {
      all[i % all.size()].absorb(options, parts[i]);
    }
  }
  RowGroup<T> group;
  load_group(engine, item, kKeepAll, thread_scratch<T>(), group);
  for (std::int64_t r = 0; r < group.count; ++r) {
    visit(group, r, all[static_cast<std::size_t>(r)]);
  }
}

}  // namespace

std::int64_t kept_a_row(const CollectOptions& options, std::int64_t num_stored) {
  std::int64_t kept = options.keep == CollectOptions::kAll ? num_stored : options.count;
  if (options.keep == CollectOptions::kMargin) kept += num_stored / 16;
  return std::min(kept, num_stored);
}

template <class T>
std::int64_t collect_rows(const Engine<T>& engine, const CollectOptions& options) {
  constexpr std::int64_t kBudget = std::int64_t{1} << 20;
  const std::int64_t kept = kept_a_row(options, engine.call.shape.num_stored);
  return std::clamp<std::int64_t>(kBudget / (kept + 1), 1, kForwardRows);
}

template <class T>
void collect_items(const Engine<T>& engine, const CollectOptions& options, const Plan& plan,
                   const CollectVisit<T>& visit) {
  if (plan.split_blocks) {
    for (const Item& item : plan.items) collect_apart(engine, options, item, visit);
    return;
  }
  run_balanced(
      engine.call.executor, static_cast<std::int64_t>(plan.items.size()),
      [&](std::int64_t i) { return item_cost(engine, plan.items[static_cast<std::size_t>(i)]); },
      [&](std::int64_t i) {
        const Item& item = plan.items[static_cast<std::size_t>(i)];
        Scratch<T>& scratch = thread_scratch<T>();
        RowGroup<T> group;
        load_group(engine, item, kKeepAll, scratch, group);
        if (group.count == 0) return;
        std::vector<RowCandidates<T>> found(static_cast<std::size_t>(group.count));
        scan(engine, options, group, 0, item.num_stored, scratch, found.data());
        for (std::int64_t r = 0; r < group.count; ++r) {
          visit(group, r, found[static_cast<std::size_t>(r)]);
        }
      });
}

template <class T>
void collect(const Engine<T>& engine, const CollectOptions& options, const CollectVisit<T>& visit) {
  CollectOptions bounded = options;
  bounded.count = std::min(options.count, engine.call.shape.num_stored);
  collect_items(engine, bounded, make_plan(engine, collect_rows(engine, bounded)), visit);
}

#define HOPFIELD_INSTANTIATE(T)                                                           \
  template class RowCandidates<T>;                                                        \
  template void collect(const Engine<T>&, const CollectOptions&, const CollectVisit<T>&); \
  template void collect_items(const Engine<T>&, const CollectOptions&, const Plan&,       \
                              const CollectVisit<T>&);                                    \
  template std::int64_t collect_rows(const Engine<T>&, const CollectOptions&);
HOPFIELD_INSTANTIATE(float)
HOPFIELD_INSTANTIATE(double)
#undef HOPFIELD_INSTANTIATE

}  // namespace hopfield::internal
