// SPDX-License-Identifier: Apache-2.0
// y = x W^T + b over a weight in any storage format, and the embedding look-up. Gradients flow to x
// through every format; to W only when it is dense and tracked.
#pragma once

#include <span>
#include <vector>

#include "parlance/autograd/node.hpp"
#include "parlance/kernels/gemm.hpp"
#include "parlance/kernels/gemv.hpp"
#include "parlance/kernels/map.hpp"
#include "parlance/tensor/weight.hpp"

namespace parlance::inline PARLANCE_ABI::ops {

namespace detail {

template <class T>
void linear_forward(const T* x, std::int64_t m, const weight<T>& w, const T* bias, T* y) {
  const std::int64_t n = w.dims()[0], k = w.dims()[1];
  const auto half = [&](const auto* data) {
    kernels::linear(x, k, data, k, bias, y, n, m, n, k, w.exact());
  };
  if (const tensor<T>* dense = w.dense()) {
    half(dense->data());
  } else if (const auto* b = std::get_if<half_matrix<bf16>>(&w.stored())) {
    if constexpr (std::is_same_v<T, float>) return half(b->data);
    half(w.to_dense().data());
  } else if (const auto* h = std::get_if<half_matrix<f16>>(&w.stored())) {
    if constexpr (std::is_same_v<T, float>) return half(h->data);
    half(w.to_dense().data());
  } else if (const auto* q = std::get_if<typename weight<T>::quantised>(&w.stored())) {
    if constexpr (std::is_same_v<T, float>) {
      if (w.exact()) return kernels::linear_exact(x, k, **q, bias, y, n, m);
      return kernels::linear(x, k, **q, bias, y, n, m);
    }
    half(w.to_dense().data());
  } else {
    throw option_error("linear: the weight was not loaded or initialised");
  }
}

// dx (m x k) = g (m x n) W
template <class T>
void linear_backward_input(const T* g, std::int64_t m, const weight<T>& w, T* dx) {
  const std::int64_t n = w.dims()[0], k = w.dims()[1];
  if constexpr (std::is_same_v<T, float>) {
    if (const auto* q = std::get_if<typename weight<T>::quantised>(&w.stored()))
      return kernels::linear_backward_input(g, n, **q, dx, k, m);
  }
  const tensor<T> dense = w.to_dense();
  kernels::gemm<T>(false, false, m, k, n, g, n, dense.data(), k, T(0), dx, k);
}

template <class T>
shape linear_shape(const tensor<T>& x, const weight<T>& w, const tensor<T>& bias = {}) {
  if (w.dims().rank() != 2 || x.dims().rank() < 1 || x.cols() != w.dims()[1])
    throw shape_error("linear: input " + x.dims().to_string() + " against weight " +
                      w.dims().to_string());
  if (bias.defined()) require_shape("linear: bias", bias.dims(), {w.dims()[0]});
  shape dims = x.dims();
  dims[-1] = w.dims()[0];
  return dims;
}

template <class T>
void record_linear(tensor<T>& y, const tensor<T>& x, const weight<T>& w, const tensor<T>& bias) {
  const tensor<T>* dense = w.dense();
  const std::shared_ptr<autograd::node<T>> w_node = dense ? dense->node() : nullptr;
  if (!autograd::grad_enabled() || !(x.node() || w_node || bias.node())) return;
  const tensor<T> saved_x = w_node ? x.detach() : tensor<T>();
  weight<T> saved_w;
  if (x.node()) saved_w = dense ? weight<T>(dense->detach()) : w;
  autograd::record<T>(
      y, {x.node(), w_node, bias.node()},
      [saved_x, saved_w, x_dims = x.dims(), w_dims = w.dims()](auto& self, const tensor<T>& g) {
        const std::int64_t m = x_dims.rows(), n = w_dims[0], k = w_dims[1];
        if (self.input(1)) {
          auto [dw, beta] = self.input(1)->accumulator(w_dims);
          kernels::gemm<T>(true, false, n, k, m, g.data(), n, saved_x.data(), k, beta, dw.data(),
                           k);
        }
        if (self.input(2)) {
          auto [db, beta] = self.input(2)->accumulator({n});
          kernels::column_sums<T>(
              m, n, beta, db.data(), [](std::int64_t, auto v) { return v; }, g.data());
        }
        if (self.input(0)) {
          tensor<T> dx(x_dims);
          linear_backward_input(g.data(), m, saved_w, dx.data());
          self.input(0)->accumulate(std::move(dx));
        }
      });
}

}  // namespace detail

// x (..., k), weight (n, k), bias (n) or undefined: (..., n).
template <class T>
tensor<T> linear(const tensor<T>& x, const weight<T>& w, const tensor<T>& bias = {}) {
  tensor<T> y(detail::linear_shape(x, w, bias));
  detail::linear_forward(x.data(), x.rows(), w, bias.defined() ? bias.data() : nullptr, y.data());
  detail::record_linear(y, x, w, bias);
  return y;
}

// Several weights over one input. Quantised ones share the quantised input and one parallel region.
template <class T, std::size_t N>
std::array<tensor<T>, N> linears(const tensor<T>& x, const std::array<const weight<T>*, N>& ws,
                                 const std::array<tensor<T>, N>& biases) {
  std::array<tensor<T>, N> out;
  if constexpr (std::is_same_v<T, float>) {
    std::array<kernels::quant_job, N> jobs;
    bool shared = true;
    for (std::size_t i = 0; i < N; ++i) {
      const auto* q = std::get_if<weight<float>::quantised>(&ws[i]->stored());
      if (!q || ws[i]->exact()) {
        shared = false;
        break;
      }
      out[i] = tensor<float>(detail::linear_shape(x, *ws[i], biases[i]));
      jobs[i] = {q->get(), biases[i].defined() ? biases[i].data() : nullptr, out[i].data(),
                 out[i].cols()};
    }
    if (shared) {
      kernels::linear(x.data(), x.cols(), x.rows(), std::span<const kernels::quant_job>(jobs));
      for (std::size_t i = 0; i < N; ++i) detail::record_linear(out[i], x, *ws[i], biases[i]);
      return out;
    }
  }
  for (std::size_t i = 0; i < N; ++i) out[i] = linear(x, *ws[i], biases[i]);
  return out;
}

// Rows of the table w (vocabulary, width) for each id: (ids, width).
template <class T>
tensor<T> embedding(std::span<const std::int32_t> ids, const weight<T>& w) {
  const std::int64_t n = static_cast<std::int64_t>(ids.size()), cols = w.dims()[1];
  tensor<T> out({n, cols});
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int32_t id = ids[static_cast<std::size_t>(i)];
    if (id < 0 || id >= w.dims()[0])
      throw shape_error("embedding: id " + std::to_string(id) + " is outside the vocabulary of " +
                        std::to_string(w.dims()[0]));
    w.read_rows(id, 1, out.row(i));
  }
  const tensor<T>* table = w.dense();
  if (table && autograd::tracking(*table))
    autograd::record<T>(
        out, {table->node()},
        [dims = w.dims(), saved = std::vector<std::int32_t>(ids.begin(), ids.end())](
            auto& self, const tensor<T>& g) {
          auto [dw, beta] = self.input(0)->accumulator(dims);
          if (beta == T(0)) std::fill_n(dw.data(), dw.size(), T(0));
          for (std::size_t i = 0; i < saved.size(); ++i) {
            T* to = dw.row(saved[i]);
            kernels::map_serial(
                dims.cols(), to, [](auto a, auto b) { return a + b; }, to,
                g.row(static_cast<std::int64_t>(i)));
          }
        });
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::ops
