// SPDX-License-Identifier: Apache-2.0
// Learns a byte-pair vocabulary from counted words: the pair that occurs most often becomes a
// token, ties go to the pair of smaller ids, until the vocabulary is full. Gives the tokens and
// merges of huggingface/tokenizers 0.22 (src/models/bpe/trainer.rs) on the same words. Where the
// original follows the order of a hash table (ids of prefixed and suffixed characters, equal counts
// at limit_alphabet), words and characters are taken in code point order here. Method: Sennrich et
// al. 2016 (arXiv:1508.07909).
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "parlance/tokenizers/training_words.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct bpe_trainer_options : trainer_options {
  std::uint64_t min_frequency = 0;  // of a pair that may still become a token
  std::optional<std::size_t> limit_alphabet = std::nullopt;  // characters to keep
  std::vector<std::string> initial_alphabet = {};  // characters that are tokens even when unseen
  std::string continuing_subword_prefix = {}, end_of_word_suffix = {};
  std::optional<std::size_t> max_token_length = std::nullopt;  // in characters
};

struct trained_bpe {
  std::vector<std::string> tokens;  // by id
  std::vector<std::pair<std::uint32_t, std::uint32_t>> merges;
};

namespace impl {

class bpe_training {
 public:
  bpe_training(const word_counts& words, const bpe_trainer_options& options) : options_(options) {
    for (const std::string& token : options.special_tokens) id_of(token);
    add_alphabet(words);
    for (const auto& [text, count] : words) add_word(text, count);
    push_grown();
  }

  trained_bpe run() {
    while (out_.tokens.size() < options_.vocab_size && !queue_.empty()) {
      const candidate top = queue_.top();
      queue_.pop();
      const std::int64_t now = pairs_[top.pair].count;
      if (top.count != now) {
        if (now > 0) queue_.push({now, top.pair});
        continue;
      }
      if (top.count < 1 || static_cast<std::uint64_t>(top.count) < options_.min_frequency) break;
      merge(top.pair);
      options_.report("train", out_.tokens.size(), options_.vocab_size);
    }
    return std::move(out_);
  }

 private:
  using id_pair = std::uint64_t;  // left id << 32 | right id
  struct symbol {
    std::uint32_t id, length;  // token and its characters
  };
  struct word {
    std::vector<symbol> symbols;
    std::int64_t count;
  };
  struct pair_info {
    std::int64_t count = 0;
    std::vector<std::uint32_t> where;  // words that hold the pair
    bool grown = false;                // since the last merge
  };
  struct candidate {
    std::int64_t count;
    id_pair pair;
    bool operator<(const candidate& o) const {
      return count != o.count ? count < o.count : pair > o.pair;
    }
  };
  static id_pair key(std::uint32_t left, std::uint32_t right) {
    return std::uint64_t{left} << 32 | right;
  }

  std::uint32_t id_of(const std::string& token) {
    const auto [at, fresh] = ids_.try_emplace(token, static_cast<std::uint32_t>(ids_.size()));
    if (fresh) out_.tokens.push_back(token);
    return at->second;
  }
  void add_alphabet(const word_counts& words) {
    constexpr auto always = std::numeric_limits<std::uint64_t>::max();
    std::map<char32_t, std::pair<std::string, std::uint64_t>> alphabet;
    for (const auto& [text, count] : words)
      each_code_point(text, [&, n = count](char32_t c, std::string_view s) {
        auto& entry = alphabet.try_emplace(c, s, 0).first->second;
        entry.second += n;
      });
    for (const std::string& text : options_.initial_alphabet)
      each_code_point(text, [&](char32_t c, std::string_view s) {
        alphabet.insert_or_assign(c, std::pair(std::string(s), always));
      });
    std::vector<std::pair<std::uint64_t, char32_t>> rare;
    if (options_.limit_alphabet && alphabet.size() > *options_.limit_alphabet) {
      for (const auto& [c, entry] : alphabet) rare.emplace_back(entry.second, c);
      std::sort(rare.begin(), rare.end());
      rare.resize(alphabet.size() - *options_.limit_alphabet);
    }
    for (const auto& [count, c] : rare) alphabet.erase(c);
    for (const auto& [c, entry] : alphabet) id_of(entry.first);
  }
  void add_word(std::string_view text, std::uint64_t count) {
    word w{{}, static_cast<std::int64_t>(count)};
    std::size_t at = 0;
    std::string token;
    each_code_point(text, [&](char32_t, std::string_view s) {
      const bool first = at == 0, last = (at += s.size()) == text.size();
      token.assign(s);
      if (!ids_.contains(token)) return;  // not in the alphabet
      if (!first) token.insert(0, options_.continuing_subword_prefix);
      if (last) token += options_.end_of_word_suffix;
      w.symbols.push_back({id_of(token), 1});
    });
    const auto index = static_cast<std::uint32_t>(words_.size());
    for (std::size_t i = 1; i < w.symbols.size(); ++i)
      change(w.symbols[i - 1], w.symbols[i], w.count, index);
    words_.push_back(std::move(w));
  }
  void change(symbol left, symbol right, std::int64_t by, std::uint32_t word) {
    const id_pair k = key(left.id, right.id);
    pair_info& pair = pairs_[k];
    pair.count += by;
    if (by <= 0) return;
    if (pair.where.empty() || pair.where.back() != word) pair.where.push_back(word);
    if (!std::exchange(pair.grown, true)) grown_.push_back(k);
  }
  void push_grown() {
    for (const id_pair k : grown_) {
      pair_info& pair = pairs_[k];
      pair.grown = false;
      if (pair.count > 0) queue_.push({pair.count, k});
    }
    grown_.clear();
  }

  void merge(id_pair pair) {
    const auto left = static_cast<std::uint32_t>(pair >> 32);
    const auto right = static_cast<std::uint32_t>(pair);
    std::string_view tail = out_.tokens[right];
    const std::string& prefix = options_.continuing_subword_prefix;
    if (tail.starts_with(prefix)) tail.remove_prefix(prefix.size());
    const std::uint32_t token = id_of(out_.tokens[left] + std::string(tail));
    out_.merges.emplace_back(left, right);
    for (const std::uint32_t index : std::exchange(pairs_[pair].where, {}))
      merge_in(words_[index], index, left, right, token);
    push_grown();
  }
  void merge_in(word& w, std::uint32_t index, std::uint32_t left, std::uint32_t right,
                std::uint32_t token) {
    const std::size_t most =
        options_.max_token_length.value_or(std::numeric_limits<std::size_t>::max());
    std::vector<symbol>& s = w.symbols;
    for (std::size_t i = 0; i + 1 < s.size(); ++i) {
      if (s[i].id != left || s[i + 1].id != right) continue;
      const symbol first = s[i], second = s[i + 1];
      const symbol joined{token, first.length + second.length};
      if (i > 0) {
        change(s[i - 1], first, -w.count, index);
        if (s[i - 1].length + joined.length < most) change(s[i - 1], joined, w.count, index);
      }
      s[i] = joined;
      s.erase(s.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      if (i + 1 < s.size()) {
        change(second, s[i + 1], -w.count, index);
        if (s[i + 1].length + joined.length < most) change(joined, s[i + 1], w.count, index);
      }
    }
  }

  const bpe_trainer_options& options_;
  trained_bpe out_;
  std::unordered_map<std::string, std::uint32_t> ids_;
  std::vector<word> words_;
  std::unordered_map<id_pair, pair_info> pairs_;
  std::vector<id_pair> grown_;
  std::priority_queue<candidate> queue_;
};

}  // namespace impl

inline trained_bpe train_bpe(const word_counts& words, const bpe_trainer_options& options = {}) {
  return impl::bpe_training(words, options).run();
}

namespace impl {

// A tokenizer of `components` (tokenizer.json without a vocabulary) with what was learned.
inline tokenizer bpe_tokenizer(json components, const trained_bpe& learned,
                               const bpe_trainer_options& options) {
  tokenizer_spec spec = empty_spec("trained tokenizer");
  for (std::size_t i = 0; i < learned.tokens.size(); ++i) {
    spec.data.tokens.add(learned.tokens[i]);
    spec.data.ids.push_back(static_cast<std::uint32_t>(i));
  }
  for (const auto& [left, right] : learned.merges) {
    spec.data.merges.add(learned.tokens[left]);
    spec.data.merges.add(learned.tokens[right]);
  }
  for (const auto& [key, value] : components.items()) spec.head[key] = value;
  spec.head["added_tokens"] = special_tokens_json(options.special_tokens);
  return tokenizer(std::move(spec));
}

}  // namespace impl

// A byte-level tokenizer (GPT-2's kind: any text, no unknown token) learned from a range of texts.
// Special tokens inside the texts are cut out first.
template <class Texts>
tokenizer train_byte_level_bpe(const Texts& texts, bpe_trainer_options options = {}) {
  for (int b = 0; b < 256; ++b)
    options.initial_alphabet.emplace_back(byte_level_char(static_cast<unsigned char>(b)));
  const trained_bpe learned =
      train_bpe(count_words(texts, no_normalizer{}, byte_level{.add_prefix_space = false}, options,
                            options.special_tokens),
                options);
  const json stage = {{"type", "ByteLevel"},
                      {"add_prefix_space", false},
                      {"trim_offsets", true},
                      {"use_regex", true}};
  return impl::bpe_tokenizer(
      {{"pre_tokenizer", stage},
       {"decoder", stage},
       {"model", {{"type", "BPE"}, {"vocab", json::object()}, {"merges", json::array()}}}},
      learned, options);
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
