#include "hopfield/theory/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace hopfield::theory {
namespace {

/// The three vectors that the authors of the algorithm publish with it.
TEST(Philox, GivesThePublishedAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

/// The 10,000th number that C++26 prescribes for a default-constructed std::philox4x32.
TEST(Philox, CountsAsTheStandardLibraryWill) {
  RandomStream random(20111115, 0);
  for (int k = 1; k < 10000; ++k) random.bits32();
  EXPECT_EQ(random.bits32(), 1955073260u);
}

TEST(RandomStream, DependsOnSeedAndStreamOnly) {
  const auto draw = [](std::uint64_t seed, std::uint64_t stream) {
    RandomStream random(seed, stream);
    std::vector<std::uint64_t> numbers;
    for (int k = 0; k < 9; ++k) numbers.push_back(random.bits64());
    return numbers;
  };
  EXPECT_EQ(draw(1, 2), draw(1, 2));
  EXPECT_NE(draw(1, 2), draw(2, 1));
  EXPECT_NE(draw(1, 2), draw(1, 3));
  // The upper halves count, too.
  EXPECT_NE(draw(1, 2), draw(1 + (std::uint64_t{1} << 32), 2));
  EXPECT_NE(draw(1, 2), draw(1, 2 + (std::uint64_t{1} << 32)));
}

TEST(RandomStream, HasTheMomentsOfItsDistributions) {
  RandomStream random(7, 0);
  constexpr int kCount = 40000;
  double uniform = 0, square = 0, fourth = 0, sign = 0;
  std::vector<int> seen(6, 0);
  for (int k = 0; k < kCount; ++k) {
    uniform += random.uniform() / kCount;
    const double x = random.normal();
    square += x * x / kCount;
    fourth += x * x * x * x / kCount;
    sign += random.sign() / double{kCount};
    ++seen[random.below(6)];
  }
  // Four standard errors each: sqrt(1/12), sqrt(2), sqrt(96), 1, sqrt(5/36) over sqrt(count) = 200.
  EXPECT_NEAR(uniform, 0.5, 4 * 0.2887 / 200);
  EXPECT_NEAR(square, 1, 4 * 1.4143 / 200);
  EXPECT_NEAR(fourth, 3, 4 * 9.798 / 200);
  EXPECT_NEAR(sign, 0, 4.0 / 200);
  for (const int count : seen) EXPECT_NEAR(count / double{kCount}, 1.0 / 6, 4 * 0.3727 / 200);
}

TEST(RandomStream, ShufflesWithoutLosingAnything) {
  RandomStream random(3, 0);
  std::vector<std::int32_t> order(100);
  for (int i = 0; i < 100; ++i) order[static_cast<std::size_t>(i)] = i;
  std::vector<std::int32_t> shuffled = order;
  random.shuffle(shuffled);
  EXPECT_NE(shuffled, order);
  std::sort(shuffled.begin(), shuffled.end());
  EXPECT_EQ(shuffled, order);
}

TEST(RandomStream, PointsOfASphereHaveItsRadius) {
  RandomStream random(3, 0);
  for (const std::int64_t depth : {1, 2, 20}) {
    double square = 0;
    for (const double x : random.on_sphere(depth, 2.5)) square += x * x;
    EXPECT_NEAR(square, 6.25, 1e-13);  // a few roundings of numbers of that size
  }
}

}  // namespace
}  // namespace hopfield::theory
