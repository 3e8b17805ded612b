// SPDX-License-Identifier: Apache-2.0
// Softmax cross entropy over rows of logits, forward and gradient in one pass over each row.
#pragma once

#include <cmath>
#include <cstdint>

#include "parlance/kernels/activations.hpp"
#include "parlance/kernels/map.hpp"

namespace parlance::inline PARLANCE_ABI::kernels {

// log(sum(exp(x)))
template <class T>
T log_sum_exp(std::int64_t n, const T* x) {
  const T top = max_of(n, x);
  return top + std::log(sum_of<T>(
                   n, [&](auto v) { return detail::exp_of(v - decltype(v)(top)); }, x));
}

// losses[r] = logsumexp(row) - row[label]; 0 where the label is ignore_index. When `scale` is not
// zero the row is overwritten by its gradient, scale * (softmax - onehot), zero for ignored rows.
template <class T>
void cross_entropy(std::int64_t rows, std::int64_t cols, T* logits, const std::int32_t* labels,
                   std::int32_t ignore_index, T scale, T* losses) {
  parallel_for(rows, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      T* row = logits + r * cols;
      losses[r] = T(0);
      if (labels[r] == ignore_index) {
        if (scale != T(0)) std::fill(row, row + cols, T(0));
        continue;
      }
      const T lse = log_sum_exp(cols, row);
      losses[r] = lse - row[labels[r]];
      if (scale == T(0)) continue;
      map_serial(
          cols, row,
          [&](auto v) {
            using V = decltype(v);
            return V(scale) * detail::exp_of(v - V(lse));
          },
          row);
      row[labels[r]] -= scale;
    }
  });
}

// Softmax of each row, in place; and its backward dx = p * (g - sum(g p)).
template <class T>
void softmax(std::int64_t rows, std::int64_t cols, const T* x, T* y) {
  parallel_for(rows, 1 + 4096 / (cols + 1), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const T* in = x + r * cols;
      const T top = max_of(cols, in);
      map_serial(
          cols, y + r * cols, [&](auto v) { return detail::exp_of(v - decltype(v)(top)); }, in);
      const T total = sum_of<T>(
          cols, [](auto v) { return v; }, y + r * cols);
      map_serial(
          cols, y + r * cols, [&](auto v) { return v / decltype(v)(total); }, y + r * cols);
    }
  });
}

template <class T>
void softmax_backward(std::int64_t rows, std::int64_t cols, const T* p, const T* g, T* dx) {
  parallel_for(rows, 1 + 4096 / (cols + 1), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const T *pr = p + r * cols, *gr = g + r * cols;
      const T dot = sum_of<T>(
          cols, [](auto a, auto b) { return a * b; }, pr, gr);
      map_serial(
          cols, dx + r * cols, [&](auto a, auto b) { return a * (b - decltype(a)(dot)); }, pr, gr);
    }
  });
}

}  // namespace parlance::inline PARLANCE_ABI::kernels
