// BM_AsynchronousSweep/N:..../K:..../flipped:..% : one sweep of the Hebbian network at temperature
// 0, started from a pattern with that part of its spins flipped. One thread.
// BM_GlauberSweep/N:..../K:.... : one sweep at temperature 0.3.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "hopfield/theory/simulate.h"
#include "hopfield/theory/spin_network.h"

namespace hopfield::theory {
namespace {

void asynchronous(benchmark::State& state) {
  RandomStream random(1, 0);
  const SpinPatterns patterns = random_patterns(state.range(1), state.range(0), 0, random);
  const auto network = hebbian_network(patterns);
  const double flipped = static_cast<double>(state.range(2)) / 100;
  std::int64_t changed = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const auto spins = network->state(damaged(patterns.row(0), flipped, random));
    state.ResumeTiming();
    changed += update(*spins, UpdateOrder::kAsynchronous, random);
  }
  state.counters["flips"] = static_cast<double>(changed) / static_cast<double>(state.iterations());
}
BENCHMARK(asynchronous)
    ->Name("BM_AsynchronousSweep")
    ->ArgNames({"N", "K", "flipped"})
    ->Args({10000, 1000, 0})
    ->Args({10000, 1000, 20})
    ->Args({10000, 1000, 50})
    ->Unit(benchmark::kMillisecond);

void glauber(benchmark::State& state) {
  RandomStream random(1, 0);
  const SpinPatterns patterns = random_patterns(state.range(1), state.range(0), 0, random);
  const auto network = hebbian_network(patterns);
  const auto spins = network->state(patterns.row(0));
  for (auto _ : state) glauber_sweep(*spins, 0.3, random);
}
BENCHMARK(glauber)
    ->Name("BM_GlauberSweep")
    ->ArgNames({"N", "K"})
    ->Args({10000, 1000})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace hopfield::theory

BENCHMARK_MAIN();
