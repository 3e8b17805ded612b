// SPDX-License-Identifier: Apache-2.0
// RMSNorm and LayerNorm over the rows of a matrix, forward and backward. Statistics that backward
// needs (rstd, mean; one a row) are stored when their pointers are not null.
#pragma once

#include <cmath>
#include <cstdint>

#include "parlance/kernels/map.hpp"

namespace parlance::inline PARLANCE_ABI::kernels {

namespace detail {
constexpr std::int64_t row_grain(std::int64_t cols) { return cols > 0 ? 1 + 16384 / cols : 1; }
}  // namespace detail

// y = x * rstd * (offset + w), rstd = 1 / sqrt(mean(x^2) + eps). Gemma's offset is 1. w may be null
// (all ones, offset ignored). Zhang and Sennrich 2019.
template <class T>
void rms_norm(std::int64_t rows, std::int64_t cols, const T* x, const T* w, T offset, T eps, T* y,
              T* rstd) {
  parallel_for(rows, detail::row_grain(cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const T* in = x + r * cols;
      const T squares = sum_of<T>(
          cols, [](auto v) { return v * v; }, in);
      const T scale = T(1) / std::sqrt(squares / static_cast<T>(cols) + eps);
      if (rstd) rstd[r] = scale;
      const auto apply = [&](auto v, auto g) {
        using V = decltype(v);
        return v * V(scale) * (g + V(offset));
      };
      const auto plain = [&](auto v) { return v * decltype(v)(scale); };
      w ? map_serial(cols, y + r * cols, apply, in, w) : map_serial(cols, y + r * cols, plain, in);
    }
  });
}

// dx written; dw (may be null) = beta * dw + column sums, beta 0 or 1. g is the gradient of y.
template <class T>
void rms_norm_backward(std::int64_t rows, std::int64_t cols, const T* x, const T* w, T offset,
                       const T* rstd, const T* g, T* dx, T* dw, T beta) {
  if (dx) {
    parallel_for(rows, detail::row_grain(cols), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        const T *in = x + r * cols, *up = g + r * cols;
        const auto weighted = [&](auto v, auto u, auto k) {
          return v * u * (k + decltype(v)(offset));
        };
        const T dot = w ? sum_of<T>(cols, weighted, in, up, w)
                        : sum_of<T>(
                              cols, [](auto v, auto u) { return v * u; }, in, up);
        const T s = rstd[r], c = s * s * s * dot / static_cast<T>(cols);
        if (w)
          map_serial(
              cols, dx + r * cols,
              [&](auto v, auto u, auto k) {
                using V = decltype(v);
                return V(s) * u * (k + V(offset)) - V(c) * v;
              },
              in, up, w);
        else
          map_serial(
              cols, dx + r * cols,
              [&](auto v, auto u) { return decltype(v)(s) * u - decltype(v)(c) * v; }, in, up);
      }
    });
  }
  if (dw)
    column_sums<T>(
        rows, cols, beta, dw,
        [&](std::int64_t r, auto v, auto u) { return v * u * decltype(v)(rstd[r]); }, x, g);
}

// y = (x - mean) * rstd * w + b. Ba, Kiros and Hinton 2016. b may be null.
template <class T>
void layer_norm(std::int64_t rows, std::int64_t cols, const T* x, const T* w, const T* b, T eps,
                T* y, T* mean, T* rstd) {
  parallel_for(rows, detail::row_grain(cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const T* in = x + r * cols;
      const T m = sum_of<T>(
                      cols, [](auto v) { return v; }, in) /
                  static_cast<T>(cols);
      const auto squared = [&](auto v) { return (v - decltype(v)(m)) * (v - decltype(v)(m)); };
      const T s = T(1) / std::sqrt(sum_of<T>(cols, squared, in) / static_cast<T>(cols) + eps);
      if (mean) mean[r] = m;
      if (rstd) rstd[r] = s;
      const auto apply = [&](auto v, auto k) {
        using V = decltype(v);
        return (v - V(m)) * V(s) * k;
      };
      map_serial(cols, y + r * cols, apply, in, w);
      if (b)
        map_serial(
            cols, y + r * cols, [](auto v, auto k) { return v + k; }, y + r * cols, b);
    }
  });
}

template <class T>
void layer_norm_backward(std::int64_t rows, std::int64_t cols, const T* x, const T* w,
                         const T* mean, const T* rstd, const T* g, T* dx, T* dw, T dw_beta, T* db,
                         T db_beta) {
  if (dx) {
    parallel_for(rows, detail::row_grain(cols), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) {
        const T *in = x + r * cols, *up = g + r * cols;
        const T m = mean[r], s = rstd[r], n = static_cast<T>(cols);
        const T sum = sum_of<T>(
                          cols, [](auto u, auto k) { return u * k; }, up, w) /
                      n;
        const auto dot = [&](auto v, auto u, auto k) {
          using V = decltype(v);
          return (v - V(m)) * V(s) * u * k;
        };
        const T projected = sum_of<T>(cols, dot, in, up, w) / n;
        map_serial(
            cols, dx + r * cols,
            [&](auto v, auto u, auto k) {
              using V = decltype(v);
              return V(s) * (u * k - V(sum) - (v - V(m)) * V(s) * V(projected));
            },
            in, up, w);
      }
    });
  }
  if (dw)
    column_sums<T>(
        rows, cols, dw_beta, dw,
        [&](std::int64_t r, auto v, auto u) {
          using V = decltype(v);
          return (v - V(mean[r])) * V(rstd[r]) * u;
        },
        x, g);
  if (db)
    column_sums<T>(
        rows, cols, db_beta, db, [](std::int64_t, auto u) { return u; }, g);
}

}  // namespace parlance::inline PARLANCE_ABI::kernels
