// SPDX-License-Identifier: Apache-2.0
// Logits processors that move scores: repetition penalties, biases on sequences, the growing end
// bias, removal of infinities, log-softmax. Each is a callable over (ids so far, scores in place)
// that keeps no state between calls except memory, so one object serves any sequence.
// Source: transformers 4.57.6 generation/logits_process.py.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "parlance/generation/option_types.hpp"
#include "parlance/kernels/topk.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

inline constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

namespace detail {

inline bool in_vocabulary(std::int32_t id, std::span<const float> logits) {
  return id >= 0 && static_cast<std::size_t>(id) < logits.size();
}

inline void require_in_vocabulary(std::int32_t id, std::span<const float> logits,
                                  const char* option) {
  if (!in_vocabulary(id, logits))
    throw option_error(std::string(option) + ": id " + std::to_string(id) +
                       " is outside the vocabulary of " + std::to_string(logits.size()));
}

// The set of ids met in one call, emptied in constant time.
class id_marks {
 public:
  void start(std::size_t vocabulary) {
    if (marks_.size() < vocabulary) marks_.resize(vocabulary, 0);
    if (++epoch_ == 0) {
      std::fill(marks_.begin(), marks_.end(), 0);
      epoch_ = 1;
    }
  }
  // True the first time that `id` is seen since start().
  bool insert(std::int32_t id) {
    return std::exchange(marks_[static_cast<std::size_t>(id)], epoch_) != epoch_;
  }

 private:
  std::vector<std::uint32_t> marks_;
  std::uint32_t epoch_ = 0;
};

// One penalty for each distinct id.
inline void penalise(std::span<const std::int32_t> ids, std::span<float> logits, float penalty,
                     id_marks& seen) {
  seen.start(logits.size());
  for (const std::int32_t id : ids) {
    if (!in_vocabulary(id, logits) || !seen.insert(id)) continue;
    float& score = logits[static_cast<std::size_t>(id)];
    score = score < 0 ? score * penalty : score / penalty;
  }
}

}  // namespace detail

// Makes every id seen so far (prompt included) less likely; CTRL, Keskar et al. 2019.
class repetition_penalty {
 public:
  explicit repetition_penalty(double penalty) : penalty_(static_cast<float>(penalty)) {}
  void operator()(std::span<const std::int32_t> ids, std::span<float> logits) {
    detail::penalise(ids, logits, penalty_, seen_);
  }

 private:
  float penalty_;
  detail::id_marks seen_;
};

// Makes the ids of the encoder's input (or of the prompt) more likely: less hallucination.
class encoder_repetition_penalty {
 public:
  encoder_repetition_penalty(double penalty, std::span<const std::int32_t> encoder_ids)
      : penalty_(static_cast<float>(1 / penalty)),
        encoder_ids_(encoder_ids.begin(), encoder_ids.end()) {}
  void operator()(std::span<const std::int32_t>, std::span<float> logits) {
    detail::penalise(encoder_ids_, logits, penalty_, seen_);
  }

 private:
  float penalty_;
  std::vector<std::int32_t> encoder_ids_;
  detail::id_marks seen_;
};

// Makes what other groups of beams chose in this step less likely, once for each beam that chose
// it; Vijayakumar et al. 2016. The list belongs to the search and outlives this.
class diversity_penalty {
 public:
  diversity_penalty(double penalty, const std::vector<std::int32_t>& chosen)
      : penalty_(static_cast<float>(penalty)), chosen_(&chosen) {}
  void operator()(std::span<const std::int32_t>, std::span<float> logits) const {
    for (std::size_t i = 0; i < chosen_->size(); ++i) {
      const std::int32_t id = (*chosen_)[i];
      const auto before = chosen_->begin() + static_cast<std::ptrdiff_t>(i);
      if (!detail::in_vocabulary(id, logits) || std::find(chosen_->begin(), before, id) != before)
        continue;
      const auto count = std::count(before, chosen_->end(), id);
      logits[static_cast<std::size_t>(id)] -= penalty_ * static_cast<float>(count);
    }
  }

 private:
  float penalty_;
  const std::vector<std::int32_t>* chosen_;
};

// Adds a bias to the last id of each sequence whose earlier ids end the ids so far.
class sequence_bias_processor {
 public:
  explicit sequence_bias_processor(const sequence_biases& biases,
                                   const char* option = "sequence_bias")
      : option_(option) {
    std::map<std::vector<std::int32_t>, float> last_given;  // as in a dict, the last one wins
    for (const auto& each : biases) last_given[each.ids] = each.bias;
    for (const auto& each : biases) {
      const auto at = last_given.find(each.ids);
      if (at == last_given.end() || each.ids.empty()) continue;
      biases_.push_back({each.ids, at->second});
      last_given.erase(at);
    }
    const auto order = [](const biased_sequence& a, const biased_sequence& b) {
      return std::pair(a.ids.back(), a.ids.size() > 1) < std::pair(b.ids.back(), b.ids.size() > 1);
    };
    std::stable_sort(biases_.begin(), biases_.end(), order);
  }

  void operator()(std::span<const std::int32_t> ids, std::span<float> logits) const {
    for (std::size_t i = 0; i < biases_.size();) {
      const std::int32_t target = biases_[i].ids.back();
      float bias = 0;
      bool touched = false;
      for (; i < biases_.size() && biases_[i].ids.back() == target; ++i) {
        check(biases_[i].ids, logits);
        if (!applies(biases_[i].ids, ids)) continue;
        bias += biases_[i].bias;
        touched = true;
      }
      if (touched) logits[static_cast<std::size_t>(target)] += bias;
    }
  }

 private:
  // A sequence as long as the ids or longer never applies, even if its prefix would fit: so the
  // original.
  static bool applies(const std::vector<std::int32_t>& sequence,
                      std::span<const std::int32_t> ids) {
    const std::size_t prefix = sequence.size() - 1;
    if (prefix == 0) return true;
    return sequence.size() <= ids.size() &&
           std::equal(sequence.begin(), sequence.end() - 1, ids.end() - static_cast<int>(prefix));
  }
  void check(const std::vector<std::int32_t>& sequence, std::span<const float> logits) const {
    for (const std::int32_t id : sequence) detail::require_in_vocabulary(id, logits, option_);
  }

  const char* option_;
  std::vector<biased_sequence> biases_;
};

// From some length on, the end-of-sequence scores grow exponentially. A score of -inf stays (the
// original makes it NaN).
class exponential_decay {
 public:
  exponential_decay(length_decay decay, token_ids eos, std::size_t prompt_length)
      : start_(decay.start + static_cast<std::int64_t>(prompt_length)),
        factor_(decay.factor),
        eos_(std::move(eos)) {}
  void operator()(std::span<const std::int32_t> ids, std::span<float> logits) const {
    const auto length = static_cast<std::int64_t>(ids.size());
    if (length <= start_) return;
    const double growth = std::pow(factor_, static_cast<double>(length - start_)) - 1;
    for (const std::int32_t id : eos_) {
      if (!detail::in_vocabulary(id, logits)) continue;
      float& score = logits[static_cast<std::size_t>(id)];
      if (score != minus_infinity) score += std::abs(score) * static_cast<float>(growth);
    }
  }

 private:
  std::int64_t start_;
  double factor_;
  token_ids eos_;
};

// NaN becomes 0, infinities the greatest and least finite values.
struct remove_invalid {
  void operator()(std::span<const std::int32_t>, std::span<float> logits) const {
    constexpr float most = std::numeric_limits<float>::max();
    for (float& score : logits) score = score != score ? 0 : std::clamp(score, -most, most);
  }
};

struct renormalize {
  void operator()(std::span<const std::int32_t>, std::span<float> logits) const {
    const float most = kernels::max_value(logits);
    if (std::isfinite(most))  // the greatest may be the greatest float there is
      for (float& score : logits) score -= most;
    kernels::log_softmax(logits);
  }
};

}  // namespace parlance::inline PARLANCE_ABI::generation
