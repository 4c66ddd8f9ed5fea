// The tile kernels of every instruction set this CPU has: what their header promises.

#include "src/kernels/associate/simd_tiles.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "hopfield/kernels/associate.h"

namespace hopfield::internal {
namespace {

template <class T>
class SimdTiles : public testing::Test {
 protected:
  /// Calls check(kernels) for each table that this CPU can run.
  template <class Check>
  static void on_every_target(const Check& check) {
    int count = 0;
    for (const TileKernels<T>& kernels : tile_kernels<T>()) {
      if (!kernels.supported()) continue;
      SCOPED_TRACE(kernels.name);
      check(kernels);
      ++count;
    }
    if (count == 0) GTEST_SKIP() << "this CPU runs the reference only";
  }
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(SimdTiles, Types);

template <class T>
std::vector<T> random_values(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<T> values(count);
  for (T& value : values) value = static_cast<T>(normal(random));
  return values;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

template <class T>
std::vector<T> exp_of(const TileKernels<T>& kernels, std::vector<T> x) {
  while (x.size() % static_cast<std::size_t>(kLogicalLanes<T>) != 0) x.push_back(0);
  kernels.association_row(static_cast<std::int64_t>(x.size()), 0, 1, x.data());
  return x;
}

TYPED_TEST(SimdTiles, ExpErrsByAtMostItsStatedUlp) {
  using T = TypeParam;
  this->on_every_target([](const TileKernels<T>& kernels) {
    const double low = sizeof(T) == 4 ? -87.3 : -708.3, high = sizeof(T) == 4 ? 88.2 : 709.3;
    std::vector<T> x;
    constexpr int kCount = 400000;
    for (int i = 0; i <= kCount; ++i) x.push_back(static_cast<T>(low + (high - low) * i / kCount));
    for (double tiny = 1; tiny > 1e-12; tiny *= 0.9) x.push_back(static_cast<T>(-tiny));
    const std::vector<T> y = exp_of(kernels, x);
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const long double exact = std::exp(static_cast<long double>(x[i]));
      const T nearest = static_cast<T>(exact);
      const T ulp = std::nextafter(nearest, std::numeric_limits<T>::infinity()) - nearest;
      const auto error =
          static_cast<double>(std::fabs(static_cast<long double>(y[i]) - exact) / ulp);
      worst = std::max(worst, error);
    }
    EXPECT_LE(worst, 1.25);  // the bound that kernels/simd.h states
    testing::Test::RecordProperty(std::string("worst_ulp_") + kernels.name, std::to_string(worst));
  });
}

TYPED_TEST(SimdTiles, ExpIsExactAtItsLimits) {
  using T = TypeParam;
  this->on_every_target([](const TileKernels<T>& kernels) {
    constexpr T kInfinity = std::numeric_limits<T>::infinity();
    const T below = sizeof(T) == 4 ? T(-87.4) : T(-708.5);
    const std::vector<T> y = exp_of<T>(
        kernels, {0, T(-0.0), -kInfinity, below, std::numeric_limits<T>::lowest(), kInfinity,
                  std::numeric_limits<T>::max(), std::numeric_limits<T>::quiet_NaN()});
    EXPECT_EQ(y[0], 1);
    EXPECT_EQ(y[1], 1);
    EXPECT_EQ(y[2], 0);
    EXPECT_EQ(y[3], 0);
    EXPECT_EQ(y[4], 0);
    EXPECT_EQ(y[5], kInfinity);
    EXPECT_EQ(y[6], kInfinity);
    EXPECT_TRUE(std::isnan(y[7]));
  });
}

TYPED_TEST(SimdTiles, PackedColumnsHoldEveryElementAndZerosBeside) {
  using T = TypeParam;
  this->on_every_target([](const TileKernels<T>& kernels) {
    for (const std::int64_t rows : {1, 3, 15, 16, 17, 63, 64, 65, 127, 128}) {
      for (const std::int64_t depth : {0, 1, 3, 4, 5, 64, 67, 130}) {
        const std::int64_t stride = depth + 3;
        const auto x = random_values<T>(static_cast<std::size_t>(rows * stride + 1), 7);
        std::vector<T> packed(static_cast<std::size_t>(kTile * depth + 1), T(9));
        kernels.pack_columns(x.data() + 1, dtype_of<T>::value, stride, rows, depth, packed.data());
        int wrong = 0;
        for (std::int64_t s = 0; s < (rows + kernels.lanes - 1) / kernels.lanes * kernels.lanes;
             ++s) {
          const std::int64_t panel = s / kernels.panel * kernels.panel;
          const std::int64_t left =
              (rows - panel + kernels.lanes - 1) / kernels.lanes * kernels.lanes;
          const std::int64_t width = std::min(kernels.panel, left);
          for (std::int64_t k = 0; k < depth; ++k) {
            const T got = packed[static_cast<std::size_t>(panel * depth + k * width + s - panel)];
            const T want = s < rows ? x[static_cast<std::size_t>(1 + s * stride + k)] : T(0);
            wrong += got != want;
          }
        }
        EXPECT_EQ(wrong, 0) << rows << " patterns of depth " << depth;
        EXPECT_EQ(packed.back(), T(9));
      }
    }
  });
}

TYPED_TEST(SimdTiles, AProductDoesNotDependOnTheRowsBesideIt) {
  using T = TypeParam;
  this->on_every_target([](const TileKernels<T>& kernels) {
    constexpr std::int64_t kRows = 13, kDepth = 37;
    const std::int64_t width = 2 * kernels.panel + kernels.lanes;
    const auto a = random_values<T>(kRows * kDepth, 1);
    const auto b = random_values<T>(static_cast<std::size_t>(kDepth * width), 2);
    const auto center = random_values<T>(static_cast<std::size_t>(kRows * width), 3);
    for (const auto product :
         {kernels.accumulate, kernels.accumulate_distance, kernels.accumulate_difference}) {
      Product<T> g;
      g.width = width;
      g.depth = kDepth;
      g.a_row = kDepth;
      g.b = b.data();
      g.b_depth = g.c_row = g.center_row = width;
      std::vector<T> together(static_cast<std::size_t>(kRows * width), T(1)), alone = together;
      g.rows = kRows;
      g.a = a.data();
      g.c = together.data();
      g.center = center.data();
      product(g);
      g.rows = 1;
      for (std::int64_t r = 0; r < kRows; ++r) {
        g.a = a.data() + r * kDepth;
        g.c = alone.data() + r * width;
        g.center = center.data() + r * width;
        product(g);
      }
      EXPECT_TRUE(same_bits(together, alone));
    }
  });
}

TYPED_TEST(SimdTiles, TargetsWithFusedMultiplyAddGiveEqualBits) {
  using T = TypeParam;
  std::vector<std::string> fused;
  for (const std::string& target : associate_targets()) {
    if (target == "AVX2" || target.starts_with("AVX3")) fused.push_back(target);
  }
  if (fused.size() < 2) GTEST_SKIP() << "fewer than two such targets on this CPU";
  constexpr std::int64_t kStates = 11, kStored = 1000, kDepth = 37;
  const auto x = random_values<T>(kStored * kDepth, 4);
  const auto xi = random_values<T>(kStates * kDepth, 5);
  const double beta = 0.3;
  Associations in;
  in.stored = pattern_view(x.data(), kStored, kDepth);
  in.states = pattern_view(xi.data(), kStates, kDepth);
  in.beta = {&beta, 1};
  std::vector<std::vector<T>> results;
  for (const std::string& target : fused) {
    std::vector<T> state(kStates * kDepth), lse(kStates);
    AssociateOutputs<T> out;
    out.state = mutable_view(state.data(), kStates, kDepth);
    out.lse = lse;
    AssociateOptions options;
    options.target = target;
    associate(in, out, options);
    state.insert(state.end(), lse.begin(), lse.end());
    results.push_back(state);
  }
  for (std::size_t i = 1; i < results.size(); ++i) {
    EXPECT_TRUE(same_bits(results[0], results[i])) << fused[0] << " and " << fused[i];
  }
}

}  // namespace
}  // namespace hopfield::internal
