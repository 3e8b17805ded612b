// SPDX-License-Identifier: Apache-2.0
// Attention over dense rows and its gradient: plain double loops, central differences, and float
// tiles against the double path.
#include "parlance/kernels/attention_train.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "attention_reference.hpp"
#include "parlance/kernels/attention.hpp"

using namespace parlance;
using namespace parlance::kernels;
using attention_test::numbers;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
struct problem {
  attention_params p;
  std::int64_t batch, t, s, gap;  // `gap` unused columns behind each row
  std::vector<T> q, k, v, gradient;
  std::vector<std::int32_t> key_start, key_end;

  std::int64_t ldq() const { return std::int64_t{p.heads} * p.head_dim + gap; }
  std::int64_t ldk() const { return std::int64_t{p.kv_heads} * p.head_dim + gap; }
  std::size_t outputs() const { return static_cast<std::size_t>(batch * t * (ldq() - gap)); }
  std::size_t inputs() const { return static_cast<std::size_t>(batch * s * (ldk() - gap)); }
  attention_io<T> io() const {
    return {batch,
            t,
            s,
            q.data(),
            ldq(),
            k.data(),
            ldk(),
            v.data(),
            ldk(),
            key_start.empty() ? nullptr : key_start.data(),
            key_end.empty() ? nullptr : key_end.data()};
  }
};

template <class T>
problem<T> make(const attention_params& p, std::int64_t batch, std::int64_t t, std::int64_t s,
                std::int64_t gap = 0) {
  problem<T> x{p, batch, t, s, gap, {}, {}, {}, {}, {}, {}};
  x.q = numbers<T>(batch * t * x.ldq(), 1, 1.5);
  x.k = numbers<T>(batch * s * x.ldk(), 2, 1.5);
  x.v = numbers<T>(batch * s * x.ldk(), 3, 1);
  x.gradient = numbers<T>(static_cast<std::int64_t>(x.outputs()), 4, 1);
  return x;
}

template <class T>
struct results {
  std::vector<T> out, lse, dq, dk, dv;
  bool operator==(const results&) const = default;
};

template <class T>
results<T> run(const problem<T>& x) {
  const auto poison = static_cast<T>(not_a_number);
  results<T> r;
  r.out.assign(x.outputs(), poison);
  r.lse.assign(static_cast<std::size_t>(x.batch * x.t * x.p.heads), poison);
  r.dq.assign(x.outputs(), poison);
  r.dk.assign(x.inputs(), poison);
  r.dv.assign(x.inputs(), poison);
  attention_forward(x.p, x.io(), r.out.data(), r.lse.data());
  attention_backward(x.p, x.io(), r.out.data(), r.lse.data(), x.gradient.data(), r.dq.data(),
                     r.dk.data(), r.dv.data());
  return r;
}

template <class A, class B>
double distance(const std::vector<A>& a, const std::vector<B>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = double(a[i]), y = double(b[i]);
    // Equal infinities have no difference; sums of many terms a relative one.
    const double error = x == y ? 0 : std::abs(x - y) / std::max(1.0, std::abs(y));
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

problem<double> to_double(const problem<float>& x) {
  const auto convert = [](const std::vector<float>& v) {
    return std::vector<double>(v.begin(), v.end());
  };
  return {x.p,          x.batch,      x.t,
          x.s,          x.gap,        convert(x.q),
          convert(x.k), convert(x.v), convert(x.gradient),
          x.key_start,  x.key_end};
}

void check_float(const problem<float>& x, double bound) {
  const results<float> got = run(x);
  const results<double> expected = run(to_double(x));
  CHECK(distance(got.out, expected.out) <= bound);
  CHECK(distance(got.lse, expected.lse) <= bound);
  CHECK(distance(got.dq, expected.dq) <= bound);
  CHECK(distance(got.dk, expected.dk) <= bound);
  CHECK(distance(got.dv, expected.dv) <= bound);
}

template <class F>
void for_each_isa(F f) {
  for (const isa level : {isa::base, isa::avx2, isa::avx512}) {
    CAPTURE(static_cast<int>(level));
    const limit_isa limit(level);
    f();
  }
}

}  // namespace

TEST_CASE("the double path equals plain loops") {
  for (const bool causal : {true, false})
    for (const std::int64_t window : {0, 3})
      for (const float softcap : {0.0f, 2.0f}) {
        const attention_params p{.heads = 6,
                                 .kv_heads = 2,
                                 .head_dim = 5,
                                 .scale = 0.4f,
                                 .window = window,
                                 .softcap = softcap,
                                 .causal = causal};
        problem<double> x = make<double>(p, 1, 9, 13);
        x.key_start = {2};
        x.key_end = {12};
        const auto got = run(x);
        const auto expected = attention_test::reference(p, 9, 13, x.q, x.k, x.v, 2, 12);
        CHECK(distance(got.out, expected.out) <= 1e-14);
        CHECK(distance(got.lse, expected.lse) <= 1e-14);
      }
}

TEST_CASE("gradients equal central differences") {
  for (const bool causal : {true, false})
    for (const std::int64_t window : {0, 2})
      for (const float softcap : {0.0f, 1.5f})
        for (const int kv_heads : {1, 2, 4}) {
          CAPTURE(causal);
          CAPTURE(window);
          CAPTURE(softcap);
          CAPTURE(kv_heads);
          const attention_params p{.heads = 4,
                                   .kv_heads = kv_heads,
                                   .head_dim = 3,
                                   .scale = 0.6f,
                                   .window = window,
                                   .softcap = softcap,
                                   .causal = causal};
          problem<double> x = make<double>(p, 2, 4, 5);
          x.key_start = {0, 1};
          x.key_end = {5, 4};
          const results<double> r = run(x);
          const auto loss = [&] {
            std::vector<double> out(x.outputs());
            attention_forward<double>(p, x.io(), out.data(), nullptr);
            double sum = 0;
            for (std::size_t i = 0; i < out.size(); ++i) sum += out[i] * x.gradient[i];
            return sum;
          };
          const auto check = [&](std::vector<double>& input, const std::vector<double>& slope) {
            double worst = 0;
            for (std::size_t i = 0; i < input.size(); ++i) {
              const double kept = input[i], step = 1e-5;
              input[i] = kept + step;
              const double up = loss();
              input[i] = kept - step;
              const double down = loss();
              input[i] = kept;
              worst = std::max(worst, std::abs((up - down) / (2 * step) - slope[i]));
            }
            CHECK(worst <= 1e-8);
          };
          check(x.q, r.dq);
          check(x.k, r.dk);
          check(x.v, r.dv);
        }
}

TEST_CASE("float tiles equal the double path") {
  for_each_isa([] {
    for (const int head_dim : {1, 8, 20, 64, 80})
      for (const int group : {1, 2, 3, 8})
        for (const int t : {1, 15, 17, 33, 100})
          for (const int s : {1, 16, 33, 100}) {
            CAPTURE(head_dim);
            CAPTURE(group);
            CAPTURE(t);
            CAPTURE(s);
            const attention_params p{.heads = 2 * group,
                                     .kv_heads = 2,
                                     .head_dim = head_dim,
                                     .scale = 1 / std::sqrt(float(head_dim)),
                                     .causal = (t + s) % 2 == 0};
            // A gradient of a key sums over up to 8 * 100 queries.
            check_float(make<float>(p, 1, t, s, 3), 3e-5);
          }
  });
}

TEST_CASE("float tiles with windows, soft caps and key ranges") {
  for_each_isa([] {
    for (const bool causal : {true, false})
      for (const std::int64_t window : {0, 1, 9, 50})
        for (const float softcap : {0.0f, 2.0f}) {
          CAPTURE(causal);
          CAPTURE(window);
          CAPTURE(softcap);
          const attention_params p{.heads = 6,
                                   .kv_heads = 2,
                                   .head_dim = 24,
                                   .scale = 0.3f,
                                   .window = window,
                                   .softcap = softcap,
                                   .causal = causal};
          problem<float> x = make<float>(p, 4, 150, 170);
          x.key_start = {0, 33, 0, 90};
          x.key_end = {170, 170, 120, 90};
          check_float(x, 3e-5);
        }
  });
}

TEST_CASE("long sequences in several pieces") {
  for_each_isa([] {
    const attention_params p{.heads = 2, .kv_heads = 1, .head_dim = 16, .scale = 0.25f};
    check_float(make<float>(p, 1, 700, 700), 3e-5);
  });
}

TEST_CASE("keys outside the range may hold anything, rows without keys are zero") {
  for_each_isa([] {
    const attention_params p{.heads = 2, .kv_heads = 1, .head_dim = 20, .scale = 0.25f};
    problem<float> x = make<float>(p, 2, 40, 40);
    x.key_start = {0, 25};
    x.key_end = {30, 40};
    const auto clean = run(x);
    for (int b = 0; b < 2; ++b)
      for (int j = 0; j < 40; ++j)
        for (int c = 0; c < 20; ++c)
          if (j < x.key_start[std::size_t(b)] || j >= x.key_end[std::size_t(b)])
            x.k[std::size_t((b * 40 + j) * 20 + c)] = x.v[std::size_t((b * 40 + j) * 20 + c)] =
                not_a_number;
    CHECK(run(x) == clean);
    for (std::size_t i = 0; i < 25; ++i) {
      CHECK(double(clean.lse[2 * 40 + i]) == -infinity);
      for (std::size_t c = 0; c < 40; ++c) {
        CHECK(clean.out[(40 + i) * 40 + c] == 0);
        CHECK(clean.dq[(40 + i) * 40 + c] == 0);
      }
    }
    for (std::size_t j = 0; j < 25 * 20; ++j) CHECK(clean.dk[40 * 20 + j] == 0);
  });
}

TEST_CASE("dense attention equals attention over a cache") {
  for_each_isa([] {
    const attention_params p{.heads = 6, .kv_heads = 2, .head_dim = 64, .scale = 0.125f};
    const problem<float> x = make<float>(p, 1, 130, 130);
    std::vector<float> k(144 * 128), v(144 * 128), out(x.outputs());
    const kv_view<float> kv{k.data(), v.data(), 144};
    kv_append(kv, p, 0, 130, x.k.data(), 128, x.v.data(), 128);
    const cached_job<float> job{x.q.data(), 384, out.data(), 384, kv, 0, 130};
    attention_cached<float>(p, {&job, 1});
    CHECK(distance(out, run(x).out) <= 1e-6);
  });
}

TEST_CASE("training does not depend on the number of threads") {
  const attention_params p{.heads = 6, .kv_heads = 3, .head_dim = 20, .scale = 0.25f};
  const problem<float> x = make<float>(p, 2, 650, 650);
  const auto with = [&](int threads) {
    const use_pool pool(std::make_shared<thread_pool>(threads));
    return run(x);
  };
  const auto expected = with(1);
  CHECK(with(2) == expected);
  CHECK(with(3) == expected);
}

TEST_CASE("wrong shapes are refused, empty ones are not") {
  const attention_params p{.heads = 2, .kv_heads = 1, .head_dim = 8, .scale = 1};
  problem<float> x = make<float>(p, 1, 3, 0);
  const auto r = run(x);
  for (const float o : r.out) CHECK(o == 0);
  for (const float g : r.dq) CHECK(g == 0);
  run(make<float>(p, 0, 3, 3));
  run(make<float>(p, 1, 0, 3));
  attention_io<float> io = x.io();
  io.ldq = 15;
  std::vector<float> out(x.outputs());
  CHECK_THROWS_AS(attention_forward<float>(p, io, out.data(), nullptr), shape_error);
}
