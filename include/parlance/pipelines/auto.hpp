// SPDX-License-Identifier: Apache-2.0
// Pipelines by name at run time, over JSON: the payload that Hugging Face's inference API takes in,
// what the original pipeline returns out.
#pragma once

#include <memory>
#include <string>

#include "parlance/pipelines/text_generation.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

class json_pipeline {
 public:
  virtual ~json_pipeline() = default;
  // {"inputs": ..., "parameters": {...}}, or the inputs alone when they are a string.
  virtual json operator()(const json& payload) = 0;
};

namespace detail {

// Moves `parameters` into options; what is no option of the pipeline is one of generation.
inline void read_text_generation(const json& parameters, generation::generation_config& call,
                                 text_generation_options& o) {
  const auto flag = [](const std::string& name, const json& v) {
    if (!v.is_boolean()) throw option_error(name + ": expected true or false, got " + v.dump());
    return v.get<bool>();
  };
  bool text = false;
  for (const auto& [name, v] : parameters.items()) {
    if (name == "return_full_text") {
      o.return_full_text = flag(name, v);
    } else if (name == "return_tensors") {
      o.return_tensors = flag(name, v);
    } else if (name == "return_text") {
      text = flag(name, v);
    } else if (name == "clean_up_tokenization_spaces") {
      o.clean_up_tokenization_spaces = flag(name, v);
    } else if (name == "skip_special_tokens") {
      o.skip_special_tokens = flag(name, v);
    } else if (name == "add_special_tokens") {
      o.add_special_tokens = flag(name, v);
    } else if (name == "continue_final_message") {
      o.continue_final_message = flag(name, v);
    } else if (name == "prefix") {
      o.prefix = v.get<std::string>();
    } else if (name == "stop_sequence") {
      o.stop_sequence = v.get<std::string>();
    } else if (name == "handle_long_generation") {
      if (!v.is_null()) o.handle_long_generation = v.get<std::string>();
    } else if (name == "tools") {
      o.tools = v;
    } else if (name == "documents") {
      o.documents = v;
    } else if (!generation::set_option_json(call, name, v)) {
      throw option_error("unknown parameter '" + name + "'",
                         did_you_mean(name, generation::option_names()));
    }
  }
  if (o.return_tensors && (text || parameters.contains("return_full_text")))
    throw option_error("return_tensors excludes return_text and return_full_text");
}

class json_text_generation final : public json_pipeline {
 public:
  explicit json_text_generation(text_generation pipe) : pipe_(std::move(pipe)) {}

  json operator()(const json& payload) override {
    const json inputs = payload.is_string() ? payload : payload.at("inputs");
    generation::generation_config call;
    text_generation_options o;
    if (payload.is_object() && payload.contains("parameters"))
      read_text_generation(payload["parameters"], call, o);
    if (inputs.is_string()) return records(pipe_({inputs.get<std::string>()}, call, o).front(), o);
    if (!inputs.is_array() || inputs.empty())
      throw option_error("text-generation: inputs must be a string, a list of strings or messages");
    if (inputs[0].is_object()) return records(pipe_.chat_all(inputs, call, o), o);
    json out = json::array();
    if (inputs[0].is_array()) {
      for (const json& chat : inputs) out.push_back(records(pipe_.chat_all(chat, call, o), o));
      return out;
    }
    for (const auto& each : pipe_(inputs.get<std::vector<std::string>>(), call, o))
      out.push_back(records(each, o));
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

// The pipeline of a task by its Hugging Face name.
inline std::unique_ptr<json_pipeline> make_pipeline(const std::string& task,
                                                    const std::string& model,
                                                    const pipeline_options& options = {}) {
  if (task == "text-generation")
    return std::make_unique<detail::json_text_generation>(text_generation(model, options));
  constexpr std::array<std::string_view, 1> known = {"text-generation"};
  throw unsupported_error("task '" + task + "' is not available; there is: text-generation",
                          did_you_mean(task, known));
}

}  // namespace parlance::inline PARLANCE_ABI::pipelines

namespace parlance::inline PARLANCE_ABI {
using pipelines::make_pipeline;
}  // namespace parlance::inline PARLANCE_ABI
