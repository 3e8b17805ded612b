// SPDX-License-Identifier: Apache-2.0
// The block formats of GGUF that the kernels compute with, one block at a time in plain C++: their
// layouts, their values as floats, and quantisation to q8_0, q4_0 and q4_k. Fast products live in
// quant_matrix.hpp; the remaining GGUF formats are only read, in io.
// Source: ggml-common.h and ggml-quants.c (reference row functions); results equal those of the
// gguf Python package 0.17.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>

#include "parlance/core/error.hpp"
#include "parlance/core/float16.hpp"
#include "parlance/core/format.hpp"
#include "parlance/kernels/impl/quant_search.hpp"

namespace parlance::inline PARLANCE_ABI::kernels {

// Blocks as they lie in files: little endian, no alignment. `d` and `m` are binary16.
struct block_q4_0 {
  std::uint8_t d[2], q[16];
};
struct block_q4_1 {
  std::uint8_t d[2], m[2], q[16];
};
struct block_q5_0 {
  std::uint8_t d[2], high[4], q[16];
};
struct block_q5_1 {
  std::uint8_t d[2], m[2], high[4], q[16];
};
struct block_q8_0 {
  std::uint8_t d[2], q[32];
};
struct block_q4_k {
  std::uint8_t d[2], m[2], scales[12], q[128];
};
struct block_q5_k {
  std::uint8_t d[2], m[2], scales[12], high[32], q[128];
};
struct block_q6_k {
  std::uint8_t q[128], high[64], scales[16], d[2];
};
static_assert(sizeof(block_q4_0) == 18 && sizeof(block_q4_1) == 20 && sizeof(block_q5_0) == 22);
static_assert(sizeof(block_q5_1) == 24 && sizeof(block_q8_0) == 34 && sizeof(block_q4_k) == 144);
static_assert(sizeof(block_q5_k) == 176 && sizeof(block_q6_k) == 210);

namespace detail {

// 32 neighbouring weights of any of the formats: unsigned codes and the raw scales. The value of
// code q is d*(q-zero) [+ m], for the k formats with d*s[0] (and m*s[1] subtracted), for q6_k with
// d*s[i/16] where s is signed.
struct quant_codes {
  std::uint8_t q[32];
  std::uint16_t d = 0, m = 0;
  std::uint8_t s[2] = {0, 0};
};

inline std::uint16_t load_u16(const std::uint8_t* p) {
  return static_cast<std::uint16_t>(p[0] | p[1] << 8);
}
inline void store_u16(std::uint8_t* p, std::uint16_t v) {
  p[0] = static_cast<std::uint8_t>(v);
  p[1] = static_cast<std::uint8_t>(v >> 8);
}
inline float half_value(std::uint16_t bits) { return static_cast<float>(f16::from_bits(bits)); }

inline void read_nibbles(const std::uint8_t* p, std::uint8_t* q) {
  for (int i = 0; i < 16; ++i) {
    q[i] = p[i] & 15;
    q[i + 16] = p[i] >> 4;
  }
}
inline void add_fifth_bits(const std::uint8_t* high, std::uint8_t* q) {
  for (int i = 0; i < 32; ++i)
    q[i] = static_cast<std::uint8_t>(q[i] | (high[i / 8] >> (i % 8) & 1) << 4);
}
// Scale and minimum of sub-block s of the k formats, six bits each.
inline void read_k_scales(const std::uint8_t* scales, int s, std::uint8_t* out) {
  if (s < 4) {
    out[0] = scales[s] & 63;
    out[1] = scales[s + 4] & 63;
  } else {
    out[0] = static_cast<std::uint8_t>((scales[s + 4] & 15) | (scales[s - 4] >> 6) << 4);
    out[1] = static_cast<std::uint8_t>((scales[s + 4] >> 4) | (scales[s] >> 6) << 4);
  }
}
inline void read_k_nibbles(const std::uint8_t* p, int s, std::uint8_t* q) {
  p += 32 * (s / 2);
  for (int i = 0; i < 32; ++i) q[i] = s % 2 ? p[i] >> 4 : p[i] & 15;
}

inline void read_q6_k(const block_q6_k& b, int s, quant_codes& c) {
  const int half = s / 4, part = s % 4;
  const std::uint8_t* low = b.q + 64 * half + 32 * (part % 2);
  const std::uint8_t* high = b.high + 32 * half;
  for (int i = 0; i < 32; ++i) {
    const int nibble = part < 2 ? low[i] & 15 : low[i] >> 4;
    c.q[i] = static_cast<std::uint8_t>(nibble | (high[i] >> (2 * part) & 3) << 4);
  }
  c.d = load_u16(b.d);
  c.s[0] = b.scales[2 * s];
  c.s[1] = b.scales[2 * s + 1];
}

template <class Block>
const Block& block_at(const void* row, std::int64_t i) {
  return static_cast<const Block*>(row)[i];
}

// The i-th 32 weights of a row of blocks.
inline void read_codes(format f, const void* row, std::int64_t i, quant_codes& c) {
  const int s = static_cast<int>(i % 8);
  switch (f) {
    case format::q4_0: {
      const auto& b = block_at<block_q4_0>(row, i);
      c.d = load_u16(b.d);
      return read_nibbles(b.q, c.q);
    }
    case format::q4_1: {
      const auto& b = block_at<block_q4_1>(row, i);
      c.d = load_u16(b.d), c.m = load_u16(b.m);
      return read_nibbles(b.q, c.q);
    }
    case format::q5_0: {
      const auto& b = block_at<block_q5_0>(row, i);
      c.d = load_u16(b.d);
      read_nibbles(b.q, c.q);
      return add_fifth_bits(b.high, c.q);
    }
    case format::q5_1: {
      const auto& b = block_at<block_q5_1>(row, i);
      c.d = load_u16(b.d), c.m = load_u16(b.m);
      read_nibbles(b.q, c.q);
      return add_fifth_bits(b.high, c.q);
    }
    case format::q8_0: {
      const auto& b = block_at<block_q8_0>(row, i);
      c.d = load_u16(b.d);
      for (int j = 0; j < 32; ++j) c.q[j] = b.q[j] ^ 0x80;
      return;
    }
    case format::q4_k: {
      const auto& b = block_at<block_q4_k>(row, i / 8);
      c.d = load_u16(b.d), c.m = load_u16(b.m);
      read_k_scales(b.scales, s, c.s);
      return read_k_nibbles(b.q, s, c.q);
    }
    case format::q5_k: {
      const auto& b = block_at<block_q5_k>(row, i / 8);
      c.d = load_u16(b.d), c.m = load_u16(b.m);
      read_k_scales(b.scales, s, c.s);
      read_k_nibbles(b.q, s, c.q);
      for (int j = 0; j < 32; ++j)
        c.q[j] = static_cast<std::uint8_t>(c.q[j] | (b.high[j] >> s & 1) << 4);
      return;
    }
    default:
      return read_q6_k(block_at<block_q6_k>(row, i / 8), s, c);
  }
}

// Every product below is exact in float, so that contraction to a fused multiply-add by the
// compiler cannot change a value.
inline void decode(format f, const quant_codes& c, float* out) {
  const float d = half_value(c.d), m = half_value(c.m);
  const auto values = [&](float scale, int zero, float shift, int begin, int end) {
    for (int i = begin; i < end; ++i) out[i] = scale * static_cast<float>(c.q[i] - zero) + shift;
  };
  switch (f) {
    case format::q4_0:
      return values(d, 8, 0, 0, 32);
    case format::q5_0:
      return values(d, 16, 0, 0, 32);
    case format::q8_0:
      return values(d, 128, 0, 0, 32);
    case format::q4_1:
    case format::q5_1:
      return values(d, 0, m, 0, 32);
    case format::q4_k:
    case format::q5_k:
      return values(d * c.s[0], 0, -(m * c.s[1]), 0, 32);
    default:
      values(d * static_cast<std::int8_t>(c.s[0]), 32, 0, 0, 16);
      return values(d * static_cast<std::int8_t>(c.s[1]), 32, 0, 16, 32);
  }
}

constexpr bool has_quant_kernel(format f) {
  switch (f) {
    case format::q4_0:
    case format::q4_1:
    case format::q5_0:
    case format::q5_1:
    case format::q8_0:
    case format::q4_k:
    case format::q5_k:
    case format::q6_k:
      return true;
    default:
      return false;
  }
}

// Rounds half away from zero, |x| < 2^31.
inline int round_away(float x) {
  const float a = std::fabs(x);
  int i = static_cast<int>(a);
  i += a - static_cast<float>(i) >= 0.5f;
  return x < 0 ? -i : i;
}

inline void quantize_q8_0(const float* x, block_q8_0& b) {
  float top = 0;
  for (int i = 0; i < 32; ++i) top = std::max(top, std::fabs(x[i]));
  const float d = top / 127, inverse = d != 0 ? 1 / d : 0;
  store_u16(b.d, f16(d).bits);
  for (int i = 0; i < 32; ++i)
    b.q[i] = static_cast<std::uint8_t>(std::clamp(round_away(x[i] * inverse), -128, 127));
}

inline void quantize_q4_0(const float* x, block_q4_0& b) {
  float top = 0;
  for (int i = 0; i < 32; ++i)
    if (std::fabs(x[i]) > std::fabs(top)) top = x[i];
  const float d = top / -8, inverse = d != 0 ? 1 / d : 0;
  store_u16(b.d, f16(d).bits);
  // In double, since the original's rounding is that of a fused multiply-add.
  const auto code = [&](float v) {
    const float q = static_cast<float>(static_cast<double>(v) * inverse + 8.5);
    return std::clamp(static_cast<int>(q), 0, 15);
  };
  for (int i = 0; i < 16; ++i)
    b.q[i] = static_cast<std::uint8_t>(code(x[i]) | code(x[i + 16]) << 4);
}

inline void require_finite(format f, const float* x, std::int64_t n) {
  float zero = 0;  // turns NaN when any element is infinite or NaN
  for (std::int64_t i = 0; i < n; ++i) zero += x[i] * 0.0f;
  if (zero != 0)
    throw option_error("quantize_row: " + std::string(name(f)) + ": a weight is not finite");
}

}  // namespace detail

// Values of `n` numbers stored as `f`: the eight formats above, f32, f16 or bf16.
inline void dequantize_row(format f, const void* src, float* dst, std::int64_t n) {
  if (n < 0) throw shape_error("dequantize_row: " + std::to_string(n) + " elements");
  storage_bytes(f, static_cast<std::uint64_t>(n));
  const auto* bytes = static_cast<const std::uint8_t*>(src);
  switch (f) {
    case format::f32:
      if (n) std::memcpy(dst, src, static_cast<std::size_t>(n) * sizeof(float));
      return;
    case format::f16:
      for (std::int64_t i = 0; i < n; ++i)
        dst[i] = detail::half_value(detail::load_u16(bytes + 2 * i));
      return;
    case format::bf16:
      for (std::int64_t i = 0; i < n; ++i)
        dst[i] = static_cast<float>(bf16::from_bits(detail::load_u16(bytes + 2 * i)));
      return;
    default:
      break;
  }
  if (!detail::has_quant_kernel(f))
    throw unsupported_error("dequantize_row: format " + std::string(name(f)),
                            "q4_0 q4_1 q5_0 q5_1 q8_0 q4_k q5_k q6_k f32 f16 bf16");
  detail::quant_codes codes;
  for (std::int64_t i = 0; i < n / 32; ++i) {
    detail::read_codes(f, src, i, codes);
    detail::decode(f, codes, dst + 32 * i);
  }
}

// Blocks of q8_0, q4_0 or q4_k that approximate `n` finite floats.
inline void quantize_row(format f, const float* src, void* dst, std::int64_t n) {
  if (f != format::q8_0 && f != format::q4_0 && f != format::q4_k)
    throw unsupported_error("quantize_row: format " + std::string(name(f)), "q8_0 q4_0 q4_k");
  if (n < 0) throw shape_error("quantize_row: " + std::to_string(n) + " elements");
  storage_bytes(f, static_cast<std::uint64_t>(n));
  detail::require_finite(f, src, n);
  if (f == format::q8_0)
    for (std::int64_t i = 0; i < n / 32; ++i)
      detail::quantize_q8_0(src + 32 * i, static_cast<block_q8_0*>(dst)[i]);
  else if (f == format::q4_0)
    for (std::int64_t i = 0; i < n / 32; ++i)
      detail::quantize_q4_0(src + 32 * i, static_cast<block_q4_0*>(dst)[i]);
  else
    for (std::int64_t i = 0; i < n / 256; ++i)
      detail::quantize_q4_k(src + 256 * i, reinterpret_cast<std::uint8_t*>(dst) + 144 * i);
}

}  // namespace parlance::inline PARLANCE_ABI::kernels
