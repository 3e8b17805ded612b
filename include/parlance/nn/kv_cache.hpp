// SPDX-License-Identifier: Apache-2.0
// Keys and values of past tokens: any number of independent sequences, each with its own length, so
// a batch needs no padding. Elements are f32, f16 or bf16. Growing copies; reserve what is known.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "parlance/core/format.hpp"
#include "parlance/kernels/attention.hpp"
#include "parlance/tensor/storage.hpp"

namespace parlance::inline PARLANCE_ABI::nn {

class kv_cache {
 public:
  struct layout {
    std::int64_t layers = 0, kv_heads = 0, head_dim = 0;
    format element = format::f32;
  };

  kv_cache() = default;
  kv_cache(const layout& l, std::int64_t sequences = 1) : layout_(l) {
    if (l.element != format::f32 && l.element != format::f16 && l.element != format::bf16)
      throw option_error("kv cache: element format " + std::string(name(l.element)) +
                         "; supported: f32, f16, bf16");
    sequences_.resize(static_cast<std::size_t>(sequences));
  }

  std::int64_t sequences() const { return static_cast<std::int64_t>(sequences_.size()); }
  std::int64_t length(std::int64_t s) const { return at(s).length; }
  format element() const { return layout_.element; }
  std::uint64_t bytes() const {
    std::uint64_t total = 0;
    for (const sequence& s : sequences_)
      total += 2 * static_cast<std::uint64_t>(s.capacity * elements_per_position()) * width();
    return total;
  }

  // Makes room for `positions` positions in sequence s.
  void reserve(std::int64_t s, std::int64_t positions) {
    sequence& q = at(s);
    if (positions <= q.capacity) return;
    const std::int64_t capacity = (positions + page - 1) / page * page;
    storage memory(heads() * head_bytes(capacity));
    if (q.length > 0) copy_pages(q, memory, capacity);
    q.memory = std::move(memory);
    q.capacity = capacity;
  }
  // Ensures room for n more positions, doubling when it has to grow.
  void prepare(std::int64_t s, std::int64_t n) {
    const sequence& q = at(s);
    if (q.length + n > q.capacity) reserve(s, std::max(q.length + n, 2 * q.capacity));
  }
  void advance(std::int64_t s, std::int64_t n) { at(s).length += n; }
  // Forgets all but the first `length` positions.
  void truncate(std::int64_t s, std::int64_t length) {
    at(s).length = std::min(at(s).length, length);
  }
  // Makes sequence `to` a copy of sequence `from`; the first `same` positions, which both hold
  // already, are left alone.
  void copy(std::int64_t from, std::int64_t to, std::int64_t same = 0) {
    if (from == to) return;
    const sequence& a = at(from);
    sequence& b = at(to);
    if (b.capacity != a.capacity) {
      b.memory = storage(heads() * head_bytes(a.capacity));
      b.capacity = a.capacity;
      same = 0;
    }
    b.length = a.length;
    copy_pages(a, b.memory, b.capacity, same / page * page);
  }

  template <class E>
  kernels::kv_view<E> view(std::int64_t layer, std::int64_t s) {
    sequence& q = at(s);
    std::byte* k = q.memory.data() + block_bytes(q.capacity) * static_cast<std::size_t>(2 * layer);
    return {reinterpret_cast<E*>(k), reinterpret_cast<E*>(k + block_bytes(q.capacity)), q.capacity};
  }

 private:
  static constexpr std::int64_t page = 16;
  struct sequence {
    storage memory;
    std::int64_t capacity = 0, length = 0;
  };

  sequence& at(std::int64_t s) { return sequences_.at(static_cast<std::size_t>(s)); }
  const sequence& at(std::int64_t s) const { return sequences_.at(static_cast<std::size_t>(s)); }
  std::size_t width() const { return layout_.element == format::f32 ? 4 : 2; }
  std::int64_t elements_per_position() const {
    return layout_.layers * layout_.kv_heads * layout_.head_dim;
  }
  std::size_t block_bytes(std::int64_t capacity) const {  // K or V of one layer
    return static_cast<std::size_t>(capacity * layout_.kv_heads * layout_.head_dim) * width();
  }
  // Blocks of keys or of values in a sequence, each contiguous.
  std::size_t heads() const {
    return static_cast<std::size_t>(2 * layout_.layers * layout_.kv_heads);
  }
  std::size_t head_bytes(std::int64_t positions) const {
    return static_cast<std::size_t>(positions * layout_.head_dim) * width();
  }
  // The pages of q from position `begin`, a multiple of the page, to its length.
  void copy_pages(const sequence& q, storage& memory, std::int64_t capacity,
                  std::int64_t begin = 0) const {
    const std::int64_t end = (q.length + page - 1) / page * page;
    if (begin >= end) return;
    const std::size_t used = head_bytes(end - begin), skip = head_bytes(begin);
    const std::size_t from = head_bytes(q.capacity), to = head_bytes(capacity);
    for (std::size_t h = 0; h < heads(); ++h)
      std::memcpy(memory.data() + h * to + skip, q.memory.data() + h * from + skip, used);
  }

  layout layout_;
  std::vector<sequence> sequences_;
};

}  // namespace parlance::inline PARLANCE_ABI::nn
