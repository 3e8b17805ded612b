// SPDX-License-Identifier: Apache-2.0
// Bodies of pipelines/auto.hpp: what each task makes of a JSON payload.
#pragma once

#include <array>

#include "parlance/pipelines/auto.hpp"
#include "parlance/pipelines/impl/auto_text2text.hpp"
#include "parlance/pipelines/text_generation.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

namespace detail {

// Arguments of the tokenizer's call, or of a chat template.
inline void read_encode_arguments(const json& arguments, text_generation_options& o) {
  if (!arguments.is_object()) throw option_error("tokenizer_encode_kwargs: expected an object");
  for (const auto& [name, v] : arguments.items()) {
    if (name == "add_special_tokens") {
      o.add_special_tokens = read_flag(name, v);
    } else if (name == "truncation") {
      o.truncation = read_truncation(v);
    } else if (name == "max_length") {
      if (!v.is_number_unsigned()) throw option_error("max_length: expected a size");
      o.encode_max_length = v.get<std::int64_t>();
    } else if (name == "tools") {
      o.tools = v;
    } else if (name == "documents") {
      o.documents = v;
    } else {
      o.template_variables[name] = v;
    }
  }
}

// Moves `parameters` into options; what is no option of the pipeline is one of generation. A
// pipeline's option that is null counts as absent.
inline void read_text_generation(const json& parameters, generation::generation_config& call,
                                 text_generation_options& o) {
  const parameter_readers own = {
      {"return_full_text", [&](auto& n, auto& v) { o.return_full_text = read_flag(n, v); }},
      {"return_tensors", [&](auto& n, auto& v) { o.return_tensors = read_flag(n, v); }},
      {"return_text", [&](auto& n, auto& v) { read_flag(n, v); }},
      {"clean_up_tokenization_spaces",
       [&](auto& n, auto& v) { o.clean_up_tokenization_spaces = read_flag(n, v); }},
      {"skip_special_tokens", [&](auto& n, auto& v) { o.skip_special_tokens = read_flag(n, v); }},
      {"add_special_tokens", [&](auto& n, auto& v) { o.add_special_tokens = read_flag(n, v); }},
      {"continue_final_message",
       [&](auto& n, auto& v) { o.continue_final_message = read_flag(n, v); }},
      {"prefix", [&](auto& n, auto& v) { o.prefix = read_string(n, v); }},
      {"stop_sequence", [&](auto& n, auto& v) { o.stop_sequence = read_string(n, v); }},
      {"handle_long_generation",
       [&](auto& n, auto& v) { o.handle_long_generation = read_string(n, v); }},
      {"truncation", [&](auto&, auto& v) { o.truncation = read_truncation(v); }},
      {"tokenizer_encode_kwargs", [&](auto&, auto& v) { read_encode_arguments(v, o); }},
      {"tools", [&](auto&, auto& v) { o.tools = v; }},
      {"documents", [&](auto&, auto& v) { o.documents = v; }}};
  read_parameters(parameters, own, call);
  const auto given = [&](const char* name) {
    return parameters.is_object() && parameters.contains(name) && !parameters[name].is_null();
  };
  if (given("return_text") + given("return_full_text") + given("return_tensors") > 1)
    throw option_error("return_text, return_full_text and return_tensors exclude each other");
}

class json_text_generation final : public json_pipeline {
 public:
  explicit json_text_generation(text_generation pipe) : pipe_(std::move(pipe)) {}

  json operator()(const json& payload) override {
    const json& inputs = inputs_of(payload, "text-generation");
    generation::generation_config call;
    text_generation_options o;
    read_text_generation(parameters_of(payload), call, o);
    if (inputs.is_string()) return records(pipe_(read_texts({inputs}), call, o).front(), o);
    if (!inputs.is_array() || inputs.empty())
      throw option_error("text-generation: inputs must be a string, a list of strings or messages");
    if (inputs[0].is_object()) return records(pipe_.chat_all(inputs, call, o), o);
    json out = json::array();
    if (inputs[0].is_array()) {
      for (const json& chat : inputs) out.push_back(records(pipe_.chat_all(chat, call, o), o));
      return out;
    }
    for (const auto& each : pipe_(read_texts(inputs), call, o)) out.push_back(records(each, o));
    return out;
  }

 private:
  static json records(const std::vector<text_generation_output>& results,
                      const text_generation_options& o) {
    json out = json::array();
    for (const auto& r : results) {
      if (o.return_tensors) {
        std::vector<std::int32_t> all = r.prompt_ids;
        all.insert(all.end(), r.ids.begin(), r.ids.end());
        out.push_back({{"generated_token_ids", all}});
      } else if (r.messages.is_null() || !o.return_full_text) {
        out.push_back({{"generated_text", r.generated_text}});
      } else {
        out.push_back({{"generated_text", r.messages}});
      }
    }
    return out;
  }
  text_generation pipe_;
};

}  // namespace detail

PARLANCE_SPLIT_INLINE std::unique_ptr<json_pipeline> make_pipeline(
    const std::string& task, const std::string& model, const pipeline_options& options) {
  if (task == "text-generation")
    return std::make_unique<detail::json_text_generation>(text_generation(model, options));
  if (const std::string key = detail::text2text_key(task); !key.empty())
    return std::make_unique<detail::json_text2text>(text2text(model, task, options), key);
  constexpr std::array<std::string_view, 4> known = {"text-generation", "text2text-generation",
                                                     "summarization", "translation"};
  throw unsupported_error(
      "task '" + task +
          "' is not available; there are: text-generation, text2text-generation, summarization, "
          "translation, translation_xx_to_yy",
      did_you_mean(task, known));
}

}  // namespace parlance::inline PARLANCE_ABI::pipelines
