// SPDX-License-Identifier: Apache-2.0
// What the attention kernels of every instruction set share: the description of one piece of work,
// which keys a query sees, and scratch memory that a thread keeps between calls.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>

#include "parlance/kernels/kv_pages.hpp"

namespace parlance::inline PARLANCE_ABI::kernels::detail {

// Columns of a score block; the row stride is a constant for the addressing of the tiles and no
// power of two, so that rows do not share cache sets.
inline constexpr int score_block = 256, score_stride = score_block + 16;
// Rows (queries x heads of a group) of a block; up to `few_block_rows` read the cache without
// unpacking.
inline constexpr std::int64_t block_rows = 96, few_block_rows = 16;

constexpr std::int64_t round_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

// Asks for the memory 8 KiB in front of what is read, up to the second-level cache: a stream from
// main memory then runs at its bandwidth rather than its latency. Addresses behind the end of the
// cache do no harm.
PARLANCE_ALWAYS_INLINE void fetch_ahead(const void* p) {
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(p) + 8192), 0,
                     2);
}

// Which keys are visible: [key_begin, key_end) of the sequence, then causality and window.
struct visible_keys {
  std::int64_t key_begin, key_end, window;
  bool causal;

  std::int64_t begin(std::int64_t position) const {
    return window > 0 ? std::max(key_begin, position - window + 1) : key_begin;
  }
  std::int64_t end(std::int64_t position) const {
    if (causal) return std::min(key_end, position + 1);
    return window > 0 && position < key_end - window ? position + window : key_end;
  }
};

// What is added to the scores of a group of heads: to that of query i of a piece of work and key j
// the value data[head of the group * head + i * query + j]. A table by relative position has a
// `query` of -1. The gradient of such a table lies in the same way.
template <class T>
struct bias_rows {
  T* data = nullptr;
  std::int64_t head = 0, query = 0;

  explicit operator bool() const { return data != nullptr; }
  T* at(std::int64_t i, std::int64_t h) const { return data + h * head + i * query; }
};

// Rows of the heads of one group, [query][head of the group][head_dim]: row r is query r / group.
struct head_rows {
  const float* data;
  std::int64_t ld;
  int group, head_dim;

  const float* at(std::int64_t r) const { return data + r / group * ld + r % group * head_dim; }
};

// Some queries of one sequence under all the heads of one kv head.
template <class E>
struct flash_item {
  head_rows q;  // from the first query on
  float* out;
  std::int64_t ldo;
  const E* k;  // pages
  const E* v;  // rows
  std::int64_t ldv;
  bool v_padded;  // value rows can be read up to the next multiple of 16 columns
  float scale, softcap;
  bias_rows<const float> bias;  // from the first query on
  visible_keys keys;
  std::int64_t position, n;  // of the first query; number of queries
  std::int64_t begin, end;   // the share of the keys to look at
  float* lse;                // null, or lse[head of the group * lse_stride + query]
  std::int64_t lse_stride;
  float* partial;  // null, or where the unfinished sums go: maxima, sums, outputs
};

// The shares of one item to be added up.
struct merge_item {
  const float* partial;
  std::int64_t shares, n;
  int group, head_dim;
  float* out;
  std::int64_t ldo;
};

// Floats of the unfinished result of a share.
inline std::int64_t partial_size(std::int64_t rows, int head_dim) {
  return rows * (2 + round_up(head_dim, 16));
}

// Memory for `floats` floats, aligned to 64 bytes, kept by the thread for the next call. A slot is
// free again when the caller returns, hence one slot per level of nesting.
enum class attention_slot : std::uint8_t { rows, keys, partials };

inline float* attention_scratch(attention_slot slot, std::int64_t floats) {
  struct buffer {
    float* data = nullptr;
    std::int64_t size = 0;
    ~buffer() { release(); }
    void release() {
      if (data) ::operator delete (data, std::align_val_t{64});
      data = nullptr;
      size = 0;
    }
  };
  thread_local buffer buffers[3];
  buffer& b = buffers[static_cast<int>(slot)];
  if (b.size < floats) {
    b.release();
    b.data = static_cast<float*>(
        ::operator new (static_cast<std::size_t>(floats) * sizeof(float), std::align_val_t{64}));
    b.size = floats;
  }
  return b.data;
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::detail
