// SPDX-License-Identifier: Apache-2.0
// Bodies of pipelines/auto.hpp: the table of tasks.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "parlance/io/hub_cache.hpp"
#include "parlance/models/structure.hpp"
#include "parlance/pipelines/auto.hpp"
#include "parlance/pipelines/impl/json_encoders.hpp"
#include "parlance/pipelines/impl/json_text2text.hpp"
#include "parlance/pipelines/impl/json_text_generation.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

namespace detail {

using json_pipeline_factory = std::function<std::unique_ptr<json_pipeline>(
    const std::string& model, const pipeline_options& options)>;

// The JSON face of the pipeline of a task.
template <class Json, class Pipe>
json_pipeline_factory task_of() {
  return [](const std::string& model, const pipeline_options& options) {
    return std::make_unique<Json>(Pipe(model, options));
  };
}
// The same of a model of models/sentence_encoder.hpp; `task` is what it is to its checkpoint.
template <class Json, class Model, class Options>
json_pipeline_factory embedder_of(const char* task) {
  return [task](const std::string& model, const pipeline_options& options) {
    Options o;
    o.weights = options.weights;
    o.compute = options.compute;
    o.on_progress = options.on_progress;
    const auto file = io::resolve_model(model, options.cache) / "config.json";
    const json config =
        std::filesystem::exists(file) ? parse_json(read_text(file), file.string()) : json();
    const auto load = [&] { return Model::from_pretrained(model, o, options.cache); };
    return std::make_unique<Json>(config.is_null() ? load()
                                                   : models::load_for_task(config, task, load));
  };
}

inline std::map<std::string, json_pipeline_factory, std::less<>> known_tasks() {
  const auto classify = task_of<json_text_classification, text_classification>();
  const auto tag = task_of<json_token_classification, token_classification>();
  return {
      {"text-generation", task_of<json_text_generation, text_generation>()},
      {"text-classification", classify},
      {"sentiment-analysis", classify},
      {"token-classification", tag},
      {"ner", tag},
      {"question-answering", task_of<json_question_answering, question_answering>()},
      {"fill-mask", task_of<json_fill_mask, fill_mask>()},
      {"zero-shot-classification", task_of<json_zero_shot, zero_shot_classification>()},
      {"feature-extraction", task_of<json_feature_extraction, feature_extraction>()},
      {"sentence-similarity",
       embedder_of<json_sentence_similarity, models::sentence_encoder, models::sentence_options>(
           "feature-extraction")},
      {"rerank",
       embedder_of<json_rerank, models::cross_encoder, io::load_options>("text-classification")},
  };
}

inline json_pipeline_factory factory_of(const std::string& task) {
  if (const std::string key = text2text_key(task); !key.empty())
    return [task, key](const std::string& model, const pipeline_options& options) {
      return std::make_unique<json_text2text>(text2text(model, task, options), key);
    };
  const auto tasks = known_tasks();
  if (const auto found = tasks.find(task); found != tasks.end()) return found->second;
  std::vector<std::string_view> names{"summarization", "text2text-generation", "translation"};
  std::string list = "translation_xx_to_yy";
  for (const auto& [name, factory] : tasks) names.push_back(name);
  for (const std::string_view name : names) list += ", " + std::string(name);
  throw unsupported_error("task '" + task + "' is not available; there are: " + list,
                          did_you_mean(task, names));
}

}  // namespace detail

PARLANCE_SPLIT_INLINE std::unique_ptr<json_pipeline> make_pipeline(
    const std::string& task, const std::string& model, const pipeline_options& options) {
  return detail::factory_of(task)(model, options);
}

}  // namespace parlance::inline PARLANCE_ABI::pipelines
