// SPDX-License-Identifier: Apache-2.0
// What this machine can do at most: GB/s read from memory and GFLOP/s of multiply-adds, as JSON.
//   limits THREADS
#include <cstdlib>

#include "bench.hpp"

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  std::printf("{\"threads\": %d, \"read_gb_s\": %.2f, \"fma_gflop_s\": %.1f}\n", threads,
              bench::read_bandwidth(threads) / 1e9, bench::fma_peak(threads) / 1e9);
}
