// SPDX-License-Identifier: Apache-2.0
// METEOR (Banerjee and Lavie 2005) as evaluate computes it with nltk 3.10.4
// (translate/meteor_score.py): words match as they are, then by stem, then by WordNet synonyms of
// the stems. From 0 to 1. It is not METEOR 1.5.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include "parlance/metrics/metric.hpp"
#include "parlance/metrics/porter.hpp"
#include "parlance/metrics/sums.hpp"
#include "parlance/metrics/vocabulary.hpp"
#include "parlance/metrics/word_tokenize.hpp"
#include "parlance/metrics/wordnet.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

struct meteor_options {
  double alpha = 0.9;  // weight of recall
  double beta = 3;     // exponent and weight of the penalty for scattered matches
  double gamma = 0.5;
  std::string wordnet = std::string(metrics::wordnet::debian);  // folder
  bool operator==(const meteor_options&) const = default;
};

struct meteor_result {
  double meteor = 0;
  record fields() const { return {{"meteor", meteor}}; }
};

class meteor {
 public:
  // Throws io_error when WordNet is not there.
  explicit meteor(meteor_options options = {})
      : options_(std::move(options)),
        wordnet_(std::make_shared<const metrics::wordnet>(options_.wordnet)) {}

  static constexpr description describe() {
    return {"meteor",
            "meteor",
            "words of a translation that match the reference by form, stem or meaning",
            0,
            1,
            true,
            "Banerjee and Lavie 2005, METEOR: An Automatic Metric for MT Evaluation"};
  }
  const meteor_options& options() const { return options_; }

  void add(std::string_view prediction, texts references) {
    scores_.push_back(sentence_score(prediction, references));
  }
  void merge(const meteor& other) {
    if (!(options_ == other.options_))
      throw option_error("merge: the two accumulators have different options");
    scores_.insert(scores_.end(), other.scores_.begin(), other.scores_.end());
  }
  meteor_result compute() const {
    if (scores_.empty()) throw option_error("meteor: nothing was added");
    return {pairwise_mean(scores_)};
  }

  void reset() { scores_.clear(); }

  // That of the best reference.
  double sentence_score(std::string_view prediction, texts references) {
    detail::require_line(prediction, references, static_cast<std::int64_t>(scores_.size()));
    forget_if_large();
    read(prediction, hypothesis_);
    double best = 0;
    for (std::size_t r = 0; r < references.size(); ++r) {
      read(references[r], reference_);
      best = std::max(best, score());
    }
    return best;
  }

 private:
  static constexpr std::int32_t max_words = 1 << 17;
  struct word_at {
    std::int32_t word, place;
  };
  struct run {
    std::size_t begin, size;
  };

  void forget_if_large() {
    if (all_.size() < max_words) return;
    all_.clear();
    stem_of_.clear();
    synonyms_.clear();
    synonym_ids_.clear();
  }
  void read(std::string_view text, std::vector<word_at>& out) {
    words_.clear();
    word_tokenize(text, buffer_, words_);
    out.clear();
    for (const std::string_view w : words_) {
      lower_into(w, lowered_);
      out.push_back({number(lowered_), static_cast<std::int32_t>(out.size())});
    }
  }
  std::int32_t number(std::string_view word) {
    const auto [id, is_new] = all_.insert(word);
    if (is_new) {
      stem_of_.push_back(unknown);
      synonyms_.push_back({0, 0});
    }
    return id;
  }
  std::int32_t stem(std::int32_t word) {
    if (stem_of_[at(word)] == unknown) {
      const std::string stemmed = porter_stem(std::string(all_[word]));
      const std::int32_t id = number(stemmed);
      stem_of_[at(word)] = id;
    }
    return stem_of_[at(word)];
  }
  // The word itself among them, sorted.
  std::span<const std::int32_t> synonyms(std::int32_t word) {
    if (synonyms_[at(word)].size == 0) {
      std::vector<std::string> found;
      wordnet_->synonyms(std::string(all_[word]), found);
      std::vector<std::int32_t> ids = {word};
      for (const std::string& w : found) ids.push_back(number(w));
      std::sort(ids.begin(), ids.end());
      ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
      synonyms_[at(word)] = {synonym_ids_.size(), ids.size()};
      synonym_ids_.insert(synonym_ids_.end(), ids.begin(), ids.end());
    }
    const run r = synonyms_[at(word)];
    return {synonym_ids_.data() + r.begin, r.size};
  }

  double score() {
    const auto length = static_cast<double>(hypothesis_.size());
    const auto wanted = static_cast<double>(reference_.size());
    left_ = hypothesis_;
    matched_.assign(hypothesis_.size(), unknown);
    match([](std::int32_t a, std::int32_t b) { return a == b; });
    for (auto* side : {&left_, &reference_})
      for (word_at& w : *side) w.word = stem(w.word);
    match([](std::int32_t a, std::int32_t b) { return a == b; });
    match([this](std::int32_t a, std::int32_t b) {
      const std::span<const std::int32_t> all = synonyms(a);
      return std::binary_search(all.begin(), all.end(), b);
    });
    double matches = 0, chunks = 1;
    std::int32_t before = unknown, before_place = unknown;
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(matched_.size()); ++i) {
      if (matched_[at(i)] == unknown) continue;
      if (matches++ > 0) chunks += i != before + 1 || matched_[at(i)] != before_place + 1;
      before = i, before_place = matched_[at(i)];
    }
    if (matches == 0) return 0;
    const double precision = matches / length, recall = matches / wanted;
    const double below = options_.alpha * precision + (1 - options_.alpha) * recall;
    if (below == 0) return 0;
    const double mean = precision * recall / below;
    return (1 - options_.gamma * std::pow(chunks / matches, options_.beta)) * mean;
  }
  // From the last word of the hypothesis to the first, each takes the last free reference word that
  // fits; both leave their lists.
  template <class Fits>
  void match(Fits&& fits) {
    for (std::size_t i = left_.size(); i-- > 0;)
      for (std::size_t j = reference_.size(); j-- > 0;) {
        if (!fits(left_[i].word, reference_[j].word)) continue;
        matched_[at(left_[i].place)] = reference_[j].place;
        left_.erase(left_.begin() + static_cast<std::ptrdiff_t>(i));
        reference_.erase(reference_.begin() + static_cast<std::ptrdiff_t>(j));
        break;
      }
  }

  static constexpr std::int32_t unknown = -1;
  static std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }

  meteor_options options_;
  std::shared_ptr<const metrics::wordnet> wordnet_;
  detail::vocabulary all_;
  std::vector<std::int32_t> stem_of_;
  std::vector<run> synonyms_;  // in synonym_ids_; none: not looked up yet
  std::vector<std::int32_t> synonym_ids_;
  words words_;
  std::string buffer_, lowered_;
  std::vector<word_at> hypothesis_, reference_, left_;
  std::vector<std::int32_t> matched_;
  std::vector<double> scores_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
