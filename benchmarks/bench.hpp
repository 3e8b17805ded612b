// SPDX-License-Identifier: Apache-2.0
// Timing for the benchmark programs: medians with spread, and what the machine can do at most (read
// bandwidth, multiply-adds), measured in the same run because shared hosts drift. Not part of the
// library.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>

#include "parlance/core/thread_pool.hpp"
#include "parlance/kernels/impl/vec.hpp"

namespace bench {

using clock = std::chrono::steady_clock;

struct timing {
  double median = 0, low = 0, high = 0;  // seconds a call
  double spread() const { return (high - low) / median; }
};

// Calls f often enough for samples of `sample` seconds, takes `samples` of them.
template <class F>
timing measure(F&& f, int samples = 15, double sample = 0.01) {
  const auto seconds = [&](std::int64_t calls) {
    const auto start = clock::now();
    for (std::int64_t i = 0; i < calls; ++i) f();
    return std::chrono::duration<double>(clock::now() - start).count();
  };
  f();
  const double once = std::max(seconds(1), 1e-9);
  const std::int64_t calls = std::max<std::int64_t>(1, static_cast<std::int64_t>(sample / once));
  std::vector<double> all;
  for (int i = 0; i < samples; ++i) all.push_back(seconds(calls) / static_cast<double>(calls));
  std::sort(all.begin(), all.end());
  return {all[all.size() / 2], all.front(), all.back()};
}

// Keeps a value from being optimised away.
template <class T>
void keep(const T& value) {
  __asm__ volatile("" : : "g"(&value) : "memory");
}

namespace detail {

using sum_function = float (*)(const float*, std::int64_t);
using fma_function = float (*)(std::int64_t);

#define PARLANCE_BENCH_BODIES(isa, registers)                                              \
  namespace isa {                                                                          \
  using namespace parlance::kernels::isa;                                                  \
  inline float read_sum(const float* p, std::int64_t n) {                                  \
    vf s[8];                                                                               \
    for (vf & v : s) v = zero();                                                           \
    for (std::int64_t i = 0; i + 8 * vf::lanes <= n; i += 8 * vf::lanes)                   \
      _Pragma("GCC unroll 8") for (int j = 0; j < 8; ++j) s[j] =                           \
          s[j] + load(p + i + j * vf::lanes);                                              \
    float total = 0;                                                                       \
    for (const vf& v : s) total += reduce_add(v);                                          \
    return total;                                                                          \
  }                                                                                        \
  inline float multiply_add(std::int64_t rounds) {                                         \
    vf s[registers];                                                                       \
    const vf a = set1(0.5f), b = set1(1.0f);                                               \
    for (vf & v : s) v = b;                                                                \
    for (std::int64_t i = 0; i < rounds; ++i)                                              \
      _Pragma("GCC unroll 16") for (int j = 0; j < registers; ++j) s[j] = fma(s[j], a, b); \
    float total = 0;                                                                       \
    for (const vf& v : s) total += reduce_add(v);                                          \
    return total;                                                                          \
  }                                                                                        \
  inline constexpr int flops_per_round = 2 * registers * vf::lanes;                        \
  }

PARLANCE_BENCH_BODIES(k_base, 8)
#if defined(PARLANCE_X86)
PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AVX2)
PARLANCE_BENCH_BODIES(k_avx2, 12)
PARLANCE_TARGET_END
PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AVX512)
PARLANCE_BENCH_BODIES(k_avx512, 12)
PARLANCE_TARGET_END
#endif

}  // namespace detail

// The best of the samples: bytes a second read from memory by `threads` threads from `megabytes` MB
// (sum of floats).
inline double read_bandwidth(int threads, std::int64_t megabytes = 512) {
  using parlance::kernels::isa;
  static std::vector<float> data;
  const std::int64_t words = megabytes << 18, part = 1 << 18;
  if (static_cast<std::int64_t>(data.size()) < words)
    data.assign(static_cast<std::size_t>(words), 1.0f);
  detail::sum_function sum = detail::k_base::read_sum;
#if defined(PARLANCE_X86)
  if (parlance::kernels::cpu().level >= isa::avx2) sum = detail::k_avx2::read_sum;
#endif
  const parlance::use_pool own(std::make_shared<parlance::thread_pool>(threads));
  const timing t = measure(
      [&] {
        parlance::parallel_for(words, part, [&](std::int64_t i, std::int64_t end) {
          keep(sum(data.data() + i, end - i));
        });
      },
      15, 0.0);
  return static_cast<double>(words) * 4 / t.low;
}

// The best of the samples: floating-point operations a second of dependent-free multiply-adds in
// registers.
inline double fma_peak(int threads) {
  using parlance::kernels::isa;
  detail::fma_function run = detail::k_base::multiply_add;
  double flops = detail::k_base::flops_per_round;
#if defined(PARLANCE_X86)
  const isa level = parlance::kernels::cpu().level;
  if (level == isa::avx2)
    run = detail::k_avx2::multiply_add, flops = detail::k_avx2::flops_per_round;
  if (level == isa::avx512)
    run = detail::k_avx512::multiply_add, flops = detail::k_avx512::flops_per_round;
#endif
  constexpr std::int64_t rounds = 200000;
  const parlance::use_pool own(std::make_shared<parlance::thread_pool>(threads));
  const timing t = measure([&] {
    parlance::parallel_for(8 * threads, 1, [&](std::int64_t, std::int64_t) { keep(run(rounds)); });
  });
  return flops * static_cast<double>(rounds) * 8 * threads / t.low;
}

}  // namespace bench
