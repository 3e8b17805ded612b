// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding on the "rotate half" layout of Hugging Face checkpoints: element j of a
// head turns together with element j + half. Su et al. 2021. The backward pass turns the other way.
#pragma once

#include <cstdint>

#include "parlance/kernels/map.hpp"

namespace parlance::inline PARLANCE_ABI::kernels {

// y = rotation of x; both (rows, heads * head_dim). cos and sin: one row of rotary/2 numbers per
// row of x. Elements past `rotary` of a head are copied. direction is +1, or -1 for the gradient.
template <class T>
void rope(std::int64_t rows, std::int64_t heads, std::int64_t head_dim, std::int64_t rotary,
          const T* cos, const T* sin, T direction, const T* x, T* y) {
  const std::int64_t half = rotary / 2, width = heads * head_dim;
  parallel_for(rows, 1 + 8192 / (width + 1), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const T *c = cos + r * half, *s = sin + r * half;
      for (std::int64_t h = 0; h < heads; ++h) {
        const T *a = x + r * width + h * head_dim, *b = a + half;
        T *out_a = y + r * width + h * head_dim, *out_b = out_a + half;
        std::int64_t j = 0;
        const auto turn = [&](auto load, auto store) {
          const auto u = load(a + j), v = load(b + j), cj = load(c + j);
          const auto sj = load(s + j) * decltype(u)(direction);
          store(out_a + j, u * cj - v * sj);
          store(out_b + j, v * cj + u * sj);
        };
        for (; j + simd_width<T> <= half; j += simd_width<T>)
          turn([](const T* p) { return simd_load<T>(p); },
               [](T* p, const simd<T>& v) { simd_store<T>(p, v); });
        for (; j < half; ++j) turn([](const T* p) { return *p; }, [](T* p, T v) { *p = v; });
        if (y != x)
          for (std::int64_t k = rotary; k < head_dim; ++k) out_a[k] = a[k];
      }
    }
  });
}

}  // namespace parlance::inline PARLANCE_ABI::kernels
