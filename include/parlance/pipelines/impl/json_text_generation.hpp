// SPDX-License-Identifier: Apache-2.0
// JSON face of text generation and chat: payloads in, the original's outputs out.
#pragma once

#include "parlance/pipelines/json_pipeline.hpp"
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

inline void read_text_generation(const json& parameters, generation::generation_config& call,
                                 text_generation_options& o) {
  bool ignored = false;
  parameter_readers p;
  p.flag("return_full_text", o.return_full_text).flag("return_tensors", o.return_tensors);
  p.flag("return_text", ignored).flag("skip_special_tokens", o.skip_special_tokens);
  p.flag("clean_up_tokenization_spaces", o.clean_up_tokenization_spaces);
  p.flag("add_special_tokens", o.add_special_tokens);
  p.flag("continue_final_message", o.continue_final_message);
  p.text("prefix", o.prefix).text("stop_sequence", o.stop_sequence);
  p.text("handle_long_generation", o.handle_long_generation);
  p.add("truncation", [&](const json& v) { o.truncation = read_truncation(v); });
  p.add("tokenizer_encode_kwargs", [&](const json& v) { read_encode_arguments(v, o); });
  p.add("tools", [&](const json& v) { o.tools = v; });
  p.add("documents", [&](const json& v) { o.documents = v; });
  p.read(parameters, &call);
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
    if (inputs.is_string()) return records(pipe_(texts(inputs), call, o).front(), o);
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
    return parameter_readers::read_texts("inputs", inputs);
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
