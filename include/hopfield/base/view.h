#ifndef HOPFIELD_BASE_VIEW_H_
#define HOPFIELD_BASE_VIEW_H_

#include <cstddef>
#include <cstdint>

#include "hopfield/base/dtype.h"

namespace hopfield {

/// Patterns that somebody else owns: [rows, heads, depth], element (r, h, k) at
/// data + r * row_stride + h * head_stride + k, strides counted in elements. The last dimension is
/// dense; the address needs no alignment beyond the element's own. `data` may be null when
/// the view holds no element. A stride of 0 repeats (one head shared by all, say).
struct PatternView {
  const void* data = nullptr;
  DType dtype = DType::kF32;
  std::int64_t rows = 0;
  std::int64_t heads = 1;
  std::int64_t depth = 0;
  std::int64_t row_stride = 0;
  std::int64_t head_stride = 0;
  /// [rows], for kI8 only: element (r, h, k) is its code times scales[r], rounded to f32.
  const float* scales = nullptr;

  bool given() const { return data != nullptr || rows > 0; }
};

/// The same, writable.
template <class T>
struct MutablePatternView {
  T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t heads = 1;
  std::int64_t depth = 0;
  std::int64_t row_stride = 0;
  std::int64_t head_stride = 0;

  bool wanted() const { return data != nullptr; }
  T* row(std::int64_t r, std::int64_t h) const { return data + r * row_stride + h * head_stride; }
};

/// Dense [rows, heads, depth] over `data`.
template <class T>
PatternView pattern_view(const T* data, std::int64_t rows, std::int64_t heads, std::int64_t depth) {
  return {data, dtype_of<T>::value, rows, heads, depth, heads * depth, depth};
}
/// Dense [rows, depth], one head.
template <class T>
PatternView pattern_view(const T* data, std::int64_t rows, std::int64_t depth) {
  return pattern_view(data, rows, 1, depth);
}
/// Codes [rows, depth] and a scale a row.
inline PatternView coded_view(const std::int8_t* codes, const float* scales, std::int64_t rows,
                              std::int64_t depth) {
  return {codes, DType::kI8, rows, 1, depth, depth, depth, scales};
}
template <class T>
MutablePatternView<T> mutable_view(T* data, std::int64_t rows, std::int64_t heads,
                                   std::int64_t depth) {
  return {data, rows, heads, depth, heads * depth, depth};
}
template <class T>
MutablePatternView<T> mutable_view(T* data, std::int64_t rows, std::int64_t depth) {
  return mutable_view(data, rows, 1, depth);
}

}  // namespace hopfield

#endif  // HOPFIELD_BASE_VIEW_H_
