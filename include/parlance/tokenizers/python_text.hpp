// SPDX-License-Identifier: Apache-2.0
// str.isspace and str.lower of Python on UTF-8, and code points. Case mapping follows Unicode
// (jinja_case_tables.hpp). Light to include: metrics use it without the templates.
#pragma once

#include <string>
#include <string_view>

#include "parlance/core/utf8.hpp"
#include "parlance/tokenizers/jinja_case_tables.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::jinja {

// str.isspace of Python.
inline bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

inline std::u32string code_points(std::string_view s) {
  std::u32string out;
  out.reserve(s.size());
  for (std::size_t i = 0; i < s.size();) {
    const utf8_step step = utf8_decode(s, i);
    out.push_back(step.code_point);
    i += step.length;
  }
  return out;
}

inline std::string from_code_points(std::u32string_view s) {
  std::string out;
  out.reserve(s.size());
  for (const char32_t c : s) utf8_append(out, c);
  return out;
}

// str.lower: a capital sigma at the end of a word becomes the final form.
inline std::string to_lower(std::u32string_view s) {
  std::string out;
  out.reserve(s.size());
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s[i] != 0x3A3) {
      append_lower(out, s[i]);
      continue;
    }
    std::size_t before = i, after = i + 1;
    while (before > 0 && is_case_ignorable(s[before - 1])) --before;
    while (after < s.size() && is_case_ignorable(s[after])) ++after;
    const bool final_form =
        before > 0 && is_cased(s[before - 1]) && !(after < s.size() && is_cased(s[after]));
    utf8_append(out, final_form ? 0x3C2 : 0x3C3);
  }
  return out;
}

inline std::string to_lower(std::string_view s) {
  if (!is_ascii(s)) return to_lower(std::u32string_view(code_points(s)));
  std::string out(s);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::jinja
