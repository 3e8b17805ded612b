// SPDX-License-Identifier: Apache-2.0
// What BERT does to text before it is split: clean, space out CJK characters, drop accents, lower
// case. Source: huggingface/tokenizers 0.22, src/normalizers/bert.rs.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "parlance/tokenizers/aligned_text.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct bert_normalizer {
  bool clean_text = true, handle_chinese_chars = true, strip_accents = true, lowercase = true;

  void normalize(aligned_text& text) const {
    if (unchanged(text.text())) return;
    if (clean_text) {
      text.filter([](char32_t c) { return !(unicode::details(c) & unicode::control); });
      text.map([](char32_t c) { return unicode::is_white_space(c) ? U' ' : c; });
    }
    if (handle_chinese_chars) space_out(text);
    if (strip_accents) {
      text.transform(unicode::normalize(text.text(), unicode::form::nfd));
      text.filter([](char32_t c) { return !(unicode::details(c) & unicode::nonspacing_mark); });
    }
    if (lowercase) text.transform(unicode::lower_case(text.text()));
  }
  bool unchanged(std::string_view text) const {
    return std::all_of(text.begin(), text.end(), [&](char c) {
      return c >= ' ' && c <= '~' && !(lowercase && c >= 'A' && c <= 'Z');
    });
  }

  // The ranges of the original, its slip in the first of extension E included.
  static constexpr bool is_chinese(char32_t c) {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
           (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
  }

 private:
  static void space_out(aligned_text& text) {
    const std::string_view t = text.text();
    std::vector<unicode::change> changes;
    changes.reserve(t.size());
    bool modified = false;
    for (std::size_t i = 0; i < t.size();) {
      const unicode::step at = unicode::decode(t, i);
      i += at.length;
      const bool chinese = is_chinese(at.code_point);
      if (chinese) changes.push_back({U' ', 0});
      changes.push_back({at.code_point, chinese});
      if (chinese) changes.push_back({U' ', 1});
      modified |= chinese;
    }
    if (modified) text.transform(changes);
  }
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
