// SPDX-License-Identifier: Apache-2.0
// What configs say about the tasks of a checkpoint.
#include "parlance/models/structure.hpp"

#include <doctest/doctest.h>

#include "../io/support.hpp"
#include "parlance/models/auto_encoder.hpp"

using namespace parlance;
using io_test::has;
using io_test::message_of;
using tasks = std::vector<std::string>;

namespace {

models::model_structure of(const char* type, const char* architecture = nullptr,
                           json more = json::object()) {
  json config = {{"model_type", type}};
  if (architecture) config["architectures"] = {architecture};
  config.update(more);
  return models::structure_of(config);
}

}  // namespace

TEST_CASE("kinds and tasks") {
  CHECK(of("bert", "BertForMaskedLM").tasks == tasks{"fill-mask", "feature-extraction"});
  CHECK(of("bert", "BertModel").tasks == tasks{"feature-extraction"});
  CHECK(of("bert").tasks == tasks{"feature-extraction"});
  CHECK(of("electra", "ElectraForPreTraining").tasks == tasks{"feature-extraction"});
  CHECK(of("roberta", "RobertaForQuestionAnswering").tasks == tasks{"question-answering"});
  CHECK(of("deberta-v2", "DebertaV2ForSequenceClassification",
           {{"id2label", {{"0", "entailment"}, {"1", "not_entailment"}}}})
            .tasks == tasks{"text-classification", "zero-shot-classification"});
  CHECK(of("bert", "BertForSequenceClassification").tasks == tasks{"text-classification"});
  CHECK(of("llama", "LlamaForCausalLM").kind == models::structure_kind::decoder);
  CHECK(of("gpt2", "GPT2LMHeadModel").serves("text-generation"));
  CHECK(of("t5", "T5ForConditionalGeneration").kind == models::structure_kind::encoder_decoder);
  CHECK(of("marian", "MarianMTModel").serves("translation"));
  CHECK(of("fsmt", nullptr, {{"is_encoder_decoder", true}}).serves("summarization"));
  CHECK(has(message_of([] { of("electr"); }), "electra"));
  CHECK_THROWS_AS(models::structure_of(json{{"model_type", 3}}), format_error);
}

TEST_CASE("the encoders known by name are those of the table that do not decode") {
  std::vector<std::string_view> table;
  for (const auto& [type, family] : models::encoder_families())
    if (!models::seq2seq_lm_families().contains(type)) table.push_back(type);
  CHECK(std::ranges::equal(models::detail::encoder_types, table));
  CHECK(of("bart").kind == models::structure_kind::encoder_decoder);
}

TEST_CASE("why a task does not fit") {
  CHECK(models::why_not(of("bert", "BertForMaskedLM"), "fill-mask").empty());
  CHECK(models::why_not(of("marian", "MarianMTModel"), "translation_en_to_de").empty());
  CHECK(models::why_not(of("bert", "BertForMaskedLM"), "text-generation") ==
        "bert is an encoder: it cannot generate text; tasks: fill-mask, feature-extraction");
  CHECK(models::why_not(of("bert", "BertModel"), "fill-mask") ==
        "bert is an encoder: this checkpoint has no head for fill-mask; tasks: feature-extraction");
  CHECK(has(models::why_not(of("llama", "LlamaForCausalLM"), "summarization"),
            "llama is a decoder: it continues a text"));
  CHECK(has(models::why_not(of("t5", "T5ForConditionalGeneration"), "text-generation"),
            "t5 is an encoder-decoder: it answers a source text"));
  CHECK_THROWS_AS(models::require_task(json{{"model_type", "bert"}}, "summarization"),
                  unsupported_error);
  CHECK_NOTHROW(models::require_task(json{{"model_type", "bert"}}, "feature-extraction"));
}
