// SPDX-License-Identifier: Apache-2.0
// The Porter stemmer with nltk's extensions (Porter 1980; nltk 3.10.4, stem/porter.py, mode
// NLTK_EXTENSIONS), which rouge_score and METEOR use. Words are lower case.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

#include "parlance/core/utf8.hpp"
#include "parlance/tokenizers/python_text.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

namespace detail {

class porter {
 public:
  using view = std::u32string_view;

  explicit porter(view word) : word_(word) {}
  std::u32string stem() {
    if (word_.size() > 2) {
      plurals();
      past();
      if (ends(U"y") && word_.size() > 2 && consonant(word_.size() - 2)) word_.back() = U'i';
      endings();
      apply(third);
      fourth();
      final_e();
      if (ends(U"ll") && measure(word_.size() - 1) > 1) word_.pop_back();
    }
    return word_;
  }

 private:
  struct rule {
    view suffix, replacement;
  };
  static constexpr rule second[] = {
      {U"ational", U"ate"}, {U"tional", U"tion"}, {U"enci", U"ence"},   {U"anci", U"ance"},
      {U"izer", U"ize"},    {U"bli", U"ble"},     {U"alli", U"al"},     {U"entli", U"ent"},
      {U"eli", U"e"},       {U"ousli", U"ous"},   {U"ization", U"ize"}, {U"ation", U"ate"},
      {U"ator", U"ate"},    {U"alism", U"al"},    {U"iveness", U"ive"}, {U"fulness", U"ful"},
      {U"ousness", U"ous"}, {U"aliti", U"al"},    {U"iviti", U"ive"},   {U"biliti", U"ble"},
      {U"fulli", U"ful"}};
  static constexpr rule third[] = {{U"icate", U"ic"}, {U"ative", U""},  {U"alize", U"al"},
                                   {U"iciti", U"ic"}, {U"ical", U"ic"}, {U"ful", U""},
                                   {U"ness", U""}};
  static constexpr view fourth_suffixes[] = {
      U"al",  U"ance", U"ence", U"er",  U"ic",  U"able", U"ible", U"ant", U"ement", U"ment",
      U"ent", U"ion",  U"ou",   U"ism", U"ate", U"iti",  U"ous",  U"ive", U"ize"};

  static bool vowel(char32_t c) {
    return c == U'a' || c == U'e' || c == U'i' || c == U'o' || c == U'u';
  }
  bool consonant(std::size_t i) const {
    if (vowel(word_[i])) return false;
    return word_[i] != U'y' || i == 0 || !consonant(i - 1);
  }
  // How often a vowel is followed by a consonant in the first n letters.
  int measure(std::size_t n) const {
    int count = 0;
    bool before = true;
    for (std::size_t i = 0; i < n; ++i) {
      const bool now = vowel(word_[i]) ? false : word_[i] != U'y' || i == 0 || !before;
      count += i > 0 && now && !before;
      before = now;
    }
    return count;
  }
  bool has_vowel(std::size_t n) const {
    for (std::size_t i = 0; i < n; ++i)
      if (!consonant(i)) return true;
    return false;
  }
  bool consonant_vowel_consonant(std::size_t n) const {
    if (n == 2) return !consonant(0) && consonant(1);
    if (n < 3 || !consonant(n - 3) || consonant(n - 2) || !consonant(n - 1)) return false;
    return word_[n - 1] != U'w' && word_[n - 1] != U'x' && word_[n - 1] != U'y';
  }
  bool ends(view suffix) const { return view(word_).ends_with(suffix); }
  std::size_t before(view suffix) const { return word_.size() - suffix.size(); }
  void replace(view suffix, view replacement) {
    word_.resize(before(suffix));
    word_ += replacement;
  }
  // The first rule whose suffix fits decides, also when its condition then fails.
  bool apply(std::span<const rule> rules) {
    for (const rule& r : rules) {
      if (!ends(r.suffix)) continue;
      if (measure(before(r.suffix)) > 0) replace(r.suffix, r.replacement);
      return true;
    }
    return false;
  }

  void plurals() {
    if (ends(U"ies"))
      replace(U"ies", word_.size() == 4 ? U"ie" : U"i");
    else if (ends(U"sses"))
      replace(U"sses", U"ss");
    else if (ends(U"s") && !ends(U"ss"))
      word_.pop_back();
  }
  void past() {
    if (ends(U"ied")) return replace(U"ied", word_.size() == 4 ? U"ie" : U"i");
    if (ends(U"eed")) {
      if (measure(word_.size() - 3) > 0) word_.pop_back();
      return;
    }
    const view suffix = ends(U"ed") ? view(U"ed") : ends(U"ing") ? view(U"ing") : view();
    if (suffix.empty() || !has_vowel(before(suffix))) return;
    replace(suffix, U"");
    const std::size_t n = word_.size();
    if (ends(U"at") || ends(U"bl") || ends(U"iz")) {
      word_ += U'e';
    } else if (n >= 2 && word_[n - 1] == word_[n - 2] && consonant(n - 1)) {
      if (word_[n - 1] != U'l' && word_[n - 1] != U's' && word_[n - 1] != U'z') word_.pop_back();
    } else if (measure(n) == 1 && consonant_vowel_consonant(n)) {
      word_ += U'e';
    }
  }
  void endings() {
    while (ends(U"alli") && measure(word_.size() - 4) > 0) replace(U"alli", U"al");
    if (!apply(second) && ends(U"logi") && measure(word_.size() - 3) > 0) word_.pop_back();
  }
  void fourth() {
    for (const view suffix : fourth_suffixes) {
      if (!ends(suffix)) continue;
      const std::size_t n = before(suffix);
      const bool fits =
          suffix != U"ion" || (n > 0 && (word_[n - 1] == U's' || word_[n - 1] == U't'));
      if (measure(n) > 1 && fits) word_.resize(n);
      return;
    }
  }
  void final_e() {
    if (!ends(U"e")) return;
    const std::size_t n = word_.size() - 1;
    const int m = measure(n);
    if (m > 1 || (m == 1 && !consonant_vowel_consonant(n))) word_.pop_back();
  }

  std::u32string word_;
};

}  // namespace detail

// The stem of a lower case word.
inline std::string porter_stem(std::string_view word) {
  constexpr std::string_view irregular[][2] = {
      {"sky", "sky"},        {"skies", "sky"},        {"dying", "die"},
      {"lying", "lie"},      {"tying", "tie"},        {"news", "news"},
      {"innings", "inning"}, {"inning", "inning"},    {"outings", "outing"},
      {"outing", "outing"},  {"cannings", "canning"}, {"canning", "canning"},
      {"howe", "howe"},      {"proceed", "proceed"},  {"exceed", "exceed"},
      {"succeed", "succeed"}};
  for (const auto& [form, stem] : irregular)
    if (form == word) return std::string(stem);
  return tokenizers::jinja::from_code_points(
      detail::porter(tokenizers::jinja::code_points(word)).stem());
}

}  // namespace parlance::inline PARLANCE_ABI::metrics
