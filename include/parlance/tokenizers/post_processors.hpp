// SPDX-License-Identifier: Apache-2.0
// Post-processors: special tokens around sequences, type ids, trimmed offsets. Struct names follow
// the "type" tags of tokenizer.json; BertProcessing and RobertaProcessing are templates here.
// Contract: `process` takes one or two encodings and gives a list to be merged in order.
// Source: huggingface/tokenizers 0.22, src/processors.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "parlance/tokenizers/encoding.hpp"
#include "parlance/tokenizers/json_fields.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

template <class P>
concept post_processing = requires(const P p, std::vector<encoding> list, bool flag) {
  { p.process(list, flag) } -> std::same_as<std::vector<encoding>>;
  { p.added_tokens(flag) } -> std::convertible_to<std::size_t>;
};

struct no_post_processor {
  std::vector<encoding> process(std::vector<encoding> list, bool) const { return list; }
  std::size_t added_tokens(bool) const { return 0; }
};

struct template_processing {
  struct special_token {
    std::string name;
    std::vector<std::int32_t> ids;
    std::vector<std::string> tokens;
  };
  struct piece {
    int sequence = -1;        // 0: A, 1: B, -1: a special token
    std::size_t special = 0;  // index in `specials`
    std::int32_t type_id = 0;
  };
  std::vector<special_token> specials;
  std::vector<piece> single, pair;
  bool types_of_overflowing = false;  // RobertaProcessing gives its type ids to what overflows too

  std::vector<encoding> process(std::vector<encoding> list, bool add_special_tokens) const {
    std::vector<encoding> out;
    const std::vector<piece>& pieces = list.size() > 1 ? pair : single;
    for (auto at = pieces.begin(); at != pieces.end(); ++at) {
      const piece& p = *at;
      if (p.sequence >= 0) {
        encoding& from = list.at(static_cast<std::size_t>(p.sequence));
        const bool again = std::any_of(
            at + 1, pieces.end(), [&](const piece& later) { return later.sequence == p.sequence; });
        out.push_back(again ? from : std::move(from));
        out.back().set_type(p.type_id);
        if (types_of_overflowing && add_special_tokens)
          for (encoding& part : out.back().overflowing) part.set_type(p.type_id);
        out.back().set_sequence(p.sequence);
      } else if (add_special_tokens) {
        const special_token& token = specials[p.special];
        encoding e;
        for (std::size_t i = 0; i < token.ids.size(); ++i)
          e.push_special(token.ids[i], token.tokens[i], p.type_id);
        out.push_back(std::move(e));
      }
    }
    return out;
  }
  std::size_t added_tokens(bool is_pair) const {
    std::size_t count = 0;
    for (const piece& p : is_pair ? pair : single)
      if (p.sequence < 0) count += specials[p.special].ids.size();
    return count;
  }
};

// Takes leading and trailing spaces out of the offsets (of characters).
struct trim_offsets {
  bool enabled = true, add_prefix_space = true;
  std::vector<encoding> process(std::vector<encoding> list, bool) const {
    if (enabled)
      for (encoding& e : list) trim(e);
    return list;
  }
  std::size_t added_tokens(bool) const { return 0; }

 private:
  void trim(encoding& e) const {
    for (std::size_t i = 0; i < e.size(); ++i) trim(e.tokens[i], e.offsets[i], i == 0);
    for (encoding& part : e.overflowing) trim(part);
  }
  void trim(std::string_view token, byte_range& at, bool first) const {
    const auto blank = [](char32_t c) { return c == 0x120 || unicode::is_white_space(c); };
    std::uint32_t leading = 0, trailing = 0;
    for (std::size_t i = 0; i < token.size(); ++leading) {
      const unicode::step s = unicode::decode(token, i);
      if (!blank(s.code_point)) break;
      i += s.length;
    }
    for (std::size_t i = token.size(); i > 0; ++trailing) {
      const unicode::step s = unicode::decode_before(token, i);
      if (!blank(s.code_point)) break;
      i -= s.length;
    }
    if (leading > 0) {
      if ((first || at.begin == 0) && add_prefix_space && leading == 1) leading = 0;
      at.begin = std::min(at.begin + leading, at.end);
    }
    if (trailing > 0 && at.end >= trailing) at.end = std::max(at.end - trailing, at.begin);
  }
};

struct post_processor;
struct post_processor_sequence {
  std::vector<post_processor> items;
  std::vector<encoding> process(std::vector<encoding> list, bool add_special_tokens) const;
  std::size_t added_tokens(bool is_pair) const;
};

// Any post-processor that tokenizer.json can hold.
struct post_processor {
  std::variant<no_post_processor, template_processing, trim_offsets, post_processor_sequence> value;
  std::vector<encoding> process(std::vector<encoding> list, bool add_special_tokens) const {
    return std::visit([&](const auto& p) { return p.process(std::move(list), add_special_tokens); },
                      value);
  }
  std::size_t added_tokens(bool is_pair) const {
    return std::visit([&](const auto& p) { return p.added_tokens(is_pair); }, value);
  }
  // True when nothing is done to ids but a template around them; `around` is it, or nullptr.
  bool ids_template(const template_processing*& around) const;
  static post_processor from_json(const json& node);
};

inline std::vector<encoding> post_processor_sequence::process(std::vector<encoding> list,
                                                              bool add_special_tokens) const {
  for (const post_processor& p : items) list = p.process(std::move(list), add_special_tokens);
  return list;
}
inline std::size_t post_processor_sequence::added_tokens(bool is_pair) const {
  std::size_t count = 0;
  for (const post_processor& p : items) count += p.added_tokens(is_pair);
  return count;
}

inline bool post_processor::ids_template(const template_processing*& around) const {
  if (const auto* t = std::get_if<template_processing>(&value)) {
    if (around) return false;
    around = t;
    return true;
  }
  if (const auto* s = std::get_if<post_processor_sequence>(&value))
    return std::all_of(s->items.begin(), s->items.end(),
                       [&](const post_processor& p) { return p.ids_template(around); });
  return true;
}

namespace impl {

inline template_processing template_from_json(const json_fields& fields) {
  template_processing out;
  const json& specials = fields.at("special_tokens");
  if (!specials.is_object()) fields.fail("special_tokens", "expected an object");
  for (const auto& [name, value] : specials.items()) {
    const json_fields token(value, "TemplateProcessing special token");
    template_processing::special_token s{name, {}, {}};
    for (const json& id : token.array("ids"))
      s.ids.push_back(static_cast<std::int32_t>(token.as_number("ids", id)));
    for (const json& text : token.array("tokens"))
      s.tokens.push_back(token.as_text("tokens", text));
    if (s.ids.size() != s.tokens.size()) token.fail("ids", "not as many as tokens");
    out.specials.push_back(std::move(s));
  }
  const auto pieces = [&](const char* name, bool is_pair) {
    std::vector<template_processing::piece> list;
    for (const json& item : fields.array(name)) {
      const bool is_sequence = item.is_object() && item.contains("Sequence");
      const json_fields outer(item, "TemplateProcessing " + std::string(name));
      const json_fields inner(outer.at(is_sequence ? "Sequence" : "SpecialToken"), outer.where());
      template_processing::piece p;
      p.type_id = static_cast<std::int32_t>(inner.number("type_id", 0));
      const std::string id = inner.text("id");
      if (is_sequence) {
        if (id != "A" && !(id == "B" && is_pair)) inner.fail("id", "unknown sequence");
        p.sequence = id == "B";
      } else {
        const auto same = [&](const auto& s) { return s.name == id; };
        const auto at = std::find_if(out.specials.begin(), out.specials.end(), same);
        if (at == out.specials.end()) inner.fail("id", "not among special_tokens");
        p.special = static_cast<std::size_t>(at - out.specials.begin());
      }
      list.push_back(p);
    }
    return list;
  };
  out.single = pieces("single", false);
  out.pair = pieces("pair", true);
  return out;
}

// `cls A sep` and either `B sep` (BERT, type 1) or `sep B sep` (RoBERTa, all type 0).
inline template_processing classifier_template(const json_fields& fields, bool roberta) {
  template_processing out;
  out.types_of_overflowing = roberta;
  for (const char* name : {"cls", "sep"}) {
    const json& token = fields.array(name);
    if (token.size() != 2) fields.fail(name, "expected [token, id]");
    const std::string text = fields.as_text(name, token[0]);
    const auto id = static_cast<std::int32_t>(fields.as_number(name, token[1]));
    out.specials.push_back({text, {id}, {text}});
  }
  using piece = template_processing::piece;
  const piece cls{-1, 0, 0}, sep{-1, 1, 0}, a{0, 0, 0};
  const std::int32_t second = roberta ? 0 : 1;
  out.single = out.pair = {cls, a, sep};
  if (roberta) out.pair.push_back(sep);
  out.pair.push_back(piece{1, 0, second});
  out.pair.push_back(piece{-1, 1, second});
  return out;
}

}  // namespace impl

inline post_processor post_processor::from_json(const json& node) {
  if (node.is_null()) return {};
  const json_fields fields(node, "post_processor");
  const std::string type = fields.text("type");
  const auto trim = [&] {
    return trim_offsets{fields.flag("trim_offsets"), fields.flag("add_prefix_space")};
  };
  if (type == "TemplateProcessing") return {impl::template_from_json(fields)};
  if (type == "ByteLevel") return {trim()};
  if (type == "BertProcessing") return {impl::classifier_template(fields, false)};
  if (type == "RobertaProcessing") {
    post_processor_sequence sequence;
    sequence.items.push_back({trim()});
    sequence.items.push_back({impl::classifier_template(fields, true)});
    return {std::move(sequence)};
  }
  if (type == "Sequence") {
    post_processor_sequence sequence;
    for (const json& item : fields.array("processors")) sequence.items.push_back(from_json(item));
    return {std::move(sequence)};
  }
  unsupported_component(
      "post_processor", type,
      "BertProcessing, ByteLevel, RobertaProcessing, Sequence, TemplateProcessing");
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
