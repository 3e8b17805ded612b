// SPDX-License-Identifier: Apache-2.0
// The key-value part of a GGUF file: typed values that view the file's bytes, and getters that
// check the type and name the key when it does not fit. Any integer width serves for an integer.
// Source: ggml docs/gguf.md (version 3).
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "parlance/core/error.hpp"
#include "parlance/core/nearest.hpp"
#include "parlance/io/impl/input.hpp"

namespace parlance::inline PARLANCE_ABI::io {

enum class gguf_type : std::uint32_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  boolean,
  string,
  array,
  u64,
  i64,
  f64
};

inline constexpr std::uint32_t gguf_type_count = 13;

constexpr std::string_view name(gguf_type t) {
  constexpr std::string_view names[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                        "bool", "string", "array", "u64", "i64", "f64"};
  return names[static_cast<std::size_t>(t)];
}

// Bytes of one number; 0 for strings and arrays.
constexpr std::uint64_t item_bytes(gguf_type t) {
  constexpr std::uint64_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return sizes[static_cast<std::size_t>(t)];
}

constexpr bool is_integer(gguf_type t) {
  return t <= gguf_type::i32 || t == gguf_type::u64 || t == gguf_type::i64;
}

// One value, viewing the file: a number or a string has one item, an array `count`.
struct gguf_value {
  gguf_type type = gguf_type::u8;  // of the value, or of the items of an array
  bool is_array = false;
  std::uint64_t count = 1;
  std::span<const std::byte> data;        // the numbers, little-endian, unaligned
  std::vector<std::string_view> strings;  // the strings

  // "u32", "array of f32", ...
  std::string type_name() const { return (is_array ? "array of " : "") + std::string(name(type)); }
  template <class T>
  T item(std::uint64_t i) const {
    T v;
    std::memcpy(&v, data.data() + i * sizeof(T), sizeof(T));
    return v;
  }
  // Item i of integer type. u64 values above 2^63 come back negative; see `fits`.
  std::int64_t integer(std::uint64_t i = 0) const {
    switch (type) {
      case gguf_type::u8:
        return item<std::uint8_t>(i);
      case gguf_type::i8:
        return item<std::int8_t>(i);
      case gguf_type::u16:
        return item<std::uint16_t>(i);
      case gguf_type::i16:
        return item<std::int16_t>(i);
      case gguf_type::u32:
        return item<std::uint32_t>(i);
      case gguf_type::i32:
        return item<std::int32_t>(i);
      default:
        return item<std::int64_t>(i);
    }
  }
  double number(std::uint64_t i = 0) const {
    return type == gguf_type::f32 ? static_cast<double>(item<float>(i)) : item<double>(i);
  }
};

class gguf_metadata {
 public:
  using map = std::unordered_map<std::string_view, gguf_value>;

  gguf_metadata(std::string where, map values)
      : where_(std::move(where)), map_(std::move(values)) {}

  const map& values() const { return map_; }
  const gguf_value* value(std::string_view key) const {
    const auto it = map_.find(key);
    return it == map_.end() ? nullptr : &it->second;
  }

  // Empty where the key is absent; an error where it has another type.
  std::optional<std::int64_t> get_i64(std::string_view key) const {
    const gguf_value* v = value(key);
    if (!v) return {};
    if (v->is_array || !is_integer(v->type)) wrong_type(key, *v, "an integer");
    if (v->type == gguf_type::u64 && v->integer() < 0) wrong_value(key, "is above 2^63 - 1");
    return v->integer();
  }
  std::optional<std::uint64_t> get_u64(std::string_view key) const {
    const gguf_value* v = value(key);
    if (!v) return {};
    if (v->is_array || !is_integer(v->type)) wrong_type(key, *v, "an integer");
    if (v->type != gguf_type::u64 && v->integer() < 0) wrong_value(key, "is negative");
    return static_cast<std::uint64_t>(v->integer());
  }
  std::optional<double> get_f64(std::string_view key) const {
    const gguf_value* v = value(key);
    if (!v) return {};
    if (v->is_array || !is_float(*v)) wrong_type(key, *v, "f32 or f64");
    return v->number();
  }
  std::optional<bool> get_bool(std::string_view key) const {
    const gguf_value* v = value(key);
    if (!v) return {};
    if (v->is_array || v->type != gguf_type::boolean) wrong_type(key, *v, "bool");
    return v->item<std::uint8_t>(0) != 0;
  }
  std::optional<std::string> get_string(std::string_view key) const {
    const gguf_value* v = value(key);
    if (!v) return {};
    if (v->is_array || v->type != gguf_type::string) wrong_type(key, *v, "string");
    return std::string(v->strings[0]);
  }
  std::optional<std::vector<std::string>> get_strings(std::string_view key) const {
    const gguf_value* v = value(key);
    if (!v) return {};
    if (!v->is_array || v->type != gguf_type::string) wrong_type(key, *v, "array of string");
    return std::vector<std::string>(v->strings.begin(), v->strings.end());
  }
  std::optional<std::vector<float>> get_floats(std::string_view key) const {
    const gguf_value* v = value(key);
    if (!v) return {};
    if (!v->is_array || !is_float(*v)) wrong_type(key, *v, "array of f32 or f64");
    std::vector<float> out(v->count);
    for (std::uint64_t i = 0; i < v->count; ++i) out[i] = static_cast<float>(v->number(i));
    return out;
  }
  std::optional<std::vector<std::int64_t>> get_integers(std::string_view key) const {
    const gguf_value* v = value(key);
    if (!v) return {};
    if (!v->is_array || !is_integer(v->type)) wrong_type(key, *v, "array of integers");
    std::vector<std::int64_t> out(v->count);
    for (std::uint64_t i = 0; i < v->count; ++i) {
      out[i] = v->integer(i);
      if (v->type == gguf_type::u64 && out[i] < 0) wrong_value(key, "has an item above 2^63 - 1");
    }
    return out;
  }

  std::int64_t get_i64(std::string_view key, std::int64_t otherwise) const {
    return get_i64(key).value_or(otherwise);
  }
  std::uint64_t get_u64(std::string_view key, std::uint64_t otherwise) const {
    return get_u64(key).value_or(otherwise);
  }
  double get_f64(std::string_view key, double otherwise) const {
    return get_f64(key).value_or(otherwise);
  }
  bool get_bool(std::string_view key, bool otherwise) const {
    return get_bool(key).value_or(otherwise);
  }
  std::string get_string(std::string_view key, std::string_view otherwise) const {
    return get_string(key).value_or(std::string(otherwise));
  }

  // The value of a getter's answer, or an error that the key is missing.
  template <class T>
  T required(std::string_view key, std::optional<T> answer) const {
    if (answer) return *std::move(answer);
    std::vector<std::string_view> keys;
    for (const auto& [k, v] : map_) keys.push_back(k);
    throw format_error(where_, -1, "no key " + detail::in_quotes(key), did_you_mean(key, keys));
  }
  std::int64_t require_i64(std::string_view key) const { return required(key, get_i64(key)); }
  std::uint64_t require_u64(std::string_view key) const { return required(key, get_u64(key)); }
  double require_f64(std::string_view key) const { return required(key, get_f64(key)); }
  std::string require_string(std::string_view key) const { return required(key, get_string(key)); }

 private:
  static bool is_float(const gguf_value& v) {
    return v.type == gguf_type::f32 || v.type == gguf_type::f64;
  }
  [[noreturn]] void wrong_type(std::string_view key, const gguf_value& v,
                               const std::string& expected) const {
    throw format_error(
        where_, -1,
        "key " + detail::in_quotes(key) + " is " + v.type_name() + ", expected " + expected);
  }
  [[noreturn]] void wrong_value(std::string_view key, const std::string& what) const {
    throw format_error(where_, -1, "key " + detail::in_quotes(key) + " " + what);
  }
  std::string where_;
  map map_;
};

}  // namespace parlance::inline PARLANCE_ABI::io
