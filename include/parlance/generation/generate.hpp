// SPDX-License-Identifier: Apache-2.0
// The decoding loop of decoder-only models: prompts of any lengths side by side without padding,
// the prompt in chunks, then one token a step for every sequence still running. Greedy and sampled.
// What a sequence draws depends only on the seed, its own number and its own ids.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "parlance/generation/logits_processors.hpp"
#include "parlance/generation/sampler.hpp"
#include "parlance/generation/stopping.hpp"
#include "parlance/models/causal_lm.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

struct generated {
  std::vector<std::int32_t> ids;  // new ids, end-of-sequence included
  finish_reason reason = finish_reason::none;
  std::vector<token_choice> logprobs;  // one a new id, of the raw logits, when asked for
};

struct timing {
  double prompt_seconds = 0, decode_seconds = 0;
  std::int64_t prompt_tokens = 0, decode_tokens = 0;  // the first new token counts as prompt
  double prompt_tokens_per_second() const {
    return prompt_seconds > 0 ? static_cast<double>(prompt_tokens) / prompt_seconds : 0;
  }
  double decode_tokens_per_second() const {
    return decode_seconds > 0 ? static_cast<double>(decode_tokens) / decode_seconds : 0;
  }
};

struct generate_hooks {
  // Text that a new id adds, for stop strings; needed only when there are any.
  std::function<std::string(std::size_t sequence, std::int32_t id)> decode;
  // Text of the prompt, in which a stop string may begin.
  std::function<std::string(std::size_t sequence)> prompt_text;
  callback<std::size_t, std::int32_t> on_token;  // flow::stop ends that sequence
  timing* measured = nullptr;
};

namespace detail {

inline void refuse_unsupported(const resolved_config& c) {
  const auto refuse = [](bool asked, const char* what) {
    if (asked)
      throw unsupported_error(std::string(what) + " is not available in this decoding loop",
                              "supported: greedy decoding and sampling");
  };
  refuse(c.num_beams > 1, "num_beams > 1");
  refuse(c.penalty_alpha.value_or(0) > 0, "penalty_alpha (contrastive search)");
  refuse(c.prompt_lookup_num_tokens.has_value(), "prompt_lookup_num_tokens");
  refuse(c.guidance_scale.value_or(1) != 1, "guidance_scale");
  refuse(c.token_healing, "token_healing");
}

}  // namespace detail

// Generation that its caller drives: start(), then advance() until it says false, then finish().
// The model has to outlive it. `generate` does all at once.
class decoding_loop {
 public:
  decoding_loop(const models::causal_lm& model, resolved_config config, generate_hooks hooks = {});

  // Takes the prompts; the model does not run yet.
  void start(std::span<const std::vector<std::int32_t>> prompts);

  // Reads the next prompt (its first new ids included), or else gives every sequence that is still
  // running one more id. False when there is nothing left to do.
  bool advance();

  std::vector<generated> finish();

 private:
  using clock = stopping::clock;
  static constexpr std::int64_t chunk = 512;  // rows of a prompt at once

  // One sequence on its way.
  struct running {
    std::vector<std::int32_t> ids;  // prompt and new ids
    std::size_t prompt = 0;
    processor_list process;
    stopping stop;
    sampler draw;
    std::vector<float> raw;  // logits before the processors, when log-probabilities are asked for
  };

  static double seconds(clock::duration d) { return std::chrono::duration<double>(d).count(); }

  // New ids to make room for at the start.
  std::int64_t most_new_ids(std::size_t prompt) const;

  void add_sequences(std::span<const std::vector<std::int32_t>> prompts);

  // Runs a prompt once, then gives its cache and logits to all sequences that continue it.
  void prefill(std::size_t first);

  // One token for every active sequence.
  void step();

  // Chooses the next id of a sequence; false when that was its last.
  bool choose(std::size_t index, std::span<float> scores);

  const models::causal_lm& model_;
  resolved_config config_;
  generate_hooks hooks_;
  nn::kv_cache cache_;
  std::vector<running> sequences_;
  std::vector<generated> results_;
  std::size_t copies_ = 1, waiting_ = 0;  // sequences from `waiting_` on have not begun
  std::vector<std::size_t> active_;
  std::vector<std::int32_t> next_ids_;
  std::vector<models::segment> segments_;
  timing measured_;
};

// Continues each prompt; num_return_sequences results for each, one prompt after another.
// Cancelling (config.stop_token) throws cancelled_error within a layer; to stop and keep what is
// there, answer on_token with flow::stop.
PARLANCE_SPLIT_INLINE std::vector<generated> generate(
    const models::causal_lm& model, std::span<const std::vector<std::int32_t>> prompts,
    const resolved_config& config, const generate_hooks& hooks = {});

}  // namespace parlance::inline PARLANCE_ABI::generation

#if PARLANCE_BODIES
#include "parlance/generation/impl/generate.hpp"
#endif
