// SPDX-License-Identifier: Apache-2.0
// What the matrix kernels need beyond vf: `transpose` of a square of 32-bit words, and the pair
// `load_words` / `mac`, which hide whether a word is one f32 or a pair of bf16 numbers. The
// namespace k_avx512bf16 has the second meaning, all others the first.
#pragma once

#include "parlance/kernels/impl/vec.hpp"
#if defined(__aarch64__)
#include <arm_neon.h>
#endif

// Accumulator tiles stay in registers only if every loop over them is unrolled completely.
#if defined(__clang__)
#define PARLANCE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define PARLANCE_UNROLL _Pragma("GCC unroll 64")
#endif

namespace parlance::inline PARLANCE_ABI::kernels::k_base {

struct matrix_tile {
  static constexpr int rows = 4, vectors = 2;  // of the accumulator tile
  static constexpr int numbers_per_word = 1;
  static constexpr int batch = 4;  // most rows of activations at once in the row-wise kernel
};
PARLANCE_ALWAYS_INLINE vf load_words(const float* p) { return load(p); }
PARLANCE_ALWAYS_INLINE vf load_words(const bf16* p) { return load(p); }
PARLANCE_ALWAYS_INLINE vf load_words(const f16* p) { return load(p); }
// Fused by name where the processor can: left to the compiler, some loops would be and some not,
// and the same row would get other bits in another batch.
PARLANCE_ALWAYS_INLINE vf mac(vf a, vf b, vf sum) {
#if defined(__FMA__)
  return {static_cast<vf::native>(_mm_fmadd_ps(a.v, b.v, sum.v))};
#elif defined(__aarch64__)
  return {vfmaq_f32(sum.v, a.v, b.v)};
#else
  return fma(a, b, sum);
#endif
}
PARLANCE_ALWAYS_INLINE void transpose(vf* t) {
  const vf a = t[0], b = t[1], c = t[2], d = t[3];
  t[0].v = vf::native{a.v[0], b.v[0], c.v[0], d.v[0]};
  t[1].v = vf::native{a.v[1], b.v[1], c.v[1], d.v[1]};
  t[2].v = vf::native{a.v[2], b.v[2], c.v[2], d.v[2]};
  t[3].v = vf::native{a.v[3], b.v[3], c.v[3], d.v[3]};
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::k_base

#if defined(PARLANCE_X86)

PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AVX2)
namespace parlance::inline PARLANCE_ABI::kernels::k_avx2 {

struct matrix_tile {
  static constexpr int rows = 6, vectors = 2;
  static constexpr int numbers_per_word = 1;
  static constexpr int batch = 4;
};
PARLANCE_ALWAYS_INLINE vf load_words(const float* p) { return load(p); }
PARLANCE_ALWAYS_INLINE vf load_words(const bf16* p) { return load(p); }
PARLANCE_ALWAYS_INLINE vf load_words(const f16* p) { return load(p); }
PARLANCE_ALWAYS_INLINE vf mac(vf a, vf b, vf sum) { return fma(a, b, sum); }
PARLANCE_ALWAYS_INLINE void transpose(vf* t) {
  __m256 u[8];
  PARLANCE_UNROLL
  for (int i = 0; i < 8; i += 4) {
    const __m256 a = _mm256_unpacklo_ps(t[i].v, t[i + 1].v);
    const __m256 b = _mm256_unpackhi_ps(t[i].v, t[i + 1].v);
    const __m256 c = _mm256_unpacklo_ps(t[i + 2].v, t[i + 3].v);
    const __m256 d = _mm256_unpackhi_ps(t[i + 2].v, t[i + 3].v);
    u[i] = _mm256_shuffle_ps(a, c, 0x44);
    u[i + 1] = _mm256_shuffle_ps(a, c, 0xEE);
    u[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
    u[i + 3] = _mm256_shuffle_ps(b, d, 0xEE);
  }
  PARLANCE_UNROLL
  for (int i = 0; i < 4; ++i) {
    t[i].v = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
    t[i + 4].v = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
  }
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::k_avx2
PARLANCE_TARGET_END

PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AVX512)
namespace parlance::inline PARLANCE_ABI::kernels::k_avx512 {

struct matrix_tile {
  static constexpr int rows = 14, vectors = 2;
  static constexpr int numbers_per_word = 1;
  static constexpr int batch = 8;
};
PARLANCE_ALWAYS_INLINE vf load_words(const float* p) { return load(p); }
PARLANCE_ALWAYS_INLINE vf load_words(const bf16* p) { return load(p); }
PARLANCE_ALWAYS_INLINE vf load_words(const f16* p) { return load(p); }
PARLANCE_ALWAYS_INLINE vf mac(vf a, vf b, vf sum) { return fma(a, b, sum); }
PARLANCE_ALWAYS_INLINE void transpose(vf* t) {
  __m512 u[16];
  PARLANCE_UNROLL
  for (int i = 0; i < 16; i += 4) {  // 4 x 4 inside each 128-bit lane
    const __m512 a = _mm512_unpacklo_ps(t[i].v, t[i + 1].v);
    const __m512 b = _mm512_unpackhi_ps(t[i].v, t[i + 1].v);
    const __m512 c = _mm512_unpacklo_ps(t[i + 2].v, t[i + 3].v);
    const __m512 d = _mm512_unpackhi_ps(t[i + 2].v, t[i + 3].v);
    u[i] = _mm512_shuffle_ps(a, c, 0x44);
    u[i + 1] = _mm512_shuffle_ps(a, c, 0xEE);
    u[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
    u[i + 3] = _mm512_shuffle_ps(b, d, 0xEE);
  }
  PARLANCE_UNROLL
  for (int i = 0; i < 4; ++i) {  // then 4 x 4 of the lanes
    const __m512 a = _mm512_shuffle_f32x4(u[i], u[i + 4], 0x88);
    const __m512 b = _mm512_shuffle_f32x4(u[i], u[i + 4], 0xDD);
    const __m512 c = _mm512_shuffle_f32x4(u[i + 8], u[i + 12], 0x88);
    const __m512 d = _mm512_shuffle_f32x4(u[i + 8], u[i + 12], 0xDD);
    t[i].v = _mm512_shuffle_f32x4(a, c, 0x88);
    t[i + 4].v = _mm512_shuffle_f32x4(b, d, 0x88);
    t[i + 8].v = _mm512_shuffle_f32x4(a, c, 0xDD);
    t[i + 12].v = _mm512_shuffle_f32x4(b, d, 0xDD);
  }
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::k_avx512
PARLANCE_TARGET_END

PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AVX512BF16)
namespace parlance::inline PARLANCE_ABI::kernels::k_avx512bf16 {

using k_avx512::load;
using k_avx512::load_once;
using k_avx512::reduce_add;
using k_avx512::set1;
using k_avx512::store;
using k_avx512::transpose;
using k_avx512::vf;
using k_avx512::zero;
using k_avx512::operator+;

struct matrix_tile {
  static constexpr int rows = 14, vectors = 2;
  static constexpr int numbers_per_word = 2;
  static constexpr int batch = 8;
};
PARLANCE_ALWAYS_INLINE vf load_words(const float* p) {
  const __m512bh h = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(p + 16), _mm512_loadu_ps(p));
  return {_mm512_castsi512_ps((__m512i)h)};
}
PARLANCE_ALWAYS_INLINE vf load_words(const bf16* p) {
  return {_mm512_castsi512_ps(_mm512_loadu_si512(p))};
}
PARLANCE_ALWAYS_INLINE vf mac(vf a, vf b, vf sum) {
  return {_mm512_dpbf16_ps(sum.v, (__m512bh)_mm512_castps_si512(a.v),
                           (__m512bh)_mm512_castps_si512(b.v))};
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::k_avx512bf16
PARLANCE_TARGET_END

#endif  // PARLANCE_X86
