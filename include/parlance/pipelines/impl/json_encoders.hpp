// SPDX-License-Identifier: Apache-2.0
// JSON faces of the pipelines over encoders: payloads in, the originals' outputs out.
#pragma once

#include "parlance/models/sentence_encoder.hpp"
#include "parlance/pipelines/feature_extraction.hpp"
#include "parlance/pipelines/fill_mask.hpp"
#include "parlance/pipelines/json_pipeline.hpp"
#include "parlance/pipelines/parameters.hpp"
#include "parlance/pipelines/question_answering.hpp"
#include "parlance/pipelines/text_classification.hpp"
#include "parlance/pipelines/token_classification.hpp"
#include "parlance/pipelines/zero_shot_classification.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines::detail {

inline std::string input_text(const json& v) {
  if (!v.is_string()) parameter_readers::wrong("inputs", "a string", v);
  return v.get<std::string>();
}
// f(element) of a list, or f(input) itself.
template <class F>
json each_input(const json& inputs, F f) {
  if (!inputs.is_array()) return f(inputs);
  json out = json::array();
  for (const json& each : inputs) out.push_back(f(each));
  return out;
}

// Arguments of the tokenizer's call.
inline void add_text_options(parameter_readers& p, encoder_text_options& o) {
  p.add("truncation", [&o](const json& v) { o.truncation = read_truncation(v); });
  p.integer("max_length", o.max_length);
  p.add("add_special_tokens",
        [&o](const json& v) { o.add_special_tokens = read_flag("add_special_tokens", v); });
  for (const char* name : {"padding", "batch_size", "num_workers"}) p.ignored(name);
}
// The same as an object of their own.
inline void add_tokenizer_arguments(parameter_readers& p, const char* name,
                                    encoder_text_options& o) {
  p.add(name, [&o](const json& v) {
    parameter_readers own;
    add_text_options(own, o);
    own.read(v);
  });
}

class json_text_classification final : public json_pipeline {
 public:
  explicit json_text_classification(text_classification pipe) : pipe_(std::move(pipe)) {}

  json operator()(const json& payload) override {
    const json& inputs = inputs_of(payload, "text-classification");
    text_classification_options o;
    bool ranked = false, all_scores = false;
    parameter_readers p;
    add_text_options(p, o.tokenizer_kwargs);
    p.text("function_to_apply", o.function_to_apply).flag("return_all_scores", all_scores);
    p.add(
        "top_k",
        [&](const json& v) {
          ranked = true;
          if (!v.is_null() && !v.is_number_integer())
            parameter_readers::wrong("top_k", "an integer or null", v);
          o.top_k = v.is_null() ? std::nullopt : std::optional(v.get<std::int64_t>());
        },
        true);
    p.read(parameters_of(payload));
    // Without top_k the original gives one object a text, in a list if there is only a string.
    const json out = each_input(inputs, [&](const json& each) -> json {
      const text_or_pair in = read(each);
      if (all_scores && !ranked) return records(pipe_.scores({in}, o).front());
      const json list = records(pipe_(in, o));
      return ranked ? list : list.at(0);
    });
    return inputs.is_string() && !ranked ? json::array({out}) : out;
  }

 private:
  static text_or_pair read(const json& v) {
    if (!v.is_object()) return input_text(v);
    if (!v.contains("text") || v.size() != 1 + v.count("text_pair"))
      parameter_readers::wrong("inputs", "{\"text\", \"text_pair\"}", v);
    return v.contains("text_pair") ? text_or_pair(input_text(v["text"]), input_text(v["text_pair"]))
                                   : text_or_pair(input_text(v["text"]));
  }
  static json records(const std::vector<label_score>& scores) {
    json out = json::array();
    for (const label_score& s : scores) out.push_back({{"label", s.label}, {"score", s.score}});
    return out;
  }
  text_classification pipe_;
};

class json_token_classification final : public json_pipeline {
 public:
  explicit json_token_classification(token_classification pipe) : pipe_(std::move(pipe)) {}

  json operator()(const json& payload) override {
    const json& inputs = inputs_of(payload, "token-classification");
    token_classification_options o;
    bool split = false;
    std::optional<bool> grouped, ignore_subwords;
    parameter_readers p;
    p.flag("is_split_into_words", split).text("delimiter", o.delimiter).integer("stride", o.stride);
    p.texts("ignore_labels", o.ignore_labels).ignored("batch_size");
    p.add("aggregation_strategy", [&](const json& v) {
      o.aggregation_strategy = parse_aggregation_strategy(read_string("aggregation_strategy", v));
    });
    p.flag("grouped_entities", grouped).flag("ignore_subwords", ignore_subwords);
    p.read(parameters_of(payload));
    if (grouped || ignore_subwords)
      o.aggregation_strategy = !grouped.value_or(false)          ? aggregation_strategy::none
                               : ignore_subwords.value_or(false) ? aggregation_strategy::first
                                                                 : aggregation_strategy::simple;
    const bool aggregated = o.aggregation_strategy != aggregation_strategy::none;
    if (!split)
      return each_input(
          inputs, [&](const json& v) { return records(pipe_(input_text(v), o), aggregated); });
    if (!inputs.is_array()) parameter_readers::wrong("inputs", "a list of words", inputs);
    const bool lists = !inputs.empty() && inputs[0].is_array();
    return each_input(lists ? inputs : json::array({inputs}), [&](const json& v) {
      return records(pipe_(parameter_readers::read_texts("inputs", v), o), aggregated);
    });
  }

 private:
  static json records(const std::vector<entity>& entities, bool aggregated) {
    json out = json::array();
    for (const entity& e : entities) {
      json record{{aggregated ? "entity_group" : "entity", e.label}, {"score", e.score}};
      if (!aggregated) record["index"] = e.index;
      record["word"] = e.word;
      record["start"] = e.start;
      record["end"] = e.end;
      out.push_back(std::move(record));
    }
    return out;
  }
  token_classification pipe_;
};

class json_question_answering final : public json_pipeline {
 public:
  explicit json_question_answering(question_answering pipe) : pipe_(std::move(pipe)) {}

  json operator()(const json& payload) override {
    const json inputs = examples(inputs_of(payload, "question-answering"));
    question_answering_options o;
    parameter_readers p;
    p.integer("topk", o.top_k).integer("top_k", o.top_k).integer("max_seq_len", o.max_seq_len);
    p.integer("doc_stride", o.doc_stride).integer("max_answer_len", o.max_answer_len);
    p.flag("handle_impossible_answer", o.handle_impossible_answer);
    p.flag("align_to_words", o.align_to_words);
    for (const char* name : {"padding", "max_question_len", "batch_size"}) p.ignored(name);
    p.read(parameters_of(payload));
    json out = each_input(inputs, [&](const json& v) {
      return records(pipe_.answers(field(v, "question"), field(v, "context"), o));
    });
    return out.size() == 1 ? out[0] : out;
  }

 private:
  static std::string field(const json& v, const char* name) {
    if (!v.is_object() || !v.contains(name) || !v[name].is_string())
      parameter_readers::wrong("inputs", "{\"question\", \"context\"}", v);
    return v[name].get<std::string>();
  }
  // A list of questions with their contexts; questions may share one.
  static json examples(const json& inputs) {
    if (inputs.is_array()) return inputs;
    const bool many = inputs.is_object() && inputs.contains("question") &&
                      inputs["question"].is_array() && inputs.contains("context");
    if (!many) return json::array({inputs});
    const json &questions = inputs["question"], &contexts = inputs["context"];
    if (contexts.is_array() && contexts.size() != questions.size())
      throw option_error("question-answering: " + std::to_string(questions.size()) +
                         " questions with " + std::to_string(contexts.size()) + " contexts");
    json out = json::array();
    for (std::size_t i = 0; i < questions.size(); ++i)
      out.push_back(
          {{"question", questions[i]}, {"context", contexts.is_array() ? contexts[i] : contexts}});
    return out;
  }
  static json records(const std::vector<answer>& answers) {
    json out = json::array();
    for (const answer& a : answers)
      out.push_back({{"score", a.score}, {"start", a.start}, {"end", a.end}, {"answer", a.text}});
    return out.size() == 1 ? out[0] : out;
  }
  question_answering pipe_;
};

class json_fill_mask final : public json_pipeline {
 public:
  explicit json_fill_mask(fill_mask pipe) : pipe_(std::move(pipe)) {}

  json operator()(const json& payload) override {
    const json& inputs = inputs_of(payload, "fill-mask");
    fill_mask_options o;
    parameter_readers p;
    p.integer("top_k", o.top_k).texts("targets", o.targets).ignored("batch_size");
    add_tokenizer_arguments(p, "tokenizer_kwargs", o.tokenizer_kwargs);
    p.read(parameters_of(payload));
    const json out = each_input(inputs, [&](const json& v) {
      json masks = json::array();
      for (const auto& mask : pipe_(input_text(v), o)) {
        json row = json::array();
        for (const filled_mask& f : mask)
          row.push_back({{"score", f.score},
                         {"token", f.token},
                         {"token_str", f.token_str},
                         {"sequence", f.sequence}});
        masks.push_back(std::move(row));
      }
      return masks.size() == 1 ? masks[0] : masks;
    });
    return inputs.is_array() && out.size() == 1 ? out[0] : out;
  }

 private:
  fill_mask pipe_;
};

class json_zero_shot final : public json_pipeline {
 public:
  explicit json_zero_shot(zero_shot_classification pipe) : pipe_(std::move(pipe)) {}

  json operator()(const json& payload) override {
    zero_shot_options o;
    std::vector<std::string> labels;
    parameter_readers p;
    p.add("candidate_labels", [&](const json& v) {
      labels = v.is_string() ? split(v.get<std::string>())
                             : parameter_readers::read_texts("candidate_labels", v);
    });
    p.text("hypothesis_template", o.hypothesis_template).flag("multi_label", o.multi_label);
    p.flag("multi_class", o.multi_label).ignored("batch_size");
    p.read(parameters_of(payload));
    return each_input(inputs_of(payload, "zero-shot-classification"), [&](const json& v) -> json {
      const zero_shot_output out = pipe_(input_text(v), labels, o);
      return {{"sequence", out.sequence}, {"labels", out.labels}, {"scores", out.scores}};
    });
  }

 private:
  static std::vector<std::string> split(const std::string& list) {
    std::vector<std::string> out;
    for (std::size_t begin = 0; begin <= list.size();) {
      const std::size_t end = std::min(list.find(',', begin), list.size());
      const std::size_t first = list.find_first_not_of(" \t\n\r", begin);
      if (first < end) {
        const std::size_t last = list.find_last_not_of(" \t\n\r", end - 1);
        out.push_back(list.substr(first, last - first + 1));
      }
      begin = end + 1;
    }
    return out;
  }
  zero_shot_classification pipe_;
};

inline json rows_of(const tensor<float>& x) {
  json out = json::array();
  for (std::int64_t r = 0; r < x.rows(); ++r)
    out.push_back(std::vector<float>(x.row(r), x.row(r) + x.cols()));
  return out;
}

class json_feature_extraction final : public json_pipeline {
 public:
  explicit json_feature_extraction(feature_extraction pipe) : pipe_(std::move(pipe)) {}

  json operator()(const json& payload) override {
    feature_extraction_options o;
    parameter_readers p;
    p.add("truncation", [&](const json& v) { o.tokenizer_kwargs.truncation = read_truncation(v); });
    p.add("pooling",
          [&](const json& v) { o.pooling = models::parse_pooling(read_string("pooling", v)); });
    p.flag("normalize", o.normalize).ignored("return_tensors").ignored("batch_size");
    add_tokenizer_arguments(p, "tokenize_kwargs", o.tokenizer_kwargs);
    p.read(parameters_of(payload));
    return each_input(inputs_of(payload, "feature-extraction"), [&](const json& v) -> json {
      const json rows = rows_of(pipe_(input_text(v), o));
      return o.pooling ? rows[0] : json::array({rows});
    });
  }

 private:
  feature_extraction pipe_;
};

// {"source_sentence", "sentences"} -> the cosine of each sentence to the source.
class json_sentence_similarity final : public json_pipeline {
 public:
  explicit json_sentence_similarity(models::sentence_encoder encoder)
      : encoder_(std::move(encoder)) {}

  json operator()(const json& payload) override {
    parameter_readers().read(parameters_of(payload));
    const json& inputs = inputs_of(payload, "sentence-similarity");
    if (!inputs.is_object() || !inputs.contains("source_sentence") || !inputs.contains("sentences"))
      parameter_readers::wrong("inputs", "{\"source_sentence\", \"sentences\"}", inputs);
    std::vector<std::string> texts =
        parameter_readers::read_texts("sentences", inputs["sentences"]);
    texts.insert(texts.begin(), input_text(inputs["source_sentence"]));
    tensor<float> vectors = encoder_.encode(texts);
    models::normalize_rows(vectors);
    json out = json::array();
    for (std::int64_t r = 1; r < vectors.rows(); ++r) {
      double cosine = 0;
      for (std::int64_t c = 0; c < vectors.cols(); ++c)
        cosine += double{vectors.row(0)[c]} * vectors.row(r)[c];
      out.push_back(static_cast<float>(cosine));
    }
    return out;
  }

 private:
  models::sentence_encoder encoder_;
};

// {"query", "texts"} -> {"index", "score"} of each text, best first.
class json_rerank final : public json_pipeline {
 public:
  explicit json_rerank(models::cross_encoder encoder) : encoder_(std::move(encoder)) {}

  json operator()(const json& payload) override {
    parameter_readers().read(parameters_of(payload));
    const json& inputs = inputs_of(payload, "rerank");
    if (!inputs.is_object() || !inputs.contains("query") || !inputs.contains("texts"))
      parameter_readers::wrong("inputs", "{\"query\", \"texts\"}", inputs);
    json out = json::array();
    for (const models::ranked& r : encoder_.rank(
             input_text(inputs["query"]), parameter_readers::read_texts("texts", inputs["texts"])))
      out.push_back({{"index", r.index}, {"score", r.score}});
    return out;
  }

 private:
  models::cross_encoder encoder_;
};

}  // namespace parlance::inline PARLANCE_ABI::pipelines::detail
