// SPDX-License-Identifier: Apache-2.0
// Whole tokenizers against Hugging Face tokenizers: one small tokenizer of every family's shape.
#include <doctest/doctest.h>

#include <thread>

#include "parlance/tokenizers/streaming_decoder.hpp"
#include "tokenizer_data.hpp"

using namespace parlance;
using namespace parlance_test;
namespace tok = parlance::tokenizers;

namespace {

const std::vector<std::string> families{
    "gpt2",    "roberta",       "smollm",          "llama3",      "qwen2",       "qwen35",
    "o200k",   "tekken",        "deepseek",        "llama2",      "gemma",       "clip",
    "word",    "metaspace",     "metaspace_split", "bert",        "bert_cased",  "wordlevel",
    "unigram", "unigram_bytes", "unigram_whole",   "bpe_unknown", "bpe_affixes", "bpe_fallback",
    "t5",      "albert",        "xlm_roberta",     "deberta_v2",  "mbart",
};

tok::encoding encode(const tok::tokenizer& t, const json& row) {
  const auto text = row.at("text").get<std::string>();
  return row.contains("pair") ? t.encode(text, row["pair"].get<std::string>()) : t.encode(text);
}

// The text of every token lies where its offsets say.
void check_byte_offsets(const std::string& text, const tok::encoding& e) {
  for (std::size_t i = 0; i < e.size(); ++i) {
    const auto [begin, end] = e.byte_offsets[i];
    REQUIRE(begin <= end);
    REQUIRE(end <= text.size());
    CHECK(utf8_length(std::string_view(text).substr(0, begin)) == e.offsets[i].begin);
    CHECK(utf8_length(std::string_view(text).substr(0, end)) == e.offsets[i].end);
  }
}

void check_case(const tok::tokenizer& t, const json& row) {
  const auto text = row.at("text").get<std::string>();
  CAPTURE(text);
  const tok::encoding e = encode(t, row);
  CHECK(e.ids == numbers(row.at("ids")));
  CHECK(flat(e.offsets) == numbers(row.at("offsets")));
  CHECK(e.word_ids == numbers(row.at("words")));
  CHECK(t.decode(e.ids) == row.at("decoded").get<std::string>());
  CHECK(t.decode(e.ids, {.skip_special_tokens = true}) == row.at("skipped").get<std::string>());
  if (row.contains("pair")) {
    CHECK(e.type_ids == numbers(row.at("type_ids")));
    CHECK(e.special_tokens_mask == numbers(row.at("special")));
    CHECK(e.sequence_ids == numbers(row.at("sequences")));
    return;
  }
  CHECK(t.encode_ids(text) == e.ids);
  CHECK(t.encode_ids(text, {.add_special_tokens = false}) == numbers(row.at("plain")));
  check_byte_offsets(text, e);
}

std::string stream(const tok::tokenizer& t, const std::vector<std::int32_t>& ids) {
  tok::streaming_decoder decoder(t);
  std::string out;
  for (const std::int32_t id : ids) {
    const std::string piece = decoder.push(id);
    CHECK(utf8_find_invalid(piece) == std::string::npos);
    out += piece;
  }
  return out + decoder.finish();
}

}  // namespace

TEST_CASE("tokenizers of every family agree with the original") {
  for (const std::string& family : families) {
    CAPTURE(family);
    const json data = tokenizer_data("family_" + family + ".json");
    const auto t = tok::tokenizer::from_json(data.at("tokenizer").dump(), family);
    CHECK(t.warnings().empty());
    CHECK(t.vocab_size() == data.at("vocab_size").get<std::size_t>());
    for (const auto& [id, token] : data.at("tokens").items()) {
      if (token.is_null()) {
        CHECK_FALSE(t.id_to_token(std::stoi(id)).has_value());
        continue;
      }
      CHECK(t.id_to_token(std::stoi(id)) == token.get<std::string>());
      CHECK(t.token_to_id(token.get<std::string>()) == std::stoi(id));
    }
    for (const json& row : data.at("cases")) check_case(t, row);
  }
}

TEST_CASE("a saved tokenizer gives the same ids") {
  for (const std::string& family : families) {
    CAPTURE(family);
    const json data = tokenizer_data("family_" + family + ".json");
    const auto first = tok::tokenizer::from_json(data.at("tokenizer").dump());
    const auto second = tok::tokenizer::from_json(first.to_json());
    for (const json& row : data.at("cases")) {
      const auto text = row.at("text").get<std::string>();
      CHECK(encode(second, row).ids == numbers(row.at("ids")));
      CHECK(second.encode_ids(text) == first.encode_ids(text));
    }
  }
}

TEST_CASE("streamed text equals decoded text") {
  for (const std::string family : {"gpt2", "llama3", "llama2", "gemma", "metaspace"}) {
    CAPTURE(family);
    const json data = tokenizer_data("family_" + family + ".json");
    const auto t = tok::tokenizer::from_json(data.at("tokenizer").dump());
    for (const json& row : data.at("cases")) {
      CAPTURE(row.at("text").get<std::string>());
      CHECK(stream(t, numbers(row.at("ids"))) == row.at("decoded").get<std::string>());
    }
  }
}

TEST_CASE("a stream holds a character back until it is complete") {
  const auto t =
      tok::tokenizer::from_json(tokenizer_data("family_gpt2.json").at("tokenizer").dump());
  const std::string llama = "\xF0\x9F\xA6\x99";  // four bytes that no merge joins
  const std::vector<std::int32_t> ids = t.encode_ids(llama, {.add_special_tokens = false});
  REQUIRE(ids.size() > 1);
  tok::streaming_decoder decoder(t);
  for (std::size_t i = 0; i + 1 < ids.size(); ++i) CHECK(decoder.push(ids[i]).empty());
  CHECK(decoder.push(ids.back()) == llama);
  CHECK(decoder.finish().empty());
  decoder.push(ids[0]);
  CHECK(decoder.finish() == replacement_character);
}

TEST_CASE("truncation and padding agree with the original") {
  const json data = tokenizer_data("truncation.json");
  const auto t = tok::tokenizer::from_json(data.at("tokenizer").dump());
  const auto same = [](const tok::encoding& e, const json& row) {
    CHECK(e.ids == numbers(row.at("ids")));
    CHECK(flat(e.offsets) == numbers(row.at("offsets")));
    CHECK(e.type_ids == numbers(row.at("type_ids")));
    CHECK(e.attention_mask == numbers(row.at("attention")));
    CHECK(e.special_tokens_mask == numbers(row.at("special")));
  };
  for (const json& row : data.at("cases")) {
    CAPTURE(row.dump());
    tok::encode_options o;
    const std::string strategy = row.at("strategy");
    o.truncation = tok::truncation_options{
        .max_length = row.at("max_length"),
        .stride = row.at("stride"),
        .strategy = strategy == "longest_first" ? tok::truncation_strategy::longest_first
                    : strategy == "only_first"  ? tok::truncation_strategy::only_first
                                                : tok::truncation_strategy::only_second,
        .side = row.at("side") == "left" ? tok::direction::left : tok::direction::right};
    if (!row.at("pad").is_null())
      o.padding = tok::padding_options{.length = row.at("pad").get<std::uint32_t>(),
                                       .side = o.truncation->side,
                                       .pad_id = 3,
                                       .pad_type_id = 1,
                                       .pad_token = "<pad>"};
    const std::string text = row.at("text");
    const tok::encoding e = row.at("pair").is_null()
                                ? t.encode(text, o)
                                : t.encode(text, row.at("pair").get<std::string>(), o);
    same(e, row);
    REQUIRE(e.overflowing.size() == row.at("overflowing").size());
    for (std::size_t i = 0; i < e.overflowing.size(); ++i)
      same(e.overflowing[i], row.at("overflowing")[i]);
  }
}

TEST_CASE("a batch is padded to its longest member") {
  const auto t =
      tok::tokenizer::from_json(tokenizer_data("family_gpt2.json").at("tokenizer").dump());
  tok::encode_options o;
  o.padding = tok::padding_options{.pad_to_multiple_of = 4, .pad_id = 3};
  const std::vector<std::string> texts{"a", "the quick brown fox jumps"};
  const auto batch = t.encode_batch(texts, o);
  REQUIRE(batch.size() == 2);
  const std::size_t longest = t.encode_ids(texts[1]).size();
  CHECK(batch[0].size() == (longest + 3) / 4 * 4);
  CHECK(batch[1].size() == batch[0].size());
  CHECK(batch[0].ids.back() == 3);
  CHECK(batch[0].attention_mask.front() == 1);
  CHECK(batch[0].attention_mask.back() == 0);
}

TEST_CASE("encoding from several threads gives the same ids") {
  const json data = tokenizer_data("family_gemma.json");
  const auto t = tok::tokenizer::from_json(data.at("tokenizer").dump());
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (std::size_t k = 0; k < wrong.size(); ++k)
    threads.emplace_back([&, k] {
      for (const json& row : data.at("cases"))
        if (!row.contains("pair"))
          wrong[k] += t.encode_ids(row.at("text").get<std::string>()) != numbers(row.at("ids"));
    });
  for (auto& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4, 0));
}

TEST_CASE("special tokens in text can be read as plain text") {
  const auto t =
      tok::tokenizer::from_json(tokenizer_data("family_llama3.json").at("tokenizer").dump());
  const std::int32_t bos = t.token_to_id("<s>").value();
  CHECK(t.is_special(bos));
  CHECK(t.encode_ids("<s>", {.add_special_tokens = false}) == std::vector<std::int32_t>{bos});
  const auto plain =
      t.encode_ids("<s>", {.add_special_tokens = false, .split_special_tokens = true});
  CHECK(plain.size() > 1);
  CHECK(std::find(plain.begin(), plain.end(), bos) == plain.end());
  CHECK(t.decode(plain) == "<s>");
}
