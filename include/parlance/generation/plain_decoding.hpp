// SPDX-License-Identifier: Apache-2.0
// Greedy and sampled decoding: prompts of any lengths side by side without padding, the prompt in
// chunks, then one token a step for every sequence still running. What a sequence draws depends
// only on the seed, its own number and its own ids.
#pragma once

#include <utility>

#include "parlance/generation/decoding.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

class plain_decoding final : public decoding_strategy {
 public:
  plain_decoding(const models::token_decoder& model, resolved_config config, generate_hooks hooks)
      : decoder_(model), config_(std::move(config)), hooks_(std::move(hooks)) {}

  void start(std::span<const std::vector<std::int32_t>> prompts,
             const encoded_sources& sources) override;
  bool advance() override;
  std::vector<generated> finish() override;

 private:
  // One sequence on its way.
  struct running {
    std::vector<std::int32_t> ids;  // prompt and new ids
    std::size_t prompt = 0;
    processor_list process;
    stopping stop;
    sampler draw;
    piece_decoder piece;
    std::vector<float> raw;  // logits before the processors, when log-probabilities are asked for
  };

  void add_sequence(std::span<const std::int32_t> prompt, const encoded_sources& sources,
                    std::size_t index);
  // Runs the next prompt once, then gives its cache and logits to all sequences that continue it.
  // Prompts of one id, as encoder-decoders begin with, share a pass.
  void prefill();
  // One token for every active sequence.
  void step();
  // Chooses the next id of a sequence; false when that was its last.
  bool choose(std::size_t index, std::span<float> scores);

  cached_decoder decoder_;
  resolved_config config_;
  generate_hooks hooks_;
  std::vector<running> sequences_;
  std::vector<generated> results_;
  std::size_t copies_ = 1, waiting_ = 0;  // sequences from `waiting_` on have not begun
  std::vector<std::size_t> active_;
  std::vector<float> scores_;  // of a sequence that shares its prompt's logits
  timing measured_;
};

}  // namespace parlance::inline PARLANCE_ABI::generation

#if PARLANCE_BODIES
#include "parlance/generation/impl/plain_decoding.hpp"
#endif
