// SPDX-License-Identifier: Apache-2.0
// Sentences by Punkt without trained tables (Kiss and Strunk 2006; nltk 3.10.4, tokenize/punkt.py).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "parlance/metrics/text.hpp"
#include "parlance/tokenizers/unicode.hpp"

namespace parlance::inline PARLANCE_ABI::metrics::detail {

using points = std::u32string;
using points_view = std::u32string_view;

inline bool in_set(char32_t c, points_view set) { return set.find(c) != set.npos; }
inline bool python_word(char32_t c) {
  namespace unicode = tokenizers::unicode;
  return c == U'_' || unicode::in(unicode::properties(c), unicode::letters | unicode::numbers);
}
inline bool space(char32_t c) { return tokenizers::jinja::is_space(c); }
inline char32_t ascii_lower(char32_t c) { return c >= U'A' && c <= U'Z' ? c + 32 : c; }
// \d of Python.
inline bool decimal(char32_t c) {
  namespace unicode = tokenizers::unicode;
  return unicode::in(unicode::properties(c), 1 << unicode::nd);
}

// Punkt with empty tables: a sentence ends at ? and !, and at the period of a token unless that is
// an initial or a number with lower case or punctuation after it, or an ellipsis.
class punkt {
 public:
  explicit punkt(points_view text) : text_(text) {}
  std::vector<points_view> sentences() const {
    std::vector<points_view> cut;
    std::size_t from = 0;
    std::size_t i = 0;
    while ((i = text_.find_first_of(U".?!", i)) != text_.npos) {
      const std::size_t next = i + 1;
      const bool closes = next < text_.size() && non_word(text_[next]);
      std::size_t token = next;
      while (token < text_.size() && space(text_[token])) ++token;
      const bool spaced = token > next && token < text_.size();
      if (!closes && !spaced) {
        ++i;
        continue;
      }
      const points_view after = closes ? text_.substr(next, 1) : word_at(token);
      // The last of several candidates in one word decides.
      std::size_t word_end = next;
      while (word_end < text_.size() && !space(text_[word_end])) ++word_end;
      if (!later_candidate(next, word_end) && breaks(i, after)) {
        cut.push_back(text_.substr(from, next - from));
        from = closes ? next : token;
      }
      ++i;
    }
    std::size_t end = text_.size();
    while (end > from && space(text_[end - 1])) --end;
    if (end > from) cut.push_back(text_.substr(from, end - from));
    return realigned(cut);
  }

 private:
  static constexpr points_view no_start = U"(\"`{[:;&#*@)}]-,";
  static bool non_word(char32_t c) {
    return in_set(c, U")\";}]*:@'({[?!\u2018\u2019\u201C\u201D\u00AB\u00BB");
  }
  bool later_candidate(std::size_t from, std::size_t to) const {
    for (std::size_t i = from; i < to; ++i) {
      if (!in_set(text_[i], U".?!")) continue;
      if (i + 1 < text_.size() && non_word(text_[i + 1])) return true;
      if (i + 1 == to && to < text_.size()) {
        std::size_t token = to;
        while (token < text_.size() && space(text_[token])) ++token;
        if (token < text_.size()) return true;
      }
    }
    return false;
  }
  points_view word_at(std::size_t i) const {
    std::size_t end = i;
    while (end < text_.size() && !space(text_[end])) ++end;
    return text_.substr(i, end - i);
  }
  // Size of the token that starts at `i` of a word: dashes, periods, or up to what cannot be within
  // words.
  static std::size_t token_size(points_view word, std::size_t i) {
    const auto run = [&](std::size_t at) {
      std::size_t n = 0;
      while (at + n < word.size() && word[at + n] == word[at]) ++n;
      return at < word.size() && in_set(word[at], U"-.") && n > 1 ? n : 0;
    };
    if (const std::size_t n = run(i)) return n;
    if (in_set(word[i], no_start)) return 1;
    const auto ends = [&](std::size_t at) {
      return at == word.size() || non_word(word[at]) || run(at) > 0;
    };
    std::size_t end = i + 1;
    while (!ends(end) && !(word[end] == U',' && ends(end + 1))) ++end;
    return end - i;
  }
  // Whether Punkt finds the end of a sentence after any token but the last of the word that ends at
  // `i`, with its mark, and of what comes after it.
  bool breaks(std::size_t i, points_view after) const {
    std::size_t begin = i;
    while (begin > 0 && !space(text_[begin - 1])) --begin;
    const points_view word = text_.substr(begin, i + 1 - begin);
    for (std::size_t at = 0, next = 0; at < word.size(); at = next) {
      next = at + token_size(word, at);
      const points_view rest = next < word.size() ? word.substr(next) : after;
      if (token_breaks(word.substr(at, next - at), rest.substr(0, token_size(rest, 0))))
        return true;
    }
    for (std::size_t at = 0;;) {
      const std::size_t next = at + token_size(after, at);
      if (next >= after.size()) return false;
      if (token_breaks(after.substr(at, next - at), after.substr(next, token_size(after, next))))
        return true;
      at = next;
    }
  }
  // Whether a sentence ends with the token, given that which follows.
  static bool token_breaks(points_view token, points_view next) {
    if (token == U"?" || token == U"!" || token == U".") return true;
    if (!token.ends_with(U'.') || token[token.size() - 2] == U'.') return false;
    const auto properties = tokenizers::unicode::properties(next[0]);
    const bool mark = next.size() == 1 && in_set(next[0], U";:,!?.");
    const bool lower = tokenizers::unicode::in(properties, 1 << tokenizers::unicode::ll);
    const bool upper = tokenizers::unicode::in(properties, 1 << tokenizers::unicode::lu);
    const bool initial = token.size() == 2 && tokenizers::unicode::is_letter(token[0]);
    std::size_t digit = token.starts_with(U'-');
    digit += digit < token.size() && in_set(token[digit], U".,");
    bool number = decimal(token[digit]);
    for (std::size_t k = digit; k + 1 < token.size(); ++k)
      number = number && (in_set(token[k], U".,-") || decimal(token[k]));
    if ((initial || number) && (mark || lower)) return false;
    return !(initial && upper);
  }
  // Closing marks at the start of a sentence belong to the one before.
  static std::vector<points_view> realigned(const std::vector<points_view>& cut) {
    std::vector<points_view> out;
    for (points_view sentence : cut) {
      std::size_t n = 0;
      while (n < sentence.size() &&
             in_set(sentence[n], U"\"')]}\u2018\u2019\u201C\u201D\u00AB\u00BB"))
        ++n;
      const bool closes = n > 0 && (n == sentence.size() || space(sentence[n]));
      if (closes && !out.empty()) {
        out.back() = points_view(out.back().data(),
                                 static_cast<std::size_t>(sentence.data() + n - out.back().data()));
        while (n < sentence.size() && space(sentence[n])) ++n;
        sentence.remove_prefix(n);
      }
      if (!sentence.empty()) out.push_back(sentence);
    }
    return out;
  }
  points_view text_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics::detail
