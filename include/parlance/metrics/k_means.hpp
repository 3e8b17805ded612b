// SPDX-License-Identifier: Apache-2.0
// Lloyd's k-means with the choices of faiss 1.15 (faiss/Clustering.cpp): the same random starts,
// the same sums in single precision, the same splitting of large clusters in place of empty ones.
// Distances are sums in another order than there, so nearly equal ones may fall out differently.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "parlance/core/error.hpp"
#include "parlance/metrics/numpy_random.hpp"

namespace parlance::inline PARLANCE_ABI::metrics::detail {

class k_means {
 public:
  struct settings {
    std::size_t clusters = 2;
    int iterations = 25, redo = 1;
    std::int64_t seed = 1234;
  };
  // Points of `width` numbers each, one after another.
  k_means(const std::vector<float>& points, std::size_t width, const settings& s)
      : points_(points), width_(width), settings_(s), k_(s.clusters) {
    const std::size_t all = points.size() / width;
    if (all < k_)
      throw option_error("k-means: " + std::to_string(k_) + " clusters of " + std::to_string(all) +
                         " points");
    constexpr std::size_t most_per_cluster = 256;
    const std::size_t used = std::min(all, k_ * most_per_cluster);
    for (const std::size_t i : permutation(all, s.seed)) sample_.push_back(i);
    if (used == all)
      for (std::size_t i = 0; i < all; ++i) sample_[i] = i;
    sample_.resize(used);
    if (used == k_) {
      centres_ = points;
      return;
    }
    double best = __builtin_inf();
    for (int round = 0; round < s.redo; ++round) {
      std::vector<float> centres = start(s.seed + 1 + round * std::int64_t{15486557});
      const double objective = improve(centres);
      if (objective < best) best = objective, centres_ = std::move(centres);
    }
  }

  // The cluster of each point.
  std::vector<std::size_t> labels() const {
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < points_.size() / width_; ++i)
      out.push_back(nearest(i, centres_).first);
    return out;
  }

 private:
  static std::vector<std::size_t> permutation(std::size_t n, std::int64_t seed) {
    mersenne_twister random(static_cast<std::uint32_t>(seed));
    std::vector<std::size_t> order(n);
    for (std::size_t i = 0; i < n; ++i) order[i] = i;
    for (std::size_t i = 0; i + 1 < n; ++i) std::swap(order[i], order[i + random() % (n - i)]);
    return order;
  }
  std::vector<float> start(std::int64_t seed) const {
    const std::vector<std::size_t> order = permutation(sample_.size(), seed);
    std::vector<float> centres;
    for (std::size_t c = 0; c < k_; ++c) {
      const float* p = points_.data() + sample_[order[c]] * width_;
      centres.insert(centres.end(), p, p + width_);
    }
    return centres;
  }
  std::pair<std::size_t, double> nearest(std::size_t point,
                                         const std::vector<float>& centres) const {
    const float* const x = points_.data() + point * width_;
    std::pair<std::size_t, double> best{0, __builtin_inf()};
    for (std::size_t c = 0; c < k_; ++c) {
      const float* const y = centres.data() + c * width_;
      double sum = 0;
      for (std::size_t i = 0; i < width_ && sum < best.second; i += 16)
        for (std::size_t j = i; j < std::min(width_, i + 16); ++j)
          sum += (static_cast<double>(x[j]) - y[j]) * (static_cast<double>(x[j]) - y[j]);
      if (sum < best.second) best = {c, sum};
    }
    return best;
  }
  // Returns the sum of squared distances.
  double improve(std::vector<float>& centres) const {
    std::vector<std::size_t> now(sample_.size()), before;
    double objective = 0;
    bool moved = true;  // by splitting
    for (int i = 0; i < settings_.iterations; ++i) {
      objective = 0;
      for (std::size_t p = 0; p < sample_.size(); ++p) {
        const auto [cluster, distance] = nearest(sample_[p], centres);
        now[p] = cluster;
        objective += distance;
      }
      if (!moved && now == before) break;  // nothing changes any more
      std::vector<float> sizes = means(now, centres);
      moved = split_for_empty(sizes, centres);
      before = now;
    }
    return objective;
  }
  std::vector<float> means(const std::vector<std::size_t>& clusters,
                           std::vector<float>& centres) const {
    std::vector<float> sizes(k_, 0.0f);
    std::fill(centres.begin(), centres.end(), 0.0f);
    for (std::size_t p = 0; p < clusters.size(); ++p) {
      ++sizes[clusters[p]];
      const float* const x = points_.data() + sample_[p] * width_;
      float* const c = centres.data() + clusters[p] * width_;
      for (std::size_t j = 0; j < width_; ++j) c[j] += x[j];
    }
    for (std::size_t c = 0; c < k_; ++c)
      for (std::size_t j = 0; j < width_ && sizes[c] > 0; ++j)
        centres[c * width_ + j] *= 1 / sizes[c];
    return sizes;
  }
  bool split_for_empty(std::vector<float>& sizes, std::vector<float>& centres) const {
    mersenne_twister random(1234);
    bool any = false;
    for (std::size_t empty = 0; empty < k_; ++empty) {
      if (sizes[empty] != 0) continue;
      any = true;
      std::size_t large = 0;
      for (;; large = (large + 1) % k_) {
        const float chance = (sizes[large] - 1.0f) / static_cast<float>(sample_.size() - k_);
        if (static_cast<float>(random()) / static_cast<float>(0xFFFFFFFFu) < chance) break;
      }
      for (std::size_t j = 0; j < width_; ++j) {
        const double nudge = (j % 2 == 0 ? 1.0 : -1.0) / 1024;
        float& from = centres[large * width_ + j];
        centres[empty * width_ + j] = static_cast<float>(from * (1 + nudge));
        from = static_cast<float>(from * (1 - nudge));
      }
      sizes[empty] = sizes[large] / 2;
      sizes[large] -= sizes[empty];
    }
    return any;
  }

  const std::vector<float>& points_;
  std::size_t width_;
  settings settings_;
  std::size_t k_;
  std::vector<std::size_t> sample_;
  std::vector<float> centres_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics::detail
