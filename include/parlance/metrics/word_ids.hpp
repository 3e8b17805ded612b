// SPDX-License-Identifier: Apache-2.0
// Small numbers for the words of a line, so that n-grams compare integers. The table is reused line
// after line: a stamp tells which entries belong to the current one, so clearing it costs nothing.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "parlance/core/config.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

// Up to eight bytes as a number; different short words give different numbers.
inline std::uint64_t short_key(const char* p, std::size_t n) {
  std::uint32_t low = 0, high = 0;
  if (n >= 4) {
    std::memcpy(&low, p, 4);
    std::memcpy(&high, p + n - 4, 4);
    return low | std::uint64_t{high} << 32;
  }
  if (n == 0) return 0;
  const auto byte = [&](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(p[i])}; };
  return byte(0) | byte(n / 2) << 8 | byte(n - 1) << 16;
}

inline std::uint64_t mix_bits(std::uint64_t x) {
  x *= 0x9E3779B97F4A7C15u;
  return x ^ (x >> 32);
}

// Equal words have equal keys; different ones of up to eight bytes have different keys.
inline std::uint64_t word_key(std::string_view word) {
  const char* p = word.data();
  std::size_t n = word.size();
  if (n <= 8) return short_key(p, n);
  std::uint64_t h = n, eight = 0;
  for (; n > 8; p += 8, n -= 8) {
    std::memcpy(&eight, p, 8);
    h = mix_bits(h ^ eight);
  }
  return mix_bits(h * 0xD6E8FEB86659FD93u ^ short_key(p, n));
}
inline std::uint64_t hash_word(std::string_view word) {
  return mix_bits(word_key(word) * 0xD6E8FEB86659FD93u ^ word.size());
}

class word_ids {
 public:
  static constexpr std::int32_t unknown = -1;

  // Forgets all words; `expected` is how many may follow.
  void start(std::size_t expected) {
    std::size_t size = slots_.empty() ? 64 : slots_.size();
    while (size < 2 * expected + 2) size *= 2;
    if (size != slots_.size()) slots_.assign(size, {}), stamp_ = 0;
    if (++stamp_ == 0) slots_.assign(size, {}), stamp_ = 1;
    count_ = 0;
  }
  std::int32_t count() const { return count_; }

  // The number of a word, given out in order of appearance. The text must outlive this line.
  std::int32_t insert(std::string_view word) {
    slot& s = seek(word);
    if (s.stamp != stamp_) s = {stamp_, count_++, key_, word};
    return s.id;
  }
  std::int32_t find(std::string_view word) {
    const slot& s = seek(word);
    return s.stamp == stamp_ ? s.id : unknown;
  }

 private:
  struct slot {
    std::uint32_t stamp = 0;
    std::int32_t id = 0;
    std::uint64_t key = 0;
    std::string_view word;
  };
  slot& seek(std::string_view word) {
    key_ = word_key(word);
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = mix_bits(key_ * 0xD6E8FEB86659FD93u) & mask;; at = (at + 1) & mask) {
      slot& s = slots_[at];
      if (s.stamp != stamp_) return s;
      if (s.key == key_ && s.word.size() == word.size() && (word.size() <= 8 || s.word == word))
        return s;
    }
  }

  std::vector<slot> slots_;
  std::uint64_t key_ = 0;
  std::uint32_t stamp_ = 0;
  std::int32_t count_ = 0;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
