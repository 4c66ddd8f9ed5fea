#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "hopfield/base/error.h"
#include "hopfield/memory/retrieve.h"
#include "memory/pattern_rows.h"
#include "memory/tied_updates.h"

namespace hopfield {
namespace {

constexpr std::string_view kOp = "retrieve_backward";

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

bool any(const std::vector<std::uint8_t>& flags) {
  return std::any_of(flags.begin(), flags.end(), [](std::uint8_t f) { return f != 0; });
}

/// The states xi_0 ... xi_n and the lse of every update, of chosen pairs only: sum (steps + 1) d.
template <class T>
class Trajectories {
 public:
  Trajectories(std::span<const std::int64_t> steps, const std::vector<std::uint8_t>& kept,
               std::int64_t depth)
      : depth_(index(depth)), start_(kept.size(), kNone) {
    std::size_t total = 0;
    for (std::size_t p = 0; p < kept.size(); ++p) {
      if (kept[p] == 0) continue;
      start_[p] = total;
      total += index(steps[p]) + 1;
    }
    states_.resize(total * depth_);
    lse_.resize(total);
  }

  bool kept(std::size_t pair) const { return start_[pair] != kNone; }
  T* state(std::size_t pair, std::int64_t t) {
    return states_.data() + (start_[pair] + index(t)) * depth_;
  }
  T& lse(std::size_t pair, std::int64_t t) { return lse_[start_[pair] + index(t)]; }

 private:
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  std::size_t depth_;
  std::vector<std::size_t> start_;
  std::vector<T> states_, lse_;
};

template <class T>
class Backward {
 public:
  Backward(const Associations& in, const UpdateOptions& update, std::span<const std::int64_t> steps,
           std::span<const StopReason> reason, const AssociateCotangents<T>& cotangents,
           const AssociateGradients<T>& gradients, RetrieveGradient mode,
           const AssociateOptions& options, const ImplicitOptions& implicit)
      : in_(in),
        updates_(in, kOp),
        steps_(steps),
        cotangents_(cotangents),
        gradients_(gradients),
        options_(options),
        implicit_(implicit),
        rows_(updates_.shape().rows),
        heads_(updates_.shape().heads),
        depth_(updates_.shape().depth),
        pairs_(index(updates_.pairs())) {
    const internal::UpdateLimits checked(update, heads_, kOp);
    check(steps, reason, mode);
    unroll_.assign(pairs_, 0);
    solve_.assign(pairs_, 0);
    for (std::size_t p = 0; p < pairs_; ++p) {
      if (!updates_.wanted(static_cast<std::int64_t>(p)) || steps[p] == 0) continue;
      const bool fixed = mode == RetrieveGradient::kImplicit && reason[p] == StopReason::kConverged;
      (fixed ? solve_ : unroll_)[p] = 1;
    }
    implicit_mode_ = mode == RetrieveGradient::kImplicit;
  }

  /// Returns how many pairs were unrolled although the implicit gradient was asked for.
  std::int64_t run() {
    if (!any(unroll_) && !any(solve_)) {
      plain();
      return 0;
    }
    std::vector<T> states = updates_.initial_states();
    Trajectories<T> path(steps_, unroll_, depth_);
    advance(states, path);
    last_association(states);
    if (any(solve_)) solve(states);
    std::int64_t fallback = 0;
    if (implicit_mode_) fallback = std::count(unroll_.begin(), unroll_.end(), 1);
    if (any(unroll_)) unwind(path);
    if (any(failed_)) {
      fallback += std::count(failed_.begin(), failed_.end(), 1);
      unroll_ = failed_;
      solve_.assign(pairs_, 0);
      Trajectories<T> again(steps_, unroll_, depth_);
      states = updates_.initial_states();
      advance(states, again);
      unwind(again);
    }
    if (gradients_.states.wanted()) updates_.reduce_states(grad_.data(), gradients_.states);
    return fallback;
  }

 private:
  void check(std::span<const std::int64_t> steps, std::span<const StopReason> reason,
             RetrieveGradient mode) const {
    const auto size = [&](std::size_t got, const char* name) {
      require(got == pairs_, kOp,
              std::string("expected ") + name + " to have " + std::to_string(pairs_) +
                  " entries, got " + std::to_string(got) + "; pass what retrieve reported");
    };
    size(steps.size(), "steps");
    size(reason.size(), "reason");
    for (std::size_t p = 0; p < pairs_; ++p) {
      require(!updates_.wanted(static_cast<std::int64_t>(p)) || steps[p] >= 0, kOp,
              "expected steps >= 0, got " + std::to_string(steps[p]) + " at " + std::to_string(p) +
                  "; pass what retrieve reported");
    }
    if (mode != RetrieveGradient::kImplicit) return;
    if (in_.similarity == Similarity::kCosine) {
      fail(ErrorCode::kUnsupported, kOp,
           "expected a similarity whose update has a symmetric Jacobian for the implicit gradient, "
           "got cosine; use the unrolled gradient");
    }
    require(implicit_.tolerance > 0 && std::isfinite(implicit_.tolerance), kOp,
            "expected implicit.tolerance > 0, got " + std::to_string(implicit_.tolerance));
    require(
        implicit_.iterations_max >= 0, kOp,
        "expected implicit.iterations_max >= 0, got " + std::to_string(implicit_.iterations_max));
    const PatternView& state = implicit_.final_state;
    require(!state.given() || (state.rows == rows_ && state.heads == heads_ &&
                               state.depth == depth_ && state.dtype == dtype_of<T>::value),
            kOp,
            "expected implicit.final_state as retrieve reported it, got another shape or type");
  }

  MutablePatternView<T> view(std::vector<T>& states) const {
    return mutable_view(states.data(), rows_, heads_, depth_);
  }
  PatternView view(const std::vector<T>& states) const {
    return pattern_view(states.data(), rows_, heads_, depth_);
  }

  /// No pair was updated: one association.
  void plain() {
    associate_last(in_);
    associate_backward(in_, last_saved(), cotangents_, gradients_, options_);
  }

  void associate_last(const Associations& last) {
    const std::int64_t dv = updates_.shape().projection_depth;
    last_state_.resize(pairs_ * index(dv));
    last_lse_.resize(pairs_);
    AssociateOutputs<T> out;
    out.state = mutable_view(last_state_.data(), rows_, heads_, dv);
    out.lse = last_lse_;
    if (!cotangents_.entropy.empty()) {
      last_entropy_.resize(pairs_);
      out.entropy = last_entropy_;
    }
    associate(last, out, options_);
  }
  AssociateSaved<T> last_saved() const {
    return {pattern_view(last_state_.data(), rows_, heads_, updates_.shape().projection_depth),
            last_lse_, last_entropy_};
  }

  /// Repeats the updates that retrieve made, keeping the paths that `path` asks for.
  void advance(std::vector<T>& states, Trajectories<T>& path) {
    std::vector<std::uint8_t> moving = unroll_;
    for (std::size_t p = 0; p < pairs_; ++p) {
      if (solve_[p] == 0) continue;
      if (implicit_.final_state.given()) {
        const auto pair = static_cast<std::int64_t>(p);
        internal::load_row(implicit_.final_state, pair / heads_, pair % heads_,
                           states.data() + p * index(depth_));
      } else {
        moving[p] = 1;
      }
    }
    std::vector<T> next(states.size()), lse(pairs_);
    for (std::int64_t t = 0; any(moving); ++t) {
      AssociateOutputs<T> out;
      out.state = view(next);
      out.lse = lse;
      associate(updates_.update(states.data(), moving), out, options_);
      for (std::size_t p = 0; p < pairs_; ++p) {
        if (moving[p] == 0) continue;
        T* state = states.data() + p * index(depth_);
        const bool keep = path.kept(p);
        if (keep) {
          std::copy_n(state, depth_, path.state(p, t));
          path.lse(p, t) = lse[p];
        }
        std::copy_n(next.data() + p * index(depth_), depth_, state);
        if (t + 1 < steps_[p]) continue;
        moving[p] = 0;
        if (keep) std::copy_n(state, depth_, path.state(p, t + 1));
      }
    }
  }

  /// Backward of the association that met the projections; leaves dL/dxi_n in grad_.
  void last_association(const std::vector<T>& states) {
    const Associations last = updates_.last(states.data(), in_.active);
    associate_last(last);
    grad_.assign(states.size(), T{0});
    AssociateGradients<T> gradients = gradients_;
    gradients.states = view(grad_);
    associate_backward(last, last_saved(), cotangents_, gradients, options_);
    last_state_ = {};
    last_entropy_ = {};
  }

  /// Backward of one tied update of the pairs `active`, adding to the caller's gradients. With
  /// `into` also dL/dxi.
  void add_update(const std::vector<T>& states, const std::vector<T>& outputs,
                  const std::vector<T>& lse, const std::vector<T>& cotangent,
                  const std::vector<std::uint8_t>& active, std::vector<T>* into) {
    AssociateGradients<T> gradients = gradients_;
    gradients.projections = {};
    gradients.states = {};
    if (into != nullptr) gradients.states = view(*into);
    if (gradients_.stored.wanted()) {
      stored_.resize(index(in_.stored.rows * in_.stored.heads * in_.stored.depth));
      gradients.stored =
          mutable_view(stored_.data(), in_.stored.rows, in_.stored.heads, in_.stored.depth);
    }
    if (!gradients_.beta.empty()) {
      beta_.resize(gradients_.beta.size());
      gradients.beta = beta_;
    }
    AssociateCotangents<T> arriving;
    arriving.state = view(cotangent);
    associate_backward(updates_.update(states.data(), active), {view(outputs), lse, {}}, arriving,
                       gradients, options_);
    for (std::size_t h = 0; h < gradients_.beta.size(); ++h) gradients_.beta[h] += beta_[h];
    if (!gradients_.stored.wanted()) return;
    const T* from = stored_.data();
    for (std::int64_t s = 0; s < in_.stored.rows; ++s) {
      for (std::int64_t h = 0; h < in_.stored.heads; ++h, from += depth_) {
        T* to = gradients_.stored.row(s, h);
        for (std::int64_t k = 0; k < depth_; ++k) to[k] += from[k];
      }
    }
  }

  /// From dL/dxi_n to dL/dxi_0 for the pairs in unroll_, all at the same distance from their first
  /// state at a time.
  void unwind(Trajectories<T>& path) {
    std::int64_t longest = 0;
    for (std::size_t p = 0; p < pairs_; ++p) {
      if (unroll_[p] != 0) longest = std::max(longest, steps_[p]);
    }
    const std::size_t size = pairs_ * index(depth_);
    std::vector<T> states(size), outputs(size), into(size), lse(pairs_);
    std::vector<std::uint8_t> active(pairs_);
    for (std::int64_t t = longest - 1; t >= 0; --t) {
      for (std::size_t p = 0; p < pairs_; ++p) {
        active[p] = unroll_[p] != 0 && t < steps_[p];
        if (active[p] == 0) continue;
        std::copy_n(path.state(p, t), depth_, states.data() + p * index(depth_));
        std::copy_n(path.state(p, t + 1), depth_, outputs.data() + p * index(depth_));
        lse[p] = path.lse(p, t);
      }
      add_update(states, outputs, lse, grad_, active, &into);
      for (std::size_t p = 0; p < pairs_; ++p) {
        if (active[p] == 0) continue;
        std::copy_n(into.data() + p * index(depth_), depth_, grad_.data() + p * index(depth_));
      }
    }
  }

  double dot(const std::vector<double>& a, const std::vector<double>& b, std::size_t pair) const {
    double sum = 0;
    const std::size_t begin = pair * index(depth_);
    for (std::size_t k = begin; k < begin + index(depth_); ++k) sum += a[k] * b[k];
    return sum;
  }

  /// (I - J) u = v / |v| at xi_n for the pairs in solve_; then their part of the gradients. Pairs
  /// at no strict minimum, or too slow, move to failed_.
  void solve(const std::vector<T>& states) {
    std::vector<T> outputs(states.size()), lse(pairs_);
    AssociateOutputs<T> at;
    at.state = view(outputs);
    at.lse = lse;
    associate(updates_.update(states.data(), solve_), at, options_);
    failed_.assign(pairs_, 0);

    const std::size_t size = states.size();
    std::vector<double> u(size), residual(grad_.begin(), grad_.end()), direction(size);
    std::vector<double> length(pairs_), square(pairs_);
    std::vector<std::uint8_t> busy = solve_;
    for (std::size_t p = 0; p < pairs_; ++p) {
      if (busy[p] == 0) continue;
      length[p] = std::sqrt(dot(residual, residual, p));
      if (length[p] == 0) {
        busy[p] = 0;
        continue;
      }
      for (std::size_t k = p * index(depth_); k < (p + 1) * index(depth_); ++k) {
        residual[k] /= length[p];
        direction[k] = residual[k];
      }
      square[p] = dot(residual, residual, p);
    }
    iterate(states, outputs, lse, u, residual, direction, square, busy);

    std::vector<T> cotangent(size);
    std::vector<std::uint8_t> solved(pairs_, 0);
    for (std::size_t p = 0; p < pairs_; ++p) {
      if (solve_[p] == 0 || failed_[p] != 0) continue;
      solved[p] = 1;
      for (std::size_t k = p * index(depth_); k < (p + 1) * index(depth_); ++k) {
        cotangent[k] = static_cast<T>(u[k] * length[p]);
        grad_[k] = T{0};  // the fixed point does not move with xi_0
      }
    }
    if (any(solved)) add_update(states, outputs, lse, cotangent, solved, nullptr);
  }

  void iterate(const std::vector<T>& states, const std::vector<T>& outputs,
               const std::vector<T>& lse, std::vector<double>& u, std::vector<double>& residual,
               std::vector<double>& direction, std::vector<double>& square,
               std::vector<std::uint8_t>& busy) {
    const double tolerance =
        std::max(implicit_.tolerance, 8 * static_cast<double>(std::numeric_limits<T>::epsilon()));
    std::vector<T> cotangent(states.size()), product(states.size());
    std::vector<double> image(states.size());
    for (std::int64_t i = 0; i < implicit_.iterations_max && any(busy); ++i) {
      std::transform(direction.begin(), direction.end(), cotangent.begin(),
                     [](double x) { return static_cast<T>(x); });
      AssociateCotangents<T> arriving;
      arriving.state = view(std::as_const(cotangent));
      AssociateGradients<T> wanted;
      wanted.states = view(product);
      associate_backward(updates_.update(states.data(), busy), {view(outputs), lse, {}}, arriving,
                         wanted, options_);
      for (std::size_t p = 0; p < pairs_; ++p) {
        if (busy[p] == 0) continue;
        const std::size_t begin = p * index(depth_), end = begin + index(depth_);
        for (std::size_t k = begin; k < end; ++k) {
          image[k] = direction[k] - static_cast<double>(product[k]);
        }
        const double curvature = dot(direction, image, p);
        if (!(curvature > 0)) {  // no strict minimum in this direction (or no number)
          failed_[p] = 1;
          busy[p] = 0;
          continue;
        }
        const double step = square[p] / curvature;
        for (std::size_t k = begin; k < end; ++k) {
          u[k] += step * direction[k];
          residual[k] -= step * image[k];
        }
        const double next = dot(residual, residual, p);
        if (std::sqrt(next) <= tolerance) busy[p] = 0;
        const double turn = next / square[p];
        square[p] = next;
        for (std::size_t k = begin; k < end; ++k) direction[k] = residual[k] + turn * direction[k];
      }
    }
    for (std::size_t p = 0; p < pairs_; ++p) {
      if (busy[p] != 0) failed_[p] = 1;
    }
  }

  const Associations& in_;
  internal::TiedUpdates<T> updates_;
  std::span<const std::int64_t> steps_;
  const AssociateCotangents<T>& cotangents_;
  const AssociateGradients<T>& gradients_;
  const AssociateOptions& options_;
  const ImplicitOptions& implicit_;
  std::int64_t rows_, heads_, depth_;
  std::size_t pairs_;
  bool implicit_mode_ = false;

  std::vector<std::uint8_t> unroll_, solve_, failed_;
  std::vector<T> last_state_, last_lse_, last_entropy_;
  std::vector<T> grad_;           ///< [R, H, d], walks from dL/dxi_n to dL/dxi_0
  std::vector<T> stored_, beta_;  ///< one update's part
};

}  // namespace

template <class T>
void retrieve_backward(const Associations& in, const UpdateOptions& update,
                       std::span<const std::int64_t> steps, std::span<const StopReason> reason,
                       const AssociateCotangents<T>& cotangents,
                       const AssociateGradients<T>& gradients, RetrieveGradient mode,
                       const AssociateOptions& options, const ImplicitOptions& implicit,
                       std::int64_t* num_fallback) {
  const std::int64_t fallback =
      Backward<T>(in, update, steps, reason, cotangents, gradients, mode, options, implicit).run();
  if (num_fallback != nullptr) *num_fallback = fallback;
}

#define HOPFIELD_INSTANTIATE(T)                                                                 \
  template void retrieve_backward(                                                              \
      const Associations&, const UpdateOptions&, std::span<const std::int64_t>,                 \
      std::span<const StopReason>, const AssociateCotangents<T>&, const AssociateGradients<T>&, \
      RetrieveGradient, const AssociateOptions&, const ImplicitOptions&, std::int64_t*);
HOPFIELD_INSTANTIATE(float)
HOPFIELD_INSTANTIATE(double)
#undef HOPFIELD_INSTANTIATE

}  // namespace hopfield
