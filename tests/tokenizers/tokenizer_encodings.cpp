// SPDX-License-Identifier: Apache-2.0
// Encodings against Hugging Face tokenizers: every post-processor, pairs, pre-split words,
// truncation with what overflows, padding, the mappings between tokens, words and characters.
#include <doctest/doctest.h>

#include "parlance/core/thread_pool.hpp"
#include "parlance/tokenizers/align_labels.hpp"
#include "parlance/tokenizers/tokenizer.hpp"
#include "tokenizer_data.hpp"

using namespace parlance;
using namespace parlance_test;
namespace tok = parlance::tokenizers;

namespace {

using words = std::vector<std::string>;

json or_null(std::int32_t id) { return id < 0 ? json(nullptr) : json(id); }

json to_json(const tok::encoding& e) {
  json word_ids = json::array(), sequence_ids = json::array();
  for (const auto id : e.word_ids) word_ids.push_back(or_null(id));
  for (const auto id : e.sequence_ids) sequence_ids.push_back(or_null(id));
  json out = {{"ids", e.ids},
              {"offsets", flat(e.offsets)},
              {"type_ids", e.type_ids},
              {"attention_mask", e.attention_mask},
              {"special_tokens_mask", e.special_tokens_mask},
              {"word_ids", word_ids},
              {"sequence_ids", sequence_ids}};
  for (const auto& part : e.overflowing) out["overflowing"].push_back(to_json(part));
  return out;
}

tok::direction side(const json& node) {
  return node.at("direction") == "left" ? tok::direction::left : tok::direction::right;
}

tok::encode_options options_of(const json& row) {
  tok::encode_options o;
  o.add_special_tokens = row.at("add_special_tokens").get<bool>();
  if (row.contains("truncation")) {
    const json& node = row["truncation"];
    const std::string strategy = node.at("strategy");
    o.truncation = tok::truncation_options{
        node.at("max_length"), node.at("stride"),
        strategy == "only_first"    ? tok::truncation_strategy::only_first
        : strategy == "only_second" ? tok::truncation_strategy::only_second
                                    : tok::truncation_strategy::longest_first,
        side(node)};
  }
  if (row.contains("padding")) {
    const json& node = row["padding"];
    tok::padding_options p;
    if (!node.at("length").is_null()) p.length = node["length"].get<std::uint32_t>();
    if (!node.at("pad_to_multiple_of").is_null()) p.pad_to_multiple_of = node["pad_to_multiple_of"];
    p.side = side(node);
    p.pad_id = node.at("pad_id");
    p.pad_type_id = node.at("pad_type_id");
    p.pad_token = node.at("pad_token");
    o.padding = p;
  }
  return o;
}

tok::encoding encode(const tok::tokenizer& t, const json& row, const tok::encode_options& o) {
  if (row.contains("words")) {
    const words first = row["words"];
    return row.contains("pair_words") ? t.encode(first, row["pair_words"].get<words>(), o)
                                      : t.encode(first, o);
  }
  const std::string first = row.at("text");
  return row.contains("pair") ? t.encode(first, row["pair"].get<std::string>(), o)
                              : t.encode(first, o);
}

template <class T>
json value(const std::optional<T>& v) {
  if (!v) return nullptr;
  if constexpr (std::is_same_v<T, tok::byte_range>)
    return {v->begin, v->end};
  else
    return *v;
}

void check_queries(const tok::encoding& e, const json& expected) {
  for (std::size_t i = 0; i < e.size(); ++i) {
    CHECK(value(e.token_to_sequence(i)) == expected.at("token_to_sequence")[i]);
    CHECK(value(e.token_to_chars(i)) == expected.at("token_to_chars")[i]);
    CHECK(value(e.token_to_word(i)) == expected.at("token_to_word")[i]);
  }
  CHECK_FALSE(e.token_to_sequence(e.size()));
  for (const json& of : expected.at("sequences")) {
    const auto s = of.at("sequence").get<std::int32_t>();
    for (std::int32_t i = 0; i < 12; ++i) {
      CAPTURE(s);
      CAPTURE(i);
      const auto k = static_cast<std::size_t>(i);
      CHECK(value(e.word_to_tokens(i, s)) == of.at("word_to_tokens")[k]);
      CHECK(value(e.word_to_chars(i, s)) == of.at("word_to_chars")[k]);
      CHECK(value(e.char_to_token(static_cast<std::uint32_t>(i), s)) == of.at("char_to_token")[k]);
      CHECK(value(e.char_to_word(static_cast<std::uint32_t>(i), s)) == of.at("char_to_word")[k]);
    }
  }
}

// Byte offsets against those of characters, and the ids without offsets, for one text.
void check_bytes(const tok::tokenizer& t, const tok::encoding& e, const json& row) {
  const std::string text = row.at("text");
  const auto characters = [&](std::size_t bytes) {
    return utf8_length(std::string_view(text).substr(0, bytes));
  };
  for (std::size_t i = 0; i < e.size(); ++i) {
    CHECK(characters(e.byte_offsets[i].begin) == e.offsets[i].begin);
    CHECK(characters(e.byte_offsets[i].end) == e.offsets[i].end);
  }
  CHECK(t.encode_ids(text, options_of(row)) == e.ids);
}

tok::tokenizer with_post_processor(const json& data, const json& post) {
  json file = data.at("tokenizer");
  file["post_processor"] = post;
  return tok::tokenizer::from_json(file.dump());
}

}  // namespace

TEST_CASE("encodings agree with the original") {
  const json data = tokenizer_data("encodings.json");
  for (const json& of : data.at("cases")) {
    const tok::tokenizer t = with_post_processor(data, of.at("post_processor"));
    CAPTURE(of.at("post_processor").dump().substr(0, 300));
    for (const json& row : of.at("rows")) {
      json shown = row;
      for (const char* result : {"encoding", "queries", "labels"}) shown.erase(result);
      CAPTURE(shown.dump());
      if (row.contains("error")) {
        CHECK_THROWS_AS(encode(t, row, options_of(row)), option_error);
        continue;
      }
      const tok::encoding e = encode(t, row, options_of(row));
      CHECK(to_json(e).dump() == row.at("encoding").dump());
      if (row.contains("text") && !row.contains("pair")) check_bytes(t, e, row);
      if (row.contains("queries")) check_queries(e, row["queries"]);
      if (!row.contains("labels")) continue;
      std::vector<std::int32_t> labels(100);
      for (std::size_t i = 0; i < labels.size(); ++i)
        labels[i] = 100 + static_cast<std::int32_t>(i);
      CHECK(json(tok::align_labels(e, labels)).dump() == row["labels"][0].dump());
      CHECK(json(tok::align_labels(e, labels, {.label_all_tokens = true})).dump() ==
            row["labels"][1].dump());
    }
  }
}

TEST_CASE("a word without a label is an error") {
  const json data = tokenizer_data("encodings.json");
  const tok::tokenizer t = with_post_processor(data, nullptr);
  const tok::encoding e = t.encode(words{"the", "dog"});
  CHECK_THROWS_AS(tok::align_labels(e, std::vector<std::int32_t>{1}), option_error);
}

TEST_CASE("a batch is its rows one by one, for any number of threads") {
  const json data = tokenizer_data("encodings.json");
  const tok::tokenizer t = with_post_processor(data, data.at("cases")[6].at("post_processor"));
  std::vector<std::string> texts;
  std::vector<words> split;
  std::vector<std::pair<std::string, std::string>> pairs;
  for (int i = 0; i < 50; ++i) {
    texts.push_back("the lazy dog " + std::string(static_cast<std::size_t>(i * 7 % 13), 'o'));
    split.push_back({"over", texts.back()});
    pairs.emplace_back(texts.back(), "quick " + std::to_string(i));
  }
  std::size_t longest = 0;
  for (const auto& text : texts) longest = std::max(longest, t.encode(text).size());
  tok::encode_options padded;
  padded.padding = tok::padding_options{.pad_to_multiple_of = 8, .pad_id = 2, .pad_token = "<pad>"};
  for (const int threads : {1, 2, 5}) {
    const use_pool pool(std::make_shared<thread_pool>(threads));
    const auto plain = t.encode_batch(texts);
    const auto words_batch = t.encode_batch(split);
    const auto pair_batch = t.encode_batch(pairs);
    const auto even = t.encode_batch(texts, padded);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      CHECK(to_json(plain[i]) == to_json(t.encode(texts[i])));
      CHECK(to_json(words_batch[i]) == to_json(t.encode(split[i])));
      CHECK(to_json(pair_batch[i]) == to_json(t.encode(pairs[i].first, pairs[i].second)));
      CHECK(even[i].size() == (longest + 7) / 8 * 8);
      CHECK(even[i].attention_mask.back() == (even[i].size() == plain[i].size() ? 1 : 0));
    }
  }
}

TEST_CASE("the first wrong text of a batch is the one reported") {
  const json data = tokenizer_data("encodings.json");
  const tok::tokenizer t = with_post_processor(data, nullptr);
  const std::vector<std::string> texts{"fine", "ab\xFFz", "abcd\xC3", "fine"};
  try {
    t.encode_batch(texts);
    FAIL("no error");
  } catch (const text_error& e) {
    CHECK(std::string(e.what()).find("byte 2") != std::string::npos);
  }
}

TEST_CASE("invalid UTF-8 is refused with its place, or read as U+FFFD") {
  const json data = tokenizer_data("encodings.json");
  const tok::tokenizer t = with_post_processor(data, nullptr);
  const std::string broken = "the \xE2\x82 dog \xFF\xC3\xA9";
  const std::string repaired = "the \xEF\xBF\xBD dog \xEF\xBF\xBD\xC3\xA9";
  CHECK_THROWS_WITH_AS(t.encode(broken), doctest::Contains("byte 4"), text_error);
  CHECK_THROWS_AS(t.encode_ids(broken), text_error);
  CHECK_THROWS_WITH_AS(t.encode(words{"the", broken}),
                       doctest::Contains("word 1: invalid UTF-8 at byte 4"), text_error);
  tok::encode_options o;
  o.invalid_utf8 = tok::invalid_utf8::replace;
  const tok::encoding got = t.encode(broken, o), expected = t.encode(repaired);
  CHECK(to_json(got) == to_json(expected));
  CHECK(t.encode_ids(broken, o) == expected.ids);
  CHECK(to_json(t.encode(words{"the", broken}, o)) == to_json(t.encode(words{"the", repaired})));
  // bytes are those of the text as given: U+FFFD stands for two bytes, then one
  CHECK(expected.byte_offsets.back() == tok::byte_range{15, 17});
  CHECK(got.byte_offsets.back() == tok::byte_range{12, 14});
}
