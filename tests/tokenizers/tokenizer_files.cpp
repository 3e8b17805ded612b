// SPDX-License-Identifier: Apache-2.0
// Model folders (tokenizer_config.json and friends) and GGUF vocabularies.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "parlance/tokenizers/tokenizer.hpp"
#include "tokenizer_data.hpp"

using namespace parlance;
using namespace parlance_test;
namespace tok = parlance::tokenizers;
namespace fs = std::filesystem;

namespace {

struct folder {
  fs::path path;
  explicit folder(const std::string& name)
      : path(fs::temp_directory_path() / ("parlance_tokenizer_" + name)) {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~folder() { fs::remove_all(path); }
  void write(const char* name, const std::string& text) const { write_atomic(path / name, text); }
};

std::string family(const std::string& name) {
  return tokenizer_data("family_" + name + ".json").at("tokenizer").dump();
}

}  // namespace

TEST_CASE("without added_tokens_decoder the map of special tokens wins") {
  const folder f("map");
  f.write("tokenizer.json", family("gpt2"));
  f.write("tokenizer_config.json", R"({"bos_token": "</s>", "eos_token": "</s>"})");
  f.write("special_tokens_map.json", R"({"bos_token": "<s>", "unk_token": "<unk>"})");
  f.write("added_tokens.json", R"({"later": 901, "sooner": 900, "<unk>": 2})");
  const auto t = tok::tokenizer::from_pretrained(f.path);
  CHECK(t.bos_id() == 0);
  CHECK(t.eos_id() == 1);
  CHECK(t.unk_id() == 2);
  REQUIRE(t.token_to_id("later"));
  CHECK(*t.token_to_id("later") == *t.token_to_id("sooner") + 1);
}

TEST_CASE("a folder gives special tokens, flags and chat templates") {
  const folder f("config");
  f.write("tokenizer.json", family("gpt2"));
  f.write("tokenizer_config.json", R"({
    "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 2048,
    "padding_side": "left", "clean_up_tokenization_spaces": true,
    "bos_token": "<s>", "eos_token": {"__type": "AddedToken", "content": "</s>"},
    "pad_token": null, "additional_special_tokens": ["<extra>"],
    "added_tokens_decoder": {"999": {"content": "<new>", "special": false, "lstrip": true}},
    "chat_template": [{"name": "default", "template": "A"}, {"name": "tool_use", "template": "B"}]})");
  f.write("special_tokens_map.json", R"({"bos_token": "ignored", "unk_token": "<unk>"})");
  const auto t = tok::tokenizer::from_pretrained(f.path);
  CHECK(t.special_token("bos_token") == "<s>");
  CHECK(t.bos_id() == 0);
  CHECK(t.eos_id() == 1);
  CHECK_FALSE(t.unk_id().has_value());  // added_tokens_decoder makes the map void
  CHECK_FALSE(t.pad_id().has_value());
  CHECK(t.config().model_max_length == 2048);
  CHECK(t.config().padding_side == tok::direction::left);
  REQUIRE(t.chat_template());
  CHECK(*t.chat_template() == "A");
  CHECK(*t.chat_template("tool_use") == "B");
  CHECK(t.chat_template("none") == nullptr);
  REQUIRE(t.token_to_id("<extra>"));
  CHECK(t.is_special(*t.token_to_id("<extra>")));
  REQUIRE(t.token_to_id("<new>"));
  CHECK_FALSE(t.is_special(*t.token_to_id("<new>")));
  // clean_up_tokenization_spaces of the configuration, and the option that overrides it
  const auto ids = t.encode_ids("a , b .");
  CHECK(t.decode(ids) == "a, b.");
  CHECK(t.decode(ids, {.clean_up_tokenization_spaces = false}) == "a , b .");
}

TEST_CASE("chat_template.jinja wins over the configuration") {
  const folder f("jinja");
  f.write("tokenizer.json", family("gpt2"));
  f.write("tokenizer_config.json", R"({"chat_template": "old"})");
  f.write("chat_template.jinja", "new");
  CHECK(*tok::tokenizer::from_pretrained(f.path).chat_template() == "new");
}

TEST_CASE("Llama and Gemma classes take bos and eos from the configuration") {
  // transformers rebuilds the post-processor of these classes (LlamaTokenizerFast and others).
  const folder f("llama");
  f.write("tokenizer.json", family("deepseek"));  // has no post-processor
  const std::string names = R"("bos_token": "<s>", "eos_token": "</s>")";
  f.write("tokenizer_config.json", "{\"tokenizer_class\": \"LlamaTokenizerFast\", " + names + "}");
  auto ids = tok::tokenizer::from_pretrained(f.path).encode_ids("the");
  CHECK(ids.front() == 0);
  CHECK(ids.back() != 1);
  f.write("tokenizer_config.json",
          "{\"tokenizer_class\": \"GemmaTokenizer\", \"add_bos_token\": false, "
          "\"add_eos_token\": true, " +
              names + "}");
  const auto t = tok::tokenizer::from_pretrained(f.path);
  ids = t.encode_ids("the");
  CHECK(ids.front() != 0);
  CHECK(ids.back() == 1);
  const auto pair = t.encode("the", "fox");
  CHECK(std::count(pair.ids.begin(), pair.ids.end(), 1) == 2);
}

TEST_CASE("a saved folder loads again") {
  const folder f("save"), g("saved");
  f.write("tokenizer.json", family("llama2"));
  f.write("tokenizer_config.json", R"({"bos_token": "<s>", "chat_template": "x"})");
  f.write("chat_template.jinja", "y");
  const auto first = tok::tokenizer::from_pretrained(f.path);
  first.save_pretrained(g.path);
  const auto second = tok::tokenizer::from_pretrained(g.path);
  const std::string text = "Hello <mask> \xE6\x97\xA5\xE6\x9C\xAC  world\n";
  CHECK(second.encode_ids(text) == first.encode_ids(text));
  CHECK(second.bos_id() == 0);
  CHECK(*second.chat_template() == "y");
}

TEST_CASE("a folder without tokenizer.json is an io error") {
  const folder f("empty");
  CHECK_THROWS_AS(tok::tokenizer::from_pretrained(f.path), io_error);
  CHECK_THROWS_AS(tok::tokenizer::from_pretrained(f.path / "nowhere"), io_error);
}

TEST_CASE("broken companions are format errors") {
  for (const char* config :
       {"[]", "{", R"({"bos_token": 5})", R"({"padding_side": "up"})", R"({"chat_template": 5})",
        R"({"chat_template": [{"name": "x"}]})", R"({"added_tokens_decoder": []})",
        R"({"model_max_length": "long"})", R"({"bos_token": {"lstrip": true}})"}) {
    CAPTURE(std::string(config));
    const folder f("broken");
    f.write("tokenizer.json", family("gpt2"));
    f.write("tokenizer_config.json", config);
    CHECK_THROWS_AS(tok::tokenizer::from_pretrained(f.path), format_error);
  }
}

namespace {

// The GGUF vocabulary that convert_hf_to_gguf.py makes of a tokenizer.json.
tok::gguf_vocab gguf_of(const json& j, const std::string& model, const std::string& pre) {
  tok::gguf_vocab v;
  v.model = model;
  v.pre = pre;
  for (const auto& [token, id] : j.at("model").at("vocab").items()) {
    v.tokens.resize(std::max(v.tokens.size(), id.get<std::size_t>() + 1));
    v.tokens[id.get<std::size_t>()] = token;
  }
  v.token_type.assign(v.tokens.size(), 1);
  for (const json& token : j.at("added_tokens")) {
    const auto id = token.at("id").get<std::size_t>();
    v.tokens.resize(std::max(v.tokens.size(), id + 1));
    v.token_type.resize(v.tokens.size(), 1);
    v.tokens[id] = token.at("content").get<std::string>();
    v.token_type[id] = token.at("special").get<bool>() ? 3 : 4;
  }
  for (const json& merge : j.at("model").at("merges"))
    v.merges.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  return v;
}

}  // namespace

TEST_CASE("a byte-level GGUF vocabulary gives the ids of the folder it was made from") {
  for (const auto& [name, pre] : {std::pair{"gpt2", "gpt-2"},
                                  {"smollm", "smollm"},
                                  {"llama3", "llama-bpe"},
                                  {"qwen2", "qwen2"},
                                  {"o200k", "gpt-4o"},
                                  {"tekken", "tekken"},
                                  {"deepseek", "deepseek-v3"},
                                  {"qwen35", "qwen35"}}) {
    const std::string family_name = name;
    CAPTURE(family_name);
    const json data = tokenizer_data("family_" + std::string(name) + ".json");
    const auto t = tok::tokenizer::from_gguf(gguf_of(data.at("tokenizer"), "gpt2", pre));
    for (const json& row : data.at("cases")) {
      const auto text = row.at("text").get<std::string>();
      // Flags of added tokens (lstrip, single_word) are not in GGUF files.
      if (row.contains("pair") || text.find("mask") != std::string::npos ||
          text.find("tok1") != std::string::npos)
        continue;
      CAPTURE(text);
      CHECK(t.encode_ids(text) == numbers(row.at("plain")));
    }
  }
}

TEST_CASE("a SentencePiece GGUF vocabulary merges by score") {
  // By hand: of the pieces of "abc", "bc" has the better score, so a|bc; then "abc" joins them.
  tok::gguf_vocab v;
  v.model = "llama";
  v.tokens = {"<unk>",
              "<s>",
              "</s>",
              "a",
              "b",
              "c",
              "\xE2\x96\x81",
              "ab",
              "bc",
              "\xE2\x96\x81"
              "a"};
  v.scores = {0, 0, 0, -10, -11, -12, -13, -3, -1, -2};
  v.token_type = {2, 3, 3, 1, 1, 1, 1, 1, 1, 1};
  for (int b = 0; b < 256; ++b) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", static_cast<unsigned>(b));
    v.tokens.push_back(text);
    v.scores.push_back(0);
    v.token_type.push_back(6);
  }
  v.bos_id = 1, v.eos_id = 2, v.unk_id = 0;
  v.chat_template = "T";
  const auto t = tok::tokenizer::from_gguf(v);
  using list = std::vector<std::int32_t>;
  CHECK(t.encode_ids("abc") == list{1, 9, 8});  // bos, "_a", "bc"
  CHECK(t.encode_ids("ab") == list{1, 9, 4});   // "_a" (-2) before "ab" (-3)
  CHECK(t.encode_ids("\n") == list{1, 6, 10 + 0x0A});
  CHECK(t.encode_ids("a</s>") == list{1, 9, 2});
  CHECK(t.decode(t.encode_ids("abc a"), {.skip_special_tokens = true}) == "abc a");
  CHECK(t.bos_id() == 1);
  CHECK(t.is_special(2));
  CHECK(*t.chat_template() == "T");
  v.add_space_prefix = false, v.add_bos = false;
  CHECK(tok::tokenizer::from_gguf(v).encode_ids("abc") == list{3, 8});
}

TEST_CASE("broken GGUF vocabularies are errors") {
  tok::gguf_vocab good;
  good.model = "gpt2";
  good.pre = "gpt-2";
  good.tokens = {"a", "b", "ab"};
  good.merges = {"a b"};
  CHECK(tok::tokenizer::from_gguf(good).encode_ids("ab") == std::vector<std::int32_t>{2});
  const auto broken = [&](auto change) {
    tok::gguf_vocab v = good;
    change(v);
    CHECK_THROWS_AS(tok::tokenizer::from_gguf(v), format_error);
  };
  broken([](auto& v) { v.tokens.clear(); });
  broken([](auto& v) { v.scores = {1.0f}; });
  broken([](auto& v) { v.token_type = {1}; });
  broken([](auto& v) { v.bos_id = 3; });
  broken([](auto& v) { v.eos_id = -2; });
  broken([](auto& v) { v.merges = {"ab"}; });
  broken([](auto& v) { v.merges = {"a x"}; });
  broken([](auto& v) { v.merges = {"a "}; });
  broken([](auto& v) { v.model = "llama"; });  // no scores
  tok::gguf_vocab v = good;
  v.tokens[0] = "\xFF";
  CHECK_THROWS_AS(tok::tokenizer::from_gguf(v), text_error);
  v = good;
  v.model = "rwkv";
  CHECK_THROWS_AS(tok::tokenizer::from_gguf(v), unsupported_error);
  v = good;
  v.pre = "unheard-of";
  CHECK_THROWS_AS(tok::tokenizer::from_gguf(v), unsupported_error);
}

TEST_CASE("WordPiece and Unigram vocabularies of GGUF give the original's ids") {
  const json folders = tokenizer_data("folders.json");
  const auto find = [&](const std::string& name) -> const json& {
    for (const json& f : folders.at("folders"))
      if (f.at("class") == name && f.at("config").empty()) return f;
    throw std::runtime_error(name);
  };
  const json& bert = find("BertTokenizer");
  tok::gguf_vocab v;
  v.model = "bert";
  std::istringstream lines(folders.at("files").at("vocab.txt").get<std::string>());
  for (std::string line; std::getline(lines, line);) {
    const bool special = line.starts_with('[') && line.ends_with(']') && line.size() > 2;
    const std::string bar = "\xE2\x96\x81";
    v.tokens.push_back(special ? line : line.starts_with("##") ? line.substr(2) : bar + line);
    v.token_type.push_back(special ? 3 : 1);
    if (!special)  // the vocabulary is cased, the tokenizer is not
      for (char& c : v.tokens.back()) c = c >= 'A' && c <= 'Z' ? '\x01' : c;
  }
  v.pad_id = 0, v.unk_id = 1, v.cls_id = 2, v.sep_id = 3, v.mask_id = 4;
  const auto t = tok::tokenizer::from_gguf(v);
  for (const json& c : bert.at("cases"))
    CHECK(t.encode_ids(c.at("text").get<std::string>()) == numbers(c.at("ids")));
  CHECK(t.encode("the quick", "brown fox").ids == numbers(bert.at("pair")[0]));
  CHECK(t.encode("the quick", "brown fox").type_ids == numbers(bert.at("pair")[1]));

  const json& t5 = find("T5Tokenizer");
  const auto m = tok::read_sentence_piece(
      base64_decode(folders.at("files").at("t5.model").get<std::string>(), "t5"), "t5");
  tok::gguf_vocab u;
  u.model = "t5";
  u.precompiled_charsmap = m.precompiled_charsmap;
  for (std::size_t i = 0; i < m.pieces.size(); ++i) {
    u.tokens.emplace_back(m.pieces[i]);
    u.scores.push_back(m.scores[i]);
    u.token_type.push_back(static_cast<int>(m.types[i]));
  }
  for (int i = 99; i >= 0; --i) {
    u.tokens.push_back("<extra_id_" + std::to_string(i) + ">");
    u.scores.push_back(0);
    u.token_type.push_back(3);
  }
  u.pad_id = 0, u.eos_id = 1, u.unk_id = 2;
  const auto unigram = tok::tokenizer::from_gguf(u);
  for (const json& c : t5.at("cases"))
    CHECK(unigram.encode_ids(c.at("text").get<std::string>()) == numbers(c.at("ids")));
}
