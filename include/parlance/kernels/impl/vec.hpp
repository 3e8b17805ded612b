// SPDX-License-Identifier: Apache-2.0
// A vector of floats for the kernels that are compiled once per instruction set: k_base::vf (four
// lanes, compiler vectors), k_avx2::vf (eight), k_avx512::vf (sixteen), same names in each. xsimd
// cannot serve here: its types exist only for the flags of the whole translation unit.
#pragma once

#include <cstdint>
#include <cstring>

#include "parlance/core/float16.hpp"
#include "parlance/kernels/isa.hpp"

namespace parlance::inline PARLANCE_ABI::kernels::k_base {

struct vf {
  static constexpr int lanes = 4;
  using native = float __attribute__((vector_size(16)));
  native v;
};
PARLANCE_ALWAYS_INLINE vf zero() { return {vf::native{0, 0, 0, 0}}; }
PARLANCE_ALWAYS_INLINE vf set1(float x) { return {vf::native{x, x, x, x}}; }
PARLANCE_ALWAYS_INLINE vf load(const float* p) {
  vf r;
  std::memcpy(&r.v, p, sizeof r.v);
  return r;
}
PARLANCE_ALWAYS_INLINE vf load_once(const float* p) { return load(p); }
PARLANCE_ALWAYS_INLINE vf load(const bf16* p) {
  return {vf::native{float(p[0]), float(p[1]), float(p[2]), float(p[3])}};
}
PARLANCE_ALWAYS_INLINE vf load(const f16* p) {
  return {vf::native{float(p[0]), float(p[1]), float(p[2]), float(p[3])}};
}
PARLANCE_ALWAYS_INLINE void store(float* p, vf a) { std::memcpy(p, &a.v, sizeof a.v); }
PARLANCE_ALWAYS_INLINE void store(bf16* p, vf a) {
  for (int i = 0; i < vf::lanes; ++i) p[i] = bf16(a.v[i]);
}
PARLANCE_ALWAYS_INLINE void store(f16* p, vf a) {
  for (int i = 0; i < vf::lanes; ++i) p[i] = f16(a.v[i]);
}
PARLANCE_ALWAYS_INLINE vf operator+(vf a, vf b) { return {a.v + b.v}; }
PARLANCE_ALWAYS_INLINE vf operator-(vf a, vf b) { return {a.v - b.v}; }
PARLANCE_ALWAYS_INLINE vf operator*(vf a, vf b) { return {a.v * b.v}; }
PARLANCE_ALWAYS_INLINE vf operator/(vf a, vf b) { return {a.v / b.v}; }
PARLANCE_ALWAYS_INLINE vf fma(vf a, vf b, vf c) { return {a.v * b.v + c.v}; }
PARLANCE_ALWAYS_INLINE vf max(vf a, vf b) { return {a.v > b.v ? a.v : b.v}; }
PARLANCE_ALWAYS_INLINE vf min(vf a, vf b) { return {a.v < b.v ? a.v : b.v}; }
PARLANCE_ALWAYS_INLINE float reduce_add(vf a) { return (a.v[0] + a.v[1]) + (a.v[2] + a.v[3]); }
PARLANCE_ALWAYS_INLINE float reduce_max(vf a) {
  const float x = a.v[0] > a.v[1] ? a.v[0] : a.v[1], y = a.v[2] > a.v[3] ? a.v[2] : a.v[3];
  return x > y ? x : y;
}
// Rounds to the nearest integer, |a| < 2^22.
PARLANCE_ALWAYS_INLINE vf round(vf a) {
  const vf magic = set1(0x1.8p23f);
  return {(a.v + magic.v) - magic.v};
}
// a * 2^n for integral n in [-126, 127].
PARLANCE_ALWAYS_INLINE vf scale2(vf a, vf n) {
  using ints = std::int32_t __attribute__((vector_size(16)));
  const ints exponent = __builtin_convertvector(n.v, ints) + 127;
  return {a.v * reinterpret_cast<vf::native>(exponent << 23)};
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::k_base

#if defined(PARLANCE_X86)

PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AVX2)
namespace parlance::inline PARLANCE_ABI::kernels::k_avx2 {

struct vf {
  static constexpr int lanes = 8;
  __m256 v;
};
PARLANCE_ALWAYS_INLINE vf zero() { return {_mm256_setzero_ps()}; }
PARLANCE_ALWAYS_INLINE vf set1(float x) { return {_mm256_set1_ps(x)}; }
PARLANCE_ALWAYS_INLINE vf load(const float* p) { return {_mm256_loadu_ps(p)}; }
PARLANCE_ALWAYS_INLINE vf load_once(const float* p) { return load(p); }
PARLANCE_ALWAYS_INLINE vf load(const bf16* p) {
  const __m128i h = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16))};
}
PARLANCE_ALWAYS_INLINE vf load(const f16* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
}
PARLANCE_ALWAYS_INLINE void store(float* p, vf a) { _mm256_storeu_ps(p, a.v); }
PARLANCE_ALWAYS_INLINE void store(bf16* p, vf a) {
  alignas(32) float x[8];
  _mm256_store_ps(x, a.v);
  for (int i = 0; i < 8; ++i) p[i] = bf16(x[i]);
}
PARLANCE_ALWAYS_INLINE void store(f16* p, vf a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a.v, 0));
}
PARLANCE_ALWAYS_INLINE vf operator+(vf a, vf b) { return {_mm256_add_ps(a.v, b.v)}; }
PARLANCE_ALWAYS_INLINE vf operator-(vf a, vf b) { return {_mm256_sub_ps(a.v, b.v)}; }
PARLANCE_ALWAYS_INLINE vf operator*(vf a, vf b) { return {_mm256_mul_ps(a.v, b.v)}; }
PARLANCE_ALWAYS_INLINE vf operator/(vf a, vf b) { return {_mm256_div_ps(a.v, b.v)}; }
PARLANCE_ALWAYS_INLINE vf fma(vf a, vf b, vf c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
PARLANCE_ALWAYS_INLINE vf max(vf a, vf b) { return {_mm256_max_ps(a.v, b.v)}; }
PARLANCE_ALWAYS_INLINE vf min(vf a, vf b) { return {_mm256_min_ps(a.v, b.v)}; }
PARLANCE_ALWAYS_INLINE float reduce_add(vf a) {
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
PARLANCE_ALWAYS_INLINE float reduce_max(vf a) {
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}
PARLANCE_ALWAYS_INLINE vf round(vf a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
PARLANCE_ALWAYS_INLINE vf scale2(vf a, vf n) {
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(127));
  return {_mm256_mul_ps(a.v, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)))};
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::k_avx2
PARLANCE_TARGET_END

PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AVX512)
namespace parlance::inline PARLANCE_ABI::kernels::k_avx512 {

struct vf {
  static constexpr int lanes = 16;
  __m512 v;
};
PARLANCE_ALWAYS_INLINE vf zero() { return {_mm512_setzero_ps()}; }
PARLANCE_ALWAYS_INLINE vf set1(float x) { return {_mm512_set1_ps(x)}; }
PARLANCE_ALWAYS_INLINE vf load(const float* p) { return {_mm512_loadu_ps(p)}; }
// For several uses: compilers would rather load again for each.
PARLANCE_ALWAYS_INLINE vf load_once(const float* p) {
  __m512 v = _mm512_loadu_ps(p);
  __asm__("" : "+v"(v));
  return {v};
}
PARLANCE_ALWAYS_INLINE vf load(const bf16* p) {
  const __m256i h = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16))};
}
PARLANCE_ALWAYS_INLINE vf load(const f16* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
PARLANCE_ALWAYS_INLINE void store(float* p, vf a) { _mm512_storeu_ps(p, a.v); }
PARLANCE_ALWAYS_INLINE void store(bf16* p, vf a) {
  // Round to nearest even on the integer image; NaN keeps its quiet bit.
  const __m512i u = _mm512_castps_si512(a.v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
  __m512i r = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
  const __mmask16 nan = _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q);
  r = _mm512_mask_or_epi32(r, nan, u, _mm512_set1_epi32(0x400000));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtepi32_epi16(_mm512_srli_epi32(r, 16)));
}
PARLANCE_ALWAYS_INLINE void store(f16* p, vf a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a.v, 0));
}
PARLANCE_ALWAYS_INLINE vf operator+(vf a, vf b) { return {_mm512_add_ps(a.v, b.v)}; }
PARLANCE_ALWAYS_INLINE vf operator-(vf a, vf b) { return {_mm512_sub_ps(a.v, b.v)}; }
PARLANCE_ALWAYS_INLINE vf operator*(vf a, vf b) { return {_mm512_mul_ps(a.v, b.v)}; }
PARLANCE_ALWAYS_INLINE vf operator/(vf a, vf b) { return {_mm512_div_ps(a.v, b.v)}; }
PARLANCE_ALWAYS_INLINE vf fma(vf a, vf b, vf c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
PARLANCE_ALWAYS_INLINE vf max(vf a, vf b) { return {_mm512_max_ps(a.v, b.v)}; }
PARLANCE_ALWAYS_INLINE vf min(vf a, vf b) { return {_mm512_min_ps(a.v, b.v)}; }
PARLANCE_ALWAYS_INLINE float reduce_add(vf a) { return _mm512_reduce_add_ps(a.v); }
PARLANCE_ALWAYS_INLINE float reduce_max(vf a) { return _mm512_reduce_max_ps(a.v); }
PARLANCE_ALWAYS_INLINE vf round(vf a) { return {_mm512_roundscale_ps(a.v, 0)}; }
PARLANCE_ALWAYS_INLINE vf scale2(vf a, vf n) { return {_mm512_scalef_ps(a.v, n.v)}; }

}  // namespace parlance::inline PARLANCE_ABI::kernels::k_avx512
PARLANCE_TARGET_END

#endif  // PARLANCE_X86
