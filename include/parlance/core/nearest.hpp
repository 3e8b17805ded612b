// SPDX-License-Identifier: Apache-2.0
// The nearest valid name for a mistyped one (Levenshtein distance), for error messages.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/core/config.hpp"

namespace parlance::inline PARLANCE_ABI {

inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

// The candidate closest to `name`; empty when there is no candidate.
template <class Range>
std::string nearest(std::string_view name, const Range& candidates) {
  std::string best;
  std::size_t distance = static_cast<std::size_t>(-1);
  for (std::string_view candidate : candidates) {
    if (const std::size_t d = edit_distance(name, candidate); d < distance) {
      distance = d;
      best = candidate;
    }
  }
  return best;
}

// "did you mean x?", or nothing.
template <class Range>
std::string did_you_mean(std::string_view name, const Range& candidates) {
  const std::string best = nearest(name, candidates);
  return best.empty() ? best : "did you mean '" + best + "'?";
}

}  // namespace parlance::inline PARLANCE_ABI
