#include "hopfield/theory/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "expect_error.h"
#include "hopfield/theory/attention_comparison.h"
#include "hopfield/theory/random.h"

namespace hopfield::theory {
namespace {

using testing::expect_refused;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Three overlapping clouds; the class is the cloud.
LabelledPatterns clouds(std::int64_t count, std::int64_t depth, std::uint64_t seed) {
  RandomStream random(seed, 0);
  LabelledPatterns result{{}, {}, depth, 3};
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t label = i % 3;
    std::vector<double> x = random.on_sphere(depth, 1.5);
    x[static_cast<std::size_t>(label)] += 1;
    result.values.insert(result.values.end(), x.begin(), x.end());
    result.labels.push_back(label);
  }
  return result;
}

/// Points on a line, two classes.
LabelledPatterns line(std::vector<double> values, std::vector<std::int64_t> labels) {
  return {std::move(values), std::move(labels), 1, 2};
}

TEST(NearestLayer, AtBetaInfinityCopiesTheClassOfTheNearestPattern) {
  const LabelledPatterns patterns = line({0, 10}, {0, 1});
  const std::vector<double> states = {4, 6};
  // A dot product alone would give both states to the longer pattern.
  EXPECT_EQ(nearest_layer(patterns, kInfinity).recall(states), (std::vector<double>{1, 0, 0, 1}));
}

TEST(NearestLayer, OfEqualDistancesTakesTheFirst) {
  const LabelledPatterns patterns = line({2, -2}, {1, 0});
  EXPECT_EQ(nearest_pattern(patterns, std::vector<double>{0}).index, 0);
  EXPECT_EQ(nearest_layer(patterns, kInfinity).recall(std::vector<double>{0}),
            (std::vector<double>{0, 1}));
}

TEST(NearestLayer, AtFiniteBetaIsKernelRegression) {
  const LabelledPatterns patterns = line({0, 1, 3}, {0, 1, 0});
  const double beta = 0.7, q = 1.4;
  double own = 0, all = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const double distance = q - patterns.values[i];
    const double weight = std::exp(-beta * distance * distance / 2);
    all += weight;
    if (patterns.labels[i] == 1) own += weight;
  }
  const auto out = nearest_layer(patterns, beta).recall(std::vector<double>{q});
  EXPECT_NEAR(out[1], own / all, 1e-15);  // a few roundings of numbers below 1
}

TEST(KNearestLayer, CountsEqualVotesExactly) {
  const LabelledPatterns patterns = line({0, 1, 2, 100}, {0, 1, 1, 0});
  // 1 is nearest to 1.1, then 2, then 0; 100 has no vote.
  const auto out = k_nearest_layer(patterns, 3, 0).recall(std::vector<double>{1.1});
  EXPECT_DOUBLE_EQ(out[0], 1.0 / 3);
  EXPECT_DOUBLE_EQ(out[1], 2.0 / 3);
}

TEST(KNearestLayer, WithAllPatternsAndABetaIsTheNearestLayer) {
  const LabelledPatterns patterns = clouds(30, 4, 1), states = clouds(9, 4, 2);
  const auto votes = k_nearest_layer(patterns, 30, 0.8).recall(states.values);
  const auto all = nearest_layer(patterns, 0.8).recall(states.values);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_NEAR(votes[i], all[i], 1e-14);  // two sums of 30 terms, together 1
  }
}

TEST(KernelMachine, OfTwoPatternsHasTheClosedForm) {
  // y^T alpha = 0 makes both alphas equal; sum alpha - alpha^2 (1 - kernel) is largest at this.
  const double gamma = 0.3, between = std::exp(-gamma * 4);
  KernelMachineOptions options;
  options.gamma = gamma;
  options.cost = 100;
  const KernelMachine machine = train_kernel_machine(line({-1, 1}, {0, 1}), 1, options);
  ASSERT_EQ(machine.weights.size(), 2u);
  EXPECT_TRUE(machine.report.converged);
  EXPECT_NEAR(machine.weights[1], 1 / (1 - between), 1e-9);  // the tolerance of the solver
  EXPECT_NEAR(machine.weights[0], -1 / (1 - between), 1e-9);
  EXPECT_NEAR(machine.bias, 0, 1e-9);
  options.cost = 0.5;  // below the free optimum: both at the wall
  EXPECT_EQ(train_kernel_machine(line({-1, 1}, {0, 1}), 1, options).weights[1], 0.5);
}

TEST(KernelMachine, MeetsTheConditionsOfOptimality) {
  const LabelledPatterns patterns = clouds(90, 3, 3);
  KernelMachineOptions options;
  options.gamma = 0.5;
  const KernelMachine machine = train_kernel_machine(patterns, 0, options);
  ASSERT_TRUE(machine.report.converged);
  double balance = 0;
  std::int64_t num_bound = 0, num_free = 0, num_out = 0;
  std::size_t next = 0;
  for (std::size_t i = 0; i < patterns.labels.size(); ++i) {
    const std::span<const double> x(patterns.values.data() + 3 * i, 3);
    const double y = patterns.labels[i] == 0 ? 1 : -1;
    const double margin = y * machine.value(x);
    double alpha = 0;
    if (next < machine.weights.size() && machine.vectors[3 * next] == x[0]) {
      alpha = y * machine.weights[next];
      balance += machine.weights[next++];
    }
    // The violation of a pair is at most 1e-9; rounding of 90 terms is far below that.
    const double slack = 2e-9;
    EXPECT_GE(alpha, 0);
    EXPECT_LE(alpha, options.cost);
    EXPECT_TRUE(alpha == options.cost || margin >= 1 - slack) << margin;
    EXPECT_TRUE(alpha == 0 || margin <= 1 + slack) << margin;
    num_out += alpha == 0;
    num_bound += alpha == options.cost;
    num_free += alpha > 0 && alpha < options.cost;
  }
  EXPECT_EQ(next, machine.weights.size());
  EXPECT_NEAR(balance, 0, 1e-12);  // 90 additions of numbers up to 1
  // The data has all three kinds, so that every condition was tested.
  EXPECT_GT(num_out, 0);
  EXPECT_GT(num_bound, 0);
  EXPECT_GT(num_free, 0);
}

TEST(KernelMachine, SaysWhenItStoppedEarly) {
  KernelMachineOptions options;
  options.iterations_max = 3;
  const KernelMachine machine = train_kernel_machine(clouds(30, 3, 4), 1, options);
  EXPECT_FALSE(machine.report.converged);
  EXPECT_GT(machine.report.residual, options.tolerance);
  EXPECT_NE(machine.report.message, "");
}

TEST(KernelMachineLayer, GivesTheDecisionValue) {
  const LabelledPatterns patterns = clouds(60, 5, 5), states = clouds(50, 5, 6);
  const KernelMachine machine = train_kernel_machine(patterns, 2, {});
  const FixedLayer layer = kernel_machine_layer(machine);
  const auto out = layer.recall(states.values);
  for (std::int64_t t = 0; t < 50; ++t) {
    const auto at = static_cast<std::size_t>(t);
    const std::span<const double> q(states.values.data() + 5 * t, 5);
    // 60 terms up to 1, scores of size 10 with eight roundings each: 60 * 80 * 2e-16.
    EXPECT_NEAR(out[2 * at] / out[2 * at + 1], machine.value(q), 1e-12);
    EXPECT_GE(out[2 * at + 1], 1.0 / static_cast<double>(layer.num_rows));
  }
}

TEST(PrototypeGradient, IsTheSlopeOfTheLikelihood) {
  const LabelledPatterns patterns = clouds(20, 3, 7);
  LabelledPatterns prototypes = clouds(6, 3, 8);
  const double beta = 1.3, step = 1e-6;
  const auto likelihood = [&] {
    PrototypeOptions options;
    options.beta = beta;
    double sum = 0;
    for (std::size_t i = 0; i < patterns.labels.size(); ++i) {
      double own = 0, all = 0;
      for (std::size_t k = 0; k < prototypes.labels.size(); ++k) {
        double square = 0;
        for (std::size_t c = 0; c < 3; ++c) {
          const double part = patterns.values[3 * i + c] - prototypes.values[3 * k + c];
          square += part * part;
        }
        const double weight = std::exp(-beta * square / 2);
        all += weight;
        if (prototypes.labels[k] == patterns.labels[i]) own += weight;
      }
      sum += std::log(own / all);
    }
    return sum / 20;
  };
  const auto gradient = prototype_gradient(prototypes, patterns, beta);
  for (std::size_t at = 0; at < gradient.size(); ++at) {
    const double here = prototypes.values[at];
    prototypes.values[at] = here + step;
    const double above = likelihood();
    prototypes.values[at] = here - step;
    const double below = likelihood();
    prototypes.values[at] = here;
    // Rounding of the likelihood (about 3) over the step: 3 * 1e-15 / 1e-6; curvature: step^2.
    EXPECT_NEAR(gradient[at], (above - below) / (2 * step), 1e-8);
  }
}

TEST(Prototypes, LearnThroughTheBackwardPassOfTheLayer) {
  const LabelledPatterns patterns = clouds(90, 3, 9);
  const TrainedPrototypes trained = train_prototypes(patterns, {});
  EXPECT_EQ(trained.prototypes.labels, (std::vector<std::int64_t>{0, 0, 1, 1, 2, 2}));
  EXPECT_GT(trained.log_likelihood, trained.start_log_likelihood + 0.1);
  EXPECT_LT(trained.gradient_error, 1e-14);  // a mean of 90 terms, each below 1 by definition
  EXPECT_GT(trained.gradient_error, 0);      // two computations, not one
}

TEST(CompareAttention, FindsEveryLayerEqualOnOverlappingClasses) {
  LabelledPatterns train = clouds(120, 4, 10), test = clouds(60, 4, 11);
  standardise(train, test);
  const AttentionComparison got = compare_attention(train, test, {});
  EXPECT_TRUE(got.holds);
  ASSERT_EQ(got.layers.size(), 5u);
  for (const LayerComparison& layer : got.layers) {
    EXPECT_EQ(layer.num_states, 60) << layer.classifier;
    EXPECT_EQ(layer.num_differ, 0) << layer.classifier;
    EXPECT_GT(layer.num_correct, 30) << layer.classifier;  // chance is 20
    EXPECT_LT(layer.error_max, 1e-12) << layer.classifier;
  }
  // Five votes of three classes tie now and then; distances of random points do not.
  EXPECT_EQ(got.layers[0].num_undecided, 0);
  EXPECT_GT(got.layers[1].num_undecided, 0);
  EXPECT_LT(got.layers[1].num_undecided, 30);
  ASSERT_EQ(got.sharpness.size(), 5u);
  EXPECT_LT(got.sharpness.front().num_equal, 60);
  EXPECT_EQ(got.sharpness.back().num_equal, 60);
  EXPECT_GT(got.sharpness.front().mass_median, got.sharpness.back().mass_median);
}

TEST(CompareAttention, CountsTiesInsteadOfDecidingThem) {
  const LabelledPatterns train = line({-1, 1, 5}, {0, 1, 1});
  const LabelledPatterns test = line({0, 4}, {0, 1});
  AttentionOptions options;
  options.k = 2;
  const AttentionComparison got = compare_attention(train, test, options);
  EXPECT_TRUE(got.holds);
  EXPECT_EQ(got.layers[0].num_undecided, 1);  // 0 is as near to -1 as to 1
  EXPECT_EQ(got.layers[1].num_undecided, 1);  // one vote each
}

TEST(Standardise, UsesTheTrainingRowsAlone) {
  LabelledPatterns train{{0, 7, 2, 7}, {0, 1}, 2, 2}, test{{5, 9}, {0}, 2, 2};
  standardise(train, test);
  EXPECT_EQ(train.values, (std::vector<double>{-1, 0, 1, 0}));
  EXPECT_EQ(test.values, (std::vector<double>{4, 0}));
}

TEST(Attention, RefusesWhatHasNoMeaning) {
  const LabelledPatterns good = line({0, 1}, {0, 1});
  expect_refused([&] { nearest_layer(line({}, {}), 1); }, "S >= 1");
  expect_refused([&] { nearest_layer(line({0, 1}, {0, 2}), 1); }, "labels from 0 to 1, got 2");
  expect_refused([&] { nearest_layer(line({0, kInfinity}, {0, 1}), 1); }, "finite patterns");
  expect_refused([&] { nearest_layer(good, 0); }, "beta > 0");
  expect_refused([&] { nearest_layer(good, std::nan("")); }, "beta > 0");
  expect_refused([&] { k_nearest_layer(good, 3, 0); }, "k from 1 to 2, got 3");
  expect_refused([&] { k_nearest_layer(good, 1, kInfinity); }, "finite beta >= 0");
  expect_refused(
      [&] {
        nearest_layer({{0, 1}, {0}, 2, 1}, 1).recall(std::vector<double>(3));
      },
      "states of depth 2, got 3");
  expect_refused([&] { train_kernel_machine(good, 2, {}); }, "of class 2");
  KernelMachineOptions no_cost;
  no_cost.cost = 0;
  expect_refused([&] { train_kernel_machine(good, 1, no_cost); }, "cost > 0");
  expect_refused([&] { train_prototypes({{0, 1}, {0, 1}, 1, 3}, {}); }, "none of class 2");
}

}  // namespace
}  // namespace hopfield::theory
