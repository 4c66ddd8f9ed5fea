// A small set of the kind that `tools/mil-bags slides` makes: a patch of a few tiles decides.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "apps/mil/random.h"
#include "hopfield/apps/mil/bags.h"
#include "hopfield/apps/mil/metrics.h"
#include "hopfield/apps/mil/saved_model.h"
#include "tests/torch/mil/toy.h"

namespace hopfield::mil {
namespace {

constexpr std::size_t kFeatures = 32, kTiles = 64, kShifted = 3;

/// Tiles of eight kinds of tissue plus noise plus an offset of their slide, sd 0.3. In positive
/// bags kShifted tiles side by side are shifted by 2 in all features; in negative bags as many are
/// in half of them, so that the mean of a bag says little. `witness`: the first shifted tile.
test::Toy make_slides(int num_bags, std::uint64_t seed) {
  Random tissue(0), random(seed);
  std::vector<double> kinds(8 * kFeatures);
  for (double& x : kinds) x = tissue.normal();
  test::Toy toy;
  Bags& bags = toy.bags;
  bags.origin = "slides";
  bags.num_features = static_cast<std::int64_t>(kFeatures);
  bags.offsets = {0};
  for (std::size_t f = 0; f < kFeatures; ++f) {
    bags.feature_names.push_back(std::string("f").append(std::to_string(f)));
  }
  for (int b = 0; b < num_bags; ++b) {
    const bool positive = b % 2 == 1;
    const std::size_t first = random.below(kTiles - kShifted + 1);
    std::vector<double> stain(kFeatures);
    for (double& x : stain) x = 0.3 * random.normal();
    for (std::size_t i = 0; i < kTiles; ++i) {
      const std::size_t kind = random.below(8);
      const bool shifted = i >= first && i < first + kShifted;
      for (std::size_t f = 0; f < kFeatures; ++f) {
        const double shift = shifted && (positive || f < kFeatures / 2) ? 2 : 0;
        bags.values.push_back(
            static_cast<float>(kinds[kind * kFeatures + f] + stain[f] + random.normal() + shift));
      }
      bags.instance_ids.push_back(std::to_string(i + 1));
    }
    bags.offsets.push_back(bags.offsets.back() + static_cast<std::int64_t>(kTiles));
    bags.labels.push_back(positive ? 1 : 0);
    bags.bag_ids.push_back(std::string("b").append(std::to_string(b)));
    toy.witness.push_back(positive ? static_cast<std::int64_t>(first) : -1);
  }
  return toy;
}

SavedModel fit_slides(Pooling pooling) {
  FitOptions options;  // those of docs/results/mil.md, narrower and shorter
  options.model.pooling = pooling;
  options.model.input_code = InputCode::kZ;
  options.model.embedding = {32};
  options.train.batch_size = 4;
  options.train.epochs = 20;
  options.num_folds = 4;
  return fit(make_slides(60, /*seed=*/1).bags, options).model;
}

// With 60 new bags chance has a sd of 0.075: 0.9 is 5 sd above it, 0.75 is 3 sd.
TEST(Slides, HopfieldPoolingFindsThePatchOnNewBagsAndTheMeanDoesNot) {
  const Bags fresh = make_slides(60, /*seed=*/2).bags;
  EXPECT_GT(roc_auc(fit_slides(Pooling::kHopfield).predict(fresh), fresh.labels), 0.9);
  EXPECT_LT(roc_auc(fit_slides(Pooling::kMean).predict(fresh), fresh.labels), 0.75);
}

// Chance puts a tile of the patch first in one bag of 21.
TEST(Slides, ExplainPutsATileOfThePatchFirstInMostPositiveBags) {
  const test::Toy fresh = make_slides(40, /*seed=*/3);
  const std::vector<BagExplanation> all = fit_slides(Pooling::kHopfield).explain(fresh.bags);
  int found = 0;
  for (std::size_t b = 0; b < all.size(); ++b) {
    const std::int64_t behind = all[b].order.front() - fresh.witness[b];
    if (fresh.witness[b] >= 0 && behind >= 0 && behind < static_cast<std::int64_t>(kShifted)) {
      ++found;
    }
  }
  EXPECT_GE(found, 15) << "of 20";
}

}  // namespace
}  // namespace hopfield::mil
