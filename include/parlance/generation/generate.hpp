// SPDX-License-Identifier: Apache-2.0
// The decoding loop of decoder-only models: prompts of any lengths side by side without padding,
// the prompt in chunks, then one token a step for every sequence still running. Greedy and sampled.
// What a sequence draws depends only on the seed, its own number and its own ids.
#pragma once

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

// One sequence on its way.
struct running {
  std::vector<std::int32_t> ids;  // prompt and new ids
  std::size_t prompt = 0;
  processor_list process;
  stopping stop;
  sampler draw;
  std::vector<float> raw;  // logits before the processors, when log-probabilities are asked for
};

class decoding_loop {
 public:
  decoding_loop(const models::causal_lm& model, const resolved_config& config,
                const generate_hooks& hooks)
      : model_(model), config_(config), hooks_(hooks) {
    refuse_unsupported(config);
  }

  std::vector<generated> run(std::span<const std::vector<std::int32_t>> prompts) {
    const autograd::no_grad off;
    const auto copies = static_cast<std::size_t>(config_.num_return_sequences);
    start(prompts, copies);
    nn::kv_cache cache =
        model_.make_cache(static_cast<std::int64_t>(sequences_.size()), model_.cache_element());
    const auto begin = clock::now();
    for (std::size_t p = 0; p < prompts.size(); ++p) prefill(p * copies, copies, cache);
    const auto middle = clock::now();
    while (!active_.empty()) step(cache);
    if (timing* t = hooks_.measured) {
      t->prompt_seconds = seconds(middle - begin);
      t->decode_seconds = seconds(clock::now() - middle);
      for (const running& s : sequences_) {
        t->prompt_tokens += static_cast<std::int64_t>(s.prompt);
        t->decode_tokens += static_cast<std::int64_t>(s.ids.size() - s.prompt) - 1;
      }
    }
    for (std::size_t i = 0; i < sequences_.size(); ++i)
      results_[i].ids.assign(
          sequences_[i].ids.begin() + static_cast<std::ptrdiff_t>(sequences_[i].prompt),
          sequences_[i].ids.end());
    return std::move(results_);
  }

 private:
  using clock = stopping::clock;
  static constexpr std::int64_t chunk = 512;  // rows of a prompt at once
  static double seconds(clock::duration d) { return std::chrono::duration<double>(d).count(); }

  void start(std::span<const std::vector<std::int32_t>> prompts, std::size_t copies) {
    const std::uint64_t seed = config_.seed.value_or(0);
    results_.resize(prompts.size() * copies);
    for (std::size_t i = 0; i < results_.size(); ++i) {
      const std::vector<std::int32_t>& prompt = prompts[i / copies];
      if (prompt.empty())
        throw option_error("generate: an empty prompt", "start it with the bos token");
      // A stream of its own for each returned sequence, the same in any batch.
      sequences_.push_back(
          {prompt,
           prompt.size(),
           make_processors(config_, prompt, model_.max_positions(), i / copies),
           stopping(config_, limits(config_, static_cast<std::int64_t>(prompt.size()),
                                    model_.max_positions())),
           sampler(seed, i % copies),
           {}});
      if (hooks_.prompt_text && config_.stop_strings)
        sequences_.back().stop.prime(hooks_.prompt_text(i));
    }
  }

  // Runs a prompt once, then gives its cache and logits to all sequences that continue it.
  void prefill(std::size_t first, std::size_t copies, nn::kv_cache& cache) {
    running& s = sequences_[first];
    const auto total = static_cast<std::int64_t>(s.prompt);
    const std::int64_t longest = limits(config_, total, model_.max_positions()).max_length;
    const std::int64_t known = std::min(longest, total + 4096);
    for (std::size_t c = 0; c < copies; ++c)
      cache.reserve(static_cast<std::int64_t>(first + c), known);
    const std::int64_t rows = config_.prefill_chunk_size.value_or(chunk);
    tensor<float> logits;
    for (std::int64_t at = 0; at < total; at += rows) {
      const std::int64_t n = std::min(rows, total - at);
      const models::segment part{static_cast<std::int64_t>(first), 0, n};
      const std::int64_t last = n - 1;
      models::decoder_input in;
      in.ids = std::span<const std::int32_t>(s.ids).subspan(static_cast<std::size_t>(at),
                                                            static_cast<std::size_t>(n));
      in.cache = &cache;
      in.segments = {&part, 1};
      in.stop = config_.stop_token;
      logits = model_.logits(in, {&last, 1});
    }
    for (std::size_t c = 0; c < copies; ++c) {
      cache.copy(static_cast<std::int64_t>(first), static_cast<std::int64_t>(first + c));
      tensor<float> own = c + 1 < copies ? logits.clone() : logits;
      if (choose(first + c, own.values())) active_.push_back(first + c);
    }
  }

  // One token for every active sequence.
  void step(nn::kv_cache& cache) {
    next_ids_.clear();
    segments_.clear();
    for (std::size_t i = 0; i < active_.size(); ++i) {
      next_ids_.push_back(sequences_[active_[i]].ids.back());
      segments_.push_back({static_cast<std::int64_t>(active_[i]), static_cast<std::int64_t>(i), 1});
    }
    models::decoder_input in;
    in.ids = next_ids_;
    in.cache = &cache;
    in.segments = segments_;
    in.stop = config_.stop_token;
    tensor<float> logits = model_.logits(in);
    const auto width = static_cast<std::size_t>(logits.cols());
    std::size_t kept = 0;
    for (std::size_t i = 0; i < segments_.size(); ++i)
      if (const std::size_t s = active_[i];
          choose(s, {logits.row(static_cast<std::int64_t>(i)), width}))
        active_[kept++] = s;
    active_.resize(kept);
  }

  // Chooses the next id of a sequence; false when that was its last.
  bool choose(std::size_t index, std::span<float> scores) {
    running& s = sequences_[index];
    generated& out = results_[index];
    if (config_.logprobs) s.raw.assign(scores.begin(), scores.end());
    s.process(s.ids, scores);
    const std::int32_t id =
        config_.do_sample ? s.draw(scores, s.ids.size() - s.prompt) : greedy(scores);
    if (config_.logprobs)
      out.logprobs.push_back(logprobs_of(s.raw, id, static_cast<std::size_t>(*config_.logprobs)));
    s.ids.push_back(id);
    const std::string piece =
        config_.stop_strings && hooks_.decode ? hooks_.decode(index, id) : std::string();
    out.reason = s.stop(s.ids, scores, piece);
    if (hooks_.on_token(std::move(index), std::int32_t(id)) == flow::stop &&
        out.reason == finish_reason::none)
      out.reason = finish_reason::user;
    return out.reason == finish_reason::none;
  }

  const models::causal_lm& model_;
  const resolved_config& config_;
  const generate_hooks& hooks_;
  std::vector<running> sequences_;
  std::vector<generated> results_;
  std::vector<std::size_t> active_;
  std::vector<std::int32_t> next_ids_;
  std::vector<models::segment> segments_;
};

}  // namespace detail

// Continues each prompt; num_return_sequences results for each, one prompt after another.
// Cancelling (config.stop_token) throws cancelled_error within a layer.
inline std::vector<generated> generate(const models::causal_lm& model,
                                       std::span<const std::vector<std::int32_t>> prompts,
                                       const resolved_config& config,
                                       const generate_hooks& hooks = {}) {
  return detail::decoding_loop(model, config, hooks).run(prompts);
}

}  // namespace parlance::inline PARLANCE_ABI::generation
