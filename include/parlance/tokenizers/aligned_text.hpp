// SPDX-License-Identifier: Apache-2.0
// Text under transformation that remembers, for every byte, which bytes of the original it stands
// for (NormalizedString of Hugging Face tokenizers, byte for byte). Alignments are kept only when
// asked for: the ids-only path pays nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/core/utf8.hpp"
#include "parlance/tokenizers/unicode_normalize.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct byte_range {
  std::uint32_t begin = 0, end = 0;
  friend bool operator==(const byte_range&, const byte_range&) = default;
};

class aligned_text {
 public:
  // A slice of the original text that starts at byte `begin` of it.
  aligned_text(std::string_view text, std::uint32_t begin, bool track)
      : text_(text), begin_(begin), limit_(limit_for(text)), track_(track) {
    if (!track) return;
    ranges_.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
      const std::uint32_t n = unicode::length_of(text[i]);
      const auto at = static_cast<std::uint32_t>(begin + i);
      ranges_.insert(ranges_.end(), n, byte_range{at, at + n});
      i += n;
    }
  }
  // A slice of text that was transformed before, with the range of each of its bytes.
  aligned_text(std::string_view text, const byte_range* ranges, bool track)
      : text_(text),
        begin_(track && !text.empty() ? ranges[0].begin : 0),
        limit_(limit_for(text)),
        track_(track) {
    if (track) ranges_.assign(ranges, ranges + text.size());
  }

  const std::string& text() const { return text_; }
  const std::vector<byte_range>& ranges() const { return ranges_; }
  bool empty() const { return text_.empty(); }
  // True when the text starts where the original does.
  bool begins_at_origin() const { return (ranges_.empty() ? begin_ : ranges_[0].begin) == 0; }

  // Refuses `size` bytes or characters when no honest normalizer makes that many of this text:
  // rules that multiply it again and again would fill the memory.
  void require_room(std::size_t size) const {
    if (size > limit_)
      throw text_error("normalizer: the text grows to more than " + std::to_string(limit_) +
                       " bytes");
  }

  // Rewrites the whole text; `changes` as unicode::normalize gives them.
  void transform(const std::vector<unicode::change>& changes) {
    rewriter out(*this);
    for (const unicode::change& c : changes) out.put(c.code_point, c.delta);
    out.finish();
  }

  // Inserts before the first character; the prefix stands for that character too.
  void prepend(std::string_view prefix) {
    if (text_.empty() || prefix.empty()) return;
    require_room(text_.size() + prefix.size());
    if (track_) {
      const byte_range first = ranges_.front();
      const std::size_t old = unicode::length_of(text_[0]);
      for (std::size_t i = 0; i < old; ++i) ranges_[i] = first;
      ranges_.insert(ranges_.begin(), prefix.size(), first);
    }
    text_.insert(0, prefix);
  }

  // Replaces every match by `content`. `each(text, f)` calls f(begin, end, is_match) over the text.
  template <class EachMatch>
  void replace(EachMatch each, std::string_view content) {
    std::string out;
    std::vector<byte_range> ranges;
    out.reserve(text_.size());
    each(std::string_view(text_), [&](std::size_t begin, std::size_t end, bool is_match) {
      if (!is_match) {
        out.append(text_, begin, end - begin);
        if (track_)
          ranges.insert(ranges.end(), ranges_.begin() + static_cast<std::ptrdiff_t>(begin),
                        ranges_.begin() + static_cast<std::ptrdiff_t>(end));
        return;
      }
      out += content;
      require_room(out.size());
      if (track_)
        ranges.insert(ranges.end(), content.size(),
                      end == 0 ? byte_range{begin_, begin_} : ranges_[end - 1]);
    });
    text_ = std::move(out);
    ranges_ = std::move(ranges);
  }

  // Keeps the characters that satisfy `keep`.
  template <class Keep>
  void filter(Keep keep) {
    std::size_t to = 0;
    for (std::size_t from = 0; from < text_.size();) {
      const unicode::step at = unicode::decode(text_, from);
      if (keep(at.code_point)) {
        for (std::size_t k = 0; k < at.length; ++k) {
          text_[to + k] = text_[from + k];
          if (track_) ranges_[to + k] = ranges_[from];
        }
        to += at.length;
      }
      from += at.length;
    }
    text_.resize(to);
    if (track_) ranges_.resize(to);
  }

  // Replaces each character by map(character).
  template <class Map>
  void map(Map map) {
    rewriter out(*this);
    for (std::size_t i = 0; i < text_.size();) {
      const unicode::step at = unicode::decode(text_, i);
      i += at.length;
      out.put(map(at.code_point), 0);
    }
    out.finish();
  }

  // Keeps bytes [begin, end).
  void trim(std::size_t begin, std::size_t end) {
    text_ = text_.substr(begin, end - begin);
    if (!track_) return;
    ranges_.erase(ranges_.begin() + static_cast<std::ptrdiff_t>(end), ranges_.end());
    ranges_.erase(ranges_.begin(), ranges_.begin() + static_cast<std::ptrdiff_t>(begin));
  }

  // Replaces each byte by a string of its own, which stands for the byte's whole character.
  template <class BytesTo>
  void expand_bytes(BytesTo bytes_to) {
    std::string out;
    std::vector<byte_range> ranges;
    out.reserve(text_.size() * 2);
    for (std::size_t i = 0; i < text_.size(); ++i) {
      const std::string_view piece = bytes_to(static_cast<unsigned char>(text_[i]));
      out += piece;
      if (track_) ranges.insert(ranges.end(), piece.size(), ranges_[i]);
    }
    text_ = std::move(out);
    ranges_ = std::move(ranges);
  }

 private:
  class rewriter {
   public:
    explicit rewriter(aligned_text& from) : from_(from) {
      out_.reserve(from.text_.size());
      if (from.track_) ranges_.reserve(from.text_.size());
    }
    void put(char32_t c, std::int32_t delta) {
      const std::size_t at = position_;
      for (std::int32_t k = delta; k <= 0 && position_ < from_.text_.size(); ++k)
        position_ += unicode::length_of(from_.text_[position_]);
      const std::size_t before = out_.size();
      utf8_append(out_, c);
      if (from_.track_) ranges_.insert(ranges_.end(), out_.size() - before, range(at, delta));
    }
    void finish() {
      from_.text_ = std::move(out_);
      from_.ranges_ = std::move(ranges_);
    }

   private:
    byte_range range(std::size_t at, std::int32_t delta) const {
      if (delta > 0) {
        if (at == 0) return {from_.begin_, from_.begin_};
        --at;
      }
      if (at >= from_.ranges_.size())
        return from_.ranges_.empty() ? byte_range{from_.begin_, from_.begin_}
                                     : from_.ranges_.back();
      return from_.ranges_[at];
    }
    aligned_text& from_;
    std::string out_;
    std::vector<byte_range> ranges_;
    std::size_t position_ = 0;
  };

  std::string text_;
  std::vector<byte_range> ranges_;  // one a byte of text_ when track_
  static std::size_t limit_for(std::string_view text) { return 4096 + 64 * text.size(); }

  std::uint32_t begin_;
  std::size_t limit_;
  bool track_;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
