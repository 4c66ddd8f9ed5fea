#include "memory/tied_updates.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "hopfield/base/error.h"
#include "memory/pattern_rows.h"

namespace hopfield::internal {
namespace {

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

template <class T>
MaskView<T> moved(MaskView<T> mask, std::int64_t bag, std::int64_t head, std::int64_t state,
                  std::int64_t stored) {
  if (mask.given()) {
    mask.data += bag * mask.bag_stride + head * mask.head_stride + state * mask.state_stride +
                 stored * mask.stored_stride;
  }
  return mask;
}

}  // namespace

template <class T>
TiedUpdates<T>::TiedUpdates(const Associations& in, std::string_view op)
    : in_(in), shape_(validate(in, op)), state_offsets_(in.state_offsets) {
  require(shape_.f64 == std::is_same_v<T, double>, op,
          std::string("expected ") + (shape_.f64 ? "double" : "float") +
              " as the type of the results for these views, got the other one");
  if (in.state_offsets.empty() && shape_.num_bags != 1) {
    repeated_ = true;
    for (std::int64_t b = 0; b <= shape_.num_bags; ++b) {
      repeat_offsets_.push_back(b * in.states.rows);
    }
    state_offsets_ = repeat_offsets_;
  }
}

template <class T>
std::vector<T> TiedUpdates<T>::initial_states() const {
  std::vector<T> states(index(elements()));
  for (std::int64_t pair = 0; pair < pairs(); ++pair) {
    load_row(in_.states, source_row(pair / shape_.heads), pair % shape_.heads,
             states.data() + pair * shape_.depth);
  }
  return states;
}

template <class T>
Associations TiedUpdates<T>::last(const T* states, std::span<const std::uint8_t> active) const {
  Associations result = in_;
  result.states = pattern_view(states, shape_.rows, shape_.heads, shape_.depth);
  result.state_offsets = state_offsets_;
  result.active = active;
  return result;
}

template <class T>
Associations TiedUpdates<T>::update(const T* states, std::span<const std::uint8_t> active) const {
  Associations result = last(states, active);
  result.projections = {};
  return result;
}

template <class T>
std::int64_t TiedUpdates<T>::first_row(std::int64_t bag) const {
  if (!state_offsets_.empty()) return state_offsets_[index(bag)];
  return bag == 0 ? 0 : shape_.rows;
}

template <class T>
std::int64_t TiedUpdates<T>::first_stored(std::int64_t bag) const {
  return in_.stored_offsets.empty() ? 0 : in_.stored_offsets[index(bag)];
}

template <class T>
std::int64_t TiedUpdates<T>::num_stored(std::int64_t bag) const {
  if (in_.stored_offsets.empty()) return shape_.num_stored;
  return in_.stored_offsets[index(bag + 1)] - in_.stored_offsets[index(bag)];
}

template <class T>
Associations TiedUpdates<T>::bags(const T* states, std::span<const std::uint8_t> active,
                                  std::int64_t first, std::int64_t last_bag,
                                  std::vector<std::int64_t>& offsets) const {
  if (first == 0 && last_bag == shape_.num_bags) return update(states, active);
  const std::int64_t count = last_bag - first;
  const std::int64_t row = first_row(first);
  const std::int64_t rows = first_row(last_bag) - row;
  offsets.assign(index(2 * (count + 1)), 0);
  for (std::int64_t b = 0; b <= count; ++b) {
    offsets[index(b)] = first_row(first + b) - row;
    if (!in_.stored_offsets.empty()) {
      offsets[index(count + 1 + b)] = first_stored(first + b) - first_stored(first);
    }
  }
  const std::span<const std::int64_t> all(offsets);
  Associations result = update(states + row * shape_.heads * shape_.depth, {});
  result.states.rows = rows;
  result.active = active.subspan(index(row * shape_.heads), index(rows * shape_.heads));
  result.state_offsets = all.first(index(count + 1));
  if (!in_.stored_offsets.empty()) {
    const std::int64_t stored = first_stored(first);
    const std::int64_t num = first_stored(last_bag) - stored;
    result.stored = rows_of(in_.stored, stored, num);
    result.stored_offsets = all.last(index(count + 1));
    if (!in_.hidden_stored.empty()) {
      result.hidden_stored = in_.hidden_stored.subspan(index(stored), index(num));
    }
  }
  result.hidden = moved(in_.hidden, first, 0, 0, 0);
  result.bias_f32 = moved(in_.bias_f32, first, 0, 0, 0);
  result.bias_f64 = moved(in_.bias_f64, first, 0, 0, 0);
  return result;
}

template <class T>
Associations TiedUpdates<T>::piece(const T* states, std::int64_t bag, std::int64_t head,
                                   std::int64_t state, std::int64_t num_states, std::int64_t stored,
                                   std::int64_t num) const {
  Associations result = in_;
  result.projections = {};
  result.stored_offsets = {};
  result.state_offsets = {};
  result.active = {};
  const std::int64_t row = first_row(bag) + state;
  result.states = head_of(pattern_view(states + row * shape_.heads * shape_.depth, num_states,
                                       shape_.heads, shape_.depth),
                          head);
  result.stored = head_of(rows_of(in_.stored, first_stored(bag) + stored, num), head);
  if (in_.beta.size() > 1) result.beta = in_.beta.subspan(index(head), 1);
  if (!in_.hidden_stored.empty()) {
    result.hidden_stored = in_.hidden_stored.subspan(index(first_stored(bag) + stored), index(num));
  }
  result.hidden = moved(in_.hidden, bag, head, state, stored);
  result.bias_f32 = moved(in_.bias_f32, bag, head, state, stored);
  result.bias_f64 = moved(in_.bias_f64, bag, head, state, stored);
  return result;
}

template <class T>
void TiedUpdates<T>::reduce_states(const T* gradient, const MutablePatternView<T>& out) const {
  for (std::int64_t r = 0; r < out.rows; ++r) {
    for (std::int64_t h = 0; h < out.heads; ++h) {
      std::fill_n(out.row(r, h), shape_.depth, T{0});
    }
  }
  for (std::int64_t pair = 0; pair < pairs(); ++pair) {
    T* to = out.row(source_row(pair / shape_.heads), out.heads > 1 ? pair % shape_.heads : 0);
    const T* from = gradient + pair * shape_.depth;
    for (std::int64_t k = 0; k < shape_.depth; ++k) to[k] += from[k];
  }
}

UpdateLimits::UpdateLimits(const UpdateOptions& update, std::int64_t heads, std::string_view op)
    : steps_max(index(heads), 0), eps(index(heads), 1e-4) {
  const auto one_or_heads = [&](std::size_t size, const char* name) {
    require(size <= 1 || size == index(heads), op,
            std::string("expected ") + name + " to have 1 or " + std::to_string(heads) +
                " entries (one a head), got " + std::to_string(size));
  };
  one_or_heads(update.update_steps_max.size(), "update_steps_max");
  one_or_heads(update.update_steps_eps.size(), "update_steps_eps");
  require(update.update_steps_cap >= 1, op,
          "expected update_steps_cap >= 1, got " + std::to_string(update.update_steps_cap));
  for (std::size_t h = 0; h < index(heads); ++h) {
    if (!update.update_steps_max.empty()) {
      steps_max[h] = update.update_steps_max[update.update_steps_max.size() > 1 ? h : 0];
    }
    if (!update.update_steps_eps.empty()) {
      eps[h] = update.update_steps_eps[update.update_steps_eps.size() > 1 ? h : 0];
    }
    require(eps[h] > 0 && std::isfinite(eps[h]), op,
            "expected update_steps_eps > 0 and finite, got " + std::to_string(eps[h]) +
                " for head " + std::to_string(h) +
                "; use update_steps_max to make a fixed number of updates");
    any_update = any_update || steps_max[h] != 0;
    any_until_converged = any_until_converged || steps_max[h] < 0;
  }
}

namespace {

/// How many entries of one dense association are held at a time.
constexpr std::int64_t kDenseEntries = std::int64_t{1} << 20;

/// NaN counts as a difference.
template <class T>
bool differ(const T* a, T scale_a, const T* b, T scale_b, std::int64_t count, double eps) {
  const auto limit = static_cast<T>(eps);
  int apart = 0;
  for (std::int64_t s = 0; s < count; ++s) {
    apart |= static_cast<int>(!(std::abs(a[s] * scale_a - b[s] * scale_b) <= limit));
  }
  return apart != 0;
}

template <class T>
class AssociationTest {
 public:
  AssociationTest(const TiedUpdates<T>& updates, const T* now, const T* before,
                  std::span<const T> lse_now, std::span<const T> lse_before,
                  std::span<const double> eps, std::span<const std::uint8_t> test,
                  std::span<std::uint8_t> settled, const AssociateOptions& options)
      : updates_(updates),
        heads_(updates.shape().heads),
        now_(now),
        before_(before),
        lse_now_(lse_now),
        lse_before_(lse_before),
        eps_(eps),
        test_(test),
        settled_(settled),
        options_(options) {}

  void run() {
    const std::int64_t num_bags = updates_.shape().num_bags;
    for (std::int64_t first = 0; first < num_bags;) {
      std::int64_t entries = bag_entries(first);
      std::int64_t last = first + 1;
      if (entries > kDenseEntries) {
        test_large_bag(first);
      } else {
        while (last < num_bags && bag_entries(last) <= kDenseEntries - entries) {
          entries += bag_entries(last++);
        }
        test_small_bags(first, last, entries);
      }
      first = last;
    }
  }

 private:
  std::int64_t bag_entries(std::int64_t bag) const {
    const std::int64_t states = updates_.first_row(bag + 1) - updates_.first_row(bag);
    return states * heads_ * updates_.num_stored(bag);  // fits: associations are validated
  }

  void associate_both(const Associations& now, const Associations& before, std::int64_t entries) {
    if (static_cast<std::int64_t>(association_now_.size()) < entries) {
      association_now_.resize(index(entries));
      association_before_.resize(index(entries));
    }
    AssociateOutputs<T> out;
    out.association = std::span<T>(association_now_).first(index(entries));
    out.lse = std::span<T>(part_lse_now_);
    associate(now, out, options_);
    out.association = std::span<T>(association_before_).first(index(entries));
    out.lse = std::span<T>(part_lse_before_);
    associate(before, out, options_);
  }

  void test_small_bags(std::int64_t first, std::int64_t last, std::int64_t entries) {
    const std::int64_t pair_begin = updates_.first_row(first) * heads_;
    const std::int64_t pair_end = updates_.first_row(last) * heads_;
    const auto range = test_.subspan(index(pair_begin), index(pair_end - pair_begin));
    if (std::find_if(range.begin(), range.end(), [](auto t) { return t != 0; }) == range.end()) {
      return;
    }
    part_lse_now_.clear();
    part_lse_before_.clear();
    associate_both(updates_.bags(now_, test_, first, last, offsets_now_),
                   updates_.bags(before_, test_, first, last, offsets_before_), entries);
    std::int64_t at = 0;
    for (std::int64_t bag = first; bag < last; ++bag) {
      const std::int64_t stored = updates_.num_stored(bag);
      for (std::int64_t h = 0; h < heads_; ++h) {
        for (std::int64_t r = updates_.first_row(bag); r < updates_.first_row(bag + 1); ++r) {
          const std::size_t pair = index(r * heads_ + h);
          if (test_[pair] != 0) {
            settled_[pair] = !differ(association_now_.data() + at, T{1},
                                     association_before_.data() + at, T{1}, stored, eps_[index(h)]);
          }
          at += stored;
        }
      }
    }
  }

  void test_large_bag(std::int64_t bag) {
    const std::int64_t first = updates_.first_row(bag);
    const std::int64_t states = updates_.first_row(bag + 1) - first;
    const std::int64_t stored = updates_.num_stored(bag);
    const std::int64_t chunk = std::max<std::int64_t>(1, kDenseEntries / stored);
    for (std::int64_t h = 0; h < heads_; ++h) {
      for (std::int64_t t = 0; t < states; t += chunk) {
        const std::int64_t count = std::min(chunk, states - t);
        bool any = false;
        for (std::int64_t i = t; i < t + count; ++i) {
          any = any || test_[index((first + i) * heads_ + h)] != 0;
        }
        if (any) test_piece(bag, h, t, count, stored);
      }
    }
  }

  void test_piece(std::int64_t bag, std::int64_t head, std::int64_t state, std::int64_t count,
                  std::int64_t stored) {
    // Only softmax can be put together from blocks of stored patterns: p = p_block
    // exp(lse_block - lse). The sparse separations hold one row of S entries.
    const bool softmax = updates_.separation() == Separation::kSoftmax;
    const std::int64_t block = softmax ? std::min(stored, kDenseEntries) : stored;
    part_lse_now_.resize(index(count));
    part_lse_before_.resize(index(count));
    for (std::int64_t i = 0; i < count; ++i) set(bag, head, state + i, true);
    for (std::int64_t s = 0; s < stored; s += block) {
      const std::int64_t num = std::min(block, stored - s);
      associate_both(updates_.piece(now_, bag, head, state, count, s, num),
                     updates_.piece(before_, bag, head, state, count, s, num), count * num);
      for (std::int64_t i = 0; i < count; ++i) {
        const std::size_t pair = index((updates_.first_row(bag) + state + i) * heads_ + head);
        const bool whole = num == stored;
        const T scale_now = whole ? T{1} : std::exp(part_lse_now_[index(i)] - lse_now_[pair]);
        const T scale_before =
            whole ? T{1} : std::exp(part_lse_before_[index(i)] - lse_before_[pair]);
        if (differ(association_now_.data() + i * num, scale_now,
                   association_before_.data() + i * num, scale_before, num, eps_[index(head)])) {
          set(bag, head, state + i, false);
        }
      }
    }
  }

  void set(std::int64_t bag, std::int64_t head, std::int64_t state, bool value) {
    const std::size_t pair = index((updates_.first_row(bag) + state) * heads_ + head);
    if (test_[pair] != 0) settled_[pair] = value;
  }

  const TiedUpdates<T>& updates_;
  const std::int64_t heads_;
  const T *now_, *before_;
  std::span<const T> lse_now_, lse_before_;
  std::span<const double> eps_;
  std::span<const std::uint8_t> test_;
  std::span<std::uint8_t> settled_;
  const AssociateOptions& options_;
  std::vector<T> association_now_, association_before_, part_lse_now_, part_lse_before_;
  std::vector<std::int64_t> offsets_now_, offsets_before_;
};

}  // namespace

template <class T>
void test_associations(const TiedUpdates<T>& updates, const T* now, const T* before,
                       std::span<const T> lse_now, std::span<const T> lse_before,
                       std::span<const double> eps, std::span<const std::uint8_t> test,
                       std::span<std::uint8_t> settled, const AssociateOptions& options) {
  AssociationTest<T>(updates, now, before, lse_now, lse_before, eps, test, settled, options).run();
}

template class TiedUpdates<float>;
template class TiedUpdates<double>;
template void test_associations(const TiedUpdates<float>&, const float*, const float*,
                                std::span<const float>, std::span<const float>,
                                std::span<const double>, std::span<const std::uint8_t>,
                                std::span<std::uint8_t>, const AssociateOptions&);
template void test_associations(const TiedUpdates<double>&, const double*, const double*,
                                std::span<const double>, std::span<const double>,
                                std::span<const double>, std::span<const std::uint8_t>,
                                std::span<std::uint8_t>, const AssociateOptions&);

}  // namespace hopfield::internal
