#include "ops/associate_case.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

namespace hopfield::test {
namespace {

/// Bit set of all pairs (axis a value i, axis b value j).
class PairSet {
 public:
  explicit PairSet(const std::vector<std::size_t>& counts) : first_(counts.size() + 1, 0) {
    for (std::size_t a = 0; a < counts.size(); ++a) first_[a + 1] = first_[a] + counts[a];
    seen_.assign(first_.back() * first_.back(), 0);
    for (std::size_t a = 0; a < counts.size(); ++a) {
      for (std::size_t b = a + 1; b < counts.size(); ++b) missing_ += counts[a] * counts[b];
    }
  }
  std::size_t missing() const { return missing_; }
  std::size_t gain(const Case& c) const {
    std::size_t sum = 0;
    for (std::size_t a = 0; a < c.size(); ++a) {
      for (std::size_t b = a + 1; b < c.size(); ++b) sum += seen_[at(a, c[a], b, c[b])] ? 0u : 1u;
    }
    return sum;
  }
  void add(const Case& c) {
    missing_ -= gain(c);
    for (std::size_t a = 0; a < c.size(); ++a) {
      for (std::size_t b = a + 1; b < c.size(); ++b) seen_[at(a, c[a], b, c[b])] = 1;
    }
  }
  bool has(std::size_t a, std::size_t i, std::size_t b, std::size_t j) const {
    return seen_[at(a, i, b, j)] != 0;
  }

 private:
  std::size_t at(std::size_t a, std::size_t i, std::size_t b, std::size_t j) const {
    return (first_[a] + i) * first_.back() + first_[b] + j;
  }
  std::vector<std::size_t> first_;
  std::vector<char> seen_;
  std::size_t missing_ = 0;
};

template <class Integer>
Integer below(std::mt19937_64& random, Integer bound) {
  return static_cast<Integer>(random() % static_cast<std::uint64_t>(bound));
}

Case random_case(const std::vector<std::size_t>& counts, std::mt19937_64& random) {
  Case c;
  for (const std::size_t n : counts) c.push_back(below(random, n));
  return c;
}

}  // namespace

std::vector<Case> all_pairs(const std::vector<std::size_t>& counts, std::size_t count,
                            std::uint64_t seed) {
  std::mt19937_64 random(seed);
  PairSet pairs(counts);
  std::vector<Case> cases;
  for (std::size_t a = 0; a < counts.size(); ++a) {
    for (std::size_t b = a + 1; b < counts.size(); ++b) {
      for (std::size_t i = 0; i < counts[a]; ++i) {
        for (std::size_t j = 0; j < counts[b]; ++j) {
          if (pairs.has(a, i, b, j)) continue;
          Case best;
          std::size_t best_gain = 0;
          for (int candidate = 0; candidate < 12; ++candidate) {
            Case c = random_case(counts, random);
            c[a] = i;
            c[b] = j;
            const std::size_t gain = pairs.gain(c);
            if (gain > best_gain) {
              best_gain = gain;
              best = std::move(c);
            }
          }
          pairs.add(best);
          cases.push_back(std::move(best));
        }
      }
    }
  }
  while (cases.size() < count) cases.push_back(random_case(counts, random));
  return cases;
}

bool covers_all_pairs(const std::vector<std::size_t>& counts, const std::vector<Case>& cases) {
  PairSet pairs(counts);
  for (const Case& c : cases) pairs.add(c);
  return pairs.missing() == 0;
}

AssociateProblem::AssociateProblem(const Case& which, std::uint64_t seed) : random_(seed) {
  const Axes axes;
  const std::string& storage = axes.storage[which[kStorage]];
  const std::int64_t stored = axes.stored[which[kStored]];
  const std::int64_t states = axes.states[which[kStates]];
  const std::int64_t depth = axes.depth[which[kDepth]];
  const std::int64_t projection_depth = axes.projection_depth[which[kProjectionDepth]];
  const std::string& heads = axes.heads[which[kHeads]];
  const std::string& data = axes.data[which[kData]];
  const std::string& separation = axes.separation[which[kSeparation]];
  layout_ = axes.layout[which[kLayout]];
  block_size_ = axes.block[which[kBlock]];
  f64_ = storage == "f64";
  integers_ = data == "integers";
  in_.similarity = axes.similarity[which[kSimilarity]];
  energy_ = data != "beta 0" && data != "beta < 0" && in_.similarity != Similarity::kCosine;

  description_ =
      storage + " S:" + std::to_string(stored) + " T:" + std::to_string(states) +
      " d:" + std::to_string(depth) + " dv:" + std::to_string(projection_depth) +
      " heads: " + heads + "; bags: " + axes.bags[which[kBags]] +
      "; mask: " + axes.mask[which[kMask]] + "; layout " + std::to_string(which[kLayout]) + "; " +
      separation + "; similarity " + std::to_string(which[kSimilarity]) + "; " + data +
      "; block: " + std::to_string(block_size_) + "; active: " + axes.active[which[kActive]] +
      "; betas: " + axes.betas[which[kBetas]];

  const std::int64_t h = heads == "one" ? 1 : heads.substr(0, 3) == "two" ? 2 : 3;
  const auto dtype = [&](int view) {
    if (storage == "mixed") {
      return view == 0 ? DType::kBF16 : view == 1 ? DType::kF32 : DType::kF16;
    }
    return storage == "f64"    ? DType::kF64
           : storage == "f32"  ? DType::kF32
           : storage == "bf16" ? DType::kBF16
                               : DType::kF16;
  };
  std::normal_distribution<double> normal;
  const std::function<double()> next = [&]() -> double {
    return integers_ ? static_cast<double>(below(random_, 7)) - 3 : normal(random_);
  };
  stored_ = PoisonedPatterns(dtype(0), stored, heads == "three, stored shared" ? 1 : h, depth,
                             layout_, next);
  states_ = PoisonedPatterns(dtype(1), states, heads == "three, states shared" ? 1 : h, depth,
                             layout_, next);
  in_.stored = stored_.view();
  in_.states = states_.view();
  if (projection_depth >= 0) {
    projections_ = PoisonedPatterns(dtype(2), stored, heads == "two, projections shared" ? 1 : h,
                                    projection_depth, layout_, next);
    in_.projections = projections_.view();
  }

  const double scale = depth == 0 ? 1 : 1 / std::sqrt(static_cast<double>(depth));
  for (std::int64_t i = 0; i < (which[kBetas] == 0 ? 1 : h); ++i) {
    const auto factor = static_cast<double>(i + 1);
    beta_.push_back(data == "integers"   ? factor
                    : data == "peaked"   ? 8 * factor
                    : data == "beta 0"   ? 0
                    : data == "beta < 0" ? -0.7 * scale * factor
                                         : scale * factor);
  }
  // Heads may be fewer than h where every view that has them is absent or shared.
  const std::int64_t result_heads = std::max(
      {in_.stored.heads, in_.states.heads, in_.projections.given() ? in_.projections.heads : 1});
  if (which[kBetas] == 1) beta_.resize(static_cast<std::size_t>(result_heads));
  in_.beta = beta_;

  in_.separation = separation == "softmax"     ? Separation::kSoftmax
                   : separation == "sparsemax" ? Separation::kSparsemax
                   : separation == "entmax15"  ? Separation::kEntmax15
                   : separation == "max"       ? Separation::kMax
                                               : Separation::kTopKSoftmax;
  in_.top_k = separation == "top 1"     ? 1
              : separation == "top 3"   ? 3
              : separation == "top all" ? 1000000
                                        : 0;

  make_bags(axes.bags[which[kBags]], stored, states);
  const AssociationShape shape = validate(in_, "op table");
  make_masks(axes.mask[which[kMask]], shape.num_bags, shape.heads);
  if (axes.active[which[kActive]] == "some") {
    for (std::int64_t i = 0; i < shape.rows * shape.heads; ++i) {
      active_.push_back(below(random_, 4) != 0 ? 1 : 0);
    }
    in_.active = active_;
  }
}

void AssociateProblem::make_bags(const std::string& kind, std::int64_t stored,
                                 std::int64_t states) {
  constexpr std::int64_t kBags = 4;
  const auto cut = [&](std::int64_t rows) {
    std::vector<std::int64_t> offsets = {0};
    for (std::int64_t b = 1; b < kBags; ++b) offsets.push_back(below(random_, rows + 1));
    std::sort(offsets.begin(), offsets.end());
    offsets.push_back(rows);
    return offsets;
  };
  const auto longest = [](const std::vector<std::int64_t>& offsets, std::int64_t rows) {
    if (offsets.empty()) return rows;
    std::int64_t most = 0;
    for (std::size_t b = 1; b < offsets.size(); ++b)
      most = std::max(most, offsets[b] - offsets[b - 1]);
    return most;
  };
  if (kind == "ragged" || kind == "states shared") stored_offsets_ = cut(stored);
  if (kind == "ragged" || kind == "stored shared") state_offsets_ = cut(states);
  in_.stored_offsets = stored_offsets_;
  in_.state_offsets = state_offsets_;
  max_stored_ = longest(stored_offsets_, stored);
  max_states_ = longest(state_offsets_, states);
}

void AssociateProblem::make_masks(const std::string& kind, std::int64_t num_bags,
                                  std::int64_t heads) {
  const auto dense = [&](auto& mask, bool share_heads, std::int64_t step) {
    mask.stored_stride = step;
    mask.state_stride = max_stored_ * step + 1;
    mask.head_stride = share_heads ? 0 : max_states_ * mask.state_stride;
    mask.bag_stride = (share_heads ? 1 : heads) * max_states_ * mask.state_stride;
    return static_cast<std::size_t>(num_bags * mask.bag_stride + 1);
  };
  const bool all = kind == "all";
  if (kind == "hidden stored" || all) {
    for (std::int64_t s = 0; s < in_.stored.rows; ++s) {
      hidden_stored_.push_back(below(random_, 3) == 0 ? 1 : 0);
      if (hidden_stored_.back() == 0) continue;
      for (std::int64_t h = 0; h < in_.stored.heads; ++h) {
        for (std::int64_t k = 0; k < in_.stored.depth; ++k) {
          stored_.set(s, h, k, std::numeric_limits<double>::quiet_NaN());
        }
      }
      for (std::int64_t h = 0; in_.projections.given() && h < in_.projections.heads; ++h) {
        for (std::int64_t k = 0; k < in_.projections.depth; ++k) {
          projections_.set(s, h, k, std::numeric_limits<double>::quiet_NaN());
        }
      }
    }
    in_.hidden_stored = hidden_stored_;
  }
  if (kind == "hidden" || kind == "hidden, shared" || kind == "blind rows" || all) {
    hidden_.resize(dense(in_.hidden, kind == "hidden, shared", kind == "hidden, shared" ? 2 : 1));
    for (auto& h : hidden_) h = below(random_, kind == "blind rows" ? 2 : 3) == 0 ? 1 : 0;
    if (kind == "blind rows") {
      for (std::size_t i = 0; i < hidden_.size(); ++i) {
        const auto row = static_cast<std::int64_t>(i) / in_.hidden.state_stride;
        if (row % 2 == 0) hidden_[i] = 1;
      }
    }
    in_.hidden.data = hidden_.data();
  }
  if (kind == "bias" || kind == "bias with -inf" || all) {
    std::normal_distribution<double> normal;
    const auto value = [&]() -> double {
      if (kind != "bias" && below(random_, 4) == 0) return -std::numeric_limits<double>::infinity();
      return integers_ ? static_cast<double>(below(random_, 3)) - 1 : normal(random_);
    };
    if (f64_) {
      bias_f64_.resize(dense(in_.bias_f64, false, 1));
      for (auto& b : bias_f64_) b = value();
      in_.bias_f64.data = bias_f64_.data();
    } else {
      bias_f32_.resize(dense(in_.bias_f32, false, 1));
      for (auto& b : bias_f32_) b = static_cast<float>(value());
      in_.bias_f32.data = bias_f32_.data();
    }
  }
}

namespace {

PatternView rows_of(PatternView view, std::int64_t begin, std::int64_t end) {
  if (!view.given()) return view;
  view.data = static_cast<const char*>(view.data) +
              begin * view.row_stride * static_cast<std::int64_t>(dtype_bytes(view.dtype));
  view.rows = end - begin;
  return view;
}

template <class T>
void shift(MaskView<T>& mask, std::int64_t bag, std::int64_t state, std::int64_t stored) {
  if (!mask.given()) return;
  mask.data += bag * mask.bag_stride + state * mask.state_stride + stored * mask.stored_stride;
}

Associations part(const Associations& in, std::int64_t bag, std::int64_t x0, std::int64_t x1,
                  std::int64_t t0, std::int64_t t1, std::int64_t mask_state,
                  std::int64_t mask_stored) {
  Associations out = in;
  out.stored_offsets = {};
  out.state_offsets = {};
  out.active = {};
  out.stored = rows_of(in.stored, x0, x1);
  out.projections = rows_of(in.projections, x0, x1);
  out.states = rows_of(in.states, t0, t1);
  if (!in.hidden_stored.empty()) {
    out.hidden_stored =
        in.hidden_stored.subspan(static_cast<std::size_t>(x0), static_cast<std::size_t>(x1 - x0));
  }
  shift(out.hidden, bag, mask_state, mask_stored);
  shift(out.bias_f32, bag, mask_state, mask_stored);
  shift(out.bias_f64, bag, mask_state, mask_stored);
  return out;
}

}  // namespace

Associations one_bag(const Associations& in, std::int64_t bag) {
  const auto b = static_cast<std::size_t>(bag);
  const bool all_stored = in.stored_offsets.empty(), all_states = in.state_offsets.empty();
  return part(in, bag, all_stored ? 0 : in.stored_offsets[b],
              all_stored ? in.stored.rows : in.stored_offsets[b + 1],
              all_states ? 0 : in.state_offsets[b],
              all_states ? in.states.rows : in.state_offsets[b + 1], 0, 0);
}

Associations one_row(const Associations& bag, std::int64_t state) {
  return part(bag, 0, 0, bag.stored.rows, state, state + 1, state, 0);
}

Associations one_shard(const Associations& bag, std::int64_t begin, std::int64_t end) {
  return part(bag, 0, begin, end, 0, bag.states.rows, 0, begin);
}

}  // namespace hopfield::test
