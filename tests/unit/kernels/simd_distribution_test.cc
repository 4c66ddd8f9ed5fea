// Largest associations and metastable sizes of softmax rows: the fast ways against the plain ones.

#include "kernels/associate/simd_distribution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "hopfield/base/executor.h"
#include "hopfield/kernels/associate.h"
#include "kernels/associate/separation.h"

namespace hopfield::internal {
namespace {

template <class T>
void expect_sorted_cover(std::size_t count, double spread) {
  std::mt19937_64 random(count);
  std::normal_distribution<double> normal(0, spread);
  std::vector<T> scores(count);
  for (T& score : scores) score = static_cast<T>(normal(random));
  const T max = *std::max_element(scores.begin(), scores.end());
  for (const TileKernels<T>& kernels : tile_kernels<T>()) {
    if (!kernels.supported()) continue;
    for (const double mass : {0.3, 0.9}) {
      std::vector<T> left = scores, again = scores;
      const std::int64_t size =
          fewest_weights<T>(kernels, serial_executor(), left, max, mass);  // leaves the weights
      std::vector<double> weights(left.begin(), left.end());
      // Equal: sums in double of random weights of T are at no boundary.
      EXPECT_EQ(size, smallest_cover(weights, mass))
          << kernels.name << ", " << count << " scores of spread " << spread << ", mass " << mass;
      EXPECT_EQ(size, fewest_weights<T>(kernels, *make_executor(3), again, max, mass));
    }
  }
}

TEST(FewestWeights, AreThoseThatSortingFinds) {
  for (const std::size_t count : {1u, 2u, 127u, 40001u}) {
    for (const double spread : {1e-3, 1.0, 20.0}) {
      expect_sorted_cover<float>(count, spread);
      expect_sorted_cover<double>(count, spread);
    }
  }
}

TEST(FewestWeights, OfEqualOnesAreTheShareOfTheMass) {
  for (const TileKernels<float>& kernels : tile_kernels<float>()) {
    if (!kernels.supported()) continue;
    std::vector<float> scores(40000, 3.0f);
    EXPECT_EQ(fewest_weights<float>(kernels, serial_executor(), scores, 3.0f, 0.75), 30000);
    scores.assign(40000, 3.0f);
    EXPECT_EQ(fewest_weights<float>(kernels, serial_executor(), scores, 3.0f, 1.0), 40000);
    scores.back() = 4000.0f;  // the others vanish
    EXPECT_EQ(fewest_weights<float>(kernels, serial_executor(), scores, 4000.0f, 1.0), 1);
  }
}

struct Told {
  std::vector<float> energy, top;
  std::vector<std::int64_t> top_index, size;
  bool operator==(const Told&) const = default;
};

Told tell(const Associations& in) {
  const auto rows = static_cast<std::size_t>(in.states.rows);
  Told told{std::vector<float>(rows), std::vector<float>(rows * 3),
            std::vector<std::int64_t>(rows * 3), std::vector<std::int64_t>(rows)};
  AssociateOutputs<float> out;
  out.energy = told.energy;
  out.num_top = 3;
  out.top = told.top;
  out.top_index = told.top_index;
  out.metastable_size = told.size;
  associate(in, out);
  return told;
}

TEST(Distributions, AreTheSameFromKeptScoresAndFromASecondPass) {
  constexpr std::int64_t kStored = 40000, kStates = 9, kDepth = 5;
  std::mt19937_64 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> stored(kStored * kDepth), states(kStates * kDepth);
  for (float& x : stored) x = normal(random);
  for (float& x : states) x = normal(random);
  const double beta = 0.7;
  Associations in;
  in.stored = pattern_view(stored.data(), kStored, kDepth);
  in.states = pattern_view(states.data(), kStates, kDepth);
  in.beta = {&beta, 1};
  const Told kept = tell(in);
  const std::vector<std::uint8_t> all_visible(kStored, 0);
  Associations masked = in;
  masked.hidden_stored = all_visible;  // any mask asks for a second pass
  EXPECT_EQ(kept, tell(masked));
  // Few states read patterns as they lie, many pack them; their norms must not differ by a bit.
  in.states = pattern_view(states.data(), 1, kDepth);
  const Told alone = tell(in);
  EXPECT_EQ(alone.energy[0], kept.energy[0]);
  EXPECT_EQ(alone.size[0], kept.size[0]);
  EXPECT_EQ(alone.top_index[2], kept.top_index[2]);
}

}  // namespace
}  // namespace hopfield::internal
