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
  std::vector<std::int64_t> q_offsets, k_offsets;
  std::int64_t gap = 0;  // unused columns behind each row
  std::vector<T> q, k, v, gradient, bias;
  bias_layout layout = bias_layout::relative;
  std::int64_t reach = 0;
  std::vector<std::int32_t> key_start, key_end;

  std::int64_t ldq() const { return std::int64_t{p.heads} * p.head_dim + gap; }
  std::int64_t ldk() const { return std::int64_t{p.kv_heads} * p.head_dim + gap; }
  std::size_t outputs() const { return std::size_t(q_offsets.back() * (ldq() - gap)); }
  std::size_t inputs() const { return std::size_t(k_offsets.back() * (ldk() - gap)); }
  attention_io<T> io() const {
    return {q_offsets,
            k_offsets,
            q.data(),
            ldq(),
            k.data(),
            ldk(),
            v.data(),
            ldk(),
            key_start.empty() ? nullptr : key_start.data(),
            key_end.empty() ? nullptr : key_end.data(),
            {bias.empty() ? nullptr : bias.data(), layout, reach}};
  }
  // A bias for the longest sequence, or a block for each.
  void add_bias(bias_layout kind) {
    layout = kind;
    std::int64_t size = 0;
    for (std::int64_t b = 0; b < io().sequences(); ++b) {
      reach = std::max({reach, io().queries(b), io().keys(b)});
      size += p.heads * io().queries(b) * io().keys(b);
    }
    bias = numbers<T>(kind == bias_layout::dense ? size : p.heads * (2 * reach - 1), 5, 2);
  }
};

template <class T>
problem<T> make(const attention_params& p, std::vector<std::int64_t> q_offsets,
                std::vector<std::int64_t> k_offsets, std::int64_t gap = 0) {
  problem<T> x{p, std::move(q_offsets), std::move(k_offsets), gap, {}, {}, {}, {}, {}, {}, 0, {},
               {}};
  x.q = numbers<T>(x.q_offsets.back() * x.ldq(), 1, 1.5);
  x.k = numbers<T>(x.k_offsets.back() * x.ldk(), 2, 1.5);
  x.v = numbers<T>(x.k_offsets.back() * x.ldk(), 3, 1);
  x.gradient = numbers<T>(static_cast<std::int64_t>(x.outputs()), 4, 1);
  return x;
}
template <class T>
problem<T> make(const attention_params& p, std::int64_t batch, std::int64_t t, std::int64_t s,
                std::int64_t gap = 0) {
  return make<T>(p, even_offsets(batch, t), even_offsets(batch, s), gap);
}

template <class T>
struct results {
  std::vector<T> out, lse, dq, dk, dv, dbias;
  bool operator==(const results&) const = default;
};

template <class T>
results<T> run(const problem<T>& x) {
  const auto poison = static_cast<T>(not_a_number);
  results<T> r;
  r.out.assign(x.outputs(), poison);
  r.lse.assign(static_cast<std::size_t>(x.q_offsets.back() * x.p.heads), poison);
  r.dq.assign(x.outputs(), poison);
  r.dk.assign(x.inputs(), poison);
  r.dv.assign(x.inputs(), poison);
  r.dbias.assign(x.bias.size(), poison);
  attention_forward(x.p, x.io(), r.out.data(), r.lse.data());
  attention_backward<T>(
      x.p, x.io(), r.out.data(), r.lse.data(), x.gradient.data(),
      {r.dq.data(), r.dk.data(), r.dv.data(), x.bias.empty() ? nullptr : r.dbias.data()});
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
  return {x.p,          x.q_offsets,         x.k_offsets,     x.gap,    convert(x.q), convert(x.k),
          convert(x.v), convert(x.gradient), convert(x.bias), x.layout, x.reach,      x.key_start,
          x.key_end};
}

void check_float(const problem<float>& x, double bound) {
  const results<float> got = run(x);
  const results<double> expected = run(to_double(x));
  CHECK(distance(got.out, expected.out) <= bound);
  CHECK(distance(got.lse, expected.lse) <= bound);
  CHECK(distance(got.dq, expected.dq) <= bound);
  CHECK(distance(got.dk, expected.dk) <= bound);
  CHECK(distance(got.dv, expected.dv) <= bound);
  CHECK(distance(got.dbias, expected.dbias) <= bound);
}

// The largest difference between a gradient and central differences of the double path.
double slope_error(problem<double>& x, std::vector<double>& input,
                   const std::vector<double>& slope) {
  const auto loss = [&] {
    std::vector<double> out(x.outputs());
    attention_forward<double>(x.p, x.io(), out.data(), nullptr);
    double sum = 0;
    for (std::size_t i = 0; i < out.size(); ++i) sum += out[i] * x.gradient[i];
    return sum;
  };
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
  return worst;
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
          CHECK(slope_error(x, x.q, r.dq) <= 1e-8);
          CHECK(slope_error(x, x.k, r.dk) <= 1e-8);
          CHECK(slope_error(x, x.v, r.dv) <= 1e-8);
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
      CHECK(double(clean.lse[40 + i]) == -infinity);
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

TEST_CASE("a bias by relative position or in blocks equals plain loops") {
  const std::int64_t t = 5, s = 7;
  for (const bool causal : {true, false})
    for (const float softcap : {0.0f, 1.5f}) {
      const attention_params p{.heads = 4,
                               .kv_heads = 2,
                               .head_dim = 3,
                               .scale = 0.5f,
                               .softcap = softcap,
                               .causal = causal};
      problem<double> x = make<double>(p, 1, t, s);
      x.add_bias(bias_layout::relative);
      const auto by_distance = [&](std::int64_t h, std::int64_t i, std::int64_t j) {
        return x.bias[std::size_t(h * (2 * s - 1) + s - 1 + j - (i + s - t))];
      };
      auto expected = attention_test::reference(p, t, s, x.q, x.k, x.v, 0, s, by_distance);
      CHECK(distance(run(x).out, expected.out) <= 1e-14);
      CHECK(distance(run(x).lse, expected.lse) <= 1e-14);
      x.add_bias(bias_layout::dense);
      const auto in_block = [&](std::int64_t h, std::int64_t i, std::int64_t j) {
        return x.bias[std::size_t((h * t + i) * s + j)];
      };
      expected = attention_test::reference(p, t, s, x.q, x.k, x.v, 0, s, in_block);
      CHECK(distance(run(x).out, expected.out) <= 1e-14);
    }
}

TEST_CASE("gradients of a bias and of packed sequences equal central differences") {
  for (const auto kind : {bias_layout::relative, bias_layout::dense})
    for (const bool causal : {true, false}) {
      const attention_params p{.heads = 4,
                               .kv_heads = 2,
                               .head_dim = 3,
                               .scale = 0.6f,
                               .window = causal ? 3 : 0,
                               .softcap = causal ? 1.5f : 0.0f,
                               .causal = causal};
      problem<double> x = make<double>(p, {0, 3, 3, 4, 8}, {0, 4, 6, 7, 12});
      x.add_bias(kind);
      const results<double> r = run(x);
      CHECK(slope_error(x, x.q, r.dq) <= 1e-8);
      CHECK(slope_error(x, x.k, r.dk) <= 1e-8);
      CHECK(slope_error(x, x.v, r.dv) <= 1e-8);
      CHECK(slope_error(x, x.bias, r.dbias) <= 1e-8);
    }
}

TEST_CASE("float tiles of packed sequences with a bias equal the double path") {
  for_each_isa([] {
    for (const int kv_heads : {1, 4})
      for (const bool causal : {true, false})
        for (const auto kind : {bias_layout::relative, bias_layout::dense}) {
          const attention_params p{.heads = 4,
                                   .kv_heads = kv_heads,
                                   .head_dim = 20,
                                   .scale = 0.3f,
                                   .window = causal ? 60 : 0,
                                   .causal = causal};
          problem<float> x = make<float>(p, {0, 1, 18, 18, 318}, {0, 1, 18, 35, 335}, 2);
          x.add_bias(kind);
          check_float(x, 4e-5);
        }
  });
}

TEST_CASE("a sequence has the same bits alone and packed among others") {
  const attention_params p{
      .heads = 6, .kv_heads = 3, .head_dim = 20, .scale = 0.25f, .causal = false};
  const std::vector<std::int64_t> q_offsets{0, 700, 705, 705, 833}, k_offsets{0, 20, 630, 640, 768};
  problem<float> all = make<float>(p, q_offsets, k_offsets);
  all.add_bias(bias_layout::relative);
  const auto together = run(all);
  for (std::size_t b = 0; b + 1 < q_offsets.size(); ++b) {
    problem<float> one = all;
    const auto cut = [&](std::vector<float>& x, const std::vector<std::int64_t>& rows,
                         std::int64_t width) {
      x = std::vector<float>(x.begin() + rows[b] * width, x.begin() + rows[b + 1] * width);
    };
    cut(one.q, q_offsets, 120), cut(one.gradient, q_offsets, 120);
    cut(one.k, k_offsets, 60), cut(one.v, k_offsets, 60);
    one.q_offsets = {0, q_offsets[b + 1] - q_offsets[b]};
    one.k_offsets = {0, k_offsets[b + 1] - k_offsets[b]};
    auto expected = together;
    cut(expected.out, q_offsets, 120), cut(expected.dq, q_offsets, 120);
    cut(expected.dk, k_offsets, 60), cut(expected.dv, k_offsets, 60);
    const auto alone = run(one);
    CHECK(alone.out == expected.out);
    CHECK(alone.dq == expected.dq);
    CHECK(alone.dk == expected.dk);
    CHECK(alone.dv == expected.dv);
  }
}

TEST_CASE("training does not depend on the number of threads") {
  const attention_params p{.heads = 6, .kv_heads = 3, .head_dim = 20, .scale = 0.25f};
  problem<float> x = make<float>(p, {0, 650, 660, 1200}, {0, 650, 670, 1310});
  x.add_bias(bias_layout::relative);
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
  std::vector<float> out(x.outputs()), table(2 * 5);
  const auto refused = [&] {
    CHECK_THROWS_AS(attention_forward<float>(p, io, out.data(), nullptr), shape_error);
    io = x.io();
  };
  io.ldq = 15, refused();
  const std::vector<std::int64_t> backwards{0, 2, 1}, late{1, 3}, three{0, 0, 0};
  io.q_offsets = io.k_offsets = backwards, refused();
  io.q_offsets = late, refused();
  io.q_offsets = three, refused();
  io.q_offsets = {}, refused();
  io.bias = {table.data(), bias_layout::relative, 2}, refused();  // three queries
  io.bias.reach = 3;
  io.bias.data = table.data();
  CHECK_NOTHROW(attention_forward<float>(p, io, out.data(), nullptr));
}
