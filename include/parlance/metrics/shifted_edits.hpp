// SPDX-License-Identifier: Apache-2.0
// The number of edits of TER: insertions, deletions, substitutions and shifts of word runs, found
// by Tercom's greedy search with its limits (sacrebleu 2.6.0, metrics/lib_ter.py; Snover et al.
// 2006).
//
// The original fills a band around the diagonal of the edit matrix. Where the band cannot matter
// (few words, or few edits) rows are bit vectors (Myers 1999, Hyyrö 2003), which give the same
// distance and, with the same preference among equal operations, the same alignment.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "parlance/core/config.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

namespace detail {

// A run of words that moves: what comes from where, without copying the words.
struct shift {
  std::int32_t start, length, target;
  std::int32_t to;  // where the run begins after the shift

  // Tercom's target is a place among the words as they were, except within the run and just behind
  // it, where it counts from the words without the run.
  static shift make(std::int32_t start, std::int32_t length, std::int32_t target,
                    std::int32_t words) {
    const std::int32_t to = target > start + length ? target - length : target;
    return {start, length, target, std::min(to, words - length)};
  }
  // Position before the shift of the word at position i after it.
  std::int32_t source(std::int32_t i) const {
    if (i >= to && i < to + length) return start + i - to;
    if (to < start) return i >= to + length && i < start + length ? i - length : i;
    return i >= start && i < to ? i + length : i;
  }
  std::int32_t first_changed() const { return std::min(start, to); }
};

enum class edit : std::uint8_t { none, substitute, remove, insert };  // of the prediction

}  // namespace detail

class shifted_edits {
 public:
  // Words as numbers; a word of `hypothesis` that the reference lacks is negative, those of the
  // reference are below `different`.
  std::int64_t operator()(std::span<const std::int32_t> hypothesis,
                          std::span<const std::int32_t> reference, std::int32_t different) {
    if (reference.empty()) return static_cast<std::int64_t>(hypothesis.size());
    words_.assign(hypothesis.begin(), hypothesis.end());
    reference_ = reference;
    link_reference(different);
    std::int64_t shifts = 0, checked = 0;
    std::int32_t distance = fill();
    while (distance > 0) {
      align();
      const candidate best = find_shift(distance, checked);
      if (checked >= max_candidates || best.gain <= 0) break;
      ++shifts;
      moved_.resize(words_.size());
      for (std::int32_t i = 0; i < length(); ++i) moved_[at(i)] = words_[at(best.move.source(i))];
      words_.swap(moved_);
      distance = fill();
    }
    return shifts + distance;
  }

 private:
  static constexpr std::int32_t max_run = 10, max_distance = 50, beam = 25, infinite = 1 << 30;
  static constexpr std::int64_t max_candidates = 1000;

  struct candidate {
    std::int32_t gain = 0;
    detail::shift move{};
    bool better_than(const candidate& other) const {
      if (gain != other.gain) return gain > other.gain;
      if (move.length != other.move.length) return move.length > other.move.length;
      if (move.start != other.move.start) return move.start < other.move.start;
      return move.target < other.move.target;
    }
  };
  struct row_bits {
    std::uint64_t plus, minus;  // steps along the reference, D(i, j) - D(i, j - 1)
    std::uint64_t rise, fall;   // steps along the prediction, D(i, j) - D(i - 1, j)
    std::int32_t distance;      // to the whole reference
  };

  static std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }
  std::int32_t length() const { return static_cast<std::int32_t>(words_.size()); }
  std::int32_t other() const { return static_cast<std::int32_t>(reference_.size()); }

  void link_reference(std::int32_t different) {
    first_.assign(at(different), -1);
    next_.resize(reference_.size());
    for (std::int32_t j = other(); j-- > 0;) {
      next_[at(j)] = first_[at(reference_[at(j)])];
      first_[at(reference_[at(j)])] = j;
    }
    short_ = other() <= 64;
    if (!short_) return;
    masks_.assign(at(different) + 1, 0);  // the last one for words that the reference lacks
    for (std::int32_t j = 0; j < other(); ++j)
      masks_[at(reference_[at(j)])] |= std::uint64_t{1} << j;
  }
  std::uint64_t mask(std::int32_t word) const {
    return masks_[word < 0 ? masks_.size() - 1 : at(word)];
  }
  // Whether no band could change a result with that distance.
  bool band_is_idle(std::int32_t distance) const {
    return other() < beam || distance + std::abs(other() - length()) <= beam - 5;
  }

  // The edit distance of the words as they are, with all rows kept.
  std::int32_t fill() {
    bits_valid_ = false;
    if (short_) {
      rows_.resize(words_.size() + 1);
      rows_[0] = {~std::uint64_t{0}, 0, 0, 0, other()};
      for (std::int32_t i = 0; i < length(); ++i)
        step(rows_[at(i)], mask(words_[at(i)]), rows_[at(i) + 1]);
      bits_valid_ = band_is_idle(rows_.back().distance);
      if (bits_valid_) return rows_.back().distance;
    }
    return fill_band();
  }
  void step(const row_bits& before, std::uint64_t equal, row_bits& now) const {
    const std::uint64_t vertical = equal | before.minus;
    const std::uint64_t horizontal = (((equal & before.plus) + before.plus) ^ before.plus) | equal;
    std::uint64_t rise = before.minus | ~(horizontal | before.plus);
    std::uint64_t fall = before.plus & horizontal;
    now.rise = rise, now.fall = fall;
    const int last = other() - 1;
    now.distance =
        before.distance + static_cast<int>(rise >> last & 1) - static_cast<int>(fall >> last & 1);
    rise = rise << 1 | 1;
    fall <<= 1;
    now.plus = fall | ~(vertical | rise);
    now.minus = rise & vertical;
  }

  std::int32_t distance_after(const detail::shift& move) {
    const std::int32_t from = move.first_changed();
    if (short_) {
      row_bits row = rows_[at(from)];
      for (std::int32_t i = from; i < length(); ++i)
        step(row, mask(words_[at(move.source(i))]), row);
      if (band_is_idle(row.distance)) return row.distance;
    }
    if (bits_valid_) {  // the rows before the shift are needed in their banded form
      fill_band();
      bits_valid_ = false;
    }
    return band_distance(from, [&](std::int32_t i) { return words_[at(move.source(i))]; });
  }

  // The banded matrix: row i holds columns [low(i), high(i)).
  std::int32_t diagonal(std::int32_t i) const {
    return static_cast<std::int32_t>(std::floor(i * ratio_));
  }
  std::int32_t low(std::int32_t i) const { return std::max(0, diagonal(i) - width_); }
  std::int32_t high(std::int32_t i) const {
    return i == 0 || i == length() ? other() + 1 : std::min(other() + 1, diagonal(i) + width_);
  }
  std::int32_t fill_band() {
    ratio_ = words_.empty() ? 1.0 : static_cast<double>(other()) / length();
    width_ = beam < ratio_ / 2 ? static_cast<std::int32_t>(std::ceil(ratio_ / 2 + beam)) : beam;
    starts_.assign(1, 0);
    for (std::int32_t i = 0; i <= length(); ++i)
      starts_.push_back(starts_.back() + at(high(i) - (i == 0 ? 0 : low(i))));
    cells_.resize(starts_.back());
    for (std::int32_t j = 0; j <= other(); ++j) cells_[at(j)] = j;
    for (std::int32_t i = 1; i <= length(); ++i)
      band_row(i, words_[at(i - 1)], cells_.data() + starts_[at(i) - 1],
               cells_.data() + starts_[at(i)]);
    return cells_.back();
  }
  void band_row(std::int32_t i, std::int32_t word, const std::int32_t* above, std::int32_t* row) {
    const std::int32_t begin = low(i), end = high(i);
    const std::int32_t above_begin = i == 1 ? 0 : low(i - 1), above_end = high(i - 1);
    const auto over = [&](std::int32_t j) {
      return j < above_begin || j >= above_end ? infinite : above[j - above_begin];
    };
    std::int32_t left = infinite;
    for (std::int32_t j = begin; j < end; ++j) {
      std::int32_t best = std::min(over(j), left) + 1;
      if (j > 0) best = std::min(best, over(j - 1) + (word != reference_[at(j - 1)]));
      row[j - begin] = left = std::min(best, infinite);
    }
  }
  template <class Word>
  std::int32_t band_distance(std::int32_t from, Word&& word) {
    std::size_t widest = 0;
    for (std::int32_t i = from + 1; i <= length(); ++i)
      widest = std::max(widest, starts_[at(i) + 1] - starts_[at(i)]);
    scratch_[0].resize(widest), scratch_[1].resize(widest);
    const std::int32_t* above = cells_.data() + starts_[at(from)];
    std::int32_t last = cells_.back();
    for (std::int32_t i = from + 1; i <= length(); ++i) {
      std::vector<std::int32_t>& row = scratch_[i & 1];
      band_row(i, word(i - 1), above, row.data());
      above = row.data();
      if (i == length()) last = row[at(other() - low(i))];
    }
    return last;
  }
  std::int32_t cell(std::int32_t i, std::int32_t j) const {
    const std::int32_t begin = i == 0 ? 0 : low(i);
    return j < begin || j >= high(i) ? infinite : cells_[starts_[at(i)] + at(j - begin)];
  }

  // The operation the original notes for a cell: the first of these that is cheapest.
  detail::edit operation(std::int32_t i, std::int32_t j) const {
    using detail::edit;
    if (i == 0) return edit::insert;
    if (j == 0) return edit::remove;
    if (bits_valid_) {
      const auto bit = [j](std::uint64_t bits) { return static_cast<int>(bits >> (j - 1) & 1); };
      const row_bits &row = rows_[at(i)], &above = rows_[at(i) - 1];
      if (words_[at(i - 1)] == reference_[at(j - 1)]) return edit::none;
      const int risen = bit(row.rise) - bit(row.fall);
      if (risen + bit(above.plus) - bit(above.minus) == 1) return edit::substitute;
      return risen == 1 ? edit::remove : edit::insert;
    }
    const bool same = words_[at(i - 1)] == reference_[at(j - 1)];
    const std::int32_t value = cell(i, j);
    if (cell(i - 1, j - 1) + !same == value) return same ? edit::none : edit::substitute;
    return cell(i - 1, j) + 1 == value ? edit::remove : edit::insert;
  }
  // For each reference word the last prediction word at or before it, and running counts of the
  // words that are wrong on either side.
  void align() {
    aligned_.assign(reference_.size(), -1);
    wrong_.assign(words_.size() + 1, 0);
    missed_.assign(reference_.size() + 1, 0);
    for (std::int32_t i = length(), j = other(); i > 0 || j > 0;) {
      switch (operation(i, j)) {
        case detail::edit::none:
          aligned_[at(--j)] = --i;
          break;
        case detail::edit::substitute:
          aligned_[at(--j)] = --i;
          wrong_[at(i) + 1] = missed_[at(j) + 1] = 1;
          break;
        case detail::edit::remove:
          wrong_[at(--i) + 1] = 1;
          break;
        case detail::edit::insert:
          aligned_[at(--j)] = i - 1;
          missed_[at(j) + 1] = 1;
          break;
      }
    }
    for (std::size_t i = 1; i < wrong_.size(); ++i) wrong_[i] += wrong_[i - 1];
    for (std::size_t j = 1; j < missed_.size(); ++j) missed_[j] += missed_[j - 1];
  }

  candidate find_shift(std::int32_t distance, std::int64_t& checked) {
    candidate best;
    bool found = false;
    for (std::int32_t h = 0; h < length(); ++h) {
      if (words_[at(h)] < 0) continue;
      for (std::int32_t r = first_[at(words_[at(h)])]; r >= 0; r = next_[at(r)]) {
        if (std::abs(r - h) > max_distance) continue;
        for (std::int32_t n = 1; n <= max_run; ++n) {
          if (h + n > length() || r + n > other() ||
              words_[at(h + n - 1)] != reference_[at(r + n - 1)])
            break;
          if (wrong_[at(h + n)] == wrong_[at(h)] || missed_[at(r + n)] == missed_[at(r)] ||
              (h <= aligned_[at(r)] && aligned_[at(r)] < h + n))
            continue;
          try_targets(h, r, n, distance, checked, best, found);
          if (checked >= max_candidates) return best;
        }
      }
    }
    return best;
  }
  void try_targets(std::int32_t h, std::int32_t r, std::int32_t n, std::int32_t distance,
                   std::int64_t& checked, candidate& best, bool& found) {
    std::int32_t previous = -1;
    for (std::int32_t offset = -1; offset < n; ++offset) {
      const std::int32_t target = r + offset == -1 ? 0 : aligned_[at(r + offset)] + 1;
      if (target == previous) continue;
      previous = target;
      candidate c{0, detail::shift::make(h, n, target, length())};
      c.gain = distance - distance_after(c.move);
      ++checked;
      if (!found || c.better_than(best)) best = c, found = true;
    }
  }

  std::vector<std::int32_t> words_, moved_;
  std::span<const std::int32_t> reference_;
  std::vector<std::int32_t> first_, next_;
  std::vector<std::int32_t> aligned_, wrong_, missed_;
  bool short_ = false, bits_valid_ = false;
  std::vector<std::uint64_t> masks_;
  std::vector<row_bits> rows_;
  double ratio_ = 1;
  std::int32_t width_ = beam;
  std::vector<std::size_t> starts_;
  std::vector<std::int32_t> cells_, scratch_[2];
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
