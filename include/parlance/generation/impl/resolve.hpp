// SPDX-License-Identifier: Apache-2.0
// Bodies of resolve.hpp: the original's checks, then its layers of defaults.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "parlance/generation/resolve.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

namespace detail {

[[noreturn]] inline void bad_option(std::string_view name, const std::string& what,
                                    const std::string& hint) {
  throw option_error(std::string(name) + ": " + what, hint);
}

inline std::string number_text(double value) {
  std::string text = std::to_string(value);
  while (text.size() > 1 && text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

inline void check_sampling(const resolved_config& c) {
  const auto refuse = [](std::string_view name, double value, const char* expected,
                         const char* nearest_valid) {
    bad_option(name, std::string("expected ") + expected + ", got " + number_text(value),
               nearest_valid);
  };
  if (!(c.temperature > 0))
    refuse("temperature", c.temperature, "a number above 0",
           "for greedy decoding set do_sample to false");
  if (c.top_k < 0) refuse("top_k", static_cast<double>(c.top_k), "at least 0", "0 switches it off");
  if (!(c.top_p >= 0)) refuse("top_p", c.top_p, "a number from 0 to 1", "nearest: 0");
  if (c.min_p && !(*c.min_p >= 0 && *c.min_p <= 1))
    refuse("min_p", *c.min_p, "a number from 0 to 1", *c.min_p > 1 ? "nearest: 1" : "nearest: 0");
  if (!(c.typical_p > 0)) refuse("typical_p", c.typical_p, "a number above 0", "1 switches it off");
}

inline void check_beams(const resolved_config& c) {
  if (c.num_beams < 1)
    bad_option("num_beams", "expected at least 1, got " + std::to_string(c.num_beams),
               "nearest: 1");
  if (c.num_beam_groups < 1 || c.num_beam_groups > c.num_beams)
    bad_option("num_beam_groups",
               "expected 1 to num_beams, got " + std::to_string(c.num_beam_groups),
               "nearest: " + std::to_string(c.num_beam_groups < 1 ? 1 : c.num_beams));
  if (c.num_beam_groups > 1 && c.num_beams % c.num_beam_groups)
    bad_option("num_beam_groups",
               "expected a divisor of num_beams = " + std::to_string(c.num_beams) + ", got " +
                   std::to_string(c.num_beam_groups),
               "nearest: 1");
  if (c.num_beam_groups > 1 && !(c.diversity_penalty > 0))
    bad_option("diversity_penalty",
               "expected a number above 0 with beam groups, got " +
                   number_text(c.diversity_penalty),
               "otherwise the groups are identical");
  const std::int64_t returned = c.num_return_sequences;
  if (returned < 1)
    bad_option("num_return_sequences", "expected at least 1, got " + std::to_string(returned),
               "nearest: 1");
  if (returned != 1 && c.num_beams == 1 && !c.do_sample)
    bad_option("num_return_sequences",
               "greedy decoding gives one sequence, got " + std::to_string(returned),
               "set do_sample to true, num_beams to " + std::to_string(returned) +
                   ", or num_return_sequences to 1");
  if (c.num_beams > 1 && returned > c.num_beams)
    bad_option("num_return_sequences",
               "expected at most num_beams = " + std::to_string(c.num_beams) + ", got " +
                   std::to_string(returned),
               "nearest: " + std::to_string(c.num_beams));
}

inline void check_token_lists(const resolved_config& c) {
  const auto check = [](std::string_view name, const std::vector<std::int32_t>& ids) {
    if (ids.empty()) bad_option(name, "holds an empty list of ids", "remove it");
    for (const std::int32_t id : ids)
      if (id < 0) bad_option(name, "holds the negative id " + std::to_string(id), "ids start at 0");
  };
  if (c.bad_words_ids) {
    if (c.bad_words_ids->empty()) bad_option("bad_words_ids", "is an empty list", "leave it out");
    for (const auto& ids : *c.bad_words_ids) check("bad_words_ids", ids);
  }
  if (c.sequence_bias) {
    if (c.sequence_bias->empty()) bad_option("sequence_bias", "is an empty list", "leave it out");
    for (const auto& each : *c.sequence_bias) check("sequence_bias", each.ids);
  }
  if (c.stop_strings)
    for (const std::string& text : *c.stop_strings)
      if (text.empty()) bad_option("stop_strings", "holds an empty string", "remove it");
  if (c.forced_eos_token_id)
    for (const std::int32_t id : *c.forced_eos_token_id)
      if (id < 0)
        bad_option("forced_eos_token_id", "got the negative id " + std::to_string(id),
                   "ids start at 0");
}

inline void check_scores(const resolved_config& c) {
  for (const auto& [name, value] :
       {std::pair<const char*, double>{"repetition_penalty", c.repetition_penalty},
        {"encoder_repetition_penalty", c.encoder_repetition_penalty}})
    if (!(value > 0))
      bad_option(name, "expected a number above 0, got " + number_text(value), "1 switches it off");
  if (c.exponential_decay_length_penalty && !c.has_eos())
    bad_option("exponential_decay_length_penalty", "needs eos_token_id", "set eos_token_id");
  if (c.do_sample) check_sampling(c);
}

inline void check_lengths(const resolved_config& c) {
  if (c.max_new_tokens && *c.max_new_tokens <= 0)
    bad_option("max_new_tokens",
               "expected a number above 0, got " + std::to_string(*c.max_new_tokens), "nearest: 1");
  if (c.max_time && !(*c.max_time >= 0))
    bad_option("max_time", "expected seconds, at least 0", "nearest: 0");
  if (c.logprobs && *c.logprobs < 0)
    bad_option("logprobs", "expected at least 0, got " + std::to_string(*c.logprobs), "nearest: 0");
}

// What transformers calls minor issues: options that have no effect beside the others.
inline void note_ignored(resolved_config& c) {
  const auto note = [&](bool ignored, const char* name, const char* needed) {
    if (ignored) c.warnings.push_back(std::string(name) + " has no effect without " + needed);
  };
  if (!c.do_sample) {
    note(c.temperature != 1, "temperature", "do_sample");
    note(c.top_p != 1, "top_p", "do_sample");
    note(c.min_p.has_value(), "min_p", "do_sample");
    note(c.typical_p != 1, "typical_p", "do_sample");
    note(c.top_k != 50 && !c.penalty_alpha, "top_k", "do_sample");
    note(c.epsilon_cutoff != 0, "epsilon_cutoff", "do_sample");
    note(c.eta_cutoff != 0, "eta_cutoff", "do_sample");
  }
  if (c.num_beams == 1) {
    note(c.early_stopping != early_stopping_rule(false), "early_stopping", "num_beams > 1");
    note(c.length_penalty != 1, "length_penalty", "num_beams > 1");
  }
  note(c.min_length > 0 && !c.has_eos(), "min_length", "eos_token_id");
  note(c.min_new_tokens.value_or(0) > 0 && !c.has_eos(), "min_new_tokens", "eos_token_id");
  note(c.do_sample && c.top_p > 1, "top_p above 1", "a value below 1");
  note(c.no_repeat_ngram_size < 0, "no_repeat_ngram_size below 0", "a value above 0");
  if (c.max_new_tokens && (c.call_sets_max_length || c.max_length != 20))
    c.warnings.push_back("max_new_tokens takes precedence over max_length");
}

// The value of one option below the call, as the original's layers leave it. The original cannot
// tell a value equal to the global default from an absent one.
template <class Option>
const Option& choose_option(const Option& pipeline, const Option& file, const Option& global,
                            option_origin& origin) {
  const bool from_pipeline = pipeline && !(pipeline == global);
  if (from_pipeline || (pipeline && !file))
    return origin = option_origin::pipeline_default, pipeline;
  if (file) return origin = option_origin::model_file, file;
  return origin = option_origin::global_default, global;
}

}  // namespace detail

PARLANCE_SPLIT_INLINE void validate(const resolved_config& c) {
  detail::check_lengths(c);
  detail::check_beams(c);
  detail::check_token_lists(c);
  detail::check_scores(c);
}

PARLANCE_SPLIT_INLINE resolved_config resolve(const option_sources& from) {
  resolved_config out;
  const generation_config global = global_defaults();
  bool stop_sampling = false;
  visit_options(
      [&](std::string_view name, auto& to, const auto& call, const auto& task, const auto& file,
          const auto& pipeline, const auto& fallback, const auto& off) {
        option_origin origin{};
        const auto* value = &detail::choose_option(pipeline, file, fallback, origin);
        const auto* below_task = value;
        // Like the original, which fills up from the file once more after the task's parameters.
        const bool refilled = file && (task == fallback || (!fallback && task == off));
        if (task && !refilled) value = &task, origin = option_origin::task_params;
        // Below the call, a temperature of 0 asks for greedy decoding.
        if constexpr (std::is_same_v<decltype(to), double&>)
          if (name == "temperature")
            stop_sampling = *value == 0.0 || (*below_task == 0.0 && !from.task_params.do_sample);
        if (call) value = &call, origin = option_origin::call;
        detail::assign_option(to, *value);
        out.origins.push_back(origin);
      },
      out, from.call, from.task_params, from.model_file, from.pipeline_default, global,
      off_values());

  const auto origin_of = [&](std::string_view name) -> option_origin& {
    const auto names = option_names();
    return out.origins[static_cast<std::size_t>(std::ranges::find(names, name) - names.begin())];
  };
  if (stop_sampling && !from.call.do_sample) out.do_sample = false;
  // A model's own max_length beats the pipeline's default max_new_tokens.
  const bool file_length = from.model_file.max_length && *from.model_file.max_length != 20;
  if (origin_of("max_new_tokens") == option_origin::pipeline_default && file_length) {
    out.max_new_tokens = from.model_file.max_new_tokens;
    origin_of("max_new_tokens") =
        out.max_new_tokens ? option_origin::model_file : option_origin::global_default;
  }
  for (auto* limit : {&out.max_new_tokens, &out.min_new_tokens})
    if (*limit == no_limit) limit->reset();
  out.call_sets_max_length = from.call.max_length.has_value();

  generation_config hooks = from.pipeline_default;
  for (const auto* source : {&from.model_file, &from.task_params, &from.call})
    merge(hooks, *source);
  out.prefix_allowed_tokens_fn = std::move(hooks.prefix_allowed_tokens_fn);
  out.logits_processor = std::move(hooks.logits_processor);
  out.stopping_criteria = std::move(hooks.stopping_criteria);
  out.on_text = std::move(hooks.on_text);
  out.stop_token = std::move(hooks.stop_token);

  validate(out);
  detail::note_ignored(out);
  return out;
}

PARLANCE_SPLIT_INLINE resolved_config resolve(const generation_config& call,
                                              const generation_config& model_file,
                                              const generation_config& pipeline_default) {
  return resolve({.call = call,
                  .task_params = {},
                  .model_file = model_file,
                  .pipeline_default = pipeline_default});
}

PARLANCE_SPLIT_INLINE length_limits limits(const resolved_config& c, std::int64_t input_length,
                                           std::int64_t max_positions) {
  length_limits out{c.max_length, c.min_length};
  const auto after_input = [&](std::int64_t tokens) {
    return tokens > std::numeric_limits<std::int64_t>::max() - input_length
               ? std::numeric_limits<std::int64_t>::max()
               : tokens + input_length;
  };
  if (c.max_new_tokens) {
    out.max_length = after_input(*c.max_new_tokens);
  } else if (!c.call_sets_max_length && c.max_length == 20) {
    out.max_length = after_input(c.max_length);
    if (max_positions > 0) out.max_length = std::min(out.max_length, max_positions);
  }
  if (c.min_new_tokens) out.min_length = after_input(*c.min_new_tokens);
  if (input_length >= out.max_length)
    detail::bad_option("max_length",
                       "the input has " + std::to_string(input_length) +
                           " tokens, but the limit is " + std::to_string(out.max_length),
                       "raise max_length, or better, set max_new_tokens");
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::generation
