// SPDX-License-Identifier: Apache-2.0
// Rotary embedding against complex multiplication in double; turning back; partial rotation.
#include "parlance/kernels/rope.hpp"

#include <doctest/doctest.h>

#include <complex>
#include <vector>

#include "elementwise.hpp"

using namespace parlance;
using namespace elementwise_test;

namespace {

template <class T>
struct angles {
  std::vector<T> cos, sin;
  explicit angles(std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) {
      cos.push_back(T(std::cos(0.37 * double(i))));
      sin.push_back(T(std::sin(0.37 * double(i))));
    }
  }
};

template <class T>
void check(std::int64_t rows, std::int64_t heads, std::int64_t head_dim, std::int64_t rotary) {
  CAPTURE(rows);
  CAPTURE(heads);
  CAPTURE(head_dim);
  CAPTURE(rotary);
  const std::int64_t half = rotary / 2, n = rows * heads * head_dim;
  const angles<T> a(rows * half);
  const auto x = numbers<T>(n, 1);
  std::vector<T> y(x.size() + 1, poison<T>()), back(x.size()), in_place = x;
  kernels::rope(rows, heads, head_dim, rotary, a.cos.data(), a.sin.data(), T(1), x.data(),
                y.data());
  kernels::rope(rows, heads, head_dim, rotary, a.cos.data(), a.sin.data(), T(-1), y.data(),
                back.data());
  kernels::rope(rows, heads, head_dim, rotary, a.cos.data(), a.sin.data(), T(1), in_place.data(),
                in_place.data());
  double worst = 0, inverse = 0;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t h = 0; h < heads; ++h)
      for (std::int64_t j = 0; j < head_dim; ++j) {
        const auto at = std::size_t((r * heads + h) * head_dim);
        const auto e = std::size_t(j), step = std::size_t(half);
        if (j >= rotary) {
          REQUIRE(y[at + e] == x[at + e]);
        } else if (j < half) {
          const auto angle = std::size_t(r * half + j);
          const std::complex<double> turned =
              std::complex<double>(double(x[at + e]), double(x[at + e + step])) *
              std::complex<double>(double(a.cos[angle]), double(a.sin[angle]));
          worst = std::max(worst, error_of(y[at + e], turned.real(), 1));
          worst = std::max(worst, error_of(y[at + e + step], turned.imag(), 1));
        }
        inverse = std::max(inverse, error_of(back[at + e], double(x[at + e]), 1));
      }
  CHECK(worst <= 4 * half_ulp<T>);
  CHECK(inverse <= 12 * half_ulp<T>);  // twice that, and the rounding of cos and sin
  CHECK(std::isnan(y.back()));
  y.pop_back();
  CHECK(y == in_place);
}

}  // namespace

TEST_CASE_TEMPLATE("rope turns, turns back, and copies what does not turn", T, float, double) {
  const std::int64_t w = kernels::simd_width<T>;
  for (const std::int64_t rows : {0, 1, 3})
    for (const std::int64_t heads : {1, 3})
      for (const std::int64_t half : {std::int64_t{0}, std::int64_t{1}, w - 1, w, w + 1, 3 * w + 1})
        for (const std::int64_t rest : {0, 1, 5})
          if (half || rest) check<T>(rows, heads, 2 * half + rest, 2 * half);
  check<T>(700, 4, 64, 64);
}

TEST_CASE("a quarter turn by hand") {
  const std::vector<float> x{1, 2, 3, 4}, cos{0, 0}, sin{1, 1};
  std::vector<float> y(4);
  kernels::rope<float>(1, 1, 4, 4, cos.data(), sin.data(), 1, x.data(), y.data());
  CHECK(y == std::vector<float>{-3, -4, 1, 2});
  kernels::rope<float>(1, 1, 4, 4, cos.data(), sin.data(), -1, x.data(), y.data());
  CHECK(y == std::vector<float>{3, 4, -1, -2});
}

TEST_CASE("threads do not change a bit of rope") {
  const auto x = numbers<float>(500 * 4 * 66, 1);
  const angles<float> a(500 * 33);
  CHECK(same_for_all_threads([&] {
    std::vector<float> y(x.size());
    kernels::rope<float>(500, 4, 66, 66, a.cos.data(), a.sin.data(), 1, x.data(), y.data());
    return y;
  }));
}
