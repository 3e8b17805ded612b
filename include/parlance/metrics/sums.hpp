// SPDX-License-Identifier: Apache-2.0
// Sums and means as Python's libraries round them: numpy's pairwise sum, math.fsum, and
// statistics.mean (the exact sum, divided with one rounding).
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "parlance/core/config.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

// np.sum of a contiguous array (numpy/core/src/umath/loops_utils.h.src, pairwise_sum).
inline double pairwise_sum(std::span<const double> x) {
  const std::size_t n = x.size();
  if (n < 8) {
    double sum = n == 0 ? 0.0 : -0.0;
    for (const double v : x) sum += v;
    return sum;
  }
  if (n > 128) {
    std::size_t half = n / 2;
    half -= half % 8;
    return pairwise_sum(x.first(half)) + pairwise_sum(x.subspan(half));
  }
  double r[8];
  for (std::size_t k = 0; k < 8; ++k) r[k] = x[k];
  std::size_t i = 8;
  for (; i < n - n % 8; i += 8)
    for (std::size_t k = 0; k < 8; ++k) r[k] += x[i + k];
  double sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
  for (; i < n; ++i) sum += x[i];
  return sum;
}
// np.mean; not-a-number for no numbers.
inline double pairwise_mean(std::span<const double> x) {
  return pairwise_sum(x) / static_cast<double>(x.size());
}

// A sum without rounding: parts that do not overlap (Shewchuk 1997).
class exact_sum {
 public:
  void add(double x) {
    std::size_t kept = 0;
    for (double part : parts_) {
      if (std::abs(x) < std::abs(part)) std::swap(x, part);
      const double high = x + part, low = part - (high - x);
      if (low != 0) parts_[kept++] = low;
      x = high;
    }
    parts_.resize(kept);
    parts_.push_back(x);
  }
  // The nearest double, as math.fsum returns it.
  double round() const {
    std::size_t n = parts_.size();
    if (n == 0) return 0;
    double high = parts_[--n], low = 0;
    while (n > 0) {
      const double x = high, y = parts_[--n];
      high = x + y;
      low = y - (high - x);
      if (low != 0) break;
    }
    // Half way cases go by the sign of what is left.
    if (n > 0 && ((low < 0 && parts_[n - 1] < 0) || (low > 0 && parts_[n - 1] > 0))) {
      const double y = low * 2, x = high + y;
      if (y == x - high) high = x;
    }
    return high;
  }

 private:
  std::vector<double> parts_;
};

inline double exact_total(std::span<const double> x) {
  exact_sum sum;
  for (const double v : x) sum.add(v);
  return sum.round();
}

// statistics.mean.
inline double exact_mean(std::span<const double> x) {
  exact_sum sum;
  for (const double v : x) sum.add(v);
  const auto n = static_cast<double>(x.size());
  const double quotient = sum.round() / n;
  // What the quotient leaves over, exactly: sum - quotient * n.
  const double product = quotient * n;
  sum.add(-product);
  sum.add(-std::fma(quotient, n, -product));
  return quotient + sum.round() / n;
}

}  // namespace parlance::inline PARLANCE_ABI::metrics
