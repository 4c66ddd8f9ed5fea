#ifndef HOPFIELD_BASE_DTYPE_H_
#define HOPFIELD_BASE_DTYPE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hopfield {

/// How a number is stored. bf16, f16 and int8 are storage only: all arithmetic on them is done in
/// f32. kI8 is a signed code that counts units of its row's scale (PatternView::scales).
enum class DType : std::uint8_t { kF32, kF64, kBF16, kF16, kI8 };

/// Bytes of one element: 4, 8, 2, 2, 1.
constexpr std::size_t dtype_bytes(DType dtype) {
  return dtype == DType::kF64 ? 8 : dtype == DType::kF32 ? 4 : dtype == DType::kI8 ? 1 : 2;
}

/// "f32", "f64", "bf16", "f16", "int8".
std::string_view dtype_name(DType dtype);

/// Raw 16-bit brain floats and IEEE half floats, for views and tests. Conversions round to nearest
/// even, keep infinities and turn every NaN into a quiet NaN.
struct BF16 {
  std::uint16_t bits;
};
struct F16 {
  std::uint16_t bits;
};
float to_f32(BF16 x);
float to_f32(F16 x);
BF16 to_bf16(float x);
F16 to_f16(float x);

template <class T>
struct dtype_of;
template <>
struct dtype_of<float> {
  static constexpr DType value = DType::kF32;
};
template <>
struct dtype_of<double> {
  static constexpr DType value = DType::kF64;
};
template <>
struct dtype_of<BF16> {
  static constexpr DType value = DType::kBF16;
};
template <>
struct dtype_of<F16> {
  static constexpr DType value = DType::kF16;
};

}  // namespace hopfield

#endif  // HOPFIELD_BASE_DTYPE_H_
