#include "hopfield/theory/spin_network.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "hopfield/base/error.h"
#include "theory/networks/patterns.h"

namespace hopfield::theory {

namespace internal {

void validate(const SpinPatterns& patterns, bool diluted, std::string_view op) {
  require(patterns.num_spins >= 1 && patterns.num_spins <= INT32_MAX && patterns.num_patterns >= 0,
          op,
          "expected from 1 to 2^31 - 1 spins and no negative number of patterns, got " +
              std::to_string(patterns.num_spins) + " spins, " +
              std::to_string(patterns.num_patterns) + " patterns");
  const auto count = static_cast<std::int64_t>(patterns.values.size());
  require(patterns.num_patterns <= INT64_MAX / patterns.num_spins &&
              count == patterns.num_patterns * patterns.num_spins,
          op,
          "expected patterns of shape [" + std::to_string(patterns.num_patterns) + ", " +
              std::to_string(patterns.num_spins) + "], got " + std::to_string(count) + " entries");
  for (std::size_t i = 0; i < patterns.values.size(); ++i) {
    const Spin x = patterns.values[i];
    const bool legal = x == 1 || x == -1 || (diluted && x == 0);
    if (legal) continue;
    const std::int64_t at = static_cast<std::int64_t>(i);
    fail(ErrorCode::kInvalidArgument, op,
         std::string("expected entries of -1 and +1") + (diluted ? " and 0" : "") + ", got " +
             std::to_string(x) + " in pattern " + std::to_string(at / patterns.num_spins) +
             ", spin " + std::to_string(at % patterns.num_spins));
  }
}

}  // namespace internal

SpinPatterns random_patterns(std::int64_t num_patterns, std::int64_t num_spins, double dilution,
                             RandomStream& random) {
  constexpr const char* kOp = "random_patterns";
  require(num_patterns >= 0 && num_spins >= 1 && num_patterns <= INT64_MAX / num_spins, kOp,
          "expected num_patterns >= 0 and num_spins >= 1, got " + std::to_string(num_patterns) +
              " and " + std::to_string(num_spins));
  require(dilution >= 0 && dilution <= 1, kOp,
          "expected a dilution from 0 to 1, got " + std::to_string(dilution));
  SpinPatterns patterns{num_patterns, num_spins, {}};
  patterns.values.resize(static_cast<std::size_t>(num_patterns * num_spins));
  for (Spin& x : patterns.values) {
    x = dilution > 0 && random.uniform() < dilution ? Spin{0} : random.sign();
  }
  return patterns;
}

double overlap(std::span<const Spin> pattern, std::span<const Spin> spins) {
  require(pattern.size() == spins.size() && !spins.empty(), "overlap",
          "expected two rows of the same size >= 1, got " + std::to_string(pattern.size()) +
              " and " + std::to_string(spins.size()));
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < spins.size(); ++i) sum += pattern[i] * spins[i];
  return static_cast<double>(sum) / static_cast<double>(spins.size());
}

std::unique_ptr<SpinState> SpinNetwork::state(std::span<const Spin> spins) const {
  require(
      static_cast<std::int64_t>(spins.size()) == num_spins(), "SpinNetwork::state",
      "expected " + std::to_string(num_spins()) + " spins, got " + std::to_string(spins.size()));
  for (const Spin s : spins) {
    require(s == 1 || s == -1, "SpinNetwork::state",
            "expected spins of -1 and +1, got " + std::to_string(s));
  }
  return make_state(spins);
}

double energy(const SpinNetwork& network, std::span<const Spin> spins) {
  return network.state(spins)->energy();
}

std::int64_t update(SpinState& state, UpdateOrder order, RandomStream& random) {
  const auto n = static_cast<std::int64_t>(state.spins().size());
  const auto wrong = [&state](std::int64_t i) { return state.field(i) * state.spin(i) < 0; };
  std::int64_t changed = 0;
  if (order == UpdateOrder::kSynchronous) {
    std::vector<std::int64_t> flips;
    for (std::int64_t i = 0; i < n; ++i) {
      if (wrong(i)) flips.push_back(i);
    }
    for (const std::int64_t i : flips) state.flip(i);
    return static_cast<std::int64_t>(flips.size());
  }
  std::vector<std::int32_t> sequence(static_cast<std::size_t>(n));
  std::iota(sequence.begin(), sequence.end(), 0);
  random.shuffle(sequence);
  for (const std::int32_t i : sequence) {
    if (!wrong(i)) continue;
    state.flip(i);
    ++changed;
  }
  return changed;
}

void glauber_sweep(SpinState& state, double temperature, RandomStream& random) {
  require(temperature > 0 && std::isfinite(temperature), "glauber_sweep",
          "expected a temperature > 0, got " + std::to_string(temperature));
  const auto n = static_cast<std::uint32_t>(state.spins().size());
  for (std::uint32_t step = 0; step < n; ++step) {
    const std::int64_t i = random.below(n);
    const double up = 0.5 * (1 + std::tanh(state.field(i) / temperature));
    const Spin wanted = random.uniform() < up ? Spin{1} : Spin{-1};
    if (wanted != state.spin(i)) state.flip(i);
  }
}

SpinRetrieval retrieve(const SpinNetwork& network, std::span<const Spin> start, UpdateOrder order,
                       std::int64_t sweeps_max, RandomStream& random) {
  require(sweeps_max >= 1, "retrieve",
          "expected sweeps_max >= 1, got " + std::to_string(sweeps_max));
  const std::unique_ptr<SpinState> state = network.state(start);
  SpinRetrieval result;
  result.energies.push_back(state->energy());
  std::vector<Spin> before, before_last;
  while (result.sweeps < sweeps_max) {
    before_last.swap(before);
    before.assign(state->spins().begin(), state->spins().end());
    const std::int64_t changed = update(*state, order, random);
    ++result.sweeps;
    const double now = state->energy();
    result.energy_rise_max = std::max(result.energy_rise_max, now - result.energies.back());
    result.energies.push_back(now);
    if (changed == 0) {
      result.stop = SpinStop::kConverged;
      break;
    }
    if (order == UpdateOrder::kSynchronous && std::ranges::equal(before_last, state->spins())) {
      result.stop = SpinStop::kCycle;
      break;
    }
  }
  result.spins.assign(state->spins().begin(), state->spins().end());
  return result;
}

std::vector<std::uint8_t> recalled_exactly(const SpinNetwork& network, const SpinPatterns& patterns,
                                           const SpinPatterns& starts, std::int64_t sweeps_max,
                                           std::uint64_t seed, Executor* executor) {
  require(patterns.num_patterns == starts.num_patterns && patterns.num_spins == starts.num_spins,
          "recalled_exactly",
          "expected a start of the same size for each of " + std::to_string(patterns.num_patterns) +
              " patterns, got " + std::to_string(starts.num_patterns));
  std::vector<std::uint8_t> exact(static_cast<std::size_t>(starts.num_patterns));
  (executor != nullptr ? *executor : default_executor())
      .run(starts.num_patterns, [&](std::int64_t i) {
        RandomStream random(seed, static_cast<std::uint64_t>(i));
        const SpinRetrieval end =
            retrieve(network, starts.row(i), UpdateOrder::kAsynchronous, sweeps_max, random);
        exact[static_cast<std::size_t>(i)] = std::ranges::equal(end.spins, patterns.row(i));
      });
  return exact;
}

GlauberAverages simulate(const SpinNetwork& network, std::span<const Spin> start,
                         const SpinPatterns& observed, const GlauberOptions& options,
                         RandomStream& random) {
  require(options.sweeps >= 1 && options.discard >= 0 && options.discard < options.sweeps,
          "simulate",
          "expected 0 <= discard < sweeps, got " + std::to_string(options.discard) + " and " +
              std::to_string(options.sweeps));
  internal::validate(observed, true, "simulate");
  const std::unique_ptr<SpinState> state = network.state(start);
  GlauberAverages averages;
  averages.overlaps.assign(static_cast<std::size_t>(observed.num_patterns), 0.0);
  const double counted = static_cast<double>(options.sweeps - options.discard);
  for (std::int64_t sweep = 0; sweep < options.sweeps; ++sweep) {
    glauber_sweep(*state, options.temperature, random);
    if (sweep < options.discard) continue;
    for (std::int64_t mu = 0; mu < observed.num_patterns; ++mu) {
      averages.overlaps[static_cast<std::size_t>(mu)] +=
          overlap(observed.row(mu), state->spins()) / counted;
    }
    averages.energy += state->energy() / (counted * static_cast<double>(network.num_spins()));
  }
  return averages;
}

}  // namespace hopfield::theory
