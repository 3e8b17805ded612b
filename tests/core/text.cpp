// SPDX-License-Identifier: Apache-2.0
// UTF-8 by the tables of the Unicode standard (15.0: 3-7, 3-8 to 3-11), and JSON: values, limits,
// and errors with their byte.
#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "parlance/core/json.hpp"
#include "parlance/core/utf8.hpp"

using namespace parlance;
using namespace std::string_literals;

TEST_CASE("utf8: every code point there and back") {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    utf8_append(text, c);
    const utf8_step step = utf8_decode(text, 0);
    REQUIRE(step.valid);
    REQUIRE(step.code_point == c);
    REQUIRE(step.length == text.size());
    REQUIRE(text.size() == (c < 0x80 ? 1u : c < 0x800 ? 2u : c < 0x10000 ? 3u : 4u));
  }
}

TEST_CASE("utf8: the first bad byte") {
  constexpr std::size_t none = std::string_view::npos;
  CHECK(utf8_find_invalid("") == none);
  CHECK(utf8_find_invalid("plain") == none);
  CHECK(utf8_find_invalid("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80") == none);
  CHECK(utf8_find_invalid("\0x"s) == none);
  CHECK(utf8_find_invalid("ab\x80") == 2);               // lone continuation
  CHECK(utf8_find_invalid("ab\xC0\x80") == 2);           // overlong
  CHECK(utf8_find_invalid("\xC1\xBF") == 0);             // overlong
  CHECK(utf8_find_invalid("a\xE0\x9F\xBF") == 1);        // overlong
  CHECK(utf8_find_invalid("\xF0\x8F\xBF\xBF") == 0);     // overlong
  CHECK(utf8_find_invalid("\xED\xA0\x80") == 0);         // surrogate D800
  CHECK(utf8_find_invalid("\xED\x9F\xBF") == none);      // U+D7FF
  CHECK(utf8_find_invalid("\xEE\x80\x80") == none);      // U+E000
  CHECK(utf8_find_invalid("\xF4\x8F\xBF\xBF") == none);  // U+10FFFF
  CHECK(utf8_find_invalid("\xF4\x90\x80\x80") == 0);     // above
  CHECK(utf8_find_invalid("\xF5\x80\x80\x80") == 0);
  CHECK(utf8_find_invalid("abc\xFF") == 3);
  CHECK(utf8_find_invalid("a\xE2\x82") == 1);  // cut off
  CHECK(utf8_find_invalid("\xE2\x28\xA1") == 0);
  CHECK_THROWS_WITH_AS(require_utf8("ab\x80", "prompt"), "prompt: invalid UTF-8 at byte 2",
                       text_error);
  CHECK_NOTHROW(require_utf8("\xC3\xA9", "prompt"));
}

TEST_CASE("utf8: cut off text is told from wrong text") {
  for (const auto& whole : {"\xC3\xA9"s, "\xE2\x82\xAC"s, "\xF0\x9F\x98\x80"s})
    for (std::size_t n = 1; n < whole.size(); ++n) {
      const utf8_step step = utf8_decode(whole.substr(0, n), 0);
      CHECK_FALSE(step.valid);
      CHECK(step.truncated);
      CHECK(step.length == n);
      CHECK(step.code_point == 0xFFFD);
    }
  CHECK_FALSE(utf8_decode("\x80", 0).truncated);
  CHECK_FALSE(utf8_decode("\xE2\x28", 0).truncated);
  CHECK_FALSE(utf8_decode("\xE0\x80", 0).truncated);
}

TEST_CASE("utf8: one replacement a maximal subpart") {
  const std::string r(replacement_character);
  // Tables 3-8 to 3-11.
  CHECK(utf8_replace_invalid("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41") ==
        r + r + r + r + r + r + r + r + "A");
  CHECK(utf8_replace_invalid("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41") ==
        r + r + r + r + r + r + r + r + "A");
  CHECK(utf8_replace_invalid("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42") ==
        r + r + r + r + r + "A" + r + r + "B");
  CHECK(utf8_replace_invalid("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41") == r + r + r + r + "A");
  CHECK(utf8_replace_invalid("h\xC3\xA9llo") == "h\xC3\xA9llo");
  CHECK(utf8_length("h\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80") == 4);
  CHECK(utf8_length("") == 0);
}

TEST_CASE("json: values, order and duplicates") {
  const json v = parse_json(R"({"z": 1, "a": [true, null, -2, 1.5, "x\u00e9\ud83d\ude00"],
      "big": 18446744073709551615, "z": {"k": []}})",
                            "t");
  std::vector<std::string> keys;
  for (const auto& item : v.items()) keys.push_back(item.key());
  CHECK(keys == std::vector<std::string>{"z", "a", "big"});
  CHECK(v["z"]["k"].is_array());  // the later one wins
  CHECK(v["a"][2] == -2);
  CHECK(v["a"][3] == 1.5);
  CHECK(v["a"][4] == "x\xC3\xA9\xF0\x9F\x98\x80");
  CHECK(v["big"].get<std::uint64_t>() == UINT64_MAX);
  CHECK(parse_json(" 3 ", "t") == 3);
  CHECK(to_json_line(parse_json(R"({ "b" : 1,
    "a":"q" })",
                                "t")) == R"({"b":1,"a":"q"})");
  CHECK(to_json_line(json("a\x80"
                          "b\nc")) ==
        "\"a\xEF\xBF\xBD"
        "b\\nc\"");
}

TEST_CASE("json: errors name the source and the byte") {
  struct bad {
    std::string text;
    std::int64_t offset;  // one past the byte that cannot be, as counted from 1
  };
  const bad all[] = {{"", 1},         {"{\"a\": 1,}", 9}, {"[1 2]", 4},   {"{} x", 4},
                     {"[1, tru]", 8}, {"{\"a\" 1}", 6},   {"\"ab", 4},    {"\"a\x80\"", 3},
                     {"[01]", 3},     {"nan", 2},         {"[1,\n 2", 7}, {"\"\\q\"", 3}};
  for (const bad& b : all) {
    CAPTURE(b.text);
    try {
      parse_json(b.text, "config.json");
      FAIL("accepted");
    } catch (const format_error& e) {
      CHECK(e.offset() == b.offset);
      CHECK(std::string(e.what()).starts_with("config.json: byte " + std::to_string(b.offset) +
                                              ": invalid JSON: "));
      CHECK(std::string(e.what()).find("json.exception") == std::string::npos);
    }
  }
  CHECK_THROWS_AS(parse_json("1e999", "t"), format_error);
}

TEST_CASE("json: the scanner takes what nlohmann's parser takes, and makes the same of it") {
  const std::string seed =
      R"({"a\u00e9\n": [1, -2, 0, -0, 3.5, 1e3, -1E-2, 18446744073709551616, 1e-400],
    "vocab": {"\ud83d\ude00": 12, "long plain text without escapes": null, "": false},
    "nested": [[], {}, [{"x": [true]}], "tab\t\"quote\" \/ \\ \b\f\r"], "â": "Ã©"})";
  std::mt19937 random(7);
  const std::string alphabet =
      "\"\\{}[],:0123456789-+.eEtfnu \n\x01\x80\xC3\xE9"
      "aD";
  int accepted = 0;
  for (int turn = 0; turn < 20000; ++turn) {
    std::string text = seed;
    for (unsigned edits = random() % 3; edits-- > 0;) {
      const std::size_t at = random() % text.size();
      const char c = alphabet[random() % alphabet.size()];
      switch (random() % 4) {
        case 0:
          text[at] = c;
          break;
        case 1:
          text.insert(text.begin() + static_cast<std::ptrdiff_t>(at), c);
          break;
        case 2:
          text.erase(at, 1 + random() % 3);
          break;
        default:
          text = text.substr(0, at) + text.substr(random() % text.size());
      }
    }
    const json expected = json::parse(text, nullptr, false);
    json got(json::value_t::discarded);
    try {
      got = parse_json(text, "t");
    } catch (const format_error&) {
    }
    CAPTURE(text);
    REQUIRE(got.is_discarded() == expected.is_discarded());
    if (got.is_discarded()) continue;
    REQUIRE(got == expected);
    REQUIRE(got.dump() == expected.dump());
    ++accepted;
  }
  CHECK(accepted > 4000);
}

TEST_CASE("json: nesting ends at 128") {
  const auto nested = [](int depth, const char* open, const char* close) {
    std::string text;
    for (int i = 0; i < depth; ++i) text += open;
    text += "1";
    for (int i = 0; i < depth; ++i) text += close;
    return text;
  };
  CHECK_NOTHROW(parse_json(nested(128, "[", "]"), "t"));
  CHECK_THROWS_AS(parse_json(nested(129, "[", "]"), "t"), format_error);
  CHECK_NOTHROW(parse_json(nested(128, "{\"a\":", "}"), "t"));
  CHECK_THROWS_AS(parse_json(nested(129, "{\"a\":", "}"), "t"), format_error);
  CHECK_THROWS_AS(parse_json(std::string(1000000, '['), "t"), format_error);
  // Depth counts what is open, not what was.
  std::string flat = "[";
  for (int i = 0; i < 300; ++i) flat += "[],";
  CHECK_NOTHROW(parse_json(flat + "1]", "t"));
}

TEST_CASE("json: events reach a reader") {
  struct sums : json_sax {
    using json_sax::json_sax;
    std::int64_t total = 0;
    int keys = 0;
    bool number_unsigned(std::uint64_t v) override { return total += std::int64_t(v), true; }
    bool number_integer(std::int64_t v) override { return total += v, true; }
    bool key(std::string&) override { return ++keys, true; }
  } reader("t");
  parse_json_sax(R"({"a": 3, "b": [4, -2], "c": "7", "d": null, "e": false, "f": 0.5})", reader);
  CHECK(reader.total == 5);
  CHECK(reader.keys == 6);
  CHECK_THROWS_AS(parse_json_sax("{", reader), format_error);
}
