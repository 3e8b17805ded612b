// SPDX-License-Identifier: Apache-2.0
// Generation: prompts in, continuations out, by the strategy that the options ask for: greedy or
// sampled (plain_decoding.hpp), or beams (beam_search.hpp).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "parlance/generation/beam_search.hpp"
#include "parlance/generation/decoding.hpp"
#include "parlance/generation/plain_decoding.hpp"
#include "parlance/models/seq2seq_lm.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

// Generation that its caller drives: start(), then advance() until it says false, then finish().
// The model has to outlive it. `generate` does all at once.
class decoding_loop {
 public:
  decoding_loop(const models::token_decoder& model, resolved_config config,
                generate_hooks hooks = {});

  // Takes the prompts, and of an encoder-decoder the sources that they read, whose memory has to
  // outlive the loop; the model does not run yet.
  void start(std::span<const std::vector<std::int32_t>> prompts,
             const encoded_sources& sources = {}) {
    strategy_->start(prompts, sources);
  }
  // Reads the next prompt (its first new ids included), or else gives everything that is still
  // running one more id. False when there is nothing left to do.
  bool advance() { return strategy_->advance(); }
  // num_return_sequences results for each prompt, one prompt after another.
  std::vector<generated> finish() { return strategy_->finish(); }

 private:
  std::unique_ptr<decoding_strategy> strategy_;
};

// Continues each prompt; num_return_sequences results for each, one prompt after another, of beams
// the best first. Cancelling (config.stop_token) throws cancelled_error within a layer; to stop and
// keep what is there, answer on_token with flow::stop.
PARLANCE_SPLIT_INLINE std::vector<generated> generate(
    const models::token_decoder& model, std::span<const std::vector<std::int32_t>> prompts,
    const resolved_config& config, const generate_hooks& hooks = {});

// The same for an encoder-decoder: each source is encoded once, whatever number of beams and
// results reads it. `prefixes`: what the targets begin with, one for each source, or none: each
// begins with decoder_start_token_id (else bos_token_id). The ids given are those after that.
PARLANCE_SPLIT_INLINE std::vector<generated> generate(
    const models::seq2seq_lm& model, std::span<const std::vector<std::int32_t>> sources,
    const resolved_config& config, const generate_hooks& hooks = {},
    std::span<const std::vector<std::int32_t>> prefixes = {});

// Runs the encoder over the sources, one after another without padding.
PARLANCE_SPLIT_INLINE nn::kv_cache encode(const models::seq2seq_lm& model,
                                          std::span<const std::vector<std::int32_t>> sources,
                                          std::stop_token stop = {});

// What a target begins with.
PARLANCE_SPLIT_INLINE std::int32_t decoder_start(const resolved_config& config);

}  // namespace parlance::inline PARLANCE_ABI::generation

#if PARLANCE_BODIES
#include "parlance/generation/impl/generate.hpp"
#endif
