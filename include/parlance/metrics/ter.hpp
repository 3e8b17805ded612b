// SPDX-License-Identifier: Apache-2.0
// Translation edit rate (Snover et al. 2006) as sacreBLEU 2.6.0 computes it (metrics/ter.py), with
// the options of evaluate's `ter`. 0 is best; may exceed 100.
#pragma once

#include <string>

#include "parlance/metrics/metric.hpp"
#include "parlance/metrics/shifted_edits.hpp"
#include "parlance/metrics/signature.hpp"
#include "parlance/metrics/tercom_tokenizer.hpp"
#include "parlance/metrics/word_ids.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

using ter_options = tercom_options;

struct ter_result {
  double score = 0;
  std::int64_t num_edits = 0;
  double ref_length = 0;  // mean over the references of a line, summed over lines
  record fields() const {
    return {{"score", score}, {"num_edits", num_edits}, {"ref_length", ref_length}};
  }
};

class ter : public corpus_metric<ter> {
  using base = corpus_metric<ter>;

 public:
  explicit ter(ter_options options = {}) : options_(options) {}

  static constexpr description describe() {
    return {"ter",
            "score",
            "edits that turn a translation into the reference, per reference word",
            0,
            no_limit,
            false,
            "Snover et al. 2006, A Study of Translation Edit Rate with Targeted Human Annotation"};
  }
  const ter_options& options() const { return options_; }

  // Mean lengths need not be whole numbers, so that the order of their sum matters: they are kept.
  void add(std::string_view prediction, texts references) {
    base::add(prediction, references);
    lengths_.push_back(mean_length_);
  }
  template <class Predictions, class References>
  void add_batch(const Predictions& predictions, const References& references) {
    add_all(*this, predictions, references);
  }
  void merge(const ter& other) {
    base::merge(other);
    lengths_.insert(lengths_.end(), other.lengths_.begin(), other.lengths_.end());
  }
  void reset() { base::reset(), lengths_.clear(); }
  ter_result compute() const {
    ter_result r = base::compute();
    r.ref_length = 0;
    for (const double n : lengths_) r.ref_length += n;
    const double row[] = {static_cast<double>(r.num_edits), r.ref_length};
    return score(row);
  }

  std::size_t width() const { return 2; }  // edits, mean reference length
  void measure(std::string_view prediction, texts references, std::span<double> row) {
    read(prediction, hypothesis_, 1);
    double best = 0, length = 0;
    for (std::size_t r = 0; r < references.size(); ++r) {
      read(references[r], reference_, 2);
      ids_.start(reference_.tokens.size());
      reference_.ids.clear();
      for (const std::string_view w : reference_.tokens) reference_.ids.push_back(ids_.insert(w));
      hypothesis_.ids.clear();
      for (const std::string_view w : hypothesis_.tokens) hypothesis_.ids.push_back(ids_.find(w));
      const auto edits = static_cast<double>(edits_(hypothesis_.ids, reference_.ids, ids_.count()));
      if (r == 0 || edits < best) best = edits;
      length += static_cast<double>(reference_.tokens.size());
    }
    row[0] = best;
    row[1] = mean_length_ = length / static_cast<double>(references.size());
  }

  ter_result score(std::span<const double> totals) const {
    return {headline(totals), static_cast<std::int64_t>(totals[0]), totals[1]};
  }
  double headline(std::span<const double> totals) const {
    if (totals[1] > 0) return 100 * (totals[0] / totals[1]);
    return totals[0] > 0 ? 100.0 : 0.0;
  }

  metrics::signature signature() const {
    const auto yes = [](bool b) { return b ? "yes" : "no"; };
    metrics::signature s(reference_count());
    s.add("case", "c", options_.case_sensitive ? "mixed" : "lc");
    s.add("tok", "t", "tercom");
    s.add("norm", "nr", yes(options_.normalized));
    s.add("punct", "pn", yes(!options_.ignore_punct));
    s.add("asian", "as", yes(options_.support_zh_ja_chars));
    return s;
  }
  static std::string title() { return "TER"; }
  static std::string details(const ter_result&) { return {}; }

 private:
  struct side {
    std::string buffer;
    words tokens;
    std::vector<std::int32_t> ids;
  };
  // References are normalised twice, as in the original (once when they are read, once when they
  // are split), which finds a little more to split.
  void read(std::string_view text, side& s, int times) {
    s.tokens.clear();
    text = tercom_normalize(options_, strip_right(text), s.buffer);
    split_words(text, s.tokens);
    if (!options_.normalized || times < 2) return;
    std::string joined;
    for (const std::string_view w : s.tokens) (joined += joined.empty() ? "" : " ") += w;
    s.tokens.clear();
    split_words(tercom_normalize(options_, joined, s.buffer), s.tokens);
  }

  ter_options options_;
  side hypothesis_, reference_;
  word_ids ids_;
  shifted_edits edits_;
  double mean_length_ = 0;
  std::vector<double> lengths_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
