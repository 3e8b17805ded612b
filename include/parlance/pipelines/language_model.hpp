// SPDX-License-Identifier: Apache-2.0
// A model with the tokenizer, chat template and generation defaults that came with it: what the
// generating pipelines are built on.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "parlance/generation/config_json.hpp"
#include "parlance/generation/generate.hpp"
#include "parlance/models/auto.hpp"
#include "parlance/tokenizers/chat_template.hpp"
#include "parlance/tokenizers/tokenizer.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

struct pipeline_options {
  std::optional<format> weights;  // not set: what the file holds
  io::precision compute = io::precision::automatic;
  std::filesystem::path cache;  // hub cache folder, for org/name
  std::string chat_template;    // instead of the model's own
  progress_callback on_progress;
};

// What a folder says about generation.
struct generation_defaults {
  generation::generation_config defaults;  // generation_config.json, else config.json
  // config.json's task_specific_params for the pipeline's task.
  generation::generation_config task_defaults;
  std::string task_prefix;
};

struct language_model : generation_defaults {
  std::unique_ptr<models::causal_lm> model;
  std::shared_ptr<const tokenizers::tokenizer> tokenizer;
  std::optional<tokenizers::chat_template> chat;

  const tokenizers::chat_template& require_chat() const {
    if (!chat)
      throw option_error("this model has no chat template", "set pipeline_options.chat_template");
    return *chat;
  }
};

struct seq2seq_model : generation_defaults {
  std::unique_ptr<models::seq2seq_lm> model;
  std::shared_ptr<tokenizers::tokenizer> tokenizer;  // translation sets its languages
};

// The tokenizer of a folder, a tokenizer.json or a GGUF file.
PARLANCE_SPLIT_INLINE std::shared_ptr<tokenizers::tokenizer> load_tokenizer(
    const std::filesystem::path& path);

PARLANCE_SPLIT_INLINE std::optional<tokenizers::chat_template> load_chat_template(
    const tokenizers::tokenizer& t, const std::string& instead = {});

// `task` chooses among config.json's task_specific_params.
PARLANCE_SPLIT_INLINE language_model
load_language_model(const std::string& name, const pipeline_options& options = {},
                    const std::string& task = "text-generation");

// The same for an encoder-decoder, from a folder.
PARLANCE_SPLIT_INLINE seq2seq_model load_seq2seq_model(const std::string& name,
                                                       const pipeline_options& options,
                                                       const std::string& task);

}  // namespace parlance::inline PARLANCE_ABI::pipelines

#if PARLANCE_BODIES
#include "parlance/pipelines/impl/language_model.hpp"
#endif
