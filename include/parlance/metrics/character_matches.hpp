// SPDX-License-Identifier: Apache-2.0
// Clipped character n-gram matches of a text with others, as ngram_matches does it for words.
// Single characters are counted; positions of the first text are linked by their first two
// characters, and equality of up to eight characters is one subtraction of eight bytes. Texts whose
// characters do not fit a byte are numbered and go through ngram_matches.
#pragma once

#include <bit>
#include <cstring>
#include <string>
#include <string_view>

#include "parlance/core/utf8.hpp"
#include "parlance/metrics/ngram_matches.hpp"
#include "parlance/metrics/text.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

class character_matches {
 public:
  // `text` has to outlive the calls of `count`.
  void start(std::string_view text) {
    text_ = text;
    ascii_ = all_ascii(text);
    numbered_ = false;
    if (!ascii_ || text.size() > longest) return;
    std::memset(counts_, 0, sizeof counts_);
    for (const char c : text) ++counts_[static_cast<unsigned char>(c)];
    padded_.assign(text);
    padded_.append(8, '\xFE');  // in no ASCII text
    if (heads_.empty()) heads_.assign(pairs, 0);
    next_.resize(text.size());
    for (const std::uint16_t pair : used_) heads_[pair] = 0;
    used_.clear();
    for (std::size_t i = text.size() < 2 ? 0 : text.size() - 1; i-- > 0;) {
      const std::uint16_t pair = pair_at(padded_.data() + i);
      next_[i] = heads_[pair];
      heads_[pair] = static_cast<std::uint16_t>(i + 1);
      used_.push_back(pair);
    }
  }

  // matches[n - 1] += clipped matches of order n with `other`, n in [1, orders].
  template <class Number>
  void count(std::string_view other, int orders, Number* matches) {
    std::uint32_t found[ngram_matches::max_order] = {};
    if (ascii_ && orders <= 8 && text_.size() <= longest && other.size() <= longest &&
        all_ascii(other) && link(other, orders, found)) {
      for (int n = 0; n < orders; ++n) matches[n] += static_cast<Number>(found[n]);
      return;
    }
    number();
    ids_.clear();
    for (std::size_t i = 0; i < other.size();) {
      const utf8_step step = utf8_decode(other, i);
      ids_.push_back(id_of(step.code_point));
      i += step.length;
    }
    general_.count(ids_, orders, matches);
  }

 private:
  static constexpr std::int32_t none = -1;
  static constexpr std::size_t pairs = 1 << 14, longest = (1 << 16) - 2;

  static std::uint16_t pair_at(const char* p) {
    return static_cast<std::uint16_t>(static_cast<unsigned char>(p[0]) << 7 |
                                      static_cast<unsigned char>(p[1]));
  }
  // The first character in the lowest byte.
  static std::uint64_t eight_at(const char* p) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, p, 8);
    return std::endian::native == std::endian::big ? __builtin_bswap64(eight) : eight;
  }

  // False when many positions share two characters, which would take long.
  bool link(std::string_view other, int orders, std::uint32_t* found) {
    std::uint32_t seen[128] = {};
    for (const char c : other) {
      const auto at = static_cast<unsigned char>(c);
      found[0] += seen[at]++ < counts_[at];
    }
    if (orders == 1) return true;
    other_padded_.assign(other);
    other_padded_.append(8, '\xFF');
    free_.assign(text_.size(), 0xFE);
    const std::uint32_t all = (1u << orders) - 2;  // order 1 is done
    std::uint32_t sets[256] = {};                  // how often which orders were taken at once
    std::int64_t steps = 32 * static_cast<std::int64_t>(text_.size() + other.size()) + 1024;
    for (std::size_t j = 0; j + 1 < other.size(); ++j) {
      const char* const at = other_padded_.data() + j;
      const std::uint64_t here = eight_at(at);
      const std::size_t left = other.size() - j;
      std::uint32_t wanted = left >= static_cast<std::size_t>(orders) ? all : (1u << left) - 2;
      for (std::size_t place = heads_[pair_at(at)]; place != 0; place = next_[place - 1]) {
        const std::size_t i = place - 1;
        --steps;
        const std::uint64_t different = here ^ eight_at(padded_.data() + i);
        const std::uint32_t same =
            different ? (2u << (__builtin_ctzll(different) / 8)) / 2 - 1 : 255u;
        const std::uint32_t taken = wanted & free_[i] & same;
        free_[i] ^= static_cast<std::uint8_t>(taken);
        wanted ^= taken;
        ++sets[taken];
        if (wanted == 0) break;
      }
      if (steps < 0) {
        std::fill(found, found + orders, 0u);
        return false;
      }
    }
    for (std::uint32_t set = 1; set <= all; ++set)
      for (std::uint32_t bits = sets[set] ? set : 0; bits != 0; bits &= bits - 1)
        found[__builtin_ctz(bits)] += sets[set];
    return true;
  }
  void number() {
    if (numbered_) return;
    numbered_ = true;
    points_ = tokenizers::jinja::code_points(text_);
    sorted_ = points_;
    std::sort(sorted_.begin(), sorted_.end());
    sorted_.erase(std::unique(sorted_.begin(), sorted_.end()), sorted_.end());
    own_ids_.clear();
    for (const char32_t c : points_) own_ids_.push_back(id_of(c));
    general_.start(own_ids_, static_cast<std::int32_t>(sorted_.size()));
  }
  std::int32_t id_of(char32_t c) const {
    const auto at = std::lower_bound(sorted_.begin(), sorted_.end(), c);
    return at == sorted_.end() || *at != c ? none : static_cast<std::int32_t>(at - sorted_.begin());
  }

  std::string_view text_;
  bool ascii_ = true, numbered_ = false;
  std::uint32_t counts_[128] = {};
  std::string padded_, other_padded_;
  std::vector<std::uint16_t> heads_, next_;  // places from 1
  std::vector<std::uint16_t> used_;
  std::vector<std::uint8_t> free_;
  ngram_matches general_;
  std::u32string points_, sorted_;
  id_list own_ids_, ids_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
