#include "hopfield/memory/influence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "hopfield/base/error.h"
#include "hopfield/kernels/associate.h"
#include "tests/unit/memory/problem.h"

namespace hopfield {
namespace {

using testing::Numbers;

struct Update {
  std::vector<double> state;
  double lse = 0;
};
Update update(const std::vector<double>& x, const double* xi, std::int64_t d, double beta) {
  Update got;
  got.state.resize(static_cast<std::size_t>(d));
  Associations in;
  in.stored = pattern_view(x.data(), static_cast<std::int64_t>(x.size()) / d, d);
  in.states = pattern_view(xi, 1, d);
  in.beta = {&beta, 1};
  AssociateOutputs<double> out;
  out.state = mutable_view(got.state.data(), 1, d);
  out.lse = {&got.lse, 1};
  associate(in, out);
  return got;
}

TEST(Influence, IsWhatARealRemovalChanges) {
  constexpr std::int64_t kPatterns = 40, kDepth = 6, kStates = 10;
  Numbers numbers(59);
  const std::vector<double> x = numbers.vector<double>(kPatterns * kDepth);
  const std::vector<double> xi = numbers.vector<double>(kStates * kDepth);
  int dominated = 0;
  for (const double beta : {0.2, 2.0, 15.0}) {
    const Influence got = influence(pattern_view(x.data(), kPatterns, kDepth),
                                    pattern_view(xi.data(), kStates, kDepth), beta, 4);
    ASSERT_EQ(got.num_top, 4);
    for (std::size_t i = 0; i < got.index.size(); ++i) {
      const double* state = xi.data() + static_cast<std::ptrdiff_t>(i / 4) * kDepth;
      std::vector<double> rest = x;
      const auto at = rest.begin() + got.index[i] * kDepth;
      rest.erase(at, at + kDepth);
      const Update before = update(x, state, kDepth, beta);
      const Update after = update(rest, state, kDepth, beta);
      // Numbers of size 10 with a few dozen roundings; the ratio p / (1 - p) is at most 1.
      EXPECT_NEAR(got.state_shift[i], testing::distance(before.state, after.state), 1e-12);
      EXPECT_NEAR(got.energy_rise[i], (before.lse - after.lse) / beta, 1e-12 * (1 + 1 / beta));
      dominated += got.weight[i] > 0.5;
    }
  }
  EXPECT_GT(dominated, 5);  // both ways of computing were met
}

TEST(Influence, OfTheOnlyPatternIsEverything) {
  const std::vector<float> x = {1, 2};
  const Influence got = influence(pattern_view(x.data(), 1, 2), pattern_view(x.data(), 1, 2), 1, 3);
  EXPECT_EQ(got.num_top, 1);
  EXPECT_TRUE(std::isnan(got.state_shift[0]));
  EXPECT_EQ(got.energy_rise[0], std::numeric_limits<double>::infinity());
}

TEST(Influence, RefusesWhatItCannotAnswer) {
  const std::vector<float> x = {1, 2};
  const PatternView one = pattern_view(x.data(), 1, 2);
  EXPECT_THROW(influence(one, one, 0, 1), Error);
  EXPECT_THROW(influence(one, one, 1, 0), Error);
  EXPECT_THROW(influence(pattern_view(x.data(), 0, 2), one, 1, 1), Error);
}

}  // namespace
}  // namespace hopfield
