// SPDX-License-Identifier: Apache-2.0
// nltk's sentence_bleu with its smoothing methods 0 to 7 (Chen and Cherry 2014; nltk 3.10.4,
// translate/bleu_score.py): one number a line, words as split at white space. From 0 to 1.
#pragma once

#include <cfloat>
#include <cmath>

#include "parlance/metrics/bleu.hpp"
#include "parlance/metrics/rational.hpp"
#include "parlance/metrics/sums.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

struct nltk_bleu_options {
  std::vector<double> weights = {0.25, 0.25, 0.25, 0.25};  // one an order
  int smoothing_function = 0;                              // method0 ... method7
  bool auto_reweigh = false;  // equal weights for as many orders as a short prediction has words
  bool operator==(const nltk_bleu_options&) const = default;
};

struct nltk_bleu_result {
  std::vector<double> nltk_bleu;
  record fields() const { return {{"nltk_bleu", nltk_bleu}}; }
};

class nltk_bleu {
 public:
  explicit nltk_bleu(nltk_bleu_options options = {}) : options_(std::move(options)) {
    detail::require_order("number of weights", static_cast<int>(options_.weights.size()));
    if (options_.smoothing_function < 0 || options_.smoothing_function > 7)
      throw option_error("smoothing_function: expected method0 to method7, got method" +
                         std::to_string(options_.smoothing_function));
  }

  static constexpr description describe() {
    return {"nltk_bleu",
            "nltk_bleu",
            "smoothed n-gram precision of single sentences, times a brevity penalty",
            0,
            1,
            true,
            "Chen and Cherry 2014, A Systematic Comparison of Smoothing Techniques for "
            "Sentence-Level BLEU"};
  }
  const nltk_bleu_options& options() const { return options_; }

  void add(std::string_view prediction, texts references) {
    scores_.push_back(sentence_score(prediction, references));
  }
  void merge(const nltk_bleu& other) {
    scores_.insert(scores_.end(), other.scores_.begin(), other.scores_.end());
  }
  nltk_bleu_result compute() const { return {scores_}; }

  void reset() { scores_.clear(); }

  double sentence_score(std::string_view prediction, texts references) {
    detail::require_line(prediction, references, static_cast<std::int64_t>(scores_.size()));
    words_.read(
        prediction, references,
        [](std::string_view text, detail::text_buffers&, words& out) { split_words(text, out); });
    double matches[ngram_matches::max_order] = {};
    const auto orders = static_cast<int>(options_.weights.size());
    words_.count_any(std::max(orders, 5), matches);
    if (matches[0] == 0) return 0;
    counts_.clear();
    for (int n = 1; n <= std::max(orders, 5); ++n)
      counts_.push_back({static_cast<std::uint64_t>(matches[n - 1]),
                         static_cast<std::uint64_t>(
                             detail::ngram_total(words_.length(), static_cast<std::size_t>(n)))});
    return brevity_penalty() * std::exp(weighted_logs(smoothed(orders)));
  }

 private:
  struct count {
    std::uint64_t matches, total;
    std::uint64_t denominator() const { return std::max<std::uint64_t>(total, 1); }
  };
  using precisions = std::vector<rational>;

  double brevity_penalty() const {
    const auto length = static_cast<double>(words_.length());
    const auto other = static_cast<double>(words_.closest_reference_length());
    return length > other ? 1.0 : std::exp(1 - other / length);
  }
  double weighted_logs(const precisions& p) const {
    std::vector<double> weights = options_.weights;
    const std::size_t length = words_.length();
    if (options_.auto_reweigh && length < 4 && weights == nltk_bleu_options{}.weights)
      weights.assign(length, 1.0 / static_cast<double>(length));
    exact_sum sum;
    for (std::size_t n = 0; n < std::min(weights.size(), p.size()); ++n)
      if (const double real = p[n].real(); real > 0) sum.add(weights[n] * std::log(real));
    return sum.round();
  }

  precisions smoothed(int orders) const {
    precisions p;
    for (int n = 0; n < orders; ++n) {
      const count& c = counts_[static_cast<std::size_t>(n)];
      p.push_back(rational::fraction(c.matches, c.denominator()));
    }
    switch (options_.smoothing_function) {
      case 0:
        return each_zero(p, [](const count&) { return DBL_MIN; });
      case 1:
        return each_zero(p,
                         [](const count& c) { return 0.1 / static_cast<double>(c.denominator()); });
      case 2:
        for (std::size_t n = 1; n < p.size(); ++n)
          p[n] = rational::fraction(counts_[n].matches + 1, counts_[n].denominator() + 1);
        return p;
      case 3: {
        double power = 1;
        return each_zero(p, [&](const count& c) {
          return 1 / ((power *= 2) * static_cast<double>(c.denominator()));
        });
      }
      case 4:
        return by_length(p);
      case 5:
        return averaged(p);
      case 6:
        return interpolated(p);
      default:
        return averaged(by_length(p));
    }
  }
  template <class F>
  precisions each_zero(precisions p, F&& instead) const {
    for (std::size_t n = 0; n < p.size(); ++n)
      if (counts_[n].matches == 0) p[n] = instead(counts_[n]);
    return p;
  }
  precisions by_length(precisions p) const {
    const std::size_t length = words_.length();
    if (length <= 1) return p;
    double power = 1;
    return each_zero(std::move(p), [&](const count& c) {
      const double numerator = 1 / ((power *= 2) * 5 / std::log(static_cast<double>(length)));
      return numerator / static_cast<double>(c.denominator());
    });
  }
  precisions averaged(precisions p) const {
    precisions next = p;
    next.push_back(rational::fraction(counts_[4].matches, counts_[4].denominator()));
    rational before = p[0] + rational::fraction(1, 1);
    for (std::size_t n = 0; n < p.size(); ++n)
      before = p[n] = (before + p[n] + next[n + 1]) / rational::fraction(3, 1);
    return p;
  }
  precisions interpolated(precisions p) const {
    if (p.size() < 3 || p[2].is_zero())
      throw option_error(
          "smoothing_function method6 needs a trigram of the prediction in a reference");
    const auto five = rational::fraction(5, 1);
    for (std::size_t n = 2; n < p.size(); ++n) {
      const rational guess =
          p[n - 2].is_zero() ? rational::fraction(0, 1) : p[n - 1] * p[n - 1] / p[n - 2];
      p[n] = (rational::fraction(counts_[n].matches, 1) + five * guess) /
             rational::fraction(counts_[n].total + 5, 1);
    }
    return p;
  }

  nltk_bleu_options options_;
  detail::bleu_words words_;
  std::vector<count> counts_;
  std::vector<double> scores_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
