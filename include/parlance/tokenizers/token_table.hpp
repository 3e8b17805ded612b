// SPDX-License-Identifier: Apache-2.0
// Flat hash tables for vocabularies: byte strings to ids and back (token_table), and pairs of ids
// to merges (pair_table). Strings lie in one arena; look-ups never allocate.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/core/error.hpp"
#include "parlance/tokenizers/string_list.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

// What a model is built from.
struct model_data {
  string_list tokens;
  std::vector<std::uint32_t> ids;  // of the tokens
  std::vector<double> scores;      // of the tokens (Unigram, where ids count up from 0)
  string_list merges;              // two strings a merge, in order of rank (BPE)
};

inline std::uint64_t hash_bytes(std::string_view s) {
  constexpr std::uint64_t k = 0x9E3779B97F4A7C15ull;
  const char* p = s.data();
  std::size_t n = s.size();
  std::uint64_t h = n * k;
  const auto mix = [&](std::uint64_t v) {
    h = (h ^ v) * k;
    h ^= h >> 32;
  };
  std::uint64_t v = 0;
  if (n >= 8) {
    for (; n > 8; p += 8, n -= 8) {
      std::memcpy(&v, p, 8);
      mix(v);
    }
    std::memcpy(&v, p + n - 8, 8);
  } else if (n >= 4) {
    std::uint32_t a = 0, b = 0;
    std::memcpy(&a, p, 4);
    std::memcpy(&b, p + n - 4, 4);
    v = std::uint64_t{a} << 32 | b;
  } else if (n > 0) {
    const auto byte = [&](std::size_t i) {
      return std::uint64_t{static_cast<unsigned char>(p[i])};
    };
    v = byte(0) << 16 | byte(n / 2) << 8 | byte(n - 1);
  }
  mix(v);
  return h;
}

inline std::size_t power_of_two_above(std::size_t n) {
  std::size_t size = 16;
  while (size < n) size *= 2;
  return size;
}

class token_table {
 public:
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

  void reserve(std::size_t tokens, std::size_t bytes) {
    entries_.reserve(tokens);
    arena_.reserve(bytes);
    rehash(power_of_two_above(tokens * 2));
  }
  // A string that is there already gets the new id.
  void add(std::string_view token, std::uint32_t id) {
    if (arena_.size() + token.size() > none)
      throw format_error("vocabulary", -1, "more than 4 GiB of tokens");
    if ((entries_.size() + 1) * 2 > slots_.size()) rehash(power_of_two_above(slots_.size() * 2));
    const std::uint64_t hash = hash_bytes(token);
    slot& at = slots_[locate(token, hash)];
    if (at.entry != none) {
      entries_[at.entry].id = id;
      return;
    }
    at = {static_cast<std::uint32_t>(hash >> 32), static_cast<std::uint32_t>(entries_.size())};
    entries_.push_back(
        {static_cast<std::uint32_t>(arena_.size()), static_cast<std::uint32_t>(token.size()), id});
    arena_ += token;
  }
  // The id of a token, or `none`.
  std::uint32_t find(std::string_view token) const {
    if (slots_.empty()) return none;
    const slot& at = slots_[locate(token, hash_bytes(token))];
    return at.entry == none ? none : entries_[at.entry].id;
  }
  std::size_t size() const { return entries_.size(); }
  std::string_view text(std::size_t entry) const {
    const record& e = entries_[entry];
    return {arena_.data() + e.begin, e.length};
  }
  std::uint32_t id(std::size_t entry) const { return entries_[entry].id; }

 private:
  struct slot {
    std::uint32_t hash, entry;
  };
  struct record {
    std::uint32_t begin, length, id;
  };

  std::size_t locate(std::string_view token, std::uint64_t hash) const {
    const std::size_t mask = slots_.size() - 1;
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
      const slot& s = slots_[i];
      if (s.entry == none || (s.hash == tag && text(s.entry) == token)) return i;
    }
  }
  void rehash(std::size_t size) {
    if (size <= slots_.size()) return;
    slots_.assign(size, slot{0, none});
    for (std::uint32_t e = 0; e < entries_.size(); ++e) {
      const std::uint64_t hash = hash_bytes(text(e));
      slots_[locate(text(e), hash)] = {static_cast<std::uint32_t>(hash >> 32), e};
    }
  }

  std::string arena_;
  std::vector<record> entries_;
  std::vector<slot> slots_;
};

// The ids of the tokens <0x00> ... <0xFF>, which spell bytes that have no other token.
template <class Find>
std::array<std::uint32_t, 256> byte_token_ids(Find find) {
  static constexpr char hex[] = "0123456789ABCDEF";
  std::array<std::uint32_t, 256> out;
  for (unsigned b = 0; b < 256; ++b)
    out[b] = find(std::string("<0x") + hex[b >> 4] + hex[b & 15] + std::string(">"));
  return out;
}

// One above the highest id. Ids far beyond the number of tokens are an error, since tables are made
// for all of them.
inline std::uint32_t id_limit(const model_data& data) {
  const std::size_t n = data.tokens.size();
  std::uint32_t limit = 0;
  for (const std::uint32_t id : data.ids) limit = std::max(limit, id + 1);
  if (limit > n * 16 + 65536)
    throw format_error("tokenizer.json", -1,
                       "model: token id " + std::to_string(limit - 1) + " in a vocabulary of " +
                           std::to_string(n));
  return limit;
}

// A vocabulary read both ways. A string that occurs twice has its last id.
class vocabulary {
 public:
  static constexpr std::uint32_t none = token_table::none;

  explicit vocabulary(const model_data& data) {
    const std::size_t n = data.tokens.size();
    const std::uint32_t limit = id_limit(data);
    table_.reserve(n, data.tokens.bytes());
    for (std::size_t i = 0; i < n; ++i) table_.add(data.tokens[i], data.ids[i]);
    entry_of_.assign(limit, none);
    for (std::uint32_t e = 0; e < table_.size(); ++e) entry_of_[table_.id(e)] = e;
  }

  std::size_t size() const { return table_.size(); }
  std::uint32_t limit() const { return static_cast<std::uint32_t>(entry_of_.size()); }
  std::uint32_t find(std::string_view token) const { return table_.find(token); }
  std::optional<std::string> token(std::uint32_t id) const {
    if (id >= entry_of_.size() || entry_of_[id] == none) return std::nullopt;
    return std::string(table_.text(entry_of_[id]));
  }
  void append_token(std::uint32_t id, std::string& out) const {
    if (id < entry_of_.size() && entry_of_[id] != none) out += table_.text(entry_of_[id]);
  }
  // f(token, id), in the order of the file.
  template <class F>
  void each(F f) const {
    for (std::size_t e = 0; e < table_.size(); ++e) f(table_.text(e), table_.id(e));
  }

 private:
  token_table table_;
  std::vector<std::uint32_t> entry_of_;
};

// (left id, right id) -> rank and id of the merged token.
class pair_table {
 public:
  struct merge {
    std::uint32_t rank, id;
  };
  static constexpr std::uint32_t no_rank = std::numeric_limits<std::uint32_t>::max();

  void reserve(std::size_t pairs) {
    slots_.assign(power_of_two_above(pairs * 2 + 1), slot{empty, {no_rank, 0}});
  }
  // A pair that is there already gets the new rank. Call reserve for the total number first.
  void add(std::uint32_t left, std::uint32_t right, merge m) {
    slot& at = slots_[locate(key(left, right))];
    at.key = key(left, right);
    at.value = m;
  }
  // rank is no_rank when the pair does not merge.
  merge find(std::uint32_t left, std::uint32_t right) const {
    if (slots_.empty()) return {no_rank, 0};
    return slots_[locate(key(left, right))].value;
  }
  template <class F>
  void each(F f) const {
    for (const slot& s : slots_)
      if (s.key != empty)
        f(static_cast<std::uint32_t>(s.key >> 32), static_cast<std::uint32_t>(s.key), s.value);
  }

 private:
  struct slot {
    std::uint64_t key;
    merge value;
  };
  static constexpr std::uint64_t empty = ~std::uint64_t{0};
  static std::uint64_t key(std::uint32_t left, std::uint32_t right) {
    return std::uint64_t{left} << 32 | right;
  }
  std::size_t locate(std::uint64_t k) const {
    const std::size_t mask = slots_.size() - 1;
    std::uint64_t h = k * 0x9E3779B97F4A7C15ull;
    h ^= h >> 29;
    for (std::size_t i = h & mask;; i = (i + 1) & mask)
      if (slots_[i].key == k || slots_[i].key == empty) return i;
  }
  std::vector<slot> slots_;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
