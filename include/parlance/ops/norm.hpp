// SPDX-License-Identifier: Apache-2.0
// Differentiable RMSNorm and LayerNorm over the last dimension.
#pragma once

#include "parlance/autograd/node.hpp"
#include "parlance/kernels/norm.hpp"

namespace parlance::inline PARLANCE_ABI::ops {

// x * rstd * (offset + w); `w` undefined means no scale. x (..., width), w (width).
template <class T>
tensor<T> rms_norm(const tensor<T>& x, const tensor<T>& w, T eps, T offset = T(0)) {
  if (w.defined()) require_shape("rms_norm", w.dims(), {x.cols()});
  tensor<T> y(x.dims());
  const bool track = autograd::tracking(x, w);
  tensor<T> rstd = track ? tensor<T>({x.rows()}) : tensor<T>();
  const T* scale = w.defined() ? w.data() : nullptr;
  kernels::rms_norm(x.rows(), x.cols(), x.data(), scale, offset, eps, y.data(),
                    track ? rstd.data() : nullptr);
  if (track)
    autograd::record<T>(
        y, {x.node(), w.node()},
        [x = x.detach(), w = w.detach(), rstd, offset](auto& self, const tensor<T>& g) {
          tensor<T> dx = self.input(0) ? tensor<T>(x.dims()) : tensor<T>();
          T* dw = nullptr;
          T beta = 0;
          tensor<T> target;
          if (self.input(1)) {
            std::tie(target, beta) = self.input(1)->accumulator(w.dims());
            dw = target.data();
          }
          kernels::rms_norm_backward(x.rows(), x.cols(), x.data(), w.defined() ? w.data() : nullptr,
                                     offset, rstd.data(), g.data(), dx.data(), dw, beta);
          if (self.input(0)) self.input(0)->accumulate(std::move(dx));
        });
  return y;
}

// (x - mean) * rstd * w + b; x (..., width), w and b (width), b may be undefined.
template <class T>
tensor<T> layer_norm(const tensor<T>& x, const tensor<T>& w, const tensor<T>& b, T eps) {
  require_shape("layer_norm", w.dims(), {x.cols()});
  if (b.defined()) require_shape("layer_norm", b.dims(), {x.cols()});
  tensor<T> y(x.dims());
  const bool track = autograd::tracking(x, w, b);
  tensor<T> mean, rstd;
  if (track) mean = tensor<T>({x.rows()}), rstd = tensor<T>({x.rows()});
  kernels::layer_norm(x.rows(), x.cols(), x.data(), w.data(), b.defined() ? b.data() : nullptr, eps,
                      y.data(), mean.data(), rstd.data());
  if (track)
    autograd::record<T>(
        y, {x.node(), w.node(), b.node()},
        [x = x.detach(), w = w.detach(), mean, rstd](auto& self, const tensor<T>& g) {
          tensor<T> dx = self.input(0) ? tensor<T>(x.dims()) : tensor<T>(), dw, db;
          T w_beta = 0;
          if (self.input(1)) std::tie(dw, w_beta) = self.input(1)->accumulator(w.dims());
          if (self.input(2)) db = tensor<T>(w.dims());  // w and b may be one tensor
          kernels::layer_norm_backward(x.rows(), x.cols(), x.data(), w.data(), mean.data(),
                                       rstd.data(), g.data(), dx.data(), dw.data(), w_beta,
                                       db.data(), T(0));
          if (self.input(2)) self.input(2)->accumulate(std::move(db));
          if (self.input(0)) self.input(0)->accumulate(std::move(dx));
        });
  return y;
}

}  // namespace parlance::inline PARLANCE_ABI::ops
