// SPDX-License-Identifier: Apache-2.0
// Character sets of regular expressions: ranges, properties (\p, \s, \w, \d, \h), nested and
// intersected sets. Unicode 16 properties and Oniguruma's (Ruby syntax) meaning of \w and \h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/error.hpp"
#include "parlance/tokenizers/unicode_normalize.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

// One character's simple case folding, enough for the patterns tokenizers use.
inline char32_t fold_case(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  if (c == 0x17F) return 's';
  char32_t out = c;
  int count = 0;
  unicode::impl::map_character(unicode_tables::lower_key, unicode_tables::lower_start,
                               unicode_tables::lower_pool, c, [&](char32_t l) {
                                 out = l;
                                 ++count;
                               });
  return count == 1 ? out : c;
}

// \w of Oniguruma inside a set: without the joiners that other engines count.
inline bool is_regex_word_in_set(char32_t c) {
  return c != 0x200C && c != 0x200D && unicode::is_word(c);
}
// \w and \b outside of sets also count superscript digits and fractions of Latin-1.
inline bool is_regex_word(char32_t c) {
  return is_regex_word_in_set(c) || c == 0xB2 || c == 0xB3 || c == 0xB9 || (c >= 0xBC && c <= 0xBE);
}

class regex_set {
 public:
  bool negated = false;

  void add(char32_t first, char32_t last) { ranges_.emplace_back(first, last); }
  void add(regex_set inner) {
    inner.in_set_ = true;
    nested_.push_back(std::move(inner));
  }
  void intersect(regex_set other) { intersected_.push_back(std::move(other)); }
  void add_categories(std::uint16_t categories) { categories_ |= categories; }
  void add_flags(std::uint8_t flags) { flags_ |= flags; }

  bool contains(char32_t c) const {
    bool inside = directly(c);
    for (const regex_set& other : intersected_) inside = inside && other.contains(c);
    return inside != negated;
  }
  bool contains_ignoring_case(char32_t c) const {
    if (contains(c)) return true;
    const char32_t folded = fold_case(c);
    if (folded != c && contains(folded)) return true;
    return folded >= 'a' && folded <= 'z' && contains(folded - 32);
  }

  // The set of the escape \s \w \d \h (upper case: the complement); false when it is none.
  static bool from_escape(char letter, regex_set& out) {
    switch (letter | 32) {
      case 's':
        out.add_flags(unicode::white_space);
        break;
      case 'd':
        out.add_categories(1 << unicode::nd);
        break;
      case 'h':
        out.add('0', '9'), out.add('a', 'f'), out.add('A', 'F');
        break;
      case 'w':
        out.words_ = true;
        break;
      default:
        return false;
    }
    out.negated = letter < 'a';
    return true;
  }

  static regex_set from_property(std::string_view name, bool negated) {
    regex_set out;
    out.negated = negated;
    if (!name.empty() && name[0] == '^') {
      out.negated = !negated;
      name.remove_prefix(1);
    }
    struct entry {
      std::string_view short_name, long_name;
      std::uint16_t categories;
    };
    using namespace unicode;
    static constexpr entry table[] = {{"L", "Letter", letters},
                                      {"Lu", "Uppercase_Letter", 1 << lu},
                                      {"Ll", "Lowercase_Letter", 1 << ll},
                                      {"Lt", "Titlecase_Letter", 1 << lt},
                                      {"Lm", "Modifier_Letter", 1 << lm},
                                      {"Lo", "Other_Letter", 1 << lo},
                                      {"N", "Number", numbers},
                                      {"Nd", "Decimal_Number", 1 << nd},
                                      {"M", "Mark", marks},
                                      {"P", "Punctuation", 1 << p},
                                      {"S", "Symbol", 1 << s},
                                      {"Z", "Separator", 1 << z},
                                      {"C", "Other", 1 << other}};
    for (const entry& e : table)
      if (name == e.short_name || name == e.long_name) {
        out.add_categories(e.categories);
        return out;
      }
    if (name == "Han") {
      for (const auto& [first, last] : han) out.add(first, last);
      return out;
    }
    throw unsupported_error("regular expression property '" + std::string(name) + "'",
                            "supported: L, Lu, Ll, Lt, Lm, Lo, N, Nd, M, P, S, Z, C, Han");
  }

 private:
  bool directly(char32_t c) const {
    const std::uint8_t x = unicode::properties(c);
    if (unicode::in(x, categories_) || (x & flags_) ||
        (words_ && (in_set_ ? is_regex_word_in_set(c) : is_regex_word(c))))
      return true;
    for (const auto& [first, last] : ranges_)
      if (c >= first && c <= last) return true;
    for (const regex_set& inner : nested_)
      if (inner.contains(c)) return true;
    return false;
  }

  // Script=Han, Unicode 16.
  static constexpr std::pair<char32_t, char32_t> han[] = {
      {0x2E80, 0x2E99},   {0x2E9B, 0x2EF3},   {0x2F00, 0x2FD5},   {0x3005, 0x3005},
      {0x3007, 0x3007},   {0x3021, 0x3029},   {0x3038, 0x303B},   {0x3400, 0x4DBF},
      {0x4E00, 0x9FFF},   {0xF900, 0xFA6D},   {0xFA70, 0xFAD9},   {0x16FE2, 0x16FE3},
      {0x16FF0, 0x16FF1}, {0x20000, 0x2A6DF}, {0x2A700, 0x2B739}, {0x2B740, 0x2B81D},
      {0x2B820, 0x2CEA1}, {0x2CEB0, 0x2EBE0}, {0x2EBF0, 0x2EE5D}, {0x2F800, 0x2FA1D},
      {0x30000, 0x3134A}, {0x31350, 0x323AF}};

  std::vector<std::pair<char32_t, char32_t>> ranges_;
  std::uint16_t categories_ = 0;
  std::uint8_t flags_ = 0;
  bool words_ = false, in_set_ = false;
  std::vector<regex_set> nested_, intersected_;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
