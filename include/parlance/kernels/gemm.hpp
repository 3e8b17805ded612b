// SPDX-License-Identifier: Apache-2.0
// Dense matrix products on raw pointers, row-major: `gemm` for activations and gradients,
// `gemm_serial` for small products inside a parallel region, `linear` for y = x W^T with W stored
// as f32, bf16 or f16 and left as it is (it may be a mapped file; panels of it are packed on the
// fly). Results do not depend on the number of threads. f32 runs own kernels per instruction set,
// chosen at run time; double goes to Eigen. Quantised weights are in quant_matrix.hpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "parlance/kernels/gemv.hpp"
#include "parlance/kernels/impl/gemm_amx_few.hpp"
#include "parlance/kernels/impl/gemm_eigen.hpp"
#include "parlance/kernels/row_paths.hpp"

namespace parlance::inline PARLANCE_ABI::kernels {

namespace detail {

template <class Weight>
gemm_kernels choose_gemm(bool exact) {
#if defined(PARLANCE_X86)
  if (cpu().amx) return k_amx::dense_table<Weight>(exact);
  if constexpr (std::is_same_v<Weight, bf16>)
    if (!exact && cpu().fast_bf16) return k_avx512bf16::gemm_table<bf16>();
  if (cpu().level == isa::avx512) return k_avx512::gemm_table<Weight>();
  if (cpu().level == isa::avx2) return k_avx2::gemm_table<Weight>();
#endif
  static_cast<void>(exact);
  return k_base::gemm_table<Weight>();
}

template <class Weight>
few_rows_kernels choose_few_rows() {
#if defined(PARLANCE_X86)
  if (cpu().amx) return k_amx::few_rows_table<Weight>();
  if (cpu().level == isa::avx512) return k_avx512::few_table<Weight>();
  if (cpu().level == isa::avx2) return k_avx2::few_table<Weight>();
#endif
  return {};
}

inline std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// n split into the fewest equal parts not above `most`, each a multiple of `step`.
inline std::int64_t even_part(std::int64_t n, std::int64_t most, std::int64_t step) {
  return ceil_div(ceil_div(n, ceil_div(n, most)), step) * step;
}

template <class F>
void split(bool threaded, std::int64_t n, F&& f) {
  if (threaded) return parallel_for(n, 1, f);
  for (std::int64_t i = 0; i < n; ++i) f(i, i + 1);
}

// Several for each thread, so that all end together; a lone thread looks ahead further in one.
inline std::int64_t tasks_for(bool threaded) {
  return threaded && num_threads() > 1 ? 4 * num_threads() : 1;
}

// Room for a packed operand of `width` rows or columns.
inline std::int64_t words_of(std::int64_t width, std::int64_t k, int parts, int numbers_per_word) {
  return width * ceil_div(k, 32) * 32 * parts / numbers_per_word;
}

// Packs the chunk of A once, then hands out groups of column blocks, or parts of the rows of single
// blocks where the columns alone would leave threads idle.
inline void gemm_chunk(const gemm_kernels& kernels, const gemm_args& g, bool threaded) {
  const std::int64_t panels = ceil_div(g.m, kernels.rows), pack_grain = 4;
  split(threaded, ceil_div(panels, pack_grain), [&](std::int64_t i, std::int64_t) {
    kernels.pack_a(g, i * pack_grain, std::min(panels, (i + 1) * pack_grain));
  });
  const std::int64_t tasks = tasks_for(threaded);
  const std::int64_t blocks = ceil_div(g.n, kernels.columns);
  const std::int64_t group = std::clamp<std::int64_t>(blocks / tasks, 1, 16) * kernels.columns;
  const std::int64_t parts =
      blocks >= tasks ? 1
                      : std::min(ceil_div(tasks, blocks), std::max<std::int64_t>(panels / 8, 1));
  const std::int64_t part = ceil_div(panels, parts), row_parts = ceil_div(panels, part);
  split(threaded, ceil_div(g.n, group) * row_parts, [&](std::int64_t task, std::int64_t) {
    const std::int64_t j = task / row_parts * group, first = task % row_parts * part;
    float* const packed = right_scratch().get(
        words_of(kernels.columns, g.k_block, kernels.parts_b, kernels.numbers_per_word));
    kernels.block(g, j, std::min(g.n, j + group), first, std::min(panels, first + part), packed);
  });
}

inline void packed_gemm(const gemm_kernels& kernels, const gemm_args& whole, bool threaded) {
  const std::int64_t m_part = even_part(whole.m, kernels.most_rows, kernels.rows);
  const std::int64_t k_block = even_part(whole.k, kernels.most_k_block, 32);
  const std::int64_t k_part = std::min(kernels.most_k / k_block * k_block, whole.k);
  float* const packed_a =
      left_scratch().get(words_of(m_part, k_part, kernels.parts_a, kernels.numbers_per_word));
  for (std::int64_t k0 = 0; k0 < whole.k; k0 += k_part)
    for (std::int64_t i0 = 0; i0 < whole.m; i0 += m_part) {
      gemm_args g = whole;
      g.m = std::min(m_part, whole.m - i0);
      g.k = std::min(k_part, whole.k - k0);
      g.k_first = k0;
      g.k_block = k_block;
      g.a += whole.trans_a ? k0 * g.lda + i0 : i0 * g.lda + k0;
      g.c += i0 * g.ldc;
      g.packed_a = packed_a;
      if (k0 > 0) {
        g.bias = nullptr;
        g.accumulate = true;
      }
      gemm_chunk(kernels, g, threaded);
    }
}

// At most kernels.most_rows rows times W^T.
inline void few_rows_gemm(const few_rows_kernels& kernels, gemm_args g, bool threaded) {
  const std::int64_t steps = ceil_div(g.k, 32), blocks = ceil_div(g.m, kernels.block);
  g.k_block = even_part(g.k, kernels.most_k_block, 32);
  g.packed_a = left_scratch().get(blocks * steps * kernels.words_a);
  split(threaded, blocks, [&](std::int64_t i, std::int64_t) { kernels.pack_a(g, i, i + 1); });
  const std::int64_t tasks = tasks_for(threaded);
  const std::int64_t group = std::max<std::int64_t>(g.n / kernels.block / tasks, 1) * kernels.block;
  split(threaded, ceil_div(g.n, group), [&](std::int64_t task, std::int64_t) {
    float* const packed = right_scratch().get(g.k_block / 32 * kernels.words_b);
    kernels.columns(g, task * group, std::min(g.n, (task + 1) * group), packed);
  });
}

// y = x W^T in f32 arithmetic.
template <class Weight>
void exact_linear(const gemm_args& g, bool threaded) {
  const few_rows_kernels few = choose_few_rows<Weight>();
  if (g.m <= std::min(few_rows(), few.fewest_rows - 1))
    return gemv<Weight>(g.a, g.lda, static_cast<const Weight*>(g.b), g.ldb, g.bias, g.c, g.ldc, g.m,
                        g.n, g.k, g.accumulate, true, threaded);
  if (g.m <= few.most_rows) return few_rows_gemm(few, g, threaded);
  packed_gemm(choose_gemm<Weight>(true), g, threaded);
}

template <class T>
void scale_and_bias(std::int64_t m, std::int64_t n, bool keep, T* c, std::int64_t ldc,
                    const T* bias) {
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j)
      c[i * ldc + j] = (keep ? c[i * ldc + j] : T(0)) + (bias ? bias[j] : T(0));
}

template <class T>
void any_gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k,
              const T* a, std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c,
              std::int64_t ldc, const T* bias, bool threaded) {
  if (m <= 0 || n <= 0) return;
  if (k <= 0) return scale_and_bias(m, n, beta != T(0), c, ldc, bias);
  if constexpr (std::is_same_v<T, float>) {
    const gemm_args g{a, lda, b, ldb, c,       ldc,     bias,    m,
                      n, k,   0, 0,   nullptr, trans_a, trans_b, beta != 0};
    if (!trans_a && trans_b) return exact_linear<float>(g, threaded);
    packed_gemm(choose_gemm<float>(true), g, threaded);
  } else {
    const auto rows = [&](std::int64_t first, std::int64_t last) {
      scale_and_bias(last - first, n, beta != T(0), c + first * ldc, ldc, bias);
      eigen_gemm(trans_a, trans_b, last - first, n, k, a + (trans_a ? first : first * lda), lda, b,
                 ldb, c + first * ldc, ldc);
    };
    if (!threaded) return rows(0, m);
    parallel_for(m, 64, rows);
  }
}

}  // namespace detail

// C (m x n, row stride ldc) = beta C + op(A) op(B) (+ bias over columns); beta is 0 or 1. op(A) is
// m x k: A[i * lda + p], or A[p * lda + i] when trans_a; op(B) is k x n: B[p * ldb + j], or
// B[j * ldb + p] when trans_b. C must not overlap the rest. T is float or double.
template <class T>
void gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k, const T* a,
          std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c, std::int64_t ldc,
          const T* bias = nullptr) {
  detail::any_gemm(trans_a, trans_b, m, n, k, a, lda, b, ldb, beta, c, ldc, bias, true);
}

// The same on the calling thread only.
template <class T>
void gemm_serial(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k,
                 const T* a, std::int64_t lda, const T* b, std::int64_t ldb, T beta, T* c,
                 std::int64_t ldc, const T* bias = nullptr) {
  detail::any_gemm(trans_a, trans_b, m, n, k, a, lda, b, ldb, beta, c, ldc, bias, false);
}

// y (m x n) = x (m x k) W^T (+ bias); W is n x k, row-major, of float, bf16 or f16 (T = float) or
// double (T = double). exact: f32 arithmetic on the stored values. Otherwise bf16 weights may meet
// activations rounded to bf16 where the processor has such dot products.
template <class T, class W>
void linear(const T* x, std::int64_t ldx, const W* w, std::int64_t ldw, const T* bias, T* y,
            std::int64_t ldy, std::int64_t m, std::int64_t n, std::int64_t k, bool exact = true) {
  if constexpr (std::is_same_v<T, W>) {
    gemm<T>(false, true, m, n, k, x, ldx, w, ldw, T(0), y, ldy, bias);
  } else {
    static_assert(std::is_same_v<T, float> && (std::is_same_v<W, bf16> || std::is_same_v<W, f16>));
    if (m <= 0 || n <= 0) return;
    if (k <= 0) return detail::scale_and_bias(m, n, false, y, ldy, bias);
    if (!exact && m <= few_rows())
      return detail::gemv<W>(x, ldx, w, ldw, bias, y, ldy, m, n, k, false, false, true);
    const detail::gemm_args g{x, ldx, w, ldw, y,       ldy,   bias, m,
                              n, k,   0, 0,   nullptr, false, true, false};
    if (exact) return detail::exact_linear<W>(g, true);
    detail::packed_gemm(detail::choose_gemm<W>(false), g, true);
  }
}

}  // namespace parlance::inline PARLANCE_ABI::kernels
