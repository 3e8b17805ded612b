// SPDX-License-Identifier: Apache-2.0
// Longest common subsequences of word numbers, 64 columns at a time (Hyyrö 2004).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "parlance/core/error.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

class common_subsequence {
 public:
  // Words of `a` are in [0, different); negative words of `b` are in no `a`.
  std::size_t length(std::span<const std::int32_t> a, std::int32_t different,
                     std::span<const std::int32_t> b) {
    start(a, different);
    row_.assign(blocks_, ~std::uint64_t{0});
    for (const std::int32_t word : b)
      if (word >= 0) step(word, row_.data(), row_.data());
    return a.size() - ones(row_.data(), a.size());
  }

  // Marks the positions of `a` in the subsequence that rouge_score reads out (rouge_scorer.py,
  // _backtrack_norec): from the ends; where the words differ a step back in `b` if that keeps more.
  // Words of `b` are in [0, different); negative words of `a` are in no `b`.
  void mark(std::span<const std::int32_t> a, std::span<const std::int32_t> b,
            std::int32_t different, std::span<std::uint8_t> marks) {
    if (a.empty() || b.empty()) return;
    start(b, different);
    if (a.size() + 1 > max_words / blocks_)
      throw unsupported_error("rougeLsum: sentences of " + std::to_string(a.size()) + " and " +
                              std::to_string(b.size()) + " words are too long");
    rows_.assign((a.size() + 1) * blocks_, ~std::uint64_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
      std::uint64_t* const row = rows_.data() + i * blocks_;
      if (a[i] >= 0)
        step(a[i], row, row + blocks_);
      else
        std::copy(row, row + blocks_, row + blocks_);
    }
    for (std::size_t i = a.size(), j = b.size(); i > 0 && j > 0;) {
      const std::uint64_t* const row = rows_.data() + i * blocks_;
      if (a[i - 1] == b[j - 1]) {
        marks[--i] = 1;
        --j;
      } else if ((row[(j - 1) / 64] >> ((j - 1) % 64) & 1) != 0 &&
                 ones(row - blocks_, j) > ones(row, j)) {
        --j;
      } else {
        --i;
      }
    }
  }

 private:
  static constexpr std::size_t max_words = std::size_t{1} << 25;  // 64-bit words of all rows

  void start(std::span<const std::int32_t> columns, std::int32_t different) {
    blocks_ = columns.size() / 64 + 1;
    masks_.assign(static_cast<std::size_t>(different) * blocks_, 0);
    for (std::size_t j = 0; j < columns.size(); ++j)
      if (columns[j] >= 0)
        masks_[static_cast<std::size_t>(columns[j]) * blocks_ + j / 64] |= std::uint64_t{1}
                                                                           << (j % 64);
  }
  // A zero bit is a column where the length grows by one.
  void step(std::int32_t word, const std::uint64_t* above, std::uint64_t* row) const {
    const std::uint64_t* const mask = masks_.data() + static_cast<std::size_t>(word) * blocks_;
    unsigned char carry = 0;
    for (std::size_t k = 0; k < blocks_; ++k) {
      const std::uint64_t v = above[k], hit = v & mask[k];
      std::uint64_t sum = 0;
      const bool over = __builtin_add_overflow(v, hit, &sum);
      const bool more = __builtin_add_overflow(sum, std::uint64_t{carry}, &sum);
      carry = over || more;
      row[k] = sum | (v - hit);
    }
  }
  static std::size_t ones(const std::uint64_t* row, std::size_t columns) {
    std::size_t count = 0;
    for (std::size_t k = 0; k < columns / 64; ++k)
      count += static_cast<std::size_t>(__builtin_popcountll(row[k]));
    if (const std::size_t rest = columns % 64)
      count += static_cast<std::size_t>(
          __builtin_popcountll(row[columns / 64] & ((std::uint64_t{1} << rest) - 1)));
    return count;
  }

  std::size_t blocks_ = 1;
  std::vector<std::uint64_t> masks_, row_, rows_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
