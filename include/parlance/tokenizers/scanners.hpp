// SPDX-License-Identifier: Apache-2.0
// Hand-written scanners for the splitting patterns that published tokenizers use, each equal to its
// regular expression (Oniguruma semantics, Unicode 16). A scanner is `end = match(text, i)`: the
// end of the match that starts at i, or i when none does. Text must be valid UTF-8.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include "parlance/tokenizers/unicode.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::scanners {

using unicode::decode;
using unicode::in;
using unicode::properties;

inline constexpr std::uint16_t upper_like =
    1 << unicode::lu | 1 << unicode::lt | 1 << unicode::lm | 1 << unicode::lo | 1 << unicode::m;
inline constexpr std::uint16_t lower_like =
    1 << unicode::ll | 1 << unicode::lm | 1 << unicode::lo | 1 << unicode::m;
inline constexpr std::uint16_t punctuation_symbol = 1 << unicode::p | 1 << unicode::s;

inline std::size_t run_of(std::string_view t, std::size_t i, std::uint16_t categories) {
  return unicode::run(t, i, [=](std::uint8_t x) { return in(x, categories); });
}
// Neither white space nor any of `categories`.
inline bool is_other(std::uint8_t x, std::uint16_t categories) {
  return !(x & unicode::white_space) && !in(x, categories);
}
inline std::size_t run_of_other(std::string_view t, std::size_t i, std::uint16_t categories) {
  return unicode::run(t, i, [=](std::uint8_t x) { return is_other(x, categories); });
}
inline std::uint8_t properties_at(std::string_view t, std::size_t i) {
  return properties(decode(t, i).code_point);
}
inline bool category_at(std::string_view t, std::size_t i, std::uint16_t categories) {
  return i < t.size() && in(properties_at(t, i), categories);
}
inline std::size_t run_of_newlines(std::string_view t, std::size_t i, bool slash = false) {
  while (i < t.size() && (t[i] == '\r' || t[i] == '\n' || (slash && t[i] == '/'))) ++i;
  return i;
}

// 's 't 'm 'd 're 've 'll at the apostrophe t[i]; ignoring case also admits U+017F for s.
inline std::size_t contraction(std::string_view t, std::size_t i, bool ignore_case) {
  if (i + 1 >= t.size() || t[i] != '\'') return i;
  const auto letter = [&](std::size_t k) -> char {
    if (k >= t.size()) return 0;
    const char c = t[k];
    return ignore_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  };
  const char a = letter(i + 1), b = letter(i + 2);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return i + 2;
  if (((a == 'r' || a == 'v') && b == 'e') || (a == 'l' && b == 'l')) return i + 3;
  if (ignore_case && t.substr(i + 1, 2) == "\xC5\xBF") return i + 3;
  return i;
}

// `\s*[\r\n]+|\s+(?!\S)|\s+` (newlines = true) or `\s+(?!\S)|\s+` from white space at i.
inline std::size_t white_space(std::string_view t, std::size_t i, bool newlines) {
  std::size_t end = i, last = i, after_newline = i;
  while (end < t.size()) {
    const unicode::step at = decode(t, end);
    if (!(properties(at.code_point) & unicode::white_space)) break;
    last = end;
    end += at.length;
    if (at.code_point == '\n' || at.code_point == '\r') after_newline = end;
  }
  if (newlines && after_newline > i) return after_newline;
  return end == t.size() || last == i ? end : last;
}

inline std::size_t digits(std::string_view t, std::size_t i, int max) {
  for (int n = 0; n < max && i < t.size(); ++n) {
    const unicode::step at = decode(t, i);
    if (!in(properties(at.code_point), unicode::numbers)) break;
    i += at.length;
  }
  return i;
}

inline constexpr int any_number = std::numeric_limits<int>::max();

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
struct gpt2 {
  static std::size_t match(std::string_view t, std::size_t i) {
    if (const std::size_t end = contraction(t, i, false); end > i) return end;
    constexpr std::uint16_t words = unicode::letters | unicode::numbers;
    const std::size_t start = i + (t[i] == ' ' && i + 1 < t.size());
    const std::uint8_t x = properties_at(t, start);
    if (in(x, unicode::letters)) return run_of(t, start, unicode::letters);
    if (in(x, unicode::numbers)) return run_of(t, start, unicode::numbers);
    if (is_other(x, words)) return run_of_other(t, start, words);
    return white_space(t, i, false);
  }
};

// (?i:'s|...)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,D}|
// ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ with M set: letters are [\p{L}\p{M}], as in
// Qwen3.5.
template <int D, bool M = false>
struct cl100k {
  static constexpr std::uint16_t word = unicode::letters | (M ? unicode::marks : 0);
  static constexpr std::uint16_t not_other = word | unicode::numbers;
  static std::size_t match(std::string_view t, std::size_t i) {
    if (const std::size_t end = contraction(t, i, true); end > i) return end;
    const unicode::step at = decode(t, i);
    const std::uint8_t x = properties(at.code_point);
    if (in(x, word)) return run_of(t, i, word);
    if (in(x, unicode::numbers)) return digits(t, i, D);
    const std::size_t next = i + at.length;
    if (at.code_point != '\r' && at.code_point != '\n' && category_at(t, next, word))
      return run_of(t, next, word);
    const std::size_t start = i + (t[i] == ' ' && next < t.size());
    if (is_other(properties_at(t, start), not_other))
      return run_of_newlines(t, run_of_other(t, start, not_other));
    return white_space(t, i, true);
  }
};

// o200k (C = true): P?U*W+C?|P?U+W*C?|\p{N}{1,D}|
// ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+ with P = [^\r\n\p{L}\p{N}], U =
// [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}], W = [\p{Ll}\p{Lm}\p{Lo}\p{M}]. Tekken is the same without the
// contraction C.
template <int D, bool C>
struct o200k {
  // U*W+ from s: the end, or s.
  static std::size_t lower_word(std::string_view t, std::size_t s) {
    std::size_t i = s, candidate = s;
    bool found = false;
    while (i < t.size()) {
      const unicode::step at = decode(t, i);
      const std::uint8_t x = properties(at.code_point);
      if (!in(x, upper_like)) break;
      if (in(x, lower_like)) candidate = i, found = true;
      i += at.length;
    }
    if (category_at(t, i, lower_like)) return run_of(t, i, lower_like);
    return found ? run_of(t, candidate, lower_like) : s;
  }
  static std::size_t upper_word(std::string_view t, std::size_t s) {
    const std::size_t end = run_of(t, s, upper_like);
    return end > s ? run_of(t, end, lower_like) : s;
  }
  static std::size_t word(std::string_view t, std::size_t i, std::size_t after_prefix) {
    if (after_prefix > i && after_prefix < t.size())
      if (const std::size_t end = lower_word(t, after_prefix); end > after_prefix) return end;
    if (const std::size_t end = lower_word(t, i); end > i) return end;
    if (after_prefix > i && after_prefix < t.size())
      if (const std::size_t end = upper_word(t, after_prefix); end > after_prefix) return end;
    return upper_word(t, i);
  }
  static std::size_t match(std::string_view t, std::size_t i) {
    const unicode::step at = decode(t, i);
    const std::uint8_t x = properties(at.code_point);
    constexpr std::uint16_t not_other = unicode::letters | unicode::numbers;
    const bool prefix = at.code_point != '\r' && at.code_point != '\n' && !in(x, not_other);
    if (const std::size_t end = word(t, i, prefix ? i + at.length : i); end > i)
      return C ? contraction(t, end, true) : end;
    if (in(x, unicode::numbers)) return digits(t, i, D);
    const std::size_t start = i + (t[i] == ' ' && i + 1 < t.size());
    if (is_other(properties_at(t, start), not_other))
      return run_of_newlines(t, run_of_other(t, start, not_other), true);
    return white_space(t, i, true);
  }
};

// [ASCII punctuation][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*
// |\s*[\r\n]+|\s+(?!\S)|\s+   (third split of DeepSeek-V3; numbers and controls stay unmatched)
struct deepseek_words {
  static bool ascii_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
  static bool ascii_punctuation(char c) {
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
  }
  static std::size_t match(std::string_view t, std::size_t i) {
    constexpr std::uint16_t word = unicode::letters | unicode::marks;
    if (ascii_punctuation(t[i]) && i + 1 < t.size() && ascii_letter(t[i + 1])) {
      std::size_t end = i + 1;
      while (end < t.size() && ascii_letter(t[end])) ++end;
      return end;
    }
    const unicode::step at = decode(t, i);
    const std::uint8_t x = properties(at.code_point);
    if (in(x, word)) return run_of(t, i, word);
    const std::size_t next = i + at.length;
    if (at.code_point != '\r' && at.code_point != '\n' && !in(x, punctuation_symbol) &&
        category_at(t, next, word))
      return run_of(t, next, word);
    const std::size_t start = i + (t[i] == ' ');
    if (category_at(t, start, punctuation_symbol))
      return run_of_newlines(t, run_of(t, start, punctuation_symbol));
    return x & unicode::white_space ? white_space(t, i, true) : i;
  }
};

// \p{N}{1,D}
template <int D>
struct number {
  static std::size_t match(std::string_view t, std::size_t i) { return digits(t, i, D); }
};

//  {2,}
struct two_spaces {
  static std::size_t match(std::string_view t, std::size_t i) {
    const std::size_t end = std::min(t.find_first_not_of(' ', i), t.size());
    return end - i < 2 ? i : end;
  }
};

// [一-龥぀-ゟ゠-ヿ]+
struct deepseek_cjk {
  static std::size_t match(std::string_view t, std::size_t i) {
    while (i < t.size()) {
      const unicode::step at = decode(t, i);
      const char32_t c = at.code_point;
      if (!(c >= 0x4E00 && c <= 0x9FA5) && !(c >= 0x3040 && c <= 0x30FF)) break;
      i += at.length;
    }
    return i;
  }
};

// \w+|[^\w\s]+ of the Rust regex crate (the Whitespace pre-tokenizer)
struct words_or_symbols {
  static std::size_t match(std::string_view t, std::size_t i) {
    const std::size_t end = unicode::run(t, i, [](std::uint8_t x) { return x & unicode::word; });
    if (end > i) return end;
    return unicode::run(
        t, i, [](std::uint8_t x) { return !(x & (unicode::word | unicode::white_space)); });
  }
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::scanners
