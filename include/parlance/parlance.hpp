// SPDX-License-Identifier: Apache-2.0
// The umbrella: every public header. Including only the pipeline or model you use compiles faster.
#pragma once

#include "parlance/generation/config_json.hpp"
#include "parlance/generation/generate.hpp"
#include "parlance/generation/text_stream.hpp"
#include "parlance/models/auto.hpp"
#include "parlance/pipelines/auto.hpp"
#include "parlance/pipelines/text_generation.hpp"
#include "parlance/tokenizers/tokenizer.hpp"
#include "parlance/training/adamw.hpp"
