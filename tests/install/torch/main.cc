#include <ATen/ATen.h>

#include <cstdint>
#include <cstdio>

#include "hopfield/torch/nn/pooling.h"
#include "hopfield/torch/ops/retrieve.h"

int main() {
  // Three patterns of depth 4, dense [B, S, H, d]; the cue is the second one, half hidden.
  const at::Tensor stored =
      at::tensor({1, 1, -1, -1, 1, -1, 1, -1, -1, -1, 1, 1}, at::kFloat).view({1, 3, 1, 4});
  const at::Tensor cue = at::tensor({1, -1, 1, 0}, at::kFloat).view({1, 1, 1, 4});
  hopfield::ops::RetrieveOptions options;
  options.beta = at::tensor({4.0F});
  options.update_steps_max = {3};
  options.want_largest = true;
  const auto recalled = hopfield::ops::retrieve(cue, stored, options);
  const auto index = recalled.largest_index.item<std::int64_t>();

  hopfield::nn::HopfieldPooling pooling(hopfield::nn::HopfieldPoolingOptions(4));
  const at::Tensor pooled = pooling->forward(at::randn({2, 5, 4}));
  std::printf("recalled pattern %d; pooled two bags into [%d, %d]\n", static_cast<int>(index),
              static_cast<int>(pooled.size(0)), static_cast<int>(pooled.size(1)));
  return index == 1 && pooled.size(0) == 2 && pooled.size(1) == 4 ? 0 : 1;
}
