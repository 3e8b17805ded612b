// SPDX-License-Identifier: Apache-2.0
// Bodies of text_session.hpp.
#pragma once

#include "parlance/pipelines/text_session.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

PARLANCE_SPLIT_INLINE text_session::text_session(const language_model& parts,
                                                 generation::resolved_config config,
                                                 const text_generation_options& options,
                                                 std::vector<text_generation_input> inputs,
                                                 bool keep_text)
    : parts_(parts), options_(options), inputs_(std::move(inputs)), keep_text_(keep_text) {
  for (const auto& in : inputs_) prompts_.push_back(in.ids);
  copies_ = static_cast<std::size_t>(config.num_return_sequences);
  on_text_ = config.on_text;
  generation::generate_hooks hooks = make_hooks(config.stop_strings.has_value());
  loop_.emplace(*parts_.model, std::move(config), std::move(hooks));
}

PARLANCE_SPLIT_INLINE auto text_session::run() -> std::vector<std::vector<output>> {
  start();
  while (advance()) {
  }
  return finish();
}

PARLANCE_SPLIT_INLINE void text_session::start() { loop_->start(prompts_); }

PARLANCE_SPLIT_INLINE bool text_session::advance() {
  if (loop_->advance()) return true;
  if (streamed_) stream(streamed_->finish());
  return false;
}

PARLANCE_SPLIT_INLINE auto text_session::finish() -> std::vector<std::vector<output>> {
  std::vector<generation::generated> results = loop_->finish();
  std::vector<std::vector<output>> out(inputs_.size());
  for (std::size_t i = 0; i < results.size(); ++i)
    out[i / copies_].push_back(make_output(inputs_[i / copies_], std::move(results[i])));
  return out;
}

PARLANCE_SPLIT_INLINE auto text_session::make_decoder(std::size_t sequence) const
    -> tokenizers::streaming_decoder {
  tokenizers::streaming_decoder out(
      *parts_.tokenizer,
      tokenizers::decode_options{.skip_special_tokens = options_.skip_special_tokens});
  if (const auto& in = inputs_[sequence / copies_]; !in.empty) out.prime(in.ids);
  return out;
}

PARLANCE_SPLIT_INLINE auto text_session::make_hooks(bool stops) -> generation::generate_hooks {
  generation::generate_hooks hooks;
  hooks.measured = options_.timing;
  if (stops) {
    hooks.decoder = [this](std::size_t s) {
      return [decoder = make_decoder(s)](std::int32_t id) mutable { return decoder.push(id); };
    };
    hooks.prompt_text = [this](std::size_t s) {
      return parts_.tokenizer->decode(prompts_[s / copies_], decoding());
    };
  }
  if ((keep_text_ || on_text_) && !inputs_.empty()) {
    streamed_.emplace(make_decoder(0));
    hooks.on_token = [this](std::size_t s, std::int32_t id) {
      if (s == 0) stream(streamed_->push(id));
      return s == 0 && told_to_stop_ ? flow::stop : flow::next;
    };
  }
  return hooks;
}

PARLANCE_SPLIT_INLINE void text_session::stream(const std::string& piece) {
  if (piece.empty() || told_to_stop_) return;
  if (keep_text_) text_ += piece;
  told_to_stop_ = on_text_(piece) == flow::stop;
}

PARLANCE_SPLIT_INLINE auto text_session::make_output(const text_generation_input& in,
                                                     generation::generated g) const -> output {
  output out;
  out.prompt_ids = in.ids;
  out.ids = std::move(g.ids);
  out.finish_reason = g.reason;
  out.logprobs = std::move(g.logprobs);
  std::vector<std::int32_t> all = in.ids;
  all.insert(all.end(), out.ids.begin(), out.ids.end());
  // New text is what decoding the whole adds to decoding the prompt, counted in characters.
  const std::string whole = parts_.tokenizer->decode(all, decoding());
  std::size_t skip = in.empty ? 0 : utf8_length(parts_.tokenizer->decode(in.ids, decoding()));
  std::size_t at = 0;
  while (skip > 0 && at < whole.size()) at += utf8_decode(whole, at).length, --skip;
  const std::string fresh = whole.substr(at);
  if (in.messages.is_null()) {
    out.generated_text = options_.return_full_text ? in.text + fresh : fresh;
    return out;
  }
  out.generated_text = fresh;
  out.messages = in.messages;
  if (in.continues) {
    json& content = out.messages.back()["content"];
    content = (content.is_string() ? content.get<std::string>() : std::string()) + fresh;
  } else {
    out.messages.push_back({{"role", "assistant"}, {"content", fresh}});
  }
  return out;
}

PARLANCE_SPLIT_INLINE text_session::~text_session() = default;

}  // namespace parlance::inline PARLANCE_ABI::pipelines
