// SPDX-License-Identifier: Apache-2.0
// Folders without a tokenizer.json against the tokenizer classes of transformers, and wrong files
// in such folders.
#include <doctest/doctest.h>

#include <bit>
#include <limits>

#include "parlance/tokenizers/tokenizer.hpp"
#include "tokenizer_data.hpp"
#include "tokenizer_folder.hpp"

using namespace parlance;
using namespace parlance_test;
namespace tok = parlance::tokenizers;

namespace {

void check_cases(const tok::tokenizer& t, const json& row) {
  for (const json& c : row.at("cases")) {
    const auto text = c.at("text").get<std::string>();
    CAPTURE(text);
    const tok::encoding e = t.encode(text);
    CHECK(e.ids == numbers(c.at("ids")));
    CHECK(flat(e.offsets) == numbers(c.at("offsets")));
    CHECK(t.encode_ids(text) == e.ids);
    CHECK(t.decode(e.ids, {false, false}) == c.at("decoded").get<std::string>());
    CHECK(t.decode(e.ids, {true, false}) == c.at("skipped").get<std::string>());
  }
}

}  // namespace

TEST_CASE("folders of every class give the original's tokens") {
  const json data = tokenizer_data("folders.json");
  for (const json& row : data.at("folders")) {
    const std::string name = row.at("class").get<std::string>() + " " + row.at("config").dump();
    CAPTURE(name);
    const temporary_folder folder;
    write_files(folder, data.at("files"), row);
    tok::tokenizer t = folder.load();
    CHECK(t.vocab_size() == row.at("size").get<std::size_t>());
    for (const auto& [id, token] : row.at("tokens").items())
      CHECK(t.id_to_token(std::stoi(id)) == token.get<std::string>());
    for (const auto& [key, value] : row.at("special").items()) {
      CHECK(t.special_token(key) == value.at(0).get<std::string>());
      CHECK(t.special_id(key) == value.at(1).get<std::int32_t>());
    }
    const tok::encoding pair = t.encode("the quick", "brown fox");
    CHECK(pair.ids == numbers(row.at("pair").at(0)));
    if (!row.at("pair").at(1).is_null()) CHECK(pair.type_ids == numbers(row.at("pair").at(1)));
    check_cases(t, row);
    if (row.contains("source")) {
      t.set_src_lang(row["source"][0]);
      CHECK(t.encode_ids("the fox") == numbers(row["source"][1]));
      t.set_tgt_lang(row["target"][0]);
      CHECK(t.encode_ids("the fox") == numbers(row["target"][1]));
      CHECK_THROWS_AS(t.set_src_lang("xx_YY"), option_error);
    } else {
      CHECK_THROWS_AS(t.set_src_lang("en_XX"), unsupported_error);
    }
  }
}

TEST_CASE("a converted folder that is saved encodes the same") {
  const json data = tokenizer_data("folders.json");
  for (const json& row : data.at("folders")) {
    const std::string name = row.at("class").get<std::string>() + " " + row.at("config").dump();
    CAPTURE(name);
    const temporary_folder folder;
    write_files(folder, data.at("files"), row);
    const tok::tokenizer first = folder.load();
    const auto second = tok::tokenizer::from_json(first.to_json());
    for (const json& c : row.at("cases"))
      CHECK(second.encode_ids(c.at("text").get<std::string>()) == numbers(c.at("ids")));
  }
}

namespace {

// Protocol buffer fields, as SentencePiece writes them.
std::string varint(std::uint64_t v) {
  std::string out;
  for (; v > 127; v >>= 7) out.push_back(static_cast<char>(0x80 | (v & 0x7F)));
  return out + static_cast<char>(v);
}
std::string field(int number, const std::string& value) {
  return varint(static_cast<std::uint64_t>(number) << 3 | 2) + varint(value.size()) + value;
}
std::string number_field(int number, std::uint64_t value) {
  return varint(static_cast<std::uint64_t>(number) << 3) + varint(value);
}
std::string piece(const std::string& text, float score = -1.0f, int type = 1) {
  const auto bits = std::bit_cast<std::uint32_t>(score);
  std::string number(1, '\x15');
  for (int i = 0; i < 4; ++i) number.push_back(static_cast<char>(bits >> (8 * i)));
  return field(1, field(1, text) + number + number_field(3, static_cast<std::uint64_t>(type)));
}

// The message of the error that reading a folder with this one file gives.
std::string folder_error(const std::string& name, const std::string& text,
                         const std::string& class_name) {
  const temporary_folder folder;
  folder.write(name, text);
  folder.write("tokenizer_config.json", json{{"tokenizer_class", class_name}}.dump());
  if (name == "merges.txt") folder.write("vocab.json", R"({"a": 0, "b": 1, "ab": 2})");
  if (name == "vocab.json") folder.write("merges.txt", "#version: 0.2\n");
  try {
    folder.load();
  } catch (const error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("wrong SentencePiece models are refused with their place") {
  const std::string good = piece("<unk>", 0, 2) + piece("a") + piece("b");
  const auto fails = [](const std::string& bytes) {
    return folder_error("spiece.model", bytes, "T5Tokenizer");
  };
  CHECK(fails(good + number_field(2, 1)).find("field 2: expected a string") != std::string::npos);
  const std::string place = "byte " + std::to_string(good.size() + 1) + ": ";
  CHECK(fails(good + "\x0A").find(place + "ends inside a number") != std::string::npos);
  CHECK(fails(good + "\x0A\x7F").find("length 127 where 0 bytes are left") != std::string::npos);
  CHECK(fails(good + "\x0A" + varint(~std::uint64_t{0})).find("length 18446744073709551615") !=
        std::string::npos);
  CHECK(fails(good + std::string(11, '\xFF')).find("more than 64 bits") != std::string::npos);
  CHECK(fails(good + "\x0B").find("wire type 3") != std::string::npos);
  CHECK(fails(good + std::string(1, '\0') + "x").find("field number") != std::string::npos);
  CHECK(fails(good + piece("")).find("piece 3 is empty") != std::string::npos);
  CHECK(fails(good + piece("\xFF")).find("piece 3 is not UTF-8") != std::string::npos);
  CHECK(fails(good + piece("c", std::numeric_limits<float>::infinity())).find("not finite") !=
        std::string::npos);
  CHECK(fails(good + piece("c", 0, 9)).find("unknown type 9") != std::string::npos);
  CHECK(fails(good + field(2, number_field(40, 3))).find("unk_id 3 outside") != std::string::npos);
  CHECK(fails(good + field(2, number_field(40, ~std::uint64_t{0}))).find("unk_id") !=
        std::string::npos);
  CHECK(fails(good + field(2, number_field(3, 7))).find("model_type 7") != std::string::npos);
  CHECK(fails(good + field(2, number_field(3, 3))).find("words or characters") !=
        std::string::npos);
  CHECK(fails(good + field(3, field(2, "abc"))).find("charsmap") != std::string::npos);
  CHECK(fails("").find("no pieces") != std::string::npos);
  CHECK(fails(good).empty());
}

TEST_CASE("a class whose rules are not known is refused by its name") {
  const std::string model = piece("<unk>", 0, 2) + piece("a");
  for (const char* name : {"SeamlessM4TTokenizer", "XGLMTokenizerFast"})
    CHECK(folder_error("tokenizer.model", model, name).find(name) != std::string::npos);
  CHECK(folder_error("vocab.txt", "[UNK]\n", "MPNetTokenizer").find("MPNetTokenizer") !=
        std::string::npos);
  CHECK(folder_error("tokenizer.model", model, "MarianTokenizer").find("source.spm") !=
        std::string::npos);
  CHECK(folder_error("vocab.txt", "[UNK]\na\n", "PreTrainedTokenizer").empty());
  CHECK(folder_error("merges.txt", "a b\n", "PreTrainedTokenizerFast").empty());
  CHECK(folder_error("nothing", "", "BertTokenizer").find("no tokenizer found") !=
        std::string::npos);
}

TEST_CASE("every truncation of a SentencePiece model is an error or a shorter model") {
  const std::string whole = piece("<unk>", 0, 2) + piece("a") + field(2, number_field(40, 0)) +
                            field(3, number_field(3, 1));
  for (std::size_t n = 0; n < whole.size(); ++n) {
    try {
      const auto m = tok::read_sentence_piece(std::string_view(whole).substr(0, n), "m");
      CHECK(m.pieces.size() <= 2);
    } catch (const format_error& e) {
      CHECK(e.offset() <= static_cast<std::int64_t>(n));
    }
  }
}

TEST_CASE("wrong vocabulary files are refused with their place") {
  CHECK(folder_error("vocab.txt", "", "BertTokenizer").find("byte 0: empty") != std::string::npos);
  CHECK(folder_error("vocab.txt", "a\n\xFF\n", "BertTokenizer").find("byte 2") !=
        std::string::npos);
  const auto merges = [](const std::string& text) {
    return folder_error("merges.txt", text, "GPT2Tokenizer");
  };
  CHECK(merges("#version: 0.2\na b\n").empty());
  CHECK(merges("a b\nab\n").find("byte 4: line 2: expected two tokens") != std::string::npos);
  CHECK(merges("a b c\n").find("line 1") != std::string::npos);
  CHECK(merges("a c\n").find("'c', which is not in the vocabulary") != std::string::npos);
  CHECK(merges("b a\n").find("'ba', which is not in the vocabulary") != std::string::npos);
  const auto vocab = [](const std::string& text) {
    return folder_error("vocab.json", text, "GPT2Tokenizer");
  };
  CHECK(vocab("[]").find("expected an object") != std::string::npos);
  CHECK(vocab("{}").find("empty") != std::string::npos);
  CHECK(vocab(R"({"a": -1})").find("id of 'a'") != std::string::npos);
  CHECK(vocab(R"({"a": 4294967296})").find("id of 'a'") != std::string::npos);
  CHECK(vocab(R"({"a": 2000000000})").find("token id 2000000000") != std::string::npos);
  CHECK(vocab("{").find("vocab.json") != std::string::npos);
}

TEST_CASE("wrong rank files are refused with their place") {
  const auto fails = [](const std::string& text) {
    return folder_error("tokenizer.model", text, "PreTrainedTokenizer");
  };
  CHECK(fails("YQ== 0\nYg== 1\nYWI= 2\n").empty());
  CHECK(fails("YQ== 0\nYg==\n").find("byte 7: line 2: expected a token") != std::string::npos);
  CHECK(fails("YQ== 0\nY!== 1\n").find("line 2: base64 character 1") != std::string::npos);
  CHECK(fails("YQ== x\n").find("rank is not a number") != std::string::npos);
  CHECK(fails("YQ== 99999999999\n").find("rank is not a number") != std::string::npos);
  CHECK(fails("YQ== 2147483647\n").find("above 2147483646") != std::string::npos);
  CHECK(fails("YQ== 2000000000\n").find("token id 2000000000") != std::string::npos);
  CHECK(fails("YQ== 0\n 1\n").find("the token is empty") != std::string::npos);
}

TEST_CASE("wrong models in tokenizer.json are refused") {
  const auto fails = [](const std::string& model) -> std::string {
    try {
      tok::tokenizer::from_json(R"({"model": )" + model + "}");
    } catch (const error& e) {
      return e.what();
    }
    return "";
  };
  const auto has = [&](const std::string& model, const char* text) {
    CAPTURE(model);
    CHECK(fails(model).find(text) != std::string::npos);
  };
  has(R"({"type": "Unigram", "vocab": [["a", 0], ["b"]]})", "[\"piece\", score]");
  has(R"({"type": "Unigram", "vocab": [["a", 0, 1]]})", "[\"piece\", score]");
  has(R"({"type": "Unigram", "vocab": [[0, "a"]]})", "[\"piece\", score]");
  has(R"({"type": "Unigram", "vocab": ["a"]})", "[\"piece\", score]");
  has(R"({"type": "Unigram", "vocab": []})", "empty");
  has(R"({"type": "Unigram", "vocab": {"a": 0}})", "expected an array");
  has(R"({"type": "Unigram", "unk_id": 1, "vocab": [["a", 0]]})", "unk_id 1 outside");
  has(R"({"type": "WordPiece", "vocab": {"a": 0}})", "unk_token");
  has(R"({"type": "WordLevel", "unk_token": "a", "vocab": [["a", 0]]})", "expected an object");
  has(R"({"type": "Worpiece", "vocab": {"a": 0}})", "WordPiece");
  const auto t = tok::tokenizer::from_json(
      R"({"model": {"type": "WordLevel", "unk_token": "?", "vocab": {"a": 0}}})");
  CHECK_THROWS_AS(t.encode("b"), format_error);
  const auto u =
      tok::tokenizer::from_json(R"({"model": {"type": "Unigram", "vocab": [["a", 0]]}})");
  CHECK_THROWS_AS(u.encode_ids("b"), format_error);
  CHECK(u.encode_ids("aa") == std::vector<std::int32_t>{0, 0});
}
