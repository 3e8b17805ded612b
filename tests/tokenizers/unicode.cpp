// SPDX-License-Identifier: Apache-2.0
// The generated Unicode tables: sizes of the classes as published for Unicode 16 (UCD
// DerivedGeneralCategory), normalization against Hugging Face tokenizers.
#include <doctest/doctest.h>

#include "parlance/tokenizers/graphemes.hpp"
#include "parlance/tokenizers/unicode_normalize.hpp"
#include "tokenizer_data.hpp"

using namespace parlance;
using namespace parlance_test;
namespace unicode = parlance::tokenizers::unicode;

namespace {

int count(std::uint16_t categories) {
  int n = 0;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) n += unicode::in(unicode::properties(c), categories);
  return n;
}

std::string text_of(const std::vector<unicode::change>& changes) {
  std::string out;
  for (const unicode::change& c : changes) utf8_append(out, c.code_point);
  return out;
}

}  // namespace

TEST_CASE("categories have the sizes of Unicode 16") {
  CHECK(count(1 << unicode::lu) == 1858);
  CHECK(count(1 << unicode::ll) == 2258);
  CHECK(count(1 << unicode::lt) == 31);
  CHECK(count(1 << unicode::lm) == 404);
  CHECK(count(1 << unicode::lo) == 136477);
  CHECK(count(unicode::letters) == 141028);
  CHECK(count(1 << unicode::nd) == 760);
  CHECK(count(unicode::numbers) == 1911);
  CHECK(count(unicode::marks) == 2501);
  CHECK(count(1 << unicode::p) == 855);
  CHECK(count(1 << unicode::s) == 8514);
  CHECK(count(1 << unicode::z) == 19);
}

TEST_CASE("flags") {
  int white = 0, words = 0;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    white += unicode::is_white_space(c);
    words += unicode::is_word(c);
  }
  CHECK(white == 25);      // White_Space
  CHECK(words == 144667);  // \w of the Rust regex crate, Unicode 16
  for (const char32_t c : {U'\t', U' ', U'\u0085', U'\u00A0', U'\u2028', U'\u3000'})
    CHECK(unicode::is_white_space(c));
  CHECK_FALSE(unicode::is_white_space(U'\u200B'));
  CHECK(unicode::is_punctuation(U'$'));  // ASCII symbols count
  CHECK_FALSE(unicode::is_punctuation(U'\u20AC'));
  CHECK(unicode::is_numeric(U'\u00BD'));
  CHECK(unicode::properties(0x110000) == 0);
  CHECK(unicode::properties(0xFFFFFFFF) == 0);
}

TEST_CASE("normalization forms agree with the original") {
  const json data = tokenizer_data("normalization.json");
  for (const json& row : data) {
    const auto text = row[0].get<std::string>();
    CAPTURE(text);
    int k = 1;
    for (const auto form :
         {unicode::form::nfc, unicode::form::nfd, unicode::form::nfkc, unicode::form::nfkd}) {
      const auto expected = row[k++].get<std::string>();
      CHECK(text_of(unicode::normalize(text, form)) == expected);
      CHECK(text_of(unicode::normalize(expected, form)) == expected);
      if (unicode::is_normalized(text, form)) CHECK(expected == text);
    }
  }
}

TEST_CASE("Hangul composes and decomposes by rule") {
  // UAX 15: U+D4DB = U+1111 U+1171 U+11B6
  CHECK(text_of(unicode::normalize("\xED\x93\x9B", unicode::form::nfd)) ==
        "\xE1\x84\x91\xE1\x85\xB1\xE1\x86\xB6");
  CHECK(text_of(unicode::normalize("\xE1\x84\x91\xE1\x85\xB1\xE1\x86\xB6", unicode::form::nfc)) ==
        "\xED\x93\x9B");
}

TEST_CASE("most text is recognised as normalized without work") {
  CHECK(unicode::is_normalized("plain ASCII", unicode::form::nfc));
  CHECK(unicode::is_normalized("caf\xC3\xA9 \xE6\x97\xA5\xE6\x9C\xAC \xF0\x9F\x98\x80",
                               unicode::form::nfc));
  CHECK_FALSE(unicode::is_normalized("e\xCC\x81", unicode::form::nfc));
}

TEST_CASE("grapheme clusters agree with ICU") {
  const json data = tokenizer_data("graphemes.json");
  for (const json& row : data.at("cases")) {
    const auto text = row[0].get<std::string>();
    CAPTURE(row.dump());
    json lengths = json::array();
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t end = unicode::grapheme_end(text, i);
      lengths.push_back(utf8_length(std::string_view(text).substr(i, end - i)));
      i = end;
    }
    CHECK(lengths.dump() == row[1].dump());
  }
}

TEST_CASE("what BertNormalizer and StripAccents drop has the sizes of Unicode 8 and 9") {
  int marks = 0, nonspacing = 0, dropped = 0;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    const auto d = unicode::details(c);
    marks += (d & unicode::mark) != 0;
    nonspacing += (d & unicode::nonspacing_mark) != 0;
    dropped += (d & unicode::control) != 0;
  }
  CHECK(marks == 2097);
  CHECK(nonspacing > 1300);  // those that NFD leaves
  CHECK(dropped == 137681);
  CHECK(unicode::details(0x110000) == 0);
  CHECK(unicode::details(0xFFFFFFFF) == 0);
}

TEST_CASE("scripts are numbered alike for alike characters") {
  CHECK(unicode::script(U'a') == unicode::script(U'\u00E9'));
  CHECK(unicode::script(U'\u3042') == unicode::script(U'\u4E00'));  // Hiragana counts as Han
  CHECK(unicode::script(U'\u30FC') == unicode::script(U'\u4E00'));
  CHECK(unicode::script(U'a') != unicode::script(U'\u0430'));
  CHECK(unicode::script(U' ') == unicode::any_script);
  CHECK(unicode::script(0x10FFFF) == unicode::any_script);
}
