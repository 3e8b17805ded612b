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

  // ASCII is done at once; the rest goes through the original's stages, which never look across
  // an ASCII character.
  void normalize(aligned_text& text) const {
    text.rewrite([&](aligned_text::rewriter& out) {
      const std::string_view t = out.text();
      while (!out.done()) {
        const std::size_t begin = out.position();
        if (const std::size_t end = plain_end(t, begin); end > begin)
          out.map_ascii(end - begin, [&](char c) { return plain(c); });
        else if (static_cast<unsigned char>(t[begin]) < 0x80)
          out.skip(1);
        else
          out.pass(foreign_end(t, begin) - begin, [&](aligned_text& part) { stages(part); });
      }
    });
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
  // The end of the ASCII characters from i that stay, changed or not.
  std::size_t plain_end(std::string_view t, std::size_t i) const {
    const auto stays = [&](unsigned char c) {
      return c < 0x80 && (!clean_text || (c >= ' ' && c != 0x7F) || is_blank(c));
    };
    while (i < t.size() && stays(static_cast<unsigned char>(t[i]))) ++i;
    return i;
  }
  static bool is_blank(unsigned char c) { return c == '\t' || c == '\n' || c == '\r'; }
  char plain(char c) const {
    if (clean_text && c < ' ' && c >= 0) return ' ';
    return lowercase && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  static std::size_t foreign_end(std::string_view t, std::size_t i) {
    while (i < t.size() && static_cast<unsigned char>(t[i]) >= 0x80) ++i;
    return i;
  }

  void stages(aligned_text& text) const {
    if (clean_text) {
      text.filter([](char32_t c) { return !(unicode::details(c) & unicode::control); });
      text.map([](char32_t c) { return unicode::is_white_space(c) ? U' ' : c; });
    }
    if (handle_chinese_chars) space_out(text);
    if (strip_accents) {
      text.transform(unicode::normalize(text.text(), unicode::form::nfd));
      text.filter([](char32_t c) { return !(unicode::details(c) & unicode::nonspacing_mark); });
    }
    if (lowercase) text.rewrite([](aligned_text::rewriter& out) { unicode::to_lower_case(out); });
  }
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
