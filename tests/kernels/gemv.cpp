// SPDX-License-Identifier: Apache-2.0
// Few rows times a stored matrix: a row's result does not depend on what it is batched with, and
// nothing outside the given rows is read or written.
#include "parlance/kernels/gemv.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "parlance/kernels/gemm.hpp"

using namespace parlance;
using kernels::isa;

namespace {

template <class W>
void check_batching(bool exact) {
  constexpr std::int64_t rows = 32, n = 101, k = 203;
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> x(rows * k);
  std::vector<W> w(n * k);
  for (float& v : x) v = normal(random);
  for (W& v : w) v = W(normal(random));
  std::vector<float> single(rows * n);
  const float* const no_bias = nullptr;
  for (std::int64_t i = 0; i < rows; ++i)
    kernels::linear(x.data() + i * k, k, w.data(), k, no_bias, single.data() + i * n, n, 1, n, k,
                    exact);
  // Every size near a batch of the kernels, and the largest.
  for (std::int64_t m = 2; m <= rows; ++m) {
    std::vector<float> y(rows * n, NAN);
    kernels::linear(x.data(), k, w.data(), k, no_bias, y.data(), n, m, n, k, exact);
    CAPTURE(m);
    CHECK(std::equal(y.begin(), y.begin() + m * n, single.begin()));
    if (m < rows) CHECK(std::isnan(y[m * n]));
  }
}

}  // namespace

TEST_CASE("a row has the same bits alone and in any small batch") {
  for (const isa level : {isa::base, isa::avx2, isa::avx512}) {
    const kernels::limit_isa limit(level, true);
    CAPTURE(static_cast<int>(level));
    check_batching<float>(true);
    check_batching<bf16>(true);
    check_batching<bf16>(false);
    check_batching<f16>(true);
  }
}

TEST_CASE("exact products of small integers come out exactly") {
  // Integers below 2^8 are exact in every storage type, their sums of 300 products in f32.
  constexpr std::int64_t m = 5, n = 67, k = 300;
  std::vector<float> x(m * k), y(m * n), expected(m * n);
  std::vector<bf16> w(n * k);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = float(i % 17) - 8;
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = bf16(float(i % 23) - 11);
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j)
      for (std::int64_t p = 0; p < k; ++p)
        expected[i * n + j] += x[i * k + p] * float(w[j * k + p]);
  for (const isa level : {isa::base, isa::avx2, isa::avx512})
    for (const bool exact : {true, false}) {
      const kernels::limit_isa limit(level, true);
      kernels::linear(x.data(), k, w.data(), k, static_cast<const float*>(nullptr), y.data(), n, m,
                      n, k, exact);
      CHECK(y == expected);
    }
}
