#ifndef HOPFIELD_TESTS_SUPPORT_MEMORY_GUARDS_H_
#define HOPFIELD_TESTS_SUPPORT_MEMORY_GUARDS_H_

// Buffers that notice when a kernel touches what is not its own: inputs lie in a sea of NaN,
// outputs between guard bytes.

#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "hopfield/base/dtype.h"
#include "hopfield/base/view.h"

namespace hopfield::test {

/// How a pattern matrix lies in memory.
enum class Layout {
  kDense,       ///< as pattern_view makes it
  kPadded,      ///< gaps after every head and row
  kMisaligned,  ///< one element off the allocation's alignment, rows of odd stride
  kHeadMajor,   ///< head after head, as [H, rows, depth]
};

/// Strides and offset, in elements, of a layout.
struct LayoutStrides {
  std::int64_t row = 0, head = 0, offset = 0, size = 0;
};

inline LayoutStrides strides_of(Layout layout, std::int64_t rows, std::int64_t heads,
                                std::int64_t depth) {
  constexpr std::int64_t kMargin = 80;  // more than a vector and an unrolled tail
  LayoutStrides s;
  switch (layout) {
    case Layout::kDense:
      s = {heads * depth, depth, 64, 0};
      break;
    case Layout::kPadded:
      s = {heads * (depth + 3) + 5, depth + 3, 64, 0};
      break;
    case Layout::kMisaligned:
      s = {heads * depth + 1, depth, 65, 0};
      break;
    case Layout::kHeadMajor:
      s = {depth + 1, rows * (depth + 1) + 2, 67, 0};
      break;
  }
  s.size = s.offset + rows * s.row + heads * s.head + depth + kMargin;
  return s;
}

inline void store_as(DType dtype, double value, char* to) {
  const auto put = [to](auto x) { std::memcpy(to, &x, sizeof x); };
  switch (dtype) {
    case DType::kF32:
      return put(static_cast<float>(value));
    case DType::kF64:
      return put(value);
    case DType::kBF16:
      return put(to_bf16(static_cast<float>(value)));
    case DType::kF16:
      return put(to_f16(static_cast<float>(value)));
    case DType::kI8:
      return put(static_cast<std::int8_t>(value));
  }
}

/// Patterns surrounded by NaN.
class PoisonedPatterns {
 public:
  PoisonedPatterns() = default;
  PoisonedPatterns(DType dtype, std::int64_t rows, std::int64_t heads, std::int64_t depth,
                   Layout layout, const std::function<double()>& next) {
    const LayoutStrides s = strides_of(layout, rows, heads, depth);
    const auto bytes = static_cast<std::int64_t>(dtype_bytes(dtype));
    memory_.resize(static_cast<std::size_t>(s.size * bytes));
    for (std::int64_t i = 0; i < s.size; ++i) {
      store_as(dtype, std::numeric_limits<double>::quiet_NaN(), memory_.data() + i * bytes);
    }
    view_ = {memory_.data() + s.offset * bytes, dtype, rows, heads, depth, s.row, s.head};
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t h = 0; h < heads; ++h) {
        for (std::int64_t k = 0; k < depth; ++k) set(r, h, k, next());
      }
    }
  }

  const PatternView& view() const { return view_; }
  void set(std::int64_t r, std::int64_t h, std::int64_t k, double value) {
    const auto bytes = static_cast<std::int64_t>(dtype_bytes(view_.dtype));
    const char* at = static_cast<const char*>(view_.data) +
                     (r * view_.row_stride + h * view_.head_stride + k) * bytes;
    store_as(view_.dtype, value, memory_.data() + (at - memory_.data()));
  }

 private:
  std::vector<char> memory_;
  PatternView view_;
};

/// An output array between guard bytes; what is not written stays recognisable.
template <class T>
class Guarded {
 public:
  Guarded() : Guarded(0) {}
  explicit Guarded(std::int64_t size) : size_(size) {
    memory_.resize(static_cast<std::size_t>(size + 2 * kGuard));
    std::memset(static_cast<void*>(memory_.data()), kByte, memory_.size() * sizeof(T));
  }

  T* data() { return memory_.data() + kGuard; }
  const T* data() const { return memory_.data() + kGuard; }
  std::int64_t size() const { return size_; }
  std::span<T> span() { return {data(), static_cast<std::size_t>(size_)}; }
  const T& operator[](std::int64_t i) const { return data()[i]; }

  bool untouched(std::int64_t i) const {
    unsigned char bytes[sizeof(T)];
    std::memcpy(bytes, data() + i, sizeof(T));
    for (const unsigned char b : bytes) {
      if (b != kByte) return false;
    }
    return true;
  }
  bool guards_intact() const {
    for (std::int64_t i = -kGuard; i < 0; ++i) {
      if (!untouched(i)) return false;
    }
    for (std::int64_t i = size_; i < size_ + kGuard; ++i) {
      if (!untouched(i)) return false;
    }
    return true;
  }
  bool same_bits(const Guarded& other) const {
    return memory_.size() == other.memory_.size() &&
           std::memcmp(memory_.data(), other.memory_.data(), memory_.size() * sizeof(T)) == 0;
  }

 private:
  static constexpr std::int64_t kGuard = 64;
  static constexpr unsigned char kByte = 0xA5;
  std::int64_t size_;
  std::vector<T> memory_;
};

template <class T>
bool same_bits(const T& a, const T& b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

}  // namespace hopfield::test

#endif  // HOPFIELD_TESTS_SUPPORT_MEMORY_GUARDS_H_
