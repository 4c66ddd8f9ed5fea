#include "kernels/associate/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace hopfield::internal {

template <class T>
RowScorer<T>::RowScorer(const AssociateCall& call, const RowPlace& place, std::int64_t head)
    : call_(call),
      place_(place),
      stored_head_(head_of(call.in.stored, head)),
      mask_(call, place, head),
      beta_(beta_of(call.in, head)),
      xi_(static_cast<std::size_t>(call.shape.depth)),
      x_(static_cast<std::size_t>(call.shape.depth)) {
  read_row(call.in.states, place.state, head_of(call.in.states, head), xi_.data());
  for (const double value : xi_) state_square_norm_ += value * value;
}

template <class T>
bool RowScorer<T>::look_at(std::int64_t s) {
  if (!mask_.visible(s)) return false;
  read_row(call_.in.stored, place_.stored_begin + s, stored_head_, x_.data());
  double dot = 0, square_distance = 0;
  square_norm_ = 0;
  for (std::size_t k = 0; k < x_.size(); ++k) {
    dot += x_[k] * xi_[k];
    square_norm_ += x_[k] * x_[k];
    square_distance += (x_[k] - xi_[k]) * (x_[k] - xi_[k]);
  }
  switch (call_.in.similarity) {
    case Similarity::kDot:
      similarity_ = dot;
      break;
    case Similarity::kCosine:
      similarity_ = square_norm_ == 0 || state_square_norm_ == 0
                        ? 0
                        : dot / (std::sqrt(square_norm_) * std::sqrt(state_square_norm_));
      break;
    case Similarity::kNegativeSquaredDistance:
      similarity_ = -square_distance;
      break;
  }
  score_ = static_cast<T>(beta_ * similarity_ + static_cast<double>(mask_.bias(s)));
  return true;
}

template <class T>
void RowScorer<T>::add_gradient(double c, double* dx, double* dxi) const {
  double norm = 1, state_norm = 1;
  if (call_.in.similarity == Similarity::kCosine) {
    if (square_norm_ == 0 || state_square_norm_ == 0) return;  // the similarity is constantly 0
    norm = std::sqrt(square_norm_);
    state_norm = std::sqrt(state_square_norm_);
  }
  for (std::size_t k = 0; k < x_.size(); ++k) {
    double by_x = 0, by_xi = 0;
    switch (call_.in.similarity) {
      case Similarity::kDot:
        by_x = xi_[k];
        by_xi = x_[k];
        break;
      case Similarity::kCosine:
        by_x = (xi_[k] / state_norm - similarity_ * x_[k] / norm) / norm;
        by_xi = (x_[k] / norm - similarity_ * xi_[k] / state_norm) / state_norm;
        break;
      case Similarity::kNegativeSquaredDistance:
        by_x = 2 * (xi_[k] - x_[k]);
        by_xi = 2 * (x_[k] - xi_[k]);
        break;
    }
    if (dx != nullptr) dx[k] += c * by_x;
    if (dxi != nullptr) dxi[k] += c * by_xi;
  }
}

template class RowScorer<float>;
template class RowScorer<double>;

namespace {

/// Partial state of one (row, head) against the patterns [begin, end) of its bag. Writes acc.
template <class T>
RowPartial<T> partial_of(const AssociateCall& call, const RowPlace& place, std::int64_t head,
                         RowScorer<T>& scorer, std::int64_t begin, std::int64_t end, T* acc) {
  RowPartial<T> partial;
  std::vector<T> score;
  std::vector<std::int64_t> index;
  double max_square_norm = 0;
  for (std::int64_t s = begin; s < end; ++s) {
    if (!scorer.look_at(s)) continue;
    score.push_back(scorer.score());
    index.push_back(s);
    if (scorer.square_norm() > max_square_norm || scorer.square_norm() != scorer.square_norm()) {
      max_square_norm = scorer.square_norm();
    }
    if (partial.largest_index < 0 || scorer.score() > partial.max) {
      partial.max = scorer.score();
      partial.largest_index = s;
    }
  }
  partial.visible = static_cast<std::int64_t>(score.size());
  partial.max_square_norm = static_cast<T>(max_square_norm);

  const PatternView& values = read_out(call);
  std::vector<double> v(static_cast<std::size_t>(values.depth)), sum_v(v.size());
  double sum = 0, moment = 0;
  for (std::size_t i = 0; i < score.size(); ++i) {
    const double shifted = static_cast<double>(score[i]) - static_cast<double>(partial.max);
    const double weight = std::exp(shifted);
    sum += weight;
    if (weight != 0) moment += weight * shifted;  // 0 * -inf is 0 here: the limit of x log x
    read_row(values, place.stored_begin + index[i], head_of(values, head), v.data());
    for (std::size_t k = 0; k < v.size(); ++k) sum_v[k] += weight * v[k];
  }
  partial.sum = static_cast<T>(sum);
  partial.moment = static_cast<T>(moment);
  for (std::size_t k = 0; k < v.size(); ++k) acc[k] = static_cast<T>(sum_v[k]);
  return partial;
}

template <class T>
void visible_scores(RowScorer<T>& scorer, std::int64_t count, VisibleScores<T>& visible,
                    double* max_square_norm) {
  visible.clear();
  *max_square_norm = 0;
  for (std::int64_t s = 0; s < count; ++s) {
    if (!scorer.look_at(s)) continue;
    visible.score.push_back(scorer.score());
    visible.index.push_back(s);
    if (!(scorer.square_norm() <= *max_square_norm)) *max_square_norm = scorer.square_norm();
  }
}

/// Where row and head begin in the dense associations (bags of [H, T_bag, S_bag]), or null.
template <class T>
T* association_row(const AssociateCall& call, const AssociateOutputs<T>& out, const RowPlace& place,
                   std::int64_t head) {
  if (out.association.empty()) return nullptr;
  std::int64_t begin = 0, states = 0;
  for (std::int64_t b = 0; b <= place.bag; ++b) {
    const BagPlace bag = locate_bag(call, b);
    states = bag.state_count;
    if (b < place.bag) begin += call.shape.heads * bag.state_count * bag.stored_count;
  }
  return out.association.data() + begin + (head * states + place.state_in_bag) * place.stored_count;
}

/// Softmax by folding blocks, as the contract promises.
template <class T>
void softmax_row(const AssociateCall& call, const AssociateOutputs<T>& out, const RowPlace& place,
                 std::int64_t head, RowScorer<T>& scorer) {
  const std::int64_t index = place.row * call.shape.heads + head;
  const std::int64_t depth = call.shape.projection_depth;
  RowPartial<T> partial;
  std::vector<T> acc(static_cast<std::size_t>(depth)), next_acc(acc.size());
  for (std::int64_t begin = 0; begin < place.stored_count;) {
    const std::int64_t end = begin + std::min(call.block_size, place.stored_count - begin);
    const RowPartial<T> next = partial_of(call, place, head, scorer, begin, end, next_acc.data());
    merge_acc(merge_row(partial, next), depth, next_acc.data(), acc.data());
    begin = end;
  }
  const bool energy = !out.energy.empty();
  const double norm =
      energy ? square_norm(call.in.states, place.state, head_of(call.in.states, head)) : 0.0;
  write_row_scalars(out, index,
                    finish_row(partial, call.in.similarity, scorer.beta(), norm, energy));
  if (out.state.wanted()) finish_state(partial, acc.data(), depth, out.state.row(place.row, head));

  T* association = association_row(call, out, place, head);
  if (out.num_top == 0 && out.metastable_size.empty() && association == nullptr) return;
  VisibleScores<T> visible;
  double unused = 0;
  visible_scores(scorer, place.stored_count, visible, &unused);
  SeparatedRow row;
  for (const T score : visible.score) {
    row.p.push_back(std::exp(static_cast<double>(score) - static_cast<double>(partial.max)) /
                    static_cast<double>(partial.sum));
  }
  if (!(partial.sum == partial.sum)) {
    std::fill(row.p.begin(), row.p.end(), std::numeric_limits<double>::quiet_NaN());
  }
  write_distribution(out, index, visible, row, association, place.stored_count);
}

/// Every other separation: the scores of the row, then its associations.
template <class T>
void separated_row(const AssociateCall& call, const AssociateOutputs<T>& out, const RowPlace& place,
                   std::int64_t head, RowScorer<T>& scorer) {
  const std::int64_t index = place.row * call.shape.heads + head;
  VisibleScores<T> visible;
  double max_square_norm = 0;
  visible_scores(scorer, place.stored_count, visible, &max_square_norm);
  SeparatedRow row;
  separate(call.in.separation, call.in.top_k, std::span<const T>(visible.score), row);
  write_separated_scalars(call, out, place, head, visible, row, max_square_norm);

  if (out.state.wanted()) {
    const PatternView& values = read_out(call);
    std::vector<double> v(static_cast<std::size_t>(values.depth)), state(v.size());
    for (std::size_t i = 0; i < row.p.size(); ++i) {
      if (row.p[i] == 0) continue;
      read_row(values, place.stored_begin + visible.index[i], head_of(values, head), v.data());
      for (std::size_t k = 0; k < v.size(); ++k) state[k] += row.p[i] * v[k];
    }
    T* to = out.state.row(place.row, head);
    for (std::size_t k = 0; k < v.size(); ++k) to[k] = static_cast<T>(state[k]);
  }
  write_distribution(out, index, visible, row, association_row(call, out, place, head),
                     place.stored_count);
}

template <class T>
std::string_view reference_forward(const AssociateCall& call, const AssociateOutputs<T>& out) {
  const std::int64_t heads = call.shape.heads;
  call.executor.run(call.shape.rows * heads, [&](std::int64_t i) {
    const std::int64_t row = i / heads, head = i % heads;
    if (!is_active(call, row, head)) return;
    const RowPlace place = locate_row(call, row);
    RowScorer<T> scorer(call, place, head);
    if (call.in.separation == Separation::kSoftmax) {
      softmax_row(call, out, place, head, scorer);
    } else {
      separated_row(call, out, place, head, scorer);
    }
  });
  return "reference";
}

template <class T>
std::string_view reference_partials(const AssociateCall& call, std::int64_t first_index,
                                    std::vector<Partials<T>>& blocks) {
  const std::int64_t heads = call.shape.heads;
  call.executor.run(call.shape.rows * heads, [&](std::int64_t i) {
    const std::int64_t row = i / heads, head = i % heads;
    if (!is_active(call, row, head)) return;
    const RowPlace place = locate_row(call, row);
    RowScorer<T> scorer(call, place, head);
    std::int64_t begin = 0;
    for (Partials<T>& block : blocks) {
      const std::int64_t end = begin + std::min(call.block_size, place.stored_count - begin);
      RowPartial<T> partial =
          partial_of(call, place, head, scorer, begin, end, block.acc.data() + i * block.depth);
      if (partial.largest_index >= 0) partial.largest_index += first_index;
      store_row(partial, i, block);
      begin = end;
    }
  });
  return "reference";
}

std::string runs_everywhere() {
  return {};
}

}  // namespace

template <class T>
const Implementation<T>& reference_implementation() {
  static constexpr Implementation<T> kReference = {"reference", runs_everywhere,
                                                   reference_forward<T>, reference_backward<T>,
                                                   reference_partials<T>};
  return kReference;
}
template const Implementation<float>& reference_implementation<float>();
template const Implementation<double>& reference_implementation<double>();

}  // namespace hopfield::internal
