// SPDX-License-Identifier: Apache-2.0
// The attention kernels for every instruction set, and the choice among them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "parlance/kernels/impl/attention_items.hpp"
#include "parlance/kernels/impl/gemm_vec.hpp"
#include "parlance/kernels/impl/vec_math.hpp"

#define PARLANCE_ISA k_base
#include "parlance/kernels/impl/attention_tile.inl"
// After the tiles that it uses.
#include "parlance/kernels/impl/attention.inl"
#undef PARLANCE_ISA

#if defined(PARLANCE_X86)
#define PARLANCE_ISA k_avx2
PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AVX2)
#include "parlance/kernels/impl/attention_tile.inl"
// After the tiles that it uses.
#include "parlance/kernels/impl/attention.inl"
PARLANCE_TARGET_END
#undef PARLANCE_ISA

#define PARLANCE_ISA k_avx512
PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AVX512)
#include "parlance/kernels/impl/attention_tile.inl"
// After the tiles that it uses.
#include "parlance/kernels/impl/attention.inl"
PARLANCE_TARGET_END
#undef PARLANCE_ISA
#endif

namespace parlance::inline PARLANCE_ABI::kernels::detail {

template <class E>
struct flash_kernels {
  void (*run)(const flash_item<E>&) = &k_base::flash<E>;
  void (*merge)(const merge_item&) = &k_base::merge_shares;
};

template <class E>
flash_kernels<E> choose_flash() {
#if defined(PARLANCE_X86)
  if (cpu().level == isa::avx512) return {&k_avx512::flash<E>, &k_avx512::merge_shares};
  if (cpu().level == isa::avx2) return {&k_avx2::flash<E>, &k_avx2::merge_shares};
#endif
  return {};
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::detail
