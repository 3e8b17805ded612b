// SPDX-License-Identifier: Apache-2.0
// Attention over dense rows with its gradient, for training and for encoders: no matrix of weights
// is ever stored, the backward pass computes them again from the log-sum-exp. float runs on tiles,
// double as plain loops for gradient checks. Each kv head is one piece of work, so sums have a
// fixed order and results do not depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "parlance/kernels/impl/attention_dense.hpp"

namespace parlance::inline PARLANCE_ABI::kernels {

// q: [batch][t][heads * head_dim] with row stride ldq; k, v: [batch][s][kv_heads * head_dim]. The
// query at row i has position i + s - t. key_start, key_end: per sequence, the keys that exist
// (null: all).
template <class T>
struct attention_io {
  std::int64_t batch = 0, t = 0, s = 0;
  const T* q = nullptr;
  std::int64_t ldq = 0;
  const T* k = nullptr;
  std::int64_t ldk = 0;
  const T* v = nullptr;
  std::int64_t ldv = 0;
  const std::int32_t* key_start = nullptr;
  const std::int32_t* key_end = nullptr;
};

namespace detail {

template <class T>
void check_io(const attention_params& p, const attention_io<T>& io) {
  check_attention(p);
  const std::int64_t q_row = std::int64_t{p.heads} * p.head_dim;
  const std::int64_t k_row = std::int64_t{p.kv_heads} * p.head_dim;
  if (io.batch < 0 || io.t < 0 || io.s < 0 || io.ldq < q_row || io.ldk < k_row || io.ldv < k_row)
    throw shape_error("attention: batch " + std::to_string(io.batch) + ", " + std::to_string(io.t) +
                      " queries, " + std::to_string(io.s) + " keys with row strides " +
                      std::to_string(io.ldq) + ", " + std::to_string(io.ldk) + ", " +
                      std::to_string(io.ldv) + "; expected at least " + std::to_string(q_row) +
                      ", " + std::to_string(k_row) + ", " + std::to_string(k_row));
}

template <class T>
visible_keys keys_of(const attention_params& p, const attention_io<T>& io, std::int64_t b) {
  const std::int64_t begin = io.key_start ? io.key_start[b] : 0;
  const std::int64_t end = io.key_end ? io.key_end[b] : io.s;
  return {std::clamp<std::int64_t>(begin, 0, io.s), std::clamp<std::int64_t>(end, 0, io.s),
          p.window, p.causal};
}

// Queries [first, first + n) of the group of kv head h in sequence b.
inline dense_item dense_part(const attention_params& p, const attention_io<float>& io,
                             std::int64_t b, std::int64_t h, std::int64_t first, std::int64_t n) {
  const std::int64_t d = p.head_dim, group = p.heads / p.kv_heads, row = b * io.t + first;
  dense_item item{};
  item.q = {io.q + row * io.ldq + h * group * d, io.ldq, static_cast<int>(group), p.head_dim};
  item.k = io.k + b * io.s * io.ldk + h * d;
  item.ldk = io.ldk;
  item.v = io.v + b * io.s * io.ldv + h * d;
  item.ldv = io.ldv;
  item.position = first + io.s - io.t;
  item.n = n;
  item.s = io.s;
  item.keys = keys_of(p, io, b);
  item.scale = p.scale;
  item.softcap = p.softcap;
  item.ldo = p.heads * d;
  item.ldd = p.kv_heads * d;
  item.lse_stride = io.t;
  return item;
}

template <class T>
plain_query<T> plain_part(const attention_params& p, const attention_io<T>& io, std::int64_t b,
                          std::int64_t head, std::int64_t i) {
  const std::int64_t d = p.head_dim, h = head / (p.heads / p.kv_heads);
  const visible_keys keys = keys_of(p, io, b);
  const std::int64_t at = i + io.s - io.t;
  return {io.q + (b * io.t + i) * io.ldq + head * d,
          io.k + b * io.s * io.ldk + h * d,
          io.ldk,
          io.v + b * io.s * io.ldv + h * d,
          io.ldv,
          keys.begin(at),
          keys.end(at),
          p.head_dim,
          p.scale,
          p.softcap};
}

}  // namespace detail

// out: [batch][t][heads * head_dim] without gaps; lse, if not null, [batch][heads][t]. A query
// without a visible key gives zeros and an lse of -infinity.
template <class T>
void attention_forward(const attention_params& params, const attention_io<T>& io, T* out, T* lse) {
  detail::check_io(params, io);
  const std::int64_t heads = params.heads, d = params.head_dim, group = heads / params.kv_heads;
  if constexpr (std::is_same_v<T, float>) {
    // Keys are packed once per piece of work, so a piece has many queries.
    constexpr std::int64_t rows = 6 * detail::block_rows;
    const std::int64_t step =
        std::max<std::int64_t>(1, rows / detail::block_rows * (detail::block_rows / group));
    const std::int64_t parts = (io.t + step - 1) / step;
    const auto kernel = detail::choose_dense().forward;
    parallel_for(io.batch * params.kv_heads * parts, 1, [&](auto begin, auto end) {
      for (std::int64_t index = begin; index < end; ++index) {
        const std::int64_t first = (parts - 1 - index % parts) * step;
        const std::int64_t b = index / parts / params.kv_heads, h = index / parts % params.kv_heads;
        detail::dense_item item =
            detail::dense_part(params, io, b, h, first, std::min(step, io.t - first));
        item.out = out + (b * io.t + first) * item.ldo + h * group * d;
        if (lse) item.lse = lse + (b * heads + h * group) * io.t + first;
        kernel(item);
      }
    });
  } else {
    parallel_for(io.batch * heads, 1, [&](auto begin, auto end) {
      for (std::int64_t index = begin; index < end; ++index)
        for (std::int64_t i = 0; i < io.t; ++i) {
          const std::int64_t b = index / heads, head = index % heads;
          const T sum = detail::plain_part(params, io, b, head, i)
                            .forward(out + ((b * io.t + i) * heads + head) * d);
          if (lse) lse[index * io.t + i] = sum;
        }
    });
  }
}

// dq: [batch][t][heads * head_dim]; dk, dv: [batch][s][kv_heads * head_dim]; without gaps and
// written, not added to. `out` and `lse` are what attention_forward gave.
template <class T>
void attention_backward(const attention_params& params, const attention_io<T>& io, const T* out,
                        const T* lse, const T* dout, T* dq, T* dk, T* dv) {
  detail::check_io(params, io);
  const std::int64_t heads = params.heads, kv_heads = params.kv_heads, d = params.head_dim;
  const std::int64_t group = heads / kv_heads;
  parallel_for(io.batch * kv_heads, 1, [&, kernels = detail::choose_dense()](auto begin, auto end) {
    for (std::int64_t index = begin; index < end; ++index) {
      const std::int64_t b = index / kv_heads, h = index % kv_heads;
      const std::int64_t q_at = b * io.t * heads * d + h * group * d;
      const std::int64_t k_at = b * io.s * kv_heads * d + h * d;
      const T* sums = lse + (b * heads + h * group) * io.t;
      if constexpr (std::is_same_v<T, float>) {
        detail::dense_item item = detail::dense_part(params, io, b, h, 0, io.t);
        item.result = {out + q_at, heads * d, item.q.group, item.q.head_dim};
        item.gradient = {dout + q_at, heads * d, item.q.group, item.q.head_dim};
        item.lse = const_cast<float*>(sums);  // only read here
        item.dq = dq + q_at;
        item.dk = dk + k_at;
        item.dv = dv + k_at;
        kernels.backward(item);
      } else {
        for (std::int64_t j = 0; j < io.s; ++j) {
          std::fill_n(dk + k_at + j * kv_heads * d, d, T(0));
          std::fill_n(dv + k_at + j * kv_heads * d, d, T(0));
        }
        for (std::int64_t g = 0; g < group; ++g)
          for (std::int64_t i = 0; i < io.t; ++i) {
            const std::int64_t at = q_at + i * heads * d + g * d;
            detail::plain_part(params, io, b, h * group + g, i)
                .backward(out + at, sums[g * io.t + i], dout + at, dq + at, dk + k_at, dv + k_at,
                          kv_heads * d);
          }
      }
    }
  });
}

}  // namespace parlance::inline PARLANCE_ABI::kernels
