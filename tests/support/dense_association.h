#ifndef HOPFIELD_TESTS_SUPPORT_DENSE_ASSOCIATION_H_
#define HOPFIELD_TESTS_SUPPORT_DENSE_ASSOCIATION_H_

// The plain composition with the whole association matrix in memory, in any number type F, written
// without a line of the library's arithmetic. In long double it is the truth of the op table; in
// float or double it is the naive composition whose error the kernels may at most double.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "hopfield/kernels/associate.h"

namespace hopfield::test {

inline double element(const PatternView& v, std::int64_t r, std::int64_t h, std::int64_t k) {
  const std::int64_t at = r * v.row_stride + (v.heads == 1 ? 0 : h) * v.head_stride + k;
  const char* from =
      static_cast<const char*>(v.data) + at * static_cast<std::int64_t>(dtype_bytes(v.dtype));
  const auto get = [from](auto x) {
    std::memcpy(&x, from, sizeof x);
    return x;
  };
  switch (v.dtype) {
    case DType::kF32:
      return static_cast<double>(get(float{}));
    case DType::kF64:
      return get(double{});
    case DType::kBF16:
      return static_cast<double>(to_f32(get(BF16{})));
    case DType::kF16:
      return static_cast<double>(to_f32(get(F16{})));
    case DType::kI8:
      return static_cast<double>(static_cast<float>(get(std::int8_t{})) * v.scales[r]);
  }
  return 0;
}

/// One (row, head) and everything about it.
template <class F>
struct DenseRow {
  std::int64_t row = 0, head = 0, bag = 0, state = 0, state_in_bag = 0, stored_begin = 0;
  bool active = true;
  F beta = 0;
  std::vector<char> visible;            // [S_bag]
  std::vector<F> similarity, score, p;  // [S_bag], p = 0 where hidden
  std::vector<F> state_out;             // [dv]
  F lse = -std::numeric_limits<F>::infinity();
  F energy = std::numeric_limits<F>::infinity();
  F entropy = 0;
  std::int64_t num_visible = 0, largest_norm_at = -1;
  F reach = 0;      ///< largest |beta| |x| |xi| + |bias|: what the rounding of scores scales with
  F max_value = 0;  ///< largest |v_k| among the visible
  F max_similarity = 0;
  F energy_terms = 0;  ///< sum of the magnitudes that the energy adds up
  F min_norm = std::numeric_limits<F>::infinity(), max_norm = 0;  ///< of visible patterns, 0 aside
  F state_norm = 0;
  F norm_gap = std::numeric_limits<F>::infinity();  ///< largest square norm less the next other one
  /// Distance (in score) to the nearest discontinuity of the separation; infinity if there is none.
  F margin = std::numeric_limits<F>::infinity();
};

template <class F>
struct DenseAssociation {
  AssociationShape shape;
  std::vector<DenseRow<F>> rows;  // row * heads + head
};

template <class F>
class DenseComposition {
 public:
  explicit DenseComposition(const Associations& in) : in_(in) {
    result.shape = validate(in, "dense composition");
    const auto& shape = result.shape;
    result.rows.resize(static_cast<std::size_t>(shape.rows * shape.heads));
    for (std::int64_t b = 0; b < shape.num_bags; ++b) {
      const auto i = static_cast<std::size_t>(b);
      const std::int64_t x0 = shape.stored_shared ? 0 : in.stored_offsets[i];
      const std::int64_t x1 = shape.stored_shared ? shape.num_stored : in.stored_offsets[i + 1];
      const std::int64_t t0 = shape.states_shared ? 0 : in.state_offsets[i];
      const std::int64_t t1 = shape.states_shared ? shape.num_states : in.state_offsets[i + 1];
      for (std::int64_t t = t0; t < t1; ++t) {
        for (std::int64_t h = 0; h < shape.heads; ++h) {
          const std::int64_t r = shape.states_shared ? b * shape.num_states + t : t;
          DenseRow<F>& row = result.rows[static_cast<std::size_t>(r * shape.heads + h)];
          row.row = r;
          row.head = h;
          row.bag = b;
          row.state = t;
          row.state_in_bag = t - t0;
          row.stored_begin = x0;
          compute(row, x1 - x0);
        }
      }
    }
  }

  DenseAssociation<F> result;

 private:
  F bias(const DenseRow<F>& row, std::int64_t s) const {
    const auto at = [&](const auto& mask) {
      return static_cast<F>(mask.row(row.bag, row.head, row.state_in_bag)[s * mask.stored_stride]);
    };
    return in_.bias_f32.given() ? at(in_.bias_f32) : in_.bias_f64.given() ? at(in_.bias_f64) : F{0};
  }
  bool visible(const DenseRow<F>& row, std::int64_t s) const {
    if (!in_.hidden_stored.empty() &&
        in_.hidden_stored[static_cast<std::size_t>(row.stored_begin + s)] != 0) {
      return false;
    }
    if (in_.hidden.given() &&
        in_.hidden.row(row.bag, row.head, row.state_in_bag)[s * in_.hidden.stored_stride] != 0) {
      return false;
    }
    return bias(row, s) != -std::numeric_limits<F>::infinity();
  }

  void compute(DenseRow<F>& row, std::int64_t count) {
    const auto n = static_cast<std::size_t>(count);
    row.active = in_.active.empty() ||
                 in_.active[static_cast<std::size_t>(row.row * result.shape.heads + row.head)] != 0;
    row.beta =
        static_cast<F>(in_.beta[in_.beta.size() == 1 ? 0 : static_cast<std::size_t>(row.head)]);
    row.visible.assign(n, 0);
    row.similarity.assign(n, 0);
    row.score.assign(n, -std::numeric_limits<F>::infinity());
    row.p.assign(n, 0);
    F xi_norm = 0, max_norm = -1;
    std::vector<F> norms;
    for (std::int64_t k = 0; k < result.shape.depth; ++k) {
      const F value = static_cast<F>(element(in_.states, row.state, row.head, k));
      xi_norm += value * value;
    }
    for (std::int64_t s = 0; s < count; ++s) {
      if (!visible(row, s)) continue;
      const auto i = static_cast<std::size_t>(s);
      row.visible[i] = 1;
      ++row.num_visible;
      F dot = 0, distance = 0, norm = 0;
      for (std::int64_t k = 0; k < result.shape.depth; ++k) {
        const F x = static_cast<F>(element(in_.stored, row.stored_begin + s, row.head, k));
        const F xi = static_cast<F>(element(in_.states, row.state, row.head, k));
        dot += x * xi;
        distance += (x - xi) * (x - xi);
        norm += x * x;
      }
      const F lengths = std::sqrt(norm) * std::sqrt(xi_norm);
      F reach = lengths;
      switch (in_.similarity) {
        case Similarity::kDot:
          row.similarity[i] = dot;
          break;
        case Similarity::kCosine:
          row.similarity[i] = lengths == 0 ? F{0} : dot / lengths;
          reach = 1;
          break;
        case Similarity::kNegativeSquaredDistance:
          row.similarity[i] = -distance;
          reach = norm + xi_norm + 2 * lengths;
          break;
      }
      row.score[i] = row.beta * row.similarity[i] + bias(row, s);
      row.reach = std::max(row.reach, std::abs(row.beta) * reach + std::abs(bias(row, s)));
      row.max_similarity = std::max(row.max_similarity, std::abs(row.similarity[i]));
      if (norm > 0) row.min_norm = std::min(row.min_norm, std::sqrt(norm));
      norms.push_back(norm);
      if (norm > max_norm) {
        max_norm = norm;
        row.largest_norm_at = s;
      }
    }
    for (const F norm : norms) {
      if (norm != max_norm) row.norm_gap = std::min(row.norm_gap, max_norm - norm);
    }
    row.state_norm = std::sqrt(xi_norm);
    row.max_norm = max_norm > 0 ? std::sqrt(max_norm) : 0;
    row.state_out.assign(static_cast<std::size_t>(result.shape.projection_depth), 0);
    if (row.num_visible == 0) return;
    separate(row);
    read_out(row, xi_norm, max_norm);
  }

  F max_score(const DenseRow<F>& row) const {
    F max = -std::numeric_limits<F>::infinity();
    for (std::size_t s = 0; s < row.score.size(); ++s) {
      if (row.visible[s]) max = std::max(max, row.score[s]);
    }
    return max;
  }

  /// Softmax over the visible patterns s with keep[s].
  void softmax(DenseRow<F>& row, const std::vector<char>& keep) {
    const F max = max_score(row);
    F sum = 0;
    for (std::size_t s = 0; s < row.p.size(); ++s) {
      if (!keep[s]) continue;
      row.p[s] = std::exp(row.score[s] - max);
      sum += row.p[s];
    }
    for (F& p : row.p) p /= sum;
    row.lse = max + std::log(sum);
  }

  /// [power * z - tau]_+^(1/power) with sum 1, tau by bisection; power 1: sparsemax, 1/2: entmax.
  void threshold(DenseRow<F>& row, bool sparsemax) {
    const F max = max_score(row);
    const F slope = sparsemax ? F{1} : F{0.5};
    const auto weight = [&](std::size_t s, F tau) {
      if (!row.visible[s]) return F{0};
      const F root = std::max(F{0}, slope * (row.score[s] - max) - tau);
      return sparsemax ? root : root * root;
    };
    F low = -1, high = 0;  // the sum is >= 1 at low and 0 at high
    for (int step = 0; step < std::numeric_limits<F>::digits + 8; ++step) {
      const F middle = (low + high) / 2;
      F sum = 0;
      for (std::size_t s = 0; s < row.p.size(); ++s) sum += weight(s, middle);
      (sum >= 1 ? low : high) = middle;
    }
    F linear = 0, power = 0;
    row.margin = std::numeric_limits<F>::infinity();
    for (std::size_t s = 0; s < row.p.size(); ++s) {
      if (!row.visible[s]) continue;
      row.p[s] = weight(s, low);
      row.margin = std::min(row.margin, std::abs(slope * (row.score[s] - max) - low));
      linear += row.p[s] * (row.score[s] - max);
      power += sparsemax ? row.p[s] * row.p[s] : row.p[s] * std::sqrt(row.p[s]);
    }
    row.lse = max + linear - (sparsemax ? (power - 1) / 2 : (power - 1) / F{0.75});
  }

  /// The k largest, of equals the first, by picking one after another.
  std::vector<char> largest(DenseRow<F>& row, std::int64_t k) {
    std::vector<char> keep(row.p.size(), 0);
    F last = 0;
    const auto best = [&] {
      std::int64_t at = -1;
      for (std::size_t s = 0; s < keep.size(); ++s) {
        if (!row.visible[s] || keep[s]) continue;
        if (at < 0 || row.score[s] > row.score[static_cast<std::size_t>(at)]) {
          at = static_cast<std::int64_t>(s);
        }
      }
      return at;
    };
    for (std::int64_t i = 0; i < k; ++i) {
      const std::int64_t at = best();
      if (at < 0) return keep;
      keep[static_cast<std::size_t>(at)] = 1;
      last = row.score[static_cast<std::size_t>(at)];
    }
    const std::int64_t next = best();
    if (next >= 0) {
      const F gap = last - row.score[static_cast<std::size_t>(next)];
      if (gap > 0) row.margin = gap;  // an exact tie is decided by the order, in any precision
    }
    return keep;
  }

  void separate(DenseRow<F>& row) {
    switch (in_.separation) {
      case Separation::kSoftmax:
        return softmax(row, row.visible);
      case Separation::kTopKSoftmax:
        return softmax(row, largest(row, in_.top_k));
      case Separation::kMax: {
        const std::vector<char> keep = largest(row, 1);
        for (std::size_t s = 0; s < keep.size(); ++s) row.p[s] = keep[s] ? 1 : 0;
        row.lse = max_score(row);
        return;
      }
      case Separation::kSparsemax:
        return threshold(row, true);
      case Separation::kEntmax15:
        return threshold(row, false);
    }
  }

  void read_out(DenseRow<F>& row, F xi_norm, F max_norm) {
    const PatternView& values = result.shape.tied ? in_.stored : in_.projections;
    for (std::size_t s = 0; s < row.p.size(); ++s) {
      if (!row.visible[s]) continue;
      if (row.p[s] > 0) row.entropy -= row.p[s] * std::log(row.p[s]);
      for (std::size_t k = 0; k < row.state_out.size(); ++k) {
        const F v = static_cast<F>(element(values, row.stored_begin + static_cast<std::int64_t>(s),
                                           row.head, static_cast<std::int64_t>(k)));
        row.max_value = std::max(row.max_value, std::abs(v));
        row.state_out[k] += row.p[s] * v;
      }
    }
    row.energy = (std::log(static_cast<F>(row.num_visible)) - row.lse) / row.beta;
    row.energy_terms =
        (std::abs(row.lse) + std::log(static_cast<F>(row.num_visible))) / std::abs(row.beta);
    if (in_.similarity == Similarity::kDot) {
      row.energy += xi_norm / 2 + max_norm / 2;
      row.energy_terms += xi_norm / 2 + max_norm / 2;
    }
  }

  const Associations& in_;
};

template <class F>
DenseAssociation<F> dense_associate(const Associations& in) {
  return DenseComposition<F>(in).result;
}

/// Gradients, laid out densely as the inputs; bias: [row * heads + head][S_bag].
template <class F>
struct DenseGradients {
  std::vector<F> stored, projections, states, beta;
  std::vector<std::vector<F>> bias;
};

/// Cotangents of every (row, head); `state` has dv entries each.
struct DenseCotangents {
  std::vector<double> state, lse, energy, entropy;  // empty: zero
};

template <class F>
DenseGradients<F> dense_backward(const Associations& in, const DenseAssociation<F>& forward,
                                 const DenseCotangents& cotangents) {
  const AssociationShape& shape = forward.shape;
  const auto size = [](const PatternView& v) {
    return static_cast<std::size_t>(v.rows * v.heads * v.depth);
  };
  DenseGradients<F> g;
  g.stored.assign(size(in.stored), 0);
  if (!shape.tied) g.projections.assign(size(in.projections), 0);
  g.states.assign(size(in.states), 0);
  g.beta.assign(in.beta.size(), 0);
  g.bias.resize(forward.rows.size());
  const auto base = [](const PatternView& v, std::int64_t r, std::int64_t h) {
    return static_cast<std::size_t>((r * v.heads + (v.heads == 1 ? 0 : h)) * v.depth);
  };
  const PatternView& values = shape.tied ? in.stored : in.projections;
  const auto depth = static_cast<std::size_t>(shape.depth);
  const auto value_depth = static_cast<std::size_t>(shape.projection_depth);

  for (std::size_t i = 0; i < forward.rows.size(); ++i) {
    const DenseRow<F>& row = forward.rows[i];
    const std::size_t n = row.p.size();
    g.bias[i].assign(n, 0);
    if (!row.active || row.num_visible == 0) continue;
    const auto given = [&](const std::vector<double>& c) {
      return c.empty() ? F{0} : static_cast<F>(c[i]);
    };
    const F g_lse = given(cotangents.lse), g_energy = given(cotangents.energy),
            g_entropy = given(cotangents.entropy);
    const double* g_state =
        cotangents.state.empty() ? nullptr : cotangents.state.data() + i * value_depth;
    std::vector<F>& grad_values = shape.tied ? g.stored : g.projections;

    // dL/dp, then through the Jacobian of the separation.
    std::vector<F> u(n, 0), q(n, 0), ds(n, 0);
    F sum_q = 0, sum_qu = 0;
    for (std::size_t s = 0; s < n; ++s) {
      if (!(row.p[s] > 0)) continue;
      const std::int64_t at = row.stored_begin + static_cast<std::int64_t>(s);
      for (std::size_t k = 0; g_state != nullptr && k < value_depth; ++k) {
        u[s] += static_cast<F>(g_state[k]) *
                static_cast<F>(element(values, at, row.head, static_cast<std::int64_t>(k)));
        grad_values[base(values, at, row.head) + k] += row.p[s] * static_cast<F>(g_state[k]);
      }
      if (g_entropy != 0) u[s] -= g_entropy * (std::log(row.p[s]) + 1);
      switch (in.separation) {
        case Separation::kSoftmax:
        case Separation::kTopKSoftmax:
          q[s] = row.p[s];
          break;
        case Separation::kSparsemax:
          q[s] = 1;
          break;
        case Separation::kEntmax15:
          q[s] = std::sqrt(row.p[s]);
          break;
        case Separation::kMax:
          break;
      }
      sum_q += q[s];
      sum_qu += q[s] * u[s];
    }
    const F mean = sum_q > 0 ? sum_qu / sum_q : F{0};
    F d_beta = 0;
    std::vector<F> xi(depth), x(depth);
    F xi_norm = 0;
    for (std::size_t k = 0; k < depth; ++k) {
      xi[k] = static_cast<F>(element(in.states, row.state, row.head, static_cast<std::int64_t>(k)));
      xi_norm += xi[k] * xi[k];
    }
    xi_norm = std::sqrt(xi_norm);
    F* d_xi = g.states.data() + base(in.states, row.state, row.head);
    for (std::size_t s = 0; s < n; ++s) {
      if (!row.visible[s]) continue;
      const std::int64_t at = row.stored_begin + static_cast<std::int64_t>(s);
      ds[s] = q[s] * (u[s] - mean) + g_lse * row.p[s];
      if (g_energy != 0) ds[s] -= g_energy / row.beta * row.p[s];
      g.bias[i][s] = ds[s];
      d_beta += ds[s] * row.similarity[s];
      F norm = 0;
      for (std::size_t k = 0; k < depth; ++k) {
        x[k] = static_cast<F>(element(in.stored, at, row.head, static_cast<std::int64_t>(k)));
        norm += x[k] * x[k];
      }
      norm = std::sqrt(norm);
      F* d_x = g.stored.data() + base(in.stored, at, row.head);
      const F c = row.beta * ds[s];
      for (std::size_t k = 0; k < depth; ++k) {
        switch (in.similarity) {
          case Similarity::kDot:
            d_xi[k] += c * x[k];
            d_x[k] += c * xi[k];
            break;
          case Similarity::kNegativeSquaredDistance:
            d_xi[k] += 2 * c * (x[k] - xi[k]);
            d_x[k] -= 2 * c * (x[k] - xi[k]);
            break;
          case Similarity::kCosine:
            if (norm == 0 || xi_norm == 0) break;
            d_xi[k] += c * (x[k] / norm - row.similarity[s] * xi[k] / xi_norm) / xi_norm;
            d_x[k] += c * (xi[k] / xi_norm - row.similarity[s] * x[k] / norm) / norm;
            break;
        }
      }
    }
    if (g_energy != 0) {
      d_beta +=
          g_energy * (row.lse - std::log(static_cast<F>(row.num_visible))) / (row.beta * row.beta);
      if (in.similarity == Similarity::kDot) {
        const std::int64_t at = row.stored_begin + row.largest_norm_at;
        F* d_x = g.stored.data() + base(in.stored, at, row.head);
        for (std::size_t k = 0; k < depth; ++k) {
          d_xi[k] += g_energy * xi[k];
          d_x[k] += g_energy *
                    static_cast<F>(element(in.stored, at, row.head, static_cast<std::int64_t>(k)));
        }
      }
    }
    g.beta[in.beta.size() == 1 ? 0 : static_cast<std::size_t>(row.head)] += d_beta;
  }
  return g;
}

}  // namespace hopfield::test

#endif  // HOPFIELD_TESTS_SUPPORT_DENSE_ASSOCIATION_H_
