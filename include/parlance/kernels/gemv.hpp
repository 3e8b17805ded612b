// SPDX-License-Identifier: Apache-2.0
// y = x W^T for one or a few rows x (decoding): bound by reading W, so W is read once, in order and
// as stored. Users call kernels::linear (gemm.hpp), which comes here for small m.
#pragma once

#include <algorithm>
#include <cstdint>

#include "parlance/core/float16.hpp"
#include "parlance/core/thread_pool.hpp"
#include "parlance/kernels/impl/gemm_args.hpp"
#include "parlance/kernels/impl/gemm_vec.hpp"

#define PARLANCE_ISA k_base
#include "parlance/kernels/impl/gemm.inl"
#include "parlance/kernels/impl/gemv.inl"
#undef PARLANCE_ISA
#if defined(PARLANCE_X86)
PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AVX2)
#define PARLANCE_ISA k_avx2
#include "parlance/kernels/impl/gemm.inl"
#include "parlance/kernels/impl/gemm_few.inl"
#include "parlance/kernels/impl/gemv.inl"
#undef PARLANCE_ISA
PARLANCE_TARGET_END
PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AVX512)
#define PARLANCE_ISA k_avx512
#include "parlance/kernels/impl/gemm.inl"
#include "parlance/kernels/impl/gemm_few.inl"
#include "parlance/kernels/impl/gemv.inl"
#undef PARLANCE_ISA
PARLANCE_TARGET_END
PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AVX512BF16)
#define PARLANCE_ISA k_avx512bf16
#include "parlance/kernels/impl/gemm.inl"
#include "parlance/kernels/impl/gemv.inl"
#undef PARLANCE_ISA
PARLANCE_TARGET_END
#endif

namespace parlance::inline PARLANCE_ABI::kernels::detail {

template <class Weight>
gemv_kernels choose_gemv(bool exact) {
#if defined(PARLANCE_X86)
  if constexpr (std::is_same_v<Weight, bf16>)
    if (!exact && cpu().has_bf16) return k_avx512bf16::gemv_table<bf16>();
  if (cpu().level == isa::avx512) return k_avx512::gemv_table<Weight>();
  if (cpu().level == isa::avx2) return k_avx2::gemv_table<Weight>();
#endif
  static_cast<void>(exact);
  return k_base::gemv_table<Weight>();
}

// y (m x n) (+)= x (m x k) W^T (+ bias), k > 0.
template <class Weight>
void gemv(const float* x, std::int64_t ldx, const Weight* w, std::int64_t ldw, const float* bias,
          float* y, std::int64_t ldy, std::int64_t m, std::int64_t n, std::int64_t k,
          bool accumulate, bool exact, bool threaded) {
  const gemv_kernels kernels = choose_gemv<Weight>(exact);
  const std::int64_t padded = (k + kernels.pad - 1) / kernels.pad * kernels.pad;
  // One cache line apart from a power of two, or the rows would share a few sets of the cache.
  const std::int64_t stride = padded / kernels.numbers_per_word + 16;
  float* const packed = left_scratch().get(m * stride);
  kernels.pack_x(x, ldx, m, k, packed, stride);
  const gemv_args args{packed, stride, w, ldw, bias, y, ldy, m, k, accumulate};
  if (!threaded) return kernels.rows(args, 0, n);
  // Long chunks, since prefetching starts anew with each, but several for every thread. The split
  // does not change a row's result.
  constexpr std::int64_t least = 48 << 10, most = 1 << 20, step = 12;
  const std::int64_t row = k * static_cast<std::int64_t>(sizeof(Weight));
  const std::int64_t bytes = std::clamp(n * row / (8 * num_threads()), least, most);
  const std::int64_t grain = std::max<std::int64_t>(bytes / row / step, 1) * step;
  parallel_for(n, grain,
               [&](std::int64_t first, std::int64_t last) { kernels.rows(args, first, last); });
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::detail
