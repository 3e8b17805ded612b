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
#include "parlance/tokenizers/aligned_text.hpp"

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
  std::vector<std::string> tokens;
  std::vector<byte_range> offsets;       // characters (code points) of the input text
  std::vector<byte_range> byte_offsets;  // the same in bytes
  std::vector<std::int32_t> type_ids, attention_mask, special_tokens_mask;
  std::vector<std::int32_t> word_ids;      // index of the piece of its sequence; -1: none
  std::vector<std::int32_t> sequence_ids;  // 0 or 1; -1: special token or padding
  std::vector<encoding> overflowing;       // what truncation cut off

  std::size_t size() const { return ids.size(); }

  void push_back(std::int32_t id, std::string token, byte_range at, std::int32_t word) {
    ids.push_back(id);
    tokens.push_back(std::move(token));
    offsets.push_back(at);
    byte_offsets.push_back(at);
    type_ids.push_back(0);
    attention_mask.push_back(1);
    special_tokens_mask.push_back(0);
    word_ids.push_back(word);
    sequence_ids.push_back(0);
  }
  void push_special(std::int32_t id, std::string token, std::int32_t type_id) {
    push_back(id, std::move(token), {}, -1);
    type_ids.back() = type_id;
    special_tokens_mask.back() = 1;
    sequence_ids.back() = -1;
  }
  void set_sequence(std::int32_t sequence, std::int32_t type_id) {
    std::fill(type_ids.begin(), type_ids.end(), type_id);
    std::fill(sequence_ids.begin(), sequence_ids.end(), sequence);
    for (encoding& part : overflowing) part.set_sequence(sequence, type_id);
  }

  // f(member) for every vector.
  template <class Self, class F>
  static void each_field(Self& e, F f) {
    f(e.ids), f(e.tokens), f(e.offsets), f(e.byte_offsets), f(e.type_ids), f(e.attention_mask);
    f(e.special_tokens_mask), f(e.word_ids), f(e.sequence_ids);
  }
  // Appends another encoding; overflowing parts combine with each other's.
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
    for (const encoding& theirs : other.overflowing) {
      encoding self = *this;
      self.overflowing.clear();
      combine(std::move(self), theirs);
    }
    append(other);
    overflowing = std::move(parts);
  }
  encoding slice(std::size_t begin, std::size_t end) const {
    encoding out = *this;
    out.overflowing.clear();
    each_field(out, [&](auto& field) {
      field.erase(field.begin() + static_cast<std::ptrdiff_t>(end), field.end());
      field.erase(field.begin(), field.begin() + static_cast<std::ptrdiff_t>(begin));
    });
    return out;
  }
  void truncate(std::uint32_t max_length, std::uint32_t stride, direction side);
  void pad(std::uint32_t length, const padding_options& options);

 private:
  void append(const encoding& o) {
    const auto join = [](auto& a, const auto& b) { a.insert(a.end(), b.begin(), b.end()); };
    join(ids, o.ids), join(tokens, o.tokens), join(offsets, o.offsets);
    join(byte_offsets, o.byte_offsets), join(type_ids, o.type_ids);
    join(attention_mask, o.attention_mask), join(special_tokens_mask, o.special_tokens_mask);
    join(word_ids, o.word_ids), join(sequence_ids, o.sequence_ids);
  }
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
  for (std::size_t i = size(); i < length; ++i) {
    filler.push_special(options.pad_id, options.pad_token, options.pad_type_id);
    filler.attention_mask.back() = 0;
  }
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
