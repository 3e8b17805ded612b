// SPDX-License-Identifier: Apache-2.0
// Speed of attention: decoding over a cache against the read bandwidth of the same run, prompts and
// training against the multiply-add peak. Usage: attention [threads] [substring of a name]
#include "parlance/kernels/attention.hpp"

#include <cmath>
#include <cstdlib>
#include <string>

#include "bench.hpp"
#include "parlance/kernels/attention_train.hpp"

using namespace parlance;
using namespace parlance::kernels;

namespace {

struct limits {
  int threads;
  double flops, bytes;
  const char* filter;
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

bool wanted(const std::string& name, const limits& limit) {
  return !limit.filter || name.find(limit.filter) != std::string::npos;
}

void report(const std::string& name, const bench::timing& t, double flops, double bytes,
            const limits& limit) {
  std::printf("%-44s %dT %9.3f ms +-%3.0f%% %7.1f GFLOP/s %5.1f%% of peak", name.c_str(),
              limit.threads, t.median * 1e3, 50 * t.spread(), flops / t.median * 1e-9,
              100 * flops / t.median / limit.flops);
  if (bytes > 0)
    std::printf(" %6.1f GB/s %5.1f%% of read", bytes / t.median * 1e-9,
                100 * bytes / t.median / limit.bytes);
  std::printf("\n");
}

std::string label(const char* kind, const char* type, const attention_params& p,
                  std::int64_t length, std::int64_t n) {
  return std::string(kind) + " " + type + " " + std::to_string(p.heads) + "/" +
         std::to_string(p.kv_heads) + " heads d " + std::to_string(p.head_dim) + " ctx " +
         std::to_string(length) + " n " + std::to_string(n);
}

attention_params model(int heads, int kv_heads, int head_dim) {
  return {.heads = heads,
          .kv_heads = kv_heads,
          .head_dim = head_dim,
          .scale = 1 / std::sqrt(static_cast<float>(head_dim))};
}

// Query-key pairs of a causal block of n queries at the end of `length` keys.
double pairs(std::int64_t length, std::int64_t n) {
  return static_cast<double>(n) *
         (static_cast<double>(length - n) + (static_cast<double>(n) + 1) / 2);
}

// `layers` caches in turn, so that a small one does not simply stay in the nearest cache.
template <class E>
void cached(const char* type, const attention_params& p, std::int64_t length, std::int64_t n,
            std::int64_t layers, const limits& limit) {
  const std::string name = label(n == 1 ? "decode" : "prompt", type, p, length, n);
  if (!wanted(name, limit)) return;
  const std::int64_t row = p.kv_heads * p.head_dim, columns = p.heads * p.head_dim;
  std::vector<std::vector<E>> k, v;
  for (std::int64_t i = 0; i < layers; ++i) {
    k.push_back(numbers<E>(length * row));
    v.push_back(numbers<E>(length * row));
  }
  const auto q = numbers<float>(n * columns);
  std::vector<float> out(q.size());
  const bench::timing t = bench::measure([&] {
    for (std::size_t i = 0; i < k.size(); ++i) {
      const cached_job<E> job{
          q.data(),   columns, out.data(), columns, {k[i].data(), v[i].data(), length},
          length - n, n};
      attention_cached<E>(p, {&job, 1});
    }
  });
  const double flops = 4 * pairs(length, n) * static_cast<double>(columns);
  const double bytes = n == 1 ? 2.0 * static_cast<double>(length * row) * sizeof(E) : 0;
  report(name, t, flops * static_cast<double>(layers), bytes * static_cast<double>(layers), limit);
}

void append(const attention_params& p, std::int64_t n, const limits& limit) {
  const std::string name = label("append", "f16", p, n, n);
  if (!wanted(name, limit)) return;
  const std::int64_t row = p.kv_heads * p.head_dim;
  std::vector<f16> k(static_cast<std::size_t>((n + 15) / 16 * 16 * row)), v = k;
  const auto rows = numbers<float>(n * row);
  const bench::timing t = bench::measure([&] {
    kv_append<f16>({k.data(), v.data(), (n + 15) / 16 * 16}, p, 0, n, rows.data(), row, rows.data(),
                   row);
  });
  report(name, t, 0, 12.0 * static_cast<double>(n * row), limit);
}

void train(const attention_params& p, std::int64_t batch, std::int64_t t, const limits& limit) {
  const std::string name = label("train", "f32", p, t, t);
  if (!wanted(name, limit)) return;
  const std::int64_t row = p.kv_heads * p.head_dim, columns = p.heads * p.head_dim;
  const auto q = numbers<float>(batch * t * columns), k = numbers<float>(batch * t * row);
  std::vector<float> out(q.size()), dq(q.size()), dk(k.size()), dv(k.size());
  std::vector<float> lse(static_cast<std::size_t>(batch * t * p.heads));
  const std::vector<std::int64_t> offsets = even_offsets(batch, t);
  const attention_io<float> io{offsets, offsets, q.data(), columns, k.data(), row, k.data(), row};
  const double count =
      (p.causal ? pairs(t, t) : static_cast<double>(t * t)) * static_cast<double>(batch * columns);
  const bench::timing forward =
      bench::measure([&] { attention_forward(p, io, out.data(), lse.data()); });
  report(name + " forward", forward, 4 * count, 0, limit);
  const bench::timing backward = bench::measure([&] {
    attention_backward<float>(p, io, out.data(), lse.data(), q.data(),
                              {dq.data(), dk.data(), dv.data()});
  });
  report(name + " backward", backward, 10 * count, 0, limit);
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 2;
  const limits limit{threads, bench::fma_peak(threads), bench::read_bandwidth(threads),
                     argc > 2 ? argv[2] : nullptr};
  std::printf("peak %.1f GFLOP/s, read %.1f GB/s\n", limit.flops * 1e-9, limit.bytes * 1e-9);
  const use_pool own(std::make_shared<thread_pool>(threads));
  const attention_params small = model(9, 3, 64), wide = model(32, 8, 128), gpt = model(12, 12, 64);
  cached<f16>("f16", small, 256, 1, 30, limit);
  cached<f16>("f16", small, 4096, 1, 30, limit);
  cached<bf16>("bf16", small, 4096, 1, 30, limit);
  cached<float>("f32", small, 4096, 1, 30, limit);
  cached<f16>("f16", wide, 4096, 1, 8, limit);
  cached<f16>("f16", gpt, 4096, 1, 8, limit);
  cached<f16>("f16", small, 4096, 4, 30, limit);
  cached<f16>("f16", small, 512, 512, 1, limit);
  cached<float>("f32", small, 512, 512, 1, limit);
  cached<f16>("f16", small, 4096, 512, 1, limit);
  cached<f16>("f16", wide, 1024, 1024, 1, limit);
  cached<f16>("f16", model(15, 5, 80), 512, 512, 1, limit);
  append(small, 1, limit);
  append(small, 512, limit);
  train(small, 4, 512, limit);
  train(gpt, 4, 256, limit);
  train(wide, 1, 1024, limit);
}
