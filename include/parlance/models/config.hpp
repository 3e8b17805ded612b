// SPDX-License-Identifier: Apache-2.0
// Typed access to the fields of config.json, with the defaults of transformers' config classes and
// errors that name the field.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "parlance/core/json.hpp"

namespace parlance::inline PARLANCE_ABI::models {

class config_reader {
 public:
  explicit config_reader(const json& config, std::string where = "config.json")
      : config_(config), where_(std::move(where)) {}

  bool has(const char* key) const { return config_.contains(key) && !config_.at(key).is_null(); }

  std::vector<std::string> keys() const {
    std::vector<std::string> out;
    for (const auto& [key, value] : config_.items()) out.push_back(key);
    return out;
  }

  std::int64_t integer(const char* key, std::optional<std::int64_t> otherwise = {}) const {
    const json* v = find(key, otherwise.has_value());
    if (!v) return *otherwise;
    if (!v->is_number_integer()) fail(key, "an integer");
    return v->get<std::int64_t>();
  }
  // An integer in [1, 2^31): sizes and counts.
  std::int64_t size(const char* key, std::optional<std::int64_t> otherwise = {}) const {
    const std::int64_t v = integer(key, otherwise);
    if (v < 1 || v > std::numeric_limits<std::int32_t>::max()) fail(key, "a positive size");
    return v;
  }
  double number(const char* key, std::optional<double> otherwise = {}) const {
    const json* v = find(key, otherwise.has_value());
    if (!v) return *otherwise;
    if (!v->is_number()) fail(key, "a number");
    return v->get<double>();
  }
  bool flag(const char* key, std::optional<bool> otherwise = {}) const {
    const json* v = find(key, otherwise.has_value());
    if (!v) return *otherwise;
    if (!v->is_boolean()) fail(key, "true or false");
    return v->get<bool>();
  }
  std::string text(const char* key, std::optional<std::string> otherwise = {}) const {
    const json* v = find(key, otherwise.has_value());
    if (!v) return *otherwise;
    if (!v->is_string()) fail(key, "a string");
    return v->get<std::string>();
  }
  std::vector<double> numbers(const char* key) const {
    std::vector<double> out;
    const json* v = find(key, true);
    if (!v) return out;
    if (!v->is_array()) fail(key, "a list of numbers");
    for (const json& x : *v) {
      if (!x.is_number()) fail(key, "a list of numbers");
      out.push_back(x.get<double>());
    }
    return out;
  }
  std::vector<std::string> texts(const char* key) const {
    std::vector<std::string> out;
    const json* v = find(key, true);
    if (!v) return out;
    if (!v->is_array()) fail(key, "a list of strings");
    for (const json& x : *v) {
      if (!x.is_string()) fail(key, "a list of strings");
      out.push_back(x.get<std::string>());
    }
    return out;
  }
  // A list of strings, or one string of parts between |.
  std::vector<std::string> texts_or_joined(const char* key) const {
    if (!has(key) || !config_.at(key).is_string()) return texts(key);
    std::vector<std::string> out{""};
    for (const char ch : text(key)) {
      if (ch == '|')
        out.emplace_back();
      else if (ch != ' ')
        out.back() += ch;
    }
    return out;
  }
  // The object under `key`; nothing when it is absent or null.
  std::optional<config_reader> object(const char* key) const {
    const json* v = find(key, true);
    if (!v) return {};
    if (!v->is_object()) fail(key, "an object");
    return config_reader(*v, where_ + ": " + key);
  }
  [[noreturn]] void fail(const char* key, const std::string& expected) const {
    throw format_error(where_, -1,
                       "'" + std::string(key) + "': expected " + expected +
                           (config_.contains(key) ? ", got " + config_.at(key).dump().substr(0, 80)
                                                  : std::string(", which is missing")));
  }

 private:
  const json* find(const char* key, bool optional) const {
    if (has(key)) return &config_.at(key);
    if (!optional) fail(key, "a value");
    return nullptr;
  }

  const json& config_;
  std::string where_;
};

}  // namespace parlance::inline PARLANCE_ABI::models
