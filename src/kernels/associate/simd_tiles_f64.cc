// The tile kernels in f64.

#define HOPFIELD_TILE_SCALAR double

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/associate/simd_tiles_f64.cc"
#include "kernels/simd.h"
//
#include "kernels/associate/simd_tile_tables-inl.h"
