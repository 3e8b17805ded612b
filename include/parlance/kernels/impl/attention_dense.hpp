// SPDX-License-Identifier: Apache-2.0
// Attention over dense rows for float (tiles of every instruction set) and, as plain loops, for any
// other floating-point type: those are for gradient checks in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "parlance/kernels/impl/attention_isa.hpp"

namespace parlance::inline PARLANCE_ABI::kernels::detail {

// Queries of one sequence with the dense keys and values of one kv head; with `result` and
// `gradient` also the gradients.
struct dense_item {
  head_rows q, result, gradient;
  const float* k;
  std::int64_t ldk;
  const float* v;
  std::int64_t ldv;
  std::int64_t position, n, s;  // position of the first query, queries, keys
  visible_keys keys;
  float scale, softcap;
  bias_rows<const float> bias;
  float* out;
  std::int64_t ldo;
  float* lse;  // lse[head of the group * lse_stride + query]
  std::int64_t lse_stride;
  float *dq, *dk, *dv;  // dq with row stride ldo
  std::int64_t ldd;
  bias_rows<float> dbias;  // added to
};

}  // namespace parlance::inline PARLANCE_ABI::kernels::detail

#define PARLANCE_ISA_FILE "parlance/kernels/impl/attention_train.inl"
#include "parlance/kernels/impl/for_each_isa.inl"

namespace parlance::inline PARLANCE_ABI::kernels::detail {

struct dense_kernels {
  void (*forward)(const dense_item&) = &k_base::dense_forward;
  void (*backward)(const dense_item&) = &k_base::dense_backward;
};

inline dense_kernels choose_dense() {
#if defined(PARLANCE_X86)
  if (cpu().level == isa::avx512) return {&k_avx512::dense_forward, &k_avx512::dense_backward};
  if (cpu().level == isa::avx2) return {&k_avx2::dense_forward, &k_avx2::dense_backward};
#endif
  return {};
}

// One query of one head: visible keys, rows of k and v with their strides.
template <class T>
struct plain_query {
  const T* q;
  const T* k;
  std::int64_t ldk;
  const T* v;
  std::int64_t ldv;
  std::int64_t begin, end;
  int head_dim;
  float scale, softcap;
  const T* bias = nullptr;  // of key 0

  // The score of key j; `slope` is the derivative of the soft cap.
  T score(std::int64_t j, T& slope) const {
    T sum = 0;
    for (int c = 0; c < head_dim; ++c) sum += q[c] * k[j * ldk + c];
    sum *= T(scale);
    slope = 1;
    if (bias) sum += bias[j];
    if (!(softcap > 0)) return sum;
    const T bent = std::tanh(sum / T(softcap));
    slope = 1 - bent * bent;
    return T(softcap) * bent;
  }
  // Fills `out` and returns the log-sum-exp.
  T forward(T* out) const {
    T top = -std::numeric_limits<T>::infinity(), sum = 0, slope;
    for (std::int64_t j = begin; j < end; ++j) top = std::max(top, score(j, slope));
    std::fill_n(out, head_dim, T(0));
    for (std::int64_t j = begin; j < end; ++j) {
      const T weight = std::exp(score(j, slope) - top);
      sum += weight;
      for (int c = 0; c < head_dim; ++c) out[c] += weight * v[j * ldv + c];
    }
    for (int c = 0; c < head_dim && sum > 0; ++c) out[c] /= sum;
    return sum > 0 ? top + std::log(sum) : top;
  }
  // Writes dq, adds to dk and dv (row stride ldd) and, unless it is null, to dbias.
  void backward(const T* out, T lse, const T* gradient, T* dq, T* dk, T* dv, std::int64_t ldd,
                T* dbias) const {
    T delta = 0, slope;
    for (int c = 0; c < head_dim; ++c) delta += gradient[c] * out[c];
    std::fill_n(dq, head_dim, T(0));
    for (std::int64_t j = begin; j < end; ++j) {
      const T weight = std::exp(score(j, slope) - lse);
      T product = 0;
      for (int c = 0; c < head_dim; ++c) product += gradient[c] * v[j * ldv + c];
      const T slant = weight * (product - delta) * slope, ds = slant * T(scale);
      if (dbias) dbias[j] += slant;
      for (int c = 0; c < head_dim; ++c) {
        dv[j * ldd + c] += weight * gradient[c];
        dk[j * ldd + c] += ds * q[c];
        dq[c] += ds * k[j * ldk + c];
      }
    }
  }
};

}  // namespace parlance::inline PARLANCE_ABI::kernels::detail
