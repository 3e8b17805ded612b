// SPDX-License-Identifier: Apache-2.0
// Differentiable rotary embedding, attention over dense batches, and row softmax.
#pragma once

#include <vector>

#include "parlance/autograd/node.hpp"
#include "parlance/kernels/attention_train.hpp"
#include "parlance/kernels/loss.hpp"
#include "parlance/kernels/rope.hpp"

namespace parlance::inline PARLANCE_ABI::ops {

// x (rows, heads * head_dim); cos and sin (rows, rotary / 2).
template <class T>
tensor<T> rope(const tensor<T>& x, std::int64_t head_dim, const tensor<T>& cos,
               const tensor<T>& sin) {
  const std::int64_t heads = head_dim > 0 ? x.cols() / head_dim : 0, rotary = cos.cols() * 2;
  require_shape("rope", sin.dims(), cos.dims());
  if (head_dim < 1 || cos.rows() != x.rows() || rotary > head_dim || heads * head_dim != x.cols())
    throw shape_error("rope: input " + x.dims().to_string() + ", angles " + cos.dims().to_string() +
                      ", head size " + std::to_string(head_dim));
  tensor<T> y(x.dims());
  const auto run = [heads, head_dim, rotary](const tensor<T>& c, const tensor<T>& s, T direction,
                                             const tensor<T>& in, tensor<T>& out) {
    kernels::rope(in.rows(), heads, head_dim, rotary, c.data(), s.data(), direction, in.data(),
                  out.data());
  };
  run(cos, sin, T(1), x, y);
  if (autograd::tracking(x))
    autograd::record<T>(y, {x.node()}, [run, cos, sin](auto& self, const tensor<T>& g) {
      tensor<T> dx(g.dims());
      run(cos, sin, T(-1), g, dx);
      self.input(0)->accumulate(std::move(dx));
    });
  return y;
}

// Which keys each sequence of a batch may see; empty means all.
struct key_ranges {
  std::vector<std::int32_t> start, end;
};

// q (batch * t, heads * d), k and v (batch * s, kv_heads * d): (batch * t, heads * d).
template <class T>
tensor<T> attention(const tensor<T>& q, const tensor<T>& k, const tensor<T>& v,
                    const kernels::attention_params& p, std::int64_t batch,
                    const key_ranges& ranges = {}) {
  const auto fits = [&](const tensor<T>& x, int heads) {
    return batch > 0 && x.rows() % batch == 0 && x.cols() == std::int64_t{heads} * p.head_dim;
  };
  if (!fits(q, p.heads) || !fits(k, p.kv_heads) || !(v.dims() == k.dims()))
    throw shape_error("attention: q " + q.dims().to_string() + ", k " + k.dims().to_string() +
                      ", v " + v.dims().to_string() + " in " + std::to_string(batch) +
                      " sequences");
  for (const auto* range : {&ranges.start, &ranges.end})
    if (!range->empty() && static_cast<std::int64_t>(range->size()) != batch)
      throw shape_error("attention: " + std::to_string(range->size()) + " key ranges for " +
                        std::to_string(batch) + " sequences");
  const auto io = [batch, ranges](const tensor<T>& q_, const tensor<T>& k_, const tensor<T>& v_) {
    return kernels::attention_io<T>{batch,
                                    q_.rows() / batch,
                                    k_.rows() / batch,
                                    q_.data(),
                                    q_.cols(),
                                    k_.data(),
                                    k_.cols(),
                                    v_.data(),
                                    v_.cols(),
                                    ranges.start.empty() ? nullptr : ranges.start.data(),
                                    ranges.end.empty() ? nullptr : ranges.end.data()};
  };
  tensor<T> out(q.dims());
  const bool track = autograd::tracking(q, k, v);
  tensor<T> lse = track ? tensor<T>({batch, p.heads, q.rows() / batch}) : tensor<T>();
  kernels::attention_forward<T>(p, io(q, k, v), out.data(), lse.data());
  if (track)
    autograd::record<T>(out, {q.node(), k.node(), v.node()},
                        [p, io, q = q.detach(), k = k.detach(), v = v.detach(), o = out.detach(),
                         lse](auto& self, const tensor<T>& g) {
                          tensor<T> dq(q.dims()), dk(k.dims()), dv(v.dims());
                          kernels::attention_backward<T>(p, io(q, k, v), o.data(), lse.data(),
                                                         g.data(), dq.data(), dk.data(), dv.data());
                          if (self.input(0)) self.input(0)->accumulate(std::move(dq));
                          if (self.input(1)) self.input(1)->accumulate(std::move(dk));
                          if (self.input(2)) self.input(2)->accumulate(std::move(dv));
                        });
  return out;
}

// Softmax over the last dimension.
template <class T>
tensor<T> softmax(const tensor<T>& x) {
  tensor<T> y(x.dims());
  kernels::softmax(x.rows(), x.cols(), x.data(), y.data());
  if (autograd::tracking(x))
    autograd::record<T>(y, {x.node()}, [p = y.detach()](auto& self, const tensor<T>& g) {
      tensor<T> dx(g.dims());
      kernels::softmax_backward(p.rows(), p.cols(), p.data(), g.data(), dx.data());
      self.input(0)->accumulate(std::move(dx));
    });
  return y;
}

}  // namespace parlance::inline PARLANCE_ABI::ops
