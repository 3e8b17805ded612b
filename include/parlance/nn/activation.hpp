// SPDX-License-Identifier: Apache-2.0
// Activations by the names of config.json (transformers' ACT2FN).
#pragma once

#include <string>

#include "parlance/ops/math.hpp"

namespace parlance::inline PARLANCE_ABI::nn {

namespace detail {

// f(activation functor) for the name; unsupported_error for others.
template <class F>
auto with_activation(const std::string& name, const F& f) {
  if (name == "gelu" || name == "gelu_python") return f(kernels::gelu_erf{});
  if (name == "gelu_new" || name == "gelu_pytorch_tanh" || name == "gelu_fast")
    return f(kernels::gelu_tanh{});
  if (name == "relu") return f(kernels::relu{});
  if (name == "silu" || name == "swish") return f(kernels::silu{});
  if (name == "sigmoid") return f(kernels::sigmoid{});
  if (name == "tanh") return f(kernels::tanh_activation{});
  throw unsupported_error("activation '" + name + "'",
                          "supported: gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, relu, sigmoid, "
                          "silu, tanh");
}

}  // namespace detail

template <class T>
tensor<T> activate(const std::string& name, const tensor<T>& x) {
  return detail::with_activation(name, [&]<class A>(A) { return ops::activate<A>(x); });
}

// activation(gate) * up
template <class T>
tensor<T> gated(const std::string& name, const tensor<T>& gate, const tensor<T>& up) {
  return detail::with_activation(name, [&]<class A>(A) { return ops::gated<A>(gate, up); });
}

}  // namespace parlance::inline PARLANCE_ABI::nn
