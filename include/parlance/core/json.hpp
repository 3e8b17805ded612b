// SPDX-License-Identifier: Apache-2.0
// JSON values (nlohmann::ordered_json: objects keep their order, as Python dicts do) and a strict
// parser: valid UTF-8, no trailing text, nesting at most 128 deep (the limit of serde and so of the
// Hugging Face libraries). Objects of the DOM look keys up linearly: read files with very many keys
// (vocabularies, tensor tables) through `parse_json_sax`.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "parlance/core/error.hpp"
#include "parlance/core/json_scan.hpp"

namespace parlance::inline PARLANCE_ABI {

using json = nlohmann::ordered_json;

inline constexpr int json_max_depth = 128;

// Base for SAX readers: every event accepted and ignored, errors turned into format_error.
// `where` names the source in messages. A reader that wants no more throws.
class json_sax {
 public:
  explicit json_sax(std::string where) : where_(std::move(where)) {}
  virtual ~json_sax() = default;
  const std::string& where() const { return where_; }

  virtual bool null() { return true; }
  virtual bool boolean(bool) { return true; }
  virtual bool number_integer(std::int64_t) { return true; }
  virtual bool number_unsigned(std::uint64_t) { return true; }
  virtual bool number_float(double, const std::string&) { return true; }
  virtual bool string(std::string&) { return true; }
  virtual bool binary(json::binary_t&) { return true; }
  virtual bool start_object(std::size_t) { return true; }
  virtual bool key(std::string&) { return true; }
  virtual bool end_object() { return true; }
  virtual bool start_array(std::size_t) { return true; }
  virtual bool end_array() { return true; }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& e) {
    std::string what = e.what();  // "[json.exception.parse_error.101] parse error at ...: ..."
    if (const auto end = what.find("] "); end != std::string::npos) what.erase(0, end + 2);
    throw format_error(where_, static_cast<std::int64_t>(position), "invalid JSON: " + what);
  }

 protected:
  void enter() {
    if (++depth_ > json_max_depth)
      throw format_error(where_, -1, "JSON nested deeper than " + std::to_string(json_max_depth));
  }
  void leave() { --depth_; }

 private:
  std::string where_;
  int depth_ = 0;
};

// Builds a DOM with the depth limit; later duplicate keys win, as in Python.
class json_dom_sax : public json_sax {
 public:
  using json_sax::json_sax;
  json result;

  bool null() override { return put(nullptr); }
  bool boolean(bool v) override { return put(v); }
  bool number_integer(std::int64_t v) override { return put(v); }
  bool number_unsigned(std::uint64_t v) override { return put(v); }
  bool number_float(double v, const std::string&) override { return put(v); }
  bool string(std::string& v) override { return put(std::move(v)); }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool key(std::string& k) override {
    key_ = std::move(k);
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_array() override { return close(); }

 private:
  json* place(json v) {
    if (stack_.empty()) return &(result = std::move(v));
    json& top = *stack_.back();
    if (!top.is_array()) return &(top[key_] = std::move(v));
    top.push_back(std::move(v));
    return &top.back();
  }
  bool put(json v) { return place(std::move(v)), true; }
  bool open(json v) {
    enter();
    stack_.push_back(place(std::move(v)));
    return true;
  }
  bool close() {
    leave();
    stack_.pop_back();
    return true;
  }
  std::vector<json*> stack_;
  std::string key_;
};

// Feeds `text` to a reader derived from json_sax.
template <class Sax>
void parse_json_sax(std::string_view text, Sax& sax) {
  if (utf8_find_invalid(text) == std::string_view::npos &&
      detail::json_scanner<json, Sax>(text, sax).run())
    return;
  json_sax fault(sax.where());
  json::sax_parse(text.begin(), text.end(), &fault);
  throw format_error(sax.where(), -1, "invalid JSON");
}

// Parses a whole document; `where` (a file name, "line 3", ...) appears in errors.
inline json parse_json(std::string_view text, const std::string& where) {
  json_dom_sax sax(where);
  parse_json_sax(text, sax);
  return std::move(sax.result);
}

// One line of JSON; text that is not valid UTF-8 has its bad bytes replaced by U+FFFD.
inline std::string to_json_line(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace parlance::inline PARLANCE_ABI
