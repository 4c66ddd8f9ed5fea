// No implementation but the reference. Replaced in CMakeLists.txt by the file that has some.
#include "kernels/associate/implementation.h"

namespace hopfield::internal {

template <class T>
std::span<const Implementation<T>> simd_implementations() {
  return {};
}
template std::span<const Implementation<float>> simd_implementations<float>();
template std::span<const Implementation<double>> simd_implementations<double>();

}  // namespace hopfield::internal
