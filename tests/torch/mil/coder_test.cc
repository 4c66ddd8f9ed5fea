#include "hopfield/apps/mil/coder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

#include "tests/torch/mil/toy.h"
#include "tests/unit/store/temp_folder.h"

namespace hopfield::mil {
namespace {

using test::make_toy;

/// One bag an instance: values [n] of one feature.
Bags one_feature(const std::vector<float>& values) {
  Bags bags;
  bags.num_features = 1;
  bags.values = values;
  bags.offsets = {0};
  for (std::size_t i = 0; i < values.size(); ++i) {
    bags.offsets.push_back(static_cast<std::int64_t>(i) + 1);
    bags.bag_ids.push_back(std::to_string(i));
    bags.instance_ids.emplace_back("1");
  }
  bags.feature_names = {"x"};
  return bags;
}

std::vector<std::int64_t> all_of(const Bags& bags) {
  std::vector<std::int64_t> out(bags.bag_ids.size());
  std::iota(out.begin(), out.end(), std::int64_t{0});
  return out;
}

TEST(InputCode, RanksAreMidRanksAndLinearBetween) {
  const Bags bags = one_feature({4, 1, 2, 2});
  const InputCoder coder = InputCoder::fit(bags, all_of(bags), InputCode::kRank, 1);
  const auto rank = [&](float x) {
    return coder.apply(std::vector<float>{x})[0] / std::sqrt(12.0f) + 0.5f;
  };
  // #smaller + #smaller or equal, over 2 n = 8.
  EXPECT_NEAR(rank(1), 1.0 / 8, 1e-6);
  EXPECT_NEAR(rank(2), 4.0 / 8, 1e-6);
  EXPECT_NEAR(rank(4), 7.0 / 8, 1e-6);
  EXPECT_NEAR(rank(3), 5.5 / 8, 1e-6);
  EXPECT_NEAR(rank(-1e30f), 1.0 / 8, 1e-6);
  EXPECT_NEAR(rank(1e30f), 7.0 / 8, 1e-6);
}

TEST(InputCode, AColumnIsCodedAsIfItWereAlone) {
  // More columns than one pass over the values gathers.
  const Bags bags = make_toy(6, /*seed=*/2, /*num_features=*/130).bags;
  for (const InputCode code : {InputCode::kRank, InputCode::kZ}) {
    const InputCoder all = InputCoder::fit(bags, all_of(bags), code, 1);
    const std::vector<float> coded = all.apply(bags.values);
    for (const std::size_t column : {0u, 63u, 64u, 127u, 128u, 129u}) {
      std::vector<float> values;
      for (std::size_t at = column; at < bags.values.size(); at += 130) {
        values.push_back(bags.values[at]);
      }
      const Bags one = one_feature(values);
      const std::vector<float> alone = InputCoder::fit(one, all_of(one), code, 1).apply(one.values);
      for (std::size_t i = 0; i < values.size(); ++i) {
        EXPECT_EQ(coded[i * 130 + column], alone[i]) << column;
      }
    }
  }
}

TEST(InputCode, RanksOfManyValuesStayNearTheirOwn) {
  std::vector<float> values;
  for (int i = 0; i < 5000; ++i) values.push_back(static_cast<float>(std::sin(i * 12.9898) * i));
  const Bags bags = one_feature(values);
  const InputCoder coder = InputCoder::fit(bags, all_of(bags), InputCode::kRank, 1);
  EXPECT_LE(coder.state().knots.size(), 1025u);
  std::vector<float> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  const std::vector<float> coded = coder.apply(sorted);
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const double rank = coded[i] / std::sqrt(12.0) + 0.5;
    EXPECT_NEAR(rank, (static_cast<double>(i) + 0.5) / 5000, 2.0 / 1023) << i;
  }
}

TEST(InputCode, ThermometerLevelsAddUpToTheRank) {
  const Bags bags = one_feature({0, 1, 2, 3, 4, 5, 6, 7});
  const InputCoder rank = InputCoder::fit(bags, all_of(bags), InputCode::kRank, 1);
  const InputCoder thermometer = InputCoder::fit(bags, all_of(bags), InputCode::kThermometer, 4);
  ASSERT_EQ(thermometer.num_coded(), 4);
  const auto u = [&](float x) {
    return rank.apply(std::vector<float>{x})[0] / std::sqrt(12.0f) + 0.5f;
  };
  const auto total = [&](float x) {
    const std::vector<float> code = thermometer.apply(std::vector<float>{x});
    return std::accumulate(code.begin(), code.end(), 0.0f) / 2.5f;
  };
  for (const float x : {0.5f, 3.0f, 6.2f})
    EXPECT_NEAR(total(x) - total(0), 4 * (u(x) - u(0)), 1e-5);
  // Centred over the training instances.
  std::vector<double> sums(4, 0.0);
  const std::vector<float> coded = thermometer.apply(bags.values);
  for (std::size_t i = 0; i < coded.size(); ++i) sums[i % 4] += coded[i];
  for (const double sum : sums) EXPECT_NEAR(sum, 0, 1e-5);
}

TEST(InputCode, ZHasMeanZeroAndDeviationOneAndClips) {
  const Bags bags = make_toy(30).bags;
  const std::vector<float> coded =
      InputCoder::fit(bags, all_of(bags), InputCode::kZ, 1).apply(bags.values);
  for (std::size_t f = 0; f < 4; ++f) {
    double sum = 0, squares = 0;
    const auto n = static_cast<double>(bags.num_instances());
    for (std::size_t i = f; i < coded.size(); i += 4) {
      sum += coded[i];
      squares += coded[i] * coded[i];
    }
    EXPECT_NEAR(sum / n, 0, 1e-5);
    EXPECT_NEAR(squares / n, 1, 1e-5);
  }
  const Bags outlier = one_feature(std::vector<float>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100});
  const auto clipped = InputCoder::fit(outlier, all_of(outlier), InputCode::kClippedZ, 1);
  EXPECT_EQ(clipped.apply(std::vector<float>{100})[0], 3);
  EXPECT_EQ(clipped.apply(std::vector<float>{-1e30f})[0], -3);
}

TEST(InputCode, SeesTheTrainingBagsOnly) {
  for (const InputCode code :
       {InputCode::kZ, InputCode::kClippedZ, InputCode::kRank, InputCode::kThermometer}) {
    Bags bags = make_toy(20).bags;
    const std::vector<std::int64_t> training = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    const InputCoder before = InputCoder::fit(bags, training, code, 4);
    const auto first_other = static_cast<std::size_t>(bags.offsets[10] * bags.num_features);
    for (std::size_t i = first_other; i < bags.values.size(); ++i) bags.values[i] = 1e6f;
    const InputCoder after = InputCoder::fit(bags, training, code, 4);
    const std::vector<float> probe = {0.1f, -2.0f, 0.7f, 0.0f};
    EXPECT_EQ(before.apply(probe), after.apply(probe)) << static_cast<int>(code);
  }
}

TEST(InputCode, DropsConstantColumnsAndRefusesNothingElse) {
  Bags bags = make_toy(10).bags;
  for (std::size_t i = 2; i < bags.values.size(); i += 4) bags.values[i] = 7;
  EXPECT_EQ(InputCoder::fit(bags, all_of(bags), InputCode::kRank, 1).num_coded(), 3);
  EXPECT_EQ(InputCoder::fit(bags, all_of(bags), InputCode::kNone, 1).num_coded(), 4);
  for (float& value : bags.values) value = 7;
  EXPECT_ERROR(InputCoder::fit(bags, all_of(bags), InputCode::kRank, 1), kCorruptData, "constant");
}

TEST(InputCode, StateGivesTheSameCoderAndContradictionsAreRefused) {
  const Bags bags = make_toy(12).bags;
  for (const InputCode code : {InputCode::kNone, InputCode::kZ, InputCode::kThermometer}) {
    const InputCoder coder = InputCoder::fit(bags, all_of(bags), code, 3);
    EXPECT_EQ(InputCoder::from_state(coder.state()).apply(bags.values), coder.apply(bags.values));
  }
  const InputCoder::State good =
      InputCoder::fit(bags, all_of(bags), InputCode::kThermometer, 3).state();
  const auto refuse = [&](const auto& damage) {
    InputCoder::State state = good;
    damage(state);
    EXPECT_ERROR(InputCoder::from_state(state), kCorruptData, "contradicting");
  };
  refuse([](auto& s) { s.kept[0] = 99; });
  refuse([](auto& s) { s.kept[1] = s.kept[0]; });
  refuse([](auto& s) { s.knot_offsets[1] = -1; });
  refuse([](auto& s) { s.knot_offsets[1] = 1 << 20; });
  refuse([](auto& s) { s.ranks.pop_back(); });
  refuse([](auto& s) { s.shift.pop_back(); });
  refuse([](auto& s) { s.levels = 0; });
  refuse([](auto& s) { s.code = 9; });
}

}  // namespace
}  // namespace hopfield::mil
