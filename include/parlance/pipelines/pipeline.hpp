// SPDX-License-Identifier: Apache-2.0
// What every pipeline shares: `pipeline<"task">(model)` chosen at compile time, and a base that
// turns three functions (preprocess, forward, postprocess) into single and batched calls.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/progress.hpp"

namespace parlance::inline PARLANCE_ABI {

namespace pipelines {

// A string usable as a template argument.
template <std::size_t N>
struct task_name {
  char text[N];
  constexpr task_name(const char (&s)[N]) { std::copy_n(s, N, text); }
  constexpr std::string_view view() const { return {text, N - 1}; }
};

// Maps a task name to its pipeline class; each pipeline header adds its own row.
template <task_name Task>
struct pipeline_for {
  static_assert(Task.view().empty(), "include the header of this task's pipeline");
};

// Derived has: preprocess(const Input&) -> prepared; forward(prepared&&) -> raw;
// postprocess(raw&&) -> Output.
template <class Derived, class Input, class Output>
class pipeline_base {
 public:
  Output operator()(const Input& input) { return one(input); }
  std::vector<Output> operator()(std::span<const Input> inputs,
                                 const progress_callback& on_progress = {}) {
    std::vector<Output> out;
    out.reserve(inputs.size());
    for (const Input& input : inputs) {
      out.push_back(one(input));
      if (on_progress({"pipeline", out.size(), inputs.size()}) == flow::stop) break;
    }
    return out;
  }

 private:
  Output one(const Input& input) {
    auto& self = static_cast<Derived&>(*this);
    return self.postprocess(self.forward(self.preprocess(input)));
  }
};

}  // namespace pipelines

// pipeline<"text-generation">("path/to/model", options...)
template <pipelines::task_name Task, class... Args>
auto pipeline(Args&&... args) {
  return typename pipelines::pipeline_for<Task>::type(std::forward<Args>(args)...);
}

}  // namespace parlance::inline PARLANCE_ABI
