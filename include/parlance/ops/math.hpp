// SPDX-License-Identifier: Apache-2.0
// Differentiable element-wise operations: sums and products with NumPy broadcasting, scaling,
// activations, gated activations and the soft cap of Gemma 2.
#pragma once

#include <algorithm>
#include <array>

#include "parlance/autograd/node.hpp"
#include "parlance/kernels/activations.hpp"
#include "parlance/kernels/map.hpp"
#include "parlance/kernels/sigmoid_unit.hpp"

namespace parlance::inline PARLANCE_ABI::ops {

namespace detail {

// The shape both operands broadcast to (NumPy rules).
inline shape broadcast(const char* op, const shape& a, const shape& b) {
  shape out;
  const int rank = std::max(a.rank(), b.rank());
  for (int i = 0; i < rank; ++i) {
    const int ia = i - (rank - a.rank()), ib = i - (rank - b.rank());
    const std::int64_t da = ia < 0 ? 1 : a[ia], db = ib < 0 ? 1 : b[ib];
    if (da != db && da != 1 && db != 1)
      throw shape_error(std::string(op) + ": " + a.to_string() + " and " + b.to_string() +
                        " do not broadcast");
    out.push_back(da == 1 ? db : da);
  }
  return out;
}

// Calls f(index in `from` for each element of `to`, in order); `from` broadcasts to `to`.
template <class F>
void for_each_source(const shape& from, const shape& to, F f) {
  std::array<std::int64_t, shape::max_rank> stride{}, index{};
  std::int64_t step = 1;
  for (int i = from.rank() - 1; i >= 0; --i) {
    stride[static_cast<std::size_t>(i + to.rank() - from.rank())] = from[i] == 1 ? 0 : step;
    step *= from[i];
  }
  const std::int64_t n = to.size();
  for (std::int64_t k = 0, at = 0; k < n; ++k) {
    f(at);
    for (int i = to.rank() - 1; i >= 0; --i) {
      const auto u = static_cast<std::size_t>(i);
      at += stride[u];
      if (++index[u] < to[i]) break;
      at -= stride[u] * to[i];
      index[u] = 0;
    }
  }
}

template <class T>
tensor<T> expand(const tensor<T>& x, const shape& to) {
  if (x.dims() == to) return x.detach();
  tensor<T> out(to);
  T* p = out.data();
  for_each_source(x.dims(), to, [&](std::int64_t i) { *p++ = x.data()[i]; });
  return out;
}

// Sum of a broadcast gradient over the broadcast dimensions.
template <class T>
tensor<T> reduce_to(const tensor<T>& g, const shape& to) {
  if (g.dims() == to) return g;
  tensor<T> out = tensor<T>::zeros(to);
  const T* p = g.data();
  for_each_source(to, g.dims(), [&](std::int64_t i) { out.data()[i] += *p++; });
  return out;
}

template <class T, class Op>
tensor<T> binary(const char* name, const tensor<T>& a, const tensor<T>& b, const Op& op) {
  const shape dims = broadcast(name, a.dims(), b.dims());
  const tensor<T> x = expand(a, dims), y = expand(b, dims);
  tensor<T> out(dims);
  kernels::map(dims.size(), out.data(), op, x.data(), y.data());
  return out;
}

template <class T, class Op, class... In>
tensor<T> mapped(const Op& op, const tensor<T>& first, const In&... rest) {
  tensor<T> out(first.dims());
  kernels::map(first.size(), out.data(), op, first.data(), rest.data()...);
  return out;
}

}  // namespace detail

template <class T>
tensor<T> add(const tensor<T>& a, const tensor<T>& b) {
  tensor<T> out = detail::binary("add", a, b, [](auto x, auto y) { return x + y; });
  if (autograd::tracking(a, b))
    autograd::record<T>(out, {a.node(), b.node()},
                        [da = a.dims(), db = b.dims()](auto& self, const tensor<T>& g) {
                          if (self.input(0)) self.input(0)->accumulate(detail::reduce_to(g, da));
                          if (self.input(1)) self.input(1)->accumulate(detail::reduce_to(g, db));
                        });
  return out;
}

template <class T>
tensor<T> mul(const tensor<T>& a, const tensor<T>& b) {
  const auto product = [](auto x, auto y) { return x * y; };
  tensor<T> out = detail::binary("mul", a, b, product);
  if (autograd::tracking(a, b)) {
    tensor<T> sa = b.node() ? a.detach() : tensor<T>(), sb = a.node() ? b.detach() : tensor<T>();
    autograd::record<T>(
        out, {a.node(), b.node()},
        [sa, sb, da = a.dims(), db = b.dims(), product](auto& self, const tensor<T>& g) {
          if (self.input(0))
            self.input(0)->accumulate(detail::reduce_to(detail::binary("mul", g, sb, product), da));
          if (self.input(1))
            self.input(1)->accumulate(detail::reduce_to(detail::binary("mul", g, sa, product), db));
        });
  }
  return out;
}

template <class T>
tensor<T> scale(const tensor<T>& x, T factor) {
  const auto times = [factor](auto v) { return v * decltype(v)(factor); };
  tensor<T> out = detail::mapped(times, x);
  if (autograd::tracking(x))
    autograd::record<T>(out, {x.node()}, [times](auto& self, const tensor<T>& g) {
      self.input(0)->accumulate(detail::mapped(times, g));
    });
  return out;
}

// The sum of all elements, shape [].
template <class T>
tensor<T> sum(const tensor<T>& x) {
  T total = 0;
  for (const T v : x.values()) total += v;
  tensor<T> out = tensor<T>::full({}, total);
  if (autograd::tracking(x))
    autograd::record<T>(out, {x.node()}, [dims = x.dims()](auto& self, const tensor<T>& g) {
      self.input(0)->accumulate(tensor<T>::full(dims, g.item()));
    });
  return out;
}

namespace detail {

// True for activations that kernels/sigmoid_unit.hpp knows.
template <class A, class T>
inline constexpr bool is_sigmoid_unit = std::is_same_v<T, float>&& requires {
  A::slope;
  A::cubic;
};

template <class A, class T>
inline constexpr bool is_float_gelu =
    std::is_same_v<A, kernels::gelu_erf>&& std::is_same_v<T, float>;

// A::forward(x), times `up` when it is defined.
template <class A, class T>
tensor<T> activation(const tensor<T>& x, const tensor<T>& up) {
  if constexpr (is_sigmoid_unit<A, T>) {
    tensor<T> out(x.dims());
    kernels::sigmoid_unit(x.size(), A::slope, A::cubic, x.data(), up.data(), out.data());
    return out;
  } else if constexpr (is_float_gelu<A, T>) {
    tensor<T> out(x.dims());
    kernels::gelu_unit(x.size(), x.data(), up.data(), out.data());
    return out;
  } else {
    if (!up.defined()) return mapped([](auto v) { return A::forward(v); }, x);
    return mapped([](auto a, auto b) { return A::forward(a) * b; }, x, up);
  }
}

// Gradients of `activation` for x and, when wanted, for `up`.
template <class A, class T>
std::pair<tensor<T>, tensor<T>> activation_backward(const tensor<T>& g, const tensor<T>& x,
                                                    const tensor<T>& up, bool want_up) {
  if constexpr (is_sigmoid_unit<A, T>) {
    tensor<T> dx(x.dims()), dup = want_up ? tensor<T>(x.dims()) : tensor<T>();
    kernels::sigmoid_unit_backward(x.size(), A::slope, A::cubic, g.data(), x.data(), up.data(),
                                   dx.data(), dup.data());
    return {dx, dup};
  } else if constexpr (is_float_gelu<A, T>) {
    tensor<T> dx(x.dims()), dup = want_up ? tensor<T>(x.dims()) : tensor<T>();
    kernels::gelu_unit_backward(x.size(), g.data(), x.data(), up.data(), dx.data(), dup.data());
    return {dx, dup};
  } else {
    tensor<T> dup;
    if (want_up) dup = mapped([](auto u, auto a) { return u * A::forward(a); }, g, x);
    if (!up.defined())
      return {mapped([](auto u, auto a) { return u * A::derivative(a); }, g, x), dup};
    return {mapped([](auto u, auto a, auto b) { return u * b * A::derivative(a); }, g, x, up), dup};
  }
}

}  // namespace detail

// A::forward element by element; A is one of kernels/activations.hpp.
template <class A, class T>
tensor<T> activate(const tensor<T>& x) {
  tensor<T> out = detail::activation<A>(x, tensor<T>());
  if (autograd::tracking(x))
    autograd::record<T>(out, {x.node()}, [x = x.detach()](auto& self, const tensor<T>& g) {
      self.input(0)->accumulate(detail::activation_backward<A>(g, x, tensor<T>(), false).first);
    });
  return out;
}

// A::forward(gate) * up, the gated unit of Llama (silu) and Gemma (gelu_tanh). Shazeer 2020.
template <class A, class T>
tensor<T> gated(const tensor<T>& gate, const tensor<T>& up) {
  require_shape("gated", up.dims(), gate.dims());
  tensor<T> out = detail::activation<A>(gate, up);
  if (autograd::tracking(gate, up))
    autograd::record<T>(out, {gate.node(), up.node()},
                        [gate = gate.detach(), up = up.detach()](auto& self, const tensor<T>& g) {
                          auto [dgate, dup] =
                              detail::activation_backward<A>(g, gate, up, self.input(1) != nullptr);
                          if (self.input(0)) self.input(0)->accumulate(std::move(dgate));
                          if (self.input(1)) self.input(1)->accumulate(std::move(dup));
                        });
  return out;
}

// cap * tanh(x / cap)
template <class T>
tensor<T> softcap(const tensor<T>& x, T cap) {
  tensor<T> out = detail::mapped(
      [cap](auto v) {
        using V = decltype(v);
        return V(cap) * kernels::tanh_activation::forward(V(v / V(cap)));
      },
      x);
  if (autograd::tracking(x))
    autograd::record<T>(out, {x.node()}, [cap, y = out.detach()](auto& self, const tensor<T>& g) {
      self.input(0)->accumulate(detail::mapped(
          [cap](auto u, auto v) {
            using V = decltype(v);
            return u * (V(1) - v * v / V(cap * cap));
          },
          g, y));
    });
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::ops
