// SPDX-License-Identifier: Apache-2.0
// exp over vf, compiled once per instruction set (PARLANCE_ISA names the namespace; no include
// guard on purpose). Range reduction by ln 2 in two parts and the degree-6 polynomial of Cephes
// expf. Arguments are clamped to [-87, 88.7]: below, the result is 1.6e-38 (not 0).

namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA {

PARLANCE_ALWAYS_INLINE vf exp(vf x) {
  const vf clamped = min(max(x, set1(-87.0f)), set1(88.7f));
  const vf n = round(clamped * set1(1.44269504088896341f));
  vf r = fma(n, set1(-0.693359375f), clamped);
  r = fma(n, set1(2.12194440e-4f), r);
  vf p = set1(1.9875691500e-4f);
  p = fma(p, r, set1(1.3981999507e-3f));
  p = fma(p, r, set1(8.3334519073e-3f));
  p = fma(p, r, set1(4.1665795894e-2f));
  p = fma(p, r, set1(1.6666665459e-1f));
  p = fma(p, r, set1(5.0000001201e-1f));
  p = fma(p, r * r, r + set1(1.0f));
  return scale2(p, n);
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::PARLANCE_ISA
