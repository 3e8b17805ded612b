// SPDX-License-Identifier: Apache-2.0
// What kind of model a config.json describes, which tasks the checkpoint serves as it is, and why
// it does not serve another. Tasks have the names of transformers' pipelines.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/error.hpp"
#include "parlance/core/nearest.hpp"
#include "parlance/models/auto.hpp"
#include "parlance/models/encoder_config.hpp"

namespace parlance::inline PARLANCE_ABI::models {

enum class structure_kind : std::uint8_t { encoder, decoder, encoder_decoder };

inline const char* name(structure_kind k) {
  return k == structure_kind::encoder   ? "encoder"
         : k == structure_kind::decoder ? "decoder"
                                        : "encoder-decoder";
}

struct model_structure {
  structure_kind kind = structure_kind::encoder;
  std::string model_type;
  std::vector<std::string> tasks;

  bool serves(std::string_view task) const {
    return std::find(tasks.begin(), tasks.end(), task) != tasks.end();
  }
};

namespace detail {

// Model classes of transformers by their ends, and the tasks of each.
struct class_tasks {
  std::string_view suffix;
  std::vector<std::string> tasks;
};
inline const std::vector<class_tasks>& tasks_of_classes() {
  static const std::vector<class_tasks> table{
      {"ForSequenceClassification", {"text-classification"}},
      {"ForTokenClassification", {"token-classification"}},
      {"ForQuestionAnswering", {"question-answering"}},
      {"ForMultipleChoice", {"multiple-choice"}},
      {"ForMaskedLM", {"fill-mask", "feature-extraction"}},
      {"ForPreTraining", {"fill-mask", "feature-extraction"}},
      {"ForConditionalGeneration", {"text2text-generation", "summarization", "translation"}},
      {"MTModel", {"text2text-generation", "summarization", "translation"}},
      {"ForCausalLM", {"text-generation", "feature-extraction"}},
      {"LMHeadModel", {"text-generation", "feature-extraction"}},
      {"Model", {"feature-extraction"}}};
  return table;
}

inline bool has_entailment_label(const config_reader& c) {
  for (const std::string& label : read_labels(c))
    if (label.size() >= 6 && (label[0] | 32) == 'e' && (label[1] | 32) == 'n' &&
        (label[2] | 32) == 't' && (label[3] | 32) == 'a' && (label[4] | 32) == 'i')
      return true;
  return false;
}

// The model types of auto_encoder.hpp's table that are encoders alone; without its models, so that
// programs without encoders need not compile them.
inline constexpr std::array<std::string_view, 11> encoder_types{
    "albert",  "bert",       "camembert", "deberta", "deberta-v2", "distilbert",
    "electra", "modernbert", "mpnet",     "roberta", "xlm-roberta"};

inline structure_kind kind_of(const config_reader& c, const std::string& type) {
  const auto one_of = [&](const auto& types) {
    return std::ranges::find(types, std::string_view(type)) != types.end();
  };
  constexpr std::array<std::string_view, 3> others{"blenderbot", "blenderbot-small", "longt5"};
  if (c.flag("is_encoder_decoder", false) || seq2seq_lm_families().contains(type) || one_of(others))
    return structure_kind::encoder_decoder;
  if (one_of(encoder_types)) return structure_kind::encoder;
  if (causal_lm_families().contains(type)) return structure_kind::decoder;
  std::vector<std::string_view> all(encoder_types.begin(), encoder_types.end());
  for (const auto& [key, family] : causal_lm_families()) all.push_back(key);
  for (const auto& [key, family] : seq2seq_lm_families()) all.push_back(key);
  throw unsupported_error("config.json: model_type '" + type + "'", did_you_mean(type, all));
}

// "generate text" of text-generation: what a sentence about the task says.
inline bool generates(std::string_view task) {
  return task == "text-generation" || task == "text2text-generation" || task == "summarization" ||
         task == "conversational" || task.starts_with("translation");
}

}  // namespace detail

// From a config.json (or what models/gguf_checkpoint.hpp makes of GGUF metadata).
inline model_structure structure_of(const json& config) {
  const config_reader c(config);
  model_structure m;
  m.model_type = c.text("model_type", "");
  m.kind = detail::kind_of(c, m.model_type);
  const std::vector<std::string> classes = c.texts("architectures");
  for (const std::string& name : classes)
    for (const detail::class_tasks& row : detail::tasks_of_classes())
      if (name.ends_with(row.suffix)) {
        // DebertaModel is bare, ElectraForPreTraining is a discriminator.
        if (name == "ElectraForPreTraining")
          m.tasks = {"feature-extraction"};
        else
          m.tasks = row.tasks;
        break;
      }
  if (m.serves("text-classification") && detail::has_entailment_label(c))
    m.tasks.push_back("zero-shot-classification");
  if (!m.tasks.empty()) return m;
  switch (m.kind) {
    case structure_kind::encoder:
      m.tasks = {"feature-extraction"};
      break;
    case structure_kind::decoder:
      m.tasks = {"text-generation", "feature-extraction"};
      break;
    case structure_kind::encoder_decoder:
      m.tasks = {"text2text-generation", "summarization", "translation"};
  }
  return m;
}

// Empty when the checkpoint serves the task, else the reason and the tasks that it does serve.
inline std::string why_not(const model_structure& m, std::string_view task) {
  if (m.serves(task) || (task.starts_with("translation") && m.serves("translation"))) return {};
  const bool vowel = m.kind != structure_kind::decoder;
  std::string text =
      m.model_type + " is " + (vowel ? "an " : "a ") + std::string(name(m.kind)) + ": ";
  if (detail::generates(task) && m.kind == structure_kind::encoder)
    text += "it cannot generate text";
  else if (task == "text-generation" && m.kind == structure_kind::encoder_decoder)
    text += "it answers a source text rather than continuing it";
  else if (detail::generates(task))
    text += "it continues a text rather than answering a source text";
  else
    text += "this checkpoint has no head for " + std::string(task);
  text += "; tasks:";
  for (const std::string& t : m.tasks) text += (&t == &m.tasks.front() ? " " : ", ") + t;
  return text;
}

// unsupported_error with that reason.
inline void require_task(const json& config, std::string_view task) {
  if (const std::string reason = why_not(structure_of(config), task); !reason.empty())
    throw unsupported_error(std::string(task) + ": " + reason);
}

// load(), whose failure is explained by the model's structure where that does not serve the task.
template <class Load>
auto load_for_task(const json& config, std::string_view task, const Load& load) {
  try {
    return load();
  } catch (const load_error&) {
    require_task(config, task);
    throw;
  } catch (const unsupported_error&) {
    require_task(config, task);
    throw;
  }
}

}  // namespace parlance::inline PARLANCE_ABI::models
