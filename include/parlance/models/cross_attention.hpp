// SPDX-License-Identifier: Apache-2.0
// Attention of a decoder over what an encoder read: over hidden states (training, scoring), or over
// keys and values made from them once and shared by every beam and every returned sequence.
#pragma once

#include <vector>

#include "parlance/kernels/row_paths.hpp"
#include "parlance/models/decoder_input.hpp"
#include "parlance/models/encoder_input.hpp"
#include "parlance/nn/layers.hpp"

namespace parlance::inline PARLANCE_ABI::models {

// The hidden states of packed sources, and where each source begins.
template <class T>
struct encoded_source {
  tensor<T> states;
  std::vector<std::int64_t> offsets;
};

namespace detail {

// Appends the keys and values of one layer to the memory, one sequence a source.
inline void remember(const tensor<float>& k, const tensor<float>& v,
                     const std::vector<std::int64_t>& offsets, const kernels::attention_params& p,
                     std::int64_t layer, nn::kv_cache& memory) {
  with_element(memory.element(), [&]<class E>(E) {
    for (std::size_t s = 0; s + 1 < offsets.size(); ++s)
      kernels::kv_append(memory.view<E>(layer, static_cast<std::int64_t>(s)), p, 0,
                         offsets[s + 1] - offsets[s], k.row(offsets[s]), k.cols(),
                         v.row(offsets[s]), v.cols());
  });
}

inline tensor<float> attend_memory(const tensor<float>& q, const kernels::attention_params& p,
                                   const decoder_input& in, std::int64_t layer) {
  tensor<float> out(q.dims());
  with_element(in.memory->element(), [&]<class E>(E) {
    thread_local std::vector<kernels::cached_job<E>> jobs;
    jobs.clear();
    for (const segment& s : in.segments) {
      kernels::cached_job<E>& job = jobs.emplace_back();
      job = {q.row(s.begin), q.cols(), out.row(s.begin), out.cols(),
             in.memory->view<E>(layer, s.source)};
      job.n = s.count;
      job.length = in.memory->length(s.source);
    }
    kernels::attention_cached<E>(p, std::span<const kernels::cached_job<E>>(jobs));
  });
  return out;
}

}  // namespace detail

// `source` is looked at where the input has no memory. `p` is not causal.
template <class T>
tensor<T> attend_source(const tensor<T>& q, const nn::linear<T>& k_proj,
                        const nn::linear<T>& v_proj, const kernels::attention_params& p,
                        const decoder_input& in, const encoded_source<T>* source,
                        std::int64_t layer) {
  if constexpr (std::is_same_v<T, float>)
    if (in.memory) return detail::attend_memory(q, p, in, layer);
  if (!source) throw option_error("decoder: neither a memory nor hidden states of an encoder");
  const auto [k, v] = nn::apply_together(source->states, k_proj, v_proj);
  return ops::attention(q, k, v, p, ops::packed_rows(detail::dense_offsets(in), source->offsets));
}

// Makes the memory of packed sources: `layers` say the projections and parameters of each layer.
template <class Layer>
nn::kv_cache make_memory(const encoded_source<float>& source, const nn::kv_cache::layout& layout,
                         const std::vector<Layer>& layers) {
  const kernels::one_row_path same_bits;
  nn::kv_cache memory(layout, static_cast<std::int64_t>(source.offsets.size()) - 1);
  for (std::size_t s = 0; s + 1 < source.offsets.size(); ++s)
    memory.reserve(static_cast<std::int64_t>(s), source.offsets[s + 1] - source.offsets[s]);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto& cross = layers[i].cross_attention();
    const auto [k, v] = nn::apply_together(source.states, cross.key(), cross.value());
    detail::remember(k, v, source.offsets, cross.params, static_cast<std::int64_t>(i), memory);
  }
  for (std::size_t s = 0; s + 1 < source.offsets.size(); ++s)
    memory.advance(static_cast<std::int64_t>(s), source.offsets[s + 1] - source.offsets[s]);
  return memory;
}

}  // namespace parlance::inline PARLANCE_ABI::models
