// SPDX-License-Identifier: Apache-2.0
// The chain of logits processors that options ask for, in the order of transformers 4.57.6
// (_get_logits_processor): sequence bias, diversity of beams, repetition, n-grams, bad words,
// lengths, allowed set, forced ids, invalid values, decay, suppression, the user's own, and for
// sampling temperature, top-k, top-p, min-p, typical, epsilon, eta; log-softmax last. Guidance
// (guidance_scale) needs a second run of the model and belongs to the decoding loop.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/generation/penalties.hpp"
#include "parlance/generation/resolve.hpp"
#include "parlance/generation/token_filters.hpp"
#include "parlance/generation/warpers.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

// Anything that changes the scores of the next token in place, given the ids so far.
template <class F>
concept logits_processor = std::copy_constructible<F> &&
    std::invocable<F&, std::span<const std::int32_t>, std::span<float>>;

// Processors run one after the other. A list may be used by one thread at a time; it keeps only
// memory between calls, so it serves any number of sequences with the same prompt length.
class processor_list {
 public:
  template <logits_processor F>
  void add(std::string_view name, F processor) {
    entries_.push_back({name, processor_function(std::move(processor))});
  }
  void operator()(std::span<const std::int32_t> ids, std::span<float> logits) {
    for (entry& each : entries_) each.run(ids, logits);
  }
  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  // The option that made each processor, in order of execution.
  std::vector<std::string_view> names() const {
    std::vector<std::string_view> out;
    for (const entry& each : entries_) out.push_back(each.name);
    return out;
  }

 private:
  struct entry {
    std::string_view name;  // of static storage
    processor_function run;
  };
  std::vector<entry> entries_;
};

// What processors know about a sequence beside its options. `input_length` and `encoder_ids` as in
// limits(): for a decoder-only model the prompt, whose ids are also the "encoder's".
struct processor_context {
  std::size_t input_length = 0;
  length_limits lengths{};
  std::span<const std::int32_t> encoder_ids{};
  std::size_t batch_index = 0;
  // Of diverse beams: what the groups before this one chose in the same step.
  const std::vector<std::int32_t>* chosen_by_others = nullptr;
};

namespace detail {

inline void add_score_processors(processor_list& list, const resolved_config& c,
                                 const processor_context& at) {
  const token_ids eos = c.eos_token_id.value_or(token_ids());
  if (c.sequence_bias) list.add("sequence_bias", sequence_bias_processor(*c.sequence_bias));
  if (at.chosen_by_others)
    list.add("diversity_penalty", diversity_penalty(c.diversity_penalty, *at.chosen_by_others));
  if (c.encoder_repetition_penalty != 1)
    list.add("encoder_repetition_penalty",
             encoder_repetition_penalty(c.encoder_repetition_penalty, at.encoder_ids));
  if (c.repetition_penalty != 1)
    list.add("repetition_penalty", repetition_penalty(c.repetition_penalty));
  if (c.no_repeat_ngram_size > 0)
    list.add("no_repeat_ngram_size", no_repeat_ngram(c.no_repeat_ngram_size));
  if (c.encoder_no_repeat_ngram_size > 0)
    list.add("encoder_no_repeat_ngram_size",
             encoder_no_repeat_ngram(c.encoder_no_repeat_ngram_size, at.encoder_ids));
  if (c.bad_words_ids) list.add("bad_words_ids", bad_words(*c.bad_words_ids, eos));
  if (at.lengths.min_length > 0 && c.has_eos())
    list.add("min_length", min_length_filter(at.lengths.min_length, eos));
  if (c.prefix_allowed_tokens_fn)
    list.add("prefix_allowed_tokens_fn",
             allowed_tokens(c.prefix_allowed_tokens_fn, at.batch_index));
}

inline void add_forcing_processors(processor_list& list, const resolved_config& c,
                                   const processor_context& at) {
  if (c.forced_bos_token_id) list.add("forced_bos_token_id", forced_bos(*c.forced_bos_token_id));
  if (c.forced_eos_token_id && !c.forced_eos_token_id->empty())
    list.add("forced_eos_token_id", forced_eos(at.lengths.max_length, *c.forced_eos_token_id));
  if (c.remove_invalid_values) list.add("remove_invalid_values", remove_invalid());
  if (c.exponential_decay_length_penalty)
    list.add(
        "exponential_decay_length_penalty",
        exponential_decay(*c.exponential_decay_length_penalty, *c.eos_token_id, at.input_length));
  if (c.suppress_tokens) list.add("suppress_tokens", suppress(*c.suppress_tokens));
  if (c.begin_suppress_tokens) {
    const bool after_bos = at.input_length <= 1 && c.forced_bos_token_id.has_value();
    list.add("begin_suppress_tokens",
             suppress(*c.begin_suppress_tokens,
                      static_cast<std::int64_t>(at.input_length) + (after_bos ? 1 : 0)));
  }
  for (const processor_function& own : c.logits_processor) list.add("logits_processor", own);
}

inline void add_warpers(processor_list& list, const resolved_config& c) {
  // Beams need one id beside the ends, so that they can go on.
  const std::size_t keep =
      c.num_beams > 1 ? (c.has_eos() ? c.eos_token_id->size() + 1 : std::size_t{2}) : 1;
  if (c.temperature != 1) list.add("temperature", temperature_warper(c.temperature));
  if (c.top_k != 0) list.add("top_k", top_k_warper(c.top_k, keep));
  if (c.top_p < 1) list.add("top_p", top_p_warper(c.top_p, keep));
  if (c.min_p) list.add("min_p", min_p_warper(*c.min_p, keep));
  if (c.typical_p < 1) list.add("typical_p", typical_warper(c.typical_p, keep));
  if (c.epsilon_cutoff > 0 && c.epsilon_cutoff < 1)
    list.add("epsilon_cutoff", epsilon_warper(c.epsilon_cutoff, keep));
  if (c.eta_cutoff > 0 && c.eta_cutoff < 1)
    list.add("eta_cutoff", epsilon_warper(c.eta_cutoff, keep, epsilon_warper::rule::eta));
}

}  // namespace detail

inline processor_list make_processors(const resolved_config& config,
                                      const processor_context& context) {
  processor_list list;
  detail::add_score_processors(list, config, context);
  detail::add_forcing_processors(list, config, context);
  if (config.do_sample) detail::add_warpers(list, config);
  if (config.renormalize_logits) list.add("renormalize_logits", renormalize());
  return list;
}

// With the lengths that `limits` gives; `prompt` is also the encoder's input.
inline processor_list make_processors(const resolved_config& config,
                                      std::span<const std::int32_t> prompt,
                                      std::int64_t max_positions = 0, std::size_t batch_index = 0) {
  const auto length = static_cast<std::int64_t>(prompt.size());
  return make_processors(config, {.input_length = prompt.size(),
                                  .lengths = limits(config, length, max_positions),
                                  .encoder_ids = prompt,
                                  .batch_index = batch_index});
}

}  // namespace parlance::inline PARLANCE_ABI::generation
