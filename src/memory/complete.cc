#include "hopfield/memory/complete.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "hopfield/base/error.h"
#include "memory/pattern_rows.h"

namespace hopfield {
namespace {

constexpr std::string_view kOp = "complete";

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// All cues side by side; each decides from its own numbers when to stop.
template <class T>
class Completion {
 public:
  Completion(const PatternView& stored, const PatternView& cues, double beta,
             const CompleteOptions& options, const AssociateOutputs<T>& out,
             const RetrieveReport<T>& report)
      : stored_(stored),
        beta_(beta),
        half_beta_(beta / 2),
        options_(options),
        out_(out),
        report_(report),
        rows_(index(cues.rows)),
        depth_(index(cues.depth)),
        executor_(options.executor != nullptr ? *options.executor : default_executor()) {
    require(beta > 0 && std::isfinite(beta), kOp,
            "expected beta > 0 and finite, got " + std::to_string(beta));
    require(options.update_steps_eps > 0, kOp,
            "expected update_steps_eps > 0, got " + std::to_string(options.update_steps_eps));
    require(options.update_steps_cap >= 1, kOp,
            "expected update_steps_cap >= 1, got " + std::to_string(options.update_steps_cap));
    require(stored.rows >= 1, kOp, "expected at least one pattern, got none");
    require(stored.heads == 1 && cues.heads == 1, kOp, "expected one head, got several");
    lse_.resize(rows_);
    read(cues);
    Associations in = over_all();
    in.active = moving_;  // nobody yet: contradictions show before the first step
    associate(in, out_, associate_options());
  }

  void run() {
    AssociateOutputs<T> last = out_;
    if (!last.state.wanted()) last.state = view(next_);
    if (options_.update_steps_max == 0) {
      associate_known(last);
      return finish();
    }
    AssociateOutputs<T> step;
    step.state = view(next_);
    associate_known(step);
    moving_.assign(rows_, 1);
    auto num_moving = static_cast<std::int64_t>(rows_);
    for (std::int64_t t = 1; num_moving > 0; ++t) {
      num_moving = arrive(t);
      if (num_moving > 0) associate_all(step, t);
    }
    moving_.assign(rows_, 1);
    associate_all(last, -1);
    finish();
  }

 private:
  MutablePatternView<T> view(std::vector<T>& states) const {
    return mutable_view(states.data(), static_cast<std::int64_t>(rows_),
                        static_cast<std::int64_t>(depth_));
  }

  AssociateOptions associate_options() const {
    AssociateOptions options;
    options.executor = &executor_;
    return options;
  }

  /// States hold 0 where a coordinate is missing; rows of equal gaps go together.
  void read(const PatternView& cues) {
    current_.resize(rows_ * depth_);
    missing_.resize(rows_ * depth_);
    for (std::size_t r = 0; r < rows_; ++r) {
      internal::load_row(cues, static_cast<std::int64_t>(r), 0, current_.data() + r * depth_);
      for (std::size_t i = r * depth_; i < (r + 1) * depth_; ++i) {
        require(!std::isinf(current_[i]), kOp,
                "expected finite numbers or NaN, got an infinity in row " + std::to_string(r));
        missing_[i] = std::isnan(current_[i]) ? 1 : 0;
        if (missing_[i] != 0) current_[i] = T{0};
      }
      std::string gaps;
      for (std::size_t k = 0; k < depth_; ++k) {
        gaps += static_cast<char>(missing_[r * depth_ + k]);
      }
      groups_[gaps].push_back(r);
    }
    cue_ = current_;
    next_ = current_;
    moving_.assign(rows_, 0);
    steps_.assign(rows_, 0);
    reason_.assign(rows_, StopReason::kStepLimit);
  }

  Associations over_all() const {
    Associations in;
    in.stored = stored_;
    in.states = pattern_view(current_.data(), static_cast<std::int64_t>(rows_),
                             static_cast<std::int64_t>(depth_));
    in.beta = {&half_beta_, 1};
    in.similarity = Similarity::kNegativeSquaredDistance;
    return in;
  }

  /// -beta/2 |x_K - c_K|^2 = beta <x, c> - beta/2 |x_K|^2 - beta/2 |c|^2 with c = 0 where missing.
  void associate_known(AssociateOutputs<T> out) {
    out.lse = lse_;
    out.energy = {};
    for (const auto& [gaps, members] : groups_) {
      std::vector<std::uint8_t> active(rows_, 0);
      for (const std::size_t r : members) active[r] = 1;
      const std::vector<T> bias = known_bias(gaps);
      Associations in = over_all();
      in.beta = {&beta_, 1};
      in.similarity = Similarity::kDot;
      in.active = active;
      MaskView<T> mask;
      mask.data = bias.data();
      if constexpr (std::is_same_v<T, double>) {
        in.bias_f64 = mask;
      } else {
        in.bias_f32 = mask;
      }
      associate(in, out, associate_options());
    }
    for (std::size_t r = 0; r < rows_; ++r) {
      double square = 0;
      for (std::size_t i = r * depth_; i < (r + 1) * depth_; ++i) {
        square += static_cast<double>(cue_[i]) * static_cast<double>(cue_[i]);
      }
      lse_[r] = static_cast<T>(static_cast<double>(lse_[r]) - half_beta_ * square);
      note_energy(r, 0);
    }
    keep_known(out.state);
  }

  std::vector<T> known_bias(const std::string& gaps) const {
    constexpr std::int64_t kRows = 4096;
    std::vector<T> bias(index(stored_.rows));
    executor_.run((stored_.rows + kRows - 1) / kRows, [&](std::int64_t run) {
      std::vector<double> x(depth_);
      for (std::int64_t s = run * kRows; s < std::min(stored_.rows, (run + 1) * kRows); ++s) {
        internal::load_row(stored_, s, 0, x.data());
        for (std::size_t k = 0; k < depth_; ++k) {
          if (gaps[k] != '\0') x[k] = 0;
        }
        bias[index(s)] = static_cast<T>(-half_beta_ * internal::dot(x, x));
      }
    });
    return bias;
  }

  /// The association of the moving rows' states; `t` is the number of their updates.
  void associate_all(AssociateOutputs<T> out, std::int64_t t) {
    Associations in = over_all();
    in.active = moving_;
    out.lse = lse_;
    out.energy = {};
    associate(in, out, associate_options());
    for (std::size_t r = 0; r < rows_; ++r) {
      if (moving_[r] != 0 && t >= 0) note_energy(r, t);
    }
    keep_known(out.state);
  }

  void keep_known(const MutablePatternView<T>& state) const {
    for (std::size_t r = 0; r < rows_; ++r) {
      T* row = state.row(static_cast<std::int64_t>(r), 0);
      for (std::size_t k = 0; k < depth_; ++k) {
        if (missing_[r * depth_ + k] == 0) row[k] = cue_[r * depth_ + k];
      }
    }
  }

  double energy(std::size_t r) const {
    return (std::log(static_cast<double>(stored_.rows)) - static_cast<double>(lse_[r])) / beta_;
  }

  void note_energy(std::size_t r, std::int64_t t) {
    if (t < report_.num_energies) {
      report_.energies[r * index(report_.num_energies) + index(t)] = static_cast<T>(energy(r));
    }
  }

  void stop(std::size_t r, std::int64_t steps, StopReason reason) {
    moving_[r] = 0;
    steps_[r] = steps;
    reason_[r] = reason;
  }

  /// `next_` becomes xi_t of the moving rows, t >= 1. Returns how many are still moving.
  std::int64_t arrive(std::int64_t t) {
    std::int64_t num_moving = 0;
    for (std::size_t r = 0; r < rows_; ++r) {
      if (moving_[r] == 0) continue;
      double step = 0, norm = 0;
      for (std::size_t i = r * depth_; i < (r + 1) * depth_; ++i) {
        const auto now = static_cast<double>(next_[i]);
        const double change = now - static_cast<double>(current_[i]);
        step += change * change;
        norm += now * now;
        current_[i] = next_[i];
      }
      const bool until_converged = options_.update_steps_max < 0;
      const double limit = options_.update_steps_eps * std::sqrt(norm);
      if (!until_converged && t >= options_.update_steps_max) {
        stop(r, t, StopReason::kStepLimit);
      } else if (t >= 2 &&
                 std::sqrt(step) <= limit) {  // xi_0 has no place: coordinates are missing
        stop(r, t, StopReason::kConverged);
      } else if (until_converged && t >= options_.update_steps_cap) {
        stop(r, t, StopReason::kCapped);
      } else {
        ++num_moving;
      }
    }
    return num_moving;
  }

  void finish() {
    for (std::size_t r = 0; r < rows_; ++r) {
      if (!out_.lse.empty()) out_.lse[r] = lse_[r];
      if (!out_.energy.empty()) out_.energy[r] = static_cast<T>(energy(r));
      if (!report_.steps.empty()) report_.steps[r] = steps_[r];
      if (!report_.reason.empty()) report_.reason[r] = reason_[r];
      for (std::int64_t t = steps_[r]; t < report_.num_energies; ++t) note_energy(r, t);
      if (report_.final_state.wanted()) {
        std::copy_n(current_.begin() + static_cast<std::ptrdiff_t>(r * depth_), depth_,
                    report_.final_state.row(static_cast<std::int64_t>(r), 0));
      }
    }
  }

  const PatternView& stored_;
  double beta_, half_beta_;
  const CompleteOptions& options_;
  const AssociateOutputs<T>& out_;
  const RetrieveReport<T>& report_;
  std::size_t rows_, depth_;
  Executor& executor_;

  std::vector<T> cue_, current_, next_, lse_;
  std::vector<std::uint8_t> missing_, moving_;
  std::map<std::string, std::vector<std::size_t>> groups_;  ///< rows by their gaps, '\1' = missing
  std::vector<std::int64_t> steps_;
  std::vector<StopReason> reason_;
};

}  // namespace

template <class T>
void complete(const PatternView& stored, const PatternView& cues, double beta,
              const CompleteOptions& options, const AssociateOutputs<T>& out,
              const RetrieveReport<T>& report) {
  Completion<T>(stored, cues, beta, options, out, report).run();
}

template void complete(const PatternView&, const PatternView&, double, const CompleteOptions&,
                       const AssociateOutputs<float>&, const RetrieveReport<float>&);
template void complete(const PatternView&, const PatternView&, double, const CompleteOptions&,
                       const AssociateOutputs<double>&, const RetrieveReport<double>&);

}  // namespace hopfield
