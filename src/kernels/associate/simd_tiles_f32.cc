// The tile kernels in f32, one table a target.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/associate/simd_tiles_f32.cc"
#include "kernels/simd.h"
//
#include "kernels/associate/simd_tiles-inl.h"

#if HOPFIELD_SIMD_TARGET
HWY_BEFORE_NAMESPACE();
namespace hopfield::internal::HWY_NAMESPACE {
TileKernels<float> kernels_f32() {
  return kernels<float>();
}
}  // namespace hopfield::internal::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
#include <array>

namespace hopfield::internal {

template <>
std::span<const TileKernels<float>> tile_kernels<float>() {
  static const auto runnable = hwy::SupportedTargets();
#define HOPFIELD_SIMD_TABLE(target_namespace, target)        \
  (runnable & target) != 0 ? target_namespace::kernels_f32() \
                           : missing_kernels<float>(hwy::TargetName(target)),
  static const TileKernels<float> kTables[] = {HOPFIELD_SIMD_FOR_EACH_TARGET(HOPFIELD_SIMD_TABLE)};
#undef HOPFIELD_SIMD_TABLE
  return kTables;
}

}  // namespace hopfield::internal
#endif
