// SPDX-License-Identifier: Apache-2.0
// The text operations that metrics share, as Python's str has them, with a fast path for ASCII and
// without an allocation a line: validation, rstrip, lower, splitting at white space.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/core/error.hpp"
#include "parlance/core/utf8.hpp"
#include "parlance/tokenizers/python_text.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

using words = std::vector<std::string_view>;

// is_ascii of core, eight bytes at a time.
inline bool all_ascii(std::string_view text) {
  const char* p = text.data();
  std::size_t n = text.size();
  std::uint64_t bits = 0, eight = 0;
  for (; n >= 8; p += 8, n -= 8) {
    std::memcpy(&eight, p, 8);
    bits |= eight;
  }
  for (; n > 0; ++p, --n) bits |= static_cast<unsigned char>(*p);
  return (bits & 0x8080808080808080u) == 0;
}

// Throws text_error naming the byte where `text` stops being UTF-8. Returns whether it is ASCII.
inline bool require_text(std::string_view text, std::string_view what) {
  if (all_ascii(text)) return true;
  require_utf8(text, what);
  return false;
}

// Bytes of the white space character at `p`, or 0 when there is none; p < end, valid UTF-8.
inline unsigned space_bytes(const char* p, const char* end) {
  const auto lead = static_cast<unsigned char>(*p);
  if (lead > ' ' && lead < 0x80) return 0;
  if (lead < 0x80) return tokenizers::jinja::is_space(lead);
  if (lead != 0xC2 && (lead < 0xE1 || lead > 0xE3)) return 0;
  const utf8_step step = utf8_decode({p, static_cast<std::size_t>(end - p)}, 0);
  return tokenizers::jinja::is_space(step.code_point) ? step.length : 0;
}

// str.split(): appends the words to `out`.
inline void split_words(std::string_view text, words& out) {
  const char *p = text.data(), *end = p + text.size();
  while (true) {
    unsigned space = 0;
    while (p < end && (space = space_bytes(p, end)) > 0) p += space;
    if (p == end) return;
    const char* begin = p;
    while (p < end && space_bytes(p, end) == 0) ++p;
    out.emplace_back(begin, static_cast<std::size_t>(p - begin));
  }
}

// str.rstrip().
inline std::string_view strip_right(std::string_view text) {
  while (!text.empty()) {
    std::size_t at = text.size() - 1;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
    if (space_bytes(text.data() + at, text.data() + text.size()) == 0) break;
    text.remove_suffix(text.size() - at);
  }
  return text;
}

// str.strip().
inline std::string_view strip(std::string_view text) {
  text = strip_right(text);
  while (!text.empty()) {
    const unsigned space = space_bytes(text.data(), text.data() + text.size());
    if (space == 0) break;
    text.remove_prefix(space);
  }
  return text;
}

// str.lower() into `out`, whose storage is reused.
inline void lower_into(std::string_view text, std::string& out) {
  if (!all_ascii(text)) {
    out = tokenizers::jinja::to_lower(std::u32string_view(tokenizers::jinja::code_points(text)));
    return;
  }
  out.assign(text);
  for (char& c : out) c = static_cast<char>(c + ((c >= 'A' && c <= 'Z') ? 32 : 0));
}

// string.punctuation.
inline bool is_ascii_punctuation(char32_t c) {
  return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) ||
         (c >= 123 && c <= 126);
}

}  // namespace parlance::inline PARLANCE_ABI::metrics
