// SPDX-License-Identifier: Apache-2.0
// What a metric is: something with `add` and `compute`. The rest of this folder builds on those
// two, so a metric of one's own gets combining, reports and threads for nothing:
//
//   struct mean_length {
//     void add(std::string_view prediction, metrics::texts) { total += prediction.size(), ++n; }
//     double compute() const { return total / n; }
//     double total = 0, n = 0;
//   };
//
// `corpus_metric` is the base of metrics whose score is a function of sums over the lines. It gives
// add, add_batch, merge, scores of single lines and what resampling needs. Sums are of whole
// numbers, exact in a double, so that merging gives the same bits however the lines were split.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/core/error.hpp"
#include "parlance/metrics/record.hpp"
#include "parlance/metrics/text.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

// The references of one line: a view of one text or of several. It owns nothing.
class texts {
 public:
  texts(const char* one) : texts(std::string_view(one)) {}
  texts(std::string_view one) : one_(one), size_(1) {}
  texts(const std::string& one) : texts(std::string_view(one)) {}
  texts(const std::vector<std::string>& many) : strings_(many.data()), size_(many.size()) {}
  texts(std::span<const std::string> many) : strings_(many.data()), size_(many.size()) {}
  texts(std::span<const std::string_view> many) : views_(many.data()), size_(many.size()) {}
  texts(std::initializer_list<std::string_view> many)
      : texts(std::span(std::data(many), many.size())) {}

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string_view operator[](std::size_t i) const {
    return strings_ ? std::string_view(strings_[i]) : views_ ? views_[i] : one_;
  }

 private:
  const std::string* strings_ = nullptr;
  const std::string_view* views_ = nullptr;
  std::string_view one_;
  std::size_t size_ = 0;
};

// So that reports can explain themselves.
struct description {
  std::string_view name;      // as evaluate.load knows it
  std::string_view headline;  // the field that stands for the whole result
  std::string_view measures;  // one sentence
  double low, high;           // range of the headline; high may be infinite
  bool higher_is_better;
  std::string_view citation;
};

inline constexpr double no_limit = __builtin_inf();

// A metric of predictions P against references R: two functions.
template <class M, class P = std::string_view, class R = texts>
concept metric = requires(M m, const M& c, P prediction, R references) {
  m.add(prediction, references);
  c.compute();
};

// Also knows how to continue where another accumulator of the same settings stopped.
template <class M>
concept mergeable = requires(M m, const M& other) {
  m.merge(other);
};

namespace detail {
inline void require_same_number(std::size_t predictions, std::size_t references) {
  if (predictions != references)
    throw option_error("Mismatch in the number of predictions (" + std::to_string(predictions) +
                       ") and references (" + std::to_string(references) + ")");
}
inline std::string line_name(std::string_view what, std::int64_t line) {
  return std::string(what) + " of line " + std::to_string(line + 1);
}
// A line is checked once, here; metrics rely on valid UTF-8.
inline void require_line(std::string_view prediction, texts references, std::int64_t line) {
  if (!all_ascii(prediction)) require_utf8(prediction, line_name("prediction", line));
  if (references.empty())
    throw option_error(line_name("references", line) + ": expected at least one text");
  for (std::size_t i = 0; i < references.size(); ++i)
    if (!all_ascii(references[i])) require_utf8(references[i], line_name("reference", line));
}
}  // namespace detail

// Adds line after line; stops with an error when the numbers differ. References: a text a line, or
// a list of texts a line.
template <class M, class Predictions, class References>
void add_all(M& m, const Predictions& predictions, const References& references) {
  detail::require_same_number(std::size(predictions), std::size(references));
  auto reference = std::begin(references);
  for (const auto& prediction : predictions) m.add(prediction, *reference++);
}

// Derived has
//   std::size_t width() const;                                          numbers a line
//   void measure(std::string_view prediction, texts references, std::span<double> row);
//   result score(std::span<const double> totals) const;
//   double headline(std::span<const double> totals) const;              the main number of result
// `measure` may use buffers of the object; everything else is const. `totals` are sums of rows.
template <class Derived>
class corpus_metric {
 public:
  // Throws text_error when a text is not UTF-8, option_error when there is no reference.
  void add(std::string_view prediction, texts references) {
    detail::require_line(prediction, references, lines_);
    row_.assign(self().width(), 0.0);
    if (totals_.empty()) totals_.assign(row_.size(), 0.0);
    self().measure(prediction, references, row_);
    for (std::size_t i = 0; i < row_.size(); ++i) totals_[i] += row_[i];
    ++lines_;
    const auto count = static_cast<std::int64_t>(references.size());
    references_ = references_ == none || references_ == count ? count : varying;
  }
  template <class Predictions, class References>
  void add_batch(const Predictions& predictions, const References& references) {
    add_all(*this, predictions, references);
  }

  // Continues where `other` stopped. Both must have the same options.
  void merge(const Derived& other) {
    if (!(self().options() == other.options()))
      throw option_error("merge: the two accumulators have different options");
    const corpus_metric& from = other;
    if (from.lines_ == 0) return;
    if (totals_.empty()) totals_.assign(from.totals_.size(), 0.0);
    for (std::size_t i = 0; i < totals_.size(); ++i) totals_[i] += from.totals_[i];
    references_ = lines_ == 0 || references_ == from.references_ ? from.references_ : varying;
    lines_ += from.lines_;
  }

  // The score of all lines added so far.
  auto compute() const {
    if (lines_ == 0)
      throw option_error(std::string(Derived::describe().name) + ": nothing was added");
    return self().score(totals_);
  }
  // The score of one line on its own; what was added before stays.
  auto sentence_score(std::string_view prediction, texts references) {
    detail::require_line(prediction, references, 0);
    row_.assign(self().width(), 0.0);
    self().measure(prediction, references, row_);
    return self().score(row_);
  }
  void reset() { totals_.clear(), lines_ = 0, references_ = none; }
  std::int64_t lines() const { return lines_; }
  // How many references every line had; 0 before the first line, -1 when the number varies.
  std::int64_t reference_count() const { return references_ == none ? 0 : references_; }

 private:
  static constexpr std::int64_t none = -2, varying = -1;
  Derived& self() { return static_cast<Derived&>(*this); }
  const Derived& self() const { return static_cast<const Derived&>(*this); }

  std::vector<double> totals_, row_;
  std::int64_t lines_ = 0, references_ = none;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
