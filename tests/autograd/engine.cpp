// SPDX-License-Identifier: Apache-2.0
// The engine: diamonds, accumulation, used-up graphs, long chains, what no_grad and frozen inputs
// leave out. Gradients are worked out by hand.
#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "parlance/autograd/node.hpp"
#include "parlance/ops/math.hpp"
#include "parlance/ops/shape.hpp"

using namespace parlance;
using autograd::backward;
using autograd::grad;

namespace {

tensor<double> leaf(double value) {
  auto t = tensor<double>::from({1}, {value});
  autograd::require_grad(t);
  return t;
}

}  // namespace

TEST_CASE("a product of two leaves") {
  auto x = leaf(3), y = leaf(5);
  const auto z = ops::mul(x, y);
  CHECK(z.item() == 15);
  CHECK_FALSE(grad(x).defined());
  backward(z);
  CHECK(grad(x).item() == 5);
  CHECK(grad(y).item() == 3);
}

TEST_CASE("diamonds and repeated use") {
  auto x = leaf(3);
  const auto a = ops::scale(x, 2.0), b = ops::mul(x, x);  // 2x, x^2
  backward(ops::mul(ops::add(a, b), a));                  // (2x + x^2) 2x = 4x^2 + 2x^3
  CHECK(grad(x).item() == 8 * 3 + 6 * 9);

  auto y = leaf(2);
  backward(ops::add(ops::add(y, y), ops::mul(ops::mul(y, y), y)));  // 2y + y^3
  CHECK(grad(y).item() == 2 + 3 * 4);
}

TEST_CASE("a ladder of diamonds is visited once a node") {
  // Every level doubles the number of paths: visiting paths would take 2^200 steps.
  auto x = leaf(1);
  tensor<double> y = x;
  for (int i = 0; i < 200; ++i) y = ops::scale(ops::add(y, y), 0.5);
  backward(y);
  CHECK(grad(x).item() == 1);
}

TEST_CASE("gradients add up over backward calls, and what the caller holds stays") {
  auto x = leaf(3);
  backward(ops::mul(x, x));
  const tensor<double> first = grad(x);
  CHECK(first.item() == 6);
  backward(ops::scale(x, 10.0));
  CHECK(grad(x).item() == 16);
  CHECK(first.item() == 6);
  x.node()->grad() = {};
  backward(x);  // of the leaf itself
  CHECK(grad(x).item() == 1);
}

TEST_CASE("seeds") {
  auto x = tensor<double>::from({3}, {1, 2, 3});
  autograd::require_grad(x);
  const auto y = ops::mul(x, x);
  backward(y, tensor<double>::from({3}, {1, 10, 100}));
  CHECK(grad(x).data()[0] == 2);
  CHECK(grad(x).data()[1] == 40);
  CHECK(grad(x).data()[2] == 600);
  const auto seed = tensor<double>::full({3}, 1);
  backward(ops::add(ops::mul(x, x), x), seed);  // a seed in use by the caller is not written to
  CHECK(seed.data()[1] == 1);
  CHECK_THROWS_AS(backward(ops::scale(x, 2.0), tensor<double>::full({2}, 1)), shape_error);
}

TEST_CASE("two views of one gradient do not overwrite each other") {
  auto x = leaf(1), y = leaf(2);
  // add() passes the same gradient to both; a second use of x must not change y's.
  backward(ops::add(ops::add(x, y), ops::scale(x, 7.0)));
  CHECK(grad(x).item() == 8);
  CHECK(grad(y).item() == 1);
}

TEST_CASE("errors: an untracked loss, a used-up graph") {
  const auto frozen = tensor<double>::full({1}, 2);
  CHECK_THROWS_WITH_AS(backward(ops::mul(frozen, frozen)),
                       "backward: the tensor does not depend on a tracked one", option_error);
  CHECK_FALSE(grad(frozen).defined());

  auto x = leaf(3);
  const auto middle = ops::mul(x, x), loss = ops::scale(middle, 2.0);
  backward(loss);
  CHECK(grad(x).item() == 12);
  CHECK_THROWS_AS(backward(loss), option_error);
  CHECK_THROWS_AS(backward(ops::scale(middle, 5.0)), option_error);  // through a used-up part
  CHECK(grad(x).item() == 12);
  backward(ops::mul(x, x));  // a new graph is fine
  CHECK(grad(x).item() == 18);
}

TEST_CASE("no_grad records nothing, on this thread and in this scope") {
  auto x = leaf(3);
  CHECK(autograd::grad_enabled());
  {
    const autograd::no_grad off;
    CHECK_FALSE(autograd::grad_enabled());
    { const autograd::no_grad nested; }
    CHECK_FALSE(autograd::grad_enabled());
    CHECK(ops::mul(x, x).node() == nullptr);
    CHECK(ops::reshape(x, {1, 1}).node() == nullptr);
    CHECK(x.node() != nullptr);
  }
  CHECK(ops::mul(x, x).node() != nullptr);
}

TEST_CASE("frozen inputs have no node, get no gradient and keep nothing alive") {
  auto x = leaf(3);
  auto frozen = tensor<double>::full({1}, 4);
  const auto y = ops::mul(x, frozen);
  CHECK(y.node()->input(1) == nullptr);
  CHECK_FALSE(frozen.unique());  // saved, since x's gradient needs it
  CHECK(x.unique());             // not saved: frozen needs no gradient
  const auto sum = ops::add(x, frozen);
  backward(y);
  CHECK(grad(x).item() == 4);
  CHECK_FALSE(grad(frozen).defined());
  CHECK(frozen.unique());  // freed by backward, while y still lives
}

TEST_CASE("detach and view cut the graph") {
  auto x = leaf(3);
  CHECK(x.detach().node() == nullptr);
  CHECK(x.view({1, 1}).node() == nullptr);
  CHECK(x.clone().node() == nullptr);
  backward(ops::mul(x, x.detach()));
  CHECK(grad(x).item() == 3);
}

TEST_CASE("a chain of a million nodes neither back-propagates nor goes away recursively") {
  constexpr int n = 1000000;
  auto x = leaf(1);
  {
    tensor<double> y = x;
    for (int i = 0; i < n; ++i) y = ops::scale(y, i % 2 ? 2.0 : 0.5);
    backward(y);
    CHECK(grad(x).item() == 1);
  }
  {
    tensor<double> y = x;
    for (int i = 0; i < n; ++i) y = ops::add(y, x);  // dropped without backward
    CHECK(y.item() == n + 1);
  }
  CHECK(x.node().use_count() == 1);
}

TEST_CASE("nodes of the public interface: accumulator and record") {
  auto x = tensor<double>::from({2}, {1, 2});
  autograd::require_grad(x);
  const auto same = x.node();
  autograd::require_grad(x);
  CHECK(x.node() == same);
  // An operation of one's own: y = 3 x, writing straight into the accumulator.
  const auto triple = [](const tensor<double>& in) {
    auto out = tensor<double>::from({2}, {3 * in.data()[0], 3 * in.data()[1]});
    autograd::record<double>(out, {in.node()}, [](auto& self, const tensor<double>& g) {
      auto [dx, beta] = self.input(0)->accumulator({2});
      for (int i = 0; i < 2; ++i)
        dx.data()[i] = (beta == 0 ? 0 : beta * dx.data()[i]) + 3 * g.data()[i];
    });
    return out;
  };
  backward(ops::add(triple(x), triple(triple(x))));
  CHECK(grad(x).data()[1] == 12);
  const tensor<double> held = grad(x);
  backward(triple(x));
  CHECK(grad(x).data()[0] == 15);
  CHECK(held.data()[0] == 12);
}
