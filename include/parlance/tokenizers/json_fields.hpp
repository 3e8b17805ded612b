// SPDX-License-Identifier: Apache-2.0
// Checked access to the fields of one JSON object: a wrong type or a missing field is a
// format_error that names the component and the field. For tokenizer.json and its companions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/json.hpp"
#include "parlance/core/nearest.hpp"
#include "parlance/core/utf8.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

class json_fields {
 public:
  json_fields(const json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) throw format_error(where_, -1, "expected an object");
  }

  const std::string& where() const { return where_; }
  [[noreturn]] void fail(std::string_view name, const std::string& what) const {
    throw format_error(where_, -1, "field '" + std::string(name) + "': " + what);
  }

  // The value, or nullptr when it is absent or null.
  const json* find(std::string_view name) const {
    const auto at = object_.find(name);
    return at == object_.end() || at->is_null() ? nullptr : &*at;
  }
  const json& at(std::string_view name) const {
    const json* value = find(name);
    if (!value) fail(name, "missing");
    return *value;
  }
  const json& array(std::string_view name) const {
    const json& value = at(name);
    if (!value.is_array()) fail(name, "expected an array");
    return value;
  }
  std::string text(std::string_view name) const { return as_text(name, at(name)); }
  std::string text(std::string_view name, std::string otherwise) const {
    const json* value = find(name);
    return value ? as_text(name, *value) : std::move(otherwise);
  }
  std::optional<std::string> optional_text(std::string_view name) const {
    const json* value = find(name);
    return value ? std::optional(as_text(name, *value)) : std::nullopt;
  }
  bool flag(std::string_view name, bool otherwise) const {
    const json* value = find(name);
    if (!value) return otherwise;
    if (!value->is_boolean()) fail(name, "expected true or false");
    return value->get<bool>();
  }
  bool flag(std::string_view name) const {
    at(name);
    return flag(name, false);
  }
  // A string of exactly one character.
  std::string character(std::string_view name) const {
    std::string value = text(name);
    if (utf8_length(value) != 1) fail(name, "expected one character");
    return value;
  }
  std::uint32_t number(std::string_view name, std::uint32_t otherwise) const {
    const json* value = find(name);
    return value ? as_number(name, *value) : otherwise;
  }
  std::uint32_t number(std::string_view name) const { return as_number(name, at(name)); }

  std::uint32_t as_number(std::string_view name, const json& value) const {
    if (!value.is_number_integer() || value < 0 || value > 0x7FFFFFFF)
      fail(name, "expected a whole number from 0 to 2147483647");
    return value.get<std::uint32_t>();
  }
  std::string as_text(std::string_view name, const json& value) const {
    if (!value.is_string()) fail(name, "expected a string");
    return value.get<std::string>();
  }

  // Index of the string value in `names`; an error names the nearest one.
  std::size_t choice(std::string_view name, const std::vector<std::string_view>& names,
                     std::size_t otherwise) const {
    return find(name) ? choice(name, names) : otherwise;
  }
  std::size_t choice(std::string_view name, const std::vector<std::string_view>& names) const {
    const std::string got = text(name);
    for (std::size_t i = 0; i < names.size(); ++i)
      if (names[i] == got) return i;
    fail(name, "unknown value '" + got + "' (" + did_you_mean(got, names) + ")");
  }

 private:
  const json& object_;
  std::string where_;
};

// Thrown for a component "type" that is unknown or not handled.
[[noreturn]] inline void unsupported_component(std::string_view kind, const std::string& type,
                                               std::string_view supported) {
  throw unsupported_error(std::string(kind) + " '" + type + "' is not supported",
                          "supported: " + std::string(supported));
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
