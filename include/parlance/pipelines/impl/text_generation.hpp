// SPDX-License-Identifier: Apache-2.0
// Bodies of text_generation.hpp.
#pragma once

#include <algorithm>
#include <limits>

#include "parlance/pipelines/text_generation.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

PARLANCE_SPLIT_INLINE auto text_generation::operator()(const std::string& prompt,
                                                       const config& call, const options& o)
    -> output {
  return std::move((*this)(std::vector<std::string>{prompt}, call, o).front().front());
}

PARLANCE_SPLIT_INLINE auto text_generation::operator()(const std::vector<std::string>& prompts,
                                                       const config& call, const options& o)
    -> std::vector<std::vector<output>> {
  std::vector<input> inputs;
  for (const std::string& prompt : prompts) inputs.push_back(prepare_text(prompt, call, o));
  return begin(std::move(inputs), call, o)->run();
}

PARLANCE_SPLIT_INLINE auto text_generation::chat_all(const json& messages, const config& call,
                                                     const options& o) -> std::vector<output> {
  return std::move(begin({prepare_chat(messages, call, o)}, call, o)->run().front());
}

PARLANCE_SPLIT_INLINE auto text_generation::stream(const std::string& prompt, const config& call,
                                                   const options& o) -> text_range {
  return stream_of(prepare_text(prompt, call, o), call, o);
}

PARLANCE_SPLIT_INLINE auto text_generation::stream_chat(const json& messages, const config& call,
                                                        const options& o) -> text_range {
  return stream_of(prepare_chat(messages, call, o), call, o);
}

PARLANCE_SPLIT_INLINE auto text_generation::render(const json& messages,
                                                   const tokenizers::chat_options& o) const
    -> std::string {
  return parts_.require_chat().render(messages, o);
}

PARLANCE_SPLIT_INLINE auto text_generation::resolve(const config& call, const options& o) const
    -> generation::resolved_config {
  config full = call;
  if (o.stop_sequence) {
    const auto ids = parts_.tokenizer->encode_ids(*o.stop_sequence, {.add_special_tokens = false});
    if (ids.empty()) throw option_error("stop_sequence: no tokens");
    full.eos_token_id = generation::token_ids(ids);
  }
  add_prefix_length(full, o);
  generation::resolved_config out = generation::resolve(sources(full));
  if (!out.eos_token_id)
    if (const auto eos = parts_.tokenizer->eos_id()) out.eos_token_id = generation::token_ids{*eos};
  return out;
}

PARLANCE_SPLIT_INLINE auto text_generation::begin(std::vector<input> inputs, const config& call,
                                                  const options& o) const
    -> std::unique_ptr<text_session> {
  return std::make_unique<text_session>(parts_, resolve(call, o), o, std::move(inputs));
}

PARLANCE_SPLIT_INLINE auto text_generation::stream_of(input in, const config& call,
                                                      const options& o) const -> text_range {
  generation::resolved_config c = resolve(call, o);
  if (c.num_return_sequences > 1)
    throw option_error("stream: num_return_sequences is " + std::to_string(c.num_return_sequences) +
                           ", a stream has one text",
                       "ask for the results without streaming");
  std::vector<input> inputs;
  inputs.push_back(std::move(in));
  return text_range(
      std::make_unique<text_session>(parts_, std::move(c), o, std::move(inputs), true));
}

PARLANCE_SPLIT_INLINE auto text_generation::sources(const config& call) const
    -> generation::option_sources {
  generation::option_sources from;
  from.call = call;
  from.task_params = parts_.task_defaults;
  from.model_file = parts_.defaults;
  from.pipeline_default.max_new_tokens = 256;
  from.pipeline_default.do_sample = true;
  from.pipeline_default.temperature = 0.7;
  return from;
}

PARLANCE_SPLIT_INLINE void text_generation::add_prefix_length(config& call,
                                                              const options& o) const {
  const std::string text = prefix(o);
  if (text.empty() || (call.max_new_tokens && (call.min_new_tokens || !call.min_length))) return;
  const auto length = static_cast<std::int64_t>(
      parts_.tokenizer
          ->encode_ids(text, {.add_special_tokens = o.add_special_tokens.value_or(false)})
          .size());
  if (call.min_length && !call.min_new_tokens) *call.min_length += length;
  if (!call.max_new_tokens) call.max_length = plain_max_length(call) + length;
}

PARLANCE_SPLIT_INLINE auto text_generation::plain_max_length(const config& call) const
    -> std::int64_t {
  for (const auto* source : {&call, &parts_.task_defaults, &parts_.defaults})
    if (source->max_length) return *source->max_length;
  return *generation::global_defaults().max_length;
}

PARLANCE_SPLIT_INLINE auto text_generation::encode(const std::string& text, bool special,
                                                   bool cut_by_default, const config& call,
                                                   const options& o) const
    -> std::vector<std::int32_t> {
  tokenizers::encode_options how;
  how.add_special_tokens = special;
  const std::optional<std::int64_t> given =
      o.encode_max_length ? o.encode_max_length : call.max_length;
  const std::int64_t most = given.value_or(parts_.tokenizer->config().model_max_length);
  if (o.truncation.value_or(cut_by_default && given.has_value()) && most > 0) {
    how.truncation.emplace();
    how.truncation->max_length = static_cast<std::uint32_t>(
        std::min<std::int64_t>(most, std::numeric_limits<std::uint32_t>::max()));
    how.truncation->side = parts_.tokenizer->config().truncation_side;
  }
  return parts_.tokenizer->encode_ids(text, how);
}

PARLANCE_SPLIT_INLINE auto text_generation::prepare_text(const std::string& prompt,
                                                         const config& call, const options& o) const
    -> input {
  input in;
  in.text = prompt;
  in.ids = encode(prefix(o) + prompt, o.add_special_tokens.value_or(true), true, call, o);
  return finish(std::move(in), call, o);
}

PARLANCE_SPLIT_INLINE auto text_generation::prepare_chat(const json& messages, const config& call,
                                                         const options& o) const -> input {
  if (!messages.is_array() || messages.empty())
    throw option_error("chat: expected a list of messages");
  const json& last = messages.back();
  input in;
  in.messages = messages;
  in.continues = o.continue_final_message.value_or(last.is_object() &&
                                                   last.value("role", json()) == "assistant");
  tokenizers::chat_options chat;
  chat.add_generation_prompt = !in.continues;
  chat.continue_final_message = in.continues;
  chat.tools = o.tools;
  chat.documents = o.documents;
  chat.extra = o.template_variables;
  in.text = render(messages, chat);
  in.ids = encode(in.text, false, false, call, o);
  return finish(std::move(in), call, o);
}

PARLANCE_SPLIT_INLINE auto text_generation::finish(input in, const config& call,
                                                   const options& o) const -> input {
  if (in.ids.empty()) {
    const auto bos = resolve(call, o).bos_token_id;
    const auto start = bos ? bos : parts_.tokenizer->bos_id();
    if (!start) throw option_error("an empty prompt, and the model has no bos token");
    in.ids = {*start};
    in.empty = true;
    return in;
  }
  if (!o.handle_long_generation) return in;
  if (*o.handle_long_generation != "hole")
    throw option_error("handle_long_generation: '" + *o.handle_long_generation + "'",
                       "supported: hole");
  const auto length = static_cast<std::int64_t>(in.ids.size());
  const std::int64_t most = parts_.tokenizer->config().model_max_length;
  const std::int64_t fresh = call.max_new_tokens.value_or(plain_max_length(call) - length);
  if (fresh < 0)
    throw option_error("handle_long_generation: the prompt is longer than max_length",
                       "set max_new_tokens");
  if (most <= 0 || length + fresh <= most) return in;
  if (most - fresh <= 0)
    throw option_error("handle_long_generation: max_new_tokens leaves no room for the prompt",
                       "the model takes " + std::to_string(most) + " tokens");
  in.ids.erase(in.ids.begin(),
               in.ids.end() - static_cast<std::ptrdiff_t>(std::min(most - fresh, length)));
  return in;
}

}  // namespace parlance::inline PARLANCE_ABI::pipelines
