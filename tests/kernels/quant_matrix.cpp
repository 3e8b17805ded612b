// SPDX-License-Identifier: Apache-2.0
// Products against plain double loops over the dequantised weights.
#include "parlance/kernels/quant_matrix.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace parlance::kernels;
using parlance::format;

constexpr format all_formats[] = {format::q8_0, format::q4_0, format::q4_1, format::q5_0,
                                  format::q5_1, format::q4_k, format::q5_k, format::q6_k};

// Random codes under random finite scales, rows of k columns.
std::vector<std::uint8_t> random_blocks(format f, std::int64_t n, std::int64_t k, unsigned seed) {
  const std::size_t size = parlance::storage_bytes(f, static_cast<std::uint64_t>(info(f).block));
  std::vector<std::uint8_t> bytes(parlance::storage_bytes(f, static_cast<std::uint64_t>(n * k)));
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.01f);
  for (auto& b : bytes) b = static_cast<std::uint8_t>(random());
  const bool minimum =
      f == format::q4_1 || f == format::q5_1 || f == format::q4_k || f == format::q5_k;
  for (std::size_t i = 0; i < bytes.size(); i += size) {
    detail::store_u16(&bytes[i + (f == format::q6_k ? 208 : 0)],
                      parlance::f16(normal(random)).bits);
    if (minimum) detail::store_u16(&bytes[i + 2], parlance::f16(normal(random)).bits);
  }
  return bytes;
}

std::vector<float> random_floats(std::int64_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<std::size_t>(n));
  for (float& v : x) v = normal(random);
  return x;
}

// What the activations become: d * q with d = max|x| / 127 of 32 neighbours.
std::vector<double> rounded(const std::vector<float>& x) {
  std::vector<double> y(x.size());
  for (std::size_t b = 0; b < x.size(); b += 32) {
    float top = 0;
    for (std::size_t i = b; i < b + 32; ++i) top = std::max(top, std::fabs(x[i]));
    for (std::size_t i = b; i < b + 32; ++i)
      y[i] = top > 0 ? std::nearbyint(x[i] * (127 / top)) * double(top) / 127 : 0;
  }
  return y;
}

struct problem {
  format f;
  std::int64_t n, k, m;
  std::vector<float> weights, x, bias;
  quant_matrix w;

  problem(format type, std::int64_t rows, std::int64_t cols, std::int64_t tokens)
      : f(type), n(rows), k(cols), m(tokens), weights(static_cast<std::size_t>(n * k)) {
    const auto blocks = random_blocks(f, n, k, static_cast<unsigned>(n * 31 + k));
    dequantize_row(f, blocks.data(), weights.data(), n * k);
    w = quant_matrix::pack(f, n, k, blocks.data());
    x = random_floats(m * k, 7);
    bias = random_floats(n, 8);
  }
  std::vector<float> run() const {
    std::vector<float> y(static_cast<std::size_t>(m * n), std::nanf(""));
    linear(x.data(), k, w, bias.data(), y.data(), n, m);
    return y;
  }
  // Largest error of y over the norm bound |w||a| of its element, activations `a` as doubles.
  template <class A>
  double error(const std::vector<float>& y, const std::vector<A>& a) const {
    double worst = 0;
    for (std::int64_t t = 0; t < m; ++t)
      for (std::int64_t r = 0; r < n; ++r) {
        double sum = bias[r], size = std::fabs(bias[r]), norm_w = 0, norm_a = 0;
        for (std::int64_t i = 0; i < k; ++i) {
          const double u = weights[r * k + i], v = a[t * k + i];
          sum += u * v, norm_w += u * u, norm_a += v * v;
        }
        size += std::sqrt(norm_w * norm_a);
        const double miss = std::fabs(y[t * n + r] - sum) / size;
        worst = miss > worst || std::isnan(miss) ? miss : worst;
      }
    return worst;
  }
};

}  // namespace

TEST_CASE("quant_matrix: packed rows are the dequantised rows") {
  for (const format f : all_formats) {
    CAPTURE(name(f));
    const problem p(f, 19, 512, 1);
    std::vector<float> row(512);
    for (std::int64_t r = 0; r < p.n; ++r) {
      p.w.row(r, row.data());
      for (std::size_t i = 0; i < 512; ++i) REQUIRE(row[i] == p.weights[std::size_t(r) * 512 + i]);
    }
    CHECK(p.w.rows() == 19);
    CHECK(p.w.cols() == 512);
    CHECK(p.w.type() == f);
    const double bits = double(p.w.bytes()) * 8 / (32 * 512);
    CHECK(bits <= double(info(f).bits) / info(f).block + 0.1251);
  }
}

TEST_CASE("quant_matrix: linear against doubles, every format, level and awkward size") {
  for (const isa level : {isa::base, isa::avx2, isa::avx512})
    for (const format f : all_formats)
      for (const std::int64_t n : {1, 15, 16, 17, 50})
        for (const std::int64_t m : {1, 2, 3, 5, 7, 11, 12, 13, 17}) {
          const limit_isa limit(level);
          const problem p(f, n, info(f).block == 256 ? 256 : 96, m);
          const auto y = p.run();
          CAPTURE(name(f));
          CAPTURE(n);
          CAPTURE(m);
          CAPTURE(int(level));
          // Sums of a few blocks in float: a handful of roundings.
          REQUIRE(p.error(y, rounded(p.x)) < 2e-6);
          // An int8 step of max/127 is about 1/40 of the deviation; errors add like noise.
          REQUIRE(p.error(y, p.x) < 0.02);
        }
}

TEST_CASE("quant_matrix: an outlier costs its neighbours no accuracy") {
  for (const isa level : {isa::base, isa::avx2, isa::avx512})
    for (const format f : all_formats) {
      CAPTURE(name(f));
      CAPTURE(int(level));
      const limit_isa limit(level);
      problem p(f, 50, 1536, 13);
      const auto plain = p.run();
      const double usual = p.error(plain, p.x);
      for (const std::size_t at : {5u, 700u, 1535u}) p.x[1536 * (at % 13) + at] = 1000;
      const auto y = p.run();
      // In one pass a step of 1000/127 would leave nothing of the other 31.
      for (std::int64_t t = 0; t < p.m; ++t)
        for (std::int64_t r = 0; r < p.n; ++r) {
          double sum = p.bias[r], norm_w = 0, norm_a = 0;
          for (std::int64_t i = 0; i < p.k; ++i) {
            const double u = p.weights[r * p.k + i], v = p.x[t * p.k + i];
            sum += u * v, norm_w += u * u, norm_a += std::fabs(v) < 100 ? v * v : 0;
          }
          const double size = std::fabs(p.bias[r]) + std::sqrt(norm_w * norm_a);
          // Beside it the sum itself has the precision of a float.
          REQUIRE(std::fabs(y[t * p.n + r] - sum) <= 2 * usual * size + 1e-6 * std::fabs(sum));
        }
    }
}

TEST_CASE("quant_matrix: the levels agree, and threads and batches change no bit") {
  for (const format f : all_formats) {
    CAPTURE(name(f));
    problem p(f, 333, 1536, 100);
    for (std::size_t t = 0; t < 100; t += 7) p.x[1536 * t + 13 * t] = 300;
    std::vector<float> first;
    for (const isa level : {isa::avx512, isa::avx2, isa::base}) {
      CAPTURE(int(level));
      const limit_isa limit(level);
      std::vector<float> one_thread;
      for (const int threads : {1, 2, 3}) {
        const parlance::use_pool pool(std::make_shared<parlance::thread_pool>(threads));
        const auto y = p.run();
        if (threads == 1) one_thread = y;
        REQUIRE(y == one_thread);
      }
      std::vector<float> single(333);
      for (const std::int64_t t : {0, 41, 99}) {
        linear(p.x.data() + t * p.k, p.k, p.w, p.bias.data(), single.data(), 333, 1);
        REQUIRE(std::equal(single.begin(), single.end(), one_thread.begin() + t * 333));
      }
      if (first.empty()) first = one_thread;
      double difference = 0, size = 0;
      for (std::size_t i = 0; i < first.size(); ++i) {
        difference = std::max(difference, double(std::fabs(first[i] - one_thread[i])));
        size = std::max(size, double(std::fabs(first[i])));
      }
      CHECK(difference <= 1e-5 * size);
    }
  }
}

TEST_CASE("quant_matrix: jobs that share activations equal single products") {
  const problem a(format::q4_k, 70, 512, 9), b(format::q6_k, 16, 512, 9),
      c(format::q8_0, 33, 512, 9);
  std::vector<float> ya(9 * 80), yb(9 * 16), yc(9 * 33);
  const quant_job jobs[] = {{&a.w, a.bias.data(), ya.data(), 80},
                            {&b.w, nullptr, yb.data(), 16},
                            {&c.w, c.bias.data(), yc.data(), 33}};
  linear(a.x.data(), 512, 9, jobs);
  const auto ea = a.run(), ec = c.run();
  for (std::size_t t = 0; t < 9; ++t)
    for (std::size_t r = 0; r < 70; ++r) REQUIRE(ya[t * 80 + r] == ea[t * 70 + r]);
  CHECK(yc == ec);
  std::vector<float> eb(9 * 16);
  linear(b.x.data(), 512, b.w, nullptr, eb.data(), 16, 9);
  CHECK(yb == eb);
  for (std::size_t t = 0; t < 9; ++t) CHECK(ya[t * 80 + 70] == 0);  // beyond the rows: untouched
}

TEST_CASE("quant_matrix: exact product and its gradient") {
  for (const isa level : {isa::base, isa::avx2, isa::avx512})
    for (const format f : all_formats) {
      CAPTURE(name(f));
      CAPTURE(int(level));
      const limit_isa limit(level);
      const problem p(f, 300, 512, 13);
      std::vector<float> y(13 * 300, std::nanf(""));
      linear_exact(p.x.data(), 512, p.w, p.bias.data(), y.data(), 300, 13);
      CHECK(p.error(y, p.x) < 3e-6);
      const auto dy = random_floats(13 * 300, 3);
      std::vector<float> dx(13 * 512, std::nanf(""));
      linear_backward_input(dy.data(), 300, p.w, dx.data(), 512, 13);
      double worst = 0;
      for (std::size_t t = 0; t < 13; ++t)
        for (std::size_t i = 0; i < 512; ++i) {
          double sum = 0, size = 0;
          for (std::size_t r = 0; r < 300; ++r) {
            const double part = double(dy[t * 300 + r]) * p.weights[r * 512 + i];
            sum += part, size += std::fabs(part);
          }
          worst = std::max(worst, std::fabs(dx[t * 512 + i] - sum) / size);
        }
      CHECK(worst < 3e-6);
    }
}

TEST_CASE("quant_matrix: many tokens on the tile unit") {
  if (!parlance::kernels::cpu().amx) {
    MESSAGE("skipped: this processor has no bf16 tiles");
    return;
  }
  for (const format f : all_formats)
    for (const std::int64_t n : {1, 16, 17, 50})
      for (const std::int64_t m : {33, 64, 70}) {
        CAPTURE(name(f));
        CAPTURE(n);
        CAPTURE(m);
        const problem p(f, n, info(f).block == 256 ? 768 : 96, m);
        const auto y = p.run();
        REQUIRE(p.error(y, p.x) < 0x1p-9);  // two roundings to bf16, which add like noise
        std::vector<float> exact(static_cast<std::size_t>(m * n), std::nanf(""));
        linear_exact(p.x.data(), p.k, p.w, p.bias.data(), exact.data(), n, m);
        REQUIRE(p.error(exact, p.x) < 2e-6);
        const parlance::use_pool pool(std::make_shared<parlance::thread_pool>(3));
        REQUIRE(p.run() == y);
      }
}

TEST_CASE("quant_matrix: more tokens than are quantised at a time") {
  const limit_isa limit(isa::avx512);
  const problem p(format::q4_0, 17, 32, 2100);
  CHECK(p.error(p.run(), rounded(p.x)) < 2e-6);
}

TEST_CASE("quant_matrix: quantising rows is quantize_row and pack") {
  for (const format f : {format::q8_0, format::q4_0, format::q4_k}) {
    const auto x = random_floats(21 * 256, 5);
    std::vector<std::uint8_t> blocks(parlance::storage_bytes(f, 21 * 256));
    quantize_row(f, x.data(), blocks.data(), 21 * 256);
    const auto expected = quant_matrix::pack(f, 21, 256, blocks.data());
    const auto got = quant_matrix::quantize(
        f, 21, 256, [&](std::int64_t r, float* out) { std::copy_n(x.data() + r * 256, 256, out); });
    REQUIRE(got.bytes() == expected.bytes());
    CHECK(std::equal(got.panel(0), got.panel(0) + got.bytes(), expected.panel(0)));
  }
  CHECK_THROWS_AS(quant_matrix::quantize(format::q5_1, 1, 32, [](std::int64_t, float*) {}),
                  parlance::unsupported_error);
}

TEST_CASE("quant_matrix: infinities and NaN show in their token only") {
  for (const isa level : {isa::base, isa::avx2, isa::avx512}) {
    const limit_isa limit(level);
    problem p(format::q8_0, 16, 64, 3);
    p.x[64 + 5] = std::nanf("");
    auto y = p.run();
    for (std::size_t r = 0; r < 16; ++r) {
      CHECK(std::isnan(y[16 + r]));
      CHECK(std::isfinite(y[r]));
      CHECK(std::isfinite(y[32 + r]));
    }
    p.x[64 + 5] = -std::numeric_limits<float>::infinity();
    y = p.run();
    CHECK_FALSE(std::isfinite(y[16]));
    p.x.assign(p.x.size(), 1e-40f);  // below what 1/max can hold: taken as zero
    y = p.run();
    for (std::size_t r = 0; r < 16; ++r) CHECK(y[r] == p.bias[r]);
  }
}

TEST_CASE("quant_matrix: shapes that do not fit are errors") {
  std::vector<std::uint8_t> bytes(4096);
  std::vector<float> x(256), y(256);
  CHECK_THROWS_AS(quant_matrix::pack(format::q8_0, 1, 33, bytes.data()), parlance::shape_error);
  CHECK_THROWS_AS(quant_matrix::pack(format::q4_k, 1, 32, bytes.data()), parlance::shape_error);
  CHECK_THROWS_AS(quant_matrix::pack(format::q8_0, -1, 32, bytes.data()), parlance::shape_error);
  CHECK_THROWS_AS(quant_matrix::pack(format::q8_0, INT64_MAX, 32, bytes.data()),
                  parlance::shape_error);
  CHECK_THROWS_AS(quant_matrix::pack(format::iq4_nl, 1, 32, bytes.data()),
                  parlance::unsupported_error);
  const auto a = quant_matrix::pack(format::q8_0, 2, 32, bytes.data());
  const auto b = quant_matrix::pack(format::q8_0, 2, 64, bytes.data());
  CHECK_THROWS_AS(a.row(2, y.data()), parlance::shape_error);
  const quant_job jobs[] = {{&a, nullptr, y.data(), 2}, {&b, nullptr, y.data(), 2}};
  CHECK_THROWS_AS(linear(x.data(), 64, 1, jobs), parlance::shape_error);
  CHECK_THROWS_AS(linear(x.data(), 16, a, nullptr, y.data(), 2, 2), parlance::shape_error);
  CHECK_NOTHROW(linear(x.data(), 32, a, nullptr, y.data(), 2, 0));
  const auto none = quant_matrix::pack(format::q8_0, 0, 32, nullptr);
  CHECK_NOTHROW(linear(x.data(), 32, none, nullptr, y.data(), 0, 1));
}
