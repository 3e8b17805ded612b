// SPDX-License-Identifier: Apache-2.0
// Clipped n-gram matches of a prediction with references, for all orders at once: for order n the
// sum over different n-grams of min(count in the prediction, count in the reference).
//
// With one reference no n-gram is ever stored. Every position of the reference takes, for each
// order, the first position of the prediction with the same n-gram that is still free; equal
// n-grams are interchangeable, so the number taken is the clipped count. Positions with the same
// word are linked, so only those are looked at. Texts that repeat a word very often, and several
// references (counts are then clipped by the largest of any reference), go through a table.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "parlance/core/config.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

// Numbers of the words of a text; a negative one stands for a word the prediction does not have.
using id_list = std::vector<std::int32_t>;

class ngram_matches {
 public:
  static constexpr int max_order = 32;

  // The prediction's words, numbered from 0 to below `different`.
  void start(std::span<const std::int32_t> prediction, std::int32_t different) {
    prediction_ = prediction;
    first_.assign(static_cast<std::size_t>(different), none);
    next_.resize(prediction.size());
    for (std::size_t i = prediction.size(); i-- > 0;) {
      std::int32_t& head = first_[static_cast<std::size_t>(prediction[i])];
      next_[i] = head;
      head = static_cast<std::int32_t>(i);
    }
  }

  // matches[n - 1] += clipped matches of order n with one reference, n in [1, orders].
  template <class Number>
  void count(std::span<const std::int32_t> reference, int orders, Number* matches) {
    std::uint32_t found[max_order] = {};
    if (!link(reference, orders, found)) {
      std::fill(found, found + orders, 0u);
      const std::span<const std::int32_t> one[] = {reference};
      tabulate(one, orders, found);
    }
    for (int n = 0; n < orders; ++n) matches[n] += static_cast<Number>(found[n]);
  }

  // The same, clipped by the largest count in any of the references.
  template <class Number>
  void count_any(std::span<const std::span<const std::int32_t>> references, int orders,
                 Number* matches) {
    if (references.size() == 1) return count(references[0], orders, matches);
    std::uint32_t found[max_order] = {};
    tabulate(references, orders, found);
    for (int n = 0; n < orders; ++n) matches[n] += static_cast<Number>(found[n]);
  }

 private:
  static constexpr std::int32_t none = -1;

  // False when it would take long: many positions share a word.
  bool link(std::span<const std::int32_t> reference, int orders, std::uint32_t* found) {
    free_.assign(prediction_.size(), ~std::uint32_t{0});
    const std::size_t length = prediction_.size(), other = reference.size();
    std::int64_t steps = 64 * static_cast<std::int64_t>(length + other) + 1024;
    for (std::size_t j = 0; j < other; ++j) {
      if (reference[j] < 0) continue;
      const std::size_t longest =
          std::min<std::size_t>(static_cast<std::size_t>(orders), other - j);
      std::uint32_t wanted = ones(longest);
      for (std::int32_t at = first_[static_cast<std::size_t>(reference[j])]; at != none;
           at = next_[static_cast<std::size_t>(at)]) {
        const auto i = static_cast<std::size_t>(at);
        const std::size_t reach = std::min(longest, length - i);
        std::size_t same = 1;
        while (same < reach && prediction_[i + same] == reference[j + same]) ++same;
        steps -= static_cast<std::int64_t>(same);
        const std::uint32_t taken = wanted & free_[i] & ones(same);
        free_[i] &= ~taken;
        wanted &= ~taken;
        for (std::uint32_t rest = taken; rest != 0; rest &= rest - 1) ++found[__builtin_ctz(rest)];
        if (wanted == 0) break;
      }
      if (steps < 0) return false;
    }
    return true;
  }
  static std::uint32_t ones(std::size_t n) { return n >= 32 ? ~0u : (1u << n) - 1; }

  // n-grams of the prediction get numbers order after order, from the number of the shorter n-gram
  // and the next word; references look them up.
  void tabulate(std::span<const std::span<const std::int32_t>> references, int orders,
                std::uint32_t* found) {
    grams_.assign(prediction_.begin(), prediction_.end());
    other_grams_.resize(references.size());
    for (std::size_t r = 0; r < references.size(); ++r)
      other_grams_[r].assign(references[r].begin(), references[r].end());
    auto different = static_cast<std::int32_t>(first_.size());
    for (int n = 1; n <= orders; ++n) {
      if (n > 1) different = extend(references, static_cast<std::size_t>(n));
      if (different == 0) return;
      found[n - 1] += clip(different);
    }
  }
  std::int32_t extend(std::span<const std::span<const std::int32_t>> references, std::size_t n) {
    std::int32_t different = 0;
    const std::size_t size = prediction_.size() < n ? 0 : prediction_.size() - n + 1;
    clear_pairs(size);
    grams_.resize(size);
    for (std::size_t i = 0; i < size; ++i) {
      pair& p = seek(grams_[i], prediction_[i + n - 1]);
      if (p.id < 0) p.id = different++;
      grams_[i] = p.id;
    }
    for (std::size_t r = 0; r < references.size(); ++r) {
      id_list& other = other_grams_[r];
      other.resize(references[r].size() < n ? 0 : references[r].size() - n + 1);
      for (std::size_t j = 0; j < other.size(); ++j) {
        const std::int32_t word = references[r][j + n - 1];
        other[j] = other[j] < 0 || word < 0 ? none : seek(other[j], word).id;
      }
    }
    return different;
  }
  std::uint32_t clip(std::int32_t different) {
    const auto size = static_cast<std::size_t>(different);
    most_.assign(size, 0);
    for (const id_list& other : other_grams_) {
      counts_.assign(size, 0);
      for (const std::int32_t id : other)
        if (id >= 0) ++counts_[static_cast<std::size_t>(id)];
      for (std::size_t g = 0; g < size; ++g) most_[g] = std::max(most_[g], counts_[g]);
    }
    std::uint32_t sum = 0;
    counts_.assign(size, 0);
    for (const std::int32_t id : grams_) {
      std::uint32_t& count = counts_[static_cast<std::size_t>(id)];
      sum += ++count <= most_[static_cast<std::size_t>(id)];
    }
    return sum;
  }

  struct pair {
    std::int32_t first = none, second = none, id = none;
  };
  void clear_pairs(std::size_t expected) {
    std::size_t size = 64;
    while (size < 2 * expected + 2) size *= 2;
    pairs_.assign(size, {});
  }
  // The entry of that pair, or the empty one where it would be.
  pair& seek(std::int32_t first, std::int32_t second) {
    const std::size_t mask = pairs_.size() - 1;
    const std::uint64_t key =
        std::uint64_t{static_cast<std::uint32_t>(first)} << 32 | static_cast<std::uint32_t>(second);
    std::uint64_t hash = key * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
    for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
      pair& p = pairs_[at];
      if (p.id < 0 || (p.first == first && p.second == second)) {
        p.first = first, p.second = second;
        return p;
      }
    }
  }

  std::span<const std::int32_t> prediction_;
  std::vector<std::int32_t> first_, next_;
  std::vector<std::uint32_t> free_, counts_, most_;
  id_list grams_;
  std::vector<id_list> other_grams_;
  std::vector<pair> pairs_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
