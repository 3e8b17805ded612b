// SPDX-License-Identifier: Apache-2.0
// The only place that names xsimd: `simd<T>` is the widest batch for the flags of the translation
// unit, and the renames between xsimd 8 and later releases are hidden. Kernels written on it are
// one functor body, used with T for the tail and with simd<T> for the rest.
#pragma once

#include <cmath>
#include <cstdint>
#include <xsimd/xsimd.hpp>

#include "parlance/core/config.hpp"

namespace parlance::inline PARLANCE_ABI::kernels {

template <class T>
using simd = xsimd::batch<T>;

template <class T>
inline constexpr std::int64_t simd_width = static_cast<std::int64_t>(xsimd::batch<T>::size);

template <class T>
simd<T> simd_load(const T* p) {
  return xsimd::load_unaligned(p);
}
template <class T>
void simd_store(T* p, const simd<T>& v) {
  xsimd::store_unaligned(p, v);
}

template <class T>
T simd_sum(const simd<T>& v) {
#if XSIMD_VERSION_MAJOR >= 9
  return xsimd::reduce_add(v);
#else
  return xsimd::hadd(v);
#endif
}

template <class T>
T simd_max(const simd<T>& v) {
  alignas(64) T lanes[xsimd::batch<T>::size];
  xsimd::store_aligned(lanes, v);
  T best = lanes[0];
  for (const T x : lanes) best = x > best ? x : best;
  return best;
}

// min and max that work for scalars and batches alike, for functor bodies.
template <class V>
V lesser(const V& a, const V& b) {
  if constexpr (std::is_arithmetic_v<V>)
    return b < a ? b : a;
  else
    return xsimd::min(a, b);
}
template <class V>
V greater(const V& a, const V& b) {
  if constexpr (std::is_arithmetic_v<V>)
    return a < b ? b : a;
  else
    return xsimd::max(a, b);
}

}  // namespace parlance::inline PARLANCE_ABI::kernels
