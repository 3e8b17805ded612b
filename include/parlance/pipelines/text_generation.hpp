// SPDX-License-Identifier: Apache-2.0
// Text generation and chat, with the options, defaults and outputs of transformers 4.57's
// TextGenerationPipeline (pipelines/text_generation.py). Beams are refused for now.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "parlance/pipelines/language_model.hpp"
#include "parlance/pipelines/pipeline.hpp"
#include "parlance/tokenizers/streaming_decoder.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

// Options of the pipeline beside those of generation.
struct text_generation_options {
  bool return_full_text = true;
  bool return_tensors = false;
  bool clean_up_tokenization_spaces = true;
  bool skip_special_tokens = true;
  std::optional<bool> add_special_tokens;  // not set: the tokenizer's own habit
  std::string prefix;
  std::optional<std::string> handle_long_generation;  // "hole": drop the head of a long prompt
  std::optional<std::string> stop_sequence;
  std::optional<bool> continue_final_message;  // not set: when the last message is the assistant's
  json tools = nullptr, documents = nullptr, template_variables = nullptr;
  generation::timing* timing = nullptr;
};

struct text_generation_output {
  std::string generated_text;  // of a chat: the reply alone
  json messages;               // of a chat: the messages with the reply; else null
  std::vector<std::int32_t> prompt_ids, ids;
  generation::finish_reason finish_reason = generation::finish_reason::none;
  std::vector<generation::token_choice> logprobs;
};

class text_generation {
 public:
  using config = generation::generation_config;
  using options = text_generation_options;
  using output = text_generation_output;

  explicit text_generation(const std::string& model, const pipeline_options& o = {})
      : text_generation(load_language_model(model, o)) {}
  explicit text_generation(language_model parts) : parts_(std::move(parts)) {}

  // One prompt, one result (the first, when several are asked for).
  output operator()(const std::string& prompt, const config& call = {}, const options& o = {}) {
    return std::move((*this)(std::vector<std::string>{prompt}, call, o).front().front());
  }
  // Each prompt's num_return_sequences results.
  std::vector<std::vector<output>> operator()(const std::vector<std::string>& prompts,
                                              const config& call = {}, const options& o = {}) {
    std::vector<input> inputs;
    for (const std::string& prompt : prompts) inputs.push_back(prepare_text(prompt, call, o));
    return run(std::move(inputs), call, o);
  }
  // A conversation: an array of {"role", "content"} objects.
  output chat(const json& messages, const config& call = {}, const options& o = {}) {
    return std::move(chat_all(messages, call, o).front());
  }
  std::vector<output> chat_all(const json& messages, const config& call = {},
                               const options& o = {}) {
    std::vector<input> inputs;
    inputs.push_back(prepare_chat(messages, call, o));
    return std::move(run(std::move(inputs), call, o).front());
  }

  // The prompt string that the chat template makes.
  std::string render(const json& messages, const tokenizers::chat_options& o) const {
    return parts_.require_chat().render(messages, o);
  }
  // Final option values for a call, and where each came from (see generation::explain).
  generation::resolved_config resolve(const config& call = {}, const options& o = {}) const {
    config full = call;
    if (o.stop_sequence && !call.eos_token_id) {
      const auto ids =
          parts_.tokenizer->encode_ids(*o.stop_sequence, {.add_special_tokens = false});
      if (ids.empty()) throw option_error("stop_sequence: no tokens");
      full.eos_token_id = generation::token_ids{ids.front()};
    }
    config defaults;
    defaults.max_new_tokens = 256;
    defaults.do_sample = true;
    defaults.temperature = 0.7;
    generation::resolved_config out = generation::resolve(full, parts_.defaults, defaults);
    if (!out.eos_token_id)
      if (const auto eos = parts_.tokenizer->eos_id())
        out.eos_token_id = generation::token_ids{*eos};
    return out;
  }

  const models::causal_lm& model() const { return *parts_.model; }
  const tokenizers::tokenizer& tokenizer() const { return *parts_.tokenizer; }
  bool has_chat_template() const { return parts_.chat.has_value(); }

 private:
  struct input {
    std::string text;  // what the full text starts with
    std::vector<std::int32_t> ids;
    json messages;
    bool continues = false;
  };

  tokenizers::decode_options decoding(const options& o) const {
    return {.skip_special_tokens = o.skip_special_tokens,
            .clean_up_tokenization_spaces = o.clean_up_tokenization_spaces};
  }

  input prepare_text(const std::string& prompt, const config& call, const options& o) const {
    input in;
    in.text = prompt;
    in.ids = parts_.tokenizer->encode_ids(
        o.prefix + prompt, {.add_special_tokens = o.add_special_tokens.value_or(true)});
    return finish(std::move(in), call, o);
  }

  input prepare_chat(const json& messages, const config& call, const options& o) const {
    if (!messages.is_array() || messages.empty())
      throw option_error("chat: expected a list of messages");
    const json& last = messages.back();
    input in;
    in.messages = messages;
    in.continues = o.continue_final_message.value_or(last.is_object() &&
                                                     last.value("role", "") == "assistant");
    tokenizers::chat_options chat;
    chat.add_generation_prompt = !in.continues;
    chat.continue_final_message = in.continues;
    chat.tools = o.tools;
    chat.documents = o.documents;
    chat.extra = o.template_variables;
    in.text = render(messages, chat);
    in.ids = parts_.tokenizer->encode_ids(in.text, {.add_special_tokens = false});
    return finish(std::move(in), call, o);
  }

  input finish(input in, const config& call, const options& o) const {
    if (in.ids.empty()) {
      const auto bos = parts_.tokenizer->bos_id();
      const auto start = bos ? bos : parts_.tokenizer->eos_id();
      if (!start) throw option_error("an empty prompt, and the tokenizer has no bos token");
      in.ids = {*start};
    }
    if (!o.handle_long_generation) return in;
    if (*o.handle_long_generation != "hole")
      throw option_error("handle_long_generation: '" + *o.handle_long_generation + "'",
                         "supported: hole");
    const generation::resolved_config c = resolve(call, o);
    const auto length = static_cast<std::int64_t>(in.ids.size());
    const std::int64_t most = parts_.tokenizer->config().model_max_length;
    const std::int64_t fresh = generation::limits(c, length, 0).max_length - length;
    if (most <= 0 || length + fresh <= most) return in;
    if (most - fresh <= 0)
      throw option_error("handle_long_generation: max_new_tokens leaves no room for the prompt",
                         "the model takes " + std::to_string(most) + " tokens");
    in.ids.erase(in.ids.begin(), in.ids.end() - static_cast<std::ptrdiff_t>(most - fresh));
    return in;
  }

  std::vector<std::vector<output>> run(std::vector<input> inputs, const config& call,
                                       const options& o) {
    const generation::resolved_config c = resolve(call, o);
    const auto copies = static_cast<std::size_t>(c.num_return_sequences);
    std::vector<std::vector<std::int32_t>> prompts;
    for (const input& in : inputs) prompts.push_back(in.ids);

    std::vector<tokenizers::streaming_decoder> decoders;
    const bool text_needed = c.stop_strings || c.on_text;
    for (std::size_t i = 0; text_needed && i < prompts.size() * copies; ++i)
      decoders.emplace_back(*parts_.tokenizer, tokenizers::decode_options{
                                                   .skip_special_tokens = o.skip_special_tokens});
    generation::generate_hooks hooks;
    hooks.measured = o.timing;
    bool stream_stopped = false;
    const auto stream = [&](std::size_t s, const std::string& piece) {
      if (s != 0 || piece.empty() || stream_stopped) return;
      stream_stopped = c.on_text(piece) == flow::stop;
    };
    if (text_needed && c.stop_strings)
      hooks.decode = [&](std::size_t s, std::int32_t id) {
        std::string piece = decoders[s].push(id);
        stream(s, piece);
        return piece;
      };
    hooks.prompt_text = [&](std::size_t s) {
      return parts_.tokenizer->decode(prompts[s / copies], decoding(o));
    };
    if (c.on_text)
      hooks.on_token = [&](std::size_t s, std::int32_t id) {
        if (!c.stop_strings) stream(s, decoders[s].push(id));
        return stream_stopped ? flow::stop : flow::next;
      };
    std::vector<generation::generated> results =
        generation::generate(*parts_.model, prompts, c, hooks);
    if (c.on_text) stream(0, decoders[0].finish());

    std::vector<std::vector<output>> out(inputs.size());
    for (std::size_t i = 0; i < results.size(); ++i)
      out[i / copies].push_back(make_output(inputs[i / copies], std::move(results[i]), o));
    return out;
  }

  output make_output(const input& in, generation::generated g, const options& o) const {
    output out;
    out.prompt_ids = in.ids;
    out.ids = std::move(g.ids);
    out.finish_reason = g.reason;
    out.logprobs = std::move(g.logprobs);
    std::vector<std::int32_t> all = in.ids;
    all.insert(all.end(), out.ids.begin(), out.ids.end());
    // New text is what decoding the whole adds to decoding the prompt, counted in characters.
    const std::string whole = parts_.tokenizer->decode(all, decoding(o));
    std::size_t skip = utf8_length(parts_.tokenizer->decode(in.ids, decoding(o))), at = 0;
    while (skip > 0 && at < whole.size()) at += utf8_decode(whole, at).length, --skip;
    const std::string fresh = whole.substr(at);
    if (in.messages.is_null()) {
      out.generated_text = o.return_full_text ? in.text + fresh : fresh;
      return out;
    }
    out.generated_text = fresh;
    out.messages = in.messages;
    if (in.continues) {
      json& content = out.messages.back()["content"];
      content = (content.is_string() ? content.get<std::string>() : std::string()) + fresh;
    } else {
      out.messages.push_back({{"role", "assistant"}, {"content", fresh}});
    }
    return out;
  }

  language_model parts_;
};

template <>
struct pipeline_for<"text-generation"> {
  using type = text_generation;
};

}  // namespace parlance::inline PARLANCE_ABI::pipelines
