// SPDX-License-Identifier: Apache-2.0
// Levenshtein distance of number sequences, 64 at a time (Myers 1999, Hyyrö 2003), and how many
// pairs the alignment that rapidfuzz 3 picks leaves unchanged (its rule decides between equally
// short alignments, and match error rates depend on it).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "parlance/core/error.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

struct edit_count {
  std::int64_t edits = 0, hits = 0;  // hits only when asked for
};

class edit_counts {
 public:
  // Numbers of `a` are in [0, different); negative ones of `b` are in no `a`.
  edit_count operator()(std::span<const std::int32_t> a, std::int32_t different,
                        std::span<const std::int32_t> b, bool hits) {
    std::size_t same = 0;
    while (same < a.size() && same < b.size() && a[same] == b[same]) ++same;
    a = a.subspan(same), b = b.subspan(same);
    std::size_t tail = 0;
    while (tail < a.size() && tail < b.size() && a[a.size() - 1 - tail] == b[b.size() - 1 - tail])
      ++tail;
    a = a.first(a.size() - tail), b = b.first(b.size() - tail);
    edit_count c{0, static_cast<std::int64_t>(same + tail)};
    if (a.empty() || b.empty()) {
      c.edits = static_cast<std::int64_t>(a.size() + b.size());
      return c;
    }
    start(a, different);
    if (hits && b.size() + 1 > max_words / blocks_)
      throw unsupported_error("alignment of " + std::to_string(a.size()) + " and " +
                              std::to_string(b.size()) + " words is too long");
    c.edits = fill(a, b, hits);
    if (hits) c.hits += count_hits(a, b);
    return c;
  }

 private:
  static constexpr std::size_t max_words = std::size_t{1} << 24;

  struct bits {
    std::uint64_t plus, minus;  // steps along a, D(i, j) - D(i - 1, j)
  };

  void start(std::span<const std::int32_t> a, std::int32_t different) {
    blocks_ = (a.size() + 63) / 64;
    masks_.assign((static_cast<std::size_t>(different) + 1) * blocks_, 0);
    for (std::size_t i = 0; i < a.size(); ++i)
      masks_[static_cast<std::size_t>(a[i]) * blocks_ + i / 64] |= std::uint64_t{1} << (i % 64);
    missing_ = static_cast<std::size_t>(different);
  }
  std::int64_t fill(std::span<const std::int32_t> a, std::span<const std::int32_t> b, bool keep) {
    rows_.resize(keep ? (b.size() + 1) * blocks_ : blocks_);
    for (std::size_t k = 0; k < blocks_; ++k) rows_[k] = {~std::uint64_t{0}, 0};
    auto distance = static_cast<std::int64_t>(a.size());
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t word = b[j] < 0 ? missing_ : static_cast<std::size_t>(b[j]);
      const bits* const before = rows_.data() + (keep ? j * blocks_ : 0);
      bits* const row = rows_.data() + (keep ? (j + 1) * blocks_ : 0);
      distance += step(masks_.data() + word * blocks_, before, row, (a.size() - 1) % 64);
    }
    return distance;
  }
  // One more element of b; returns how the distance to all of a changes.
  int step(const std::uint64_t* equal, const bits* before, bits* row, std::size_t last) const {
    std::uint64_t carry_rise = 1, carry_fall = 0;
    int change = 0;
    for (std::size_t k = 0; k < blocks_; ++k) {
      const auto [plus, minus] = before[k];
      const std::uint64_t x = equal[k] | carry_fall;
      const std::uint64_t diagonal = (((x & plus) + plus) ^ plus) | x | minus;
      std::uint64_t rise = minus | ~(diagonal | plus), fall = diagonal & plus;
      if (k + 1 == blocks_)
        change = static_cast<int>(rise >> last & 1) - static_cast<int>(fall >> last & 1);
      const std::uint64_t out_rise = rise >> 63, out_fall = fall >> 63;
      rise = rise << 1 | carry_rise;
      fall = fall << 1 | carry_fall;
      carry_rise = out_rise, carry_fall = out_fall;
      row[k] = {fall | ~(diagonal | rise), rise & diagonal};
    }
    return change;
  }
  // Back from the ends: remove from a if that step was up, else take from b when the row above
  // was higher, else both.
  std::int64_t count_hits(std::span<const std::int32_t> a, std::span<const std::int32_t> b) const {
    std::int64_t hits = 0;
    const auto bit = [&](std::uint64_t bits::*which, std::size_t i, std::size_t j) {
      return rows_[j * blocks_ + (i - 1) / 64].*which >> ((i - 1) % 64) & 1;
    };
    for (std::size_t i = a.size(), j = b.size(); i > 0 && j > 0;) {
      if (bit(&bits::plus, i, j)) {
        --i;
        continue;
      }
      --j;
      if (j > 0 && bit(&bits::minus, i, j)) continue;
      --i;
      hits += a[i] == b[j];
    }
    return hits;
  }

  std::size_t blocks_ = 1, missing_ = 0;
  std::vector<std::uint64_t> masks_;
  std::vector<bits> rows_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
