// BM_Associate/TYPE/TARGET/S:..../d:..../T:..../threads:N : one update, keys = values.
// BM_AssociateBackward/... : gradients of stored patterns, states and beta.

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "hopfield/kernels/associate.h"

namespace hopfield {
namespace {

struct Size {
  std::int64_t stored, depth, states;
};

template <class T>
struct Problem {
  std::vector<T> stored, states, out, lse;
  std::vector<double> beta = {0.125};
  Associations in;

  explicit Problem(const Size& size) {
    std::mt19937 random(1);
    std::normal_distribution<double> normal;
    for (std::int64_t i = 0; i < size.stored * size.depth; ++i) {
      stored.push_back(static_cast<T>(normal(random)));
    }
    for (std::int64_t i = 0; i < size.states * size.depth; ++i) {
      states.push_back(static_cast<T>(normal(random)));
    }
    out.resize(states.size());
    lse.resize(static_cast<std::size_t>(size.states));
    in.stored = pattern_view(stored.data(), size.stored, size.depth);
    in.states = pattern_view(states.data(), size.states, size.depth);
    in.beta = beta;
  }
  Problem(const Problem&) = delete;
  Problem& operator=(const Problem&) = delete;
};

/// Patterns read once, and two (backward: five) products of 2 S d T floating-point operations.
template <class T>
void report(benchmark::State& state, const Size& size, double products) {
  const auto elements = static_cast<double>(size.stored * size.depth);
  const double calls = static_cast<double>(state.iterations());
  state.counters["pattern_bytes/s"] =
      benchmark::Counter(calls * elements * sizeof(T), benchmark::Counter::kIsRate);
  state.counters["flop/s"] =
      benchmark::Counter(calls * products * 2 * elements * static_cast<double>(size.states),
                         benchmark::Counter::kIsRate);
}

template <class T>
void forward(benchmark::State& state, Size size, const std::string& target, int threads) {
  Problem<T> p(size);
  const auto executor = make_executor(threads);
  AssociateOptions options;
  options.target = target;
  options.executor = executor.get();
  AssociateOutputs<T> out;
  out.state = mutable_view(p.out.data(), size.states, size.depth);
  out.lse = p.lse;
  for (auto _ : state) {
    associate(p.in, out, options);
    benchmark::ClobberMemory();
  }
  report<T>(state, size, 2);
}

template <class T>
void backward(benchmark::State& state, Size size, const std::string& target, int threads) {
  Problem<T> p(size);
  const auto executor = make_executor(threads);
  AssociateOptions options;
  options.target = target;
  options.executor = executor.get();
  AssociateOutputs<T> out;
  out.state = mutable_view(p.out.data(), size.states, size.depth);
  out.lse = p.lse;
  associate(p.in, out, options);
  AssociateSaved<T> saved;
  saved.state = pattern_view(p.out.data(), size.states, size.depth);
  saved.lse = p.lse;
  AssociateCotangents<T> g;
  g.state = pattern_view(p.states.data(), size.states, size.depth);
  std::vector<T> stored(p.stored.size()), states(p.states.size()), beta(1);
  AssociateGradients<T> d;
  d.stored = mutable_view(stored.data(), size.stored, size.depth);
  d.states = mutable_view(states.data(), size.states, size.depth);
  d.beta = beta;
  for (auto _ : state) {
    associate_backward(p.in, saved, g, d, options);
    benchmark::ClobberMemory();
  }
  report<T>(state, size, 5);
}

template <class T>
void add(const std::string& type) {
  for (const std::string& target : associate_targets()) {
    for (const Size& size : {Size{100, 32, 1}, Size{4096, 64, 1}, Size{4096, 64, 64},
                             Size{65536, 64, 1}, Size{65536, 64, 16}}) {
      for (const int threads : {1, 2}) {
        const std::string name = "/" + type + "/" + target + "/S:" + std::to_string(size.stored) +
                                 "/d:" + std::to_string(size.depth) +
                                 "/T:" + std::to_string(size.states) +
                                 "/threads:" + std::to_string(threads);
        // Several threads work inside one call, so the clock on the wall counts.
        benchmark::RegisterBenchmark(("BM_Associate" + name).c_str(), [=](benchmark::State& state) {
          forward<T>(state, size, target, threads);
        })->UseRealTime();
        if (size.states == 1) continue;
        benchmark::RegisterBenchmark(
            ("BM_AssociateBackward" + name).c_str(),
            [=](benchmark::State& state) { backward<T>(state, size, target, threads); })
            ->UseRealTime();
      }
    }
  }
}

}  // namespace
}  // namespace hopfield

int main(int argc, char** argv) {
  hopfield::add<float>("f32");
  hopfield::add<double>("f64");
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
