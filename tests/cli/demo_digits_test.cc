#include "cli/demo_digits.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "hopfield/base/error.h"

namespace hopfield::cli {
namespace {

constexpr unsigned kSeed = 20201116;

/// Random pictures of 4 x 4 pixels in 5 greys.
Digits small_digits(std::size_t count) {
  std::mt19937 random(kSeed);
  Digits digits;
  digits.side = 4;
  digits.num_greys = 5;
  for (std::size_t i = 0; i < count; ++i) {
    digits.label.push_back(static_cast<int>(i % 10));
    for (int k = 0; k < 16; ++k) {
      digits.grey.push_back(static_cast<int>(random() % 5));
      digits.ink.push_back(static_cast<float>(digits.grey.back()) / 4.0f);
    }
  }
  return digits;
}

/// One update in double: softmax of -beta |x - xi|^2 over the first `known` pixels.
std::vector<double> naive_update(const Digits& digits, const std::vector<double>& state,
                                 std::size_t known, double beta) {
  const std::size_t d = digits.pixels();
  std::vector<double> weight(digits.count()), result(d, 0.0);
  double sum = 0;
  for (std::size_t i = 0; i < digits.count(); ++i) {
    double distance = 0;
    for (std::size_t k = 0; k < known; ++k) {
      distance += std::pow(state[k] - static_cast<double>(digits.ink[i * d + k]), 2);
    }
    weight[i] = std::exp(-beta * distance);
    sum += weight[i];
  }
  for (std::size_t i = 0; i < digits.count(); ++i) {
    for (std::size_t k = 0; k < d; ++k) {
      result[k] += weight[i] / sum * static_cast<double>(digits.ink[i * d + k]);
    }
  }
  return result;
}

std::vector<double> picture(const Digits& digits, std::size_t i) {
  const auto begin = digits.ink.begin() + static_cast<std::ptrdiff_t>(i * digits.pixels());
  return {begin, begin + static_cast<std::ptrdiff_t>(digits.pixels())};
}

TEST(DemoDigits, OneUpdateLooksAtTheKnownPartOnly) {
  const Digits digits = small_digits(12);
  const Restoration result = restore(digits, {.hidden_rows = 2, .beta = 1.5, .iterate = false});
  for (std::size_t i = 0; i < digits.count(); ++i) {
    const std::vector<double> expected = naive_update(digits, picture(digits, i), 8, 1.5);
    for (std::size_t k = 0; k < 16; ++k) {
      // 12 terms of magnitude <= 1 in f32, weights from scores of magnitude <= 12.
      EXPECT_NEAR(static_cast<double>(result.restored[i * 16 + k]), expected[k], 1e-5);
    }
    EXPECT_EQ(result.updates[i], 1);
  }
}

TEST(DemoDigits, SettledStateIsAFixedPointOfTheNaiveUpdate) {
  const Digits digits = small_digits(12);
  const Restoration result = restore(digits, {.hidden_rows = 2, .beta = 3});
  EXPECT_EQ(result.num_moving, 0);
  for (std::size_t i = 0; i < digits.count(); ++i) {
    const auto begin = result.restored.begin() + static_cast<std::ptrdiff_t>(i * 16);
    const std::vector<double> state(begin, begin + 16);
    const std::vector<double> next = naive_update(digits, state, 16, 3);
    for (std::size_t k = 0; k < 16; ++k) EXPECT_NEAR(next[k], state[k], 1e-4);
  }
}

TEST(DemoDigits, LargeBetaRecallsDistinctPicturesExactly) {
  const Digits digits = small_digits(30);
  const double beta = beta_from_patterns(digits, RestoreMethod::kKnownPart, 2, 0, nullptr);
  EXPECT_GT(beta, 0);
  EXPECT_EQ(restore(digits, {.hidden_rows = 2, .beta = beta}).num_exact, 30);
  EXPECT_EQ(restore(digits, {.method = RestoreMethod::kNearest, .hidden_rows = 2}).num_exact, 30);
}

TEST(DemoDigits, SmallBetaRecallsNothingAndSaysSo) {
  const Digits digits = small_digits(30);
  const Restoration result = restore(digits, {.hidden_rows = 2, .beta = 0.01});
  EXPECT_EQ(result.num_exact, 0);
  EXPECT_GT(result.largest_error[0], 0.25f);
}

TEST(DemoDigits, PicturesWithTheSameKnownPartCannotBeTold) {
  Digits digits = small_digits(20);
  for (std::size_t k = 0; k < 8; ++k) {
    digits.grey[k] = digits.grey[16 + k];
    digits.ink[k] = digits.ink[16 + k];
  }
  const Restoration memory = restore(digits, {.hidden_rows = 2, .beta = 200});
  EXPECT_LE(memory.num_exact, 19);
  EXPECT_EQ(restore(digits, {.method = RestoreMethod::kNearest, .hidden_rows = 2}).num_exact, 19);
}

TEST(DemoDigits, NothingHiddenIsRecalledByEveryMethod) {
  const Digits digits = small_digits(10);
  for (const auto method :
       {RestoreMethod::kKnownPart, RestoreMethod::kUnit, RestoreMethod::kNearest}) {
    EXPECT_EQ(restore(digits, {.method = method, .hidden_rows = 0, .beta = 500}).num_exact, 10)
        << restore_method_title(method);
  }
}

TEST(DemoDigits, EnergyNeverRisesAfterTheFirstUpdate) {
  const Digits digits = small_digits(25);
  for (const double beta : {0.5, 3.0, 40.0}) {
    const auto trace = energy_trace(digits, {0, 7, 24}, 2, beta, 6, nullptr);
    ASSERT_EQ(trace.size(), 18u);
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t t = 2; t < 6; ++t) {
        // f32 energies of magnitude <= 20.
        EXPECT_LE(trace[i * 6 + t], trace[i * 6 + t - 1] + 1e-4) << "beta " << beta;
      }
    }
  }
}

TEST(DemoDigits, RefusesNonsense) {
  const Digits digits = small_digits(3);
  EXPECT_THROW(restore(digits, {.hidden_rows = 4}), Error);
  EXPECT_THROW(restore(digits, {.hidden_rows = -1}), Error);
  EXPECT_THROW(restore(digits, {.hidden_rows = 1, .beta = 0}), Error);
  EXPECT_THROW(restore(digits, {.hidden_rows = 1, .beta = NAN}), Error);
}

TEST(DemoDigits, StopsWhenAsked) {
  const Digits digits = small_digits(3);
  const RestoreOptions options = {.hidden_rows = 1, .check_cancelled = [] {
                                    fail(ErrorCode::kCancelled, "demo",
                                         "expected nothing, got a wish to stop");
                                  }};
  EXPECT_THROW(restore(digits, options), Error);
}

}  // namespace
}  // namespace hopfield::cli
