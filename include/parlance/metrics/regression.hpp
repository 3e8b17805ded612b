// SPDX-License-Identifier: Apache-2.0
// evaluate's pearsonr, spearmanr (scipy 1.17), mse and mae (scikit-learn 1.9) of numbers.
#pragma once

#include <algorithm>
#include <cmath>
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

}  // namespace detail

struct number_result {
  std::string_view name;
  double score = 0;
  record fields() const { return {{std::string(name), score}}; }
};

class pearsonr {
 public:
  using element = double;
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
  number_result compute() const {
    pairs_.require("pearsonr", 2);
    return {"pearsonr", detail::correlation(pairs_.references, pairs_.predictions)};
  }

 private:
  detail::number_pairs pairs_;
};

class spearmanr {
 public:
  using element = double;
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
  number_result compute() const {
    pairs_.require("spearmanr", 2);
    return {"spearmanr", detail::correlation(detail::ranks(pairs_.references),
                                             detail::ranks(pairs_.predictions))};
  }

 private:
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
