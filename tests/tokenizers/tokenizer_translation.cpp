// SPDX-License-Identifier: Apache-2.0
// Marian and M2M100: SentencePiece models with the ids of a vocab.json, against the slow tokenizers
// of transformers.
#include <doctest/doctest.h>

#include "parlance/tokenizers/tokenizer.hpp"
#include "tokenizer_data.hpp"
#include "tokenizer_folder.hpp"

using namespace parlance;
using namespace parlance_test;
namespace tok = parlance::tokenizers;

namespace {

std::string name_of(const json& row) {
  return row.at("class").get<std::string>() + " " + row.at("config").dump() +
         row.at("files").dump();
}

void check_decoding(const tok::tokenizer& t, const json& c) {
  const std::vector<std::int32_t> ids = numbers(c.at("ids"));
  CHECK(t.decode(ids, {false, false}) == c.at("decoded").get<std::string>());
  CHECK(t.decode(ids, {true, false}) == c.at("skipped").get<std::string>());
}

void check_cases(tok::tokenizer& t, const json& row) {
  for (const json& c : row.at("cases")) {
    const auto text = c.at("text").get<std::string>();
    CAPTURE(text);
    const tok::encoding e = t.encode(text);
    CHECK(e.ids == numbers(c.at("ids")));
    CHECK(t.encode_ids(text) == e.ids);
    check_decoding(t, c);
    for (std::size_t i = 0; i < e.size(); ++i) CHECK(e.byte_offsets[i].end <= text.size());
    if (!c.contains("target")) continue;
    t.switch_to_target_mode();
    CHECK(t.encode_ids(text) == numbers(c.at("target")));
    t.switch_to_input_mode();
  }
  for (const json& c : row.at("decodes")) check_decoding(t, c);
}

}  // namespace

TEST_CASE("translation folders give the original's ids and text") {
  const json data = tokenizer_data("translation.json");
  for (const json& row : data.at("folders")) {
    const std::string name = name_of(row);
    CAPTURE(name);
    const temporary_folder folder;
    write_files(folder, data.at("files"), row);
    tok::tokenizer t = folder.load();
    for (const auto& [key, value] : row.at("special").items()) {
      CHECK(t.special_token(key) == value.at(0).get<std::string>());
      CHECK(t.special_id(key) == value.at(1).get<std::int32_t>());
    }
    CHECK(t.encode("the quick", "brown fox").ids == numbers(row.at("pair")));
    check_cases(t, row);
    if (!row.contains("source")) {
      CHECK(t.vocab_size() == row.at("size").get<std::size_t>());
      CHECK_THROWS_AS(t.set_src_lang("deu"), unsupported_error);
      continue;
    }
    CHECK_THROWS_AS(t.switch_to_target_mode(), unsupported_error);
    t.set_src_lang(row["source"][0]);
    CHECK(t.encode_ids("the fox") == numbers(row["source"][1]));
    t.set_tgt_lang(row["target"][0]);
    CHECK(t.encode_ids("the fox") == numbers(row["target"][1]));
    CHECK_THROWS_AS(t.set_src_lang("xx"), option_error);
  }
}

TEST_CASE("a saved translation folder holds its own files and encodes the same") {
  const json data = tokenizer_data("translation.json");
  for (const json& row : data.at("folders")) {
    const std::string name = name_of(row);
    CAPTURE(name);
    const temporary_folder folder;
    write_files(folder, data.at("files"), row);
    const tok::tokenizer first = folder.load();
    CHECK_THROWS_AS(first.to_json(), unsupported_error);
    first.save_pretrained(folder.path / "saved");
    CHECK(!fs::exists(folder.path / "saved" / "tokenizer.json"));
    const auto second = tok::tokenizer::from_pretrained(folder.path / "saved");
    for (const json& c : row.at("cases"))
      CHECK(second.encode_ids(c.at("text").get<std::string>()) == numbers(c.at("ids")));
  }
}

TEST_CASE("wrong files of a translation folder are refused by name") {
  const json data = tokenizer_data("translation.json");
  const json& marian = data.at("folders").at(0);
  const auto fails = [&](const std::string& name, const std::string& text) -> std::string {
    const temporary_folder folder;
    write_files(folder, data.at("files"), marian);
    if (!name.empty()) folder.write(name, text);
    try {
      folder.load();
    } catch (const error& e) {
      return e.what();
    }
    return "";
  };
  const auto has = [&](const std::string& name, const std::string& text, const char* message) {
    CAPTURE(message);
    const std::string what = fails(name, text);
    CHECK(what.find(message) != std::string::npos);
    CHECK(what.find(name) != std::string::npos);
  };
  CHECK(fails("", "").empty());
  has("vocab.json", R"({"</s>": 0, "<pad>": 1})", "no token '<unk>'");
  has("vocab.json", R"({"</s>": 0, "<unk>": 1})", "no token '<pad>'");
  has("vocab.json", "{}", "empty");
  has("source.spm", "", "no pieces");
  has("target.spm", "\x0A\x7F", "length 127 where 0 bytes are left");
  has("source.spm", std::string("\x0A\x05\x0A\x01") + "a\x18\x04", "user-defined");
}
