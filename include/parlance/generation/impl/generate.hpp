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

PARLANCE_SPLIT_INLINE decoding_loop::decoding_loop(const models::token_decoder& model,
                                                   resolved_config config, generate_hooks hooks) {
  detail::refuse_unsupported(config);
  if (config.num_beams > 1)
    strategy_ = std::make_unique<beam_search>(model, std::move(config), std::move(hooks));
  else
    strategy_ = std::make_unique<plain_decoding>(model, std::move(config), std::move(hooks));
}

PARLANCE_SPLIT_INLINE std::vector<generated> generate(
    const models::token_decoder& model, std::span<const std::vector<std::int32_t>> prompts,
    const resolved_config& config, const generate_hooks& hooks) {
  decoding_loop loop(model, config, hooks);
  loop.start(prompts);
  while (loop.advance()) {
  }
  return loop.finish();
}

PARLANCE_SPLIT_INLINE std::int32_t decoder_start(const resolved_config& config) {
  if (config.decoder_start_token_id) return *config.decoder_start_token_id;
  if (config.bos_token_id) return *config.bos_token_id;
  throw option_error("decoder_start_token_id: not set, and there is no bos_token_id",
                     "encoder-decoders need one of them");
}

PARLANCE_SPLIT_INLINE nn::kv_cache encode(const models::seq2seq_lm& model,
                                          std::span<const std::vector<std::int32_t>> sources,
                                          std::stop_token stop) {
  const autograd::no_grad off;
  std::vector<std::int32_t> ids;
  std::vector<std::int64_t> lengths;
  for (const auto& source : sources) {
    if (source.empty()) throw option_error("generate: an empty source");
    ids.insert(ids.end(), source.begin(), source.end());
    lengths.push_back(static_cast<std::int64_t>(source.size()));
  }
  if (sources.empty()) return {};
  models::encoder_input in;
  in.ids = ids;
  in.lengths = lengths;
  in.stop = std::move(stop);
  return model.encode(in);
}

PARLANCE_SPLIT_INLINE std::vector<generated> generate(
    const models::seq2seq_lm& model, std::span<const std::vector<std::int32_t>> sources,
    const resolved_config& config, const generate_hooks& hooks,
    std::span<const std::vector<std::int32_t>> prefixes) {
  decoding_loop loop(model, config, hooks);
  std::vector<std::vector<std::int32_t>> starts;
  if (prefixes.empty()) starts.assign(sources.size(), {decoder_start(config)});
  nn::kv_cache memory = encode(model, sources, config.stop_token);
  loop.start(prefixes.empty() ? starts : prefixes, {&memory, sources});
  while (loop.advance()) {
  }
  return loop.finish();
}

}  // namespace parlance::inline PARLANCE_ABI::generation
