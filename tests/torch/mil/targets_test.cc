// Labels of other kinds than 0 and 1: reading, figures, models.
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "hopfield/apps/mil/cv.h"
#include "hopfield/apps/mil/estimate.h"
#include "hopfield/apps/mil/evaluation.h"
#include "hopfield/apps/mil/saved_model.h"
#include "hopfield/apps/mil/stored_bags.h"
#include "hopfield/apps/mil/tables.h"
#include "tests/torch/mil/toy.h"
#include "tests/unit/store/temp_folder.h"

namespace hopfield::mil {
namespace {

using test::TempFolder;

Bags read_labels(const std::vector<std::string>& labels, const LabelOptions& options = {}) {
  const TempFolder folder;
  std::string text = "bag_id,label,x\n";
  for (std::size_t b = 0; b < labels.size(); ++b) {
    text.append("b").append(std::to_string(b)).append("," + labels[b] + ",1\n");
  }
  CsvBagOptions csv;
  csv.labels = options;
  return read_csv_bags(folder.write("d.csv", text), csv);
}

LabelOptions as(Target target) {
  LabelOptions options;
  options.target = target;
  return options;
}

/// Bags of one of three classes, in turn: the witness is high in the feature of the class.
Bags make_classes(int num_bags, std::uint64_t seed = 3) {
  Random random(seed);
  Bags bags = test::make_toy(num_bags, seed).bags;
  bags.scheme = {Target::kClasses, {"ant", "bee", "cat"}};
  for (std::size_t b = 0; b < bags.bag_ids.size(); ++b) {
    bags.labels[b] = static_cast<int>(b % 3);
    for (std::int64_t i = bags.offsets[b]; i < bags.offsets[b + 1]; ++i) {
      for (std::int64_t f = 0; f < 4; ++f) {
        const bool high = i == bags.offsets[b] && f == bags.labels[b];
        bags.values[static_cast<std::size_t>(i * 4 + f)] =
            static_cast<float>((high ? 4 : 0) + random.normal());
      }
    }
  }
  return bags;
}

/// Bags whose number is 100 + 10 times the largest value of feature 0.
Bags make_numbers(int num_bags, std::uint64_t seed = 3) {
  Bags bags = test::make_toy(num_bags, seed).bags;
  bags.scheme = {Target::kRegression, {}};
  bags.labels.clear();
  for (std::size_t b = 0; b < bags.bag_ids.size(); ++b) {
    float largest = -100;
    for (std::int64_t i = bags.offsets[b]; i < bags.offsets[b + 1]; ++i) {
      largest = std::max(largest, bags.values[static_cast<std::size_t>(i * 4)]);
    }
    bags.numbers.push_back(100 + 10 * static_cast<double>(largest));
  }
  return bags;
}

FitOptions fit_options(Pooling pooling) {
  FitOptions options;
  options.model.pooling = pooling;
  options.num_folds = 5;
  options.train.epochs = 40;
  return options;
}

double figure_on(const SavedModel& model, const Bags& bags) {
  const std::vector<double> scores = model.predict(bags);
  return main_figure({&bags.scheme, scores, bags.labels, bags.numbers});
}

TEST(Labels, AreTakenForWhatTheyLookLike) {
  const Bags plain = read_labels({"1", "0", "1.0"});
  EXPECT_EQ(plain.scheme, LabelScheme{});
  EXPECT_EQ(plain.labels, (std::vector<int>{1, 0, 1}));
  const Bags two = read_labels({"sick", "well", "sick"});
  EXPECT_EQ(two.scheme, (LabelScheme{Target::kBinary, {"sick", "well"}}));
  EXPECT_EQ(two.labels, (std::vector<int>{0, 1, 0}));
  EXPECT_EQ(read_labels({"1", "-1"}).scheme.class_names, (std::vector<std::string>{"-1", "1"}));
  const Bags three = read_labels({"10", "9", "x"});
  EXPECT_EQ(three.scheme, (LabelScheme{Target::kClasses, {"9", "10", "x"}}));
  EXPECT_EQ(three.labels, (std::vector<int>{1, 0, 2}));
  EXPECT_EQ(three.label_text(0), "10");
  const Bags numbers = read_labels({"0.5", "1", "-2e3"});
  EXPECT_EQ(numbers.scheme, (LabelScheme{Target::kRegression, {}}));
  EXPECT_EQ(numbers.numbers, (std::vector<double>{0.5, 1, -2000}));
  std::vector<std::string> many;
  for (int i = 0; i < 21; ++i) many.push_back(std::to_string(i));
  EXPECT_EQ(read_labels(many).scheme.target, Target::kRegression);
  many.pop_back();
  EXPECT_EQ(read_labels(many).scheme.num_classes(), 20);
}

TEST(Labels, AreTakenForWhatTheUserSays) {
  EXPECT_EQ(read_labels({"0", "1"}, as(Target::kRegression)).numbers, (std::vector<double>{0, 1}));
  EXPECT_EQ(read_labels({"0.5", "1.5", "2"}, as(Target::kClasses)).labels,
            (std::vector<int>{0, 1, 2}));
  EXPECT_ERROR(read_labels({"1", "a"}, as(Target::kRegression)), kCorruptData, "line 3");
  EXPECT_ERROR(read_labels({"1", "2"}, as(Target::kBinary)), kCorruptData, "line 3");
  EXPECT_ERROR(read_labels({"a", "b", "c"}, as(Target::kBinary)), kCorruptData, "line 4");
  EXPECT_ERROR(read_labels({"a", "", "c"}), kCorruptData, "a label, got nothing");
  LabelOptions of_model;
  of_model.scheme = LabelScheme{Target::kClasses, {"a", "b", "c"}};
  EXPECT_EQ(read_labels({"c", "a"}, of_model).labels, (std::vector<int>{2, 0}));
  EXPECT_ERROR(read_labels({"c", "d"}, of_model), kCorruptData, "a, b, c, got 'd'");
  EXPECT_ERROR(check_labels(read_labels({"a", "a"})), kCorruptData, "two classes");
}

TEST(Labels, ThatAreMissingAreNoClass) {
  for (const char* missing : {"nan", "NaN", "inf", "-inf"}) {
    EXPECT_ERROR(read_labels({"0.5", missing, "2"}), kCorruptData,
                 std::string("line 3, column 'label' (row 2): expected a label, got '") + missing);
    EXPECT_ERROR(read_labels({"a", missing}), kCorruptData, missing);
  }
  EXPECT_ERROR(read_labels({"0.5", "2", "NA"}), kCorruptData,
               "line 4, column 'label' (row 3): expected a number, as other bags have");
  EXPECT_EQ(read_labels({"0.5", "NA", "2"}, as(Target::kClasses)).scheme.num_classes(), 3);
  EXPECT_EQ(read_labels({"nanny", "infected"}).scheme.num_classes(), 2);
  EXPECT_EQ(read_labels({"1", "2", "NA"}).scheme.num_classes(), 3);
}

TEST(Labels, OfNpyFilesMeanTheSame) {
  Bags bags = read_labels({"3", "1.0", "2"});
  EXPECT_EQ(bags.labels, (std::vector<int>{2, 0, 1}));
  const std::vector<std::int64_t> which = {2, 0};
  bags = select_bags(bags, which);
  EXPECT_EQ(bags.labels, (std::vector<int>{1, 2}));
  EXPECT_EQ(bags.scheme.num_classes(), 3);
}

TEST(LabelScheme, ProbabilitiesAreLogisticAndSoftmax) {
  const LabelScheme two, three = {Target::kClasses, {"a", "b", "c"}};
  const std::vector<double> logit = {std::log(3.0)};
  EXPECT_NEAR(two.probabilities(logit)[1], 0.75, 1e-15);
  EXPECT_EQ(two.predicted(logit), 1);
  EXPECT_EQ(two.predicted(std::vector<double>{0.0}), 0);
  const std::vector<double> scores = {1000, 1000 + std::log(2.0), 1000};
  const std::vector<double> p = three.probabilities(scores);
  // 1000 in double has an ulp of 1e-13.
  EXPECT_NEAR(p[0], 0.25, 1e-12);
  EXPECT_NEAR(p[1], 0.5, 1e-12);
  EXPECT_EQ(three.predicted(scores), 1);
}

TEST(ClassWeights, BalancedOnesGiveEveryClassTheSameSum) {
  const LabelScheme three = {Target::kClasses, {"a", "b", "c"}};
  const std::vector<int> labels = {0, 0, 0, 1, 2, 2};
  const std::vector<double> weights = ClassWeights{true, {}}.of(three, labels);
  EXPECT_DOUBLE_EQ(3 * weights[0], 2);
  EXPECT_DOUBLE_EQ(weights[1], 2);
  EXPECT_DOUBLE_EQ(2 * weights[2], 2);
  EXPECT_EQ(ClassWeights{}.of(three, labels), std::vector<double>(3, 1.0));
  EXPECT_ERROR((ClassWeights{false, {1, 2}}.of(three, labels)), kInvalidArgument, "3 classes");
  EXPECT_ERROR((ClassWeights{true, {}}.of({Target::kRegression, {}}, {})), kInvalidArgument,
               "regression");
}

TEST(MainFigure, OfSeveralClassesIsTheMeanOfOneAgainstTheRest) {
  const LabelScheme three = {Target::kClasses, {"a", "b", "c"}};
  const std::vector<int> labels = {0, 1, 2, 1, 0};
  const std::vector<double> scores = {2, 1, 0, 0, 1, 0, 1, 0, 1, 1, 0, 0, 0, 0, 1};
  double sum = 0;
  for (std::size_t c = 0; c < 3; ++c) {
    double wins = 0, pairs = 0;
    for (std::size_t i = 0; i < 5; ++i) {
      for (std::size_t j = 0; j < 5; ++j) {
        if (labels[i] != static_cast<int>(c) || labels[j] == static_cast<int>(c)) continue;
        const double a = three.probabilities(std::span(scores).subspan(3 * i, 3))[c];
        const double b = three.probabilities(std::span(scores).subspan(3 * j, 3))[c];
        wins += a > b ? 1.0 : a == b ? 0.5 : 0.0;
        ++pairs;
      }
    }
    sum += wins / pairs;
  }
  const Outcomes outcomes{&three, scores, labels, {}};
  EXPECT_NEAR(main_figure(outcomes), sum / 3, 1e-15);
  const std::vector<double> influence = main_influence(outcomes);
  EXPECT_NEAR(std::accumulate(influence.begin(), influence.end(), 0.0), 0, 1e-12);
  EXPECT_EQ(confusion_matrix(outcomes), (std::vector<std::int64_t>{1, 0, 1, 1, 1, 0, 1, 0, 0}));
  const std::vector<Figure> figures = other_figures(outcomes);
  EXPECT_DOUBLE_EQ(figures[0].value, 2.0 / 5);
  EXPECT_DOUBLE_EQ(figures[1].value, (0.5 + 0.5 + 0) / 3);
  EXPECT_ERROR(main_figure({&three, std::span(scores).first(6), std::span(labels).first(2), {}}),
               kInvalidArgument, "both classes");
}

TEST(MainFigure, OfARegressionIsR2AndItsInfluenceTheDerivativeByWeight) {
  const LabelScheme numbers = {Target::kRegression, {}};
  const std::vector<double> truth = {1, 2, 4, 8, 3}, scores = {1.5, 2, 3, 7, 5};
  // By hand: squared errors 0.25, 0, 1, 1, 4; mean 3.6; squared deviations 29.2 in all.
  const Outcomes outcomes{&numbers, scores, {}, truth};
  EXPECT_NEAR(main_figure(outcomes), 1 - 6.25 / 29.2, 1e-15);
  const std::vector<double> influence = main_influence(outcomes);
  const auto weighted = [&](std::size_t bag, double weight) {
    double total = 0, center = 0, errors = 0, deviations = 0;
    for (std::size_t i = 0; i < 5; ++i) {
      total += i == bag ? weight : 1;
      center += (i == bag ? weight : 1) * truth[i];
    }
    center /= total;
    for (std::size_t i = 0; i < 5; ++i) {
      const double w = i == bag ? weight : 1;
      errors += w * (truth[i] - scores[i]) * (truth[i] - scores[i]);
      deviations += w * (truth[i] - center) * (truth[i] - center);
    }
    return 1 - errors / deviations;
  };
  for (std::size_t i = 0; i < 5; ++i) {
    // Central differences: the error is of the order of the step squared.
    const double slope = (weighted(i, 1 + 1e-4) - weighted(i, 1 - 1e-4)) / 2e-4;
    EXPECT_NEAR(influence[i], 5 * slope, 1e-6);
  }
  const std::vector<Figure> figures = other_figures(outcomes);
  EXPECT_NEAR(figures[0].value, std::sqrt(1.25), 1e-15);
  EXPECT_NEAR(figures[1].value, (0.5 + 0 + 1 + 1 + 2) / 5, 1e-15);
  // Ranks 1 2 4 5 3 and 1 2 3 5 4: 1 - 6 * 2 / (5 * 24).
  EXPECT_NEAR(figures[2].value, 0.9, 1e-15);
  EXPECT_LT(main_interval(Target::kRegression, -3, influence).low, -3);
  EXPECT_ERROR(main_figure({&numbers, scores, {}, std::vector<double>(5, 1.0)}), kCorruptData,
               "differ");
}

TEST(Calibration, CountsWhatCameTrueInEveryBin) {
  const LabelScheme two;
  const auto logit = [](double p) { return std::log(p / (1 - p)); };
  const std::vector<double> scores = {logit(0.25), logit(0.28), logit(0.22), logit(0.85), 40};
  const std::vector<int> labels = {0, 1, 0, 1, 1};
  const Calibration calibration = calibration_of({&two, scores, labels, {}});
  ASSERT_EQ(calibration.bins.size(), 3u);
  const CalibrationBin& bin = calibration.bins[0];
  EXPECT_EQ(bin.count, 3);
  EXPECT_DOUBLE_EQ(bin.low, 0.2);
  EXPECT_NEAR(bin.mean_probability, 0.25, 1e-12);
  EXPECT_DOUBLE_EQ(bin.observed, 1.0 / 3);
  // Both ends of Wilson's interval are as far from the share as 1.96 of the sd they would have.
  for (const double end : {bin.interval.low, bin.interval.high}) {
    EXPECT_NEAR(std::abs(1.0 / 3 - end), 1.959963984540054 * std::sqrt(end * (1 - end) / 3), 1e-12);
  }
  EXPECT_EQ(calibration.bins[2].high, 1);
  EXPECT_NEAR(calibration.brier, (0.25 * 0.25 + 0.72 * 0.72 + 0.22 * 0.22 + 0.15 * 0.15 + 0) / 5,
              1e-12);
  EXPECT_NEAR(calibration.ece, (3 * (1.0 / 3 - 0.25) + 0.15 + 0) / 5, 1e-12);
}

TEST(Calibration, OfSeveralClassesIsThatOfThePredictedOne) {
  const LabelScheme three = {Target::kClasses, {"a", "b", "c"}};
  const std::vector<double> scores = {std::log(0.72), std::log(0.18), std::log(0.1),
                                      std::log(0.28), std::log(0.1),  std::log(0.62)};
  const std::vector<int> labels = {0, 0};
  const Calibration calibration = calibration_of({&three, scores, labels, {}});
  ASSERT_EQ(calibration.bins.size(), 2u);
  EXPECT_NEAR(calibration.bins[0].mean_probability, 0.62, 1e-12);
  EXPECT_EQ(calibration.bins[0].observed, 0);
  EXPECT_EQ(calibration.bins[1].observed, 1);
  EXPECT_NEAR(calibration.brier, (0.0784 + 0.0324 + 0.01 + 0.5184 + 0.01 + 0.3844) / 2, 1e-12);
  const LabelScheme numbers = {Target::kRegression, {}};
  const std::vector<double> estimate = {1};
  EXPECT_ERROR(calibration_of({&numbers, estimate, {}, estimate}), kInvalidArgument, "regression");
}

class OtherTargets : public ::testing::TestWithParam<Pooling> {};

TEST_P(OtherTargets, SeveralClassesAreLearntSavedAndExplained) {
  const Bags bags = make_classes(90), fresh = make_classes(60, 8);
  const TempFolder folder;
  const FitResult result = fit(bags, fit_options(GetParam()));
  // Chance is 1/2, with an sd of about 0.04 for 60 bags.
  EXPECT_GT(figure_on(result.model, fresh), 0.8);
  result.model.save(folder / "m");
  const SavedModel loaded = SavedModel::load(folder / "m");
  EXPECT_EQ(loaded.scheme(), bags.scheme);
  const std::vector<double> scores = loaded.predict(fresh);
  EXPECT_EQ(scores, result.model.predict(fresh));
  EXPECT_EQ(scores.size(), 180u);
  const std::string rows = predictions_csv(fresh, scores, loaded.scheme());
  EXPECT_TRUE(
      rows.starts_with("bag_id,predicted,probability,score_ant,score_bee,score_cat,label\nb0,"));
  const std::vector<BagExplanation> own = loaded.explain(fresh), cat = loaded.explain(fresh, 2);
  for (std::size_t b = 0; b < own.size(); ++b) {
    const std::span s = std::span(scores).subspan(3 * b, 3);
    EXPECT_EQ(own[b].output, fresh.scheme.predicted(s));
    EXPECT_EQ(cat[b].output, 2);
    EXPECT_EQ(cat[b].score, s[2]);
  }
  EXPECT_ERROR(loaded.explain(fresh, 3), kInvalidArgument, "below 3");
}

TEST_P(OtherTargets, NumbersAreLearntInTheirOwnUnitAndSaved) {
  const Bags bags = make_numbers(120), fresh = make_numbers(60, 8);
  const TempFolder folder;
  FitOptions options = fit_options(GetParam());
  options.train.epochs = 120;
  const FitResult result = fit(bags, options);
  // The mean of the labels has an R2 of 0; on another scale than theirs it would be far below 0.
  EXPECT_GT(figure_on(result.model, fresh), 0.3);
  result.model.save(folder / "m");
  const SavedModel loaded = SavedModel::load(folder / "m");
  EXPECT_EQ(loaded.scheme(), bags.scheme);
  EXPECT_EQ(loaded.predict(fresh), result.model.predict(fresh));
  EXPECT_TRUE(predictions_csv(fresh, loaded.predict(fresh), loaded.scheme())
                  .starts_with("bag_id,score,label\nb0,"));
}

INSTANTIATE_TEST_SUITE_P(Models, OtherTargets,
                         ::testing::Values(Pooling::kHopfield, Pooling::kMeanMax,
                                           Pooling::kStoredBags),
                         [](const auto& model) { return std::string(pooling_name(model.param)); });

TEST(OtherTargetsCv, ScoresFiguresAndConfusionAreThoseOfTheFolds) {
  for (const bool classes : {true, false}) {
    const Bags bags = classes ? make_classes(45) : make_numbers(45);
    CvOptions options;
    options.model.pooling = Pooling::kStoredBags;
    options.baselines = {Pooling::kMeanMax};
    options.train.epochs = 3;
    const CvResult result = cross_validate(
        bags, {stratified_folds(bags, 3, 0, "a"), stratified_folds(bags, 3, 1, "b")}, options);
    std::int64_t counted = 0;
    for (const std::int64_t count : result.model.confusion) counted += count;
    EXPECT_EQ(counted, classes ? 90 : 0);
    const RepetitionResult& first = result.model.repetitions[0];
    double sum = 0;
    for (const FoldResult& fold : first.folds) {
      EXPECT_EQ(fold.auc, main_figure({&bags.scheme, fold.scores, fold.labels, fold.numbers}));
      sum += fold.auc;
    }
    EXPECT_DOUBLE_EQ(first.auc, sum / 3);
    EXPECT_GT(result.model.auc_mean, classes ? 0.8 : 0.3);
    const std::string json = cv_json(result);
    EXPECT_EQ(test::contains(json, "\"auc_mean\""), classes);
    EXPECT_EQ(test::contains(json, "\"r2_mean\""), !classes);
    EXPECT_TRUE(test::contains(cv_text(result), classes ? "macro AUC" : "Spearman"));
  }
}

TEST(Estimate, GrowsWithTheInstancesAndChecksItsOptions) {
  const Bags bags = test::make_toy(60).bags, many = test::make_toy(240).bags;
  CvOptions options;
  options.num_threads = 1;
  const auto of = [&](const Bags& some, std::int64_t epochs, int folds) {
    options.train.epochs = epochs;
    return estimate_cv(some, {stratified_folds(some, folds, 0, "a")}, options);
  };
  EXPECT_GT(of(bags, 10, 3).seconds, 0);
  EXPECT_GT(of(many, 10, 3).bytes, 2 * of(bags, 10, 3).bytes);
  options.model.pooling = Pooling::kStoredBags;
  options.baselines = {};
  EXPECT_GT(of(many, 10, 3).bytes, of(bags, 10, 3).bytes);
  FitOptions fit;
  EXPECT_GT(estimate_fit(many, fit).bytes, estimate_fit(bags, fit).bytes);
  fit.model.beta = {-1};
  EXPECT_ERROR(estimate_fit(bags, fit), kInvalidArgument, "beta");
}

TEST(OtherTargetsCv, WeightedClassesArePredictedMoreOften) {
  const Bags bags = test::make_toy(60).bags;
  for (const Pooling pooling : {Pooling::kStoredBags, Pooling::kAttention}) {
    FitOptions options = fit_options(pooling);
    options.train.epochs = 5;
    const std::vector<double> plain = fit(bags, options).model.predict(bags);
    options.train.class_weights.weights = {1, 20};
    const std::vector<double> weighted = fit(bags, options).model.predict(bags);
    for (std::size_t b = 0; b < 60; ++b) {
      EXPECT_GT(weighted[b], plain[b]);
      if (pooling == Pooling::kStoredBags) {
        EXPECT_NEAR(weighted[b], plain[b] + std::log(20.0), 1e-12);
      }
    }
  }
}

TEST(StratifiedFolds, OfARegressionGetANeighbourEach) {
  const Bags bags = make_numbers(33);
  const Repetition repetition = stratified_folds(bags, 4, 7, "own");
  std::vector<std::pair<double, int>> sorted;
  for (std::size_t b = 0; b < 33; ++b) sorted.emplace_back(bags.numbers[b], repetition.fold[b]);
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t block = 0; block < 8; ++block) {
    int sum = 0;
    for (std::size_t i = 0; i < 4; ++i) sum += 1 << sorted[4 * block + i].second;
    EXPECT_EQ(sum, 15);  // every fold once
  }
  EXPECT_NE(repetition.fold, stratified_folds(bags, 4, 8, "own").fold);
  EXPECT_ERROR(stratified_folds(bags, 17, 0, "own"), kCorruptData, "two bags");
}

TEST(Explain, EffectsAreDifferencesOfScores) {
  const Bags bags = test::make_toy(24).bags;
  for (const Pooling pooling : {Pooling::kHopfield, Pooling::kMeanMax, Pooling::kMean,
                                Pooling::kMax, Pooling::kGatedAttention}) {
    FitOptions options = fit_options(pooling);
    options.train.epochs = 5;
    options.train.members = 2;
    const SavedModel model = fit(bags, options).model;
    const std::vector<BagExplanation> explanations = model.explain(bags);
    for (const std::int64_t bag : {3, 8}) {
      const auto b = static_cast<std::size_t>(bag);
      for (std::int64_t i = 0; i < bags.bag_size(bag); ++i) {
        Bags less = select_bags(bags, std::span(&bag, 1));
        const auto row = less.values.begin() + 4 * i;
        less.values.erase(row, row + 4);
        less.instance_ids.pop_back();
        less.offsets.back() -= 1;
        // Matrix products of other sizes may round differently: some units in the last place of
        // f32 numbers of about 1.
        EXPECT_NEAR(explanations[b].effect[static_cast<std::size_t>(i)],
                    explanations[b].score - model.predict(less)[0], 2e-5)
            << pooling_name(pooling);
      }
    }
  }
}

TEST(Explain, EffectsOfStoredBagsOfSeveralClassesHoldBothCodes) {
  const Bags bags = make_classes(60);
  const SavedModel model = fit(bags, fit_options(Pooling::kStoredBags)).model;
  int ranks = 0, z = 0;
  for (const StoredBags::Member& member : model.stored_bags()->members()) {
    ++(member.similarity.z ? z : ranks);
  }
  ASSERT_GT(ranks, 0);
  ASSERT_GT(z, 0);
  const std::int64_t bag = 4;
  const Bags whole = select_bags(bags, std::span(&bag, 1));
  const std::vector<double> scores = model.predict(whole);
  for (std::int64_t output = 0; output < 3; ++output) {
    const BagExplanation explanation = model.explain(whole, output)[0];
    EXPECT_DOUBLE_EQ(explanation.score, scores[static_cast<std::size_t>(output)]);
    for (std::int64_t i = 0; i < bags.bag_size(bag); ++i) {
      Bags less = whole;
      const auto row = less.values.begin() + 4 * i;
      less.values.erase(row, row + 4);
      less.instance_ids.pop_back();
      less.offsets.back() -= 1;
      // Sums less one part instead of sums of the rest: roundings of 1e-16 times 1 / ridge.
      EXPECT_NEAR(explanation.effect[static_cast<std::size_t>(i)],
                  scores[static_cast<std::size_t>(output)] -
                      model.predict(less)[static_cast<std::size_t>(output)],
                  1e-9);
    }
  }
}

}  // namespace
}  // namespace hopfield::mil
