#include "hopfield/memory/influence.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "hopfield/base/error.h"
#include "hopfield/kernels/associate.h"
#include "memory/pattern_rows.h"

namespace hopfield {
namespace {

constexpr std::string_view kOp = "influence";

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

template <class T>
class Forgetting {
 public:
  Forgetting(const Associations& in, std::int64_t num_top, Executor* executor)
      : in_(in),
        beta_(in.beta[0]),
        rows_(index(in.states.rows)),
        depth_(index(in.stored.depth)),
        state_(rows_ * depth_),
        lse_(rows_) {
    options_.executor = executor;
    result_.num_top = std::min(num_top, in.stored.rows);
    const std::size_t entries = rows_ * index(result_.num_top);
    result_.index.resize(entries);
    result_.weight.resize(entries);
    result_.state_shift.resize(entries);
    result_.energy_rise.resize(entries);
  }

  Influence run() {
    std::vector<T> top(result_.weight.size());
    AssociateOutputs<T> out;
    out.state = mutable_view(state_.data(), in_.states.rows, in_.stored.depth);
    out.lse = lse_;
    out.num_top = result_.num_top;
    out.top = top;
    out.top_index = result_.index;
    associate(in_, out, options_);
    std::copy(top.begin(), top.end(), result_.weight.begin());
    std::vector<std::size_t> dominated;
    for (std::size_t i = 0; i < result_.weight.size(); ++i) {
      require(result_.index[i] >= 0, kOp, internal::kNoScore);
      if (result_.weight[i] > 0.5) {
        dominated.push_back(i);
      } else {
        from_ratio(i);
      }
    }
    forget(dominated);
    return std::move(result_);
  }

 private:
  std::size_t row_of(std::size_t entry) const { return entry / index(result_.num_top); }

  void from_ratio(std::size_t entry) {
    const double p = result_.weight[entry];
    std::vector<double> x(depth_);
    internal::load_row(in_.stored, result_.index[entry], 0, x.data());
    for (std::size_t k = 0; k < depth_; ++k) {
      x[k] -= static_cast<double>(state_[row_of(entry) * depth_ + k]);
    }
    result_.state_shift[entry] = p / (1 - p) * std::sqrt(internal::dot(x, x));
    result_.energy_rise[entry] = -std::log1p(-p) / beta_;
  }

  /// Associations of the entries' states with all patterns but the entry's.
  void forget(const std::vector<std::size_t>& entries) {
    constexpr std::int64_t kMaskBytes = std::int64_t{1} << 26;
    const auto batch = index(std::clamp<std::int64_t>(kMaskBytes / in_.stored.rows, 1, 256));
    for (std::size_t first = 0; first < entries.size(); first += batch) {
      forget_batch(std::span(entries).subspan(first, std::min(batch, entries.size() - first)));
    }
  }

  void forget_batch(std::span<const std::size_t> entries) {
    const std::size_t stored = index(in_.stored.rows);
    std::vector<T> states(entries.size() * depth_), moved(states.size()), lse(entries.size());
    std::vector<std::uint8_t> hidden(entries.size() * stored, 0);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      internal::load_row(in_.states, static_cast<std::int64_t>(row_of(entries[i])), 0,
                         states.data() + i * depth_);
      hidden[i * stored + index(result_.index[entries[i]])] = 1;
    }
    const auto count = static_cast<std::int64_t>(entries.size());
    Associations in = in_;
    in.states = pattern_view(states.data(), count, in_.stored.depth);
    in.hidden = {hidden.data(), 0, 0, in_.stored.rows, 1};
    AssociateOutputs<T> out;
    out.state = mutable_view(moved.data(), count, in_.stored.depth);
    out.lse = lse;
    associate(in, out, options_);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const std::size_t row = row_of(entries[i]);
      double square = 0;
      for (std::size_t k = 0; k < depth_; ++k) {
        const double step = static_cast<double>(moved[i * depth_ + k]) -
                            static_cast<double>(state_[row * depth_ + k]);
        square += step * step;
      }
      result_.state_shift[entries[i]] =
          stored > 1 ? std::sqrt(square) : std::numeric_limits<double>::quiet_NaN();
      result_.energy_rise[entries[i]] =
          (static_cast<double>(lse_[row]) - static_cast<double>(lse[i])) / beta_;
    }
  }

  const Associations& in_;
  double beta_;
  std::size_t rows_, depth_;
  std::vector<T> state_, lse_;
  AssociateOptions options_;
  Influence result_;
};

}  // namespace

Influence influence(const PatternView& stored, const PatternView& states, double beta,
                    std::int64_t num_top, Executor* executor) {
  Associations in;
  in.stored = stored;
  in.states = states;
  in.beta = {&beta, 1};
  const AssociationShape shape = validate(in, kOp);
  require(shape.heads == 1, kOp,
          "expected patterns and states of one head, got " + std::to_string(shape.heads));
  require(stored.rows >= 1, kOp, "expected at least one pattern, got none");
  require(beta > 0, kOp, "expected beta > 0, got " + std::to_string(beta));
  require(num_top >= 1, kOp, "expected num_top >= 1, got " + std::to_string(num_top));
  return shape.f64 ? Forgetting<double>(in, num_top, executor).run()
                   : Forgetting<float>(in, num_top, executor).run();
}

}  // namespace hopfield
