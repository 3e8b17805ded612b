// SPDX-License-Identifier: Apache-2.0
// Tercom's normalisation of text (sacrebleu 2.6.0, tokenizers/tokenizer_ter.py): its replacements
// one after the other, as written there, including a range with a typing error (3200..3F22 for
// 3200..32FF).
#pragma once

#include <string>
#include <string_view>

#include "parlance/metrics/text.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

struct tercom_options {
  bool normalized = false;           // undo XML escapes, split punctuation off
  bool ignore_punct = false;         // drop . , ? : ; ! " ( )
  bool support_zh_ja_chars = false;  // do both for Chinese and Japanese too
  bool case_sensitive = false;
  bool operator==(const tercom_options&) const = default;
};

namespace detail {

inline bool is_asian_punctuation(char32_t c) {
  return c == 0x3001 || c == 0x3002 || (c >= 0x3008 && c <= 0x3011) ||
         (c >= 0x3014 && c <= 0x301F) || (c >= 0xFF61 && c <= 0xFF65) || c == 0x30FB;
}
inline bool is_full_width_punctuation(char32_t c) {
  return c == 0xFF0E || c == 0xFF0C || c == 0xFF1F || c == 0xFF1A || c == 0xFF1B || c == 0xFF01 ||
         c == 0xFF02 || c == 0xFF08 || c == 0xFF09;
}
inline bool is_split_alone(char32_t c) {
  return (c >= 32 && c <= 38) || (c >= 40 && c <= 43) || c == '/' || (c >= 58 && c <= 64) ||
         (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
}

template <class Test>
std::u32string isolate(std::u32string_view s, Test&& test) {
  std::u32string out;
  for (const char32_t c : s) {
    if (!test(c)) {
      out += c;
      continue;
    }
    out += U' ', out += c, out += U' ';
  }
  return out;
}
// Replaces the pairs found from left to right, which do not overlap.
template <class Test, class Put>
std::u32string replace_pairs(std::u32string_view s, Test&& test, Put&& put) {
  std::u32string out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (i + 1 < s.size() && test(s[i], s[i + 1])) {
      put(out, s[i], s[i + 1]);
      ++i;
    } else {
      out += s[i];
    }
  }
  return out;
}

inline std::u32string normalize_western(std::string_view text) {
  std::string plain(text);
  replace_all(plain, "\n-", "");
  replace_all(plain, "\n", " ");
  replace_all(plain, "&quot;", "\"");
  replace_all(plain, "&amp;", "&");
  replace_all(plain, "&lt;", "<");
  replace_all(plain, "&gt;", ">");
  std::u32string padded(1, U' ');
  padded += tokenizers::jinja::code_points(plain);
  padded += U' ';
  std::u32string s = isolate(padded, is_split_alone);
  std::u32string out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s[i] == '\'' && i + 2 < s.size() && s[i + 1] == 's' && s[i + 2] == ' ') out += U' ';
    out += s[i];
  }
  const auto digit = [](char32_t c) { return c >= '0' && c <= '9'; };
  const auto point = [](char32_t c) { return c == '.' || c == ','; };
  s = replace_pairs(
      out, [&](char32_t a, char32_t b) { return !digit(a) && point(b); },
      [](std::u32string& to, char32_t a, char32_t b) {
        to += {a, U' ', b, U' '};
      });
  s = replace_pairs(
      s, [&](char32_t a, char32_t b) { return point(a) && !digit(b); },
      [](std::u32string& to, char32_t a, char32_t b) {
        to += {U' ', a, U' ', b};
      });
  return replace_pairs(
      s, [&](char32_t a, char32_t b) { return digit(a) && b == '-'; },
      [](std::u32string& to, char32_t a, char32_t b) {
        to += {a, U' ', b, U' '};
      });
}

// Kana are split off only where they make up the whole string, which a padded one never is.
inline std::u32string normalize_asian(std::u32string_view text) {
  const auto in = [](char32_t c, char32_t low, char32_t high) { return c >= low && c <= high; };
  std::u32string s =
      isolate(text, [&](char32_t c) { return in(c, 0x4E00, 0x9FFF) || in(c, 0x3400, 0x4DBF); });
  s = isolate(s, [&](char32_t c) { return in(c, 0x31C0, 0x31EF) || in(c, 0x2E80, 0x2EFF); });
  s = isolate(s, [&](char32_t c) {
    return in(c, 0x3300, 0x33FF) || in(c, 0xF900, 0xFAFF) || in(c, 0xFE30, 0xFE4F);
  });
  s = isolate(s, [&](char32_t c) { return in(c, 0x3200, 0x3F22); });
  s = isolate(s, is_asian_punctuation);
  return isolate(s, is_full_width_punctuation);
}

}  // namespace detail

// The text whose words are compared; a view of `text` or of `buffer`.
inline std::string_view tercom_normalize(const tercom_options& options, std::string_view text,
                                         std::string& buffer) {
  if (text.empty()) return text;
  if (!options.case_sensitive) {
    lower_into(text, buffer);
    text = buffer;
  }
  if (!options.normalized && !options.ignore_punct) return text;
  std::u32string s =
      options.normalized ? detail::normalize_western(text) : tokenizers::jinja::code_points(text);
  if (options.normalized && options.support_zh_ja_chars) s = detail::normalize_asian(s);
  if (options.ignore_punct) {
    std::erase_if(s, [&](char32_t c) {
      return std::u32string_view(U".,?:;!\"()").find(c) != std::u32string_view::npos ||
             (options.support_zh_ja_chars &&
              (detail::is_asian_punctuation(c) || detail::is_full_width_punctuation(c)));
    });
  }
  buffer = tokenizers::jinja::from_code_points(s);
  return buffer;
}

}  // namespace parlance::inline PARLANCE_ABI::metrics
