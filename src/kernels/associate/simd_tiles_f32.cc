// The tile kernels in f32.

#define HOPFIELD_TILE_SCALAR float

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/associate/simd_tiles_f32.cc"
#include "kernels/simd.h"
//
#include "kernels/associate/simd_tile_tables-inl.h"
