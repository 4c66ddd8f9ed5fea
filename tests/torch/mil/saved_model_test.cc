#include "hopfield/apps/mil/saved_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "hopfield/apps/mil/tables.h"
#include "hopfield/base/os.h"
#include "tests/torch/mil/toy.h"
#include "tests/unit/store/temp_folder.h"

namespace hopfield::mil {
namespace {

using test::make_toy;
using test::TempFolder;

FitOptions quick_fit() {
  FitOptions options;
  options.model.embedding = {8};
  options.model.num_heads = 2;
  options.model.head_size = 4;
  options.model.quantity = 2;
  options.model.beta = {0.5, 3};
  options.model.head_dropout = 0.2;
  options.train.epochs = 8;
  options.train.batch_size = 8;
  options.train.learning_rate = 1e-2;
  options.train.members = 2;
  options.train.bag_dropout = 0.1;
  options.num_folds = 4;
  return options;
}

TEST(SavedModel, PredictsTheSameBitsAfterSavingAndLoading) {
  const Bags bags = make_toy(24).bags;
  const TempFolder folder;
  for (const Pooling pooling :
       {Pooling::kHopfield, Pooling::kMeanMax, Pooling::kAttention, Pooling::kGatedAttention}) {
    for (const InputCode code : {InputCode::kNone, InputCode::kZ, InputCode::kThermometer}) {
      FitOptions options = quick_fit();
      options.model.pooling = pooling;
      options.model.input_code = code;
      options.train.epochs = 2;
      const SavedModel model = fit(bags, options).model;
      const std::string path = folder / "m.safetensors";
      model.save(path);
      const SavedModel loaded = SavedModel::load(path);
      EXPECT_EQ(loaded.predict(bags), model.predict(bags));
      EXPECT_EQ(loaded.feature_names(), bags.feature_names);
      EXPECT_EQ(loaded.num_parameters(), model.num_parameters());
      loaded.save(folder / "again.safetensors");
      EXPECT_EQ(TempFolder::read(folder / "again.safetensors"), TempFolder::read(path));
    }
  }
}

TEST(SavedModel, SameSeedGivesTheSameFile) {
  const Bags bags = make_toy(24).bags;
  const TempFolder folder;
  fit(bags, quick_fit()).model.save(folder / "a");
  fit(bags, quick_fit()).model.save(folder / "b");
  FitOptions other = quick_fit();
  other.seed = 1;
  fit(bags, other).model.save(folder / "c");
  EXPECT_EQ(TempFolder::read(folder / "a"), TempFolder::read(folder / "b"));
  EXPECT_NE(TempFolder::read(folder / "a"), TempFolder::read(folder / "c"));
}

TEST(SavedModel, ScoreOfABagDoesNotDependOnTheOthers) {
  const Bags bags = make_toy(24).bags;
  const SavedModel model = fit(bags, quick_fit()).model;
  const std::vector<double> all = model.predict(bags);
  const std::vector<std::int64_t> which = {17, 3};
  const std::vector<double> some = model.predict(select_bags(bags, which));
  EXPECT_EQ(some[0], all[17]);
  EXPECT_EQ(some[1], all[3]);
}

TEST(SavedModel, RefusesBagsWithOtherFeatures) {
  const Bags bags = make_toy(24).bags, wide = make_toy(4, 3, 5).bags;
  const SavedModel model = fit(bags, quick_fit()).model;
  EXPECT_ERROR(model.predict(wide), kInvalidArgument, "4 features");
  EXPECT_ERROR(model.explain(wide), kInvalidArgument, "got 5");
}

TEST(SavedModel, DamagedFilesAreRefusedNotTrusted) {
  const Bags bags = make_toy(24).bags;
  const TempFolder folder;
  FitOptions options = quick_fit();
  options.train.members = 1;
  options.train.epochs = 1;
  fit(bags, options).model.save(folder / "m");
  const std::string good = TempFolder::read(folder / "m");
  for (std::size_t size = 0; size < good.size(); size += 97) {
    EXPECT_ERROR(SavedModel::load(folder.write("cut", good.substr(0, size))), kCorruptData, "cut");
  }
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    if (at != std::string::npos) text.replace(at, from.size(), to);
    return folder.write("bad", text);
  };
  EXPECT_ERROR(SavedModel::load(replaced("hopfield.mil-model", "hopfield.mil-madel")), kCorruptData,
               "format");
  EXPECT_ERROR(SavedModel::load(replaced("thermometer", "thermometre")), kCorruptData, "checksum");
  EXPECT_ERROR(SavedModel::load(folder / "none"), kIo, "none");
  for (std::size_t byte = 0; byte < good.size(); byte += 41) {
    std::string text = good;
    text[byte] = static_cast<char>(text[byte] ^ (1 << byte % 8));
    EXPECT_ERROR(SavedModel::load(folder.write("flip", text)), kCorruptData, "flip");
  }
}

TEST(Fit, InterruptedAndResumedGivesTheSameModel) {
  const Bags bags = make_toy(24).bags;
  const TempFolder folder;
  FitOptions options = quick_fit();
  options.checkpoint_path = folder / "m.checkpoint";
  fit(bags, options).model.save(folder / "through");
  EXPECT_FALSE(path_exists(options.checkpoint_path));
  for (const int stop_after : {0, 1, 7, 8, 11, 15}) {
    options.resume = false;
    Control control;
    int epochs = 0;
    control.cancelled = [&] { return epochs++ >= stop_after; };
    EXPECT_ERROR(fit(bags, options, control), kCancelled, "--resume");
    ASSERT_TRUE(path_exists(options.checkpoint_path));
    options.resume = true;
    const FitResult result = fit(bags, options);
    EXPECT_EQ(result.resumed_at, stop_after);
    result.model.save(folder / "resumed");
    EXPECT_EQ(TempFolder::read(folder / "resumed"), TempFolder::read(folder / "through"))
        << stop_after;
  }
}

TEST(Fit, RefusesForeignCheckpoints) {
  const Bags bags = make_toy(24).bags;
  const TempFolder folder;
  FitOptions options = quick_fit();
  options.checkpoint_path = folder / "m.checkpoint";
  options.resume = true;
  EXPECT_ERROR(fit(bags, options), kIo, "m.checkpoint");
  options.resume = false;
  Control control;
  int epochs = 0;
  control.cancelled = [&] { return epochs++ >= 3; };
  EXPECT_ERROR(fit(bags, options, control), kCancelled, "3 epochs");
  options.resume = true;
  FitOptions other = options;
  other.seed = 9;
  EXPECT_ERROR(fit(bags, other), kInvalidArgument, "same seed");
  other = options;
  other.model.beta = {1, 1};
  EXPECT_ERROR(fit(bags, other), kInvalidArgument, "same model");
  Bags changed = bags;
  changed.values[5] += 1;
  EXPECT_ERROR(fit(changed, options), kInvalidArgument, "same data");
  const std::string good = TempFolder::read(options.checkpoint_path);
  options.checkpoint_path = folder.write("cut", good.substr(0, good.size() / 2));
  EXPECT_ERROR(fit(bags, options), kCorruptData, "cut");
}

TEST(Fit, WithoutValidationAllBagsTrainForAllEpochs) {
  const Bags bags = make_toy(24).bags;
  FitOptions options = quick_fit();
  options.num_folds = 0;
  const FitResult result = fit(bags, options);
  EXPECT_EQ(result.num_training, 24);
  EXPECT_EQ(result.num_validation, 0);
  EXPECT_EQ(result.best_epoch, 8);
  Bags one_class = bags;
  std::fill(one_class.labels.begin(), one_class.labels.end(), 1);
  EXPECT_ERROR(fit(one_class, options), kCorruptData, "both classes");
}

TEST(Explain, WeightsAddUpAndTheWitnessStandsOut) {
  const test::Toy toy = make_toy(120);
  FitOptions options;
  options.num_folds = 6;
  const SavedModel model = fit(toy.bags, options).model;
  const test::Toy fresh = make_toy(60, /*seed=*/99);
  const std::vector<BagExplanation> explanations = model.explain(fresh.bags);
  const std::vector<double> scores = model.predict(fresh.bags);
  const std::size_t num_weights = model.weight_names().size();
  ASSERT_EQ(num_weights,
            static_cast<std::size_t>(options.model.num_heads * options.model.quantity));
  int found = 0, positive = 0;
  for (std::size_t b = 0; b < explanations.size(); ++b) {
    const BagExplanation& explanation = explanations[b];
    const auto size = static_cast<std::size_t>(fresh.bags.bag_size(static_cast<std::int64_t>(b)));
    EXPECT_EQ(explanation.score, scores[b]);
    ASSERT_EQ(explanation.mean_weight.size(), size);
    EXPECT_NEAR(
        std::accumulate(explanation.mean_weight.begin(), explanation.mean_weight.end(), 0.0), 1,
        1e-5);
    for (std::size_t i = 1; i < size; ++i) {
      EXPECT_GE(explanation.mean_weight[static_cast<std::size_t>(explanation.order[i - 1])],
                explanation.mean_weight[static_cast<std::size_t>(explanation.order[i])]);
    }
    if (fresh.witness[b] < 0) continue;
    ++positive;
    const auto best = std::max_element(explanation.alone.begin(), explanation.alone.end());
    found += best - explanation.alone.begin() == fresh.witness[b] ? 1 : 0;
  }
  // By chance one in four would be found.
  EXPECT_GE(found, positive * 8 / 10) << found << " of " << positive;
}

TEST(Explain, AloneIsTheScoreOfABagOfOne) {
  const Bags bags = make_toy(24).bags;
  const SavedModel model = fit(bags, quick_fit()).model;
  const BagExplanation explanation = model.explain(bags)[5];
  Bags one = bags;
  const auto row = static_cast<std::size_t>(bags.offsets[5] + 1);
  one.values.assign(bags.values.begin() + static_cast<std::ptrdiff_t>(row * 4),
                    bags.values.begin() + static_cast<std::ptrdiff_t>(row * 4 + 4));
  one.offsets = {0, 1};
  one.bag_ids = {"one"};
  one.labels.clear();
  EXPECT_EQ(model.predict(one)[0], explanation.alone[1]);
}

TEST(Explain, LinearModelsHaveEffectsButNoWeights) {
  const Bags bags = make_toy(24).bags;
  for (const Pooling pooling : {Pooling::kMeanMax, Pooling::kMean, Pooling::kMax}) {
    FitOptions options = quick_fit();
    options.model.pooling = pooling;
    const SavedModel model = fit(bags, options).model;
    EXPECT_TRUE(model.weight_names().empty());
    for (const BagExplanation& explanation : model.explain(bags)) {
      double shares = 0;
      for (const double share : explanation.mean_weight) shares += share;
      EXPECT_NEAR(shares, 1, 1e-12);
    }
  }
}

TEST(Tables, CsvAndJsonSayTheSame) {
  Bags bags = make_toy(24).bags;
  bags.bag_ids[0] = "a,\"b\"";
  const SavedModel model = fit(bags, quick_fit()).model;
  const std::vector<double> scores = model.predict(bags);
  const std::string csv = predictions_csv(bags, scores);
  EXPECT_TRUE(csv.starts_with("bag_id,score,probability,predicted,label\n\"a,\"\"b\"\"\","));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 25);
  const auto json = nlohmann::json::parse(predictions_json(bags, scores));
  EXPECT_EQ(json["bags"].size(), 24u);
  EXPECT_EQ(json["bags"][0]["bag_id"], "a,\"b\"");
  EXPECT_EQ(json["bags"][7]["score"], scores[7]);
  const auto explanations = model.explain(bags);
  const std::string rows = explanations_csv(bags, explanations, model.weight_names());
  EXPECT_EQ(std::count(rows.begin(), rows.end(), '\n'), bags.num_instances() + 1);
  EXPECT_TRUE(
      rows.starts_with("bag_id,instance_id,rank,weight,alone,effect,weight_h0_q0,weight_h0_q1,"
                       "weight_h1_q0,weight_h1_q1\n"));
  const std::string top = explanations_csv(bags, explanations, model.weight_names(), 1);
  EXPECT_EQ(std::count(top.begin(), top.end(), '\n'), 25);
  const auto tree =
      nlohmann::json::parse(explanations_json(bags, explanations, model.weight_names(), 2));
  EXPECT_EQ(tree["bags"][3]["instances"].size(), 2u);
  EXPECT_EQ(tree["bags"][3]["instances"][0]["weights"].size(), 4u);
}

}  // namespace
}  // namespace hopfield::mil
