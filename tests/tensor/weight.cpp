// SPDX-License-Identifier: Apache-2.0
// A weight in every storage format: its shape, bytes, rows and dense copy.
#include "parlance/tensor/weight.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

using namespace parlance;

namespace {

template <class E>
half_matrix<E> halves(const std::vector<float>& values) {
  auto owner = std::make_shared<std::vector<E>>();
  for (const float v : values) owner->push_back(E(v));
  return {owner->data(), owner};
}

// Multiples of 1/8 below 8: exact in f16, bf16 and f32.
std::vector<float> eighths(std::int64_t n) {
  std::vector<float> x;
  for (std::int64_t i = 0; i < n; ++i) x.push_back(static_cast<float>(i * 37 % 127 - 63) / 8);
  return x;
}

template <class T>
void check_rows(const weight<T>& w, const std::vector<float>& expected) {
  const std::int64_t rows = w.dims()[0], cols = w.dims()[1];
  for (std::int64_t first = 0; first < rows; ++first)
    for (std::int64_t count = 0; first + count <= rows; ++count) {
      std::vector<T> out(static_cast<std::size_t>(count * cols + 1), T(-99));
      w.read_rows(first, count, out.data());
      for (std::int64_t i = 0; i < count * cols; ++i)
        REQUIRE(out[std::size_t(i)] == T(expected[std::size_t(first * cols + i)]));
      REQUIRE(out.back() == T(-99));
    }
  const tensor<T> dense = w.to_dense();
  REQUIRE(dense.dims() == w.dims());
  for (std::int64_t i = 0; i < rows * cols; ++i)
    REQUIRE(dense.data()[i] == T(expected[std::size_t(i)]));
}

}  // namespace

TEST_CASE_TEMPLATE("dense and 16-bit weights", T, float, double) {
  const auto values = eighths(3 * 5);
  const shape dims{3, 5};
  const tensor<T> matrix = tensor<T>::from(dims, std::vector<T>(values.begin(), values.end()));
  const weight<T> dense(matrix);
  CHECK(dense.defined());
  CHECK(dense.dims() == dims);
  CHECK(dense.type() == (sizeof(T) == 8 ? format::f64 : format::f32));
  CHECK(dense.bytes() == 15 * sizeof(T));
  CHECK(dense.exact());
  CHECK(dense.dense()->data() == matrix.data());
  CHECK(dense.to_dense().data() == matrix.data());
  check_rows(dense, values);

  const weight<T> b(dims, halves<bf16>(values), false), h(dims, halves<f16>(values));
  CHECK(b.type() == format::bf16);
  CHECK(h.type() == format::f16);
  CHECK(b.bytes() == 30);
  CHECK(h.bytes() == 30);
  CHECK_FALSE(b.exact());
  CHECK(h.exact());
  CHECK(b.dense() == nullptr);
  check_rows(b, values);
  check_rows(h, values);
}

TEST_CASE_TEMPLATE("quantised weights", T, float, double) {
  // q8_0 by hand: a block is the scale (f16) and 32 signed bytes.
  constexpr std::int64_t rows = 17, cols = 64;
  std::vector<std::uint8_t> blocks;
  std::vector<float> expected;
  for (std::int64_t i = 0; i < rows * cols / 32; ++i) {
    const f16 scale(std::ldexp(1.0f + float(i % 5) / 4, int(i % 3) - 5));
    blocks.push_back(static_cast<std::uint8_t>(scale.bits & 0xFF));
    blocks.push_back(static_cast<std::uint8_t>(scale.bits >> 8));
    for (int j = 0; j < 32; ++j) {
      const auto code = static_cast<std::int8_t>((i * 32 + j) * 29 % 255 - 127);
      blocks.push_back(static_cast<std::uint8_t>(code));
      expected.push_back(float(scale) * float(code));
    }
  }
  const auto q = std::make_shared<const kernels::quant_matrix>(
      kernels::quant_matrix::pack(format::q8_0, rows, cols, blocks.data()));
  const weight<T> w({rows, cols}, q);
  CHECK(w.type() == format::q8_0);
  CHECK(w.dense() == nullptr);
  // Repacked in panels of 16 rows: 34 bytes a block, two panels.
  CHECK(w.bytes() == 2 * 16 * 2 * 34);
  check_rows(w, expected);
}

TEST_CASE("a weight that was not loaded says so") {
  const weight<float> none;
  float out = 0;
  CHECK_FALSE(none.defined());
  CHECK(none.bytes() == 0);
  CHECK_THROWS_AS(none.read_rows(0, 1, &out), option_error);
  CHECK_THROWS_AS(none.to_dense(), option_error);
}

TEST_CASE("16-bit weights keep their owner alive") {
  auto m = halves<bf16>(eighths(4));
  const std::weak_ptr<const void> watch = m.owner;
  auto w = std::make_unique<weight<float>>(shape{2, 2}, std::move(m));
  weight<float> copy = *w;
  w.reset();
  CHECK_FALSE(watch.expired());
  copy = {};
  CHECK(watch.expired());
}
