// SPDX-License-Identifier: Apache-2.0
// Fused optimizer steps: one pass over parameter, gradient and state.
#pragma once

#include <cmath>
#include <cstdint>

#include "parlance/kernels/map.hpp"

namespace parlance::inline PARLANCE_ABI::kernels {

struct adamw_step {
  double learning_rate, beta1, beta2, epsilon, weight_decay;
  std::int64_t step;      // from 1
  double grad_scale = 1;  // multiplies the gradient (clipping)
};

// Loshchilov and Hutter 2019, as torch.optim.AdamW (2.x): p *= 1 - lr wd;
// p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps).
template <class T>
void adamw(std::int64_t n, T* p, const T* g, T* m, T* v, const adamw_step& s) {
  const T decay = static_cast<T>(1 - s.learning_rate * s.weight_decay);
  const T b1 = static_cast<T>(s.beta1), b2 = static_cast<T>(s.beta2);
  // Rounded from double as in torch: in float, 1 - 0.999f is off by 5e-5 of its value.
  const T rest1 = static_cast<T>(1 - s.beta1), rest2 = static_cast<T>(1 - s.beta2);
  const T eps = static_cast<T>(s.epsilon);
  const T rate = static_cast<T>(s.learning_rate / (1 - std::pow(s.beta1, s.step)));
  const T root = static_cast<T>(1 / std::sqrt(1 - std::pow(s.beta2, s.step)));
  const T clip = static_cast<T>(s.grad_scale);
  constexpr std::int64_t grain = 65536;
  parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
    const auto one = [&](auto load, auto store, std::int64_t i) {
      const auto gi = load(g + i);
      using V = std::decay_t<decltype(gi)>;
      using std::sqrt;
      const V scaled = gi * V(clip);
      const V mi = V(b1) * load(m + i) + V(rest1) * scaled;
      const V vi = V(b2) * load(v + i) + V(rest2) * scaled * scaled;
      store(m + i, mi);
      store(v + i, vi);
      store(p + i, load(p + i) * V(decay) - V(rate) * mi / (sqrt(vi) * V(root) + V(eps)));
    };
    std::int64_t i = begin;
    for (; i + simd_width<T> <= end; i += simd_width<T>)
      one([](const T* q) { return simd_load<T>(q); },
          [](T* q, const simd<T>& x) { simd_store<T>(q, x); }, i);
    for (; i < end; ++i) one([](const T* q) { return *q; }, [](T* q, T x) { *q = x; }, i);
  });
}

// Sum of squares in fixed chunks, so that the result does not depend on the thread count.
template <class T>
double sum_of_squares(std::int64_t n, const T* x) {
  constexpr std::int64_t chunk = 65536;
  double total = 0;
  for (std::int64_t i = 0; i < n; i += chunk)
    total += static_cast<double>(sum_of<T>(
        std::min(chunk, n - i), [](auto v) { return v * v; }, x + i));
  return total;
}

}  // namespace parlance::inline PARLANCE_ABI::kernels
