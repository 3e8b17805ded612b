// SPDX-License-Identifier: Apache-2.0
// Normalizers: the stage that rewrites raw text before it is split. Struct names follow the "type"
// tags of tokenizer.json. Contract: `normalize` changes an aligned_text; `unchanged` may say true
// only when normalize would do nothing. Source: huggingface/tokenizers 0.22, src/normalizers.
#pragma once

#include <algorithm>
#include <concepts>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "parlance/tokenizers/aligned_text.hpp"
#include "parlance/tokenizers/bert_normalizer.hpp"
#include "parlance/tokenizers/byte_level.hpp"
#include "parlance/tokenizers/json_fields.hpp"
#include "parlance/tokenizers/pattern.hpp"
#include "parlance/tokenizers/precompiled.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

template <class N>
concept normalizing = requires(const N n, aligned_text text, std::string_view view) {
  { n.normalize(text) } -> std::same_as<void>;
  { n.unchanged(view) } -> std::convertible_to<bool>;
};

struct no_normalizer {
  void normalize(aligned_text&) const {}
  bool unchanged(std::string_view) const { return true; }
};

template <unicode::form Form>
struct unicode_form {
  void normalize(aligned_text& text) const {
    if (!unchanged(text.text())) text.transform(unicode::normalize(text.text(), Form));
  }
  bool unchanged(std::string_view text) const { return unicode::is_normalized(text, Form); }
};
using nfc = unicode_form<unicode::form::nfc>;
using nfd = unicode_form<unicode::form::nfd>;
using nfkc = unicode_form<unicode::form::nfkc>;
using nfkd = unicode_form<unicode::form::nfkd>;

struct lowercase {
  void normalize(aligned_text& text) const {
    text.rewrite([](auto& out) { unicode::to_lower_case(out); });
  }
  bool unchanged(std::string_view text) const {
    return std::all_of(text.begin(), text.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x80 && !(c >= 'A' && c <= 'Z');
    });
  }
};

struct strip_spaces {
  bool left = true, right = true;
  void normalize(aligned_text& text) const {
    const std::string_view t = text.text();
    std::size_t begin = 0, end = t.size();
    if (left) begin = unicode::run(t, 0, [](auto x) { return x & unicode::white_space; });
    while (right && end > begin) {
      const unicode::step last = unicode::decode_before(t, end);
      if (!unicode::is_white_space(last.code_point)) break;
      end -= last.length;
    }
    if (begin > 0 || end < t.size()) text.trim(begin, end);
  }
  bool unchanged(std::string_view) const { return false; }
};

// Drops marks; it decomposes nothing.
struct strip_accents {
  void normalize(aligned_text& text) const {
    text.filter([](char32_t c) { return !(unicode::details(c) & unicode::mark); });
  }
  bool unchanged(std::string_view text) const { return is_ascii(text); }
};

// The control and space rules of SentencePiece's nmt maps.
struct nmt {
  void normalize(aligned_text& text) const {
    text.filter([](char32_t c) {
      return !((c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F ||
               c == 0x8F || c == 0x9F);
    });
    text.map([](char32_t c) {
      const bool blank = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                         (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 ||
                         c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
      return blank ? U' ' : c;
    });
  }
  bool unchanged(std::string_view text) const {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
  }
};

// Every byte becomes its printable character.
struct byte_level_normalizer {
  void normalize(aligned_text& text) const { text.expand_bytes(byte_level_char); }
  bool unchanged(std::string_view text) const {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
  }
};

struct prepend {
  std::string prefix;
  void normalize(aligned_text& text) const { text.prepend(prefix); }
  bool unchanged(std::string_view text) const { return prefix.empty() || text.empty(); }
};

struct replace {
  pattern what;
  std::string content;
  void normalize(aligned_text& text) const {
    if (unchanged(text.text())) return;
    text.replace([&](std::string_view t, auto f) { what.each(t, f); }, content);
  }
  bool unchanged(std::string_view text) const {
    return text.empty() || (!what.is_regex() && !what.source().empty() &&
                            text.find(what.source()) == std::string_view::npos);
  }
};

struct normalizer;
struct normalizer_sequence {
  std::vector<normalizer> items;
  void normalize(aligned_text& text) const;
  bool unchanged(std::string_view text) const;
};

// Any normalizer that tokenizer.json can hold.
struct normalizer {
  std::variant<no_normalizer, nfc, nfd, nfkc, nfkd, lowercase, strip_spaces, strip_accents, nmt,
               byte_level_normalizer, prepend, replace, bert_normalizer, precompiled,
               normalizer_sequence>
      value;
  void normalize(aligned_text& text) const {
    std::visit([&](const auto& n) { n.normalize(text); }, value);
  }
  bool unchanged(std::string_view text) const {
    return std::visit([&](const auto& n) { return n.unchanged(text); }, value);
  }
  static normalizer from_json(const json& node);
};

inline void normalizer_sequence::normalize(aligned_text& text) const {
  for (const normalizer& n : items) n.normalize(text);
}
inline bool normalizer_sequence::unchanged(std::string_view text) const {
  return std::all_of(items.begin(), items.end(),
                     [&](const normalizer& n) { return n.unchanged(text); });
}

// {"String": s} or {"Regex": r}.
inline pattern pattern_from_json(const json_fields& parent) {
  const json_fields fields(parent.at("pattern"), parent.where() + " pattern");
  if (parent.at("pattern").size() != 1)
    parent.fail("pattern", "expected {\"String\": ...} or {\"Regex\": ...}");
  if (fields.find("String")) return pattern::literal(fields.text("String"));
  return pattern::regular_expression(fields.text("Regex"));
}

inline normalizer normalizer::from_json(const json& node) {
  if (node.is_null()) return {};
  const json_fields fields(node, "normalizer");
  const std::string type = fields.text("type");
  if (type == "NFC") return {nfc{}};
  if (type == "NFD") return {nfd{}};
  if (type == "NFKC") return {nfkc{}};
  if (type == "NFKD") return {nfkd{}};
  if (type == "Lowercase") return {lowercase{}};
  if (type == "Strip") return {strip_spaces{fields.flag("strip_left"), fields.flag("strip_right")}};
  if (type == "StripAccents") return {strip_accents{}};
  if (type == "Nmt") return {nmt{}};
  if (type == "ByteLevel") return {byte_level_normalizer{}};
  if (type == "BertNormalizer") {
    const bool lower = fields.flag("lowercase");
    return {bert_normalizer{fields.flag("clean_text"), fields.flag("handle_chinese_chars"),
                            fields.flag("strip_accents", lower), lower}};
  }
  if (type == "Precompiled")
    return {precompiled::from_base64(fields.text("precompiled_charsmap"),
                                     "normalizer Precompiled precompiled_charsmap")};
  if (type == "Prepend") return {prepend{fields.text("prepend")}};
  if (type == "Replace") return {replace{pattern_from_json(fields), fields.text("content")}};
  if (type == "Sequence") {
    normalizer_sequence sequence;
    for (const json& item : fields.array("normalizers")) sequence.items.push_back(from_json(item));
    return {std::move(sequence)};
  }
  unsupported_component("normalizer", type,
                        "BertNormalizer, ByteLevel, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, "
                        "Precompiled, Prepend, Replace, Sequence, Strip, StripAccents");
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
