// SPDX-License-Identifier: Apache-2.0
// What the BLEU family counts on a line: words of the prediction and of the references as numbers,
// their lengths and clipped n-gram matches.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/metrics/metric.hpp"
#include "parlance/metrics/ngram_matches.hpp"
#include "parlance/metrics/word_ids.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

namespace detail {

// Texts that words are views of, when they cannot be views of the original.
struct text_buffers {
  std::string lowered, rewritten;
};

// Words of a prediction and its references, as numbers; buffers are kept from line to line.
class bleu_words {
 public:
  template <class Tokenize>  // void(std::string_view, text_buffers&, words&)
  void read(std::string_view prediction, texts references, Tokenize&& tokenize) {
    if (buffers_.size() < references.size() + 1) {
      buffers_.resize(references.size() + 1);
      ids_.resize(references.size());
      views_.resize(references.size());
    }
    words_.clear();
    tokenize(prediction, buffers_.back(), words_);
    interner_.start(words_.size());
    prediction_.clear();
    for (const std::string_view word : words_) prediction_.push_back(interner_.insert(word));
    for (std::size_t r = 0; r < references.size(); ++r) {
      words_.clear();
      tokenize(references[r], buffers_[r], words_);
      ids_[r].clear();
      for (const std::string_view word : words_) ids_[r].push_back(interner_.find(word));
      views_[r] = ids_[r];
    }
    references_ = references.size();
    matches_.start(prediction_, interner_.count());
  }

  std::size_t length() const { return prediction_.size(); }
  std::size_t reference_length(std::size_t r) const { return views_[r].size(); }
  // Clipped by the largest count of any reference.
  void count_any(int orders, double* out) {
    matches_.count_any({views_.data(), references_}, orders, out);
  }
  void count(std::size_t reference, int orders, double* out) {
    matches_.count(views_[reference], orders, out);
  }
  // The reference length nearest to the prediction's; the shorter one of two equally near.
  std::size_t closest_reference_length() const {
    std::size_t best = reference_length(0);
    const auto distance = [&](std::size_t n) { return n > length() ? n - length() : length() - n; };
    for (std::size_t r = 1; r < references_; ++r) {
      const std::size_t n = reference_length(r);
      if (distance(n) < distance(best) || (distance(n) == distance(best) && n < best)) best = n;
    }
    return best;
  }
  std::size_t shortest_reference_length() const {
    std::size_t best = reference_length(0);
    for (std::size_t r = 1; r < references_; ++r) best = std::min(best, reference_length(r));
    return best;
  }

 private:
  word_ids interner_;
  ngram_matches matches_;
  words words_;
  id_list prediction_;
  std::vector<id_list> ids_;
  std::vector<std::span<const std::int32_t>> views_;
  std::vector<text_buffers> buffers_;
  std::size_t references_ = 0;
};

// How many n-grams of order n a text of that many words has.
inline double ngram_total(std::size_t words, std::size_t n) {
  return words >= n ? static_cast<double>(words - n + 1) : 0.0;
}

}  // namespace detail

}  // namespace parlance::inline PARLANCE_ABI::metrics
