// SPDX-License-Identifier: Apache-2.0
// Cuts long texts for models that take short ones. A sentence ends with . ! ? or their relatives
// (quotes and brackets that close belong to it) before white space, or at a line's end; this knows
// no abbreviations.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/core/config.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

struct sentence {
  std::string_view text;
  std::string_view gap;  // white space up to the next sentence
};

// The sentences of a text; joined with their gaps they are the text from its first word on.
inline std::vector<sentence> split_sentences(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  constexpr std::array<std::string_view, 3> wide = {"。", "！", "？"};
  constexpr std::array<std::string_view, 7> closing = {"\"", "'", ")", "]", "”", "’", "»"};
  const auto starts = [&](const auto& any, std::size_t at) -> std::size_t {
    for (const std::string_view each : any)
      if (text.substr(at).starts_with(each)) return each.size();
    return 0;
  };
  std::vector<sentence> out;
  for (std::size_t at = std::min(text.find_first_not_of(space), text.size()); at < text.size();) {
    std::size_t end = at;
    for (bool ended = false; end < text.size() && !ended;) {
      const char c = text[end];
      if (c == '\n') break;
      const std::size_t own = starts(wide, end);
      end += std::max<std::size_t>(own, 1);
      if (!own && c != '.' && c != '!' && c != '?') continue;
      while (const std::size_t n = starts(closing, end)) end += n;
      ended = own || end == text.size() || space.find(text[end]) != space.npos;
    }
    const std::size_t next = std::min(text.find_first_not_of(space, end), text.size());
    out.push_back({text.substr(at, end - at), text.substr(end, next - end)});
    at = next;
  }
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::pipelines
