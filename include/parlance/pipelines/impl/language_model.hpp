// SPDX-License-Identifier: Apache-2.0
// Bodies of language_model.hpp: what a model folder or a GGUF file holds beside the weights.
#pragma once

#include "parlance/io/hub_cache.hpp"
#include "parlance/models/structure.hpp"
#include "parlance/pipelines/language_model.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

namespace detail {

inline tokenizers::gguf_vocab read_gguf_vocab(const io::gguf_file& f) {
  const auto key = [](const char* k) { return std::string("tokenizer.ggml.") + k; };
  tokenizers::gguf_vocab v;
  v.model = f.require_string(key("model"));
  v.pre = f.get_string(key("pre"), "default");
  if (auto tokens = f.get_strings(key("tokens"))) v.tokens = std::move(*tokens);
  if (auto scores = f.get_floats(key("scores"))) v.scores = std::move(*scores);
  if (auto merges = f.get_strings(key("merges"))) v.merges = std::move(*merges);
  if (const auto types = f.get_integers(key("token_type")))
    v.token_type.assign(types->begin(), types->end());
  const auto id = [&](const char* k) -> std::optional<int> {
    const auto value = f.get_i64(key(k));
    if (!value || *value < 0 || *value >= static_cast<std::int64_t>(v.tokens.size())) return {};
    return static_cast<int>(*value);
  };
  v.bos_id = id("bos_token_id");
  v.eos_id = id("eos_token_id");
  v.unk_id = id("unknown_token_id");
  v.pad_id = id("padding_token_id");
  v.sep_id = id("seperator_token_id");  // the key's own spelling
  v.cls_id = id("cls_token_id");
  v.mask_id = id("mask_token_id");
  if (const auto bytes = f.get_integers(key("precompiled_charsmap")))
    for (const auto b : *bytes) v.precompiled_charsmap.push_back(static_cast<char>(b));
  v.add_bos = f.get_bool(key("add_bos_token"));
  v.add_eos = f.get_bool(key("add_eos_token"));
  v.add_space_prefix = f.get_bool(key("add_space_prefix"));
  v.chat_template = f.get_string("tokenizer.chat_template", "");
  return v;
}

// Generation options of the model: generation_config.json's own, else those in config.json.
inline generation::generation_config read_defaults(const models::opened_checkpoint& from) {
  if (from.generation_config.is_object())
    return generation::config_from_file_json(from.generation_config, "generation_config.json");
  json ids = json::object();
  for (const auto& [name, value] : from.config.items())
    if (generation::is_generation_option(name) && !value.is_null()) ids[name] = value;
  if (from.gguf) {
    const auto id = [&](const char* k) {
      return from.gguf->get_i64(std::string("tokenizer.ggml.") + k);
    };
    if (const auto bos = id("bos_token_id")) ids["bos_token_id"] = *bos;
    json ends = json::array();
    for (const char* name : {"eos_token_id", "eot_token_id", "eom_token_id"})
      if (const auto end = id(name); end && std::find(ends.begin(), ends.end(), *end) == ends.end())
        ends.push_back(*end);
    if (!ends.empty()) ids["eos_token_id"] = ends;
    if (const auto pad = id("padding_token_id")) ids["pad_token_id"] = *pad;
  }
  return generation::config_from_file_json(ids, "config.json");
}

inline void read_task_defaults(const json& config, const std::string& task,
                               generation_defaults& out) {
  const auto all = config.find("task_specific_params");
  if (all == config.end() || !all->is_object() || !all->contains(task)) return;
  json own = (*all)[task];
  if (!own.is_object())
    throw format_error("config.json", -1, "task_specific_params: expected an object for " + task);
  if (own.contains("prefix") && own["prefix"].is_string()) out.task_prefix = own["prefix"];
  own.erase("prefix");
  out.task_defaults = generation::config_from_file_json(own, "config.json: task_specific_params");
}

inline io::load_options loading(const pipeline_options& options) {
  io::load_options load;
  load.weights = options.weights;
  load.compute = options.compute;
  load.on_progress = options.on_progress;
  return load;
}

inline json special_tokens(const tokenizers::tokenizer& t) {
  json out = json::object();
  for (const char* name :
       {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"})
    if (const auto token = t.special_token(name)) out[name] = *token;
  return out;
}

}  // namespace detail

PARLANCE_SPLIT_INLINE std::shared_ptr<tokenizers::tokenizer> load_tokenizer(
    const std::filesystem::path& path) {
  using tokenizers::tokenizer;
  if (path.extension() == ".gguf")
    return std::make_shared<tokenizer>(
        tokenizer::from_gguf(detail::read_gguf_vocab(*io::open_gguf(path))));
  if (path.extension() == ".json")
    return std::make_shared<tokenizer>(tokenizer::from_json(read_text(path), path.string()));
  return std::make_shared<tokenizer>(tokenizer::from_pretrained(path));
}

PARLANCE_SPLIT_INLINE std::optional<tokenizers::chat_template> load_chat_template(
    const tokenizers::tokenizer& t, const std::string& instead) {
  const std::string* own = instead.empty() ? t.chat_template() : &instead;
  if (!own || own->empty()) return {};
  return tokenizers::chat_template(*own, detail::special_tokens(t));
}

PARLANCE_SPLIT_INLINE language_model load_language_model(const std::string& name,
                                                         const pipeline_options& options,
                                                         const std::string& task) {
  const auto path = io::resolve_model(name, options.cache);
  const models::opened_checkpoint opened = models::open_checkpoint(path);
  language_model out;
  out.model = models::load_for_task(opened.config, "text-generation", [&] {
    return models::load_causal_lm(opened, detail::loading(options));
  });
  out.tokenizer = opened.gguf
                      ? std::make_shared<const tokenizers::tokenizer>(
                            tokenizers::tokenizer::from_gguf(detail::read_gguf_vocab(*opened.gguf)))
                      : load_tokenizer(path);
  out.chat = load_chat_template(*out.tokenizer, options.chat_template);
  out.defaults = detail::read_defaults(opened);
  detail::read_task_defaults(opened.config, task, out);
  return out;
}

PARLANCE_SPLIT_INLINE seq2seq_model load_seq2seq_model(const std::string& name,
                                                       const pipeline_options& options,
                                                       const std::string& task) {
  const auto path = io::resolve_model(name, options.cache);
  const models::opened_checkpoint opened = models::open_checkpoint(path);
  seq2seq_model out;
  out.model = models::load_for_task(opened.config, task, [&] {
    return models::load_seq2seq_lm(opened, detail::loading(options));
  });
  out.tokenizer = load_tokenizer(path);
  out.defaults = detail::read_defaults(opened);
  detail::read_task_defaults(opened.config, task, out);
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::pipelines
