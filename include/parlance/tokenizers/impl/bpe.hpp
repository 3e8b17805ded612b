// SPDX-License-Identifier: Apache-2.0
// Bodies of bpe.hpp: building the tables from vocabulary and merges, and initial symbols of
// character models.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "parlance/tokenizers/bpe.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

inline bpe::bpe(const model_data& data, bpe_options options, bool byte_level)
    : options_(std::move(options)) {
  affixed_ = !options_.continuing_subword_prefix.empty() || !options_.end_of_word_suffix.empty();
  byte_level_ = byte_level && !affixed_ && !options_.byte_fallback;
  build_tokens(data);
  build_merges(data);
  if (options_.unk_token) unk_id_ = token_to_id(*options_.unk_token);
  if (byte_level_) {
    for (unsigned b = 0; b < 256; ++b) {
      const char raw = static_cast<char>(b);
      byte_ids_[b] = table_.find({&raw, 1});
    }
  } else {
    character_ids_.assign(0x10000, none);
    for (std::uint32_t e = 0; e < table_.size(); ++e)
      if (const std::string_view t = table_.text(e);
          !t.empty() && unicode::length_of(t[0]) == t.size())
        if (const char32_t c = unicode::decode(t, 0).code_point; c < character_ids_.size())
          character_ids_[c] = table_.id(e);
  }
  fallback_complete_ = options_.byte_fallback && bytes_complete();
  build_junctions();
}

inline bool bpe::bytes_complete() const {
  return std::find(fallback_ids_.begin(), fallback_ids_.end(), none) == fallback_ids_.end();
}

inline void bpe::build_tokens(const model_data& data) {
  const std::size_t n = data.tokens.size();
  const std::uint32_t limit = id_limit(data);
  table_.reserve(n, data.tokens.bytes());
  of_id_.assign(limit, none);
  std::string raw;
  for (std::size_t i = 0; i < n; ++i) {
    raw.clear();
    if (!byte_level_)
      table_.add(data.tokens[i], data.ids[i]);
    else if (byte_level_decode(data.tokens[i], raw))
      table_.add(raw, data.ids[i]);
    else
      foreign_.add(data.tokens[i], data.ids[i]);
  }
  for (std::uint32_t e = 0; e < foreign_.size(); ++e) of_id_[foreign_.id(e)] = e | foreign_bit;
  for (std::uint32_t e = 0; e < table_.size(); ++e) of_id_[table_.id(e)] = e;
  reachable_ = std::make_unique<std::atomic<std::uint8_t>[]>(limit);
  fallback_ids_ = byte_token_ids([&](std::string_view token) { return table_.find(token); });
}

// The id of one side of a merge; an error names the merge.
inline std::uint32_t bpe::merge_part(std::string_view part, std::size_t index) const {
  const std::uint32_t id = token_to_id(part);
  if (id == none)
    throw format_error("tokenizer.json", -1,
                       "model: merge " + std::to_string(index) + " uses the token '" +
                           std::string(part) + "', which is not in the vocabulary");
  return id;
}

inline void bpe::build_merges(const model_data& data) {
  const std::size_t n = data.merges.size() / 2;
  const std::string& prefix = options_.continuing_subword_prefix;
  merges_.reserve(n);
  std::string joined;
  std::uint32_t next = none;  // merges and their tokens mostly come in one order
  for (std::size_t i = 0; i < n; ++i) {
    std::string_view left = data.merges[2 * i], right = data.merges[2 * i + 1];
    if (left.empty() || right.size() <= (right.starts_with(prefix) ? prefix.size() : 0))
      throw format_error("tokenizer.json", -1,
                         "model: merge " + std::to_string(i) + " has an empty side");
    const std::uint32_t a = merge_part(left, i), b = merge_part(right, i);
    if (right.starts_with(prefix)) right.remove_prefix(prefix.size());
    joined.clear();
    if (!byte_level_ || !byte_level_decode(left, joined) || !byte_level_decode(right, joined))
      (joined = left) += right;
    const bool guessed =
        next < of_id_.size() && of_id_[next] < foreign_bit && table_.text(of_id_[next]) == joined;
    const std::uint32_t id = guessed ? next : table_.find(joined);
    next = 1 + (id == none ? merge_part((joined = left) += right, i) : id);
    merges_.add(a, b, {static_cast<std::uint32_t>(i), next - 1});
  }
}

// Which characters may stand on the two sides of a merge: everywhere else text can be cut before
// merging. Only for models where every character gets a symbol of its own and byte tokens never
// merge, so that nothing else joins across a cut.
inline void bpe::build_junctions() {
  cuttable_ = !byte_level_ && !affixed_ && fallback_complete_;
  if (!cuttable_) return;
  std::vector<bool> is_byte(of_id_.size());
  for (const std::uint32_t id : fallback_ids_) is_byte[id] = true;
  std::vector<std::uint64_t> pairs;
  merges_.each([&](std::uint32_t left, std::uint32_t right, pair_table::merge) {
    if (is_byte[left] || is_byte[right]) cuttable_ = false;
    const std::string_view a = table_.text(of_id_[left]), b = table_.text(of_id_[right]);
    const char32_t x = unicode::decode_before(a, a.size()).code_point;
    const char32_t y = unicode::decode(b, 0).code_point;
    if (x < 128 && y < 128)
      ascii_junctions_[x * 2 + y / 64] |= std::uint64_t{1} << (y % 64);
    else
      pairs.push_back(std::uint64_t{x} << 32 | y);
  });
  std::sort(pairs.begin(), pairs.end());
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  junctions_.reserve(pairs.size());
  for (const std::uint64_t p : pairs)
    junctions_.add(static_cast<std::uint32_t>(p >> 32), static_cast<std::uint32_t>(p), {0, 0});
}

inline std::uint32_t bpe::character_id(std::string_view character, bool first, bool last) const {
  if (!affixed_) {
    const char32_t c = unicode::decode(character, 0).code_point;
    return c < character_ids_.size() ? character_ids_[c] : table_.find(character);
  }
  std::string affixed;
  if (!first) affixed = options_.continuing_subword_prefix;
  affixed += character;
  if (last) affixed += options_.end_of_word_suffix;
  return table_.find(affixed);
}

inline bool bpe::start_characters(std::string_view piece, std::vector<bpe_symbol>& out) const {
  unknowns pending{*this, out};
  bool complete = true;
  for (std::size_t i = 0; i < piece.size();) {
    const std::uint32_t n = unicode::length_of(piece[i]);
    const std::string_view character = piece.substr(i, n);
    const std::uint32_t id = character_id(character, i == 0, i + n == piece.size());
    i += n;
    if (id != none) {
      pending.flush();
      out.push_back({id, n});
      continue;
    }
    if (options_.byte_fallback) {
      const auto id_of = [&](char b) { return fallback_ids_[static_cast<unsigned char>(b)]; };
      if (std::all_of(character.begin(), character.end(),
                      [&](char b) { return id_of(b) != none; })) {
        for (const char b : character) out.push_back({id_of(b), 1});
        continue;
      }
    }
    if (!pending.add(n)) complete = false;
  }
  pending.flush();
  return complete;
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
