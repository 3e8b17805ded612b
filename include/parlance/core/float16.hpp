// SPDX-License-Identifier: Apache-2.0
// Storage types bf16 and f16 (IEEE binary16) with conversions in portable integer arithmetic, round
// to nearest even, NaN kept. Arithmetic happens in float; vector conversions live in kernels.
#pragma once

#include <bit>
#include <cstdint>

#include "parlance/core/config.hpp"

namespace parlance::inline PARLANCE_ABI {

struct bf16 {
  std::uint16_t bits = 0;

  constexpr bf16() = default;
  constexpr explicit bf16(float value) {
    const auto u = std::bit_cast<std::uint32_t>(value);
    if ((u & 0x7FFFFFFF) > 0x7F800000)
      bits = static_cast<std::uint16_t>((u >> 16) | 0x40);  // keep NaN a NaN
    else
      bits = static_cast<std::uint16_t>((u + 0x7FFF + ((u >> 16) & 1)) >> 16);
  }
  constexpr explicit operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
  static constexpr bf16 from_bits(std::uint16_t b) {
    bf16 v;
    v.bits = b;
    return v;
  }
};

struct f16 {
  std::uint16_t bits = 0;

  constexpr f16() = default;
  constexpr explicit f16(float value) {
    const auto u = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (u >> 16) & 0x8000, magnitude = u & 0x7FFFFFFF;
    std::uint32_t half = 0;
    if (magnitude > 0x7F800000) {
      half = 0x7E00 | ((magnitude >> 13) & 0x3FF);
    } else if (magnitude >= 0x477FF000) {  // rounds to infinity
      half = 0x7C00;
    } else if (magnitude >= 0x38800000) {  // normal
      const std::uint32_t rounded = magnitude + 0xFFF + ((magnitude >> 13) & 1);
      half = (rounded - 0x38000000) >> 13;
    } else if (magnitude >= 0x33000000) {  // subnormal
      const std::uint32_t shift = 126 - (magnitude >> 23);
      const std::uint32_t mantissa = (magnitude & 0x7FFFFF) | 0x800000;
      const std::uint32_t kept = mantissa >> shift, rest = mantissa & ((1u << shift) - 1);
      const std::uint32_t tie = 1u << (shift - 1);
      half = kept + (rest > tie || (rest == tie && (kept & 1)));
    }
    bits = static_cast<std::uint16_t>(sign | half);
  }
  constexpr explicit operator float() const {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16;
    const std::uint32_t exponent = (bits >> 10) & 0x1F, mantissa = bits & 0x3FF;
    if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000 | (mantissa << 13));
    if (exponent) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
    const float value = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -value : value;
  }
  static constexpr f16 from_bits(std::uint16_t b) {
    f16 v;
    v.bits = b;
    return v;
  }
};

}  // namespace parlance::inline PARLANCE_ABI
