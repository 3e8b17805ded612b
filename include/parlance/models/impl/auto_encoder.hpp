// SPDX-License-Identifier: Apache-2.0
// Bodies of models/auto_encoder.hpp: the table of families and the loading of a checkpoint into
// one.
#pragma once

#include <set>

#include "parlance/models/auto_encoder.hpp"
#include "parlance/models/bart_classifier.hpp"
#include "parlance/models/bert.hpp"
#include "parlance/models/deberta.hpp"
#include "parlance/models/encoder_heads.hpp"
#include "parlance/models/modernbert.hpp"

namespace parlance::inline PARLANCE_ABI::models {

namespace detail {

template <class Backbone>
encoder_family family_of(const char* class_name,
                         typename Backbone::config_type (*read)(const json&)) {
  encoder_family f;
  f.class_name = class_name;
  f.read = read;
  f.make_encoder = [read](const json& config, bool with_pooler) {
    auto c = read(config);
    if (!with_pooler) c.pooler = {};
    return std::make_unique<encoder_of<Backbone>>(c);
  };
  f.make_masked_lm = [read](const json& config) {
    return std::make_unique<masked_lm_of<Backbone>>(read(config));
  };
  const auto outputs = [](const encoder_config& c) {
    return static_cast<std::int64_t>(c.labels.size());
  };
  f.make_sequence_classifier = [read, outputs](const json& config) {
    const auto c = read(config);
    return std::make_unique<sequence_task_of<sequence_classifier, Backbone>>(c, c.sequence,
                                                                             outputs(c));
  };
  f.make_token_classifier = [read, outputs](const json& config) {
    const auto c = read(config);
    return std::make_unique<row_task_of<token_classifier, Backbone>>(c, c.token, outputs(c));
  };
  f.make_question_answerer = [read](const json& config) {
    const auto c = read(config);
    return std::make_unique<row_task_of<question_answerer, Backbone>>(c, c.question, 2);
  };
  f.make_multiple_choice = [read](const json& config) {
    const auto c = read(config);
    return std::make_unique<sequence_task_of<multiple_choice, Backbone>>(c, c.choice, 1);
  };
  return f;
}

// BART serves one of these tasks; the others are for encoders.
inline encoder_family bart_family(const char* class_name) {
  encoder_family f;
  f.class_name = class_name;
  f.read = [](const json& config) {
    encoder_config c;
    c.prefix = "model";
    c.labels = read_labels(config_reader(config));
    return c;
  };
  f.make_sequence_classifier = [](const json& config) {
    return std::make_unique<bart_classifier>(config);
  };
  return f;
}

}  // namespace detail

PARLANCE_SPLIT_INLINE const encoder_registry& encoder_families() {
  static const encoder_registry table{
      {"bert", detail::family_of<bert<>>("Bert", read_bert_config)},
      {"roberta", detail::family_of<bert<>>("Roberta", read_bert_config)},
      {"xlm-roberta", detail::family_of<bert<>>("XLMRoberta", read_bert_config)},
      {"camembert", detail::family_of<bert<>>("Camembert", read_bert_config)},
      {"electra", detail::family_of<bert<>>("Electra", read_bert_config)},
      {"distilbert", detail::family_of<bert<>>("DistilBert", read_bert_config)},
      {"albert", detail::family_of<bert<>>("Albert", read_bert_config)},
      {"mpnet", detail::family_of<bert<>>("MPNet", read_bert_config)},
      {"deberta", detail::family_of<deberta<>>("Deberta", read_deberta_config)},
      {"deberta-v2", detail::family_of<deberta<>>("DebertaV2", read_deberta_config)},
      {"modernbert", detail::family_of<modernbert<>>("ModernBert", read_modernbert_config)},
      {"bart", detail::bart_family("Bart")},
      {"mbart", detail::bart_family("MBart")}};
  return table;
}

namespace detail {

inline const encoder_family& encoder_family_of(const json& config,
                                               const encoder_registry& families) {
  const std::string type = config_reader(config).text("model_type", "");
  if (const auto found = families.find(type); found != families.end()) return found->second;
  std::string known;
  for (const auto& [name, family] : families) known += (known.empty() ? "" : ", ") + name;
  throw unsupported_error("model_type '" + type + "' is not an encoder this library knows",
                          "supported: " + known);
}

inline std::string without_prefix(const std::string& name, const std::string& prefix) {
  return name.starts_with(prefix + ".") ? name.substr(prefix.size() + 1) : name;
}

// The names that a checkpoint may have for a parameter: with and without the prefix of the family,
// TensorFlow's names of norms, and the bias of the tied projection under either name.
inline std::vector<std::string> stored_names(const std::string& parameter,
                                             const encoder_config& c) {
  std::vector<std::string> names{parameter};
  const std::string bare = without_prefix(parameter, c.prefix);
  names.push_back(bare == parameter ? c.prefix + "." + parameter : bare);
  if (parameter == c.masked_bias) names.push_back(c.masked.out + ".bias");
  for (std::size_t i = 0, n = names.size(); i < n; ++i)
    for (const auto& [now, then] : {std::pair("LayerNorm.weight", "LayerNorm.gamma"),
                                    std::pair("LayerNorm.bias", "LayerNorm.beta")})
      if (names[i].ends_with(now))
        names.push_back(names[i].substr(0, names[i].size() - std::string(now).size()) + then);
  return names;
}

// Left over without harm: buffers, and whatever is not the backbone's (other heads). `parts`: the
// first segments of the backbone's names.
inline bool ignorable_encoder_tensor(const std::string& name, const std::string& prefix,
                                     const std::set<std::string>& parts) {
  if (name.ends_with("coder.embed_tokens.weight") || name.ends_with("coder.version") ||
      name.ends_with("position_ids") || name.ends_with(".token_type_ids") ||
      name.ends_with("embeddings.position_embeddings.weight") || name.ends_with(".inv_freq"))
    return true;
  const std::string bare = without_prefix(name, prefix);
  return !parts.contains(bare.substr(0, bare.find('.')));
}

// What a family makes for a task, or an error that names what it serves.
template <class Make>
const Make& require_task(const Make& make, const encoder_family& family, const char* task) {
  if (make) return make;
  throw unsupported_error(family.class_name + " as " + task + " is not a task this library knows",
                          "it classifies sequences");
}

// What visits the head alone.
struct head_of {
  encoder_task& task;
  void visit(nn::visitor<float>& v) { task.visit_head(v); }
};

inline void load_encoder_weights(encoder_task& task, const encoder_config& c,
                                 const opened_checkpoint& from,
                                 const encoder_load_options& options) {
  if (from.gguf)
    throw unsupported_error("encoders are loaded from Hugging Face folders, not from GGUF");
  head_of head{task};
  std::set<std::string> in_head, parts;
  nn::for_each_parameter<float>(
      head, [&](const std::string& name, nn::parameter<float>&) { in_head.insert(name); });
  nn::for_each_parameter<float>(task, [&](const std::string& name, nn::parameter<float>&) {
    const std::string bare = without_prefix(name, c.prefix);
    if (!in_head.contains(name)) parts.insert(bare.substr(0, bare.find('.')));
  });
  if (options.fresh_head) nn::init<float>(head, options.seed);
  io::load_parameters<float>(
      task, *from.tensors,
      [&](const std::string& parameter) {
        io::tensor_rule rule;
        rule.name = parameter;
        for (const std::string& name : stored_names(parameter, c))
          if (from.tensors->find(name)) {
            rule.name = name;
            break;
          }
        return rule;
      },
      options, [&](const std::string& n) { return ignorable_encoder_tensor(n, c.prefix, parts); });
}

template <class Task>
std::unique_ptr<Task> load_encoder_task(
    const opened_checkpoint& from, const encoder_load_options& options,
    const encoder_registry& families,
    std::function<std::unique_ptr<Task>(const json&)> encoder_family::*make, const char* suffix) {
  const encoder_family& family = encoder_family_of(from.config, families);
  const encoder_config c = family.read(from.config);
  std::unique_ptr<Task> task = require_task(family.*make, family, suffix)(from.config);
  load_encoder_weights(*task, c, from, options);
  json config = from.config;
  config["architectures"] = json::array({family.class_name + suffix});
  encoder_task_access::set(*task, std::move(config), c.labels);
  return task;
}

}  // namespace detail

PARLANCE_SPLIT_INLINE std::unique_ptr<encoder> load_encoder(const opened_checkpoint& from,
                                                            const encoder_load_options& options,
                                                            const encoder_registry& families) {
  const encoder_family& family = detail::encoder_family_of(from.config, families);
  const encoder_config c = family.read(from.config);
  bool pooler = options.fresh_head;
  for (const std::string& name : detail::stored_names(c.pooler.dense + ".weight", c))
    pooler = pooler || from.tensors->find(name);
  std::unique_ptr<encoder> task =
      detail::require_task(family.make_encoder, family, "Model")(from.config, pooler);
  detail::load_encoder_weights(*task, c, from, options);
  json config = from.config;
  config["architectures"] = json::array({family.class_name + "Model"});
  encoder_task_access::set(*task, std::move(config), {});
  return task;
}

PARLANCE_SPLIT_INLINE std::unique_ptr<masked_lm> load_masked_lm(const opened_checkpoint& from,
                                                                const encoder_load_options& options,
                                                                const encoder_registry& families) {
  return detail::load_encoder_task(from, options, families, &encoder_family::make_masked_lm,
                                   "ForMaskedLM");
}

PARLANCE_SPLIT_INLINE std::unique_ptr<sequence_classifier> load_sequence_classifier(
    const opened_checkpoint& from, const encoder_load_options& options,
    const encoder_registry& families) {
  return detail::load_encoder_task(from, options, families,
                                   &encoder_family::make_sequence_classifier,
                                   "ForSequenceClassification");
}

PARLANCE_SPLIT_INLINE std::unique_ptr<token_classifier> load_token_classifier(
    const opened_checkpoint& from, const encoder_load_options& options,
    const encoder_registry& families) {
  return detail::load_encoder_task(from, options, families, &encoder_family::make_token_classifier,
                                   "ForTokenClassification");
}

PARLANCE_SPLIT_INLINE std::unique_ptr<question_answerer> load_question_answerer(
    const opened_checkpoint& from, const encoder_load_options& options,
    const encoder_registry& families) {
  return detail::load_encoder_task(from, options, families, &encoder_family::make_question_answerer,
                                   "ForQuestionAnswering");
}

PARLANCE_SPLIT_INLINE std::unique_ptr<multiple_choice> load_multiple_choice(
    const opened_checkpoint& from, const encoder_load_options& options,
    const encoder_registry& families) {
  return detail::load_encoder_task(from, options, families, &encoder_family::make_multiple_choice,
                                   "ForMultipleChoice");
}

}  // namespace parlance::inline PARLANCE_ABI::models
