// SPDX-License-Identifier: Apache-2.0
// The companions of tokenizer.json: tokenizer_config.json, special_tokens_map.json and
// chat_template.jinja. Named special tokens, flags, chat templates; what transformers 4.57 reads.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
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

inline constexpr std::array special_names{"bos_token", "eos_token", "unk_token", "sep_token",
                                          "pad_token", "cls_token", "mask_token"};

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

inline void read_special_tokens(const json_fields& fields, tokenizer_config& out) {
  const auto add = [&](const std::string& name, const json& value) {
    tokenizer_config::named_token t{name, token_from_json(value, fields.where() + " " + name)};
    t.token.special = true;
    out.special_tokens.push_back(std::move(t));
  };
  for (const char* name : special_names)
    if (const json* value = fields.find(name); value && !out.find(name)) add(name, *value);
  for (const char* name : {"additional_special_tokens", "extra_special_tokens"}) {
    const json* list = fields.find(name);
    if (!list || out.find(name) || (!list->is_array() && !list->is_object())) continue;
    for (const json& value : *list) add(name, value);
  }
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
  if (const json* tokens = fields.find("added_tokens_decoder")) {
    if (!tokens->is_object()) fields.fail("added_tokens_decoder", "expected an object");
    for (const auto& [id, value] : tokens->items())
      out.added_tokens.push_back(token_from_json(value, where + " added_tokens_decoder"));
  }
  read_special_tokens(fields, out);
  read_chat_templates(fields, out);
  out.config_text = std::move(text);
}

}  // namespace impl

// Reads what is there of the companions in a model folder.
inline tokenizer_config read_tokenizer_config(const std::filesystem::path& folder) {
  tokenizer_config out;
  const auto path = [&](const char* name) { return folder / name; };
  if (std::filesystem::exists(path("tokenizer_config.json")))
    impl::read_config(read_text(path("tokenizer_config.json")),
                      path("tokenizer_config.json").string(), out);
  if (const auto file = path("special_tokens_map.json"); std::filesystem::exists(file)) {
    out.special_tokens_map_text = read_text(file);
    const json document = parse_json(out.special_tokens_map_text, file.string());
    impl::read_special_tokens(json_fields(document, file.string()), out);
  }
  if (const auto file = path("chat_template.jinja"); std::filesystem::exists(file)) {
    out.chat_template_file = read_text(file);
    require_utf8(out.chat_template_file, file.string());
    std::erase_if(out.chat_templates, [](const auto& t) { return t.name == "default"; });
    out.chat_templates.insert(out.chat_templates.begin(), {"default", out.chat_template_file});
  }
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
