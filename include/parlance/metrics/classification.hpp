// SPDX-License-Identifier: Apache-2.0
// evaluate's accuracy, precision, recall, f1 and matthews_correlation, which are scikit-learn's
// (1.9, metrics/_classification.py), for one label an example or for several (0 or 1 each).
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>

#include "parlance/core/nearest.hpp"
#include "parlance/metrics/metric.hpp"
#include "parlance/metrics/sums.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

using label = std::int64_t;

namespace detail {

// Pairs of labels. Equal pairs are kept once, with how often they came, so that memory grows with
// the number of classes only; with weights of examples or several labels a line, all are kept.
class label_pairs {
 public:
  // `weighted`: the order of the lines matters.
  explicit label_pairs(bool weighted) : in_order_(weighted) {}

  void add(label prediction, label reference) { add(prediction, reference, 1); }
  // Several labels: 0 or 1 for each class; all lines have the same number.
  void add(std::span<const label> prediction, std::span<const label> reference) {
    if (lines_ == 0) columns_ = prediction.size();
    if (prediction.size() != columns_ || reference.size() != columns_)
      throw shape_error("labels of line " + std::to_string(lines_ + 1) + ": expected " +
                        std::to_string(columns_) + ", got " + std::to_string(prediction.size()) +
                        " and " + std::to_string(reference.size()));
    predictions.insert(predictions.end(), prediction.begin(), prediction.end());
    references.insert(references.end(), reference.begin(), reference.end());
    multilabel_ = true;
    ++lines_;
  }
  void merge(const label_pairs& other) {
    if (lines_ > 0 && other.lines_ > 0 &&
        (other.columns_ != columns_ || other.multilabel_ != multilabel_))
      throw shape_error("merge: lines of different numbers of labels");
    for (std::size_t i = 0; !other.multilabel_ && i < other.predictions.size(); ++i)
      add(other.predictions[i], other.references[i], other.times(i));
    if (!other.multilabel_) return;
    columns_ = other.columns_, multilabel_ = true;
    predictions.insert(predictions.end(), other.predictions.begin(), other.predictions.end());
    references.insert(references.end(), other.references.begin(), other.references.end());
    lines_ += other.lines_;
  }
  std::size_t columns() const { return columns_; }
  bool multilabel() const { return multilabel_; }
  std::size_t lines() const { return lines_; }
  // Entries kept: different pairs, or lines.
  std::size_t size() const { return columns_ == 0 ? 0 : predictions.size() / columns_; }
  std::int64_t times(std::size_t i) const { return times_.empty() ? 1 : times_[i]; }
  void require_some(std::string_view who, const std::vector<double>& weights) const {
    if (lines() == 0) throw option_error(std::string(who) + ": nothing was added");
    if (!weights.empty() && weights.size() != lines())
      throw option_error(std::string(who) + ": sample_weight has " +
                         std::to_string(weights.size()) + " values for " + std::to_string(lines()) +
                         " examples");
  }
  std::vector<label> present() const {
    std::vector<label> out = predictions;
    out.insert(out.end(), references.begin(), references.end());
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }

  std::vector<label> predictions, references;

 private:
  void add(label prediction, label reference, std::int64_t times) {
    if (multilabel_)
      throw shape_error("labels of line " + std::to_string(lines_ + 1) + ": expected a list");
    lines_ += static_cast<std::size_t>(times);
    if (!in_order_) {
      const auto [at, is_new] = places_.try_emplace({prediction, reference}, predictions.size());
      if (!is_new) {
        times_[at->second] += times;
        return;
      }
      times_.push_back(times);
    }
    predictions.push_back(prediction);
    references.push_back(reference);
  }

  bool in_order_, multilabel_ = false;
  std::size_t columns_ = 1, lines_ = 0;
  std::map<std::pair<label, label>, std::size_t> places_;
  std::vector<std::int64_t> times_;
};

// np.average.
inline double average(const std::vector<double>& x, const std::vector<double>& weights) {
  if (weights.empty()) return pairwise_mean(x);
  std::vector<double> product(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) product[i] = x[i] * weights[i];
  return pairwise_sum(product) / pairwise_sum(weights);
}

}  // namespace detail

struct accuracy_options {
  bool normalize = true;  // false: the number of right ones
  std::vector<double> sample_weight = {};
  bool operator==(const accuracy_options&) const = default;
};
struct accuracy_result {
  double accuracy = 0;
  record fields() const { return {{"accuracy", accuracy}}; }
};

class accuracy {
 public:
  using element = label;
  explicit accuracy(accuracy_options options = {})
      : options_(std::move(options)), pairs_(!options_.sample_weight.empty()) {}
  static constexpr description describe() {
    return {"accuracy",
            "accuracy",
            "share of right labels",
            0,
            1,
            true,
            "Pedregosa et al. 2011, Scikit-learn: Machine Learning in Python"};
  }
  void add(label prediction, label reference) { pairs_.add(prediction, reference); }
  void add(std::span<const label> prediction, std::span<const label> reference) {
    pairs_.add(prediction, reference);
  }
  void merge(const accuracy& other) { pairs_.merge(other.pairs_); }
  // Of several labels all have to be right.
  accuracy_result compute() const {
    pairs_.require_some("accuracy", options_.sample_weight);
    std::vector<double> right(pairs_.size());
    double sum = 0;
    const std::size_t columns = pairs_.columns();
    for (std::size_t i = 0; i < right.size(); ++i) {
      const auto at = static_cast<std::ptrdiff_t>(i * columns);
      const auto p = pairs_.predictions.begin() + at;
      right[i] =
          std::equal(p, p + static_cast<std::ptrdiff_t>(columns), pairs_.references.begin() + at);
      sum += right[i] * (options_.sample_weight.empty() ? static_cast<double>(pairs_.times(i))
                                                        : options_.sample_weight[i]);
    }
    if (!options_.normalize) return {sum};
    return {options_.sample_weight.empty() ? sum / static_cast<double>(pairs_.lines())
                                           : detail::average(right, options_.sample_weight)};
  }

 private:
  accuracy_options options_;
  detail::label_pairs pairs_;
};

enum class label_average : std::uint8_t { binary, micro, macro, weighted, samples, none };
inline constexpr std::array<std::string_view, 6> label_average_names = {
    "binary", "micro", "macro", "weighted", "samples", "none"};

struct label_score_options {
  std::vector<label> labels = {};  // which to average over, and in which order; default all, sorted
  label pos_label = 1;             // binary
  label_average average = label_average::binary;
  std::vector<double> sample_weight = {};
  double zero_division = 0;  // what to return where nothing was predicted or nothing was there
  bool operator==(const label_score_options&) const = default;
};

enum class label_score_kind : std::uint8_t { precision, recall, f1 };

struct label_score_result {
  std::string_view name;
  std::vector<double> scores;  // one, or one a class for label_average::none
  bool each = false;
  record fields() const {
    return {{std::string(name), each ? value(scores) : value(scores.front())}};
  }
};

template <label_score_kind Kind>
class label_score {
 public:
  using element = label;
  explicit label_score(label_score_options options = {})
      : options_(std::move(options)), pairs_(!options_.sample_weight.empty()) {}
  static constexpr description describe() {
    constexpr std::string_view source =
        "Pedregosa et al. 2011, Scikit-learn: Machine Learning in Python";
    switch (Kind) {
      case label_score_kind::precision:
        return {"precision", "precision", "share of predicted labels that are right", 0, 1,
                true,        source};
      case label_score_kind::recall:
        return {"recall", "recall", "share of true labels that were found", 0, 1, true, source};
      default:
        return {"f1", "f1", "harmonic mean of precision and recall", 0, 1, true, source};
    }
  }
  void add(label prediction, label reference) { pairs_.add(prediction, reference); }
  void add(std::span<const label> prediction, std::span<const label> reference) {
    pairs_.add(prediction, reference);
  }
  void merge(const label_score& other) { pairs_.merge(other.pairs_); }

  // Throws option_error where scikit-learn does: labels that do not fit the average.
  label_score_result compute() const {
    pairs_.require_some(describe().name, options_.sample_weight);
    std::vector<counts> classes = count_classes();
    const auto scores_of = [this](const std::vector<counts>& of) {
      std::vector<double> scores;
      for (const counts& c : of) scores.push_back(score(c));
      return scores;
    };
    label_score_result r{describe().name, {}, options_.average == label_average::none};
    switch (options_.average) {
      case label_average::none:
      case label_average::binary:
        r.scores = scores_of(classes);
        break;
      case label_average::micro: {
        counts all;
        for (const counts& c : classes)
          all.hits += c.hits, all.predicted += c.predicted, all.wanted += c.wanted;
        r.scores = {score(all)};
        break;
      }
      case label_average::weighted: {
        std::vector<double> support;
        for (const counts& c : classes) support.push_back(c.wanted);
        if (pairwise_sum(support) == 0) support.clear();
        r.scores = {detail::average(scores_of(classes), support)};
        break;
      }
      case label_average::macro:
        r.scores = {detail::average(scores_of(classes), {})};
        break;
      case label_average::samples:
        r.scores = {detail::average(scores_of(classes), options_.sample_weight)};
        break;
    }
    return r;
  }

 private:
  struct counts {
    double hits = 0, predicted = 0, wanted = 0;
  };
  double score(const counts& c) const {
    const auto ratio = [this](double above, double below) {
      return below == 0 ? options_.zero_division : above / below;
    };
    if (Kind == label_score_kind::precision) return ratio(c.hits, c.predicted);
    if (Kind == label_score_kind::recall) return ratio(c.hits, c.wanted);
    return ratio(2 * c.hits, c.wanted + c.predicted);
  }
  double weight(std::size_t i) const {
    return options_.sample_weight.empty() ? static_cast<double>(pairs_.times(i))
                                          : options_.sample_weight[i];
  }

  std::vector<counts> count_classes() const {
    if (pairs_.multilabel()) return count_columns();
    if (options_.average == label_average::samples)
      throw option_error("average 'samples' is for several labels a line",
                         "use binary, micro, macro, weighted or none");
    const std::vector<label> present = pairs_.present();
    std::vector<label> labels = options_.labels.empty() ? present : options_.labels;
    if (options_.average == label_average::binary) labels = {positive(present)};
    std::vector<std::pair<label, std::size_t>> order;
    for (std::size_t k = 0; k < labels.size(); ++k) order.push_back({labels[k], k});
    std::sort(order.begin(), order.end());
    std::vector<counts> out(labels.size());
    const auto find = [&](label l) -> counts* {
      const auto at = std::lower_bound(order.begin(), order.end(), std::pair(l, std::size_t{0}));
      return at == order.end() || at->first != l ? nullptr : &out[at->second];
    };
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      const label p = pairs_.predictions[i], r = pairs_.references[i];
      if (counts* c = find(p)) c->predicted += weight(i), c->hits += p == r ? weight(i) : 0.0;
      if (counts* c = find(r)) c->wanted += weight(i);
    }
    return out;
  }
  label positive(const std::vector<label>& present) const {
    if (present.size() > 2)
      throw option_error(
          "Target is multiclass but average='binary'. Please choose another average setting, one "
          "of [None, 'micro', 'macro', 'weighted'].");
    if (present.size() == 2 && options_.pos_label != present[0] && options_.pos_label != present[1])
      throw option_error("pos_label=" + std::to_string(options_.pos_label) +
                         " is not a valid label: it should be one of [" +
                         std::to_string(present[0]) + ", " + std::to_string(present[1]) + "]");
    return options_.pos_label;
  }
  std::vector<counts> count_columns() const {
    if (options_.average == label_average::binary)
      throw option_error(
          "Target is multilabel-indicator but average='binary'. Please choose another average "
          "setting, one of [None, 'micro', 'macro', 'weighted', 'samples'].");
    const std::size_t columns = pairs_.columns();
    std::vector<std::size_t> chosen;
    for (std::size_t k = 0; k < (options_.labels.empty() ? columns : options_.labels.size()); ++k) {
      const auto column =
          options_.labels.empty() ? k : static_cast<std::size_t>(options_.labels[k]);
      if (column >= columns)
        throw option_error("labels: expected columns below " + std::to_string(columns));
      chosen.push_back(column);
    }
    const bool by_line = options_.average == label_average::samples;
    std::vector<counts> out(by_line ? pairs_.lines() : chosen.size());
    for (std::size_t i = 0; i < pairs_.lines(); ++i)
      for (std::size_t k = 0; k < chosen.size(); ++k) {
        const bool p = pairs_.predictions[i * columns + chosen[k]] != 0;
        const bool r = pairs_.references[i * columns + chosen[k]] != 0;
        counts& c = out[by_line ? i : k];
        const double w = by_line ? 1.0 : weight(i);
        c.predicted += p ? w : 0.0, c.wanted += r ? w : 0.0, c.hits += p && r ? w : 0.0;
      }
    return out;
  }

  label_score_options options_;
  detail::label_pairs pairs_;
};

using precision = label_score<label_score_kind::precision>;
using recall = label_score<label_score_kind::recall>;
using f1 = label_score<label_score_kind::f1>;

struct matthews_correlation_options {
  std::vector<double> sample_weight = {};
};
struct matthews_correlation_result {
  double matthews_correlation = 0;
  record fields() const { return {{"matthews_correlation", matthews_correlation}}; }
};

class matthews_correlation {
 public:
  using element = label;
  explicit matthews_correlation(matthews_correlation_options options = {})
      : options_(std::move(options)), pairs_(!options_.sample_weight.empty()) {}
  static constexpr description describe() {
    return {"matthews_correlation",
            "matthews_correlation",
            "correlation of predicted and true labels, fair to classes of different size",
            -1,
            1,
            true,
            "Pedregosa et al. 2011, Scikit-learn: Machine Learning in Python"};
  }
  void add(label prediction, label reference) { pairs_.add(prediction, reference); }
  void merge(const matthews_correlation& other) { pairs_.merge(other.pairs_); }
  // 0 where one side has a single label.
  matthews_correlation_result compute() const {
    pairs_.require_some("matthews_correlation", options_.sample_weight);
    const std::vector<label> present = pairs_.present();
    const auto index = [&](label l) {
      return static_cast<std::size_t>(std::lower_bound(present.begin(), present.end(), l) -
                                      present.begin());
    };
    const std::size_t k = present.size();
    std::vector<double> wanted(k), predicted(k);
    double right = 0, all = 0;
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      const double w = options_.sample_weight.empty() ? static_cast<double>(pairs_.times(i))
                                                      : options_.sample_weight[i];
      const std::size_t r = index(pairs_.references[i]), p = index(pairs_.predictions[i]);
      wanted[r] += w, predicted[p] += w, all += w;
      right += r == p ? w : 0.0;
    }
    const auto dot = [k](const std::vector<double>& a, const std::vector<double>& b) {
      double sum = 0;
      for (std::size_t i = 0; i < k; ++i) sum += a[i] * b[i];
      return sum;
    };
    const double product =
        (all * all - dot(predicted, predicted)) * (all * all - dot(wanted, wanted));
    return {product == 0 ? 0.0 : (right * all - dot(wanted, predicted)) / std::sqrt(product)};
  }

 private:
  matthews_correlation_options options_;
  detail::label_pairs pairs_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
