#include "apps/mil/optimizer.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/nn/modules/linear.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace hopfield::mil {
namespace {

constexpr double kRate = 0.01, kDecay = 0.1;

/// Sizes that are no multiples of a vector's length.
class TwoLayersImpl : public torch::nn::Module {
 public:
  TwoLayersImpl() {
    const at::NoGradGuard no_grad;
    register_module("first", torch::nn::Linear(13, 7));
    register_module("second", torch::nn::Linear(7, 3));
    std::uint64_t state = 1;
    for (at::Tensor& value : parameters()) fill(value, state);
  }

  /// Numbers of (-1, 1), the same for the same state.
  static void fill(at::Tensor& out, std::uint64_t& state) {
    float* data = out.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < out.numel(); ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      data[i] = static_cast<float>(static_cast<double>(state >> 11) * 0x1p-52 - 1);
    }
  }

  void set_gradients(std::uint64_t seed) {
    std::uint64_t state = seed;
    for (at::Tensor& value : parameters()) {
      if (!value.grad().defined()) value.mutable_grad() = at::empty_like(value);
      fill(value.mutable_grad(), state);
    }
  }
};

void expect_equal_parameters(const torch::nn::Module& a, const torch::nn::Module& b) {
  const auto others = b.named_parameters();
  for (const auto& parameter : a.named_parameters()) {
    EXPECT_TRUE(at::equal(parameter.value(), others[parameter.key()])) << parameter.key();
  }
}

TEST(FlatAdamW, GivesTheBitsOfAdamWTensorByTensor) {
  TwoLayersImpl flat, plain;
  FlatAdamW optimizer(flat, kRate, kDecay);
  std::vector<at::Tensor> weights, biases;
  for (const at::Tensor& value : plain.parameters()) {
    (value.dim() >= 2 ? weights : biases).push_back(value);
  }
  const auto options = [](double decay) {
    return std::make_unique<torch::optim::AdamWOptions>(
        torch::optim::AdamWOptions(kRate).weight_decay(decay));
  };
  std::vector<torch::optim::OptimizerParamGroup> groups;
  groups.emplace_back(weights, options(kDecay));
  groups.emplace_back(biases, options(0));
  torch::optim::AdamW reference(std::move(groups), torch::optim::AdamWOptions(kRate));
  for (std::uint64_t step = 1; step <= 5; ++step) {
    for (TwoLayersImpl* net : {&flat, &plain}) net->set_gradients(step);
    optimizer.step();
    reference.step();
    expect_equal_parameters(flat, plain);
  }
}

TEST(FlatAdamW, SavedAndRestoredItGoesOnWithTheSameBits) {
  TwoLayersImpl through, stopped;
  FlatAdamW optimizer(through, kRate, kDecay), before(stopped, kRate, kDecay);
  NamedTensors saved;
  before.save(saved);
  EXPECT_TRUE(saved.empty());  // no step was made
  for (const std::uint64_t step : {1, 2}) {
    through.set_gradients(step);
    stopped.set_gradients(step);
    optimizer.step();
    before.step();
  }
  before.save(saved);
  ASSERT_EQ(saved.size(), 3 * through.parameters().size());
  FlatAdamW after(stopped, kRate, kDecay);
  after.restore([&](const std::string& name, at::IntArrayRef shape) {
    for (const auto& [key, value] : saved) {
      if (key == name && value.sizes() == shape) return value;
    }
    ADD_FAILURE() << name;
    return at::Tensor();
  });
  through.set_gradients(3);
  stopped.set_gradients(3);
  optimizer.step();
  after.step();
  expect_equal_parameters(through, stopped);
}

TEST(FlatAdamW, GradientsOfABackwardPassAreAddedToWhatZeroGradCleared) {
  TwoLayersImpl net;
  FlatAdamW optimizer(net, kRate, kDecay);
  net.set_gradients(1);
  optimizer.zero_grad();
  at::Tensor sum = at::zeros({});
  for (const at::Tensor& value : net.parameters()) sum = sum + value.sum();
  sum.backward();
  for (const at::Tensor& value : net.parameters()) {
    EXPECT_TRUE(at::equal(value.grad(), at::ones_like(value)));
  }
}

}  // namespace
}  // namespace hopfield::mil
