// SPDX-License-Identifier: Apache-2.0
// Activations and their derivatives, scalar and SIMD, against the defining formulas in double;
// known values; behaviour far out.
#include "parlance/kernels/activations.hpp"

#include <doctest/doctest.h>

#include <numbers>
#include <type_traits>
#include <vector>

#include "elementwise.hpp"
#include "parlance/kernels/map.hpp"

using namespace parlance;
using namespace elementwise_test;

namespace {

struct formula {
  double (*value)(double), (*slope)(double);
};

double phi(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi); }
double cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double gelu_u(double x) { return std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x); }
double gelu_du(double x) { return std::sqrt(2 / std::numbers::pi) * (1 + 3 * 0.044715 * x * x); }

formula of(kernels::silu) {
  return {[](double x) { return x / (1 + std::exp(-x)); },
          [](double x) {
            const double s = 1 / (1 + std::exp(-x));
            return s + x * s * (1 - s);
          }};
}
formula of(kernels::gelu_tanh) {
  return {[](double x) { return 0.5 * x * (1 + std::tanh(gelu_u(x))); },
          [](double x) {
            const double t = std::tanh(gelu_u(x));
            return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * gelu_du(x);
          }};
}
formula of(kernels::gelu_erf) {
  return {[](double x) { return x * cdf(x); }, [](double x) { return cdf(x) + x * phi(x); }};
}
formula of(kernels::relu) {
  return {[](double x) { return x > 0 ? x : 0; }, [](double x) { return x > 0 ? 1.0 : 0.0; }};
}
formula of(kernels::tanh_activation) {
  return {[](double x) { return std::tanh(x); },
          [](double x) { return 1 / (std::cosh(x) * std::cosh(x)); }};
}

template <class A, class T>
void check(const std::vector<T>& x) {
  const formula f = of(A{});
  const auto n = static_cast<std::int64_t>(x.size());
  std::vector<T> value(x.size()), slope(x.size());
  // A few roundings of numbers up to |x|, and an exponential of an argument of that size; the erf
  // of xsimd is good to 50 roundings in double.
  const bool erf = std::is_same_v<A, kernels::gelu_erf> && sizeof(T) == 8;
  const double bound = half_ulp<T> * (erf ? 64 : 8);
  kernels::map_serial(
      n, value.data(), [](auto v) { return A::forward(v); }, x.data());
  kernels::map_serial(
      n, slope.data(), [](auto v) { return A::derivative(v); }, x.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    CAPTURE(x[i]);
    const double at = double(x[i]), scale = 1 + std::abs(at);
    REQUIRE(error_of(value[i], f.value(at), scale) <= bound);
    REQUIRE(error_of(slope[i], f.slope(at), scale) <= 2 * bound);
    REQUIRE(error_of(A::forward(x[i]), f.value(at), scale) <= bound);
    REQUIRE(error_of(A::derivative(x[i]), f.slope(at), scale) <= 2 * bound);
  }
}

template <class A>
void check_all() {
  for (const std::int64_t n : lengths<float>()) check<A>(numbers<float>(n, 1, 3));
  for (const std::int64_t n : lengths<double>()) check<A>(numbers<double>(n, 1, 3));
  check<A>(numbers<float>(20000, 2, 20));
  check<A>(numbers<double>(20000, 2, 20));
  check<A>(
      std::vector<float>{0.0f, -0.0f, 1e-30f, -1e-30f, 30, -30, 88, -88, 100, -100, 1e4f, -1e4f});
  check<A>(std::vector<double>{0, 1e-300, -1e-300, 30, -30, 700, -700, 720, -720, 1e5, -1e5});
}

}  // namespace

TEST_CASE("silu") { check_all<kernels::silu>(); }
TEST_CASE("gelu_tanh") { check_all<kernels::gelu_tanh>(); }
TEST_CASE("gelu_erf") { check_all<kernels::gelu_erf>(); }
TEST_CASE("relu") { check_all<kernels::relu>(); }
TEST_CASE("tanh") { check_all<kernels::tanh_activation>(); }

TEST_CASE("known values") {
  // sigmoid(1), and Phi(1) of statistical tables.
  CHECK(kernels::silu::forward(1.0) == doctest::Approx(0.7310585786300049).epsilon(1e-15));
  CHECK(kernels::gelu_erf::forward(1.0) == doctest::Approx(0.8413447460685429).epsilon(1e-15));
  CHECK(kernels::gelu_tanh::forward(1.0) == doctest::Approx(0.8411919906082768).epsilon(1e-14));
  CHECK(kernels::relu::derivative(0.0) == 0);  // as in torch
  CHECK(kernels::silu::derivative(0.0) == 0.5);
  CHECK(kernels::gelu_erf::derivative(0.0) == 0.5);
  CHECK(kernels::tanh_activation::derivative(0.0) == 1);
}
