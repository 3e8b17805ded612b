// SPDX-License-Identifier: Apache-2.0
// Where warnings go. Silent by default; a sink is set for the current thread, so that two pipelines
// in two threads do not hear each other.
#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "parlance/core/config.hpp"

namespace parlance::inline PARLANCE_ABI {

enum class log_level { info, warning };
using log_sink = std::function<void(log_level, std::string_view)>;

namespace detail {
inline log_sink& thread_log_sink() {
  thread_local log_sink sink;
  return sink;
}
}  // namespace detail

// Installs `sink` for this thread and puts the earlier one back when it goes out of scope.
class scoped_log_sink {
 public:
  explicit scoped_log_sink(log_sink sink)
      : previous_(std::exchange(detail::thread_log_sink(), std::move(sink))) {}
  scoped_log_sink(const scoped_log_sink&) = delete;
  ~scoped_log_sink() { detail::thread_log_sink() = std::move(previous_); }

 private:
  log_sink previous_;
};

inline void log(log_level level, std::string_view message) {
  if (const log_sink& sink = detail::thread_log_sink()) sink(level, message);
}

}  // namespace parlance::inline PARLANCE_ABI
