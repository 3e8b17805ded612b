// SPDX-License-Identifier: Apache-2.0
// Tokenizers from the vocabulary that a GGUF file carries (keys tokenizer.ggml.*): byte-level BPE
// ("gpt2", splitting chosen by `pre`), SentencePiece BPE ("llama"), WordPiece ("bert") and Unigram
// ("t5"), rebuilt as the
// tokenizer.json that Hugging Face ships for the same model, so that ids agree. Sources: llama.cpp
// src/llama-vocab.cpp (names of `pre`), transformers 4.57 convert_slow_tokenizer.py (merges from
// scores). Reading the file itself is io/gguf's work.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/tokenizers/pattern.hpp"
#include "parlance/tokenizers/tokenizer_spec.hpp"
#include "parlance/tokenizers/vocab_files.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct gguf_vocab {
  std::string model = {}, pre = {};
  std::vector<std::string> tokens = {};
  std::vector<float> scores = {};
  std::vector<int> token_type = {};  // 1 normal 2 unknown 3 control 4 user-defined 5 unused 6 byte
  std::vector<std::string> merges = {};  // "a b"
  std::optional<int> bos_id = {}, eos_id = {}, unk_id = {}, pad_id = {}, sep_id = {}, cls_id = {},
                     mask_id = {};
  std::optional<bool> add_bos = {}, add_eos = {}, add_sep = {}, add_space_prefix = {};
  std::string chat_template = {}, precompiled_charsmap = {};
};

namespace impl {

enum gguf_type { gguf_normal = 1, gguf_unknown, gguf_control, gguf_user_defined };

inline json split_json(std::string_view regex) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", std::string(regex)}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}
inline json byte_level_json(bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

struct gguf_splitting {
  json steps = json::array();  // pre-tokenizers
  bool nfc = false, ignore_merges = false;
};

inline gguf_splitting gguf_pre(const std::string& pre) {
  const auto any = [&](std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), pre) != names.end();
  };
  const auto regex = [](std::string_view r) { return json::array({split_json(r)}); };
  namespace k = known_patterns;
  if (any({"gpt-2", "phi-2", "roberta-bpe", "mpt", "olmo", "jina-es", "jina-de", "jina-v1-en",
           "jina-v2-es", "jina-v2-de", "gigachat", "exaone", "default", ""}))
    return {regex(k::gpt2)};
  if (any({"smollm", "starcoder", "refact", "command-r", "codeshell"}))
    return {json::array({{{"type", "Digits"}, {"individual_digits", true}}, split_json(k::gpt2)})};
  if (any({"llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral"}))
    return {regex(k::cl100k), false, true};
  if (any({"dbrx", "smaug-bpe", "glm4", "chatglm-bpe"})) return {regex(k::cl100k)};
  if (any({"qwen2", "deepseek-r1-qwen", "megrez"})) return {regex(k::qwen2), true};
  if (any({"stablelm2"})) return {regex(k::qwen2)};
  if (any({"qwen35"})) return {regex(k::qwen35), true};
  if (any({"gpt-4o", "llama4"})) return {regex(k::o200k), false, true};
  if (any({"tekken"})) return {regex(k::tekken), false, true};
  if (any({"deepseek-v3", "hunyuan-dense"}))
    return {json::array({split_json(k::deepseek_numbers), split_json(k::deepseek_cjk),
                         split_json(k::deepseek_words)})};
  throw unsupported_error(
      "GGUF: tokenizer.ggml.pre '" + pre + "' is not supported",
      "supported: gpt-2, default, phi-2, roberta-bpe, mpt, olmo, smollm, starcoder, refact, "
      "command-r, llama-bpe, falcon3, dbrx, glm4, chatglm-bpe, qwen2, qwen35, stablelm2, gpt-4o, "
      "llama4, tekken, deepseek-v3");
}

inline void gguf_check(const gguf_vocab& v) {
  const auto fail = [](const std::string& what) { throw format_error("GGUF", -1, what); };
  const std::size_t n = v.tokens.size();
  if (n == 0) fail("tokenizer.ggml.tokens is missing or empty");
  if (n > 0x7FFFFFF) fail("tokenizer.ggml.tokens: too many");
  if (!v.scores.empty() && v.scores.size() != n) fail("tokenizer.ggml.scores: not one a token");
  if (!v.token_type.empty() && v.token_type.size() != n)
    fail("tokenizer.ggml.token_type: not one a token");
  for (const float s : v.scores)
    if (!(s > -1e30f && s < 1e30f)) fail("tokenizer.ggml.scores: not finite");
  for (const auto& id : {v.bos_id, v.eos_id, v.unk_id, v.pad_id, v.sep_id, v.cls_id, v.mask_id})
    if (id && (*id < 0 || static_cast<std::size_t>(*id) >= n))
      fail("special token id " + std::to_string(*id) + " outside the vocabulary of " +
           std::to_string(n));
  for (const std::string& token : v.tokens) require_utf8(token, "GGUF token");
  require_utf8(v.chat_template, "GGUF chat template");
}

inline json gguf_added_tokens(const gguf_vocab& v) {
  json out = json::array();
  for (std::size_t id = 0; id < v.token_type.size(); ++id) {
    const int type = v.token_type[id];
    const bool special = type == gguf_control || type == gguf_unknown;
    if ((!special && type != gguf_user_defined) || v.tokens[id].empty()) continue;
    out.push_back({{"id", id},
                   {"content", v.tokens[id]},
                   {"single_word", false},
                   {"lstrip", false},
                   {"rstrip", false},
                   {"normalized", false},
                   {"special", special}});
  }
  return out;
}

// `bos A eos` and `bos A eos bos B eos` as far as the file asks for them.
inline json bos_eos_template(const std::optional<std::pair<std::string, int>>& bos,
                             const std::optional<std::pair<std::string, int>>& eos) {
  json specials = json::object();
  const auto special = [&](const std::pair<std::string, int>& t, int type) {
    specials[t.first] = {{"id", t.first}, {"ids", {t.second}}, {"tokens", {t.first}}};
    return json{{"SpecialToken", {{"id", t.first}, {"type_id", type}}}};
  };
  json single = json::array(), pair = json::array();
  for (int part = 0; part < 2; ++part) {
    json list = json::array();
    if (bos) list.push_back(special(*bos, part));
    list.push_back({{"Sequence", {{"id", part ? "B" : "A"}, {"type_id", part}}}});
    if (eos) list.push_back(special(*eos, part));
    if (part == 0) single = list;
    pair.insert(pair.end(), list.begin(), list.end());
  }
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", pair},
          {"special_tokens", specials}};
}

// `cls A sep` and `cls A sep B sep`.
inline json bert_template(const std::optional<std::pair<std::string, int>>& cls,
                          const std::optional<std::pair<std::string, int>>& sep) {
  if (!cls || !sep) throw format_error("GGUF", -1, "cls and sep token ids are missing");
  json out = bos_eos_template(cls, sep);
  json& pair = out["pair"];
  pair.erase(pair.begin() + 3);  // no cls before the second sequence
  return out;
}

inline json sequence_json(const char* member, json items) {
  return {{"type", "Sequence"}, {member, std::move(items)}};
}

inline void gguf_byte_level(const gguf_vocab& v, tokenizer_spec& spec) {
  gguf_splitting splitting = gguf_pre(v.pre);
  splitting.steps.push_back(byte_level_json(false));
  if (splitting.nfc) spec.head["normalizer"] = {{"type", "NFC"}};
  spec.head["pre_tokenizer"] = sequence_json("pretokenizers", splitting.steps);
  spec.head["decoder"] = byte_level_json(true);
  spec.head["model"] = {
      {"type", "BPE"}, {"vocab", json::object()}, {"ignore_merges", splitting.ignore_merges}};
  for (const std::string& merge : v.merges) {
    const std::size_t space = merge.find(' ', 1);
    if (space == std::string::npos || space + 1 == merge.size())
      throw format_error("GGUF", -1, "tokenizer.ggml.merges: expected two tokens");
    spec.data.merges.add(std::string_view(merge).substr(0, space));
    spec.data.merges.add(std::string_view(merge).substr(space + 1));
  }
}

inline void gguf_sentence_piece(const gguf_vocab& v, tokenizer_spec& spec) {
  if (v.scores.empty()) throw format_error("GGUF", -1, "tokenizer.ggml.scores is missing");
  const char* bar = "\xE2\x96\x81";
  const auto replace = [](const char* from, const char* to) {
    return json{{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
  };
  json normalizers = json::array(), decoders = json::array();
  if (v.add_space_prefix.value_or(true))
    normalizers.push_back({{"type", "Prepend"}, {"prepend", bar}});
  normalizers.push_back(replace(" ", bar));
  decoders = {replace(bar, " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}};
  if (v.add_space_prefix.value_or(true))
    decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  spec.head["normalizer"] = sequence_json("normalizers", normalizers);
  spec.head["decoder"] = sequence_json("decoders", decoders);
  spec.head["model"] = {
      {"type", "BPE"}, {"vocab", json::object()}, {"fuse_unk", true}, {"byte_fallback", true}};
  if (v.unk_id) spec.head["model"]["unk_token"] = v.tokens[static_cast<std::size_t>(*v.unk_id)];
  add_merges_from_scores(spec.data, v.scores);
}

// BERT's tokens come with "▁" before words and nothing before continuations. A vocabulary without
// capital letters is an uncased one.
inline void gguf_word_piece(const gguf_vocab& v, tokenizer_spec& spec) {
  const std::string_view bar = "\xE2\x96\x81";
  bool cased = false;
  spec.data.tokens.clear();
  for (std::size_t id = 0; id < v.tokens.size(); ++id) {
    const std::string_view token = v.tokens[id];
    const bool special = token.starts_with('[') && token.ends_with(']') && token.size() > 2;
    const bool begins = token.starts_with(bar);
    spec.data.tokens.add(special  ? std::string(token)
                         : begins ? std::string(token.substr(bar.size()))
                                  : "##" + std::string(token));
    cased = cased || (!special && std::any_of(token.begin(), token.end(),
                                              [](char c) { return c >= 'A' && c <= 'Z'; }));
  }
  const std::size_t unk = static_cast<std::size_t>(v.unk_id.value_or(100));
  spec.head["normalizer"] = {{"type", "BertNormalizer"},
                             {"clean_text", true},
                             {"handle_chinese_chars", true},
                             {"strip_accents", nullptr},
                             {"lowercase", !cased}};
  spec.head["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  spec.head["decoder"] = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  spec.head["model"] = {{"type", "WordPiece"},
                        {"unk_token", unk < v.tokens.size() ? v.tokens[unk] : "[UNK]"},
                        {"continuing_subword_prefix", "##"},
                        {"max_input_chars_per_word", 100},
                        {"vocab", json::object()}};
}

inline void gguf_unigram(const gguf_vocab& v, tokenizer_spec& spec) {
  if (v.scores.empty()) throw format_error("GGUF", -1, "tokenizer.ggml.scores is missing");
  spec.data.scores.assign(v.scores.begin(), v.scores.end());
  json steps = json::array();
  if (!v.precompiled_charsmap.empty())
    steps.push_back(
        {{"type", "Precompiled"}, {"precompiled_charsmap", base64_encode(v.precompiled_charsmap)}});
  steps.push_back({{"type", "Strip"}, {"strip_left", false}, {"strip_right", true}});
  steps.push_back(
      {{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", "\xE2\x96\x81"}});
  const json space = {{"type", "Metaspace"},
                      {"replacement", "\xE2\x96\x81"},
                      {"prepend_scheme", v.add_space_prefix.value_or(true) ? "always" : "never"},
                      {"split", true}};
  spec.head["normalizer"] = sequence_json("normalizers", std::move(steps));
  spec.head["pre_tokenizer"] = spec.head["decoder"] = space;
  spec.head["model"] = {
      {"type", "Unigram"}, {"unk_id", v.unk_id.value_or(2)}, {"vocab", json::array()}};
}

}  // namespace impl

// The tokenizer.json equivalent of a GGUF vocabulary.
inline tokenizer_spec read_gguf_vocab(const gguf_vocab& v) {
  impl::gguf_check(v);
  tokenizer_spec spec = empty_spec("GGUF");
  spec.head["added_tokens"] = impl::gguf_added_tokens(v);
  for (std::uint32_t id = 0; id < v.tokens.size(); ++id) {
    spec.data.tokens.add(v.tokens[id]);
    spec.data.ids.push_back(id);
  }
  const bool sentence_piece = v.model == "llama";
  if (sentence_piece)
    impl::gguf_sentence_piece(v, spec);
  else if (v.model == "gpt2")
    impl::gguf_byte_level(v, spec);
  else if (v.model == "bert")
    impl::gguf_word_piece(v, spec);
  else if (v.model == "t5")
    impl::gguf_unigram(v, spec);
  else
    throw unsupported_error("GGUF: tokenizer.ggml.model '" + v.model + "' is not supported",
                            "supported: gpt2, llama, bert, t5");
  const auto named = [&](const std::optional<int>& id, bool wanted) {
    using entry = std::optional<std::pair<std::string, int>>;
    return id && wanted ? entry({v.tokens[static_cast<std::size_t>(*id)], *id}) : entry{};
  };
  if (v.model == "bert") {
    spec.head["post_processor"] = impl::bert_template(named(v.cls_id ? v.cls_id : v.bos_id, true),
                                                      named(v.sep_id ? v.sep_id : v.eos_id, true));
    return spec;
  }
  const auto bos = named(v.bos_id, v.add_bos.value_or(sentence_piece));
  const auto eos = named(v.eos_id, v.add_eos.value_or(v.model == "t5"));
  if (bos || eos) spec.head["post_processor"] = impl::bos_eos_template(bos, eos);
  return spec;
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
