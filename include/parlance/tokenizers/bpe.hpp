// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding as in tokenizer.json's "BPE" model, over characters (SentencePiece style, with
// byte fallback) or over raw bytes (`byte_level`: tokens are kept as the bytes they stand for, not
// as GPT-2's printable characters). Source: huggingface/tokenizers 0.22, src/models/bpe; Sennrich
// et al. 2016 (arXiv:1508.07909). No dropout.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/tokenizers/bpe_merge.hpp"
#include "parlance/tokenizers/byte_level.hpp"
#include "parlance/tokenizers/token_table.hpp"
#include "parlance/tokenizers/word_cache.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct bpe_options {
  std::optional<std::string> unk_token = std::nullopt;
  std::string continuing_subword_prefix = {}, end_of_word_suffix = {};
  bool fuse_unk = false, byte_fallback = false, ignore_merges = false;
};

class bpe {
 public:
  static constexpr std::uint32_t none = token_table::none;
  struct scratch {
    bpe_merger merger;
    word_cache words;
  };
  object_pool<scratch>::loan borrow_scratch() const { return scratches_.take(); }

  // byte_level asks for raw bytes; it is granted when the vocabulary allows it (see byte_level()).
  bpe(const model_data& data, bpe_options options, bool byte_level);

  bool byte_level() const { return byte_level_; }
  const bpe_options& options() const { return options_; }
  std::size_t vocab_size() const { return table_.size() + foreign_.size(); }
  std::uint32_t token_limit() const { return static_cast<std::uint32_t>(of_id_.size()); }
  const pair_table& merges() const { return merges_; }

  std::uint32_t token_to_id(std::string_view token) const {
    if (!byte_level_) return table_.find(token);
    std::string raw;
    return byte_level_decode(token, raw) ? table_.find(raw) : foreign_.find(token);
  }
  // The token as tokenizer.json spells it.
  std::optional<std::string> id_to_token(std::uint32_t id) const {
    if (id >= of_id_.size() || of_id_[id] == none) return std::nullopt;
    std::string out;
    append_token(id, out);
    return out;
  }
  // The same for an id that is one.
  void append_token(std::uint32_t id, std::string& out) const {
    const std::uint32_t at = of_id_[id];
    if (at & foreign_bit)
      out += foreign_.text(at & ~foreign_bit);
    else if (byte_level_)
      byte_level_encode(table_.text(at), out);
    else
      out += table_.text(at);
  }

  // emit(id, begin, end) for the tokens of one piece; begin and end are bytes of it.
  template <class Emit>
  void tokenize(std::string_view piece, scratch& s, Emit emit) const {
    if (piece.empty()) return;
    if (piece.size() > word_cache::longest && cuttable_) return tokenize_cut(piece, s, emit);
    tokenize_word(piece, 0, s, emit);
  }

 private:
  static constexpr std::uint32_t foreign_bit = 0x80000000u;
  enum reach : std::uint8_t { unknown, yes, no };

  void build_tokens(const model_data& data);
  void build_merges(const model_data& data);
  void build_junctions();
  bool bytes_complete() const;
  std::uint32_t merge_part(std::string_view part, std::size_t index) const;

  // The id when the piece is one token: at once with ignore_merges, else if merging leads there.
  std::uint32_t whole(std::string_view piece, scratch& s) const {
    const std::uint32_t id = table_.find(piece);
    if (id == none || options_.ignore_merges) return id;
    if (affixed_) return none;
    std::atomic<std::uint8_t>& state = reachable_[id];
    std::uint8_t known = state.load(std::memory_order_relaxed);
    if (known == unknown) {
      start(piece, s);
      s.merger.run(merges_);
      known = s.merger.symbols.size() == 1 && s.merger.symbols[0].id == id ? yes : no;
      state.store(known, std::memory_order_relaxed);
    }
    return known == yes ? id : none;
  }

  // The tokens of a word that starts at byte `at` of its piece.
  template <class Emit>
  void tokenize_word(std::string_view word, std::uint32_t at, scratch& s, Emit& emit) const {
    s.words.tokens(
        word, at, [&](auto&& put) { merge_word(word, s, put); }, emit);
  }
  template <class Emit>
  void merge_word(std::string_view word, scratch& s, Emit& emit) const {
    if (const std::uint32_t id = whole(word, s); id != none)
      emit(id, std::uint32_t{0}, static_cast<std::uint32_t>(word.size()));
    else
      merge_and_emit(word, s, emit);
  }

  template <class Emit>
  void merge_and_emit(std::string_view piece, scratch& s, Emit& emit) const {
    const bool complete = start(piece, s);
    s.merger.run(merges_);
    if (!complete && byte_level_) return emit_shifted(piece, s, emit);
    std::uint32_t at = 0;
    for (const bpe_symbol& symbol : s.merger.symbols) {
      emit(symbol.id, at, at + symbol.length);
      at += symbol.length;
    }
  }

  // When bytes without a token were dropped, later tokens move left by the length of the printable
  // characters of those bytes, as in the original.
  template <class Emit>
  void emit_shifted(std::string_view piece, scratch& s, Emit& emit) const {
    std::vector<std::uint32_t> byte_of;
    for (std::uint32_t i = 0; i < piece.size(); ++i)
      byte_of.insert(byte_of.end(), byte_level_char(static_cast<unsigned char>(piece[i])).size(),
                     i);
    std::size_t begin = 0;
    for (const bpe_symbol& symbol : s.merger.symbols) {
      std::size_t width = 0;
      const std::string_view raw = table_.text(of_id_[symbol.id]);
      for (const char b : raw) width += byte_level_char(static_cast<unsigned char>(b)).size();
      emit(symbol.id, byte_of[begin], byte_of[begin + width - 1] + 1);
      begin += width;
    }
  }

  // Cuts where no merge can cross, which leaves short words instead of one long text.
  template <class Emit>
  void tokenize_cut(std::string_view piece, scratch& s, Emit& emit) const {
    std::size_t begin = 0;
    unicode::step left = unicode::decode(piece, 0);
    for (std::size_t i = left.length;; i += left.length) {
      const bool end = i >= piece.size();
      const unicode::step right = end ? unicode::step{0, 1} : unicode::decode(piece, i);
      if (end || !junction(left.code_point, right.code_point)) {
        tokenize_word(piece.substr(begin, i - begin), static_cast<std::uint32_t>(begin), s, emit);
        begin = i;
      }
      if (end) return;
      left = right;
    }
  }
  bool junction(char32_t left, char32_t right) const {
    if (left < 128 && right < 128)
      return ascii_junctions_[left * 2 + right / 64] >> (right % 64) & 1;
    return junctions_.find(left, right).rank != pair_table::no_rank;
  }

  // Initial symbols of a piece; false when something had to be dropped.
  bool start(std::string_view piece, scratch& s) const {
    s.merger.symbols.clear();
    return byte_level_ ? start_bytes(piece, s.merger.symbols)
                       : start_characters(piece, s.merger.symbols);
  }
  bool start_bytes(std::string_view piece, std::vector<bpe_symbol>& out) const {
    out.resize(piece.size());
    std::uint32_t missing = 0;
    for (std::size_t i = 0; i < piece.size(); ++i) {
      out[i] = {byte_ids_[static_cast<unsigned char>(piece[i])], 1};
      missing |= out[i].id == none;
    }
    if (!missing) return true;
    out.clear();
    unknowns pending{*this, out};
    for (const char b : piece) {
      if (const std::uint32_t id = byte_ids_[static_cast<unsigned char>(b)]; id != none)
        pending.flush(), out.push_back({id, 1});
      else
        pending.add(1);
    }
    pending.flush();
    return options_.unk_token.has_value();
  }
  bool start_characters(std::string_view piece, std::vector<bpe_symbol>& out) const;
  std::uint32_t character_id(std::string_view character, bool first, bool last) const;

  // The run of unknown characters not written yet.
  struct unknowns {
    const bpe& model;
    std::vector<bpe_symbol>& out;
    std::uint32_t length = 0;
    bool add(std::uint32_t bytes) {
      if (!model.options_.unk_token) return false;
      if (model.unk_id_ == none)
        throw format_error("tokenizer.json", -1, "model: unk_token is not in the vocabulary");
      if (!model.options_.fuse_unk) flush();
      length += bytes;
      return true;
    }
    void flush() {
      if (length) out.push_back({model.unk_id_, length});
      length = 0;
    }
  };

  bpe_options options_;
  bool byte_level_ = false, affixed_ = false, fallback_complete_ = false, cuttable_ = false;
  token_table table_;    // raw bytes when byte_level_, else as spelled
  token_table foreign_;  // tokens no byte string stands for (byte_level_ only)
  std::vector<std::uint32_t> of_id_;
  pair_table merges_;
  std::uint32_t unk_id_ = none;
  std::array<std::uint32_t, 256> byte_ids_{};      // of bytes (byte_level_)
  std::vector<std::uint32_t> character_ids_;       // of the first characters, when not byte_level_
  std::array<std::uint32_t, 256> fallback_ids_{};  // of <0x00> ... <0xFF>
  std::array<std::uint64_t, 256> ascii_junctions_{};
  pair_table junctions_;
  object_pool<scratch> scratches_;
  mutable std::unique_ptr<std::atomic<std::uint8_t>[]> reachable_;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers

#include "parlance/tokenizers/impl/bpe.hpp"
