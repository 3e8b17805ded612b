// SPDX-License-Identifier: Apache-2.0
// Sentence embeddings and cross-encoders against sentence-transformers 5.7
// (tests/reference/sentences.py).
#include <doctest/doctest.h>

#include "encoders.hpp"
#include "parlance/models/sentence_encoder.hpp"

using namespace parlance;
using encoder_test::flat;
using io_test::has;
using io_test::message_of;

namespace {

const std::filesystem::path folder = std::filesystem::path(PARLANCE_TEST_DATA) / "sentences";
constexpr double tolerance = 2e-5;

json golden() {
  const auto file = folder / "golden.json";
  return parse_json(read_text(file), file.string());
}
using texts_of = std::vector<std::string>;

// The folder `tiny` without its modules, or with one file changed.
void copy_tiny(const io_test::temporary_folder& to, bool with_modules) {
  std::filesystem::copy(folder / "tiny", to.path(), std::filesystem::copy_options::recursive);
  if (with_modules) return;
  std::filesystem::remove(to / "modules.json");
  std::filesystem::remove(to / "sentence_bert_config.json");
}

}  // namespace

TEST_CASE("every pooling of a plain folder") {
  const json g = golden();
  const auto texts = g["texts"].get<texts_of>();
  const io_test::temporary_folder plain;
  copy_tiny(plain, false);
  for (const auto& [mode, expected] : g["modes"].items()) {
    const std::string pooling = mode;
    CAPTURE(pooling);
    models::sentence_options options;
    options.pooling = models::parse_pooling(mode);
    const auto m = models::sentence_encoder::from_pretrained(plain.path().string(), options);
    CHECK(encoder_test::distance(m.encode(texts).values(), flat(expected)) < tolerance);
    CHECK(m.dimension() == 16);
  }
  // Without an option: the mean.
  models::sentence_options options;
  const auto m = models::sentence_encoder::from_pretrained(plain.path().string(), options);
  CHECK(encoder_test::distance(m.encode(texts).values(), flat(g["modes"]["mean"])) < tolerance);
  CHECK(m.encode({}).dims() == shape{0, 16});
  options.max_seq_length = 25;
  CHECK(has(message_of(
                [&] { models::sentence_encoder::from_pretrained(plain.path().string(), options); }),
            "expected 1 to 24"));
  CHECK(has(message_of([] { models::parse_pooling("meam"); }), "mean"));
}

TEST_CASE("a folder with modules and prompts") {
  const json g = golden();
  const auto texts = g["texts"].get<texts_of>();
  const auto m = models::sentence_encoder::from_pretrained((folder / "tiny").string());
  CHECK(m.modules() == texts_of{"Transformer", "Pooling", "Dense", "Normalize"});
  CHECK(m.dimension() == 6);
  CHECK(m.max_seq_length() == 24);
  const tensor<float> all = m.encode(texts);
  CHECK(encoder_test::distance(all.values(), flat(g["tiny"])) < tolerance);
  models::embed_options query;
  query.prompt_name = "query";
  CHECK(encoder_test::distance(m.encode(texts, query).values(), flat(g["tiny_query"])) < tolerance);
  query.prompt_name = "qery";
  CHECK(has(message_of([&] { m.encode(texts, query); }), "query"));
  // The same bits alone, and in passes of few rows.
  models::embed_options few;
  few.rows_at_once = 10;
  const tensor<float> again = m.encode(texts, few);
  CHECK(std::equal(all.values().begin(), all.values().end(), again.values().begin()));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const tensor<float> one = m.encode({&texts[i], 1});
    CHECK(std::equal(one.values().begin(), one.values().end(),
                     all.row(static_cast<std::int64_t>(i))));
  }
}

TEST_CASE("a decoder embeds by its last token") {
  const json g = golden();
  texts_of texts;
  for (const auto& t : g["texts"].get<texts_of>())
    if (!t.empty()) texts.push_back(t);
  const auto m = models::sentence_encoder::from_pretrained(
      (std::filesystem::path(PARLANCE_TEST_DATA) / "models" / "llama_gqa").string());
  CHECK(encoder_test::distance(m.encode(texts).values(), flat(g["decoder"])) < tolerance);
}

TEST_CASE("cross-encoders score and rank") {
  const json g = golden();
  const auto m = models::cross_encoder::from_pretrained((folder / "cross").string());
  const auto pairs = g["pairs"].get<std::vector<std::pair<std::string, std::string>>>();
  CHECK(encoder_test::distance(m.predict(pairs).values(), flat(g["cross"])) < tolerance);
  const texts_of documents{"the dog", "a cat", "the dog", "trees"};
  const auto order = m.rank("who sleeps?", documents);
  REQUIRE(order.size() == 4);
  for (std::size_t i = 1; i < order.size(); ++i) {
    CHECK(order[i - 1].score >= order[i].score);
    if (order[i - 1].score == order[i].score) CHECK(order[i - 1].index < order[i].index);
  }
}

TEST_CASE("folders that are wrong") {
  const std::pair<const char*, const char*> cases[] = {
      {"modules.json", "{}"},
      {"modules.json", "[]"},
      {"modules.json", R"([{"type": "x.Pooling", "path": "1_Pooling"}])"},
      {"modules.json",
       R"([{"type": "x.Transformer", "path": ""}, {"type": "x.Conv", "path": ""}])"},
      {"modules.json", R"([3])"},
      {"1_Pooling/config.json", R"({"pooling_mode": "middle"})"},
      {"1_Pooling/config.json", R"({"pooling_mode_mean_tokens": false})"},
      {"2_Dense/config.json", R"({"in_features": 32, "out_features": 7})"},
      {"2_Dense/config.json",
       R"({"in_features": 32, "out_features": 6, "activation_function": "torch.nn.Mish"})"},
      {"sentence_bert_config.json", R"({"max_seq_length": 0})"}};
  for (const auto& [file, text] : cases) {
    const std::string name = file, content = text;
    CAPTURE(name);
    CAPTURE(content);
    const io_test::temporary_folder bad;
    copy_tiny(bad, true);
    io_test::put(bad / file, text);
    CHECK_THROWS_AS(models::sentence_encoder::from_pretrained(bad.path().string()), error);
  }
}
