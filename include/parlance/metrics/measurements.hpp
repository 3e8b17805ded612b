// SPDX-License-Identifier: Apache-2.0
// evaluate's measurements of data sets, which look at one list only: label_distribution,
// word_length, word_count, text_duplicates.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "parlance/metrics/metric.hpp"
#include "parlance/metrics/vocabulary.hpp"
#include "parlance/metrics/word_tokenize.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

struct label_distribution_result {
  std::vector<std::string> labels;
  std::vector<double> fractions;
  double label_skew = 0;
  bool numbers = false;  // the labels are whole numbers
  record fields() const;
};

// How often each label comes, in order of appearance, and how lopsided that is: the skewness of the
// labels (of their places in that order when they are not numbers); not-a-number for one label.
class label_distribution {
 public:
  static constexpr description describe() {
    return {"label_distribution",
            "label_skew",
            "how often each label comes, and the skewness of that",
            -no_limit,
            no_limit,
            false,
            "Virtanen et al. 2020, SciPy 1.0"};
  }
  void add(std::string_view label) {
    require_text(label, "label");
    count(label, 1, false);
  }
  void add(std::int64_t label) { count(std::to_string(label), 1, true); }
  void merge(const label_distribution& other) {
    for (std::int32_t i = 0; i < other.labels_.size(); ++i)
      count(other.labels_[i], other.counts_[static_cast<std::size_t>(i)], other.numbers_);
  }
  // scipy.stats.skew of 1.17; powers are summed by label here, so equal to about 1e-15.
  label_distribution_result compute() const {
    if (counts_.empty()) throw option_error("label_distribution: nothing was added");
    label_distribution_result r;
    r.numbers = numbers_;
    double total = 0, sum = 0, squares = 0, cubes = 0;
    std::vector<double> values;
    for (std::int32_t i = 0; i < labels_.size(); ++i) {
      const auto n = static_cast<double>(counts_[static_cast<std::size_t>(i)]);
      r.labels.emplace_back(labels_[i]);
      values.push_back(numbers_ ? std::stod(r.labels.back()) : static_cast<double>(i));
      total += n;
      sum += n * values.back();
    }
    const double mean = sum / total;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto n = static_cast<double>(counts_[i]);
      const double d = values[i] - mean;
      r.fractions.push_back(n / total);
      squares += n * (d * d);
      cubes += n * (d * d * d);
    }
    const double variance = squares / total, least = 0x1p-52 * mean;
    r.label_skew = values.size() == 1 || variance <= least * least
                       ? std::nan("")
                       : cubes / total / std::pow(variance, 1.5);
    return r;
  }

 private:
  void count(std::string_view label, std::int64_t times, bool number) {
    if (!counts_.empty() && number != numbers_)
      throw option_error("label_distribution: expected either whole numbers or texts as labels");
    numbers_ = number;
    const auto [id, is_new] = labels_.insert(label);
    if (is_new) counts_.push_back(0);
    counts_[static_cast<std::size_t>(id)] += times;
  }
  detail::vocabulary labels_;
  std::vector<std::int64_t> counts_;
  bool numbers_ = false;
};

inline record label_distribution_result::fields() const {
  record distribution = {{"labels", labels}, {"fractions", fractions}};
  if (numbers) {
    std::vector<std::int64_t> whole;
    for (const std::string& label : labels) whole.push_back(std::stoll(label));
    distribution[0].data = whole;
  }
  return {{"label_distribution", std::move(distribution)}, {"label_skew", label_skew}};
}

struct word_length_result {
  double average_word_length = 0;
  // Whole numbers print as such, as statistics.mean gives them.
  record fields() const {
    const auto whole = static_cast<std::int64_t>(average_word_length);
    if (static_cast<double>(whole) == average_word_length) return {{"average_word_length", whole}};
    return {{"average_word_length", average_word_length}};
  }
};

// Mean number of words of a text, as nltk's word_tokenize finds them.
class word_length {
 public:
  static constexpr description describe() {
    return {"word_length",
            "average_word_length",
            "mean number of words of a text",
            0,
            no_limit,
            true,
            "Bird et al. 2009, Natural Language Processing with Python"};
  }
  void add(std::string_view text) {
    require_text(text, "text");
    words_.clear();
    word_tokenize(text, buffer_, words_);
    total_ += static_cast<double>(words_.size()), ++texts_;
  }
  void merge(const word_length& other) { total_ += other.total_, texts_ += other.texts_; }
  word_length_result compute() const {
    if (texts_ == 0) throw option_error("word_length: nothing was added");
    return {total_ / texts_};
  }

 private:
  words words_;
  std::string buffer_;
  double total_ = 0, texts_ = 0;
};

struct word_count_options {
  std::optional<std::int64_t> max_vocab{};  // counts only the so many most frequent words
};
struct word_count_result {
  std::int64_t total_word_count = 0, unique_words = 0;
  record fields() const {
    return {{"total_word_count", total_word_count}, {"unique_words", unique_words}};
  }
};

// Lower case words of two or more letters, digits or underscores: how many, and how many different.
class word_count {
 public:
  explicit word_count(word_count_options options = {}) : options_(options) {
    if (options_.max_vocab && *options_.max_vocab < 1)
      throw option_error("word_count: max_vocab: expected a number above 0");
  }
  static constexpr description describe() {
    return {"word_count",
            "total_word_count",
            "number of words, and of different words",
            0,
            no_limit,
            true,
            "Pedregosa et al. 2011, Scikit-learn: Machine Learning in Python"};
  }
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
      if (letters > 1) count(std::string_view(lowered_).substr(begin, i - begin), 1);
      if (i < lowered_.size()) i += length;
    }
  }
  void merge(const word_count& other) {
    for (std::int32_t i = 0; i < other.words_.size(); ++i)
      count(other.words_[i], other.counts_[static_cast<std::size_t>(i)]);
  }
  // Throws option_error when there was no word at all, as the original.
  word_count_result compute() const {
    if (counts_.empty()) throw option_error("word_count: no words were added");
    std::vector<std::int64_t> counts = counts_;
    if (options_.max_vocab && static_cast<std::size_t>(*options_.max_vocab) < counts.size()) {
      std::sort(counts.rbegin(), counts.rend());
      counts.resize(static_cast<std::size_t>(*options_.max_vocab));
    }
    word_count_result r{0, static_cast<std::int64_t>(counts.size())};
    for (const std::int64_t n : counts) r.total_word_count += n;
    return r;
  }

 private:
  void count(std::string_view word, std::int64_t times) {
    const auto [id, is_new] = words_.insert(word);
    if (is_new) counts_.push_back(0);
    counts_[static_cast<std::size_t>(id)] += times;
  }
  word_count_options options_;
  detail::vocabulary words_;
  std::vector<std::int64_t> counts_;
  std::string lowered_;
};

struct text_duplicates_options {
  bool list_duplicates = false;
};
struct text_duplicates_result {
  double duplicate_fraction = 0;
  std::vector<std::pair<std::string, std::int64_t>> duplicates;
  bool listed = false;
  record fields() const {
    record out = {{"duplicate_fraction", duplicate_fraction}};
    record list;
    for (const auto& [text, times] : duplicates) list.push_back({text, times});
    if (listed) out.push_back({"duplicates_dict", std::move(list)});
    return out;
  }
};

// The share of texts that, stripped of white space at the ends, came before, and the texts that
// came more than once, with how often. It keeps each different text once.
class text_duplicates {
 public:
  explicit text_duplicates(text_duplicates_options options = {}) : options_(options) {}
  static constexpr description describe() {
    return {"text_duplicates",
            "duplicate_fraction",
            "share of texts that came before",
            0,
            1,
            false,
            "von Werra et al. 2022, Evaluate & Evaluation on the Hub"};
  }
  void add(std::string_view text) {
    require_text(text, "text");
    count(text, 1);
  }
  void merge(const text_duplicates& other) {
    for (std::int32_t i = 0; i < other.texts_.size(); ++i)
      count(other.texts_[i], other.counts_[static_cast<std::size_t>(i)]);
  }
  text_duplicates_result compute() const {
    if (total_ == 0) throw option_error("text_duplicates: nothing was added");
    text_duplicates_result r{
        1 - static_cast<double>(stripped_.size()) / total_, {}, options_.list_duplicates};
    for (std::int32_t i = 0; i < texts_.size(); ++i)
      if (counts_[static_cast<std::size_t>(i)] > 1)
        r.duplicates.push_back({std::string(texts_[i]), counts_[static_cast<std::size_t>(i)]});
    return r;
  }

 private:
  void count(std::string_view text, std::int64_t times) {
    stripped_.insert(strip(text));
    const auto [id, is_new] = texts_.insert(text);
    if (is_new) counts_.push_back(0);
    counts_[static_cast<std::size_t>(id)] += times;
    total_ += static_cast<double>(times);
  }
  text_duplicates_options options_;
  detail::vocabulary stripped_, texts_;
  std::vector<std::int64_t> counts_;
  double total_ = 0;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
