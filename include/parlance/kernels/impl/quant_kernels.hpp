// SPDX-License-Identifier: Apache-2.0
// The quantised kernels of every instruction set and the choice among them at run time.
#pragma once

#include <iterator>
#include <limits>
#include <utility>

#include "parlance/kernels/impl/quant_vec.hpp"

#if defined(__clang__)
#define PARLANCE_NO_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define PARLANCE_NO_UNROLL _Pragma("GCC unroll 1")
#endif

#define PARLANCE_ISA_FILE "parlance/kernels/impl/quant_kernels.inl"
#include "parlance/kernels/impl/for_each_isa.inl"

namespace parlance::inline PARLANCE_ABI::kernels::detail {

inline const quant_kernels& choose_quant_kernels() {
#if defined(PARLANCE_X86)
  if (cpu().level == isa::avx512) return k_avx512::quant::table;
  if (cpu().level == isa::avx2) return k_avx2::quant::table;
#endif
  return k_base::quant::table;
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::detail
