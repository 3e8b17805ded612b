// SPDX-License-Identifier: Apache-2.0
// Element-wise operations: values against plain loops, broadcasting, gradients in double.
#include "parlance/ops/math.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "op_inputs.hpp"

using namespace parlance;
using namespace ops_test;

namespace {

struct pair_of_shapes {
  shape a, b, out;
};
const pair_of_shapes broadcasts[] = {
    {{3, 5}, {3, 5}, {3, 5}},
    {{3, 5}, {5}, {3, 5}},
    {{5}, {3, 5}, {3, 5}},
    {{3, 5}, {3, 1}, {3, 5}},
    {{3, 1}, {1, 5}, {3, 5}},
    {{}, {2, 3}, {2, 3}},
    {{1}, {}, {1}},
    {{2, 1, 3}, {7, 1}, {2, 7, 3}},
    {{1, 1, 1}, {2, 7, 3}, {2, 7, 3}},
    {{4, 1, 1, 3}, {2, 5, 1}, {4, 2, 5, 3}},
};

// Element of x under the broadcast index `at` of `out`, by division and remainder.
double element(const tensor<double>& x, const shape& out, std::int64_t at) {
  std::int64_t from = 0, stride = 1;
  for (int i = 1; i <= out.rank(); ++i) {
    const std::int64_t index = at % out[-i];
    at /= out[-i];
    if (i > x.dims().rank()) continue;
    if (x.dim(-i) != 1) from += index * stride;
    stride *= x.dim(-i);
  }
  return x.data()[from];
}

}  // namespace

TEST_CASE("sums and products broadcast as in NumPy") {
  for (const auto& p : broadcasts) {
    CAPTURE(p.a.to_string());
    CAPTURE(p.b.to_string());
    const auto a = numbers(p.a, 1), b = numbers(p.b, 2);
    const auto sum = ops::add(a, b), product = ops::mul(a, b);
    REQUIRE(sum.dims() == p.out);
    REQUIRE(product.dims() == p.out);
    for (std::int64_t i = 0; i < sum.size(); ++i) {
      CHECK(sum.data()[i] == element(a, p.out, i) + element(b, p.out, i));
      CHECK(product.data()[i] == element(a, p.out, i) * element(b, p.out, i));
    }
  }
}

TEST_CASE("shapes that do not broadcast are named") {
  const auto a = numbers({3, 5}, 1), b = numbers({3, 4}, 2);
  CHECK_THROWS_WITH_AS(ops::add(a, b), "add: [3, 5] and [3, 4] do not broadcast", shape_error);
  CHECK_THROWS_WITH_AS(ops::mul(a, numbers({2}, 1)), "mul: [3, 5] and [2] do not broadcast",
                       shape_error);
}

TEST_CASE("empty operands") {
  const auto none = tracked(numbers({0, 5}, 1)), row = tracked(numbers({5}, 2)),
             one = tracked(numbers({1, 5}, 2));
  CHECK(ops::add(none, row).dims() == shape{0, 5});
  CHECK(ops::mul(one, none).dims() == shape{0, 5});
  const auto total = ops::sum(ops::mul(ops::add(none, row), one));
  CHECK(total.item() == 0);
  autograd::backward(total);
  for (const auto* leaf : {&row, &one}) {
    REQUIRE(autograd::grad(*leaf).dims() == leaf->dims());
    for (const double g : autograd::grad(*leaf).values()) CHECK(g == 0);
  }
  CHECK(autograd::grad(none).dims() == shape{0, 5});
}

TEST_CASE("gradients of sums and products under every broadcast") {
  for (const auto& p : broadcasts) {
    CAPTURE(p.a.to_string());
    CAPTURE(p.b.to_string());
    const inputs in{numbers(p.a, 1), numbers(p.b, 2)};
    check_gradients([](const inputs& x) { return ops::add(x[0], x[1]); }, in);
    check_gradients([](const inputs& x) { return ops::mul(x[0], x[1]); }, in);
  }
}

TEST_CASE("gradients when a tensor is used repeatedly") {
  for (const std::int64_t rows : {1, 3, 7}) {
    const inputs in{numbers({rows, 3}, 1), numbers({3}, 2)};
    check_gradients([](const inputs& x) { return ops::mul(x[0], x[0]); }, in);
    check_gradients([](const inputs& x) { return ops::add(x[0], x[0]); }, in);
    check_gradients(
        [](const inputs& x) {
          const auto y = ops::add(ops::mul(x[0], x[1]), ops::scale(x[0], 3.0));
          return ops::mul(ops::mul(y, x[1]), ops::add(y, x[0]));
        },
        in);
  }
}

TEST_CASE("scale, sum and soft cap") {
  const auto x = numbers({3, 7}, 1, 4);
  double total = 0;
  for (const double v : x.values()) total += v;
  CHECK(ops::sum(x).dims() == shape{});
  CHECK(ops::sum(x).item() == doctest::Approx(total).epsilon(1e-14));
  CHECK(ops::sum(numbers({0}, 1)).item() == 0);
  const auto scaled = ops::scale(x, -0.3), capped = ops::softcap(x, 2.5);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    CHECK(scaled.data()[i] == x.data()[i] * -0.3);
    CHECK(capped.data()[i] == doctest::Approx(2.5 * std::tanh(x.data()[i] / 2.5)).epsilon(1e-14));
  }
  for (const shape& dims : {shape{1}, shape{3, 7}, shape{}, shape{2, 1, 3}}) {
    const inputs in{numbers(dims, 1, 3)};
    check_gradients([](const inputs& a) { return ops::scale(a[0], -0.3); }, in);
    check_gradients([](const inputs& a) { return ops::sum(ops::mul(a[0], a[0])); }, in);
    check_gradients([](const inputs& a) { return ops::softcap(a[0], 2.5); }, in);
    check_gradients([](const inputs& a) { return ops::mul(ops::sum(a[0]), a[0]); }, in);
  }
}

TEST_CASE_TEMPLATE("gradients of activations and gated units", A, kernels::silu, kernels::gelu_tanh,
                   kernels::gelu_erf, kernels::relu, kernels::tanh_activation) {
  for (const shape& dims : {shape{1}, shape{3, 5}, shape{7, 3}}) {
    inputs in{numbers(dims, 1, 3), numbers(dims, 2)};
    for (double& v : in[0].values())  // away from the corner of relu
      if (std::abs(v) < 0.01) v = 0.5;
    check_gradients([](const inputs& x) { return ops::activate<A>(x[0]); }, in);
    check_gradients([](const inputs& x) { return ops::gated<A>(x[0], x[1]); }, in);
    check_gradients([](const inputs& x) { return ops::gated<A>(x[0], x[0]); }, {in[0]});
    const auto gate = ops::gated<A>(in[0], in[1]);
    for (std::int64_t i = 0; i < gate.size(); ++i)
      CHECK(gate.data()[i] ==
            doctest::Approx(A::forward(in[0].data()[i]) * in[1].data()[i]).epsilon(1e-12));
  }
  CHECK_THROWS_AS(ops::gated<A>(numbers({3, 5}, 1), numbers({5}, 1)), shape_error);
}

TEST_CASE("frozen operands are neither saved nor given gradients") {
  auto a = tracked(numbers({3, 5}, 1)), b = numbers({3, 5}, 2);
  const auto check = [&](const tensor<double>& y) {
    CHECK(y.node()->input(0) != nullptr);
    CHECK(y.node()->input(1) == nullptr);
    autograd::backward(y);
    CHECK_FALSE(autograd::grad(b).defined());
  };
  check(ops::add(a, b));
  check(ops::mul(a, b));
  check(ops::gated<kernels::silu>(a, b));
  const auto y = ops::add(a, b);
  CHECK(a.unique());  // a sum saves nothing
  CHECK(b.unique());
  const auto z = ops::mul(a, b);
  CHECK(a.unique());
  CHECK(ops::mul(b, b).node() == nullptr);
  CHECK(ops::softcap(b, 1.0).node() == nullptr);
  CHECK(ops::sum(b).node() == nullptr);
}

TEST_CASE_TEMPLATE("float follows double through activations and gated units", A, kernels::silu,
                   kernels::gelu_tanh, kernels::gelu_erf, kernels::relu, kernels::tanh_activation) {
  const auto x = numbers<float>({7, 33}, 1, 6), up = numbers<float>({7, 33}, 2),
             g = numbers<float>({7, 33}, 3);
  const auto run = [&]<class T>(T) {
    const auto gate = tracked(as<T>(x)), other = tracked(as<T>(up)), alone = tracked(as<T>(x));
    const auto frozen = as<T>(up);
    const auto a = ops::activate<A>(alone), b = ops::gated<A>(gate, other),
               c = ops::gated<A>(gate, frozen), d = ops::gated<A>(frozen, other);
    for (const auto& y : {a, b, c, d}) autograd::backward(y, as<T>(g));
    return std::vector<tensor<T>>{
        a, b, c, d, autograd::grad(alone), autograd::grad(gate), autograd::grad(other)};
  };
  const auto single = run(0.0f);
  const auto exact = run(0.0);
  // Numbers up to 6, the exponentials of arguments up to 16, sums of two gradients.
  for (std::size_t i = 0; i < exact.size(); ++i) {
    CAPTURE(i);
    CHECK(distance(single[i], exact[i]) <= 40 * 0x1p-24);
  }
}

TEST_CASE("float follows double through sums, products and soft caps") {
  const auto x = numbers<float>({7, 33}, 1, 3), w = numbers<float>({33}, 2);
  const auto run = [&]<class T>(T) {
    const auto a = tracked(as<T>(x)), b = tracked(as<T>(w));
    const auto y = ops::softcap(ops::add(ops::mul(a, b), ops::scale(a, T(0.5))), T(2));
    const auto total = ops::sum(ops::mul(y, y));
    autograd::backward(total);
    return std::vector<tensor<T>>{y, total, autograd::grad(a), autograd::grad(b)};
  };
  const auto single = run(0.0f);
  const auto exact = run(0.0);
  for (std::size_t i = 0; i < exact.size(); ++i) {
    CAPTURE(i);
    // `total` adds 231 numbers one after another.
    CHECK(distance(single[i], exact[i]) <= (i == 1 ? 231 : 40) * 0x1p-24);
  }
}
