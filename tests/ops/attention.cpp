// SPDX-License-Identifier: Apache-2.0
// Rotary embedding, attention and row softmax as operations: values, gradients, what is refused.
#include "parlance/ops/attention.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "op_inputs.hpp"
#include "parlance/ops/math.hpp"

using namespace parlance;
using namespace ops_test;

namespace {

struct angles {
  tensor<double> cos, sin;
};
angles some_angles(std::int64_t rows, std::int64_t half) {
  angles a{tensor<double>({rows, half}), tensor<double>({rows, half})};
  for (std::int64_t i = 0; i < rows * half; ++i) {
    a.cos.data()[i] = std::cos(0.7 * double(i) + 0.1);
    a.sin.data()[i] = std::sin(0.7 * double(i) + 0.1);
  }
  return a;
}

}  // namespace

TEST_CASE("rope turns pairs half a head apart") {
  // Head size 6, of which 4 turn: pairs (0, 2) and (1, 3).
  const auto x = numbers({2, 12}, 1);
  const angles a = some_angles(2, 2);
  const auto y = ops::rope(x, 6, a.cos, a.sin);
  for (int r = 0; r < 2; ++r)
    for (int head = 0; head < 2; ++head) {
      const double *in = x.row(r) + head * 6, *out = y.row(r) + head * 6;
      for (int j = 0; j < 2; ++j) {
        const double c = a.cos.row(r)[j], s = a.sin.row(r)[j];
        CHECK(out[j] == doctest::Approx(in[j] * c - in[j + 2] * s).epsilon(1e-14));
        CHECK(out[j + 2] == doctest::Approx(in[j + 2] * c + in[j] * s).epsilon(1e-14));
      }
      CHECK(out[4] == in[4]);
      CHECK(out[5] == in[5]);
    }
}

TEST_CASE("gradients of rope and softmax") {
  for (const std::int64_t rows : {1, 3, 7}) {
    for (const std::int64_t half : {1, 2, 3}) {
      const angles a = some_angles(rows, half);
      check_gradients(
          [&](const inputs& x) {
            const auto y = ops::rope(x[0], 6, a.cos, a.sin);
            return ops::mul(y, ops::rope(y, 6, a.cos, a.sin));
          },
          {numbers({rows, 18}, 1)});
    }
    for (const std::int64_t width : {1, 2, 5, 9}) {
      const inputs in{numbers({rows, width}, 1, 3), numbers({rows, width}, 2)};
      check_gradients([](const inputs& x) { return ops::mul(ops::softmax(x[0]), x[1]); }, in);
      check_gradients([](const inputs& x) { return ops::softmax(ops::softmax(x[0])); }, {in[0]});
    }
  }
}

TEST_CASE("softmax by plain loops") {
  const auto x = numbers({2, 3, 7}, 1, 30);
  const auto y = ops::softmax(x);
  CHECK(y.dims() == x.dims());
  for (int r = 0; r < 6; ++r) {
    double sum = 0, total = 0;
    for (int c = 0; c < 7; ++c) sum += std::exp(x.row(r)[c]);
    for (int c = 0; c < 7; ++c) {
      CHECK(y.row(r)[c] == doctest::Approx(std::exp(x.row(r)[c]) / sum).epsilon(1e-13));
      total += y.row(r)[c];
    }
    CHECK(total == doctest::Approx(1).epsilon(1e-14));
  }
  CHECK(ops::softmax(tensor<double>({0, 3})).size() == 0);
  CHECK(ops::softmax(tensor<double>({3, 0})).size() == 0);
}

TEST_CASE("gradients of attention") {
  for (const int kv_heads : {1, 2})
    for (const bool causal : {true, false})
      for (const bool ranges : {true, false}) {
        CAPTURE(kv_heads);
        CAPTURE(causal);
        CAPTURE(ranges);
        const kernels::attention_params p{.heads = 2,
                                          .kv_heads = kv_heads,
                                          .head_dim = 3,
                                          .scale = 0.6f,
                                          .window = causal ? 3 : 0,
                                          .softcap = ranges ? 2.0f : 0.0f,
                                          .causal = causal};
        const std::int64_t width = 3 * kv_heads;
        const inputs in{numbers({2 * 3, 6}, 1), numbers({2 * 4, width}, 2),
                        numbers({2 * 4, width}, 3)};
        ops::key_ranges keys;
        if (ranges) keys = {{0, 1}, {4, 3}};
        check_gradients(
            [&](const inputs& x) { return ops::attention(x[0], x[1], x[2], p, 2, keys); }, in);
        if (kv_heads == 2)  // queries, keys and values of one tensor
          check_gradients(
              [&](const inputs& x) { return ops::attention(x[0], x[0], x[0], p, 2, {}); }, {in[0]});
      }
}

TEST_CASE("gradients of attention over packed sequences, with and without a bias") {
  const ops::packed_rows rows({0, 3, 4, 4, 6}, {0, 2, 5, 6, 8});
  for (const bool causal : {true, false}) {
    const kernels::attention_params p{
        .heads = 2, .kv_heads = 1, .head_dim = 3, .scale = 0.6f, .causal = causal};
    inputs in{numbers({6, 6}, 1), numbers({8, 3}, 2), numbers({8, 3}, 3)};
    check_gradients([&](const inputs& x) { return ops::attention(x[0], x[1], x[2], p, rows); }, in);
    in.push_back(numbers({2, 7}, 4));
    check_gradients(
        [&](const inputs& x) {
          return ops::attention(x[0], x[1], x[2], p, rows, {x[3], {}});
        },
        in);
    in[3] = numbers({2 * (3 * 2 + 1 * 3 + 0 + 2 * 2)}, 5);
    check_gradients(
        [&](const inputs& x) {
          return ops::attention(x[0], x[1], x[2], p, rows, {{}, x[3]});
        },
        in);
  }
}

TEST_CASE("attention of one key is its value; frozen inputs get no gradient") {
  const kernels::attention_params p{.heads = 2, .kv_heads = 1, .head_dim = 2, .scale = 1};
  const auto q = tracked(numbers({3, 4}, 1)), k = numbers({3, 2}, 2), v = numbers({3, 2}, 3);
  const auto y = ops::attention(q, k, v, p, 3);  // three sequences of one token
  for (int r = 0; r < 3; ++r)
    for (int c = 0; c < 4; ++c) CHECK(y.row(r)[c] == doctest::Approx(v.row(r)[c % 2]));
  CHECK(y.node()->input(1) == nullptr);
  autograd::backward(y);
  for (const double g : autograd::grad(q).values()) CHECK(std::abs(g) <= 1e-15);
  CHECK_FALSE(autograd::grad(k).defined());
  CHECK(
      ops::attention(k.view({3, 2}), k, v, {.heads = 1, .kv_heads = 1, .head_dim = 2}, 3).node() ==
      nullptr);
}

TEST_CASE("what is refused") {
  const kernels::attention_params p{.heads = 2, .kv_heads = 1, .head_dim = 2, .scale = 1};
  const auto q = numbers({6, 4}, 1), k = numbers({6, 2}, 2), v = numbers({6, 2}, 3);
  CHECK_NOTHROW(ops::attention(q, k, v, p, 2));
  CHECK_THROWS_AS(ops::attention(q, k, v, p, 0), shape_error);
  CHECK_THROWS_AS(ops::attention(q, k, v, p, 4), shape_error);
  CHECK_THROWS_AS(ops::attention(k, k, v, p, 2), shape_error);
  CHECK_THROWS_AS(ops::attention(q, q, v, p, 2), shape_error);
  CHECK_THROWS_AS(ops::attention(q, k, v.slice(0, 4), p, 2), shape_error);
  // One range a sequence.
  CHECK_THROWS_AS(ops::attention(q, k, v, p, 2, {{0}, {}}), shape_error);
  CHECK_THROWS_AS(ops::attention(q, k, v, p, 2, {{}, {3, 3, 3}}), shape_error);

  const ops::packed_rows rows({0, 2, 6});
  CHECK_NOTHROW(ops::attention(q, k, v, p, rows, {numbers({2, 7}, 4), {}}));
  CHECK_THROWS_AS(ops::attention(q, k, v, p, ops::packed_rows({0, 2, 5})), shape_error);
  CHECK_THROWS_AS(ops::attention(q, k, v, p, ops::packed_rows()), shape_error);
  CHECK_THROWS_AS(ops::attention(q, k, v, p, ops::packed_rows({0, 6}, {0, 3, 6})), shape_error);
  CHECK_THROWS_AS(ops::attention(q, k, v, p, rows, {numbers({2, 5}, 4), {}}), shape_error);
  CHECK_THROWS_AS(ops::attention(q, k, v, p, rows, {numbers({3, 7}, 4), {}}), shape_error);
  CHECK_THROWS_AS(ops::attention(q, k, v, p, rows, {{}, numbers({39}, 4)}), shape_error);

  const angles a = some_angles(6, 1);
  CHECK_NOTHROW(ops::rope(q, 2, a.cos, a.sin));
  CHECK_THROWS_AS(ops::rope(q, 3, a.cos, a.sin), shape_error);
  CHECK_THROWS_AS(ops::rope(q, 0, a.cos, a.sin), shape_error);
  CHECK_THROWS_AS(ops::rope(q, 1, a.cos, a.sin), shape_error);
  CHECK_THROWS_AS(ops::rope(q, 2, a.cos, some_angles(5, 1).sin), shape_error);
  const angles five = some_angles(5, 1);
  CHECK_THROWS_AS(ops::rope(q, 2, five.cos, five.sin), shape_error);
}

TEST_CASE("float follows double") {
  const kernels::attention_params p{.heads = 4, .kv_heads = 2, .head_dim = 8, .scale = 0.35f};
  const auto q = numbers<float>({20, 32}, 1), k = numbers<float>({20, 16}, 2),
             v = numbers<float>({20, 16}, 3), g = numbers<float>({20, 32}, 4);
  const angles a = some_angles(20, 4);
  const auto run = [&]<class T>(T) {
    const auto tq = tracked(as<T>(q)), tk = tracked(as<T>(k)), tv = tracked(as<T>(v));
    const auto c = as<T>(as<float>(a.cos)), s = as<T>(as<float>(a.sin));
    const auto y =
        ops::softmax(ops::attention(ops::rope(tq, 8, c, s), ops::rope(tk, 8, c, s), tv, p, 2));
    autograd::backward(y, as<T>(g));
    return std::vector<tensor<T>>{y, autograd::grad(tq), autograd::grad(tk), autograd::grad(tv)};
  };
  const auto single = run(0.0f);
  const auto exact = run(0.0);
  for (std::size_t i = 0; i < 4; ++i) CHECK(distance(single[i], exact[i]) <= 50 * 0x1p-24);
}
