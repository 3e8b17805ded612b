// SPDX-License-Identifier: Apache-2.0
// tokenizer.json's "WordPiece" model (BERT): the longest token that starts the word, then the
// longest continuing one, and so on; a word that cannot be covered is one unknown token.
// Source: huggingface/tokenizers 0.22, src/models/wordpiece.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/utf8.hpp"
#include "parlance/tokenizers/byte_trie.hpp"
#include "parlance/tokenizers/token_table.hpp"
#include "parlance/tokenizers/word_cache.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct word_piece_options {
  std::string unk_token = "[UNK]", continuing_subword_prefix = "##";
  std::uint32_t max_input_chars_per_word = 100;
};

class word_piece {
 public:
  struct scratch {
    struct part {
      std::uint32_t id, begin, end;
    };
    word_cache words;
    std::vector<part> parts;
  };
  object_pool<scratch>::loan borrow_scratch() const { return scratches_.take(); }

  word_piece(const model_data& data, word_piece_options options)
      : options_(std::move(options)), words_(data) {
    std::vector<byte_trie::entry> keys;
    keys.reserve(words_.size());
    words_.each([&](std::string_view token, std::uint32_t id) { keys.emplace_back(token, id); });
    trie_ = byte_trie(std::move(keys));
    for (const char byte : options_.continuing_subword_prefix)
      can_continue_ = can_continue_ && trie_.step(continuing_, byte);
    unk_id_ = words_.find(options_.unk_token);
  }

  const word_piece_options& options() const { return options_; }
  std::size_t vocab_size() const { return words_.size(); }
  std::uint32_t token_limit() const { return words_.limit(); }
  std::uint32_t token_to_id(std::string_view token) const { return words_.find(token); }
  std::optional<std::string> id_to_token(std::uint32_t id) const { return words_.token(id); }
  void append_token(std::uint32_t id, std::string& out) const { words_.append_token(id, out); }

  // emit(id, begin, end) for the tokens of one word; begin and end are bytes of it.
  // Throws format_error when an unknown token is needed and the vocabulary has none.
  template <class Emit>
  void tokenize(std::string_view word, scratch& s, Emit emit) const {
    s.words.tokens(
        word, 0, [&](auto&& put) { cut(word, s, put); }, emit);
  }

 private:
  template <class Emit>
  void cut(std::string_view word, scratch& s, Emit& emit) const {
    if (word.empty()) return;
    if (!cover(word, s)) {
      if (unk_id_ == vocabulary::none)
        throw format_error(
            "tokenizer.json", -1,
            "model: unk_token '" + options_.unk_token + "' is not in the vocabulary");
      return emit(unk_id_, std::uint32_t{0}, static_cast<std::uint32_t>(word.size()));
    }
    for (const scratch::part& p : s.parts) emit(p.id, p.begin, p.end);
  }
  bool cover(std::string_view word, scratch& s) const {
    const std::size_t most = options_.max_input_chars_per_word;
    if (word.size() > most && utf8_length(word) > most) return false;
    s.parts.clear();
    for (std::size_t begin = 0; begin < word.size();) {
      if (begin > 0 && !can_continue_) return false;
      byte_trie::state at = begin > 0 ? continuing_ : byte_trie::root();
      std::uint32_t id = byte_trie::none;
      std::size_t end = begin;
      for (std::size_t i = begin; i < word.size() && trie_.step(at, word[i]); ++i)
        if (const std::uint32_t value = trie_.value(at); value != byte_trie::none)
          id = value, end = i + 1;
      if (id == byte_trie::none) return false;
      s.parts.push_back({id, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
      begin = end;
    }
    return true;
  }

  word_piece_options options_;
  vocabulary words_;
  byte_trie trie_;
  byte_trie::state continuing_ = byte_trie::root();
  bool can_continue_ = true;
  std::uint32_t unk_id_ = vocabulary::none;
  object_pool<scratch> scratches_;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
