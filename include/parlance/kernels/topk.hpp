// SPDX-License-Identifier: Apache-2.0
// Selection and normalisation over one row of scores: argmax, the k best, softmax, log-softmax.
// Plain loops in fixed-size blocks that compilers vectorise, or in their vectors; no intrinsics,
// and the same bits on every processor. NaN counts as the greatest value, as in torch, so
// selections stay well defined on any input.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "parlance/kernels/isa.hpp"

#define PARLANCE_WIDTH narrow
#define PARLANCE_VECTOR 16
#include "parlance/kernels/impl/score_rows.inl"
#undef PARLANCE_WIDTH
#undef PARLANCE_VECTOR
#if defined(PARLANCE_X86)
PARLANCE_TARGET_BEGIN("avx2")
#define PARLANCE_WIDTH wide
#define PARLANCE_VECTOR 32
#include "parlance/kernels/impl/score_rows.inl"
#undef PARLANCE_WIDTH
#undef PARLANCE_VECTOR
PARLANCE_TARGET_END
#endif

namespace parlance::inline PARLANCE_ABI::kernels {

// Unsigned keys in the order of the floats: -inf ... +inf, NaN; -0 equals +0.
constexpr std::uint32_t order_key(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x + 0.0f);
  const std::uint32_t key = bits >> 31 ? ~bits : bits | 0x80000000u;
  return x != x ? 0xFFFFFFFFu : key;
}

// exp(x) for x <= 0, within 2 units in the last place of a float: 0 below -87.
constexpr float exp_nonpositive(float x) {
  return narrow::exp_nonpositive<float, std::uint32_t>(x);
}

// The greatest value; NaN if there is one; -inf for no values.
inline float max_value(std::span<const float> x) {
  constexpr std::size_t lanes = 16;
  std::array<float, lanes> best;
  best.fill(-std::numeric_limits<float>::infinity());
  bool nan = false;
  std::size_t i = 0;
  for (; i + lanes <= x.size(); i += lanes) {
    unsigned bad = 0;
    for (std::size_t j = 0; j < lanes; ++j) {
      const float v = x[i + j];
      best[j] = v > best[j] ? v : best[j];
      bad |= v != v;
    }
    nan = nan || bad;
  }
  float result = *std::max_element(best.begin(), best.end());
  for (; i < x.size(); ++i) {
    result = x[i] > result ? x[i] : result;
    nan = nan || x[i] != x[i];
  }
  return nan ? std::numeric_limits<float>::quiet_NaN() : result;
}

// Index of the first greatest value (or of the first NaN); -1 for no values.
inline std::int64_t argmax(std::span<const float> x) {
  const float best = max_value(x);
  for (std::size_t i = 0; i < x.size(); ++i)
    if (x[i] == best || (best != best && x[i] != x[i])) return static_cast<std::int64_t>(i);
  return -1;
}

struct scored_index {
  float value = 0;
  std::int32_t index = 0;
};

// Selects the k greatest values of a row, keeping its memory between calls.
class top_k_selector {
 public:
  // The k greatest, best first; equal values in order of index. Valid until the next call.
  std::span<const scored_index> operator()(std::span<const float> x, std::size_t k) {
    k = std::min(k, x.size());
    best_.clear();
    if (k == 0) return best_;
    if (k > heap_limit) {
      select_by_partition(x, k);
    } else {
      select_by_heap(x, k);
    }
    return best_;
  }
  // The k-th greatest value; 0 < k <= x.size().
  float kth(std::span<const float> x, std::size_t k) { return (*this)(x, k).back().value; }

 private:
  static constexpr std::size_t heap_limit = 1024;
  static bool before(const scored_index& a, const scored_index& b) {
    const std::uint32_t ka = order_key(a.value), kb = order_key(b.value);
    return ka != kb ? ka > kb : a.index < b.index;
  }
  void select_by_heap(std::span<const float> x, std::size_t k) {
    std::size_t i = 0;
    for (; i < k; ++i) best_.push_back({x[i], static_cast<std::int32_t>(i)});
    std::make_heap(best_.begin(), best_.end(), before);
    constexpr std::size_t block = 16;
    while (i < x.size()) {
      const float worst = best_.front().value;
      if (i + block <= x.size()) {  // a whole block that cannot enter is the common case
        unsigned any = 0;
        for (std::size_t j = 0; j < block; ++j) any |= !(x[i + j] <= worst);
        if (!any) {
          i += block;
          continue;
        }
      }
      for (const std::size_t end = std::min(x.size(), i + block); i < end; ++i)
        offer({x[i], static_cast<std::int32_t>(i)});
    }
    std::sort_heap(best_.begin(), best_.end(), before);
  }
  void offer(scored_index candidate) {
    if (!before(candidate, best_.front())) return;
    std::pop_heap(best_.begin(), best_.end(), before);
    best_.back() = candidate;
    std::push_heap(best_.begin(), best_.end(), before);
  }
  void select_by_partition(std::span<const float> x, std::size_t k) {
    for (std::size_t i = 0; i < x.size(); ++i)
      best_.push_back({x[i], static_cast<std::int32_t>(i)});
    const auto middle = best_.begin() + static_cast<std::ptrdiff_t>(k);
    std::nth_element(best_.begin(), middle - 1, best_.end(), before);
    best_.erase(middle, best_.end());
    std::sort(best_.begin(), best_.end(), before);
  }

  std::vector<scored_index> best_;
};

inline std::vector<scored_index> top_k(std::span<const float> x, std::size_t k) {
  top_k_selector select;
  const auto best = select(x, k);
  return {best.begin(), best.end()};
}

// out[i] = exp(x[i] - max), and their sum in double; `max` is at least every x[i]. `out` may be x.
inline double exp_shifted(std::span<const float> x, float max, std::span<float> out) {
  std::size_t i = x.size() / 16 * 16;
  auto* kernel = &narrow::exp_shifted;
#if defined(PARLANCE_X86)
  if (cpu().level != isa::base) kernel = &wide::exp_shifted;
#endif
  double sum = kernel(x.data(), i, max, out.data());
  for (; i < x.size(); ++i) sum += out[i] = exp_nonpositive(x[i] - max);
  return sum;
}

// log(sum(exp(x))); NaN if any value is, +-inf where the greatest value is.
inline double logsumexp(std::span<const float> x) {
  const float max = max_value(x);
  if (!std::isfinite(max)) return max;
  constexpr std::size_t block = 256;
  std::array<float, block> part;
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); i += block)
    sum += exp_shifted(x.subspan(i, std::min(block, x.size() - i)), max, part);
  return max + std::log(sum);
}

// x - logsumexp(x) in place. A row of -inf alone becomes NaN, as in torch.
inline void log_softmax(std::span<float> x) {
  const double total = logsumexp(x);
  std::size_t i = x.size() / 16 * 16;
  auto* kernel = &narrow::subtract;
#if defined(PARLANCE_X86)
  if (cpu().level != isa::base) kernel = &wide::subtract;
#endif
  kernel(x.data(), i, total);
  for (; i < x.size(); ++i) x[i] = static_cast<float>(x[i] - total);
}

// exp(x) / sum(exp(x)) in place. A row of -inf alone becomes NaN, as in torch.
inline void softmax(std::span<float> x) {
  const float max = max_value(x);
  if (!std::isfinite(max)) {
    std::fill(x.begin(), x.end(), std::numeric_limits<float>::quiet_NaN());
    return;
  }
  const float scale = static_cast<float>(1.0 / exp_shifted(x, max, x));
  for (float& v : x) v *= scale;
}

}  // namespace parlance::inline PARLANCE_ABI::kernels
