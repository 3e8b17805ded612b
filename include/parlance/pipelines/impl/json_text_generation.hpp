// SPDX-License-Identifier: Apache-2.0
// JSON face of text generation and chat: payloads in, the original's outputs out.
#pragma once

#include "parlance/pipelines/auto.hpp"
#include "parlance/pipelines/parameters.hpp"
#include "parlance/pipelines/text_generation.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines::detail {

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
  if (parameters.is_null()) return;
  if (!parameters.is_object()) throw option_error("parameters: expected an object");
  const std::map<std::string, std::function<void(const std::string&, const json&)>> own = {
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
  std::vector<std::string_view> names = generation::option_names();
  for (const auto& [name, read] : own) names.push_back(name);
  for (const auto& [name, v] : parameters.items()) {
    if (const auto found = own.find(name); found != own.end()) {
      if (!v.is_null()) found->second(name, v);
    } else if (!generation::set_option_json(call, name, v)) {
      throw option_error("unknown parameter '" + name + "'", did_you_mean(name, names));
    }
  }
  const auto given = [&](const char* name) {
    return parameters.contains(name) && !parameters[name].is_null();
  };
  if (given("return_text") + given("return_full_text") + given("return_tensors") > 1)
    throw option_error("return_text, return_full_text and return_tensors exclude each other");
}

class json_text_generation final : public json_pipeline {
 public:
  explicit json_text_generation(text_generation pipe) : pipe_(std::move(pipe)) {}

  json operator()(const json& payload) override {
    if (payload.is_object() && !payload.contains("inputs"))
      throw option_error("text-generation: the payload has no inputs");
    const json& inputs = payload.is_object() ? payload["inputs"] : payload;
    generation::generation_config call;
    text_generation_options o;
    if (payload.is_object() && payload.contains("parameters"))
      read_text_generation(payload["parameters"], call, o);
    if (inputs.is_string()) return records(pipe_(texts({inputs}), call, o).front(), o);
    if (!inputs.is_array() || inputs.empty())
      throw option_error("text-generation: inputs must be a string, a list of strings or messages");
    if (inputs[0].is_object()) return records(pipe_.chat_all(inputs, call, o), o);
    json out = json::array();
    if (inputs[0].is_array()) {
      for (const json& chat : inputs) out.push_back(records(pipe_.chat_all(chat, call, o), o));
      return out;
    }
    for (const auto& each : pipe_(texts(inputs), call, o)) out.push_back(records(each, o));
    return out;
  }

 private:
  static std::vector<std::string> texts(const json& inputs) {
    std::vector<std::string> out;
    for (const json& each : inputs) out.push_back(read_string("inputs", each));
    return out;
  }
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

}  // namespace parlance::inline PARLANCE_ABI::pipelines::detail
