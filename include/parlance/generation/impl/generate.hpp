// SPDX-License-Identifier: Apache-2.0
// Bodies of generate.hpp.
#pragma once

#include <string>
#include <utility>

#include "parlance/generation/generate.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

namespace detail {

inline void refuse_unsupported(const resolved_config& c) {
  const auto refuse = [](bool asked, const char* what) {
    if (asked)
      throw unsupported_error(std::string(what) + " is not available in this decoding loop",
                              "supported: greedy decoding, sampling and beams");
  };
  refuse(c.penalty_alpha.value_or(0) > 0, "penalty_alpha (contrastive search)");
  refuse(c.prompt_lookup_num_tokens.has_value(), "prompt_lookup_num_tokens");
  refuse(c.guidance_scale.value_or(1) != 1, "guidance_scale");
  refuse(c.token_healing, "token_healing");
}

}  // namespace detail

PARLANCE_SPLIT_INLINE decoding_loop::decoding_loop(const models::causal_lm& model,
                                                   resolved_config config, generate_hooks hooks) {
  detail::refuse_unsupported(config);
  if (config.num_beams > 1)
    strategy_ = std::make_unique<beam_search>(model, std::move(config), std::move(hooks));
  else
    strategy_ = std::make_unique<plain_decoding>(model, std::move(config), std::move(hooks));
}

PARLANCE_SPLIT_INLINE std::vector<generated> generate(
    const models::causal_lm& model, std::span<const std::vector<std::int32_t>> prompts,
    const resolved_config& config, const generate_hooks& hooks) {
  decoding_loop loop(model, config, hooks);
  loop.start(prompts);
  while (loop.advance()) {
  }
  return loop.finish();
}

}  // namespace parlance::inline PARLANCE_ABI::generation
