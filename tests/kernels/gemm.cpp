// SPDX-License-Identifier: Apache-2.0
// Matrix products against plain loops in double, at every instruction set level, with the error
// bound k eps |A| |B|; and the same bits from any number of threads.
#include "parlance/kernels/gemm.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

using namespace parlance;
using kernels::isa;

namespace {

struct level {
  isa value;
  bool bf16 = false, amx = false;
};
constexpr level levels[] = {
    {isa::base}, {isa::avx2}, {isa::avx512}, {isa::avx512, true}, {isa::avx512, true, true}};

template <class T>
std::vector<T> numbers(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<T> out(count);
  for (T& x : out) x = T(uniform(random));
  return out;
}

struct problem {
  bool trans_a = false, trans_b = true;
  std::int64_t m = 1, n = 1, k = 1;
  bool accumulate = false, with_bias = false;
  std::int64_t gap = 3;  // added to every row stride

  std::int64_t lda() const { return (trans_a ? m : k) + gap; }
  std::int64_t ldb() const { return (trans_b ? k : n) + gap; }
  std::int64_t ldc() const { return n + gap; }
};

// Largest |error| / (|A| |B| + |C| + |bias|) over the elements, and a check of the gaps of C.
template <class T, class W>
double worst_error(const problem& p, const std::vector<T>& a, const std::vector<W>& b,
                   const std::vector<T>& before, const std::vector<T>& bias,
                   const std::vector<T>& c) {
  double worst = 0;
  for (std::int64_t i = 0; i < p.m; ++i)
    for (std::int64_t j = 0; j < p.ldc(); ++j) {
      const auto at = static_cast<std::size_t>(i * p.ldc() + j);
      if (j >= p.n) {
        if (c[at] != before[at]) worst = HUGE_VAL;
        continue;
      }
      double sum = p.accumulate ? double(before[at]) : 0, size = std::abs(sum) + 1e-30;
      if (p.with_bias) sum += double(bias[j]), size += std::abs(double(bias[j]));
      for (std::int64_t q = 0; q < p.k; ++q) {
        const double left = double(a[p.trans_a ? q * p.lda() + i : i * p.lda() + q]);
        const double right = double(T(b[p.trans_b ? j * p.ldb() + q : q * p.ldb() + j]));
        sum += left * right, size += std::abs(left * right);
      }
      const double error = std::abs(double(c[at]) - sum) / size;
      worst = std::isnan(error) ? HUGE_VAL : std::max(worst, error);
    }
  return worst;
}

template <class T>
void check_gemm(const problem& p, bool serial) {
  const auto a = numbers<T>(static_cast<std::size_t>((p.trans_a ? p.k : p.m) * p.lda()), 1);
  const auto b = numbers<T>(static_cast<std::size_t>((p.trans_b ? p.n : p.k) * p.ldb()), 2);
  const auto before = numbers<T>(static_cast<std::size_t>(p.m * p.ldc()), 3);
  const auto bias = numbers<T>(static_cast<std::size_t>(p.n), 4);
  auto c = before;
  // Memory that is to be overwritten may hold anything.
  if (!p.accumulate)
    for (std::int64_t i = 0; i < p.m; ++i)
      for (std::int64_t j = 0; j < p.n; ++j) c[i * p.ldc() + j] = T(NAN);
  (serial ? kernels::gemm_serial<T> : kernels::gemm<T>)(p.trans_a, p.trans_b, p.m, p.n, p.k,
                                                        a.data(), p.lda(), b.data(), p.ldb(),
                                                        T(p.accumulate ? 1 : 0), c.data(), p.ldc(),
                                                        p.with_bias ? bias.data() : nullptr);
  CAPTURE(p.trans_a);
  CAPTURE(p.trans_b);
  CAPTURE(p.m);
  CAPTURE(p.n);
  CAPTURE(p.k);
  const double eps = sizeof(T) == 4 ? 0x1p-24 : 0x1p-53;
  CHECK(worst_error(p, a, b, before, bias, c) <= eps * double(p.k + 4));
}

// `rounding` is what the storage of the activations may add to the error.
template <class W>
void check_linear(const problem& p, bool exact, double rounding) {
  const auto x = numbers<float>(static_cast<std::size_t>(p.m * p.lda()), 1);
  const auto w = numbers<W>(static_cast<std::size_t>(p.n * p.ldb()), 2);
  const auto before = numbers<float>(static_cast<std::size_t>(p.m * p.ldc()), 3);
  const auto bias = numbers<float>(static_cast<std::size_t>(p.n), 4);
  auto y = before;
  kernels::linear<float, W>(x.data(), p.lda(), w.data(), p.ldb(),
                            p.with_bias ? bias.data() : nullptr, y.data(), p.ldc(), p.m, p.n, p.k,
                            exact);
  CAPTURE(p.m);
  CAPTURE(p.n);
  CAPTURE(p.k);
  CHECK(worst_error(p, x, w, before, bias, y) <= 0x1p-24 * double(p.k + 4) + rounding);
}

template <class F>
void for_shapes(F&& f) {
  for (const std::int64_t m : {0, 1, 2, 5, 8, 15, 32, 33, 34, 35, 39, 41, 43, 46})
    for (const std::int64_t n : {0, 1, 7, 8, 9, 31, 32, 33, 65})
      for (const std::int64_t k : {0, 1, 2, 15, 16, 17, 33, 64}) f(m, n, k);
}

}  // namespace

TEST_CASE("gemm agrees with plain loops at every level, transposition and border") {
  for (const level l : levels) {
    const kernels::limit_isa limit(l.value, l.bf16, l.amx);
    CAPTURE(static_cast<int>(l.value));
    int turn = 0;
    for_shapes([&](std::int64_t m, std::int64_t n, std::int64_t k) {
      for (int trans = 0; trans < 4; ++trans, ++turn) {
        problem p{(trans & 1) != 0, (trans & 2) != 0, m, n, k};
        p.accumulate = turn % 3 == 0;
        p.with_bias = turn % 2 == 0;
        p.gap = turn % 5 == 0 ? 0 : turn % 7;
        check_gemm<float>(p, turn % 4 == 3);
      }
    });
  }
}

TEST_CASE("gemm crosses the blocks of rows and of k") {
  for (const level l : levels) {
    const kernels::limit_isa limit(l.value, l.bf16, l.amx);
    for (int trans = 0; trans < 4; ++trans) {
      problem p{(trans & 1) != 0, (trans & 2) != 0, 37, 45, 2500};
      p.accumulate = p.with_bias = true;
      check_gemm<float>(p, false);
      p = {(trans & 1) != 0, (trans & 2) != 0, 1100, 35, 530};
      check_gemm<float>(p, false);
      for (const std::int64_t last : {1, 2, 3, 5, 9})  // rows of the last panel
        check_gemm<float>({(trans & 1) != 0, (trans & 2) != 0, 84 + last, 33, 1030}, false);
    }
  }
}

TEST_CASE("gemm in double") {
  for_shapes([&](std::int64_t m, std::int64_t n, std::int64_t k) {
    for (int trans = 0; trans < 4; ++trans)
      check_gemm<double>({(trans & 1) != 0, (trans & 2) != 0, m, n, k, trans == 1, trans == 2},
                         trans == 0);
  });
  check_gemm<double>({false, true, 150, 40, 70, true, true}, false);
}

TEST_CASE("linear reads float, bf16 and f16 weights") {
  for (const level l : levels) {
    const kernels::limit_isa limit(l.value, l.bf16, l.amx);
    for_shapes([&](std::int64_t m, std::int64_t n, std::int64_t k) {
      const problem p{false, true, m, n, k, false, (m + n) % 2 == 0, k % 4};
      check_linear<float>(p, true, 0);
      check_linear<bf16>(p, true, 0);
      check_linear<f16>(p, true, 0);
      check_linear<bf16>(p, false, l.bf16 ? 0x1p-8 : 0);
    });
    check_linear<bf16>({false, true, 50, 70, 2300, false, true}, false, l.bf16 ? 0x1p-8 : 0);
    check_linear<f16>({false, true, 50, 70, 2300, false, true}, true, 0);
  }
}

TEST_CASE("the number of threads does not change a bit") {
  const auto a = numbers<float>(300 * 1200, 1), b = numbers<float>(1200 * 300, 2);
  const auto w = numbers<bf16>(300 * 1200, 3);
  for (const level l : levels) {
    const kernels::limit_isa limit(l.value, l.bf16, l.amx);
    for (const std::int64_t m : {1, 8, 40, 300})
      for (int trans = 0; trans < 4; ++trans) {
        std::vector<std::vector<float>> results;
        for (const int threads : {1, 2, 3}) {
          const use_pool own(std::make_shared<thread_pool>(threads));
          std::vector<float> c(300 * 300);
          const bool ta = (trans & 1) != 0, tb = (trans & 2) != 0;
          kernels::gemm<float>(ta, tb, m, 190, 1111, a.data(), ta ? 300 : 1200, b.data(),
                               tb ? 1200 : 300, 0.0f, c.data(), 300);
          kernels::linear(a.data(), 1200, w.data(), 1200, static_cast<const float*>(nullptr),
                          c.data() + 190, 300, m, 100, 1111, trans % 2 == 0);
          results.push_back(c);
        }
        CHECK(results[0] == results[1]);
        CHECK(results[0] == results[2]);
      }
  }
}

namespace {

// Products of the first `m` of many rows, each alone against all together.
template <class W>
void check_rows_alone(std::int64_t n, std::int64_t k) {
  constexpr std::int64_t most = 70;
  const auto x = numbers<float>(static_cast<std::size_t>(most * (k + 3)), 1);
  const auto w = numbers<W>(static_cast<std::size_t>(n * (k + 5)), 2);
  const auto bias = numbers<float>(static_cast<std::size_t>(n), 3);
  const auto product = [&](std::int64_t first, std::int64_t m) {
    std::vector<float> y(static_cast<std::size_t>(m * n), NAN);
    kernels::linear<float, W>(x.data() + first * (k + 3), k + 3, w.data(), k + 5, bias.data(),
                              y.data(), n, m, n, k, true);
    return y;
  };
  const std::vector<float> all = product(0, most);
  for (const std::int64_t m : {1, 2, 8, 15, 16, 17, 31, 32, 33})
    for (const std::int64_t first : {std::int64_t{0}, most - m}) {
      CAPTURE(m);
      CAPTURE(n);
      CAPTURE(k);
      const std::vector<float> some = product(first, m);
      CHECK(std::equal(some.begin(), some.end(), all.begin() + first * n));
    }
}

}  // namespace

TEST_CASE("without kernels for few rows a row has the same bits in every batch") {
  const kernels::one_row_path same_bits;
  for (const level l : levels) {
    const kernels::limit_isa limit(l.value, l.bf16, l.amx);
    CAPTURE(static_cast<int>(l.value));
    for (const std::int64_t n : {1, 15, 16, 33, 64, 200})
      for (const std::int64_t k : {1, 31, 32, 100, 640, 1537, 2100}) {
        check_rows_alone<float>(n, k);
        check_rows_alone<bf16>(n, k);
        check_rows_alone<f16>(n, k);
      }
  }
}
