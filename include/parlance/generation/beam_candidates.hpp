// SPDX-License-Identifier: Apache-2.0
// The continuations that beams compete with: of (beams x vocabulary) scores the K best, or K drawn
// without replacement from their softmax.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "parlance/core/thread_pool.hpp"
#include "parlance/generation/sampler.hpp"
#include "parlance/kernels/topk.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

struct beam_candidate {
  float score = 0;         // of the beam with the new id
  std::size_t parent = 0;  // which beam it continues
  std::int32_t id = 0;
};

// One beam to continue: its score so far and the processed log-probabilities of the next id.
struct beam_row {
  float score = 0;
  std::span<const float> next;
};

class candidate_selector {
 public:
  // The `count` best continuations, best first; equal ones in order of beam, then id.
  std::vector<beam_candidate>& best(std::span<const beam_row> rows, std::size_t count) {
    if (selectors_.size() < rows.size()) selectors_.resize(rows.size());
    best_.resize(rows.size());
    // Adding the beam's score keeps the order, so it is added to what is selected only.
    parallel_for(static_cast<std::int64_t>(rows.size()), 1, [&](auto begin, auto end) {
      for (auto r = static_cast<std::size_t>(begin); r < static_cast<std::size_t>(end); ++r)
        best_[r] = selectors_[r](rows[r].next, count);
    });
    out_.clear();
    for (std::size_t r = 0; r < rows.size(); ++r)
      for (const kernels::scored_index& c : best_[r])
        out_.push_back({rows[r].score + c.value, r, c.index});
    keep_best(count);
    if (out_.empty() || !std::isfinite(out_[0].score))
      throw numeric_error("the scores of the beams' next tokens are not finite",
                          "set remove_invalid_values, or relax what forbids tokens");
    return out_;
  }

  // `count` continuations one after the other from softmax(scores), none twice: draw j uses the
  // uniform number of step * count + j. The same distribution as torch.multinomial; those that
  // have no probability at all come last, in order.
  std::vector<beam_candidate>& draw(std::span<const beam_row> rows, std::size_t count,
                                    const sampler& random, std::uint64_t step) {
    const std::size_t width = rows[0].next.size();
    count = std::min(count, rows.size() * width);
    fill_weights(rows);
    out_.clear();
    for (std::size_t j = 0; j < count; ++j) {
      const std::size_t at = pick(random.uniform(step * count + j));
      weights_[at] = drawn;
      sums_[at / block] = block_sum(at / block);
      const std::size_t row = at / width, id = at % width;
      out_.push_back({rows[row].score + rows[row].next[id], row, static_cast<std::int32_t>(id)});
    }
    return out_;
  }

 private:
  static constexpr float drawn = -1;
  static constexpr std::size_t block = 512;

  void keep_best(std::size_t count) {
    const auto before = [](const beam_candidate& a, const beam_candidate& b) {
      const std::uint32_t ka = kernels::order_key(a.score), kb = kernels::order_key(b.score);
      if (ka != kb) return ka > kb;
      return a.parent != b.parent ? a.parent < b.parent : a.id < b.id;
    };
    count = std::min(count, out_.size());
    std::partial_sort(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(count), out_.end(),
                      before);
    out_.resize(count);
  }

  void fill_weights(std::span<const beam_row> rows) {
    weights_.clear();
    for (const beam_row& row : rows)
      for (const float x : row.next) weights_.push_back(row.score + x);
    const float max = kernels::max_value(weights_);
    if (!std::isfinite(max))
      throw numeric_error("the scores of the beams' next tokens are not finite",
                          "set remove_invalid_values, or relax what forbids tokens");
    kernels::exp_shifted(weights_, max, weights_);
    sums_.resize((weights_.size() + block - 1) / block);
    for (std::size_t b = 0; b < sums_.size(); ++b) sums_[b] = block_sum(b);
  }
  std::span<const float> block_of(std::size_t b) const {
    return std::span(weights_).subspan(b * block, std::min(block, weights_.size() - b * block));
  }
  double block_sum(std::size_t b) const {
    double sum = 0;
    for (const float w : block_of(b)) sum += w > 0 ? w : 0;
    return sum;
  }

  // Where the running sum of the weights passes `uniform` times their total; whole blocks that lie
  // before it are passed over.
  std::size_t pick(double uniform) const {
    double left = uniform * std::accumulate(sums_.begin(), sums_.end(), 0.0);
    for (std::size_t b = 0; b < sums_.size(); ++b) {
      if (left >= sums_[b]) {
        left -= sums_[b];
        continue;
      }
      const std::span<const float> weights = block_of(b);
      for (std::size_t i = 0; i < weights.size(); ++i)
        if (weights[i] > 0 && (left -= weights[i]) < 0) return b * block + i;
    }
    // Rounding left something over, or nothing has a probability.
    const auto last =
        std::find_if(weights_.rbegin(), weights_.rend(), [](float w) { return w > 0; });
    const auto at = last != weights_.rend() ? last.base() - 1 : std::ranges::find(weights_, 0.0f);
    return static_cast<std::size_t>(at - weights_.begin());
  }

  std::vector<kernels::top_k_selector> selectors_;
  std::vector<std::span<const kernels::scored_index>> best_;
  std::vector<beam_candidate> out_;
  std::vector<float> weights_;
  std::vector<double> sums_;  // of the weights, block by block
};

}  // namespace parlance::inline PARLANCE_ABI::generation
