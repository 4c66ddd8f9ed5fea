// The only file that knows Highway. A source file that is to be compiled once per instruction set
// reads
//
//   #undef HWY_TARGET_INCLUDE
//   #define HWY_TARGET_INCLUDE "kernels/associate/file.cc"
//   #include "kernels/simd.h"
//
//   HWY_BEFORE_NAMESPACE();
//   namespace hopfield::internal::HWY_NAMESPACE { ... namespace hn = hwy::HWY_NAMESPACE; ... }
//   HWY_AFTER_NAMESPACE();
//   #if HWY_ONCE
//   ... HOPFIELD_SIMD_FOR_EACH_TARGET(X) ...
//   #endif
//
// and puts the part between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE in
// `#if HOPFIELD_SIMD_TARGET`, which leaves out Highway's emulation of vectors: the reference
// implementation has that role here.

#ifndef HOPFIELD_KERNELS_SIMD_H_
#define HOPFIELD_KERNELS_SIMD_H_

// Vectors of unknown size cannot be members of arrays, which the register blocks need. SSSE3
// without SSE4 is a CPU of 2006 that is not worth the compile time.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_RVV | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)

#endif  // HOPFIELD_KERNELS_SIMD_H_

// Both are written to be included once for every target.
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
//
#include "hwy/cache_control.h"

#ifndef HOPFIELD_KERNELS_SIMD_TARGETS_H_
#define HOPFIELD_KERNELS_SIMD_TARGETS_H_

// HOPFIELD_SIMD_FOR_EACH_TARGET(X): X(namespace, target bit) for every compiled one, best first.
#if HWY_TARGETS & HWY_AVX3_DL
#define HOPFIELD_SIMD_AVX3_DL(X) X(N_AVX3_DL, HWY_AVX3_DL)
#else
#define HOPFIELD_SIMD_AVX3_DL(X)
#endif
#if HWY_TARGETS & HWY_AVX3
#define HOPFIELD_SIMD_AVX3(X) X(N_AVX3, HWY_AVX3)
#else
#define HOPFIELD_SIMD_AVX3(X)
#endif
#if HWY_TARGETS & HWY_AVX2
#define HOPFIELD_SIMD_AVX2(X) X(N_AVX2, HWY_AVX2)
#else
#define HOPFIELD_SIMD_AVX2(X)
#endif
#if HWY_TARGETS & HWY_SSE4
#define HOPFIELD_SIMD_SSE4(X) X(N_SSE4, HWY_SSE4)
#else
#define HOPFIELD_SIMD_SSE4(X)
#endif
#if HWY_TARGETS & HWY_NEON
#define HOPFIELD_SIMD_NEON(X) X(N_NEON, HWY_NEON)
#else
#define HOPFIELD_SIMD_NEON(X)
#endif
#define HOPFIELD_SIMD_FOR_EACH_TARGET(X) \
  HOPFIELD_SIMD_AVX3_DL(X)               \
  HOPFIELD_SIMD_AVX3(X) HOPFIELD_SIMD_AVX2(X) HOPFIELD_SIMD_SSE4(X) HOPFIELD_SIMD_NEON(X)

// Whether AVX3 comes twice, once with the products of bf16 pairs, which no target of Highway 1.0.3
// has. GCC's assembler takes the instruction in any function; clang's would want a target with it.
#if (HWY_TARGETS & HWY_AVX3) && HWY_COMPILER_GCC_ACTUAL
#define HOPFIELD_SIMD_PAIRS 1
#else
#define HOPFIELD_SIMD_PAIRS 0
#endif

#endif  // HOPFIELD_KERNELS_SIMD_TARGETS_H_

// Per target from here on.
#if defined(HOPFIELD_KERNELS_SIMD_TOGGLE) == defined(HWY_TARGET_TOGGLE)
#ifdef HOPFIELD_KERNELS_SIMD_TOGGLE
#undef HOPFIELD_KERNELS_SIMD_TOGGLE
#else
#define HOPFIELD_KERNELS_SIMD_TOGGLE
#endif

#undef HOPFIELD_SIMD_TARGET
#if HWY_TARGET == HWY_EMU128 || HWY_TARGET == HWY_SCALAR
#define HOPFIELD_SIMD_TARGET 0
#else
#define HOPFIELD_SIMD_TARGET 1
#endif

#if HOPFIELD_SIMD_TARGET
HWY_BEFORE_NAMESPACE();
namespace hopfield::internal::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
struct ExpConstants;

// exp(r) = 1 + r + r^2 q(r) on |r| <= ln(2)/2; q fitted in Chebyshev's sense to that interval, its
// relative error 8e-9 (f32) and 1.3e-17 (f64).
template <>
struct ExpConstants<float> {
  static constexpr int kMantissaBits = 23;
  static constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  static constexpr float kLow = -87.33654f;     // below: exp < 2^-126
  static constexpr float kHigh = 88.3f;         // above: 2^128 would be needed
  static constexpr float kLn2High = 0.693145751953125f;  // few bits: times an integer it is exact
  static constexpr float kLn2Low = 1.42860682031e-6f;
  static constexpr float kPolynomial[] = {0.00139262131f, 0.00836320315f, 0.0416665561f,
                                          0.166665763f, 0.5f};
};
template <>
struct ExpConstants<double> {
  static constexpr int kMantissaBits = 52;
  static constexpr double kMagic = 6755399441055744.0;
  static constexpr double kLow = -708.3964185322641;
  static constexpr double kHigh = 709.4;
  static constexpr double kLn2High = 0.6931471803691238;
  static constexpr double kLn2Low = 1.9082149292705878161e-10;
  static constexpr double kPolynomial[] = {2.5100424157005066788e-8, 2.7620138719733995569e-7,
                                           2.7557268378684192873e-6, 2.4801521190217727651e-5,
                                           1.9841269863105968748e-4, 1.3888888917281793308e-3,
                                           8.3333333333300513464e-3, 4.1666666666623991516e-2,
                                           1.6666666666666667456e-1, 0.5};
};

/// exp(x). At most 1.25 ULP off where the result is normal (tests/unit/kernels asserts it); 0 where
/// it would be subnormal, so exactly 0 for -inf; +inf above 88.3 (f32), 709.4 (f64); NaN stays.
/// kNotPositive: no x is above 0, of which it makes use.
template <bool kNotPositive = false, class D, class V>
HWY_INLINE V Exp(D d, V x) {
  using T = hn::TFromD<D>;
  using C = ExpConstants<T>;
  const hn::RebindToUnsigned<D> bits;
  // Its lowest bits hold round(x / ln 2), ready to be added to an exponent.
  const V shifted =
      hn::MulAdd(x, hn::Set(d, static_cast<T>(1.4426950408889634)), hn::Set(d, C::kMagic));
  const V n = hn::Sub(shifted, hn::Set(d, C::kMagic));
  const V r =
      hn::NegMulAdd(n, hn::Set(d, C::kLn2Low), hn::NegMulAdd(n, hn::Set(d, C::kLn2High), x));
  V q = hn::Set(d, C::kPolynomial[0]);
  constexpr int kTerms = static_cast<int>(sizeof(C::kPolynomial) / sizeof(T));
#pragma GCC unroll 16
  for (int i = 1; i < kTerms; ++i) q = hn::MulAdd(q, r, hn::Set(d, C::kPolynomial[i]));
  const V p = hn::Add(hn::Set(d, T{1}), hn::MulAdd(hn::Mul(r, r), q, r));
  const V y = hn::BitCast(d, hn::Add(hn::BitCast(bits, p),
                                     hn::ShiftLeft<C::kMantissaBits>(hn::BitCast(bits, shifted))));
  const V inside = hn::IfThenElseZero(hn::Ge(x, hn::Set(d, C::kLow)), y);
  V capped = inside;
  if constexpr (!kNotPositive) {
    capped = hn::IfThenElse(hn::Gt(x, hn::Set(d, C::kHigh)), hn::Inf(d), inside);
  }
  return hn::IfThenElse(hn::Eq(x, x), capped, x);
}

}  // namespace hopfield::internal::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HOPFIELD_SIMD_TARGET

#endif  // per target
