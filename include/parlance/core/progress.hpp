// SPDX-License-Identifier: Apache-2.0
// Callbacks and progress reports. A callback returns nothing or a `flow`; nobody has to remember
// what a bool would mean.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string_view>
#include <type_traits>
#include <utility>

#include "parlance/core/error.hpp"

namespace parlance::inline PARLANCE_ABI {

enum class flow { next, stop };

// Wraps a callable that returns void or flow. Empty callbacks say flow::next.
template <class... Args>
class callback {
 public:
  callback() = default;
  callback(std::nullptr_t) {}
  template <class F>
  requires(!std::is_same_v<std::decay_t<F>, callback> && std::is_invocable_v<F&, Args...>)
      callback(F f)  // implicit: options are aggregates that take lambdas
      : call_([f = std::move(f)](Args... args) mutable -> flow {
          if constexpr (std::is_void_v<std::invoke_result_t<F&, Args...>>) {
            f(std::forward<Args>(args)...);
            return flow::next;
          } else {
            return f(std::forward<Args>(args)...);
          }
        }) {}
  explicit operator bool() const { return static_cast<bool>(call_); }
  flow operator()(Args... args) const {
    return call_ ? call_(std::forward<Args>(args)...) : flow::next;
  }

 private:
  std::function<flow(Args...)> call_;
};

// One report of long work: `done` of `total` (0 when unknown) units of `stage`.
struct progress {
  std::string_view stage;
  std::uint64_t done = 0, total = 0;
};
using progress_callback = callback<const progress&>;

inline void throw_if_stopped(const std::stop_token& token, const char* what) {
  if (token.stop_requested()) throw cancelled_error(std::string(what) + ": cancelled");
}

}  // namespace parlance::inline PARLANCE_ABI
