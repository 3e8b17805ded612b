// SPDX-License-Identifier: Apache-2.0
// The pipelines over encoders, field for field against the original's outputs
// (encoder_pipelines.py), by name at run time and as classes.
#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "../models/golden.hpp"
#include "parlance/pipelines/auto.hpp"
#include "parlance/pipelines/feature_extraction.hpp"
#include "parlance/pipelines/fill_mask.hpp"
#include "parlance/pipelines/question_answering.hpp"
#include "parlance/pipelines/summarization.hpp"
#include "parlance/pipelines/text2text_generation.hpp"
#include "parlance/pipelines/text_classification.hpp"
#include "parlance/pipelines/text_generation.hpp"
#include "parlance/pipelines/token_classification.hpp"
#include "parlance/pipelines/translation.hpp"
#include "parlance/pipelines/zero_shot_classification.hpp"

using namespace parlance;
using model_test::has;
using model_test::message_of;
using model_test::temporary_folder;

namespace {

const std::filesystem::path data = std::filesystem::path(PARLANCE_TEST_DATA) / "pipelines";

std::unique_ptr<pipelines::json_pipeline> open(const std::string& task, const json& model) {
  const temporary_folder folder;
  std::filesystem::copy(data / model["folder"].get<std::string>(), folder.path(),
                        std::filesystem::copy_options::recursive);
  for (const std::string name : {"config", "tokenizer_config"}) {
    if (!model.contains(name)) continue;
    const auto file = folder / (name + ".json");
    json config = parse_json(read_text(file), file.string());
    for (const auto& [key, value] : model[name].items()) config[key] = value;
    write_atomic(file, config.dump());
  }
  return make_pipeline(task, folder.path().string());
}

// Equal in shape, order of fields and texts; numbers within what single precision leaves.
void compare(const json& got, const json& expected, const std::string& where) {
  CAPTURE(where);
  if (expected.is_number_float()) {
    REQUIRE(got.is_number());
    const double e = expected.get<double>();
    CHECK(std::abs(got.get<double>() - e) <= 1e-5 + 1e-4 * std::abs(e));
  } else if (expected.is_array()) {
    REQUIRE(got.is_array());
    REQUIRE(got.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i)
      compare(got[i], expected[i], where + "[" + std::to_string(i) + "]");
  } else if (expected.is_object()) {
    REQUIRE(got.is_object());
    REQUIRE(got.size() == expected.size());
    auto at = got.begin();
    for (const auto& [key, value] : expected.items()) {
      CHECK(at.key() == key);
      compare(at.value(), value, where + "." + key);
      ++at;
    }
  } else {
    CHECK(got.dump() == expected.dump());
  }
}

// Hidden states as the reference keeps them: the first two numbers of a row and its length.
json shortened(const json& x) {
  if (x.is_array() && !x.empty() && x[0].is_number())
    return {x[0], x[1], static_cast<std::int64_t>(x.size())};
  if (!x.is_array()) return x;
  json out = json::array();
  for (const json& each : x) out.push_back(shortened(each));
  return out;
}

}  // namespace

TEST_CASE("outputs and errors are those of the original pipelines") {
  const auto file = data / "encoder_tasks.json";
  const json reference = parse_json(read_text(file), file.string());
  REQUIRE(reference["cases"].size() > 400);
  std::map<std::pair<std::string, std::string>, std::unique_ptr<pipelines::json_pipeline>> pipes;
  for (const json& c : reference["cases"]) {
    const auto task = c["task"].get<std::string>(), model = c["model"].get<std::string>();
    auto& pipe = pipes[{task, model}];
    if (!pipe) pipe = open(task, reference["models"][model]);
    const json payload = {{"inputs", c["inputs"]}, {"parameters", c["parameters"]}};
    CAPTURE(task);
    CAPTURE(model);
    CAPTURE(payload.dump());
    if (c.contains("error")) {
      CHECK_THROWS_AS((*pipe)(payload), error);
      continue;
    }
    json got;
    std::string failure;
    try {
      got = (*pipe)(payload);
    } catch (const error& e) {
      failure = e.what();
    }
    CHECK(failure == "");
    if (failure.empty())
      compare(task == "feature-extraction" ? shortened(got) : got, c["output"], "output");
  }
}

TEST_CASE("pipelines as classes") {
  const std::string bert = (data / "bert").string();
  const auto classify = pipeline<"text-classification">(bert);
  const auto labels = classify("The fox.", {.top_k = {}});
  REQUIRE(labels.size() == 5);
  CHECK(labels[0].score >= labels[4].score);
  const auto tag = pipeline<"ner">(bert);
  CHECK_FALSE(tag("The fox is here.", {.ignore_labels = {}}).empty());
  const auto answer = pipeline<"question-answering">(bert)("Who?", "The fox.");
  CHECK(answer.start < answer.end);
  const auto fill = pipeline<"fill-mask">(bert);
  CHECK(fill("The " + fill.mask_token() + " fox.").at(0).size() == 5);
  const auto judge = pipeline<"zero-shot-classification">(bert);
  CHECK_FALSE(judge.knows_entailment());
  CHECK(judge("The fox.", {"fox", "dog"}).labels.size() == 2);
  const auto features = pipeline<"feature-extraction">(bert);
  const auto mean = features("The fox.", {.pooling = models::pooling::mean, .normalize = true});
  double squares = 0;
  for (const float x : mean.values()) squares += double{x} * x;
  CHECK(squares == doctest::Approx(1.0).epsilon(1e-5));
}

TEST_CASE("many texts at once give the numbers of each alone, to the bit") {
  const auto classify = pipeline<"text-classification">((data / "roberta").string());
  const std::vector<pipelines::text_or_pair> texts{
      "The fox.", "x", {"a", "b"}, "the river is long"};
  const auto all = classify(texts, {.top_k = {}});
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto one = classify(texts[i], {.top_k = {}});
    for (std::size_t k = 0; k < one.size(); ++k) CHECK(one[k].score == all[i][k].score);
  }
}

TEST_CASE("pipelines as classes say why a model does not serve their task") {
  const std::string bert = (data / "bert").string(), gpt2 = (model_test::data / "gpt2").string();
  const std::string t5 = (data.parent_path() / "seq2seq/t5").string();
  const std::string encodes = "bert is an encoder: it cannot generate text; tasks: ";
  const std::string continues = "gpt2 is a decoder: ";
  const std::string answers = "t5 is an encoder-decoder: ";
  CHECK(has(message_of([&] { pipeline<"text-generation">(bert); }), "text-generation: " + encodes));
  CHECK(has(message_of([&] { pipeline<"summarization">(bert); }), "summarization: " + encodes));
  CHECK(has(message_of([&] { pipeline<"translation">(bert); }), "translation: " + encodes));
  CHECK(has(message_of([&] { pipeline<"text2text-generation">(gpt2); }),
            continues + "it continues a text rather than answering a source text"));
  CHECK(has(message_of([&] { pipeline<"text-generation">(t5); }),
            answers + "it answers a source text rather than continuing it"));
  CHECK(has(message_of([&] { pipeline<"text-classification">(gpt2); }),
            continues + "this checkpoint has no head for text-classification"));
  CHECK(has(message_of([&] { pipeline<"token-classification">(t5); }), answers));
  CHECK(has(message_of([&] { pipeline<"question-answering">(gpt2); }), continues));
  CHECK(has(message_of([&] { pipeline<"fill-mask">(gpt2); }), continues));
  CHECK(has(message_of([&] { pipeline<"zero-shot-classification">(gpt2); }), continues));
  CHECK(has(message_of([&] { pipeline<"feature-extraction">(t5); }), answers));
  CHECK(has(message_of([&] { make_pipeline("rerank", gpt2); }), continues));
}

TEST_CASE("payloads that are wrong say what is") {
  const auto tag = make_pipeline("ner", (data / "bert").string());
  const auto call = [&](const json& inputs, const json& parameters) {
    return message_of([&] { (*tag)({{"inputs", inputs}, {"parameters", parameters}}); });
  };
  CHECK(has(call("a", {{"agregation_strategy", "none"}}), "did you mean 'aggregation_strategy'?"));
  CHECK(has(call("a", {{"aggregation_strategy", "frist"}}), "did you mean 'first'?"));
  CHECK(has(call(3, {}), "inputs: expected a string, got 3"));
  const std::string bert = (data / "bert").string(), llama = (model_test::data / "gpt2").string();
  CHECK(has(message_of([&] { make_pipeline("summarization", bert); }),
            "bert is an encoder: it cannot generate text; tasks: "));
  CHECK(has(message_of([&] { make_pipeline("ner", llama); }), "gpt2 is a decoder: "));
  CHECK(has(message_of([] { make_pipeline("text-clasification", ""); }),
            "did you mean 'text-classification'?"));
}
