// SPDX-License-Identifier: Apache-2.0
// Character properties as the Hugging Face tokenizers library sees them: categories and the flags
// White_Space, word (\w), numeric and punctuation, from the generated tables. Also the unchecked
// UTF-8 decoder for text that was validated on entry. Not a general Unicode library.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "parlance/core/config.hpp"
#include "parlance/tokenizers/unicode_tables.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers::unicode {

// A property byte: the low four bits are the category, the others are flags.
enum category : std::uint8_t { other, lu, ll, lt, lm, lo, nd, nl_no, m, p, s, z };
inline constexpr std::uint8_t white_space = 0x10, word = 0x20, numeric = 0x40, punctuation = 0x80;

// Sets of categories, one bit each.
inline constexpr std::uint16_t letters = 1 << lu | 1 << ll | 1 << lt | 1 << lm | 1 << lo;
inline constexpr std::uint16_t numbers = 1 << nd | 1 << nl_no;
inline constexpr std::uint16_t marks = 1 << m;

constexpr std::uint8_t properties(char32_t c) {
  if (c > 0x10FFFF) return 0;
  return unicode_tables::class_data[unicode_tables::class_index[c >> 7] * 128u + (c & 127)];
}
constexpr bool in(std::uint8_t property_byte, std::uint16_t categories) {
  return (categories >> (property_byte & 15)) & 1;
}
constexpr bool is_letter(char32_t c) { return in(properties(c), letters); }
constexpr bool is_white_space(char32_t c) { return properties(c) & white_space; }
constexpr bool is_word(char32_t c) { return properties(c) & word; }
constexpr bool is_numeric(char32_t c) { return properties(c) & numeric; }
constexpr bool is_punctuation(char32_t c) { return properties(c) & punctuation; }

// The details of a character: its class for grapheme clusters in the low four bits, its part in
// Indic conjuncts in the next two, then flags.
enum class grapheme_class : std::uint8_t {
  other,
  cr,
  lf,
  control,
  extend,
  zwj,
  regional,
  prepend,
  spacing_mark,
  l,
  v,
  t,
  lv,
  lvt,
  pictographic
};
enum class conjunct : std::uint8_t { none, linker, consonant, extend };
inline constexpr std::uint16_t mark = 0x40,  // category M in Unicode 9 (StripAccents)
    nonspacing_mark = 0x80,                  // category Mn in Unicode 8 (BertNormalizer)
    control = 0x100;                         // what BertNormalizer drops when it cleans text

constexpr std::uint16_t details(char32_t c) {
  using namespace unicode_tables;
  if (c > 0x10FFFF) return 0;
  return detail_value[detail_data[detail_index[c >> 7] * 128u + (c & 127)]];
}
constexpr grapheme_class break_class(std::uint16_t details_of) {
  return static_cast<grapheme_class>(details_of & 15);
}
constexpr conjunct conjunct_class(std::uint16_t details_of) {
  return static_cast<conjunct>(details_of >> 4 & 3);
}

// The script as the UnicodeScripts pre-tokenizer numbers it: spaces and unassigned characters have
// any_script, Hiragana and Katakana that of Han.
inline constexpr std::uint8_t any_script = 0;
inline std::uint8_t script(char32_t c) {
  using namespace unicode_tables;
  const auto* after =
      std::upper_bound(std::begin(script_start), std::end(script_start), std::uint32_t{c});
  return script_value[after - std::begin(script_start) - 1];
}

struct step {
  char32_t code_point;
  std::uint32_t length;
};

// The character at text[i]; the text must be valid UTF-8 and i a character boundary before its end.
inline step decode(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t k) -> char32_t {
    return static_cast<unsigned char>(text[i + k]);
  };
  const char32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) return {(lead & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (lead < 0xF0) return {(lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
  return {(lead & 7) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F), 4};
}

// Bytes of the character whose first byte is `lead` (valid text).
inline std::uint32_t length_of(char lead) {
  const auto b = static_cast<unsigned char>(lead);
  return b < 0x80 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
}

inline bool is_continuation(char b) { return (static_cast<unsigned char>(b) & 0xC0) == 0x80; }

// The character that ends just before byte i > 0.
inline step decode_before(std::string_view text, std::size_t i) {
  std::size_t k = i - 1;
  while (k > 0 && is_continuation(text[k])) --k;
  return decode(text, k);
}

// End of the run of characters from `i` whose property byte satisfies `accept`.
template <class Accept>
std::size_t run(std::string_view text, std::size_t i, Accept accept) {
  while (i < text.size()) {
    const step at = decode(text, i);
    if (!accept(properties(at.code_point))) break;
    i += at.length;
  }
  return i;
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers::unicode
