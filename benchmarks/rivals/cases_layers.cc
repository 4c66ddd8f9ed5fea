// Forward and backward: attention layers, bags of unequal sizes, several updates, the lookup layer.

#include <ATen/ATen.h>
#include <torch/nn/modules/container/any_value.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>

#include "benchmarks/rivals/cases.h"
#include "hopfield/torch/nn/layer.h"
#include "hopfield/torch/ops/retrieve.h"

namespace hopfield::bench {
namespace {

at::Tensor leaf(at::IntArrayRef shape) {
  return at::randn(shape).requires_grad_();
}

/// Gradient of sum(result * cotangent) for the leaves, the first of which is returned.
at::Tensor backward(const at::Tensor& result, const at::Tensor& cotangent,
                    const std::vector<at::Tensor>& leaves) {
  return torch::autograd::grad({result}, leaves, {cotangent}).front();
}

/// B samples, 8 heads of depth 64, patterns and values apart.
std::vector<Contender> open_layer(std::int64_t batch, std::int64_t length, std::int64_t stored) {
  constexpr std::int64_t kHeads = 8, kDepth = 64;
  const at::Tensor q = leaf({batch, length, kHeads, kDepth});
  const at::Tensor k = leaf({batch, stored, kHeads, kDepth});
  const at::Tensor v = leaf({batch, stored, kHeads, kDepth});
  const at::Tensor g = at::randn({batch, length, kHeads, kDepth});
  ops::RetrieveOptions options;
  options.beta = at::full({1}, 1 / std::sqrt(double{kDepth}));
  options.projections = v;
  const auto elements =
      static_cast<double>(batch * length) * static_cast<double>(stored * kHeads * kDepth);
  const double work = 14 * elements;  // 2 products forward, 5 backward
  std::vector<Contender> all;
  all.push_back({"hopfield",
                 [=] {
                   return backward(ops::retrieve(q, k, options).state, g, {q, k, v});
                 },
                 work});
  all.push_back({"sdpa",
                 [=] {
                   const at::Tensor out = at::scaled_dot_product_attention(
                       q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2));
                   return backward(out.transpose(1, 2), g, {q, k, v});
                 },
                 work});
  if (batch * kHeads * length * stored <= std::int64_t{1} << 27) {
    all.push_back(
        {"plain",
         [=] {
           const at::Tensor a =
               at::softmax(at::matmul(q.transpose(1, 2) / 8, k.permute({0, 2, 3, 1})), -1);
           return backward(at::matmul(a, v.transpose(1, 2)).transpose(1, 2), g, {q, k, v});
         },
         work});
  }
  return all;
}

/// Each bag is pooled by the same learned states: ours ragged, fused attention padded and masked.
std::vector<Contender> open_bags(const std::vector<std::int64_t>& sizes, std::int64_t states) {
  constexpr std::int64_t kHeads = 8, kDepth = 64;
  const auto bags = static_cast<std::int64_t>(sizes.size());
  std::vector<std::int64_t> offsets = {0};
  for (const std::int64_t size : sizes) offsets.push_back(offsets.back() + size);
  const std::int64_t rows = offsets.back(), longest = *std::max_element(sizes.begin(), sizes.end());
  const at::Tensor q = leaf({states, kHeads, kDepth});
  const at::Tensor k = leaf({rows, kHeads, kDepth}), v = leaf({rows, kHeads, kDepth});
  const at::Tensor g = at::randn({bags, states, kHeads, kDepth});
  ops::RetrieveOptions options;
  options.beta = at::full({1}, 1 / std::sqrt(double{kDepth}));
  options.projections = v;
  options.stored_offsets = at::tensor(offsets, at::kLong);
  std::vector<Contender> all;
  const double work = 14.0 * static_cast<double>(rows * states) * (kHeads * kDepth);
  all.push_back({"hopfield",
                 [=] {
                   return backward(ops::retrieve(q, k, options).state, g, {q, k, v});
                 },
                 work});
  // The padded batch is what a data loader would hand over: making it is not timed.
  at::Tensor padded_k = at::zeros({bags, longest, kHeads, kDepth}),
             padded_v = at::zeros_like(padded_k);
  at::Tensor visible = at::zeros({bags, 1, 1, longest}, at::kBool);
  for (std::int64_t b = 0; b < bags; ++b) {
    const auto i = static_cast<std::size_t>(b);
    padded_k[b].narrow(0, 0, sizes[i]) = k.detach().narrow(0, offsets[i], sizes[i]);
    padded_v[b].narrow(0, 0, sizes[i]) = v.detach().narrow(0, offsets[i], sizes[i]);
    visible[b].narrow(-1, 0, sizes[i]).fill_(true);
  }
  padded_k.requires_grad_();
  padded_v.requires_grad_();
  all.push_back({"padded-sdpa",
                 [=] {
                   const at::Tensor out = at::scaled_dot_product_attention(
                       q.transpose(0, 1).expand({bags, kHeads, states, kDepth}),
                       padded_k.transpose(1, 2), padded_v.transpose(1, 2), visible);
                   return backward(out.transpose(1, 2), g, {q, padded_k, padded_v});
                 },
                 work});
  return all;
}

/// k updates and the final association of T states.
std::vector<Contender> open_updates(std::int64_t updates) {
  constexpr std::int64_t kStates = 512, kStored = 4096, kHeads = 8, kDepth = 64;
  const at::Tensor q = leaf({1, kStates, kHeads, kDepth}), k = leaf({1, kStored, kHeads, kDepth});
  const at::Tensor g = at::randn({1, kStates, kHeads, kDepth});
  ops::RetrieveOptions options;
  options.beta = at::full({1}, 1 / std::sqrt(double{kDepth}));
  options.update_steps_max = {updates};
  options.update_steps_eps = {1e-30};  // never reached
  options.criterion = StopCriterion::kState;
  const double work = 4.0 * kStates * kStored * kHeads * kDepth * static_cast<double>(updates + 1);
  std::vector<Contender> all;
  const at::Tensor qd = q.detach(), kd = k.detach();
  all.push_back({"hopfield", [=] { return ops::retrieve(qd, kd, options).state; }, work});
  all.push_back({"plain",
                 [=] {
                   const at::Tensor x = kd.transpose(1, 2), columns = kd.permute({0, 2, 3, 1});
                   at::Tensor state = qd.transpose(1, 2);
                   for (std::int64_t i = 0; i <= updates; ++i) {
                     state = at::matmul(at::softmax(at::matmul(state, columns) / 8, -1), x);
                   }
                   return state.transpose(1, 2);
                 },
                 work});
  return all;
}

/// Forward and backward of states that update until no component moves by more than eps: by the
/// implicit gradient at the fixed point. The smaller eps, the more updates.
std::vector<Contender> open_implicit(double eps) {
  const at::Tensor q = leaf({1, 512, 8, 64}), k = leaf({1, 4096, 8, 64});
  const at::Tensor g = at::randn({1, 512, 8, 64});
  ops::RetrieveOptions options;
  options.beta = at::full({1}, 0.125);
  options.update_steps_max = {1000};
  options.update_steps_eps = {eps};
  options.criterion = StopCriterion::kState;
  options.gradient = RetrieveGradient::kImplicit;
  return {{"hopfield", [=] {
             const ops::RetrieveResult result = ops::retrieve(q, k, options);
             backward(result.state, g, {q, k});
             return result.steps;
           }}};
}

/// HopfieldLayer beside the same arithmetic with the table repeated for every sample.
std::vector<Contender> open_lookup(bool with_backward) {
  constexpr std::int64_t kBatch = 32, kLength = 16, kSize = 64, kQuantity = 1000, kHeads = 8;
  constexpr std::int64_t kDepth = kSize / kHeads;
  const at::Tensor input = at::randn({kBatch, kLength, kSize});
  nn::HopfieldLayer layer(nn::HopfieldLayerOptions(kSize).num_heads(kHeads).quantity(kQuantity));
  layer->eval();
  const at::Tensor table = leaf({1, kQuantity, kSize}), gain = leaf({kSize}), shift = leaf({kSize});
  std::vector<at::Tensor> weights, biases;
  for (int i = 0; i < 4; ++i) {
    weights.push_back(leaf({kSize, kSize}));
    biases.push_back(leaf({kSize}));
  }
  const at::Tensor g = at::randn({kBatch, kLength, kSize});
  std::vector<at::Tensor> ours = layer->parameters(), theirs = weights;
  theirs.insert(theirs.end(), {table, gain, shift});
  theirs.insert(theirs.end(), biases.begin(), biases.end());
  const auto finish = [=](const at::Tensor& out, const std::vector<at::Tensor>& leaves) {
    if (with_backward) torch::autograd::grad({out}, leaves, {g}, {}, false, true);
    return at::Tensor();
  };
  const auto split = [](const at::Tensor& x) {
    return x.reshape({x.size(0), x.size(1), kHeads, kDepth}).transpose(1, 2);
  };
  std::vector<Contender> all;
  all.push_back({"hopfield",
                 [=]() mutable {
                   at::AutoGradMode mode(with_backward);
                   return finish(layer->forward(input), ours);
                 },
                 1});
  all.push_back(
      {"repeated-table",
       [=] {
         at::AutoGradMode mode(with_backward);
         const at::Tensor stored =
             at::layer_norm(table.expand({kBatch, kQuantity, kSize}), {kSize}, gain, shift);
         const at::Tensor states = at::layer_norm(input, {kSize}, gain, shift);
         const at::Tensor q = split(at::linear(states, weights[0], biases[0]));
         const at::Tensor k = split(at::linear(stored, weights[1], biases[1]));
         const at::Tensor v = split(at::linear(stored, weights[2], biases[2]));
         const at::Tensor a = at::softmax(at::matmul(q, k.transpose(-2, -1)), -1);
         const at::Tensor out = at::matmul(a, v).transpose(1, 2);
         return finish(at::linear(out.reshape({kBatch, kLength, kSize}), weights[3], biases[3]),
                       theirs);
       },
       1});
  return all;
}

}  // namespace

std::vector<std::int64_t> bag_sizes(std::int64_t bags, double median, double spread,
                                    std::int64_t least, std::int64_t most) {
  std::mt19937 random(7);
  std::lognormal_distribution<double> size(std::log(median), spread);
  std::vector<std::int64_t> sizes;
  for (std::int64_t b = 0; b < bags; ++b) {
    sizes.push_back(std::clamp(static_cast<std::int64_t>(size(random)), least, most));
  }
  sizes.front() = most;
  return sizes;
}

void add_layer_cases(std::vector<Case>& cases) {
  struct Shape {
    std::int64_t batch, length, stored;
  };
  for (const Shape& s : {Shape{32, 16, 64}, Shape{32, 64, 64}, Shape{32, 128, 512},
                         Shape{32, 16, 4096}, Shape{8, 512, 4096}}) {
    cases.push_back({"layer/B" + std::to_string(s.batch) + "/L" + std::to_string(s.length) + "/S" +
                         std::to_string(s.stored),
                     [=] { return open_layer(s.batch, s.length, s.stored); }});
  }
  cases.push_back({"bags/256-small", [] { return open_bags(bag_sizes(256, 7, 0.5, 2, 40), 1); }});
  cases.push_back(
      {"bags/64-long", [] { return open_bags(bag_sizes(64, 600, 1.6, 10, 20'000), 1); }});
  for (const std::int64_t k : {1, 3, 10}) {
    cases.push_back({"updates/k" + std::to_string(k), [=] { return open_updates(k); }});
  }
  cases.push_back({"implicit/few-updates", [] { return open_implicit(0.1); }, 0, false});
  cases.push_back({"implicit/many-updates", [] { return open_implicit(1e-5); }, 0, false});
  cases.push_back({"lookup/forward", [] { return open_lookup(false); }});
  cases.push_back({"lookup/backward", [] { return open_lookup(true); }});
}

}  // namespace hopfield::bench
