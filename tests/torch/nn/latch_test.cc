// The reference's latch notebook, seed 42: first-epoch figures of its three default networks.

#include <gtest/gtest.h>

#include "hopfield/torch/nn/datasets.h"
#include "notebook_networks.h"

namespace hopfield::testing {
namespace {

constexpr double kTolerance =
    1e-4;  // figures are printed to five digits; float32 differs in the sixth

void expect_epochs(torch::nn::Sequential network, const nn::LatchSequenceSet& set,
                   const train::EpochMetrics& first) {
  const auto history = run_network(network, set.samples(), set.targets(), middle_split(4096), 2);
  ASSERT_EQ(history.size(), 2u);
  EXPECT_NEAR(history[0].train_loss, first.train_loss, kTolerance);
  EXPECT_NEAR(history[0].train_accuracy, first.train_accuracy, kTolerance);
  EXPECT_NEAR(history[0].eval_loss, first.eval_loss, kTolerance);
  EXPECT_NEAR(history[0].eval_accuracy, first.eval_accuracy, kTolerance);
  EXPECT_EQ(history[1].eval_accuracy, 1.0);
  std::printf("epoch 1: train %.5f %.5f, eval %.5f %.5f; epoch 2: eval accuracy %.5f\n",
              history[0].train_loss, history[0].train_accuracy, history[0].eval_loss,
              history[0].eval_accuracy, history[1].eval_accuracy);
}

TEST(Latch, HopfieldFirstEpochOfTheNotebook) {
  const nn::LatchSequenceSet set(4096, 32, 20);
  torch::manual_seed(42);
  nn::Hopfield hopfield(20);
  expect_epochs(with_head(hopfield, 20 * 32), set, {0.43039, 0.79557, 0.00001, 1.0});
}

TEST(Latch, PoolingFirstEpochOfTheNotebook) {
  const nn::LatchSequenceSet set(4096, 32, 20);
  torch::manual_seed(42);
  nn::HopfieldPooling pooling(20);
  expect_epochs(with_head(pooling, 20), set, {0.39979, 0.82227, 0.00472, 1.0});
}

TEST(Latch, LookupFirstEpochOfTheNotebook) {
  const nn::LatchSequenceSet set(4096, 32, 20);
  const std::int64_t quantity = distinct_rows(set.samples(), middle_split(4096)).size(0);
  ASSERT_EQ(quantity, 20);
  torch::manual_seed(42);
  nn::HopfieldLayer lookup(nn::HopfieldLayerOptions(20).quantity(quantity));
  expect_epochs(with_head(lookup, 20 * 32), set, {0.45122, 0.76823, 0.00277, 1.0});
}

}  // namespace
}  // namespace hopfield::testing
