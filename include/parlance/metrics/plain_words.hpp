// SPDX-License-Identifier: Apache-2.0
// The words of texts that need none of the finer rules of nltk's word_tokenize: ASCII words with a
// mark behind them and the common clitics. Most lines are such, and this takes a third of the time.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "parlance/metrics/text.hpp"

namespace parlance::inline PARLANCE_ABI::metrics::detail {

// Appends the words of `text`, as views of it; returns false, and appends nothing, for a text that
// the full rules have to see.
class plain_words {
 public:
  plain_words(std::string_view text, words& out) : text_(text), out_(out) {}

  bool run() {
    const std::size_t before = out_.size();
    for (std::size_t i = 0; i < text_.size();) {
      if (text_[i] == ' ') {
        ++i;
        continue;
      }
      const std::size_t end = std::min(text_.find(' ', i), text_.size());
      if (!chunk(text_.substr(i, end - i), end == text_.size())) {
        out_.resize(before);
        return false;
      }
      i = end;
    }
    return true;
  }

 private:
  enum kind : std::uint8_t { other, letter, digit };
  static constexpr std::array<kind, 256> kinds = [] {
    std::array<kind, 256> t{};
    for (int c = 'a'; c <= 'z'; ++c)
      t[static_cast<std::size_t>(c)] = t[static_cast<std::size_t>(c - 32)] = letter;
    for (int c = '0'; c <= '9'; ++c) t[static_cast<std::size_t>(c)] = digit;
    return t;
  }();
  static kind kind_of(char c) { return kinds[static_cast<unsigned char>(c)]; }

  // What stands between two spaces: a word, perhaps a mark.
  bool chunk(std::string_view c, bool last) {
    std::size_t n = 0;
    bool letters = true;
    for (; n < c.size() && kind_of(c[n]) != other; ++n) letters &= kind_of(c[n]) == letter;
    if (n == 0) return false;
    const std::string_view first = c.substr(0, n);
    if (n == c.size()) return whole(first);
    if (c[n] == '\'') return letters && clitic(c, n);
    if (c[n] == '-') return hyphened(c);
    if (n + 1 != c.size()) return false;
    // A period in the middle ends a sentence unless an initial or a number stands before it.
    const bool period = c[n] == '.' && (last || (letters && n > 1));
    if (!period && std::string_view(",;:!?").find(c[n]) == std::string_view::npos) return false;
    whole(first);
    out_.push_back(c.substr(n));
    return true;
  }
  bool whole(std::string_view word) {
    const std::size_t cut = contraction(word);
    if (cut > 0) out_.push_back(word.substr(0, cut));
    out_.push_back(word.substr(cut));
    return true;
  }
  // it's, don't; with a comma perhaps.
  bool clitic(std::string_view c, std::size_t quote) {
    const bool comma = c.ends_with(',');
    const std::string_view word = c.substr(0, c.size() - comma), tail = word.substr(quote);
    std::size_t cut = quote;
    if (tail == "'t" && quote > 1 && word[quote - 1] == 'n')
      --cut;
    else if (tail != "'s" && tail != "'m" && tail != "'d" && tail != "'ll" && tail != "'re" &&
             tail != "'ve")
      return false;
    if (contraction(word.substr(0, quote)) > 0) return false;
    out_.push_back(word.substr(0, cut));
    out_.push_back(word.substr(cut));
    if (comma) out_.push_back(c.substr(c.size() - 1));
    return true;
  }
  // well-known; with a comma perhaps.
  bool hyphened(std::string_view c) {
    const bool comma = c.ends_with(',');
    const std::string_view word = c.substr(0, c.size() - comma);
    for (std::size_t begin = 0, i = 0; i <= word.size(); ++i) {
      if (i < word.size() && kind_of(word[i]) != other) continue;
      if (i == begin || (i < word.size() && word[i] != '-')) return false;
      if (contraction(word.substr(begin, i - begin)) > 0) return false;
      begin = i + 1;
    }
    out_.push_back(word);
    if (comma) out_.push_back(c.substr(c.size() - 1));
    return true;
  }
  // Where cannot, gimme, gonna, gotta, lemme and wanna come apart; 0 for other words.
  static std::size_t contraction(std::string_view word) {
    if (word.size() != 5 && word.size() != 6) return 0;
    char lower[6] = {};
    for (std::size_t i = 0; i < std::min(word.size(), sizeof lower); ++i)
      lower[i] = static_cast<char>(word[i] | 0x20);
    const std::string_view w(lower, word.size());
    for (const std::string_view known : {"cannot", "gimme", "gonna", "gotta", "lemme", "wanna"})
      if (w == known) return 3;
    return 0;
  }

  std::string_view text_;
  words& out_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics::detail
