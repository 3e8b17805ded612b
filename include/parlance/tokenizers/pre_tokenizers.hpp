// SPDX-License-Identifier: Apache-2.0
// Pre-tokenizers: the stage that cuts normalized text into the pieces a model sees one by one.
// Struct names follow the "type" tags of tokenizer.json. Contract: `pre_tokenize` refines the
// splits of a pre_tokenized and never touches those that are added tokens. `byte_level` cuts only;
// whether its bytes become printable characters is the `materialize` flag, off when a byte-level
// model follows directly. Source: huggingface/tokenizers 0.22, src/pre_tokenizers.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "parlance/tokenizers/byte_level.hpp"
#include "parlance/tokenizers/normalizers.hpp"
#include "parlance/tokenizers/pre_tokenized.hpp"
#include "parlance/tokenizers/splitting.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

template <class P>
concept pre_tokenizing = requires(const P p, pre_tokenized text) {
  { p.pre_tokenize(text) } -> std::same_as<void>;
};

struct no_pre_tokenizer {
  void pre_tokenize(pre_tokenized&) const {}
};

struct byte_level {
  bool add_prefix_space = true, use_regex = true;
  bool materialize = true;
  void pre_tokenize(pre_tokenized& text) const {
    if (add_prefix_space)
      text.rewrite_each([](aligned_text& piece) {
        if (!piece.text().starts_with(' ')) piece.prepend(" ");
      });
    if (use_regex)
      split_by(text, split_behavior::isolated,
               [](std::string_view view, auto f) { each_match(view, scanners::gpt2::match, f); });
    if (materialize)
      text.rewrite_each([](aligned_text& piece) { piece.expand_bytes(byte_level_char); });
  }
};

struct digits {
  bool individual_digits = false;
  void pre_tokenize(pre_tokenized& text) const {
    split_by(text, individual_digits ? split_behavior::isolated : split_behavior::contiguous,
             each_character([](char32_t c) {
               return c < 0x80 ? c >= '0' && c <= '9' : unicode::is_numeric(c);
             }));
  }
};

struct punctuation {
  split_behavior behavior = split_behavior::isolated;
  void pre_tokenize(pre_tokenized& text) const {
    split_by(text, behavior, each_character(unicode::is_punctuation));
  }
};

// Splits at a character, which goes.
struct char_delimiter_split {
  char32_t delimiter = U' ';
  void pre_tokenize(pre_tokenized& text) const {
    split_by(text, split_behavior::removed,
             each_character([this](char32_t c) { return c == delimiter; }));
  }
};

// Pieces of `length` characters, the last one shorter.
struct fixed_length {
  std::uint32_t length = 5;
  void pre_tokenize(pre_tokenized& text) const {
    text.split_each([this](std::string_view view, auto emit) {
      std::size_t begin = 0;
      std::uint32_t count = 0;
      for (std::size_t i = 0; i < view.size(); i += unicode::length_of(view[i]), ++count) {
        if (count < length) continue;
        emit(begin, i);
        begin = i;
        count = 0;
      }
      emit(begin, view.size());
    });
  }
};

// Splits where the script changes; Hiragana and Katakana count as Han. What comes before the first
// character of a script (spaces, unassigned characters) is lost, as in the original.
struct unicode_scripts {
  void pre_tokenize(pre_tokenized& text) const {
    text.split_each([](std::string_view view, auto emit) {
      std::optional<std::size_t> begin;
      std::uint8_t last = unicode::any_script;
      for (std::size_t i = 0; i < view.size();) {
        const unicode::step at = unicode::decode(view, i);
        const std::uint8_t script = unicode::script(at.code_point);
        if (script != unicode::any_script && script != last) {
          if (begin) emit(*begin, i);
          begin = i;
          last = script;
        }
        i += at.length;
      }
      if (begin) emit(*begin, view.size());
    });
  }
};

struct split_pattern {
  pattern what;
  split_behavior behavior = split_behavior::isolated;
  bool invert = false;
  void pre_tokenize(pre_tokenized& text) const {
    split_by(text, behavior, [&](std::string_view view, auto f) {
      what.each(view, [&](std::size_t b, std::size_t e, bool match) { f(b, e, match != invert); });
    });
  }
};

struct metaspace {
  enum class scheme { always, first, never };
  std::string replacement = "\xE2\x96\x81";
  scheme prepend_scheme = scheme::always;
  bool split = true;
  void pre_tokenize(pre_tokenized& text) const {
    text.rewrite_each([&](aligned_text& piece) {
      const bool at_start = !piece.empty() && piece.begins_at_origin();
      piece.replace(
          [](std::string_view t, auto f) {
            each_match(
                t, [](std::string_view s, std::size_t i) { return i + (s[i] == ' '); }, f);
          },
          replacement);
      if (prepend_scheme == scheme::never || piece.text().starts_with(replacement)) return;
      if (prepend_scheme == scheme::always || at_start) piece.prepend(replacement);
    });
    if (split)
      split_by(text, split_behavior::merged_with_next, [&](std::string_view view, auto f) {
        each_match(
            view,
            [&](std::string_view t, std::size_t i) {
              return t.substr(i).starts_with(replacement) ? i + replacement.size() : i;
            },
            f);
      });
  }
};

struct whitespace {
  void pre_tokenize(pre_tokenized& text) const {
    text.split_each([](std::string_view view, auto emit) {
      each_match(view, scanners::words_or_symbols::match,
                 [&](std::size_t b, std::size_t e, bool match) {
                   if (match) emit(b, e);
                 });
    });
  }
};

struct whitespace_split {
  void pre_tokenize(pre_tokenized& text) const {
    split_by(text, split_behavior::removed, each_character(unicode::is_white_space));
  }
};

struct bert_pre_tokenizer {
  void pre_tokenize(pre_tokenized& text) const {
    whitespace_split{}.pre_tokenize(text);
    punctuation{}.pre_tokenize(text);
  }
};

struct pre_tokenizer;
struct pre_tokenizer_sequence {
  std::vector<pre_tokenizer> items;
  void pre_tokenize(pre_tokenized& text) const;
};

// Any pre-tokenizer that tokenizer.json can hold.
struct pre_tokenizer {
  std::variant<no_pre_tokenizer, byte_level, bert_pre_tokenizer, char_delimiter_split, digits,
               fixed_length, punctuation, split_pattern, metaspace, unicode_scripts, whitespace,
               whitespace_split, pre_tokenizer_sequence>
      value;
  void pre_tokenize(pre_tokenized& text) const {
    std::visit([&](const auto& p) { p.pre_tokenize(text); }, value);
  }
  // True when pre_tokenize depends on alignments (they are then kept on the ids-only path too).
  bool needs_alignment() const {
    if (const auto* m = std::get_if<metaspace>(&value))
      return m->prepend_scheme == metaspace::scheme::first;
    const auto* sequence = std::get_if<pre_tokenizer_sequence>(&value);
    return sequence && std::any_of(sequence->items.begin(), sequence->items.end(),
                                   [](const pre_tokenizer& p) { return p.needs_alignment(); });
  }
  // The byte_level that is the last step, or nullptr.
  byte_level* final_byte_level() {
    if (auto* self = std::get_if<byte_level>(&value)) return self;
    auto* sequence = std::get_if<pre_tokenizer_sequence>(&value);
    if (!sequence || sequence->items.empty()) return nullptr;
    return sequence->items.back().final_byte_level();
  }
  static pre_tokenizer from_json(const json& node);
};

inline void pre_tokenizer_sequence::pre_tokenize(pre_tokenized& text) const {
  for (const pre_tokenizer& p : items) p.pre_tokenize(text);
}

namespace impl {

inline metaspace metaspace_from_json(const json_fields& fields) {
  metaspace out;
  out.replacement = fields.character("replacement");
  using scheme = metaspace::scheme;
  out.prepend_scheme =
      static_cast<scheme>(fields.choice("prepend_scheme", {"always", "first", "never"}, 0));
  if (!fields.flag("add_prefix_space", true) && out.prepend_scheme != scheme::never)
    fields.fail("add_prefix_space", "false needs \"prepend_scheme\": \"never\"");
  out.split = fields.flag("split", true);
  return out;
}

inline split_behavior behavior_from_json(const json_fields& fields) {
  return static_cast<split_behavior>(fields.choice("behavior", split_behavior_names()));
}

inline fixed_length fixed_length_from_json(const json_fields& fields) {
  const std::uint32_t length = fields.number("length", 5);
  if (length == 0) fields.fail("length", "expected a number above 0");
  return {length};
}

}  // namespace impl

inline pre_tokenizer pre_tokenizer::from_json(const json& node) {
  if (node.is_null()) return {};
  const json_fields fields(node, "pre_tokenizer");
  const std::string type = fields.text("type");
  if (type == "BertPreTokenizer") return {bert_pre_tokenizer{}};
  if (type == "ByteLevel")
    return {byte_level{fields.flag("add_prefix_space"), fields.flag("use_regex", true)}};
  if (type == "CharDelimiterSplit") {
    const std::string delimiter = fields.character("delimiter");
    return {char_delimiter_split{unicode::decode(delimiter, 0).code_point}};
  }
  if (type == "Digits") return {digits{fields.flag("individual_digits")}};
  if (type == "FixedLength") return {impl::fixed_length_from_json(fields)};
  if (type == "Metaspace") return {impl::metaspace_from_json(fields)};
  if (type == "Punctuation")
    return {punctuation{fields.find("behavior") ? impl::behavior_from_json(fields)
                                                : split_behavior::isolated}};
  if (type == "Split")
    return {split_pattern{pattern_from_json(fields), impl::behavior_from_json(fields),
                          fields.flag("invert")}};
  if (type == "UnicodeScripts") return {unicode_scripts{}};
  if (type == "Whitespace") return {whitespace{}};
  if (type == "WhitespaceSplit") return {whitespace_split{}};
  if (type == "Sequence") {
    pre_tokenizer_sequence sequence;
    for (const json& item : fields.array("pretokenizers"))
      sequence.items.push_back(from_json(item));
    return {std::move(sequence)};
  }
  unsupported_component("pre_tokenizer", type,
                        "BertPreTokenizer, ByteLevel, CharDelimiterSplit, Digits, FixedLength, "
                        "Metaspace, Punctuation, Sequence, Split, UnicodeScripts, Whitespace, "
                        "WhitespaceSplit");
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
