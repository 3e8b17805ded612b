// SPDX-License-Identifier: Apache-2.0
// At most 32 rows times W^T on the tile unit: C^T = W A^T. As the left operand W need not be turned
// and is split into its parts while it streams by; the rows are packed once, as `block` packs B.
// The sums are those of `block` in the same order, so a row has the same bits on either path.
#pragma once

#include "parlance/kernels/impl/gemm_amx.hpp"

#if defined(PARLANCE_X86)

PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AMX)
namespace parlance::inline PARLANCE_ABI::kernels::k_amx {

// One step along k of 32 rows of W: the leading part stays until the lower products are summed.
template <int Parts>
struct split_step {
  float* leading;  // two tiles, the upper and the lower
  float* lower;    // part 1, then part 2
};

template <int Parts, class Weight>
void split_weights(const gemm_args& g, std::int64_t j, std::int64_t at, std::int64_t rest,
                   const split_step<Parts>& to) {
  for (int half = 0; half < 2; ++half) {
    const std::int64_t row = j + half * side, live = g.n - row;
    const Weight* const w = static_cast<const Weight*>(g.b) + (live > 0 ? row * g.ldb + at : 0);
    float* out[3] = {to.leading, to.lower, to.lower + 2 * tile_words};
    for (float*& p : out) p += half * tile_words;
    split_rows<Parts>(w, g.ldb, live, rest, out);
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

PARLANCE_ALWAYS_INLINE void load_w(const float* w) { load_a(w); }

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

// As multiply_lower, with the operands' places exchanged. x: one step of the packed rows.
template <int Parts, bool Wide>
PARLANCE_ALWAYS_INLINE void multiply_lower_rows(const split_step<Parts>& w, const float* x) {
  constexpr int part = 2 * tile_words;
  if constexpr (Parts == 3) {
    load_w(w.lower + part);
    load_rows<Wide>(x);
    multiply_rows<Wide>();
    load_w(w.lower);
    multiply_rows<Wide>();
    load_rows<Wide>(x + part);
    multiply_rows<Wide>();
    load_w(w.leading);
    multiply_rows<Wide>();
  } else {
    load_w(w.leading);
    load_rows<Wide>(x + part);
    multiply_rows<Wide>();
  }
  load_rows<Wide>(x + 2 * part);
  multiply_rows<Wide>();
}

// The sums of 32 columns of C, turned back.
inline void finish_columns(const gemm_args& g, std::int64_t j, const float* bias, bool accumulate) {
  alignas(64) float sums[block_side * block_side];
  store_sums(sums, block_side);
  memory_barrier();
  for (int half = 0; half < 2; ++half) {
    const __mmask16 live = first(g.n - j - half * side);
    const __m512 shift =
        bias ? _mm512_maskz_loadu_ps(live, bias + half * side) : _mm512_setzero_ps();
    for (std::int64_t i = 0; i < g.m; i += side) {
      vf t[side];
      PARLANCE_UNROLL
      for (int r = 0; r < side; ++r)
        t[r].v = _mm512_load_ps(sums + block_side * (half * side + r) + i);
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
void few_columns(const gemm_args& g, std::int64_t j, std::int64_t k0, float* leading) {
  alignas(64) float ring[2][4 * tile_words];
  const std::int64_t k = std::min(g.k_block, g.k - k0), steps = steps_of(k);
  const float* const x = g.packed_a + 6 * tile_words * (k0 / numbers);
  const auto step = [&](std::int64_t s) {
    return split_step<Parts>{leading + 2 * tile_words * s, ring[s & 1]};
  };
  const auto split = [&](std::int64_t s) {
    if (j + 2 * block_side <= g.n) fetch_weights<Weight>(g, j, k0 + s * numbers);
    split_weights<Parts, Weight>(g, j, k0 + s * numbers, k - s * numbers, step(s));
  };
  zero_sums();
  split(0);
  for (std::int64_t s = 0; s < steps; ++s) {
    if (s + 1 < steps) split(s + 1);
    memory_barrier();
    multiply_lower_rows<Parts, Wide>(step(s), x + 6 * tile_words * s);
  }
  for (std::int64_t s = 0; s < steps; ++s) {
    load_w(leading + 2 * tile_words * s);
    load_rows<Wide>(x + 6 * tile_words * s);
    multiply_rows<Wide>();
  }
  finish_columns(g, j, k0 > 0 || !g.bias ? nullptr : g.bias + j, g.accumulate || k0 > 0);
}

// The rows in packed_a: [step][part][left and right tile].
inline void pack_rows(const gemm_args& g) {
  gemm_args turned = g;
  turned.b = g.a;
  turned.ldb = g.lda;
  turned.n = g.m;
  pack_b<3, float>(turned, 0, 0, g.k, g.packed_a);
}

// Columns [j0, j1) of C.
template <int Parts, class Weight>
void few_block(const gemm_args& g, std::int64_t j0, std::int64_t j1, float* leading) {
  const tile_config config;
  _tile_loadconfig(&config);
  const auto columns =
      g.m > side ? few_columns<Parts, Weight, true> : few_columns<Parts, Weight, false>;
  for (std::int64_t j = j0; j < j1; j += block_side)
    for (std::int64_t k0 = 0; k0 < g.k; k0 += g.k_block) columns(g, j, k0, leading);
  _tile_release();
}

template <class Weight>
detail::few_rows_kernels few_rows_table() {
  constexpr int parts = std::is_same_v<Weight, bf16> ? 1 : 3;
  const detail::gemm_kernels many = dense_table<Weight>(true);
  return {block_side,     block_side, many.most_k_block,       6 * tile_words,
          2 * tile_words, pack_rows,  few_block<parts, Weight>};
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::k_amx
PARLANCE_TARGET_END

#endif  // PARLANCE_X86
