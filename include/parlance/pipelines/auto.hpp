// SPDX-License-Identifier: Apache-2.0
// Pipelines by name at run time, over JSON.
#pragma once

#include <memory>
#include <string>

#include "parlance/pipelines/json_pipeline.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

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
