// The three layers in a LibTorch program: pool bags of any size into one vector each, train, look
// at what mattered, save, load.
//
//   find_package(hopfield REQUIRED)
//   target_link_libraries(layers PRIVATE hopfield::torch)

#include <hopfield/torch/nn/hopfield.h>
#include <hopfield/torch/nn/layer.h>
#include <hopfield/torch/nn/pooling.h>
#include <hopfield/torch/train/checkpoint.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adamw.h>
#include <torch/utils.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <vector>

using hopfield::nn::Hopfield;
using hopfield::nn::HopfieldLayer;
using hopfield::nn::HopfieldLayerOptions;
using hopfield::nn::HopfieldOptions;
using hopfield::nn::HopfieldPooling;
using hopfield::nn::HopfieldPoolingOptions;

namespace {

// 200 bags of 1 to 20 instances with 8 features; a bag is positive if one instance has a large
// first one.
struct Bags {
  at::Tensor values, offsets, targets;
};

Bags make_bags() {
  const at::Tensor lengths = at::randint(1, 21, {200}, at::kLong);
  const at::Tensor offsets = at::cat({at::zeros({1}, at::kLong), lengths.cumsum(0)});
  const std::int64_t rows = offsets[-1].item<std::int64_t>();
  at::Tensor values = at::randn({rows, 8});
  at::Tensor targets = at::zeros({200});
  for (std::int64_t bag = 0; bag < 200; bag += 2) {
    const std::int64_t first = offsets[bag].item<std::int64_t>();
    const std::int64_t at =
        first + at::randint(0, lengths[bag].item<std::int64_t>(), {1}).item<std::int64_t>();
    values[at][0] = 6.0;
    targets[bag] = 1;
  }
  return {values, offsets, targets};
}

}  // namespace

int main() {
  torch::manual_seed(1);

  // 1. Retrieval without any weights: which stored pattern is this the half of?
  const at::Tensor stored = at::randint(0, 2, {10, 64}).to(at::kFloat) * 2 - 1;
  at::Tensor cue = stored[3].clone().unsqueeze(0);
  cue.narrow(1, 32, 32).zero_();
  Hopfield memory(HopfieldOptions::static_retrieval().scaling(0.5).update_steps_max(std::nullopt));
  const at::Tensor restored = memory->forward_patterns(stored, cue, stored);
  const bool exact = restored.sign().eq(stored[3]).all().item<bool>();
  std::cout << memory << "\nrestored pattern 3 exactly: " << (exact ? "yes" : "no") << "\n";

  // 2. Bags of different sizes go in as values and offsets, without padding.
  const Bags bags = make_bags();
  HopfieldPooling pooling(
      HopfieldPoolingOptions(8).hidden_size(8).num_heads(2).scaling(1.0).trainable_scaling(true));
  torch::nn::Linear head(*pooling->output_depth(), 1);
  std::vector<at::Tensor> parameters = pooling->parameters();
  for (const at::Tensor& p : head->parameters()) parameters.push_back(p);
  torch::optim::AdamW optimizer(parameters, torch::optim::AdamWOptions(1e-2));
  double accuracy = 0;
  for (int step = 0; step < 150; ++step) {
    optimizer.zero_grad();
    const at::Tensor logits =
        head->forward(pooling->forward_ragged(bags.values, bags.offsets)).squeeze(1);
    torch::nn::functional::binary_cross_entropy_with_logits(logits, bags.targets).backward();
    optimizer.step();
    accuracy = logits.sigmoid().round().eq(bags.targets).to(at::kFloat).mean().item<double>();
  }
  std::printf("pooling: training accuracy %.3f, beta of the heads %.2f and %.2f\n", accuracy,
              pooling->scaling()[0].item<double>(), pooling->scaling()[1].item<double>());

  // 3. Which instance of the first bag mattered most?
  const at::Tensor weights =
      pooling->instance_associations(bags.values, bags.offsets).mean(1).squeeze(1);
  const std::int64_t first_bag = bags.offsets[1].item<std::int64_t>();
  const std::int64_t top = weights.narrow(0, 0, first_bag).argmax().item<std::int64_t>();
  std::printf(
      "bag 0: instance %lld of %lld holds %.2f of the association; its first feature is %.1f\n",
      static_cast<long long>(top), static_cast<long long>(first_bag), weights[top].item<double>(),
      bags.values[top][0].item<double>());

  // 4. Weights and options in one file, and back.
  const std::string path =
      (std::filesystem::temp_directory_path() / "hopfield_example_pooling.safetensors").string();
  hopfield::train::save(pooling, path);
  HopfieldPooling again = hopfield::train::load_hopfield_pooling(path);
  std::filesystem::remove(path);
  const bool equal = at::equal(again->forward_ragged(bags.values, bags.offsets),
                               pooling->forward_ragged(bags.values, bags.offsets));
  std::cout << "saved and loaded: " << (equal ? "the same output" : "another output") << "\n";

  // 5. A learned table of 32 patterns as a layer of a network; its association comes with the
  // output.
  HopfieldLayer lookup(HopfieldLayerOptions(8).quantity(32).update_steps_max(3));
  hopfield::nn::HopfieldRequest request;
  request.association = request.energy = true;
  const hopfield::nn::HopfieldOutput out = lookup->associate(bags.values.narrow(0, 0, 4), request);
  std::cout << "lookup: output " << out.output.sizes() << ", association "
            << out.association.sizes() << ", energy " << out.energy.sizes() << "\n";
  return exact && equal && accuracy > 0.9 ? 0 : 1;
}
