// SPDX-License-Identifier: Apache-2.0
// Matrix products in double (gradient checks, references) through Eigen. The only header that
// includes Eigen; Eigen itself never starts threads.
#pragma once

#ifndef EIGEN_DONT_PARALLELIZE
#define EIGEN_DONT_PARALLELIZE
#endif
#include <algorithm>
#include <cstdint>
#if defined(__GNUC__) && !defined(__clang__)
// False warnings of GCC 12's AVX-512 headers (GCC bug 105593), inlined into Eigen.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <Eigen/Core>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include "parlance/core/config.hpp"

namespace parlance::inline PARLANCE_ABI::kernels::detail {

template <class T>
using eigen_matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using eigen_map = Eigen::Map<T, Eigen::Unaligned, Eigen::OuterStride<>>;

// C (m x n) += op(A) op(B), as kernels::gemm with beta = 1.
template <class T>
void eigen_gemm(bool trans_a, bool trans_b, std::int64_t m, std::int64_t n, std::int64_t k,
                const T* a, std::int64_t lda, const T* b, std::int64_t ldb, T* c,
                std::int64_t ldc) {
  using matrix = eigen_matrix<T>;
  const Eigen::OuterStride<> a_stride(lda), b_stride(ldb), c_stride(ldc);
  const eigen_map<const matrix> left(a, trans_a ? k : m, trans_a ? m : k, a_stride);
  const eigen_map<const matrix> right(b, trans_b ? n : k, trans_b ? k : n, b_stride);
  eigen_map<matrix> out(c, m, n, c_stride);
  if (trans_a && trans_b)
    out.noalias() += left.transpose() * right.transpose();
  else if (trans_a)
    out.noalias() += left.transpose() * right;
  else if (trans_b)
    out.noalias() += left * right.transpose();
  else
    out.noalias() += left * right;
}

}  // namespace parlance::inline PARLANCE_ABI::kernels::detail
