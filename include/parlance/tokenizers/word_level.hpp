// SPDX-License-Identifier: Apache-2.0
// tokenizer.json's "WordLevel" model: a word is a token or unknown.
// Source: huggingface/tokenizers 0.22, src/models/wordlevel.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "parlance/tokenizers/token_table.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct word_level_options {
  std::string unk_token = "<unk>";
};

class word_level {
 public:
  struct scratch {};

  word_level(const model_data& data, word_level_options options)
      : options_(std::move(options)), words_(data), unk_id_(words_.find(options_.unk_token)) {}

  const word_level_options& options() const { return options_; }
  std::size_t vocab_size() const { return words_.size(); }
  std::uint32_t token_limit() const { return words_.limit(); }
  std::uint32_t token_to_id(std::string_view token) const { return words_.find(token); }
  std::optional<std::string> id_to_token(std::uint32_t id) const { return words_.token(id); }
  void append_token(std::uint32_t id, std::string& out) const { words_.append_token(id, out); }

  // emit(id, begin, end) once. Throws format_error for an unknown word when the vocabulary has no
  // unknown token.
  template <class Emit>
  void tokenize(std::string_view word, scratch&, Emit emit) const {
    if (word.empty()) return;
    std::uint32_t id = words_.find(word);
    if (id == vocabulary::none) id = unk_id_;
    if (id == vocabulary::none)
      throw format_error("tokenizer.json", -1,
                         "model: unk_token '" + options_.unk_token + "' is not in the vocabulary");
    emit(id, std::uint32_t{0}, static_cast<std::uint32_t>(word.size()));
  }

 private:
  word_level_options options_;
  vocabulary words_;
  std::uint32_t unk_id_;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
