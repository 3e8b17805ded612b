// SPDX-License-Identifier: Apache-2.0
// What a causal model expects after each token of a text: the loop under perplexity and under
// log-probabilities of given texts.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "parlance/models/causal_lm.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

// Calls f(i, scores) in order, with the scores of the vocabulary for what follows ids[i]. Ids are
// fed in chunks, since the scores of many rows take much memory.
template <class F>
void for_each_next(const models::causal_lm& model, std::span<const std::int32_t> ids, const F& f) {
  const autograd::no_grad off;
  nn::kv_cache cache = model.make_cache(1, model.cache_element());
  constexpr std::size_t chunk = 256;
  for (std::size_t at = 0; at < ids.size(); at += chunk) {
    const std::size_t n = std::min(chunk, ids.size() - at);
    const models::segment part{0, 0, static_cast<std::int64_t>(n)};
    models::decoder_input in;
    in.ids = ids.subspan(at, n);
    in.cache = &cache;
    in.segments = {&part, 1};
    const tensor<float> scores = model.logits(in);
    for (std::size_t i = 0; i < n; ++i)
      f(at + i, std::span<const float>(scores.row(static_cast<std::int64_t>(i)),
                                       static_cast<std::size_t>(scores.cols())));
  }
}

}  // namespace parlance::inline PARLANCE_ABI::pipelines
