#include "kernels/associate/rows.h"

namespace hopfield::internal {
namespace {

template <class Stored>
double widen(Stored x) {
  if constexpr (std::is_same_v<Stored, BF16> || std::is_same_v<Stored, F16>) {
    return static_cast<double>(to_f32(x));
  } else {
    return static_cast<double>(x);
  }
}

template <class Stored>
void read_as(const PatternView& view, std::int64_t row, std::int64_t head, double* out) {
  const char* from =
      static_cast<const char*>(view.data) +
      (row * view.row_stride + head * view.head_stride) * static_cast<std::int64_t>(sizeof(Stored));
  for (std::int64_t k = 0; k < view.depth; ++k) {
    Stored x;
    std::memcpy(&x, from + k * static_cast<std::int64_t>(sizeof(Stored)), sizeof x);
    out[k] = widen(x);
  }
}

}  // namespace

void read_row(const PatternView& view, std::int64_t row, std::int64_t head, double* out) {
  if (view.depth == 0) return;  // data may be null
  switch (view.dtype) {
    case DType::kF32:
      return read_as<float>(view, row, head, out);
    case DType::kF64:
      return read_as<double>(view, row, head, out);
    case DType::kBF16:
      return read_as<BF16>(view, row, head, out);
    case DType::kF16:
      return read_as<F16>(view, row, head, out);
    case DType::kI8:
      read_as<std::int8_t>(view, row, head, out);
      for (std::int64_t k = 0; k < view.depth; ++k) {
        out[k] = static_cast<double>(static_cast<float>(out[k]) * view.scales[row]);
      }
      return;
  }
}

double square_norm(const PatternView& view, std::int64_t row, std::int64_t head) {
  PatternView element = view;
  element.depth = 1;
  const auto bytes = static_cast<std::int64_t>(dtype_bytes(view.dtype));
  double sum = 0;
  for (std::int64_t k = 0; k < view.depth; ++k) {
    double x = 0;
    element.data = static_cast<const char*>(view.data) + k * bytes;
    read_row(element, row, head, &x);
    sum += x * x;
  }
  return sum;
}

}  // namespace hopfield::internal
