// SPDX-License-Identifier: Apache-2.0
// Bodies of generate.hpp.
#pragma once

#include "parlance/generation/generate.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

PARLANCE_SPLIT_INLINE decoding_loop::decoding_loop(const models::causal_lm& model,
                                                   resolved_config config, generate_hooks hooks)
    : model_(model), config_(std::move(config)), hooks_(std::move(hooks)) {
  detail::refuse_unsupported(config_);
}

PARLANCE_SPLIT_INLINE void decoding_loop::start(
    std::span<const std::vector<std::int32_t>> prompts) {
  copies_ = static_cast<std::size_t>(config_.num_return_sequences);
  waiting_ = 0;
  active_.clear();
  sequences_.clear();
  results_.clear();
  measured_ = {};
  add_sequences(prompts);
  cache_ = model_.make_cache(static_cast<std::int64_t>(sequences_.size()), model_.cache_element());
}

PARLANCE_SPLIT_INLINE bool decoding_loop::advance() {
  const autograd::no_grad off;
  const auto begin = clock::now();
  if (waiting_ < sequences_.size()) {
    prefill(std::exchange(waiting_, waiting_ + copies_));
    measured_.prompt_seconds += seconds(clock::now() - begin);
  } else if (!active_.empty()) {
    step();
    measured_.decode_seconds += seconds(clock::now() - begin);
  }
  return waiting_ < sequences_.size() || !active_.empty();
}

PARLANCE_SPLIT_INLINE auto decoding_loop::finish() -> std::vector<generated> {
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    const running& s = sequences_[i];
    measured_.prompt_tokens += static_cast<std::int64_t>(s.prompt);
    measured_.decode_tokens +=
        std::max<std::int64_t>(static_cast<std::int64_t>(s.ids.size() - s.prompt) - 1, 0);
    results_[i].ids.assign(s.ids.begin() + static_cast<std::ptrdiff_t>(s.prompt), s.ids.end());
  }
  if (hooks_.measured) *hooks_.measured = measured_;
  return std::move(results_);
}

PARLANCE_SPLIT_INLINE auto decoding_loop::most_new_ids(std::size_t prompt) const -> std::int64_t {
  const auto length = static_cast<std::int64_t>(prompt);
  const std::int64_t longest = limits(config_, length, model_.max_positions()).max_length;
  return std::min<std::int64_t>(longest - length, 4096);
}

PARLANCE_SPLIT_INLINE void decoding_loop::add_sequences(
    std::span<const std::vector<std::int32_t>> prompts) {
  const std::uint64_t seed = config_.seed.value_or(0);
  results_.resize(prompts.size() * copies_);
  for (std::size_t i = 0; i < results_.size(); ++i) {
    const std::vector<std::int32_t>& prompt = prompts[i / copies_];
    if (prompt.empty())
      throw option_error("generate: an empty prompt", "start it with the bos token");
    // A stream of its own for each returned sequence, the same in any batch.
    sequences_.push_back(
        {prompt,
         prompt.size(),
         make_processors(config_, prompt, model_.max_positions(), i / copies_),
         stopping(config_, limits(config_, static_cast<std::int64_t>(prompt.size()),
                                  model_.max_positions())),
         sampler(seed, i % copies_),
         {}});
    running& added = sequences_.back();
    added.ids.reserve(added.prompt + static_cast<std::size_t>(most_new_ids(added.prompt)));
    if (hooks_.prompt_text && config_.stop_strings) added.stop.prime(hooks_.prompt_text(i));
  }
}

PARLANCE_SPLIT_INLINE void decoding_loop::prefill(std::size_t first) {
  running& s = sequences_[first];
  const auto total = static_cast<std::int64_t>(s.prompt);
  const std::int64_t known = total + most_new_ids(s.prompt);
  for (std::size_t c = 0; c < copies_; ++c)
    cache_.reserve(static_cast<std::int64_t>(first + c), known);
  const std::int64_t rows = config_.prefill_chunk_size.value_or(chunk);
  tensor<float> logits;
  for (std::int64_t at = 0; at < total; at += rows) {
    const std::int64_t n = std::min(rows, total - at);
    const models::segment part{static_cast<std::int64_t>(first), 0, n};
    const std::int64_t last = n - 1;
    models::decoder_input in;
    in.ids = std::span<const std::int32_t>(s.ids).subspan(static_cast<std::size_t>(at),
                                                          static_cast<std::size_t>(n));
    in.cache = &cache_;
    in.segments = {&part, 1};
    in.stop = config_.stop_token;
    logits = model_.logits(in, {&last, 1});
  }
  for (std::size_t c = 0; c < copies_; ++c) {
    cache_.copy(static_cast<std::int64_t>(first), static_cast<std::int64_t>(first + c));
    tensor<float> own = c + 1 < copies_ ? logits.clone() : logits;
    if (choose(first + c, own.values())) active_.push_back(first + c);
  }
}

PARLANCE_SPLIT_INLINE void decoding_loop::step() {
  next_ids_.clear();
  segments_.clear();
  for (std::size_t i = 0; i < active_.size(); ++i) {
    next_ids_.push_back(sequences_[active_[i]].ids.back());
    segments_.push_back({static_cast<std::int64_t>(active_[i]), static_cast<std::int64_t>(i), 1});
  }
  models::decoder_input in;
  in.ids = next_ids_;
  in.cache = &cache_;
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

PARLANCE_SPLIT_INLINE bool decoding_loop::choose(std::size_t index, std::span<float> scores) {
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
  if (out.reason == finish_reason::cancelled) throw cancelled_error("generate: cancelled");
  if (hooks_.on_token(std::move(index), std::int32_t(id)) == flow::stop &&
      out.reason == finish_reason::none)
    out.reason = finish_reason::user;
  return out.reason == finish_reason::none;
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
