// SPDX-License-Identifier: Apache-2.0
// text2text-generation, summarization and translation against the original pipelines' outputs
// (text2text_pipelines.py, translation_pipelines.py), by name at run time and as classes; long
// inputs; streams.
#include <doctest/doctest.h>

#include <map>

#include "../models/golden.hpp"
#include "parlance/pipelines/auto.hpp"
#include "parlance/pipelines/sentences.hpp"
#include "parlance/pipelines/summarization.hpp"
#include "parlance/pipelines/text2text_generation.hpp"
#include "parlance/pipelines/translation.hpp"

using namespace parlance;
using model_test::has;
using model_test::message_of;

namespace {

const std::filesystem::path folder =
    std::filesystem::path(PARLANCE_TEST_DATA) / "pipelines/text2text";
const std::string article =
    "The quick brown fox jumps over the lazy dog. A small model is trained on a little text! Then "
    "the model reads the words in the prompt.\nIl était une fois une petite souris. The end.";

std::string at(const char* model) { return (folder / model).string(); }

void check_cases(const std::filesystem::path& models, std::size_t at_least) {
  const json data = parse_json(read_text(models / "cases.json"), "cases.json");
  REQUIRE(data["cases"].size() > at_least);
  std::map<std::string, std::unique_ptr<pipelines::json_pipeline>> open;
  for (const json& c : data["cases"]) {
    const std::string task = c["task"], model = c["model"];
    auto& pipe = open[task + model];
    if (!pipe) pipe = make_pipeline(task, (models / model).string());
    const json payload = {{"inputs", c["inputs"]}, {"parameters", c["parameters"]}};
    CAPTURE(task + " " + model + " " + payload.dump());
    if (c.contains("error"))
      CHECK_THROWS_AS((*pipe)(payload), error);
    else
      CHECK((*pipe)(payload).dump() == c["output"].dump());
  }
}

}  // namespace

TEST_CASE("outputs and errors are those of the original pipelines") { check_cases(folder, 250); }

TEST_CASE("translation by Marian, M2M100, mBART and mBART-50 is that of the original pipeline") {
  check_cases(folder.parent_path() / "translation", 300);
}

TEST_CASE("beams over a target vocabulary that is smaller than the source's give its ids") {
  const auto translate =
      pipeline<"translation">((folder.parent_path() / "translation/marian_separate").string());
  const auto out = translate("The fox.", {.max_new_tokens = 12, .num_beams = 4});
  CHECK(out.ids.size() > 1);
  CHECK(std::ranges::max(out.ids) < translate.task().model().vocab_size());
  CHECK(translate.task().model().vocab_size() == 131);
}

TEST_CASE("pipelines as classes: names at compile time, defaults, where options come from") {
  const auto summarize = pipeline<"summarization">(at("bart"));
  const std::string text = "The quick brown fox jumps over the lazy dog.";
  const auto out = summarize(text, {.max_new_tokens = 9, .num_beams = 2});
  CHECK(out.ids.size() <= 9);
  CHECK(out.score < 0);
  CHECK(out.summary_text ==
        summarize(std::vector<std::string>{text}, {.max_new_tokens = 9, .num_beams = 2})[0][0]
            .summary_text);
  const auto plain = pipeline<"text2text-generation">(at("t5"));
  CHECK(plain.resolve().num_beams == 4);
  CHECK(plain.resolve().max_new_tokens == 256);
  CHECK(plain("x", {.max_new_tokens = 3}).ids.size() <= 3);
  const auto of_task = pipeline<"summarization">(at("t5")).resolve();
  CHECK(of_task.num_beams == 2);
  CHECK(of_task.length_penalty == 2.0);
  const auto translate = pipeline<"translation">(at("nllb"));
  const pipelines::text2text_options languages{.src_lang = "eng_Latn", .tgt_lang = "fra_Latn"};
  const auto id = translate.task().tokenizer().language_id("fra_Latn");
  CHECK(translate("x", {.max_new_tokens = 4}, languages).ids[0] == id);
  CHECK(has(message_of([&] { translate("x"); }), "needs src_lang and tgt_lang"));
  CHECK(has(message_of([&] { translate("x", {}, {.src_lang = "eng", .tgt_lang = "fra_Latn"}); }),
            "language 'eng' is not a token"));
}

TEST_CASE("a stream gives the text piece by piece, with beams what they agree on") {
  const auto summarize = pipeline<"summarization">(at("bart"));
  const pipelines::text2text_options cut{.truncation = true};
  for (const std::int64_t beams : {1, 4}) {
    std::string streamed;
    int pieces = 0;
    pipelines::text2text::config c{.max_new_tokens = 20, .num_beams = beams};
    c.on_text = [&](std::string_view piece) { streamed += piece, ++pieces; };
    CHECK(summarize(article, c, cut).summary_text == streamed);
    CHECK(pieces > 1);
    pieces = 0;
    c.on_text = [&](std::string_view) { return ++pieces == 2 ? flow::stop : flow::next; };
    CHECK(summarize(article, c, cut).finish_reason == generation::finish_reason::user);
  }
}

TEST_CASE("sentences and their gaps are the text") {
  const auto sentences = pipelines::split_sentences(article);
  std::vector<std::string_view> texts;
  std::string joined;
  for (const auto& s : sentences) texts.push_back(s.text), joined += std::string(s.text) += s.gap;
  CHECK(joined == article);
  CHECK(texts == std::vector<std::string_view>{"The quick brown fox jumps over the lazy dog.",
                                               "A small model is trained on a little text!",
                                               "Then the model reads the words in the prompt.",
                                               "Il était une fois une petite souris.", "The end."});
  CHECK(pipelines::split_sentences("Is it 3.5? \"Yes.\"  No").size() == 3);
  CHECK(pipelines::split_sentences("行く。来る！").size() == 2);
  CHECK(pipelines::split_sentences(" \n ").empty());
}

TEST_CASE("long input: translation goes sentence by sentence, in order") {
  const auto translate = pipeline<"translation">(at("nllb"));
  const pipelines::text2text::config c{.max_new_tokens = 6};
  pipelines::text2text_options o{.src_lang = "eng_Latn", .tgt_lang = "fra_Latn"};
  std::string expected;
  for (const auto& s : pipelines::split_sentences(article))
    expected += translate(std::string(s.text), c, o).translation_text + std::string(s.gap);
  o.long_input = true;
  CHECK(translate(article, c, o).translation_text == expected);
}

TEST_CASE("long input: a summary of the summaries of windows that the model takes") {
  const auto summarize = pipeline<"summarization">(at("bart"));
  const pipelines::text2text::config c{.max_new_tokens = 8, .num_beams = 2};
  const pipelines::text2text_options whole{.long_input = true};
  CHECK(summarize.task().max_source_tokens() == 48);
  CHECK(summarize("A small model.", c, whole).ids == summarize("A small model.", c).ids);
  // Every run of the encoder fits the model, which takes 64 positions.
  const std::string text = article + " " + article + " " + article;
  CHECK(has(message_of([&] { summarize(text, c); }), "past the model's 64 positions"));
  const auto out = summarize(text, c, whole);
  CHECK(out.ids.size() <= 8);
  CHECK(out.ids != summarize(text, c, {.truncation = true}).ids);
}

TEST_CASE("tasks and parameters that do not exist are refused with the nearest name") {
  CHECK(has(message_of([&] { make_pipeline("sumarization", at("bart")); }),
            "did you mean 'summarization'?"));
  CHECK(has(message_of([&] { make_pipeline("translation_en_fr", at("bart")); }), "not available"));
  CHECK(has(message_of([&] { make_pipeline("summarization", at("x")); }), "text2text/x"));
  const auto pipe = make_pipeline("summarization", at("bart"));
  const auto refused = [&](const json& parameters) {
    return message_of([&] { (*pipe)({{"inputs", "x"}, {"parameters", parameters}}); });
  };
  CHECK(has(refused({{"long_inputs", true}}), "did you mean 'long_input'?"));
  CHECK(has(refused({{"return_tensors", 1}}), "return_tensors: expected true or false"));
}
