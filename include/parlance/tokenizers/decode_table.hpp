// SPDX-License-Identifier: Apache-2.0
// Decoding by table: for most decoders a token that is not the first one always becomes the same
// text, so it is worked out once for the whole vocabulary. Only long lists of ids come here; the
// table costs as much as decoding the vocabulary once.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "parlance/tokenizers/decoders.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

// A decoder taken apart: stages that see one token at a time, then perhaps bytes from <0x00> ...
// <0xFF>, then stages that see the whole text.
struct decode_plan {
  std::vector<decoder> each;
  bool byte_level = false, byte_fallback = false, joined = false;
  std::vector<decoder> whole;

  // Nothing when the decoder cannot be taken apart like that.
  static std::optional<decode_plan> of(const decoder& d) {
    decode_plan plan;
    if (!plan.add(d)) return std::nullopt;
    return plan;
  }

 private:
  bool add(const decoder& d) {
    if (const auto* list = std::get_if<decoder_sequence>(&d.value)) {
      for (const decoder& item : list->items)
        if (!add(item)) return false;
      return true;
    }
    if (joined) {
      whole.push_back(d);
    } else if (std::holds_alternative<byte_level_decoder>(d.value)) {
      if (byte_fallback) return false;
      byte_level = joined = true;
    } else if (std::holds_alternative<fuse_decoder>(d.value)) {
      joined = true;
    } else if (byte_fallback || std::holds_alternative<bpe_decoder>(d.value) ||
               std::holds_alternative<ctc_decoder>(d.value) ||
               std::holds_alternative<piece_decoder>(d.value)) {
      return false;
    } else if (std::holds_alternative<byte_fallback_decoder>(d.value)) {
      byte_fallback = true;
    } else {
      each.push_back(d);
    }
    return true;
  }
};

class decode_table {
 public:
  // text_of(id) is the token or nothing, special(id) whether it may be skipped.
  template <class TextOf, class Special>
  decode_table(decode_plan plan, std::int32_t limit, TextOf text_of, Special special)
      : plan_(std::move(plan)) {
    records_.reserve(static_cast<std::size_t>(limit));
    for (std::int32_t id = 0; id < limit; ++id) {
      record r{static_cast<std::uint32_t>(texts_.size()), 0, -1, false, false};
      if (std::optional<std::string> token = text_of(id)) {
        r.there = true;
        r.special = special(id);
        const std::string text = stages(std::move(*token), false);
        if (plan_.byte_fallback)
          r.byte = static_cast<std::int16_t>(byte_fallback_decoder::byte_of(text));
        if (!plan_.byte_level || !byte_level_decode(text, texts_)) texts_ += text;
        r.length = static_cast<std::uint32_t>(texts_.size()) - r.begin;
      }
      records_.push_back(r);
    }
  }

  template <class TextOf>
  std::string decode(std::span<const std::int32_t> ids, bool skip_special, TextOf text_of) const {
    std::string out, bytes;
    out.reserve(ids.size() * 5);
    const auto flush = [&] {
      if (bytes.empty()) return;
      for (const std::string& part : byte_fallback_decoder::join(bytes)) out += part;
      bytes.clear();
    };
    bool first = true;
    for (const std::int32_t id : ids) {
      if (id < 0 || static_cast<std::size_t>(id) >= records_.size()) continue;
      const record& r = records_[static_cast<std::size_t>(id)];
      if (!r.there || (skip_special && r.special)) continue;
      if (r.byte >= 0) {
        bytes.push_back(static_cast<char>(r.byte));
      } else {
        flush();
        if (first)
          add_first(*text_of(id), out);
        else
          out.append(texts_, r.begin, r.length);
      }
      first = false;
    }
    flush();
    if (plan_.byte_level) out = utf8_replace_invalid(out);
    if (plan_.whole.empty()) return out;
    string_chain chain{std::move(out)};
    for (const decoder& d : plan_.whole) chain = d.decode_chain(std::move(chain));
    return fuse_decoder().decode_chain(std::move(chain))[0];
  }

 private:
  struct record {
    std::uint32_t begin, length;
    std::int16_t byte;  // that the token stands for, or -1
    bool there, special;
  };

  std::string stages(std::string token, bool first) const {
    string_chain chain;
    if (!first) chain.emplace_back();
    chain.push_back(std::move(token));
    for (const decoder& d : plan_.each) chain = d.decode_chain(std::move(chain));
    return chain.back();
  }
  void add_first(std::string token, std::string& out) const {
    const std::string text = stages(std::move(token), true);
    if (!plan_.byte_level || !byte_level_decode(text, out)) out += text;
  }

  decode_plan plan_;
  std::string texts_;
  std::vector<record> records_;
};

// Made at the first need, by whoever needs it first.
struct lazy_decode_table {
  std::once_flag once;
  std::optional<decode_table> table;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
