// SPDX-License-Identifier: Apache-2.0
// From encodings to forward passes of an encoder: how long a text may be, and batches without
// padding.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "parlance/models/encoder_input.hpp"
#include "parlance/tokenizers/tokenizer.hpp"

namespace parlance::inline PARLANCE_ABI::models::detail {

// Tokens that a text may have, special ones included.
inline std::int64_t tokenizer_limit(const tokenizers::tokenizer& t, std::int64_t positions) {
  const std::int64_t longest = t.config().model_max_length;
  return longest > 0 ? std::min(longest, positions) : positions;
}

inline tokenizers::encode_options cut_to(std::int64_t length) {
  tokenizers::encode_options o;
  tokenizers::truncation_options cut;
  cut.max_length = static_cast<std::uint32_t>(length);
  o.truncation = cut;
  return o;
}

// Encodings packed into passes of about `rows` rows: f(first encoding, input).
template <class F>
void for_each_pass(std::span<const tokenizers::encoding> all, std::int64_t rows,
                   const std::stop_token& stop, const F& f) {
  std::size_t first = 0;
  while (first < all.size()) {
    throw_if_stopped(stop, "encode");
    std::vector<std::int32_t> ids, types;
    std::vector<std::int64_t> lengths;
    const std::size_t begin = first;
    while (first < all.size() &&
           (lengths.empty() || static_cast<std::int64_t>(ids.size() + all[first].size()) <= rows)) {
      const tokenizers::encoding& e = all[first++];
      if (e.ids.empty()) throw option_error("encode: a text without tokens");
      ids.insert(ids.end(), e.ids.begin(), e.ids.end());
      types.insert(types.end(), e.type_ids.begin(), e.type_ids.end());
      lengths.push_back(static_cast<std::int64_t>(e.size()));
    }
    encoder_input in;
    in.ids = ids;
    in.type_ids = types;
    in.lengths = lengths;
    in.stop = stop;
    f(begin, in);
  }
}

}  // namespace parlance::inline PARLANCE_ABI::models::detail
