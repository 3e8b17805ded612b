// SPDX-License-Identifier: Apache-2.0
// AdamW against torch.optim.AdamW's rule (2.x, single tensor, not capturable) written out in
// double.
#include "parlance/kernels/update.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "elementwise.hpp"

using namespace parlance;
using namespace elementwise_test;
using kernels::adamw_step;

namespace {

// param.mul_(1 - lr * wd); exp_avg.lerp_(grad, 1 - beta1);
// exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2);
// denom = (exp_avg_sq.sqrt() / bias_correction2_sqrt).add_(eps);
// param.addcdiv_(exp_avg, denom, value=-lr / bias_correction1)
void torch_step(double& p, double g, double& m, double& v, const adamw_step& s) {
  g *= s.grad_scale;
  p *= 1 - s.learning_rate * s.weight_decay;
  m += (g - m) * (1 - s.beta1);
  v = v * s.beta2 + g * g * (1 - s.beta2);
  const double correction1 = 1 - std::pow(s.beta1, double(s.step));
  const double correction2 = std::sqrt(1 - std::pow(s.beta2, double(s.step)));
  p -= s.learning_rate / correction1 * m / (std::sqrt(v) / correction2 + s.epsilon);
}

template <class T>
struct state {
  std::vector<T> p, m, v;
  explicit state(std::int64_t n)
      : p(numbers<T>(n, 1)), m(std::size_t(n), T(0)), v(std::size_t(n), T(0)) {}
};

template <class T>
void check(std::int64_t n, const adamw_step& options, int steps) {
  CAPTURE(n);
  state<T> s(n);
  std::vector<double> p(s.p.begin(), s.p.end()), m(s.p.size()), v(s.p.size());
  double worst_p = 0, worst_m = 0, worst_v = 0;
  for (int step = 1; step <= steps; ++step) {
    auto g = numbers<T>(n, 10 + unsigned(step));
    if (n > 2) g[2] = T(0);
    adamw_step now = options;
    now.step = step;
    kernels::adamw(n, s.p.data(), g.data(), s.m.data(), s.v.data(), now);
    for (std::size_t i = 0; i < p.size(); ++i) torch_step(p[i], double(g[i]), m[i], v[i], now);
  }
  for (std::size_t i = 0; i < p.size(); ++i) {
    worst_p = std::max(worst_p, error_of(s.p[i], p[i], 1 + options.learning_rate * 10));
    worst_m = std::max(worst_m, error_of(s.m[i], m[i], std::abs(options.grad_scale)));
    worst_v = std::max(worst_v, error_of(s.v[i], v[i], v[i] + 1e-30));
  }
  // A handful of roundings each step.
  CHECK(worst_p <= 8 * steps * half_ulp<T>);
  CHECK(worst_m <= 6 * steps * half_ulp<T>);
  CHECK(worst_v <= 6 * steps * half_ulp<T>);
}

constexpr adamw_step usual{1e-3, 0.9, 0.999, 1e-8, 0.01, 1, 1};

}  // namespace

TEST_CASE_TEMPLATE("adamw follows torch's rule", T, float, double) {
  auto sizes = lengths<T>();
  sizes.push_back(2 * 65536 + 3);
  for (const std::int64_t n : sizes) check<T>(n, usual, 3);
  check<T>(100, usual, 50);
  check<T>(100, {0.1, 0.8, 0.95, 1e-6, 0.1, 1, 0.25}, 20);  // clipped
  check<T>(100, {0.1, 0.9, 0.999, 1e-2, 0, 1, -3}, 20);
  check<T>(100, {0, 0.9, 0.999, 1e-8, 0.1, 1, 1}, 5);
}

TEST_CASE("the first step moves by the learning rate, whatever the gradient's size") {
  for (const double g : {1e-3, -1.0, 1e3}) {
    double p = 1, m = 0, v = 0;
    kernels::adamw(1, &p, &g, &m, &v, {0.01, 0.9, 0.999, 0, 0, 1});
    CHECK(p == doctest::Approx(g > 0 ? 0.99 : 1.01).epsilon(1e-14));
    CHECK(m == doctest::Approx(0.1 * g).epsilon(1e-14));
    CHECK(v == doctest::Approx(0.001 * g * g).epsilon(1e-13));
  }
  double p = 2, m = 0, v = 0;
  const double zero = 0;  // no gradient: decay alone
  kernels::adamw(1, &p, &zero, &m, &v, {0.1, 0.9, 0.999, 1e-8, 0.5, 1});
  CHECK(p == doctest::Approx(2 * (1 - 0.05)).epsilon(1e-15));
}

TEST_CASE("threads do not change a bit of the update") {
  const std::int64_t n = 3 * 65536 + 7;
  const auto g = numbers<float>(n, 2);
  CHECK(same_for_all_threads([&] {
    state<float> s(n);
    kernels::adamw(n, s.p.data(), g.data(), s.m.data(), s.v.data(), usual);
    s.p.insert(s.p.end(), s.v.begin(), s.v.end());
    return s.p;
  }));
}
