#include "hopfield/base/dtype.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <gtest/gtest.h>

namespace hopfield {
namespace {

/// The value that 16 bits mean, by the definition of the format.
double meaning(std::uint32_t bits, int exponent_bits, int mantissa_bits) {
  const std::uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
  const auto exponent = static_cast<int>((bits >> mantissa_bits) & ((1u << exponent_bits) - 1));
  const double sign = (bits >> 15) != 0 ? -1 : 1;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  if (exponent == (1 << exponent_bits) - 1) {
    return mantissa != 0 ? std::numeric_limits<double>::quiet_NaN()
                         : sign * std::numeric_limits<double>::infinity();
  }
  const double fraction = std::ldexp(static_cast<double>(mantissa), -mantissa_bits);
  return exponent == 0 ? sign * std::ldexp(fraction, 1 - bias)
                       : sign * std::ldexp(1 + fraction, exponent - bias);
}

bool is_nan_bits(std::uint32_t bits, int mantissa_bits) {
  const std::uint32_t magnitude = bits & 0x7FFFu;
  const std::uint32_t infinity = 0x7FFFu >> mantissa_bits << mantissa_bits;
  return magnitude > infinity;
}

TEST(DType, EveryBf16BitPatternMeansWhatTheFormatSaysAndComesBack) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const BF16 x = {static_cast<std::uint16_t>(bits)};
    const float value = to_f32(x);
    if (is_nan_bits(bits, 7)) {
      EXPECT_TRUE(std::isnan(value)) << bits;
      EXPECT_TRUE(is_nan_bits(to_bf16(value).bits, 7)) << bits;
      continue;
    }
    ASSERT_EQ(static_cast<double>(value), meaning(bits, 8, 7)) << bits;
    ASSERT_EQ(to_bf16(value).bits, x.bits) << bits;
  }
}

TEST(DType, EveryF16BitPatternMeansWhatTheFormatSaysAndComesBack) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const F16 x = {static_cast<std::uint16_t>(bits)};
    const float value = to_f32(x);
    if (is_nan_bits(bits, 10)) {
      EXPECT_TRUE(std::isnan(value)) << bits;
      EXPECT_TRUE(is_nan_bits(to_f16(value).bits, 10)) << bits;
      continue;
    }
    ASSERT_EQ(static_cast<double>(value), meaning(bits, 5, 10)) << bits;
    ASSERT_EQ(to_f16(value).bits, x.bits) << bits;
  }
}

/// Between two neighbours a < b of the format: below the middle a, above it b, at it the even one.
template <class Half, class Convert>
void expect_rounding(std::uint32_t bits, Convert convert) {
  const Half a = {static_cast<std::uint16_t>(bits)}, b = {static_cast<std::uint16_t>(bits + 1)};
  const float low = to_f32(a), high = to_f32(b);
  const float middle = low + (high - low) / 2;  // exact: f32 has bits to spare
  const float even = (bits & 1u) == 0 ? low : high;
  ASSERT_EQ(to_f32(convert(middle)), even) << bits;
  ASSERT_EQ(to_f32(convert(std::nextafter(middle, low))), low) << bits;
  ASSERT_EQ(to_f32(convert(std::nextafter(middle, high))), high) << bits;
  ASSERT_EQ(to_f32(convert(-middle)), -even) << bits;
}

TEST(DType, RoundsToNearestEven) {
  for (std::uint32_t bits = 0; bits < 0x7BFFu; ++bits) {
    expect_rounding<F16>(bits, [](float x) { return to_f16(x); });
  }
  // From the smallest normal bf16 up: below it f32 itself has few bits to spare.
  for (std::uint32_t bits = 0x80u; bits < 0x7F7Fu; ++bits) {
    expect_rounding<BF16>(bits, [](float x) { return to_bf16(x); });
  }
}

TEST(DType, OverflowGoesToInfinity) {
  EXPECT_EQ(to_f16(65519.0f).bits, 0x7BFFu);  // largest f16 is 65504, the middle to 2^16 is 65520
  EXPECT_EQ(to_f16(65520.0f).bits, 0x7C00u);
  EXPECT_EQ(to_f16(-1e30f).bits, 0xFC00u);
  EXPECT_EQ(to_bf16(std::numeric_limits<float>::max()).bits, 0x7F80u);
  EXPECT_EQ(to_bf16(-std::numeric_limits<float>::infinity()).bits, 0xFF80u);
  EXPECT_EQ(to_f16(std::numeric_limits<float>::infinity()).bits, 0x7C00u);
}

TEST(DType, EveryNanBecomesAQuietNan) {
  for (const std::uint32_t bits :
       {0x7F800001u, 0x7FC00000u, 0xFF800001u, 0x7FFFFFFFu, 0xFFFFFFFFu}) {
    const float nan = std::bit_cast<float>(bits);
    EXPECT_EQ(to_bf16(nan).bits & 0x7FC0u, 0x7FC0u);
    EXPECT_EQ(to_f16(nan).bits & 0x7E00u, 0x7E00u);
  }
}

TEST(DType, NamesAndSizes) {
  EXPECT_EQ(dtype_name(DType::kF32), "f32");
  EXPECT_EQ(dtype_name(DType::kF64), "f64");
  EXPECT_EQ(dtype_name(DType::kBF16), "bf16");
  EXPECT_EQ(dtype_name(DType::kF16), "f16");
  EXPECT_EQ(dtype_bytes(DType::kF32), 4u);
  EXPECT_EQ(dtype_bytes(DType::kF64), 8u);
  EXPECT_EQ(dtype_bytes(DType::kBF16), 2u);
  EXPECT_EQ(dtype_bytes(DType::kF16), 2u);
}

}  // namespace
}  // namespace hopfield
