// SPDX-License-Identifier: Apache-2.0
// Quantisation to q4_k: per 32 weights a scale and a minimum are searched by weighted least squares
// over a few candidate steps, then both are rounded to six bits. Plain C++, used at load time.
// Source: make_qkx2_quants and quantize_row_q4_K_ref of ggml-quants.c.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "parlance/core/float16.hpp"

namespace parlance::inline PARLANCE_ABI::kernels::detail {

// Rounds to nearest even, |x| < 2^22; anything else gives some number, never undefined behaviour.
inline int nearest_int(float x) {
  const float shifted = x + 12582912.f;
  std::int32_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  return (bits & 0x007fffff) - 0x00400000;
}

struct scale_and_min {
  float scale = 0, min = 0;  // value = scale * code - min
};

// The straight line through 32 (code, weight) pairs with least weighted squared error.
struct line_fit {
  float scale, min;
  bool valid;
};
inline line_fit fit_line(const float* x, const float* w, const std::uint8_t* code) {
  float sum_w = 0, sum_x = 0, sum_l = 0, sum_l2 = 0, sum_xl = 0;
  for (int i = 0; i < 32; ++i) {
    const float l = code[i], wl = w[i] * l;
    sum_w += w[i];
    sum_x += w[i] * x[i];
    sum_l += wl;
    sum_l2 += wl * l;
    sum_xl += wl * x[i];
  }
  const float det = sum_w * sum_l2 - sum_l * sum_l;
  if (!(det > 0)) return {0, 0, false};
  line_fit line{(sum_w * sum_xl - sum_x * sum_l) / det, (sum_l2 * sum_x - sum_l * sum_xl) / det,
                true};
  if (line.min > 0) line = {sum_xl / sum_l2, 0, true};  // minima are stored without sign
  return line;
}

inline float line_error(const float* x, const float* w, const std::uint8_t* code, float scale,
                        float min) {
  float error = 0;
  for (int i = 0; i < 32; ++i) {
    const float miss = scale * code[i] + min - x[i];
    error += w[i] * miss * miss;
  }
  return error;
}

inline scale_and_min search_scale(const float* x, const float* w, int top, std::uint8_t* best) {
  const float low = std::min(0.f, *std::min_element(x, x + 32)),
              high = *std::max_element(x, x + 32);
  std::fill(best, best + 32, std::uint8_t{0});
  if (high == low) return {0, -low};
  float scale = (high - low) / static_cast<float>(top), min = low;
  // As in the original, a candidate starts from the best minimum so far, not from the lowest
  // weight.
  const auto encode = [&](float levels, std::uint8_t* code) {
    const float inverse = levels / (high - min);
    for (int i = 0; i < 32; ++i)
      code[i] = static_cast<std::uint8_t>(std::clamp(nearest_int(inverse * (x[i] - min)), 0, top));
  };
  encode(static_cast<float>(top), best);
  float best_error = line_error(x, w, best, scale, min);
  for (int step = 0; step <= 20; ++step) {
    std::uint8_t code[32];
    encode(-1.f + 0.1f * static_cast<float>(step) + static_cast<float>(top), code);
    const line_fit line = fit_line(x, w, code);
    if (!line.valid) continue;
    const float error = line_error(x, w, code, line.scale, line.min);
    if (!(error < best_error)) continue;
    std::copy(code, code + 32, best);
    best_error = error, scale = line.scale, min = line.min;
  }
  return {scale, -min};
}

inline void write_k_scales(std::uint8_t* scales, int s, int scale, int min) {
  if (s < 4) {
    scales[s] = static_cast<std::uint8_t>(scale);
    scales[s + 4] = static_cast<std::uint8_t>(min);
  } else {
    scales[s + 4] = static_cast<std::uint8_t>((scale & 15) | (min & 15) << 4);
    scales[s - 4] = static_cast<std::uint8_t>(scales[s - 4] | (scale >> 4) << 6);
    scales[s] = static_cast<std::uint8_t>(scales[s] | (min >> 4) << 6);
  }
}

// One block of 144 bytes from 256 finite floats.
inline void quantize_q4_k(const float* x, std::uint8_t* block) {
  std::uint8_t code[256];
  scale_and_min found[8];
  float top_scale = 0, top_min = 0;
  for (int s = 0; s < 8; ++s) {
    const float* part = x + 32 * s;
    float square = 0, weight[32];
    for (int i = 0; i < 32; ++i) square += part[i] * part[i];
    for (int i = 0; i < 32; ++i) weight[i] = std::sqrt(square / 32) + std::fabs(part[i]);
    found[s] = search_scale(part, weight, 15, code + 32 * s);
    top_scale = std::max(top_scale, found[s].scale);
    top_min = std::max(top_min, found[s].min);
  }
  const f16 d(top_scale / 63), m(top_min / 63);
  std::memcpy(block, &d.bits, 2);
  std::memcpy(block + 2, &m.bits, 2);
  const float inverse_scale = top_scale > 0 ? 63 / top_scale : 0;
  const float inverse_min = top_min > 0 ? 63 / top_min : 0;
  for (int s = 0; s < 8; ++s) {
    const int scale = std::clamp(nearest_int(inverse_scale * found[s].scale), 0, 63);
    const int min = std::clamp(nearest_int(inverse_min * found[s].min), 0, 63);
    write_k_scales(block + 4, s, scale, min);
    const float step = static_cast<float>(d) * static_cast<float>(scale);
    const float shift = static_cast<float>(m) * static_cast<float>(min);
    if (step == 0) continue;
    for (int i = 32 * s; i < 32 * s + 32; ++i)
      code[i] = static_cast<std::uint8_t>(std::clamp(nearest_int((x[i] + shift) / step), 0, 15));
  }
  for (int g = 0; g < 4; ++g)
    for (int i = 0; i < 32; ++i)
      block[16 + 32 * g + i] =
          static_cast<std::uint8_t>(code[64 * g + i] | code[64 * g + 32 + i] << 4);
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::detail
