// SPDX-License-Identifier: Apache-2.0
// Tokenizers in rank files: tiktoken's "base64 rank" a line and Mistral's tekken.json. Source:
// openai/tiktoken 0.14, tiktoken_ext/openai_public.py; transformers 4.57, TikTokenConverter;
// mistral_common 1.13, tekken.py.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/tokenizers/gguf_vocab.hpp"
#include "parlance/tokenizers/json_fields.hpp"
#include "parlance/tokenizers/tokenizer_classes.hpp"
#include "parlance/tokenizers/vocab_files.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

// A rank file: "base64 rank" a line. Tokens come out in GPT-2's printable characters, merges as
// transformers makes them.
inline void read_tiktoken(std::string_view text, const std::string& where, model_data& out) {
  std::vector<double> scores;
  impl::each_line(text, [&](std::string_view line, std::size_t number, std::size_t begin) {
    if (line.empty()) return;
    const std::size_t space = line.find(' ');
    const auto fail = [&](const char* what) {
      throw format_error(where, static_cast<std::int64_t>(begin),
                         "line " + std::to_string(number) + ": " + what);
    };
    if (space == std::string_view::npos) fail("expected a token in base64 and its rank");
    std::uint64_t rank = 0;
    const std::string_view digits = line.substr(space + 1);
    if (digits.empty() || digits.size() > 10) fail("the rank is not a number");
    for (const char c : digits) {
      if (c < '0' || c > '9') fail("the rank is not a number");
      rank = rank * 10 + static_cast<std::uint64_t>(c - '0');
    }
    if (rank > 0x7FFFFFFE) fail("the rank is above 2147483646");
    const std::string raw =
        base64_decode(line.substr(0, space), where + " line " + std::to_string(number));
    if (raw.empty()) fail("the token is empty");
    out.tokens.add(byte_level_encode(raw));
    out.ids.push_back(static_cast<std::uint32_t>(rank));
    scores.push_back(-static_cast<double>(rank));
  });
  if (out.tokens.size() == 0) throw format_error(where, 0, "empty");
  add_merges_from_scores(out, scores, true);
}

namespace impl {

inline json byte_level_json(bool use_regex, bool add_prefix_space, bool trim_offsets) {
  json out = byte_level_json(use_regex);
  out["add_prefix_space"] = add_prefix_space;
  out["trim_offsets"] = trim_offsets;
  return out;
}

inline void read_tekken_ranks(const json& vocab, const std::string& where, std::uint32_t count,
                              std::uint32_t first_id, model_data& out) {
  std::vector<double> scores;
  for (std::uint32_t i = 0; i < count; ++i) {
    const json_fields entry(vocab[i], where + " vocab " + std::to_string(i));
    const std::uint32_t rank = entry.number("rank");
    if (rank != i) entry.fail("rank", "expected " + std::to_string(i) + ", the place in the list");
    const std::string raw = base64_decode(entry.text("token_bytes"), entry.where());
    if (raw.empty()) entry.fail("token_bytes", "the token is empty");
    out.tokens.add(byte_level_encode(raw));
    out.ids.push_back(first_id + i);
    scores.push_back(-static_cast<double>(i));
  }
  add_merges_from_scores(out, scores, true);
}

// Of files that name no special tokens (up to version 7), in the order of their ids.
inline constexpr std::string_view tekken_names =
    "<unk> <s> </s> [INST] [/INST] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_RESULTS] "
    "[/TOOL_RESULTS] [TOOL_CALLS] [IMG] <pad> [IMG_BREAK] [IMG_END] [PREFIX] [MIDDLE] [SUFFIX] "
    "[SYSTEM_PROMPT] [/SYSTEM_PROMPT] [TOOL_CONTENT]";

// The special tokens with their ids; ids without a name get fillers.
inline json tekken_specials(const json_fields& fields, std::uint32_t count, model_data& out) {
  std::vector<std::string> names;
  const bool named = fields.find("special_tokens") != nullptr;
  if (!named) names = split_words(tekken_names);
  names.resize(count);
  for (const json& item : named ? fields.array("special_tokens") : json::array()) {
    const json_fields entry(item, fields.where() + " special_tokens");
    const std::uint32_t rank = entry.number("rank");
    if (rank >= count) entry.fail("rank", "expected less than " + std::to_string(count));
    names[rank] = entry.text("token_str");
  }
  json list = json::array();
  for (std::uint32_t id = 0; id < count; ++id) {
    if (names[id].empty()) names[id] = "<SPECIAL_" + std::to_string(id) + ">";
    out.tokens.add(names[id]), out.ids.push_back(id);
    list.push_back({{"id", id}, {"content", names[id]}, {"normalized", false}, {"special", true}});
  }
  return list;
}

// The pattern and whether NFC comes first. Ranks alone do not say: the class does, else the name
// that OpenAI and Qwen give the file, else the number of ranks; else it is cl100k's (Llama 3 too).
struct rank_rules {
  std::string_view pattern;
  bool nfc = false;
};
inline rank_rules rules_of_ranks(tokenizer_family family, std::string_view file, std::size_t n) {
  namespace k = known_patterns;
  if (family == tokenizer_family::qwen || family == tokenizer_family::qwen2)
    return {k::qwen2, true};
  if (family == tokenizer_family::llama) return {k::cl100k};
  if (file.starts_with("qwen.")) return {k::qwen2, true};
  if (file.starts_with("o200k")) return {k::o200k};
  if (file.starts_with("p50k") || file.starts_with("r50k") || file.starts_with("gpt2"))
    return {k::gpt2};
  if (file.starts_with("cl100k")) return {k::cl100k};
  if (n == 151643) return {k::qwen2, true};
  if (n == 199998 || n == 200000) return {k::o200k};  // GPT-4o; Llama 4
  if (n == 50256 || n == 50257 || n == 50280 || n == 50281) return {k::gpt2};
  return {k::cl100k};
}

inline void convert_ranks(const rank_rules& rules, tokenizer_spec& spec) {
  if (rules.nfc) spec.head["normalizer"] = {{"type", "NFC"}};
  spec.head["model"] = {{"type", "BPE"},
                        {"ignore_merges", true},
                        {"vocab", json::object()},
                        {"merges", json::array()}};
  spec.head["pre_tokenizer"] =
      sequence_json("pretokenizers",
                    json::array({split_json(rules.pattern), byte_level_json(false, false, true)}));
  spec.head["decoder"] = byte_level_json(true, true, true);
  spec.head["post_processor"] = byte_level_json(true, true, false);
}

inline void convert_tiktoken(std::string_view text, tokenizer_family family, std::string_view file,
                             tokenizer_spec& spec) {
  read_tiktoken(text, spec.where, spec.data);
  convert_ranks(rules_of_ranks(family, file, spec.data.tokens.size()), spec);
}

// tekken.json: ids are those of the special tokens, then ranks.
inline void convert_tekken(const std::string& text, tokenizer_spec& spec) {
  const json document = parse_json(text, spec.where);
  const json_fields fields(document, spec.where);
  const json_fields config(fields.at("config"), spec.where + " config");
  const std::uint32_t specials = config.number("default_num_special_tokens");
  const std::uint32_t size = config.number("default_vocab_size");
  const json& vocab = fields.array("vocab");
  if (specials > 100000) config.fail("default_num_special_tokens", "more than 100000");
  if (size < specials || size - specials > vocab.size())
    config.fail("default_vocab_size", "expected " + std::to_string(specials) +
                                          " special tokens and at most the " +
                                          std::to_string(vocab.size()) + " of vocab");
  read_tekken_ranks(vocab, spec.where, size - specials, specials, spec.data);
  spec.head["added_tokens"] = tekken_specials(fields, specials, spec.data);
  const std::string pattern = config.text("pattern");
  convert_ranks({pattern}, spec);
}

inline bool is_tiktoken(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  return line.size() < 4096 && utf8_find_invalid(line) == std::string_view::npos &&
         line.find(' ') != std::string_view::npos && !line.starts_with('\n') &&
         static_cast<unsigned char>(line.empty() ? 0 : line[0]) >= 0x20;
}

}  // namespace impl

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
