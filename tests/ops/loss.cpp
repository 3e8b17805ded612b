// SPDX-License-Identifier: Apache-2.0
// Cross entropy, alone and fused with the projection: values by hand and by plain loops, ignored
// labels, gradients.
#include "parlance/ops/loss.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "op_inputs.hpp"
#include "parlance/ops/math.hpp"

using namespace parlance;
using namespace ops_test;

namespace {

using labels_of = std::vector<std::int32_t>;

double reference(const tensor<double>& logits, const labels_of& labels) {
  double total = 0;
  int count = 0;
  for (std::int64_t r = 0; r < logits.rows(); ++r) {
    const std::int32_t label = labels[std::size_t(r)];
    if (label == -100) continue;
    double sum = 0;
    for (std::int64_t c = 0; c < logits.cols(); ++c) sum += std::exp(logits.row(r)[c]);
    total += std::log(sum) - logits.row(r)[label], ++count;
  }
  return count ? total / count : 0;
}

// Some labels of `classes`, every third one ignored.
labels_of some_labels(std::int64_t rows, std::int64_t classes) {
  labels_of labels;
  for (std::int64_t r = 0; r < rows; ++r)
    labels.push_back(r % 3 == 1 ? -100 : static_cast<std::int32_t>(r * 5 % classes));
  return labels;
}

}  // namespace

TEST_CASE("squared error and binary cross entropy") {
  const auto x = tensor<double>::from({2, 2}, {1, -2, 0, 3});
  const auto t = tensor<double>::from({2, 2}, {0, 1, 0.5, 3});
  CHECK(ops::mean_squared_error(x, t).item() == doctest::Approx((1 + 9 + 0.25 + 0) / 4.0));
  // torch.nn.functional.binary_cross_entropy_with_logits of x and [[0, 1], [0.5, 1]]
  const auto p = tensor<double>::from({2, 2}, {0, 1, 0.5, 1});
  CHECK(ops::binary_cross_entropy(x, p).item() ==
        doctest::Approx((1.3132616875 + 2.1269280110 + 0.6931471806 + 0.0485873516) / 4)
            .epsilon(1e-9));
  const auto large = tensor<double>::from({2}, {1000, -1000});
  CHECK(ops::binary_cross_entropy(large, tensor<double>::from({2}, {1, 0})).item() == 0);
  CHECK_THROWS_AS(ops::mean_squared_error(x, large), shape_error);
  check_gradients([&](const inputs& in) { return ops::mean_squared_error(in[0], t); },
                  {numbers({2, 2}, 1)});
  check_gradients([&](const inputs& in) { return ops::binary_cross_entropy(in[0], p); },
                  {numbers({2, 2}, 1)});
}

TEST_CASE("values by hand") {
  // log(1 + e^-1) and log(e^2 + 1 + 1) - 0.
  const auto two = tensor<double>::from({1, 2}, {1, 0});
  CHECK(ops::cross_entropy<double>(two, labels_of{0}).item() ==
        doctest::Approx(0.31326168751822286).epsilon(1e-14));
  CHECK(ops::cross_entropy<double>(tensor<double>::zeros({3, 8}), labels_of{0, 3, 7}).item() ==
        doctest::Approx(std::log(8.0)).epsilon(1e-14));
  // Great logits do not overflow: the loss is the difference.
  const auto great = tensor<double>::from({1, 2}, {10000, -10000});
  CHECK(ops::cross_entropy<double>(great, labels_of{1}).item() == 20000);
  CHECK(ops::cross_entropy<double>(great, labels_of{0}).item() == 0);
}

TEST_CASE("values by plain loops, with ignored rows") {
  for (const std::int64_t rows : {1, 3, 7})
    for (const std::int64_t classes : {1, 2, 9, 130}) {
      const auto logits = numbers({rows, classes}, 1, 4);
      const auto labels = some_labels(rows, classes);
      CHECK(ops::cross_entropy<double>(logits, labels).item() ==
            doctest::Approx(reference(logits, labels)).epsilon(1e-13));
      const auto h = numbers({rows, 5}, 2), w = numbers({classes, 5}, 3);
      const auto projected = ops::linear(h, weight<double>(w));
      CHECK(ops::linear_cross_entropy<double>(h, weight<double>(w), labels).item() ==
            doctest::Approx(reference(projected, labels)).epsilon(1e-12));
    }
}

TEST_CASE("gradients, with ignored rows and a factor behind") {
  for (const std::int64_t rows : {1, 3, 7})
    for (const std::int64_t classes : {1, 2, 9}) {
      const auto labels = some_labels(rows, classes);
      const inputs in{numbers({rows, classes}, 1, 2)};
      check_gradients([&](const inputs& x) { return ops::cross_entropy<double>(x[0], labels); },
                      in);
      check_gradients(
          [&](const inputs& x) {
            return ops::scale(ops::cross_entropy<double>(ops::mul(x[0], x[0]), labels), -2.5);
          },
          in);
      const inputs fused{numbers({rows, 5}, 2), numbers({classes, 5}, 3)};
      for (const double factor : {1.0, -2.5})
        check_gradients(
            [&](const inputs& x) {
              const auto loss =
                  ops::linear_cross_entropy<double>(x[0], weight<double>(x[1]), labels);
              return factor == 1 ? loss : ops::scale(loss, factor);
            },
            fused);
      check_gradients(  // the loss twice, the weight also elsewhere
          [&](const inputs& x) {
            const auto loss = ops::linear_cross_entropy<double>(x[0], weight<double>(x[1]), labels);
            return ops::add(ops::mul(loss, loss), ops::sum(ops::mul(x[1], x[1])));
          },
          fused);
    }
}

TEST_CASE("the fused loss crosses its chunks of rows") {
  // Chunks of at most 1024 rows: three of them here.
  constexpr std::int64_t rows = 2500, classes = 7;
  const auto labels = some_labels(rows, classes);
  const auto h = tracked(numbers({rows, 3}, 1)), w = tracked(numbers({classes, 3}, 2)),
             h2 = tracked(h.clone()), w2 = tracked(w.clone());
  const auto fused = ops::linear_cross_entropy<double>(h, weight<double>(w), labels);
  const auto plain = ops::cross_entropy<double>(ops::linear(h2, weight<double>(w2)), labels);
  CHECK(fused.item() == doctest::Approx(plain.item()).epsilon(1e-13));
  autograd::backward(fused);
  autograd::backward(plain);
  CHECK(distance(autograd::grad(h), autograd::grad(h2)) <= 1e-15);
  CHECK(distance(autograd::grad(w), autograd::grad(w2)) <= 1e-13);
}

TEST_CASE("nothing but ignored labels: loss 0, and backward is a step without gradient") {
  const auto x = tracked(numbers({2, 3}, 1)), w = tracked(numbers({4, 3}, 2));
  const labels_of none{-100, -100};
  for (const auto& loss : {ops::cross_entropy<double>(ops::scale(x, 2.0), none),
                           ops::linear_cross_entropy<double>(x, weight<double>(w), none)}) {
    CHECK(loss.item() == 0);
    CHECK_NOTHROW(autograd::backward(loss));
    for (const auto* leaf : {&x, &w})
      if (autograd::grad(*leaf).defined())
        for (const double g : autograd::grad(*leaf).values()) CHECK(g == 0);
  }
  const tensor<double> empty({0, 3});
  CHECK(ops::cross_entropy<double>(empty, labels_of{}).item() == 0);
  CHECK(ops::linear_cross_entropy<double>(empty, weight<double>(w), labels_of{}).item() == 0);
  const weight<double> no_classes(tensor<double>({0, 3}));
  CHECK(ops::linear_cross_entropy<double>(x, no_classes, none).item() == 0);
}

TEST_CASE("ignored rows may hold anything") {
  auto logits = numbers({3, 4}, 1);
  for (int c = 0; c < 4; ++c) logits.row(1)[c] = NAN;
  const labels_of labels{0, -100, 3};
  const auto x = tracked(logits);
  const auto loss = ops::cross_entropy<double>(x, labels);
  CHECK(loss.item() == doctest::Approx(reference(logits, labels)).epsilon(1e-13));
  autograd::backward(loss);
  for (int c = 0; c < 4; ++c) CHECK(autograd::grad(x).row(1)[c] == 0);
  CHECK(autograd::grad(x).row(0)[0] < 0);
}

TEST_CASE("labels are checked; frozen inputs record nothing") {
  const auto logits = numbers({2, 3}, 1);
  const weight<double> w(numbers({3, 3}, 2));
  for (const labels_of& bad :
       {labels_of{0}, labels_of{0, 3}, labels_of{0, -1}, labels_of{0, 1, 2}}) {
    CHECK_THROWS_AS(ops::cross_entropy<double>(logits, bad), shape_error);
    CHECK_THROWS_AS(ops::linear_cross_entropy<double>(logits, w, bad), shape_error);
  }
  CHECK_THROWS_AS(ops::linear_cross_entropy<double>(numbers({2, 4}, 1), w, labels_of{0, 1}),
                  shape_error);
  CHECK(ops::cross_entropy<double>(logits, labels_of{0, 1}).node() == nullptr);
  CHECK(ops::linear_cross_entropy<double>(logits, w, labels_of{0, 1}).node() == nullptr);
  const auto x = tracked(logits.clone());
  const auto loss = ops::linear_cross_entropy<double>(x, w, labels_of{0, 1});
  CHECK(loss.node()->input(1) == nullptr);
  const auto before = logits.clone();
  ops::cross_entropy<double>(x, labels_of{0, 1});
  CHECK(distance(x, before) == 0);  // the logits are not overwritten
}

TEST_CASE("float follows double") {
  const auto h = numbers<float>({40, 32}, 1), w = numbers<float>({300, 32}, 2);
  const auto labels = some_labels(40, 300);
  const auto run = [&]<class T>(T) {
    const auto th = tracked(as<T>(h)), tw = tracked(as<T>(w));
    const auto loss = ops::linear_cross_entropy<T>(th, weight<T>(tw), labels);
    autograd::backward(loss);
    return std::vector<tensor<T>>{loss, autograd::grad(th), autograd::grad(tw)};
  };
  const auto single = run(0.0f);
  const auto exact = run(0.0);
  // Logits are sums of 32 products, probabilities sum over 300 classes.
  for (std::size_t i = 0; i < 3; ++i) CHECK(distance(single[i], exact[i]) <= 40 * 0x1p-24);
}
