// SPDX-License-Identifier: Apache-2.0
// x sigmoid(slope x (1 + cubic x^2)) and x Phi(x), alone or times a second input, and their
// gradients; compiled once per instruction set (PARLANCE_ISA names the namespace; no include guard on purpose).

namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA {

// f(offset, count) for whole vectors; the rest goes through buffers of one vector.
template <class F>
PARLANCE_ALWAYS_INLINE void sigmoid_rows(const detail::sigmoid_unit_args& a, F f) {
  std::int64_t i = 0;
  for (; i + vf::lanes <= a.n; i += vf::lanes)
    f(a.g ? a.g + i : nullptr, a.x + i, a.up ? a.up + i : nullptr, a.out + i,
      a.dup ? a.dup + i : nullptr);
  if (i == a.n) return;
  const std::size_t rest = static_cast<std::size_t>(a.n - i) * sizeof(float);
  float g[vf::lanes] = {}, x[vf::lanes] = {}, up[vf::lanes] = {}, out[vf::lanes], dup[vf::lanes];
  if (a.g) std::memcpy(g, a.g + i, rest);
  if (a.up) std::memcpy(up, a.up + i, rest);
  std::memcpy(x, a.x + i, rest);
  f(g, x, a.up ? up : nullptr, out, a.dup ? dup : nullptr);
  std::memcpy(a.out + i, out, rest);
  if (a.dup) std::memcpy(a.dup + i, dup, rest);
}

// x^2, kept finite: times a cubic of zero it must stay zero.
PARLANCE_ALWAYS_INLINE vf square(vf x) { return min(x * x, set1(1e30f)); }

inline void sigmoid_forward(const detail::sigmoid_unit_args& a) {
  const vf one = set1(1), slope = set1(-a.slope), cubic = set1(a.cubic);
  sigmoid_rows(a, [&](const float*, const float* xp, const float* up, float* out, float*) {
    const vf x = load(xp), u = slope * x * fma(cubic, square(x), one);
    const vf y = x / (one + exp(u));
    store(out, up ? y * load(up) : y);
  });
}

inline void sigmoid_backward(const detail::sigmoid_unit_args& a) {
  const vf one = set1(1), slope = set1(a.slope), cubic = set1(a.cubic), three = set1(3);
  sigmoid_rows(a, [&](const float* gp, const float* xp, const float* up, float* dx, float* dup) {
    const vf x = load(xp), g = load(gp), c = cubic * square(x), u = slope * x * (one + c);
    const vf s = one / (one + exp(zero() - u));
    const vf slant = slope * fma(three, c, one);
    const vf d = g * fma(x * s * (one - s), slant, s);
    if (dup) store(dup, g * x * s);
    store(dx, up ? d * load(up) : d);
  });
}

// Half of erfc(|x| / sqrt(2)), the tail of the normal distribution beyond |x|, to some 1e-6 of
// itself: Chebyshev fit of Press et al., Numerical Recipes, 6.2 (erfcc).
PARLANCE_ALWAYS_INLINE vf normal_tail(vf size) {
  const vf z = size * set1(0.70710678f), one = set1(1);
  const vf t = one / fma(set1(0.5f), z, one);
  vf p = set1(0.17087277f);
  for (const float c : {-0.82215223f, 1.48851587f, -1.13520398f, 0.27886807f, -0.18628806f,
                        0.09678418f, 0.37409196f, 1.00002368f, -1.26551223f})
    p = fma(p, t, set1(c));
  return set1(0.5f) * t * exp(p - z * z);
}

inline void gelu_forward(const detail::sigmoid_unit_args& a) {
  sigmoid_rows(a, [&](const float*, const float* xp, const float* up, float* out, float*) {
    const vf x = load(xp), size = max(x, zero() - x);
    const vf y = max(x, zero()) - size * normal_tail(size);
    store(out, up ? y * load(up) : y);
  });
}

inline void gelu_backward(const detail::sigmoid_unit_args& a) {
  const vf one = set1(1), half = set1(-0.5f), density = set1(0.39894228f);
  sigmoid_rows(a, [&](const float* gp, const float* xp, const float* up, float* dx, float* dup) {
    const vf x = load(xp), g = load(gp), size = max(x, zero() - x), tail = normal_tail(size);
    const vf positive = min(max(x * set1(1e30f), zero()), one);
    const vf cdf = positive + tail * (one - positive - positive);
    const vf d = g * fma(x * density, exp(half * x * x), cdf);
    if (dup) store(dup, g * (max(x, zero()) - size * tail));
    store(dx, up ? d * load(up) : d);
  });
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA
