// SPDX-License-Identifier: Apache-2.0
// Base64 (RFC 4648, section 4), decoded strictly: padding is required and unused bits are zero.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "parlance/core/error.hpp"

namespace parlance::inline PARLANCE_ABI {

// The bytes behind `text`; a format_error in `where` with the place of the first fault.
inline std::string base64_decode(std::string_view text, const std::string& where) {
  static constexpr auto values = [] {
    std::array<std::int8_t, 256> out{};
    for (auto& v : out) v = -1;
    std::int8_t next = 0;
    for (const char c : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                         "0123456789+/"))
      out[static_cast<unsigned char>(c)] = next++;
    return out;
  }();
  const auto fail = [&](std::size_t at, const char* what) {
    throw format_error(where, -1, "base64 character " + std::to_string(at) + ": " + what);
  };
  if (text.size() % 4 != 0) fail(text.size(), "length is not a multiple of 4");
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  const std::size_t digits = text.size() - padding;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t bits = 0;
  int count = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const std::int8_t value = values[static_cast<unsigned char>(text[i])];
    if (value < 0) fail(i, "not in the alphabet");
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<char>(bits >> count & 0xFF));
  }
  if ((bits & ((1u << count) - 1)) != 0) fail(digits, "unused bits are not zero");
  return out;
}

inline std::string base64_encode(std::string_view bytes) {
  static constexpr char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (k < n ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k)
      out.push_back(k <= n ? digits[bits >> (18 - 6 * k) & 63] : '=');
  }
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI
