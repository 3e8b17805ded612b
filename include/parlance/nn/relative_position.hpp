// SPDX-License-Identifier: Apache-2.0
// The learned bias of T5 and MPNet: distances between positions fall into buckets, exact for small
// ones and logarithmic up to a greatest distance. Raffel et al. 2020, section 2.1; transformers
// 4.57 modeling_t5.py and modeling_mpnet.py (relative_position_bucket).
#pragma once

#include <cmath>
#include <vector>

#include "parlance/nn/layers.hpp"
#include "parlance/ops/attention.hpp"
#include "parlance/ops/shape.hpp"

namespace parlance::inline PARLANCE_ABI::nn {

struct relative_buckets {
  std::int64_t count = 32, max_distance = 128;
  bool bidirectional = true;  // false: keys behind the query share bucket 0 (decoders)

  // distance: position of the key minus that of the query.
  std::int32_t bucket(std::int64_t distance) const {
    const std::int64_t n = bidirectional ? count / 2 : count, exact = n / 2;
    const std::int64_t base = bidirectional && distance > 0 ? n : 0;
    const std::int64_t d =
        bidirectional ? std::abs(distance) : std::max<std::int64_t>(-distance, 0);
    if (d < exact) return static_cast<std::int32_t>(base + d);
    if (d >= max_distance) return static_cast<std::int32_t>(base + n - 1);
    // In single precision, as the original.
    const float ratio = std::log(static_cast<float>(d) / static_cast<float>(exact)) /
                        static_cast<float>(std::log(static_cast<double>(max_distance) /
                                                    static_cast<double>(exact)));
    const auto far = exact + static_cast<std::int64_t>(ratio * static_cast<float>(n - exact));
    return static_cast<std::int32_t>(base + std::min(far, n - 1));
  }
};

// The table for ops::attention of sequences of up to `reach` positions: (heads, 2 * reach - 1).
// `table`: relative_attention_bias of the checkpoint, (buckets, heads).
template <class T>
ops::score_bias<T> relative_bias(const embedding<T>& table, const relative_buckets& buckets,
                                 std::int64_t reach) {
  std::vector<std::int32_t> ids;
  for (std::int64_t distance = 1 - reach; distance < reach; ++distance)
    ids.push_back(buckets.bucket(distance));
  return {ops::transpose(table(ids)), {}};
}

}  // namespace parlance::inline PARLANCE_ABI::nn
