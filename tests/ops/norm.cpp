// SPDX-License-Identifier: Apache-2.0
// RMSNorm and LayerNorm as operations: values in double, gradients, frozen and shared inputs.
#include "parlance/ops/norm.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "op_inputs.hpp"
#include "parlance/ops/math.hpp"

using namespace parlance;
using namespace ops_test;

TEST_CASE("values by plain loops") {
  const auto x = numbers({2, 3, 7}, 1, 2), w = numbers({7}, 2), b = numbers({7}, 3);
  const auto rms = ops::rms_norm(x, w, 1e-3), gemma = ops::rms_norm(x, w, 1e-3, 1.0),
             plain = ops::rms_norm(x, {}, 1e-3), layer = ops::layer_norm(x, w, b, 1e-3);
  REQUIRE(layer.dims() == x.dims());
  for (int r = 0; r < 6; ++r) {
    double mean = 0, squares = 0, variance = 0;
    for (int c = 0; c < 7; ++c) mean += x.row(r)[c] / 7, squares += x.row(r)[c] * x.row(r)[c] / 7;
    for (int c = 0; c < 7; ++c) variance += (x.row(r)[c] - mean) * (x.row(r)[c] - mean) / 7;
    for (int c = 0; c < 7; ++c) {
      const double y = x.row(r)[c] / std::sqrt(squares + 1e-3), g = w.data()[c];
      CHECK(rms.row(r)[c] == doctest::Approx(y * g).epsilon(1e-13));
      CHECK(gemma.row(r)[c] == doctest::Approx(y * (1 + g)).epsilon(1e-13));
      CHECK(plain.row(r)[c] == doctest::Approx(y).epsilon(1e-13));
      CHECK(layer.row(r)[c] ==
            doctest::Approx((x.row(r)[c] - mean) / std::sqrt(variance + 1e-3) * g + b.data()[c])
                .epsilon(1e-13));
    }
  }
}

TEST_CASE("gradients") {
  for (const std::int64_t rows : {1, 3, 7})
    for (const std::int64_t width : {1, 2, 3, 5, 9}) {
      CAPTURE(rows);
      CAPTURE(width);
      const inputs in{numbers({rows, width}, 1), numbers({width}, 2), numbers({width}, 3)};
      for (const double offset : {0.0, 1.0})
        check_gradients([&](const inputs& x) { return ops::rms_norm(x[0], x[1], 1e-2, offset); },
                        in);
      check_gradients([](const inputs& x) { return ops::rms_norm(x[0], {}, 1e-2); }, {in[0]});
      check_gradients([](const inputs& x) { return ops::layer_norm(x[0], x[1], x[2], 1e-2); }, in);
      check_gradients([](const inputs& x) { return ops::layer_norm(x[0], x[1], {}, 1e-2); },
                      {in[0], in[1]});
    }
  check_gradients([](const inputs& x) { return ops::layer_norm(x[0], x[1], x[2], 1e-2); },
                  {numbers({2, 2, 3}, 1), numbers({3}, 2), numbers({3}, 3)});
}

TEST_CASE("gradients when inputs are one tensor, and over two layers") {
  const inputs in{numbers({3, 5}, 1), numbers({5}, 2)};
  check_gradients([](const inputs& x) { return ops::layer_norm(x[0], x[1], x[1], 1e-2); }, in);
  check_gradients([](const inputs& x) { return ops::layer_norm(x[1], x[1], x[1], 1e-2); }, in);
  check_gradients([](const inputs& x) { return ops::rms_norm(x[1], x[1], 1e-2); }, in);
  check_gradients(
      [](const inputs& x) {
        const auto y = ops::add(x[0], ops::rms_norm(x[0], x[1], 1e-2));
        return ops::layer_norm(ops::rms_norm(y, x[1], 1e-2, 1.0), x[1], x[1], 1e-2);
      },
      in);
}

TEST_CASE("frozen weights get no gradient; shapes are checked") {
  const auto x = tracked(numbers({3, 5}, 1)), w = numbers({5}, 2), b = numbers({5}, 3);
  for (const auto& y : {ops::rms_norm(x, w, 1e-3), ops::layer_norm(x, w, b, 1e-3)}) {
    autograd::backward(y);
    CHECK_FALSE(autograd::grad(w).defined());
  }
  CHECK(autograd::grad(x).dims() == shape{3, 5});
  CHECK(ops::rms_norm(w, w, 1e-3).node() == nullptr);
  CHECK(ops::layer_norm(w, w, b, 1e-3).node() == nullptr);
  CHECK_THROWS_AS(ops::rms_norm(x, numbers({4}, 1), 1e-3), shape_error);
  CHECK_THROWS_AS(ops::layer_norm(x, numbers({4}, 1), b, 1e-3), shape_error);
  CHECK_THROWS_AS(ops::layer_norm(x, w, numbers({6}, 1), 1e-3), shape_error);
  CHECK(ops::rms_norm(tracked(numbers({0, 5}, 1)), w, 1e-3).dims() == shape{0, 5});
}

TEST_CASE("float follows double") {
  const auto x = numbers<float>({7, 33}, 1), w = numbers<float>({33}, 2),
             b = numbers<float>({33}, 3);
  const auto run = [&]<class T>(T eps) {
    const auto tx = tracked(as<T>(x)), tw = tracked(as<T>(w)), tb = tracked(as<T>(b));
    const auto y = ops::layer_norm(ops::rms_norm(tx, tw, eps, T(1)), tw, tb, eps);
    autograd::backward(y, as<T>(numbers<float>({7, 33}, 4)));
    return std::vector<tensor<T>>{y, autograd::grad(tx), autograd::grad(tw), autograd::grad(tb)};
  };
  const auto single = run(1e-5f);
  const auto exact = run(1e-5);
  // Sums of 33 and of 7 terms of size about 1, through two normalisations.
  for (std::size_t i = 0; i < 4; ++i) CHECK(distance(single[i], exact[i]) <= 100 * 0x1p-24);
}
