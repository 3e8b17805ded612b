// SPDX-License-Identifier: Apache-2.0
// What a decoder is fed. Rows are tokens: of one dense batch (training, scoring), or of any number
// of sequences with a cache behind each, ragged, so that no row is padding.
#pragma once

#include <functional>
#include <span>
#include <stop_token>
#include <vector>

#include "parlance/core/progress.hpp"
#include "parlance/nn/kv_cache.hpp"
#include "parlance/ops/attention.hpp"

namespace parlance::inline PARLANCE_ABI::models {

// Rows [begin, begin + count) continue sequence `sequence` of the cache; of an encoder-decoder they
// read sequence `source` of the memory.
struct segment {
  std::int64_t sequence, begin, count, source = 0;
};

struct decoder_input {
  std::span<const std::int32_t> ids;

  // With a cache: which rows belong to which sequence.
  nn::kv_cache* cache = nullptr;
  std::span<const segment> segments;
  // Keys and values of what an encoder read, one sequence a source; made by seq2seq_lm::encode.
  nn::kv_cache* memory = nullptr;

  // Without: `batch` sequences of equal length, or sequences of these lengths, one after another,
  // and the keys each may see.
  std::int64_t batch = 1;
  std::span<const std::int64_t> lengths;
  ops::key_ranges ranges;

  std::stop_token stop;
  // Called with 0 for the embeddings, then with 1.. for the output of each layer.
  std::function<void(int, const void*)> observe;
};

namespace detail {

// Where each sequence of a dense batch begins, and the end of the last.
inline std::vector<std::int64_t> dense_offsets(const decoder_input& in) {
  const auto rows = static_cast<std::int64_t>(in.ids.size());
  if (in.lengths.empty()) {
    if (in.batch < 1 || rows % in.batch)
      throw shape_error("decoder: " + std::to_string(rows) + " ids do not make " +
                        std::to_string(in.batch) + " equal sequences");
    return kernels::even_offsets(in.batch, rows / in.batch);
  }
  std::vector<std::int64_t> offsets{0};
  for (const std::int64_t n : in.lengths) offsets.push_back(offsets.back() + n);
  if (offsets.back() != rows || std::ranges::min(in.lengths) < 1)
    throw shape_error("decoder: " + std::to_string(rows) + " ids for sequences of " +
                      std::to_string(offsets.back()) + " rows");
  return offsets;
}

// Of every row: its position, counted from the first visible key of its sequence, and the length
// that its sequence has with this input.
struct row_places {
  std::vector<std::int32_t> position;
  std::vector<std::int64_t> length;
};

// Valid until this thread's next call; kept, so that decoding a token allocates nothing.
inline const row_places& positions(const decoder_input& in) {
  thread_local row_places out;
  out.position.resize(in.ids.size());
  out.length.resize(in.ids.size());
  const auto put = [](std::int64_t row, std::int64_t position, std::int64_t length) {
    out.position[static_cast<std::size_t>(row)] = static_cast<std::int32_t>(position);
    out.length[static_cast<std::size_t>(row)] = length;
  };
  if (in.cache) {
    for (const segment& s : in.segments)
      for (std::int64_t i = 0, before = in.cache->length(s.sequence); i < s.count; ++i)
        put(s.begin + i, before + i, before + s.count);
    return out;
  }
  const std::vector<std::int64_t> offsets = dense_offsets(in);
  for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
    const std::int64_t start = in.ranges.start.empty() ? 0 : in.ranges.start[b];
    const std::int64_t length = offsets[b + 1] - offsets[b];
    for (std::int64_t i = 0; i < length; ++i)
      put(offsets[b] + i, std::max<std::int64_t>(0, i - start), length - start);
  }
  return out;
}

template <class E>
void attend_cached(const tensor<float>& q, const tensor<float>& k, const tensor<float>& v,
                   const kernels::attention_params& p, const decoder_input& in, std::int64_t layer,
                   const tensor<float>& bias, tensor<float>& out) {
  thread_local std::vector<kernels::cached_job<E>> jobs;
  jobs.clear();
  for (const segment& s : in.segments) {
    const std::int64_t first = in.cache->length(s.sequence);
    const kernels::kv_view<E> kv = in.cache->view<E>(layer, s.sequence);
    kernels::kv_append(kv, p, first, s.count, k.row(s.begin), k.cols(), v.row(s.begin), v.cols());
    jobs.push_back({q.row(s.begin), q.cols(), out.row(s.begin), out.cols(), kv, first, s.count});
    if (!bias.defined()) continue;
    jobs.back().bias = bias.data();
    jobs.back().reach = (bias.cols() + 1) / 2;
  }
  kernels::attention_cached<E>(p, std::span<const kernels::cached_job<E>>(jobs));
}

}  // namespace detail

// f(an element of the format of a cache)
template <class F>
void with_element(format f, const F& call) {
  if (f == format::f16)
    call(f16{});
  else if (f == format::bf16)
    call(bf16{});
  else
    call(float{});
}

// Attention of one layer over the cache or over the dense batch. `bias`: (heads, 2 * reach - 1) by
// relative position, added to the scores.
template <class T>
tensor<T> attend(const tensor<T>& q, const tensor<T>& k, const tensor<T>& v,
                 const kernels::attention_params& p, const decoder_input& in, std::int64_t layer,
                 const ops::score_bias<T>& bias = {}) {
  if (!in.cache)
    return ops::attention(q, k, v, p, ops::packed_rows(detail::dense_offsets(in)), bias, in.ranges);
  if constexpr (std::is_same_v<T, float>) {
    tensor<float> out(q.dims());
    with_element(in.cache->element(), [&]<class E>(E) {
      detail::attend_cached<E>(q, k, v, p, in, layer, bias.relative, out);
    });
    return out;
  } else {
    throw option_error("decoder: a cache holds single precision only");
  }
}

// Makes room in the cache for the rows to come; `finish` counts them in.
inline void begin_step(const decoder_input& in) {
  if (!in.cache) return;
  for (const segment& s : in.segments) in.cache->prepare(s.sequence, s.count);
}
inline void finish_step(const decoder_input& in) {
  if (!in.cache) return;
  for (const segment& s : in.segments) in.cache->advance(s.sequence, s.count);
}

}  // namespace parlance::inline PARLANCE_ABI::models
