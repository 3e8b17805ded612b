// SPDX-License-Identifier: Apache-2.0
// The functions of vec_math.inl for every instruction set, once per translation unit: what a kernel
// that needs exp includes (including the .inl itself twice would define them twice).
#pragma once

#include "parlance/kernels/impl/vec.hpp"

#define PARLANCE_ISA k_base
#include "parlance/kernels/impl/vec_math.inl"
#undef PARLANCE_ISA

#if defined(PARLANCE_X86)
#define PARLANCE_ISA k_avx2
PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AVX2)
#include "parlance/kernels/impl/vec_math.inl"
PARLANCE_TARGET_END
#undef PARLANCE_ISA

#define PARLANCE_ISA k_avx512
PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AVX512)
#include "parlance/kernels/impl/vec_math.inl"
PARLANCE_TARGET_END
#undef PARLANCE_ISA
#endif
