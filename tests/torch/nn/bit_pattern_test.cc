// The reference's bit-pattern notebook, adapted lookup network, 250 epochs.

#include <gtest/gtest.h>

#include "hopfield/torch/nn/datasets.h"
#include "notebook_networks.h"

namespace hopfield::testing {
namespace {

TEST(BitPattern, AdaptedLookupReachesTheNotebooksAccuracy) {
  const nn::BitPatternSet set(2048, 16, 8, 1, 0.5, 8);
  const Split split = middle_split(2048);
  const at::Tensor rows = distinct_rows(set.bags(), split);
  EXPECT_EQ(rows.size(0), 255);
  torch::manual_seed(42);
  nn::HopfieldLayer lookup(nn::HopfieldLayerOptions(8)
                               .quantity(rows.size(0))
                               .lookup_weights_as_separated(true)
                               .lookup_targets_as_trainable(false));
  {
    const at::NoGradGuard no_grad;
    lookup->lookup_weights.copy_(rows.unsqueeze(0));
  }
  const auto history =
      run_network(with_head(lookup, 8 * 16), set.bags(), set.targets(), split, 250,
                  [](std::int64_t epoch, const train::EpochMetrics& m) {
                    if (epoch % 50 == 49) {
                      std::printf("epoch %d: train %.4f %.4f, eval %.4f %.4f\n", int(epoch + 1),
                                  m.train_loss, m.train_accuracy, m.eval_loss, m.eval_accuracy);
                    }
                    return true;
                  });
  double accuracy = 0;
  for (std::size_t i = history.size() - 5; i < history.size(); ++i)
    accuracy += history[i].eval_accuracy / 5;
  std::printf("evaluation accuracy, mean of the last 5 epochs: %.4f\n", accuracy);
  EXPECT_GE(accuracy, 0.83);
}

}  // namespace
}  // namespace hopfield::testing
