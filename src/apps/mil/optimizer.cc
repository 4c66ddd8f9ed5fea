#include "apps/mil/optimizer.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/accumulate.h>

namespace hopfield::mil {
namespace {

/// Parameters begin at multiples of 64 bytes, as tensors of their own do.
constexpr std::int64_t kAlignment = 16;

}  // namespace

at::Tensor FlatAdamW::Part::of(const at::Tensor& buffer) const {
  return buffer.narrow(0, begin, c10::multiply_integers(sizes)).view(sizes);
}

FlatAdamW::FlatAdamW(torch::nn::Module& net, double learning_rate, double weight_decay) {
  const at::NoGradGuard no_grad;
  auto parameters = net.named_parameters();
  std::vector<torch::optim::OptimizerParamGroup> groups;
  for (const bool decays : {true, false}) {
    Buffer buffer;
    std::int64_t size = 0;
    for (const auto& parameter : parameters) {
      const at::Tensor& value = parameter.value();
      if ((value.dim() >= 2) != decays) continue;
      buffer.parts.push_back({parameter.key(), value.sizes().vec(), size});
      size += (value.numel() + kAlignment - 1) / kAlignment * kAlignment;
    }
    buffer.values = at::zeros({size}, at::kFloat);
    buffer.values.mutable_grad() = at::zeros_like(buffer.values);
    for (const Part& part : buffer.parts) {
      at::Tensor& value = parameters[part.name];
      part.of(buffer.values).copy_(value);
      value.set_data(part.of(buffer.values));
      value.mutable_grad() = part.of(buffer.values.grad());
    }
    groups.emplace_back(
        std::vector<at::Tensor>{buffer.values},
        std::make_unique<torch::optim::AdamWOptions>(
            torch::optim::AdamWOptions(learning_rate).weight_decay(decays ? weight_decay : 0.0)));
    buffers_.push_back(std::move(buffer));
  }
  optimizer_ = std::make_unique<torch::optim::AdamW>(std::move(groups),
                                                     torch::optim::AdamWOptions(learning_rate));
}

void FlatAdamW::set_learning_rate(double rate) {
  for (auto& group : optimizer_->param_groups()) group.options().set_lr(rate);
}

void FlatAdamW::zero_grad() {
  for (Buffer& buffer : buffers_) buffer.values.mutable_grad().zero_();
}

void FlatAdamW::save(NamedTensors& tensors) const {
  for (const Buffer& buffer : buffers_) {
    const auto entry = optimizer_->state().find(buffer.values.unsafeGetTensorImpl());
    if (entry == optimizer_->state().end()) continue;
    const auto& state = static_cast<const torch::optim::AdamWParamState&>(*entry->second);
    for (const Part& part : buffer.parts) {
      tensors.emplace_back("adam_steps." + part.name, at::full({1}, state.step(), at::kLong));
      tensors.emplace_back("adam_mean." + part.name, part.of(state.exp_avg()));
      tensors.emplace_back("adam_square." + part.name, part.of(state.exp_avg_sq()));
    }
  }
}

void FlatAdamW::restore(
    const std::function<at::Tensor(const std::string&, at::IntArrayRef)>& find) {
  const at::NoGradGuard no_grad;
  for (Buffer& buffer : buffers_) {
    auto state = std::make_unique<torch::optim::AdamWParamState>();
    state->exp_avg(at::zeros_like(buffer.values));
    state->exp_avg_sq(at::zeros_like(buffer.values));
    for (const Part& part : buffer.parts) {
      state->step(find("adam_steps." + part.name, {1}).item<std::int64_t>());
      part.of(state->exp_avg()).copy_(find("adam_mean." + part.name, part.sizes));
      part.of(state->exp_avg_sq()).copy_(find("adam_square." + part.name, part.sizes));
    }
    optimizer_->state()[buffer.values.unsafeGetTensorImpl()] = std::move(state);
  }
}

}  // namespace hopfield::mil
