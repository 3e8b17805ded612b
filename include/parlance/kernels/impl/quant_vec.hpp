// SPDX-License-Identifier: Apache-2.0
// What the quantised kernels need of each instruction set, same names in all three namespaces:
// `codes` (16 rows x 4 unsigned bytes), `row16` (a float for each of 16 rows), and `dots`, which
// multiplies N chunks of codes of some panels with the signed activations of some tokens and gives
// the exact integers as lifted floats (see quant_layout.hpp): out[p][t] = start(t) + sum over g of
// code(g, p) q(t)[4g...].
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "parlance/kernels/impl/quant_layout.hpp"
#include "parlance/kernels/impl/vec.hpp"

// Code tiles stay in registers only if every loop over them is unrolled completely.
#if !defined(PARLANCE_UNROLL)
#if defined(__clang__)
#define PARLANCE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define PARLANCE_UNROLL _Pragma("GCC unroll 64")
#endif
#endif

namespace parlance::inline PARLANCE_ABI::kernels::k_base::quant {

inline constexpr int tile_sizes[] = {1, 4};
// Panels that the largest tile takes at once.
inline constexpr int panels_at_once = 1;

struct codes {
  std::uint8_t v[64];
};
struct row16 {
  float v[16];
};
PARLANCE_ALWAYS_INLINE codes load_codes(const std::uint8_t* p) {
  codes c;
  std::memcpy(c.v, p, sizeof c.v);
  return c;
}
template <int Left>
PARLANCE_ALWAYS_INLINE codes shift(codes c) {
  for (std::uint8_t& x : c.v) {
    if constexpr (Left >= 0)
      x = static_cast<std::uint8_t>(x << Left);
    else
      x = static_cast<std::uint8_t>(x >> -Left);
  }
  return c;
}
PARLANCE_ALWAYS_INLINE codes masked(codes c, std::uint8_t mask) {
  for (std::uint8_t& x : c.v) x &= mask;
  return c;
}
PARLANCE_ALWAYS_INLINE codes join(codes low, codes high, std::uint8_t mask) {
  for (int i = 0; i < 64; ++i) low.v[i] = static_cast<std::uint8_t>(low.v[i] | (high.v[i] & mask));
  return low;
}
PARLANCE_ALWAYS_INLINE row16 all(float x) {
  row16 r;
  for (float& y : r.v) y = x;
  return r;
}
PARLANCE_ALWAYS_INLINE row16 from_f16(const std::uint8_t* p) {
  row16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = detail::half_value(detail::load_u16(p + 2 * i));
  return r;
}
PARLANCE_ALWAYS_INLINE row16 from_u8(const std::uint8_t* p) {
  row16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = p[i];
  return r;
}
PARLANCE_ALWAYS_INLINE row16 from_i8(const std::uint8_t* p) {
  row16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = static_cast<std::int8_t>(p[i]);
  return r;
}
PARLANCE_ALWAYS_INLINE row16 operator*(row16 a, row16 b) {
  for (int i = 0; i < 16; ++i) a.v[i] *= b.v[i];
  return a;
}
PARLANCE_ALWAYS_INLINE row16 operator+(row16 a, row16 b) {
  for (int i = 0; i < 16; ++i) a.v[i] += b.v[i];
  return a;
}
PARLANCE_ALWAYS_INLINE row16 fma(row16 a, row16 b, row16 c) {
  for (int i = 0; i < 16; ++i) c.v[i] += a.v[i] * b.v[i];
  return c;
}
// scale * n for a lifted n; without a fused operation the lift comes off first.
PARLANCE_ALWAYS_INLINE row16 lowered(row16 lifted, row16 scale) {
  return (lifted + all(-detail::lift)) * scale;
}
PARLANCE_ALWAYS_INLINE row16 load_rows(const float* p, int n) {
  row16 r = all(0);
  for (int i = 0; i < n; ++i) r.v[i] = p[i];
  return r;
}
PARLANCE_ALWAYS_INLINE void store_rows(float* p, row16 a, int n) {
  for (int i = 0; i < n; ++i) p[i] = a.v[i];
}
template <int J>
PARLANCE_ALWAYS_INLINE row16 code_values(const codes& c) {
  row16 r;
  for (int i = 0; i < 16; ++i) r.v[i] = c.v[4 * i + J];
  return r;
}
template <int Bits, int N>
PARLANCE_ALWAYS_INLINE row16 dot(std::int32_t start, const codes* w, const std::int8_t* q) {
  std::int32_t sum[16];
  for (std::int32_t& s : sum) s = start;
  for (int g = 0; g < N; ++g)
    for (int i = 0; i < 16; ++i)
      for (int j = 0; j < 4; ++j) sum[i] += w[g].v[4 * i + j] * q[4 * g + j];
  row16 r;
  std::memcpy(r.v, sum, sizeof r.v);
  return r;
}
// f(0_c), f(1_c), ... with the index as a constant.
template <int N, class F>
PARLANCE_ALWAYS_INLINE void each_index(F f) {
  [&]<int... I>(std::integer_sequence<int, I...>) { (f(std::integral_constant<int, I>{}), ...); }
  (std::make_integer_sequence<int, N>{});
}
template <int Bits, int N, int Panels, int Tokens, class Code, class Start, class Inputs>
PARLANCE_ALWAYS_INLINE void dots(Code code, Start start, Inputs q, row16 (*out)[Tokens]) {
  PARLANCE_UNROLL
  for (int p = 0; p < Panels; ++p) {
    codes w[N];
    each_index<N>([&](auto g) { w[g] = code(g, p); });
    PARLANCE_UNROLL
    for (int t = 0; t < Tokens; ++t) out[p][t] = dot<Bits, N>(start(t), w, q(t));
  }
}
// Stores rounded numbers of magnitude at most 127 as bytes.
PARLANCE_ALWAYS_INLINE void store_bytes(std::int8_t* p, vf a) {
  for (int i = 0; i < vf::lanes; ++i) p[i] = static_cast<std::int8_t>(a.v[i]);
}
PARLANCE_ALWAYS_INLINE int sum_of_16(const std::int8_t* p) {
  int sum = 0;
  for (int i = 0; i < 16; ++i) sum += p[i];
  return sum;
}
template <int N>
PARLANCE_ALWAYS_INLINE bool all_finite(const vf* v) {
  bool finite = true;
  for (int i = 0; i < N * vf::lanes; ++i) {
    const float x = v[i / vf::lanes].v[i % vf::lanes];
    finite &= x - x == 0;
  }
  return finite;
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::k_base::quant

#if defined(PARLANCE_X86)

PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AVX2)
namespace parlance::inline PARLANCE_ABI::kernels::k_avx2::quant {

inline constexpr int tile_sizes[] = {1, 2, 4};
// Panels that the largest tile takes at once.
inline constexpr int panels_at_once = 1;

struct codes {
  __m256i v[2];
};
struct row16 {
  __m256 v[2];
};
PARLANCE_ALWAYS_INLINE codes load_codes(const std::uint8_t* p) {
  const auto* q = reinterpret_cast<const __m256i*>(p);
  return {{_mm256_loadu_si256(q), _mm256_loadu_si256(q + 1)}};
}
template <int Left>
PARLANCE_ALWAYS_INLINE codes shift(codes c) {
  if constexpr (Left >= 0)
    return {{_mm256_slli_epi16(c.v[0], Left), _mm256_slli_epi16(c.v[1], Left)}};
  else
    return {{_mm256_srli_epi16(c.v[0], -Left), _mm256_srli_epi16(c.v[1], -Left)}};
}
PARLANCE_ALWAYS_INLINE codes masked(codes c, std::uint8_t mask) {
  const __m256i m = _mm256_set1_epi8(static_cast<char>(mask));
  return {{_mm256_and_si256(c.v[0], m), _mm256_and_si256(c.v[1], m)}};
}
PARLANCE_ALWAYS_INLINE codes join(codes low, codes high, std::uint8_t mask) {
  const codes h = masked(high, mask);
  return {{_mm256_or_si256(low.v[0], h.v[0]), _mm256_or_si256(low.v[1], h.v[1])}};
}
PARLANCE_ALWAYS_INLINE row16 all(float x) { return {{_mm256_set1_ps(x), _mm256_set1_ps(x)}}; }
PARLANCE_ALWAYS_INLINE row16 from_f16(const std::uint8_t* p) {
  const auto* q = reinterpret_cast<const __m128i*>(p);
  return {{_mm256_cvtph_ps(_mm_loadu_si128(q)), _mm256_cvtph_ps(_mm_loadu_si128(q + 1))}};
}
PARLANCE_ALWAYS_INLINE __m128i load8(const std::uint8_t* p) {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
}
PARLANCE_ALWAYS_INLINE row16 from_u8(const std::uint8_t* p) {
  return {{_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(load8(p))),
           _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(load8(p + 8)))}};
}
PARLANCE_ALWAYS_INLINE row16 from_i8(const std::uint8_t* p) {
  return {{_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(load8(p))),
           _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(load8(p + 8)))}};
}
PARLANCE_ALWAYS_INLINE row16 operator*(row16 a, row16 b) {
  return {{_mm256_mul_ps(a.v[0], b.v[0]), _mm256_mul_ps(a.v[1], b.v[1])}};
}
PARLANCE_ALWAYS_INLINE row16 operator+(row16 a, row16 b) {
  return {{_mm256_add_ps(a.v[0], b.v[0]), _mm256_add_ps(a.v[1], b.v[1])}};
}
PARLANCE_ALWAYS_INLINE row16 fma(row16 a, row16 b, row16 c) {
  return {{_mm256_fmadd_ps(a.v[0], b.v[0], c.v[0]), _mm256_fmadd_ps(a.v[1], b.v[1], c.v[1])}};
}
// scale * n for a lifted n.
PARLANCE_ALWAYS_INLINE row16 lowered(row16 lifted, row16 scale) {
  return fma(lifted, scale, scale * all(-detail::lift));
}
PARLANCE_ALWAYS_INLINE row16 load_rows(const float* p, int n) {
  if (n == 16) return {{_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}};
  alignas(32) float x[16] = {};
  for (int i = 0; i < n; ++i) x[i] = p[i];
  return {{_mm256_load_ps(x), _mm256_load_ps(x + 8)}};
}
PARLANCE_ALWAYS_INLINE void store_rows(float* p, row16 a, int n) {
  if (n == 16) {
    _mm256_storeu_ps(p, a.v[0]);
    return _mm256_storeu_ps(p + 8, a.v[1]);
  }
  alignas(32) float x[16];
  _mm256_store_ps(x, a.v[0]);
  _mm256_store_ps(x + 8, a.v[1]);
  for (int i = 0; i < n; ++i) p[i] = x[i];
}
template <int J>
PARLANCE_ALWAYS_INLINE row16 code_values(codes c) {
  const __m256i byte = _mm256_set1_epi32(255);
  return {{_mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32(c.v[0], 8 * J), byte)),
           _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32(c.v[1], 8 * J), byte))}};
}
PARLANCE_ALWAYS_INLINE __m256i four_bytes(const std::int8_t* q) {
  std::int32_t word;
  std::memcpy(&word, q, sizeof word);
  return _mm256_set1_epi32(word);
}
// Pairs of products are summed in 16 bits: 8-bit codes get their bias removed first (|w| <= 128
// times 127 twice stays below 2^15; `start`, which cancels the bias, is not needed then); narrower
// ones leave room to add several chunks before widening.
template <int Bits, int N>
PARLANCE_ALWAYS_INLINE row16 dot(std::int32_t start, const codes* w, const std::int8_t* q) {
  constexpr int together = Bits == 8 ? 1 : Bits == 4 ? 8 : Bits == 5 ? 4 : 2;
  const __m256i ones = _mm256_set1_epi16(1), bias = _mm256_set1_epi8(-128);
  row16 r;
  PARLANCE_UNROLL
  for (int h = 0; h < 2; ++h) {
    __m256i sum = _mm256_set1_epi32(Bits == 8 ? detail::lifted_zero : start);
    PARLANCE_UNROLL
    for (int g = 0; g < N; g += together) {
      __m256i pairs = _mm256_setzero_si256();
      PARLANCE_UNROLL
      for (int i = 0; i < together; ++i) {
        const __m256i a = four_bytes(q + 4 * (g + i));
        if constexpr (Bits == 8) {
          const __m256i s = _mm256_xor_si256(w[g + i].v[h], bias);
          pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(s), _mm256_sign_epi8(a, s));
        } else {
          pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(w[g + i].v[h], a));
        }
      }
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
    }
    r.v[h] = _mm256_castsi256_ps(sum);
  }
  return r;
}
// f(0_c), f(1_c), ... with the index as a constant.
template <int N, class F>
PARLANCE_ALWAYS_INLINE void each_index(F f) {
  [&]<int... I>(std::integer_sequence<int, I...>) { (f(std::integral_constant<int, I>{}), ...); }
  (std::make_integer_sequence<int, N>{});
}
template <int Bits, int N, int Panels, int Tokens, class Code, class Start, class Inputs>
PARLANCE_ALWAYS_INLINE void dots(Code code, Start start, Inputs q, row16 (*out)[Tokens]) {
  PARLANCE_UNROLL
  for (int p = 0; p < Panels; ++p) {
    codes w[N];
    each_index<N>([&](auto g) { w[g] = code(g, p); });
    PARLANCE_UNROLL
    for (int t = 0; t < Tokens; ++t) out[p][t] = dot<Bits, N>(start(t), w, q(t));
  }
}
PARLANCE_ALWAYS_INLINE void store_bytes(std::int8_t* p, vf a) {
  const __m256i i = _mm256_cvtps_epi32(a.v);
  const __m128i h = _mm_packs_epi32(_mm256_castsi256_si128(i), _mm256_extracti128_si256(i, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(h, h));
}
// Unsigned sums of the bytes moved up by 128.
PARLANCE_ALWAYS_INLINE int sum_of_16(const std::int8_t* p) {
  const __m128i c =
      _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)), _mm_set1_epi8(-128));
  const __m128i s = _mm_sad_epu8(c, _mm_setzero_si128());
  return _mm_cvtsi128_si32(s) + _mm_extract_epi16(s, 4) - 16 * 128;
}
template <int N>
PARLANCE_ALWAYS_INLINE bool all_finite(const vf* v) {
  __m256 wrong = _mm256_setzero_ps();
  PARLANCE_UNROLL
  for (int i = 0; i < N; ++i) {
    const __m256 zero = _mm256_sub_ps(v[i].v, v[i].v);
    wrong = _mm256_or_ps(wrong, _mm256_cmp_ps(zero, zero, _CMP_UNORD_Q));
  }
  return _mm256_movemask_ps(wrong) == 0;
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::k_avx2::quant
PARLANCE_TARGET_END

PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AVX512)
namespace parlance::inline PARLANCE_ABI::kernels::k_avx512::quant {

inline constexpr int tile_sizes[] = {1, 2, 3, 4, 6};
// Panels that the largest tile takes at once.
inline constexpr int panels_at_once = 2;

struct codes {
  __m512i v;
};
struct row16 {
  __m512 v;
};
PARLANCE_ALWAYS_INLINE codes load_codes(const std::uint8_t* p) { return {_mm512_loadu_si512(p)}; }
template <int Left>
PARLANCE_ALWAYS_INLINE codes shift(codes c) {
  if constexpr (Left >= 0)
    return {_mm512_slli_epi32(c.v, Left)};
  else
    return {_mm512_srli_epi32(c.v, -Left)};
}
PARLANCE_ALWAYS_INLINE codes masked(codes c, std::uint8_t mask) {
  return {_mm512_and_si512(c.v, _mm512_set1_epi8(static_cast<char>(mask)))};
}
PARLANCE_ALWAYS_INLINE codes join(codes low, codes high, std::uint8_t mask) {
  const __m512i m = _mm512_set1_epi8(static_cast<char>(mask));
  return {_mm512_ternarylogic_epi32(low.v, high.v, m, 0xF8)};  // low | (high & m)
}
PARLANCE_ALWAYS_INLINE row16 all(float x) { return {_mm512_set1_ps(x)}; }
PARLANCE_ALWAYS_INLINE row16 from_f16(const std::uint8_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
PARLANCE_ALWAYS_INLINE __m128i load16(const std::uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
PARLANCE_ALWAYS_INLINE row16 from_u8(const std::uint8_t* p) {
  return {_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(load16(p)))};
}
PARLANCE_ALWAYS_INLINE row16 from_i8(const std::uint8_t* p) {
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load16(p)))};
}
PARLANCE_ALWAYS_INLINE row16 operator*(row16 a, row16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
PARLANCE_ALWAYS_INLINE row16 operator+(row16 a, row16 b) { return {_mm512_add_ps(a.v, b.v)}; }
PARLANCE_ALWAYS_INLINE row16 fma(row16 a, row16 b, row16 c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
PARLANCE_ALWAYS_INLINE __mmask16 first_rows(int n) { return static_cast<__mmask16>((1u << n) - 1); }
// scale * n for a lifted n.
PARLANCE_ALWAYS_INLINE row16 lowered(row16 lifted, row16 scale) {
  return fma(lifted, scale, scale * all(-detail::lift));
}
PARLANCE_ALWAYS_INLINE row16 load_rows(const float* p, int n) {
  return {_mm512_maskz_loadu_ps(first_rows(n), p)};
}
PARLANCE_ALWAYS_INLINE void store_rows(float* p, row16 a, int n) {
  if (n == 16) return _mm512_storeu_ps(p, a.v);
  _mm512_mask_storeu_ps(p, first_rows(n), a.v);
}
template <int J>
PARLANCE_ALWAYS_INLINE row16 code_values(codes c) {
  const __m512i byte = _mm512_set1_epi32(255);
  return {_mm512_cvtepi32_ps(_mm512_and_si512(_mm512_srli_epi32(c.v, 8 * J), byte))};
}
// f(0_c), f(1_c), ... with the index as a constant.
template <int N, class F>
PARLANCE_ALWAYS_INLINE void each_index(F f) {
  [&]<int... I>(std::integer_sequence<int, I...>) { (f(std::integral_constant<int, I>{}), ...); }
  (std::make_integer_sequence<int, N>{});
}
// Chunk by chunk over all sums: they hide each other's latency, and the panels share the
// broadcasts.
template <int Bits, int N, int Panels, int Tokens, class Code, class Start, class Inputs>
PARLANCE_ALWAYS_INLINE void dots(Code code, Start start, Inputs q, row16 (*out)[Tokens]) {
  __m512i sum[Panels][Tokens];
  PARLANCE_UNROLL
  for (int t = 0; t < Tokens; ++t) {
    PARLANCE_UNROLL
    for (int p = 0; p < Panels; ++p) sum[p][t] = _mm512_set1_epi32(start(t));
  }
  each_index<N>([&](auto g) {
    codes w[Panels];
    PARLANCE_UNROLL
    for (int p = 0; p < Panels; ++p) w[p] = code(g, p);
    PARLANCE_UNROLL
    for (int t = 0; t < Tokens; ++t) {
      std::int32_t word;
      std::memcpy(&word, q(t) + 4 * g, sizeof word);
      PARLANCE_UNROLL
      for (int p = 0; p < Panels; ++p)
        sum[p][t] = _mm512_dpbusd_epi32(sum[p][t], w[p].v, _mm512_set1_epi32(word));
    }
  });
  PARLANCE_UNROLL
  for (int p = 0; p < Panels; ++p) {
    PARLANCE_UNROLL
    for (int t = 0; t < Tokens; ++t) out[p][t] = {_mm512_castsi512_ps(sum[p][t])};
  }
}
PARLANCE_ALWAYS_INLINE void store_bytes(std::int8_t* p, vf a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(a.v)));
}
// Unsigned sums of the bytes moved up by 128.
PARLANCE_ALWAYS_INLINE int sum_of_16(const std::int8_t* p) {
  const __m128i c =
      _mm_xor_si128(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)), _mm_set1_epi8(-128));
  const __m128i s = _mm_sad_epu8(c, _mm_setzero_si128());
  return _mm_cvtsi128_si32(s) + _mm_extract_epi16(s, 4) - 16 * 128;
}
template <int N>
PARLANCE_ALWAYS_INLINE bool all_finite(const vf* v) {
  __mmask16 wrong = 0;
  PARLANCE_UNROLL
  for (int i = 0; i < N; ++i) {
    const __m512 zero = _mm512_sub_ps(v[i].v, v[i].v);
    wrong = static_cast<__mmask16>(wrong | _mm512_cmp_ps_mask(zero, zero, _CMP_UNORD_Q));
  }
  return wrong == 0;
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::k_avx512::quant
PARLANCE_TARGET_END

#endif  // PARLANCE_X86
