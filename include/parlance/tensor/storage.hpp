// SPDX-License-Identifier: Apache-2.0
// Memory behind tensors: 64-byte aligned, reference counted, and recycled. Freed blocks wait in a
// small cache of the freeing thread, so steady work (decoding, training steps) allocates nothing
// from the heap. A block can also be memory that somebody else owns, such as a mapped file.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "parlance/core/error.hpp"

namespace parlance::inline PARLANCE_ABI {

namespace detail {

struct memory_block {
  std::atomic<std::int64_t> references{1};
  std::byte* data = nullptr;
  std::size_t capacity = 0;           // 0: not ours
  std::shared_ptr<const void> owner;  // of foreign memory
  memory_block* next = nullptr;       // in a cache

  static constexpr std::align_val_t alignment{64};
};

inline void destroy(memory_block* block) {
  if (block->capacity) ::operator delete(block->data, memory_block::alignment);
  delete block;
}

// Free blocks of one thread, by size class (four classes a power of two).
class block_cache {
 public:
  static constexpr std::size_t limit = std::size_t{1} << 30;  // bytes kept per thread

  static std::size_t class_of(std::size_t bytes) {
    const std::size_t units = std::max<std::size_t>((bytes + 255) / 256, 1);  // 256-byte steps
    const int log = std::bit_width(units) - 1;
    return log < 2 ? units : static_cast<std::size_t>(log) * 4 + ((units - 1) >> (log - 2)) - 3;
  }
  // The class number grows with size; the capacity below is the same for all of one class.
  static std::size_t round_up(std::size_t bytes) {
    const std::size_t units = std::max<std::size_t>((bytes + 255) / 256, 1);
    const int log = std::bit_width(units) - 1;
    if (log < 2) return units * 256;
    const std::size_t step = std::size_t{1} << (log - 2);
    return (units + step - 1) / step * step * 256;
  }

  ~block_cache() { clear(); }
  memory_block* take(std::size_t capacity) {
    memory_block*& head = heads_[slot(capacity)];
    memory_block* found = head;
    if (found && found->capacity == capacity) {
      head = found->next;
      held_ -= capacity;
      return found;
    }
    return nullptr;
  }
  bool give(memory_block* block) {
    if (held_ + block->capacity > limit) return false;
    memory_block*& head = heads_[slot(block->capacity)];
    block->next = head;
    head = block;
    held_ += block->capacity;
    return true;
  }
  void clear() {
    for (memory_block*& head : heads_)
      while (head) destroy(std::exchange(head, head->next));
    held_ = 0;
  }

 private:
  static std::size_t slot(std::size_t capacity) { return std::min(class_of(capacity), slots - 1); }
  static constexpr std::size_t slots = 192;
  std::array<memory_block*, slots> heads_{};
  std::size_t held_ = 0;
};

// Null once the thread's cache is gone (tensors may outlive it in other thread-locals).
inline block_cache* thread_block_cache() {
  struct holder {
    block_cache cache;
    bool* gone;
    ~holder() { *gone = true; }
  };
  thread_local bool gone = false;
  if (gone) return nullptr;
  thread_local holder h{{}, &gone};
  return &h.cache;
}

}  // namespace detail

// A counted reference to a block of memory.
class storage {
 public:
  storage() = default;
  // New uninitialised memory for `bytes` bytes.
  explicit storage(std::size_t bytes) {
    const std::size_t capacity = detail::block_cache::round_up(bytes);
    if (detail::block_cache* cache = detail::thread_block_cache()) block_ = cache->take(capacity);
    if (block_) {
      block_->references.store(1, std::memory_order_relaxed);
      return;
    }
    auto block = std::make_unique<detail::memory_block>();
    block->data =
        static_cast<std::byte*>(::operator new(capacity, detail::memory_block::alignment));
    block->capacity = capacity;
    block_ = block.release();
  }
  // Memory that `owner` keeps alive.
  storage(const void* data, std::shared_ptr<const void> owner) : block_(new detail::memory_block) {
    block_->data = static_cast<std::byte*>(const_cast<void*>(data));
    block_->owner = std::move(owner);
  }
  storage(const storage& other) : block_(other.block_) {
    if (block_) block_->references.fetch_add(1, std::memory_order_relaxed);
  }
  storage(storage&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  storage& operator=(storage other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~storage() {
    if (!block_ || block_->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    detail::block_cache* cache = block_->capacity ? detail::thread_block_cache() : nullptr;
    if (!cache || !cache->give(block_)) detail::destroy(block_);
  }

  std::byte* data() const { return block_ ? block_->data : nullptr; }
  bool unique() const { return block_ && block_->references.load(std::memory_order_acquire) == 1; }
  // True when the memory belongs to somebody else (and may be read-only).
  bool foreign() const { return block_ && block_->capacity == 0; }

 private:
  detail::memory_block* block_ = nullptr;
};

// Returns the memory that this thread keeps for reuse to the system.
inline void release_cached_memory() {
  if (detail::block_cache* cache = detail::thread_block_cache()) cache->clear();
}

}  // namespace parlance::inline PARLANCE_ABI
