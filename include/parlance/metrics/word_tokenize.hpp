// SPDX-License-Identifier: Apache-2.0
// nltk's word_tokenize (3.10.4): sentences by Punkt, then words by the improved Treebank rules
// (tokenize/destructive.py), one replacement after the other as there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "parlance/metrics/plain_words.hpp"
#include "parlance/metrics/punkt.hpp"
#include "parlance/metrics/text.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

namespace detail {

class treebank {
 public:
  explicit treebank(points_view sentence) : s_(sentence) {
    for (const char32_t c : sentence) c < 128 ? has_[c] = true : has_[0] = true;
  }
  points run() {
    const bool quotes = has_any(U"'\"`");
    if (quotes) opening_quotes();
    punctuation();
    if (has_any(U"][(){}<>")) around(U"][(){}<>");
    if (has_any(U"-")) pairs(U'-', U'-', U" -- ");
    s_ = U" " + s_ + U" ";
    if (quotes) closing_quotes();
    contractions();
    return std::move(s_);
  }

 private:
  // Whether one of these stands in the text, or something beyond ASCII. Most rules have nothing to
  // do.
  bool has_any(points_view set) const {
    bool any = has_[0];
    for (const char32_t c : set) any |= has_[c];
    return any;
  }
  // Spaces around each character of the set.
  void around(points_view set) {
    if (s_.find_first_of(set) == s_.npos) return;
    points out;
    for (const char32_t c : s_) {
      if (in_set(c, set))
        out += U' ', out += c, out += U' ';
      else
        out += c;
    }
    s_ = std::move(out);
  }
  // Two characters, found without overlap, become `to`.
  void pairs(char32_t a, char32_t b, points_view to) {
    points out;
    for (std::size_t i = 0; i < s_.size(); ++i) {
      if (s_[i] == a && i + 1 < s_.size() && s_[i + 1] == b)
        out += to, ++i;
      else
        out += s_[i];
    }
    s_ = std::move(out);
  }
  // Spaces around each run of `c` of at least `least`.
  void around_runs(char32_t c, std::size_t least) {
    if (s_.find(c) == s_.npos) return;
    points out;
    for (std::size_t i = 0; i < s_.size();) {
      std::size_t end = i;
      while (end < s_.size() && s_[end] == c) ++end;
      if (end - i >= least && end > i) {
        out += U' ';
        out.append(s_, i, end - i);
        out += U' ';
        i = end;
      } else if (end > i) {
        out.append(s_, i, end - i);
        i = end;
      } else {
        out += s_[i++];
      }
    }
    s_ = std::move(out);
  }

  void opening_quotes() {
    around(U"\u00AB\u201C\u2018\u201E");
    around_runs(U'`', 1);
    if (!s_.empty() && s_[0] == U'"') s_.replace(0, 1, U"``");
    pairs(U'`', U'`', U" `` ");
    points out;
    for (std::size_t i = 0; i < s_.size(); ++i) {
      out += s_[i];
      if (!in_set(s_[i], U" ([{<") || i + 1 >= s_.size()) continue;
      const bool two = s_[i + 1] == U'\'' && i + 2 < s_.size() && s_[i + 2] == U'\'';
      if (s_[i + 1] != U'"' && !two) continue;
      out += U" `` ";
      i += two ? 2 : 1;
    }
    s_.clear();
    for (std::size_t i = 0; i < out.size(); ++i) {
      s_ += out[i];
      if (out[i] == U'\'' && (i == 0 || !python_word(out[i - 1])) && i + 1 < out.size() &&
          python_word(out[i + 1]) && !clitic(out, i + 1))
        s_ += U' ';
    }
  }
  // Whether re, ve, ll, m, t, s, d or n stands there as a whole word.
  static bool clitic(const points& s, std::size_t i) {
    for (const points_view c : {U"re", U"ve", U"ll", U"m", U"t", U"s", U"d", U"n"}) {
      bool same = i + c.size() <= s.size();
      for (std::size_t k = 0; same && k < c.size(); ++k)
        // (?i) also takes the long s for an s.
        same = ascii_lower(s[i + k]) == c[k] || (c[k] == U's' && s[i + k] == 0x17F);
      if (same && (i + c.size() == s.size() || !python_word(s[i + c.size()]))) return true;
    }
    return false;
  }

  void punctuation() {
    final_period(U"])}>\"' \u00BB\u201D\u2019", true);
    if (has_any(U":,")) colons();
    if (s_.find(U"..") != s_.npos) around_runs(U'.', 2);
    if (has_any(U";@#$%&")) around(U";@#$%&");
    if (has_[0]) around(U"\u2012\u2013\u2014\u2015");
    final_period(U"])}>\"'", false);
    if (has_any(U"?!")) around(U"?!");
    if (has_any(U"'")) quote_before_space();
    if (has_any(U"*")) around(U"*");
  }
  void colons() {
    points out;
    for (std::size_t i = 0; i < s_.size(); ++i) {
      if (in_set(s_[i], U":,") && i + 1 < s_.size() && !decimal(s_[i + 1])) {
        out += {U' ', s_[i], U' ', s_[i + 1]};
        ++i;
      } else {
        out += s_[i];
      }
    }
    s_ = std::move(out);
    // `$` also stands before a final line break.
    std::size_t last = s_.size();
    if (last > 0 && s_[last - 1] == U'\n' && last > 1 && in_set(s_[last - 2], U":,")) --last;
    if (last > 0 && in_set(s_[last - 1], U":,"))
      s_.replace(last - 1, 1, points{U' ', s_[last - 1], U' '});
  }
  // A period that only closing marks and white space follow, with something else than a period
  // before it.
  void final_period(points_view closing, bool spaced) {
    std::size_t end = s_.size();
    while (end > 0 && space(s_[end - 1])) --end;
    std::size_t marks = end;
    while (marks > 0 && in_set(s_[marks - 1], closing)) --marks;
    // White space may stand among the closing marks of the first rule, not the second.
    if (spaced) {
      end = s_.size();
      std::size_t stop = marks;
      end = stop;
      while (end < s_.size() && in_set(s_[end], closing)) ++end;
    }
    if (marks < 2 || s_[marks - 1] != U'.' || s_[marks - 2] == U'.') return;
    const points tail = s_.substr(marks, end - marks);
    s_.resize(marks - 1);
    s_ += U" .";
    if (spaced) s_ += U' ';
    s_ += tail;
    s_ += U' ';
  }
  void quote_before_space() {
    points out;
    for (std::size_t i = 0; i < s_.size(); ++i) {
      if (s_[i] != U'\'' && i + 2 < s_.size() && s_[i + 1] == U'\'' && s_[i + 2] == U' ') {
        out += s_[i];
        out += U" ' ";
        i += 2;
      } else {
        out += s_[i];
      }
    }
    s_ = std::move(out);
  }

  void closing_quotes() {
    around(U"\u00BB\u201D\u2019");
    pairs(U'\'', U'\'', U" '' ");
    points out;
    for (const char32_t c : s_) {
      if (c == U'"')
        out += U" '' ";
      else
        out += c;
    }
    s_.clear();
    for (const char32_t c : out)
      if (!space(c))
        s_ += c;
      else if (s_.empty() || s_.back() != U' ')
        s_ += U' ';
    split_before_space({U"'s", U"'S", U"'m", U"'M", U"'d", U"'D", U"'"});
    split_before_space({U"'ll", U"'LL", U"'re", U"'RE", U"'ve", U"'VE", U"n't", U"N'T"});
  }
  // ([^' ])(ending) -> both apart, where a space follows.
  void split_before_space(std::initializer_list<points_view> endings) {
    points out;
    for (std::size_t i = 0; i < s_.size();) {
      std::size_t taken = 0;
      if (s_[i] != U'\'' && s_[i] != U' ')
        for (const points_view e : endings) {
          const points_view rest = points_view(s_).substr(i + 1);
          if (!rest.starts_with(e) || rest.size() <= e.size() || rest[e.size()] != U' ') continue;
          out += s_[i];
          out += U' ';
          out += e;
          out += U' ';
          taken = e.size() + 2;
          break;
        }
      if (taken == 0) out += s_[i];
      i += taken == 0 ? 1 : taken;
    }
    s_ = std::move(out);
  }

  void contractions() {
    bool any = false;
    for (std::size_t i = 0; !any && i + 3 < s_.size(); ++i)
      if (in_set(ascii_lower(s_[i]), U"cdglmw'") && (i == 0 || !python_word(s_[i - 1])))
        for (const points_view start : {U"cann", U"d'ye", U"gimm", U"gonn", U"gott", U"lemm",
                                        U"more", U"wann", U"'tis", U"'twa"})
          any = any || stands(i, start);
    if (!any) return;
    apart(U"can", U"not");
    apart(U"d", U"'ye");
    apart(U"gim", U"me");
    apart(U"gon", U"na");
    apart(U"got", U"ta");
    apart(U"lem", U"me");
    apart(U"more", U"'n");
    apart(U"wan", U"na", true);
    after_space(U"'t", U"is");
    after_space(U"'t", U"was");
  }
  bool stands(std::size_t i, points_view word) const {
    if (i + word.size() > s_.size()) return false;
    for (std::size_t k = 0; k < word.size(); ++k)
      if (ascii_lower(s_[i + k]) != word[k] && !(word[k] == U's' && s_[i + k] == 0x17F))
        return false;
    return true;
  }
  bool border(std::size_t i) const {
    const bool before = i > 0 && python_word(s_[i - 1]);
    return before != (i < s_.size() && python_word(s_[i]));
  }
  void apart(points_view first, points_view second, bool before_space = false) {
    points out;
    const std::size_t n = first.size() + second.size();
    for (std::size_t i = 0; i < s_.size();) {
      const bool here = stands(i, first) && stands(i + first.size(), second) && border(i) &&
                        (before_space ? i + n < s_.size() && space(s_[i + n]) : border(i + n));
      if (!here) {
        out += s_[i++];
        continue;
      }
      out += U' ' + s_.substr(i, first.size()) + U' ' + s_.substr(i + first.size(), second.size()) +
             U' ';
      i += n;
    }
    s_ = std::move(out);
  }
  void after_space(points_view first, points_view second) {
    points out;
    const std::size_t n = first.size() + second.size();
    for (std::size_t i = 0; i < s_.size();) {
      const bool here = s_[i] == U' ' && stands(i + 1, first) &&
                        stands(i + 1 + first.size(), second) && border(i + 1 + n);
      if (!here) {
        out += s_[i++];
        continue;
      }
      out += U' ' + s_.substr(i + 1, first.size()) + U' ' +
             s_.substr(i + 1 + first.size(), second.size()) + U' ';
      i += n + 1;
    }
    s_ = std::move(out);
  }

  points s_;
  bool has_[128] = {};  // [0]: something beyond ASCII
};

}  // namespace detail

// Appends the words of `text`; they are views of it or of `buffer`.
inline void word_tokenize(std::string_view text, std::string& buffer, words& out) {
  if (detail::plain_words(text, out).run()) return;
  const std::u32string all = tokenizers::jinja::code_points(text);
  buffer.clear();
  for (const detail::points_view sentence : detail::punkt(all).sentences()) {
    for (const char32_t c : detail::treebank(sentence).run()) utf8_append(buffer, c);
    buffer += ' ';
  }
  split_words(buffer, out);
}

}  // namespace parlance::inline PARLANCE_ABI::metrics
