// SPDX-License-Identifier: Apache-2.0
// Bodies of config_json.hpp: one reader for each type an option may have.
#pragma once

#include <cmath>
#include <cstdint>

#include "parlance/core/nearest.hpp"
#include "parlance/generation/config_json.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

namespace detail {

[[noreturn]] inline void wrong_type(std::string_view name, const char* expected,
                                    const json& value) {
  throw option_error(std::string(name) + ": expected " + expected + ", got " +
                     (value.is_number() ? value.dump() : std::string(value.type_name())));
}

inline void read_option(std::string_view name, const json& value, bool& out) {
  if (!value.is_boolean()) wrong_type(name, "true or false", value);
  out = value.get<bool>();
}
inline void read_option(std::string_view name, const json& value, std::int64_t& out) {
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  if (value.is_number_float()) {  // 20.0 and 1e3 occur in files
    const double number = value.get<double>();
    if (number != std::floor(number) || std::abs(number) > 0x1p53)
      wrong_type(name, "an integer", value);
    out = static_cast<std::int64_t>(number);
  } else if (value.is_number_unsigned() && value.get<std::uint64_t>() > most) {
    out = static_cast<std::int64_t>(most);
  } else if (value.is_number_integer()) {
    out = value.get<std::int64_t>();
    if (out == no_limit) wrong_type(name, "a smaller number", value);
  } else {
    wrong_type(name, "an integer", value);
  }
}
inline void read_option(std::string_view name, const json& value, std::uint64_t& out) {
  if (!value.is_number_unsigned()) wrong_type(name, "an integer of at least 0", value);
  out = value.get<std::uint64_t>();
}
inline void read_option(std::string_view name, const json& value, std::int32_t& out) {
  std::int64_t wide = 0;
  read_option(name, value, wide);
  out = static_cast<std::int32_t>(wide);
  if (out != wide) wrong_type(name, "a token id", value);
}
inline void read_option(std::string_view name, const json& value, double& out) {
  if (!value.is_number()) wrong_type(name, "a number", value);
  out = value.get<double>();
}
inline void read_option(std::string_view name, const json& value, float& out) {
  double wide = 0;
  read_option(name, value, wide);
  out = static_cast<float>(wide);
}
inline void read_option(std::string_view name, const json& value, std::string& out) {
  if (!value.is_string()) wrong_type(name, "a string", value);
  out = value.get<std::string>();
}
inline void read_option(std::string_view name, const json& value, early_stopping_rule& out) {
  if (value.is_boolean())
    out = value.get<bool>();
  else if (value.is_string())
    out = std::string_view(value.get_ref<const std::string&>());
  else
    wrong_type(name, "true, false or \"never\"", value);
}
inline void read_option(std::string_view name, const json& value, length_decay& out) {
  if (!value.is_array() || value.size() != 2) wrong_type(name, "[start, factor]", value);
  read_option(name, value[0], out.start);
  read_option(name, value[1], out.factor);
}
template <class T>
void read_option(std::string_view name, const json& value, std::vector<T>& out);
inline void read_option(std::string_view name, const json& value, biased_sequence& out) {
  if (!value.is_array() || value.size() != 2) wrong_type(name, "[[ids], bias] pairs", value);
  read_option(name, value[0], out.ids);
  read_option(name, value[1], out.bias);
}
template <class T>
void read_option(std::string_view name, const json& value, std::vector<T>& out) {
  if (!value.is_array()) wrong_type(name, "a list", value);
  out.clear();
  for (const json& each : value) read_option(name, each, out.emplace_back());
}
template <class T>
void read_option(std::string_view name, const json& value, one_or_many<T>& out) {
  std::vector<T> values;
  if (value.is_array())
    read_option(name, value, values);
  else
    read_option(name, value, values.emplace_back());
  out = std::move(values);
}

inline json option_to_json(early_stopping_rule rule) {
  if (rule.value() == early_stopping_rule::kind::never) return "never";
  return rule.value() == early_stopping_rule::kind::first_finished;
}
inline json option_to_json(const length_decay& decay) {
  return json::array({decay.start, decay.factor});
}
inline json option_to_json(const sequence_biases& biases) {
  json out = json::array();
  for (const auto& each : biases) out.push_back(json::array({each.ids, each.bias}));
  return out;
}
template <class T>
json option_to_json(const one_or_many<T>& values) {
  return values.size() == 1 ? json(values[0]) : json(values.values());
}
template <class T>
json option_to_json(const T& value) {
  return value;
}
template <class T>
json option_to_json(const std::optional<T>& value) {
  return value ? option_to_json(*value) : json();
}

// Options of transformers whose meaning this library does not implement.
constexpr std::string_view foreign_options[] = {
    "watermarking_config", "constraints",    "force_words_ids", "dola_layers", "cache_config",
    "return_legacy_cache", "compile_config", "disable_compile", "low_memory"};

[[noreturn]] inline void unknown_option(std::string_view name) {
  for (const std::string_view foreign : foreign_options)
    if (name == foreign) throw unsupported_error("generation option '" + std::string(name) + "'");
  throw option_error("unknown generation option '" + std::string(name) + "'",
                     did_you_mean(name, option_names()));
}

}  // namespace detail

PARLANCE_SPLIT_INLINE bool set_option_json(generation_config& config, std::string_view name,
                                           const json& value) {
  bool found = false;
  static const generation_config off = off_values();
  visit_options(
      [&](std::string_view each, auto& to, const auto& when_null) {
        if (each != name) return;
        found = true;
        if (value.is_null())
          to = when_null;
        else
          detail::read_option(name, value, to.emplace());
      },
      config, off);
  return found;
}

PARLANCE_SPLIT_INLINE generation_config config_from_json(const json& object) {
  if (!object.is_object()) throw option_error("generation options: expected a JSON object");
  generation_config out;
  for (const auto& [name, value] : object.items())
    if (!set_option_json(out, name, value)) detail::unknown_option(name);
  return out;
}

PARLANCE_SPLIT_INLINE generation_config config_from_file_json(const json& object,
                                                              const std::string& where,
                                                              std::vector<std::string>* ignored) {
  if (!object.is_object()) throw format_error(where, -1, "expected a JSON object");
  generation_config out;
  for (const auto& [name, value] : object.items()) {
    bool known = false;
    try {
      known = set_option_json(out, name, value);
    } catch (const option_error& e) {
      throw format_error(where, -1, e.what());
    }
    if (!known && ignored) ignored->push_back(name);
  }
  return out;
}

namespace detail {
template <class T>
void read_option_text(std::string_view name, const std::string& text, T& out) {
  constexpr bool words = std::is_same_v<T, text_list>, ids = std::is_same_v<T, token_ids>;
  if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, early_stopping_rule> || words) {
    const bool literal = words ? !text.starts_with('[') : text != "true" && text != "false";
    if (literal) return read_option(name, json(text), out);
  }
  json value;
  try {
    value = parse_json(ids && !text.starts_with('[') ? "[" + text + "]" : text, "");
  } catch (const format_error&) {
    if constexpr (words) return read_option(name, json(text), out);
    wrong_type(name, "a value of its type", json(text));
  }
  read_option(name, value, out);
}
}  // namespace detail

PARLANCE_SPLIT_INLINE void set_option(generation_config& config, std::string_view name,
                                      const std::string& text) {
  if (text == "none" || text == "None" || text == "null") {
    if (!set_option_json(config, name, json())) detail::unknown_option(name);
    return;
  }
  bool found = false;
  visit_options(
      [&](std::string_view each, auto& to) {
        if (each != name) return;
        found = true;
        detail::read_option_text(name, text, to.emplace());
      },
      config);
  if (!found) detail::unknown_option(name);
}

PARLANCE_SPLIT_INLINE json to_json(const generation_config& config) {
  json out = json::object();
  visit_options(
      [&](std::string_view name, const auto& value) {
        if (value) out[std::string(name)] = detail::option_to_json(value);
      },
      config);
  return out;
}

PARLANCE_SPLIT_INLINE std::vector<explained_option> explain(const resolved_config& config) {
  std::vector<explained_option> out;
  visit_options(
      [&](std::string_view name, const auto& value) {
        out.push_back({std::string(name), to_json_line(detail::option_to_json(value)),
                       config.origins.at(out.size())});
      },
      config);
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::generation
