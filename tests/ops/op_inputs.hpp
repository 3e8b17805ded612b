// SPDX-License-Identifier: Apache-2.0
// Inputs for tests of operations, and the gradient check they all make.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "parlance/autograd/gradcheck.hpp"

namespace ops_test {

using parlance::shape;
using parlance::tensor;
using inputs = std::vector<tensor<double>>;

// Uniform in [-size, size).
template <class T = double>
tensor<T> numbers(const shape& dims, unsigned seed, double size = 1) {
  std::mt19937 random(seed);
  tensor<T> t(dims);
  for (T& x : t.values()) x = static_cast<T>((random() / 2147483648.0 - 1) * size);
  return t;
}

template <class To, class From>
tensor<To> as(const tensor<From>& x) {
  tensor<To> t(x.dims());
  for (std::int64_t i = 0; i < x.size(); ++i) t.data()[i] = static_cast<To>(x.data()[i]);
  return t;
}

template <class F>
void check_gradients(F&& f, const inputs& in) {
  const auto report = parlance::autograd::gradcheck(f, in);
  CAPTURE(report.to_string());
  CHECK(report.error <= 1e-6);
}

template <class T>
tensor<T> tracked(tensor<T> t) {
  parlance::autograd::require_grad(t);
  return t;
}

// Largest |a - b| / max(1, |b|).
template <class A, class B>
double distance(const tensor<A>& a, const tensor<B>& b) {
  REQUIRE(a.dims() == b.dims());
  double worst = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) {
    const double x = double(a.data()[i]), y = double(b.data()[i]);
    const double error = x == y ? 0 : std::abs(x - y) / std::max(1.0, std::abs(y));
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

}  // namespace ops_test
