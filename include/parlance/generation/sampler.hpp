// SPDX-License-Identifier: Apache-2.0
// Choosing the next id: the greatest score, or one drawn from the softmax of the scores. A draw is
// a pure function of (seed, sequence, step) and the scores, so it depends neither on threads nor on
// what else is in the batch. Log-probabilities come from whichever scores they are given: pass
// the model's raw logits for what the model believes, processed scores for what was drawn from.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "parlance/core/error.hpp"
#include "parlance/core/random.hpp"
#include "parlance/kernels/topk.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

// Scores that leave nothing to choose: NaN, +inf, or -inf throughout.
class numeric_error : public error {
 public:
  explicit numeric_error(const std::string& what, std::string hint = {})
      : error("numeric", what, std::move(hint)) {}
};

// The first of the greatest scores, as torch.argmax.
inline std::int32_t greedy(std::span<const float> scores) {
  if (scores.empty()) throw numeric_error("no scores to choose from");
  return static_cast<std::int32_t>(kernels::argmax(scores));
}

// Draws ids for one sequence.
class sampler {
 public:
  explicit sampler(std::uint64_t seed = 0, std::uint64_t sequence = 0) : random_(seed, sequence) {}

  // The uniform number in [0, 1), with 53 bits, that step `step` draws with.
  double uniform(std::uint64_t step) const {
    rng random = random_;
    random.seek(2 * step);
    return random.uniform53();
  }

  std::int32_t operator()(std::span<const float> scores, std::uint64_t step) {
    const float max = kernels::max_value(scores);
    if (!std::isfinite(max))
      throw numeric_error("the scores of the next token are not finite",
                          "set remove_invalid_values, or relax what forbids tokens");
    weights_.resize(scores.size());
    const double total = kernels::exp_shifted(scores, max, weights_);
    double left = uniform(step) * total;
    std::size_t last = 0;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      if (weights_[i] == 0) continue;
      last = i;
      if ((left -= weights_[i]) < 0) break;
    }
    return static_cast<std::int32_t>(last);
  }

 private:
  rng random_;
  std::vector<float> weights_;
};

struct token_logprob {
  std::int32_t id = 0;
  float logprob = 0;
};

// One chosen id and the best alternatives (which may include it), best first.
struct token_choice {
  token_logprob chosen;
  std::vector<token_logprob> top;
};

inline token_choice logprobs_of(std::span<const float> scores, std::int32_t chosen,
                                std::size_t top) {
  const double total = kernels::logsumexp(scores);
  const auto logprob = [&](float score) { return static_cast<float>(score - total); };
  if (chosen < 0 || static_cast<std::size_t>(chosen) >= scores.size())
    throw option_error("logprobs: id " + std::to_string(chosen) + " is outside the vocabulary of " +
                       std::to_string(scores.size()));
  token_choice out{{chosen, logprob(scores[static_cast<std::size_t>(chosen)])}, {}};
  if (top == 0) return out;
  for (const auto& [score, id] : kernels::top_k(scores, top))
    out.top.push_back({id, logprob(score)});
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::generation
