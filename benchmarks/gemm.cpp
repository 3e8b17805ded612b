// SPDX-License-Identifier: Apache-2.0
// Speed of the matrix products on the shapes of SmolLM2-135M, against the machine's own limits and
// Eigen. Every product is verified before it is timed. Usage: gemm [threads] [substring of a name]
#include "parlance/kernels/gemm.hpp"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>

#include "bench.hpp"

using namespace parlance;

namespace {

struct limits {
  int threads;
  double flops, bytes;
};

template <class T>
std::vector<T> numbers(std::int64_t count) {
  std::vector<T> out(static_cast<std::size_t>(count));
  std::uint32_t state = 12345;
  for (T& x : out) {
    state = state * 1664525u + 1013904223u;
    x = T(float(std::int32_t(state)) * 0x1p-31f);
  }
  return out;
}

bool wanted(const std::string& name, const char* filter) {
  return !filter || name.find(filter) != std::string::npos;
}

// Median with spread, then what the best sample reached (other work on the machine only slows).
void report(const std::string& name, const bench::timing& t, double flops, double bytes,
            const limits& limit) {
  std::printf(
      "%-38s %dT %8.3f ms +-%3.0f%% %6.1f GFLOP/s %5.1f%% of peak %5.1f GB/s %5.1f%% of read",
      name.c_str(), limit.threads, t.median * 1e3, 50 * t.spread(), flops / t.median * 1e-9,
      100 * flops / t.median / limit.flops, bytes / t.median * 1e-9,
      100 * bytes / t.median / limit.bytes);
  std::printf(" | best %6.1f %5.1f%%  %5.1f %5.1f%%\n", flops / t.low * 1e-9,
              100 * flops / t.low / limit.flops, bytes / t.low * 1e-9,
              100 * bytes / t.low / limit.bytes);
}

// Spot checks against double; `rounding` is the error allowed beyond f32's.
template <class Left, class Right>
void verify(const std::string& name, std::int64_t m, std::int64_t n, std::int64_t k, Left left,
            Right right, const std::vector<float>& c, double rounding) {
  for (int sample = 0; sample < 200; ++sample) {
    const std::int64_t i = sample * 7919 % m, j = sample * 104729 % n;
    double sum = 0, size = 0;
    for (std::int64_t p = 0; p < k; ++p) {
      const double product = double(left(i, p)) * double(right(p, j));
      sum += product, size += std::abs(product);
    }
    if (!(std::abs(c[static_cast<std::size_t>(i * n + j)] - sum) <= (1e-6 + rounding) * size)) {
      std::printf("%s: wrong result at (%d, %d)\n", name.c_str(), int(i), int(j));
      std::exit(1);
    }
  }
}

template <class W>
void run_linear(const char* type, std::int64_t m, std::int64_t n, std::int64_t k, bool exact,
                const limits& limit, const char* filter) {
  const std::string name = std::string("linear ") + type + " m=" + std::to_string(m) +
                           " n=" + std::to_string(n) + " k=" + std::to_string(k);
  if (!wanted(name, filter)) return;
  const auto x = numbers<float>(m * k);
  const auto w = numbers<W>(n * k);
  std::vector<float> y(static_cast<std::size_t>(m * n));
  const auto call = [&] {
    kernels::linear(x.data(), k, w.data(), k, static_cast<const float*>(nullptr), y.data(), n, m, n,
                    k, exact);
  };
  call();
  verify(
      name, m, n, k, [&](auto i, auto p) { return x[i * k + p]; },
      [&](auto p, auto j) { return float(w[j * k + p]); }, y, exact ? 0 : 0x1p-8);
  report(name, bench::measure(call), 2.0 * double(m) * double(n) * double(k),
         double(n) * double(k) * sizeof(W), limit);
}

void run_gemm(const char* what, bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k,
              float beta, const limits& limit, const char* filter) {
  const std::string name = std::string(what) + " m=" + std::to_string(m) +
                           " n=" + std::to_string(n) + " k=" + std::to_string(k);
  if (!wanted(name, filter)) return;
  const auto a = numbers<float>(m * k), b = numbers<float>(n * k);
  std::vector<float> c(static_cast<std::size_t>(m * n));
  const std::int64_t lda = ta ? m : k, ldb = tb ? k : n;
  const auto call = [&] {
    kernels::gemm(ta, tb, m, n, k, a.data(), lda, b.data(), ldb, beta, c.data(), n);
  };
  call();
  verify(
      name, m, n, k, [&](auto i, auto p) { return a[ta ? p * lda + i : i * lda + p]; },
      [&](auto p, auto j) { return b[tb ? j * ldb + p : p * ldb + j]; }, c, 0);
  const double flops = 2.0 * double(m) * double(n) * double(k), bytes = 4.0 * double(n) * double(k);
  report(name, bench::measure(call), flops, bytes, limit);
  if (limit.threads > 1) return;
  const auto eigen = [&] {
    kernels::detail::eigen_gemm(ta, tb, m, n, k, a.data(), lda, b.data(), ldb, c.data(), n);
  };
  report("  Eigen, flags of this build", bench::measure(eigen, 3), flops, bytes, limit);
}

void run(const limits& limit, const char* filter) {
  for (const auto& [n, k] : {std::pair{576, 576}, {192, 576}, {1536, 576}, {576, 1536}})
    for (const int m : {512, 64}) {
      run_linear<float>("f32", m, n, k, true, limit, filter);
      run_linear<bf16>("bf16 exact", m, n, k, true, limit, filter);
      run_linear<f16>("f16", m, n, k, true, limit, filter);
      run_linear<bf16>("bf16 rounded", m, n, k, false, limit, filter);
    }
  run_linear<float>("f32", 64, 49152, 576, true, limit, filter);
  for (const auto& [in, out] : {std::pair{576, 576}, {576, 192}, {576, 1536}, {1536, 576}}) {
    run_gemm("forward NT", false, true, 1024, out, in, 0, limit, filter);
    run_gemm("dX NN", false, false, 1024, in, out, 0, limit, filter);
    run_gemm("dW TN", true, false, out, in, 1024, 1, limit, filter);
  }
  run_gemm("forward NT", false, true, 1024, 49152, 576, 0, limit, filter);
  run_gemm("dX NN", false, false, 1024, 576, 49152, 0, limit, filter);
  run_gemm("dW TN", true, false, 49152, 576, 1024, 1, limit, filter);
  for (const int m : {1, 2, 4, 8, 16, 24, 32}) {
    run_linear<float>("f32", m, 65536, 1536, true, limit, filter);
    run_linear<bf16>("bf16 exact", m, 131072, 1536, true, limit, filter);
    run_linear<f16>("f16", m, 131072, 1536, true, limit, filter);
    run_linear<bf16>("bf16 rounded", m, 131072, 1536, false, limit, filter);
  }
  run_linear<float>("f32", 1, 1536, 576, true, limit, filter);
  run_linear<bf16>("bf16 exact", 1, 1536, 576, true, limit, filter);
}

}  // namespace

int main(int argc, char** argv) {
  const int only = argc > 1 ? std::atoi(argv[1]) : 0;
  const char* const filter = argc > 2 ? argv[2] : nullptr;
  const int most = static_cast<int>(std::thread::hardware_concurrency());
  for (int threads = 1; threads <= most; ++threads) {
    if (only && threads != only) continue;
    const limits limit{threads, bench::fma_peak(threads), bench::read_bandwidth(threads)};
    std::printf("%d threads: multiply-add peak %.1f GFLOP/s, read %.1f GB/s\n", threads,
                limit.flops * 1e-9, limit.bytes * 1e-9);
    const use_pool own(std::make_shared<thread_pool>(threads));
    run(limit, filter);
  }
}
