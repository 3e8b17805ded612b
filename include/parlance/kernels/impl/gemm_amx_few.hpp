// SPDX-License-Identifier: Apache-2.0
// Few rows times W^T on the tile unit: C^T = W A^T. As the left operand W need not be turned, and
// the first rows meet it while it is split into its parts; the rows are packed once, as `block`
// packs B. The sums are those of `block` in the same order, so a row has the same bits on either
// path.
#pragma once

#include "parlance/kernels/impl/gemm_amx.hpp"

#if defined(PARLANCE_X86)

PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AMX)
namespace parlance::inline PARLANCE_ABI::kernels::k_amx {

// 32 rows of W along one step: [part][upper and lower tile].
template <int Parts, class Weight>
void split_weights(const gemm_args& g, std::int64_t j, std::int64_t at, std::int64_t rest,
                   float* out) {
  for (int half = 0; half < 2; ++half) {
    const std::int64_t row = j + half * side, live = g.n - row;
    const Weight* const w = static_cast<const Weight*>(g.b) + (live > 0 ? row * g.ldb + at : 0);
    float* part[Parts];
    for (int p = 0; p < Parts; ++p) part[p] = out + (2 * p + half) * tile_words;
    split_rows<Parts>(w, g.ldb, live, rest, part);
  }
}

// The same lines one block of rows further on.
template <class Weight>
PARLANCE_ALWAYS_INLINE void fetch_weights(const gemm_args& g, std::int64_t j, std::int64_t at) {
  const Weight* const next = static_cast<const Weight*>(g.b) + (j + block_side) * g.ldb + at;
  for (int i = 0; i < block_side; ++i)
    for (std::size_t byte = 0; byte < numbers * sizeof(Weight); byte += 64)
      __builtin_prefetch(reinterpret_cast<const char*>(next + i * g.ldb) + byte, 0, 2);
}

template <bool Wide>
PARLANCE_ALWAYS_INLINE void load_rows(const float* x) {
  _tile_loadd(6, x, 64);
  if constexpr (Wide) _tile_loadd(7, x + tile_words, 64);
}
template <bool Wide>
PARLANCE_ALWAYS_INLINE void multiply_rows() {
  _tile_dpbf16ps(0, 4, 6);
  _tile_dpbf16ps(2, 5, 6);
  if constexpr (Wide) {
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(3, 5, 7);
  }
}

// One step of multiply_lower and of multiply_leading, with the operands' places exchanged.
template <int Parts, bool Wide>
PARLANCE_ALWAYS_INLINE void multiply_lower_rows(const float* w, const float* x) {
  constexpr int part = 2 * tile_words;
  if constexpr (Parts == 3) {
    load_a(w + 2 * part);
    load_rows<Wide>(x);
    multiply_rows<Wide>();
    load_a(w + part);
    multiply_rows<Wide>();
    load_rows<Wide>(x + part);
    multiply_rows<Wide>();
    load_a(w);
    multiply_rows<Wide>();
  } else {
    load_a(w);
    load_rows<Wide>(x + part);
    multiply_rows<Wide>();
  }
  load_rows<Wide>(x + 2 * part);
  multiply_rows<Wide>();
}
template <bool Wide>
PARLANCE_ALWAYS_INLINE void multiply_leading_rows(const float* w, const float* x) {
  load_a(w);
  load_rows<Wide>(x);
  multiply_rows<Wide>();
}

// The sums of 32 columns of at most 32 rows of C, turned back.
inline void finish_columns(const gemm_args& g, std::int64_t i0, std::int64_t j, const float* bias,
                           bool accumulate) {
  alignas(64) float sums[block_side * block_side];
  store_sums(sums, block_side);
  memory_barrier();
  for (int half = 0; half < 2; ++half) {
    const __mmask16 live = first(g.n - j - half * side);
    const __m512 shift =
        bias ? _mm512_maskz_loadu_ps(live, bias + half * side) : _mm512_setzero_ps();
    for (std::int64_t i = i0; i < std::min(g.m, i0 + block_side); i += side) {
      vf t[side];
      PARLANCE_UNROLL
      for (int r = 0; r < side; ++r)
        t[r].v = _mm512_load_ps(sums + block_side * (half * side + r) + i - i0);
      transpose(t);
      float* c = g.c + i * g.ldc + j + half * side;
      for (std::int64_t r = 0; r < std::min<std::int64_t>(g.m - i, side); ++r, c += g.ldc) {
        __m512 v = t[r].v;
        if (accumulate) v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(live, c));
        if (bias) v = _mm512_add_ps(v, shift);
        _mm512_mask_storeu_ps(c, live, v);
      }
    }
  }
}

template <int Parts, class Weight, bool Wide>
void few_columns(const gemm_args& g, std::int64_t i, std::int64_t j, std::int64_t k0,
                 float* packed_w) {
  constexpr int words_w = 2 * Parts * tile_words, words_x = 6 * tile_words;
  const std::int64_t k = std::min(g.k_block, g.k - k0), steps = steps_of(k);
  const float* const x = g.packed_a + words_x * (i / block_side * steps_of(g.k) + k0 / numbers);
  zero_sums();
  for (std::int64_t s = 0; s < steps; ++s) {
    float* const w = packed_w + words_w * s;
    if (i == 0) {
      if (j + 2 * block_side <= g.n) fetch_weights<Weight>(g, j, k0 + s * numbers);
      split_weights<Parts, Weight>(g, j, k0 + s * numbers, k - s * numbers, w);
      memory_barrier();
    }
    multiply_lower_rows<Parts, Wide>(w, x + words_x * s);
  }
  for (std::int64_t s = 0; s < steps; ++s)
    multiply_leading_rows<Wide>(packed_w + words_w * s, x + words_x * s);
  finish_columns(g, i, j, k0 > 0 || !g.bias ? nullptr : g.bias + j, g.accumulate || k0 > 0);
}

// The rows in packed_a: [32 rows][step][part][left and right tile].
inline void pack_rows(const gemm_args& g, std::int64_t first, std::int64_t last) {
  gemm_args turned = g;
  turned.b = g.a;
  turned.ldb = g.lda;
  turned.n = g.m;
  for (std::int64_t panel = first; panel < last; ++panel)
    pack_b<3, float>(turned, panel * block_side, 0, g.k,
                     g.packed_a + 6 * tile_words * panel * steps_of(g.k));
}

// Columns [j0, j1) of C.
template <int Parts, class Weight>
void few_block(const gemm_args& g, std::int64_t j0, std::int64_t j1, float* packed_w) {
  const tile_config config;
  _tile_loadconfig(&config);
  for (std::int64_t j = j0; j < j1; j += block_side)
    for (std::int64_t k0 = 0; k0 < g.k; k0 += g.k_block)
      for (std::int64_t i = 0; i < g.m; i += block_side)
        (g.m - i > side ? few_columns<Parts, Weight, true>
                        : few_columns<Parts, Weight, false>)(g, i, j, k0, packed_w);
  _tile_release();
}

// Up to 128 rows: more would pay for turning each block of sums what W saves.
template <class Weight>
detail::few_rows_kernels few_rows_table() {
  constexpr int parts = std::is_same_v<Weight, bf16> ? 1 : 3;
  return {128,
          parts == 1 ? 8 : 13,
          block_side,
          dense_table<Weight>(true).most_k_block,
          6 * tile_words,
          2 * parts * tile_words,
          pack_rows,
          few_block<parts, Weight>};
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::k_amx
PARLANCE_TARGET_END

#endif  // PARLANCE_X86
