// SPDX-License-Identifier: Apache-2.0
// LED (Beltagy et al. 2020, "Longformer"): BART whose encoder attends within a window, but for rows
// of global attention, which see their whole sequence and are seen by it. Source: transformers 4.57
// modeling_led.py. Its pipelines give no row global attention; encoder_input can.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "parlance/models/bart.hpp"
#include "parlance/ops/shape.hpp"

namespace parlance::inline PARLANCE_ABI::models {

namespace detail {

// Rows of global attention, and where those of each sequence begin.
struct global_rows {
  std::vector<std::int64_t> rows, offsets{0};

  global_rows(std::span<const std::uint8_t> mask, const std::vector<std::int64_t>& sequences) {
    if (mask.empty()) return;
    if (static_cast<std::int64_t>(mask.size()) != sequences.back())
      throw shape_error("led: global_attention_mask of " + std::to_string(mask.size()) +
                        " elements for " + std::to_string(sequences.back()) + " rows");
    for (std::size_t s = 0; s + 1 < sequences.size(); ++s) {
      for (std::int64_t r = sequences[s]; r < sequences[s + 1]; ++r)
        if (mask[static_cast<std::size_t>(r)]) rows.push_back(r);
      offsets.push_back(static_cast<std::int64_t>(rows.size()));
    }
  }
  bool none() const { return rows.empty(); }
  std::span<const std::int64_t> of(std::size_t sequence) const {
    const auto begin = static_cast<std::size_t>(offsets[sequence]);
    return std::span(rows).subspan(begin, static_cast<std::size_t>(offsets[sequence + 1]) - begin);
  }
};

// Attention within the window and, beyond it, to the global rows: what a row sees beyond is added
// to its sums by means of their log-sum-exp.
inline tensor<float> attend_window(const tensor<float>& q, const tensor<float>& k,
                                   const tensor<float>& v, const kernels::attention_params& p,
                                   const std::vector<std::int64_t>& offsets,
                                   const global_rows& global) {
  tensor<float> out(q.dims()), lse({p.heads, q.rows()});
  kernels::attention_forward<float>(
      p, {offsets, offsets, q.data(), q.cols(), k.data(), k.cols(), v.data(), v.cols()}, out.data(),
      lse.data());
  const auto add = [&](std::int64_t row, std::int64_t key, int head) {
    const std::int64_t at = std::int64_t{head} * p.head_dim;
    const float *x = q.row(row) + at, *y = k.row(key) + at, *value = v.row(key) + at;
    float score = 0;
    for (int i = 0; i < p.head_dim; ++i) score += x[i] * y[i];
    score *= p.scale;
    float &sum = lse.row(head)[row], *to = out.row(row) + at;
    const float top = std::max(sum, score);
    const float before = std::exp(sum - top), more = std::exp(score - top), both = before + more;
    for (int i = 0; i < p.head_dim; ++i) to[i] = (before * to[i] + more * value[i]) / both;
    sum = top + std::log(both);
  };
  for (std::size_t s = 0; s + 1 < offsets.size(); ++s)
    parallel_for(offsets[s + 1] - offsets[s], 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = offsets[s] + begin; row < offsets[s] + end; ++row)
        for (const std::int64_t key : global.of(s))
          if (std::abs(row - key) >= p.window)
            for (int head = 0; head < p.heads; ++head) add(row, key, head);
    });
  return out;
}

}  // namespace detail

template <class T>
struct led_self_attention {
  nn::linear<T> query, key, value, query_global, key_global, value_global;
  kernels::attention_params params;

  led_self_attention(const bart_config& c, std::int64_t layer)
      : query(c.d_model, c.d_model, true),
        key(query),
        value(query),
        query_global(query),
        key_global(query),
        value_global(query),
        params(bart_attention<T>::params_of(c, false)) {
    const auto& windows = c.attention_window;
    params.window = windows[windows.size() == 1 ? 0 : static_cast<std::size_t>(layer)] / 2 + 1;
  }
  tensor<T> forward(const tensor<T>& x, const ops::packed_rows& rows,
                    const encoder_input& in) const {
    const auto [q, k, v] = nn::apply_together(x, query, key, value);
    const detail::global_rows global(in.global_attention_mask, rows.q);
    if (global.none()) return ops::attention(q, k, v, params, rows);
    if constexpr (std::is_same_v<T, float>)
      if (!autograd::tracking(q, k, v)) return with_global_rows(x, q, k, v, rows, global);
    throw unsupported_error("led: the gradient of global attention");
  }
  void visit(nn::visitor<T>& v) {
    v("query", query), v("key", key), v("value", value);
    v("query_global", query_global), v("key_global", key_global), v("value_global", value_global);
  }

 private:
  tensor<T> with_global_rows(const tensor<T>& x, const tensor<T>& q, const tensor<T>& k,
                             const tensor<T>& v, const ops::packed_rows& rows,
                             const detail::global_rows& global) const {
    tensor<T> out = detail::attend_window(q, k, v, params, rows.q, global);
    kernels::attention_params whole = params;
    whole.window = 0;
    const tensor<T> of_global =
        ops::attention(query_global(ops::gather_rows(x, global.rows)), key_global(x),
                       value_global(x), whole, ops::packed_rows(global.offsets, rows.k));
    for (std::size_t i = 0; i < global.rows.size(); ++i)
      std::copy_n(of_global.row(static_cast<std::int64_t>(i)), out.cols(), out.row(global.rows[i]));
    return out;
  }
};

template <class T>
struct led_attention {
  led_self_attention<T> longformer_self_attn;
  nn::linear<T> output;

  led_attention(const bart_config& c, bool /*decoder*/, std::int64_t layer)
      : longformer_self_attn(c, layer), output(c.d_model, c.d_model, true) {}
  tensor<T> encode(const tensor<T>& x, const ops::packed_rows& rows,
                   const encoder_input& in) const {
    return output(longformer_self_attn.forward(x, rows, in));
  }
  void visit(nn::visitor<T>& v) {
    v("longformer_self_attn", longformer_self_attn), v("output", output);
  }
};

template <class T = float>
struct led : bart_lm<T, led_attention<T>> {
  using bart_lm<T, led_attention<T>>::bart_lm;
};

}  // namespace parlance::inline PARLANCE_ABI::models
