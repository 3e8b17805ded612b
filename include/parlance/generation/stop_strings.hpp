// SPDX-License-Identifier: Apache-2.0
// Finds the first stop string in text that arrives in pieces, however the pieces are cut: inside
// tokens and across their borders. One Knuth-Morris-Pratt automaton a string, so a byte costs
// constant time and no text is kept. The prompt's text can be fed first, since a stop string may
// begin there; a match must end in generated text (as transformers' StopStringCriteria).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/error.hpp"
#include "parlance/generation/option_types.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

class stop_string_matcher {
 public:
  struct match {
    std::size_t index = 0;   // which stop string
    std::size_t length = 0;  // of that string, in bytes
    std::size_t used = 0;    // bytes of the piece up to the end of the match
  };

  stop_string_matcher() = default;
  explicit stop_string_matcher(const text_list& strings) {
    for (const std::string& text : strings) {
      if (text.empty()) throw option_error("stop_strings: holds an empty string", "remove it");
      patterns_.push_back(make_pattern(text));
    }
  }

  bool empty() const { return patterns_.empty(); }

  // Text before the generated one; matches inside it do not count.
  void prime(std::string_view prompt) {
    std::size_t longest = 0;
    for (const pattern& each : patterns_) longest = std::max(longest, each.text.size());
    if (prompt.size() > longest) prompt.remove_prefix(prompt.size() - longest);
    for (pattern& each : patterns_)
      for (const char c : prompt) advance(each, c);
  }

  // The match that ends first in this piece (of several that end there, the longest); the bytes
  // after it are not looked at.
  std::optional<match> push(std::string_view piece) {
    std::optional<match> best;
    for (std::size_t i = 0; i < piece.size() && !best; ++i)
      for (std::size_t k = 0; k < patterns_.size(); ++k)
        if (advance(patterns_[k], piece[i]) && (!best || patterns_[k].text.size() > best->length))
          best = match{k, patterns_[k].text.size(), i + 1};
    return best;
  }

  // How many of the last bytes could be the beginning of a stop string.
  std::size_t pending() const {
    std::size_t most = 0;
    for (const pattern& each : patterns_)
      most = std::max(most, each.state == each.text.size() ? each.fallback.back() : each.state);
    return most;
  }

 private:
  struct pattern {
    std::string text;
    std::vector<std::size_t> fallback;  // by matched length - 1: the longest proper border
    std::size_t state = 0;              // matched length
  };

  static pattern make_pattern(const std::string& text) {
    pattern out{text, std::vector<std::size_t>(text.size(), 0), 0};
    for (std::size_t i = 1, border = 0; i < text.size(); ++i) {
      while (border > 0 && text[i] != text[border]) border = out.fallback[border - 1];
      if (text[i] == text[border]) ++border;
      out.fallback[i] = border;
    }
    return out;
  }
  static bool advance(pattern& at, char c) {
    if (at.state == at.text.size()) at.state = at.fallback.back();
    while (at.state > 0 && at.text[at.state] != c) at.state = at.fallback[at.state - 1];
    if (at.text[at.state] == c) ++at.state;
    return at.state == at.text.size();
  }

  std::vector<pattern> patterns_;
};

}  // namespace parlance::inline PARLANCE_ABI::generation
