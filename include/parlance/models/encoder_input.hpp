// SPDX-License-Identifier: Apache-2.0
// What an encoder is fed: rows (tokens) of any number of sequences, one after another, so that no
// row is padding.
#pragma once

#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "parlance/core/progress.hpp"
#include "parlance/ops/attention.hpp"

namespace parlance::inline PARLANCE_ABI::models {

struct encoder_input {
  std::span<const std::int32_t> ids;
  // The segment of each row (token_type_ids); empty: all 0.
  std::span<const std::int32_t> type_ids;
  // Rows of each sequence; empty: all rows are one sequence.
  std::span<const std::int64_t> lengths;

  std::stop_token stop;
  // Called with 0 for the embeddings, then with 1.. for the output of each layer.
  std::function<void(int, const void*)> observe;
  // LED: 1 for rows that see all rows of their sequence and are seen by all; empty: none.
  std::span<const std::uint8_t> global_attention_mask{};
};

namespace detail {

// Where each sequence begins, and the end of the last.
inline std::vector<std::int64_t> row_offsets(const encoder_input& in) {
  const auto rows = static_cast<std::int64_t>(in.ids.size());
  if (in.lengths.empty()) return {0, rows};
  std::vector<std::int64_t> offsets{0};
  for (const std::int64_t n : in.lengths) {
    if (n < 1 || n > rows - offsets.back())
      throw shape_error("encoder: sequence " + std::to_string(offsets.size() - 1) + " of " +
                        std::to_string(n) + " rows after " + std::to_string(offsets.back()) +
                        " of " + std::to_string(rows) + " ids");
    offsets.push_back(offsets.back() + n);
  }
  if (offsets.back() != rows)
    throw shape_error("encoder: " + std::to_string(rows) + " ids for sequences of " +
                      std::to_string(offsets.back()) + " rows");
  return offsets;
}

// The position of every row in its sequence, from 0 on, and the length of the longest.
struct row_positions {
  std::vector<std::int32_t> position;
  std::int64_t longest = 0;

  explicit row_positions(std::span<const std::int64_t> offsets) {
    for (std::size_t s = 0; s + 1 < offsets.size(); ++s) {
      const std::int64_t n = offsets[s + 1] - offsets[s];
      longest = std::max(longest, n);
      for (std::int64_t i = 0; i < n; ++i) position.push_back(static_cast<std::int32_t>(i));
    }
  }
};

}  // namespace detail

}  // namespace parlance::inline PARLANCE_ABI::models
