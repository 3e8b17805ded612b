// SPDX-License-Identifier: Apache-2.0
// Bodies of tokenizer.hpp.
#pragma once

#include "parlance/tokenizers/tokenizer.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

namespace impl {

inline json settings_of(const tokenizer_config& config) {
  if (config.config_text.empty()) return json::object();
  return parse_json(config.config_text, "tokenizer_config.json");
}

inline bool has_languages(const tokenizer_class* c) {
  using f = tokenizer_family;
  return c && (c->family == f::mbart || c->family == f::mbart50 || c->family == f::nllb ||
               c->family == f::m2m100);
}

// The class of a folder whose tokenizer_config.json names none.
inline const tokenizer_class* class_of_folder(const slow_files& files) {
  if (files.has("tekken.json") && !sentence_piece_file(files))
    return find_tokenizer_class("MistralCommonTokenizer");
  if (files.has("config.json")) {
    const std::string where = files.name("config.json");
    const json document = parse_json(files.read("config.json"), where);
    const json_fields fields(document, where);
    if (const auto* c = tokenizer_class_of_model(fields.text("model_type", ""))) return c;
  }
  if (files.has("source.spm")) return find_tokenizer_class("MarianTokenizer");
  if (sentence_piece_file(files)) return nullptr;
  return find_tokenizer_class(files.has("vocab.txt") ? "BertTokenizer" : "GPT2Tokenizer");
}

inline bpe bpe_from_json(const json_fields& fields, const tokenizer_spec& spec, bool byte_level) {
  if (fields.find("merges")) fields.array("merges");
  if (const json* dropout = fields.find("dropout")) {
    if (!dropout->is_number() || *dropout < 0.0 || *dropout > 1.0)
      fields.fail("dropout", "expected a number from 0 to 1");
    if (*dropout > 0.0)
      throw unsupported_error("model: BPE dropout is not supported", "set dropout to null");
  }
  bpe_options options;
  options.unk_token = fields.optional_text("unk_token");
  options.continuing_subword_prefix = fields.text("continuing_subword_prefix", "");
  options.end_of_word_suffix = fields.text("end_of_word_suffix", "");
  options.fuse_unk = fields.flag("fuse_unk", false);
  options.byte_fallback = fields.flag("byte_fallback", false);
  options.ignore_merges = fields.flag("ignore_merges", false);
  return bpe(spec.data, std::move(options), byte_level);
}

inline unigram unigram_from_json(const json_fields& fields, tokenizer_spec& spec) {
  unigram_options options;
  if (fields.find("unk_id")) options.unk_id = fields.number("unk_id");
  options.byte_fallback = fields.flag("byte_fallback", false);
  return unigram(std::move(spec.data), options);
}

// Files older than the "type" tag: the first model that has the fields that are there.
inline std::string model_type(const json_fields& fields) {
  if (fields.find("type")) return fields.text("type");
  if (fields.find("merges")) return "BPE";
  if (fields.find("max_input_chars_per_word")) return "WordPiece";
  return fields.at("vocab").is_array() ? "Unigram" : "WordLevel";
}

inline model model_from_spec(tokenizer_spec& spec, bool byte_level) {
  if (spec.pieces) return {std::move(*spec.pieces)};
  const json& node = component(spec.head, "model");
  if (node.is_null()) throw format_error(spec.where, -1, "'model' is missing");
  const json_fields fields(node, spec.where + " model");
  const std::string type = model_type(fields);
  const bool scored = type == "Unigram";
  if (type != "BPE" && type != "WordPiece" && type != "WordLevel" && !scored)
    unsupported_component("model", type, "BPE, WordPiece, WordLevel, Unigram");
  if (scored ? !fields.at("vocab").is_array() : !fields.at("vocab").is_object())
    fields.fail("vocab", scored ? "expected an array" : "expected an object");
  if (spec.data.tokens.size() == 0) fields.fail("vocab", "empty");
  if (scored) return {unigram_from_json(fields, spec)};
  if (type == "WordPiece")
    return {
        word_piece(spec.data, {fields.text("unk_token"), fields.text("continuing_subword_prefix"),
                               fields.number("max_input_chars_per_word")})};
  if (type == "WordLevel") return {word_level(spec.data, {fields.text("unk_token")})};
  return {bpe_from_json(fields, spec, byte_level)};
}

}  // namespace impl

PARLANCE_SPLIT_INLINE tokenizer::base tokenizer::build(tokenizer_spec& spec) {
  const json_fields fields(spec.head, spec.where);
  if (fields.text("version", "1.0") != "1.0")
    throw unsupported_error(
        spec.where + ": tokenizer.json version '" + fields.text("version") + "'", "supported: 1.0");
  using impl::component;
  pre_tokenizer pre = pre_tokenizer::from_json(component(spec.head, "pre_tokenizer"));
  byte_level* last = pre.final_byte_level();
  model m = impl::model_from_spec(spec, last != nullptr);
  const bpe* pairs = std::get_if<bpe>(&m.value);
  if (last) last->materialize = !pairs || !pairs->byte_level();
  spec.data = {};
  return {normalizer::from_json(component(spec.head, "normalizer")), std::move(pre), std::move(m),
          post_processor::from_json(component(spec.head, "post_processor")),
          decoder::from_json(component(spec.head, "decoder"))};
}

PARLANCE_SPLIT_INLINE tokenizer::tokenizer(tokenizer_spec spec) : base(build(spec)) {
  head_ = std::move(spec.head);
  read_added_tokens(impl::component(head_, "added_tokens"), spec.where);
  head_["added_tokens"] = nullptr;  // kept in added_, written from there
  read_truncation(impl::component(head_, "truncation"));
  read_padding(impl::component(head_, "padding"));
}

PARLANCE_SPLIT_INLINE void tokenizer::read_added_tokens(const json& list,
                                                        const std::string& where) {
  if (list.is_null()) return;
  if (!list.is_array()) throw format_error(where, -1, "added_tokens: expected an array");
  for (const json& item : list) {
    const json_fields fields(item, where + " added_tokens");
    added_token token = impl::token_from_json(item, fields.where());
    token.normalized = fields.flag("normalized", !token.special);
    const auto wanted = static_cast<std::int32_t>(fields.number("id"));
    const std::string content = token.content;
    const std::int32_t id = add_token(std::move(token));
    if (id != wanted)
      warnings_.push_back("added token '" + content + "' has id " + std::to_string(id) +
                          ", the file says " + std::to_string(wanted));
  }
}

PARLANCE_SPLIT_INLINE void tokenizer::read_truncation(const json& node) {
  if (node.is_null()) return;
  const json_fields fields(node, "truncation");
  truncation_options o;
  o.max_length = fields.number("max_length");
  o.stride = fields.number("stride", 0);
  o.strategy = static_cast<truncation_strategy>(
      fields.choice("strategy", {"LongestFirst", "OnlyFirst", "OnlySecond"}, 0));
  o.side = static_cast<direction>(fields.choice("direction", {"Left", "Right"}, 1));
  truncation_ = o;
}

PARLANCE_SPLIT_INLINE void tokenizer::read_padding(const json& node) {
  if (node.is_null()) return;
  const json_fields fields(node, "padding");
  padding_options o;
  if (const json* strategy = fields.find("strategy"); strategy && strategy->is_object())
    o.length = json_fields(*strategy, "padding strategy").number("Fixed");
  o.side = static_cast<direction>(fields.choice("direction", {"Left", "Right"}, 1));
  o.pad_to_multiple_of = fields.number("pad_to_multiple_of", 0);
  o.pad_id = static_cast<std::int32_t>(fields.number("pad_id", 0));
  o.pad_type_id = static_cast<std::int32_t>(fields.number("pad_type_id", 0));
  o.pad_token = fields.text("pad_token", "[PAD]");
  padding_ = o;
}

// What transformers does on top of tokenizer.json: tokens that only the configuration names, and
// for some classes a post-processor made from add_bos_token and add_eos_token.
PARLANCE_SPLIT_INLINE void tokenizer::apply_config() {
  const auto is_named = [&](const std::string& content) {
    return std::any_of(config_.special_tokens.begin(), config_.special_tokens.end(),
                       [&](const auto& t) { return t.token.content == content; });
  };
  const bool own_ids = std::holds_alternative<translation_pieces>(model_.value);
  for (added_token token : config_.added_tokens) {
    token.special = token.special || is_named(token.content);
    if (added_.find(token.content)) continue;
    if (own_ids && !token.content.empty())  // slow tokenizers take the ids that the files say
      enter_token(std::move(token));
    else
      add_token(std::move(token));
  }
  for (const auto& named : config_.special_tokens)
    if (!named.plain || !added_.find(named.token.content)) add_token(named.token);
  clean_up_ = config_.clean_up_tokenization_spaces;
  std::string name = config_.tokenizer_class;
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  const bool bos_default = name != "GPTNeoXTokenizer";
  if (name != "LlamaTokenizer" && name != "CodeLlamaTokenizer" && name != "GemmaTokenizer" &&
      name != "CohereTokenizer" && bos_default)
    return;
  const auto named = [&](const char* which, bool wanted) {
    std::optional<std::pair<std::string, int>> out;
    if (const auto token = special_token(which); wanted && token)
      out.emplace(*token, token_to_id(*token).value_or(0));
    return out;
  };
  const auto bos = named("bos_token", config_.add_bos_token.value_or(bos_default));
  const auto eos = named("eos_token", config_.add_eos_token.value_or(false));
  set_post_processor(impl::bos_eos_template(bos, eos));
}

PARLANCE_SPLIT_INLINE void tokenizer::set_post_processor(json node) {
  post_processor_ = post_processor::from_json(node);
  head_["post_processor"] = std::move(node);
}

// Special tokens around a text for a converted vocabulary.
PARLANCE_SPLIT_INLINE void tokenizer::set_class_post_processor(const tokenizer_class& c) {
  const auto id_of = [&](const std::string& token) { return token_to_id(token).value_or(0); };
  if (!c.single.empty()) return set_post_processor(impl::template_json(c.single, c.pair, id_of));
  const json settings =
      parse_json(config_.config_text.empty() ? "{}" : config_.config_text, "tokenizer_config.json");
  const json_fields fields(settings, "tokenizer_config.json");
  const auto entry = [&](const char* name) {
    const std::string token = special_token(name).value_or("");
    return json::array({token, id_of(token)});
  };
  if (c.family == tokenizer_family::roberta || c.family == tokenizer_family::clip) {
    const bool roberta = c.family == tokenizer_family::roberta;
    set_post_processor({{"type", "RobertaProcessing"},
                        {"sep", entry(roberta ? "sep_token" : "eos_token")},
                        {"cls", entry(roberta ? "cls_token" : "bos_token")},
                        {"trim_offsets", roberta},
                        {"add_prefix_space", roberta && fields.flag("add_prefix_space", false)}});
  } else if (c.family == tokenizer_family::gpt2 && config_.add_bos_token.value_or(false)) {
    const std::string bos = special_token("bos_token").value_or("");
    set_post_processor(impl::template_json(bos + ":0 $A:0", bos + ":0 $A:0 $B:1", id_of));
  }
}

PARLANCE_SPLIT_INLINE bool tokenizer::has_languages() const { return impl::has_languages(class_); }

PARLANCE_SPLIT_INLINE std::int32_t tokenizer::language_id(const std::string& code) const {
  if (const auto id = token_to_id(language_token(code))) return *id;
  throw option_error("language '" + code + "' is not a token of this tokenizer",
                     "codes look like en_XX, eng_Latn or, for M2M100, en");
}

PARLANCE_SPLIT_INLINE std::string tokenizer::language_token(const std::string& code) const {
  if (!has_languages())
    throw unsupported_error("this tokenizer has no languages",
                            "mBART, mBART-50, NLLB and M2M100 have");
  return class_->family == tokenizer_family::m2m100 ? "__" + code + "__" : code;
}

PARLANCE_SPLIT_INLINE void tokenizer::set_language(const std::string& code) {
  using f = tokenizer_family;
  const std::string token = language_token(code);
  language_id(code);
  const json settings = impl::settings_of(config_);
  const bool legacy =
      json_fields(settings, "tokenizer_config.json").flag("legacy_behaviour", false);
  const std::string eos = special_token("eos_token").value_or("</s>");
  const bool last = class_->family == f::mbart || (class_->family == f::nllb && legacy);
  const std::string before = last ? "" : token + ":0 ";
  const std::string after = " " + eos + ":0" + (last ? " " + token + ":0" : "");
  set_post_processor(
      impl::template_json(before + "$A:0" + after, before + "$A:0 $B:0" + after,
                          [&](const std::string& t) { return token_to_id(t).value_or(0); }));
}

PARLANCE_SPLIT_INLINE tokenizer tokenizer::from_json(std::string_view text,
                                                     const std::string& where) {
  return tokenizer(read_tokenizer_json(text, where));
}

PARLANCE_SPLIT_INLINE tokenizer tokenizer::from_pretrained(const std::filesystem::path& folder) {
  tokenizer_config config = read_tokenizer_config(folder);
  slow_files files{folder};
  files.settings = impl::settings_of(config);
  const json_fields settings(files.settings, files.name("tokenizer_config.json"));
  const tokenizer_class* c = find_tokenizer_class(config.tokenizer_class);
  const bool fast = files.has("tokenizer.json");
  tokenizer_spec spec;
  if (fast) {
    spec = read_tokenizer_json(files.read("tokenizer.json"), files.name("tokenizer.json"));
  } else {
    const std::string& name = config.tokenizer_class;
    if (!c && (name.empty() || name.starts_with("PreTrainedTokenizer")))
      c = impl::class_of_folder(files);
    if (c && config.tokenizer_class.empty()) config.tokenizer_class = split_words(c->names).front();
    const std::uint32_t extra_ids = settings.number("extra_ids", 100);
    if (extra_ids > 100000) settings.fail("extra_ids", "more than 100000");
    if (c) add_default_special_tokens(*c, extra_ids, config);
    spec = convert_slow_tokenizer(files, c, extra_ids, config);
  }
  tokenizer out(std::move(spec));
  out.config_ = std::move(config);
  out.class_ = c;
  out.apply_config();
  if (!fast && c) out.set_class_post_processor(*c);
  using f = tokenizer_family;
  if (!fast && c && is_translation(c->family)) {
    out.decoder_.value = impl::translation_decoder(files, c->family, out.config_, out.added_,
                                                   out.model_.vocab_size());
    for (const char* name : translation_files)
      if (files.has(name)) out.own_files_.emplace_back(name, files.read(name));
  }
  if (impl::has_languages(c) && !(fast && is_translation(c->family)))
    out.set_language(settings.text("src_lang", c->family == f::nllb     ? "eng_Latn"
                                               : c->family == f::m2m100 ? "en"
                                                                        : "en_XX"));
  return out;
}

PARLANCE_SPLIT_INLINE tokenizer tokenizer::from_gguf(const gguf_vocab& vocab) {
  tokenizer out(read_gguf_vocab(vocab));
  tokenizer_config& config = out.config_;
  json document = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                   {"clean_up_tokenization_spaces", false}};
  const auto name = [&](const char* which, const std::optional<int>& id) {
    if (!id) return;
    const std::string& token = vocab.tokens[static_cast<std::size_t>(*id)];
    document[which] = token;
    config.special_tokens.push_back({which, {*id, token, false, false, false, false, true}});
  };
  name("bos_token", vocab.bos_id), name("eos_token", vocab.eos_id);
  name("unk_token", vocab.unk_id), name("pad_token", vocab.pad_id);
  name("sep_token", vocab.sep_id), name("cls_token", vocab.cls_id);
  name("mask_token", vocab.mask_id);
  config.config_text = document.dump(2) + "\n";
  if (!vocab.chat_template.empty()) {
    config.chat_templates.push_back({"default", vocab.chat_template});
    config.chat_template_file = vocab.chat_template;
  }
  return out;
}

PARLANCE_SPLIT_INLINE void tokenizer::use_target(bool yes) {
  auto* pieces = std::get_if<translation_pieces>(&model_.value);
  if (!pieces || !class_ || class_->family != tokenizer_family::marian)
    throw unsupported_error("this tokenizer has one mode for sources and targets",
                            "Marian has two; languages are set by set_src_lang and set_tgt_lang");
  pieces->use_target(yes);
}

PARLANCE_SPLIT_INLINE std::optional<std::string> tokenizer::special_token(
    std::string_view name) const {
  const auto* named = config_.find(name);
  return named ? std::optional(named->token.content) : std::nullopt;
}
PARLANCE_SPLIT_INLINE std::optional<std::int32_t> tokenizer::special_id(
    std::string_view name) const {
  const auto* named = config_.find(name);
  return named ? token_to_id(named->token.content) : std::nullopt;
}

PARLANCE_SPLIT_INLINE const std::string* tokenizer::chat_template(std::string_view name) const {
  for (const auto& t : config_.chat_templates)
    if (t.name == name) return &t.text;
  return nullptr;
}

PARLANCE_SPLIT_INLINE std::string tokenizer::to_json() const {
  json head = head_;
  json list = json::array();
  for (const added_token& t : added_.tokens())
    list.push_back({{"id", t.id},
                    {"content", t.content},
                    {"single_word", t.single_word},
                    {"lstrip", t.lstrip},
                    {"rstrip", t.rstrip},
                    {"normalized", t.normalized},
                    {"special", t.special}});
  head["added_tokens"] = std::move(list);
  return write_tokenizer_json(head, model_);
}

PARLANCE_SPLIT_INLINE void tokenizer::save_pretrained(const std::filesystem::path& folder) const {
  std::filesystem::create_directories(folder);
  if (own_files_.empty()) write_atomic(folder / "tokenizer.json", to_json());
  for (const auto& [name, text] : own_files_) write_atomic(folder / name, text);
  const auto write = [&](const char* name, const std::string& text) {
    if (!text.empty()) write_atomic(folder / name, text);
  };
  write("tokenizer_config.json", config_.config_text);
  write("special_tokens_map.json", config_.special_tokens_map_text);
  write("chat_template.jinja", config_.chat_template_file);
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
