// SPDX-License-Identifier: Apache-2.0
// bf16 and f16 against a plain double computation of both formats: all 65536 values there and back,
// and rounding to nearest even at and beside every tie.
#include "parlance/core/float16.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

using namespace parlance;

namespace {

struct layout {
  int mantissa_bits, bias, exponent_max;
};
constexpr layout bf16_layout{7, 127, 255}, f16_layout{10, 15, 31};

double value_of(const layout& l, unsigned bits) {
  const int mantissa = static_cast<int>(bits & ((1u << l.mantissa_bits) - 1));
  const int exponent = static_cast<int>((bits & 0x7FFF) >> l.mantissa_bits);
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == l.exponent_max) return mantissa ? NAN : sign * HUGE_VAL;
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - l.bias - l.mantissa_bits);
  return sign * std::ldexp(mantissa + (1 << l.mantissa_bits), exponent - l.bias - l.mantissa_bits);
}

// The nearest value as bits: by scaling to integers, where nearbyint rounds ties to even.
unsigned nearest_bits(const layout& l, double x) {
  const unsigned sign = std::signbit(x) ? 0x8000u : 0u;
  const double size = std::abs(x);
  const unsigned infinity = static_cast<unsigned>(l.exponent_max) << l.mantissa_bits;
  if (std::isinf(x)) return sign | infinity;
  if (size == 0) return sign;
  const int exponent = std::max(std::ilogb(size), 1 - l.bias);
  const double units = std::nearbyint(std::ldexp(size, l.mantissa_bits - exponent));
  // The encoding is monotonic: a carry into the exponent, or to infinity, is an addition.
  const double code = units + std::ldexp(exponent + l.bias - 1, l.mantissa_bits);
  return sign | (code >= infinity ? infinity : static_cast<unsigned>(code));
}

template <class H>
void check_rounding(const layout& l, float x) {
  const unsigned expected = nearest_bits(l, double(x));
  if (H(x).bits == expected) return;
  CAPTURE(x);
  CHECK(H(x).bits == expected);
}

template <class H>
void check_all(const layout& l) {
  const unsigned quiet = 1u << (l.mantissa_bits - 1);
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const H h = H::from_bits(static_cast<std::uint16_t>(bits));
    const float f = static_cast<float>(h);
    const double expected = value_of(l, bits);
    if (std::isnan(expected)) {
      REQUIRE(std::isnan(f));
      REQUIRE(H(f).bits == (bits | quiet));  // the payload stays, a signalling NaN becomes quiet
      continue;
    }
    REQUIRE(double(f) == expected);
    REQUIRE(std::signbit(f) == ((bits & 0x8000) != 0));
    REQUIRE(H(f).bits == bits);
    // The tie with the next greater magnitude, and its neighbours on both sides.
    const double next = value_of(l, bits + 1);
    if ((bits & 0x7FFF) == 0x7FFF || !std::isfinite(next)) continue;
    const float tie = static_cast<float>((expected + next) / 2);
    REQUIRE(double(tie) == (expected + next) / 2);
    const float infinity = std::numeric_limits<float>::infinity();
    REQUIRE(H(tie).bits == (bits % 2 ? bits + 1 : bits));
    REQUIRE(H(std::nextafter(tie, bits & 0x8000 ? -infinity : infinity)).bits == bits + 1);
    REQUIRE(H(std::nextafter(tie, 0.0f)).bits == bits);
  }
}

}  // namespace

TEST_CASE("bf16: all values, ties and neighbours") { check_all<bf16>(bf16_layout); }
TEST_CASE("f16: all values, ties and neighbours") { check_all<f16>(f16_layout); }

TEST_CASE("16-bit floats: random bit patterns round like the double computation") {
  std::mt19937 random(1);
  for (int i = 0; i < 300000; ++i) {
    const auto bits = static_cast<std::uint32_t>(random());
    const float x = std::bit_cast<float>(bits);
    if (std::isnan(x)) {
      CHECK(std::isnan(float(bf16(x))));
      CHECK(std::isnan(float(f16(x))));
      continue;
    }
    check_rounding<bf16>(bf16_layout, x);
    check_rounding<f16>(f16_layout, x);
    // Magnitudes that f16 has.
    int exponent = 0;
    const float mantissa = std::frexp(x, &exponent);
    if (std::isfinite(x))
      check_rounding<f16>(f16_layout, std::ldexp(mantissa, static_cast<int>(bits % 48) - 28));
  }
}

TEST_CASE("16-bit floats: known values and borders") {
  CHECK(bf16(1.0f).bits == 0x3F80);
  CHECK(f16(1.0f).bits == 0x3C00);
  CHECK(f16(-2.0f).bits == 0xC000);
  CHECK(f16(65504.0f).bits == 0x7BFF);
  CHECK(f16(65519.996f).bits == 0x7BFF);
  CHECK(f16(65520.0f).bits == 0x7C00);  // halfway to 2^16: to infinity
  CHECK(f16(0x1p-24f).bits == 1);
  CHECK(f16(0x1p-25f).bits == 0);  // a tie with 0
  CHECK(f16(0x1.000002p-25f).bits == 1);
  CHECK(f16(-0.0f).bits == 0x8000);
  CHECK(bf16(-0.0f).bits == 0x8000);
  const float greatest = std::numeric_limits<float>::max();
  CHECK(bf16(greatest).bits == 0x7F80);
  CHECK(f16(-greatest).bits == 0xFC00);
  CHECK(bf16(std::numeric_limits<float>::denorm_min()).bits == 0);
  // A NaN whose payload is only in the dropped bits stays a NaN.
  const float nan = std::bit_cast<float>(0x7F800001u);
  CHECK(std::isnan(float(bf16(nan))));
  CHECK(std::isnan(float(f16(nan))));
  static_assert(bf16(1.5f).bits == 0x3FC0 && float(f16::from_bits(0x3E00)) == 1.5f);
}
