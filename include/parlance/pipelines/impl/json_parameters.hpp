// SPDX-License-Identifier: Apache-2.0
// Reading a pipeline's JSON payload: its own parameters by name, the others as generation options.
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "parlance/core/nearest.hpp"
#include "parlance/generation/config_json.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

namespace detail {

inline bool read_flag(const std::string& name, const json& v) {
  if (!v.is_boolean()) throw option_error(name + ": expected true or false, got " + v.dump());
  return v.get<bool>();
}
inline std::string read_string(const std::string& name, const json& v) {
  if (!v.is_string()) throw option_error(name + ": expected a string, got " + v.dump());
  return v.get<std::string>();
}
// true, false or the name of a strategy: of one text there is only one way to cut it.
inline bool read_truncation(const json& v) {
  if (v.is_boolean()) return v.get<bool>();
  constexpr std::array<std::string_view, 3> names = {"longest_first", "only_first",
                                                     "do_not_truncate"};
  const std::string text = read_string("truncation", v);
  if (std::ranges::find(names, text) == names.end())
    throw option_error("truncation: unknown strategy '" + text + "'", did_you_mean(text, names));
  return text != "do_not_truncate";
}

// What a pipeline does with each of its own parameters.
using parameter_readers =
    std::map<std::string, std::function<void(const std::string& name, const json& value)>>;

// What is no parameter of the pipeline is an option of generation. A pipeline's parameter that is
// null counts as absent.
inline void read_parameters(const json& parameters, const parameter_readers& own,
                            generation::generation_config& call) {
  if (parameters.is_null()) return;
  if (!parameters.is_object()) throw option_error("parameters: expected an object");
  std::vector<std::string_view> names = generation::option_names();
  for (const auto& [name, read] : own) names.push_back(name);
  for (const auto& [name, v] : parameters.items()) {
    if (const auto found = own.find(name); found != own.end()) {
      if (!v.is_null()) found->second(name, v);
    } else if (!generation::set_option_json(call, name, v)) {
      throw option_error("unknown parameter '" + name + "'", did_you_mean(name, names));
    }
  }
}

inline std::vector<std::string> read_texts(const json& inputs) {
  std::vector<std::string> out;
  for (const json& each : inputs) out.push_back(read_string("inputs", each));
  return out;
}

// The inputs of a payload: {"inputs": ..., ...}, or the inputs alone.
inline const json& inputs_of(const json& payload, const std::string& task) {
  if (payload.is_object() && !payload.contains("inputs"))
    throw option_error(task + ": the payload has no inputs");
  return payload.is_object() ? payload["inputs"] : payload;
}
inline json parameters_of(const json& payload) {
  return payload.is_object() && payload.contains("parameters") ? payload["parameters"] : json();
}

}  // namespace detail

}  // namespace parlance::inline PARLANCE_ABI::pipelines
