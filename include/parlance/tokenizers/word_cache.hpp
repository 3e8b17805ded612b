// SPDX-License-Identifier: Apache-2.0
// Remembers how short words fell into tokens. A hit costs one cache line, where merging costs
// dozens of look-ups; text repeats its words so much that most are hits.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/tokenizers/token_table.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

class word_cache {
 public:
  static constexpr std::size_t longest = 16;  // bytes of a word
  static constexpr int most = 6;              // tokens of a word

  struct alignas(64) entry {
    std::uint64_t front, back;  // the first and the last eight bytes, which may overlap
    std::uint32_t ids[most];
    std::uint8_t begin[most], end[most];
    std::uint8_t length, count;
    bool is(const entry& key) const {
      return front == key.front && back == key.back && length == key.length;
    }
  };

  // An entry for the word with its key; not yet in the cache. 0 < word.size() <= longest.
  static entry key_of(std::string_view word) {
    entry key;
    key.length = static_cast<std::uint8_t>(word.size());
    key.count = 0;
    const char* const p = word.data();
    if (const std::size_t n = word.size(); n >= 8) {
      std::memcpy(&key.front, p, 8);
      std::memcpy(&key.back, p + n - 8, 8);
    } else if (n >= 4) {
      std::uint32_t a, b;
      std::memcpy(&a, p, 4);
      std::memcpy(&b, p + n - 4, 4);
      key.front = a;
      key.back = b;
    } else {
      const auto byte = [&](std::size_t i) {
        return std::uint64_t{static_cast<unsigned char>(p[i])};
      };
      key.front = byte(0) << 16 | byte(n / 2) << 8 | byte(n - 1);
      key.back = 0;
    }
    return key;
  }
  // Where the word of this key is or would go.
  entry& at(const entry& key) {
    std::uint64_t h = (key.front ^ key.length) * 0x9E3779B97F4A7C15ull;
    h = (h ^ h >> 32 ^ key.back) * 0x9E3779B97F4A7C15ull;
    return entries_[h >> (64 - bits)];
  }

 private:
  static constexpr int bits = 14;
  std::vector<entry> entries_ = std::vector<entry>(std::size_t{1} << bits, entry{});
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
