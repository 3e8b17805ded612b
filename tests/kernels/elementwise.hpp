// SPDX-License-Identifier: Apache-2.0
// Numbers and awkward lengths for tests of element-wise and row kernels.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "parlance/core/thread_pool.hpp"
#include "parlance/kernels/simd.hpp"

namespace elementwise_test {

template <class T>
inline constexpr double half_ulp = sizeof(T) == 4 ? 0x1p-24 : 0x1p-53;

// Uniform in [-size, size).
template <class T>
std::vector<T> numbers(std::int64_t n, unsigned seed, double size = 1) {
  std::mt19937 random(seed);
  std::vector<T> values(static_cast<std::size_t>(n));
  for (T& x : values) x = static_cast<T>((random() / 2147483648.0 - 1) * size);
  return values;
}

// Nothing, one, and both sides of every border of the SIMD loops.
template <class T>
std::vector<std::int64_t> lengths() {
  const std::int64_t w = parlance::kernels::simd_width<T>;
  return {0, 1, w - 1, w, w + 1, 2 * w + 1, 4 * w - 1, 4 * w, 4 * w + 3, 8 * w + 1, 333};
}

template <class T>
double error_of(T got, double expected, double scale) {
  const double error = std::abs(double(got) - expected) / scale;
  return std::isnan(error) ? HUGE_VAL : error;
}

// f() on pools of one, two, three and seven threads gives equal results.
template <class F>
bool same_for_all_threads(F&& f) {
  const auto with = [&](int threads) {
    const parlance::use_pool pool(std::make_shared<parlance::thread_pool>(threads));
    return f();
  };
  const auto expected = with(1);
  return with(2) == expected && with(3) == expected && with(7) == expected;
}

template <class T>
T poison() {
  return std::numeric_limits<T>::quiet_NaN();
}

}  // namespace elementwise_test
