#ifndef HOPFIELD_SRC_STORE_NUMBERS_H_
#define HOPFIELD_SRC_STORE_NUMBERS_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "hopfield/base/dtype.h"
#include "hopfield/store/safetensors.h"

// Numbers of files (any type, any alignment) as numbers of C++.
namespace hopfield::store::internal {

/// Calls f.template operator()<Stored>() with the C++ type that a file's type is stored as.
template <class F>
decltype(auto) with_stored_type(TensorType type, F&& f) {
  switch (type) {
    case TensorType::kBool:
    case TensorType::kU8:
      return f.template operator()<std::uint8_t>();
    case TensorType::kI8:
      return f.template operator()<std::int8_t>();
    case TensorType::kU16:
      return f.template operator()<std::uint16_t>();
    case TensorType::kI16:
      return f.template operator()<std::int16_t>();
    case TensorType::kF16:
      return f.template operator()<F16>();
    case TensorType::kBF16:
      return f.template operator()<BF16>();
    case TensorType::kU32:
      return f.template operator()<std::uint32_t>();
    case TensorType::kI32:
      return f.template operator()<std::int32_t>();
    case TensorType::kF32:
      return f.template operator()<float>();
    case TensorType::kU64:
      return f.template operator()<std::uint64_t>();
    case TensorType::kI64:
      return f.template operator()<std::int64_t>();
    case TensorType::kF64:
      break;
  }
  return f.template operator()<double>();
}

template <class T>
constexpr bool is_half = std::is_same_v<T, BF16> || std::is_same_v<T, F16>;

/// Whether every value of the stored type is a value of T.
template <class T>
bool holds_exactly(TensorType type) {
  return with_stored_type(type, []<class Stored>() {
    if constexpr (std::is_same_v<T, Stored>) {
      return true;
    } else if constexpr (is_half<T> || std::is_same_v<Stored, double>) {
      return false;
    } else if constexpr (is_half<Stored> || std::is_same_v<Stored, float>) {
      return std::is_floating_point_v<T>;
    } else if constexpr (std::is_floating_point_v<T>) {
      return false;
    } else {
      return std::is_signed_v<T> ? sizeof(Stored) < sizeof(T) ||
                                       (std::is_signed_v<Stored> && sizeof(Stored) == sizeof(T))
                                 : !std::is_signed_v<Stored> && sizeof(Stored) <= sizeof(T);
    }
  });
}

template <class T>
constexpr std::string_view wanted_name() {
  if constexpr (std::is_same_v<T, float>) return "F32";
  if constexpr (std::is_same_v<T, double>) return "F64";
  if constexpr (std::is_same_v<T, BF16>) return "BF16";
  if constexpr (std::is_same_v<T, F16>) return "F16";
  if constexpr (std::is_same_v<T, std::int64_t>) return "I64";
  if constexpr (std::is_same_v<T, std::int32_t>) return "I32";
  return "U8";
}

template <class Stored>
Stored load(const std::byte* at) {
  Stored value;
  std::memcpy(&value, at, sizeof(Stored));
  return value;
}

/// One number as T; rounds where T is narrower.
template <class T, class Stored>
T converted(Stored value) {
  if constexpr (std::is_same_v<T, Stored>) {
    return value;
  } else if constexpr (is_half<Stored>) {
    return converted<T>(to_f32(value));
  } else if constexpr (std::is_same_v<T, BF16>) {
    return to_bf16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<T, F16>) {
    return to_f16(static_cast<float>(value));
  } else {
    return static_cast<T>(value);
  }
}

/// out[i] = the i-th of `count` numbers of type `type` in `bytes`.
template <class T>
void convert(std::span<const std::byte> bytes, TensorType type, T* out, std::int64_t count) {
  if (count <= 0) return;
  with_stored_type(type, [&]<class Stored>() {
    if constexpr (std::is_same_v<T, Stored>) {
      std::memcpy(out, bytes.data(), static_cast<std::size_t>(count) * sizeof(T));
    } else {
      for (std::int64_t i = 0; i < count; ++i) {
        out[i] =
            converted<T>(load<Stored>(bytes.data() + static_cast<std::size_t>(i) * sizeof(Stored)));
      }
    }
  });
}

}  // namespace hopfield::store::internal

#endif  // HOPFIELD_SRC_STORE_NUMBERS_H_
