// SPDX-License-Identifier: Apache-2.0
// evaluate's `google_bleu` (Wu et al. 2016, GLEU; nltk 3.10.4, translate/gleu_score.py): matching
// n-grams over the larger number of n-grams of the two sides, summed over the corpus. From 0 to 1.
#pragma once

#include "parlance/metrics/bleu.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

struct google_bleu_options {
  bleu_tokenizer tokenizer = bleu_tokenizer::v13a;
  int min_len = 1, max_len = 4;  // orders of n-grams
  bool operator==(const google_bleu_options&) const = default;
};

struct google_bleu_result {
  double google_bleu = 0;
  record fields() const { return {{"google_bleu", google_bleu}}; }
};

class google_bleu : public corpus_metric<google_bleu> {
 public:
  explicit google_bleu(google_bleu_options options = {}) : options_(options) {
    detail::require_order("min_len", options_.min_len);
    detail::require_order("max_len", options_.max_len);
  }

  static constexpr description describe() {
    return {"google_bleu",
            "google_bleu",
            "n-gram precision or recall, the lower one, of translations against references",
            0,
            1,
            true,
            "Wu et al. 2016, Google's Neural Machine Translation System"};
  }
  const google_bleu_options& options() const { return options_; }

  std::size_t width() const { return 2; }  // matches, n-grams of the larger side
  void measure(std::string_view prediction, texts references, std::span<double> row) {
    words_.read(prediction, references,
                [this](std::string_view text, detail::text_buffers& buffers, words& out) {
                  tokenize(options_.tokenizer, text, buffers.rewritten, out);
                });
    double best = -1;
    for (std::size_t r = 0; r < references.size(); ++r) {
      double found[ngram_matches::max_order] = {}, matches = 0;
      const double all = std::max(ngrams(words_.length()), ngrams(words_.reference_length(r)));
      if (all == 0) continue;
      words_.count(r, options_.max_len, found);
      for (int n = options_.min_len; n <= options_.max_len; ++n) matches += found[n - 1];
      if (matches / all > best) best = matches / all, row[0] = matches, row[1] = all;
    }
  }

  google_bleu_result score(std::span<const double> totals) const { return {headline(totals)}; }
  double headline(std::span<const double> totals) const {
    return totals[1] == 0 ? 0.0 : totals[0] / totals[1];
  }

 private:
  double ngrams(std::size_t length) const {
    double sum = 0;
    for (int n = options_.min_len; n <= options_.max_len; ++n)
      sum += detail::ngram_total(length, static_cast<std::size_t>(n));
    return sum;
  }

  google_bleu_options options_;
  detail::bleu_words words_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
