// The tile kernels of every instruction set this CPU has: what their header promises.

#include "src/kernels/associate/simd_tiles.h"

#include <gtest/gtest.h>

#include <algorithm>
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
    for (const std::int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 11, 15, 16, 17, 23, 63, 65, 127, 128}) {
      for (const std::int64_t depth : {0, 1, 3, 4, 5, 64, 67, 130}) {
        const std::int64_t stride = depth + 3;
        // Ends with the last pattern: a sanitizer sees reads beyond it.
        const auto x = random_values<T>(static_cast<std::size_t>(rows * stride - 3 + 1), 7);
        std::vector<T> packed(static_cast<std::size_t>(kTile * depth + 1), T(9));
        kernels.pack_columns(x.data() + 1, dtype_of<T>::value, nullptr, stride, rows, depth,
                             packed.data());
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

/// c of few rows, then the patterns' square norms; patterns by way of packed columns.
template <class T>
std::vector<T> packed_products(const TileKernels<T>& kernels, const FewRowsProduct<T>& few,
                               bool distances) {
  const std::int64_t width = (few.count + kernels.lanes - 1) / kernels.lanes * kernels.lanes;
  std::vector<T> columns(static_cast<std::size_t>(few.count * few.depth + kTile * few.depth));
  kernels.pack_columns(few.from, few.dtype, nullptr, few.row_stride, few.count, few.depth,
                       columns.data());
  std::vector<T> c(static_cast<std::size_t>((few.rows + 1) * width));
  for (std::int64_t panel = 0; panel < width; panel += kernels.panel) {
    Product<T> g;
    g.rows = few.rows;
    g.width = g.b_depth = std::min(kernels.panel, width - panel);
    g.depth = few.depth;
    g.a = few.a;
    g.a_row = few.a_row;
    g.b = columns.data() + panel * few.depth;
    g.c = c.data() + panel;
    g.c_row = width;
    g.fresh = true;
    (distances ? kernels.accumulate_distance : kernels.accumulate)(g);
  }
  kernels.square_norms(columns.data(), few.count, few.depth, c.data() + few.rows * width);
  return c;
}

TYPED_TEST(SimdTiles, FewRowsMeetPatternsAsTheyLieWithTheBitsOfPackedColumns) {
  using T = TypeParam;
  this->on_every_target([](const TileKernels<T>& kernels) {
    const auto a = random_values<T>(4 * 67, 1);
    for (const std::int64_t count : {1, 2, 3, 4, 5, 6, 7, 8, 11, 15, 16, 17, 23, 40}) {
      for (const std::int64_t depth : {1, 3, 4, 5, 64, 67}) {
        for (const std::int64_t gap : {0, 3}) {
          const std::int64_t stride = depth + gap;
          const auto x = random_values<T>(static_cast<std::size_t>(count * stride - gap), 2);
          FewRowsProduct<T> few;
          few.rows = 1 + count % FewRowsProduct<T>::kMostRows;
          few.depth = few.a_row = depth;
          few.a = a.data();
          few.from = x.data();
          few.dtype = dtype_of<T>::value;
          few.row_stride = stride;
          few.count = count;
          few.c_row = (count + kernels.lanes - 1) / kernels.lanes * kernels.lanes;
          for (const bool distances : {false, true}) {
            const auto product = distances ? kernels.few_distances : kernels.few_products;
            std::vector<T> with_norms(static_cast<std::size_t>((few.rows + 1) * few.c_row), T(9));
            std::vector<T> alone = with_norms;
            few.c = with_norms.data();
            few.norms = with_norms.data() + few.rows * few.c_row;
            product(few);
            const std::vector<T> packed = packed_products(kernels, few, distances);
            int wrong = 0;
            for (std::int64_t i = 0; i < (few.rows + 1) * few.c_row; ++i) {
              const auto at = static_cast<std::size_t>(i);
              wrong += i % few.c_row < count && with_norms[at] != packed[at];
            }
            EXPECT_EQ(wrong, 0) << count << " of depth " << depth;
            few.c = alone.data();
            few.norms = nullptr;
            product(few);
            alone.resize(static_cast<std::size_t>(few.rows * few.c_row));
            with_norms.resize(alone.size());
            EXPECT_TRUE(same_bits(with_norms, alone)) << count << " of depth " << depth;
          }
        }
      }
    }
  });
}

std::vector<std::string> targets_with_fused_multiply_add() {
  std::vector<std::string> fused;
  for (const std::string& target : associate_targets()) {
    if (target == "AVX2" || target.starts_with("AVX3")) fused.push_back(target);
  }
  return fused;
}

TYPED_TEST(SimdTiles, TargetsWithFusedMultiplyAddGiveEqualBits) {
  using T = TypeParam;
  const std::vector<std::string> fused = targets_with_fused_multiply_add();
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

std::vector<BF16> random_bf16(std::size_t count, std::uint64_t seed) {
  std::vector<BF16> values;
  for (const float x : random_values<float>(count, seed)) values.push_back(to_bf16(x));
  return values;
}

TEST(SimdTilesOfBf16, WideningOperandsAsTheyAreReadGivesTheSameBits) {
  for (const TileKernels<float>& kernels : tile_kernels<float>()) {
    if (!kernels.supported()) continue;
    SCOPED_TRACE(kernels.name);
    constexpr std::int64_t kRows = 7, kDepth = 37;
    const std::int64_t width = 2 * kernels.panel + kernels.lanes;
    const auto a = random_values<float>(kRows * kDepth, 1);
    const auto narrow = random_bf16(static_cast<std::size_t>(kDepth * width), 2);
    std::vector<float> wide;
    for (const BF16 x : narrow) wide.push_back(to_f32(x));
    Product<float> g;
    g.rows = kRows;
    g.width = g.b_depth = g.c_row = width;
    g.depth = g.a_row = kDepth;
    g.a = a.data();
    g.b = wide.data();
    g.b_bf16 = narrow.data();
    std::vector<float> from_wide(static_cast<std::size_t>(kRows * width), 1.0f);
    std::vector<float> from_narrow = from_wide;
    g.c = from_wide.data();
    kernels.accumulate(g);
    g.c = from_narrow.data();
    kernels.accumulate_bf16(g);
    EXPECT_TRUE(same_bits(from_wide, from_narrow));
  }
}

/// States and patterns in bf16, as the caller of `associate` gives them.
struct Bf16Problem {
  std::int64_t num_stored, num_states, depth, row_stride;
  Similarity similarity;

  /// State, lse and energy of every row. Every third state is no bf16 number in its last component.
  std::vector<float> run(const std::string& target, std::int64_t first_state,
                         std::int64_t state_count) const {
    const auto x = random_bf16(static_cast<std::size_t>(num_stored * row_stride), 4);
    std::vector<float> xi;
    for (const BF16 value : random_bf16(static_cast<std::size_t>(num_states * depth), 5)) {
      xi.push_back(to_f32(value));
    }
    for (std::int64_t t = 2; t < num_states; t += 3) {
      xi[static_cast<std::size_t>((t + 1) * depth - 1)] = 0.1f;
    }
    const double beta = 0.3;
    Associations in;
    in.stored = pattern_view(x.data(), num_stored, depth);
    in.stored.row_stride = row_stride;
    in.states = pattern_view(xi.data() + first_state * depth, state_count, depth);
    in.beta = {&beta, 1};
    in.similarity = similarity;
    const auto rows = static_cast<std::size_t>(state_count);
    std::vector<float> state(rows * static_cast<std::size_t>(depth)), lse(rows), energy(rows);
    AssociateOutputs<float> out;
    out.state = mutable_view(state.data(), state_count, depth);
    out.lse = lse;
    if (similarity == Similarity::kDot) out.energy = energy;
    AssociateOptions options;
    options.target = target;
    associate(in, out, options);
    state.insert(state.end(), lse.begin(), lse.end());
    state.insert(state.end(), energy.begin(), energy.end());
    return state;
  }
};

std::vector<Bf16Problem> bf16_problems() {
  std::vector<Bf16Problem> all;
  for (const Similarity similarity : {Similarity::kDot, Similarity::kCosine}) {
    for (const std::int64_t states : {1, 4, 11}) {
      for (const std::int64_t depth : {1, 37, 64, 1100}) {  // 1100: in two pieces
        for (const std::int64_t gap : {0, 1, 2}) {
          all.push_back({131, states, depth, depth + gap, similarity});
        }
      }
    }
  }
  return all;
}

TEST(SimdTilesOfBf16, TargetsWithFusedMultiplyAddGiveEqualBits) {
  const std::vector<std::string> fused = targets_with_fused_multiply_add();
  if (fused.size() < 2) GTEST_SKIP() << "fewer than two such targets on this CPU";
  for (const Bf16Problem& problem : bf16_problems()) {
    const auto first = problem.run(fused[0], 0, problem.num_states);
    for (std::size_t i = 1; i < fused.size(); ++i) {
      EXPECT_TRUE(same_bits(first, problem.run(fused[i], 0, problem.num_states)))
          << fused[0] << " and " << fused[i] << ", depth " << problem.depth << ", stride "
          << problem.row_stride << ", states " << problem.num_states;
    }
  }
}

/// lse of one state, all of whose components are `state`, and one pattern of `pattern`: their
/// similarity.
float similarity_of(const std::string& target, float pattern, float state,
                    std::int64_t num_states) {
  constexpr std::int64_t kDepth = 4;
  const std::vector<BF16> x(kDepth, to_bf16(pattern));
  const std::vector<float> xi(static_cast<std::size_t>(num_states * kDepth), state);
  const double beta = 1;
  Associations in;
  in.stored = pattern_view(x.data(), 1, kDepth);
  in.states = pattern_view(xi.data(), num_states, kDepth);
  in.beta = {&beta, 1};
  std::vector<float> lse(static_cast<std::size_t>(num_states));
  AssociateOutputs<float> out;
  out.lse = lse;
  AssociateOptions options;
  options.target = target;
  associate(in, out, options);
  return lse.back();
}

TEST(SimdTilesOfBf16, ThePairsInstructionRunsAndTakesSubnormalNumbersForZero) {
  const std::vector<std::string> targets = associate_targets();
  if (std::find(targets.begin(), targets.end(), kPairsName) == targets.end()) {
    GTEST_SKIP() << "this CPU multiplies no pairs of bf16";
  }
  for (const std::int64_t states : {1, 9}) {
    EXPECT_EQ(similarity_of(kPairsName, 0x1p-130f, 1.0f, states), 0.0f);
    EXPECT_EQ(similarity_of("AVX3", 0x1p-130f, 1.0f, states), 0x1p-128f);
  }
}

TEST(SimdTilesOfBf16, AStateThatMakesSubnormalPatternsMatterIsMultipliedInF32) {
  for (const std::string& target : associate_targets()) {
    for (const std::int64_t states : {1, 9}) {
      EXPECT_EQ(similarity_of(target, 0x1p-130f, 0x1p+120f, states), 0x1p-8f) << target;
      EXPECT_EQ(similarity_of(target, 0x1p+120f, 0x1p-130f, states), 0x1p-8f) << target;
    }
  }
}

TEST(SimdTilesOfBf16, InfinityAndNanInPatternsStay) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const std::string& target : associate_targets()) {
    for (const std::int64_t states : {1, 9}) {
      EXPECT_TRUE(std::isnan(similarity_of(target, std::nanf(""), 1.0f, states))) << target;
      EXPECT_TRUE(std::isnan(similarity_of(target, kInfinity, 0.0f, states))) << target;
    }
  }
}

}  // namespace
}  // namespace hopfield::internal
