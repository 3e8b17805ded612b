// SPDX-License-Identifier: Apache-2.0
// The umbrella: what programs use of every layer. Including only the pipeline or model you use
// compiles faster.
#pragma once

#include "parlance/autograd/gradcheck.hpp"
#include "parlance/generation/config_json.hpp"
#include "parlance/generation/generate.hpp"
#include "parlance/generation/text_stream.hpp"
#include "parlance/io/bind.hpp"
#include "parlance/io/checkpoint_folder.hpp"
#include "parlance/io/hub_cache.hpp"
#include "parlance/models/auto.hpp"
#include "parlance/models/gpt2.hpp"
#include "parlance/models/llama.hpp"
#include "parlance/nn/layers.hpp"
#include "parlance/ops/attention.hpp"
#include "parlance/ops/loss.hpp"
#include "parlance/ops/math.hpp"
#include "parlance/ops/norm.hpp"
#include "parlance/ops/shape.hpp"
#include "parlance/pipelines/auto.hpp"
#include "parlance/pipelines/text_generation.hpp"
#include "parlance/tokenizers/chat_template.hpp"
#include "parlance/tokenizers/streaming_decoder.hpp"
#include "parlance/tokenizers/tokenizer.hpp"
#include "parlance/tokenizers/trainers.hpp"
#include "parlance/training/adamw.hpp"
