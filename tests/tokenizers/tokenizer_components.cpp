// SPDX-License-Identifier: Apache-2.0
// Normalizers, pre-tokenizers, decoders and patterns on their own against Hugging Face tokenizers.
#include <doctest/doctest.h>

#include <cmath>

#include "parlance/tokenizers/basic_tokenizer.hpp"
#include "parlance/tokenizers/decimal_score.hpp"
#include "parlance/tokenizers/decoders.hpp"
#include "parlance/tokenizers/pre_tokenizers.hpp"
#include "tokenizer_data.hpp"

using namespace parlance;
using namespace parlance_test;
namespace tok = parlance::tokenizers;

namespace {

std::vector<std::int32_t> character_offsets(const std::string& text, const tok::aligned_text& of) {
  const tok::impl::character_map map(text);
  std::vector<tok::byte_range> offsets;
  for (std::size_t i = 0; i < of.text().size(); i += tok::unicode::length_of(of.text()[i]))
    offsets.push_back(map.characters(of.range(i)));
  return flat(offsets);
}

}  // namespace

TEST_CASE("normalizers agree with the original, text and alignment") {
  const json data = tokenizer_data("normalizers.json");
  const auto texts = data.at("texts").get<std::vector<std::string>>();
  for (const json& entry : data.at("normalizers")) {
    CAPTURE(entry.at("json").dump().substr(0, 200));
    const auto n = tok::normalizer::from_json(entry.at("json"));
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const std::string& text = texts[i];
      CAPTURE(text);
      tok::aligned_text tracked(text, 0u, true), plain(text, 0u, false);
      n.normalize(tracked);
      n.normalize(plain);
      CHECK(tracked.text() == entry.at("rows")[i][0].get<std::string>());
      CHECK(plain.text() == tracked.text());
      CHECK(json(character_offsets(text, tracked)).dump() == entry.at("rows")[i][1].dump());
      if (n.unchanged(text)) CHECK(tracked.text() == text);
    }
  }
}

TEST_CASE("pre-tokenizers agree with the original") {
  const json data = tokenizer_data("pre_tokenizers.json");
  const auto texts = data.at("texts").get<std::vector<std::string>>();
  for (const json& entry : data.at("pre_tokenizers")) {
    CAPTURE(entry.at("json").dump());
    const auto p = tok::pre_tokenizer::from_json(entry.at("json"));
    for (std::size_t i = 0; i < texts.size(); ++i) {
      CAPTURE(texts[i]);
      const tok::impl::character_map map(texts[i]);
      tok::pre_tokenized pieces(texts[i]);
      p.pre_tokenize(pieces);
      json strings = json::array();
      std::vector<tok::byte_range> offsets;
      auto original = pieces.original_ranges();
      for (const tok::split& s : pieces.splits()) {
        strings.push_back(std::string(pieces.text(s)));
        offsets.push_back(map.characters(original(s.begin, s.end)));
      }
      CHECK(strings.dump() == entry.at("rows")[i][0].dump());
      CHECK(json(flat(offsets)).dump() == entry.at("rows")[i][1].dump());
    }
  }
}

TEST_CASE("decoders agree with the original") {
  const json data = tokenizer_data("decoders.json");
  for (const json& entry : data.at("decoders")) {
    CAPTURE(entry.at("json").dump());
    const auto d = tok::decoder::from_json(entry.at("json"));
    for (const json& row : entry.at("cases")) {
      std::string text;
      for (const std::string& part : d.decode_chain(row[0].get<tok::string_chain>())) text += part;
      CHECK(text == row[1].get<std::string>());
    }
  }
}

namespace {

template <class EachMatch>
std::vector<std::int32_t> ends_of(const std::string& text, EachMatch each) {
  std::vector<std::int32_t> ends;
  each(std::string_view(text), [&](std::size_t b, std::size_t e, bool) {
    if (b < e)
      ends.push_back(static_cast<std::int32_t>(utf8_length(std::string_view(text).substr(0, e))));
  });
  return ends;
}

}  // namespace

TEST_CASE("patterns split as in the original, on scanners and on the regular expression engine") {
  const json data = tokenizer_data("patterns.json");
  const auto texts = data.at("texts").get<std::vector<std::string>>();
  for (const json& entry : data.at("patterns")) {
    const auto source = entry.at("regex").get<std::string>();
    CAPTURE(source);
    const auto p = tok::pattern::regular_expression(source);
    const tok::regex engine(source);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      CAPTURE(texts[i]);
      const auto expected = numbers(entry.at("ends")[i]);
      CHECK(ends_of(texts[i], [&](std::string_view t, auto f) { p.each(t, f); }) == expected);
      CHECK(ends_of(texts[i], [&](std::string_view t, auto f) {
              std::size_t gap = 0;
              engine.each(t, [&](std::size_t b, std::size_t e) {
                f(gap, b, false);
                f(b, e, true);
                gap = e;
              });
              f(gap, t.size(), false);
            }) == expected);
    }
  }
}

TEST_CASE("a regular expression that cannot be handled is refused by name") {
  for (const char* bad :
       {"(", ")", "[a", "a{2,1}", "*a", "(?P<x>a)", "\\p{Foo}", "\\p{L", "a{1001}", "\\1",
        "(?<=a*)b", "[z-a]", "[[:alpha:]]", "\\", "\\x{110000}"}) {
    CAPTURE(std::string(bad));
    CHECK_THROWS_AS(tok::regex{bad}, error);
  }
  CHECK_THROWS_AS(tok::regex{std::string(200, '(') + std::string(200, ')')}, unsupported_error);
  CHECK_THROWS_AS(tok::regex{"((((a{100}){100}){100}){100}){100}"}, unsupported_error);
}

TEST_CASE("a regular expression that backtracks without end is stopped") {
  const tok::regex evil("(a+)+$x");
  const std::string text(40, 'a');
  CHECK_THROWS_AS(evil.each(text, [](std::size_t, std::size_t) {}), text_error);
}

TEST_CASE("scores are the numbers that the original reads, to the last bit") {
  const json data = tokenizer_data("scores.json");
  for (const json& row : data.at("cases")) {
    const auto text = row[0].get<std::string>();
    CAPTURE(text);
    CHECK(tok::decimal_score(text) == row[1].get<double>());
  }
  CHECK(std::signbit(tok::decimal_score("-0.0")));
  CHECK(std::isinf(tok::decimal_score("1e309")));
  CHECK(std::isinf(tok::decimal_score("-1e99999999999999999999")));
  CHECK(tok::decimal_score("1e-99999999999999999999") == 0.0);
}
