// SPDX-License-Identifier: Apache-2.0
// The packed matrix product on Intel's tile unit (AMX), which multiplies tiles of 16 x 32 and 32 x
// 16 bf16 numbers into 16 x 16 f32 sums. Operands that need f32's accuracy are split into three
// bf16 parts each, whose sum is the f32 number exactly; of the nine products of parts the three
// below 2^-24 are left out (as in Henry, Tang and Heinecke, "Leveraging the bfloat16 artificial
// intelligence datatype for higher-precision computations", 2019). Even so the unit is half
// as fast again as f32 multiply-adds. Numbers below 2^-110 lose low bits, since the unit knows no
// subnormals.
#pragma once

#include "parlance/kernels/gemv.hpp"
#include "parlance/kernels/impl/quant_kernels.hpp"

#if defined(PARLANCE_X86)

PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AMX)
namespace parlance::inline PARLANCE_ABI::kernels::k_amx {

using detail::gemm_args;

// A tile is 1 KiB: 16 rows of 16 words, a word being two bf16 neighbours along k.
inline constexpr int side = 16, numbers = 32, tile_words = side * side;
// Of a block of sums: two tiles by two.
inline constexpr int block_side = 2 * side;

using k_avx512::transpose;
using k_avx512::vf;

// Even numbers `low` and odd ones `high`, as words.
PARLANCE_ALWAYS_INLINE __m512i interleaved(__m512 low, __m512 high) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

// What rounding to bf16 left of x; nothing of an infinity or a NaN, which only a first part can be.
template <bool First>
PARLANCE_ALWAYS_INLINE __m512 rest_of(__m512 x, __m512i rounded) {
  const __m512 r = _mm512_castsi512_ps(rounded);
  if constexpr (!First) return _mm512_sub_ps(x, r);
  return _mm512_maskz_sub_ps(
      _mm512_cmp_ps_mask(_mm512_sub_ps(r, r), _mm512_setzero_ps(), _CMP_EQ_OQ), x, r);
}

PARLANCE_ALWAYS_INLINE __m512i widened(__m256i h) {
  return _mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16);
}

// 32 numbers of one row, a the first 16: part[p] = their words.
template <int Parts, int Part = 0>
PARLANCE_ALWAYS_INLINE void split_row(__m512 a, __m512 b, __m512i* part) {
  const __m512i words = (__m512i)_mm512_cvtne2ps_pbh(b, a);
  part[Part] = words;
  if constexpr (Part + 1 < Parts)
    split_row<Parts, Part + 1>(rest_of<Part == 0>(a, widened(_mm512_castsi512_si256(words))),
                               rest_of<Part == 0>(b, widened(_mm512_extracti64x4_epi64(words, 1))),
                               part);
}

// 16 columns of two rows that follow each other along k.
template <int Parts, int Part = 0>
PARLANCE_ALWAYS_INLINE void split_pair(__m512 low, __m512 high, __m512i* part) {
  const __m512i words = interleaved(low, high);
  part[Part] = words;
  if constexpr (Part + 1 < Parts)
    split_pair<Parts, Part + 1>(
        rest_of<Part == 0>(low, _mm512_slli_epi32(words, 16)),
        rest_of<Part == 0>(high, _mm512_and_si512(words, _mm512_set1_epi32(-65536))), part);
}

PARLANCE_ALWAYS_INLINE __mmask16 first(std::int64_t n) {
  return static_cast<__mmask16>(n >= 16 ? 0xFFFF : n <= 0 ? 0 : (1 << n) - 1);
}
PARLANCE_ALWAYS_INLINE __m512 load_some(const float* p, std::int64_t n) {
  return _mm512_maskz_loadu_ps(first(n), p);
}
PARLANCE_ALWAYS_INLINE __m512 load_some(const f16* p, std::int64_t n) {
  return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first(n), p));
}

// 32 numbers of a row, of which n exist.
template <int Parts, class Number>
PARLANCE_ALWAYS_INLINE void load_row(const Number* p, std::int64_t n, __m512i* part) {
  if constexpr (std::is_same_v<Number, bf16>) {
    static_assert(Parts == 1);
    part[0] = _mm512_maskz_loadu_epi16(n >= 32 ? ~0u : (1u << n) - 1, p);
  } else {
    split_row<Parts>(load_some(p, n), load_some(p + (n > 16 ? 16 : 0), n - 16), part);
  }
}

// The tiles of `live` rows that run along k (k numbers of each exist): out[p] that of part p.
template <int Parts, class Number>
PARLANCE_ALWAYS_INLINE void split_rows(const Number* rows, std::int64_t stride, std::int64_t live,
                                       std::int64_t k, float* const* out) {
  for (int i = 0; i < side; ++i) {
    __m512i part[Parts];
    load_row<Parts>(rows + i * stride, i < live ? k : 0, part);
    PARLANCE_UNROLL
    for (int p = 0; p < Parts; ++p) _mm512_store_si512(out[p] + side * i, part[p]);
  }
}

// Writes the tiles of all parts, `stride` words apart, turned when asked.
template <int Parts, bool Turn>
PARLANCE_ALWAYS_INLINE void put_tiles(__m512i (*row)[Parts], float* out, std::int64_t stride) {
  PARLANCE_UNROLL
  for (int p = 0; p < Parts; ++p) {
    vf t[side];
    PARLANCE_UNROLL
    for (int i = 0; i < side; ++i) t[i].v = _mm512_castsi512_ps(row[i][p]);
    if constexpr (Turn) transpose(t);
    PARLANCE_UNROLL
    for (int i = 0; i < side; ++i) _mm512_store_ps(out + p * stride + side * i, t[i].v);
  }
}

// The same turned: a row of the tile holds the words of one pair. Parts lie `out_stride` words
// apart.
template <int Parts, class Number>
void turn_rows(const Number* rows, std::int64_t stride, std::int64_t live, std::int64_t k,
               float* out, std::int64_t out_stride) {
  __m512i row[side][Parts];
  PARLANCE_UNROLL
  for (int i = 0; i < side; ++i) load_row<Parts>(rows + i * stride, i < live ? k : 0, row[i]);
  put_tiles<Parts, true>(row, out, out_stride);
}

// The tile of `live` columns of k rows that follow each other along k; turned: a row of the tile
// holds the words of one column.
template <int Parts, bool Turn>
void pack_across(const float* columns, std::int64_t stride, std::int64_t live, std::int64_t k,
                 float* out, std::int64_t out_stride) {
  __m512i row[side][Parts];
  PARLANCE_UNROLL
  for (int i = 0; i < side; ++i) {
    const std::int64_t step = 2 * i;
    const __m512 low = load_some(columns + (step < k ? step * stride : 0), step < k ? live : 0);
    const __m512 high =
        load_some(columns + (step + 1 < k ? (step + 1) * stride : 0), step + 1 < k ? live : 0);
    split_pair<Parts>(low, high, row[i]);
  }
  put_tiles<Parts, Turn>(row, out, out_stride);
}

constexpr std::int64_t steps_of(std::int64_t k) { return (k + numbers - 1) / numbers; }

// A in panels of 32 rows: [k block][panel][step][part][upper and lower tile].
template <int Parts>
float* panel_of(const gemm_args& g, std::int64_t panel, std::int64_t k0, std::int64_t steps) {
  const std::int64_t panels = (g.m + block_side - 1) / block_side, words = 2 * Parts * tile_words;
  return g.packed_a + words * (k0 / numbers * panels + panel * steps);
}

// Asks for 32 numbers of each row: rows are too short for hardware prefetchers.
PARLANCE_ALWAYS_INLINE void fetch_rows(const float* rows, std::int64_t live, std::int64_t stride) {
  for (std::int64_t i = 0; i < std::min<std::int64_t>(live, side); ++i) {
    __builtin_prefetch(rows + i * stride, 0, 2);
    __builtin_prefetch(rows + i * stride + 16, 0, 2);
  }
}

template <int Parts>
void pack_a(const gemm_args& g, std::int64_t first, std::int64_t last) {
  for (std::int64_t panel = first; panel < last; ++panel)
    for (std::int64_t k0 = 0; k0 < g.k; k0 += g.k_block) {
      const std::int64_t k = std::min(g.k_block, g.k - k0), steps = steps_of(k);
      float* out = panel_of<Parts>(g, panel, k0, steps);
      for (std::int64_t step = 0; step < steps; ++step, out += 2 * Parts * tile_words)
        for (int half = 0; half < 2; ++half) {
          const std::int64_t i = panel * block_side + half * side, at = k0 + step * numbers;
          const std::int64_t live = g.m - i, rest = k - step * numbers;
          float* const tile = out + half * tile_words;
          const float* const a =
              live <= 0 ? g.a : g.a + (g.trans_a ? at * g.lda + i : i * g.lda + at);
          if (g.trans_a) {
            pack_across<Parts, true>(a, g.lda, live, rest, tile, 2 * tile_words);
            continue;
          }
          fetch_rows(a + block_side * g.lda, live - block_side, g.lda);
          float* const parts[3] = {tile, tile + 2 * tile_words, tile + 4 * tile_words};
          split_rows<Parts>(a, g.lda, live, rest, parts);
        }
    }
}

// 32 columns of B: [step][part][left and right tile], a row of a tile holding the words of a pair.
template <int Parts, class Weight>
void pack_b(const gemm_args& g, std::int64_t j, std::int64_t k0, std::int64_t k, float* out) {
  const std::int64_t steps = steps_of(k);
  for (std::int64_t step = 0; step < steps; ++step)
    for (int half = 0; half < 2; ++half) {
      const std::int64_t column = j + half * side, live = g.n - column, rest = k - step * numbers;
      const std::int64_t at = g.k_first + k0 + step * numbers;
      const Weight* const b = static_cast<const Weight*>(g.b) + (live <= 0   ? 0
                                                                 : g.trans_b ? column * g.ldb + at
                                                                             : at * g.ldb + column);
      float* const tile = out + (2 * Parts * step + half) * tile_words;
      if constexpr (std::is_same_v<Weight, float>)
        if (!g.trans_b) {
          pack_across<Parts, false>(b, g.ldb, live, rest, tile, 2 * tile_words);
          continue;
        }
      turn_rows<Parts>(b, g.ldb, live, rest, tile, 2 * tile_words);
    }
}

// The same from a quantised matrix: two of its panels.
template <int Parts>
void pack_quantised(const gemm_args& g, std::int64_t j, std::int64_t k0, std::int64_t k,
                    float* out) {
  const detail::quant_panels& w = *static_cast<const detail::quant_panels*>(g.b);
  const detail::quant_unpack unpack = k_avx512::quant::table.unpack[static_cast<int>(w.kind)];
  alignas(64) float values[numbers * side];
  for (int half = 0; half < 2; ++half, j += side)
    for (std::int64_t step = 0; step < k / numbers; ++step) {
      if (j < g.n)
        unpack(w.first + j / side * w.bytes, (g.k_first + k0) / numbers + step, 1, values);
      pack_across<Parts, false>(values, side, j < g.n ? side : 0, numbers,
                                out + (2 * Parts * step + half) * tile_words, 2 * tile_words);
    }
}

struct alignas(64) tile_config {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// The compiler does not see which memory the tile instructions touch.
PARLANCE_ALWAYS_INLINE void memory_barrier() { __asm__ volatile("" ::: "memory"); }

// The sums: tiles 0 and 1 above 2 and 3. One product of a part of A and one of B.
PARLANCE_ALWAYS_INLINE void load_a(const float* a) {
  _tile_loadd(4, a, 64);
  _tile_loadd(5, a + tile_words, 64);
}
PARLANCE_ALWAYS_INLINE void load_b(const float* b) {
  _tile_loadd(6, b, 64);
  _tile_loadd(7, b + tile_words, 64);
}
PARLANCE_ALWAYS_INLINE void multiply() {
  _tile_dpbf16ps(0, 4, 6);
  _tile_dpbf16ps(1, 4, 7);
  _tile_dpbf16ps(2, 5, 6);
  _tile_dpbf16ps(3, 5, 7);
}

// Products of the leading parts, which is all of them for rounded operands.
template <int PartsA, int PartsB>
PARLANCE_ALWAYS_INLINE void multiply_leading(std::int64_t steps, const float* a, const float* b) {
  for (; steps > 0; --steps, a += 2 * PartsA * tile_words, b += 2 * PartsB * tile_words) {
    load_a(a);
    load_b(b);
    multiply();
  }
}

// All other products that count. They come first, while the sums are small, so that their rounding
// does not show.
template <int PartsB>
PARLANCE_ALWAYS_INLINE void multiply_lower(std::int64_t steps, const float* a, const float* b) {
  constexpr int part = 2 * tile_words;
  for (; steps > 0; --steps, a += 3 * part, b += PartsB * part) {
    if constexpr (PartsB == 3) {
      load_a(a);
      load_b(b + 2 * part);
      multiply();
      load_b(b + part);
      multiply();
      load_a(a + part);
      multiply();
    } else {
      load_a(a + part);
    }
    load_b(b);
    multiply();
    load_a(a + 2 * part);
    multiply();
  }
}

PARLANCE_ALWAYS_INLINE void zero_sums() {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}
PARLANCE_ALWAYS_INLINE void load_sums(const float* c, std::int64_t ldc) {
  const std::int64_t bytes = ldc * 4;
  _tile_loadd(0, c, bytes);
  _tile_loadd(1, c + side, bytes);
  _tile_loadd(2, c + side * ldc, bytes);
  _tile_loadd(3, c + side * ldc + side, bytes);
}
PARLANCE_ALWAYS_INLINE void store_sums(float* c, std::int64_t ldc) {
  const std::int64_t bytes = ldc * 4;
  _tile_stored(0, c, bytes);
  _tile_stored(1, c + side, bytes);
  _tile_stored(2, c + side * ldc, bytes);
  _tile_stored(3, c + side * ldc + side, bytes);
}

// Sums that need more than to be stored: those that exist, plus the bias and what C held.
inline void finish_sums(const gemm_args& g, std::int64_t i, std::int64_t j, const float* bias,
                        bool accumulate) {
  alignas(64) float sums[block_side * block_side];
  store_sums(sums, block_side);
  memory_barrier();
  const std::int64_t rows = std::min<std::int64_t>(g.m - i, block_side);
  for (int half = 0; half < 2; ++half) {
    const __mmask16 live = first(g.n - j - half * side);
    const __m512 shift =
        bias ? _mm512_maskz_loadu_ps(live, bias + half * side) : _mm512_setzero_ps();
    float* c = g.c + i * g.ldc + j + half * side;
    for (std::int64_t r = 0; r < rows; ++r, c += g.ldc) {
      __m512 v = _mm512_load_ps(sums + block_side * r + half * side);
      if (accumulate) v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(live, c));
      if (bias) v = _mm512_add_ps(v, shift);
      _mm512_mask_storeu_ps(c, live, v);
    }
  }
}

template <int PartsA, int PartsB>
void multiply_panel(const gemm_args& g, std::int64_t i, std::int64_t j, std::int64_t steps,
                    const float* a, const float* b, const float* bias, bool accumulate) {
  const bool whole = g.m - i >= block_side && g.n - j >= block_side && !bias;
  float* const c = g.c + i * g.ldc + j;
  for (std::int64_t r = 0; r < std::min<std::int64_t>(g.m - i, block_side); ++r)
    __builtin_prefetch(c + r * g.ldc, 1);
  if (PartsA == 1 && whole && accumulate)
    load_sums(c, g.ldc);
  else
    zero_sums();
  if constexpr (PartsA == 3) multiply_lower<PartsB>(steps, a, b);
  multiply_leading<PartsA, PartsB>(steps, a, b);
  if (whole && (PartsA == 1 || !accumulate))
    store_sums(c, g.ldc);
  else
    finish_sums(g, i, j, bias, accumulate);
  memory_barrier();
}

// Where B comes from.
template <int Parts, class Weight>
struct dense_b {
  static constexpr int parts = Parts;
  static void pack(const gemm_args& g, std::int64_t j, std::int64_t k0, std::int64_t k,
                   float* out) {
    pack_b<Parts, Weight>(g, j, k0, k, out);
  }
  static void fetch(const gemm_args& g, std::int64_t j, std::int64_t k0, std::int64_t part,
                    std::int64_t of) {
    k_avx512::fetch_b<Weight, 2>(g, j, k0, part, of);
  }
};
template <int Parts>
struct quantised_b {
  static constexpr int parts = Parts;
  static void pack(const gemm_args& g, std::int64_t j, std::int64_t k0, std::int64_t k,
                   float* out) {
    pack_quantised<Parts>(g, j, k0, k, out);
  }
  // Panels are read in order, which the hardware foresees.
  static void fetch(const gemm_args&, std::int64_t, std::int64_t, std::int64_t, std::int64_t) {}
};

template <int PartsA, class B>
void block(const gemm_args& g, std::int64_t j0, std::int64_t j1, std::int64_t first,
           std::int64_t last, float* packed_b) {
  const tile_config config;
  _tile_loadconfig(&config);
  for (std::int64_t j = j0; j < j1; j += block_side)
    for (std::int64_t k0 = 0; k0 < g.k; k0 += g.k_block) {
      const std::int64_t k = std::min(g.k_block, g.k - k0), steps = steps_of(k);
      const bool more_k = k0 + g.k_block < g.k;
      B::pack(g, j, k0, k, packed_b);
      memory_barrier();
      for (std::int64_t panel = first; panel < last; ++panel) {
        if (more_k || j + block_side < j1)
          B::fetch(g, more_k ? j : j + block_side, more_k ? k0 + g.k_block : 0, panel - first,
                   last - first);
        multiply_panel<PartsA, B::parts>(
            g, panel * block_side, j, steps, panel_of<PartsA>(g, panel, k0, steps), packed_b,
            k0 > 0 || !g.bias ? nullptr : g.bias + j, g.accumulate || k0 > 0);
      }
    }
  _tile_release();
}

// Rows and k of a chunk: so that the packed A stays in the second-level cache and C is touched
// once.
template <int PartsA, class B>
detail::gemm_kernels table() {
  constexpr std::int64_t rows = PartsA == 1 ? 512 : 384, k = PartsA == 1 ? 1536 : 640;
  return {block_side,     block_side,      rows, k, k, PartsA, B::parts, 2,
          pack_a<PartsA>, block<PartsA, B>};
}

template <class Weight>
detail::gemm_kernels dense_table(bool exact) {
  if constexpr (std::is_same_v<Weight, bf16>)
    return exact ? table<3, dense_b<1, bf16>>() : table<1, dense_b<1, bf16>>();
  else
    return table<3, dense_b<3, Weight>>();
}
inline detail::gemm_kernels quantised_table(bool exact) {
  return exact ? table<3, quantised_b<3>>() : table<1, quantised_b<1>>();
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::k_amx
PARLANCE_TARGET_END

#endif  // PARLANCE_X86
