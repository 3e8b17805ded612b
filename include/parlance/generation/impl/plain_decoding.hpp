// SPDX-License-Identifier: Apache-2.0
// Bodies of plain_decoding.hpp.
#pragma once

#include "parlance/generation/plain_decoding.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

PARLANCE_SPLIT_INLINE void plain_decoding::start(std::span<const std::vector<std::int32_t>> prompts,
                                                 const encoded_sources& sources) {
  copies_ = static_cast<std::size_t>(config_.num_return_sequences);
  waiting_ = 0;
  active_.clear();
  sequences_.clear();
  measured_ = {};
  results_.assign(prompts.size() * copies_, {});
  for (std::size_t i = 0; i < results_.size(); ++i) add_sequence(prompts[i / copies_], sources, i);
  decoder_.open(sequences_.size(), sources.memory, copies_);
}

PARLANCE_SPLIT_INLINE bool plain_decoding::advance() {
  const autograd::no_grad off;
  if (waiting_ < sequences_.size()) {
    const stopwatch watch(measured_.prompt_seconds);
    prefill();
  } else if (!active_.empty()) {
    const stopwatch watch(measured_.decode_seconds);
    step();
  }
  return waiting_ < sequences_.size() || !active_.empty();
}

PARLANCE_SPLIT_INLINE auto plain_decoding::finish() -> std::vector<generated> {
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

PARLANCE_SPLIT_INLINE void plain_decoding::add_sequence(std::span<const std::int32_t> prompt,
                                                        const encoded_sources& sources,
                                                        std::size_t index) {
  detail::require_prompt(prompt);
  const std::int64_t most = decoder_.max_positions();
  // A stream of its own for each returned sequence, the same in any batch.
  sequences_.push_back(
      {{prompt.begin(), prompt.end()},
       prompt.size(),
       detail::processors_for(config_, index / copies_, prompt, sources, most),
       stopping(config_, limits(config_, static_cast<std::int64_t>(prompt.size()), most)),
       sampler(config_.seed.value_or(0), index % copies_),
       {},
       {}});
  running& added = sequences_.back();
  added.ids.reserve(added.prompt +
                    static_cast<std::size_t>(detail::room_for(config_, added.prompt, most)));
  if (!config_.stop_strings) return;
  if (hooks_.prompt_text) added.stop.prime(hooks_.prompt_text(index));
  if (hooks_.decoder) added.piece = hooks_.decoder(index);
}

PARLANCE_SPLIT_INLINE void plain_decoding::prefill() {
  nn::kv_cache& cache = decoder_.cache();
  const std::size_t begin = waiting_;
  do {
    const running& s = sequences_[waiting_];
    cache.reserve(static_cast<std::int64_t>(waiting_),
                  static_cast<std::int64_t>(s.prompt) +
                      detail::room_for(config_, s.prompt, decoder_.max_positions()));
    waiting_ += copies_;
  } while (waiting_ < sequences_.size() && sequences_[begin].prompt == 1 &&
           sequences_[waiting_].prompt == 1);
  decoder_.begin();
  for (std::size_t s = begin; s < waiting_; s += copies_) decoder_.add(s, sequences_[s].ids[0]);
  tensor<float> logits = sequences_[begin].prompt == 1
                             ? decoder_.run(config_)
                             : decoder_.read(begin, sequences_[begin].ids, config_);
  for (std::size_t s = begin; s < waiting_; ++s) {
    const std::size_t first = s - (s - begin) % copies_;
    cache.copy(static_cast<std::int64_t>(first), static_cast<std::int64_t>(s));
    const std::span<float> row = detail::row_of(logits, (s - begin) / copies_);
    scores_.assign(row.begin(), row.end());
    if (choose(s, scores_)) active_.push_back(s);
  }
}

PARLANCE_SPLIT_INLINE void plain_decoding::step() {
  decoder_.begin();
  for (const std::size_t s : active_) decoder_.add(s, sequences_[s].ids.back());
  tensor<float> logits = decoder_.run(config_);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < active_.size(); ++i)
    if (const std::size_t s = active_[i]; choose(s, detail::row_of(logits, i))) active_[kept++] = s;
  active_.resize(kept);
}

PARLANCE_SPLIT_INLINE bool plain_decoding::choose(std::size_t index, std::span<float> scores) {
  running& s = sequences_[index];
  generated& out = results_[index];
  if (config_.logprobs) s.raw.assign(scores.begin(), scores.end());
  s.process(s.ids, scores);
  const std::int32_t id =
      config_.do_sample ? s.draw(scores, s.ids.size() - s.prompt) : greedy(scores);
  if (config_.logprobs)
    out.logprobs.push_back(logprobs_of(s.raw, id, static_cast<std::size_t>(*config_.logprobs)));
  s.ids.push_back(id);
  out.reason = detail::reason_to_stop(s.stop, s.ids, scores, s.piece);
  if (hooks_.on_token(std::move(index), std::int32_t(id)) == flow::stop &&
      out.reason == finish_reason::none)
    out.reason = finish_reason::user;
  return out.reason == finish_reason::none;
}

}  // namespace parlance::inline PARLANCE_ABI::generation
