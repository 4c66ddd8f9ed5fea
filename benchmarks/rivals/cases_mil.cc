// A training step over bags: the network of `hopfield mil`, ragged, beside the same network on
// padded bags.

#include <ATen/ATen.h>
#include <torch/optim/adamw.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "apps/mil/net.h"
#include "apps/mil/optimizer.h"
#include "benchmarks/rivals/cases.h"
#include "hopfield/apps/mil/options.h"

namespace hopfield::bench {
namespace {

/// Of Elephant in the thermometer code: 110 features that vary, 4 levels.
constexpr std::int64_t kCoded = 440;

/// What a step works on. The padded copy is what a data loader would hand over: making it is not
/// timed, nor is gathering the ragged one.
struct StepData {
  mil::BagBatch ragged;
  at::Tensor padded;  ///< [B, L, D]
  at::Tensor hidden;  ///< [B, 1, L], true where there is no instance
  at::Tensor labels;  ///< [B]
};

StepData make_data(const std::vector<std::int64_t>& sizes) {
  const auto bags = static_cast<std::int64_t>(sizes.size());
  std::vector<std::int64_t> offsets = {0};
  for (const std::int64_t size : sizes) offsets.push_back(offsets.back() + size);
  const std::int64_t longest = *std::max_element(sizes.begin(), sizes.end());
  StepData data;
  data.ragged.values = at::randn({offsets.back(), kCoded});
  data.ragged.offsets = at::tensor(offsets, at::kLong);
  data.ragged.bag_of = at::repeat_interleave(at::arange(bags), data.ragged.offsets.diff());
  data.padded = at::zeros({bags, longest, kCoded});
  data.hidden = at::ones({bags, 1, longest}, at::kBool);
  for (std::int64_t b = 0; b < bags; ++b) {
    const auto i = static_cast<std::size_t>(b);
    data.padded[b].narrow(0, 0, sizes[i]) = data.ragged.values.narrow(0, offsets[i], sizes[i]);
    data.hidden[b].narrow(-1, 0, sizes[i]).fill_(false);
  }
  data.labels = at::arange(bags).remainder(2).to(at::kFloat);
  return data;
}

/// A training step with the defaults of `hopfield mil`, dropout left out; gives the scores before
/// it. `optimizer` updates the parameters that `forward` reads.
template <class Optimizer>
Contender step(const std::string& name, std::shared_ptr<Optimizer> optimizer,
               const at::Tensor& labels, std::function<at::Tensor()> forward) {
  const auto call = [=] {
    const at::Tensor scores = forward();
    const at::Tensor loss = at::binary_cross_entropy_with_logits(scores.squeeze(1), labels);
    optimizer->zero_grad();
    loss.backward();
    optimizer->step();
    return scores.detach();
  };
  return {name, call, 1};
}

/// The network over padded bags: with the association as the reference composes it, or by fused
/// attention. `w` are the parameters of our network in their order.
at::Tensor padded_scores(const mil::ModelOptions& model, const std::vector<at::Tensor>& w,
                         const StepData& data, const at::Tensor& beta, bool fused) {
  const std::int64_t bags = data.padded.size(0), heads = model.num_heads, depth = model.head_size;
  const auto split = [&](const at::Tensor& rows) {
    return rows.view({bags, -1, heads, depth}).transpose(1, 2);
  };
  const at::Tensor embedded = at::relu(at::linear(data.padded, w[0], w[1]));
  const auto projection = at::linear(embedded, w[3], w[4]).chunk(2, 2);
  const at::Tensor k = split(projection[0]), v = split(projection[1]);
  const at::Tensor q = (w[2] * beta).expand({bags, heads, 1, depth});
  const at::Tensor hidden = data.hidden.unsqueeze(1);  // [B, 1, 1, L]
  at::Tensor state;
  if (fused) {
    state = at::scaled_dot_product_attention(q, k, v, hidden.logical_not(), 0, false, 1.0);
  } else {
    const at::Tensor scores = at::matmul(q, k.transpose(2, 3))
                                  .masked_fill(hidden, -std::numeric_limits<float>::infinity());
    state = at::matmul(at::softmax(scores, -1), v);
  }
  const at::Tensor head = at::relu(at::linear(state.reshape({bags, heads * depth}), w[5], w[6]));
  return at::linear(head, w[7], w[8]);
}

std::vector<Contender> open_step(const std::vector<std::int64_t>& sizes) {
  const StepData data = make_data(sizes);
  const mil::ModelOptions model;  // the program's defaults
  mil::BagNet net(model, kCoded);
  net->initialise(/*seed=*/1);
  const mil::TrainOptions train;
  const auto order = {"embedding0.weight",
                      "embedding0.bias",
                      "pooling.pooling_weights",
                      "pooling.hopfield.association_core.in_proj_weight",
                      "pooling.hopfield.association_core.in_proj_bias",
                      "hidden.weight",
                      "hidden.bias",
                      "output.weight",
                      "output.bias"};
  const at::Tensor beta = at::tensor(model.beta)
                              .to(at::kFloat)
                              .view({1, static_cast<std::int64_t>(model.beta.size()), 1, 1});
  std::vector<Contender> all;
  for (const bool fused : {false, true}) {
    std::vector<at::Tensor> weights;
    for (const char* key : order) {
      weights.push_back(net->named_parameters()[key].detach().clone().requires_grad_());
    }
    const auto optimizer = std::make_shared<torch::optim::AdamW>(
        weights, torch::optim::AdamWOptions(train.learning_rate).weight_decay(train.weight_decay));
    all.push_back(step(fused ? "padded-sdpa" : "padded-plain", optimizer, data.labels,
                       [=] { return padded_scores(model, weights, data, beta, fused); }));
  }
  const auto optimizer =
      std::make_shared<mil::FlatAdamW>(*net, train.learning_rate, train.weight_decay);
  all.push_back(step("hopfield", optimizer, data.labels,
                     [=]() mutable { return net->forward(data.ragged); }));
  return all;
}

}  // namespace

void add_mil_cases(std::vector<Case>& cases) {
  // 32 bags: a step of the default settings. Sizes as Elephant's: 2 to 13, median 7.
  cases.push_back({"mil/step/elephant", [] { return open_step(bag_sizes(32, 7, 0.35, 2, 13)); }});
  cases.push_back(
      {"mil/step/log-normal", [] { return open_step(bag_sizes(32, 100, 1.2, 2, 4000)); }});
}

}  // namespace hopfield::bench
