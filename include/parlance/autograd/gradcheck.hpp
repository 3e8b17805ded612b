// SPDX-License-Identifier: Apache-2.0
// Checks the gradients of a function against central differences in double precision, for tests of
// new operations:
//   auto report = autograd::gradcheck([](const auto& in) { return ops::mul(in[0], in[1]); },
//                                     {x, w});
//   if (report.error > 1e-6) throw option_error(report.to_string());
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "parlance/autograd/node.hpp"
#include "parlance/core/random.hpp"

namespace parlance::inline PARLANCE_ABI::autograd {

// The place where gradient and difference quotient disagree most.
struct gradcheck_report {
  double error = 0;  // |gradient - numeric| / max(|gradient|, |numeric|, 1e-3); inf for NaN
  std::size_t input = 0;
  std::int64_t element = 0;
  double gradient = 0, numeric = 0;

  std::string to_string() const {
    return "input " + std::to_string(input) + " element " + std::to_string(element) +
           ": gradient " + std::to_string(gradient) + ", central difference " +
           std::to_string(numeric) + ", relative error " + std::to_string(error);
  }
};

// `f` takes `const std::vector<tensor<double>>&` and returns a tensor of any shape, whose elements
// are weighted by fixed random numbers and summed. It must be smooth within 2 * step and give the
// same result for the same inputs. Gradients are taken of all inputs together and of each alone;
// undefined tensors are passed through. The inputs themselves are not changed.
template <class F>
gradcheck_report gradcheck(F&& f, const std::vector<tensor<double>>& inputs, double step = 1e-3) {
  const auto copies = [&] {
    std::vector<tensor<double>> c;
    for (const tensor<double>& x : inputs) c.push_back(x.clone());
    return c;
  };
  const auto weights = [](const shape& dims) {
    tensor<double> w(dims);
    for (std::int64_t i = 0; i < w.size(); ++i)
      w.data()[i] = 0.5 + double(rng(1).uniform_at(static_cast<std::uint64_t>(i)));
    return w;
  };
  std::vector<tensor<double>> moved = copies();
  const auto value = [&] {
    const no_grad off;
    const tensor<double> out = f(std::as_const(moved)), w = weights(out.dims());
    double sum = 0;
    for (std::int64_t i = 0; i < out.size(); ++i) sum += out.data()[i] * w.data()[i];
    return sum;
  };
  // Gradients by backward(), tracking input `only` or, for -1, all of them.
  const auto gradients = [&](std::ptrdiff_t only) {
    std::vector<tensor<double>> in = copies(), grads;
    for (std::size_t i = 0; i < in.size(); ++i)
      if (in[i].defined() && (only < 0 || std::size_t(only) == i)) require_grad(in[i]);
    const tensor<double> out = f(std::as_const(in));
    if (out.node()) backward(out, weights(out.dims()));
    for (const tensor<double>& x : in) grads.push_back(grad(x));
    return grads;
  };

  gradcheck_report worst;
  const std::vector<tensor<double>> together = gradients(-1);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined()) continue;
    const tensor<double> alone = gradients(static_cast<std::ptrdiff_t>(i))[i];
    for (std::int64_t e = 0; e < inputs[i].size(); ++e) {
      double& x = moved[i].data()[e];
      const double kept = x;
      const auto at = [&](double offset) {
        x = kept + offset;
        return value();
      };
      // Five points: the error is O(step^4).
      const double numeric =
          (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step);
      x = kept;
      for (const tensor<double>& g : {together[i], alone}) {
        if (g.defined()) require_shape("gradcheck: gradient", g.dims(), inputs[i].dims());
        const double got = g.defined() ? g.data()[e] : 0;
        double error = std::abs(got - numeric) / std::max({std::abs(got), std::abs(numeric), 1e-3});
        if (std::isnan(error)) error = HUGE_VAL;
        if (error > worst.error) worst = {error, i, e, got, numeric};
      }
    }
  }
  return worst;
}

}  // namespace parlance::inline PARLANCE_ABI::autograd
