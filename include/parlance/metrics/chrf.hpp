// SPDX-License-Identifier: Apache-2.0
// chrF and chrF++ (Popović 2015, 2017) as sacreBLEU 2.6.0 computes them (metrics/chrf.py):
// character n-grams, with word n-grams when word_order > 0. From 0 to 100.
#pragma once

#include <cmath>
#include <string>

#include "parlance/metrics/character_matches.hpp"
#include "parlance/metrics/metric.hpp"
#include "parlance/metrics/signature.hpp"
#include "parlance/metrics/word_ids.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

struct chrf_options {
  int char_order = 6;
  int word_order = 0;  // 2 makes chrF++
  double beta = 2;     // weight of recall
  bool lowercase = false;
  bool whitespace = false;     // keep white space in character n-grams
  bool eps_smoothing = false;  // as chrF++.py, nltk and Moses: every order counts
  bool operator==(const chrf_options&) const = default;
};

struct chrf_result {
  double score = 0;
  std::int64_t char_order = 6, word_order = 0;
  double beta = 2;

  record fields() const {
    const bool whole = beta == std::floor(beta);
    return {{"score", score},
            {"char_order", char_order},
            {"word_order", word_order},
            {"beta", whole ? value(static_cast<std::int64_t>(beta)) : value(beta)}};
  }
};

class chrf : public corpus_metric<chrf> {
 public:
  explicit chrf(chrf_options options = {}) : options_(options) {
    const auto check = [](const char* what, int order, int least) {
      if (order < least || order > ngram_matches::max_order)
        throw option_error(std::string(what) + ": expected " + std::to_string(least) + " to " +
                           std::to_string(ngram_matches::max_order) + ", got " +
                           std::to_string(order));
    };
    check("char_order", options_.char_order, 1);
    check("word_order", options_.word_order, 0);
    if (!(options_.beta >= 0)) throw option_error("beta: expected a number of at least 0");
  }

  static constexpr description describe() {
    return {"chrf",
            "score",
            "F score of character n-grams of translations against references",
            0,
            100,
            true,
            "Popović 2015, chrF: character n-gram F-score for automatic MT evaluation"};
  }
  const chrf_options& options() const { return options_; }

  // For each order, those of characters first: n-grams of the prediction, of the reference,
  // matches.
  std::size_t width() const { return 3 * orders(); }
  void measure(std::string_view prediction, texts references, std::span<double> row) {
    read(prediction, hypothesis_);
    characters_.start(hypothesis_.characters);
    split(hypothesis_);
    start_words();
    stats_.resize(row.size());
    double best = -1;
    for (std::size_t r = 0; r < references.size(); ++r) {
      read(references[r], reference_);
      split(reference_);
      compare();
      if (const double f = headline(stats_); f > best) {
        best = f;
        std::copy(stats_.begin(), stats_.end(), row.begin());
      }
    }
  }

  chrf_result score(std::span<const double> totals) const {
    return {headline(totals), options_.char_order, options_.word_order, options_.beta};
  }
  double headline(std::span<const double> totals) const {
    const double eps = 1e-16, factor = options_.beta * options_.beta;
    double score = 0, precision = 0, recall = 0, effective = 0;
    for (std::size_t i = 0; i < orders(); ++i) {
      const double hyp = totals[3 * i], ref = totals[3 * i + 1], match = totals[3 * i + 2];
      const double p = hyp > 0 ? match / hyp : eps, r = ref > 0 ? match / ref : eps;
      const double denominator = factor * p + r;
      score += denominator > 0 ? (1 + factor) * p * r / denominator : eps;
      if (hyp > 0 && ref > 0) precision += p, recall += r, ++effective;
    }
    if (options_.eps_smoothing) return 100 * score / static_cast<double>(orders());
    if (effective == 0) return 0;
    precision /= effective;
    recall /= effective;
    if (precision + recall == 0) return 0;
    score = (1 + factor) * precision * recall;
    score /= factor * precision + recall;
    return 100 * score;
  }

  metrics::signature signature() const {
    metrics::signature s(reference_count());
    s.add("case", "c", options_.lowercase ? "lc" : "mixed");
    s.add("eff", "e", options_.eps_smoothing ? "no" : "yes");
    s.add("nc", "nc", std::to_string(options_.char_order));
    s.add("nw", "nw", std::to_string(options_.word_order));
    s.add("space", "s", options_.whitespace ? "yes" : "no");
    return s;
  }
  std::string title() const {
    const bool whole = options_.beta == std::floor(options_.beta);
    return "chrF" + fixed(options_.beta, whole ? 0 : 1) +
           std::string(static_cast<std::size_t>(options_.word_order), '+');
  }
  static std::string details(const chrf_result&) { return {}; }

 private:
  struct side {
    std::string lowered, packed;
    std::string_view text, characters;  // without white space, unless it counts
    std::size_t length = 0;             // code points of `characters`
    words tokens;
    id_list ids;
  };

  std::size_t orders() const {
    return static_cast<std::size_t>(options_.char_order + options_.word_order);
  }
  void read(std::string_view text, side& s) {
    if (options_.lowercase) {
      lower_into(text, s.lowered);
      text = s.lowered;
    }
    s.text = text;
    if (!options_.whitespace) {
      pack(text, s.packed);
      text = s.packed;
    }
    s.characters = text;
    s.length = all_ascii(text) ? text.size() : utf8_length(text);
  }
  static void pack(std::string_view text, std::string& out) {
    out.resize(text.size());
    char* to = out.data();
    if (all_ascii(text)) {
      for (const char c : text) {
        *to = c;
        to += c > ' ' || !tokenizers::jinja::is_space(static_cast<unsigned char>(c));
      }
      out.resize(static_cast<std::size_t>(to - out.data()));
      return;
    }
    const char *p = text.data(), *end = p + text.size();
    while (p < end) {
      if (const unsigned space = space_bytes(p, end)) {
        p += space;
        continue;
      }
      *to++ = *p++;
    }
    out.resize(static_cast<std::size_t>(to - out.data()));
  }

  // One punctuation mark is split off a word: the last character, else the first.
  void split(side& s) {
    if (options_.word_order == 0) return;
    s.tokens.clear();
    pieces_.clear();
    split_words(s.text, pieces_);
    for (const std::string_view w : pieces_) {
      const auto mark = [](char c) { return is_ascii_punctuation(static_cast<unsigned char>(c)); };
      if (w.size() > 1 && mark(w.back())) {
        s.tokens.push_back(w.substr(0, w.size() - 1));
        s.tokens.push_back(w.substr(w.size() - 1));
      } else if (w.size() > 1 && mark(w.front())) {
        s.tokens.push_back(w.substr(0, 1));
        s.tokens.push_back(w.substr(1));
      } else {
        s.tokens.push_back(w);
      }
    }
  }
  void start_words() {
    if (options_.word_order == 0) return;
    interner_.start(hypothesis_.tokens.size());
    hypothesis_.ids.clear();
    for (const std::string_view w : hypothesis_.tokens)
      hypothesis_.ids.push_back(interner_.insert(w));
    words_.start(hypothesis_.ids, interner_.count());
  }
  void compare() {
    const auto chars = static_cast<std::size_t>(options_.char_order);
    double found[2 * ngram_matches::max_order] = {};
    characters_.count(reference_.characters, options_.char_order, found);
    if (options_.word_order > 0) {
      reference_.ids.clear();
      for (const std::string_view w : reference_.tokens)
        reference_.ids.push_back(interner_.find(w));
      words_.count(reference_.ids, options_.word_order, found + chars);
    }
    for (std::size_t i = 0; i < orders(); ++i) {
      const std::size_t n = i < chars ? i : i - chars;
      const auto total = [n](std::size_t length) {
        return length > n ? static_cast<double>(length - n) : 0.0;
      };
      const double ref = total(i < chars ? reference_.length : reference_.tokens.size());
      stats_[3 * i] =
          ref > 0 ? total(i < chars ? hypothesis_.length : hypothesis_.tokens.size()) : 0.0;
      stats_[3 * i + 1] = ref;
      stats_[3 * i + 2] = found[i];
    }
  }

  chrf_options options_;
  side hypothesis_, reference_;
  character_matches characters_;
  word_ids interner_;
  ngram_matches words_;
  words pieces_;
  std::vector<double> stats_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
