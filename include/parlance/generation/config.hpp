// SPDX-License-Identifier: Apache-2.0
// Generation options under Hugging Face's names. `generation_config` holds what one source says
// (a call, generation_config.json, a pipeline's default): every option may be absent.
// `visit_options` is the only list of names; merging, JSON, command lines and explanations are all
// made from it. The final values are computed by resolve.hpp.
// Source: transformers 4.57.6 generation/configuration_utils.py; `seed` and `logprobs` are ours.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/core/progress.hpp"
#include "parlance/generation/option_types.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

// Changes the scores of the next token in place; `ids` are all ids so far, prompt included.
using processor_function = std::function<void(std::span<const std::int32_t> ids, std::span<float>)>;
// Says whether to stop after the last of `ids`; `scores` are those that it was chosen from.
using stopping_function =
    std::function<bool(std::span<const std::int32_t> ids, std::span<const float> scores)>;
// The ids allowed next in sequence `batch_index`.
using allowed_tokens_function = std::function<std::vector<std::int32_t>(
    std::size_t batch_index, std::span<const std::int32_t> ids)>;

// A length that is explicitly absent (JSON null), which hides the value of a lower source.
inline constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::min();

// `Slot` is std::optional in generation_config, and the plain type in resolved_config; members that
// stay optional there have no value by default.
template <template <class> class Slot>
struct basic_generation_config {
  // Length
  Slot<std::int64_t> max_length{};
  std::optional<std::int64_t> max_new_tokens{};
  Slot<std::int64_t> min_length{};
  std::optional<std::int64_t> min_new_tokens{};
  Slot<early_stopping_rule> early_stopping{};
  std::optional<double> max_time{};
  std::optional<text_list> stop_strings{};
  // Strategy
  Slot<bool> do_sample{};
  Slot<std::int64_t> num_beams{};
  Slot<std::int64_t> num_beam_groups{};
  std::optional<double> penalty_alpha{};
  // Cache
  Slot<bool> use_cache{};
  std::optional<std::string> cache_implementation{};
  std::optional<std::int64_t> prefill_chunk_size{};
  // Scores
  Slot<double> temperature{};
  Slot<std::int64_t> top_k{};
  Slot<double> top_p{};
  std::optional<double> min_p{};
  Slot<double> typical_p{};
  Slot<double> epsilon_cutoff{};
  Slot<double> eta_cutoff{};
  Slot<double> repetition_penalty{};
  Slot<double> encoder_repetition_penalty{};
  Slot<double> length_penalty{};
  Slot<double> diversity_penalty{};
  Slot<std::int64_t> no_repeat_ngram_size{};
  Slot<std::int64_t> encoder_no_repeat_ngram_size{};
  std::optional<token_lists> bad_words_ids{};
  std::optional<sequence_biases> sequence_bias{};
  std::optional<std::int32_t> forced_bos_token_id{};
  std::optional<token_ids> forced_eos_token_id{};
  Slot<bool> remove_invalid_values{};
  std::optional<length_decay> exponential_decay_length_penalty{};
  std::optional<token_ids> suppress_tokens{};
  std::optional<token_ids> begin_suppress_tokens{};
  Slot<bool> renormalize_logits{};
  Slot<bool> token_healing{};
  std::optional<double> guidance_scale{};
  // Output
  Slot<std::int64_t> num_return_sequences{};
  Slot<bool> output_attentions{};
  Slot<bool> output_hidden_states{};
  Slot<bool> output_scores{};
  std::optional<bool> output_logits{};
  Slot<bool> return_dict_in_generate{};
  std::optional<std::int64_t> logprobs{};  // ours: this many best alternatives with each token
  // Special tokens
  std::optional<std::int32_t> pad_token_id{};
  std::optional<std::int32_t> bos_token_id{};
  std::optional<token_ids> eos_token_id{};
  std::optional<std::int32_t> decoder_start_token_id{};
  // Assisted generation
  Slot<std::int64_t> num_assistant_tokens{};
  Slot<std::string> num_assistant_tokens_schedule{};
  Slot<double> assistant_confidence_threshold{};
  std::optional<std::int64_t> prompt_lookup_num_tokens{};
  std::optional<std::int64_t> max_matching_ngram_size{};
  std::optional<std::int64_t> assistant_early_exit{};
  Slot<std::int64_t> assistant_lookbehind{};
  Slot<std::int64_t> target_lookbehind{};
  // Repeatability
  std::optional<std::uint64_t> seed{};  // ours
  // What only a call can carry; not options by name.
  allowed_tokens_function prefix_allowed_tokens_fn{};
  std::vector<processor_function> logits_processor{};
  std::vector<stopping_function> stopping_criteria{};
  callback<std::string_view> on_text{};
  std::stop_token stop_token{};
};

using generation_config = basic_generation_config<std::optional>;

// Calls f(name, member of each config...) for every named option.
template <class F, class... C>
void visit_options(F&& f, C&&... c) {
  f("max_length", c.max_length...);
  f("max_new_tokens", c.max_new_tokens...);
  f("min_length", c.min_length...);
  f("min_new_tokens", c.min_new_tokens...);
  f("early_stopping", c.early_stopping...);
  f("max_time", c.max_time...);
  f("stop_strings", c.stop_strings...);
  f("do_sample", c.do_sample...);
  f("num_beams", c.num_beams...);
  f("num_beam_groups", c.num_beam_groups...);
  f("penalty_alpha", c.penalty_alpha...);
  f("use_cache", c.use_cache...);
  f("cache_implementation", c.cache_implementation...);
  f("prefill_chunk_size", c.prefill_chunk_size...);
  f("temperature", c.temperature...);
  f("top_k", c.top_k...);
  f("top_p", c.top_p...);
  f("min_p", c.min_p...);
  f("typical_p", c.typical_p...);
  f("epsilon_cutoff", c.epsilon_cutoff...);
  f("eta_cutoff", c.eta_cutoff...);
  f("repetition_penalty", c.repetition_penalty...);
  f("encoder_repetition_penalty", c.encoder_repetition_penalty...);
  f("length_penalty", c.length_penalty...);
  f("diversity_penalty", c.diversity_penalty...);
  f("no_repeat_ngram_size", c.no_repeat_ngram_size...);
  f("encoder_no_repeat_ngram_size", c.encoder_no_repeat_ngram_size...);
  f("bad_words_ids", c.bad_words_ids...);
  f("sequence_bias", c.sequence_bias...);
  f("forced_bos_token_id", c.forced_bos_token_id...);
  f("forced_eos_token_id", c.forced_eos_token_id...);
  f("remove_invalid_values", c.remove_invalid_values...);
  f("exponential_decay_length_penalty", c.exponential_decay_length_penalty...);
  f("suppress_tokens", c.suppress_tokens...);
  f("begin_suppress_tokens", c.begin_suppress_tokens...);
  f("renormalize_logits", c.renormalize_logits...);
  f("token_healing", c.token_healing...);
  f("guidance_scale", c.guidance_scale...);
  f("num_return_sequences", c.num_return_sequences...);
  f("output_attentions", c.output_attentions...);
  f("output_hidden_states", c.output_hidden_states...);
  f("output_scores", c.output_scores...);
  f("output_logits", c.output_logits...);
  f("return_dict_in_generate", c.return_dict_in_generate...);
  f("logprobs", c.logprobs...);
  f("pad_token_id", c.pad_token_id...);
  f("bos_token_id", c.bos_token_id...);
  f("eos_token_id", c.eos_token_id...);
  f("decoder_start_token_id", c.decoder_start_token_id...);
  f("num_assistant_tokens", c.num_assistant_tokens...);
  f("num_assistant_tokens_schedule", c.num_assistant_tokens_schedule...);
  f("assistant_confidence_threshold", c.assistant_confidence_threshold...);
  f("prompt_lookup_num_tokens", c.prompt_lookup_num_tokens...);
  f("max_matching_ngram_size", c.max_matching_ngram_size...);
  f("assistant_early_exit", c.assistant_early_exit...);
  f("assistant_lookbehind", c.assistant_lookbehind...);
  f("target_lookbehind", c.target_lookbehind...);
  f("seed", c.seed...);
}

// The names of all options, in declaration order.
inline std::vector<std::string_view> option_names() {
  std::vector<std::string_view> names;
  visit_options([&](std::string_view name) { names.push_back(name); });
  return names;
}

inline bool is_generation_option(std::string_view name) {
  bool found = false;
  visit_options([&](std::string_view each) { found = found || each == name; });
  return found;
}

// What transformers' GenerationConfig() holds; options that are None there stay absent.
inline generation_config global_defaults() {
  return {.max_length = 20,
          .min_length = 0,
          .early_stopping = false,
          .do_sample = false,
          .num_beams = 1,
          .num_beam_groups = 1,
          .use_cache = true,
          .temperature = 1.0,
          .top_k = 50,
          .top_p = 1.0,
          .typical_p = 1.0,
          .epsilon_cutoff = 0.0,
          .eta_cutoff = 0.0,
          .repetition_penalty = 1.0,
          .encoder_repetition_penalty = 1.0,
          .length_penalty = 1.0,
          .diversity_penalty = 0.0,
          .no_repeat_ngram_size = 0,
          .encoder_no_repeat_ngram_size = 0,
          .remove_invalid_values = false,
          .renormalize_logits = false,
          .token_healing = false,
          .num_return_sequences = 1,
          .output_attentions = false,
          .output_hidden_states = false,
          .output_scores = false,
          .return_dict_in_generate = false,
          .num_assistant_tokens = 20,
          .num_assistant_tokens_schedule = "constant",
          .assistant_confidence_threshold = 0.4,
          .assistant_lookbehind = 10,
          .target_lookbehind = 10};
}

// What None (JSON null) means where it is not simply "absent": the value that switches it off.
inline generation_config off_values() {
  return {.max_new_tokens = no_limit,
          .min_length = 0,
          .min_new_tokens = no_limit,
          .stop_strings = text_list(),
          .temperature = 1.0,
          .top_k = 0,
          .top_p = 1.0,
          .min_p = 0.0,
          .typical_p = 1.0,
          .epsilon_cutoff = 0.0,
          .eta_cutoff = 0.0,
          .repetition_penalty = 1.0,
          .encoder_repetition_penalty = 1.0,
          .no_repeat_ngram_size = 0,
          .encoder_no_repeat_ngram_size = 0,
          .forced_eos_token_id = token_ids(),
          .suppress_tokens = token_ids(),
          .begin_suppress_tokens = token_ids(),
          .guidance_scale = 1.0,
          .eos_token_id = token_ids()};
}

// Puts every option that `over` sets into `into`.
inline void merge(generation_config& into, const generation_config& over) {
  visit_options(
      [](std::string_view, auto& to, const auto& from) {
        if (from) to = from;
      },
      into, over);
  if (over.prefix_allowed_tokens_fn) into.prefix_allowed_tokens_fn = over.prefix_allowed_tokens_fn;
  if (!over.logits_processor.empty()) into.logits_processor = over.logits_processor;
  if (!over.stopping_criteria.empty()) into.stopping_criteria = over.stopping_criteria;
  if (over.on_text) into.on_text = over.on_text;
  if (over.stop_token.stop_possible()) into.stop_token = over.stop_token;
}

}  // namespace parlance::inline PARLANCE_ABI::generation
