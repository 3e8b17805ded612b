// SPDX-License-Identifier: Apache-2.0
// evaluate's `bleu` (TensorFlow NMT's compute_bleu; Papineni et al. 2002): from 0 to 1, with the
// shortest reference's length. It is not sacreBLEU and its numbers do not compare with papers.
#pragma once

#include <cmath>

#include "parlance/metrics/bleu_tokenizers.hpp"
#include "parlance/metrics/bleu_words.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

struct bleu_options {
  bleu_tokenizer tokenizer = bleu_tokenizer::v13a;
  int max_order = 4;
  bool smooth = false;  // Lin and Och 2004: one more match and n-gram from the second order on
  bool operator==(const bleu_options&) const = default;
};

struct bleu_result {
  double bleu = 0;
  std::vector<double> precisions;
  double brevity_penalty = 0, length_ratio = 0;
  std::int64_t translation_length = 0, reference_length = 0;

  record fields() const {
    return {{"bleu", bleu},
            {"precisions", precisions},
            {"brevity_penalty", brevity_penalty},
            {"length_ratio", length_ratio},
            {"translation_length", translation_length},
            {"reference_length", reference_length}};
  }
};

namespace detail {
inline void require_order(std::string_view what, int order) {
  if (order < 1 || order > ngram_matches::max_order)
    throw option_error(std::string(what) + ": expected 1 to " +
                       std::to_string(ngram_matches::max_order) + ", got " + std::to_string(order));
}
}  // namespace detail

class bleu : public corpus_metric<bleu> {
 public:
  explicit bleu(bleu_options options = {}) : options_(options) {
    detail::require_order("max_order", options_.max_order);
  }

  static constexpr description describe() {
    return {"bleu",
            "bleu",
            "n-gram precision of translations against references, times a brevity penalty",
            0,
            1,
            true,
            "Papineni et al. 2002, BLEU: a Method for Automatic Evaluation of Machine "
            "Translation"};
  }
  const bleu_options& options() const { return options_; }

  // [length, reference length, matches of each order, n-grams of each order]
  std::size_t width() const { return 2 + 2 * orders(); }
  void measure(std::string_view prediction, texts references, std::span<double> row) {
    words_.read(prediction, references,
                [this](std::string_view text, detail::text_buffers& buffers, words& out) {
                  tokenize(options_.tokenizer, text, buffers.rewritten, out);
                });
    row[0] = static_cast<double>(words_.length());
    row[1] = static_cast<double>(words_.shortest_reference_length());
    words_.count_any(options_.max_order, row.data() + 2);
    for (std::size_t n = 1; n <= orders(); ++n)
      row[1 + orders() + n] = detail::ngram_total(words_.length(), n);
  }

  // Throws option_error where the original divides by zero: no words at all on one side.
  bleu_result score(std::span<const double> totals) const {
    bleu_result r;
    r.translation_length = static_cast<std::int64_t>(totals[0]);
    r.reference_length = static_cast<std::int64_t>(totals[1]);
    if (totals[0] == 0 || totals[1] == 0)
      throw option_error(std::string("bleu: the ") +
                         (totals[0] == 0 ? "predictions" : "references") +
                         " hold no words, so the length ratio is not defined");
    double logs = 0, least = 1;
    for (std::size_t n = 0; n < orders(); ++n) {
      r.precisions.push_back(precision(totals, n));
      least = std::min(least, r.precisions[n]);
    }
    if (least > 0)
      for (const double p : r.precisions) logs += (1.0 / options_.max_order) * std::log(p);
    const double mean = least > 0 ? std::exp(logs) : 0.0;
    r.length_ratio = totals[0] / totals[1];
    r.brevity_penalty = r.length_ratio > 1.0 ? 1.0 : std::exp(1 - 1.0 / r.length_ratio);
    r.bleu = mean * r.brevity_penalty;
    return r;
  }
  double headline(std::span<const double> totals) const { return score(totals).bleu; }

 private:
  std::size_t orders() const { return static_cast<std::size_t>(options_.max_order); }
  double precision(std::span<const double> totals, std::size_t n) const {
    const double matches = totals[2 + n], possible = totals[2 + orders() + n];
    if (options_.smooth && n > 0) return (matches + 1.0) / (possible + 1.0);
    return possible > 0 ? matches / possible : 0.0;
  }

  bleu_options options_;
  detail::bleu_words words_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
