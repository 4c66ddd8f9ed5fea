// Edges of `associate` and of the partial states, on every target.

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "hopfield/base/error.h"
#include "support/simple_associate.h"

namespace hopfield::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kNan = std::numeric_limits<double>::quiet_NaN();

class Associate : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Targets, Associate, ::testing::ValuesIn(associate_targets()),
                         [](const auto& tested) { return tested.param; });

template <class T>
Memory<T> small() {
  Memory<T> m;
  m.depth = 2;
  m.stored = {1, 0, 0, 1, -1, -1};
  m.states = {2, 1, 0, -3};
  return m;
}

TEST(AssociateTargets, EndWithTheReference) {
  const auto targets = associate_targets();
  ASSERT_FALSE(targets.empty());
  EXPECT_EQ(targets.back(), "reference");
}

template <class T>
void expect_served_by(const std::string& target) {
  const Memory<T> m = small<T>();
  const Associations in = m.view();
  EXPECT_EQ(associate_all<T>(in, target).served_by, target);

  std::string served;
  AssociateOptions options;
  options.target = target;
  options.served_by = &served;
  associate_partials<T>(in, options);
  EXPECT_EQ(served, target);

  const auto r = associate_all<T>(in, target);
  AssociateSaved<T> saved;
  saved.lse = r.lse;
  AssociateCotangents<T> g;
  g.lse = r.lse;
  std::vector<T> gradient(m.stored.size());
  AssociateGradients<T> d;
  d.stored = mutable_view(gradient.data(), m.num_stored(), m.depth);
  served.clear();
  associate_backward(in, saved, g, d, options);
  EXPECT_EQ(served, target);
}

TEST_P(Associate, ForcedTargetDoesTheWork) {
  expect_served_by<float>(GetParam());
  expect_served_by<double>(GetParam());
}

TEST(AssociateTargets, TheBestOneServesWhenNoneIsForced) {
  EXPECT_EQ(associate_all<float>(small<float>().view()).served_by, associate_targets().front());
}

template <class T>
void expect_empty_row(const Result<T>& r, std::size_t row, std::size_t depth, std::size_t num_top) {
  for (std::size_t k = 0; k < depth; ++k) EXPECT_EQ(r.state[row * depth + k], 0);
  EXPECT_EQ(r.lse[row], -std::numeric_limits<T>::infinity());
  EXPECT_EQ(r.energy[row], std::numeric_limits<T>::infinity());
  EXPECT_EQ(r.entropy[row], 0);
  EXPECT_EQ(r.largest[row], 0);
  EXPECT_EQ(r.largest_index[row], -1);
  EXPECT_EQ(r.metastable_size[row], 0);
  for (std::size_t k = 0; k < num_top; ++k) {
    EXPECT_EQ(r.top[row * num_top + k], 0);
    EXPECT_EQ(r.top_index[row * num_top + k], -1);
  }
}

const Separation kAllSeparations[] = {Separation::kSoftmax, Separation::kSparsemax,
                                      Separation::kEntmax15, Separation::kTopKSoftmax,
                                      Separation::kMax};

TEST_P(Associate, EmptySetGivesZeroNotNan) {
  for (const Separation separation : kAllSeparations) {
    Memory<float> m = small<float>();
    m.stored.clear();
    m.separation = separation;
    m.top_k = 1;
    const auto r = associate_all<float>(m.view(), GetParam(), 2);
    expect_empty_row(r, 0, 2, 2);
    expect_empty_row(r, 1, 2, 2);
  }
}

TEST_P(Associate, FullyMaskedRowGivesZeroNotNan) {
  for (const Separation separation : kAllSeparations) {
    Memory<double> m = small<double>();
    m.separation = separation;
    m.top_k = 1;
    Associations in = m.view();
    const std::vector<std::uint8_t> hidden = {1, 1, 1, 0, 0, 0};  // of two states
    in.hidden = {hidden.data(), 0, 0, 3, 1};
    const auto masked = associate_all<double>(in, GetParam(), 2);
    expect_empty_row(masked, 0, 2, 2);
    EXPECT_TRUE(std::isfinite(masked.lse[1]));

    in = m.view();
    const std::vector<double> bias = {-kInfinity, -kInfinity, -kInfinity, 0, 0, 0};
    in.bias_f64 = {bias.data(), 0, 0, 3, 1};
    const auto biased = associate_all<double>(in, GetParam(), 2);
    expect_empty_row(biased, 0, 2, 2);
    EXPECT_EQ(biased.lse, masked.lse);
    EXPECT_EQ(biased.state, masked.state);
  }
}

TEST_P(Associate, FullyMaskedRowPassesNoGradient) {
  for (const Separation separation : kAllSeparations) {
    Memory<double> m = small<double>();
    m.separation = separation;
    m.top_k = 1;
    m.hidden_stored = {1, 1, 1};
    const Associations in = m.view();
    const auto r = associate_all<double>(in, GetParam());
    AssociateSaved<double> saved;
    saved.state = pattern_view(r.state.data(), 2, 2);
    saved.lse = r.lse;
    saved.entropy = r.entropy;
    const std::vector<double> ones(4, 1), two(2, 1);
    AssociateCotangents<double> g;
    g.state = pattern_view(ones.data(), 2, 2);
    g.lse = g.energy = g.entropy = two;
    std::vector<double> stored(6, kNan), states(4, kNan), beta(1, kNan);
    AssociateGradients<double> d;
    d.stored = mutable_view(stored.data(), 3, 2);
    d.states = mutable_view(states.data(), 2, 2);
    d.beta = beta;
    AssociateOptions options;
    options.target = GetParam();
    associate_backward(in, saved, g, d, options);
    EXPECT_EQ(stored, std::vector<double>(6, 0));
    EXPECT_EQ(states, std::vector<double>(4, 0));
    EXPECT_EQ(beta, std::vector<double>(1, 0));
  }
}

/// Seven states again and again, up to num_states of them.
Memory<float> repeated_states(std::int64_t num_states) {
  Memory<float> m = small<float>();
  m.states.clear();
  for (std::int64_t t = 0; t < num_states; ++t) {
    m.states.push_back(static_cast<float>(t % 7) - 2);
    m.states.push_back(static_cast<float>(t % 7 * (t % 7)) / 16);
  }
  return m;
}

std::vector<float> state_gradient(const Memory<float>& m, const Result<float>& r,
                                  const std::string& target) {
  AssociateSaved<float> saved;
  saved.state = pattern_view(r.state.data(), m.num_states(), m.depth);
  saved.lse = r.lse;
  AssociateCotangents<float> g;
  g.state = pattern_view(m.states.data(), m.num_states(), m.depth);
  std::vector<float> gradient(m.states.size()), stored(m.stored.size());
  AssociateGradients<float> d;
  d.states = mutable_view(gradient.data(), m.num_states(), m.depth);
  d.stored = mutable_view(stored.data(), m.num_stored(), m.depth);
  AssociateOptions options;
  options.target = target;
  associate_backward(m.view(), saved, g, d, options);
  return gradient;
}

// Numbers of states at which groups of them begin to be cut in other ways.
TEST_P(Associate, EachOfAnyNumberOfStatesGetsWhatItGetsAmongFew) {
  const Memory<float> few = repeated_states(7);
  const auto of_few = associate_all<float>(few.view(), GetParam());
  const std::vector<float> gradient_of_few = state_gradient(few, of_few, GetParam());
  for (const std::int64_t count : {95, 96, 97, 101, 190, 191, 192, 193, 197, 289, 388, 580, 4096}) {
    const Memory<float> many = repeated_states(count);
    const auto of_many = associate_all<float>(many.view(), GetParam());
    const std::vector<float> gradient_of_many = state_gradient(many, of_many, GetParam());
    for (std::size_t i = 0; i < of_many.state.size(); ++i) {
      ASSERT_EQ(of_many.state[i], of_few.state[i % 14]) << count << " states, number " << i;
      ASSERT_EQ(gradient_of_many[i], gradient_of_few[i % 14]) << count << " states, number " << i;
    }
    for (std::size_t t = 0; t < of_many.lse.size(); ++t) {
      ASSERT_EQ(of_many.lse[t], of_few.lse[t % 7]) << count << " states";
    }
  }
}

TEST_P(Associate, NanStaysInTheRowsThatSeeIt) {
  for (const Separation separation : kAllSeparations) {
    Memory<float> m = small<float>();
    m.separation = separation;
    m.top_k = 2;
    const auto clean = associate_all<float>(m.view(), GetParam(), 2);

    Memory<float> state_nan = m;
    state_nan.states[0] = std::numeric_limits<float>::quiet_NaN();
    const auto r = associate_all<float>(state_nan.view(), GetParam(), 2);
    EXPECT_TRUE(std::isnan(r.lse[0]));
    EXPECT_TRUE(std::isnan(r.state[0]));
    EXPECT_TRUE(std::isnan(r.state[1]));
    EXPECT_TRUE(std::isnan(r.energy[0]));
    EXPECT_TRUE(std::isnan(r.entropy[0]));
    EXPECT_TRUE(std::isnan(r.largest[0]));
    EXPECT_EQ(r.largest_index[0], -1);
    EXPECT_EQ(r.metastable_size[0], 0);
    EXPECT_EQ(r.lse[1], clean.lse[1]);
    EXPECT_EQ(r.state[2], clean.state[2]);
    EXPECT_EQ(r.state[3], clean.state[3]);
    EXPECT_EQ(r.top_index[2], clean.top_index[2]);

    // A pattern that the second state does not see.
    Memory<float> stored_nan = m;
    stored_nan.stored[2] = std::numeric_limits<float>::quiet_NaN();
    Associations in = stored_nan.view();
    const std::vector<std::uint8_t> hidden = {0, 0, 0, 0, 1, 0};
    in.hidden = {hidden.data(), 0, 0, 3, 1};
    const auto seen = associate_all<float>(in, GetParam());
    EXPECT_TRUE(std::isnan(seen.lse[0]));
    EXPECT_TRUE(std::isfinite(seen.lse[1]));
    EXPECT_TRUE(std::isfinite(seen.state[2]));
    EXPECT_TRUE(std::isfinite(seen.energy[1]));
  }
}

TEST_P(Associate, LargeScoresNeitherOverflowNorVanish) {
  Memory<float> m = small<float>();
  m.beta = {1e6};
  const auto r = associate_all<float>(m.view(), GetParam());
  EXPECT_EQ(r.lse[0], 2e6f);
  EXPECT_EQ(r.state[0], 1);
  EXPECT_EQ(r.state[1], 0);
  EXPECT_EQ(r.entropy[0], 0);
  EXPECT_EQ(r.largest[0], 1);
}

TEST_P(Associate, OfEqualScoresTheFirstWins) {
  for (const std::int64_t block : {1, 2, 4096}) {
    Memory<float> m;
    m.depth = 1;
    m.stored = {1, 3, 2, 3, 3, 2};
    m.states = {1};
    const auto soft = associate_all<float>(m.view(), GetParam(), 5, 0.9, block);
    EXPECT_EQ(soft.largest_index[0], 1);
    EXPECT_EQ(soft.top_index, (std::vector<std::int64_t>{1, 3, 4, 2, 5}));
    m.separation = Separation::kMax;
    const auto max = associate_all<float>(m.view(), GetParam(), 0, 0.9, block);
    EXPECT_EQ(max.association, (std::vector<float>{0, 1, 0, 0, 0, 0}));
    m.separation = Separation::kTopKSoftmax;
    m.top_k = 2;
    const auto top = associate_all<float>(m.view(), GetParam(), 0, 0.9, block);
    EXPECT_EQ(top.association, (std::vector<float>{0, 0.5, 0, 0.5, 0, 0}));
    m.top_k = 4;
    EXPECT_GT(associate_all<float>(m.view(), GetParam()).association[2], 0);
    EXPECT_EQ(associate_all<float>(m.view(), GetParam()).association[5], 0);
  }
}

TEST_P(Associate, DepthZeroIsTheMean) {
  Associations in;
  const std::vector<double> projections = {1, 2, 6}, beta = {1};
  in.stored = {nullptr, DType::kF64, 3, 1, 0, 0, 0};
  in.states = {nullptr, DType::kF64, 2, 1, 0, 0, 0};
  in.projections = pattern_view(projections.data(), 3, 1);
  in.beta = beta;
  const auto r = associate_all<double>(in, GetParam());
  EXPECT_NEAR(r.state[0], 3, 1e-15);
  EXPECT_NEAR(r.state[1], 3, 1e-15);
  EXPECT_NEAR(r.lse[0], std::log(3), 1e-15);
  EXPECT_EQ(r.metastable_size[0], 3);
}

TEST_P(Associate, MetastableSizeCountsTheFewestThatHoldTheMass) {
  Memory<double> m;
  m.depth = 1;
  // Associations 0.5, 0.25, 0.125, 0.125.
  m.stored = {std::log(2), std::log(4), std::log(1), std::log(1)};
  m.states = {1};
  const auto size = [&](double mass) {
    return associate_all<double>(m.view(), GetParam(), 0, mass).metastable_size[0];
  };
  EXPECT_EQ(size(1e-9), 1);
  EXPECT_EQ(size(0.49), 1);
  EXPECT_EQ(size(0.51), 2);
  EXPECT_EQ(size(0.74), 2);
  EXPECT_EQ(size(0.76), 3);
  EXPECT_EQ(size(0.9), 4);
  EXPECT_EQ(size(1), 4);
}

TEST_P(Associate, MoreTopsThanPatternsAreFilledWithNothing) {
  const Memory<double> m = small<double>();
  const auto r = associate_all<double>(m.view(), GetParam(), 5);
  EXPECT_EQ(r.top_index[3], -1);
  EXPECT_EQ(r.top_index[4], -1);
  EXPECT_EQ(r.top[4], 0);
  EXPECT_NEAR(r.top[0] + r.top[1] + r.top[2], 1, 1e-15);
}

TEST_P(Associate, EmptyBagsAndSharedStates) {
  Memory<double> m = small<double>();
  Associations in = m.view();
  const std::vector<std::int64_t> offsets = {0, 0, 3, 3};
  in.stored_offsets = offsets;
  const auto r = associate_all<double>(in, GetParam());
  ASSERT_EQ(r.lse.size(), 6u);  // 3 bags x 2 states
  const auto alone = associate_all<double>(m.view(), GetParam());
  EXPECT_EQ(r.lse[0], -kInfinity);
  EXPECT_EQ(r.lse[1], -kInfinity);
  EXPECT_EQ(r.lse[2], alone.lse[0]);
  EXPECT_EQ(r.lse[3], alone.lse[1]);
  EXPECT_EQ(r.lse[4], -kInfinity);
  EXPECT_EQ(r.state[4], alone.state[0]);
}

TEST_P(Associate, NoBagsAtAll) {
  Memory<double> m = small<double>();
  m.stored.clear();
  Associations in = m.view();
  const std::vector<std::int64_t> none = {0};
  in.stored_offsets = none;
  EXPECT_TRUE(associate_all<double>(in, GetParam()).lse.empty());
}

TEST_P(Associate, ProjectionsOfAnEmptySetKeepTheirDepth) {
  Memory<double> m = small<double>();
  m.stored.clear();
  Associations in = m.view();
  in.projections = {nullptr, DType::kF64, 0, 1, 5, 5, 5};
  EXPECT_FALSE(validate(in, "test").tied);
  const auto r = associate_all<double>(in, GetParam());
  EXPECT_EQ(r.state, std::vector<double>(10, 0));
}

template <class T>
Partials<T> partials_of(const Memory<T>& m, const std::string& target) {
  AssociateOptions options;
  options.target = target;
  const auto blocks = associate_partials<T>(m.view(), options);
  EXPECT_EQ(blocks.size(), 1u);
  return blocks[0];
}

TEST_P(Associate, PartialsHoldWhatTheirNamesSay) {
  Memory<double> m;
  m.depth = 2;
  m.stored = {1, 0, 0, 2, 1, 0};
  m.states = {std::log(4), 0};
  m.hidden_stored = {0, 0, 0};
  AssociateOptions options;
  options.target = GetParam();
  options.block_size = 2;
  const auto blocks = associate_partials<double>(m.view(), options, 10);
  ASSERT_EQ(blocks.size(), 2u);
  EXPECT_EQ(blocks[0].max[0], std::log(4));
  EXPECT_NEAR(blocks[0].sum[0], 1.25, 1e-15);
  EXPECT_NEAR(blocks[0].acc[0], 1, 1e-15);
  EXPECT_NEAR(blocks[0].acc[1], 0.5, 1e-15);
  EXPECT_NEAR(blocks[0].moment[0], -0.25 * std::log(4), 1e-15);
  EXPECT_EQ(blocks[0].max_square_norm[0], 4);
  EXPECT_EQ(blocks[0].visible[0], 2);
  EXPECT_EQ(blocks[0].largest_index[0], 10);
  EXPECT_EQ(blocks[1].visible[0], 1);
  EXPECT_EQ(blocks[1].largest_index[0], 12);
}

TEST_P(Associate, NoStoredPatternsGiveOnePartialThatSawNothing) {
  Memory<float> m = small<float>();
  const auto full = partials_of(m, GetParam());
  m.stored.clear();
  const auto empty = partials_of(m, GetParam());
  EXPECT_EQ(empty.visible, (std::vector<std::int64_t>{0, 0}));
  EXPECT_EQ(empty.max[0], -std::numeric_limits<float>::infinity());

  // On either side it changes no bit.
  auto left = empty, right = full;
  merge(left, full);
  merge(right, empty);
  EXPECT_EQ(left.acc, full.acc);
  EXPECT_EQ(left.sum, full.sum);
  EXPECT_EQ(right.acc, full.acc);
  EXPECT_EQ(right.moment, full.moment);
}

TEST_P(Associate, MergingIsAssociativeUpToRounding) {
  std::vector<Partials<double>> parts;
  for (int i = 0; i < 3; ++i) {
    Memory<double> m = small<double>();
    for (double& x : m.stored) x += 0.7 * i;
    parts.push_back(partials_of(m, GetParam()));
  }
  auto left = parts[0];
  merge(left, parts[1]);
  merge(left, parts[2]);
  auto right = parts[1];
  merge(right, parts[2]);
  auto all = parts[0];
  merge(all, right);
  for (std::size_t i = 0; i < left.sum.size(); ++i) {
    EXPECT_EQ(left.max[i], all.max[i]);
    EXPECT_NEAR(left.sum[i], all.sum[i], 1e-14 * left.sum[i]);
    EXPECT_NEAR(left.moment[i], all.moment[i], 1e-13);
    EXPECT_EQ(left.visible[i], 9);
  }
}

}  // namespace
}  // namespace hopfield::test
