// SPDX-License-Identifier: Apache-2.0
// Values of the floats of 8, 6 and 4 bits that safetensors files may hold, all exact in binary32.
// Sources: OCP 8-bit floating point 1.0 (e4m3, e5m2), OCP microscaling formats 1.0 (e8m0, f6, f4);
// the fnuz kinds of Graphcore/AMD (no infinity, one NaN, no negative zero) as in ml_dtypes.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

#include "parlance/core/float16.hpp"

namespace parlance::inline PARLANCE_ABI::io::detail {

// sign | exponent | mantissa, without infinities or NaN.
template <int ExponentBits, int MantissaBits, int Bias>
constexpr float small_float(std::uint32_t bits) {
  const std::uint32_t mantissa = bits & ((1u << MantissaBits) - 1);
  const std::uint32_t exponent = (bits >> MantissaBits) & ((1u << ExponentBits) - 1);
  const bool negative = (bits >> (MantissaBits + ExponentBits)) & 1;
  const auto power = [](int e) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(e + 127) << 23);
  };
  const float value = exponent == 0 ? static_cast<float>(mantissa) * power(1 - Bias - MantissaBits)
                                    : static_cast<float>(mantissa | (1u << MantissaBits)) *
                                          power(static_cast<int>(exponent) - Bias - MantissaBits);
  return negative ? -value : value;
}

constexpr float f8_e4m3_value(std::uint8_t b) {
  if ((b & 0x7F) == 0x7F) return std::numeric_limits<float>::quiet_NaN();
  return small_float<4, 3, 7>(b);
}
constexpr float f8_e5m2_value(std::uint8_t b) {
  return static_cast<float>(f16::from_bits(static_cast<std::uint16_t>(b << 8)));
}
constexpr float f8_e4m3fnuz_value(std::uint8_t b) {
  if (b == 0x80) return std::numeric_limits<float>::quiet_NaN();
  return small_float<4, 3, 8>(b);
}
constexpr float f8_e5m2fnuz_value(std::uint8_t b) {
  if (b == 0x80) return std::numeric_limits<float>::quiet_NaN();
  return small_float<5, 2, 16>(b);
}
constexpr float f8_e8m0_value(std::uint8_t b) {
  if (b == 0xFF) return std::numeric_limits<float>::quiet_NaN();
  return b == 0 ? 0x1p-127f : std::bit_cast<float>(static_cast<std::uint32_t>(b) << 23);
}
constexpr float f6_e2m3_value(std::uint8_t b) { return small_float<2, 3, 1>(b); }
constexpr float f6_e3m2_value(std::uint8_t b) { return small_float<3, 2, 3>(b); }
constexpr float f4_value(std::uint8_t b) { return small_float<2, 1, 1>(b); }

}  // namespace parlance::inline PARLANCE_ABI::io::detail
