// SPDX-License-Identifier: Apache-2.0
// sacreBLEU's tokenizers that need no model: none, 13a, intl, zh, char (sacrebleu 2.6.0,
// tokenizers/*.py). The original runs regular expressions one after the other; here one pass emits
// the words as views of the text. What a pair of replacements does to a '.' or ',' (13a, zh) or to
// punctuation (intl) comes down to this: it stands alone when the character before it is no digit
// (and was not itself taken by the left-to-right search as the second of such a pair), or when
// the character after it is no digit; otherwise it stays inside its word.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "parlance/core/nearest.hpp"
#include "parlance/metrics/text.hpp"
#include "parlance/tokenizers/unicode.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

enum class bleu_tokenizer : std::uint8_t { none, v13a, intl, zh, character };

inline constexpr std::array<std::string_view, 5> bleu_tokenizer_names = {"none", "13a", "intl",
                                                                         "zh", "char"};
inline std::string_view name(bleu_tokenizer t) {
  return bleu_tokenizer_names[static_cast<std::size_t>(t)];
}
// Throws option_error for a name that is none of the five, unsupported_error for those of
// sacreBLEU's that need a dictionary or a model.
inline bleu_tokenizer parse_bleu_tokenizer(std::string_view text) {
  for (std::size_t i = 0; i < bleu_tokenizer_names.size(); ++i)
    if (bleu_tokenizer_names[i] == text) return static_cast<bleu_tokenizer>(i);
  for (const std::string_view other :
       {"ja-mecab", "ko-mecab", "spm", "flores101", "flores200", "spBLEU-1K"})
    if (other == text)
      throw unsupported_error("tokenize '" + std::string(text) + "' needs a dictionary or a model",
                              "split the texts with it first and use tokenize 'none'");
  throw option_error("unknown tokenize '" + std::string(text) + "'",
                     did_you_mean(text, bleu_tokenizer_names));
}

namespace detail {

enum class part : std::uint8_t { plain, digit, point, dash, alone, space };

inline constexpr auto western_parts = [] {
  std::array<part, 128> parts{};
  for (int c = 0; c < 128; ++c) {
    part p = part::plain;
    if ((c >= 9 && c <= 13) || (c >= 28 && c <= 32)) p = part::space;
    if (c >= '0' && c <= '9') p = part::digit;
    if (c == '.' || c == ',') p = part::point;
    if (c == '-') p = part::dash;
    if ((c >= 33 && c <= 38) || (c >= 40 && c <= 43) || c == '/' || (c >= 58 && c <= 64) ||
        (c >= 91 && c <= 96) || (c >= 123 && c <= 126))
      p = part::alone;
    parts[static_cast<std::size_t>(c)] = p;
  }
  return parts;
}();

struct western {
  static constexpr bool dashes = true;
  static part ascii(unsigned char c) { return western_parts[c]; }
  static part other(char32_t c) {
    return tokenizers::jinja::is_space(c) ? part::space : part::plain;
  }
};

// Characters that the original's list of ranges holds. Two rows meant for planes
// beyond the first read as U+2000..U+2A6D and U+2F80..U+2FA1 there.
inline bool is_chinese_for_bleu(char32_t c) {
  constexpr char32_t ranges[][2] = {
      {0x2001, 0x2A6D}, {0x2E80, 0x2EFF}, {0x2F00, 0x2FDF}, {0x2FF0, 0x2FFF}, {0x3000, 0x303F},
      {0x3100, 0x312F}, {0x31A0, 0x31BF}, {0x31C0, 0x31EF}, {0x3200, 0x33FF}, {0x3400, 0x4DB5},
      {0x4E00, 0x9FBB}, {0xF900, 0xFA2D}, {0xFA30, 0xFA6A}, {0xFA70, 0xFAD9}, {0xFE10, 0xFE1F},
      {0xFE30, 0xFE4F}, {0xFF00, 0xFFEF}};
  for (const auto& r : ranges)
    if (c >= r[0] && c <= r[1]) return true;
  return false;
}
struct chinese {
  static constexpr bool dashes = true;
  static part ascii(unsigned char c) { return western_parts[c]; }
  static part other(char32_t c) {
    if (tokenizers::jinja::is_space(c)) return part::space;
    return is_chinese_for_bleu(c) ? part::alone : part::plain;
  }
};
// Unicode's punctuation is the point here, its symbols stand alone, its numbers are the digits.
struct international {
  static constexpr bool dashes = false;
  static part of(char32_t c) {
    namespace unicode = tokenizers::unicode;
    if (tokenizers::jinja::is_space(c)) return part::space;
    const std::uint8_t p = unicode::properties(c);
    if (unicode::in(p, 1 << unicode::p)) return part::point;
    if (unicode::in(p, 1 << unicode::s)) return part::alone;
    return unicode::in(p, unicode::numbers) ? part::digit : part::plain;
  }
  static part ascii(unsigned char c) { return of(c); }
  static part other(char32_t c) { return of(c); }
};

// `padded`: as if a space stood at both ends.
template <class Parts>
void split_parts(std::string_view text, bool padded, words& out) {
  const char *p = text.data(), *const end = p + text.size(), *word = p;
  const auto flush = [&](const char* to) {
    if (word < to) out.emplace_back(word, static_cast<std::size_t>(to - word));
  };
  const auto classify = [&](const char* at, unsigned& length) {
    const auto lead = static_cast<unsigned char>(*at);
    length = 1;
    if (lead < 0x80) return Parts::ascii(lead);
    const utf8_step step = utf8_decode({at, static_cast<std::size_t>(end - at)}, 0);
    length = step.length;
    return Parts::other(step.code_point);
  };
  // What the search for "no digit, then a point" sees before p.
  enum : std::uint8_t { nothing, digit, other, taken } before = padded ? other : nothing;
  while (p < end) {
    unsigned length = 0, next_length = 0;
    const part now = classify(p, length);
    const char* const after = p + length;
    switch (now) {
      case part::plain:
        before = other;
        // Most characters are such.
        for (p = after; p < end && static_cast<unsigned char>(*p) < 0x80 &&
                        Parts::ascii(static_cast<unsigned char>(*p)) == part::plain;)
          ++p;
        continue;
      case part::digit:
        before = digit;
        break;
      case part::dash:
        if (before == digit) {
          flush(p);
          out.emplace_back(p, length);
          word = after;
        }
        before = other;
        break;
      case part::point: {
        const bool second = before == other;
        const bool alone =
            second || (after == end ? padded : classify(after, next_length) != part::digit);
        before = second ? taken : other;
        if (alone) {
          flush(p);
          out.emplace_back(p, length);
          word = after;
        }
        break;
      }
      case part::alone:
        flush(p);
        out.emplace_back(p, length);
        word = after;
        before = other;
        break;
      case part::space:
        flush(p);
        word = after;
        before = other;
        break;
    }
    p = after;
  }
  flush(end);
}

inline void split_characters(std::string_view text, words& out) {
  for (std::size_t i = 0; i < text.size();) {
    const utf8_step step = utf8_decode(text, i);
    if (!tokenizers::jinja::is_space(step.code_point)) out.push_back(text.substr(i, step.length));
    i += step.length;
  }
}

// The replacements of mteval-v13a that come before splitting.
inline std::string_view unescape_13a(std::string_view text, std::string& buffer) {
  if (text.find('&') == text.npos && text.find('\n') == text.npos &&
      (text.find('<') == text.npos || text.find("<skipped>") == text.npos))
    return text;
  buffer.assign(text);
  replace_all(buffer, "<skipped>", "");
  replace_all(buffer, "-\n", "");
  replace_all(buffer, "\n", " ");
  replace_all(buffer, "&quot;", "\"");
  replace_all(buffer, "&amp;", "&");
  replace_all(buffer, "&lt;", "<");
  replace_all(buffer, "&gt;", ">");
  return buffer;
}

}  // namespace detail

// Appends the words of `text` to `out`; they are views of `text` or of `buffer`.
inline void tokenize(bleu_tokenizer tokenizer, std::string_view text, std::string& buffer,
                     words& out) {
  switch (tokenizer) {
    case bleu_tokenizer::none:
      return split_words(text, out);
    case bleu_tokenizer::v13a:
      return detail::split_parts<detail::western>(detail::unescape_13a(text, buffer), true, out);
    case bleu_tokenizer::intl:
      return detail::split_parts<detail::international>(text, false, out);
    case bleu_tokenizer::zh:
      return detail::split_parts<detail::chinese>(strip(text), false, out);
    case bleu_tokenizer::character:
      return detail::split_characters(text, out);
  }
}

}  // namespace parlance::inline PARLANCE_ABI::metrics
