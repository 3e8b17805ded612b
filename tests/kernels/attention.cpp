// SPDX-License-Identifier: Apache-2.0
// Attention over a cache against plain double loops.
#include "parlance/kernels/attention.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "attention_reference.hpp"

using namespace parlance;
using namespace parlance::kernels;
using attention_test::numbers;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

// A sequence with its queries, keys and values, and a cache full of NaN until it is written.
template <class E>
struct sequence {
  attention_params p;
  std::int64_t total, capacity;
  std::vector<float> q, k, v, bias;  // bias: by relative position, if any
  std::vector<E> cache_k, cache_v;

  sequence(const attention_params& params, std::int64_t length, unsigned seed)
      : p(params), total(length), capacity((length + 31) / 16 * 16) {
    q = numbers<float>(total * p.heads * p.head_dim, seed, 2);
    k = numbers<float>(total * p.kv_heads * p.head_dim, seed + 1, 1);
    v = numbers<float>(total * p.kv_heads * p.head_dim, seed + 2, 1);
    for (auto* rows : {&k, &v})
      for (float& x : *rows) x = float(E(x));
    const auto size = static_cast<std::size_t>(capacity * p.kv_heads * p.head_dim);
    cache_k.assign(size, E(not_a_number));
    cache_v.assign(size, E(not_a_number));
  }
  kv_view<E> view() { return {cache_k.data(), cache_v.data(), capacity}; }
  void append(std::int64_t from, std::int64_t n) {
    const std::int64_t ld = p.kv_heads * p.head_dim;
    kv_append(view(), p, from, n, k.data() + from * ld, ld, v.data() + from * ld, ld);
  }
  cached_job<E> job(std::vector<float>& out, std::int64_t from, std::int64_t n,
                    std::int64_t key_start = 0) {
    const std::int64_t ld = p.heads * p.head_dim;
    cached_job<E> one{
        q.data() + from * ld, ld, out.data() + from * ld, ld, view(), from, n, key_start};
    if (!bias.empty()) one.bias = bias.data(), one.reach = total;
    return one;
  }
  // Runs the positions [0, total) in chunks of the given length.
  std::vector<float> run(std::int64_t chunk, std::int64_t key_start = 0) {
    std::vector<float> out(q.size(), not_a_number);
    for (std::int64_t at = 0; at < total; at += chunk) {
      const std::int64_t n = std::min(chunk, total - at);
      append(at, n);
      const cached_job<E> one = job(out, at, n, key_start);
      attention_cached<E>(p, {&one, 1});
    }
    return out;
  }
  std::vector<double> expected(std::int64_t key_start = 0) const {
    const std::vector<double> dq(q.begin(), q.end()), dk(k.begin(), k.end()),
        dv(v.begin(), v.end());
    const auto by_distance = [&](std::int64_t h, std::int64_t i, std::int64_t j) {
      return double{bias[static_cast<std::size_t>(h * (2 * total - 1) + total - 1 + j - i)]};
    };
    return attention_test::reference(p, total, total, dq, dk, dv, key_start, total,
                                     bias.empty() ? attention_test::bias_function() : by_distance)
        .out;
  }
};

void check_close(const std::vector<float>& got, const std::vector<double>& expected, double bound) {
  REQUIRE(got.size() == expected.size());
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double error = std::abs(got[i] - expected[i]);
    if (!(error <= worst)) worst = error;  // a NaN sticks
  }
  CHECK(worst <= bound);
}

template <class F>
void for_each_isa(F f) {
  for (const isa level : {isa::base, isa::avx2, isa::avx512}) {
    CAPTURE(static_cast<int>(level));
    const limit_isa limit(level);
    f();
  }
}

// Rounding of some hundred operations on values of size one.
constexpr double tolerance = 4e-6;

}  // namespace

TEST_CASE_TEMPLATE("cached attention equals plain loops", E, float, f16, bf16) {
  for_each_isa([] {
    for (const int head_dim : {1, 8, 20, 64, 80})
      for (const int group : {1, 2, 3, 8})
        for (const int length : {1, 15, 16, 17, 33, 100}) {
          CAPTURE(head_dim);
          CAPTURE(group);
          CAPTURE(length);
          const attention_params p{.heads = 2 * group,
                                   .kv_heads = 2,
                                   .head_dim = head_dim,
                                   .scale = 1 / std::sqrt(float(head_dim))};
          sequence<E> s(p, length, static_cast<unsigned>(head_dim + group + length));
          check_close(s.run(length), s.expected(), tolerance);
        }
  });
}

TEST_CASE_TEMPLATE("windows, soft caps, first keys and both directions", E, float, f16) {
  for_each_isa([] {
    for (const std::int64_t window : {0, 1, 7, 40})
      for (const float softcap : {0.0f, 3.0f})
        for (const std::int64_t key_start : {0, 5, 21})
          for (const bool causal : {true, false})
            for (const std::int64_t chunk : {1, 6, 70}) {
              if (!causal && chunk != 70) continue;  // later keys would not be there yet
              CAPTURE(window);
              CAPTURE(softcap);
              CAPTURE(key_start);
              CAPTURE(causal);
              CAPTURE(chunk);
              const attention_params p{.heads = 4,
                                       .kv_heads = 2,
                                       .head_dim = 24,
                                       .scale = 0.5f,
                                       .window = window,
                                       .softcap = softcap,
                                       .causal = causal};
              sequence<E> s(p, 70, 11);
              check_close(s.run(chunk, key_start), s.expected(key_start), tolerance);
            }
  });
}

TEST_CASE_TEMPLATE("chunks, tokens one by one and long contexts", E, float, f16, bf16) {
  for_each_isa([] {
    const attention_params p{.heads = 6, .kv_heads = 2, .head_dim = 32, .scale = 0.25f};
    sequence<E> s(p, 700, 5);
    const auto expected = s.expected();
    for (const std::int64_t chunk : {1, 5, 64, 100, 256, 700}) {
      CAPTURE(chunk);
      check_close(s.run(chunk), expected, tolerance);
    }
  });
}

TEST_CASE_TEMPLATE("a bias by relative position", E, float, f16) {
  for_each_isa([] {
    for (const int group : {1, 2, 9}) {
      const attention_params p{.heads = 2 * group, .kv_heads = 2, .head_dim = 24, .scale = 0.5f};
      sequence<E> s(p, 600, 3);
      s.bias = numbers<float>(p.heads * (2 * 600 - 1), 8, 2);
      const auto expected = s.expected();
      for (const std::int64_t chunk : {1, 7, 100, 600})
        check_close(s.run(chunk), expected, tolerance);
    }
  });
}

TEST_CASE_TEMPLATE("queries of another sequence see the whole cache", E, float, f16) {
  for_each_isa([] {
    for (const std::int64_t length : {1, 37, 700})
      for (const std::int64_t n : {1, 5, 40}) {
        CAPTURE(length);
        CAPTURE(n);
        const attention_params p{
            .heads = 4, .kv_heads = 2, .head_dim = 24, .scale = 0.5f, .causal = false};
        sequence<E> s(p, length, 3);
        s.append(0, length);
        const auto queries = numbers<float>(n * 96, 9, 2);
        std::vector<float> out(queries.size(), not_a_number);
        cached_job<E> job{queries.data(), 96, out.data(), 96, s.view(), 0, n, 0, length};
        attention_cached<E>(p, {&job, 1});
        const auto wide = [](const std::vector<float>& x) {
          return std::vector<double>(x.begin(), x.end());
        };
        check_close(
            out,
            attention_test::reference(p, n, length, wide(queries), wide(s.k), wide(s.v), 0, length)
                .out,
            tolerance);
      }
  });
}

TEST_CASE("every small number of rows in a block") {
  for_each_isa([] {
    const attention_params p{.heads = 1, .kv_heads = 1, .head_dim = 24, .scale = 0.5f};
    sequence<float> s(p, 90, 4);
    const auto expected = s.expected();
    for (std::int64_t chunk = 1; chunk <= 18; ++chunk)
      check_close(s.run(chunk), expected, tolerance);
  });
}

TEST_CASE("many heads over one kv head and a long window") {
  for_each_isa([] {
    const attention_params p{
        .heads = 101, .kv_heads = 1, .head_dim = 16, .scale = 0.3f, .window = 300};
    sequence<f16> s(p, 400, 6);
    const auto expected = s.expected();
    for (const std::int64_t chunk : {1, 9, 400}) check_close(s.run(chunk), expected, tolerance);
  });
}

TEST_CASE("large scores do not overflow") {
  for_each_isa([] {
    const attention_params p{.heads = 2, .kv_heads = 1, .head_dim = 16, .scale = 300};
    sequence<float> s(p, 60, 7);
    // A score of 6000 is rounded to 5e-4, and its exponential by that part.
    check_close(s.run(60), s.expected(), 2e-3);
    check_close(s.run(1), s.expected(), 2e-3);
  });
}

TEST_CASE("neither the threads nor the rest of the batch change a bit") {
  const attention_params p{.heads = 6, .kv_heads = 2, .head_dim = 20, .scale = 0.25f};
  const std::int64_t lengths[] = {1, 300, 40, 1100, 17};
  std::vector<sequence<f16>> batch;
  for (const std::int64_t length : lengths)
    batch.emplace_back(p, length, static_cast<unsigned>(length));
  for (auto& s : batch) s.append(0, s.total);
  const auto decode = [&](int threads, bool together, std::int64_t n) {
    const use_pool pool(std::make_shared<thread_pool>(threads));
    std::vector<std::vector<float>> out;
    for (auto& s : batch) out.emplace_back(s.q.size(), 0.0f);
    std::vector<cached_job<f16>> jobs;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const std::int64_t count = std::min(n, batch[i].total);
      jobs.push_back(batch[i].job(out[i], batch[i].total - count, count));
      if (!together) attention_cached<f16>(p, {&jobs.back(), 1});
    }
    if (together) attention_cached<f16>(p, jobs);
    return out;
  };
  for (const std::int64_t n : {1, 3, 60}) {
    const auto expected = decode(1, false, n);
    CHECK(expected[3].back() != 0);
    for (const int threads : {1, 2, 3}) CHECK(decode(threads, true, n) == expected);
  }
}

TEST_CASE("queries without a visible key give zeros, empty jobs are allowed") {
  const attention_params p{.heads = 2, .kv_heads = 1, .head_dim = 8, .scale = 1};
  sequence<float> s(p, 20, 9);
  const auto out = s.run(1, 10);
  for (std::size_t i = 0; i < 10 * 16; ++i) CHECK(out[i] == 0);
  CHECK(out[10 * 16] != 0);
  attention_cached<float>(p, {});
  std::vector<float> none(s.q.size(), 7.0f);
  const cached_job<float> empty = s.job(none, 3, 0);
  attention_cached<float>(p, {&empty, 1});
  CHECK(none[3 * 16] == 7);
}

TEST_CASE("wrong shapes are refused") {
  const attention_params p{.heads = 2, .kv_heads = 1, .head_dim = 8, .scale = 1};
  sequence<float> s(p, 20, 9);
  std::vector<float> out(s.q.size());
  cached_job<float> job = s.job(out, 0, 1);
  const auto run = [&](attention_params params) { attention_cached<float>(params, {&job, 1}); };
  CHECK_THROWS_AS(run({.heads = 3, .kv_heads = 2, .head_dim = 8}), shape_error);
  CHECK_THROWS_AS(run({.heads = 0, .kv_heads = 1, .head_dim = 8}), shape_error);
  CHECK_THROWS_AS(run({.heads = 2, .kv_heads = 1, .head_dim = 8, .window = -1}), option_error);
  job.first = s.capacity;
  CHECK_THROWS_AS(run(p), shape_error);
  job.first = 0;
  job.length = s.capacity + 1;
  CHECK_THROWS_AS(run(p), shape_error);
  job.length = -1;
  job.bias = out.data(), job.reach = 0;
  CHECK_THROWS_AS(run(p), shape_error);
  job.bias = nullptr;
  job.kv.capacity = 20;
  CHECK_THROWS_AS(run(p), shape_error);
  CHECK_THROWS_AS(kv_append(s.view(), p, s.capacity - 1, 2, out.data(), 8, out.data(), 8),
                  shape_error);
}
