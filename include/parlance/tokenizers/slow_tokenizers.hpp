// SPDX-License-Identifier: Apache-2.0
// The tokenizer.json that transformers makes from a folder without one: vocab.txt, vocab.json with
// merges.txt, a SentencePiece model or a tiktoken rank file, by the rules of the folder's tokenizer
// class. Source: transformers 4.57, convert_slow_tokenizer.py.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/tokenizers/gguf_vocab.hpp"
#include "parlance/tokenizers/rank_files.hpp"
#include "parlance/tokenizers/sentence_piece.hpp"
#include "parlance/tokenizers/slow_files.hpp"
#include "parlance/tokenizers/tokenizer_classes.hpp"
#include "parlance/tokenizers/translation_tokenizers.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

namespace impl {

inline json replace_json(json pattern, std::string content) {
  return {{"type", "Replace"}, {"pattern", std::move(pattern)}, {"content", std::move(content)}};
}
inline json metaspace_json(const char* scheme, bool split = true) {
  return {{"type", "Metaspace"},
          {"replacement", "\xE2\x96\x81"},
          {"prepend_scheme", scheme},
          {"split", split}};
}

inline void convert_bert(const slow_files& files, const tokenizer_config& config,
                         tokenizer_spec& spec) {
  read_vocab_txt(files.read("vocab.txt"), files.name("vocab.txt"), spec.data);
  const json_fields settings(files.settings, files.name("tokenizer_config.json"));
  const json* accents = settings.find("strip_accents");
  spec.head["normalizer"] = {
      {"type", "BertNormalizer"},
      {"clean_text", true},
      {"handle_chinese_chars", settings.flag("tokenize_chinese_chars", true)},
      {"strip_accents", accents ? *accents : json()},
      {"lowercase", settings.flag("do_lower_case", true)}};
  spec.head["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  spec.head["decoder"] = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  spec.head["model"] = {{"type", "WordPiece"},
                        {"unk_token", config.find("unk_token")->token.content},
                        {"continuing_subword_prefix", "##"},
                        {"max_input_chars_per_word", 100},
                        {"vocab", json::object()}};
}

// GPT-2's files; the families differ in what surrounds the byte-level model.
inline void convert_byte_level(const slow_files& files, tokenizer_family family,
                               const tokenizer_config& config, tokenizer_spec& spec) {
  read_vocab_json(files.read("vocab.json"), files.name("vocab.json"), spec.data);
  read_merges_txt(files.read("merges.txt"), files.name("merges.txt"), spec.data);
  const bool space = files.flag("add_prefix_space", false);
  spec.head["model"] = {{"type", "BPE"}, {"vocab", json::object()}, {"merges", json::array()}};
  spec.head["pre_tokenizer"] = byte_level_json(true, space, true);
  spec.head["decoder"] = byte_level_json(true, true, true);
  spec.head["post_processor"] = byte_level_json(true, true, false);
  if (family == tokenizer_family::qwen2) {
    spec.head["normalizer"] = {{"type", "NFC"}};
    spec.head["pre_tokenizer"] = sequence_json(
        "pretokenizers",
        json::array({split_json(known_patterns::qwen2), byte_level_json(false, space, true)}));
  } else if (family == tokenizer_family::clip) {
    spec.head["model"]["end_of_word_suffix"] = "</w>";
    spec.head["model"]["unk_token"] = config.find("unk_token")->token.content;
    spec.head["normalizer"] = sequence_json(
        "normalizers",
        json::array(
            {{{"type", "NFC"}}, replace_json({{"Regex", "\\s+"}}, " "), {{"type", "Lowercase"}}}));
    const json ends = {{"type", "Strip"}, {"content", " "}, {"start", 1 << 20}, {"stop", 1 << 20}};
    spec.head["decoder"] = sequence_json(  // what CLIPTokenizerFast does after decoding
        "decoders",
        json::array({spec.head["decoder"], replace_json({{"String", "</w>"}}, " "), ends}));
    json cut = split_json(R"('s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)");
    cut["behavior"] = "Removed";
    cut["invert"] = true;
    spec.head["pre_tokenizer"] =
        sequence_json("pretokenizers", json::array({cut, byte_level_json(true, false, true)}));
  }
}

// A digit before a final comma: pieces that ALBERT and XLNet avoid.
inline bool number_comma(std::string_view piece) {
  if (!piece.ends_with(',')) return false;
  piece.remove_suffix(1);
  if (piece.empty()) return false;
  return unicode::is_numeric(unicode::decode_before(piece, piece.size()).code_point);
}

struct piece_list {
  std::vector<std::pair<std::string, double>> items;
  void add(std::string_view piece, double score = 0.0) { items.emplace_back(piece, score); }
  void add_words(std::string_view words) {
    for (const std::string& word : split_words(words)) add(word);
  }
  void add_from(const sentence_piece_model& m, std::size_t first) {
    for (std::size_t i = first; i < m.pieces.size(); ++i)
      add(m.pieces[i], static_cast<double>(m.scores[i]));
  }
};

inline piece_list class_pieces(const sentence_piece_model& m, tokenizer_family family,
                               std::uint32_t extra_ids, const tokenizer_config& config) {
  using f = tokenizer_family;
  piece_list out;
  const auto special = [&](const char* name) {
    const auto* token = config.find(name);
    return token ? token->token.content : std::string();
  };
  if (family == f::xlm_roberta || family == f::mbart || family == f::mbart50 || family == f::nllb) {
    out.add_words("<s> <pad> </s> <unk>");
    out.add_from(m, 3);
    if (family == f::mbart) out.add_words(language_codes::mbart);
    if (family == f::mbart50) out.add_words(language_codes::mbart50);
    if (family != f::nllb) out.add("<mask>");
  } else if (family == f::camembert) {
    out.add_words("<s>NOTUSED <pad> </s>NOTUSED <unk>");
    out.add("<unk>NOTUSED", -100.0);
    out.add_from(m, 1);
    out.add("<mask>");
  } else if (family == f::pegasus) {
    for (const char* name : {"pad_token", "eos_token"}) out.add(special(name));
    out.add("<mask_1>"), out.add(special("mask_token"));
    for (int i = 2; i < 103; ++i) out.add("<unk_" + std::to_string(i) + ">", -100.0);
    out.add_from(m, 2);
  } else if (family == f::gemma) {
    for (const char* name : {"pad_token", "eos_token", "bos_token"}) out.add(special(name));
    out.add_from(m, 3);
    const auto find = [&](std::string_view piece) {
      return std::find_if(out.items.begin(), out.items.end(),
                          [&](const auto& item) { return item.first == piece; });
    };
    const auto tab = find("<0x09>");
    if (find("\t") == out.items.end() && tab != out.items.end()) *tab = {"\t", 0.0};
  } else {
    out.add_from(m, 0);
    const bool avoid = family == f::albert || family == f::xlnet;
    for (auto& [piece, score] : out.items)
      if (avoid && number_comma(piece)) score -= 100.0;
    if (family == f::t5)
      for (std::uint32_t i = extra_ids; i-- > 0;) out.add("<extra_id_" + std::to_string(i) + ">");
  }
  return out;
}

inline json class_normalizer(const sentence_piece_model& m, tokenizer_family family,
                             const slow_files& files) {
  using f = tokenizer_family;
  const char* bar = "\xE2\x96\x81";
  const json spaces = {{"Regex", " {2,}"}};
  json out = json::array();
  const auto add = [&](json item) { out.push_back(std::move(item)); };
  const auto charsmap = [&] {
    if (!m.precompiled_charsmap.empty())
      add({{"type", "Precompiled"},
           {"precompiled_charsmap", base64_encode(m.precompiled_charsmap)}});
  };
  const auto strip = [&](bool left) {
    add({{"type", "Strip"}, {"strip_left", left}, {"strip_right", true}});
  };
  if (family == f::gemma) return replace_json({{"String", " "}}, bar);
  if (family == f::llama) {
    if (!files.flag("legacy", true)) return nullptr;
    if (files.flag("add_prefix_space", true)) add({{"type", "Prepend"}, {"prepend", bar}});
    add(replace_json({{"String", " "}}, bar));
  } else if (family == f::albert || family == f::xlnet || family == f::rembert) {
    add(replace_json({{"String", "``"}}, "\"")), add(replace_json({{"String", "''"}}, "\""));
    if (family == f::rembert) add(replace_json(spaces, " "));
    if (!files.flag("keep_accents", family == f::rembert))
      add({{"type", "NFKD"}}), add({{"type", "StripAccents"}});
    if (files.flag("do_lower_case", family == f::albert)) add({{"type", "Lowercase"}});
    charsmap();
    if (family != f::rembert) add(replace_json(spaces, " "));
  } else if (family == f::deberta_v2) {
    if (files.flag("do_lower_case", false)) add({{"type", "Lowercase"}});
    strip(true), charsmap(), add(replace_json(spaces, " "));
  } else {
    charsmap(), strip(false), add(replace_json(spaces, bar));
  }
  return sequence_json("normalizers", std::move(out));
}

inline void class_splitting(tokenizer_family family, const slow_files& files,
                            tokenizer_spec& spec) {
  using f = tokenizer_family;
  const bool space = files.flag("add_prefix_space", true), legacy = files.flag("legacy", true);
  const char* scheme = !space ? "never" : legacy ? "always" : "first";
  json& pre = spec.head["pre_tokenizer"];
  json& decoder = spec.head["decoder"];
  if (family != f::llama && family != f::gemma) {
    decoder = pre = metaspace_json(scheme);
    if (family == f::pegasus)
      pre = sequence_json("pretokenizers", json::array({{{"type", "WhitespaceSplit"}}, pre}));
    if (family == f::deberta_v2) {
      json steps = json::array();
      if (files.flag("split_by_punct", false))
        steps.push_back({{"type", "Punctuation"}, {"behavior", "Isolated"}});
      steps.push_back(pre);
      pre = sequence_json("pretokenizers", steps);
    }
    return;
  }
  json steps = json::array({replace_json({{"String", "\xE2\x96\x81"}}, " "),
                            {{"type", "ByteFallback"}},
                            {{"type", "Fuse"}}});
  if (family == f::gemma) {
    pre = split_json(" ");
    pre["pattern"] = {{"String", " "}};
    pre["behavior"] = "MergedWithPrevious";
  } else {
    if (!legacy) pre = metaspace_json(scheme, false);
    if (space) steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  decoder = sequence_json("decoders", std::move(steps));
}

// Control and user-defined pieces; those that the class has no piece for come after all others.
inline json piece_tokens(const sentence_piece_model& m, tokenizer_family family,
                         const piece_list& list) {
  token_table ids;
  for (const auto& [piece, score] : list.items)
    ids.add(piece, static_cast<std::uint32_t>(ids.size()));
  json out = json::array();
  for (std::size_t i = 0; i < m.pieces.size(); ++i) {
    if (m.types[i] != piece_type::control && m.types[i] != piece_type::user_defined) continue;
    const std::string_view piece = m.pieces[i];
    if (ids.find(piece) == token_table::none)
      ids.add(piece, static_cast<std::uint32_t>(ids.size()));
    const bool turn = family == tokenizer_family::gemma &&
                      (piece == "<start_of_turn>" || piece == "<end_of_turn>");
    out.push_back({{"id", ids.find(piece)},
                   {"content", std::string(piece)},
                   {"normalized", false},
                   {"special", m.types[i] == piece_type::control || turn}});
  }
  return out;
}

inline void convert_sentence_piece(const sentence_piece_model& m, tokenizer_family family,
                                   std::uint32_t extra_ids, const slow_files& files,
                                   const tokenizer_config& config, tokenizer_spec& spec) {
  using f = tokenizer_family;
  const piece_list list = class_pieces(m, family, extra_ids, config);
  for (const auto& [piece, score] : list.items) {
    spec.data.ids.push_back(static_cast<std::uint32_t>(spec.data.tokens.size()));
    spec.data.tokens.add(piece);
    spec.data.scores.push_back(score);
  }
  const bool bytes = family == f::llama || family == f::gemma;
  std::uint32_t unk_id = m.unk_id;
  if (family == f::pegasus) unk_id += 103;
  if (family == f::xlm_roberta || family == f::camembert || family == f::barthez ||
      family == f::mbart || family == f::mbart50 || family == f::nllb || family == f::gemma)
    unk_id = 3;
  if (family == f::llama) unk_id = 0;
  if (m.model_type == sentence_piece_model::kind::unigram) {
    spec.head["model"] = {{"type", "Unigram"},
                          {"unk_id", unk_id},
                          {"byte_fallback", bytes},
                          {"vocab", json::array()}};
  } else if (m.model_type == sentence_piece_model::kind::bpe) {
    spec.head["model"] = {{"type", "BPE"},           {"unk_token", m.unk_piece},
                          {"fuse_unk", true},        {"byte_fallback", bytes},
                          {"vocab", json::object()}, {"merges", json::array()}};
    add_merges_from_scores(spec.data, spec.data.scores);
  } else {
    throw unsupported_error(spec.where + ": a SentencePiece model of words or characters",
                            "supported: unigram, bpe");
  }
  spec.head["added_tokens"] = piece_tokens(m, family, list);
  spec.head["normalizer"] = class_normalizer(m, family, files);
  class_splitting(family, files, spec);
}

// A template like "[CLS]:0 $A:0 [SEP]:0"; id_of gives the ids of its special tokens.
template <class IdOf>
json template_json(std::string_view single, std::string_view pair, IdOf id_of) {
  json specials = json::object();
  const auto parse = [&](std::string_view text) {
    json out = json::array();
    for (const std::string& word : split_words(text)) {
      const std::size_t colon = word.rfind(':');
      const std::string name = word.substr(0, colon);
      const int type = word[colon + 1] - '0';
      if (name == "$A" || name == "$B") {
        out.push_back({{"Sequence", {{"id", name.substr(1)}, {"type_id", type}}}});
        continue;
      }
      out.push_back({{"SpecialToken", {{"id", name}, {"type_id", type}}}});
      specials[name] = {{"id", name}, {"ids", {id_of(name)}}, {"tokens", {name}}};
    }
    return out;
  };
  json one = parse(single), two = parse(pair);
  return {{"type", "TemplateProcessing"},
          {"single", std::move(one)},
          {"pair", std::move(two)},
          {"special_tokens", std::move(specials)}};
}

}  // namespace impl

// The SentencePiece or rank file of a folder, or nullptr.
inline const char* sentence_piece_file(const slow_files& files) {
  for (const char* name :
       {"spiece.model", "sentencepiece.bpe.model", "tokenizer.model", "spm.model",
        "sentencepiece.model", "qwen.tiktoken", "vocab.tiktoken", "cl100k_base.tiktoken",
        "o200k_base.tiktoken", "p50k_base.tiktoken", "r50k_base.tiktoken"})
    if (files.has(name)) return name;
  return nullptr;
}

// The specification for a folder of class `c`; without a class, the files decide.
inline tokenizer_spec convert_slow_tokenizer(const slow_files& files, const tokenizer_class* c,
                                             std::uint32_t extra_ids,
                                             const tokenizer_config& config) {
  using f = tokenizer_family;
  const std::string& name = config.tokenizer_class;
  if (!c && !name.empty() && !name.starts_with("PreTrainedTokenizer"))
    throw unsupported_error(files.folder.string() + ": a " + name + " without a tokenizer.json",
                            "save it once with save_pretrained of its fast class in Python");
  tokenizer_spec spec = empty_spec(files.folder.string());
  if (c && is_translation(c->family)) {
    impl::convert_translation(files, c->family, config, spec);
    return spec;
  }
  if (const char* file = sentence_piece_file(files)) {
    spec.where = files.name(file);
    const std::string bytes = files.read(file);
    if (impl::is_tiktoken(bytes)) {
      impl::convert_tiktoken(bytes, c ? c->family : f::reformer, file, spec);
    } else {
      const sentence_piece_model m = read_sentence_piece(bytes, spec.where);
      const f family = c                                                 ? c->family
                       : m.model_type == sentence_piece_model::kind::bpe ? f::llama
                                                                         : f::reformer;
      impl::convert_sentence_piece(m, family, extra_ids, files, config, spec);
    }
  } else if (files.has("tekken.json")) {
    spec.where = files.name("tekken.json");
    impl::convert_tekken(files.read("tekken.json"), spec);
  } else if (files.has("vocab.txt")) {
    impl::convert_bert(files, config, spec);
  } else if (files.has("vocab.json") && files.has("merges.txt")) {
    impl::convert_byte_level(files, c ? c->family : f::gpt2, config, spec);
  } else {
    throw io_error(
        files.folder.string() + ": no tokenizer found",
        "expected tokenizer.json, vocab.txt, vocab.json with merges.txt, tekken.json, or "
        "a SentencePiece or tiktoken file such as tokenizer.model");
  }
  return spec;
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
