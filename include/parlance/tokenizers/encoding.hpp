// SPDX-License-Identifier: Apache-2.0
// The result of encoding: ids and, for each of them, where it came from. All vectors have the same
// size. Also truncation and padding of encodings (rules of huggingface/tokenizers 0.22).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "parlance/core/error.hpp"
#include "parlance/tokenizers/alignment.hpp"
#include "parlance/tokenizers/string_list.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

enum class direction { left, right };
enum class truncation_strategy { longest_first, only_first, only_second };

struct truncation_options {
  std::uint32_t max_length = 512, stride = 0;
  truncation_strategy strategy = truncation_strategy::longest_first;
  direction side = direction::right;
};

struct padding_options {
  // Pad to this; without it, to the longest of a batch.
  std::optional<std::uint32_t> length = std::nullopt;
  std::uint32_t pad_to_multiple_of = 0;
  direction side = direction::right;
  std::int32_t pad_id = 0, pad_type_id = 0;
  std::string pad_token = "[PAD]";
};

struct encoding {
  std::vector<std::int32_t> ids;
  string_list tokens;
  std::vector<byte_range> offsets;       // characters (code points) of the input text
  std::vector<byte_range> byte_offsets;  // the same in bytes
  std::vector<std::int32_t> type_ids, attention_mask, special_tokens_mask;
  std::vector<std::int32_t> word_ids;      // index of the piece of its sequence; -1: none
  std::vector<std::int32_t> sequence_ids;  // 0 or 1; -1: special token or padding
  std::vector<encoding> overflowing;       // what truncation cut off

  std::size_t size() const { return ids.size(); }

  // One more token; `complete` must follow the last one and sets what all have alike. The caller
  // adds its string to `tokens`.
  void push_back(std::int32_t id, byte_range at, std::int32_t word) {
    ids.push_back(id);
    offsets.push_back(at);
    word_ids.push_back(word);
  }
  void complete() {
    byte_offsets = offsets;
    type_ids.resize(size(), 0);
    attention_mask.resize(size(), 1);
    special_tokens_mask.resize(size(), 0);
    sequence_ids.resize(size(), 0);
  }
  void push_special(std::int32_t id, std::string_view token, std::int32_t type_id) {
    push_back(id, {}, -1);
    tokens.add(token);
    complete();
    type_ids.back() = type_id;
    special_tokens_mask.back() = 1;
    sequence_ids.back() = -1;
  }
  void set_sequence(std::int32_t sequence) {
    std::fill(sequence_ids.begin(), sequence_ids.end(), sequence);
    for (encoding& part : overflowing) part.set_sequence(sequence);
  }
  // Of these tokens alone: what overflows keeps its own, as in the original.
  void set_type(std::int32_t type_id) { std::fill(type_ids.begin(), type_ids.end(), type_id); }

  // Positions of a sequence (0 or 1) among the tokens, empty when it has none.
  byte_range sequence_range(std::int32_t sequence) const {
    const auto first = std::find(sequence_ids.begin(), sequence_ids.end(), sequence);
    auto last = first;
    while (last != sequence_ids.end() && *last == sequence) ++last;
    return {static_cast<std::uint32_t>(first - sequence_ids.begin()),
            static_cast<std::uint32_t>(last - sequence_ids.begin())};
  }

  // Mappings between tokens, words (`word_ids`) and characters of the text, as those of
  // transformers' BatchEncoding. No value: there is no such token, word or character, or a special
  // token stands there. Characters of pre-split words count within their word.
  std::optional<std::int32_t> token_to_sequence(std::size_t token) const {
    return token < size() ? value(sequence_ids[token]) : std::nullopt;
  }
  std::optional<std::int32_t> token_to_word(std::size_t token) const {
    return token_to_sequence(token) ? value(word_ids[token]) : std::nullopt;
  }
  std::optional<byte_range> token_to_chars(std::size_t token) const {
    return token_to_sequence(token) ? std::optional(offsets[token]) : std::nullopt;
  }
  // First and one past the last token of the word.
  std::optional<byte_range> word_to_tokens(std::int32_t word, std::int32_t sequence = 0) const {
    const byte_range range = sequence_range(sequence);
    byte_range found{range.end, range.end};
    for (std::uint32_t i = range.begin; i < range.end && word_ids[i] <= word; ++i) {
      if (word_ids[i] != word) continue;
      found = {std::min(found.begin, i), i + 1};
    }
    return word >= 0 && found.begin < found.end ? std::optional(found) : std::nullopt;
  }
  std::optional<byte_range> word_to_chars(std::int32_t word, std::int32_t sequence = 0) const {
    const auto at = word_to_tokens(word, sequence);
    if (!at) return std::nullopt;
    return byte_range{offsets[at->begin].begin, offsets[at->end - 1].end};
  }
  std::optional<std::size_t> char_to_token(std::uint32_t character,
                                           std::int32_t sequence = 0) const {
    const byte_range range = sequence_range(sequence);
    for (std::uint32_t i = range.begin; i < range.end; ++i)
      if (character >= offsets[i].begin && character < offsets[i].end) return i;
    return std::nullopt;
  }
  std::optional<std::int32_t> char_to_word(std::uint32_t character,
                                           std::int32_t sequence = 0) const {
    const auto token = char_to_token(character, sequence);
    return token ? token_to_word(*token) : std::nullopt;
  }

  // Appends another encoding. Overflowing parts combine with each other's, and parts of both sides
  // hold what their partner cut off in turn, as in the original.
  void merge(const encoding& other) {
    std::vector<encoding> parts;
    const auto combine = [&](encoding left, const encoding& right) {
      left.merge(right);
      parts.push_back(std::move(left));
    };
    for (const encoding& mine : overflowing) {
      combine(mine, other);
      for (const encoding& theirs : other.overflowing) combine(mine, theirs);
    }
    for (const encoding& theirs : other.overflowing) combine(*this, theirs);
    append(other);
    overflowing = std::move(parts);
  }
  // Tokens [begin, end), without what overflowed.
  encoding slice(std::size_t begin, std::size_t end) const {
    encoding out;
    out.append(*this, begin, end);
    return out;
  }
  void truncate(std::uint32_t max_length, std::uint32_t stride, direction side);
  void pad(std::uint32_t length, const padding_options& options);

 private:
  static std::optional<std::int32_t> value(std::int32_t id) {
    return id < 0 ? std::nullopt : std::optional(id);
  }
  void append(const encoding& other, std::size_t begin, std::size_t end) {
    const auto add = [&](auto& mine, const auto& theirs) {
      const auto at = theirs.begin();
      mine.insert(mine.end(), at + static_cast<std::ptrdiff_t>(begin),
                  at + static_cast<std::ptrdiff_t>(end));
    };
    tokens.append(other.tokens, begin, end);
    add(ids, other.ids), add(offsets, other.offsets), add(byte_offsets, other.byte_offsets);
    add(type_ids, other.type_ids), add(attention_mask, other.attention_mask);
    add(special_tokens_mask, other.special_tokens_mask);
    add(word_ids, other.word_ids), add(sequence_ids, other.sequence_ids);
  }
  void append(const encoding& other) { append(other, 0, other.size()); }
};

// Keeps at most max_length tokens; the rest goes to `overflowing` in chunks that overlap by stride.
inline void encoding::truncate(std::uint32_t max_length, std::uint32_t stride, direction side) {
  const std::size_t n = size();
  if (max_length >= n) return;
  if (max_length == 0) {
    encoding all = std::move(*this);
    *this = {};
    overflowing.push_back(std::move(all));
    return;
  }
  if (stride >= max_length)
    throw option_error("truncation: stride " + std::to_string(stride) +
                       " is not below the room for tokens, " + std::to_string(max_length));
  const std::size_t advance = max_length - stride;
  std::vector<encoding> parts;
  if (side == direction::right) {
    for (std::size_t begin = 0;; begin += advance) {
      const std::size_t end = std::min<std::size_t>(begin + max_length, n);
      parts.push_back(slice(begin, end));
      if (end == n) break;
    }
  } else {
    for (std::size_t end = n;; end -= advance) {
      const std::size_t begin = end < max_length ? 0 : end - max_length;
      parts.push_back(slice(begin, end));
      if (begin == 0) break;
    }
  }
  *this = std::move(parts.front());
  for (std::size_t i = 1; i < parts.size(); ++i) overflowing.push_back(std::move(parts[i]));
}

inline void encoding::pad(std::uint32_t length, const padding_options& options) {
  for (encoding& part : overflowing) part.pad(length, options);
  if (size() >= length) return;
  encoding filler;
  for (std::size_t i = size(); i < length; ++i)
    filler.push_special(options.pad_id, options.pad_token, options.pad_type_id);
  std::fill(filler.attention_mask.begin(), filler.attention_mask.end(), 0);
  if (options.side == direction::right) {
    append(filler);
  } else {
    std::vector<encoding> parts = std::move(overflowing);
    overflowing.clear();
    filler.append(*this);
    *this = std::move(filler);
    overflowing = std::move(parts);
  }
}

// Shortens one or two sequences to the room that is left after `added` special tokens.
inline void truncate(encoding& a, encoding* b, const truncation_options& options,
                     std::uint32_t added) {
  if (options.max_length < added)
    throw option_error("truncation: max_length " + std::to_string(options.max_length) +
                       " is below the number of special tokens, " + std::to_string(added));
  const std::size_t room = options.max_length - added;
  if (room == 0) {
    a.truncate(0, options.stride, options.side);
    if (b) b->truncate(0, options.stride, options.side);
    return;
  }
  const std::size_t total = a.size() + (b ? b->size() : 0);
  if (total <= room) return;
  const std::size_t excess = total - room;
  const auto cut = [&](encoding& e, std::size_t to) {
    e.truncate(static_cast<std::uint32_t>(to), options.stride, options.side);
  };
  if (options.strategy == truncation_strategy::longest_first) {
    if (!b) return cut(a, room);
    std::size_t n1 = a.size(), n2 = b->size();
    const bool swapped = n1 > n2;
    if (swapped) std::swap(n1, n2);
    n2 = n1 > room ? n1 : std::max(n1, room - n1);
    if (n1 + n2 > room) {
      n1 = room / 2;
      n2 = n1 + room % 2;
    }
    if (swapped) std::swap(n1, n2);
    cut(a, n1);
    return cut(*b, n2);
  }
  const bool second = options.strategy == truncation_strategy::only_second;
  if (second && !b) throw option_error("truncation: only_second without a second sequence");
  encoding& target = second ? *b : a;
  if (target.size() <= excess)
    throw option_error("truncation: the sequence to shorten has " + std::to_string(target.size()) +
                       " tokens, " + std::to_string(excess) + " have to go");
  cut(target, target.size() - excess);
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
