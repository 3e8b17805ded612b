// SPDX-License-Identifier: Apache-2.0
// Maps, sums, maxima and column sums against plain loops at every border of the SIMD loops.
#include "parlance/kernels/map.hpp"

#include <doctest/doctest.h>

#include <utility>
#include <vector>

#include "elementwise.hpp"
#include "parlance/kernels/activations.hpp"
#include "parlance/kernels/update.hpp"

using namespace parlance;
using namespace elementwise_test;

namespace {
constexpr std::int64_t large = 3 * 16384 + 5;  // over several chunks
}

TEST_CASE_TEMPLATE("map applies one functor to all elements", T, float, double) {
  auto sizes = lengths<T>();
  sizes.push_back(large);
  for (const std::int64_t n : sizes) {
    CAPTURE(n);
    const auto a = numbers<T>(n, 1), b = numbers<T>(n, 2), c = numbers<T>(n, 3);
    std::vector<T> out(a.size() + 1, poison<T>()), expected(a.size());
    out.back() = T(42);
    kernels::map(
        n, out.data(), [](auto x, auto y, auto z) { return x * y - z; }, a.data(), b.data(),
        c.data());
    for (std::size_t i = 0; i < a.size(); ++i)
      // One rounding less where the compiler contracts to a fused multiply-add.
      REQUIRE(error_of(out[i], double(a[i]) * double(b[i]) - double(c[i]), 1) <= 3 * half_ulp<T>);
    CHECK(out.back() == T(42));
    auto in_place = a;
    kernels::map_serial(
        n, in_place.data(), [](auto x) { return x + x; }, in_place.data());
    for (std::size_t i = 0; i < a.size(); ++i) REQUIRE(in_place[i] == 2 * a[i]);
    std::vector<T> sum(a.size() + 1, T(42)), difference(a.size() + 1, T(42));
    kernels::map2(
        n, sum.data(), difference.data(), [](auto x, auto y) { return std::pair(x + y, x - y); },
        a.data(), b.data());
    for (std::size_t i = 0; i < a.size(); ++i) {
      REQUIRE(sum[i] == a[i] + b[i]);
      REQUIRE(difference[i] == a[i] - b[i]);
    }
    CHECK(sum.back() == T(42));
    CHECK(difference.back() == T(42));
  }
}

TEST_CASE_TEMPLATE("an element has the same bits wherever it lies", T, float, double) {
  const auto a = numbers<T>(64, 1, 2);
  const auto bend = [](auto x) { return kernels::tanh_activation::forward(x); };
  std::vector<T> whole(64), part(64);
  kernels::map(64, whole.data(), bend, a.data());
  for (std::int64_t n = 1; n < 64; ++n) {
    kernels::map(n, part.data(), bend, a.data());
    REQUIRE(std::equal(part.begin(), part.begin() + n, whole.begin()));
  }
}

TEST_CASE_TEMPLATE("sums and maxima", T, float, double) {
  for (const std::int64_t n : lengths<T>()) {
    CAPTURE(n);
    const auto a = numbers<T>(n, 1), b = numbers<T>(n, 2);
    double sum = 0, size = 0, squares = 0;
    T best = -std::numeric_limits<T>::infinity();
    for (std::size_t i = 0; i < a.size(); ++i) {
      sum += double(a[i]) * double(b[i]);
      size += std::abs(double(a[i]) * double(b[i]));
      squares += double(a[i]) * double(a[i]);
      best = std::max(best, a[i]);
    }
    const double terms = double(n) + 1;
    CHECK(error_of(kernels::sum_of<T>(
                       n, [](auto x, auto y) { return x * y; }, a.data(), b.data()),
                   sum, 1) <= half_ulp<T> * terms * size);
    CHECK(std::abs(kernels::sum_of_squares(n, a.data()) - squares) <=
          half_ulp<T> * terms * squares);
    CHECK(kernels::max_of(n, a.data()) == best);
    // The maximum at every place, among negative numbers.
    std::vector<T> x(a.size(), T(-5));
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = T(-2);
      REQUIRE(kernels::max_of(n, x.data()) == T(-2));
      REQUIRE(kernels::sum_of<T>(
                  n, [](auto v) { return v; }, x.data()) == T(-5) * T(n - 1) - T(2));
      x[i] = T(-5);
    }
  }
}

TEST_CASE_TEMPLATE("sums of squares over several chunks", T, float, double) {
  // Whole numbers: exact in double, and in float within a chunk.
  std::vector<T> x(2 * 65536 + 3);
  double expected = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = T(i % 5);
    expected += double(x[i] * x[i]);
  }
  CHECK(kernels::sum_of_squares(std::int64_t(x.size()), x.data()) == expected);
  CHECK(kernels::sum_of_squares<T>(0, nullptr) == 0);
}

TEST_CASE_TEMPLATE("column sums add to what is there, or replace anything", T, float, double) {
  for (const std::int64_t rows : {0, 1, 2, 7, 100})
    for (const std::int64_t cols : lengths<T>()) {
      const auto a = numbers<T>(rows * cols, 1), b = numbers<T>(rows * cols, 2),
                 before = numbers<T>(cols + 1, 3);
      std::vector<T> factor = numbers<T>(rows, 4);
      for (const T beta : {T(0), T(1)}) {
        auto out = before;
        if (beta == T(0)) std::fill_n(out.begin(), cols, poison<T>());
        kernels::column_sums<T>(
            rows, cols, beta, out.data(),
            [&](std::int64_t r, auto x, auto y) { return x * y * decltype(x)(factor[r]); },
            a.data(), b.data());
        for (std::int64_t c = 0; c < cols; ++c) {
          double sum = beta == T(0) ? 0 : double(before[c]), size = std::abs(sum) + 1e-30;
          for (std::int64_t r = 0; r < rows; ++r) {
            const double term =
                double(a[r * cols + c]) * double(b[r * cols + c]) * double(factor[r]);
            sum += term, size += std::abs(term);
          }
          REQUIRE(error_of(out[c], sum, size) <= half_ulp<T> * double(rows + 2));
        }
        CHECK(out[cols] == before[cols]);
      }
    }
}

TEST_CASE("results do not depend on the number of threads") {
  const auto x = numbers<float>(large, 1), y = numbers<float>(large, 2);
  CHECK(same_for_all_threads([&] {
    std::vector<float> out(x.size() + 1000), second(x.size());
    kernels::map2(
        large, out.data(), second.data(), [](auto a, auto b) { return std::pair(a * b + a, b); },
        x.data(), y.data());
    kernels::column_sums<float>(
        49, 1000, 0, out.data() + large, [](std::int64_t, auto v) { return v; }, x.data());
    out.insert(out.end(), second.begin(), second.end());
    out.push_back(float(kernels::sum_of_squares(large, x.data())));
    return out;
  }));
}
