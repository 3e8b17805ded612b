// SPDX-License-Identifier: Apache-2.0
// Row softmax, log-sum-exp and cross entropy with their gradients, against plain double loops.
#include "parlance/kernels/loss.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "elementwise.hpp"

using namespace parlance;
using namespace elementwise_test;

namespace {

template <class T>
double log_sum_exp(std::int64_t n, const T* x) {
  double top = -HUGE_VAL, sum = 0;
  for (std::int64_t i = 0; i < n; ++i) top = std::max(top, double(x[i]));
  for (std::int64_t i = 0; i < n; ++i) sum += std::exp(double(x[i]) - top);
  return top + std::log(sum);
}

// Rounding of exponents up to `size`, a sum of n terms, a handful of operations.
template <class T>
double bound(std::int64_t n, double size) {
  return half_ulp<T> * (double(n) + 4 * size + 16);
}

template <class T>
void check_softmax(std::int64_t rows, std::int64_t cols, double size) {
  CAPTURE(rows);
  CAPTURE(cols);
  CAPTURE(size);
  const auto x = numbers<T>(rows * cols, 1, size), g = numbers<T>(rows * cols, 2);
  std::vector<T> y(x.size() + 1, poison<T>()), dx(x.size() + 1, poison<T>()), in_place = x;
  kernels::softmax(rows, cols, x.data(), y.data());
  kernels::softmax(rows, cols, in_place.data(), in_place.data());
  kernels::softmax_backward(rows, cols, y.data(), g.data(), dx.data());
  double worst = 0, worst_gradient = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    const double lse = log_sum_exp(cols, x.data() + r * cols);
    double dot = 0;
    const auto p = [&](std::int64_t c) { return std::exp(double(x[r * cols + c]) - lse); };
    for (std::int64_t c = 0; c < cols; ++c) dot += p(c) * double(g[r * cols + c]);
    for (std::int64_t c = 0; c < cols; ++c) {
      const auto at = std::size_t(r * cols + c);
      worst = std::max(worst, error_of(y[at], p(c), p(c) + 1e-30));
      const double slope = p(c) * (double(g[at]) - dot);
      worst_gradient = std::max(worst_gradient, error_of(dx[at], slope, p(c) + 1e-30));
    }
  }
  CHECK(worst <= bound<T>(cols, size));
  CHECK(worst_gradient <= 4 * bound<T>(cols, size));
  CHECK(std::isnan(y.back()));
  CHECK(std::isnan(dx.back()));
  y.pop_back();
  CHECK(y == in_place);
}

template <class T>
void check_loss(std::int64_t rows, std::int64_t cols, double size, T scale) {
  CAPTURE(rows);
  CAPTURE(cols);
  CAPTURE(scale);
  const auto x = numbers<T>(rows * cols, 1, size);
  std::vector<std::int32_t> labels;
  for (std::int64_t r = 0; r < rows; ++r)
    labels.push_back(r % 4 == 2 ? -7 : static_cast<std::int32_t>(r * 13 % cols));
  auto logits = x;
  std::vector<T> losses(std::size_t(rows) + 1, poison<T>());
  kernels::cross_entropy(rows, cols, logits.data(), labels.data(), -7, scale, losses.data());
  CHECK(std::isnan(losses.back()));
  if (scale == T(0)) CHECK(logits == x);
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto row = std::size_t(r);
    const T* const in = x.data() + r * cols;
    const bool ignored = labels[row] == -7;
    const double lse = log_sum_exp(cols, in);
    const double expected = ignored ? 0 : lse - double(in[labels[row]]);
    REQUIRE(error_of(losses[row], expected, 2 * size + 1) <= bound<T>(cols, 1));
    if (scale == T(0)) continue;
    for (std::int64_t c = 0; c < cols; ++c) {
      const double p = ignored ? 0 : std::exp(double(in[c]) - lse) - (c == labels[row]);
      REQUIRE(error_of(logits[std::size_t(r * cols + c)], double(scale) * p, 1) <=
              bound<T>(cols, size) * std::abs(double(scale)));
    }
  }
}

}  // namespace

TEST_CASE_TEMPLATE("softmax and its gradient", T, float, double) {
  for (const std::int64_t rows : {0, 1, 3, 41})
    for (const std::int64_t cols : lengths<T>())
      for (const double size : {1.0, 30.0}) check_softmax<T>(rows, cols, size);
  check_softmax<T>(2, 50000, 5);
}

TEST_CASE_TEMPLATE("cross entropy and its gradient", T, float, double) {
  for (const std::int64_t rows : {0, 1, 3, 41})
    for (const std::int64_t cols : lengths<T>())
      for (const double size : {1.0, 30.0})
        for (const T scale : {T(0), T(0.25), T(-1)})
          if (cols) check_loss<T>(rows, cols, size, scale);
  check_loss<T>(3, 50000, 5, T(0.5));
}

TEST_CASE_TEMPLATE("log-sum-exp", T, float, double) {
  for (const std::int64_t n : lengths<T>()) {
    if (n == 0) continue;
    const auto x = numbers<T>(n, 1, 50);
    const double expected = log_sum_exp(n, x.data());
    CHECK(error_of(kernels::log_sum_exp(n, x.data()), expected, 60) <= bound<T>(n, 1));
    const std::vector<T> equal(x.size(), T(-1000));
    CHECK(double(kernels::log_sum_exp(n, equal.data())) ==
          doctest::Approx(-1000 + std::log(double(n))).epsilon(4 * half_ulp<T>));
  }
  CHECK(kernels::log_sum_exp<T>(0, nullptr) == -std::numeric_limits<T>::infinity());
}

TEST_CASE_TEMPLATE("infinite and huge logits", T, float, double) {
  const T inf = std::numeric_limits<T>::infinity();
  for (const std::int64_t n : {2, 5, 16, 19}) {
    std::vector<T> x(std::size_t(n), -inf), y(x.size());
    x[1] = T(3);
    kernels::softmax(1, n, x.data(), y.data());
    for (std::int64_t c = 0; c < n; ++c) CHECK(y[std::size_t(c)] == T(c == 1));
    x[0] = T(1e30), x[1] = T(-1e30);
    kernels::softmax(1, n, x.data(), y.data());
    for (std::int64_t c = 0; c < n; ++c) CHECK(y[std::size_t(c)] == T(c == 0));
    x.assign(x.size(), -inf);
    kernels::softmax(1, n, x.data(), y.data());
    for (const T v : y) CHECK(std::isnan(v));  // as in torch
  }
}

TEST_CASE("ignored rows are not read") {
  std::vector<float> x(3 * 9, poison<float>()), losses(3);
  const std::vector<std::int32_t> labels{-100, -100, -100};
  kernels::cross_entropy<float>(3, 9, x.data(), labels.data(), -100, 1, losses.data());
  CHECK(losses == std::vector<float>(3, 0.0f));
  CHECK(x == std::vector<float>(27, 0.0f));
}

TEST_CASE("threads do not change a bit of the loss") {
  const auto x = numbers<float>(60 * 1001, 1, 5);
  const std::vector<std::int32_t> labels(60, 7);
  CHECK(same_for_all_threads([&] {
    std::vector<float> y = x, losses(60);
    kernels::softmax<float>(30, 1001, y.data(), y.data());
    kernels::cross_entropy<float>(60, 1001, y.data(), labels.data(), -1, 0.5f, losses.data());
    y.insert(y.end(), losses.begin(), losses.end());
    return y;
  }));
}
