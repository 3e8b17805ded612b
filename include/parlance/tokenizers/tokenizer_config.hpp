// SPDX-License-Identifier: Apache-2.0
// The companions of tokenizer.json: tokenizer_config.json, special_tokens_map.json and
// chat_template.jinja. Named special tokens, flags, chat templates; what transformers 4.57 reads.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/file.hpp"
#include "parlance/tokenizers/added_tokens.hpp"
#include "parlance/tokenizers/encoding.hpp"
#include "parlance/tokenizers/json_fields.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct tokenizer_config {
  struct named_token {
    std::string name;  // "bos_token", ...
    added_token token;
    bool plain = false;  // the files give the text alone, without flags
  };
  struct named_template {
    std::string name, text;
  };
  std::string tokenizer_class;
  std::vector<named_token> special_tokens;
  std::vector<added_token> added_tokens;  // added_tokens_decoder, by id
  std::optional<bool> add_bos_token, add_eos_token;
  bool clean_up_tokenization_spaces = false;
  std::int64_t model_max_length = 0;  // 0: no limit
  direction padding_side = direction::right, truncation_side = direction::right;
  std::vector<named_template> chat_templates;  // the main one is called "default"
  std::string config_text, special_tokens_map_text, chat_template_file;  // as read, for saving

  const named_token* find(std::string_view name) const {
    const auto same = [&](const named_token& t) { return t.name == name; };
    const auto at = std::find_if(special_tokens.begin(), special_tokens.end(), same);
    return at == special_tokens.end() ? nullptr : &*at;
  }
};

namespace impl {

inline constexpr std::array<std::string_view, 7> special_names{
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

// A token as a string or as an AddedToken object.
inline added_token token_from_json(const json& value, const std::string& where) {
  added_token token;
  token.normalized = false;
  if (value.is_string()) {
    token.content = value.get<std::string>();
    return token;
  }
  const json_fields fields(value, where);
  token.content = fields.text("content");
  token.single_word = fields.flag("single_word", false);
  token.lstrip = fields.flag("lstrip", false);
  token.rstrip = fields.flag("rstrip", false);
  token.special = fields.flag("special", false);
  token.normalized = fields.flag("normalized", !token.special);
  return token;
}

inline constexpr std::string_view additional_name = "additional_special_tokens";

inline bool names_token(const std::vector<tokenizer_config::named_token>& list,
                        const std::string& content) {
  return std::any_of(list.begin(), list.end(),
                     [&](const auto& t) { return t.token.content == content; });
}

// Tokens that were read before stay, but the additional ones of this file come before theirs.
inline void read_special_tokens(const json_fields& fields, tokenizer_config& out) {
  const auto read = [&](std::string_view name, const json& value) {
    tokenizer_config::named_token t{
        std::string(name), token_from_json(value, fields.where() + " " + std::string(name))};
    t.token.special = true;
    t.plain = value.is_string();
    return t;
  };
  for (const std::string_view name : special_names)
    if (const json* value = fields.find(name); value && !out.find(name))
      out.special_tokens.push_back(read(name, *value));
  const auto is_list = [](const json* value) {
    return value && (value->is_array() || value->is_object());
  };
  if (const json* list = fields.find(additional_name); is_list(list)) {
    std::vector<tokenizer_config::named_token> merged;
    for (const json& value : *list) merged.push_back(read(additional_name, value));
    for (const auto& t : out.special_tokens)
      if (t.name == additional_name && !names_token(merged, t.token.content)) merged.push_back(t);
    std::erase_if(out.special_tokens, [](const auto& t) { return t.name == additional_name; });
    out.special_tokens.insert(out.special_tokens.end(), merged.begin(), merged.end());
  }
  const std::string_view extra = "extra_special_tokens";
  if (const json* list = fields.find(extra); is_list(list) && !out.find(extra))
    for (const json& value : *list) out.special_tokens.push_back(read(extra, value));
}

inline void append_by_id(std::map<std::uint32_t, added_token> by_id, tokenizer_config& out) {
  for (auto& [id, token] : by_id) {
    token.id = static_cast<std::int32_t>(std::min(id, 0x7FFFFFFEu));
    out.added_tokens.push_back(std::move(token));
  }
}

// {"id": token}; the tokens are kept by id.
inline void read_added_tokens_decoder(const json_fields& fields, tokenizer_config& out) {
  const json& tokens = fields.at("added_tokens_decoder");
  if (!tokens.is_object()) fields.fail("added_tokens_decoder", "expected an object");
  std::map<std::uint32_t, added_token> by_id;
  for (const auto& [key, value] : tokens.items()) {
    std::uint32_t id = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size())
      fields.fail("added_tokens_decoder", "'" + key + "' is not an id");
    by_id[id] = token_from_json(value, fields.where() + " added_tokens_decoder");
  }
  append_by_id(std::move(by_id), out);
}

// added_tokens.json: {token: id}, from the time before added_tokens_decoder.
inline void read_added_tokens_file(const std::string& text, const std::string& where,
                                   tokenizer_config& out) {
  const json document = parse_json(text, where);
  const json_fields fields(document, where);
  std::map<std::uint32_t, added_token> by_id;
  for (const auto& [content, id] : document.items()) {
    added_token token;
    token.content = content;
    const auto same = [&](const auto& t) { return t.token.content == token.content; };
    token.special = std::any_of(out.special_tokens.begin(), out.special_tokens.end(), same);
    token.normalized = !token.special;
    by_id[fields.number(content)] = std::move(token);
  }
  append_by_id(std::move(by_id), out);
}

inline void read_chat_templates(const json_fields& fields, tokenizer_config& out) {
  const json* value = fields.find("chat_template");
  if (!value) return;
  if (value->is_string()) {
    out.chat_templates.push_back({"default", value->get<std::string>()});
    return;
  }
  for (const json& item : fields.array("chat_template")) {
    const json_fields entry(item, fields.where() + " chat_template");
    out.chat_templates.push_back({entry.text("name"), entry.text("template")});
  }
}

inline void read_config(std::string text, const std::string& where, tokenizer_config& out) {
  const json document = parse_json(text, where);
  const json_fields fields(document, where);
  out.tokenizer_class = fields.text("tokenizer_class", "");
  if (fields.find("add_bos_token")) out.add_bos_token = fields.flag("add_bos_token", false);
  if (fields.find("add_eos_token")) out.add_eos_token = fields.flag("add_eos_token", false);
  out.clean_up_tokenization_spaces = fields.flag("clean_up_tokenization_spaces", false);
  if (const json* value = fields.find("model_max_length")) {
    if (!value->is_number()) fields.fail("model_max_length", "expected a number");
    const double length = value->get<double>();
    if (length > 0 && length < 1e15) out.model_max_length = static_cast<std::int64_t>(length);
  }
  out.padding_side = static_cast<direction>(fields.choice("padding_side", {"left", "right"}, 1));
  out.truncation_side =
      static_cast<direction>(fields.choice("truncation_side", {"left", "right"}, 1));
  if (fields.find("added_tokens_decoder")) read_added_tokens_decoder(fields, out);
  read_special_tokens(fields, out);
  read_chat_templates(fields, out);
  out.config_text = std::move(text);
}

}  // namespace impl

// Reads what is there of the companions in a model folder. As in the original, a configuration
// without added_tokens_decoder yields to special_tokens_map.json and added_tokens.json; one with it
// makes them void.
inline tokenizer_config read_tokenizer_config(const std::filesystem::path& folder) {
  tokenizer_config out;
  const auto path = [&](const char* name) { return folder / name; };
  std::string config;
  if (const auto file = path("tokenizer_config.json"); std::filesystem::exists(file))
    config = read_text(file);
  const bool complete = config.find("\"added_tokens_decoder\"") != std::string::npos;
  if (const auto file = path("special_tokens_map.json"); std::filesystem::exists(file)) {
    out.special_tokens_map_text = read_text(file);
    const json document = parse_json(out.special_tokens_map_text, file.string());
    const json_fields fields(document, file.string());
    if (!complete) impl::read_special_tokens(fields, out);
  }
  if (!config.empty())
    impl::read_config(std::move(config), path("tokenizer_config.json").string(), out);
  const auto place = [](const tokenizer_config::named_token& t) {
    return std::find(impl::special_names.begin(), impl::special_names.end(), t.name);
  };
  std::stable_sort(out.special_tokens.begin(), out.special_tokens.end(),
                   [&](const auto& a, const auto& b) { return place(a) < place(b); });
  if (const auto file = path("added_tokens.json"); !complete && std::filesystem::exists(file))
    impl::read_added_tokens_file(read_text(file), file.string(), out);
  if (const auto file = path("chat_template.jinja"); std::filesystem::exists(file)) {
    out.chat_template_file = read_text(file);
    require_utf8(out.chat_template_file, file.string());
    std::erase_if(out.chat_templates, [](const auto& t) { return t.name == "default"; });
    out.chat_templates.insert(out.chat_templates.begin(), {"default", out.chat_template_file});
  }
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
