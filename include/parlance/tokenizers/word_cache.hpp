// SPDX-License-Identifier: Apache-2.0
// Remembers how words fell into tokens. A hit costs one cache line (three for long words), where
// merging costs dozens of look-ups; text repeats its words so much that most are hits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/tokenizers/token_table.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

namespace impl {

// A table of words with their tokens, one entry a slot: a new word takes the place of an old one.
// A word of more than `most` tokens is remembered as having `too_many`.
// Key: made from a word of up to Key::longest bytes; hash(), ==.
template <class Key, std::size_t Most, int Bits>
class word_slots {
 public:
  using key_type = Key;
  struct alignas(64) entry {
    Key key{};
    std::uint32_t ids[Most];
    std::uint8_t begin[Most], end[Most], count = 0;
  };
  static constexpr std::size_t most = Most, too_many = Most + 1;

  entry& at(const Key& key) { return entries_[key.hash() >> (64 - Bits)]; }

 private:
  std::vector<entry> entries_ = std::vector<entry>(std::size_t{1} << Bits);
};

// Up to 16 bytes as two numbers.
struct short_word {
  static constexpr std::size_t longest = 16;
  std::uint64_t front = 0, back = 0;  // the first and the last eight bytes, which may overlap
  std::uint8_t length = 0;

  short_word() = default;
  explicit short_word(std::string_view word) : length(static_cast<std::uint8_t>(word.size())) {
    const char* const p = word.data();
    if (const std::size_t n = word.size(); n >= 8) {
      std::memcpy(&front, p, 8);
      std::memcpy(&back, p + n - 8, 8);
    } else if (n >= 4) {
      std::uint32_t a, b;
      std::memcpy(&a, p, 4);
      std::memcpy(&b, p + n - 4, 4);
      front = a;
      back = b;
    } else {
      const auto byte = [&](std::size_t i) {
        return std::uint64_t{static_cast<unsigned char>(p[i])};
      };
      front = byte(0) << 16 | byte(n / 2) << 8 | byte(n - 1);
    }
  }
  bool operator==(const short_word&) const = default;
  std::uint64_t hash() const {
    const std::uint64_t h = (front ^ length) * 0x9E3779B97F4A7C15ull;
    return (h ^ h >> 32 ^ back) * 0x9E3779B97F4A7C15ull;
  }
};

struct long_word {
  static constexpr std::size_t longest = 48;
  char text[longest];
  std::uint8_t length = 0;

  long_word() = default;
  explicit long_word(std::string_view word) : length(static_cast<std::uint8_t>(word.size())) {
    std::memcpy(text, word.data(), word.size());
  }
  bool operator==(const long_word& o) const {
    return length == o.length && std::memcmp(text, o.text, length) == 0;
  }
  std::uint64_t hash() const { return hash_bytes({text, length}) * 0x9E3779B97F4A7C15ull; }
};

}  // namespace impl

class word_cache {
 public:
  static constexpr std::size_t longest = impl::long_word::longest;  // bytes of a word

  // emit(id, begin, end) for the tokens of a word that starts at byte `at` of its piece. A word not
  // yet known is cut by split(f), which calls f(id, begin, end) with bytes of the word.
  template <class Split, class Emit>
  void tokens(std::string_view word, std::uint32_t at, Split split, Emit& emit) {
    const auto pass_on = [&](std::uint32_t id, std::uint32_t begin, std::uint32_t end) {
      emit(id, at + begin, at + end);
    };
    if (word.size() <= impl::short_word::longest && through(short_, word, split, pass_on)) return;
    if (word.size() <= longest && through(long_, word, split, pass_on)) return;
    split(pass_on);
  }

 private:
  // False when the word has more tokens than an entry of the table holds.
  template <class Slots, class Split, class Emit>
  static bool through(Slots& slots, std::string_view word, Split& split, Emit& emit) {
    const typename Slots::key_type key(word);
    auto& known = slots.at(key);
    if (!(known.key == key)) {
      typename Slots::entry found;
      found.key = key;
      std::size_t count = 0;
      split([&](std::uint32_t id, std::uint32_t begin, std::uint32_t end) {
        if (count < Slots::most) {
          found.ids[count] = id;
          found.begin[count] = static_cast<std::uint8_t>(begin);
          found.end[count] = static_cast<std::uint8_t>(end);
        }
        ++count;
      });
      found.count = static_cast<std::uint8_t>(std::min<std::size_t>(count, Slots::too_many));
      known = found;
    }
    if (known.count == Slots::too_many) return false;
    for (std::size_t i = 0; i < known.count; ++i) emit(known.ids[i], known.begin[i], known.end[i]);
    return true;
  }

  impl::word_slots<impl::short_word, 6, 15> short_;
  impl::word_slots<impl::long_word, 20, 13> long_;
};

// Objects that are costly to make, lent to one user at a time. Copies share them.
template <class T>
class object_pool {
  struct shelf {
    std::mutex mutex;
    std::vector<std::unique_ptr<T>> free;
  };

 public:
  class loan {
   public:
    loan(std::shared_ptr<shelf> from, std::unique_ptr<T> object)
        : from_(std::move(from)), object_(std::move(object)) {}
    loan(loan&&) = default;
    loan& operator=(loan&&) = delete;
    ~loan() {
      if (!object_) return;
      const std::lock_guard lock(from_->mutex);
      from_->free.push_back(std::move(object_));
    }
    operator T&() { return *object_; }

   private:
    std::shared_ptr<shelf> from_;
    std::unique_ptr<T> object_;
  };

  loan take() const {
    std::unique_ptr<T> object;
    {
      const std::lock_guard lock(shelf_->mutex);
      if (!shelf_->free.empty()) {
        object = std::move(shelf_->free.back());
        shelf_->free.pop_back();
      }
    }
    if (!object) object = std::make_unique<T>();
    return {shelf_, std::move(object)};
  }

 private:
  std::shared_ptr<shelf> shelf_ = std::make_shared<shelf>();
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
