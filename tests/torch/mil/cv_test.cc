#include "hopfield/apps/mil/cv.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/mil/json.h"
#include "hopfield/apps/mil/metrics.h"
#include "hopfield/apps/mil/report.h"
#include "tests/torch/mil/toy.h"
#include "tests/unit/store/temp_folder.h"

namespace hopfield::mil {
namespace {

using test::make_toy;

CvOptions quick_options() {
  CvOptions options;
  options.model.embedding = {8};
  options.model.num_heads = 2;
  options.model.head_size = 4;
  options.model.beta = {0, 1};
  options.model.attention_size = 4;
  options.train.epochs = 6;
  options.train.batch_size = 8;
  options.train.learning_rate = 1e-2;
  options.num_threads = 1;
  return options;
}

std::vector<Repetition> own_folds(const Bags& bags, int num_repetitions, int num_folds = 3) {
  std::vector<Repetition> out;
  for (int r = 0; r < num_repetitions; ++r) {
    out.push_back(stratified_folds(bags.labels, num_folds, static_cast<std::uint64_t>(r),
                                   std::string("own").append(std::to_string(r))));
  }
  return out;
}

TEST(CrossValidate, SameBitsForAnyNumberOfThreads) {
  const Bags bags = make_toy(30).bags;
  const std::vector<Repetition> folds = own_folds(bags, 2);
  CvOptions options = quick_options();
  options.baselines.push_back(Pooling::kStoredBags);
  const std::string one = cv_json(cross_validate(bags, folds, options), {}, /*times=*/false);
  for (const int threads : {2, 3, 0}) {
    options.num_threads = threads;
    EXPECT_EQ(cv_json(cross_validate(bags, folds, options), {}, false), one) << threads;
  }
  const int before = at::get_num_threads();
  cross_validate(bags, folds, options);
  EXPECT_EQ(at::get_num_threads(), before);
}

TEST(CrossValidate, AFoldDoesNotDependOnWhatElseRuns) {
  const Bags bags = make_toy(30).bags;
  std::vector<Repetition> folds = own_folds(bags, 2);
  CvOptions options = quick_options();
  const CvResult both = cross_validate(bags, folds, options);
  options.baselines = {};
  folds.erase(folds.begin());
  const CvResult second = cross_validate(bags, folds, options);
  for (std::size_t k = 0; k < 3; ++k) {
    EXPECT_EQ(second.model.repetitions[0].folds[k].scores,
              both.model.repetitions[1].folds[k].scores);
  }
}

TEST(CrossValidate, SeedMatters) {
  const Bags bags = make_toy(30).bags;
  CvOptions options = quick_options();
  options.baselines = {};
  const CvResult a = cross_validate(bags, own_folds(bags, 1), options);
  options.seed = 1;
  const CvResult b = cross_validate(bags, own_folds(bags, 1), options);
  EXPECT_NE(a.model.repetitions[0].folds[0].scores, b.model.repetitions[0].folds[0].scores);
}

// The two ways in which a test fold could leak: through its values and through its labels.
TEST(CrossValidate, TestBagsDecideNothing) {
  const Bags bags = make_toy(36).bags;
  const std::vector<Repetition> folds = own_folds(bags, 1, 4);
  CvOptions options = quick_options();
  options.baselines.push_back(Pooling::kStoredBags);
  const CvResult before = cross_validate(bags, folds, options);
  for (const bool change_labels : {false, true}) {
    Bags changed = bags;
    for (const std::int64_t bag : folds[0].test_bags(2)) {
      const auto b = static_cast<std::size_t>(bag);
      if (change_labels) {
        changed.labels[b] = 1 - changed.labels[b];
        continue;
      }
      for (std::int64_t i = bags.offsets[b] * 4; i < bags.offsets[b + 1] * 4; ++i) {
        changed.values[static_cast<std::size_t>(i)] = 50.0f - static_cast<float>(i % 7);
      }
    }
    const CvResult after = cross_validate(changed, folds, options);
    const auto check = [&](const ModelResult& a, const ModelResult& b) {
      const FoldResult& x = a.repetitions[0].folds[2];
      const FoldResult& y = b.repetitions[0].folds[2];
      EXPECT_EQ(x.validation_auc, y.validation_auc) << a.name;
      EXPECT_EQ(x.best_epoch, y.best_epoch) << a.name;
      EXPECT_EQ(x.chosen, y.chosen) << a.name;
      EXPECT_EQ(x.scores == y.scores, change_labels) << a.name;  // values change the scores only
    };
    check(before.model, after.model);
    for (std::size_t m = 0; m < 4; ++m) check(before.baselines[m], after.baselines[m]);
  }
}

TEST(CrossValidate, LearnsWhatOneWitnessDecides) {
  const Bags bags = make_toy(90).bags;
  CvOptions options;
  options.num_threads = 2;
  options.baselines = {};
  const CvResult result = cross_validate(bags, own_folds(bags, 1, 5), options);
  EXPECT_GT(result.model.auc_mean, 0.9);
  Bags random = bags;  // labels by lot: nothing to learn
  Random lot(4);
  lot.shuffle(random.labels);
  const CvResult none = cross_validate(random, own_folds(random, 1, 5), options);
  EXPECT_LT(none.model.auc_mean, 0.75);
}

TEST(CrossValidate, FiguresAreWhatTheFoldsSay) {
  const Bags bags = make_toy(30).bags;
  const CvResult result = cross_validate(bags, own_folds(bags, 2), quick_options());
  std::vector<double> repetitions, differences;
  for (std::size_t r = 0; r < 2; ++r) {
    std::vector<double> folds;
    std::vector<int> seen(30);
    for (std::size_t k = 0; k < 3; ++k) {
      const FoldResult& fold = result.model.repetitions[r].folds[k];
      EXPECT_DOUBLE_EQ(fold.auc, roc_auc(fold.scores, fold.labels));
      for (const std::int64_t bag : fold.test_bags) ++seen[static_cast<std::size_t>(bag)];
      folds.push_back(fold.auc);
      differences.push_back(fold.auc - result.baselines[0].repetitions[r].folds[k].auc);
    }
    EXPECT_EQ(seen, std::vector<int>(30, 1));
    EXPECT_DOUBLE_EQ(result.model.repetitions[r].auc, mean(folds));
    repetitions.push_back(mean(folds));
  }
  EXPECT_DOUBLE_EQ(result.model.auc_mean, mean(repetitions));
  EXPECT_DOUBLE_EQ(result.model.auc_sd, sample_sd(repetitions));
  EXPECT_NEAR(result.comparisons[0].mean_difference, mean(differences), 1e-15);
}

TEST(CrossValidate, MembersAreAveraged) {
  const Bags bags = make_toy(30).bags;
  CvOptions options = quick_options();
  options.baselines = {};
  options.train.members = 3;
  const CvResult three = cross_validate(bags, own_folds(bags, 1), options);
  options.train.members = 1;
  const CvResult one = cross_validate(bags, own_folds(bags, 1), options);
  EXPECT_NE(three.model.repetitions[0].folds[0].scores, one.model.repetitions[0].folds[0].scores);
  EXPECT_EQ(three.model.num_parameters, one.model.num_parameters);
}

TEST(CrossValidate, CancelledRunsThrowAndCountTheirProgress) {
  const Bags bags = make_toy(30).bags;
  Control control;
  std::atomic<int> polls = 0;
  control.cancelled = [&] { return ++polls > 5; };
  EXPECT_ERROR(cross_validate(bags, own_folds(bags, 1), quick_options(), control), kCancelled,
               "nothing was written");
  std::vector<std::int64_t> seen;
  control.cancelled = {};
  control.progress = [&](std::int64_t done, std::int64_t total, const std::string&) {
    EXPECT_EQ(total, 12);
    seen.push_back(done);
  };
  cross_validate(bags, own_folds(bags, 1), quick_options(), control);
  ASSERT_EQ(seen.size(), 12u);
  for (std::size_t i = 0; i < 12; ++i) EXPECT_EQ(seen[i], static_cast<std::int64_t>(i) + 1);
}

TEST(CrossValidate, RefusesWhatItCannotDo) {
  Bags bags = make_toy(30).bags;
  CvOptions options = quick_options();
  EXPECT_ERROR(cross_validate(bags, {}, options), kInvalidArgument, "repetition");
  options.model.beta = {-0.5};
  EXPECT_ERROR(cross_validate(bags, own_folds(bags, 1), options), kInvalidArgument, "beta");
  options = quick_options();
  std::vector<Repetition> folds = own_folds(bags, 1);
  for (std::size_t b = 0; b < 30; ++b)
    folds[0].fold[b] = b % 2 == 1 ? 0 : 1 + static_cast<int>(b / 2 % 2);
  EXPECT_ERROR(cross_validate(bags, folds, options), kCorruptData, "fold 0");
  folds = own_folds(bags, 1);
  bags.labels.clear();
  EXPECT_ERROR(cross_validate(bags, folds, options), kInvalidArgument, "label");
}

TEST(CvJson, HasTheKeysThatWerePromised) {
  const Bags bags = make_toy(30).bags;
  const CvResult result = cross_validate(bags, own_folds(bags, 1), quick_options());
  const auto json = nlohmann::json::parse(cv_json(result, "hopfield mil cv toy"));
  for (const char* key : {"auc_mean", "auc_sd", "repetitions", "baselines", "comparisons", "seed",
                          "settings", "data", "versions", "seconds", "command"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_TRUE(json["auc_sd"].is_null());  // one repetition has none
  EXPECT_EQ(json["baselines"].size(), 3u);
  EXPECT_EQ(json["repetitions"][0]["folds"].size(), 3u);
  EXPECT_EQ(json["settings"]["beta"], nlohmann::json({0.0, 1.0}));
  EXPECT_EQ(json["data"]["positive_bags"], 15);
}

TEST(CrossValidateSettings, EachFoldKeepsTheSettingThatItsValidationFoldLikesBest) {
  const Bags bags = make_toy(36).bags;
  const std::vector<Repetition> folds = own_folds(bags, 2, 4);
  const CvOptions options = quick_options();
  std::vector<Setting> settings;
  for (const double beta : {0.0, 1.0, 20.0}) {
    Setting& setting = settings.emplace_back(Setting{"beta " + std::to_string(beta), {}, {}});
    setting.model = options.model;
    setting.train = options.train;
    setting.model.beta = {beta};
  }
  const ModelResult chosen = cross_validate_settings(bags, folds, settings, options);
  std::vector<CvResult> alone;
  for (const Setting& setting : settings) {
    CvOptions one = options;
    one.model = setting.model;
    one.baselines = {};
    alone.push_back(cross_validate(bags, folds, one));
  }
  for (std::size_t r = 0; r < 2; ++r) {
    for (std::size_t k = 0; k < 4; ++k) {
      std::size_t best = 0;
      const auto fold_of = [&](std::size_t s) -> const FoldResult& {
        return alone[s].model.repetitions[r].folds[k];
      };
      for (std::size_t s = 1; s < 3; ++s) {
        if (fold_of(s).validation_auc > fold_of(best).validation_auc) best = s;
      }
      const FoldResult& fold = chosen.repetitions[r].folds[k];
      EXPECT_EQ(fold.scores, fold_of(best).scores);
      EXPECT_EQ(fold.chosen, settings[best].text);
    }
  }
  EXPECT_ERROR(cross_validate_settings(bags, folds, {}, options), kInvalidArgument, "settings");
}

TEST(PlainSettings, AreSaneAndQuickOnesAreAmongThem) {
  const std::vector<Setting> all = plain_settings(false), quick = plain_settings(true);
  EXPECT_EQ(all.size(), 6u);
  for (const Setting& setting : all) {
    EXPECT_NO_THROW(check_options(setting.model));
    EXPECT_NO_THROW(check_options(setting.train));
  }
  for (const Setting& setting : quick) {
    EXPECT_EQ(std::count_if(all.begin(), all.end(),
                            [&](const Setting& one) { return one.text == setting.text; }),
              1);
  }
}

TEST(ModelResult, IsTheSameAfterJsonAndSummarise) {
  const Bags bags = make_toy(36).bags;
  const CvResult result = cross_validate(bags, own_folds(bags, 2), quick_options());
  ModelResult again =
      model_result_from_json(to_json(result.model, bags.scheme, /*times=*/true), bags.scheme);
  summarise(again, bags.scheme, bags.num_bags());
  EXPECT_EQ(to_json(again, bags.scheme, true), to_json(result.model, bags.scheme, true));
  const Comparison paired = compare(again, result.baselines[0], bags.scheme, bags.num_bags());
  EXPECT_EQ(paired.wilcoxon_p, result.comparisons[0].wilcoxon_p);
  // The interval holds the difference, and is a point for a model and itself.
  EXPECT_LT(paired.interval.low, paired.mean_difference);
  EXPECT_GT(paired.interval.high, paired.mean_difference);
  const Comparison same = compare(again, again, bags.scheme, bags.num_bags());
  EXPECT_EQ(same.interval.low, 0);
  EXPECT_EQ(same.interval.high, 0);
}

TEST(CvReport, ShowsCurveTableSeedAndCommand) {
  Bags bags = make_toy(30).bags;
  bags.origin = "somewhere/elephant.csv.gz";
  CvOptions options = quick_options();
  options.seed = 77;
  const CvResult result = cross_validate(bags, own_folds(bags, 2), options);
  const std::string html = cv_page(result, "hopfield mil cv elephant.csv.gz --seed 77").html();
  for (const char* part : {"<svg", "gated attention", "Ramsauer", "0.949", "--seed 77", "own1"}) {
    EXPECT_TRUE(test::contains(html, part)) << part;
  }
  EXPECT_TRUE(published_aucs("my.csv").empty());
  // What was not reported is left out; the first is the paper's own.
  EXPECT_LT(published_aucs("ucsb.csv").size(), published_aucs("fox.csv").size());
  EXPECT_EQ(published_aucs("fox.csv").front().auc, 0.6405);
}

}  // namespace
}  // namespace hopfield::mil
