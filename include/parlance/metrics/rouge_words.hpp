// SPDX-License-Identifier: Apache-2.0
// rouge_score's words (rouge_score 0.1.2, tokenize.py): lower case runs of a-z and 0-9, those of
// more than three characters stemmed on request. They come as numbers; a stem is looked up once for
// every word that was seen before.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/metrics/porter.hpp"
#include "parlance/metrics/text.hpp"
#include "parlance/metrics/vocabulary.hpp"

namespace parlance::inline PARLANCE_ABI::metrics::detail {

class rouge_words {
 public:
  explicit rouge_words(bool stem) : stem_(stem) {}

  struct side {
    std::vector<std::int32_t> ids;
    std::vector<std::size_t> ends;  // of the sentences that have words, when asked for
  };
  const side& prediction() const { return prediction_; }
  const side& reference() const { return reference_; }
  // How many different words the prediction has; their numbers are below it.
  std::int32_t different() const { return different_; }

  void read_prediction(std::string_view text, bool sentences) {
    if (all_.size() > max_words) all_.clear(), stems_.clear(), stem_of_.clear(), line_of_.clear();
    for (const std::int32_t stem : seen_)
      if (static_cast<std::size_t>(stem) < line_of_.size())
        line_of_[static_cast<std::size_t>(stem)] = -1;
    seen_.clear();
    different_ = 0;
    read(text, sentences, prediction_, [this](std::int32_t stem) {
      std::int32_t& line = line_of_[static_cast<std::size_t>(stem)];
      if (line < 0) {
        line = different_++;
        seen_.push_back(stem);
      }
      return line;
    });
  }
  void read_reference(std::string_view text, bool sentences) {
    read(text, sentences, reference_,
         [this](std::int32_t stem) { return line_of_[static_cast<std::size_t>(stem)]; });
  }

 private:
  static constexpr std::int32_t max_words = 1 << 17;

  // A lower case letter or digit as it is in words, 0 for what separates them.
  static constexpr auto folded = [] {
    std::array<char, 256> table{};
    for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = static_cast<char>(c);
    for (int c = 'a'; c <= 'z'; ++c)
      table[static_cast<std::size_t>(c)] = table[static_cast<std::size_t>(c - 32)] =
          static_cast<char>(c);
    return table;
  }();

  template <class Number>
  void read(std::string_view text, bool sentences, side& out, Number&& number) {
    out.ids.clear();
    out.ends.clear();
    if (!all_ascii(text)) {
      lower_into(text, lowered_);
      text = lowered_;
    }
    const auto end_sentence = [&] {
      if (sentences && out.ids.size() > (out.ends.empty() ? 0 : out.ends.back()))
        out.ends.push_back(out.ids.size());
    };
    for (std::size_t i = 0; i < text.size();) {
      word_.clear();
      char c = 0;
      while (i < text.size() && (c = folded[static_cast<unsigned char>(text[i])]) != 0)
        word_.push_back(c), ++i;
      if (!word_.empty()) out.ids.push_back(number(stem_number()));
      if (i < text.size() && text[i++] == '\n') end_sentence();
    }
    end_sentence();
  }
  std::int32_t stem_number() {
    const auto [id, is_new] = all_.insert(word_);
    if (is_new) {
      const bool stemmed = stem_ && word_.size() > 3;
      const std::int32_t stem = stems_.insert(stemmed ? porter_stem(word_) : word_).first;
      stem_of_.push_back(stem);
      line_of_.resize(static_cast<std::size_t>(stems_.size()), -1);
    }
    return stem_of_[static_cast<std::size_t>(id)];
  }

  bool stem_;
  vocabulary all_, stems_;
  std::vector<std::int32_t> stem_of_, line_of_, seen_;
  std::int32_t different_ = 0;
  std::string word_, lowered_;
  side prediction_, reference_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics::detail
