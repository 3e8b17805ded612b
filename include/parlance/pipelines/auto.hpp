// SPDX-License-Identifier: Apache-2.0
// Pipelines by name at run time, over JSON: the payload that Hugging Face's inference API takes in,
// what the original pipeline returns out.
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "parlance/pipelines/language_model.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

class json_pipeline {
 public:
  virtual ~json_pipeline() = default;
  // {"inputs": ..., "parameters": {...}}, or the inputs alone when they are a string.
  virtual json operator()(const json& payload) = 0;
};

// The pipeline of a task by its Hugging Face name.
PARLANCE_SPLIT_INLINE std::unique_ptr<json_pipeline> make_pipeline(
    const std::string& task, const std::string& model, const pipeline_options& options = {});

}  // namespace parlance::inline PARLANCE_ABI::pipelines

namespace parlance::inline PARLANCE_ABI {
using pipelines::make_pipeline;
}  // namespace parlance::inline PARLANCE_ABI

#if PARLANCE_BODIES
#include "parlance/pipelines/impl/auto.hpp"
#endif
