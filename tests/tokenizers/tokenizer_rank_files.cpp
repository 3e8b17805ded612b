// SPDX-License-Identifier: Apache-2.0
// Rank files against tiktoken under the patterns of its encodings, tekken.json against
// mistral_common.
#include <doctest/doctest.h>

#include "parlance/tokenizers/tokenizer.hpp"
#include "tokenizer_data.hpp"
#include "tokenizer_folder.hpp"

using namespace parlance;
using namespace parlance_test;
namespace tok = parlance::tokenizers;

namespace {

// The ranks as tiktoken writes them, with tokens that no text has up to `size`.
std::string rank_file(const json& ranks, std::size_t size = 0) {
  std::string out;
  std::size_t rank = 0;
  for (const json& token : ranks)
    out += token.get<std::string>() + " " + std::to_string(rank++) + "\n";
  for (; rank < size; ++rank) {
    std::string token = "\xFF";
    for (std::size_t i = 0, n = rank; i < 4; ++i, n >>= 6)
      token.push_back(static_cast<char>(0xC0 | (n & 63)));
    out += base64_encode(token) + " " + std::to_string(rank) + "\n";
  }
  return out;
}

tok::tokenizer load(const std::string& name, const std::string& text,
                    const std::string& class_name = "PreTrainedTokenizer") {
  const temporary_folder folder;
  folder.write(name, text);
  folder.write("tokenizer_config.json", json{{"tokenizer_class", class_name}}.dump());
  return folder.load();
}

void check(const tok::tokenizer& t, const json& cases) {
  for (const json& c : cases) {
    const auto text = c.at("text").get<std::string>();
    CAPTURE(text);
    CHECK(t.encode_ids(text, {.split_special_tokens = true}) == numbers(c.at("ids")));
  }
}

// The message of the error that a changed tekken.json gives.
template <class Change>
std::string tekken_error(json file, Change change) {
  change(file);
  try {
    load("tekken.json", file.dump(), "MistralCommonTokenizer");
  } catch (const error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("the class, the name or the number of ranks chooses the pattern") {
  const json data = tokenizer_data("rank_files.json");
  const json& ranks = data.at("ranks");
  const json& expected = data.at("encodings");
  const std::string file = rank_file(ranks);
  for (const char* name : {"cl100k_base", "o200k_base", "p50k_base", "r50k_base"}) {
    CAPTURE(name);
    check(load(std::string(name) + ".tiktoken", file), expected.at(name));
  }
  check(load("qwen.tiktoken", file), expected.at("qwen"));
  check(load("tokenizer.model", file), expected.at("cl100k_base"));
  check(load("tokenizer.model", file, "LlamaTokenizer"), [&] {
    json with_bos = expected.at("cl100k_base");  // the class puts <s>, the first token added, first
    for (json& c : with_bos) c["ids"].insert(c["ids"].begin(), ranks.size());
    return with_bos;
  }());
  check(load("vocab.tiktoken", file, "Qwen2Tokenizer"), expected.at("qwen"));
  const auto padded = [&](std::size_t size) {
    return load("tokenizer.model", rank_file(ranks, size));
  };
  check(padded(50257), expected.at("r50k_base"));
  check(padded(50281), expected.at("p50k_base"));
  check(padded(100256), expected.at("cl100k_base"));
  check(padded(151643), expected.at("qwen"));
  check(padded(199998), expected.at("o200k_base"));
  check(padded(200000), expected.at("o200k_base"));
}

TEST_CASE("Qwen's special tokens follow its ranks") {
  const json data = tokenizer_data("rank_files.json");
  const auto t = load("qwen.tiktoken", rank_file(data.at("ranks")), "QWenTokenizer");
  const auto first = static_cast<std::int32_t>(data.at("ranks").size());
  CHECK(t.token_to_id("<|endoftext|>") == first);
  CHECK(t.token_to_id("<|im_start|>") == first + 1);
  CHECK(t.token_to_id("<|im_end|>") == first + 2);
  CHECK(t.token_to_id("<|extra_204|>") == first + 207);
  check(t, data.at("encodings").at("qwen"));
}

TEST_CASE("tekken.json gives the ids of mistral_common") {
  const json data = tokenizer_data("rank_files.json");
  for (const json& row : data.at("tekken")) {
    const std::string text = row.at("file").dump();
    for (const char* class_name : {"MistralCommonTokenizer", ""}) {
      const auto t = load("tekken.json", text, class_name);
      CHECK(t.vocab_size() == row.at("size").get<std::size_t>());
      CHECK(t.bos_id() == 1);
      CHECK(t.eos_id() == 2);
      for (const auto& [id, token] : row.at("tokens").items())
        CHECK(t.id_to_token(std::stoi(id)) == token.get<std::string>());
      check(t, row.at("cases"));
      for (const json& c : row.at("cases"))
        CHECK(t.decode(numbers(c.at("ids")), {true, false}) == c.at("decoded").get<std::string>());
      const auto again = tok::tokenizer::from_json(t.to_json());
      check(again, row.at("cases"));
    }
  }
}

TEST_CASE("a wrong tekken.json is refused with its place") {
  const json file = tokenizer_data("rank_files.json").at("tekken").at(0).at("file");
  const auto has = [&](const char* message, auto change) {
    CAPTURE(message);
    CHECK(tekken_error(file, change).find(message) != std::string::npos);
  };
  CHECK(tekken_error(file, [](json&) {}).empty());
  has("'config': missing", [](json& f) { f.erase("config"); });
  has("expected an array", [](json& f) { f["vocab"] = 1; });
  has("more than 100000", [](json& f) { f["config"]["default_num_special_tokens"] = 2000000000; });
  has("default_vocab_size", [](json& f) { f["config"]["default_vocab_size"] = 10; });
  has("default_vocab_size", [](json& f) { f["config"]["default_vocab_size"] = 2000000000; });
  has("vocab 5", [](json& f) { f["vocab"][5]["rank"] = 6; });
  has("vocab 5", [](json& f) { f["vocab"][5]["token_bytes"] = ""; });
  has("vocab 5", [](json& f) { f["vocab"][5]["token_bytes"] = "!"; });
  has("expected less than 30", [](json& f) { f["special_tokens"][3]["rank"] = 30; });
  has("pattern", [](json& f) { f["config"].erase("pattern"); });
}
