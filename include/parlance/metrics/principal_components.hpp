// SPDX-License-Identifier: Apache-2.0
// Principal components of points in double precision, without a linear algebra library: Householder
// tridiagonalisation and implicit QL steps (Golub and Van Loan, Matrix Computations, 8.3).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "parlance/core/error.hpp"

namespace parlance::inline PARLANCE_ABI::metrics::detail {

// Rows of numbers, one after another.
struct rows_of_numbers {
  std::vector<double> values;
  std::size_t width = 0;
  std::size_t count() const { return width == 0 ? 0 : values.size() / width; }
  double* row(std::size_t i) { return values.data() + i * width; }
  const double* row(std::size_t i) const { return values.data() + i * width; }
};

inline double dot(const double* a, const double* b, std::size_t n) {
  double sums[4] = {};
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (std::size_t k = 0; k < 4; ++k) sums[k] += a[i + k] * b[i + k];
  for (; i < n; ++i) sums[0] += a[i] * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}
inline void add_scaled(double* to, double factor, const double* from, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) to[i] += factor * from[i];
}

// Eigenvalues of a symmetric matrix, the largest first, and unit eigenvectors as rows.
class symmetric_eigen {
 public:
  explicit symmetric_eigen(rows_of_numbers matrix) : a_(std::move(matrix)), n_(a_.width) {
    vectors_.width = n_;
    vectors_.values.assign(n_ * n_, 0.0);
    for (std::size_t i = 0; i < n_; ++i) vectors_.row(i)[i] = 1;
    values_.resize(n_);
    beside_.assign(n_, 0.0);
    tridiagonalize();
    for (std::size_t l = 0; l < n_; ++l) isolate(l);
    order_.resize(n_);
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::stable_sort(order_.begin(), order_.end(),
                     [this](std::size_t x, std::size_t y) { return values_[x] > values_[y]; });
  }
  double value(std::size_t i) const { return values_[order_[i]]; }
  const double* vector(std::size_t i) const { return vectors_.row(order_[i]); }

 private:
  void tridiagonalize() {
    std::vector<double> v(n_), w(n_);
    for (std::size_t k = 0; k + 2 < n_; ++k) {
      const std::size_t from = k + 1, m = n_ - from;
      for (std::size_t i = from; i < n_; ++i) v[i] = a_.row(i)[k];
      const double length = std::sqrt(dot(&v[from], &v[from], m));
      if (length == 0) continue;
      v[from] += v[from] < 0 ? -length : length;
      const double norm = std::sqrt(dot(&v[from], &v[from], m));
      for (std::size_t i = from; i < n_; ++i) v[i] /= norm;
      // The reflection I - 2 v v' from both sides; rows above `from` hold what is finished.
      for (std::size_t i = k; i < n_; ++i) w[i] = 2 * dot(a_.row(i) + from, &v[from], m);
      add_scaled(a_.row(k) + from, -w[k], &v[from], m);
      for (std::size_t i = from; i < n_; ++i) a_.row(i)[k] = a_.row(k)[i];
      const double middle = dot(&w[from], &v[from], m);
      add_scaled(&w[from], -middle, &v[from], m);
      for (std::size_t i = from; i < n_; ++i) {
        add_scaled(a_.row(i) + from, -v[i], &w[from], m);
        add_scaled(a_.row(i) + from, -w[i], &v[from], m);
      }
      std::fill(w.begin(), w.end(), 0.0);
      for (std::size_t i = from; i < n_; ++i) add_scaled(w.data(), v[i], vectors_.row(i), n_);
      for (std::size_t i = from; i < n_; ++i) add_scaled(vectors_.row(i), -2 * v[i], w.data(), n_);
    }
    for (std::size_t i = 0; i < n_; ++i) values_[i] = a_.row(i)[i];
    for (std::size_t i = 0; i + 1 < n_; ++i) beside_[i] = a_.row(i)[i + 1];
  }

  // QL steps until values_[l] stands alone.
  void isolate(std::size_t l) {
    for (int step = 0;; ++step) {
      std::size_t m = l;
      while (m + 1 < n_ &&
             std::abs(beside_[m]) > 0x1p-53 * (std::abs(values_[m]) + std::abs(values_[m + 1])))
        ++m;
      if (m == l) return;
      if (step == 60) throw numeric_failure();
      double g = (values_[l + 1] - values_[l]) / (2 * beside_[l]);
      g = values_[m] - values_[l] + beside_[l] / (g + std::copysign(std::hypot(g, 1.0), g));
      double sine = 1, cosine = 1, shift = 0;
      std::size_t i = m;
      for (; i-- > l;) {
        const double f = sine * beside_[i], b = cosine * beside_[i];
        double r = std::hypot(f, g);
        beside_[i + 1] = r;
        if (r == 0) {
          values_[i + 1] -= shift;
          beside_[m] = 0;
          break;
        }
        sine = f / r, cosine = g / r;
        g = values_[i + 1] - shift;
        r = (values_[i] - g) * sine + 2 * cosine * b;
        shift = sine * r;
        values_[i + 1] = g + shift;
        g = cosine * r - b;
        double *x = vectors_.row(i), *y = vectors_.row(i + 1);
        for (std::size_t k = 0; k < n_; ++k) {
          const double old = y[k];
          y[k] = sine * x[k] + cosine * old;
          x[k] = cosine * x[k] - sine * old;
        }
        if (i == l) {
          values_[l] -= shift;
          beside_[l] = g;
          beside_[m] = 0;
          break;
        }
      }
    }
  }
  static option_error numeric_failure() {
    return option_error("principal components: no convergence; are all features finite?");
  }

  rows_of_numbers a_, vectors_;
  std::size_t n_;
  std::vector<double> values_, beside_;
  std::vector<std::size_t> order_;
};

// The points in the coordinates of the first principal components of `fitted` (which may be some of
// them): as many components as explain `variance` of the whole, that which reaches it included.
inline rows_of_numbers project(const rows_of_numbers& points, rows_of_numbers fitted,
                               double variance) {
  const std::size_t n = fitted.count(), d = fitted.width;
  std::vector<double> mean(d, 0.0);
  for (std::size_t i = 0; i < n; ++i) add_scaled(mean.data(), 1, fitted.row(i), d);
  for (double& m : mean) m /= static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i) add_scaled(fitted.row(i), -1, mean.data(), d);

  // Of covariance or, when there are fewer points than dimensions, of the points' products.
  const bool few = n < d;
  rows_of_numbers products{{}, few ? n : d};
  products.values.assign(products.width * products.width, 0.0);
  if (few) {
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        products.row(i)[j] = j < i ? products.row(j)[i] : dot(fitted.row(i), fitted.row(j), d);
  } else {
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < d; ++k)
        add_scaled(products.row(k), fitted.row(i)[k], fitted.row(i), d);
  }
  const symmetric_eigen eigen(std::move(products));
  const std::size_t most = std::min(n, d);
  double total = 0, sum = 0;
  for (std::size_t k = 0; k < most; ++k) total += std::max(0.0, eigen.value(k));
  std::size_t kept = 0;
  while (kept < most && (kept == 0 || sum < variance * total))
    sum += std::max(0.0, eigen.value(kept++));

  rows_of_numbers axes{{}, d}, out{{}, kept};
  axes.values.assign(kept * d, 0.0);
  for (std::size_t k = 0; k < kept; ++k) {
    if (!few) {
      std::copy_n(eigen.vector(k), d, axes.row(k));
      continue;
    }
    const double length = std::sqrt(std::max(0.0, eigen.value(k)));
    for (std::size_t i = 0; i < n && length > 0; ++i)
      add_scaled(axes.row(k), eigen.vector(k)[i] / length, fitted.row(i), d);
  }
  std::vector<double> centred(d);
  for (std::size_t i = 0; i < points.count(); ++i) {
    for (std::size_t k = 0; k < d; ++k) centred[k] = points.row(i)[k] - mean[k];
    for (std::size_t k = 0; k < kept; ++k)
      out.values.push_back(dot(centred.data(), axes.row(k), d));
  }
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::metrics::detail
