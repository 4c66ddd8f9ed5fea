// Calls of the core as a C++ program makes them, without tensors.

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>

#include "benchmarks/rivals/cases.h"
#include "hopfield/kernels/associate.h"
#include "hopfield/memory/search.h"
#include "hopfield/torch/ops/executor.h"

namespace hopfield::bench {
namespace {

/// Patterns, states and results of one association in f32.
struct Problem {
  at::Tensor stored, states, out, lse, energy;
  std::vector<double> beta = {0.125};
  Associations in;

  Problem(std::int64_t num_stored, std::int64_t num_states, std::int64_t depth)
      : stored(at::randn({num_stored, depth})),
        states(at::randn({num_states, depth})),
        out(at::empty({num_states, depth})),
        lse(at::empty({num_states})),
        energy(at::empty({num_states})) {
    in.stored = pattern_view(stored.const_data_ptr<float>(), num_stored, depth);
    in.states = pattern_view(states.const_data_ptr<float>(), num_states, depth);
    in.beta = beta;
  }
  Problem(const Problem&) = delete;
  Problem& operator=(const Problem&) = delete;

  AssociateOutputs<float> outputs() {
    AssociateOutputs<float> result;
    result.state = mutable_view(out.mutable_data_ptr<float>(), out.size(0), out.size(1));
    result.lse = {lse.mutable_data_ptr<float>(), static_cast<std::size_t>(lse.numel())};
    return result;
  }
};

std::vector<Contender> open_small() {
  const auto p = std::make_shared<Problem>(100, 1, 32);
  AssociateOptions options;
  options.executor = &serial_executor();
  return {{"hopfield",
           [=] {
             associate(p->in, p->outputs(), options);
             return at::Tensor();
           },
           1}};
}

/// The gradient of the energy is the state less its update.
std::vector<Contender> open_energy() {
  const auto p = std::make_shared<Problem>(100'000, 64, 64);
  AssociateOptions options;
  options.executor = &ops::aten_executor();
  const auto state = [=] {
    associate(p->in, p->outputs(), options);
    return at::Tensor();
  };
  const auto energy = [=] {
    AssociateOutputs<float> out = p->outputs();
    out.energy = {p->energy.mutable_data_ptr<float>(), static_cast<std::size_t>(p->energy.numel())};
    associate(p->in, out, options);
    const at::Tensor gradient = p->states - p->out;
    return at::Tensor();
  };
  return {{"energy-and-gradient", energy, 1}, {"state", state, 1}};
}

std::vector<Contender> open_search(std::int64_t num_stored, std::int64_t num_states) {
  const auto p = std::make_shared<Problem>(num_stored, num_states, 64);
  SearchOptions options;
  options.executor = &ops::aten_executor();
  return {{"hopfield",
           [=] {
             search(p->in.stored, p->in.states, 0.125, options);
             return at::Tensor();
           },
           1}};
}

/// What T states over S patterns take beyond the patterns.
std::vector<Contender> open_peak() {
  const auto p = std::make_shared<Problem>(1'000'000, 4096, 64);
  AssociateOptions options;
  options.executor = &ops::aten_executor();
  const auto gradients = std::make_shared<std::vector<at::Tensor>>();
  for (const at::Tensor& x : {p->stored, p->states, at::zeros({1})}) {
    gradients->push_back(at::zeros_like(x));
  }
  p->out.zero_();
  p->lse.zero_();
  const auto forward = [=] {
    associate(p->in, p->outputs(), options);
    return at::Tensor();
  };
  const auto backward = [=] {
    AssociateSaved<float> saved;
    saved.state = pattern_view(p->out.const_data_ptr<float>(), 4096, 64);
    saved.lse = {p->lse.const_data_ptr<float>(), 4096};
    AssociateCotangents<float> g;
    g.state = p->in.states;
    AssociateGradients<float> d;
    d.stored = mutable_view((*gradients)[0].mutable_data_ptr<float>(), 1'000'000, 64);
    d.states = mutable_view((*gradients)[1].mutable_data_ptr<float>(), 4096, 64);
    d.beta = {(*gradients)[2].mutable_data_ptr<float>(), 1};
    associate_backward(p->in, saved, g, d, options);
    return at::Tensor();
  };
  return {{"forward", forward, 1}, {"backward", backward, 1}};
}

}  // namespace

void add_core_cases(std::vector<Case>& cases) {
  cases.push_back({"small/S100/d32/T1", open_small});
  cases.push_back({"energy/S100000/T64", open_energy});
  cases.push_back({"search/S1000000/T1", [] { return open_search(1'000'000, 1); }});
  cases.push_back({"search/S200000/T256", [] { return open_search(200'000, 256); }});
  cases.push_back({"peak/S1000000/T4096", open_peak, 0, false});
}

}  // namespace hopfield::bench
