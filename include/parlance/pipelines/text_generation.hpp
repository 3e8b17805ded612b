// SPDX-License-Identifier: Apache-2.0
// Text generation and chat, with the options, defaults and outputs of transformers 4.57's
// TextGenerationPipeline (pipelines/text_generation.py). With beams a stream gives what all
// of them agree on.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "parlance/pipelines/pipeline.hpp"
#include "parlance/pipelines/text_range.hpp"
#include "parlance/pipelines/text_session.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

class text_generation {
 public:
  using config = generation::generation_config;
  using options = text_generation_options;
  using output = text_generation_output;

  explicit text_generation(const std::string& model, const pipeline_options& o = {})
      : text_generation(load_language_model(model, o)) {}
  explicit text_generation(language_model parts) : parts_(std::move(parts)) {}

  // One prompt, one result (the first, when several are asked for).
  output operator()(const std::string& prompt, const config& call = {}, const options& o = {});
  // Each prompt's num_return_sequences results.
  std::vector<std::vector<output>> operator()(const std::vector<std::string>& prompts,
                                              const config& call = {}, const options& o = {});
  // A conversation: an array of {"role", "content"} objects.
  output chat(const json& messages, const config& call = {}, const options& o = {}) {
    return std::move(chat_all(messages, call, o).front());
  }
  std::vector<output> chat_all(const json& messages, const config& call = {},
                               const options& o = {});
  // The new text piece by piece, as the model makes it: see text_range.
  text_range stream(const std::string& prompt, const config& call = {}, const options& o = {});
  text_range stream_chat(const json& messages, const config& call = {}, const options& o = {});

  // The prompt string that the chat template makes.
  std::string render(const json& messages, const tokenizers::chat_options& o) const;
  // Final option values for a call, and where each came from (see generation::explain).
  generation::resolved_config resolve(const config& call = {}, const options& o = {}) const;

  const models::causal_lm& model() const { return *parts_.model; }
  const tokenizers::tokenizer& tokenizer() const { return *parts_.tokenizer; }
  bool has_chat_template() const { return parts_.chat.has_value(); }

 private:
  using input = text_generation_input;

  std::unique_ptr<text_session> begin(std::vector<input> inputs, const config& call,
                                      const options& o) const;
  text_range stream_of(input in, const config& call, const options& o) const;

  generation::option_sources sources(const config& call) const;
  std::string prefix(const options& o) const { return o.prefix.value_or(parts_.task_prefix); }
  // The original counts a prefix's tokens on top of the lengths.
  void add_prefix_length(config& call, const options& o) const;
  // max_length before anything is added to it.
  std::int64_t plain_max_length(const config& call) const;

  std::vector<std::int32_t> encode(const std::string& text, bool special, bool cut_by_default,
                                   const config& call, const options& o) const;

  input prepare_text(const std::string& prompt, const config& call, const options& o) const;

  input prepare_chat(const json& messages, const config& call, const options& o) const;

  input finish(input in, const config& call, const options& o) const;

  language_model parts_;
};

template <>
struct pipeline_for<"text-generation"> {
  using type = text_generation;
};

}  // namespace parlance::inline PARLANCE_ABI::pipelines

#if PARLANCE_BODIES
#include "parlance/pipelines/impl/text_generation.hpp"
#endif
