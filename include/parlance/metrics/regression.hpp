// SPDX-License-Identifier: Apache-2.0
// evaluate's pearsonr, spearmanr (scipy 1.17), mse and mae (scikit-learn 1.9) of numbers.
#pragma once

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numbers>
#include <string>

#include "parlance/metrics/metric.hpp"
#include "parlance/metrics/sums.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

namespace detail {

struct number_pairs {
  void add(double prediction, double reference) {
    predictions.push_back(prediction);
    references.push_back(reference);
  }
  void merge(const number_pairs& other) {
    predictions.insert(predictions.end(), other.predictions.begin(), other.predictions.end());
    references.insert(references.end(), other.references.begin(), other.references.end());
  }
  void require(std::string_view who, std::size_t least) const {
    if (predictions.size() < least)
      throw option_error(std::string(who) + ": expected at least " + std::to_string(least) +
                         " pairs, got " + std::to_string(predictions.size()));
  }
  std::vector<double> predictions, references;
};

// scipy.stats.pearsonr. Not-a-number for a constant side, as there.
inline double correlation(std::vector<double> x, std::vector<double> y) {
  const std::size_t n = x.size();
  const auto centre = [](std::vector<double>& v) {
    const double mean = pairwise_mean(v);
    double largest = 0, sum = 0;
    for (double& a : v) a -= mean, largest = std::max(largest, std::abs(a));
    if (largest == 0) return false;
    for (const double a : v) sum += (a / largest) * (a / largest);
    const double norm = largest * std::sqrt(sum);
    for (double& a : v) a /= norm;
    return true;
  };
  const auto constant = [](const std::vector<double>& v) {
    return std::all_of(v.begin(), v.end(), [&](double a) { return a == v.front(); });
  };
  if (constant(x) || constant(y)) return std::nan("");
  const double dx = x[1] - x[0], dy = y[1] - y[0];
  if (!centre(x) || !centre(y)) return std::nan("");
  if (n == 2) return (dx > 0) == (dy > 0) ? 1.0 : -1.0;
  double r = 0;
  for (std::size_t i = 0; i < n; ++i) r += x[i] * y[i];
  return std::clamp(r, -1.0, 1.0);
}

// Gamma(a + 1/2) / Gamma(a), by its asymptotic series far out.
inline double gamma_ratio(double a) {
  double factor = 1;
  for (; a < 64; ++a) factor *= a / (a + 0.5);
  constexpr double terms[] = {1,
                              -1.0 / 8,
                              1.0 / 128,
                              5.0 / 1024,
                              -21.0 / 32768,
                              -399.0 / 262144,
                              869.0 / 4194304,
                              39325.0 / 33554432};
  double series = 0;
  for (std::size_t k = std::size(terms); k-- > 0;) series = series / a + terms[k];
  return factor * std::sqrt(a) * series;
}
// The continued fraction of the incomplete beta function (Numerical Recipes 6.4, Lentz's method).
inline double beta_fraction(double a, double b, double x) {
  constexpr double tiny = 1e-300;
  const auto away = [](double v) { return std::abs(v) < tiny ? tiny : v; };
  double c = 1, d = 1 / away(1 - (a + b) * x / (a + 1)), h = d;
  for (int m = 1; m < 10000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    h *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    h *= d * c;
    if (std::abs(d * c - 1) < 1e-16) break;
  }
  return h;
}
// The chance that n independent pairs correlate by |r| or more: Student's t with n - 2 degrees of
// freedom, the regularised incomplete beta function at 1 - r^2 of (n - 2) / 2 and 1/2.
inline double correlation_p_value(double r, std::size_t n) {
  if (std::isnan(r) || n < 3) return std::nan("");
  const double a = static_cast<double>(n - 2) / 2, x = (1 - r) * (1 + r);
  if (x <= 0) return 0;
  const double front = std::pow(x, a) * std::abs(r) * gamma_ratio(a) / std::sqrt(std::numbers::pi);
  return x < (a + 1) / (a + 2.5) ? front * beta_fraction(a, 0.5, x) / a
                                 : 1 - front * beta_fraction(0.5, a, 1 - x) / 0.5;
}

// Ranks from 1; equal numbers share the mean of theirs.
inline std::vector<double> ranks(const std::vector<double>& x) {
  std::vector<std::size_t> order(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return x[a] < x[b]; });
  std::vector<double> out(x.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    while (end < order.size() && x[order[end]] == x[order[i]]) ++end;
    for (std::size_t k = i; k < end; ++k) out[order[k]] = 0.5 * static_cast<double>(i + end + 1);
    i = end;
  }
  return out;
}

// numpy.corrcoef of ranks. Products of ranks are multiples of a quarter, so that their sums are
// exact and the digits those of the original.
inline double rank_correlation(const std::vector<double>& x, const std::vector<double>& y) {
  const std::vector<double> a = ranks(x), b = ranks(y);
  const auto n = static_cast<double>(x.size());
  const double mean = (n + 1) / 2, factor = 1 / (n - 1);
  double aa = 0, bb = 0, ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double u = a[i] - mean, v = b[i] - mean;
    aa += u * u, bb += v * v, ab += u * v;
  }
  if (aa == 0 || bb == 0) return std::nan("");
  return std::clamp(ab * factor / std::sqrt(bb * factor) / std::sqrt(aa * factor), -1.0, 1.0);
}

}  // namespace detail

struct number_result {
  std::string_view name;
  double score = 0;
  record fields() const { return {{std::string(name), score}}; }
};

struct correlation_options {
  bool return_pvalue = false;
};
struct correlation_result {
  std::string_view name;
  double score = 0;
  std::string_view p_value_name = {};  // empty: not asked for
  double p_value = 0;
  record fields() const {
    record out = {{std::string(name), score}};
    if (!p_value_name.empty()) out.push_back({std::string(p_value_name), p_value});
    return out;
  }
};

class pearsonr {
 public:
  using element = double;
  explicit pearsonr(correlation_options options = {}) : options_(options) {}
  static constexpr description describe() {
    return {"pearsonr",
            "pearsonr",
            "linear correlation of predictions and references",
            -1,
            1,
            true,
            "Virtanen et al. 2020, SciPy 1.0"};
  }
  void add(double prediction, double reference) { pairs_.add(prediction, reference); }
  void merge(const pearsonr& other) { pairs_.merge(other.pairs_); }
  correlation_result compute() const {
    pairs_.require("pearsonr", 2);
    const std::size_t n = pairs_.predictions.size();
    correlation_result r{"pearsonr", detail::correlation(pairs_.references, pairs_.predictions)};
    if (!options_.return_pvalue) return r;
    r.p_value_name = "p-value";
    r.p_value = n == 2 && !std::isnan(r.score) ? 1 : detail::correlation_p_value(r.score, n);
    return r;
  }

 private:
  correlation_options options_;
  detail::number_pairs pairs_;
};

class spearmanr {
 public:
  using element = double;
  explicit spearmanr(correlation_options options = {}) : options_(options) {}
  static constexpr description describe() {
    return {"spearmanr",
            "spearmanr",
            "correlation of the ranks of predictions and references",
            -1,
            1,
            true,
            "Virtanen et al. 2020, SciPy 1.0"};
  }
  void add(double prediction, double reference) { pairs_.add(prediction, reference); }
  void merge(const spearmanr& other) { pairs_.merge(other.pairs_); }
  correlation_result compute() const {
    pairs_.require("spearmanr", 2);
    correlation_result r{"spearmanr",
                         detail::rank_correlation(pairs_.references, pairs_.predictions)};
    if (!options_.return_pvalue) return r;
    r.p_value_name = "spearmanr_pvalue";
    r.p_value = detail::correlation_p_value(r.score, pairs_.predictions.size());
    return r;
  }

 private:
  correlation_options options_;
  detail::number_pairs pairs_;
};

struct mean_error_options {
  std::vector<double> sample_weight = {};
  bool squared = true;  // mse only; false: the root
};

template <bool Squared>
class mean_error {
 public:
  using element = double;
  explicit mean_error(mean_error_options options = {}) : options_(std::move(options)) {}
  static constexpr description describe() {
    constexpr std::string_view source =
        "Pedregosa et al. 2011, Scikit-learn: Machine Learning in Python";
    return Squared
               ? description{"mse", "mse", "mean of squared errors", 0, no_limit, false, source}
               : description{"mae", "mae", "mean of absolute errors", 0, no_limit, false, source};
  }
  void add(double prediction, double reference) { pairs_.add(prediction, reference); }
  void merge(const mean_error& other) { pairs_.merge(other.pairs_); }
  number_result compute() const {
    pairs_.require(describe().name, 1);
    const std::vector<double>& weights = options_.sample_weight;
    const std::size_t n = pairs_.predictions.size();
    if (!weights.empty() && weights.size() != n)
      throw option_error(std::string(describe().name) + ": sample_weight has " +
                         std::to_string(weights.size()) + " values for " + std::to_string(n) +
                         " examples");
    std::vector<double> terms(n);
    for (std::size_t i = 0; i < n; ++i) {
      const double error = pairs_.references[i] - pairs_.predictions[i];
      terms[i] = (Squared ? error * error : std::abs(error)) * (weights.empty() ? 1.0 : weights[i]);
    }
    const double below = weights.empty() ? static_cast<double>(n) : pairwise_sum(weights);
    const double mean = pairwise_sum(terms) / below;
    return {describe().name, Squared && !options_.squared ? std::sqrt(mean) : mean};
  }

 private:
  mean_error_options options_;
  detail::number_pairs pairs_;
};

using mse = mean_error<true>;
using mae = mean_error<false>;

}  // namespace parlance::inline PARLANCE_ABI::metrics
