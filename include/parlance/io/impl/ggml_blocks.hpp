// SPDX-License-Identifier: Apache-2.0
// Values of the block formats of GGUF that the kernels do not compute with, other than the IQ
// family: one function a block, bytes to floats, bit for bit as the reference. Every product is
// exact in binary32, so fused multiply-adds cannot change a result.
// Source: ggml-quants.c (reference row functions) and gguf.quants 0.19.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "parlance/core/float16.hpp"
#include "parlance/io/impl/iq_tables.hpp"

namespace parlance::inline PARLANCE_ABI::io::detail {

template <class T>
T load(const std::uint8_t* p) {
  T v;
  std::memcpy(&v, p, sizeof(T));
  return v;
}
inline float half_at(const std::uint8_t* p) {
  return static_cast<float>(f16::from_bits(load<std::uint16_t>(p)));
}
// Nibble i of a row, low half of each byte first.
inline int nibble(const std::uint8_t* p, int i) { return (p[i / 2] >> (4 * (i % 2))) & 15; }

// {f16 d, f16 sum, i8 q[32]}
inline void decode_q8_1(const std::uint8_t* b, float* y) {
  const float d = half_at(b);
  for (int i = 0; i < 32; ++i) y[i] = d * static_cast<float>(static_cast<std::int8_t>(b[4 + i]));
}

// {f32 d, i8 q[256], i16 sums[16]}
inline void decode_q8_k(const std::uint8_t* b, float* y) {
  const float d = load<float>(b);
  for (int i = 0; i < 256; ++i) y[i] = d * static_cast<float>(static_cast<std::int8_t>(b[4 + i]));
}

// {u8 scales[16], u8 q[64], f16 d, f16 dmin}: a scale and a minimum of 4 bits for 16 values.
inline void decode_q2_k(const std::uint8_t* b, float* y) {
  const float d = half_at(b + 80), dmin = half_at(b + 82);
  for (int i = 0; i < 256; ++i) {
    const int scale = b[i / 16], q = (b[16 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3;
    y[i] = d * static_cast<float>(scale & 15) * static_cast<float>(q) -
           dmin * static_cast<float>(scale >> 4);
  }
}

// {u8 high[32], u8 low[64], u8 scales[12], f16 d}: the high bit set means no offset of -4.
inline void decode_q3_k(const std::uint8_t* b, float* y) {
  const float d = half_at(b + 108);
  const std::uint8_t* scales = b + 96;
  for (int s = 0; s < 16; ++s) {
    const int low = (scales[s % 8] >> (s / 8 * 4)) & 15;
    const int high = (scales[8 + s % 4] >> (s / 4 * 2)) & 3;
    const float scale = d * static_cast<float>((low | high << 4) - 32);
    for (int i = 16 * s; i < 16 * s + 16; ++i) {
      const int q = (b[32 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3;
      const int offset = (b[i % 32] >> (i / 32)) & 1 ? 0 : 4;
      y[i] = scale * static_cast<float>(q - offset);
    }
  }
}

// `count` values of `trits` base-3 digits, `stride` bytes each digit apart in the output.
inline float* decode_trits(const std::uint8_t* q, int stride, int trits, float d, float* y) {
  int power = 1;
  for (int n = 0; n < trits; ++n, power *= 3)
    for (int i = 0; i < stride; ++i) {
      const auto digit = static_cast<std::uint8_t>(q[i] * power);
      *y++ = d * static_cast<float>((digit * 3 >> 8) - 1);
    }
  return y;
}

// {u8 q[48], u8 high[4], f16 d}: five base-3 digits a byte, four in `high`.
inline void decode_tq1_0(const std::uint8_t* b, float* y) {
  const float d = half_at(b + 52);
  y = decode_trits(b, 32, 5, d, y);
  y = decode_trits(b + 32, 16, 5, d, y);
  decode_trits(b + 48, 4, 4, d, y);
}

// {u8 q[64], f16 d}
inline void decode_tq2_0(const std::uint8_t* b, float* y) {
  const float d = half_at(b + 64);
  for (int i = 0; i < 256; ++i)
    y[i] = d * static_cast<float>(((b[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3) - 1);
}

// {e8m0 scale, u8 q[16]}: 4-bit floats, low nibbles first. The levels are doubled, the scale
// halved.
inline void decode_mxfp4(const std::uint8_t* b, float* y) {
  const std::uint32_t e = b[0];
  const float d = std::bit_cast<float>(e < 2 ? 0x00200000u << e : (e - 1) << 23);
  for (int i = 0; i < 32; ++i)
    y[i] = d * static_cast<float>(fp4_doubled_levels[(b[1 + i % 16] >> (i / 16 * 4)) & 15]);
}

// Half the value of an unsigned e4m3 scale; 0x7F counts as zero.
inline float nvfp4_scale(std::uint8_t b) {
  if (b == 0x7F) return 0.0f;
  const int exponent = (b >> 3) & 15, mantissa = b & 7;
  const float power =
      std::bit_cast<float>(static_cast<std::uint32_t>(exponent ? exponent + 117 : 118) << 23);
  return power * static_cast<float>(exponent ? mantissa + 8 : mantissa) * 0.5f;
}

// {ue4m3 scales[4], u8 q[32]}: four groups of 16 4-bit floats.
inline void decode_nvfp4(const std::uint8_t* b, float* y) {
  for (int i = 0; i < 64; ++i) {
    const int group = i / 16, place = i % 16;
    const int q = (b[4 + 8 * group + place % 8] >> (place / 8 * 4)) & 15;
    y[i] = nvfp4_scale(b[group]) * static_cast<float>(fp4_doubled_levels[q]);
  }
}

// {f16 d, u8 signs[16]}
inline void decode_q1_0(const std::uint8_t* b, float* y) {
  const float d = half_at(b);
  for (int i = 0; i < 128; ++i) y[i] = (b[2 + i / 8] >> (i % 8)) & 1 ? d : -d;
}

// {f16 d, u8 q[16]}
inline void decode_q2_0(const std::uint8_t* b, float* y) {
  const float d = half_at(b);
  for (int i = 0; i < 64; ++i)
    y[i] = static_cast<float>(((b[2 + i / 4] >> (i % 4 * 2)) & 3) - 1) * d;
}

}  // namespace parlance::inline PARLANCE_ABI::io::detail
