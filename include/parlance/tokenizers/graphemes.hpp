// SPDX-License-Identifier: Apache-2.0
// Extended grapheme clusters: what a reader takes for one character. Unicode 16, as the
// unicode-segmentation crate behind Hugging Face tokenizers 0.22. Source: Unicode Standard Annex
// 29, section 3.1.1 (the rule numbers below).
#pragma once

#include <cstddef>
#include <string_view>

#include "parlance/tokenizers/unicode.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::unicode {

namespace impl {

// What of the cluster so far decides whether the next character belongs to it.
class grapheme_state {
 public:
  explicit grapheme_state(std::uint16_t first) { take(first); }

  bool ends_before(std::uint16_t next) const {
    using enum grapheme_class;
    const grapheme_class b = break_class(next), a = last_;
    if (a == cr) return b != lf;                                               // GB3-4
    if (a == lf || a == control) return true;                                  // GB4
    if (b == cr || b == lf || b == control) return true;                       // GB5
    if (a == l && (b == l || b == v || b == lv || b == lvt)) return false;     // GB6
    if ((a == lv || a == v) && (b == v || b == t)) return false;               // GB7
    if ((a == lvt || a == t) && b == t) return false;                          // GB8
    if (b == extend || b == zwj || b == spacing_mark) return false;            // GB9, GB9a
    if (a == prepend) return false;                                            // GB9b
    if (linked_ && conjunct_class(next) == conjunct::consonant) return false;  // GB9c
    if (a == zwj && pictograph_ && b == pictographic) return false;            // GB11
    return !(a == regional && b == regional && regionals_ % 2 == 1);           // GB12-13
  }

  void take(std::uint16_t detail) {
    using enum grapheme_class;
    const grapheme_class c = break_class(detail);
    const conjunct indic = conjunct_class(detail);
    pictograph_ = c == pictographic || (pictograph_ && last_ != zwj && (c == extend || c == zwj));
    regionals_ = c == regional ? regionals_ + 1 : 0;
    if (indic == conjunct::consonant) {
      consonant_ = true;
      linked_ = false;
    } else if (indic == conjunct::none) {
      consonant_ = linked_ = false;
    } else if (indic == conjunct::linker) {
      linked_ = consonant_;
    }
    last_ = c;
  }

 private:
  grapheme_class last_ = grapheme_class::other;
  bool pictograph_ = false, consonant_ = false, linked_ = false;
  unsigned regionals_ = 0;
};

}  // namespace impl

// End of the cluster that starts at text[i], a cluster boundary; the text must be valid UTF-8.
inline std::size_t grapheme_end(std::string_view text, std::size_t i) {
  step at = decode(text, i);
  i += at.length;
  if (i == text.size()) return i;
  step next = decode(text, i);
  // Nothing below U+0300 extends a cluster but the line feed of a CR LF.
  if (at.code_point < 0x300 && next.code_point < 0x300 && at.code_point != '\r') return i;
  impl::grapheme_state state(details(at.code_point));
  while (!state.ends_before(details(next.code_point))) {
    state.take(details(next.code_point));
    i += next.length;
    if (i == text.size()) break;
    next = decode(text, i);
  }
  return i;
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::unicode
