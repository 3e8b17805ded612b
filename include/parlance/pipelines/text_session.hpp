// SPDX-License-Identifier: Apache-2.0
// One call of the text-generation pipeline on its way: prompts, decoding loop, streamed text. The
// caller drives it step by step, so a stream needs no second thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "parlance/pipelines/language_model.hpp"
#include "parlance/tokenizers/streaming_decoder.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

// Options of the pipeline beside those of generation.
struct text_generation_options {
  bool return_full_text = true;
  bool return_tensors = false;
  bool clean_up_tokenization_spaces = true;
  bool skip_special_tokens = true;
  std::optional<bool> add_special_tokens{};  // not set: the tokenizer's own habit
  std::optional<std::string> prefix{};       // not set: the model's own for this task, or none
  std::optional<std::string> handle_long_generation{};  // "hole": drop the head of a long prompt
  std::optional<std::string> stop_sequence{};           // each of its ids ends the text
  // Cuts prompts to encode_max_length tokens, else to the call's max_length, else to what the model
  // takes. Not set: text (not chats) is cut when one of the first two is given, as the original.
  std::optional<bool> truncation{};
  std::optional<std::int64_t> encode_max_length{};
  std::optional<bool>
      continue_final_message{};  // not set: when the last message is the assistant's
  json tools = nullptr, documents = nullptr, template_variables = nullptr;
  generation::timing* timing = nullptr;
};

struct text_generation_output {
  std::string generated_text;  // of a chat: the reply alone
  json messages;               // of a chat: the messages with the reply; else null
  std::vector<std::int32_t> prompt_ids, ids;
  generation::finish_reason finish_reason = generation::finish_reason::none;
  std::vector<generation::token_choice> logprobs;
};

// A prompt, ready for the model.
struct text_generation_input {
  std::string text;  // what the full text starts with
  std::vector<std::int32_t> ids;
  json messages;           // of a chat
  bool continues = false;  // the last message
  bool empty = false;      // the only id stands for no prompt at all
};

class text_session {
 public:
  using output = text_generation_output;

  // With `keep_text`, take_text() gives what sequence 0 has gained.
  text_session(const language_model& parts, generation::resolved_config config,
               const text_generation_options& options, std::vector<text_generation_input> inputs,
               bool keep_text = false);
  text_session(const text_session&) = delete;  // the hooks refer to it
  ~text_session();

  // Runs everything.
  std::vector<std::vector<output>> run();

  // Step by step: start(), advance() until it says false, finish().
  void start();
  bool advance();
  std::string take_text() { return std::exchange(text_, {}); }

  // The results of each input.
  std::vector<std::vector<output>> finish();

 private:
  tokenizers::decode_options decoding() const {
    return {.skip_special_tokens = options_.skip_special_tokens,
            .clean_up_tokenization_spaces = options_.clean_up_tokenization_spaces};
  }

  generation::generate_hooks make_hooks(bool stops);

  // Of the new ids of a sequence.
  tokenizers::streaming_decoder make_decoder(std::size_t sequence) const;

  void stream(const std::string& piece);

  output make_output(const text_generation_input& in, generation::generated g) const;

  const language_model& parts_;
  const text_generation_options options_;
  const std::vector<text_generation_input> inputs_;
  std::vector<std::vector<std::int32_t>> prompts_;
  std::size_t copies_ = 1;
  std::optional<tokenizers::streaming_decoder> streamed_;  // sequence 0, when it is streamed
  callback<std::string_view> on_text_;
  std::optional<generation::decoding_loop> loop_;
  bool keep_text_ = false, told_to_stop_ = false;
  std::string text_;
};

}  // namespace parlance::inline PARLANCE_ABI::pipelines

#if PARLANCE_BODIES
#include "parlance/pipelines/impl/text_session.hpp"
#endif
