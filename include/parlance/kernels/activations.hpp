// SPDX-License-Identifier: Apache-2.0
// Activation functors with their derivatives, for scalars and SIMD batches alike. `forward(x)` is
// the value; `derivative(x)` its slope. Forms follow transformers' activations.py (ACT2FN). Those
// with `slope` and `cubic` are x sigmoid(slope x (1 + cubic x^2)), which sigmoid_unit.hpp makes
// fast.
#pragma once

#include <cmath>

#include "parlance/kernels/simd.hpp"

namespace parlance::inline PARLANCE_ABI::kernels {

namespace detail {
template <class V>
V exp_of(const V& x) {
  using std::exp;
  return exp(x);  // xsimd::exp by argument-dependent look-up
}
template <class V>
V erf_of(const V& x) {
  using std::erf;
  return erf(x);
}
template <class V>
V tanh_of(const V& x) {
  using std::tanh;
  return tanh(x);
}
template <class V>
V sigmoid_of(const V& x) {
  return V(1) / (V(1) + exp_of(V(0) - x));
}
}  // namespace detail

// x * sigmoid(x)
struct silu {
  static constexpr double slope = 1, cubic = 0;
  template <class V>
  static V forward(const V& x) {
    return x / (V(1) + detail::exp_of(V(0) - x));
  }
  template <class V>
  static V derivative(const V& x) {
    const V s = detail::sigmoid_of(x);
    return s * (V(1) + x * (V(1) - s));
  }
};

// 0.5 x (1 + tanh(u)) = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3); "gelu_new".
struct gelu_tanh {
  static constexpr double slope = 2 * 0.79788456080286535588, cubic = 0.044715;
  template <class V>
  static V forward(const V& x) {
    return x * detail::sigmoid_of(V(slope) * x * (V(1) + V(cubic) * x * x));
  }
  template <class V>
  static V derivative(const V& x) {
    const V s = detail::sigmoid_of(V(slope) * x * (V(1) + V(cubic) * x * x));
    return s + x * s * (V(1) - s) * V(slope) * (V(1) + V(3 * cubic) * x * x);
  }
};

// x Phi(x) with the exact normal distribution function.
struct gelu_erf {
  template <class V>
  static V forward(const V& x) {
    return x * V(0.5) * (V(1) + detail::erf_of(x * V(0.70710678118654752440)));
  }
  template <class V>
  static V derivative(const V& x) {
    const V cdf = V(0.5) * (V(1) + detail::erf_of(x * V(0.70710678118654752440)));
    return cdf + x * V(0.39894228040143267794) * detail::exp_of(x * x * V(-0.5));
  }
};

struct relu {
  template <class V>
  static V forward(const V& x) {
    return greater(x, V(0));
  }
  template <class V>
  static V derivative(const V& x) {
    if constexpr (std::is_arithmetic_v<V>)
      return x > V(0) ? V(1) : V(0);
    else
      return xsimd::select(x > V(0), V(1), V(0));
  }
};

struct sigmoid {
  template <class V>
  static V forward(const V& x) {
    return detail::sigmoid_of(x);
  }
  template <class V>
  static V derivative(const V& x) {
    const V s = detail::sigmoid_of(x);
    return s * (V(1) - s);
  }
};

struct tanh_activation {
  template <class V>
  static V forward(const V& x) {
    return detail::tanh_of(x);
  }
  template <class V>
  static V derivative(const V& x) {
    const V t = detail::tanh_of(x);
    return V(1) - t * t;
  }
};

}  // namespace parlance::inline PARLANCE_ABI::kernels
