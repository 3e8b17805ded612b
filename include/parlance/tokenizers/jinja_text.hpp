// SPDX-License-Identifier: Apache-2.0
// Python's text operations on UTF-8: code point indexing, white space, case, splitting, padding,
// the repr of strings, HTML escaping. Positions are code points, as in Python.
#pragma once

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/core/utf8.hpp"
#include "parlance/tokenizers/jinja_heap.hpp"
#include "parlance/tokenizers/python_real.hpp"
#include "parlance/tokenizers/python_text.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

inline std::size_t previous_start(std::string_view s, std::size_t end) {
  do --end;
  while (end > 0 && (static_cast<unsigned char>(s[end]) & 0xC0) == 0x80);
  return end;
}

// Byte offset of code point `index` (or the end).
inline std::size_t byte_offset(std::string_view s, std::size_t index) {
  std::size_t i = 0;
  while (index-- > 0 && i < s.size()) i += utf8_decode(s, i).length;
  return i;
}

template <class Drop>
std::string_view strip_if(std::string_view s, bool left, bool right, Drop drop) {
  while (left && !s.empty()) {
    const utf8_step step = utf8_decode(s, 0);
    if (!drop(step.code_point)) break;
    s.remove_prefix(step.length);
  }
  while (right && !s.empty()) {
    const std::size_t at = previous_start(s, s.size());
    if (!drop(utf8_decode(s, at).code_point)) break;
    s.remove_suffix(s.size() - at);
  }
  return s;
}

inline std::string_view strip_space(std::string_view s, bool left = true, bool right = true) {
  return strip_if(s, left, right, is_space);
}

inline std::string_view strip_chars(std::string_view s, std::string_view chars, bool left,
                                    bool right) {
  const std::u32string set = code_points(chars);
  return strip_if(s, left, right, [&](char32_t c) { return set.find(c) != std::u32string::npos; });
}

inline std::vector<std::string_view> split_space(std::string_view s, std::int64_t limit) {
  std::vector<std::string_view> parts;
  s = strip_space(s, true, false);
  while (!s.empty()) {
    if (limit >= 0 && static_cast<std::int64_t>(parts.size()) == limit) {
      parts.push_back(strip_space(s, false, true));
      break;
    }
    std::size_t i = 0;
    while (i < s.size() && !is_space(utf8_decode(s, i).code_point)) i += utf8_decode(s, i).length;
    parts.push_back(s.substr(0, i));
    s = strip_space(s.substr(i), true, false);
  }
  return parts;
}

inline std::vector<std::string_view> rsplit_space(std::string_view s, std::int64_t limit) {
  std::vector<std::string_view> parts;
  s = strip_space(s, false, true);
  while (!s.empty()) {
    if (limit >= 0 && static_cast<std::int64_t>(parts.size()) == limit) {
      parts.push_back(strip_space(s, true, false));
      break;
    }
    std::size_t i = s.size();
    while (i > 0 && !is_space(utf8_decode(s, previous_start(s, i)).code_point))
      i = previous_start(s, i);
    parts.push_back(s.substr(i));
    s = strip_space(s.substr(0, i), false, true);
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

inline std::vector<std::string_view> split_text(std::string_view s, std::string_view separator,
                                                std::int64_t limit) {
  std::vector<std::string_view> parts;
  std::size_t from = 0;
  while (limit < 0 || static_cast<std::int64_t>(parts.size()) < limit) {
    const std::size_t at = s.find(separator, from);
    if (at == std::string_view::npos) break;
    parts.push_back(s.substr(from, at - from));
    from = at + separator.size();
    require_list_size(parts.size());
  }
  parts.push_back(s.substr(from));
  return parts;
}

inline std::vector<std::string_view> rsplit_text(std::string_view s, std::string_view separator,
                                                 std::int64_t limit) {
  std::vector<std::string_view> parts;
  while (limit < 0 || static_cast<std::int64_t>(parts.size()) < limit) {
    if (s.size() < separator.size()) break;
    const std::size_t at = s.rfind(separator);
    if (at == std::string_view::npos) break;
    parts.push_back(s.substr(at + separator.size()));
    s = s.substr(0, at);
    require_list_size(parts.size());
  }
  parts.push_back(s);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

inline bool is_line_break(char32_t c) {
  return (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

inline std::vector<std::string_view> split_lines(std::string_view s, bool keep_ends) {
  std::vector<std::string_view> lines;
  std::size_t start = 0;
  for (std::size_t i = 0; i < s.size();) {
    const utf8_step step = utf8_decode(s, i);
    const std::size_t end = i;
    i += step.length;
    if (!is_line_break(step.code_point)) continue;
    if (step.code_point == '\r' && i < s.size() && s[i] == '\n') ++i;
    lines.push_back(s.substr(start, (keep_ends ? i : end) - start));
    start = i;
  }
  if (start < s.size()) lines.push_back(s.substr(start));
  require_list_size(lines.size());
  return lines;
}

inline std::string replace_text(std::string_view s, std::string_view old, std::string_view with,
                                std::int64_t limit) {
  std::string out;
  std::int64_t done = 0;
  std::size_t from = 0;
  const auto grow = [&](std::string_view piece) {
    require_text_size(out.size() + piece.size());
    out += piece;
  };
  while (limit < 0 || done < limit) {
    const std::size_t at = old.empty() ? from : s.find(old, from);
    if (at == std::string_view::npos || at > s.size()) break;
    if (old.empty()) {
      grow(with);
      if (at == s.size()) return out;
      const std::size_t length = utf8_decode(s, at).length;
      grow(s.substr(at, length));
      from = at + length;
    } else {
      grow(s.substr(from, at - from)), grow(with);
      from = at + old.size();
    }
    ++done;
  }
  grow(s.substr(from));
  return out;
}

inline std::int64_t count_text(std::string_view s, std::string_view piece) {
  if (piece.empty()) return static_cast<std::int64_t>(utf8_length(s)) + 1;
  std::int64_t count = 0;
  for (std::size_t at = s.find(piece); at != std::string_view::npos;
       at = s.find(piece, at + piece.size()))
    ++count;
  return count;
}

// Pads to `width` code points; align '<', '>' or '^' (str.center's own rounding is in its caller).
inline std::string pad_text(std::string_view s, std::int64_t width, char align,
                            std::string_view fill, bool python_center = false) {
  const std::int64_t length = static_cast<std::int64_t>(utf8_length(s));
  if (width <= length) return std::string(s);
  const std::size_t total = static_cast<std::size_t>(width - length);
  require_text_size(total);
  require_text_size(s.size() + total * fill.size());
  std::size_t left = align == '<' ? 0 : align == '>' ? total : total / 2;
  if (python_center) left += total & static_cast<std::size_t>(width) & 1;
  std::string out;
  for (std::size_t i = 0; i < left; ++i) out += fill;
  out += s;
  for (std::size_t i = left; i < total; ++i) out += fill;
  return out;
}

inline std::string escape_html(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  for (const char c : s) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

inline std::string to_upper(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  for (const char32_t c : code_points(s)) append_upper(out, c);
  return out;
}

inline std::string capitalize(std::string_view s) {
  const std::u32string points = code_points(s);
  if (points.empty()) return {};
  std::string out;
  append_title(out, points[0]);
  return out + to_lower(std::u32string_view(points).substr(1));
}

inline std::string integer_text(integer i, unsigned base = 10) {
  const bool negative = i < 0;
  unsigned __int128 rest =
      negative ? -static_cast<unsigned __int128>(i) : static_cast<unsigned __int128>(i);
  std::string out;
  do out += "0123456789abcdef"[static_cast<unsigned>(rest % base)], rest /= base;
  while (rest > 0);
  if (negative) out += '-';
  std::reverse(out.begin(), out.end());
  return out;
}

inline std::string repr_text(std::string_view s) {
  const char quote =
      s.find('\'') != std::string_view::npos && s.find('"') == std::string_view::npos ? '"' : '\'';
  std::string out(1, quote);
  for (std::size_t i = 0; i < s.size();) {
    const utf8_step step = utf8_decode(s, i);
    const char32_t c = step.code_point;
    char escape[16];
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out += '\\', out += static_cast<char>(c);
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (c >= ' ' && (c < 0x7F || (c >= 0x80 && is_printable(c)))) {
      out += s.substr(i, step.length);
    } else {
      const char* format = c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x";
      std::snprintf(escape, sizeof escape, format, static_cast<unsigned>(c));
      out += escape;
    }
    i += step.length;
  }
  return out + quote;
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja
