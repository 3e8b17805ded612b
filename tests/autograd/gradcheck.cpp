// SPDX-License-Identifier: Apache-2.0
// The gradient checker itself: accepts right gradients, and finds wrong, missing and misplaced
// ones.
#include "parlance/autograd/gradcheck.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "parlance/ops/math.hpp"

using namespace parlance;

namespace {

using inputs = std::vector<tensor<double>>;

const inputs two{tensor<double>::from({3}, {0.3, -1.2, 2}),
                 tensor<double>::from({3}, {5, 0.5, -1})};

// exp(x), with a gradient of `factor` times the right one at element `wrong`.
tensor<double> exponential(const tensor<double>& x, double factor, int wrong) {
  tensor<double> y(x.dims());
  for (std::int64_t i = 0; i < x.size(); ++i) y.data()[i] = std::exp(x.data()[i]);
  if (autograd::tracking(x))
    autograd::record<double>(
        y, {x.node()}, [y = y.detach(), factor, wrong](auto& self, const auto& g) {
          tensor<double> dx(g.dims());
          for (std::int64_t i = 0; i < g.size(); ++i)
            dx.data()[i] = g.data()[i] * y.data()[i] * (i == wrong ? factor : 1);
          self.input(0)->accumulate(dx);
        });
  return y;
}

}  // namespace

TEST_CASE("right gradients pass with errors far below 1e-6") {
  const auto f = [](const inputs& in) { return ops::mul(exponential(in[0], 1, -1), in[1]); };
  const auto before = two[0].clone();
  CHECK(autograd::gradcheck(f, two).error <= 1e-9);
  for (int i = 0; i < 3; ++i) CHECK(two[0].data()[i] == before.data()[i]);
  CHECK(two[0].node() == nullptr);
}

TEST_CASE("a wrong element is found and named") {
  for (const double factor : {1 + 1e-5, 2.0, 0.0, -1.0, double(NAN)}) {
    CAPTURE(factor);
    const auto report = autograd::gradcheck(
        [&](const inputs& in) { return ops::mul(in[0], exponential(in[1], factor, 2)); }, two);
    CHECK(report.error > 2e-6);
    CHECK(report.input == 1);
    CHECK(report.element == 2);
    CHECK(report.to_string().starts_with("input 1 element 2: gradient "));
    // w_2 x_2 exp(-1), w_2 the third of the fixed weights.
    const double weight = 0.5 + double(rng(1).uniform_at(2));
    CHECK(report.numeric == doctest::Approx(weight * 2 * std::exp(-1)).epsilon(1e-9));
  }
}

TEST_CASE("missing gradients and gradients that exist only together are found") {
  CHECK(autograd::gradcheck([](const inputs& in) { return ops::mul(in[0], in[1].detach()); }, two)
            .input == 1);
  CHECK(autograd::gradcheck([](const inputs& in) { return exponential(in[0].detach(), 1, -1); },
                            {two[0]})
            .error > 0.5);
  const auto depends = [](const inputs& in) {
    const bool both = in[0].node() && in[1].node();
    return ops::mul(in[0], autograd::grad_enabled() && !both ? in[1].detach() : in[1]);
  };
  CHECK(autograd::gradcheck(depends, two).error > 0.5);
}

TEST_CASE("undefined inputs are passed through, unused ones have a gradient of zero") {
  const auto report = autograd::gradcheck(
      [](const inputs& in) {
        CHECK_FALSE(in[1].defined());
        return ops::mul(in[0], in[0]);
      },
      {two[0], tensor<double>(), two[1]});
  CHECK(report.error <= 1e-9);
}
