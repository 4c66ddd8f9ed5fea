#ifndef HOPFIELD_SRC_MEMORY_PATTERN_ROWS_H_
#define HOPFIELD_SRC_MEMORY_PATTERN_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "hopfield/base/view.h"

namespace hopfield::internal {

/// Of an error: a state's best pattern is unknown.
inline constexpr const char* kNoScore =
    "expected finite states and patterns and finite scores, got a score that is none; choose a "
    "smaller beta or scale states and patterns";

/// The view from row `first` on, `count` rows of it.
inline PatternView rows_of(const PatternView& view, std::int64_t first, std::int64_t count) {
  PatternView part = view;
  part.rows = count;
  if (view.data != nullptr && first > 0) {
    part.data = static_cast<const char*>(view.data) +
                first * view.row_stride * static_cast<std::int64_t>(dtype_bytes(view.dtype));
  }
  if (view.scales != nullptr) part.scales += first;
  return part;
}

/// The view of one head; head 0 where the heads share one.
inline PatternView head_of(const PatternView& view, std::int64_t head) {
  PatternView part = view;
  part.heads = 1;
  if (view.data != nullptr && view.heads > 1 && head > 0) {
    part.data = static_cast<const char*>(view.data) +
                head * view.head_stride * static_cast<std::int64_t>(dtype_bytes(view.dtype));
  }
  return part;
}

template <class From, class T>
void load_elements(const char* from, std::int64_t count, T* out) {
  for (std::int64_t k = 0; k < count; ++k) {
    From x;
    std::memcpy(&x, from + k * static_cast<std::int64_t>(sizeof(From)), sizeof(From));
    if constexpr (std::is_arithmetic_v<From>) {
      out[k] = static_cast<T>(x);
    } else {
      out[k] = static_cast<T>(to_f32(x));
    }
  }
}

/// Copies element (row, head, 0..depth) as T; head 0 where the heads share one.
template <class T>
void load_row(const PatternView& view, std::int64_t row, std::int64_t head, T* out) {
  if (view.depth == 0) return;
  const std::int64_t offset =
      row * view.row_stride + (view.heads > 1 ? head * view.head_stride : 0);
  const char* from = static_cast<const char*>(view.data) +
                     offset * static_cast<std::int64_t>(dtype_bytes(view.dtype));
  switch (view.dtype) {
    case DType::kF32:
      return load_elements<float>(from, view.depth, out);
    case DType::kF64:
      return load_elements<double>(from, view.depth, out);
    case DType::kBF16:
      return load_elements<BF16>(from, view.depth, out);
    case DType::kF16:
      return load_elements<F16>(from, view.depth, out);
    case DType::kI8:
      load_elements<std::int8_t>(from, view.depth, out);
      for (std::int64_t k = 0; k < view.depth; ++k) {
        out[k] = static_cast<T>(static_cast<float>(out[k]) * view.scales[row]);
      }
      return;
  }
}

inline double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
  return sum;
}

}  // namespace hopfield::internal

#endif  // HOPFIELD_SRC_MEMORY_PATTERN_ROWS_H_
