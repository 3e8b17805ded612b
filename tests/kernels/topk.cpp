// SPDX-License-Identifier: Apache-2.0
// Selection and normalisation of one row of scores: against sorting and double sums; ties, NaN,
// infinities.
#include "parlance/kernels/topk.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "elementwise.hpp"

using namespace parlance;
using elementwise_test::numbers;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();
const float not_a_number = std::numeric_limits<float>::quiet_NaN();

bool greater(float a, float b) {  // NaN is the greatest
  if (std::isnan(a)) return !std::isnan(b);
  return a > b;
}

void check_top(const std::vector<float>& x, std::size_t k) {
  CAPTURE(x.size());
  CAPTURE(k);
  std::vector<std::int32_t> order(x.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return greater(x[std::size_t(a)], x[std::size_t(b)]);
  });
  const auto best = kernels::top_k(x, k);
  REQUIRE(best.size() == std::min(k, x.size()));
  for (std::size_t i = 0; i < best.size(); ++i) {
    REQUIRE(best[i].index == order[i]);
    const float expected = x[std::size_t(order[i])];
    REQUIRE((best[i].value == expected || (std::isnan(expected) && std::isnan(best[i].value))));
  }
  if (best.empty()) return;
  kernels::top_k_selector select;
  const float kth = select.kth(x, k);
  CHECK((kth == best.back().value || std::isnan(kth)));
  CHECK(kernels::argmax(x) == order[0]);
}

// Within `units` in the last place of the float nearest to `expected`.
bool close(float got, double expected, double units) {
  const double last = std::ldexp(1.0, std::max(std::ilogb(expected), -126) - 23);
  return std::abs(double(got) - expected) <= units * last;
}

}  // namespace

TEST_CASE("top_k sorts, equal values in order of index") {
  for (const std::size_t n : {0, 1, 15, 16, 17, 33, 1000, 5000}) {
    auto x = numbers<float>(std::int64_t(n), 1);
    for (const bool ties : {false, true}) {
      if (ties)
        for (float& v : x) v = std::round(v * 3);
      for (const std::size_t k : {0, 1, 2, 16, 17, 100, 1024, 1025, 4000, 6000}) check_top(x, k);
    }
    std::sort(x.begin(), x.end());  // every value enters the heap
    check_top(x, 20);
    std::reverse(x.begin(), x.end());
    check_top(x, 20);
  }
  check_top(std::vector<float>(3000, 2.0f), 40);
  check_top(std::vector<float>(3000, 2.0f), 2000);
}

TEST_CASE("top_k with NaN, infinities and signed zeros") {
  for (const std::size_t k : {1, 2, 3, 5, 8, 40, 1500}) {
    auto x = numbers<float>(2000, 2);
    x[3] = inf, x[700] = -inf, x[1500] = inf, x[20] = -inf;
    check_top(x, k);
    x[17] = not_a_number, x[1900] = -not_a_number, x[1901] = not_a_number;
    check_top(x, k);
    x.assign(2000, not_a_number);
    check_top(x, k);
    x.assign(2000, -inf);
    x[50] = -3;
    check_top(x, k);
  }
  check_top({-0.0f, 0.0f, -0.0f, 0.0f}, 3);  // equal: in order
}

TEST_CASE("order keys order floats") {
  const std::vector<float> rising{-inf,   -3e38f, -1,    -1e-45f, 0,
                                  1e-45f, 1,      3e38f, inf,     not_a_number};
  for (std::size_t i = 0; i + 1 < rising.size(); ++i)
    CHECK(kernels::order_key(rising[i]) < kernels::order_key(rising[i + 1]));
  CHECK(kernels::order_key(-0.0f) == kernels::order_key(0.0f));
  CHECK(kernels::order_key(-not_a_number) == kernels::order_key(not_a_number));
}

TEST_CASE("argmax and max_value") {
  CHECK(kernels::argmax({}) == -1);
  CHECK(kernels::max_value({}) == -inf);
  for (const std::size_t n : {1, 15, 16, 17, 40}) {
    std::vector<float> x(n, -5);
    for (std::size_t i = 0; i < n; ++i) {
      x[i] = -2;
      CHECK(kernels::argmax(x) == std::int64_t(i));
      CHECK(kernels::max_value(x) == -2);
      x[i] = not_a_number;
      CHECK(kernels::argmax(x) == std::int64_t(i));
      CHECK(std::isnan(kernels::max_value(x)));
      x[i] = -5;
    }
    CHECK(kernels::argmax(x) == 0);  // the first of equals
    CHECK(kernels::argmax(std::vector<float>(n, -inf)) == 0);
  }
}

TEST_CASE("exp of nonpositive numbers, within two units in the last place") {
  CHECK(kernels::exp_nonpositive(0) == 1);
  CHECK(kernels::exp_nonpositive(-0.0f) == 1);
  for (int i = 0; i < 2000000; ++i) {
    const float x = -87.0f * float(i) / 2e6f;
    if (!close(kernels::exp_nonpositive(x), std::exp(double(x)), 2)) {
      CAPTURE(x);
      CHECK(double(kernels::exp_nonpositive(x)) == std::exp(double(x)));
    }
  }
  for (const float x : {-1e-3f, -1e-8f, -1e-38f, -1e-45f, -87.0f})
    CHECK(close(kernels::exp_nonpositive(x), std::exp(double(x)), 2));
  for (const float x : {-87.001f, -100.0f, -1e30f, -inf}) CHECK(kernels::exp_nonpositive(x) == 0);
}

TEST_CASE("softmax, log-softmax and log-sum-exp against double sums") {
  for (const std::size_t n : {1, 2, 15, 16, 17, 255, 256, 257, 5000})
    for (const double size : {1.0, 40.0}) {
      CAPTURE(n);
      CAPTURE(size);
      const auto x = numbers<float>(std::int64_t(n), 3, size);
      double top = -HUGE_VAL, sum = 0;
      for (const float v : x) top = std::max(top, double(v));
      for (const float v : x) sum += std::exp(double(v) - top);
      const double lse = top + std::log(sum);
      auto p = x, logs = x;
      kernels::softmax(p);
      kernels::log_softmax(logs);
      // Every exponential to 2 units, partial sums of 16 in float; x - max rounds in float.
      const double rounding = 0x1p-23 * (20 + size);
      CHECK(std::abs(kernels::logsumexp(x) - lse) <= rounding);
      for (std::size_t i = 0; i < n; ++i) {
        const double e = std::exp(double(x[i]) - lse);
        REQUIRE(std::abs(double(p[i]) - e) <= e * rounding + 1e-38);
        REQUIRE(std::abs(double(logs[i]) - (double(x[i]) - lse)) <= rounding * (1 + size) / 4);
      }
    }
}

TEST_CASE("normalisation has the same bits with every instruction set") {
  for (const std::size_t n : {1, 16, 31, 256, 300, 5000}) {
    CAPTURE(n);
    const auto x = numbers<float>(std::int64_t(n), 5, 30.0);
    auto probabilities = x, logs = x;
    kernels::softmax(probabilities);
    kernels::log_softmax(logs);
    for (const auto level : {kernels::isa::base, kernels::isa::avx2}) {
      const kernels::limit_isa limit(level);
      auto p = x, l = x;
      kernels::softmax(p);
      kernels::log_softmax(l);
      CHECK(p == probabilities);
      CHECK(l == logs);
    }
  }
}

TEST_CASE("normalisation of special rows, as in torch") {
  const auto all_nan = [](const std::vector<float>& x) {
    return std::all_of(x.begin(), x.end(), [](float v) { return std::isnan(v); });
  };
  std::vector<float> x(20, -inf);
  CHECK(kernels::logsumexp(x) == -inf);
  auto y = x;
  kernels::softmax(y);
  CHECK(all_nan(y));
  y = x;
  kernels::log_softmax(y);
  CHECK(all_nan(y));
  x[7] = 3;
  y = x;
  kernels::softmax(y);
  for (std::size_t i = 0; i < 20; ++i) CHECK(y[i] == (i == 7 ? 1 : 0));
  y = x;
  kernels::log_softmax(y);
  for (std::size_t i = 0; i < 20; ++i) CHECK(y[i] == (i == 7 ? 0 : -inf));
  x[8] = not_a_number;
  CHECK(std::isnan(kernels::logsumexp(x)));
  kernels::softmax(x);
  CHECK(all_nan(x));
  std::vector<float> none;
  kernels::softmax(none);
  CHECK(kernels::logsumexp(none) == -inf);
  std::vector<float> great{3e38f, -3e38f, 3e38f};
  kernels::softmax(great);
  CHECK(great == std::vector<float>{0.5f, 0, 0.5f});
}
