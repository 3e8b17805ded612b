// SPDX-License-Identifier: Apache-2.0
// MAUVE (Pillutla et al. 2021) from two histograms over the same clusters (mauve-text 0.4.0,
// compute_mauve.py): how close the distribution of generated text is to that of human text. Making
// the clusters from features (PCA and k-means of faiss) is not done here.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "parlance/core/error.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

struct mauve_options {
  double scaling_factor = 5;
  int points = 25;  // of the divergence curve, without its ends
};

struct mauve_result {
  double mauve = 0;              // 0 to 1, higher is closer
  double frontier_integral = 0;  // 0 to 1, lower is closer
  std::vector<std::pair<double, double>> divergence_curve;
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
  if (options.points < 2) throw option_error("mauve: expected two points or more");
  mauve_result r;
  r.divergence_curve.push_back({1, 0});
  std::vector<double> mixed(p.size());
  const double low = 1e-6, high = 1 - 1e-6;
  for (int k = 0; k < options.points; ++k) {
    const double w = low + (high - low) * k / (options.points - 1);
    for (std::size_t i = 0; i < p.size(); ++i) mixed[i] = w * p[i] + (1 - w) * q[i];
    r.divergence_curve.push_back(
        {std::exp(-options.scaling_factor * detail::divergence(q, mixed)),
         std::exp(-options.scaling_factor * detail::divergence(p, mixed))});
  }
  r.divergence_curve.push_back({0, 1});
  std::vector<std::pair<double, double>> turned;
  for (const auto& [x, y] : r.divergence_curve) turned.push_back({y, x});
  r.mauve = 0.5 * (detail::area(r.divergence_curve) + detail::area(turned));
  r.frontier_integral = detail::frontier_integral(p, q);
  return r;
}

}  // namespace parlance::inline PARLANCE_ABI::metrics
