// SPDX-License-Identifier: Apache-2.0
// What every trainer of tokenizers starts from: the words of a range of texts, normalized and
// pre-tokenized as the finished tokenizer will do it, and how often each occurs.
#pragma once

#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "parlance/core/progress.hpp"
#include "parlance/tokenizers/tokenizer.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

using word_counts = std::map<std::string, std::uint64_t, std::less<>>;

// Options that all trainers share.
struct trainer_options {
  std::size_t vocab_size = 30000;
  std::vector<std::string> special_tokens = {};  // first ids, in this order
  progress_callback on_progress = {};
  std::stop_token stop = {};

  void report(std::string_view stage, std::uint64_t done, std::uint64_t total) const {
    throw_if_stopped(stop, "training a tokenizer");
    if (on_progress({stage, done, total}) == flow::stop)
      throw cancelled_error("training a tokenizer: stopped by the progress callback");
  }
};

namespace impl {

inline json special_tokens_json(const std::vector<std::string>& tokens) {
  json out = json::array();
  for (std::size_t i = 0; i < tokens.size(); ++i)
    out.push_back({{"id", i},
                   {"content", tokens[i]},
                   {"single_word", false},
                   {"lstrip", false},
                   {"rstrip", false},
                   {"normalized", false},
                   {"special", true}});
  return out;
}

// f(code point, its UTF-8) for every character.
template <class F>
void each_code_point(std::string_view text, F f) {
  for (std::size_t i = 0; i < text.size();) {
    const unicode::step at = unicode::decode(text, i);
    f(at.code_point, text.substr(i, at.length));
    i += at.length;
  }
}

}  // namespace impl

// Counts the words of `texts`. Tokens in `cut_out` are left out of the texts first. Throws
// text_error for text that is not UTF-8.
template <class Texts, class Normalizer, class PreTokenizer>
word_counts count_words(const Texts& texts, const Normalizer& n, const PreTokenizer& p,
                        const trainer_options& options,
                        const std::vector<std::string>& cut_out = {}) {
  added_vocabulary special;
  for (std::size_t i = 0; i < cut_out.size(); ++i)
    special.add({static_cast<std::int32_t>(i), cut_out[i], false, false, false, false, true},
                [](const std::string& s) { return s; });
  std::unordered_map<std::string, std::uint64_t> words;
  std::uint64_t done = 0;
  std::string word;
  for (const auto& item : texts) {
    const std::string_view text = item;
    require_utf8(text, "text to train on");
    bool track = false;
    if constexpr (requires { p.needs_alignment(); }) track = p.needs_alignment();
    pre_tokenized pieces(text, track);
    if (!cut_out.empty())
      pieces.split_each(
          [&](std::string_view view, auto emit) { special.split(view, false, false, emit); });
    if (!n.unchanged(text)) pieces.rewrite_each([&](aligned_text& piece) { n.normalize(piece); });
    p.pre_tokenize(pieces);
    for (const split& s : pieces.splits()) {
      if (s.token >= 0) continue;
      word.assign(pieces.text(s));
      ++words[word];
    }
    if (++done % 1024 == 0) throw_if_stopped(options.stop, "training a tokenizer");
  }
  return {words.begin(), words.end()};
}

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
