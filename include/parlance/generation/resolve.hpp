// SPDX-License-Identifier: Apache-2.0
// Final option values from all their sources, exactly as a pipeline of transformers 4.57.6 finds
// them (pipelines/base.py and _prepare_generation_config, _prepare_generated_length,
// GenerationConfig.validate): what the original refuses is an option_error here, what it only warns
// about is listed in `warnings`.
// A pipeline's default that differs from the global default stands before generation_config.json:
// the original's comment says otherwise, its behaviour (checked by running it) is this.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "parlance/core/nearest.hpp"
#include "parlance/generation/config.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

enum class option_origin { global_default, pipeline_default, model_file, task_params, call };

constexpr std::string_view to_string(option_origin origin) {
  constexpr std::array<std::string_view, 5> names = {
      "global default", "pipeline default", "generation_config.json", "config.json", "call"};
  return names[static_cast<std::size_t>(origin)];
}

namespace detail {
template <class T>
using plain_value = T;

// Converts an option that holds a value into a member of resolved_config.
template <class T, class From>
void assign_option(T& to, const From& from) {
  if constexpr (std::is_same_v<T, From>)
    to = from;
  else
    to = *from;
}
}  // namespace detail

// Every option with its final value. `origins` runs parallel to option_names().
struct resolved_config : basic_generation_config<detail::plain_value> {
  std::vector<option_origin> origins;
  std::vector<std::string> warnings;
  bool call_sets_max_length = false;

  bool has_eos() const { return eos_token_id && !eos_token_id->empty(); }
  bool is_eos(std::int32_t id) const {
    return eos_token_id && std::ranges::find(*eos_token_id, id) != eos_token_id->end();
  }
};

// The sources of options, strongest first. `task_params` is config.json's task_specific_params.
struct option_sources {
  generation_config call{}, task_params{}, model_file{}, pipeline_default{};
};

// Lengths in tokens, counted with the prompt (or with the decoder's start token).
struct length_limits {
  std::int64_t max_length = 0, min_length = 0;
};

// Throws option_error for what transformers refuses.
PARLANCE_SPLIT_INLINE void validate(const resolved_config& c);

PARLANCE_SPLIT_INLINE resolved_config resolve(const option_sources& from);
PARLANCE_SPLIT_INLINE resolved_config resolve(const generation_config& call,
                                              const generation_config& model_file = {},
                                              const generation_config& pipeline_default = {});

// Lengths for an input of `input_length` tokens: the prompt of a decoder-only model, the decoder's
// start of an encoder-decoder. `max_positions` is config.json's max_position_embeddings, or 0.
PARLANCE_SPLIT_INLINE length_limits limits(const resolved_config& c, std::int64_t input_length,
                                           std::int64_t max_positions = 0);

}  // namespace parlance::inline PARLANCE_ABI::generation

#if PARLANCE_BODIES
#include "parlance/generation/impl/resolve.hpp"
#endif
