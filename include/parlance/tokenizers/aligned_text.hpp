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
#include "parlance/tokenizers/alignment.hpp"
#include "parlance/tokenizers/unicode_normalize.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

class aligned_text {
 public:
  class rewriter;

  // A slice of the original text that starts at byte `begin` of it.
  aligned_text(std::string_view text, std::uint32_t begin, bool track) : track_(track) {
    assign(text);
    begin_ = begin;
    if (track) map_.copy(static_cast<std::uint32_t>(text.size()), begin);
  }
  // Bytes [begin, end) of text that was transformed before; `at` looks up its alignment, and is
  // null when none is kept.
  aligned_text(std::string_view text, alignment::cursor* at, std::size_t begin, std::size_t end)
      : track_(at != nullptr) {
    assign_slice(text, at, begin, end);
  }
  // The same in place, which spares the memory of a new one.
  void assign_slice(std::string_view text, alignment::cursor* at, std::size_t begin,
                    std::size_t end) {
    assign(text.substr(begin, end - begin));
    begin_ = static_cast<std::uint32_t>(begin);
    map_.clear();
    if (!at || begin == end) return;
    begin_ = (*at)(begin).begin;
    at->append_to(map_, begin, end);
  }

  const std::string& text() const { return text_; }
  alignment::cursor look() const { return {map_, text_}; }
  bool empty() const { return text_.empty(); }
  // True when the text starts where the original does.
  bool begins_at_origin() const { return (map_.size() ? range(0).begin : begin_) == 0; }
  // Bytes of the original behind byte i.
  byte_range range(std::size_t i) const { return look()(i); }

  // Refuses `size` bytes or characters when no honest normalizer makes that many of this text:
  // rules that multiply it again and again would fill the memory.
  void require_room(std::size_t size) const {
    if (size > limit_)
      throw text_error("normalizer: the text grows to more than " + std::to_string(limit_) +
                       " bytes");
  }

  // Writes the text anew: f(rewriter&) says what becomes of it, from the first byte to the last.
  template <class F>
  void rewrite(F f);

  // Rewrites the whole text; `changes` as unicode::normalize gives them.
  void transform(const std::vector<unicode::change>& changes);

  // Inserts before the first character; the prefix stands for that character too.
  void prepend(std::string_view prefix) {
    if (text_.empty() || prefix.empty()) return;
    require_room(text_.size() + prefix.size());
    if (track_) {
      alignment map;
      alignment::cursor at = look();
      const byte_range first = at(0);
      const std::uint32_t old = unicode::length_of(text_[0]);
      map.block(static_cast<std::uint32_t>(prefix.size()), first);
      map.character(old, first);
      at.append_to(map, old, text_.size());
      map_ = std::move(map);
    }
    text_.insert(0, prefix);
  }

  // Replaces every match by `content`. `each(text, f)` calls f(begin, end, is_match) over the text.
  template <class EachMatch>
  void replace(EachMatch each, std::string_view content);

  // Keeps the characters that satisfy `keep`.
  template <class Keep>
  void filter(Keep keep);

  // Replaces each character by map(character).
  template <class Map>
  void map(Map map);

  // Keeps bytes [begin, end).
  void trim(std::size_t begin, std::size_t end) {
    if (track_) {
      alignment map;
      look().append_to(map, begin, end);
      map_ = std::move(map);
    }
    text_ = text_.substr(begin, end - begin);
  }

  // Replaces each byte by a string of its own, which stands for the byte's whole character.
  template <class BytesTo>
  void expand_bytes(BytesTo bytes_to) {
    std::string out;
    alignment map;
    alignment::cursor at = look();
    out.reserve(text_.size() * 2);
    for (std::size_t i = 0; i < text_.size(); ++i) {
      const std::string_view piece = bytes_to(static_cast<unsigned char>(text_[i]));
      out += piece;
      if (track_) map.character(static_cast<std::uint32_t>(piece.size()), at(i));
    }
    text_ = std::move(out);
    map_ = std::move(map);
  }

 private:
  void assign(std::string_view text) {
    text_.assign(text);
    limit_ = 4096 + 64 * text.size();
  }

  std::string text_;
  alignment map_;  // of text_, when track_
  std::uint32_t begin_ = 0;
  std::size_t limit_ = 0;
  bool track_;
};

// Writes a text anew while it reads the old one, and keeps the alignment.
class aligned_text::rewriter {
 public:
  explicit rewriter(aligned_text& from) : from_(from), look_(from.look()) {
    out_.reserve(from.text_.size());
  }
  // The text as it was, and the position up to which it has been read.
  std::string_view text() const { return from_.text_; }
  std::size_t position() const { return position_; }
  bool done() const { return position_ >= from_.text_.size(); }
  // True while nothing has been written.
  bool empty() const { return out_.empty(); }
  void require_room(std::size_t more) const { from_.require_room(out_.size() + more); }

  // Takes the next `length` bytes, whole characters, as they are.
  void keep(std::size_t length) {
    out_.append(from_.text_, position_, length);
    if (from_.track_) look_.append_to(map_, position_, position_ + length);
    position_ += length;
  }
  // Takes the next `length` bytes, all ASCII, each as to(byte).
  template <class To>
  void map_ascii(std::size_t length, To to) {
    const std::size_t before = out_.size();
    keep(length);
    for (std::size_t i = before; i < out_.size(); ++i) out_[i] = to(out_[i]);
  }
  // Leaves out the next `length` bytes.
  void skip(std::size_t length) { position_ += length; }
  // Writes a character: delta 0 for the next one, 1 in addition, -n also drops n more.
  void put(char32_t c, std::int32_t delta) {
    const std::size_t at = position_;
    for (std::int32_t k = delta; k <= 0 && position_ < from_.text_.size(); ++k)
      position_ += unicode::length_of(from_.text_[position_]);
    const std::size_t before = out_.size();
    utf8_append(out_, c);
    if (from_.track_)
      map_.character(static_cast<std::uint32_t>(out_.size() - before), range(at, delta));
  }
  // Writes `content` for the next `length` bytes; it stands for the last character of them.
  void replace(std::size_t length, std::string_view content) {
    position_ += length;
    require_room(content.size());
    out_ += content;
    if (from_.track_)
      map_.block(static_cast<std::uint32_t>(content.size()),
                 position_ == 0 ? byte_range{from_.begin_, from_.begin_} : look_(position_ - 1));
  }
  // Hands the next `length` bytes to f(aligned_text&) and takes what it makes of them.
  template <class F>
  void pass(std::size_t length, F f) {
    aligned_text part(from_.text_, from_.track_ ? &look_ : nullptr, position_, position_ + length);
    f(part);
    out_ += part.text_;
    if (from_.track_) part.look().append_to(map_, 0, part.text_.size());
    position_ += length;
  }
  void finish() {
    from_.text_ = std::move(out_);
    from_.map_ = std::move(map_);
  }

 private:
  byte_range range(std::size_t at, std::int32_t delta) {
    const byte_range none{from_.begin_, from_.begin_};
    if (delta > 0) {
      if (at == 0) return none;
      --at;
    }
    if (from_.text_.empty()) return none;
    return look_(std::min(at, from_.text_.size() - 1));
  }

  aligned_text& from_;
  alignment::cursor look_;
  std::string out_;
  alignment map_;
  std::size_t position_ = 0;
};

template <class F>
void aligned_text::rewrite(F f) {
  rewriter out(*this);
  f(out);
  out.finish();
}

inline void aligned_text::transform(const std::vector<unicode::change>& changes) {
  rewrite([&](rewriter& out) {
    for (const unicode::change& c : changes) out.put(c.code_point, c.delta);
  });
}

template <class EachMatch>
void aligned_text::replace(EachMatch each, std::string_view content) {
  rewrite([&](rewriter& out) {
    each(out.text(), [&](std::size_t begin, std::size_t end, bool is_match) {
      if (is_match)
        out.replace(end - begin, content);
      else
        out.keep(end - begin);
    });
  });
}

template <class Keep>
void aligned_text::filter(Keep keep) {
  rewrite([&](rewriter& out) {
    const std::string_view t = out.text();
    for (std::size_t i = 0; i < t.size();) {
      const unicode::step at = unicode::decode(t, i);
      if (!keep(at.code_point)) {
        out.keep(i - out.position());
        out.skip(at.length);
      }
      i += at.length;
    }
    out.keep(t.size() - out.position());
  });
}

template <class Map>
void aligned_text::map(Map map) {
  rewrite([&](rewriter& out) {
    while (!out.done()) out.put(map(unicode::decode(out.text(), out.position()).code_point), 0);
  });
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
