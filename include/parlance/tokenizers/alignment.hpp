// SPDX-License-Identifier: Apache-2.0
// Which bytes of an original text each byte of its transformed copy stands for, as Hugging Face
// tokenizers keep it in NormalizedString, but in runs: text that was only copied is one run however
// long it is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "parlance/tokenizers/unicode.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct byte_range {
  std::uint32_t begin = 0, end = 0;
  friend bool operator==(const byte_range&, const byte_range&) = default;
};

class alignment {
  static constexpr std::uint32_t copied = 0xFFFFFFFF;
  struct run {
    std::uint32_t begin, from, to;  // `to` is `copied` for a copy
  };

 public:
  // The next `length` bytes are the original's characters from byte `from` on.
  void copy(std::uint32_t length, std::uint32_t from) {
    if (length == 0) return;
    const bool goes_on = !runs_.empty() && runs_.back().to == copied &&
                         from - runs_.back().from == size_ - runs_.back().begin;
    if (!goes_on) runs_.push_back({size_, from, copied});
    size_ += length;
  }
  // Each of the next `length` bytes stands for all of `range`.
  void block(std::uint32_t length, byte_range range) {
    if (length == 0) return;
    runs_.push_back({size_, range.begin, range.end});
    size_ += length;
  }
  // One character of `length` bytes that stands for `range`.
  void character(std::uint32_t length, byte_range range) {
    if (range.end - range.begin == length)
      copy(length, range.begin);
    else
      block(length, range);
  }
  std::uint32_t size() const { return size_; }
  void clear() { runs_.clear(), size_ = 0; }

  // Looks up bytes of `text`, whose alignment this is; fastest when asked in order.
  class cursor {
   public:
    cursor(const alignment& of, std::string_view text) : of_(&of), text_(text) {}

    byte_range operator()(std::size_t i) {
      const run& r = seek(i);
      if (r.to != copied) return {r.from, r.to};
      while (i > 0 && unicode::is_continuation(text_[i])) --i;
      const std::uint32_t begin = r.from + (static_cast<std::uint32_t>(i) - r.begin);
      return {begin, begin + unicode::length_of(text_[i])};
    }
    // Appends the alignment of bytes [begin, end), whole characters, to `to`.
    void append_to(alignment& to, std::size_t begin, std::size_t end) {
      while (begin < end) {
        const run& r = seek(begin);
        const bool last = at_ + 1 == of_->runs_.size();
        const std::size_t stop = std::min<std::size_t>(end, last ? end : (&r)[1].begin);
        const auto length = static_cast<std::uint32_t>(stop - begin);
        if (r.to == copied)
          to.copy(length, r.from + (static_cast<std::uint32_t>(begin) - r.begin));
        else
          to.block(length, {r.from, r.to});
        begin = stop;
      }
    }

   private:
    const run& seek(std::size_t i) {
      const std::vector<run>& runs = of_->runs_;
      while (at_ + 1 < runs.size() && runs[at_ + 1].begin <= i) ++at_;
      while (runs[at_].begin > i) --at_;
      return runs[at_];
    }
    const alignment* of_;
    std::string_view text_;
    std::size_t at_ = 0;
  };

 private:
  std::vector<run> runs_;
  std::uint32_t size_ = 0;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
