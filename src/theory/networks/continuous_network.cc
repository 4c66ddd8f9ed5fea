#include "hopfield/theory/continuous_network.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "hopfield/base/error.h"

namespace hopfield::theory {
namespace {

constexpr const char* kOp = "ContinuousNetwork";

double squared_distance(const double* a, const double* b, std::int64_t depth) {
  double sum = 0;
  for (std::int64_t k = 0; k < depth; ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
  return sum;
}

std::vector<double> sample_one(const ContinuousSimulation& s, RandomStream& random) {
  const double radius = s.k * std::sqrt(static_cast<double>(s.depth - 1));
  std::vector<double> patterns;
  for (std::int64_t i = 0; i < s.num_patterns; ++i) {
    const std::vector<double> x = random.on_sphere(s.depth, radius);
    patterns.insert(patterns.end(), x.begin(), x.end());
  }
  std::vector<double> cue = random.on_sphere(s.depth, s.distance);
  for (std::size_t k = 0; k < cue.size(); ++k) cue[k] += patterns[k];
  const ContinuousNetwork network(std::move(patterns), s.depth, s.beta, s.separation);
  Executor* serial = &serial_executor();
  const auto error = [&](const std::vector<double>& state) {
    return std::sqrt(squared_distance(state.data(), network.patterns().data(), s.depth));
  };
  const double largest = network.associations(cue, serial)[0];
  const Descent first = descend(network, cue, 1, serial);
  const auto end = network.retrieve(cue, s.eps, s.steps_max, serial);
  const bool stands =
      end.reason[0] == StopReason::kConverged || end.reason[0] == StopReason::kCycle;
  return {error(first.states[1]), error(end.states), largest, static_cast<double>(end.steps[0]),
          stands ? 1.0 : 0.0,     first.balance_max};
}

}  // namespace

ContinuousNetwork::ContinuousNetwork(std::vector<double> patterns, std::int64_t depth, double beta,
                                     Separation separation)
    : patterns_(std::move(patterns)),
      num_patterns_(depth >= 1 ? static_cast<std::int64_t>(patterns_.size()) / depth : 0),
      depth_(depth),
      beta_(beta),
      separation_(separation) {
  require(depth >= 1 && num_patterns_ >= 1 &&
              num_patterns_ * depth == static_cast<std::int64_t>(patterns_.size()),
          kOp,
          "expected patterns of shape [S, " + std::to_string(depth) + "], S >= 1, got " +
              std::to_string(patterns_.size()) + " numbers");
  require(beta > 0 && std::isfinite(beta), kOp, "expected a beta > 0, got " + std::to_string(beta));
  require(separation == Separation::kSoftmax || separation == Separation::kSparsemax ||
              separation == Separation::kEntmax15,
          kOp, "expected softmax, sparsemax or entmax15: the others have no energy of this form");
  for (std::int64_t i = 0; i < num_patterns_; ++i) {
    double square = 0;
    for (const double x : pattern(i)) square += x * x;
    require(std::isfinite(square), kOp,
            "expected finite patterns, got another in pattern " + std::to_string(i));
    norm_max_ = std::max(norm_max_, std::sqrt(square));
  }
}

std::span<const double> ContinuousNetwork::pattern(std::int64_t i) const {
  return patterns().subspan(static_cast<std::size_t>(i * depth_), static_cast<std::size_t>(depth_));
}

Associations ContinuousNetwork::associations_of(std::span<const double> states) const {
  const auto count = static_cast<std::int64_t>(states.size());
  require(count % depth_ == 0, kOp,
          "expected states of depth " + std::to_string(depth_) + ", got " + std::to_string(count) +
              " numbers");
  Associations in;
  in.stored = pattern_view(patterns_.data(), num_patterns_, depth_);
  in.states = pattern_view(states.data(), count / depth_, depth_);
  in.beta = {&beta_, 1};
  in.separation = separation_;
  return in;
}

ContinuousNetwork::Step ContinuousNetwork::step(std::span<const double> states,
                                                Executor* executor) const {
  const Associations in = associations_of(states);
  Step result;
  result.states.resize(states.size());
  result.energies.resize(static_cast<std::size_t>(in.states.rows));
  AssociateOutputs<double> out;
  out.state = mutable_view(result.states.data(), in.states.rows, depth_);
  out.energy = result.energies;
  AssociateOptions options;
  options.executor = executor;
  associate(in, out, options);
  return result;
}

std::vector<double> ContinuousNetwork::update(std::span<const double> states,
                                              Executor* executor) const {
  return step(states, executor).states;
}

std::vector<double> ContinuousNetwork::energy(std::span<const double> states,
                                              Executor* executor) const {
  return step(states, executor).energies;
}

std::vector<double> ContinuousNetwork::associations(std::span<const double> states,
                                                    Executor* executor) const {
  const Associations in = associations_of(states);
  std::vector<double> result(static_cast<std::size_t>(in.states.rows * num_patterns_));
  AssociateOutputs<double> out;
  out.association = result;
  AssociateOptions options;
  options.executor = executor;
  associate(in, out, options);
  return result;
}

ContinuousNetwork::Retrieval ContinuousNetwork::retrieve(std::span<const double> states, double eps,
                                                         std::int64_t steps_max,
                                                         Executor* executor) const {
  require(eps > 0 && std::isfinite(eps) && steps_max >= 1, kOp,
          "expected eps > 0 and steps_max >= 1, got " + std::to_string(eps) + " and " +
              std::to_string(steps_max));
  const Associations in = associations_of(states);
  Retrieval result;
  result.states.resize(states.size());
  result.steps.resize(static_cast<std::size_t>(in.states.rows));
  result.reason.resize(result.steps.size());
  const std::int64_t until_converged = -1;
  UpdateOptions update;
  update.update_steps_max = {&until_converged, 1};
  update.update_steps_eps = {&eps, 1};
  update.criterion = StopCriterion::kState;
  update.update_steps_cap = steps_max;
  std::vector<double> lse(result.steps.size());  // something must be asked for
  AssociateOutputs<double> out;
  out.lse = lse;
  RetrieveReport<double> report;
  report.final_state = mutable_view(result.states.data(), in.states.rows, depth_);
  report.steps = result.steps;
  report.reason = result.reason;
  AssociateOptions options;
  options.executor = executor;
  hopfield::retrieve(in, update, out, report, options);
  return result;
}

Descent descend(const ContinuousNetwork& network, std::span<const double> starts,
                std::int64_t steps, Executor* executor) {
  require(steps >= 1, "descend", "expected at least one step, got " + std::to_string(steps));
  Descent descent;
  descent.num_states = static_cast<std::int64_t>(starts.size()) / network.depth();
  descent.states.emplace_back(starts.begin(), starts.end());
  for (std::int64_t t = 0; t <= steps; ++t) {
    ContinuousNetwork::Step next = network.step(descent.states.back(), executor);
    descent.energies.push_back(std::move(next.energies));
    if (t < steps) descent.states.push_back(std::move(next.states));
  }
  descent.rise_max = descent.balance_max = -INFINITY;
  for (std::size_t t = 0; t + 1 < descent.states.size(); ++t) {
    for (std::int64_t i = 0; i < descent.num_states; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const double change = descent.energies[t + 1][at] - descent.energies[t][at];
      const double square =
          squared_distance(descent.states[t].data() + i * network.depth(),
                           descent.states[t + 1].data() + i * network.depth(), network.depth());
      descent.rise_max = std::max(descent.rise_max, change);
      descent.balance_max = std::max(descent.balance_max, change + 0.5 * square);
    }
  }
  return descent;
}

std::vector<Observable> simulate(const ContinuousSimulation& s, const ReplicaOptions& options) {
  constexpr const char* kSimulate = "simulate";
  require(s.num_patterns >= 1 && s.depth >= 2, kSimulate,
          "expected at least one pattern of depth >= 2, got " + std::to_string(s.num_patterns) +
              " of depth " + std::to_string(s.depth));
  require(s.k > 0 && std::isfinite(s.k) && s.distance >= 0 && std::isfinite(s.distance), kSimulate,
          "expected k > 0 and a distance >= 0, got " + std::to_string(s.k) + " and " +
              std::to_string(s.distance));
  const std::vector<Estimate> means =
      estimates(replicate(options, [&](RandomStream& random) { return sample_one(s, random); }));
  const char* const names[] = {"one_step_error", "error",     "largest",
                               "steps",          "converged", "balance"};
  std::vector<Observable> result;
  for (std::size_t k = 0; k < means.size(); ++k) result.push_back({names[k], means[k]});
  return result;
}

}  // namespace hopfield::theory
