// SPDX-License-Identifier: Apache-2.0
// Compiles the file that PARLANCE_ISA_FILE names once for each instruction set, in a target region of
// its own with PARLANCE_ISA as the namespace. No include guard on purpose.

#define PARLANCE_ISA k_base
#include PARLANCE_ISA_FILE
#undef PARLANCE_ISA

#if defined(PARLANCE_X86)
#define PARLANCE_ISA k_avx2
PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AVX2)
#include PARLANCE_ISA_FILE
PARLANCE_TARGET_END
#undef PARLANCE_ISA

#define PARLANCE_ISA k_avx512
PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AVX512)
#include PARLANCE_ISA_FILE
PARLANCE_TARGET_END
#undef PARLANCE_ISA
#endif

#undef PARLANCE_ISA_FILE
