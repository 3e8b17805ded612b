// SPDX-License-Identifier: Apache-2.0
// Differentiable rotary embedding, attention over packed sequences, and row softmax.
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

// Sequences whose rows lie one after another without padding: sequence i has the query rows
// [q[i], q[i + 1]) and the key rows [k[i], k[i + 1]).
struct packed_rows {
  std::vector<std::int64_t> q, k;

  packed_rows() = default;
  explicit packed_rows(std::vector<std::int64_t> offsets) : q(offsets), k(std::move(offsets)) {}
  packed_rows(std::vector<std::int64_t> of_q, std::vector<std::int64_t> of_k)
      : q(std::move(of_q)), k(std::move(of_k)) {}
};

// What is added to the scores: `values` by relative position, (heads, 2 * reach - 1) for distances
// key - query from -(reach - 1) on, or `dense` blocks [heads][queries][keys], one a sequence one
// after another. At most one of them is defined.
template <class T>
struct score_bias {
  tensor<T> relative, dense;

  const tensor<T>& values() const { return dense.defined() ? dense : relative; }
  kernels::attention_bias<T> view() const {
    if (dense.defined()) return {dense.data(), kernels::bias_layout::dense, 0};
    if (!relative.defined()) return {};
    return {relative.data(), kernels::bias_layout::relative, (relative.cols() + 1) / 2};
  }
};

namespace detail {

template <class T>
void check_attention_shapes(const tensor<T>& q, const tensor<T>& k, const tensor<T>& v,
                            const kernels::attention_params& p, const packed_rows& rows,
                            const score_bias<T>& bias, const key_ranges& ranges) {
  const auto fits = [&](const tensor<T>& x, int heads, const std::vector<std::int64_t>& offsets) {
    return !offsets.empty() && x.rows() == offsets.back() &&
           x.cols() == std::int64_t{heads} * p.head_dim;
  };
  if (!fits(q, p.heads, rows.q) || !fits(k, p.kv_heads, rows.k) || !(v.dims() == k.dims()))
    throw shape_error("attention: q " + q.dims().to_string() + ", k " + k.dims().to_string() +
                      ", v " + v.dims().to_string() + " for sequences of " +
                      std::to_string(rows.q.empty() ? 0 : rows.q.back()) + " and " +
                      std::to_string(rows.k.empty() ? 0 : rows.k.back()) + " rows");
  const std::size_t sequences = rows.q.size() - 1;
  for (const auto* range : {&ranges.start, &ranges.end})
    if (!range->empty() && range->size() != sequences)
      throw shape_error("attention: " + std::to_string(range->size()) + " key ranges for " +
                        std::to_string(sequences) + " sequences");
  if (bias.relative.defined()) {
    const shape& dims = bias.relative.dims();
    if (bias.dense.defined() || dims.rank() != 2 || dims[0] != p.heads || dims[1] % 2 == 0)
      throw shape_error("attention: relative bias " + dims.to_string() + " for " +
                        std::to_string(p.heads) + " heads");
  }
  if (bias.dense.defined()) {
    std::int64_t size = 0;
    for (std::size_t i = 0; i < sequences && i + 1 < rows.k.size(); ++i)
      size += p.heads * (rows.q[i + 1] - rows.q[i]) * (rows.k[i + 1] - rows.k[i]);
    if (bias.dense.size() != size)
      throw shape_error("attention: a bias of " + std::to_string(bias.dense.size()) +
                        " elements, expected " + std::to_string(size));
  }
}

}  // namespace detail

// q (query rows, heads * d), k and v (key rows, kv_heads * d): (query rows, heads * d).
template <class T>
tensor<T> attention(const tensor<T>& q, const tensor<T>& k, const tensor<T>& v,
                    const kernels::attention_params& p, const packed_rows& rows,
                    const score_bias<T>& bias = {}, const key_ranges& ranges = {}) {
  detail::check_attention_shapes(q, k, v, p, rows, bias, ranges);
  const auto io = [](const tensor<T>& q_, const tensor<T>& k_, const tensor<T>& v_,
                     const packed_rows& of, const score_bias<T>& add, const key_ranges& seen) {
    const auto data = [](const std::vector<std::int32_t>& x) {
      return x.empty() ? nullptr : x.data();
    };
    return kernels::attention_io<T>{
        of.q,      of.k,      q_.data(),        q_.cols(),      k_.data(), k_.cols(),
        v_.data(), v_.cols(), data(seen.start), data(seen.end), add.view()};
  };
  tensor<T> out(q.dims());
  const tensor<T>& b = bias.values();
  const bool track = autograd::tracking(q, k, v, b);
  tensor<T> lse = track ? tensor<T>({p.heads, q.rows()}) : tensor<T>();
  kernels::attention_forward<T>(p, io(q, k, v, rows, bias, ranges), out.data(), lse.data());
  if (track)
    autograd::record<T>(
        out, {q.node(), k.node(), v.node(), b.node()},
        [p, io, rows, ranges, q = q.detach(), k = k.detach(), v = v.detach(), o = out.detach(),
         add = score_bias<T>{bias.relative.detach(), bias.dense.detach()},
         lse](auto& self, const tensor<T>& g) {
          tensor<T> dq(q.dims()), dk(k.dims()), dv(v.dims()), db;
          if (self.input(3)) db = tensor<T>(add.values().dims());
          kernels::attention_backward<T>(p, io(q, k, v, rows, add, ranges), o.data(), lse.data(),
                                         g.data(), {dq.data(), dk.data(), dv.data(), db.data()});
          if (self.input(0)) self.input(0)->accumulate(std::move(dq));
          if (self.input(1)) self.input(1)->accumulate(std::move(dk));
          if (self.input(2)) self.input(2)->accumulate(std::move(dv));
          if (self.input(3)) self.input(3)->accumulate(std::move(db));
        });
  return out;
}

// The same for `batch` sequences of equal length.
template <class T>
tensor<T> attention(const tensor<T>& q, const tensor<T>& k, const tensor<T>& v,
                    const kernels::attention_params& p, std::int64_t batch,
                    const key_ranges& ranges = {}) {
  if (batch < 1 || q.rows() % batch || k.rows() % batch)
    throw shape_error("attention: q " + q.dims().to_string() + " and k " + k.dims().to_string() +
                      " do not make " + std::to_string(batch) + " equal sequences");
  return attention(q, k, v, p,
                   packed_rows(kernels::even_offsets(batch, q.rows() / batch),
                               kernels::even_offsets(batch, k.rows() / batch)),
                   {}, ranges);
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
