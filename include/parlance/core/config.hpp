// SPDX-License-Identifier: Apache-2.0
// Version and the ABI tag. Everything lives in an inline namespace named after the instruction set
// the translation unit was compiled for, so that two units built with different -m flags keep
// separate copies of every inline function and never run each other's instructions.
#pragma once

#define PARLANCE_VERSION_MAJOR 0
#define PARLANCE_VERSION_MINOR 1
#define PARLANCE_VERSION_PATCH 0

#if defined(__AVX512BF16__)
#define PARLANCE_ABI v0_avx512bf16
#elif defined(__AVX512VNNI__)
#define PARLANCE_ABI v0_avx512vnni
#elif defined(__AVX512BW__)
#define PARLANCE_ABI v0_avx512
#elif defined(__AVX2__)
#define PARLANCE_ABI v0_avx2
#elif defined(__AVX__)
#define PARLANCE_ABI v0_avx
#else
#define PARLANCE_ABI v0_base
#endif

#if defined(__GNUC__)
#define PARLANCE_ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define PARLANCE_ALWAYS_INLINE inline
#endif

// With PARLANCE_SPLIT defined for a project, the large bodies are compiled in one unit, the one that
// includes parlance/split.hpp, and the others see declarations. By default everything is inline.
#if defined(PARLANCE_SPLIT)
#define PARLANCE_SPLIT_INLINE
#else
#define PARLANCE_SPLIT_INLINE inline
#endif
#if !defined(PARLANCE_SPLIT) || defined(PARLANCE_SPLIT_UNIT)
#define PARLANCE_BODIES 1
#else
#define PARLANCE_BODIES 0
#endif

namespace parlance::inline PARLANCE_ABI {

inline constexpr const char* version = "0.1.0";

}  // namespace parlance::inline PARLANCE_ABI
