// SPDX-License-Identifier: Apache-2.0
// GPT-2's bijection between bytes and printable characters: bytes 21-7E, A1-AC and AE-FF stand for
// themselves, the other 68 for U+0100 onwards in byte order.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "parlance/core/utf8.hpp"
#include "parlance/tokenizers/unicode.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct byte_level_map {
  std::array<char32_t, 256> to_char{};
  std::array<std::int16_t, 0x144> to_byte{};  // -1: not in the alphabet

  constexpr byte_level_map() {
    for (auto& b : to_byte) b = -1;
    char32_t next = 0x100;
    for (unsigned b = 0; b < 256; ++b) {
      const bool itself =
          (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF);
      to_char[b] = itself ? b : next++;
      to_byte[to_char[b]] = static_cast<std::int16_t>(b);
    }
  }
};
inline constexpr byte_level_map byte_level_table{};

// The two or one UTF-8 bytes of the character for a byte.
inline std::string_view byte_level_char(unsigned char b) {
  struct strings {
    std::array<char, 512> bytes{};
    constexpr strings() {
      for (unsigned i = 0; i < 256; ++i) {
        const char32_t c = byte_level_table.to_char[i];
        bytes[2 * i] = static_cast<char>(c < 0x80 ? c : 0xC0 | (c >> 6));
        bytes[2 * i + 1] = static_cast<char>(c < 0x80 ? 0 : 0x80 | (c & 0x3F));
      }
    }
  };
  static constexpr strings table;
  return {table.bytes.data() + 2 * b, byte_level_table.to_char[b] < 0x80 ? 1u : 2u};
}

// Appends the printable characters of `bytes`.
inline void byte_level_encode(std::string_view bytes, std::string& out) {
  const std::size_t before = out.size();
  out.resize(before + 2 * bytes.size());
  char* to = out.data() + before;
  for (const char b : bytes) {
    const std::string_view c = byte_level_char(static_cast<unsigned char>(b));
    to[0] = c[0];
    if (c.size() > 1) to[1] = c[1];
    to += c.size();
  }
  out.resize(static_cast<std::size_t>(to - out.data()));
}
inline std::string byte_level_encode(std::string_view bytes) {
  std::string out;
  byte_level_encode(bytes, out);
  return out;
}

// Appends the bytes `text` stands for; false (and nothing appended) when a character is foreign.
inline bool byte_level_decode(std::string_view text, std::string& out) {
  const std::size_t before = out.size();
  for (std::size_t i = 0; i < text.size();) {
    const unicode::step at = unicode::decode(text, i);
    const int b = at.code_point < 0x144 ? byte_level_table.to_byte[at.code_point] : -1;
    if (b < 0) {
      out.resize(before);
      return false;
    }
    out.push_back(static_cast<char>(b));
    i += at.length;
  }
  return true;
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
