// Sparsemax, 1.5-entmax, top-k softmax and max, backward. Supports are found again as in the
// forward pass and are small, so what follows is plain loops over them, in double. They are kept
// for a wave of rows at a time, so that sums over rows can run in order for every stored pattern.

#include <cmath>

#include "kernels/associate/simd_gradients.h"
#include "kernels/associate/simd_implementation.h"
#include "kernels/associate/simd_separated.h"

namespace hopfield::internal {
namespace {

/// The patterns that have a share in one (row, head).
struct RowSupport {
  RowPlace place;
  std::int64_t head = 0;
  std::vector<std::int64_t> index;  ///< within the bag, ascending
  std::vector<double> p, ds;
};

/// d similarity / d pattern and / d state: pattern += by_state xi + own x, and the like for xi.
struct Chain {
  double similarity = 0;
  double across = 0;     ///< factor of the other one
  double own_x = 0;      ///< factor of x in its own gradient
  double own_state = 0;  ///< factor of xi in its own gradient
};

Chain chain_of(Similarity similarity, const std::vector<double>& x, const std::vector<double>& xi) {
  double dot = 0, norm_x = 0, norm_xi = 0, distance = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    dot += x[k] * xi[k];
    norm_x += x[k] * x[k];
    norm_xi += xi[k] * xi[k];
    distance += (x[k] - xi[k]) * (x[k] - xi[k]);
  }
  switch (similarity) {
    case Similarity::kDot:
      return {dot, 1, 0, 0};
    case Similarity::kNegativeSquaredDistance:
      return {-distance, 2, -2, -2};
    case Similarity::kCosine:
      if (norm_x == 0 || norm_xi == 0) return {};
      const double cosine = dot / (std::sqrt(norm_x) * std::sqrt(norm_xi));
      return {cosine, 1 / (std::sqrt(norm_x) * std::sqrt(norm_xi)), -cosine / norm_x,
              -cosine / norm_xi};
  }
  return {};
}

template <class T>
class SeparatedBackward {
 public:
  SeparatedBackward(const Engine<T>& engine, const AssociateCotangents<T>& cotangents,
                    const AssociateGradients<T>& gradients)
      : engine_(engine),
        call_(engine.call),
        cotangents_(cotangents),
        gradients_(gradients),
        states_(engine.call, gradients.states),
        options_(separation_options(engine.call.in, 0)) {
    options_.count = std::min(options_.count, call_.shape.num_stored);
    const auto rows = static_cast<std::size_t>(call_.shape.rows * engine.heads);
    dead_.assign(rows, 1);
    if (!gradients.beta.empty()) beta_.resize(rows);
  }

  void run() {
    zero_fill(gradients_.stored);
    zero_fill(gradients_.projections);
    const Plan plan = make_plan(engine_, collect_rows(engine_, options_));
    constexpr std::int64_t kBudget = std::int64_t{1} << 23;  // entries of supports
    for (std::size_t first = 0; first < plan.items.size();) {
      wave_.items.clear();
      wave_.split_blocks = plan.split_blocks;
      for (std::int64_t entries = 0; first < plan.items.size() && entries < kBudget; ++first) {
        const Item& item = plan.items[first];
        entries += (item.end - item.begin) * (kept_a_row(options_, item.num_stored) + 8);
        wave_.items.push_back(item);
      }
      run_wave();
    }
    states_.finish();
    finish_beta(call_, beta_, gradients_.beta);
    if (gradients_.stored.wanted() && !cotangents_.energy.empty() &&
        call_.in.similarity == Similarity::kDot) {
      add_largest_norm_gradient(engine_, cotangents_.energy, dead_, gradients_.stored);
    }
  }

 private:
  void run_wave() {
    std::int64_t rows = 0;
    begins_.clear();
    for (const Item& item : wave_.items) {
      states_.zero(item);
      begins_.push_back(rows);
      rows += item.end - item.begin;
    }
    supports_.assign(static_cast<std::size_t>(rows), RowSupport());
    collect_items<T>(engine_, options_, wave_,
                     [this](const RowGroup<T>& group, std::int64_t r, RowCandidates<T>& found) {
                       look(group, r, found);
                     });
    if (gradients_.bias != nullptr) add_bias();
    if (gradients_.stored.wanted() || gradients_.projections.wanted()) add_stored();
  }

  /// Items ascend by bag, head and state; finds the slot of a row in this wave.
  RowSupport& slot(const RowGroup<T>& group, std::int64_t r) {
    const auto after = [&](const Item& item) {
      if (item.bag != group.bag) return item.bag > group.bag;
      if (item.head != group.head) return item.head > group.head;
      return item.begin > group.state[r];
    };
    const auto next = std::partition_point(wave_.items.begin(), wave_.items.end(),
                                           [&](const Item& item) { return !after(item); });
    const auto at = static_cast<std::size_t>(next - wave_.items.begin()) - 1;
    return supports_[static_cast<std::size_t>(begins_[at] + group.state[r] -
                                              wave_.items[at].begin)];
  }

  /// Everything that concerns one row only.
  void look(const RowGroup<T>& group, std::int64_t r, RowCandidates<T>& found) {
    if (found.visible() == 0) return;
    const auto output = static_cast<std::size_t>(group.output(r, engine_.heads));
    dead_[output] = 0;
    RowSupport& support = slot(group, r);
    support.head = group.head;
    support.place = {group.row(r),
                     group.bag,
                     group.place.state_begin + group.state[r],
                     group.state[r],
                     group.place.stored_begin,
                     group.place.stored_count};
    VisibleScores<T> visible;
    SeparatedRow row;
    found.take(options_, visible);
    separate(call_.in.separation, call_.in.top_k, std::span<const T>(visible.score), row);
    keep_support(visible, row, support);
    score_gradients(output, support);
    pass_to_state(output, row.conjugate, found.visible(), support);
  }

  /// Patterns of weight > 0; all visible ones of a row without associations, whose weights are NaN.
  void keep_support(const VisibleScores<T>& visible, const SeparatedRow& row,
                    RowSupport& support) const {
    if (!row.p.empty() && row.p.front() != row.p.front()) {
      const RowMask<T> mask(call_, support.place, support.head);
      for (std::int64_t s = 0; s < support.place.stored_count; ++s) {
        if (mask.visible(s)) support.index.push_back(s);
      }
      support.p.assign(support.index.size(), row.p.front());
      return;
    }
    for (std::size_t i = 0; i < row.p.size(); ++i) {
      if (row.p[i] == 0) continue;
      support.index.push_back(visible.index[i]);
      support.p.push_back(row.p[i]);
    }
  }

  std::vector<double> arriving(const RowSupport& support) const {
    std::vector<double> g;
    if (!cotangents_.state.given()) return g;
    g.resize(static_cast<std::size_t>(engine_.value_depth));
    read_row(cotangents_.state, support.place.row, support.head, g.data());
    return g;
  }

  /// ds = q (u - sum(q u) / sum(q)) + c p with u_s = <g, v_s> - g_H (log p_s + 1).
  void score_gradients(std::size_t output, RowSupport& support) const {
    const std::vector<double> g = arriving(support);
    const double entropy =
        cotangents_.entropy.empty() ? 0 : static_cast<double>(cotangents_.entropy[output]);
    std::vector<double> v(g.size()), u(support.p.size()), q(support.p.size());
    double sum_q = 0, sum_qu = 0;
    for (std::size_t i = 0; i < u.size(); ++i) {
      if (!g.empty()) {
        read_row(engine_.values(), support.place.stored_begin + support.index[i],
                 head_of(engine_.values(), support.head), v.data());
        for (std::size_t k = 0; k < v.size(); ++k) u[i] += g[k] * v[k];
      }
      if (entropy != 0) u[i] -= entropy * (std::log(support.p[i]) + 1);
      q[i] = jacobian_weight(call_.in.separation, support.p[i]);
      sum_q += q[i];
      sum_qu += q[i] * u[i];
    }
    double direct = cotangents_.lse.empty() ? 0 : static_cast<double>(cotangents_.lse[output]);
    if (!cotangents_.energy.empty() && cotangents_.energy[output] != 0) {
      direct -= static_cast<double>(cotangents_.energy[output]) / beta_of(call_.in, support.head);
    }
    const double mean = sum_q == 0 ? 0 : sum_qu / sum_q;
    support.ds.resize(u.size());
    for (std::size_t i = 0; i < u.size(); ++i) {
      support.ds[i] = q[i] * (u[i] - mean) + direct * support.p[i];
    }
  }

  /// Gradients of the row's state and of beta.
  void pass_to_state(std::size_t output, double conjugate, std::int64_t visible,
                     const RowSupport& support) {
    if (!states_.wanted() && beta_.empty()) return;
    const double beta = beta_of(call_.in, support.head);
    const double energy =
        cotangents_.energy.empty() ? 0 : static_cast<double>(cotangents_.energy[output]);
    std::vector<double> x(static_cast<std::size_t>(engine_.depth)), xi(x.size()), dxi(x.size());
    read_row(call_.in.states, support.place.state, head_of(call_.in.states, support.head),
             xi.data());
    double sum = 0;
    for (std::size_t i = 0; i < support.index.size(); ++i) {
      if (support.ds[i] == 0) continue;
      read_row(call_.in.stored, support.place.stored_begin + support.index[i],
               head_of(call_.in.stored, support.head), x.data());
      const Chain chain = chain_of(call_.in.similarity, x, xi);
      sum += support.ds[i] * chain.similarity;
      const double c = beta * support.ds[i];
      for (std::size_t k = 0; k < x.size(); ++k) {
        dxi[k] += c * (chain.across * x[k] + chain.own_state * xi[k]);
      }
    }
    if (energy != 0) {
      sum += energy * (conjugate - std::log(static_cast<double>(visible))) / (beta * beta);
      if (call_.in.similarity == Similarity::kDot) {
        for (std::size_t k = 0; k < x.size(); ++k) dxi[k] += energy * xi[k];
      }
    }
    if (!beta_.empty()) beta_[output] = sum;
    if (!states_.wanted()) return;
    const BagPlace bag = locate_bag(call_, support.place.bag);
    T* to = states_.row(bag, support.place.state_in_bag, support.head);
    for (std::size_t k = 0; k < x.size(); ++k) to[k] = static_cast<T>(dxi[k]);
  }

  void add_bias() const {
    for (const RowSupport& support : supports_) {
      for (std::size_t i = 0; i < support.index.size(); ++i) {
        gradients_.bias[support.place.bag * gradients_.bias_bag_stride +
                        support.head * gradients_.bias_head_stride +
                        support.place.state_in_bag * gradients_.bias_state_stride +
                        support.index[i] * gradients_.bias_stored_stride] +=
            static_cast<T>(support.ds[i]);
      }
    }
  }

  /// Gradients of patterns and projections: each range of stored rows by one thread, the rows in
  /// order for each pattern.
  void add_stored() const {
    const std::int64_t stored = call_.shape.num_stored;
    const std::int64_t ranges = std::clamp<std::int64_t>(
        stored / 16, 1, 8 * static_cast<std::int64_t>(call_.executor.concurrency()));
    std::size_t entries = 0;
    for (const RowSupport& support : supports_) entries += support.index.size();
    const auto cost = static_cast<std::int64_t>(entries) / ranges *
                          (engine_.depth + engine_.value_depth + 16) * 4 +
                      static_cast<std::int64_t>(supports_.size()) * 16;
    run_balanced(
        call_.executor, ranges, [cost](std::int64_t) { return cost; },
        [&](std::int64_t i) { add_range(stored * i / ranges, stored * (i + 1) / ranges); });
  }

  void add_range(std::int64_t begin, std::int64_t end) const {
    std::vector<double> x(static_cast<std::size_t>(engine_.depth)), xi(x.size());
    for (const RowSupport& support : supports_) {
      const std::int64_t offset = support.place.stored_begin;
      const auto first =
          std::lower_bound(support.index.begin(), support.index.end(), begin - offset);
      if (first == support.index.end() || *first + offset >= end) continue;
      const std::vector<double> g = arriving(support);
      read_row(call_.in.states, support.place.state, head_of(call_.in.states, support.head),
               xi.data());
      for (auto at = first; at != support.index.end() && *at + offset < end; ++at) {
        const auto i = static_cast<std::size_t>(at - support.index.begin());
        add_entry(support, i, g, xi, x);
      }
    }
  }

  void add_entry(const RowSupport& support, std::size_t i, const std::vector<double>& g,
                 const std::vector<double>& xi, std::vector<double>& x) const {
    const std::int64_t s = support.place.stored_begin + support.index[i];
    const MutablePatternView<T>& values =
        call_.shape.tied ? gradients_.stored : gradients_.projections;
    if (values.wanted() && !g.empty()) {
      T* to = values.row(s, head_of(engine_.values(), support.head));
      for (std::size_t k = 0; k < g.size(); ++k) to[k] += static_cast<T>(support.p[i] * g[k]);
    }
    if (!gradients_.stored.wanted() || support.ds[i] == 0) return;
    read_row(call_.in.stored, s, head_of(call_.in.stored, support.head), x.data());
    const Chain chain = chain_of(call_.in.similarity, x, xi);
    const double c = beta_of(call_.in, support.head) * support.ds[i];
    T* to = gradients_.stored.row(s, head_of(call_.in.stored, support.head));
    for (std::size_t k = 0; k < x.size(); ++k) {
      to[k] += static_cast<T>(c * (chain.across * xi[k] + chain.own_x * x[k]));
    }
  }

  const Engine<T>& engine_;
  const AssociateCall& call_;
  const AssociateCotangents<T>& cotangents_;
  const AssociateGradients<T>& gradients_;
  StateGradients<T> states_;
  CollectOptions options_;
  Plan wave_;
  std::vector<std::int64_t> begins_;  ///< of the wave's items in supports_
  std::vector<RowSupport> supports_;
  std::vector<double> beta_;        ///< [R, H]
  std::vector<std::uint8_t> dead_;  ///< [R, H]
};

}  // namespace

template <class T>
void simd_separated_backward(const TileKernels<T>& kernels, const AssociateCall& call,
                             const AssociateCotangents<T>& cotangents,
                             const AssociateGradients<T>& gradients) {
  const Engine<T> engine(call, kernels);
  SeparatedBackward<T>(engine, cotangents, gradients).run();
}

#define HOPFIELD_INSTANTIATE(T)                                                      \
  template void simd_separated_backward(const TileKernels<T>&, const AssociateCall&, \
                                        const AssociateCotangents<T>&,               \
                                        const AssociateGradients<T>&);
HOPFIELD_INSTANTIATE(float)
HOPFIELD_INSTANTIATE(double)
#undef HOPFIELD_INSTANTIATE

}  // namespace hopfield::internal
