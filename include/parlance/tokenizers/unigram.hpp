// SPDX-License-Identifier: Apache-2.0
// tokenizer.json's "Unigram" model (SentencePiece): the segmentation with the greatest sum of
// scores, by dynamic programming from left to right; the first candidate wins ties. Source:
// huggingface/tokenizers 0.22, src/models/unigram; Kudo 2018 (arXiv:1804.10959). No sampling.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/tokenizers/byte_trie.hpp"
#include "parlance/tokenizers/token_table.hpp"
#include "parlance/tokenizers/unicode.hpp"
#include "parlance/tokenizers/word_cache.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct unigram_options {
  std::optional<std::uint32_t> unk_id = std::nullopt;
  bool byte_fallback = false;
};

class unigram {
 public:
  static constexpr std::uint32_t none = token_table::none;
  static constexpr double unk_penalty = 10.0;  // below the least score of the vocabulary
  struct node {
    double score;         // of the best segmentation up to here
    std::uint32_t begin;  // of its last piece
    std::uint32_t id;     // of that piece; `none` while nothing ends here
  };
  struct scratch {
    word_cache words;
    std::vector<node> nodes;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> path;  // (end, id), last piece first
  };

  object_pool<scratch>::loan borrow_scratch() const { return scratches_.take(); }

  // The ids of data.tokens are 0, 1, ...; throws format_error for an unk_id outside of them.
  unigram(model_data data, unigram_options options);

  const unigram_options& options() const { return options_; }
  std::size_t vocab_size() const { return pieces_.size(); }
  std::uint32_t token_limit() const { return static_cast<std::uint32_t>(pieces_.size()); }
  double score(std::uint32_t id) const { return scores_[id]; }
  std::uint32_t token_to_id(std::string_view token) const {
    const std::uint32_t id = trie_.find(token);
    return id == byte_trie::none ? none : id;
  }
  std::optional<std::string> id_to_token(std::uint32_t id) const {
    return id < pieces_.size() ? std::optional(std::string(pieces_[id])) : std::nullopt;
  }
  void append_token(std::uint32_t id, std::string& out) const { out += pieces_[id]; }

  // True when the token's string is the text it stands for: that of unknown characters.
  bool token_is_text(std::uint32_t id) const { return options_.unk_id == id; }

  // emit(id, begin, end) for the pieces of one text; begin and end are bytes of it. Throws
  // format_error when an unknown token is needed and unk_id is not set.
  template <class Emit>
  void tokenize(std::string_view text, scratch& s, Emit emit) const {
    s.words.tokens(
        text, 0, [&](auto&& put) { segment(text, s, put); }, emit);
  }

 private:
  template <class Emit>
  void segment(std::string_view text, scratch& s, Emit& emit) const {
    if (text.empty()) return;
    best_nodes(text, s.nodes);
    s.path.clear();
    for (auto end = static_cast<std::uint32_t>(text.size()); end > 0;) {
      const node& n = s.nodes[end];
      const bool joins = options_.unk_id && n.id == *options_.unk_id && !s.path.empty() &&
                         s.path.back().second == n.id;
      if (!joins) s.path.emplace_back(end, n.id);
      end = n.begin;
    }
    std::uint32_t begin = 0;
    for (auto at = s.path.rbegin(); at != s.path.rend(); ++at) {
      const auto [end, id] = *at;
      if (options_.unk_id && id == *options_.unk_id)
        emit_unknown(text.substr(begin, end - begin), begin, emit);
      else
        emit(id, begin, end);
      begin = end;
    }
  }

  void best_nodes(std::string_view text, std::vector<node>& nodes) const {
    nodes.assign(text.size() + 1, {0.0, 0, none});
    for (std::uint32_t begin = 0; begin < text.size();) {
      const std::uint32_t single = begin + unicode::length_of(text[begin]);
      const double so_far = nodes[begin].score;
      const auto offer = [&](std::uint32_t end, std::uint32_t id, double score) {
        node& target = nodes[end];
        if (target.id == none || so_far + score > target.score)
          target = {so_far + score, begin, id};
      };
      bool covered = false;
      byte_trie::state at = byte_trie::root();
      for (std::uint32_t i = begin; i < text.size() && trie_.step(at, text[i]);) {
        ++i;
        const std::uint32_t id = trie_.value(at);
        if (id == byte_trie::none) continue;
        covered = covered || i == single;
        offer(i, id, scores_[id]);
      }
      if (!covered) {
        if (!options_.unk_id)
          throw format_error("tokenizer.json", -1,
                             "model: a character is not in the vocabulary and unk_id is not set");
        offer(single, *options_.unk_id, unk_score_);
      }
      begin = single;
    }
  }
  // A run of unknown characters: bytes when all of them have tokens, else one token.
  template <class Emit>
  void emit_unknown(std::string_view run, std::uint32_t begin, Emit& emit) const {
    const auto end = static_cast<std::uint32_t>(begin + run.size());
    if (const std::uint32_t id = token_to_id(run); id != none) return emit(id, begin, end);
    const auto byte_id = [&](char b) { return byte_ids_[static_cast<unsigned char>(b)]; };
    if (options_.byte_fallback &&
        std::all_of(run.begin(), run.end(), [&](char b) { return byte_id(b) != none; })) {
      for (const char b : run) emit(byte_id(b), begin, end);
      return;
    }
    emit(*options_.unk_id, begin, end);
  }

  unigram_options options_;
  string_list pieces_;
  std::vector<double> scores_;
  byte_trie trie_;
  double unk_score_ = 0.0;
  std::array<std::uint32_t, 256> byte_ids_{};  // of <0x00> ... <0xFF>
  object_pool<scratch> scratches_;
};

inline unigram::unigram(model_data data, unigram_options options)
    : options_(options), pieces_(std::move(data.tokens)), scores_(std::move(data.scores)) {
  const auto n = static_cast<std::uint32_t>(pieces_.size());
  if (options_.unk_id && *options_.unk_id >= n)
    throw format_error("tokenizer.json", -1,
                       "model: unk_id " + std::to_string(*options_.unk_id) +
                           " outside the vocabulary of " + std::to_string(n));
  token_table last;  // of equal pieces, the last one counts
  last.reserve(n, pieces_.bytes());
  double least = std::numeric_limits<double>::infinity();
  for (std::uint32_t id = 0; id < n; ++id) {
    if (!std::isfinite(scores_[id]))
      throw format_error(
          "tokenizer.json", -1,
          "model.vocab: the score of piece " + std::to_string(id) + " is not finite");
    least = std::min(least, scores_[id]);
    last.add(pieces_[id], id);
  }
  unk_score_ = least - unk_penalty;
  std::vector<byte_trie::entry> keys;
  keys.reserve(last.size());
  for (std::size_t e = 0; e < last.size(); ++e) keys.emplace_back(last.text(e), last.id(e));
  trie_ = byte_trie(std::move(keys));
  byte_ids_ = byte_token_ids([&](std::string_view token) { return token_to_id(token); });
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
