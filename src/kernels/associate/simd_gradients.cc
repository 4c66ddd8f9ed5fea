#include "kernels/associate/simd_gradients.h"

namespace hopfield::internal {

template <class T>
StateGradients<T>::StateGradients(const AssociateCall& call, const MutablePatternView<T>& to)
    : call_(call),
      to_(to),
      shared_((call.shape.states_shared && call.shape.num_bags != 1) ||
              call.in.states.heads != call.shape.heads) {
  if (wanted() && shared_) {
    apart_.resize(static_cast<std::size_t>(call.shape.rows * call.shape.heads * call.shape.depth));
  }
}

template <class T>
T* StateGradients<T>::row(const BagPlace& place, std::int64_t state_in_bag, std::int64_t head) {
  if (!shared_) return to_.row(place.state_begin + state_in_bag, head);
  const std::int64_t index = (place.row_begin + state_in_bag) * call_.shape.heads + head;
  return apart_.data() + index * call_.shape.depth;
}

template <class T>
void StateGradients<T>::zero(const Item& item) {
  if (!wanted() || shared_) return;  // apart_ starts at 0
  const BagPlace place = locate_bag(call_, item.bag);
  for (std::int64_t t = item.begin; t < item.end; ++t) {
    T* to = row(place, t, item.head);
    std::fill(to, to + call_.shape.depth, T{0});
  }
}

template <class T>
void StateGradients<T>::finish() {
  if (!wanted() || !shared_) return;
  const std::int64_t depth = call_.shape.depth, heads = call_.shape.heads;
  const std::int64_t bags = call_.shape.states_shared ? call_.shape.num_bags : 1;
  const std::int64_t states = call_.shape.num_states;
  const auto sum_up = [&](std::int64_t t) {
    for (std::int64_t h = 0; h < to_.heads; ++h) {
      T* to = to_.row(t, h);
      std::fill(to, to + depth, T{0});
      for (std::int64_t b = 0; b < bags; ++b) {
        for (std::int64_t head = 0; head < heads; ++head) {
          if (head_of(call_.in.states, head) != h) continue;
          const T* from = apart_.data() + ((b * states + t) * heads + head) * depth;
          for (std::int64_t k = 0; k < depth; ++k) to[k] += from[k];
        }
      }
    }
  };
  run_balanced(
      call_.executor, states, [&](std::int64_t) { return bags * heads * depth + 16; }, sum_up);
}

template <class T>
void finish_beta(const AssociateCall& call, const std::vector<double>& per_row, std::span<T> to) {
  for (std::size_t j = 0; j < to.size(); ++j) {
    double sum = 0;
    for (std::int64_t r = 0; r < call.shape.rows; ++r) {
      for (std::int64_t h = 0; h < call.shape.heads; ++h) {
        if (to.size() == 1 || h == static_cast<std::int64_t>(j)) {
          sum += per_row[static_cast<std::size_t>(r * call.shape.heads + h)];
        }
      }
    }
    to[j] = static_cast<T>(sum);
  }
}

namespace {

/// First visible pattern of largest norm; -1 without any.
template <class T>
std::int64_t first_of_largest_norm(const RowMask<T>& mask, const BagPlace& place,
                                   std::int64_t stored_heads, std::int64_t stored_head,
                                   const std::vector<double>& square_norms) {
  double largest = -1;
  std::int64_t found = -1;
  for (std::int64_t s = 0; s < place.stored_count; ++s) {
    const double norm = square_norms[static_cast<std::size_t>(
        (place.stored_begin + s) * stored_heads + stored_head)];
    if (norm > largest && mask.visible(s)) {
      largest = norm;
      found = s;
    }
  }
  return found;
}

}  // namespace

template <class T>
void add_largest_norm_gradient(const Engine<T>& engine, std::span<const T> energy_cotangents,
                               const std::vector<std::uint8_t>& dead,
                               const MutablePatternView<T>& to) {
  const AssociateCall& call = engine.call;
  const PatternView& stored = call.in.stored;
  const std::int64_t heads = engine.heads;
  std::vector<double> norms(static_cast<std::size_t>(stored.rows * stored.heads));
  run_balanced(
      call.executor, stored.rows, [&](std::int64_t) { return 8 * stored.heads * stored.depth + 8; },
      [&](std::int64_t s) {
        for (std::int64_t h = 0; h < stored.heads; ++h) {
          norms[static_cast<std::size_t>(s * stored.heads + h)] = square_norm(stored, s, h);
        }
      });

  std::vector<std::int64_t> largest(static_cast<std::size_t>(call.shape.rows * heads), -1);
  run_balanced(
      call.executor, call.shape.num_bags * heads, [](std::int64_t) { return 1 << 16; },
      [&](std::int64_t i) {
        const std::int64_t bag = i / heads, head = i % heads;
        const BagPlace place = locate_bag(call, bag);
        std::int64_t found = -1;
        for (std::int64_t t = 0; t < place.state_count; ++t) {
          const auto index = static_cast<std::size_t>((place.row_begin + t) * heads + head);
          if (dead[index] != 0 || energy_cotangents[index] == 0) continue;
          if (found < 0 || engine.mask_per_state) {
            const RowPlace row = {place.row_begin + t,   bag,
                                  place.state_begin + t, t,
                                  place.stored_begin,    place.stored_count};
            found = first_of_largest_norm(RowMask<T>(call, row, head), place, stored.heads,
                                          head_of(stored, head), norms);
          }
          largest[index] = found < 0 ? -1 : place.stored_begin + found;
        }
      });

  std::vector<double> weights(norms.size());
  for (std::int64_t r = 0; r < call.shape.rows; ++r) {
    for (std::int64_t h = 0; h < heads; ++h) {
      const auto index = static_cast<std::size_t>(r * heads + h);
      if (largest[index] < 0) continue;
      weights[static_cast<std::size_t>(largest[index] * stored.heads + head_of(stored, h))] +=
          static_cast<double>(energy_cotangents[index]);
    }
  }
  std::vector<double> x(static_cast<std::size_t>(stored.depth));
  for (std::int64_t s = 0; s < stored.rows; ++s) {
    for (std::int64_t h = 0; h < stored.heads; ++h) {
      const double weight = weights[static_cast<std::size_t>(s * stored.heads + h)];
      if (weight == 0) continue;
      read_row(stored, s, h, x.data());
      T* into = to.row(s, h);
      for (std::int64_t k = 0; k < stored.depth; ++k) {
        into[k] += static_cast<T>(weight * x[static_cast<std::size_t>(k)]);
      }
    }
  }
}

template <class T>
void zero_fill(const MutablePatternView<T>& to) {
  if (!to.wanted()) return;
  for (std::int64_t r = 0; r < to.rows; ++r) {
    for (std::int64_t h = 0; h < to.heads; ++h) {
      std::fill(to.row(r, h), to.row(r, h) + to.depth, T{0});
    }
  }
}

#define HOPFIELD_INSTANTIATE(T)                                                              \
  template class StateGradients<T>;                                                          \
  template void finish_beta(const AssociateCall&, const std::vector<double>&, std::span<T>); \
  template void add_largest_norm_gradient(const Engine<T>&, std::span<const T>,              \
                                          const std::vector<std::uint8_t>&,                  \
                                          const MutablePatternView<T>&);                     \
  template void zero_fill(const MutablePatternView<T>&);
HOPFIELD_INSTANTIATE(float)
HOPFIELD_INSTANTIATE(double)
#undef HOPFIELD_INSTANTIATE

}  // namespace hopfield::internal
