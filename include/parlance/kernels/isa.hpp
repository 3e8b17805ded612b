// SPDX-License-Identifier: Apache-2.0
// Which instruction sets this processor runs, and the target regions in which the hot kernels are
// compiled once per level, whatever -march says. Levels:
//   base    what the compiler was asked for (SSE2 on x86-64, NEON on AArch64)
//   avx2    AVX2, FMA, F16C
//   avx512  AVX-512 F/BW/DQ/VL and VNNI; `has_bf16` and `fast_bf16` tell of the bf16 dot product,
//           `amx` of the tile unit, for which the process asks Linux once, at the first product
// Own detection, since xsimd 8.1's neither checks XCR0 nor knows VNNI and BF16.
#pragma once

#include <cstdint>

#include "parlance/core/config.hpp"

#if defined(__x86_64__) || defined(__i386__)
#define PARLANCE_X86 1
#include <cpuid.h>
#include <immintrin.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

#if defined(PARLANCE_X86)
#define PARLANCE_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define PARLANCE_TARGET_BEGIN(features) \
  PARLANCE_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define PARLANCE_TARGET_END _Pragma("clang attribute pop")
#else
// The silenced warnings are false ones of GCC 12's own AVX-512 headers (GCC bug 105593).
#define PARLANCE_TARGET_BEGIN(features)                                                            \
  _Pragma("GCC push_options") PARLANCE_PRAGMA(GCC target(features)) _Pragma("GCC diagnostic push") \
      _Pragma("GCC diagnostic ignored \"-Wuninitialized\"")                                        \
          _Pragma("GCC diagnostic ignored \"-Wmaybe-uninitialized\"")
#define PARLANCE_TARGET_END _Pragma("GCC diagnostic pop") _Pragma("GCC pop_options")
#endif
#define PARLANCE_TARGET_AVX2 "avx2,fma,f16c,bmi,bmi2"
#define PARLANCE_TARGET_AVX512 \
  "avx2,fma,f16c,bmi,bmi2,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"
#define PARLANCE_TARGET_AVX512BF16 \
  "avx2,fma,f16c,bmi,bmi2,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16"
#define PARLANCE_TARGET_AMX                                                                   \
  "avx2,fma,f16c,bmi,bmi2,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16,amx-tile," \
  "amx-bf16"
#endif

namespace parlance::inline PARLANCE_ABI::kernels {

enum class isa : std::uint8_t { base, avx2, avx512 };

struct cpu_features {
  isa level = isa::base;
  bool has_bf16 = false;   // vdpbf16ps; only together with isa::avx512
  bool fast_bf16 = false;  // and it outdoes f32 where arithmetic counts: not on Intel's cores,
                           // which issue one in two cycles (Sapphire Rapids: 107 GFLOP/s, f32 215)
  bool amx = false;  // bf16 tiles; only together with has_bf16, and when Linux lets us
};

namespace detail {

// Tiles enlarge the state that is saved at a signal, so Linux wants to be asked
// (Documentation/arch/x86/xstate.rst). It refuses when a signal stack is too small for it.
inline bool request_amx() {
#if defined(PARLANCE_X86) && defined(__x86_64__) && defined(__linux__)
  constexpr long request_permission = 0x1023, tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}

inline cpu_features detect_cpu() {
  cpu_features found;
#if defined(PARLANCE_X86)
  unsigned a, b, c, d;
  if (!__get_cpuid(0, &a, &b, &c, &d)) return found;
  const bool intel = b == signature_INTEL_ebx;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return found;
  const auto bit = [](unsigned word, int i) { return (word >> i & 1) != 0; };
  const bool fma = bit(c, 12), f16c = bit(c, 29), avx = bit(c, 28), osxsave = bit(c, 27);
  if (!(fma && f16c && avx && osxsave)) return found;
  unsigned xcr0, high;
  __asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
  if ((xcr0 & 0x6) != 0x6 || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return found;
  if (!(bit(b, 5) && bit(b, 3) && bit(b, 8))) return found;  // AVX2, BMI1, BMI2
  found.level = isa::avx2;
  const bool f = bit(b, 16), dq = bit(b, 17), bw = bit(b, 30), vl = bit(b, 31), vnni = bit(c, 11);
  if ((xcr0 & 0xE6) != 0xE6 || !(f && dq && bw && vl && vnni)) return found;
  found.level = isa::avx512;
  found.has_bf16 = __get_cpuid_count(7, 1, &a, &b, &c, &d) && bit(a, 5);
  found.fast_bf16 = found.has_bf16 && !intel;
  constexpr unsigned tiles = 3u << 17;
  found.amx = found.has_bf16 && (xcr0 & tiles) == tiles &&
              __get_cpuid_count(7, 0, &a, &b, &c, &d) && bit(d, 22) && bit(d, 24) && request_amx();
#endif
  return found;
}

inline const cpu_features& machine() {
  static const cpu_features found = detect_cpu();
  return found;
}

inline const cpu_features*& cpu_override() {
  thread_local const cpu_features* features = nullptr;
  return features;
}

}  // namespace detail

// What kernels called from this thread may use.
inline const cpu_features& cpu() {
  const cpu_features* const limited = detail::cpu_override();
  return limited ? *limited : detail::machine();
}

// Holds kernels called from this thread to a lower level (never a higher one), for tests and
// comparisons. Kernels choose their level before they go parallel, so workers follow.
class limit_isa {
 public:
  explicit limit_isa(isa level, bool bf16 = false, bool amx = false)
      : features_{level < detail::machine().level ? level : detail::machine().level,
                  bf16 && level == isa::avx512 && detail::machine().has_bf16,
                  bf16 && level == isa::avx512 && detail::machine().has_bf16,
                  amx && level == isa::avx512 && detail::machine().amx},
        previous_(detail::cpu_override()) {
    detail::cpu_override() = &features_;
  }
  limit_isa(const limit_isa&) = delete;
  ~limit_isa() { detail::cpu_override() = previous_; }

 private:
  cpu_features features_;
  const cpu_features* previous_;
};

}  // namespace parlance::inline PARLANCE_ABI::kernels
