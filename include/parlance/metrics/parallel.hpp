// SPDX-License-Identifier: Apache-2.0
// Adds many lines to a metric with the threads of the current pool. The result has the same bits
// for any number of threads, since merging does not depend on where the lines are cut.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "parlance/core/thread_pool.hpp"
#include "parlance/metrics/metric.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

// Predictions and references are sequences with random access; see add_all.
template <class M, class Predictions, class References>
void add_parallel(M& m, const Predictions& predictions, const References& references) {
  detail::require_same_number(std::size(predictions), std::size(references));
  const auto lines = static_cast<std::int64_t>(std::size(predictions));
  // Few parts: some metrics learn words as they go, each part anew.
  const std::int64_t parts_wanted = 2 * num_threads();
  const std::int64_t grain = std::max<std::int64_t>(256, (lines + parts_wanted - 1) / parts_wanted);
  if (lines <= grain || num_threads() == 1) return add_all(m, predictions, references);
  M empty = m;
  empty.reset();
  std::vector<M> parts(static_cast<std::size_t>((lines + grain - 1) / grain), empty);
  parallel_for(lines, grain, [&](std::int64_t begin, std::int64_t end) {
    M& part = parts[static_cast<std::size_t>(begin / grain)];
    for (std::int64_t i = begin; i < end; ++i)
      part.add(predictions[static_cast<std::size_t>(i)], references[static_cast<std::size_t>(i)]);
  });
  for (const M& part : parts) m.merge(part);
}

}  // namespace parlance::inline PARLANCE_ABI::metrics
