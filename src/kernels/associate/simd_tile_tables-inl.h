// One table of tile kernels a target, two for AVX3, in HOPFIELD_TILE_SCALAR; included by
// simd_tiles_f32.cc and simd_tiles_f64.cc alone, after kernels/simd.h, and once more for each
// target.

#include "kernels/associate/simd_tiles-inl.h"

#if HOPFIELD_SIMD_TARGET
HWY_BEFORE_NAMESPACE();
namespace hopfield::internal::HWY_NAMESPACE {
// The scalar tells the two files' functions apart.
TileKernels<HOPFIELD_TILE_SCALAR> tile_table(HOPFIELD_TILE_SCALAR) {
  return kernels<HOPFIELD_TILE_SCALAR>();
}
#if HOPFIELD_SIMD_PAIRS && HWY_TARGET == HWY_AVX3
TileKernels<HOPFIELD_TILE_SCALAR> table_with_pairs(HOPFIELD_TILE_SCALAR) {
  return kernels_with_pairs<HOPFIELD_TILE_SCALAR>();
}
#endif
}  // namespace hopfield::internal::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
#include <array>

namespace hopfield::internal {

template <>
std::span<const TileKernels<HOPFIELD_TILE_SCALAR>> tile_kernels<HOPFIELD_TILE_SCALAR>() {
  using T = HOPFIELD_TILE_SCALAR;
  static const auto runnable = hwy::SupportedTargets();
#define HOPFIELD_SIMD_TABLE(target_namespace, target)          \
  (runnable & target) != 0 ? target_namespace::tile_table(T{}) \
                           : missing_kernels<T>(hwy::TargetName(target)),
  static const TileKernels<T> kTables[] = {
#if HOPFIELD_SIMD_PAIRS
    (runnable & HWY_AVX3) != 0 ? N_AVX3::table_with_pairs(T{}) : missing_kernels<T>(kPairsName),
#endif
    HOPFIELD_SIMD_FOR_EACH_TARGET(HOPFIELD_SIMD_TABLE)
  };
#undef HOPFIELD_SIMD_TABLE
  return kTables;
}

}  // namespace hopfield::internal
#endif
