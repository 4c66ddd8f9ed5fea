// The tile kernels in f64, one table a target.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/associate/simd_tiles_f64.cc"
#include "kernels/simd.h"
//
#include "kernels/associate/simd_tiles-inl.h"

#if HOPFIELD_SIMD_TARGET
HWY_BEFORE_NAMESPACE();
namespace hopfield::internal::HWY_NAMESPACE {
TileKernels<double> kernels_f64() {
  return kernels<double>();
}
}  // namespace hopfield::internal::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
#include <array>

namespace hopfield::internal {

template <>
std::span<const TileKernels<double>> tile_kernels<double>() {
  static const auto runnable = hwy::SupportedTargets();
#define HOPFIELD_SIMD_TABLE(target_namespace, target)        \
  (runnable & target) != 0 ? target_namespace::kernels_f64() \
                           : missing_kernels<double>(hwy::TargetName(target)),
  static const TileKernels<double> kTables[] = {HOPFIELD_SIMD_FOR_EACH_TARGET(HOPFIELD_SIMD_TABLE)};
#undef HOPFIELD_SIMD_TABLE
  return kTables;
}

}  // namespace hopfield::internal
#endif
