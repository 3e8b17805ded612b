// SPDX-License-Identifier: Apache-2.0
// Values of the IQ formats of GGUF, which store indices into code books of 8 or 4 values: one
// function a block, bytes to floats, bit for bit as the reference.
// Source: ggml-quants.c (reference row functions) and gguf.quants 0.19.
#pragma once

#include <bit>
#include <cstdint>

#include "parlance/io/impl/ggml_blocks.hpp"
#include "parlance/io/impl/iq_tables.hpp"

namespace parlance::inline PARLANCE_ABI::io::detail {

// Eight signs out of seven stored bits: the eighth makes the number of minus signs even.
inline unsigned seven_signs(unsigned bits) {
  bits &= 127;
  return bits | static_cast<unsigned>(std::popcount(bits) & 1) << 7;
}
inline float signed_value(float v, unsigned signs, int i) { return (signs >> i) & 1 ? -v : v; }

// Eight values of two bits with signs.
inline void put_two_bit(std::uint16_t entry, const int* levels, float d, unsigned signs, float* y) {
  for (int i = 0; i < 8; ++i)
    y[i] = signed_value(d * static_cast<float>(levels[(entry >> 2 * i) & 3]), signs, i);
}
// Four values of four bits with the signs from bit `first` on.
inline void put_four_bit(std::uint16_t entry, const int* levels, float d, unsigned signs, int first,
                         float* y) {
  for (int i = 0; i < 4; ++i)
    y[i] = signed_value(d * static_cast<float>(levels[(entry >> 4 * i) & 7]), signs, first + i);
}

// {f16 d, 8 x {u8 index[4], u32 signs and scale}}
inline void decode_iq2_xxs(const std::uint8_t* b, float* y) {
  const float d = half_at(b);
  for (int g = 0; g < 32; ++g) {
    const std::uint8_t* group = b + 2 + g / 4 * 8;
    const auto bits = load<std::uint32_t>(group + 4);
    const float scale = d * (0.5f + static_cast<float>(bits >> 28)) * 0.25f;
    put_two_bit(iq2_xxs_grid[group[g % 4]], iq2_xxs_levels, scale,
                seven_signs(bits >> (7 * (g % 4))), y + 8 * g);
  }
}

// {f16 d, u16 index and signs[32], u8 scales[8]}
inline void decode_iq2_xs(const std::uint8_t* b, float* y) {
  const float d = half_at(b);
  for (int g = 0; g < 32; ++g) {
    const unsigned q = load<std::uint16_t>(b + 2 + 2 * g);
    const float scale = d * (0.5f + static_cast<float>(nibble(b + 66, g / 2))) * 0.25f;
    put_two_bit(iq2_xs_grid[q & 511], iq2_xs_levels, scale, seven_signs(q >> 9), y + 8 * g);
  }
}

// {f16 d, u8 index[32], u8 signs[32], u8 high[8], u8 scales[8]}
inline void decode_iq2_s(const std::uint8_t* b, float* y) {
  const float d = half_at(b);
  for (int g = 0; g < 32; ++g) {
    const unsigned index = b[2 + g] | ((b[66 + g / 4] >> (g % 4 * 2)) & 3u) << 8;
    const float scale = d * (0.5f + static_cast<float>(nibble(b + 74, g / 2))) * 0.25f;
    put_two_bit(iq2_s_grid[index], iq2_s_levels, scale, b[34 + g], y + 8 * g);
  }
}

// {f16 d, u8 index[64], u32 signs and scale[8]}
inline void decode_iq3_xxs(const std::uint8_t* b, float* y) {
  const float d = half_at(b);
  for (int g = 0; g < 64; ++g) {
    const auto bits = load<std::uint32_t>(b + 66 + g / 8 * 4);
    const float scale = d * (0.5f + static_cast<float>(bits >> 28)) * 0.5f;
    put_four_bit(iq3_xxs_grid[b[2 + g]], iq3_xxs_levels, scale,
                 seven_signs(bits >> (7 * (g % 8 / 2))), g % 2 * 4, y + 4 * g);
  }
}

// {f16 d, u8 index[64], u8 high[8], u8 signs[32], u8 scales[4]}
inline void decode_iq3_s(const std::uint8_t* b, float* y) {
  const float d = half_at(b);
  for (int g = 0; g < 64; ++g) {
    const unsigned index = b[2 + g] | ((b[66 + g / 8] >> (g % 8)) & 1u) << 8;
    const float scale = d * static_cast<float>(1 + 2 * nibble(b + 106, g / 8));
    put_four_bit(iq3_s_grid[index], iq3_s_levels, scale, b[74 + g / 2], g % 2 * 4, y + 4 * g);
  }
}

// Eight values of -1, 0, 1, shifted by an eighth.
inline void put_iq1(unsigned index, float d, bool down, float* y) {
  for (int i = 0; i < 8; ++i)
    y[i] = d * (static_cast<float>(iq1_levels[(iq1_grid[index] >> 2 * i) & 3]) +
                (down ? -0.125f : 0.125f));
}

// {f16 d, u8 index[32], u16 high, scale and shift[8]}
inline void decode_iq1_s(const std::uint8_t* b, float* y) {
  const float d = half_at(b);
  for (int g = 0; g < 32; ++g) {
    const unsigned bits = load<std::uint16_t>(b + 34 + g / 4 * 2);
    const float scale = d * static_cast<float>(2 * ((bits >> 12) & 7) + 1);
    put_iq1(b[2 + g] | ((bits >> (3 * (g % 4))) & 7) << 8, scale, bits & 0x8000, y + 8 * g);
  }
}

// {u8 index[32], u8 high and shift[16], u16 scales[4]}: the top nibbles of the scales make up d.
inline void decode_iq1_m(const std::uint8_t* b, float* y) {
  unsigned scales[4], d_bits = 0;
  for (int i = 0; i < 4; ++i) {
    scales[i] = load<std::uint16_t>(b + 48 + 2 * i);
    d_bits |= (scales[i] & 0xF000) >> (12 - 4 * i);
  }
  const auto d = static_cast<float>(f16::from_bits(static_cast<std::uint16_t>(d_bits)));
  for (int g = 0; g < 32; ++g) {
    const auto high = static_cast<unsigned>(nibble(b + 32, g));
    const unsigned s = (scales[g / 8] >> (3 * (g / 2 % 4))) & 7;
    put_iq1(b[g] | (high & 7) << 8, d * static_cast<float>(2 * s + 1), high & 8, y + 8 * g);
  }
}

// {f16 d, u8 q[16]}: low nibbles first.
inline void decode_iq4_nl(const std::uint8_t* b, float* y) {
  const float d = half_at(b);
  for (int i = 0; i < 32; ++i)
    y[i] = d * static_cast<float>(iq4_nl_levels[(b[2 + i % 16] >> (i / 16 * 4)) & 15]);
}

// {f16 d, u16 high scales, u8 low scales[4], u8 q[128]}
inline void decode_iq4_xs(const std::uint8_t* b, float* y) {
  const float d = half_at(b);
  const unsigned high = load<std::uint16_t>(b + 2);
  for (int g = 0; g < 8; ++g) {
    const int s = nibble(b + 4, g) | static_cast<int>((high >> (2 * g)) & 3) << 4;
    const float scale = d * static_cast<float>(s - 32);
    for (int i = 0; i < 32; ++i)
      y[32 * g + i] =
          scale * static_cast<float>(iq4_nl_levels[(b[8 + 16 * g + i % 16] >> (i / 16 * 4)) & 15]);
  }
}

}  // namespace parlance::inline PARLANCE_ABI::io::detail
