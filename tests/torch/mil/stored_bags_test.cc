#include "hopfield/apps/mil/stored_bags.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "apps/mil/bag_pattern.h"
#include "apps/mil/random.h"
#include "apps/mil/ridge.h"
#include "hopfield/apps/mil/metrics.h"
#include "hopfield/apps/mil/saved_model.h"
#include "hopfield/apps/mil/tables.h"
#include "hopfield/store/safetensors.h"
#include "tests/torch/mil/toy.h"
#include "tests/unit/store/temp_folder.h"

namespace hopfield::mil {
namespace {

using test::make_toy;
using test::TempFolder;

std::vector<std::int64_t> numbers(std::int64_t count) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(count));
  std::iota(out.begin(), out.end(), std::int64_t{0});
  return out;
}

StoredBags fit_all(const Bags& bags) {
  return StoredBags::fit(bags, numbers(bags.num_bags()));
}

std::vector<double> scores_of(const StoredBags& model, const Bags& bags) {
  return model.scores(bags, numbers(bags.num_bags()));
}

/// The instances of every bag in another order, or `copies` of each.
Bags rearranged(const Bags& bags, bool reversed, int copies) {
  Bags out = bags;
  out.values.clear();
  out.instance_ids.clear();
  out.offsets = {0};
  const auto d = static_cast<std::ptrdiff_t>(bags.num_features);
  for (std::int64_t b = 0; b < bags.num_bags(); ++b) {
    std::vector<std::int64_t> rows = numbers(bags.bag_size(b));
    if (reversed) std::reverse(rows.begin(), rows.end());
    for (int copy = 0; copy < copies; ++copy) {
      for (const std::int64_t row : rows) {
        const auto at = bags.values.begin() + (bags.offsets[static_cast<std::size_t>(b)] + row) * d;
        out.values.insert(out.values.end(), at, at + d);
        out.instance_ids.push_back(std::to_string(out.instance_ids.size()));
      }
    }
    out.offsets.push_back(static_cast<std::int64_t>(out.instance_ids.size()));
  }
  return out;
}

/// x with a x = b, by Gaussian elimination with pivots: nothing in common with fit_ridge.
std::vector<double> solve(std::vector<std::vector<double>> a, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t c = 0; c < n; ++c) {
    std::size_t pivot = c;
    for (std::size_t r = c; r < n; ++r) {
      if (std::abs(a[r][c]) > std::abs(a[pivot][c])) pivot = r;
    }
    std::swap(a[c], a[pivot]);
    std::swap(b[c], b[pivot]);
    for (std::size_t r = c + 1; r < n; ++r) {
      const double factor = a[r][c] / a[c][c];
      for (std::size_t k = c; k < n; ++k) a[r][k] -= factor * a[c][k];
      b[r] -= factor * b[c];
    }
  }
  for (std::size_t c = n; c-- > 0;) {
    for (std::size_t k = c + 1; k < n; ++k) b[c] -= a[c][k] * b[k];
    b[c] /= a[c][c];
  }
  return b;
}

TEST(FitRidge, ValuesAndLeftOutScoresEqualPlainElimination) {
  Random random(5);
  for (const std::size_t n : {1u, 2u, 9u, 40u}) {
    std::vector<std::vector<double>> points(n, std::vector<double>(6));
    for (auto& point : points) {
      for (double& x : point) x = random.normal();
    }
    std::vector<std::vector<double>> a(n, std::vector<double>(n));
    std::vector<double> gram, targets;
    const double ridge = 0.01;
    for (std::size_t i = 0; i < n; ++i) {
      targets.push_back(random.normal());
      for (std::size_t j = 0; j < n; ++j) {
        double distance = 0;
        for (std::size_t k = 0; k < 6; ++k) distance += std::abs(points[i][k] - points[j][k]);
        gram.push_back(std::exp(-0.3 * distance));
        a[i][j] = gram.back() + (i == j ? ridge : 0.0);
      }
    }
    const RidgeFit fit = fit_ridge(gram, targets, ridge);
    // Condition number at most (n + ridge) / ridge < 5e3; times 2^-53 times n, with room: 1e-9.
    const std::vector<double> values = solve(a, targets);
    for (std::size_t i = 0; i < n; ++i) EXPECT_NEAR(fit.values[i], values[i], 1e-9) << n;
    for (std::size_t out = 0; out < n && n > 1; ++out) {
      std::vector<std::vector<double>> rest;
      std::vector<double> rest_targets;
      for (std::size_t i = 0; i < n; ++i) {
        if (i == out) continue;
        rest.emplace_back();
        rest_targets.push_back(targets[i]);
        for (std::size_t j = 0; j < n; ++j) {
          if (j != out) rest.back().push_back(a[i][j]);
        }
      }
      const std::vector<double> rest_values = solve(rest, rest_targets);
      double score = 0;
      for (std::size_t j = 0, k = 0; j < n; ++j) {
        if (j != out) score += gram[out * n + j] * rest_values[k++];
      }
      EXPECT_NEAR(fit.left_out[out], score, 1e-9) << n;
    }
  }
}

TEST(FitRidge, RefusesWhatIsNoSimilarity) {
  const std::vector<double> indefinite = {1, 2, 2, 1}, targets = {1, -1};
  EXPECT_ERROR(fit_ridge(indefinite, targets, 0.01), kInvalidArgument, "positive definite");
  EXPECT_ERROR(fit_ridge(targets, targets, 0.01), kInvalidArgument, "2 x 2");
}

TEST(FitLogistic, GradientVanishesAtTheFit) {
  Random random(8);
  std::vector<double> scores;
  std::vector<int> labels;
  double num_positive = 0;
  for (int i = 0; i < 60; ++i) {
    labels.push_back(i % 3 == 0 ? 1 : 0);
    num_positive += labels.back();
    scores.push_back(5 + random.normal() + labels.back());
  }
  const Logistic fit = fit_logistic(scores, labels);
  double by_slope = 0, by_intercept = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double p = 1 / (1 + std::exp(-(fit.slope * scores[i] + fit.intercept)));
    const double target =
        labels[i] != 0 ? (num_positive + 1) / (num_positive + 2) : 1 / (60 - num_positive + 2);
    by_intercept += p - target;
    by_slope += (p - target) * scores[i];
  }
  EXPECT_GT(fit.slope, 0.1);
  // Newton stops when the loss (about 30) falls by no more than its rounding, 4e-15; the gradient
  // is then of the order of the root of that times the curvature, about 1e-6.
  EXPECT_NEAR(by_intercept, 0, 1e-5);
  EXPECT_NEAR(by_slope, 0, 5e-5);
}

TEST(FitLogistic, PerfectUselessAndReversedScoresStayFiniteAndKeepTheirOrder) {
  const std::vector<int> labels = {0, 0, 1, 1};
  const std::vector<double> perfect = {0, 1, 2, 3}, reversed = {3, 2, 1, 0}, same = {1, 1, 1, 1};
  EXPECT_TRUE(std::isfinite(fit_logistic(perfect, labels).slope));
  EXPECT_GT(fit_logistic(perfect, labels).slope, 0.5);
  EXPECT_EQ(fit_logistic(reversed, labels).slope, 0.01);
  EXPECT_NEAR(fit_logistic(same, labels).intercept + fit_logistic(same, labels).slope, 0, 1e-12);
  EXPECT_ERROR(fit_logistic(perfect, std::vector<int>(4, 1)), kInvalidArgument, "both classes");
  const std::vector<double> bad = {0, 1, 2, std::numeric_limits<double>::infinity()};
  EXPECT_ERROR(fit_logistic(bad, labels), kInvalidArgument, "finite");
}

TEST(BagPattern, DistancesAreWhatTheirDefinitionsSay) {
  const Bags bags = make_toy(7).bags;
  const InputCoder coder = InputCoder::fit(bags, numbers(7), InputCode::kRank, 1);
  const std::vector<float> ranks = coder.apply(bags.values);
  const std::size_t k = 4;
  std::vector<PooledBag> pooled;
  std::vector<std::span<const float>> rows;
  for (std::size_t b = 0; b < 7; ++b) {
    const auto begin = static_cast<std::size_t>(bags.offsets[b]) * k;
    const auto end = static_cast<std::size_t>(bags.offsets[b + 1]) * k;
    rows.push_back(std::span(ranks).subspan(begin, end - begin));
    pooled.push_back(pool_bag(rows.back(), k, kRankLevels));
  }
  const auto code = [&](std::size_t b, std::size_t c, std::size_t t) {
    double sum = 0;
    for (std::size_t i = c; i < rows[b].size(); i += k) {
      const double u = rows[b][i] / std::sqrt(12.0) + 0.5;
      sum += std::clamp(8 * u - static_cast<double>(t), 0.0, 1.0);
    }
    return sum / static_cast<double>(rows[b].size() / k);
  };
  const auto largest = [&](std::size_t b, std::size_t c) {
    double most = -10;
    for (std::size_t i = c; i < rows[b].size(); i += k) most = std::max<double>(most, rows[b][i]);
    return most;
  };
  const PatternScales scales = fit_scales(pooled, kRankLevels);
  const BagDistances distances =
      pattern_distances(scale_bag(pooled[2], scales), scale_bag(pooled[5], scales), scales);
  double mean_distance = 0, max_distance = 0;
  for (std::size_t c = 0; c < k; ++c) {
    for (std::size_t t = 0; t < 8; ++t) mean_distance += std::abs(code(2, c, t) - code(5, c, t));
    std::vector<double> all;
    for (std::size_t b = 0; b < 7; ++b) all.push_back(largest(b, c));
    const double sd = sample_sd(all) * std::sqrt(6.0 / 7.0);
    max_distance += std::abs(largest(2, c) - largest(5, c)) / sd;
  }
  // f32 numbers of size 1 to 4, some 32 of them: 1e-5 is a hundred roundings.
  EXPECT_NEAR(distances.mean, mean_distance / 32, 1e-5);
  EXPECT_NEAR(distances.max, max_distance / 4, 1e-5);
  // The code cosine: four levels of the mean and of the largest rank, each less its mean over bags.
  const auto codes = [&](std::size_t b) {
    std::vector<double> out;
    for (std::size_t c = 0; c < k; ++c) {
      for (std::size_t t = 0; t < 4; ++t) {
        double sum = 0;
        for (std::size_t i = c; i < rows[b].size(); i += k) {
          const double u = rows[b][i] / std::sqrt(12.0) + 0.5;
          sum += std::clamp(4 * u - static_cast<double>(t), 0.0, 1.0);
        }
        out.push_back(sum / static_cast<double>(rows[b].size() / k));
        const double u = largest(b, c) / std::sqrt(12.0) + 0.5;
        out.push_back(std::clamp(4 * u - static_cast<double>(t), 0.0, 1.0));
      }
    }
    return out;
  };
  double product = 0, square2 = 0, square5 = 0;
  for (std::size_t i = 0; i < 8 * k; ++i) {
    double center = 0;
    for (std::size_t b = 0; b < 7; ++b) center += codes(b)[i] / 7;
    const double x = codes(2)[i] - center, y = codes(5)[i] - center;
    product += x * y;
    square2 += x * x;
    square5 += y * y;
  }
  EXPECT_NEAR(distances.code_cosine, product / std::sqrt(square2 * square5), 1e-5);
  double set = 0;
  for (std::size_t i = 0; i < rows[2].size(); i += k) {
    for (std::size_t j = 0; j < rows[5].size(); j += k) {
      double l1 = 0;
      for (std::size_t c = 0; c < k; ++c) l1 += std::abs(rows[2][i + c] - rows[5][j + c]);
      set += std::exp(-2 * l1 / 4);
    }
  }
  set /= static_cast<double>(rows[2].size() / k) * static_cast<double>(rows[5].size() / k);
  EXPECT_NEAR(instance_similarity(rows[2], rows[5], k), set, 1e-6);
  const BagSimilarity similarity{.mean = 3, .max = 0.5, .cosine = 2, .set = true};
  BagDistances given{.mean = 0.1, .max = 0.2, .cosine = 0.7, .set = 0.9};
  EXPECT_DOUBLE_EQ(similarity_of(similarity, given), 0.9 * std::exp(-0.3 - 0.1 - 0.6));
}

TEST(StoredBags, MembersAddUpAndWeighOneTogether) {
  const Bags bags = make_toy(30).bags, fresh = make_toy(9, /*seed=*/4).bags;
  const StoredBags model = fit_all(bags);
  const StoredBags::State& state = model.state();
  std::vector<double> sum(9, model.intercept());
  for (std::size_t m = 0; m < model.members().size(); ++m) {
    StoredBags::State one = state;
    for (std::size_t other = 0; other < one.members.size(); ++other) {
      if (other == m) continue;
      std::fill(one.members[other].values.begin(), one.members[other].values.end(), 0.0);
    }
    const std::vector<double> scores = scores_of(StoredBags::from_state(one), fresh);
    for (std::size_t b = 0; b < 9; ++b) sum[b] += scores[b] - model.intercept();
  }
  const std::vector<double> scores = scores_of(model, fresh);
  for (std::size_t b = 0; b < 9; ++b) EXPECT_NEAR(scores[b], sum[b], 1e-12);
  double weights = 0;
  for (const StoredBags::Member& member : model.members()) weights += member.weight;
  EXPECT_NEAR(weights, 1, 1e-12);
}

TEST(StoredBags, LearnsWhatOneWitnessDecidesAndNothingFromLabelsByLot) {
  const Bags bags = make_toy(120).bags, fresh = make_toy(200, /*seed=*/21).bags;
  EXPECT_GT(roc_auc(scores_of(fit_all(bags), fresh), fresh.labels), 0.85);
  // Both by lot: a direction found by chance may well agree with the true labels.
  Bags lot = bags;
  std::vector<int> fresh_lot = fresh.labels;
  Random random(4);
  random.shuffle(lot.labels);
  random.shuffle(fresh_lot);
  const double auc = roc_auc(scores_of(fit_all(lot), fresh), fresh_lot);
  // The sd of an AUC by chance is sqrt(201 / (12 * 100 * 100)) = 0.041: four of them.
  EXPECT_NEAR(auc, 0.5, 0.165);
}

TEST(StoredBags, OrderOfInstancesDoesNotMatter) {
  const Bags bags = make_toy(40).bags;
  const std::vector<double> plain = scores_of(fit_all(bags), bags);
  const Bags reversed = rearranged(bags, true, 1);
  const std::vector<double> other = scores_of(fit_all(reversed), reversed);
  // Sums in double are rounded to f32 once, now and then to the neighbour: 6e-8 of a pattern, times
  // values of about 1 / ridge.
  for (std::size_t b = 0; b < plain.size(); ++b) EXPECT_NEAR(other[b], plain[b], 1e-5);
}

TEST(StoredBags, InstancesTwiceEachChangeNothing) {
  const Bags bags = make_toy(40).bags;
  const std::vector<double> plain = scores_of(fit_all(bags), bags);
  const Bags doubled = rearranged(bags, false, 2);
  const std::vector<double> other = scores_of(fit_all(doubled), doubled);
  // As above: roundings of the z-scores' shift and scale.
  for (std::size_t b = 0; b < plain.size(); ++b) EXPECT_NEAR(other[b], plain[b], 1e-5);
}

TEST(StoredBags, OrderOfStoredBagsDoesNotMatter) {
  const Bags bags = make_toy(40).bags;
  std::vector<std::int64_t> which = numbers(40);
  std::reverse(which.begin(), which.end());
  const std::vector<double> plain = scores_of(fit_all(bags), bags);
  const std::vector<double> other = scores_of(StoredBags::fit(bags, which), bags);
  // Scales are sums in double rounded to f32 once: an f32 rounding (6e-8) of the patterns at most,
  // times values of about 1 / ridge.
  for (std::size_t b = 0; b < plain.size(); ++b) EXPECT_NEAR(other[b], plain[b], 1e-4);
}

TEST(StoredBags, TheSameBagsTwiceStayFiniteAndKeepTheRanking) {
  const Bags bags = make_toy(30).bags;
  std::vector<std::int64_t> twice = numbers(30);
  for (std::int64_t b = 0; b < 30; ++b) twice.push_back(b);
  const StoredBags model = StoredBags::fit(bags, twice);
  const std::vector<double> scores = scores_of(model, bags);
  for (const double score : scores) EXPECT_TRUE(std::isfinite(score));
  EXPECT_GT(roc_auc(scores, bags.labels), 0.95);
}

TEST(StoredBags, OtherBagsThanTheStoredOnesDecideNothing) {
  const Bags bags = make_toy(36).bags;
  const std::vector<std::int64_t> stored = numbers(24);
  const StoredBags before = StoredBags::fit(bags, stored);
  Bags changed = bags;
  for (std::size_t b = 24; b < 36; ++b) {
    changed.labels[b] = 1 - changed.labels[b];
    for (std::int64_t i = bags.offsets[b] * 4; i < bags.offsets[b + 1] * 4; ++i) {
      changed.values[static_cast<std::size_t>(i)] = 50.0f - static_cast<float>(i % 7);
    }
  }
  const StoredBags after = StoredBags::fit(changed, stored);
  EXPECT_EQ(after.text(), before.text());
  EXPECT_EQ(after.left_out_auc(), before.left_out_auc());
  EXPECT_EQ(after.scores(bags, numbers(36)), before.scores(bags, numbers(36)));
  // The same change inside the stored bags must show, or this test could not fail.
  Bags planted = bags;
  planted.labels[3] = 1 - planted.labels[3];
  EXPECT_NE(StoredBags::fit(planted, stored).scores(bags, stored), before.scores(bags, stored));
}

TEST(StoredBags, EffectsAreDifferencesOfScores) {
  const Bags bags = make_toy(40).bags;
  const StoredBags model = fit_all(bags);
  const StoredBags::InstanceEffects effects =
      model.instance_effects(bags, std::vector<std::int64_t>{5})[0];
  EXPECT_EQ(effects.score, scores_of(model, bags)[5]);
  const auto size = static_cast<std::size_t>(bags.bag_size(5));
  ASSERT_EQ(effects.without.size(), size);
  ASSERT_GE(size, 2u);
  for (std::size_t i = 0; i < size; ++i) {
    Bags less = select_bags(bags, std::vector<std::int64_t>{5});
    const auto row = less.values.begin() + static_cast<std::ptrdiff_t>(i * 4);
    const std::vector<float> alone(row, row + 4);
    less.values.erase(row, row + 4);
    less.instance_ids.pop_back();
    less.offsets = {0, static_cast<std::int64_t>(size) - 1};
    // Sums less one part instead of sums of the rest: roundings of 1e-16 times 1 / ridge.
    EXPECT_NEAR(effects.without[i], scores_of(model, less)[0], 1e-9);
    less.values = alone;
    less.offsets = {0, 1};
    less.instance_ids = {"1"};
    EXPECT_EQ(effects.alone[i], scores_of(model, less)[0]);
    EXPECT_EQ(model.instance_effects(less, numbers(1))[0].without,
              std::vector<double>{model.intercept()});
  }
}

TEST(StoredBags, ConstantColumnsAndLoneInstancesAreFine) {
  Bags bags = make_toy(30).bags;
  for (std::size_t i = 2; i < bags.values.size(); i += 4) bags.values[i] = 7;
  EXPECT_GT(roc_auc(scores_of(fit_all(bags), bags), bags.labels), 0.9);
  Bags lone = bags;
  lone.offsets = numbers(31);
  lone.values.resize(120);
  lone.instance_ids.resize(30);
  for (const double score : scores_of(fit_all(lone), lone)) EXPECT_TRUE(std::isfinite(score));
}

TEST(StoredBags, DistancesOfZScoresAreThoseOfTheirMeans) {
  const std::vector<float> a = {1, -2, 3, 0}, b = {0.5f, 1};  // two rows, and one, of two columns
  const std::vector<PooledBag> pooled = {pool_bag(a, 2, kZLevels), pool_bag(b, 2, kZLevels)};
  EXPECT_EQ(pooled[0].mean, (std::vector<float>{2, -1}));
  EXPECT_EQ(pooled[0].max, (std::vector<float>{3, 0}));
  EXPECT_EQ(pooled[0].min, (std::vector<float>{1, -2}));
  const PatternScales scales = fit_scales(pooled, kZLevels);
  const BagDistances distances =
      pattern_distances(scale_bag(pooled[0], scales), scale_bag(pooled[1], scales), scales);
  EXPECT_DOUBLE_EQ(distances.mean, (1.5 + 2) / 2);
  // Of two bags, a z-score is +1 or -1; rounding of its shift and scale to f32 leaves 1e-6.
  EXPECT_NEAR(distances.max, 2, 1e-6);
  EXPECT_NEAR(distances.min, 2, 1e-6);
  const std::vector<PooledBag> less = pool_without_each(a, 2, kZLevels);
  EXPECT_EQ(less[0].mean, (std::vector<float>{3, 0}));
  EXPECT_EQ(less[1].max, (std::vector<float>{1, -2}));
}

TEST(StoredBags, KeepsOnlyTheCodesThatItsMembersUse) {
  const Bags bags = make_toy(40).bags;
  const StoredBags model = fit_all(bags);
  ASSERT_FALSE(model.state().z.mean.empty());
  for (const bool z : {false, true}) {
    StoredBags::State state = model.state();
    // A model whose only member uses one code needs nothing of the other.
    state.members.resize(1);
    state.members[0].similarity = {.mean = 1, .z = z};
    for (StoredBags::Coded* coded : {&state.ranks, &state.z}) {
      coded->instances.clear();
      coded->offsets.clear();
    }
    StoredBags::Coded& other = z ? state.ranks : state.z;
    other = {z ? other.coder : InputCoder(), {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}};
    const StoredBags one = StoredBags::from_state(state);
    for (const double score : scores_of(one, bags)) EXPECT_TRUE(std::isfinite(score));
    StoredBags::Coded& own = z ? state.z : state.ranks;
    own.mean.pop_back();
    EXPECT_ERROR(StoredBags::from_state(state), kCorruptData, "patterns");
  }
}

TEST(StoredBags, FilesOfTheOlderFormNameTheRemedy) {
  const Bags bags = make_toy(24).bags;
  const TempFolder folder;
  FitOptions options;
  options.model.pooling = Pooling::kStoredBags;
  fit(bags, options).model.save(folder / "m");
  const store::SafetensorsFile file(folder / "m");
  std::vector<store::TensorData> tensors;
  std::map<std::string, std::string> metadata = file.metadata();
  for (const store::TensorEntry& entry : file.tensors()) {
    const std::string name = entry.name == "stored.ranks.center" ? "stored.center" : entry.name;
    tensors.push_back({name, entry.type, entry.shape, file.bytes(entry)});
    metadata["crc32." + name] = metadata.at("crc32." + entry.name);
  }
  metadata["crc32.header"] = "00000000";
  store::write_safetensors(folder / "old", tensors, metadata, {IfExists::kReplace, "crc32.header"});
  EXPECT_ERROR(SavedModel::load(folder / "old"), kCorruptData, "train the model again");
}

TEST(StoredBags, RefusesWhatItCannotStore) {
  const Bags bags = make_toy(24).bags, wide = make_toy(4, 3, 5).bags;
  const StoredBags model = fit_all(bags);
  EXPECT_ERROR(scores_of(model, wide), kInvalidArgument, "4 features");
  EXPECT_ERROR(StoredBags::fit(bags, {}), kInvalidArgument, "none");
  EXPECT_ERROR(StoredBags::fit(bags, std::vector<std::int64_t>{1, 3, 5}), kCorruptData,
               "both classes");
  EXPECT_ERROR(StoredBags::fit(bags, std::vector<std::int64_t>{1, 24}), kInvalidArgument, "24");
  EXPECT_ERROR(StoredBags::fit(bags, std::vector<std::int64_t>(5000, 1)), kUnsupported, "4096");
  Bags bad = bags;
  bad.values[9] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_ERROR(fit_all(bad), kInvalidArgument, "finite");
  bad = bags;
  bad.labels.clear();
  EXPECT_ERROR(fit_all(bad), kInvalidArgument, "label");
  bad = bags;
  std::fill(bad.values.begin(), bad.values.end(), 1.0f);
  EXPECT_ERROR(fit_all(bad), kCorruptData, "constant");
  StoredBags::State state = model.state();
  state.members[0].values.pop_back();
  EXPECT_ERROR(StoredBags::from_state(state), kCorruptData, "contradicting");
  state = model.state();
  state.ranks.center.pop_back();
  EXPECT_ERROR(StoredBags::from_state(state), kCorruptData, "scales");
}

TEST(StoredBags, SavedModelGivesTheSameBitsAndTheSameFile) {
  const Bags bags = make_toy(40).bags, fresh = make_toy(12, /*seed=*/9).bags;
  const TempFolder folder;
  FitOptions options;
  options.model.pooling = Pooling::kStoredBags;
  const FitResult result = fit(bags, options);
  EXPECT_EQ(result.num_training, 40);
  ASSERT_NE(result.model.stored_bags(), nullptr);
  EXPECT_EQ(result.validation_auc, result.model.stored_bags()->left_out_auc());
  result.model.save(folder / "m");
  const SavedModel loaded = SavedModel::load(folder / "m");
  EXPECT_EQ(loaded.predict(fresh), result.model.predict(fresh));
  EXPECT_EQ(loaded.predict(fresh), scores_of(fit_all(bags), fresh));
  EXPECT_EQ(loaded.num_parameters(), result.model.num_parameters());
  loaded.save(folder / "again");
  EXPECT_EQ(TempFolder::read(folder / "again"), TempFolder::read(folder / "m"));
  const std::vector<std::int64_t> which = {7, 2};
  const std::vector<double> all = loaded.predict(fresh);
  EXPECT_EQ(loaded.predict(select_bags(fresh, which)), (std::vector<double>{all[7], all[2]}));
  options.resume = true;
  options.checkpoint_path = folder / "c";
  EXPECT_ERROR(fit(bags, options), kInvalidArgument, "--resume");
  Control control;
  control.cancelled = [] { return true; };
  options.resume = false;
  EXPECT_ERROR(fit(bags, options, control), kCancelled, "nothing was written");
  const std::string good = TempFolder::read(folder / "m");
  for (std::size_t byte = 0; byte < good.size(); byte += 997) {
    std::string text = good;
    text[byte] = static_cast<char>(text[byte] ^ (1 << byte % 8));
    EXPECT_ERROR(SavedModel::load(folder.write("flip", text)), kCorruptData, "flip");
  }
}

TEST(StoredBags, ExplanationsShareOutTheEffectsAndFindTheWitness) {
  const test::Toy toy = make_toy(120), fresh = make_toy(60, /*seed=*/99);
  FitOptions options;
  options.model.pooling = Pooling::kStoredBags;
  const SavedModel model = fit(toy.bags, options).model;
  EXPECT_TRUE(model.weight_names().empty());
  const std::vector<BagExplanation> explanations = model.explain(fresh.bags);
  int found = 0, positive = 0;
  for (std::size_t b = 0; b < explanations.size(); ++b) {
    const BagExplanation& explanation = explanations[b];
    EXPECT_NEAR(
        std::accumulate(explanation.mean_weight.begin(), explanation.mean_weight.end(), 0.0), 1,
        1e-12);
    if (fresh.witness[b] < 0) continue;
    ++positive;
    const auto best = std::max_element(explanation.effect.begin(), explanation.effect.end());
    found += best - explanation.effect.begin() == fresh.witness[b] ? 1 : 0;
  }
  // By chance one in four would be found.
  EXPECT_GE(found, positive * 7 / 10) << found << " of " << positive;
  const std::string rows = explanations_csv(fresh.bags, explanations, {});
  EXPECT_TRUE(rows.starts_with("bag_id,instance_id,rank,weight,alone,effect\n"));
  EXPECT_TRUE(test::contains(explanations_json(fresh.bags, explanations, {}), "\"effect\""));
  EXPECT_TRUE(test::contains(explanations_text(fresh.bags, explanations, 1), "effect"));
}

}  // namespace
}  // namespace hopfield::mil
