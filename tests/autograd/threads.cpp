// SPDX-License-Identifier: Apache-2.0
// Graphs and threads: independent graphs give the same bits side by side as alone; a graph begun on
// one thread and continued on another is still walked in order.
#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include "parlance/autograd/node.hpp"
#include "parlance/core/random.hpp"
#include "parlance/ops/math.hpp"

using namespace parlance;

namespace {

std::vector<float> train(std::uint64_t seed) {
  const rng random(seed);
  tensor<float> x({33, 17}), w({17});
  for (std::int64_t i = 0; i < x.size(); ++i) x.data()[i] = random.uniform_at(std::uint64_t(i));
  for (std::int64_t i = 0; i < 17; ++i) w.data()[i] = random.uniform_at(1000 + std::uint64_t(i));
  autograd::require_grad(w);
  for (int step = 0; step < 60; ++step) {
    tensor<float> y = ops::mul(x, w);
    for (int i = 0; i < 5; ++i) y = ops::add(ops::activate<kernels::silu>(y), y);
    autograd::backward(ops::sum(ops::mul(y, y)));
    const tensor<float> g = autograd::grad(w);
    for (std::int64_t i = 0; i < 17; ++i) w.data()[i] -= 1e-7f * g.data()[i];
  }
  return {w.values().begin(), w.values().end()};
}

}  // namespace

TEST_CASE("independent graphs on several threads give the results of one") {
  std::vector<std::vector<float>> alone, together(4);
  for (std::uint64_t i = 0; i < 4; ++i) alone.push_back(train(i));
  CHECK(alone[0] != alone[1]);
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < 4; ++i)
    threads.emplace_back([i, &together] { together[i] = train(i); });
  for (std::thread& t : threads) t.join();
  CHECK(together == alone);
}

TEST_CASE("no_grad of one thread is not another's") {
  auto x = tensor<double>::full({1}, 2);
  autograd::require_grad(x);
  const autograd::no_grad off;
  bool recorded = false;
  std::thread([&] { recorded = ops::mul(x, x).node() != nullptr; }).join();
  CHECK(recorded);
  CHECK(ops::mul(x, x).node() == nullptr);
}

TEST_CASE("a graph continued on another thread") {
  auto x = tensor<double>::full({1}, 3);
  autograd::require_grad(x);
  tensor<double> a, loss;
  // Many nodes here, few on the second thread: whatever orders them must not be per thread.
  for (int i = 0; i < 1000; ++i) ops::scale(x, 1.0);
  a = ops::mul(x, x);                                            // x^2
  const tensor<double> b = ops::scale(ops::scale(a, 2.0), 0.5);  // x^2
  std::thread([&] {
    const tensor<double> c = ops::mul(a, b);  // x^4
    loss = ops::add(ops::mul(c, a), b);       // x^6 + x^2
  }).join();
  autograd::backward(loss);
  CHECK(autograd::grad(x).item() == 6 * 243 + 2 * 3);
}
