#include "hopfield/memory/rerank.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>

#include "hopfield/base/error.h"
#include "memory/pair_similarity.h"
#include "memory/pattern_rows.h"

namespace hopfield {
namespace {

constexpr std::string_view kOp = "rerank";
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// A pattern among those scored exactly.
struct Candidate {
  std::int64_t pattern;
  double code_weight, code_score;  ///< weight: as associated
  double score, similarity;        ///< exact where exact rows are there
  double low, high;                ///< between which the exact score lies
};

/// Bounds that need the scales only; docs/math/codes.md.
struct CodeBounds {
  double largest_scale = 0;
  std::int64_t depth = 0;

  // In scales: half a unit, and the f32 product of code and scale.
  static constexpr double kDecodeError = 0.5 + 0x1p-17;

  explicit CodeBounds(const PatternView& stored) : depth(stored.depth) {
    for (std::int64_t s = 0; s < stored.rows; ++s) {
      largest_scale = std::max(largest_scale, static_cast<double>(stored.scales[s]));
    }
  }

  /// Of the score of a row of that scale; `reach` is |beta| times the state's sum of magnitudes.
  static double score(double reach, double scale) {
    return scale == 0 ? 0 : reach * scale * kDecodeError;
  }
  /// How far an f32 score may lie from that of the decoded row: depth products and sums, the
  /// factor beta, and its own rounding; twice that, for terms of second order.
  double rounding(double reach) const {
    return score(reach, largest_scale) * (127 / kDecodeError) * static_cast<double>(depth + 4) *
           0x1p-23;
  }
  /// Longest exact row.
  double norm() const {
    return (127 + kDecodeError) * largest_scale * std::sqrt(static_cast<double>(depth));
  }
  /// Longest difference of an exact row and its codes.
  double shift() const {
    return kDecodeError * largest_scale * std::sqrt(static_cast<double>(depth));
  }
};

/// Sums over patterns relative to the lse of the codes, times exp(-shift), which keeps exponentials
/// finite.
struct Corrected {
  double lse = 0, shift = 0;
  double rest = 0;             ///< weights of the patterns that are no candidates
  double rest_most = 0;        ///< the same, not below what rounding may hide
  double total = 0;            ///< all weights
  double moment = 0;           ///< weight times (score - lse)
  std::vector<double> weight;  ///< of the candidates
};

/// One state: its candidates, and what follows from them.
class StateRerank {
 public:
  StateRerank(const Associations& in, const ExactRows& exact, const CodeBounds& bounds,
              std::int64_t state)
      : in_(in), exact_(exact), bounds_(bounds), state_(index(in.states.depth)) {
    internal::load_row(in.states, state, 0, state_.data());
    double sum = 0;
    for (const double x : state_) sum += std::abs(x);
    reach_ = in.similarity == Similarity::kDot ? std::abs(in.beta[0]) * sum : kInfinity;
  }

  /// The patterns of the largest scores of the codes, by score.
  void take(std::span<const std::int64_t> patterns, std::span<const float> weights) {
    candidates_.clear();
    std::vector<double> row(state_.size());
    for (std::size_t i = 0; i < patterns.size() && patterns[i] >= 0; ++i) {
      candidates_.push_back(candidate(patterns[i], static_cast<double>(weights[i]), row));
    }
    std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) {
      return a.score > b.score || (a.score == b.score && a.pattern < b.pattern);
    });
  }

  bool any() const { return !candidates_.empty(); }
  bool all() const { return std::ssize(candidates_) == in_.stored.rows; }
  const std::vector<Candidate>& candidates() const { return candidates_; }

  /// Of every score of the codes.
  double score_bound() const { return CodeBounds::score(reach_, bounds_.largest_scale); }

  /// Whether no other pattern can have a larger exact score than one of the first `num_top`.
  bool certain(std::int64_t num_top) const {
    double lowest = kInfinity, others = -kInfinity, code = kInfinity;
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      const Candidate& c = candidates_[i];
      code = std::min(code, c.code_score);
      if (i < index(num_top)) {
        lowest = std::min(lowest, c.low);
      } else {
        others = std::max(others, c.high);
      }
    }
    if (!all()) {
      others = std::max(others, code + 2 * bounds_.rounding(reach_) + score_bound());
    }
    return lowest >= others;
  }

  /// Replaces what the codes say of the candidates by what their rows say. Returns the largest
  /// share of the weight that the other patterns may have.
  double correct(const AssociateOutputs<float>& out, std::int64_t t) const {
    const auto at = index(t);
    const Corrected c = corrected(out, at);
    write_state(c, out.state.row(t, 0));
    const double change = c.shift + std::log(c.total);
    out.lse[at] = static_cast<float>(c.lse + change);
    out.entropy[at] = static_cast<float>(std::max(0.0, change - c.moment / c.total));
    if (!out.energy.empty()) {
      out.energy[at] =
          static_cast<float>(static_cast<double>(out.energy[at]) - change / in_.beta[0]);
    }
    double mass = 0;
    for (std::size_t i = 0; i < c.weight.size(); ++i) {
      const double weight = c.weight[i] / c.total;
      if (i < index(out.num_top)) out.top[at * index(out.num_top) + i] = static_cast<float>(weight);
      if (mass < out.metastable_mass && mass + weight >= out.metastable_mass &&
          !out.metastable_size.empty()) {
        out.metastable_size[at] = static_cast<std::int64_t>(i) + 1;
      }
      mass += weight;
    }
    return c.rest_most / (c.total - c.rest + c.rest_most);
  }

 private:
  Candidate candidate(std::int64_t pattern, double weight, std::vector<double>& row) const {
    Candidate c{};
    c.pattern = pattern;
    c.code_weight = weight;
    internal::load_row(in_.stored, pattern, 0, row.data());
    c.code_score = in_.beta[0] * internal::pair_similarity(in_.similarity, row, state_);
    c.similarity =
        internal::pair_similarity(in_.similarity, exact_ ? exact_(pattern, 1) : row, state_);
    c.score = in_.beta[0] * c.similarity;
    const auto scale = static_cast<double>(in_.stored.scales[pattern]);
    const double bound = exact_ ? 0 : CodeBounds::score(reach_, scale);
    c.low = c.score - bound;
    c.high = c.score + bound;
    return c;
  }

  Corrected corrected(const AssociateOutputs<float>& out, std::size_t t) const {
    Corrected c;
    c.lse = static_cast<double>(out.lse[t]);
    if (!all()) {
      c.rest = 1;
      c.moment = -static_cast<double>(out.entropy[t]);
      for (const Candidate& seen : candidates_) {
        c.rest -= seen.code_weight;
        c.moment -= seen.code_weight * (seen.code_score - c.lse);
      }
    }
    c.shift = std::max(0.0, candidates_.front().score - c.lse);
    c.rest = std::max(c.rest, 0.0) * std::exp(-c.shift);
    c.rest_most = rest_most() * std::exp(-c.shift);
    c.moment *= std::exp(-c.shift);
    c.total = c.rest;
    for (const Candidate& seen : candidates_) {
      c.weight.push_back(std::exp(seen.score - c.lse - c.shift));
      c.total += c.weight.back();
      c.moment += c.weight.back() * (seen.score - c.lse);
    }
    return c;
  }

  /// Weight that the codes of all patterns but the candidates can have: what the candidates leave,
  /// and no more each than the smallest of the candidates, but for the rounding of f32.
  double rest_most() const {
    if (all()) return 0;
    double left = 1, smallest = 1;
    for (const Candidate& c : candidates_) {
      left -= c.code_weight;
      smallest = std::min(smallest, c.code_weight);
    }
    const double rounding = std::expm1(2 * bounds_.rounding(reach_)) + 0x1p-20;
    const double tail = std::max(smallest, static_cast<double>(std::numeric_limits<float>::min())) *
                        static_cast<double>(in_.stored.rows - std::ssize(candidates_));
    return std::min({1.0, left + rounding, tail * (1 + rounding)});
  }

  void write_state(const Corrected& c, float* state) const {
    const PatternView& read = in_.projections.given() ? in_.projections : in_.stored;
    std::vector<double> sum(index(read.depth)), row(sum.size());
    const double scale = std::exp(-c.shift);
    for (std::size_t k = 0; !all() && k < sum.size(); ++k) {
      sum[k] = scale * static_cast<double>(state[k]);
    }
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      internal::load_row(read, candidates_[i].pattern, 0, row.data());
      const double before = all() ? 0 : scale * candidates_[i].code_weight;
      for (std::size_t k = 0; k < sum.size(); ++k) sum[k] -= before * row[k];
      if (!in_.projections.given()) row = exact_(candidates_[i].pattern, 1);
      for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += c.weight[i] * row[k];
    }
    for (std::size_t k = 0; k < sum.size(); ++k) state[k] = static_cast<float>(sum[k] / c.total);
  }

  const Associations& in_;
  const ExactRows& exact_;
  const CodeBounds& bounds_;
  std::vector<double> state_;
  double reach_ = 0;
  std::vector<Candidate> candidates_;
};

class Rerank {
 public:
  Rerank(const Associations& in, const ExactRows& exact, const AssociateOutputs<float>& out,
         const RerankOptions& options)
      : in_(in), exact_(exact), out_(out), options_(options), bounds_(in.stored) {
    const std::size_t states = index(in.states.rows);
    for (std::int64_t t = 0; t < in.states.rows; ++t) {
      states_.emplace_back(in_, exact_, bounds_, t);
      states_.back().take(row_of(out.top_index, out.num_top, index(t)),
                          row_of(out.top, out.num_top, index(t)));
    }
    const double nan = std::numeric_limits<double>::quiet_NaN();
    report_.num_candidates.assign(states, 0);
    report_.score_bound.assign(states, nan);
    report_.weight_bound = report_.state_bound = report_.score_bound;
    report_.top_certain.assign(states, 0);
    report_.top_similarity.assign(states * index(options.num_top), nan);
  }

  RerankReport run() {
    std::int64_t count = out_.num_top;
    const std::int64_t most = std::min(options_.max_candidates, in_.stored.rows);
    while (exact_ && in_.similarity == Similarity::kDot && count < most) {
      count = std::min(8 * count, most);
      if (!look_further(count)) break;
    }
    for (std::size_t t = 0; t < states_.size(); ++t) {
      if (states_[t].any()) write(t);
    }
    return std::move(report_);
  }

 private:
  template <class Numbers>
  static Numbers row_of(Numbers numbers, std::int64_t width, std::size_t t) {
    return numbers.subspan(t * index(width), index(width));
  }

  /// Asks for the `count` largest scores of all states that are not certain; false if all are.
  bool look_further(std::int64_t count) {
    std::vector<std::uint8_t> active(states_.size(), 0);
    for (std::size_t t = 0; t < states_.size(); ++t) {
      active[t] = states_[t].any() && !states_[t].certain(options_.num_top) ? 1 : 0;
    }
    if (std::count(active.begin(), active.end(), 1) == 0) return false;
    std::vector<float> top(states_.size() * index(count));
    std::vector<std::int64_t> top_index(top.size());
    Associations in = in_;
    in.active = active;
    AssociateOutputs<float> out;
    out.num_top = count;
    out.top = top;
    out.top_index = top_index;
    AssociateOptions options;
    options.executor = options_.executor;
    associate(in, out, options);
    for (std::size_t t = 0; t < states_.size(); ++t) {
      if (active[t] == 0) continue;
      states_[t].take(row_of(std::span<const std::int64_t>(top_index), count, t),
                      row_of(std::span<const float>(top), count, t));
    }
    return true;
  }

  void write(std::size_t t) {
    const StateRerank& state = states_[t];
    const double bound = state.score_bound();
    report_.num_candidates[t] = exact_ ? std::ssize(state.candidates()) : 0;
    report_.score_bound[t] = bound;
    report_.top_certain[t] = state.certain(options_.num_top) ? 1 : 0;
    const double rest = exact_ ? state.correct(out_, static_cast<std::int64_t>(t)) : 1;
    // The weights of the rest move by factors within exp(-bound) and exp(bound).
    const double moved = rest == 0 ? 0 : std::min(std::tanh(bound / 2), rest * std::expm1(bound));
    report_.weight_bound[t] = moved;
    report_.state_bound[t] = in_.projections.given() || in_.similarity != Similarity::kDot
                                 ? (rest == 0 ? 0 : kInfinity)
                                 : moved * 2 * bounds_.norm() + rest * bounds_.shift();
    const std::size_t k = index(out_.num_top), wanted = index(options_.num_top);
    for (std::size_t i = 0; i < std::min(k, state.candidates().size()); ++i) {
      const Candidate& c = state.candidates()[i];
      out_.top_index[t * k + i] = c.pattern;
      if (!exact_) out_.top[t * k + i] = static_cast<float>(c.code_weight);
      if (i < wanted) report_.top_similarity[t * wanted + i] = c.similarity;
    }
  }

  const Associations& in_;
  const ExactRows& exact_;
  const AssociateOutputs<float>& out_;
  const RerankOptions& options_;
  CodeBounds bounds_;
  std::vector<StateRerank> states_;
  RerankReport report_;
};

}  // namespace

std::int64_t rerank_candidates(std::int64_t num_top, std::int64_t num_patterns) {
  return std::min(std::max<std::int64_t>(4 * num_top, 64), num_patterns);
}

RerankReport rerank(const Associations& in, const ExactRows& exact,
                    const AssociateOutputs<float>& out, const RerankOptions& options) {
  const AssociationShape shape = validate(in, kOp);
  require(in.stored.dtype == DType::kI8 && in.stored.rows >= 1 && shape.heads == 1 &&
              in.stored_offsets.empty() && in.state_offsets.empty(),
          kOp, "expected int8 patterns of one head in one bag, got others or none");
  require(in.separation == Separation::kSoftmax && !in.hidden.given() && in.hidden_stored.empty() &&
              !in.bias_f32.given() && in.active.empty(),
          kOp, "expected a softmax of all patterns and states, got another separation or a mask");
  const std::size_t rows = index(in.states.rows);
  require(options.num_top >= 1 && options.num_top <= out.num_top, kOp,
          "expected num_top from 1 to the " + std::to_string(out.num_top) +
              " associations that are there, got " + std::to_string(options.num_top));
  require(out.state.wanted() && out.lse.size() == rows && out.entropy.size() == rows &&
              out.top.size() == rows * index(out.num_top) && out.top_index.size() == out.top.size(),
          kOp, "expected state, lse, entropy, top and top_index of each state, got fewer");
  return Rerank(in, exact, out, options).run();
}

SearchResult search_codes(const PatternView& stored, const ExactRows& exact,
                          const PatternView& states, double beta, const SearchOptions& options,
                          RerankReport* report) {
  require(options.num_top >= 1 && stored.rows >= 1, "search_codes",
          "expected num_top >= 1 and at least one pattern, got num_top " +
              std::to_string(options.num_top) + " and " + std::to_string(stored.rows));
  Associations in;
  in.stored = stored;
  in.states = states;
  in.beta = {&beta, 1};
  in.similarity = options.similarity;
  SearchResult result;
  result.num_top = std::min(options.num_top, stored.rows);
  const std::size_t rows = index(states.rows), k = index(result.num_top);
  AssociateOutputs<float> out;
  out.num_top = rerank_candidates(result.num_top, stored.rows);
  std::vector<float> state(rows * index(stored.depth)), lse(rows), entropy(rows),
      top(rows * index(out.num_top));
  std::vector<std::int64_t> top_index(top.size());
  out.state = mutable_view(state.data(), states.rows, stored.depth);
  out.lse = lse;
  out.entropy = entropy;
  out.top = top;
  out.top_index = top_index;
  AssociateOptions associate_options;
  associate_options.executor = options.executor;
  associate(in, out, associate_options);
  RerankOptions rerank_options;
  rerank_options.num_top = result.num_top;
  rerank_options.executor = options.executor;
  RerankReport found = rerank(in, exact, out, rerank_options);
  for (std::size_t t = 0; t < rows; ++t) {
    for (std::size_t i = 0; i < k; ++i) {
      const std::size_t from = t * index(out.num_top) + i;
      require(top_index[from] >= 0, "search_codes", internal::kNoScore);
      result.index.push_back(top_index[from]);
      result.weight.push_back(static_cast<double>(top[from]));
    }
  }
  result.similarity = found.top_similarity;
  result.lse.assign(lse.begin(), lse.end());
  result.entropy.assign(entropy.begin(), entropy.end());
  if (report != nullptr) *report = std::move(found);
  return result;
}

}  // namespace hopfield
