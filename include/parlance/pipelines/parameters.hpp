// SPDX-License-Identifier: Apache-2.0
// The "parameters" of a JSON payload: each task says which names it knows and what they set; any
// other is an error that names the nearest. null counts as absent unless the task asks for it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/json.hpp"
#include "parlance/core/nearest.hpp"
#include "parlance/generation/config_json.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

namespace detail {

// The inputs of a payload: {"inputs": ..., ...}, or the inputs alone.
inline const json& inputs_of(const json& payload, const std::string& task) {
  if (!payload.is_object()) return payload;
  if (const auto found = payload.find("inputs"); found != payload.end()) return *found;
  throw option_error(task + ": the payload has no inputs");
}
inline json parameters_of(const json& payload) {
  return payload.is_object() && payload.contains("parameters") ? payload["parameters"] : json();
}

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

}  // namespace detail

class parameter_readers {
 public:
  using reader = std::function<void(const json&)>;

  template <class Flag>
  parameter_readers& flag(const char* name, Flag& to) {
    return add(name, [name, &to](const json& v) {
      if (!v.is_boolean()) wrong(name, "true or false", v);
      to = v.get<bool>();
    });
  }
  template <class Integer>
  parameter_readers& integer(const char* name, Integer& to) {
    return add(name, [name, &to](const json& v) {
      if (!v.is_number_integer()) wrong(name, "an integer", v);
      to = v.get<std::int64_t>();
    });
  }
  template <class Text>
  parameter_readers& text(const char* name, Text& to) {
    return add(name, [name, &to](const json& v) {
      if (!v.is_string()) wrong(name, "a string", v);
      to = v.get<std::string>();
    });
  }
  // A list of strings, or one.
  parameter_readers& texts(const char* name, std::vector<std::string>& to) {
    return add(name, [name, &to](const json& v) { to = read_texts(name, v); });
  }
  parameter_readers& ignored(const char* name) {
    return add(name, [](const json&) {});
  }
  parameter_readers& add(const char* name, reader r, bool takes_null = false) {
    readers_[name] = {std::move(r), takes_null};
    return *this;
  }

  // With `call`, other names are options of generation, which take null.
  void read(const json& parameters, generation::generation_config* call = nullptr) const {
    if (parameters.is_null()) return;
    if (!parameters.is_object()) throw option_error("parameters: expected an object");
    for (const auto& [name, v] : parameters.items()) {
      if (const auto found = readers_.find(name); found != readers_.end()) {
        if (!v.is_null() || found->second.takes_null) found->second.read(v);
      } else if (!call || !generation::set_option_json(*call, name, v)) {
        std::vector<std::string_view> known;
        if (call) known = generation::option_names();
        for (const auto& [each, unused] : readers_) known.push_back(each);
        throw option_error("unknown parameter '" + name + "'", did_you_mean(name, known));
      }
    }
  }

  [[noreturn]] static void wrong(const std::string& name, const char* expected, const json& v) {
    throw option_error(name + ": expected " + expected + ", got " + v.dump().substr(0, 80));
  }
  static std::vector<std::string> read_texts(const std::string& name, const json& v) {
    if (v.is_string()) return {v.get<std::string>()};
    std::vector<std::string> out;
    if (!v.is_array()) wrong(name, "a string or a list of strings", v);
    for (const json& each : v) {
      if (!each.is_string()) wrong(name, "a string", each);
      out.push_back(each.get<std::string>());
    }
    return out;
  }

 private:
  struct entry {
    reader read;
    bool takes_null;
  };
  std::map<std::string, entry, std::less<>> readers_;
};

}  // namespace parlance::inline PARLANCE_ABI::pipelines
