// SPDX-License-Identifier: Apache-2.0
// UTF-8: decoding, validation with the byte position of the first fault, replacement as the Unicode
// standard recommends (one U+FFFD per maximal invalid subsequence), and the longest complete
// prefix.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "parlance/core/error.hpp"

namespace parlance::inline PARLANCE_ABI {

inline constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

// Number of ASCII bytes from text[i] on.
inline std::size_t ascii_run(std::string_view text, std::size_t i) {
  const std::size_t begin = i;
  for (std::uint64_t word; i + 8 <= text.size(); i += 8) {
    std::memcpy(&word, text.data() + i, 8);
    if (word & 0x8080808080808080u) break;
  }
  while (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80) ++i;
  return i - begin;
}

inline bool is_ascii(std::string_view text) { return ascii_run(text, 0) == text.size(); }

struct utf8_step {
  char32_t code_point;  // U+FFFD when not valid
  std::uint8_t length;  // bytes consumed, at least 1
  bool valid;
  bool truncated;  // not valid only because the text ends
};

// Decodes one code point at text[i]; i < text.size(). Never reads past the end.
inline utf8_step utf8_decode(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
  const unsigned lead = byte(i);
  if (lead < 0x80) return {lead, 1, true, false};
  int extra = 0;
  unsigned low = 0x80, high = 0xBF;  // range of the second byte (Unicode 15, table 3-7)
  char32_t code = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    extra = 1, code = lead & 0x1F;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    extra = 2, code = lead & 0x0F;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    extra = 3, code = lead & 0x07;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {0xFFFD, 1, false, false};
  }
  for (int k = 1; k <= extra; ++k) {
    if (i + k >= text.size()) return {0xFFFD, static_cast<std::uint8_t>(k), false, true};
    const unsigned next = byte(i + k);
    if (next < low || next > high) return {0xFFFD, static_cast<std::uint8_t>(k), false, false};
    low = 0x80, high = 0xBF;
    code = (code << 6) | (next & 0x3F);
  }
  return {code, static_cast<std::uint8_t>(extra + 1), true, false};
}

inline void utf8_append(std::string& out, char32_t c) {
  const auto put = [&](unsigned v) { out.push_back(static_cast<char>(v)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6)), put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12)), put(0x80 | ((c >> 6) & 0x3F)), put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18)), put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F)), put(0x80 | (c & 0x3F));
  }
}

// Byte position of the first invalid sequence, or npos.
inline std::size_t utf8_find_invalid(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    if (const std::size_t n = ascii_run(text, i)) {
      i += n;
      continue;
    }
    const utf8_step step = utf8_decode(text, i);
    if (!step.valid) return i;
    i += step.length;
  }
  return std::string_view::npos;
}

inline void require_utf8(std::string_view text, std::string_view what) {
  if (const std::size_t at = utf8_find_invalid(text); at != std::string_view::npos)
    throw text_error(std::string(what) + ": invalid UTF-8 at byte " + std::to_string(at));
}

// Text with every maximal invalid subsequence replaced by U+FFFD.
inline std::string utf8_replace_invalid(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    if (const std::size_t n = ascii_run(text, i)) {
      out += text.substr(i, n);
      i += n;
      continue;
    }
    const utf8_step step = utf8_decode(text, i);
    out += step.valid ? text.substr(i, step.length) : replacement_character;
    i += step.length;
  }
  return out;
}

inline std::size_t utf8_length(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

// Every `from` becomes `to`. An empty `from` is found before every character and at the end.
inline void replace_all(std::string& text, std::string_view from, std::string_view to) {
  if (!from.empty()) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
      text.replace(at, from.size(), to);
    return;
  }
  std::string out(to);
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80 && out.size() > to.size()) out += to;
    out.push_back(c);
  }
  if (!text.empty()) out += to;
  text = std::move(out);
}

}  // namespace parlance::inline PARLANCE_ABI
