// SPDX-License-Identifier: Apache-2.0
// RMSNorm and LayerNorm, forward and backward, against plain double loops.
#include "parlance/kernels/norm.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "elementwise.hpp"

using namespace parlance;
using namespace elementwise_test;

namespace {

constexpr double eps = 0.01;

// Gradients by the definition: y_i = s n_i (o + w_i), n the normalised row; d n_i / d x_j written
// out as a full matrix.
struct row_result {
  std::vector<double> y, dx, dw, db;
  double mean = 0, rstd = 0;
};
template <class T>
row_result reference(bool layer, std::int64_t n, const T* x, const T* w, double offset, const T* b,
                     const T* g) {
  row_result r;
  const auto at = [](const T* p, std::int64_t i) { return double(p[i]); };
  const double count = double(n);
  double square = 0;
  if (layer)
    for (std::int64_t i = 0; i < n; ++i) r.mean += at(x, i) / count;
  for (std::int64_t i = 0; i < n; ++i) square += std::pow(at(x, i) - r.mean, 2) / count;
  r.rstd = 1 / std::sqrt(square + eps);
  for (std::int64_t i = 0; i < n; ++i) {
    const double normal = (at(x, i) - r.mean) * r.rstd, scale = w ? offset + at(w, i) : 1;
    r.y.push_back(normal * scale + (b ? at(b, i) : 0));
    r.dw.push_back(normal * at(g, i));
    r.db.push_back(at(g, i));
    double sum = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      const double other = (at(x, j) - r.mean) * r.rstd;
      const double slope = r.rstd * ((i == j) - (layer ? 1 / count : 0) - normal * other / count);
      sum += at(g, j) * (w ? offset + at(w, j) : 1) * slope;
    }
    r.dx.push_back(sum);
  }
  return r;
}

template <class T>
struct problem {
  std::int64_t rows, cols;
  std::vector<T> x, w, b, g;
  problem(std::int64_t r, std::int64_t c)
      : rows(r),
        cols(c),
        x(numbers<T>(r * c, 1, 2)),
        w(numbers<T>(c, 2)),
        b(numbers<T>(c, 3)),
        g(numbers<T>(r * c, 4)) {}
  // Sums of `cols` terms, multiplied by rstd <= 10 (gradients: rstd^3 at worst for tiny rows, but
  // then the sums are short).
  double bound() const { return half_ulp<T> * 20 * double(cols + 10); }
  double column_bound() const { return half_ulp<T> * 20 * double(cols + rows + 10); }
};

template <class T>
void check(bool layer, std::int64_t rows, std::int64_t cols, bool with_w, double offset,
           bool with_b, T beta) {
  CAPTURE(layer);
  CAPTURE(rows);
  CAPTURE(cols);
  const problem<T> p(rows, cols);
  const T* w = with_w ? p.w.data() : nullptr;
  const T* b = with_b ? p.b.data() : nullptr;
  std::vector<T> y(p.x.size() + 1, poison<T>()), mean(std::size_t(rows) + 1, poison<T>()),
      rstd(std::size_t(rows) + 1, poison<T>()), dx(p.x.size() + 1, poison<T>());
  std::vector<T> dw(std::size_t(cols), beta == T(0) ? poison<T>() : T(3)), db = dw;
  if (layer) {
    kernels::layer_norm(rows, cols, p.x.data(), w, b, T(eps), y.data(), mean.data(), rstd.data());
    kernels::layer_norm_backward(rows, cols, p.x.data(), w, mean.data(), rstd.data(), p.g.data(),
                                 dx.data(), dw.data(), beta, db.data(), beta);
  } else {
    kernels::rms_norm(rows, cols, p.x.data(), w, T(offset), T(eps), y.data(), rstd.data());
    kernels::rms_norm_backward(rows, cols, p.x.data(), w, T(offset), rstd.data(), p.g.data(),
                               dx.data(), dw.data(), beta);
  }
  std::vector<double> sum_w(std::size_t(cols), 3.0 * double(beta)), sum_b = sum_w;
  double worst = 0, worst_column = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    const row_result e = reference(layer, cols, p.x.data() + r * cols, w, layer ? 0 : offset, b,
                                   p.g.data() + r * cols);
    if (cols) worst = std::max(worst, error_of(rstd[std::size_t(r)], e.rstd, 10));
    if (cols && layer) worst = std::max(worst, error_of(mean[std::size_t(r)], e.mean, 1));
    for (std::int64_t c = 0; c < cols; ++c) {
      const auto i = std::size_t(c), at = std::size_t(r * cols + c);
      worst = std::max(worst, error_of(y[at], e.y[i], 1 + std::abs(e.y[i])));
      worst = std::max(worst, error_of(dx[at], e.dx[i], 1 + std::abs(e.dx[i])));
      sum_w[i] += e.dw[i], sum_b[i] += e.db[i];
    }
  }
  for (std::size_t i = 0; i < sum_w.size(); ++i) {
    worst_column = std::max(worst_column, error_of(dw[i], sum_w[i], double(rows) + 3));
    if (layer) worst_column = std::max(worst_column, error_of(db[i], sum_b[i], double(rows) + 3));
  }
  CHECK(worst <= p.bound());
  CHECK(worst_column <= p.column_bound());
  CHECK(std::isnan(y.back()));  // nothing past the end
  CHECK(std::isnan(dx.back()));
  CHECK(std::isnan(rstd.back()));
}

}  // namespace

TEST_CASE_TEMPLATE("rms_norm", T, float, double) {
  for (const std::int64_t rows : {0, 1, 3, 70})
    for (const std::int64_t cols : lengths<T>()) {
      check<T>(false, rows, cols, true, 0, false, T(0));
      check<T>(false, rows, cols, true, 1, false, T(1));
      check<T>(false, rows, cols, false, 1, false, T(0));  // the offset belongs to w
    }
}

TEST_CASE_TEMPLATE("layer_norm", T, float, double) {
  for (const std::int64_t rows : {0, 1, 3, 70})
    for (const std::int64_t cols : lengths<T>()) {
      check<T>(true, rows, cols, true, 0, true, T(0));
      check<T>(true, rows, cols, true, 0, false, T(1));
    }
}

TEST_CASE("statistics and gradients that nobody asks for") {
  const problem<float> p(3, 5);
  std::vector<float> y(15), rstd(3), mean(3), all(15), dw(5), db(5), expected_w(5), expected_b(5);
  kernels::rms_norm<float>(3, 5, p.x.data(), p.w.data(), 0, 1e-5f, y.data(), nullptr);
  kernels::rms_norm<float>(3, 5, p.x.data(), p.w.data(), 0, 1e-5f, all.data(), rstd.data());
  CHECK(y == all);
  kernels::layer_norm<float>(3, 5, p.x.data(), p.w.data(), p.b.data(), 1e-5f, y.data(), nullptr,
                             nullptr);
  kernels::layer_norm(3, 5, p.x.data(), p.w.data(), p.b.data(), 1e-5f, all.data(), mean.data(),
                      rstd.data());
  CHECK(y == all);
  kernels::layer_norm_backward<float>(3, 5, p.x.data(), p.w.data(), mean.data(), rstd.data(),
                                      p.g.data(), all.data(), expected_w.data(), 0,
                                      expected_b.data(), 0);
  kernels::layer_norm_backward<float>(3, 5, p.x.data(), p.w.data(), mean.data(), rstd.data(),
                                      p.g.data(), nullptr, dw.data(), 0, nullptr, 0);
  kernels::layer_norm_backward<float>(3, 5, p.x.data(), p.w.data(), mean.data(), rstd.data(),
                                      p.g.data(), y.data(), nullptr, 0, db.data(), 0);
  CHECK(dw == expected_w);
  CHECK(db == expected_b);
  CHECK(y == all);
}

TEST_CASE("a constant row far from zero has no variance, and a large mean does not hurt") {
  // Two-pass variance: E[x^2] - E[x]^2 would lose everything in float.
  std::vector<float> x(64), w(64, 1.0f), y(64), mean(1), rstd(1);
  for (std::size_t i = 0; i < 64; ++i) x[i] = 4096.0f + float(i % 2);  // variance 1/4
  kernels::layer_norm<float>(1, 64, x.data(), w.data(), nullptr, 0, y.data(), mean.data(),
                             rstd.data());
  CHECK(mean[0] == 4096.5f);
  CHECK(rstd[0] == 2);
  for (std::size_t i = 0; i < 64; ++i) CHECK(y[i] == (i % 2 ? 1 : -1));
}

TEST_CASE("threads do not change a bit") {
  const problem<float> p(300, 130);
  CHECK(same_for_all_threads([&] {
    std::vector<float> out(p.x.size() * 4 + 260), mean(300), rstd(300);
    float* o = out.data();
    const std::size_t n = p.x.size();
    kernels::layer_norm(300, 130, p.x.data(), p.w.data(), p.b.data(), 1e-5f, o, mean.data(),
                        rstd.data());
    kernels::layer_norm_backward<float>(300, 130, p.x.data(), p.w.data(), mean.data(), rstd.data(),
                                        p.g.data(), o + n, o + 4 * n, 0, o + 4 * n + 130, 0);
    kernels::rms_norm<float>(300, 130, p.x.data(), p.w.data(), 1, 1e-5f, o + 2 * n, rstd.data());
    kernels::rms_norm_backward<float>(300, 130, p.x.data(), p.w.data(), 1, rstd.data(), p.g.data(),
                                      o + 3 * n, o + 4 * n, 1);
    return out;
  }));
}
