// SPDX-License-Identifier: Apache-2.0
// SiLU and tanh-GELU units against plain double loops, for every instruction set and awkward sizes.
#include "parlance/kernels/sigmoid_unit.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "parlance/core/random.hpp"

using namespace parlance;
using namespace parlance::kernels;

namespace {

struct unit {
  double slope, cubic;
  double gate(double x) const { return 1 / (1 + std::exp(-slope * x * (1 + cubic * x * x))); }
  double value(double x) const { return x * gate(x); }
  double derivative(double x) const {
    const double s = gate(x);
    return s + x * s * (1 - s) * slope * (1 + 3 * cubic * x * x);
  }
};

std::vector<float> numbers(std::size_t n, std::uint64_t stream, double spread) {
  rng random(7, stream);
  std::vector<float> out(n);
  for (float& x : out) x = static_cast<float>(spread * random.normal());
  return out;
}

// Of the order of a few roundings of the terms that are added.
void check_close(float got, double expected, double scale) {
  CHECK(std::abs(got - expected) <= 3e-6 * (std::abs(expected) + scale) + 1e-7);
}

void check_all(const unit& f, std::size_t n) {
  const auto x = numbers(n, 1, 3), up = numbers(n, 2, 2), g = numbers(n, 3, 1);
  const auto slope = static_cast<float>(f.slope), cubic = static_cast<float>(f.cubic);
  std::vector<float> out(n + 1, -7), dx(n + 1, -7), dup(n + 1, -7);
  const auto count = static_cast<std::int64_t>(n);
  sigmoid_unit(count, slope, cubic, x.data(), nullptr, out.data());
  for (std::size_t i = 0; i < n; ++i) check_close(out[i], f.value(x[i]), 0);
  sigmoid_unit(count, slope, cubic, x.data(), up.data(), out.data());
  for (std::size_t i = 0; i < n; ++i) check_close(out[i], f.value(x[i]) * up[i], 0);
  sigmoid_unit_backward(count, slope, cubic, g.data(), x.data(), nullptr, dx.data(), nullptr);
  for (std::size_t i = 0; i < n; ++i)
    check_close(dx[i], g[i] * f.derivative(x[i]), std::abs(g[i]) * (1 + std::abs(x[i])));
  sigmoid_unit_backward(count, slope, cubic, g.data(), x.data(), up.data(), dx.data(), dup.data());
  for (std::size_t i = 0; i < n; ++i) {
    check_close(dx[i], g[i] * up[i] * f.derivative(x[i]),
                std::abs(g[i] * up[i]) * (1 + std::abs(x[i])));
    check_close(dup[i], g[i] * f.value(x[i]), 0);
  }
  CHECK((out[n] == -7 && dx[n] == -7 && dup[n] == -7));  // nothing behind the end is touched
}

}  // namespace

TEST_CASE("sigmoid units agree with double precision") {
  const unit silu{1, 0}, gelu{2 * 0.79788456080286535588, 0.044715};
  for (const isa level : {isa::base, isa::avx2, isa::avx512}) {
    const limit_isa limited(level);
    if (cpu().level != level) {
      MESSAGE("this processor lacks level ", static_cast<int>(level));
      continue;
    }
    for (const std::size_t n : {0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 8191, 8193, 20000})
      for (const unit& f : {silu, gelu}) check_all(f, n);
  }
}

TEST_CASE("sigmoid units at the ends of the range") {
  const std::vector<float> x = {-1e30f, -200, -90, 0, 90, 200, 1e30f};
  std::vector<float> out(x.size());
  for (const isa level : {isa::base, isa::avx2, isa::avx512}) {
    const limit_isa limited(level);
    sigmoid_unit(static_cast<std::int64_t>(x.size()), 1, 0, x.data(), nullptr, out.data());
    CHECK(std::abs(out[0]) < 1e-6);
    CHECK(std::abs(out[1]) < 1e-30);
    CHECK(out[3] == 0);
    CHECK(out[4] == 90);
    CHECK(out[6] == 1e30f);
  }
}

TEST_CASE("GELU and its gradient, alone and gated") {
  for (const isa level : {isa::base, isa::avx2, isa::avx512}) {
    const limit_isa limit(level);
    for (const std::size_t n : {1, 7, 16, 33, 20001}) {
      const auto x = numbers(n, 1, 3), up = numbers(n, 2, 2), g = numbers(n, 3, 1);
      std::vector<float> out(n + 1, -7), gated(n), dx(n), gated_dx(n), dup(n);
      const auto count = static_cast<std::int64_t>(n);
      gelu_unit(count, x.data(), nullptr, out.data());
      gelu_unit(count, x.data(), up.data(), gated.data());
      gelu_unit_backward(count, g.data(), x.data(), nullptr, dx.data(), nullptr);
      gelu_unit_backward(count, g.data(), x.data(), up.data(), gated_dx.data(), dup.data());
      CHECK(out[n] == -7);
      for (std::size_t i = 0; i < n; ++i) {
        const double v = x[i], cdf = 0.5 * std::erfc(-v * 0.70710678118654752);
        const double slope = cdf + v * 0.39894228040143267 * std::exp(-v * v / 2);
        const double size = std::abs(g[i]) * (1 + std::abs(v));
        check_close(out[i], v * cdf, 0);
        check_close(gated[i], v * cdf * up[i], 0);
        check_close(dx[i], g[i] * slope, size);
        check_close(gated_dx[i], g[i] * slope * up[i], size * std::abs(up[i]));
        check_close(dup[i], g[i] * v * cdf, 0);
      }
    }
    const float ends[] = {-1e30f, -200, -0.0f, 200, 1e30f};
    float out[5], dx[5];
    const float ones[] = {1, 1, 1, 1, 1};
    gelu_unit(5, ends, nullptr, out);
    gelu_unit_backward(5, ones, ends, nullptr, dx, nullptr);
    CHECK(out[0] == 0);
    CHECK(std::abs(out[1]) < 1e-30f);
    CHECK(out[2] == 0);
    CHECK(out[3] == 200);
    CHECK(out[4] == 1e30f);
    CHECK(std::abs(dx[1]) < 1e-30f);
    CHECK(dx[2] == doctest::Approx(0.5));
    CHECK(dx[3] == 1);
  }
}
