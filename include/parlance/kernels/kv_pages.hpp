// SPDX-License-Identifier: Apache-2.0
// The key and value cache of one layer of one sequence, laid out for attention: keys in pages of 16
// positions, [kv head][page][dimension][16], so that one load fetches a dimension of 16 positions
// (lanes are positions, no horizontal sums); values in rows, [kv head][position][dimension]. The
// memory belongs to the caller. Also the parameters that every attention kernel shares.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "parlance/core/error.hpp"
#include "parlance/core/thread_pool.hpp"
#include "parlance/kernels/impl/vec.hpp"

namespace parlance::inline PARLANCE_ABI::kernels {

struct attention_params {
  int heads = 1, kv_heads = 1, head_dim = 1;
  float scale = 1;
  // 0: none. Else the query at position i sees key j if i - j < window; without `causal` the window
  // is symmetric, |i - j| < window.
  std::int64_t window = 0;
  float softcap = 0;  // 0: none. Else score = softcap * tanh(score / softcap), after scaling
  bool causal = true;
};

inline constexpr std::int64_t kv_page = 16;

template <class E>
struct kv_view {
  E* k = nullptr;
  E* v = nullptr;
  std::int64_t capacity = 0;  // positions, a multiple of 16
};

namespace detail {
inline void check_attention(const attention_params& p) {
  if (p.heads < 1 || p.kv_heads < 1 || p.head_dim < 1 || p.heads % p.kv_heads != 0)
    throw shape_error("attention: " + std::to_string(p.heads) + " heads over " +
                      std::to_string(p.kv_heads) + " key-value heads of size " +
                      std::to_string(p.head_dim) +
                      "; expected positive numbers and whole groups of heads");
  if (p.window < 0 || !(p.softcap >= 0))
    throw option_error("attention: window and softcap must not be negative");
}
template <class E>
void check_kv(const kv_view<E>& kv, std::int64_t pos, std::int64_t n) {
  if (kv.capacity % kv_page != 0)
    throw shape_error("attention: cache capacity " + std::to_string(kv.capacity) +
                      " is not a multiple of 16");
  if (pos < 0 || n < 0 || n > kv.capacity || pos > kv.capacity - n)
    throw shape_error("attention: " + std::to_string(n) + " positions from " + std::to_string(pos) +
                      " do not fit a cache of " + std::to_string(kv.capacity));
}
template <class E>
struct kv_rows {  // one kv head of n rows to append at pos
  E* k;
  E* v;
  const float* k_rows;
  std::int64_t ldk;
  const float* v_rows;
  std::int64_t ldv;
  std::int64_t pos, n;
  int head_dim;
};
}  // namespace detail

}  // namespace parlance::inline PARLANCE_ABI::kernels

#define PARLANCE_ISA_FILE "parlance/kernels/impl/kv_pages.inl"
#include "parlance/kernels/impl/for_each_isa.inl"

namespace parlance::inline PARLANCE_ABI::kernels {

namespace detail {
template <class E>
auto* kv_append_kernel() {
#if defined(PARLANCE_X86)
  if (cpu().level == isa::avx512) return &k_avx512::kv_append_rows<E>;
  if (cpu().level == isa::avx2) return &k_avx2::kv_append_rows<E>;
#endif
  return &k_base::kv_append_rows<E>;
}
}  // namespace detail

// Writes n rows [n][kv_heads * head_dim] of keys and values to the positions pos, pos + 1, ...
template <class E>
void kv_append(const kv_view<E>& kv, const attention_params& params, std::int64_t pos,
               std::int64_t n, const float* k_rows, std::int64_t ldk, const float* v_rows,
               std::int64_t ldv) {
  detail::check_attention(params);
  detail::check_kv(kv, pos, n);
  const auto kernel = detail::kv_append_kernel<E>();
  const std::int64_t d = params.head_dim, heads = params.kv_heads;
  // Few rows take less time than waking the pool.
  const std::int64_t rows = 64, blocks = (n + rows - 1) / rows;
  parallel_for(heads * blocks, n < rows ? heads * blocks : 1, [&](auto begin, auto end) {
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t h = item / blocks, first = item % blocks * rows;
      kernel({kv.k + h * kv.capacity * d, kv.v + h * kv.capacity * d, k_rows + first * ldk + h * d,
              ldk, v_rows + first * ldv + h * d, ldv, pos + first, std::min(rows, n - first),
              params.head_dim});
    }
  });
}

}  // namespace parlance::inline PARLANCE_ABI::kernels
