// SPDX-License-Identifier: Apache-2.0
// Element-wise kernels: one functor over any number of inputs by vectors, the last one filled up
// with zeros, so that an element has the same bits wherever it lies; split over threads when long.
// Chunk borders are fixed, so results do not depend on the thread count.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "parlance/core/thread_pool.hpp"
#include "parlance/kernels/simd.hpp"

namespace parlance::inline PARLANCE_ABI::kernels {

namespace detail {
// Fewer than a vector of elements, zeros behind them.
template <class T>
simd<T> load_part(const T* in, std::int64_t n) {
  T whole[simd_width<T>] = {};
  std::copy_n(in, n, whole);
  return simd_load<T>(whole);
}
template <class T>
void store_part(T* out, std::int64_t n, const simd<T>& v) {
  T whole[simd_width<T>];
  simd_store<T>(whole, v);
  std::copy_n(whole, n, out);
}
}  // namespace detail

// out[i] = op(in[i]...) on this thread. `out` may be one of the inputs.
template <class T, class Op, class... In>
void map_serial(std::int64_t n, T* out, const Op& op, const In*... in) {
  std::int64_t i = 0;
  for (; i + simd_width<T> <= n; i += simd_width<T>)
    simd_store<T>(out + i, op(simd_load<T>(in + i)...));
  if (i < n) detail::store_part<T>(out + i, n - i, op(detail::load_part<T>(in + i, n - i)...));
}

template <class T, class Op, class... In>
void map(std::int64_t n, T* out, const Op& op, const In*... in) {
  constexpr std::int64_t grain = 16384;
  parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
    map_serial(end - begin, out + begin, op, (in + begin)...);
  });
}

// Two results of the same inputs.
template <class T, class Op, class... In>
void map2(std::int64_t n, T* out_a, T* out_b, const Op& op, const In*... in) {
  constexpr std::int64_t grain = 16384;
  parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t i = begin;
    for (; i + simd_width<T> <= end; i += simd_width<T>) {
      const auto [a, b] = op(simd_load<T>(in + i)...);
      simd_store<T>(out_a + i, a);
      simd_store<T>(out_b + i, b);
    }
    if (i == end) return;
    const auto [a, b] = op(detail::load_part<T>(in + i, end - i)...);
    detail::store_part<T>(out_a + i, end - i, a);
    detail::store_part<T>(out_b + i, end - i, b);
  });
}

// Sum over i of op(in[i]...), on this thread, four partial sums.
template <class T, class Op, class... In>
T sum_of(std::int64_t n, const Op& op, const In*... in) {
  constexpr std::int64_t w = simd_width<T>;
  simd<T> a(T(0)), b(T(0)), c(T(0)), d(T(0));
  std::int64_t i = 0;
  for (; i + 4 * w <= n; i += 4 * w) {
    a += op(simd_load<T>(in + i)...);
    b += op(simd_load<T>(in + i + w)...);
    c += op(simd_load<T>(in + i + 2 * w)...);
    d += op(simd_load<T>(in + i + 3 * w)...);
  }
  for (; i + w <= n; i += w) a += op(simd_load<T>(in + i)...);
  T sum = simd_sum<T>((a + b) + (c + d));
  for (; i < n; ++i) sum += op(in[i]...);
  return sum;
}

// The greatest of n numbers; -inf for none.
template <class T>
T max_of(std::int64_t n, const T* x) {
  constexpr std::int64_t w = simd_width<T>;
  std::int64_t i = 0;
  T best = -std::numeric_limits<T>::infinity();
  if (n >= w) {
    simd<T> m = simd_load<T>(x);
    for (i = w; i + w <= n; i += w) m = xsimd::max(m, simd_load<T>(x + i));
    best = simd_max<T>(m);
  }
  for (; i < n; ++i) best = std::max(best, x[i]);
  return best;
}

// out[j] (+)= sum over rows of op(r, row_a[j], row_b[j] ...), beta 0 or 1: columns are split over
// threads, rows are added in order.
template <class T, class Op, class... In>
void column_sums(std::int64_t rows, std::int64_t cols, T beta, T* out, const Op& op,
                 const In*... in) {
  constexpr std::int64_t grain = 64;
  parallel_for(cols, grain, [&](std::int64_t begin, std::int64_t end) {
    if (beta == T(0)) std::fill(out + begin, out + end, T(0));
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t at = r * cols + begin;
      map_serial(
          end - begin, out + begin, [&](auto sum, auto... x) { return sum + op(r, x...); },
          out + begin, (in + at)...);
    }
  });
}

}  // namespace parlance::inline PARLANCE_ABI::kernels
