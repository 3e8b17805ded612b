// SPDX-License-Identifier: Apache-2.0
// Where sentences end, for text that comes character by character, and the sentences of a text.
#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/core/utf8.hpp"
#include "parlance/tokenizers/unicode.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

namespace detail {

inline bool is_blank(std::string_view character) {
  return tokenizers::unicode::is_white_space(utf8_decode(character, 0).code_point);
}
inline bool is_one_of(std::string_view character, std::string_view set) {
  return !character.empty() && set.find(character) != set.npos;
}

}  // namespace detail

// Says after which characters a sentence is over: a stop, quotes and brackets that close, then
// white space or the end; but not after an abbreviation or a single letter. A newline always ends.
class sentence_ends {
 public:
  // True when the text before `c` ends a sentence (`c` is empty at the end of the text).
  bool before(std::string_view c) const {
    return stopped_ && (c.empty() || wide_ || detail::is_blank(c)) &&
           !detail::is_one_of(c, closers);
  }
  void push(std::string_view c) {
    if (detail::is_one_of(c, "…。！？")) {
      stopped_ = true;
      wide_ = c != "…";
    } else if (c == "!" || c == "?" || (c == "." && !abbreviated())) {
      stopped_ = true;
      wide_ = false;
    } else if (c == "\n") {
      stopped_ = true;
      wide_ = true;
    } else if (!detail::is_one_of(c, closers)) {
      stopped_ = wide_ = false;
    }
    if (detail::is_blank(c) || detail::is_one_of(c, "([\"'“‘"))
      word_.clear();
    else if (word_.size() < 24)
      word_ += c;
  }

 private:
  static constexpr std::string_view closers = "\"')]}»”’*_」』）";

  bool abbreviated() const {
    static constexpr std::array<std::string_view, 24> known = {
        "mr", "mrs", "ms",  "dr",  "prof", "st",  "jr",  "sr", "vs",     "etc",  "e.g", "i.e",
        "cf", "no",  "inc", "ltd", "co",   "fig", "vol", "pp", "approx", "dept", "gen", "rev"};
    if (word_.size() == 1) return std::isupper(static_cast<unsigned char>(word_[0])) != 0;
    std::string lower;
    for (const char c : word_)
      lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return std::find(known.begin(), known.end(), lower) != known.end();
  }

  bool stopped_ = false, wide_ = false;
  std::string word_;
};

struct sentence {
  std::string_view text;
  std::string_view gap;  // white space up to the next sentence
};

// The sentences of a text; joined with their gaps they are the text from its first word on.
inline std::vector<sentence> split_sentences(std::string_view text) {
  std::vector<sentence> out;
  sentence_ends ends;
  std::size_t begin = 0, end = 0;  // of the sentence so far, white space at its edges left out
  const auto close = [&] {
    if (begin == end) return;
    const std::string_view rest = text.substr(end);
    out.push_back({text.substr(begin, end - begin), rest});
  };
  for (std::size_t i = 0; i < text.size();) {
    const std::string_view c = text.substr(i, utf8_decode(text, i).length);
    if (ends.before(c)) {
      close();
      begin = end = i;
    }
    ends.push(c);
    i += c.size();
    if (detail::is_blank(c)) {
      if (begin == end) begin = end = i;
    } else {
      if (begin == end && !out.empty()) {
        std::string_view& gap = out.back().gap;
        gap = gap.substr(0, gap.size() - (text.size() - begin));
      }
      end = i;
    }
  }
  close();
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::pipelines
