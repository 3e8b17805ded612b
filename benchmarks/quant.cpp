// SPDX-License-Identifier: Apache-2.0
// Speed of the quantised products on this machine, beside its roofs: single-token products against
// the measured read bandwidth, batches against the measured peak of the int8 dot product.
//   quant [rows cols]     default 49152 x 576 for one token, 2048 x 2048 for batches
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

#include "parlance/kernels/quant_matrix.hpp"

namespace {

using namespace parlance::kernels;
using parlance::format;

template <class F>
double fastest(int runs, F&& f) {
  double best = 1e9;
  for (int i = 0; i < runs; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    f();
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    best = std::min(best, time.count());
  }
  return best;
}

double read_bandwidth() {
  static std::vector<std::uint64_t> data(std::size_t{64} << 20, 1);
  constexpr std::int64_t chunk = 1 << 15;
  std::vector<std::uint64_t> sums(data.size() / chunk);
  const double time = fastest(5, [&] {
    parlance::parallel_for(static_cast<std::int64_t>(sums.size()), 4, [&](auto begin, auto end) {
      for (auto i = begin; i < end; ++i) {
        const std::uint64_t* p = data.data() + i * chunk;
        using words = std::uint64_t __attribute__((vector_size(16)));
        words a{}, b{}, c{}, d{};
        for (std::int64_t j = 0; j < chunk; j += 8) {
          words v[4];
          std::memcpy(v, p + j, sizeof v);
          a ^= v[0], b ^= v[1], c ^= v[2], d ^= v[3];
        }
        const words sum = a ^ b ^ c ^ d;
        sums[static_cast<std::size_t>(i)] = sum[0] ^ sum[1];
      }
    });
  });
  return static_cast<double>(data.size()) * 8 / time / 1e9;
}

#if defined(PARLANCE_X86)
PARLANCE_TARGET_BEGIN(PARLANCE_TARGET_AVX512)
// Twelve independent chains, so that neither latency nor loads count.
__attribute__((noinline)) int dot_chains(std::int64_t rounds, int seed) {
  const __m512i w = _mm512_set1_epi8(static_cast<char>(seed));
  __m512i a0 = w, a1 = w, a2 = w, a3 = w, a4 = w, a5 = w, a6 = w, a7 = w, a8 = w, a9 = w, a10 = w,
          a11 = w;
  for (std::int64_t i = 0; i < rounds; ++i) {
#define STEP(a) __asm__ volatile("vpdpbusd %1, %1, %0" : "+v"(a) : "v"(w));
    STEP(a0)
    STEP(a1) STEP(a2) STEP(a3) STEP(a4) STEP(a5) STEP(a6) STEP(a7) STEP(a8) STEP(a9) STEP(a10)
        STEP(a11)
#undef STEP
  }
  return _mm512_reduce_add_epi32(a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11);
}
PARLANCE_TARGET_END
#endif

double dot_peak() {
#if defined(PARLANCE_X86)
  if (cpu().level != isa::avx512) return 0;
  constexpr std::int64_t rounds = 2000000;
  std::vector<int> sink(64);
  const int threads = parlance::num_threads();
  const double time = fastest(5, [&] {
    parlance::parallel_for(8 * threads, 1, [&](auto i, auto) {
      sink[static_cast<std::size_t>(i % 64)] = dot_chains(rounds / 8, static_cast<int>(i));
    });
  });
  return static_cast<double>(rounds) * threads * 12 * 128 / time / 1e9;
#else
  return 0;
#endif
}

quant_matrix random_matrix(format f, std::int64_t n, std::int64_t k) {
  std::vector<std::uint8_t> blocks(parlance::storage_bytes(f, static_cast<std::uint64_t>(n * k)));
  std::mt19937 random(1);
  for (auto& b : blocks) b = static_cast<std::uint8_t>(random() & 0x3F);  // small finite scales
  return quant_matrix::pack(f, n, k, blocks.data());
}

void measure(format f, std::int64_t n, std::int64_t k, double bandwidth, double peak) {
  const std::vector<float> x(static_cast<std::size_t>(512 * 2048), 0.5f);
  {
    k = k / 256 * 256 == k || info(f).block == 32 ? k : k / 256 * 256 + 256;
    const quant_matrix w = random_matrix(f, n, k);
    std::vector<float> y(static_cast<std::size_t>(n));
    const double time = fastest(15, [&] { linear(x.data(), k, w, nullptr, y.data(), n, 1); });
    const double speed = static_cast<double>(w.bytes()) / time / 1e9;
    std::printf("  %-5s one token %5.1f GB/s (%3.0f %%)", name(f).data(), speed,
                100 * speed / bandwidth);
  }
  const quant_matrix w = random_matrix(f, 2048, 2048);
  std::vector<float> y(512 * 2048);
  std::printf("   GOP/s at tokens");
  for (const std::int64_t m : {2, 4, 8, 12, 64, 512}) {
    const double time =
        fastest(m > 12 ? 3 : 9, [&] { linear(x.data(), 2048, w, nullptr, y.data(), 2048, m); });
    const double speed = 2.0 * 2048 * 2048 * static_cast<double>(m) / time / 1e9;
    std::printf("  %lld: %.0f", static_cast<long long>(m), speed);
    if (m == 512 && peak > 0) std::printf(" (%.0f %%)", 100 * speed / peak);
  }
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t n = argc > 2 ? std::atoll(argv[1]) : 49152;
  const std::int64_t k = argc > 2 ? std::min(std::atoll(argv[2]), 2048LL) : 576;
  for (const int threads : {1, 2}) {
    const parlance::use_pool pool(std::make_shared<parlance::thread_pool>(threads));
    const double bandwidth = read_bandwidth(), peak = dot_peak();
    std::printf("%d thread(s): read %.1f GB/s, int8 dot peak %.0f GOP/s\n", threads, bandwidth,
                peak);
    for (const format f : {format::q8_0, format::q4_0, format::q4_1, format::q5_0, format::q5_1,
                           format::q4_k, format::q5_k, format::q6_k})
      measure(f, n, k, bandwidth, peak);
  }
}
