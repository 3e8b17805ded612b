// SPDX-License-Identifier: Apache-2.0
// Python's mix of Fraction and float, as nltk's smoothing of BLEU computes with: exact as long as
// only fractions meet, a double as soon as a double takes part. A fraction that outgrows 128 bits
// becomes a double too.
#pragma once

#include <cmath>
#include <cstdint>

#include "parlance/core/config.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

class rational {
 public:
  using wide = unsigned __int128;

  rational(double real) : real_(real), exact_(false) {}
  static rational fraction(std::uint64_t numerator, std::uint64_t denominator) {
    return make(numerator, denominator);
  }

  bool is_zero() const { return exact_ ? numerator_ == 0 : real_ == 0; }
  // The nearest double.
  double real() const { return exact_ ? divide(numerator_, denominator_) : real_; }

  friend rational operator+(const rational& a, const rational& b) {
    wide x = 0, y = 0, sum = 0, product = 0;
    if (a.exact_ && b.exact_ && !__builtin_mul_overflow(a.numerator_, b.denominator_, &x) &&
        !__builtin_mul_overflow(b.numerator_, a.denominator_, &y) &&
        !__builtin_add_overflow(x, y, &sum) &&
        !__builtin_mul_overflow(a.denominator_, b.denominator_, &product))
      return make(sum, product);
    return a.real() + b.real();
  }
  friend rational operator*(const rational& a, const rational& b) {
    wide x = 0, y = 0;
    if (a.exact_ && b.exact_ && !__builtin_mul_overflow(a.numerator_, b.numerator_, &x) &&
        !__builtin_mul_overflow(a.denominator_, b.denominator_, &y))
      return make(x, y);
    return a.real() * b.real();
  }
  friend rational operator/(const rational& a, const rational& b) {
    if (!b.exact_ || !a.exact_) return a.real() / b.real();
    rational inverse = b;
    inverse.numerator_ = b.denominator_;
    inverse.denominator_ = b.numerator_;
    return a * inverse;
  }

 private:
  rational(wide numerator, wide denominator)
      : numerator_(numerator), denominator_(denominator), exact_(true) {}
  static rational make(wide numerator, wide denominator) {
    wide a = numerator, b = denominator;
    while (b != 0) {
      const wide rest = a % b;
      a = b;
      b = rest;
    }
    return a == 0 ? rational(0.0) : rational(numerator / a, denominator / a);
  }
  static int bits(wide x) {
    const auto high = static_cast<std::uint64_t>(x >> 64), low = static_cast<std::uint64_t>(x);
    return high ? 128 - __builtin_clzll(high) : low ? 64 - __builtin_clzll(low) : 0;
  }
  // Rounded once: 55 bits of the quotient and whether anything is left.
  static double divide(wide a, wide b) {
    if (a == 0) return 0;
    int exponent = bits(a) - bits(b);
    if (bits(b) > 126 || bits(a) > 126) return static_cast<double>(a) / static_cast<double>(b);
    if (exponent > 0)
      b <<= exponent;
    else
      a <<= -exponent;
    std::uint64_t quotient = 0;
    for (int i = 0; i < 56; ++i) {
      quotient <<= 1;
      if (a >= b) a -= b, quotient |= 1;
      a <<= 1;
    }
    quotient = quotient << 1 | (a != 0);
    return std::ldexp(static_cast<double>(quotient), exponent - 56);
  }

  wide numerator_ = 0, denominator_ = 1;
  double real_ = 0;
  bool exact_ = true;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
