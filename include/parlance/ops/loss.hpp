// SPDX-License-Identifier: Apache-2.0
// Cross entropy, averaged over the labels that count, as torch.nn.functional.cross_entropy does
// with ignore_index; and the same fused with the output projection, so that the logits of a batch
// (rows x vocabulary) never exist at once (the idea of Liger Kernel's fused linear cross entropy).
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "parlance/kernels/loss.hpp"
#include "parlance/ops/linear.hpp"

namespace parlance::inline PARLANCE_ABI::ops {

inline constexpr std::int32_t ignore_index = -100;

namespace detail {

inline std::int64_t count_labels(std::span<const std::int32_t> labels, std::int64_t rows,
                                 std::int64_t classes) {
  if (static_cast<std::int64_t>(labels.size()) != rows)
    throw shape_error("cross_entropy: " + std::to_string(labels.size()) + " labels for " +
                      std::to_string(rows) + " rows");
  std::int64_t valid = 0;
  for (const std::int32_t label : labels) {
    if (label == ignore_index) continue;
    if (label < 0 || label >= classes)
      throw shape_error("cross_entropy: label " + std::to_string(label) + " of " +
                        std::to_string(classes) + " classes");
    ++valid;
  }
  return valid;
}

template <class T>
T ordered_sum(const tensor<T>& losses) {
  double total = 0;
  for (const T v : losses.values()) total += static_cast<double>(v);
  return static_cast<T>(total);
}

template <class T>
tensor<T> scaled_by(const tensor<T>& x, T factor) {
  tensor<T> out(x.dims());
  kernels::map(
      x.size(), out.data(), [factor](auto v) { return v * decltype(v)(factor); }, x.data());
  return out;
}

}  // namespace detail

// Mean over the rows whose label is not ignore_index; 0, without gradient, when there is none.
// logits (rows, classes).
template <class T>
tensor<T> cross_entropy(const tensor<T>& logits, std::span<const std::int32_t> labels) {
  const std::int64_t rows = logits.rows(), classes = logits.cols();
  const std::int64_t valid = detail::count_labels(labels, rows, classes);
  const bool track = autograd::tracking(logits);
  tensor<T> work = logits.clone(), losses({rows});
  const T share = valid ? T(1) / static_cast<T>(valid) : T(0);
  kernels::cross_entropy(rows, classes, work.data(), labels.data(), ignore_index,
                         track ? share : T(0), losses.data());
  tensor<T> out = tensor<T>::full({}, detail::ordered_sum(losses) * share);
  if (track)
    autograd::record<T>(out, {logits.node()},
                        [work, valid, dims = logits.dims()](auto& self, const tensor<T>& g) {
                          if (valid)
                            self.input(0)->accumulate(detail::scaled_by(work, g.item()).view(dims));
                        });
  return out;
}

// cross_entropy(linear(hidden, w), labels) in chunks of rows; gradients for hidden and w are made
// on the way and scaled by the incoming gradient later. hidden (rows, k), w (classes, k).
template <class T>
tensor<T> linear_cross_entropy(const tensor<T>& hidden, const weight<T>& w,
                               std::span<const std::int32_t> labels) {
  const std::int64_t rows = hidden.rows(), k = hidden.cols(), classes = w.dims()[0];
  detail::linear_shape(hidden, w);
  const std::int64_t valid = detail::count_labels(labels, rows, classes);
  const std::shared_ptr<autograd::node<T>> w_node = w.dense() ? w.dense()->node() : nullptr;
  const bool record = autograd::grad_enabled() && (hidden.node() || w_node);
  const bool track = record && valid;
  const T share = valid ? T(1) / static_cast<T>(valid) : T(0);

  const std::int64_t chunk = std::clamp<std::int64_t>(
      (std::int64_t{1} << 23) / std::max<std::int64_t>(classes, 1), 16, 1024);
  tensor<T> losses({rows}), logits({std::min(chunk, rows), classes});
  tensor<T> dx = track && hidden.node() ? tensor<T>(hidden.dims()) : tensor<T>();
  tensor<T> dw = track && w_node ? tensor<T>(w.dims()) : tensor<T>();
  for (std::int64_t at = 0; at < rows; at += chunk) {
    const std::int64_t m = std::min(chunk, rows - at);
    detail::linear_forward(hidden.row(at), m, w, static_cast<const T*>(nullptr), logits.data());
    kernels::cross_entropy(m, classes, logits.data(), labels.data() + at, ignore_index,
                           track ? share : T(0), losses.data() + at);
    if (dx.defined()) detail::linear_backward_input(logits.data(), m, w, dx.row(at));
    if (dw.defined())
      kernels::gemm<T>(true, false, classes, k, m, logits.data(), classes, hidden.row(at), k,
                       at ? T(1) : T(0), dw.data(), k);
  }
  tensor<T> out = tensor<T>::full({}, detail::ordered_sum(losses) * share);
  if (record)
    autograd::record<T>(out, {hidden.node(), w_node}, [dx, dw](auto& self, const tensor<T>& g) {
      const T factor = g.item();
      const auto pass = [&](std::size_t i, const tensor<T>& d) {
        if (self.input(i) && d.defined())
          self.input(i)->accumulate(factor == T(1) ? d : detail::scaled_by(d, factor));
      };
      pass(0, dx);
      pass(1, dw);
    });
  return out;
}

namespace detail {

// The mean of value(x, target) over all elements; slope(x, target) is its derivative for x.
template <class T, class Value, class Slope>
tensor<T> mean_loss(const char* name, const tensor<T>& x, const tensor<T>& targets,
                    const Value& value, const Slope& slope) {
  require_shape(name, targets.dims(), x.dims());
  const T share = x.size() ? T(1) / static_cast<T>(x.size()) : T(0);
  double total = 0;
  for (std::int64_t i = 0; i < x.size(); ++i)
    total += static_cast<double>(value(x.data()[i], targets.data()[i]));
  tensor<T> out = tensor<T>::full({}, static_cast<T>(total) * share);
  if (autograd::tracking(x))
    autograd::record<T>(
        out, {x.node()},
        [x = x.detach(), targets = targets.detach(), slope, share](auto& self, const tensor<T>& g) {
          tensor<T> dx(x.dims());
          for (std::int64_t i = 0; i < x.size(); ++i)
            dx.data()[i] = g.item() * share * slope(x.data()[i], targets.data()[i]);
          self.input(0)->accumulate(std::move(dx));
        });
  return out;
}

}  // namespace detail

// Mean of (x - target)^2.
template <class T>
tensor<T> mean_squared_error(const tensor<T>& x, const tensor<T>& targets) {
  return detail::mean_loss(
      "mean_squared_error", x, targets, [](T v, T t) { return (v - t) * (v - t); },
      [](T v, T t) { return 2 * (v - t); });
}

// Mean binary cross entropy of sigmoid(x) against targets in [0, 1]
// (torch.nn.functional.binary_cross_entropy_with_logits).
template <class T>
tensor<T> binary_cross_entropy(const tensor<T>& x, const tensor<T>& targets) {
  return detail::mean_loss(
      "binary_cross_entropy", x, targets,
      [](T v, T t) { return std::max(v, T(0)) - v * t + std::log1p(std::exp(-std::abs(v))); },
      [](T v, T t) { return 1 / (1 + std::exp(-v)) - t; });
}

}  // namespace parlance::inline PARLANCE_ABI::ops
