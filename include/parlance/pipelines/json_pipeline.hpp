// SPDX-License-Identifier: Apache-2.0
// A pipeline over JSON: the payload that Hugging Face's inference API takes in, what the original
// pipeline returns out.
#pragma once

#include "parlance/pipelines/language_model.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

class json_pipeline {
 public:
  virtual ~json_pipeline() = default;
  // {"inputs": ..., "parameters": {...}}, or the inputs alone when they are a string.
  virtual json operator()(const json& payload) = 0;
};

}  // namespace parlance::inline PARLANCE_ABI::pipelines
