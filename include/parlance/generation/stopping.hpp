// SPDX-License-Identifier: Apache-2.0
// When generation ends: an end-of-sequence id, the length, the time, a stop string, the user's own
// criteria, or a request to cancel. Stop strings are found in text, which only the loop has: it
// hands the decoded piece along, or asks text_stream.
// Source: transformers 4.57.6 generation/stopping_criteria.py.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/generation/resolve.hpp"
#include "parlance/generation/stop_strings.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

enum class finish_reason { none, eos, length, stop_string, time, user, cancelled };

constexpr std::string_view to_string(finish_reason reason) {
  constexpr std::array<std::string_view, 7> names = {"none", "eos",  "length",   "stop_string",
                                                     "time", "user", "cancelled"};
  return names[static_cast<std::size_t>(reason)];
}

// The criteria for one sequence; time runs from construction.
class stopping {
 public:
  using clock = std::chrono::steady_clock;

  stopping(const resolved_config& config, length_limits lengths,
           clock::time_point start = clock::now())
      : eos_(config.eos_token_id.value_or(token_ids())),
        max_length_(lengths.max_length),
        max_time_(config.max_time),
        start_(start),
        strings_(config.stop_strings ? stop_string_matcher(*config.stop_strings)
                                     : stop_string_matcher()),
        own_(config.stopping_criteria),
        token_(config.stop_token) {}

  // The prompt's text, in which a stop string may begin.
  void prime(std::string_view prompt) { strings_.prime(prompt); }

  // After a step: `ids` with the newly chosen one last, the scores it was chosen from, and the text
  // it added (empty when no stop strings are asked for).
  finish_reason operator()(std::span<const std::int32_t> ids, std::span<const float> scores = {},
                           std::string_view piece = {}) {
    if (token_.stop_requested()) return finish_reason::cancelled;
    if (!ids.empty() && std::ranges::find(eos_, ids.back()) != eos_.end())
      return finish_reason::eos;
    if (!piece.empty() && strings_.push(piece)) return finish_reason::stop_string;
    if (static_cast<std::int64_t>(ids.size()) >= max_length_) return finish_reason::length;
    if (max_time_ && std::chrono::duration<double>(clock::now() - start_).count() > *max_time_)
      return finish_reason::time;
    for (const stopping_function& stop : own_)
      if (stop(ids, scores)) return finish_reason::user;
    return finish_reason::none;
  }

  // Whether to give up before or during the run over the prompt.
  bool cancelled() const { return token_.stop_requested(); }

 private:
  token_ids eos_;
  std::int64_t max_length_;
  std::optional<double> max_time_;
  clock::time_point start_;
  stop_string_matcher strings_;
  std::vector<stopping_function> own_;
  std::stop_token token_;
};

}  // namespace parlance::inline PARLANCE_ABI::generation
