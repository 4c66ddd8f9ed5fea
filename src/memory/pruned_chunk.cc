#include "memory/pruned_chunk.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>

#include "memory/pattern_rows.h"

namespace hopfield::internal {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// States whose centroid scores one task computes side by side.
constexpr std::int64_t kGroup = 4;
/// Where more than 1 / kWorth of the patterns have to be visited, all are: a pattern that one state
/// visits costs some 25 times as much as one that 64 states do.
constexpr std::int64_t kWorth = 32;
/// The same for blocks whose sketches are yet to tell which of their patterns must be visited.
constexpr std::int64_t kWorthSketches = 3;
/// Numbers that are gathered for one call.
constexpr std::int64_t kGathered = std::int64_t{1} << 22;
/// Far from where squares overflow in T.
constexpr double kLargest = 1e30;
/// Scores above this are too coarse in double for a bound on e^score.
constexpr double kLargestScore = 1e12;

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// One state against one block.
struct Pair {
  std::int64_t block, state;
};

/// A state's association with the blocks visited so far.
struct Seen {
  double max = -kInfinity, sum = 0;  ///< lse = max + log(sum)
  double largest_score = -kInfinity;
  std::int64_t largest_index = -1, visited = 0;

  double lse() const { return max + std::log(sum); }
};

/// What is known of a state before its patterns are looked at.
struct Cue {
  double norm = 0;
  double reach = 0;  ///< no score, nor what rounding starts from, is larger
  bool pruned = false;
  double threshold = 0;    ///< log mass, relative to the lse, that a block may have and be left out
  std::int64_t best = -1;  ///< the block to visit next; at first that of the likest centroid
  double best_likeness = 0;
};

/// Some states side by side.
template <class T>
class Chunk {
 public:
  Chunk(const PrunedBlocks<T>& blocks, const PatternView& states, double beta,
        const PruneOptions& options, std::int64_t first, PrunedAssociation<T>& result)
      : blocks_(blocks),
        beta_(beta),
        options_(options),
        executor_(options.executor != nullptr ? *options.executor : default_executor()),
        distance_(options.similarity == Similarity::kNegativeSquaredDistance),
        depth_(states.depth),
        summary_depth_(blocks.summaries().depth),
        first_(first),
        result_(result),
        cues_(index(states.rows)),
        seen_(cues_.size()),
        states_(index(states.rows * depth_)),
        sums_(states_.size(), 0) {
    for (std::int64_t t = 0; t < states.rows; ++t) {
      load_row(states, t, 0, states_.data() + t * depth_);
    }
  }

  /// Writes the results of the states that are pruned; sets `whole` of the others.
  void run(std::vector<std::uint8_t>& whole) {
    for (std::size_t t = 0; t < cues_.size(); ++t) look_at(t);
    if (any_pruned()) {
      if (blocks_.sketched) make_sketches();
      bounds_.resize(index(blocks_.num_blocks()) * cues_.size());
      wanted_.assign(bounds_.size(), 0);
      bound_by_balls();
      visit_best();
      if (blocks_.sketched) {
        bound_by_sketches();
        visit_best();
      }
      give_up(blocks_.sketched ? kWorthSketches : kWorth);
      if (blocks_.sketched) {
        visit_patterns();
      } else {
        visit(wanted_pairs());
      }
    }
    for (std::size_t t = 0; t < cues_.size(); ++t) {
      if (cues_[t].pruned) {
        finish(t);
      } else {
        whole[index(first_) + t] = 1;
      }
    }
  }

 private:
  std::size_t at(std::int64_t block, std::size_t state) const {
    return index(block) * cues_.size() + state;
  }
  double& bound(std::int64_t block, std::size_t state) {
    return bounds_[state * index(blocks_.num_blocks()) + index(block)];
  }
  bool any_pruned() const {
    return std::any_of(cues_.begin(), cues_.end(), [](const Cue& cue) { return cue.pruned; });
  }
  /// Largest error of a score, or of the log of a sum of exponentials, that T's rounding of `depth`
  /// products, or of `count` summands, can make. docs/math/pruning.md.
  double score_error(const Cue& cue, std::int64_t depth) const {
    return static_cast<double>(depth + 16) * kUnit * cue.reach;
  }
  /// The same for scores of what blocks are summed up by, against those of the patterns.
  double summary_error(const Cue& cue) const {
    return score_error(cue, summary_depth_) +
           (blocks_.sketched ? blocks_.directions.error * cue.reach : 0);
  }
  double sum_error(std::int64_t count) const { return static_cast<double>(count + 64) * kUnit; }

  void look_at(std::size_t t) {
    Cue& cue = cues_[t];
    double square = 0;
    for (std::int64_t k = 0; k < depth_; ++k) {
      const auto x = static_cast<double>(states_[t * index(depth_) + index(k)]);
      square += x * x;
    }
    cue.norm = std::sqrt(square) * (1 + 1e-9);
    const double lengths = blocks_.norm_max + cue.norm;
    cue.reach = beta_ * (distance_ ? lengths * lengths : blocks_.norm_max * cue.norm);
    // Of the mass; infinite for patterns of length 0. Less by more than exponents are rounded.
    const double share = (1 - 1e-3) * options_.tolerance / (2 * blocks_.norm_max);
    cue.threshold = std::log(share / static_cast<double>(blocks_.num_blocks()));
    // Scores lie within `reach` (distance) or twice that of each other. If this is less than what a
    // block has to lack, no block can be left out.
    const bool can = (distance_ ? 1 : 2) * cue.reach > -std::log(share);
    const bool safe = lengths * lengths < kLargest && cue.reach < kLargestScore && beta_ < kLargest;
    cue.pruned = can && safe;  // false for NaN
  }

  // ---- bounds of blocks by centroid, radius and norm

  void make_sketches() {
    const std::int64_t length = blocks_.directions.count + 1;
    sketches_.resize(cues_.size() * index(length));
    executor_.run(static_cast<std::int64_t>(cues_.size()), [&](std::int64_t t) {
      const T* state = states_.data() + t * depth_;
      std::vector<double> x(state, state + depth_);
      blocks_.directions.sketch(x, sketches_.data() + t * length);
    });
  }

  void bound_by_balls() {
    const auto num_states = static_cast<std::int64_t>(cues_.size());
    executor_.run((num_states + kGroup - 1) / kGroup, [&](std::int64_t group) {
      const std::int64_t begin = group * kGroup;
      const std::int64_t count = std::min(kGroup, num_states - begin);
      for (std::int64_t b = 0; b < blocks_.num_blocks(); b += kCentroidPanel) {
        bound_panel(b, begin, count);
      }
    });
  }

  void bound_panel(std::int64_t block, std::int64_t begin, std::int64_t count) {
    const std::int64_t width = std::min(kCentroidPanel, blocks_.num_blocks() - block);
    T similarity[kGroup][kCentroidPanel] = {};
    const std::vector<T>& states = blocks_.sketched ? sketches_ : states_;
    const T* column = blocks_.centroids.data() + block * summary_depth_;
    for (std::int64_t k = 0; k < summary_depth_; ++k, column += kCentroidPanel) {
      for (std::int64_t s = 0; s < count; ++s) {
        const T x = states[index((begin + s) * summary_depth_ + k)];
        if (distance_) {
          for (std::int64_t b = 0; b < kCentroidPanel; ++b) {
            similarity[s][b] += (x - column[b]) * (x - column[b]);
          }
        } else {
          for (std::int64_t b = 0; b < kCentroidPanel; ++b) {
            similarity[s][b] += x * column[b];
          }
        }
      }
    }
    for (std::int64_t s = 0; s < count; ++s) {
      Cue& cue = cues_[index(begin + s)];
      for (std::int64_t b = 0; b < width; ++b) {
        const auto centroid = static_cast<double>(similarity[s][b]);
        bound(block + b, index(begin + s)) = ball_bound(cue, block + b, centroid);
        const double likeness = distance_ ? -centroid : centroid;
        if (cue.best < 0 || likeness > cue.best_likeness) {
          cue.best = block + b;
          cue.best_likeness = likeness;
        }
      }
    }
  }

  /// Upper bound of the lse of a block from what its centroid gives: <c, xi> or |c - xi|^2.
  double ball_bound(const Cue& cue, std::int64_t block, double centroid) const {
    const double radius = blocks_.radius[index(block)], error = summary_error(cue);
    double score;
    if (distance_) {
      // (|c - xi| - r)^2 with |c - xi|^2 taken smaller by its rounding.
      const double nearest = std::sqrt(std::max(0.0, centroid - error / beta_)) - radius;
      score = nearest > 0 ? -beta_ * nearest * nearest : 0;
    } else {
      score = beta_ * std::min(centroid + cue.norm * radius, cue.norm * blocks_.norm[index(block)]);
    }
    return score + error + blocks_.log_rows[index(block)];
  }

  // ---- bounds of patterns by sketches

  void bound_by_sketches() {
    Associations in;
    in.stored = blocks_.summaries();
    in.states =
        pattern_view(sketches_.data(), static_cast<std::int64_t>(cues_.size()), summary_depth_);
    in.beta = {&beta_, 1};
    in.stored_offsets = blocks_.offsets;
    in.similarity = options_.similarity;
    in.active = wanted_;
    std::vector<T> lse(bounds_.size());
    AssociateOutputs<T> out;
    out.lse = lse;
    hopfield::associate(in, out, associate_options());
    for (std::size_t t = 0; t < cues_.size(); ++t) {
      if (!cues_[t].pruned) continue;
      const double error = summary_error(cues_[t]) + sum_error(blocks_.block_size);
      for (std::int64_t b = 0; b < blocks_.num_blocks(); ++b) {
        if (wanted_[at(b, t)] == 0) continue;
        bound(b, t) = std::min(bound(b, t), static_cast<double>(lse[at(b, t)]) + error);
      }
      want_likely(t);
    }
  }

  // ---- which blocks

  /// Wants the blocks that cannot be left out; `best` := the one of largest bound.
  void want_likely(std::size_t t) {
    Cue& cue = cues_[t];
    cue.best = -1;
    const double least = lse_at_least(t) + cue.threshold;
    for (std::int64_t b = 0; b < blocks_.num_blocks(); ++b) {
      std::uint8_t& wanted = wanted_[at(b, t)];
      wanted = bound(b, t) > least;  // false for a visited one
      if (wanted != 0 && (cue.best < 0 || bound(b, t) > bound(cue.best, t))) {
        cue.best = b;
      }
    }
  }
  double lse_at_least(std::size_t t) const {
    // At most so many are seen before a state gives up; a constant, so that the result only grows.
    const std::int64_t count = blocks_.stored.rows / kWorth + 2 * blocks_.block_size;
    return seen_[t].lse() - score_error(cues_[t], depth_) - sum_error(count);
  }

  /// States that would have to visit more than 1 / worth of the patterns meet all of them instead.
  void give_up(std::int64_t worth) {
    for (std::size_t t = 0; t < cues_.size(); ++t) {
      if (!cues_[t].pruned) continue;
      std::int64_t patterns = 0;
      for (std::int64_t b = 0; b < blocks_.num_blocks(); ++b) {
        if (wanted_[at(b, t)] != 0) patterns += blocks_.block_rows(b);
      }
      cues_[t].pruned = worth * patterns <= blocks_.stored.rows;
    }
  }

  void visit_best() {
    std::vector<Pair> pairs;
    for (std::size_t t = 0; t < cues_.size(); ++t) {
      if (cues_[t].pruned && cues_[t].best >= 0) {
        pairs.push_back({cues_[t].best, static_cast<std::int64_t>(t)});
      }
    }
    std::sort(pairs.begin(), pairs.end(),
              [](const Pair& a, const Pair& b) { return a.block < b.block; });
    visit(pairs);
  }

  std::vector<Pair> wanted_pairs() const {
    std::vector<Pair> pairs;
    for (std::int64_t b = 0; b < blocks_.num_blocks(); ++b) {
      for (std::size_t t = 0; t < cues_.size(); ++t) {
        if (cues_[t].pruned && wanted_[at(b, t)] != 0) {
          pairs.push_back({b, static_cast<std::int64_t>(t)});
        }
      }
    }
    return pairs;
  }

  // ---- visits

  /// The states of the pairs, row by row, and where those of a block begin.
  struct PairStates {
    std::vector<T> rows;
    std::vector<std::int64_t> offsets;
  };
  PairStates states_of(const std::vector<Pair>& pairs, const std::vector<T>& states,
                       std::int64_t depth) const {
    PairStates result;
    result.rows.resize(pairs.size() * index(depth));
    result.offsets.assign(blocks_.offsets.size(), 0);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      std::copy_n(states.data() + pairs[i].state * depth, depth,
                  result.rows.data() + i * index(depth));
      ++result.offsets[index(pairs[i].block + 1)];
    }
    for (std::size_t b = 1; b < result.offsets.size(); ++b) {
      result.offsets[b] += result.offsets[b - 1];
    }
    return result;
  }

  /// Associates each state of the pairs, which ascend by block, with its block; then asks anew what
  /// is wanted.
  void visit(const std::vector<Pair>& pairs) {
    const PairStates states = states_of(pairs, states_, depth_);
    const Visited visited =
        associate_bags(blocks_.stored, blocks_.offsets, states.rows, states.offsets);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const auto [block, state] = pairs[i];
      add(index(state), visited, i, blocks_.offsets[index(block)] + visited.largest_index[i],
          blocks_.block_rows(block));
      bound(block, index(state)) = -kInfinity;
    }
    for (std::size_t t = 0; t < cues_.size(); ++t) {
      if (cues_[t].pruned) want_likely(t);
    }
  }

  /// Visits those patterns of the wanted blocks that their sketches do not leave out.
  void visit_patterns() {
    const std::vector<std::vector<std::int64_t>> rows = wanted_patterns();
    const auto bytes = static_cast<std::int64_t>(dtype_bytes(blocks_.stored.dtype));
    for (std::size_t t = 0; t < cues_.size();) {
      std::vector<std::size_t> states;
      std::vector<T> gathered_states;
      std::vector<std::int64_t> stored, offsets = {0}, state_offsets = {0};
      for (; t < cues_.size(); ++t) {
        const auto count = static_cast<std::int64_t>(rows[t].size());
        if (!cues_[t].pruned || count == 0) continue;
        if (!states.empty() && (offsets.back() + count) * depth_ > kGathered) break;
        states.push_back(t);
        gathered_states.insert(gathered_states.end(), states_.begin() + at_row(t),
                               states_.begin() + at_row(t + 1));
        stored.insert(stored.end(), rows[t].begin(), rows[t].end());
        offsets.push_back(offsets.back() + count);
        state_offsets.push_back(state_offsets.back() + 1);
      }
      std::vector<std::byte> patterns(stored.size() * index(depth_ * bytes));
      executor_.run(static_cast<std::int64_t>(states.size()), [&](std::int64_t state) {
        for (std::int64_t i = offsets[index(state)]; i < offsets[index(state + 1)]; ++i) {
          std::memcpy(patterns.data() + i * depth_ * bytes,
                      static_cast<const char*>(blocks_.stored.data) +
                          stored[index(i)] * blocks_.stored.row_stride * bytes,
                      index(depth_ * bytes));
        }
      });
      PatternView view = blocks_.stored;
      view.data = patterns.data();
      view.rows = offsets.back();
      view.row_stride = depth_;
      const Visited visited = associate_bags(view, offsets, gathered_states, state_offsets);
      for (std::size_t i = 0; i < states.size(); ++i) {
        const std::size_t first = index(offsets[i]);
        add(states[i], visited, i, stored[first + index(visited.largest_index[i])],
            offsets[i + 1] - offsets[i]);
      }
    }
  }

  /// For each state the rows of its wanted blocks that cannot be left out, ascending. The bound of
  /// a block becomes that of its others. A state with too many gives up.
  std::vector<std::vector<std::int64_t>> wanted_patterns() {
    const std::vector<Pair> pairs = wanted_pairs();
    const PairStates states = states_of(pairs, sketches_, summary_depth_);
    std::int64_t entries = 0;
    for (const Pair& pair : pairs) entries += blocks_.block_rows(pair.block);
    std::vector<T> lse(pairs.size()), association(index(entries));
    Associations in =
        bags(blocks_.summaries(), blocks_.offsets, states.rows, states.offsets, summary_depth_);
    AssociateOutputs<T> out;
    out.lse = lse;
    out.association = association;
    hopfield::associate(in, out, associate_options());
    std::vector<std::vector<std::int64_t>> rows(cues_.size());
    const T* p = association.data();
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const auto t = index(pairs[i].state);
      const std::int64_t count = blocks_.block_rows(pairs[i].block);
      const double top =
          static_cast<double>(lse[i]) + summary_error(cues_[t]) + sum_error(blocks_.block_size);
      // Every pattern may have its part of what the block may have; what underflowed counts.
      constexpr double kTiny = static_cast<double>(std::numeric_limits<T>::min());
      const double cut =
          std::exp(lse_at_least(t) + cues_[t].threshold - top) / static_cast<double>(count);
      double left_out = 0;
      for (std::int64_t s = 0; s < count; ++s, ++p) {
        const double mass = static_cast<double>(*p) + kTiny;
        if (mass > cut) {
          rows[t].push_back(blocks_.offsets[index(pairs[i].block)] + s);
        } else {
          left_out += mass;
        }
      }
      bound(pairs[i].block, t) = top + std::log(left_out);
    }
    for (std::size_t t = 0; t < cues_.size(); ++t) {
      const auto count = static_cast<std::int64_t>(rows[t].size());
      cues_[t].pruned = cues_[t].pruned && kWorth * count <= blocks_.stored.rows;
    }
    return rows;
  }

  /// What states saw in their bags of patterns.
  struct Visited {
    std::vector<T> state, lse, largest;
    std::vector<std::int64_t> largest_index;
  };
  Associations bags(const PatternView& stored, const std::vector<std::int64_t>& stored_offsets,
                    const std::vector<T>& states, const std::vector<std::int64_t>& state_offsets,
                    std::int64_t depth) const {
    Associations in;
    in.stored = stored;
    in.states = pattern_view(states.data(), state_offsets.back(), depth);
    in.beta = {&beta_, 1};
    in.stored_offsets = stored_offsets;
    in.state_offsets = state_offsets;
    in.similarity = options_.similarity;
    return in;
  }
  Visited associate_bags(const PatternView& stored, const std::vector<std::int64_t>& stored_offsets,
                         const std::vector<T>& states,
                         const std::vector<std::int64_t>& state_offsets) const {
    const Associations in = bags(stored, stored_offsets, states, state_offsets, depth_);
    const auto count = index(in.states.rows);
    Visited result{std::vector<T>(states.size()), std::vector<T>(count), std::vector<T>(count),
                   std::vector<std::int64_t>(count)};
    AssociateOutputs<T> out;
    out.state = mutable_view(result.state.data(), in.states.rows, depth_);
    out.lse = result.lse;
    out.largest = result.largest;
    out.largest_index = result.largest_index;
    hopfield::associate(in, out, associate_options());
    return result;
  }

  /// State `t` saw entry i of `visited`: `count` patterns, the likest being row `likest`.
  void add(std::size_t t, const Visited& visited, std::size_t i, std::int64_t likest,
           std::int64_t count) {
    Seen& seen = seen_[t];
    const auto lse = static_cast<double>(visited.lse[i]);
    const T* state = visited.state.data() + at_row(i);
    double* sums = sums_.data() + at_row(t);
    if (lse > seen.max) {
      const double down = std::exp(seen.max - lse);
      for (std::int64_t k = 0; k < depth_; ++k) sums[k] *= down;
      seen.sum *= down;
      seen.max = lse;
    }
    const double weight = std::exp(lse - seen.max);
    for (std::int64_t k = 0; k < depth_; ++k) sums[k] += weight * static_cast<double>(state[k]);
    seen.sum += weight;
    const double score = lse + std::log(static_cast<double>(visited.largest[i]));
    const std::int64_t original = blocks_.order.empty() ? likest : blocks_.order[index(likest)];
    if (score > seen.largest_score ||
        (score == seen.largest_score && original < seen.largest_index)) {
      seen.largest_score = score;
      seen.largest_index = original;
    }
    seen.visited += count;
  }
  std::ptrdiff_t at_row(std::size_t t) const { return static_cast<std::int64_t>(t) * depth_; }

  void finish(std::size_t t) {
    const Seen& seen = seen_[t];
    const std::size_t out = index(first_) + t;
    for (std::int64_t k = 0; k < depth_; ++k) {
      const std::size_t i = index(k);
      result_.state[out * index(depth_) + i] =
          static_cast<T>(sums_[t * index(depth_) + i] / seen.sum);
    }
    result_.lse[out] = static_cast<T>(seen.lse());
    result_.largest[out] = static_cast<T>(std::exp(seen.largest_score - seen.lse()));
    result_.largest_index[out] = seen.largest_index;
    result_.visited[out] = seen.visited;
    const double least = lse_at_least(t);
    double left_out = 0;  // mass of the others, in units of the least mass that was seen
    for (std::int64_t b = 0; b < blocks_.num_blocks(); ++b) {
      left_out += std::exp(bound(b, t) - least);
    }
    constexpr double kUp = 1 + 1e-9;
    result_.lse_bound[out] = std::log1p(left_out) * kUp;
    result_.state_bound[out] = 2 * blocks_.norm_max / (1 + 1 / left_out) * kUp;
  }

  AssociateOptions associate_options() const {
    AssociateOptions options;
    options.executor = &executor_;
    return options;
  }

  static constexpr double kUnit = static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;

  const PrunedBlocks<T>& blocks_;
  const double beta_;
  const PruneOptions& options_;
  Executor& executor_;
  const bool distance_;
  const std::int64_t depth_, summary_depth_, first_;
  PrunedAssociation<T>& result_;
  std::vector<Cue> cues_;
  std::vector<Seen> seen_;
  std::vector<T> states_;
  std::vector<T> sketches_;           ///< of the states, if the blocks are sketched
  std::vector<double> sums_;          ///< [states, d] like Seen::sum
  std::vector<double> bounds_;        ///< [states, blocks] of the block's lse; -inf: visited
  std::vector<std::uint8_t> wanted_;  ///< [blocks, states]
};

}  // namespace

template <class T>
void associate_chunk(const PrunedBlocks<T>& blocks, const PatternView& states, double beta,
                     const PruneOptions& options, std::int64_t first, PrunedAssociation<T>& result,
                     std::vector<std::uint8_t>& whole) {
  Chunk<T>(blocks, states, beta, options, first, result).run(whole);
}

template void associate_chunk(const PrunedBlocks<float>&, const PatternView&, double,
                              const PruneOptions&, std::int64_t, PrunedAssociation<float>&,
                              std::vector<std::uint8_t>&);
template void associate_chunk(const PrunedBlocks<double>&, const PatternView&, double,
                              const PruneOptions&, std::int64_t, PrunedAssociation<double>&,
                              std::vector<std::uint8_t>&);

}  // namespace hopfield::internal
