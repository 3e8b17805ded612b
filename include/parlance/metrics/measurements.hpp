// SPDX-License-Identifier: Apache-2.0
// evaluate's measurements of data sets, which look at one list only: label_distribution,
// word_length, word_count, text_duplicates.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>

#include "parlance/metrics/metric.hpp"
#include "parlance/metrics/sums.hpp"
#include "parlance/metrics/vocabulary.hpp"
#include "parlance/metrics/word_tokenize.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

// How often each label comes, in order of appearance, and how lopsided that is: the skewness of the
// labels (of their places in that order when they are not numbers); not-a-number for one label.
class label_distribution {
 public:
  struct result {
    std::vector<std::string> labels;
    std::vector<double> fractions;
    double label_skew = 0;
  };
  void add(std::string_view label) {
    ids_.push_back(static_cast<double>(labels_.insert(label).first));
    counts_.resize(static_cast<std::size_t>(labels_.size()));
    ++counts_[static_cast<std::size_t>(ids_.back())];
  }
  void add(std::int64_t label) {
    add(std::to_string(label));
    ids_.back() = static_cast<double>(label);
  }
  result compute() const {
    if (ids_.empty()) throw option_error("label_distribution: nothing was added");
    result r;
    for (std::int32_t i = 0; i < labels_.size(); ++i) {
      r.labels.emplace_back(labels_[i]);
      r.fractions.push_back(counts_[static_cast<std::size_t>(i)] /
                            static_cast<double>(ids_.size()));
    }
    const double mean = pairwise_mean(ids_);
    std::vector<double> squares, cubes;
    for (const double x : ids_) {
      const double d = x - mean;
      squares.push_back(d * d);
      cubes.push_back(d * d * d);
    }
    const double variance = pairwise_mean(squares);
    r.label_skew = variance == 0 ? std::nan("") : pairwise_mean(cubes) / std::pow(variance, 1.5);
    return r;
  }

 private:
  detail::vocabulary labels_;
  std::vector<double> counts_, ids_;
};

// Mean number of words of a text, as nltk's word_tokenize finds them.
class word_length {
 public:
  void add(std::string_view text) {
    require_text(text, "text");
    words_.clear();
    word_tokenize(text, buffer_, words_);
    total_ += static_cast<double>(words_.size()), ++texts_;
  }
  double compute() const {
    if (texts_ == 0) throw option_error("word_length: nothing was added");
    return total_ / texts_;
  }

 private:
  words words_;
  std::string buffer_;
  double total_ = 0, texts_ = 0;
};

// Lower case words of two or more letters, digits or underscores: how many, and how many different.
class word_count {
 public:
  struct result {
    std::int64_t total_word_count = 0, unique_words = 0;
  };
  void add(std::string_view text) {
    require_text(text, "text");
    lower_into(text, lowered_);
    for (std::size_t i = 0; i < lowered_.size();) {
      const std::size_t begin = i;
      std::size_t letters = 0, length = 0;
      for (; i < lowered_.size(); i += length, ++letters) {
        const utf8_step step = utf8_decode(lowered_, i);
        length = step.length;
        if (!detail::python_word(step.code_point)) break;
      }
      if (letters > 1) {
        ++counts_.total_word_count;
        counts_.unique_words +=
            words_.insert(std::string_view(lowered_).substr(begin, i - begin)).second;
      }
      if (i < lowered_.size()) i += length;
    }
  }
  result compute() const { return counts_; }

 private:
  detail::vocabulary words_;
  std::string lowered_;
  result counts_;
};

// The share of texts that, stripped of white space at the ends, came before, and the texts that
// came more than once, with how often.
class text_duplicates {
 public:
  struct result {
    double duplicate_fraction = 0;
    std::vector<std::pair<std::string, std::int64_t>> duplicates;
  };
  void add(std::string_view text) {
    require_text(text, "text");
    stripped_.insert(strip(text));
    const auto [id, is_new] = texts_.insert(text);
    if (is_new) counts_.push_back(0);
    ++counts_[static_cast<std::size_t>(id)];
    ++total_;
  }
  result compute() const {
    if (total_ == 0) throw option_error("text_duplicates: nothing was added");
    result r{1 - static_cast<double>(stripped_.size()) / total_, {}};
    for (std::int32_t i = 0; i < texts_.size(); ++i)
      if (counts_[static_cast<std::size_t>(i)] > 1)
        r.duplicates.push_back({std::string(texts_[i]), counts_[static_cast<std::size_t>(i)]});
    return r;
  }

 private:
  detail::vocabulary stripped_, texts_;
  std::vector<std::int64_t> counts_;
  double total_ = 0;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
