// SPDX-License-Identifier: Apache-2.0
// Attention over the rows of many sequences, one after another without padding, with its gradient:
// for training and for encoders. No matrix of weights is ever stored, the backward pass computes
// them again from the log-sum-exp. float runs on tiles, double as plain loops for gradient checks.
// Each kv head of a sequence is one piece of work, so sums have a fixed order and results depend
// neither on the number of threads nor on the other sequences.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "parlance/kernels/impl/attention_dense.hpp"

namespace parlance::inline PARLANCE_ABI::kernels {

enum class bias_layout : std::uint8_t {
  relative,  // [heads][2 * reach - 1]: by position of the key minus that of the query, from
             // -(reach - 1) on; one table for all sequences
  dense      // a block [heads][queries][keys] for each sequence, one after another
};

// Added to the scores after scaling, before a soft cap. Without data: nothing is added.
template <class T>
struct attention_bias {
  const T* data = nullptr;
  bias_layout layout = bias_layout::relative;
  std::int64_t reach = 0;  // relative: sequences are not longer than this
};

// Sequence i has the query rows [q_offsets[i], q_offsets[i + 1]) and the key rows that k_offsets
// says (cu_seqlens of flash-attention); rows of q have heads * head_dim elements, those of k and v
// kv_heads * head_dim. Query j of t has position j + s - t among s keys. key_start, key_end: per
// sequence, the keys that exist (null: all).
template <class T>
struct attention_io {
  std::span<const std::int64_t> q_offsets, k_offsets;
  const T* q = nullptr;
  std::int64_t ldq = 0;
  const T* k = nullptr;
  std::int64_t ldk = 0;
  const T* v = nullptr;
  std::int64_t ldv = 0;
  const std::int32_t* key_start = nullptr;
  const std::int32_t* key_end = nullptr;
  attention_bias<T> bias{};

  std::int64_t sequences() const { return static_cast<std::int64_t>(q_offsets.size()) - 1; }
  std::int64_t first_query(std::int64_t b) const { return q_offsets[static_cast<std::size_t>(b)]; }
  std::int64_t first_key(std::int64_t b) const { return k_offsets[static_cast<std::size_t>(b)]; }
  std::int64_t queries(std::int64_t b) const { return first_query(b + 1) - first_query(b); }
  std::int64_t keys(std::int64_t b) const { return first_key(b + 1) - first_key(b); }
};

// Offsets of `sequences` sequences of `rows` rows each.
inline std::vector<std::int64_t> even_offsets(std::int64_t sequences, std::int64_t rows) {
  std::vector<std::int64_t> offsets{0};
  for (std::int64_t i = 0; i < sequences; ++i) offsets.push_back(offsets.back() + rows);
  return offsets;
}

namespace detail {

// Elements of the bias of all sequences, or of the dense blocks in front of sequence `before`.
template <class T>
std::int64_t bias_size(const attention_params& p, const attention_io<T>& io, std::int64_t before) {
  if (io.bias.layout == bias_layout::relative) return p.heads * (2 * io.bias.reach - 1);
  std::int64_t size = 0;
  for (std::int64_t b = 0; b < before; ++b) size += p.heads * io.queries(b) * io.keys(b);
  return size;
}

template <class T>
void check_io(const attention_params& p, const attention_io<T>& io) {
  check_attention(p);
  const std::int64_t q_row = std::int64_t{p.heads} * p.head_dim;
  const std::int64_t k_row = std::int64_t{p.kv_heads} * p.head_dim;
  if (io.ldq < q_row || io.ldk < k_row || io.ldv < k_row)
    throw shape_error("attention: row strides " + std::to_string(io.ldq) + ", " +
                      std::to_string(io.ldk) + ", " + std::to_string(io.ldv) +
                      "; expected at least " + std::to_string(q_row) + ", " +
                      std::to_string(k_row) + ", " + std::to_string(k_row));
  if (io.q_offsets.empty() || io.q_offsets.size() != io.k_offsets.size() || io.q_offsets[0] != 0 ||
      io.k_offsets[0] != 0)
    throw shape_error("attention: " + std::to_string(io.q_offsets.size()) + " and " +
                      std::to_string(io.k_offsets.size()) +
                      " row offsets; expected one more than there are sequences, from 0 on");
  for (std::int64_t b = 0; b < io.sequences(); ++b) {
    const std::int64_t t = io.queries(b), s = io.keys(b);
    if (t < 0 || s < 0)
      throw shape_error("attention: sequence " + std::to_string(b) + " has " + std::to_string(t) +
                        " queries and " + std::to_string(s) + " keys");
    if (io.bias.data && io.bias.layout == bias_layout::relative && std::max(s, t) > io.bias.reach)
      throw shape_error("attention: sequence " + std::to_string(b) + " is longer than the reach " +
                        std::to_string(io.bias.reach) + " of the relative bias");
  }
}

template <class T>
visible_keys keys_of(const attention_params& p, const attention_io<T>& io, std::int64_t b) {
  const std::int64_t s = io.keys(b);
  const std::int64_t begin = io.key_start ? io.key_start[b] : 0;
  const std::int64_t end = io.key_end ? io.key_end[b] : s;
  return {std::clamp<std::int64_t>(begin, 0, s), std::clamp<std::int64_t>(end, 0, s), p.window,
          p.causal};
}

// The rows of a table or of the block of sequence b, from query `first` and head `head` on.
template <class T, class U>
bias_rows<U> bias_of(const attention_params& p, const attention_io<T>& io, U* data, std::int64_t b,
                     std::int64_t head, std::int64_t first) {
  if (!data) return {};
  const std::int64_t t = io.queries(b), s = io.keys(b);
  if (io.bias.layout == bias_layout::relative) {
    const std::int64_t width = 2 * io.bias.reach - 1, zero = io.bias.reach - 1;
    return {data + head * width + zero - (first + s - t), width, -1};
  }
  return {data + bias_size(p, io, b) + (head * t + first) * s, t * s, s};
}

// Queries [first, first + n) of the group of kv head h in sequence b.
inline dense_item dense_part(const attention_params& p, const attention_io<float>& io,
                             std::int64_t b, std::int64_t h, std::int64_t first, std::int64_t n) {
  const std::int64_t d = p.head_dim, group = p.heads / p.kv_heads;
  dense_item item{};
  item.q = {io.q + (io.first_query(b) + first) * io.ldq + h * group * d, io.ldq,
            static_cast<int>(group), p.head_dim};
  item.k = io.k + io.first_key(b) * io.ldk + h * d;
  item.ldk = io.ldk;
  item.v = io.v + io.first_key(b) * io.ldv + h * d;
  item.ldv = io.ldv;
  item.position = first + io.keys(b) - io.queries(b);
  item.n = n;
  item.s = io.keys(b);
  item.keys = keys_of(p, io, b);
  item.scale = p.scale;
  item.softcap = p.softcap;
  item.bias = bias_of(p, io, io.bias.data, b, h * group, first);
  item.ldo = p.heads * d;
  item.ldd = p.kv_heads * d;
  item.lse_stride = io.q_offsets.back();
  return item;
}

template <class T>
plain_query<T> plain_part(const attention_params& p, const attention_io<T>& io, std::int64_t b,
                          std::int64_t head, std::int64_t i) {
  const std::int64_t d = p.head_dim, h = head / (p.heads / p.kv_heads);
  const visible_keys keys = keys_of(p, io, b);
  const std::int64_t at = i + io.keys(b) - io.queries(b);
  return {io.q + (io.first_query(b) + i) * io.ldq + head * d,
          io.k + io.first_key(b) * io.ldk + h * d,
          io.ldk,
          io.v + io.first_key(b) * io.ldv + h * d,
          io.ldv,
          keys.begin(at),
          keys.end(at),
          p.head_dim,
          p.scale,
          p.softcap,
          bias_of(p, io, io.bias.data, b, head, i).data};
}

// Where the pieces of each sequence begin when sequence b makes `pieces(b)` of them.
template <class F>
std::vector<std::int64_t> piece_offsets(std::int64_t sequences, const F& pieces) {
  std::vector<std::int64_t> offsets{0};
  for (std::int64_t b = 0; b < sequences; ++b) offsets.push_back(offsets.back() + pieces(b));
  return offsets;
}

// f(sequence, piece of the sequence) for all pieces, in parallel.
template <class F>
void for_each_piece(const std::vector<std::int64_t>& offsets, const F& f) {
  parallel_for(offsets.back(), 1, [&](std::int64_t begin, std::int64_t end) {
    auto after = std::upper_bound(offsets.begin(), offsets.end(), begin);
    for (std::int64_t index = begin; index < end; ++index) {
      while (index >= *after) ++after;
      f(after - offsets.begin() - 1, index - *(after - 1));
    }
  });
}

// Queries that share one packing of their keys.
inline std::int64_t queries_of_piece(std::int64_t group) {
  return std::max<std::int64_t>(1, 6 * (block_rows / group));
}

}  // namespace detail

// out: [query rows][heads * head_dim] without gaps; lse, if not null, [heads][query rows]. A query
// without a visible key gives zeros and an lse of -infinity.
template <class T>
void attention_forward(const attention_params& params, const attention_io<T>& io, T* out, T* lse) {
  detail::check_io(params, io);
  const std::int64_t heads = params.heads, d = params.head_dim, group = heads / params.kv_heads;
  const std::int64_t rows = io.q_offsets.back(), step = detail::queries_of_piece(group);
  const auto parts = [&](std::int64_t b) { return (io.queries(b) + step - 1) / step; };
  if constexpr (std::is_same_v<T, float>) {
    const auto kernel = detail::choose_dense().forward;
    const auto pieces = detail::piece_offsets(
        io.sequences(), [&](std::int64_t b) { return parts(b) * params.kv_heads; });
    detail::for_each_piece(pieces, [&](std::int64_t b, std::int64_t piece) {
      // The last part first: with causality it takes longest.
      const std::int64_t h = piece / parts(b), first = (parts(b) - 1 - piece % parts(b)) * step;
      detail::dense_item item =
          detail::dense_part(params, io, b, h, first, std::min(step, io.queries(b) - first));
      item.out = out + (io.first_query(b) + first) * item.ldo + h * group * d;
      if (lse) item.lse = lse + h * group * rows + io.first_query(b) + first;
      kernel(item);
    });
  } else {
    const auto pieces = detail::piece_offsets(io.sequences(), [&](std::int64_t) { return heads; });
    detail::for_each_piece(pieces, [&](std::int64_t b, std::int64_t head) {
      for (std::int64_t i = 0; i < io.queries(b); ++i) {
        const std::int64_t row = io.first_query(b) + i;
        const T sum =
            detail::plain_part(params, io, b, head, i).forward(out + (row * heads + head) * d);
        if (lse) lse[head * rows + row] = sum;
      }
    });
  }
}

// Results of attention_backward, without gaps and written, not added to: dq [query rows][heads *
// head_dim]; dk, dv [key rows][kv_heads * head_dim]; dbias as the bias, or null.
template <class T>
struct attention_gradients {
  T *dq, *dk, *dv;
  T* dbias = nullptr;
};

namespace detail {

// The gradients of one kv head of sequence b and its group of heads.
template <class T>
void backward_piece(const attention_params& params, const attention_io<T>& io, std::int64_t b,
                    std::int64_t h, const T* out, const T* lse, const T* dout,
                    const attention_gradients<T>& to, const dense_kernels& kernels) {
  const std::int64_t heads = params.heads, kv_heads = params.kv_heads, d = params.head_dim;
  const std::int64_t group = heads / kv_heads, rows = io.q_offsets.back();
  const std::int64_t q_at = io.first_query(b) * heads * d + h * group * d;
  const std::int64_t k_at = io.first_key(b) * kv_heads * d + h * d;
  const T* sums = lse + h * group * rows + io.first_query(b);
  if constexpr (std::is_same_v<T, float>) {
    dense_item item = dense_part(params, io, b, h, 0, io.queries(b));
    item.result = {out + q_at, heads * d, item.q.group, item.q.head_dim};
    item.gradient = {dout + q_at, heads * d, item.q.group, item.q.head_dim};
    item.lse = const_cast<float*>(sums);  // only read here
    item.dq = to.dq + q_at;
    item.dk = to.dk + k_at;
    item.dv = to.dv + k_at;
    item.dbias = bias_of(params, io, to.dbias, b, h * group, 0);
    kernels.backward(item);
  } else {
    for (std::int64_t j = 0; j < io.keys(b); ++j) {
      std::fill_n(to.dk + k_at + j * kv_heads * d, d, T(0));
      std::fill_n(to.dv + k_at + j * kv_heads * d, d, T(0));
    }
    for (std::int64_t g = 0; g < group; ++g)
      for (std::int64_t i = 0; i < io.queries(b); ++i) {
        const std::int64_t at = q_at + i * heads * d + g * d;
        plain_part(params, io, b, h * group + g, i)
            .backward(out + at, sums[g * rows + i], dout + at, to.dq + at, to.dk + k_at,
                      to.dv + k_at, kv_heads * d,
                      bias_of(params, io, to.dbias, b, h * group + g, i).data);
      }
  }
}

}  // namespace detail

// `out` and `lse` are what attention_forward gave.
template <class T>
void attention_backward(const attention_params& params, const attention_io<T>& io, const T* out,
                        const T* lse, const T* dout, const attention_gradients<T>& to) {
  detail::check_io(params, io);
  const std::int64_t count = io.sequences(), size = detail::bias_size(params, io, count);
  // A relative table is the sum of one a sequence, in their order.
  const bool shared = to.dbias && io.bias.layout == bias_layout::relative;
  std::vector<T> tables(shared ? static_cast<std::size_t>(size * count) : 0);
  if (to.dbias) std::fill_n(to.dbias, size, T(0));
  const auto pieces = detail::piece_offsets(count, [&](std::int64_t) { return params.kv_heads; });
  detail::for_each_piece(pieces,
                         [&, kernels = detail::choose_dense()](std::int64_t b, std::int64_t h) {
                           attention_gradients<T> own = to;
                           if (shared) own.dbias = tables.data() + b * size;
                           detail::backward_piece(params, io, b, h, out, lse, dout, own, kernels);
                         });
  for (std::size_t i = 0; i < tables.size(); ++i)
    to.dbias[i % static_cast<std::size_t>(size)] += tables[i];
}

}  // namespace parlance::inline PARLANCE_ABI::kernels
