// SPDX-License-Identifier: Apache-2.0
// exp and differences over a row of scores, included once for each width of vectors (PARLANCE_WIDTH
// names the namespace, PARLANCE_VECTOR its bytes; no include guard on purpose). Products and sums
// are never fused and partial sums are always 16, so the width changes no bit.

namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_WIDTH {

using floats = float __attribute__((vector_size(PARLANCE_VECTOR)));
using words = std::uint32_t __attribute__((vector_size(PARLANCE_VECTOR)));
using doubles = double __attribute__((vector_size(2 * PARLANCE_VECTOR)));
inline constexpr std::size_t lanes = PARLANCE_VECTOR / sizeof(float);

// F: float, or a vector of them, with Bits as wide.
template <class F, class Bits>
PARLANCE_ALWAYS_INLINE constexpr F exp_nonpositive(F x) {
  const F low = F{} - 87.0f, magic = F{} + 0x1.8p23f;  // adding it rounds to an integer
  const F clamped = x < low ? low : x;
  const F shifted = clamped * 1.44269504f + magic;
  const F n = shifted - magic;
  const F r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
  F p = F{} + 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  // The builtin, since a function that returns wide vectors wants a wider target.
  const Bits scale = __builtin_bit_cast(Bits, shifted) << 23;
  const F result = __builtin_bit_cast(F, __builtin_bit_cast(Bits, p) + scale);
  return x < low ? F{} : result;
}

// out[i] = exp(x[i] - max) and their sum; n is a multiple of 16.
inline double exp_shifted(const float* x, std::size_t n, float max, float* out) {
  constexpr std::size_t step = 16, block = 16 * step, vectors = step / lanes;
  double sum = 0;
  for (std::size_t i = 0; i < n;) {
    floats partial[vectors] = {};  // a sum for each lane, so that no sum waits for another
    for (const std::size_t end = std::min(n, i + block); i < end; i += step)
      for (std::size_t j = 0; j < vectors; ++j) {
        floats v;
        std::memcpy(&v, x + i + lanes * j, sizeof v);
        v = exp_nonpositive<floats, words>(v - max);
        std::memcpy(out + i + lanes * j, &v, sizeof v);
        partial[j] += v;
      }
    for (const floats& p : partial)
      for (std::size_t l = 0; l < lanes; l += 4)
        sum += double{p[l]} + p[l + 1] + p[l + 2] + p[l + 3];
  }
  return sum;
}

// x - y in place, in double; n is a multiple of 16.
inline void subtract(float* x, std::size_t n, double y) {
  for (std::size_t i = 0; i < n; i += lanes) {
    floats v;
    std::memcpy(&v, x + i, sizeof v);
    v = __builtin_convertvector(__builtin_convertvector(v, doubles) - y, floats);
    std::memcpy(x + i, &v, sizeof v);
  }
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_WIDTH
