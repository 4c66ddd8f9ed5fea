#include "apps/mil/net.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>

#include <cmath>
#include <string>
#include <vector>

#include "apps/mil/random.h"
#include "hopfield/base/error.h"
#include "hopfield/torch/ops/retrieve.h"

namespace hopfield::mil {
namespace {

/// Largest value of each bag and column: [n, C] -> [B, C].
at::Tensor bag_max(const at::Tensor& values, const BagBatch& batch) {
  return at::segment_reduce(values, "max", /*lengths=*/{}, /*indices=*/{}, batch.offsets,
                            /*axis=*/0, /*unsafe=*/true);
}

at::Tensor bag_sum(const at::Tensor& values, const BagBatch& batch) {
  return at::zeros({batch.num_bags(), values.size(1)}, values.options())
      .index_add(0, batch.bag_of, values);
}

at::Tensor bag_mean(const at::Tensor& values, const BagBatch& batch) {
  return bag_sum(values, batch) / batch.offsets.diff().unsqueeze(1);
}

void draw_normal(at::Tensor& parameter, double deviation, Random& random) {
  float* data = parameter.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < parameter.numel(); ++i) {
    data[i] = static_cast<float>(deviation * random.normal());
  }
}

}  // namespace

bool is_linear(Pooling pooling) {
  return pooling == Pooling::kMeanMax || pooling == Pooling::kMean || pooling == Pooling::kMax;
}

bool folds_projections(const ModelOptions& options) {
  return options.pooling == Pooling::kHopfield && options.quantity <= options.head_size;
}

BagNetImpl::BagNetImpl(const ModelOptions& options, std::int64_t input_size,
                       std::int64_t num_outputs)
    : options_(options) {
  std::int64_t width = input_size;
  if (!is_linear(options.pooling)) {
    for (std::size_t i = 0; i < options.embedding.size(); ++i) {
      const std::int64_t next = options.embedding[i];
      embedding_.push_back(
          register_module("embedding" + std::to_string(i), torch::nn::Linear(width, next)));
      width = next;
    }
  }
  switch (options.pooling) {
    case Pooling::kHopfield: {
      // The learned state patterns live in the association space itself.
      auto pooling = nn::HopfieldPoolingOptions(width)
                         .hidden_size(options.head_size)
                         .num_heads(options.num_heads)
                         .scaling(options.beta.size() == 1 ? nn::Scaling(options.beta[0])
                                                           : nn::Scaling(options.beta))
                         .state_pattern_as_static(true)
                         .normalize_inputs(false)
                         .disable_out_projection(true)
                         .quantity(options.quantity);
      hopfield_ = register_module("pooling", nn::HopfieldPooling(pooling));
      beta_ = at::tensor(options.beta, at::kFloat).view({-1, 1, 1});
      width = options.quantity * options.num_heads * options.head_size;
      break;
    }
    case Pooling::kMeanMax:
      width *= 2;
      break;
    case Pooling::kMean:
    case Pooling::kMax:
      break;
    case Pooling::kGatedAttention:
      attention_gate_ =
          register_module("attention_gate", torch::nn::Linear(width, options.attention_size));
      [[fallthrough]];
    case Pooling::kAttention:
      attention_tanh_ =
          register_module("attention_tanh", torch::nn::Linear(width, options.attention_size));
      attention_score_ = register_module(
          "attention_score",
          torch::nn::Linear(torch::nn::LinearOptions(options.attention_size, 1).bias(false)));
      break;
    case Pooling::kStoredBags:
      HOPFIELD_CHECK(false);  // no network
  }
  state_size_ = width;
  if (options.head_hidden > 0 && !is_linear(options.pooling)) {
    hidden_ = register_module("hidden", torch::nn::Linear(width, options.head_hidden));
    width = options.head_hidden;
  }
  output_ = register_module("output", torch::nn::Linear(width, num_outputs));
}

void BagNetImpl::initialise(std::uint64_t seed) {
  const at::NoGradGuard no_grad;
  Random random(mix_seed(seed, "weights"));
  for (auto& parameter : named_parameters()) {
    at::Tensor& value = parameter.value();
    const std::string& name = parameter.key();
    if (value.dim() < 2) {
      value.zero_();
    } else if (name == "pooling.pooling_weights") {
      draw_normal(value, 1.0, random);
    } else {
      const bool before_relu = name.starts_with("embedding") || name.starts_with("hidden");
      const auto fan_in = static_cast<double>(value.size(1));
      draw_normal(value, std::sqrt((before_relu ? 2.0 : 1.0) / fan_in), random);
    }
  }
}

at::Tensor BagNetImpl::embed(const at::Tensor& values) {
  at::Tensor out = values;
  for (torch::nn::Linear& layer : embedding_) out = at::relu(layer->forward(out));
  return out;
}

at::Tensor BagNetImpl::attention(const BagBatch& batch) {
  at::Tensor key = at::tanh(attention_tanh_->forward(batch.values));
  if (attention_gate_) key = key * at::sigmoid(attention_gate_->forward(batch.values));
  const at::Tensor scores = attention_score_->forward(key);
  const at::Tensor largest = bag_max(scores.detach(), batch).index_select(0, batch.bag_of);
  const at::Tensor weights = at::exp(scores - largest);
  return weights / bag_sum(weights, batch).index_select(0, batch.bag_of);
}

/// What hopfield_->forward_ragged gives, [B, quantity * heads * head_size], with another order of
/// sums. The states r are learned, so the keys' projection can meet them instead of the instances:
/// <r, W_k x + b_k> = <W_k^T r, x> + <r, b_k>, of which the last is the same for all instances of a
/// bag and drops out of the association p. And sum p (W_v x + b_v) = W_v (sum p x) + b_v. So what
/// is stored are the embedded instances themselves, and no instance is projected.
at::Tensor BagNetImpl::hopfield_pooled(const BagBatch& embedded) {
  const std::int64_t heads = options_.num_heads, depth = options_.head_size;
  const std::int64_t quantity = options_.quantity, width = embedded.values.size(1);
  const nn::HopfieldCore& core = hopfield_->hopfield->association_core;
  // The rows of the keys, then those of the values.
  const auto projections = core->in_proj_weight.view({2, heads, depth, width}).unbind(0);
  const at::Tensor value_bias = core->in_proj_bias.view({2, heads, 1, depth}).select(0, 1);
  const at::Tensor scaled = (hopfield_->pooling_weights * beta_).expand({heads, quantity, depth});
  const at::Tensor states = at::bmm(scaled, projections[0]).view({heads * quantity, 1, width});
  ops::RetrieveOptions retrieve;
  retrieve.beta = at::ones({1});
  retrieve.stored_offsets = embedded.offsets;
  const at::Tensor pooled = ops::retrieve(states, embedded.values.unsqueeze(1), retrieve)
                                .state
                                .view({-1, heads, quantity, width})  // B first
                                .transpose(0, 1)
                                .reshape({heads, -1, width});
  return at::baddbmm(value_bias, pooled, projections[1].transpose(1, 2))
      .view({heads, -1, quantity, depth})
      .permute({1, 2, 0, 3})
      .reshape({-1, quantity * heads * depth});
}

at::Tensor BagNetImpl::pool(const BagBatch& batch) {
  const at::Tensor& embedded = batch.values;
  switch (options_.pooling) {
    case Pooling::kHopfield:
      return folds_projections(options_) ? hopfield_pooled(batch)
                                         : hopfield_->forward_ragged(embedded, batch.offsets);
    case Pooling::kMeanMax:
      return at::cat({bag_mean(embedded, batch), bag_max(embedded, batch)}, 1);
    case Pooling::kMean:
      return bag_mean(embedded, batch);
    case Pooling::kMax:
      return bag_max(embedded, batch);
    case Pooling::kAttention:
    case Pooling::kGatedAttention:
      return bag_sum(attention(batch) * embedded, batch);
    case Pooling::kStoredBags:
      break;  // refused by the constructor
  }
  HOPFIELD_CHECK(false);
  return {};
}

at::Tensor BagNetImpl::forward(const BagBatch& batch, const at::Generator* dropout) {
  return forward_embedded({embed(batch.values), batch.offsets, batch.bag_of}, dropout);
}

at::Tensor BagNetImpl::forward_embedded(const BagBatch& embedded, const at::Generator* dropout) {
  return head(pool(embedded), dropout);
}

at::Tensor BagNetImpl::forward_nothing() {
  return head(at::zeros({1, state_size_}), nullptr);
}

at::Tensor BagNetImpl::head(at::Tensor state, const at::Generator* dropout) {
  if (hidden_) state = at::relu(hidden_->forward(state));
  if (dropout != nullptr && options_.head_dropout > 0) {
    const double keep = 1 - options_.head_dropout;
    state = state * at::empty_like(state).bernoulli_(keep, *dropout).div_(keep);
  }
  return output_->forward(state);
}

void BagNetImpl::scale_output(double shift, double scale) {
  const at::NoGradGuard no_grad;
  output_->weight.mul_(scale);
  output_->bias.mul_(scale).add_(shift);
}

at::Tensor BagNetImpl::instance_weights(const BagBatch& batch) {
  const at::NoGradGuard no_grad;
  if (is_linear(options_.pooling)) return {};
  const at::Tensor embedded = embed(batch.values);
  if (options_.pooling == Pooling::kHopfield) {
    return hopfield_->instance_associations(embedded, batch.offsets);
  }
  return attention({embedded, batch.offsets, batch.bag_of}).unsqueeze(2);
}

std::int64_t BagNetImpl::num_parameters() const {
  std::int64_t count = 0;
  for (const at::Tensor& parameter : parameters()) count += parameter.numel();
  return count;
}

}  // namespace hopfield::mil
