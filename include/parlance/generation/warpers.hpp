// SPDX-License-Identifier: Apache-2.0
// Logits processors for sampling: temperature and the truncations top-k, top-p, min-p, typical,
// epsilon and eta. A truncation sets what it drops to -inf. Every one looks only at the finite
// scores, so after top-k the rest is cheap; thresholds that the original finds by sorting the whole
// vocabulary come from weighted quickselect in linear time.
// Source: transformers 4.57.6 generation/logits_process.py. Among equal scores at a border the
// original's choice depends on an unstable sort; here the lower id goes first.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "parlance/generation/penalties.hpp"
#include "parlance/kernels/topk.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

namespace detail {

// The finite scores of a row with their probabilities.
class candidate_set {
 public:
  // False when there is nothing to choose from: no finite score, or a NaN or +inf.
  bool gather(std::span<const float> logits) {
    scores_.clear();
    ids_.clear();
    for (std::size_t i = 0; i < logits.size(); ++i) {
      if (logits[i] == minus_infinity) continue;
      scores_.push_back(logits[i]);
      ids_.push_back(static_cast<std::int32_t>(i));
    }
    max_ = kernels::max_value(scores_);
    if (!std::isfinite(max_)) return false;
    probabilities_.resize(scores_.size());
    const double sum = kernels::exp_shifted(scores_, max_, probabilities_);
    log_sum_ = std::log(sum);
    const float scale = static_cast<float>(1 / sum);
    for (float& p : probabilities_) p *= scale;
    return true;
  }
  std::size_t size() const { return scores_.size(); }
  std::int32_t id(std::size_t i) const { return ids_[i]; }
  float score(std::size_t i) const { return scores_[i]; }
  float probability(std::size_t i) const { return probabilities_[i]; }
  float log_probability(std::size_t i) const {
    return static_cast<float>(scores_[i] - max_ - log_sum_);
  }
  float entropy() const {
    double sum = 0;
    for (std::size_t i = 0; i < size(); ++i)
      if (probabilities_[i] > 0) sum -= probabilities_[i] * log_probability(i);
    return static_cast<float>(sum);
  }
  // The least score among the `keep` best; -inf when there are not more than that.
  float kept_score(std::size_t keep) {
    if (keep >= size()) return minus_infinity;
    return keep == 1 ? max_ : selector_.kth(scores_, keep);
  }
  const std::vector<float>& scores() const { return scores_; }
  kernels::top_k_selector& selector() { return selector_; }

 private:
  std::vector<float> scores_, probabilities_;
  std::vector<std::int32_t> ids_;
  kernels::top_k_selector selector_;
  float max_ = 0;
  double log_sum_ = 0;
};

struct weighted_item {
  float key = 0;
  std::uint32_t index = 0;
  float weight = 0;
};

inline bool item_before(const weighted_item& a, const weighted_item& b) {
  return a.key != b.key ? a.key < b.key : a.index < b.index;
}

// Orders `items` by (key, index) as far as needed and returns the first position whose cumulated
// weight passes: reached(sum) is monotone. items.size() if none does.
template <class Reached>
std::size_t weighted_select(std::span<weighted_item> items, Reached reached) {
  constexpr std::size_t small = 48;
  std::size_t low = 0, high = items.size();
  double below = 0;
  const auto at = [&](std::size_t i) { return items.begin() + static_cast<std::ptrdiff_t>(i); };
  while (high - low > small) {
    const std::size_t middle = low + (high - low) / 2;
    std::nth_element(at(low), at(middle), at(high), item_before);
    double sum = below;
    for (std::size_t i = low; i < middle; ++i) sum += items[i].weight;
    if (reached(sum)) {
      high = middle;
    } else {
      low = middle;
      below = sum;
    }
  }
  std::sort(at(low), at(high), item_before);
  for (std::size_t i = low; i < high; ++i)
    if (reached(below += items[i].weight)) return i;
  return high;
}

}  // namespace detail

class temperature_warper {
 public:
  explicit temperature_warper(double temperature) : temperature_(static_cast<float>(temperature)) {}
  void operator()(std::span<const std::int32_t>, std::span<float> logits) const {
    for (float& score : logits) score /= temperature_;
  }

 private:
  float temperature_;
};

// Keeps the k best and everything equal to the worst of them.
class top_k_warper {
 public:
  explicit top_k_warper(std::int64_t k, std::size_t min_tokens_to_keep = 1)
      : k_(std::max(static_cast<std::size_t>(k), min_tokens_to_keep)) {}
  void operator()(std::span<const std::int32_t>, std::span<float> logits) {
    if (k_ >= logits.size()) return;
    const float worst = select_.kth(logits, k_);
    for (float& score : logits) score = score < worst ? minus_infinity : score;
  }

 private:
  std::size_t k_;
  kernels::top_k_selector select_;
};

// Drops the least likely ids as long as their mass stays within 1 - p.
class top_p_warper {
 public:
  explicit top_p_warper(double p, std::size_t min_tokens_to_keep = 1)
      : dropped_mass_(static_cast<float>(1 - p)), keep_(min_tokens_to_keep) {}
  void operator()(std::span<const std::int32_t>, std::span<float> logits) {
    if (!set_.gather(logits)) return;
    items_.clear();
    for (std::size_t i = 0; i < set_.size(); ++i)
      items_.push_back({set_.score(i), static_cast<std::uint32_t>(i), set_.probability(i)});
    std::size_t border = detail::weighted_select(
        std::span(items_), [&](double sum) { return static_cast<float>(sum) > dropped_mass_; });
    if (const std::size_t most = items_.size() - std::min(keep_, items_.size()); border > most) {
      border = most;
      std::nth_element(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(border),
                       items_.end(), detail::item_before);
    }
    for (std::size_t i = 0; i < border; ++i)
      logits[static_cast<std::size_t>(set_.id(items_[i].index))] = minus_infinity;
  }

 private:
  float dropped_mass_;
  std::size_t keep_;
  detail::candidate_set set_;
  std::vector<detail::weighted_item> items_;
};

// Drops ids less likely than a fraction of the likeliest; Nguyen et al. 2024.
class min_p_warper {
 public:
  explicit min_p_warper(double p, std::size_t min_tokens_to_keep = 1)
      : p_(static_cast<float>(p)), keep_(min_tokens_to_keep) {}
  void operator()(std::span<const std::int32_t>, std::span<float> logits) {
    if (!set_.gather(logits)) return;
    const auto best = set_.selector()(set_.scores(), std::max<std::size_t>(keep_, 1));
    const float threshold = p_ * set_.probability(static_cast<std::size_t>(best[0].index));
    const auto last_kept = best.back();
    for (std::size_t i = 0; i < set_.size(); ++i) {
      const float score = set_.score(i);
      const bool among_best =
          score > last_kept.value ||
          (score == last_kept.value && static_cast<std::int32_t>(i) <= last_kept.index);
      if (set_.probability(i) < threshold && !among_best)
        logits[static_cast<std::size_t>(set_.id(i))] = minus_infinity;
    }
  }

 private:
  float p_;
  std::size_t keep_;
  detail::candidate_set set_;
};

// Keeps the ids whose surprise is closest to the expected one, up to a mass; Meister et al. 2022.
class typical_warper {
 public:
  explicit typical_warper(double mass, std::size_t min_tokens_to_keep = 1)
      : mass_(static_cast<float>(mass)), keep_(min_tokens_to_keep) {}
  void operator()(std::span<const std::int32_t>, std::span<float> logits) {
    if (!set_.gather(logits)) return;
    const float entropy = set_.entropy();
    items_.clear();
    for (std::size_t i = 0; i < set_.size(); ++i)
      items_.push_back({std::abs(-set_.log_probability(i) - entropy), static_cast<std::uint32_t>(i),
                        set_.probability(i)});
    const std::size_t border = detail::weighted_select(
        std::span(items_), [&](double sum) { return static_cast<float>(sum) >= mass_; });
    if (border == items_.size()) return;
    const float farthest = items_[border].key;
    const std::size_t keep = std::min(keep_, items_.size());
    if (keep > 0)
      std::nth_element(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(keep - 1),
                       items_.end(), detail::item_before);
    for (std::size_t i = keep; i < items_.size(); ++i)
      if (items_[i].key > farthest)
        logits[static_cast<std::size_t>(set_.id(items_[i].index))] = minus_infinity;
  }

 private:
  float mass_;
  std::size_t keep_;
  detail::candidate_set set_;
  std::vector<detail::weighted_item> items_;
};

// Drops ids less likely than epsilon, or, as `eta`, than min(epsilon, sqrt(epsilon) exp(-entropy));
// Hewitt et al. 2022.
class epsilon_warper {
 public:
  enum class rule { epsilon, eta };
  explicit epsilon_warper(double epsilon, std::size_t min_tokens_to_keep = 1,
                          rule kind = rule::epsilon)
      : epsilon_(static_cast<float>(epsilon)), keep_(min_tokens_to_keep), kind_(kind) {}
  void operator()(std::span<const std::int32_t>, std::span<float> logits) {
    if (!set_.gather(logits)) return;
    float threshold = epsilon_;
    if (kind_ == rule::eta)
      threshold = std::min(epsilon_, std::sqrt(epsilon_) * std::exp(-set_.entropy()));
    const float kept = set_.kept_score(keep_);
    for (std::size_t i = 0; i < set_.size(); ++i)
      if (set_.probability(i) < threshold && set_.score(i) < kept)
        logits[static_cast<std::size_t>(set_.id(i))] = minus_infinity;
  }

 private:
  float epsilon_;
  std::size_t keep_;
  rule kind_;
  detail::candidate_set set_;
};

}  // namespace parlance::inline PARLANCE_ABI::generation
