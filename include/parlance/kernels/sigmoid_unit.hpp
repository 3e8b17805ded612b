// SPDX-License-Identifier: Apache-2.0
// x sigmoid(slope x (1 + cubic x^2)) over floats, with the instruction set chosen at run time: SiLU
// (1, 0) and the tanh form of GELU (2 sqrt(2/pi), 0.044715), alone or times a second input as in
// the gated units of Llama and Gemma; and GELU itself, x Phi(x), likewise. The functors of
// activations.hpp are the same for any type.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "parlance/core/thread_pool.hpp"
#include "parlance/kernels/impl/vec_math.hpp"

namespace parlance::inline PARLANCE_ABI::kernels::detail {

struct sigmoid_unit_args {
  std::int64_t n;
  float slope, cubic;
  const float *g, *x, *up;  // g: backward only; up: gated units only
  float *out, *dup;         // out is dx in the backward pass
};

}  // namespace parlance::inline PARLANCE_ABI::kernels::detail

#define PARLANCE_ISA_FILE "parlance/kernels/impl/sigmoid_unit.inl"
#include "parlance/kernels/impl/for_each_isa.inl"

namespace parlance::inline PARLANCE_ABI::kernels {

namespace detail {

using sigmoid_unit_kernel = void (*)(const sigmoid_unit_args&);

struct sigmoid_unit_kernels {
  sigmoid_unit_kernel forward = k_base::sigmoid_forward, backward = k_base::sigmoid_backward;
  sigmoid_unit_kernel gelu = k_base::gelu_forward, gelu_backward = k_base::gelu_backward;
};

inline sigmoid_unit_kernels choose_sigmoid_unit() {
#if defined(PARLANCE_X86)
  if (cpu().level == isa::avx512)
    return {k_avx512::sigmoid_forward, k_avx512::sigmoid_backward, k_avx512::gelu_forward,
            k_avx512::gelu_backward};
  if (cpu().level == isa::avx2)
    return {k_avx2::sigmoid_forward, k_avx2::sigmoid_backward, k_avx2::gelu_forward,
            k_avx2::gelu_backward};
#endif
  return {};
}

inline void run_sigmoid_unit(const sigmoid_unit_args& a, sigmoid_unit_kernel kernel) {
  constexpr std::int64_t grain = 8192;  // a multiple of every vector length
  parallel_for(a.n, grain, [&](std::int64_t i, std::int64_t end) {
    const auto at = [&](auto* p) { return p ? p + i : nullptr; };
    kernel({end - i, a.slope, a.cubic, at(a.g), at(a.x), at(a.up), at(a.out), at(a.dup)});
  });
}

}  // namespace detail

// out = unit(x) (* up, when given). `out` may be an input.
inline void sigmoid_unit(std::int64_t n, float slope, float cubic, const float* x, const float* up,
                         float* out) {
  detail::run_sigmoid_unit({n, slope, cubic, nullptr, x, up, out, nullptr},
                           detail::choose_sigmoid_unit().forward);
}

// From g, the gradient of out: dx, and dup unless it is null.
inline void sigmoid_unit_backward(std::int64_t n, float slope, float cubic, const float* g,
                                  const float* x, const float* up, float* dx, float* dup) {
  detail::run_sigmoid_unit({n, slope, cubic, g, x, up, dx, dup},
                           detail::choose_sigmoid_unit().backward);
}

// out = x Phi(x) (* up, when given), and the gradients as above.
inline void gelu_unit(std::int64_t n, const float* x, const float* up, float* out) {
  detail::run_sigmoid_unit({n, 0, 0, nullptr, x, up, out, nullptr},
                           detail::choose_sigmoid_unit().gelu);
}
inline void gelu_unit_backward(std::int64_t n, const float* g, const float* x, const float* up,
                               float* dx, float* dup) {
  detail::run_sigmoid_unit({n, 0, 0, g, x, up, dx, dup},
                           detail::choose_sigmoid_unit().gelu_backward);
}

}  // namespace parlance::inline PARLANCE_ABI::kernels
