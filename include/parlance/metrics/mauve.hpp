// SPDX-License-Identifier: Apache-2.0
// MAUVE (Pillutla et al. 2021; mauve-text 0.4.0, compute_mauve.py): how close the distribution of
// generated text is to that of human text, from features of texts (say, the hidden state of a
// language model at the last token), or from two histograms over the same clusters.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "parlance/core/error.hpp"
#include "parlance/metrics/k_means.hpp"
#include "parlance/metrics/metric.hpp"
#include "parlance/metrics/principal_components.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

struct mauve_options {
  std::optional<std::int64_t> num_buckets{};  // clusters; not set: a tenth of the smaller side
  std::int64_t pca_max_data = -1;             // points the components are found with; -1: all
  double kmeans_explained_var = 0.9;
  int kmeans_num_redo = 5, kmeans_max_iter = 500;
  int divergence_curve_discretization_size = 25;  // points of the curve, without its ends
  double mauve_scaling_factor = 5;
  std::int64_t seed = 25;
  bool histograms = false;  // what is added are two histograms, once, rather than features
};

struct mauve_result {
  double mauve = 0;              // 0 to 1, higher is closer
  double frontier_integral = 0;  // 0 to 1, lower is closer
  std::vector<std::pair<double, double>> divergence_curve;
  std::vector<double> p_hist, q_hist;
  // The same with half a point more in each cluster (from features only).
  std::optional<double> mauve_star{}, frontier_integral_star{};

  record fields() const {
    std::vector<std::vector<double>> curve;
    for (const auto& [x, y] : divergence_curve) curve.push_back({x, y});
    record out = {{"p_hist", p_hist},
                  {"q_hist", q_hist},
                  {"divergence_curve", std::move(curve)},
                  {"mauve", mauve},
                  {"frontier_integral", frontier_integral}};
    if (mauve_star) out.push_back({"mauve_star", *mauve_star});
    if (frontier_integral_star) out.push_back({"frontier_integral_star", *frontier_integral_star});
    out.push_back({"num_buckets", static_cast<std::int64_t>(p_hist.size())});
    return out;
  }
};

namespace detail {

inline double divergence(std::span<const double> p, std::span<const double> q) {
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (p[i] != 0 && q[i] == 0) return __builtin_inf();
    if (p[i] != 0) sum += p[i] * std::log(p[i] / q[i]);
  }
  return sum;
}
// Under the curve, from left to right; of equal x the larger y comes first.
inline double area(std::vector<std::pair<double, double>> curve) {
  std::sort(curve.begin(), curve.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.second > b.second;
  });
  double sum = 0;
  for (std::size_t i = 1; i < curve.size(); ++i)
    sum += (curve[i].first - curve[i - 1].first) * (curve[i].second + curve[i - 1].second) / 2;
  return sum;
}
inline double frontier_integral(std::span<const double> p, std::span<const double> q) {
  double total = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double a = p[i], b = q[i];
    if (a == 0 || b == 0)
      total += (a + b) / 4;
    else if (std::abs(a - b) > 1e-8)
      total += 0.25 * (a + b) - 0.5 * (a * b * (std::log(a) - std::log(b)) / (a - b));
  }
  return 2 * total;
}

}  // namespace detail

// p of human text, q of generated text; each sums to 1.
inline mauve_result mauve_from_histograms(std::span<const double> p, std::span<const double> q,
                                          const mauve_options& options = {}) {
  if (p.size() != q.size() || p.empty())
    throw option_error("mauve: expected two histograms of the same size, got " +
                       std::to_string(p.size()) + " and " + std::to_string(q.size()));
  if (options.divergence_curve_discretization_size < 2)
    throw option_error("mauve: expected two points of the curve or more");
  const int points = options.divergence_curve_discretization_size;
  const double scale = -options.mauve_scaling_factor;
  mauve_result r;
  r.p_hist.assign(p.begin(), p.end());
  r.q_hist.assign(q.begin(), q.end());
  r.divergence_curve.push_back({1, 0});
  std::vector<double> mixed(p.size());
  const double low = 1e-6, high = 1 - 1e-6, step = (high - low) / (points - 1);
  for (int k = 0; k < points; ++k) {
    const double w = k + 1 == points ? high : k * step + low;  // np.linspace
    for (std::size_t i = 0; i < p.size(); ++i) mixed[i] = w * p[i] + (1 - w) * q[i];
    r.divergence_curve.push_back({std::exp(scale * detail::divergence(q, mixed)),
                                  std::exp(scale * detail::divergence(p, mixed))});
  }
  r.divergence_curve.push_back({0, 1});
  std::vector<std::pair<double, double>> turned;
  for (const auto& [x, y] : r.divergence_curve) turned.push_back({y, x});
  r.mauve = 0.5 * (detail::area(r.divergence_curve) + detail::area(turned));
  r.frontier_integral = detail::frontier_integral(p, q);
  return r;
}

// Of features: p are the predictions, q the references; the two may differ in number.
class mauve {
 public:
  explicit mauve(mauve_options options = {}) : options_(options) {
    if (options_.num_buckets && *options_.num_buckets < 1)
      throw option_error("mauve: num_buckets: expected a number above 0 or auto");
    if (!(options_.kmeans_explained_var > 0 && options_.kmeans_explained_var < 1))
      throw option_error("mauve: kmeans_explained_var: expected a number between 0 and 1");
    if (options_.kmeans_num_redo < 1 || options_.kmeans_max_iter < 1)
      throw option_error("mauve: kmeans_num_redo, kmeans_max_iter: expected numbers above 0");
  }
  static constexpr description describe() {
    return {"mauve",
            "mauve",
            "how close the distribution of the predictions is to that of the references",
            0,
            1,
            true,
            "Pillutla et al. 2021, MAUVE: Measuring the Gap Between Neural Text and Human Text"};
  }
  // All rows have the same size. Throws shape_error or option_error (numbers that are not finite).
  void add_prediction(std::span<const double> features) { push(p_, features); }
  void add_reference(std::span<const double> features) { push(q_, features); }
  void merge(const mauve& other) {
    for (std::size_t i = 0; i < other.p_.count(); ++i)
      add_prediction({other.p_.row(i), other.p_.width});
    for (std::size_t i = 0; i < other.q_.count(); ++i)
      add_reference({other.q_.row(i), other.q_.width});
  }

  mauve_result compute() const {
    if (p_.count() == 0 || q_.count() == 0)
      throw option_error("mauve: expected predictions and references, got " +
                         std::to_string(p_.count()) + " and " + std::to_string(q_.count()));
    if (options_.histograms) {
      if (p_.count() != 1 || q_.count() != 1)
        throw option_error("mauve: expected one histogram of each side, got " +
                           std::to_string(p_.count()) + " and " + std::to_string(q_.count()));
      return mauve_from_histograms({p_.row(0), p_.width}, {q_.row(0), q_.width}, options_);
    }
    const double tenth = static_cast<double>(std::min(p_.count(), q_.count())) / 10;
    const auto buckets = static_cast<std::size_t>(options_.num_buckets.value_or(
        std::max<std::int64_t>(2, static_cast<std::int64_t>(std::nearbyint(tenth)))));
    const std::vector<std::size_t> labels = clusters(buckets);
    const auto histogram = [&](bool of_p, double more) {
      std::vector<double> counts(buckets, more);
      const std::size_t begin = of_p ? q_.count() : 0, end = of_p ? labels.size() : q_.count();
      for (std::size_t i = begin; i < end; ++i) ++counts[labels[i]];
      const double total = static_cast<double>(end - begin) + more * static_cast<double>(buckets);
      for (double& c : counts) c /= total;
      return counts;
    };
    const mauve_result smooth =
        mauve_from_histograms(histogram(true, 0.5), histogram(false, 0.5), options_);
    mauve_result r = mauve_from_histograms(histogram(true, 0), histogram(false, 0), options_);
    r.mauve_star = smooth.mauve;
    r.frontier_integral_star = smooth.frontier_integral;
    return r;
  }

 private:
  void push(detail::rows_of_numbers& to, std::span<const double> row) {
    const std::size_t width = p_.width > 0 ? p_.width : q_.width;
    if (row.empty() || (width > 0 && row.size() != width))
      throw shape_error("mauve: features of row " + std::to_string(to.count() + 1) + ": expected " +
                        (width > 0 ? std::to_string(width) : "some") + " numbers, got " +
                        std::to_string(row.size()));
    for (const double x : row)
      if (!std::isfinite(x)) throw option_error("mauve: a feature is not finite");
    to.width = row.size();
    to.values.insert(to.values.end(), row.begin(), row.end());
  }
  // Of the references, then of the predictions.
  std::vector<std::size_t> clusters(std::size_t buckets) const {
    detail::rows_of_numbers all = q_;
    all.values.insert(all.values.end(), p_.values.begin(), p_.values.end());
    for (std::size_t i = 0; i < all.count(); ++i) {
      const double length = std::sqrt(detail::dot(all.row(i), all.row(i), all.width));
      for (std::size_t k = 0; k < all.width && length > 0; ++k) all.row(i)[k] /= length;
    }
    const detail::rows_of_numbers few =
        detail::project(all, some(all), options_.kmeans_explained_var);
    const std::vector<float> points(few.values.begin(), few.values.end());
    return detail::k_means(
               points, few.width,
               {buckets, options_.kmeans_max_iter, options_.kmeans_num_redo, options_.seed + 2})
        .labels();
  }
  // What the components are found with: all, or rows drawn as RandomState.choice draws them.
  detail::rows_of_numbers some(const detail::rows_of_numbers& all) const {
    const std::size_t n = all.count();
    if (options_.pca_max_data < 0 || static_cast<std::size_t>(options_.pca_max_data) >= n)
      return all;
    if (options_.pca_max_data == 0) throw option_error("mauve: pca_max_data: expected -1 or more");
    std::vector<std::size_t> order(n);
    for (std::size_t i = 0; i < n; ++i) order[i] = i;
    mersenne_twister random(static_cast<std::uint32_t>(options_.seed + 5));
    for (std::size_t i = n - 1; i > 0; --i)
      std::swap(order[i], order[random.below(static_cast<std::uint32_t>(i + 1))]);
    detail::rows_of_numbers out{{}, all.width};
    for (std::size_t i = 0; i < static_cast<std::size_t>(options_.pca_max_data); ++i)
      out.values.insert(out.values.end(), all.row(order[i]), all.row(order[i]) + all.width);
    return out;
  }

  mauve_options options_;
  detail::rows_of_numbers p_, q_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
