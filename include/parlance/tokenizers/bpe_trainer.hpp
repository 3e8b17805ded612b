// SPDX-License-Identifier: Apache-2.0
// Learns a byte-pair vocabulary from counted words: the pair that occurs most often becomes a
// token, ties go to the pair of smaller ids, until the vocabulary is full. Gives the tokens and
// merges of huggingface/tokenizers 0.22 (src/models/bpe/trainer.rs) on the same words. Method:
// Sennrich et al. 2016 (arXiv:1508.07909).
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <queue>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "parlance/core/progress.hpp"
#include "parlance/tokenizers/tokenizer.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct bpe_trainer_options {
  std::size_t vocab_size = 30000;
  std::uint64_t min_frequency = 0;  // of a pair that may still become a token
  std::vector<std::string> special_tokens;
  std::vector<std::string> initial_alphabet;  // characters that are tokens even when unseen
  progress_callback on_progress;
  std::stop_token stop;
};

using word_counts = std::map<std::string, std::uint64_t, std::less<>>;

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
    for (const auto& [pair, where] : where_) push(pair);
    where_order_.clear();
  }

  trained_bpe run() {
    while (out_.tokens.size() < options_.vocab_size && !queue_.empty()) {
      const candidate top = queue_.top();
      queue_.pop();
      const std::int64_t now = counts_[top.pair];
      if (top.count != now) {
        if (now > 0) queue_.push({now, top.pair});
        continue;
      }
      if (top.count < 1 || static_cast<std::uint64_t>(top.count) < options_.min_frequency) break;
      merge(top.pair);
      throw_if_stopped(options_.stop, "train_bpe");
      if (options_.on_progress({"train", out_.tokens.size(), options_.vocab_size}) == flow::stop)
        throw cancelled_error("train_bpe: stopped by the progress callback");
    }
    return std::move(out_);
  }

 private:
  using id_pair = std::pair<std::uint32_t, std::uint32_t>;
  struct word {
    std::vector<std::uint32_t> symbols;
    std::int64_t count;
  };
  struct candidate {
    std::int64_t count;
    id_pair pair;
    bool operator<(const candidate& o) const {
      return count != o.count ? count < o.count : pair > o.pair;
    }
  };

  std::uint32_t id_of(const std::string& token) {
    const auto [at, fresh] = ids_.try_emplace(token, static_cast<std::uint32_t>(ids_.size()));
    if (fresh) out_.tokens.push_back(token);
    return at->second;
  }
  template <class F>
  static void each_character(std::string_view text, F f) {
    for (std::size_t i = 0; i < text.size();) {
      const unicode::step at = unicode::decode(text, i);
      f(at.code_point, std::string(text.substr(i, at.length)));
      i += at.length;
    }
  }
  void add_alphabet(const word_counts& words) {
    std::map<char32_t, std::string> alphabet;  // by code point, the order of the original's ids
    const auto add = [&](char32_t c, std::string s) { alphabet.try_emplace(c, std::move(s)); };
    for (const std::string& c : options_.initial_alphabet) each_character(c, add);
    for (const auto& [text, count] : words) each_character(text, add);
    for (const auto& [code_point, text] : alphabet) id_of(text);
  }
  void add_word(std::string_view text, std::uint64_t count) {
    word w{{}, static_cast<std::int64_t>(count)};
    each_character(text, [&](char32_t, const std::string& s) { w.symbols.push_back(id_of(s)); });
    const auto index = static_cast<std::uint32_t>(words_.size());
    for (std::size_t i = 1; i < w.symbols.size(); ++i)
      change({w.symbols[i - 1], w.symbols[i]}, w.count, index);
    words_.push_back(std::move(w));
  }
  void change(const id_pair& pair, std::int64_t by, std::uint32_t word) {
    counts_[pair] += by;
    if (by > 0) {
      where_[pair].insert(word);
      where_order_.insert(pair);
    }
  }
  void push(const id_pair& pair) {
    if (const std::int64_t count = counts_[pair]; count > 0) queue_.push({count, pair});
  }

  void merge(const id_pair& pair) {
    const std::uint32_t token = id_of(out_.tokens[pair.first] + out_.tokens[pair.second]);
    out_.merges.push_back(pair);
    where_order_.clear();
    for (const std::uint32_t index : std::exchange(where_[pair], {})) {
      word& w = words_[index];
      for (std::size_t i = 0; i + 1 < w.symbols.size(); ++i) {
        if (w.symbols[i] != pair.first || w.symbols[i + 1] != pair.second) continue;
        if (i > 0) {
          change({w.symbols[i - 1], pair.first}, -w.count, index);
          change({w.symbols[i - 1], token}, w.count, index);
        }
        w.symbols[i] = token;
        w.symbols.erase(w.symbols.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        if (i + 1 < w.symbols.size()) {
          change({pair.second, w.symbols[i + 1]}, -w.count, index);
          change({token, w.symbols[i + 1]}, w.count, index);
        }
      }
    }
    for (const id_pair& p : where_order_) push(p);
  }

  const bpe_trainer_options& options_;
  trained_bpe out_;
  std::unordered_map<std::string, std::uint32_t> ids_;
  std::vector<word> words_;
  std::map<id_pair, std::int64_t> counts_;
  std::map<id_pair, std::set<std::uint32_t>> where_;  // words that hold the pair
  std::set<id_pair> where_order_;                     // pairs that grew since the last merge
  std::priority_queue<candidate> queue_;
};

}  // namespace impl

inline trained_bpe train_bpe(const word_counts& words, const bpe_trainer_options& options = {}) {
  return impl::bpe_training(words, options).run();
}

// A byte-level tokenizer (GPT-2's kind: any text, no unknown token) learned from a range of texts.
// Special tokens inside the texts are cut out first.
template <class Texts>
tokenizer train_byte_level_bpe(const Texts& texts, bpe_trainer_options options = {}) {
  added_vocabulary special;
  json list = json::array();
  for (std::size_t i = 0; i < options.special_tokens.size(); ++i) {
    const std::string& content = options.special_tokens[i];
    list.push_back({{"id", i},
                    {"content", content},
                    {"single_word", false},
                    {"lstrip", false},
                    {"rstrip", false},
                    {"normalized", false},
                    {"special", true}});
    special.add({static_cast<std::int32_t>(i), content, false, false, false, false, true},
                [](const std::string& s) { return s; });
  }
  for (int b = 0; b < 256; ++b)
    options.initial_alphabet.emplace_back(byte_level_char(static_cast<unsigned char>(b)));
  word_counts words;
  for (const auto& text : texts) {
    pre_tokenized pieces(text, false);
    pieces.split_each(
        [&](std::string_view view, auto emit) { special.split(view, false, false, emit); });
    byte_level{.add_prefix_space = false}.pre_tokenize(pieces);
    for (const split& s : pieces.splits())
      if (s.token < 0) {
        const std::string_view piece = pieces.text(s);
        const auto at = words.find(piece);
        at == words.end() ? (words[std::string(piece)] = 1) : ++at->second;
      }
  }
  const trained_bpe learned = train_bpe(words, options);
  tokenizer_spec spec;
  for (std::size_t i = 0; i < learned.tokens.size(); ++i) {
    spec.data.tokens.add(learned.tokens[i]);
    spec.data.ids.push_back(static_cast<std::uint32_t>(i));
  }
  for (const auto& [left, right] : learned.merges) {
    spec.data.merges.add(learned.tokens[left]);
    spec.data.merges.add(learned.tokens[right]);
  }
  const json stage = {{"type", "ByteLevel"},
                      {"add_prefix_space", false},
                      {"trim_offsets", true},
                      {"use_regex", true}};
  spec.head = {{"version", "1.0"},
               {"added_tokens", list},
               {"pre_tokenizer", stage},
               {"decoder", stage},
               {"model", {{"type", "BPE"}, {"vocab", json::object()}, {"merges", json::array()}}}};
  return tokenizer(std::move(spec));
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
