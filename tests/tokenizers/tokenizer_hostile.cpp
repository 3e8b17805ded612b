// SPDX-License-Identifier: Apache-2.0
// Files and texts that are wrong or malicious: always an error of the right kind, never a crash.
#include <doctest/doctest.h>

#include "parlance/tokenizers/streaming_decoder.hpp"
#include "tokenizer_data.hpp"

using namespace parlance;
using namespace parlance_test;
namespace tok = parlance::tokenizers;

namespace {

json small() {
  return parse_json(R"({"version":"1.0","added_tokens":[],"normalizer":null,"pre_tokenizer":null,
    "post_processor":null,"decoder":null,"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},
    "merges":["a b"]}})",
                    "small");
}

std::vector<std::int32_t> ids(const json& j, const std::string& text) {
  return tok::tokenizer::from_json(j.dump()).encode_ids(text);
}

// `small` with the value at a JSON pointer replaced.
json with(const char* pointer, const char* value) {
  json j = small();
  j[json::json_pointer(pointer)] = parse_json(value, "test");
  return j;
}

}  // namespace

TEST_CASE("the small tokenizer of this file works") {
  CHECK(ids(small(), "abba") == std::vector<std::int32_t>{2, 1, 0});
  CHECK(ids(with("/model/merges", R"([["a","b"]])"), "ab") == std::vector<std::int32_t>{2});
  CHECK(ids(with("/model/merges", R"(["#version: 0.2","a b"])"), "ab") ==
        std::vector<std::int32_t>{2});
}

TEST_CASE("broken tokenizer.json files are format errors") {
  const std::pair<const char*, const char*> bad[] = {
      {"/model", "null"},
      {"/model", "[]"},
      {"/model/vocab", "{}"},
      {"/model/vocab", "[]"},
      {"/model/vocab", R"({"a":-1})"},
      {"/model/vocab", R"({"a":1.5})"},
      {"/model/vocab", R"({"a":"0"})"},
      {"/model/vocab", R"({"a":4294967296})"},
      {"/model/vocab", R"({"a":2147483646})"},
      {"/model/vocab", R"({"a":{"b":0}})"},
      {"/model/merges", R"(["a b c"])"},
      {"/model/merges", R"(["ab"])"},
      {"/model/merges", R"([["a"]])"},
      {"/model/merges", R"([["a","b","ab"]])"},
      {"/model/merges", R"([[["a"],"b"]])"},
      {"/model/merges", R"([5])"},
      {"/model/merges", R"({"a":"b"})"},
      {"/model/merges", R"(["b a"])"},  // "ba" is not in the vocabulary
      {"/model/merges", R"(["x b"])"},
      {"/model/merges", R"([" a"])"},
      {"/model/dropout", "2.0"},
      {"/model/unk_token", "5"},
      {"/model/fuse_unk", "\"yes\""},
      {"/added_tokens", "{}"},
      {"/added_tokens", R"([{"content":"x"}])"},
      {"/added_tokens", R"([{"id":-1,"content":"x"}])"},
      {"/added_tokens", R"([{"id":1}])"},
      {"/normalizer", R"("NFC")"},
      {"/normalizer", R"({"type":"Replace","content":"x"})"},
      {"/normalizer", R"({"type":"Replace","pattern":{},"content":"x"})"},
      {"/pre_tokenizer", R"({"type":"Split","pattern":{"String":"a"},"behavior":"Isolate"})"},
      {"/pre_tokenizer", R"({"type":"Metaspace","replacement":"ab"})"},
      {"/pre_tokenizer",
       R"({"type":"Metaspace","prepend_scheme":"first","add_prefix_space":false})"},
      {"/post_processor", R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}}],
        "pair":[],"special_tokens":{}})"},
      {"/post_processor", R"({"type":"TemplateProcessing","single":[],"pair":[],
        "special_tokens":{"x":{"id":"x","ids":[1,2],"tokens":["x"]}}})"},
      {"/post_processor", R"({"type":"TemplateProcessing","single":[{"Sequence":{"id":"B"}}],
        "pair":[],"special_tokens":{}})"},
      {"/post_processor", R"({"type":"BertProcessing","sep":["x"],"cls":["y",1]})"},
      {"/decoder", R"({"type":"Strip","content":"ab","start":0,"stop":0})"},
      {"/decoder", R"({"type":"CTC"})"},
      {"/decoder", R"({"type":"WordPiece","prefix":"##"})"},
      {"/decoder", R"({"type":"Sequence","decoders":{}})"},
      {"/normalizer", R"({"type":"Precompiled","precompiled_charsmap":""})"},
      {"/normalizer", R"({"type":"Precompiled","precompiled_charsmap":"AAA"})"},
      {"/normalizer", R"({"type":"Precompiled","precompiled_charsmap":"A=AA"})"},
      {"/normalizer", R"({"type":"Precompiled","precompiled_charsmap":"AAF="})"},
      {"/normalizer", R"({"type":"Precompiled","precompiled_charsmap":7})"},
      {"/normalizer", R"({"type":"Precompiled"})"},
      {"/normalizer", R"({"type":"BertNormalizer","clean_text":true})"},
      {"/normalizer", R"({"type":"Strip","strip_left":1,"strip_right":true})"},
      {"/normalizer", R"({"type":"Replace","pattern":{"String":"a","Regex":"a"},"content":""})"},
      {"/pre_tokenizer", R"({"type":"FixedLength","length":0})"},
      {"/pre_tokenizer", R"({"type":"FixedLength","length":-1})"},
      {"/pre_tokenizer", R"({"type":"CharDelimiterSplit","delimiter":""})"},
      {"/pre_tokenizer", R"({"type":"CharDelimiterSplit","delimiter":"ab"})"},
      {"/pre_tokenizer", R"({"type":"Digits"})"},
      {"/pre_tokenizer", R"({"type":"Metaspace"})"},
      {"/pre_tokenizer", R"({"type":"Metaspace","replacement":"_","add_prefix_space":false})"},
      {"/pre_tokenizer", R"({"type":"Split","pattern":{"String":"a"},"behavior":"Isolated"})"},
      {"/pre_tokenizer", R"({"type":"Sequence","pretokenizers":[null,5]})"},
      {"/post_processor", R"({"type":"RobertaProcessing","sep":["x",0],"cls":["y",1]})"},
      {"/truncation", R"({"max_length":-5})"},
      {"/padding", R"({"direction":"Up"})"}};
  for (const auto& [pointer, value] : bad) {
    const std::string change = std::string(pointer) + " = " + value;
    CAPTURE(change);
    CHECK_THROWS_AS(tok::tokenizer::from_json(with(pointer, value).dump()), format_error);
  }
}

TEST_CASE("text that is no tokenizer.json is a format error") {
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), std::string("null"), std::string("5"),
        std::string("{} x"), std::string("{\"model\": {\"vocab\": {\"\xFF\": 0}}}"),
        std::string("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"\\ud800\":0}}}"),
        std::string(1000, '['), std::string("{}")}) {
    CAPTURE(text);
    CHECK_THROWS_AS(tok::tokenizer::from_json(text), format_error);
  }
  std::string deep;
  for (int i = 0; i < 5000; ++i) deep += "{\"a\":";
  CHECK_THROWS_AS(tok::tokenizer::from_json(deep), format_error);
}

TEST_CASE("components that are not handled are named") {
  const std::pair<const char*, const char*> unknown[] = {
      {"/version", R"("2.0")"},
      {"/normalizer", R"({"type":"NFX"})"},
      {"/normalizer", R"({"type":"Sequence","normalizers":[{"type":"nfc"}]})"},
      {"/pre_tokenizer", R"({"type":"Unknown"})"},
      {"/post_processor", R"({"type":"Foo"})"},
      {"/decoder", R"({"type":"Ctc"})"},
      {"/model", R"({"type":"Bigram","vocab":[["a",0.5]],"unk_id":0})"},
      {"/model/dropout", "0.5"}};
  for (const auto& [pointer, value] : unknown) {
    const std::string change = value;
    CAPTURE(change);
    CHECK_THROWS_AS(tok::tokenizer::from_json(with(pointer, value).dump()), unsupported_error);
  }
  for (const char* part : {"/normalizer", "/pre_tokenizer", "/post_processor", "/decoder"}) {
    const json file = with(part, R"({"type":"Foo"})");
    CHECK_THROWS_WITH_AS(tok::tokenizer::from_json(file.dump()), doctest::Contains("'Foo'"),
                         unsupported_error);
    CHECK_THROWS_WITH_AS(tok::tokenizer::from_json(file.dump()), doctest::Contains("ByteLevel"),
                         unsupported_error);  // one of those supported
  }
}

TEST_CASE("text that is not UTF-8 is refused with the position, and without the text") {
  const auto t = tok::tokenizer::from_json(small().dump());
  CHECK_THROWS_WITH_AS(t.encode("ab\xFF"),
                       doctest::Contains("text to encode: invalid UTF-8 at byte 2 "), text_error);
  CHECK_THROWS_AS(t.encode_ids("\xE6\x97"), text_error);
  CHECK_THROWS_AS(t.encode("a", "\xC0\x80"), text_error);
  CHECK_THROWS_AS(t.encode("\xED\xA0\x80"), text_error);
}

TEST_CASE("an unknown character without an unknown token is dropped, as in the original") {
  CHECK(ids(small(), "axb") == std::vector<std::int32_t>{2});
  // Offsets of what follows a dropped character move with it.
  const auto e = tok::tokenizer::from_json(with("/model/merges", "[]").dump()).encode("xab");
  CHECK(flat(e.offsets) == std::vector<std::int32_t>{0, 1, 1, 2});
}

TEST_CASE("an unknown token outside the vocabulary is an error once it is needed") {
  const auto t = tok::tokenizer::from_json(with("/model/unk_token", R"("<unk>")").dump());
  CHECK(t.encode_ids("ab").size() == 1);
  CHECK_THROWS_AS(t.encode_ids("x"), format_error);
}

TEST_CASE("an added token's id follows the vocabulary, the file's id is a warning") {
  // Measured on tokenizers 0.22.2: file id 50 after a vocabulary of 3 becomes 3.
  const auto t =
      tok::tokenizer::from_json(with("/added_tokens", R"([{"id":50,"content":"<x>","special":true},
                                {"id":51,"content":"","special":true}])")
                                    .dump());
  CHECK(t.token_to_id("<x>") == 3);
  CHECK(t.warnings().size() == 2);
  CHECK(t.vocab_size() == 4);
  CHECK(t.vocab_size(false) == 3);
}

TEST_CASE("ids outside the vocabulary decode to nothing") {
  const auto t = tok::tokenizer::from_json(small().dump());
  CHECK(t.decode(std::vector<std::int32_t>{-1, 2, 99, 2147483647}) == "ab");
  CHECK_FALSE(t.id_to_token(-1).has_value());
  CHECK_FALSE(t.id_to_token(3).has_value());
  tok::streaming_decoder s(t);
  CHECK(s.push(-5).empty());
  CHECK(s.push(2) == "ab");
}

TEST_CASE("truncation that leaves no room is an option error") {
  json j = with("/post_processor", R"({"type":"BertProcessing","sep":["b",1],"cls":["a",0]})");
  const auto t = tok::tokenizer::from_json(j.dump());
  tok::encode_options o;
  o.truncation = tok::truncation_options{.max_length = 1};
  CHECK_THROWS_AS(t.encode("abab", o), option_error);
  o.truncation = tok::truncation_options{.max_length = 4, .stride = 2};
  CHECK_THROWS_AS(t.encode("aaaa", o), option_error);
  o.truncation =
      tok::truncation_options{.max_length = 3, .strategy = tok::truncation_strategy::only_second};
  CHECK_THROWS_AS(t.encode("aaaa", o), option_error);
  o.truncation = tok::truncation_options{.max_length = 2};
  const auto e = t.encode("aaaa", o);
  CHECK(e.size() == 2);
  CHECK(e.overflowing.size() == 1);
}

TEST_CASE("one very long word takes time in proportion") {
  json j = small();
  j["model"]["vocab"] = {{"a", 0}, {"aa", 1}, {"aaaa", 2}, {"aaaaaaaa", 3}};
  j["model"]["merges"] = {"a a", "aa aa", "aaaa aaaa"};
  const auto out = ids(j, std::string(1 << 20, 'a'));
  CHECK(out.size() == (1 << 17));
  CHECK(out.front() == 3);
  CHECK(out.back() == 3);
}

TEST_CASE("two tokens with one id do not break the tables") {
  const json j = with("/model/vocab", R"({"a":0,"b":1,"ab":1,"":2})");
  CHECK(ids(j, "ab").size() == 1);
}

TEST_CASE("prefixes of a valid file never crash") {
  const std::string text = tokenizer_data("family_word.json").at("tokenizer").dump();
  for (std::size_t n = 0; n < text.size(); n += 97)
    CHECK_THROWS_AS(tok::tokenizer::from_json(text.substr(0, n)), format_error);
}

TEST_CASE("a file with changed bytes loads or is refused, and then encodes or refuses") {
  std::uint64_t state = 7;
  const auto random = [&](std::size_t n) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<std::size_t>(state >> 33) % n;
  };
  int loaded = 0, refused = 0;
  for (const std::string name : {"word", "metaspace", "llama3"}) {
    const std::string text = tokenizer_data("family_" + name + ".json").at("tokenizer").dump();
    for (int round = 0; round < 150; ++round) {
      std::string changed = text;
      for (std::size_t k = 1 + random(3); k > 0; --k) {
        const std::size_t at = random(2) ? random(changed.size()) : random(2500);
        const char* const pieces[] = {"\"", "{", "}", "[", "]", "0", "9", "-", ",", "\\", "a", "e"};
        changed.replace(at, random(3), pieces[random(12)]);
      }
      try {
        const auto t = tok::tokenizer::from_json(changed);
        ++loaded;
        t.encode("The quick <s> brown 123 \xE6\x97\xA5 e\xCC\x81 tok1", "b");
        t.decode(t.encode_ids("it's x"));
      } catch (const error&) {
        ++refused;
      }
    }
  }
  CHECK(loaded > 0);
  CHECK(refused > 0);
}

namespace {

// A character map in its binary form.
std::string map_bytes(std::vector<std::uint32_t> units, const std::string& replacements) {
  std::string out;
  units.insert(units.begin(), static_cast<std::uint32_t>(units.size() * 4));
  for (const std::uint32_t u : units)
    for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(u >> shift & 0xFF));
  return out + replacements;
}

// Key "a" with a value.
std::vector<std::uint32_t> one_key(std::uint32_t value) {
  std::vector<std::uint32_t> units(512);
  units[0] = 256u << 10;
  units[256 + 'a'] = ((256u + 'a') ^ 256u) << 10 | 0x100 | 'a';
  units[256] = 0x80000000u | value;
  return units;
}

}  // namespace

TEST_CASE("character maps that point outside themselves are format errors with the place") {
  const tok::charsmap fine(map_bytes(one_key(0), std::string("bc\0", 3)), "map");
  CHECK(fine.shortest("ab")->replacement == "bc");
  CHECK(fine.longest("ab")->length == 1);
  CHECK_FALSE(fine.shortest("ba"));
  CHECK_FALSE(fine.shortest(std::string_view("\0a", 2)));

  auto outside = one_key(0);
  outside[256 + 'a'] = 0x1FFFFFu << 10 | 'a';
  const std::string good = map_bytes(one_key(0), "b");
  const std::pair<std::string, const char*> bad[] = {
      {"", "byte 0"},
      {std::string(3, '\0'), "byte 0"},
      {std::string(4, '\0'), "byte 0"},                       // no trie
      {std::string("\x05\0\0\0abcdefgh", 12), "byte 0"},      // no whole number of units
      {good.substr(0, 2000), "byte 0"},                       // trie cut short
      {std::string("\xFC\xFF\xFF\xFF", 4) + good, "byte 0"},  // far longer than the file
      {map_bytes(outside, "b"), "byte 1416"},
      {map_bytes(one_key(1), "b"), "byte 1416"},
      {map_bytes(one_key(0x7FFFFFFF), "b"), "byte 1416"},
      {map_bytes(one_key(0), ""), "byte 1416"},
      {map_bytes(one_key(1), "\xC3\xA9"), "byte 1416"},  // into the middle of a character
      {map_bytes(one_key(0), "b\xFF"), "byte 2053"}};
  for (const auto& [bytes, place] : bad) {
    const std::size_t size = bytes.size();
    CAPTURE(size);
    CHECK_THROWS_WITH_AS(tok::charsmap(bytes, "map"), doctest::Contains(place), format_error);
  }
  // Units that lead outside at some byte only are met while searching.
  const tok::charsmap tiny(map_bytes({0u}, "b"), "map");
  CHECK_FALSE(tiny.shortest("abc"));
}

TEST_CASE("patterns and components stay within their bounds on any text") {
  const std::string text = std::string(2000, 'a') + "\n" + std::string(2000, ' ');
  for (const char* part :
       {R"({"type":"CTC","pad_token":"","word_delimiter_token":"","cleanup":true})",
        R"({"type":"BPEDecoder","suffix":""})",
        R"({"type":"Strip","content":"a","start":9,"stop":9})",
        R"({"type":"Replace","pattern":{"String":""},"content":"x"})"}) {
    const auto d = tok::decoder::from_json(parse_json(part, "test"));
    for (const auto& chain : {tok::string_chain{}, tok::string_chain{"", "a", "aaa", text}}) {
      std::size_t size = 0;
      for (const std::string& s : d.decode_chain(chain)) size += s.size();
      CHECK(size <= 4 * text.size());
    }
  }
}

TEST_CASE("rules that multiply the text over and over are stopped") {
  json doubling = json::array(), prefixes = json::array();
  for (int i = 0; i < 60; ++i) {
    doubling.push_back({{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}});
    prefixes.push_back({{"type", "Prepend"}, {"prepend", std::string(1000, 'a')}});
  }
  for (const json& rules : {doubling, prefixes}) {
    json file = small();
    file["normalizer"] = {{"type", "Sequence"}, {"normalizers", rules}};
    const auto t = tok::tokenizer::from_json(file.dump());
    CHECK_THROWS_AS(t.encode("aab"), text_error);
    CHECK_THROWS_AS(t.encode_ids("aab"), text_error);
  }
  json file = small();
  file["decoder"] = {{"type", "Sequence"}, {"decoders", doubling}};
  CHECK_THROWS_AS(tok::tokenizer::from_json(file.dump()).decode(std::vector<std::int32_t>{0, 1}),
                  text_error);
  const tok::precompiled map(std::make_shared<const tok::charsmap>(
      map_bytes(one_key(0), std::string(100000, 'b') + std::string(1, '\0')), "map"));
  tok::aligned_text text(std::string(100, 'a'), 0u, true);
  CHECK_THROWS_AS(map.normalize(text), text_error);
}

TEST_CASE("components are written back as they were read") {
  const std::pair<const char*, const char*> files[] = {{"normalizers.json", "normalizer"},
                                                       {"pre_tokenizers.json", "pre_tokenizer"},
                                                       {"decoders.json", "decoder"},
                                                       {"encodings.json", "post_processor"}};
  for (const auto& [name, part] : files) {
    const json data = tokenizer_data(name);
    for (const json& entry : data.at(data.contains("cases") ? "cases" : std::string(part) + "s")) {
      json file = small();
      file[part] = entry.at(entry.contains("json") ? "json" : part);
      file["model"]["merges"] = json::array({json::array({"a", "b"})});
      const std::string shown = file[part].dump().substr(0, 200);
      CAPTURE(shown);
      const std::string written = tok::tokenizer::from_json(file.dump()).to_json();
      CHECK(parse_json(written, "written") == file);
      CHECK(tok::tokenizer::from_json(written).to_json() == written);
    }
  }
}
