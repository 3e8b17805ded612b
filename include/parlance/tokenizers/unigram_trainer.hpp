// SPDX-License-Identifier: Apache-2.0
// Learns a Unigram vocabulary from counted words: frequent substrings as seeds, then expectation
// maximization and pruning by turns until the vocabulary has its size. Source: Kudo 2018
// (arXiv:1804.10959); huggingface/tokenizers 0.22, src/models/unigram/trainer.rs, whose pieces and
// scores these are.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/tokenizers/byte_trie.hpp"
#include "parlance/tokenizers/training_words.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct unigram_trainer_options : trainer_options {
  std::uint32_t n_sub_iterations = 2;
  double shrinking_factor = 0.75;
  std::optional<std::string> unk_token = std::nullopt;  // added first when it is not special
  std::size_t max_piece_length = 16;                    // in characters
  std::size_t seed_size = 1000000;
  std::vector<std::string> initial_alphabet = {};  // characters that are pieces even when unseen
};

struct trained_unigram {
  std::vector<std::pair<std::string, double>> pieces;  // by id
  std::optional<std::uint32_t> unk_id;
};

namespace impl {

inline double digamma(double x) {
  double out = 0.0;
  for (; x < 7.0; x += 1.0) out -= 1.0 / x;
  x -= 0.5;
  const double r = 1.0 / x, r2 = r * r, r4 = r2 * r2;
  return out + std::log(x) + 1.0 / 24.0 * r2 - 7.0 / 960.0 * r4 + 31.0 / 8064.0 * r4 * r2 -
         127.0 / 30720.0 * r4 * r4;
}

inline double log_sum_exp(double x, double y) {
  const double low = std::min(x, y), high = std::max(x, y);
  return high > low + 50.0 ? high : high + std::log(std::exp(low - high) + 1.0);
}

// The substrings of 2 to `longest` characters that occur at least twice with different
// continuations, with their number of occurrences: f(begin, length, count). Suffixes are sorted by
// prefix doubling, as far as `longest` needs.
template <class F>
void each_repeat(const std::vector<char32_t>& text, std::size_t longest, F f) {
  const std::size_t n = text.size(), depth = longest + 1;
  std::vector<std::uint32_t> order(n), next(n);
  std::vector<std::uint32_t> rank(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = static_cast<std::uint32_t>(i), rank[i] = text[i];
  for (std::size_t h = 0; h < depth; h = h ? 2 * h : 1) {
    const auto key = [&](std::uint32_t i) {
      const std::uint64_t after = h && i + h < n ? rank[i + h] + std::uint64_t{1} : 0;
      return std::uint64_t{rank[i]} << 32 | after;
    };
    std::sort(order.begin(), order.end(),
              [&](std::uint32_t a, std::uint32_t b) { return key(a) < key(b); });
    for (std::size_t i = 0; i < n; ++i)
      next[order[i]] = i && key(order[i]) == key(order[i - 1]) ? next[order[i - 1]]
                                                               : static_cast<std::uint32_t>(i);
    rank.swap(next);
  }
  struct open {
    std::size_t first, length;
  };
  std::vector<open> stack;
  for (std::size_t i = 1; i <= n; ++i) {
    std::size_t common = 0;
    if (i < n)
      while (common < depth && order[i - 1] + common < n && order[i] + common < n &&
             text[order[i - 1] + common] == text[order[i] + common])
        ++common;
    std::size_t first = i - 1;
    while (!stack.empty() && stack.back().length > common) {
      const open o = stack.back();
      stack.pop_back();
      first = o.first;
      if (o.length >= 2 && o.length <= longest) f(order[o.first], o.length, i - o.first);
    }
    if (common > 0 && (stack.empty() || stack.back().length < common))
      stack.push_back({first, common});
  }
}

class unigram_training {
 public:
  unigram_training(const word_counts& words, const unigram_trainer_options& options)
      : options_(options), words_(words.begin(), words.end()) {
    const std::size_t reserved = options.special_tokens.size() + (unk_is_extra() ? 1 : 0);
    if (options.vocab_size <= reserved)
      throw option_error("vocab_size " + std::to_string(options.vocab_size) +
                         " leaves no room beside " + std::to_string(reserved) + " special tokens");
    if (!(options.shrinking_factor > 0.0 && options.shrinking_factor < 1.0))
      throw option_error("shrinking_factor: expected a number between 0 and 1");
    if (options.max_piece_length < 1 || options.max_piece_length > 1024)
      throw option_error("max_piece_length: expected 1 to 1024");
    room_ = options.vocab_size - reserved;
    const auto require = [&](char32_t, std::string_view s) { required_.emplace(s); };
    for (const auto& [text, count] : words_) each_code_point(text, require);
    for (const std::string& text : options.initial_alphabet) each_code_point(text, require);
    if (required_.size() > options.vocab_size) throw too_small();
    seed();
  }

  trained_unigram run() {
    const std::size_t desired = options_.vocab_size * 11 / 10;
    const std::size_t start = pieces_.size();
    while (true) {
      for (std::uint32_t i = 0; i < options_.n_sub_iterations; ++i) {
        maximize(expect());
        index();
        options_.report("train", start - std::min(start, pieces_.size()),
                        start - std::min(start, desired));
      }
      const std::size_t before = pieces_.size();
      if (before + 1 <= desired) break;  // the original counts its unknown piece
      prune(desired);
      index();
      if (pieces_.size() >= before) throw too_small();
    }
    return finish();
  }

 private:
  struct piece {
    std::string text;
    double score;
  };
  struct edge {
    std::uint32_t begin, end, id;
    double score;
  };
  using word = std::pair<std::string, std::uint64_t>;

  bool unk_is_extra() const {
    const auto& special = options_.special_tokens;
    return options_.unk_token &&
           std::find(special.begin(), special.end(), *options_.unk_token) == special.end();
  }

  option_error too_small() const {
    return option_error("vocab_size " + std::to_string(options_.vocab_size) +
                        " is too small for the " + std::to_string(required_.size()) +
                        " characters of the texts");
  }

  void seed() {
    std::vector<char32_t> flat;
    std::map<char32_t, std::uint64_t> characters;
    for (const auto& [text, count] : words_) {
      each_code_point(text, [&, n = count](char32_t c, std::string_view) {
        flat.push_back(c);
        if (c != 0) characters[c] += n;
      });
      flat.push_back(0);
    }
    if (flat.size() > 0x7FFFFFFF) throw option_error("training: more than 2^31 characters");
    using scored = std::pair<std::uint64_t, std::u32string>;
    std::vector<scored> found;
    each_repeat(flat, options_.max_piece_length,
                [&](std::size_t begin, std::size_t length, std::size_t count) {
                  const auto first = flat.begin() + static_cast<std::ptrdiff_t>(begin);
                  std::u32string s(first, first + static_cast<std::ptrdiff_t>(length));
                  if (s.find(U'\0') == s.npos) found.emplace_back(count * length, std::move(s));
                });
    std::sort(found.begin(), found.end(), std::greater<>());
    if (found.size() > options_.seed_size) found.resize(options_.seed_size);
    std::vector<scored> all;
    for (const auto& [c, count] : characters) all.emplace_back(count, std::u32string(1, c));
    std::sort(all.begin(), all.end(), std::greater<>());
    for (scored& s : found) {
      all.push_back(std::move(s));
      if (all.size() >= options_.seed_size) break;
    }
    double sum = 0.0;
    for (const auto& [score, text] : all) sum += static_cast<double>(score);
    for (const auto& [score, text] : all) {
      piece p{{}, std::log(static_cast<double>(score)) - std::log(sum)};
      for (const char32_t c : text) utf8_append(p.text, c);
      pieces_.push_back(std::move(p));
    }
    index();
  }

  void index() {
    std::vector<byte_trie::entry> keys;
    keys.reserve(pieces_.size());
    least_ = std::numeric_limits<double>::infinity();
    for (std::uint32_t id = 0; id < pieces_.size(); ++id) {
      keys.emplace_back(pieces_[id].text, id);
      least_ = std::min(least_, pieces_[id].score);
    }
    trie_ = byte_trie(std::move(keys));
  }

  // All pieces inside a text; a character without a piece of its own has an unknown one.
  static constexpr std::uint32_t unknown = 0xFFFFFFFF;
  void edges_of(std::string_view text, std::vector<edge>& out) const {
    out.clear();
    for (std::uint32_t begin = 0; begin < text.size();) {
      const std::uint32_t single = begin + unicode::length_of(text[begin]);
      bool covered = false;
      byte_trie::state at = byte_trie::root();
      for (std::uint32_t i = begin; i < text.size() && trie_.step(at, text[i]);) {
        const std::uint32_t id = (++i, trie_.value(at));
        if (id == byte_trie::none) continue;
        covered = covered || i == single;
        out.push_back({begin, i, id, pieces_[id].score});
      }
      if (!covered) out.push_back({begin, single, unknown, least_ - 10.0});
      begin = single;
    }
  }

  // How often each piece is expected to occur in the words.
  std::vector<double> expect() const {
    std::vector<double> expected(pieces_.size(), 0.0), before, after;
    std::vector<edge> edges;
    constexpr double nothing = -std::numeric_limits<double>::infinity();
    const auto add = [](double& sum, double v) { sum = sum == nothing ? v : log_sum_exp(sum, v); };
    std::size_t done = 0;
    for (const auto& [text, count] : words_) {
      if (++done % 4096 == 0) throw_if_stopped(options_.stop, "training a tokenizer");
      edges_of(text, edges);
      before.assign(text.size() + 1, nothing);
      after.assign(text.size() + 1, nothing);
      before[0] = after[text.size()] = 0.0;
      for (const edge& e : edges) add(before[e.end], e.score + before[e.begin]);
      for (std::size_t i = edges.size(); i-- > 0;)
        add(after[edges[i].begin], edges[i].score + after[edges[i].end]);
      const double z = before[text.size()];
      for (const edge& e : edges)
        if (e.id != unknown)
          expected[e.id] +=
              static_cast<double>(count) * std::exp(before[e.begin] + e.score + after[e.end] - z);
    }
    return expected;
  }

  // Scores from the expectation, with digamma as a sparse prior (Liang and Klein 2007).
  void maximize(const std::vector<double>& expected) {
    std::vector<piece> kept;
    double sum = 0.0;
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
      if (expected[i] < 0.5) continue;
      kept.push_back({std::move(pieces_[i].text), expected[i]});
      sum += expected[i];
    }
    const double total = digamma(sum);
    for (piece& p : kept) p.score = digamma(p.score) - total;
    pieces_ = std::move(kept);
  }

  // The best segmentation without the piece that is the whole text; its ids and score.
  double best_path(std::string_view text, bool whole, std::vector<std::uint32_t>& path,
                   std::vector<edge>& edges) const {
    edges_of(text, edges);
    std::vector<double> score(text.size() + 1, 0.0);
    std::vector<const edge*> last(text.size() + 1, nullptr);
    for (const edge& e : edges) {
      if (!whole && e.begin == 0 && e.end == text.size()) continue;
      const double s = score[e.begin] + e.score;
      if (last[e.end] && s <= score[e.end]) continue;
      score[e.end] = s;
      last[e.end] = &e;
    }
    path.clear();
    for (std::size_t at = text.size(); at > 0 && last[at]; at = last[at]->begin)
      path.push_back(last[at]->id);
    std::reverse(path.begin(), path.end());
    return score[text.size()];
  }

  void prune(std::size_t desired) {
    const std::size_t n = pieces_.size();
    std::vector<bool> keep(n, true);
    std::vector<std::vector<std::uint32_t>> alternatives(n);
    std::vector<std::uint32_t> path;
    std::vector<edge> edges;
    for (std::uint32_t id = 0; id < n; ++id) {
      const double other = best_path(pieces_[id].text, false, path, edges);
      if (path.empty()) continue;
      if (other > pieces_[id].score)
        keep[id] = false;
      else
        alternatives[id] = path;
    }
    std::vector<double> frequency(n + 1, 0.0);  // the last one: unknown characters
    double words = 0.0;
    const auto slot = [&](std::uint32_t id) { return id == unknown ? n : id; };
    for (const auto& [text, count] : words_) {
      best_path(text, true, path, edges);
      words += static_cast<double>(count);
      for (const std::uint32_t id : path) frequency[slot(id)] += static_cast<double>(count);
    }
    double sum = 0.0;
    for (const double f : frequency) sum += f;
    std::vector<std::pair<double, std::uint32_t>> candidates;  // by the likelihood they carry
    std::vector<piece> kept;
    for (std::uint32_t id = 0; id < n; ++id) {
      const double f = frequency[id];
      if (f == 0.0 && !keep[id]) continue;
      if (alternatives[id].empty()) {
        kept.push_back(pieces_[id]);
        continue;
      }
      if (f == 0.0) continue;
      // The original multiplies by the number of all pieces (`alternatives.len() - 1`), where its
      // comment means this piece's alternatives; which pieces stay follows from it.
      const double sum_instead = std::log(sum + f * static_cast<double>(n));
      double instead = 0.0;
      for (const std::uint32_t a : alternatives[id])
        instead += std::log(frequency[slot(a)] + f) - sum_instead;
      candidates.emplace_back(f / words * (std::log(f) - std::log(sum) - instead), id);
    }
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    const auto shrunk =
        static_cast<std::size_t>(static_cast<double>(n + 1) * options_.shrinking_factor);
    const std::size_t target = std::max(desired, shrunk);
    for (const auto& [loss, id] : candidates) {
      if (kept.size() + 1 == target) break;
      kept.push_back(pieces_[id]);
    }
    pieces_ = std::move(kept);
  }

  // Every character first, then the pieces in their order as far as there is room; by score.
  trained_unigram finish() const {
    std::vector<std::pair<std::string, double>> list;
    double penalty = 0.0;
    for (const std::string& c : required_) {
      const std::uint32_t id = trie_.find(c);
      if (id == byte_trie::none) penalty += 0.0001;
      list.emplace_back(c, id != byte_trie::none ? pieces_[id].score : least_ + penalty - 0.0001);
    }
    for (const piece& p : pieces_) {
      if (required_.contains(p.text)) continue;
      list.emplace_back(p.text, p.score);
      if (list.size() == room_) break;
    }
    std::stable_sort(list.begin(), list.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    trained_unigram out;
    if (unk_is_extra()) out.pieces.emplace_back(*options_.unk_token, 0.0);
    for (const std::string& token : options_.special_tokens) out.pieces.emplace_back(token, 0.0);
    for (std::uint32_t i = 0; options_.unk_token && !out.unk_id && i < out.pieces.size(); ++i)
      if (out.pieces[i].first == *options_.unk_token) out.unk_id = i;
    out.pieces.insert(out.pieces.end(), list.begin(), list.end());
    return out;
  }

  const unigram_trainer_options& options_;
  std::vector<word> words_;
  std::size_t room_ = 0;
  std::set<std::string> required_;  // characters that are pieces in any case
  std::vector<piece> pieces_;
  byte_trie trie_;
  double least_ = 0.0;
};

}  // namespace impl

// Learns from counted words. Throws option_error for options that leave no room for the characters
// of the texts or are out of their range, cancelled_error when stopped.
inline trained_unigram train_unigram(const word_counts& words,
                                     const unigram_trainer_options& options = {}) {
  return impl::unigram_training(words, options).run();
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
