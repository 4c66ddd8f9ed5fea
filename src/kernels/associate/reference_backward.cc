#include <cmath>

#include "kernels/associate/reference.h"

namespace hopfield::internal {
namespace {

/// Gradients in double, laid out densely as the inputs are.
struct Sums {
  std::vector<double> stored, projections, states;
  std::vector<double> beta;  ///< [B, H]: summed over bags at the end
};

double* at(std::vector<double>& sums, const PatternView& view, std::int64_t row,
           std::int64_t head) {
  if (sums.empty()) return nullptr;
  return sums.data() + (row * view.heads + head_of(view, head)) * view.depth;
}

/// What arrives at one (row, head).
struct RowCotangent {
  std::vector<double> state;  ///< empty: zero
  double lse = 0, energy = 0, entropy = 0;
};

template <class T>
RowCotangent read_cotangent(const AssociateCall& call, const AssociateCotangents<T>& cotangents,
                            std::int64_t row, std::int64_t head) {
  const auto i = static_cast<std::size_t>(row * call.shape.heads + head);
  RowCotangent g;
  if (cotangents.state.given()) {
    g.state.resize(static_cast<std::size_t>(call.shape.projection_depth));
    read_row(cotangents.state, row, head, g.state.data());
  }
  if (!cotangents.lse.empty()) g.lse = static_cast<double>(cotangents.lse[i]);
  if (!cotangents.energy.empty()) g.energy = static_cast<double>(cotangents.energy[i]);
  if (!cotangents.entropy.empty()) g.entropy = static_cast<double>(cotangents.entropy[i]);
  return g;
}

/// One (row, head) of the backward pass. theory: ds = q (u - sum(q u) / sum(q)) + c p, with
/// u_s = <g, v_s> - g_H (log p_s + 1) and c = g_lse - g_E / beta.
template <class T>
class RowBackward {
 public:
  RowBackward(const AssociateCall& call, const AssociateGradients<T>& gradients, Sums& sums,
              const RowPlace& place, std::int64_t head)
      : call_(call),
        gradients_(gradients),
        sums_(sums),
        place_(place),
        head_(head),
        scorer_(call, place, head) {}

  void run(const RowCotangent& g) {
    look(g);
    if (visible_.score.empty()) return;
    separate(call_.in.separation, call_.in.top_k, std::span<const T>(visible_.score), row_);
    score_gradients(g);
    for (std::size_t i = 0; i < visible_.index.size(); ++i) {
      if (ds_[i] != 0) pass_score(i);
      if (row_.p[i] != 0 && !g.state.empty()) pass_value(i, g);
    }
    if (g.energy != 0) pass_energy(g.energy);
  }

 private:
  /// Scores, similarities, <g, v_s>, and the first of the largest patterns.
  void look(const RowCotangent& g) {
    const PatternView& values = read_out(call_);
    std::vector<double> v(static_cast<std::size_t>(values.depth));
    double largest = -1;
    for (std::int64_t s = 0; s < place_.stored_count; ++s) {
      if (!scorer_.look_at(s)) continue;
      visible_.score.push_back(scorer_.score());
      visible_.index.push_back(s);
      similarity_.push_back(scorer_.similarity());
      if (scorer_.square_norm() > largest) {
        largest = scorer_.square_norm();
        largest_norm_at_ = s;
      }
      double u = 0;
      if (!g.state.empty()) {
        read_row(values, place_.stored_begin + s, head_of(values, head_), v.data());
        for (std::size_t k = 0; k < v.size(); ++k) u += g.state[k] * v[k];
      }
      u_.push_back(u);
    }
  }

  void score_gradients(const RowCotangent& g) {
    double sum_q = 0, sum_qu = 0;
    std::vector<double> q(row_.p.size());
    for (std::size_t i = 0; i < q.size(); ++i) {
      if (row_.p[i] == 0) continue;
      q[i] = jacobian_weight(call_.in.separation, row_.p[i]);
      if (g.entropy != 0) u_[i] -= g.entropy * (std::log(row_.p[i]) + 1);
      sum_q += q[i];
      sum_qu += q[i] * u_[i];
    }
    const double mean = sum_q == 0 ? 0 : sum_qu / sum_q;
    const double c = g.lse - (g.energy == 0 ? 0 : g.energy / scorer_.beta());
    ds_.assign(q.size(), 0.0);
    for (std::size_t i = 0; i < q.size(); ++i) {
      if (row_.p[i] != 0) ds_[i] = q[i] * (u_[i] - mean) + c * row_.p[i];
    }
  }

  void pass_score(std::size_t i) {
    const std::int64_t s = visible_.index[i];
    if (!sums_.stored.empty() || !sums_.states.empty()) {
      scorer_.look_at(s);
      scorer_.add_gradient(scorer_.beta() * ds_[i],
                           at(sums_.stored, call_.in.stored, place_.stored_begin + s, head_),
                           at(sums_.states, call_.in.states, place_.state, head_));
    }
    if (!sums_.beta.empty()) *beta_sum() += ds_[i] * similarity_[i];
    if (gradients_.bias != nullptr) {
      gradients_
          .bias[place_.bag * gradients_.bias_bag_stride + head_ * gradients_.bias_head_stride +
                place_.state_in_bag * gradients_.bias_state_stride +
                s * gradients_.bias_stored_stride] += static_cast<T>(ds_[i]);
    }
  }

  void pass_value(std::size_t i, const RowCotangent& g) {
    const std::int64_t s = place_.stored_begin + visible_.index[i];
    double* dv = call_.shape.tied ? at(sums_.stored, call_.in.stored, s, head_)
                                  : at(sums_.projections, call_.in.projections, s, head_);
    if (dv == nullptr) return;
    for (std::size_t k = 0; k < g.state.size(); ++k) dv[k] += row_.p[i] * g.state[k];
  }

  /// What the energy depends on besides the scores: beta, |xi|^2 / 2 and M^2 / 2.
  void pass_energy(double g) {
    const double beta = scorer_.beta();
    if (!sums_.beta.empty()) {
      const double log_count = std::log(static_cast<double>(visible_.score.size()));
      *beta_sum() += g * (row_.conjugate - log_count) / (beta * beta);
    }
    if (call_.in.similarity != Similarity::kDot) return;
    if (double* dxi = at(sums_.states, call_.in.states, place_.state, head_)) {
      for (std::size_t k = 0; k < scorer_.state().size(); ++k) dxi[k] += g * scorer_.state()[k];
    }
    if (largest_norm_at_ < 0) return;
    if (double* dx =
            at(sums_.stored, call_.in.stored, place_.stored_begin + largest_norm_at_, head_)) {
      scorer_.look_at(largest_norm_at_);
      for (std::size_t k = 0; k < scorer_.pattern().size(); ++k) dx[k] += g * scorer_.pattern()[k];
    }
  }

  double* beta_sum() {
    return &sums_.beta[static_cast<std::size_t>(place_.bag * call_.shape.heads + head_)];
  }

  const AssociateCall& call_;
  const AssociateGradients<T>& gradients_;
  Sums& sums_;
  RowPlace place_;
  std::int64_t head_;
  RowScorer<T> scorer_;
  VisibleScores<T> visible_;
  SeparatedRow row_;
  std::vector<double> similarity_, u_, ds_;
  std::int64_t largest_norm_at_ = -1;
};

std::size_t elements(const PatternView& view) {
  return static_cast<std::size_t>(view.rows * view.heads * view.depth);
}

template <class T>
void round_to(const MutablePatternView<T>& gradient, const std::vector<double>& sums) {
  if (!gradient.wanted()) return;
  std::size_t i = 0;
  for (std::int64_t r = 0; r < gradient.rows; ++r) {
    for (std::int64_t h = 0; h < gradient.heads; ++h) {
      T* to = gradient.row(r, h);
      for (std::int64_t k = 0; k < gradient.depth; ++k) to[k] = static_cast<T>(sums[i++]);
    }
  }
}

}  // namespace

template <class T>
std::string_view reference_backward(const AssociateCall& call, const AssociateSaved<T>& /*saved*/,
                                    const AssociateCotangents<T>& cotangents,
                                    const AssociateGradients<T>& gradients) {
  const AssociationShape& shape = call.shape;
  const Associations& in = call.in;
  Sums sums;
  if (gradients.stored.wanted()) sums.stored.resize(elements(in.stored));
  if (gradients.projections.wanted()) sums.projections.resize(elements(in.projections));
  if (gradients.states.wanted()) sums.states.resize(elements(in.states));
  if (!gradients.beta.empty()) {
    sums.beta.resize(static_cast<std::size_t>(shape.num_bags * shape.heads));
  }

  // Bags and heads that share no gradient run in parallel; each sum keeps the order bag, head, row.
  const bool bags_apart = !shape.stored_shared && !shape.states_shared && gradients.bias == nullptr;
  const bool heads_apart = in.stored.heads == shape.heads && in.states.heads == shape.heads &&
                           (shape.tied || in.projections.heads == shape.heads) &&
                           gradients.bias == nullptr;
  const std::int64_t bag_tasks = bags_apart ? shape.num_bags : 1;
  const std::int64_t head_tasks = heads_apart ? shape.heads : 1;
  call.executor.run(bag_tasks * head_tasks, [&](std::int64_t task) {
    const std::int64_t bag_begin = bags_apart ? task / head_tasks : 0;
    const std::int64_t bag_end = bags_apart ? bag_begin + 1 : shape.num_bags;
    const std::int64_t head_begin = heads_apart ? task % head_tasks : 0;
    const std::int64_t head_end = heads_apart ? head_begin + 1 : shape.heads;
    for (std::int64_t b = bag_begin; b < bag_end; ++b) {
      const BagPlace bag = locate_bag(call, b);
      for (std::int64_t h = head_begin; h < head_end; ++h) {
        for (std::int64_t t = 0; t < bag.state_count; ++t) {
          const std::int64_t r = bag.row_begin + t;
          if (!is_active(call, r, h)) continue;
          const RowPlace place = {r, b, bag.state_begin + t, t, bag.stored_begin, bag.stored_count};
          RowBackward<T>(call, gradients, sums, place, h)
              .run(read_cotangent(call, cotangents, r, h));
        }
      }
    }
  });

  round_to(gradients.stored, sums.stored);
  round_to(gradients.projections, sums.projections);
  round_to(gradients.states, sums.states);
  for (std::size_t j = 0; j < gradients.beta.size(); ++j) {
    double sum = 0;
    for (std::int64_t b = 0; b < shape.num_bags; ++b) {
      for (std::int64_t h = 0; h < shape.heads; ++h) {
        if (gradients.beta.size() == 1 || h == static_cast<std::int64_t>(j)) {
          sum += sums.beta[static_cast<std::size_t>(b * shape.heads + h)];
        }
      }
    }
    gradients.beta[j] = static_cast<T>(sum);
  }
  return "reference";
}

template std::string_view reference_backward(const AssociateCall&, const AssociateSaved<float>&,
                                             const AssociateCotangents<float>&,
                                             const AssociateGradients<float>&);
template std::string_view reference_backward(const AssociateCall&, const AssociateSaved<double>&,
                                             const AssociateCotangents<double>&,
                                             const AssociateGradients<double>&);

}  // namespace hopfield::internal
