#include "hopfield/memory/retrieve.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "hopfield/base/error.h"
#include "memory/pattern_rows.h"
#include "memory/tied_updates.h"

namespace hopfield {
namespace {

constexpr std::string_view kOp = "retrieve";

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

template <class T>
void check_report(const RetrieveReport<T>& report, const Associations& in,
                  const AssociationShape& shape) {
  const std::int64_t pairs = shape.rows * shape.heads;
  const auto size = [&](std::size_t got, std::int64_t expected, const char* name) {
    require(got == 0 || got == index(expected), kOp,
            std::string("expected report.") + name + " to have " + std::to_string(expected) +
                " entries, got " + std::to_string(got));
  };
  size(report.steps.size(), pairs, "steps");
  size(report.reason.size(), pairs, "reason");
  require(report.num_energies >= 0, kOp,
          "expected report.num_energies >= 0, got " + std::to_string(report.num_energies));
  if (report.num_energies > 0) {
    require(!report.energies.empty() || pairs == 0, kOp,
            "expected report.energies to hold num_energies entries a row and head, got none");
  }
  size(report.energies.size(), pairs * report.num_energies, "energies");
  const MutablePatternView<T>& state = report.final_state;
  require(!state.wanted() || (state.rows == shape.rows && state.heads == shape.heads &&
                              state.depth == shape.depth),
          kOp,
          "expected report.final_state to be [" + std::to_string(shape.rows) + ", " +
              std::to_string(shape.heads) + ", " + std::to_string(shape.depth) + "], got [" +
              std::to_string(state.rows) + ", " + std::to_string(state.heads) + ", " +
              std::to_string(state.depth) + "]");
  if (!report.energies.empty()) {
    if (in.similarity == Similarity::kCosine) {
      fail(
          ErrorCode::kUnsupported, kOp,
          "expected a similarity whose update descends an energy, got cosine; ask for no energies");
    }
    for (const double beta : in.beta) {
      require(beta > 0, kOp, "expected beta > 0 for energies, got " + std::to_string(beta));
    }
  }
}

/// The iteration of all (row, head) pairs side by side. Each pair's decisions read its own numbers
/// only, so nobody depends on who else is in the batch.
template <class T>
class Iteration {
 public:
  Iteration(const Associations& in, const UpdateOptions& update, const RetrieveReport<T>& report,
            const AssociateOptions& options)
      : updates_(in, kOp),
        limits_(update, updates_.shape().heads, kOp),
        criterion_(update.criterion),
        cap_(update.update_steps_cap),
        report_(report),
        options_(options),
        depth_(updates_.shape().depth) {
    check_report(report, in, updates_.shape());
  }

  const internal::TiedUpdates<T>& updates() const { return updates_; }
  bool any_update() const { return limits_.any_update; }

  /// Updates until every pair has stopped.
  void run() {
    const std::size_t pairs = index(updates_.pairs());
    current_ = updates_.initial_states();
    final_ = current_;
    moving_.assign(pairs, 0);
    steps_.assign(pairs, 0);
    reason_.assign(pairs, StopReason::kStepLimit);
    for (std::size_t p = 0; p < pairs; ++p) {
      moving_[p] = updates_.wanted(static_cast<std::int64_t>(p)) && limit(p) != 0;
      num_moving_ += moving_[p];
    }
    if (num_moving_ == 0) return;
    allocate();
    for (std::int64_t t = 0; num_moving_ > 0; ++t) {
      associate_current(t);
      if (t == 0) stop_empty();
      if (t > 0 && criterion_ == StopCriterion::kAssociation) test_current(t);
      if (num_moving_ == 0) break;
      current_.swap(previous_);
      current_.swap(next_);
      lse_.swap(lse_before_);
      largest_.swap(largest_before_);
      arrive(t + 1);
    }
  }

  /// The association that meets the projections, and the report.
  void finish(const AssociateOutputs<T>& out) {
    AssociateOutputs<T> last = out;
    std::vector<T> lse, energy;
    if (last.lse.empty()) {
      lse.resize(index(updates_.pairs()));
      last.lse = lse;
    }
    if (report_.num_energies > 0 && last.energy.empty()) {
      energy.resize(index(updates_.pairs()));
      last.energy = energy;
    }
    associate(updates_.last(final_.data(), updates_.active()), last, options_);
    for (std::int64_t p = 0; p < updates_.pairs(); ++p) {
      if (updates_.wanted(p)) write_report(p, last);
    }
  }

 private:
  std::int64_t limit(std::size_t pair) const {
    return limits_.steps_max[pair % index(updates_.shape().heads)];
  }
  double eps(std::size_t pair) const { return limits_.eps[pair % index(updates_.shape().heads)]; }
  const T* row(const std::vector<T>& states, std::size_t pair) const {
    return states.data() + pair * index(depth_);
  }
  bool same_bits(const std::vector<T>& a, const std::vector<T>& b, std::size_t pair) const {
    return depth_ == 0 || std::memcmp(row(a, pair), row(b, pair), index(depth_) * sizeof(T)) == 0;
  }

  void allocate() {
    const std::size_t pairs = index(updates_.pairs());
    previous_.resize(current_.size());
    next_.resize(current_.size());
    lse_.resize(pairs);
    lse_before_.resize(pairs);
    largest_.resize(pairs);
    largest_before_.resize(pairs);
    if (report_.num_energies > 0) energy_.resize(pairs);
    if (limits_.any_until_converged) {
      landmark_ = current_;
      recurred_.assign(pairs, 0);
    }
  }

  void stop(std::size_t pair, std::int64_t steps, StopReason reason) {
    std::copy_n(row(current_, pair), depth_, final_.data() + pair * index(depth_));
    steps_[pair] = steps;
    reason_[pair] = reason;
    moving_[pair] = 0;
    --num_moving_;
  }

  void associate_current(std::int64_t t) {
    AssociateOutputs<T> out;
    out.state = mutable_view(next_.data(), updates_.shape().rows, updates_.shape().heads, depth_);
    out.lse = lse_;
    out.largest = largest_;
    const bool trace = t < report_.num_energies;
    if (trace) out.energy = energy_;
    associate(updates_.update(current_.data(), moving_), out, options_);
    if (!trace) return;
    for (std::size_t p = 0; p < moving_.size(); ++p) {
      if (moving_[p] != 0)
        report_.energies[p * index(report_.num_energies) + index(t)] = energy_[p];
    }
  }

  void stop_empty() {
    for (std::size_t p = 0; p < moving_.size(); ++p) {
      if (moving_[p] != 0 && lse_[p] == -std::numeric_limits<T>::infinity()) {
        stop(p, 0, StopReason::kEmpty);
      }
    }
  }

  /// Association criterion at xi_t, t >= 1. The largest association moved by no more than the
  /// association as a whole, so most pairs that are still moving are told without looking at all
  /// stored patterns.
  void test_current(std::int64_t t) {
    test_.assign(moving_.size(), 0);
    settled_.assign(moving_.size(), 0);
    bool any = false;
    for (std::size_t p = 0; p < moving_.size(); ++p) {
      const auto change = static_cast<double>(std::abs(largest_[p] - largest_before_[p]));
      test_[p] = moving_[p] != 0 && change <= eps(p);
      any = any || test_[p] != 0;
    }
    if (any) {
      internal::test_associations<T>(updates_, current_.data(), previous_.data(), lse_, lse_before_,
                                     limits_.eps, test_, settled_, options_);
    }
    for (std::size_t p = 0; p < moving_.size(); ++p) {
      if (moving_[p] != 0) decide(p, t, settled_[p] != 0);
    }
  }

  void decide(std::size_t pair, std::int64_t t, bool settled) {
    if (settled) {
      stop(pair, t, StopReason::kConverged);
    } else if (limit(pair) < 0 && recurred_[pair] != 0) {
      stop(pair, t, StopReason::kCycle);
    } else if (limit(pair) < 0 && t >= cap_) {
      stop(pair, t, StopReason::kCapped);
    }
  }

  /// xi_t has just been reached, t >= 1.
  void arrive(std::int64_t t) {
    for (std::size_t p = 0; p < moving_.size(); ++p) {
      if (moving_[p] == 0) continue;
      if (limit(p) >= 0 && t >= limit(p)) {
        stop(p, t, StopReason::kStepLimit);
        continue;
      }
      if (limit(p) < 0) look_for_cycle(p, t);
      if (criterion_ == StopCriterion::kState) decide(p, t, step_length(p) <= eps(p));
    }
  }

  /// Brent's algorithm: compare with a landmark that is moved on at every power of two. A state
  /// that equals its predecessor is a fixed point and passes the next test by itself; one that is
  /// no number any more never will.
  void look_for_cycle(std::size_t pair, std::int64_t t) {
    const T* state = row(current_, pair);
    const bool nan = std::any_of(state, state + depth_, [](T x) { return std::isnan(x); });
    recurred_[pair] =
        nan || (same_bits(current_, landmark_, pair) && !same_bits(current_, previous_, pair));
    if ((t & (t - 1)) == 0) {
      std::copy_n(state, depth_, landmark_.data() + pair * index(depth_));
    }
  }

  double step_length(std::size_t pair) const {
    double sum = 0;
    for (std::int64_t k = 0; k < depth_; ++k) {
      const double step = static_cast<double>(row(current_, pair)[k]) -
                          static_cast<double>(row(previous_, pair)[k]);
      sum += step * step;
    }
    return std::sqrt(sum);
  }

  void write_report(std::int64_t p, const AssociateOutputs<T>& last) {
    const std::size_t pair = index(p);
    if (steps_[pair] == 0 && last.lse[pair] == -std::numeric_limits<T>::infinity()) {
      reason_[pair] = StopReason::kEmpty;
    }
    if (!report_.steps.empty()) report_.steps[pair] = steps_[pair];
    if (!report_.reason.empty()) report_.reason[pair] = reason_[pair];
    const std::int64_t heads = updates_.shape().heads;
    if (report_.final_state.wanted()) {
      std::copy_n(row(final_, pair), depth_, report_.final_state.row(p / heads, p % heads));
    }
    for (std::int64_t k = steps_[pair]; k < report_.num_energies; ++k) {
      report_.energies[pair * index(report_.num_energies) + index(k)] = last.energy[pair];
    }
  }

  internal::TiedUpdates<T> updates_;
  internal::UpdateLimits limits_;
  StopCriterion criterion_;
  std::int64_t cap_;
  const RetrieveReport<T>& report_;
  const AssociateOptions& options_;
  std::int64_t depth_;

  std::vector<T> current_, previous_, next_, final_, landmark_;
  std::vector<T> lse_, lse_before_, largest_, largest_before_, energy_;
  std::vector<std::uint8_t> moving_, recurred_, test_, settled_;
  std::int64_t num_moving_ = 0;
  std::vector<std::int64_t> steps_;
  std::vector<StopReason> reason_;
};

}  // namespace

template <class T>
void retrieve(const Associations& in, const UpdateOptions& update, const AssociateOutputs<T>& out,
              const RetrieveReport<T>& report, const AssociateOptions& options) {
  Iteration<T> iteration(in, update, report, options);
  if (iteration.any_update()) {
    // Contradictions in `out` must show before the first step: associate checks them with no row
    // on.
    const std::vector<std::uint8_t> none(index(iteration.updates().pairs()), 0);
    Associations check = in;
    check.active = none;
    associate(check, out, options);
  }
  iteration.run();
  iteration.finish(out);
}

template void retrieve(const Associations&, const UpdateOptions&, const AssociateOutputs<float>&,
                       const RetrieveReport<float>&, const AssociateOptions&);
template void retrieve(const Associations&, const UpdateOptions&, const AssociateOutputs<double>&,
                       const RetrieveReport<double>&, const AssociateOptions&);

}  // namespace hopfield
