// SPDX-License-Identifier: Apache-2.0
// linear, linears and embedding in every storage format: values against plain loops in double,
// gradients, and where gradients do not flow.
#include "parlance/ops/linear.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "op_inputs.hpp"
#include "parlance/ops/math.hpp"

using namespace parlance;
using namespace ops_test;

namespace {

template <class T>
using dense = weight<T>;

template <class T, class E>
weight<T> half_weight(const tensor<float>& values) {
  auto owner = std::make_shared<std::vector<E>>();
  for (const float v : values.values()) owner->push_back(E(v));
  return {values.dims(), half_matrix<E>{owner->data(), owner}};
}
template <class T>
weight<T> quantised_weight(const tensor<float>& values, bool exact) {
  const std::int64_t n = values.dim(0), k = values.dim(1);
  return {values.dims(),
          std::make_shared<const kernels::quant_matrix>(kernels::quant_matrix::quantize(
              format::q8_0, n, k,
              [&](std::int64_t r, float* out) { std::copy_n(values.row(r), k, out); })),
          exact};
}

// y = x W^T + b and its gradients for the gradient g of y, all in double.
struct plain {
  tensor<double> y, dx, dw, db;
};
plain reference(const tensor<double>& x, const tensor<double>& w, const tensor<double>& b,
                const tensor<double>& g) {
  const std::int64_t m = x.rows(), k = x.cols(), n = w.dim(0);
  plain r{tensor<double>::zeros(g.dims()), tensor<double>::zeros(x.dims()),
          tensor<double>::zeros(w.dims()), tensor<double>::zeros({n})};
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      r.y.row(i)[j] = b.defined() ? b.data()[j] : 0;
      r.db.data()[j] += g.row(i)[j];
      for (std::int64_t c = 0; c < k; ++c) {
        r.y.row(i)[j] += x.row(i)[c] * w.row(j)[c];
        r.dx.row(i)[c] += g.row(i)[j] * w.row(j)[c];
        r.dw.row(j)[c] += g.row(i)[j] * x.row(i)[c];
      }
    }
  return r;
}

using ids = std::vector<std::int32_t>;

}  // namespace

TEST_CASE_TEMPLATE("dense linear and its gradients equal plain loops", T, float, double) {
  const double eps = sizeof(T) == 4 ? 0x1p-24 : 0x1p-53;
  for (const std::int64_t m : {0, 1, 3, 7, 40})
    for (const std::int64_t k : {1, 5, 17, 64})
      for (const std::int64_t n : {1, 4, 33}) {
        CAPTURE(m);
        CAPTURE(k);
        CAPTURE(n);
        const auto x = tracked(numbers<T>({m, k}, 1)), w = tracked(numbers<T>({n, k}, 2)),
                   b = tracked(numbers<T>({n}, 3)), g = numbers<T>({m, n}, 4);
        const auto y = ops::linear(x, weight<T>(w), b);
        autograd::backward(y, g);
        const plain expected =
            reference(as<double>(x), as<double>(w), as<double>(b), as<double>(g));
        CHECK(distance(y, expected.y) <= eps * double(k + 2) * double(k));
        CHECK(distance(autograd::grad(x), expected.dx) <= eps * double(n + 2) * double(n));
        CHECK(distance(autograd::grad(w), expected.dw) <= eps * double(m + 2) * double(m));
        CHECK(distance(autograd::grad(b), expected.db) <= eps * double(m + 2) * double(m));
      }
}

TEST_CASE("gradients of linear, alone and repeated") {
  for (const std::int64_t rows : {1, 3, 7}) {
    const inputs in{numbers({rows, 5}, 1), numbers({4, 5}, 2), numbers({4}, 3), numbers({5, 4}, 4)};
    check_gradients([](const inputs& x) { return ops::linear(x[0], dense<double>(x[1]), x[2]); },
                    in);
    check_gradients([](const inputs& x) { return ops::linear(x[0], dense<double>(x[1])); }, in);
    check_gradients(  // one weight twice in a graph, one input through two weights
        [](const inputs& x) {
          const auto y = ops::linear(x[0], dense<double>(x[1]), x[2]);
          const auto back = ops::linear(y, dense<double>(x[3]));
          return ops::linear(ops::add(back, x[0]), dense<double>(x[1]), x[2]);
        },
        in);
    check_gradients(
        [](const inputs& x) {
          const weight<double> a(x[1]), b(x[1].dims(), weight<double>::variant(x[1]));
          const auto y = ops::linears<double, 2>(x[0], {&a, &b}, {x[2], tensor<double>()});
          return ops::mul(y[0], y[1]);
        },
        in);
  }
  check_gradients([](const inputs& x) { return ops::linear(x[0], dense<double>(x[1])); },
                  {numbers({2, 3, 5}, 1), numbers({4, 5}, 2)});
  check_gradients([](const inputs& x) { return ops::linear(x[0], dense<double>(x[0])); },
                  {numbers({3, 3}, 1)});
}

TEST_CASE("gradients of x pass through 16-bit and quantised weights in double") {
  const auto values = numbers<float>({5, 32}, 1);
  for (const auto& w : {half_weight<double, bf16>(values), half_weight<double, f16>(values),
                        quantised_weight<double>(values, true)}) {
    CAPTURE(static_cast<int>(w.type()));
    const inputs in{numbers({3, 32}, 2), numbers({5}, 3)};
    check_gradients([&](const inputs& x) { return ops::linear(x[0], w, x[1]); }, in);
    const plain expected = reference(in[0], w.to_dense(), in[1], numbers({3, 5}, 4));
    CHECK(distance(ops::linear(in[0], w, in[1]), expected.y) <= 1e-14);
  }
}

TEST_CASE("gradients of x pass through 16-bit and quantised weights in float") {
  const auto values = numbers<float>({37, 64}, 1);
  const auto g = numbers<float>({5, 37}, 4);
  struct stored {
    weight<float> w;
    double forward;  // what rounding the input to 8 bits may add
  };
  for (const stored& s :
       {stored{half_weight<float, bf16>(values), 0}, stored{half_weight<float, f16>(values), 0},
        stored{quantised_weight<float>(values, true), 0},
        stored{quantised_weight<float>(values, false), 64 * 0.5 / 127}}) {
    const weight<float>& w = s.w;
    CAPTURE(static_cast<int>(w.type()));
    const auto x = tracked(numbers<float>({5, 64}, 2)), b = tracked(numbers<float>({37}, 3));
    const auto y = ops::linear(x, w, b);
    CHECK(y.node()->input(1) == nullptr);  // nothing flows to such a weight
    CHECK(x.unique());                     // so the input is not kept
    autograd::backward(y, g);
    const plain expected =
        reference(as<double>(x), as<double>(w.to_dense()), as<double>(b), as<double>(g));
    CHECK(distance(y, expected.y) <= 0x1p-24 * 66 * 64 + s.forward);
    CHECK(distance(autograd::grad(x), expected.dx) <= 0x1p-24 * 39 * 37);
    CHECK(distance(autograd::grad(b), expected.db) <= 0x1p-24 * 7 * 5);
  }
}

TEST_CASE("linears equals linear for every mixture of formats") {
  const auto values = numbers<float>({20, 32}, 1);
  const weight<float> q(quantised_weight<float>(values, false)),
      exact(quantised_weight<float>(values, true)), h(half_weight<float, f16>(values)),
      d(values.clone());
  const auto bias = numbers<float>({20}, 3);
  for (const weight<float>* second : {&q, &exact, &h, &d}) {
    const auto x = tracked(numbers<float>({3, 32}, 2)), same = tracked(x.clone());
    const auto both = ops::linears<float, 2>(x, {&q, second}, {bias, tensor<float>()});
    const auto a = ops::linear(same, q, bias), b = ops::linear(same, *second);
    CHECK(distance(both[0], a) == 0);
    CHECK(distance(both[1], b) == 0);
    autograd::backward(ops::add(both[0], both[1]));
    autograd::backward(ops::add(a, b));
    CHECK(distance(autograd::grad(x), autograd::grad(same)) == 0);
  }
}

TEST_CASE("frozen parts of linear") {
  const auto w = numbers({4, 5}, 1), b = numbers({4}, 2), x = numbers({3, 5}, 3);
  CHECK(ops::linear(x, dense<double>(w), b).node() == nullptr);
  auto trained = tracked(w.clone());
  {
    const auto y = ops::linear(x, dense<double>(trained), b);
    CHECK(y.node()->input(0) == nullptr);
    CHECK(y.node()->input(2) == nullptr);
    CHECK(trained.unique());  // only x is kept, for the weight's gradient
    CHECK_FALSE(x.unique());
    autograd::backward(y);
    CHECK(x.unique());
    CHECK(autograd::grad(trained).dims() == shape{4, 5});
  }
  const auto tx = tracked(x.clone());
  const auto y = ops::linear(tx, dense<double>(w), b);
  CHECK(tx.unique());
  autograd::backward(y);
  CHECK_FALSE(autograd::grad(w).defined());
  CHECK_FALSE(autograd::grad(b).defined());
}

TEST_CASE("wrong shapes of linear") {
  const auto x = numbers({3, 5}, 1);
  const dense<double> w(numbers({4, 5}, 2));
  CHECK_THROWS_WITH_AS(ops::linear(numbers({3, 4}, 1), w),
                       "linear: input [3, 4] against weight [4, 5]", shape_error);
  CHECK_THROWS_AS(ops::linear(x, w, numbers({5}, 1)), shape_error);
  CHECK_THROWS_AS(ops::linear(x, w, numbers({3}, 1)), shape_error);
  CHECK_THROWS_AS(ops::linear(x, weight<double>()), shape_error);
  const weight<double> unset({4, 5}, std::monostate());
  CHECK_THROWS_AS(ops::linear(x, unset), option_error);
  const weight<float> q(quantised_weight<float>(numbers<float>({4, 32}, 1), false));
  CHECK_THROWS_AS(
      (ops::linears<float, 1>(numbers<float>({2, 32}, 1), {&q}, {numbers<float>({3}, 1)})),
      shape_error);
}

TEST_CASE("embedding looks rows up and adds gradients of repeated ids") {
  const auto table = numbers<float>({6, 32}, 1);
  const ids picked{5, 0, 5, 2, 5};
  for (const auto& w : {weight<float>(table), half_weight<float, bf16>(table),
                        half_weight<float, f16>(table), quantised_weight<float>(table, true)}) {
    const auto out = ops::embedding<float>(picked, w), rows = w.to_dense();
    REQUIRE(out.dims() == shape{5, 32});
    CHECK(out.node() == nullptr);
    for (std::size_t i = 0; i < 5; ++i)
      for (int c = 0; c < 32; ++c) CHECK(out.row(std::int64_t(i))[c] == rows.row(picked[i])[c]);
  }
  check_gradients(
      [&](const inputs& x) { return ops::embedding<double>(picked, weight<double>(x[0])); },
      {numbers({6, 3}, 1)});
  check_gradients(  // tied to the output projection
      [&](const inputs& x) {
        const weight<double> w(x[0]);
        return ops::linear(ops::embedding<double>(picked, w), w);
      },
      {numbers({6, 3}, 1)});
  CHECK(ops::embedding<float>(ids{}, weight<float>(table)).dims() == shape{0, 32});
  for (const std::int32_t bad : {-1, 6})
    CHECK_THROWS_AS(ops::embedding<float>(ids{0, bad}, weight<float>(table)), shape_error);
}
