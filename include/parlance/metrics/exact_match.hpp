// SPDX-License-Identifier: Apache-2.0
// evaluate's `exact_match`: the share of predictions that equal their reference, after what is to
// be ignored was taken out: expressions first, then case, punctuation, digits.
#pragma once

#include <string>

#include "parlance/metrics/metric.hpp"
#include "parlance/tokenizers/regex.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

struct exact_match_options {
  std::vector<std::string> regexes_to_ignore = {};  // syntax of tokenizers/regex.hpp
  bool ignore_case = false, ignore_punctuation = false, ignore_numbers = false;
  bool operator==(const exact_match_options&) const = default;
};

struct exact_match_result {
  double exact_match = 0;
  record fields() const { return {{"exact_match", exact_match}}; }
};

class exact_match : public corpus_metric<exact_match> {
 public:
  explicit exact_match(exact_match_options options = {}) : options_(std::move(options)) {
    for (const std::string& source : options_.regexes_to_ignore) expressions_.emplace_back(source);
  }

  static constexpr description describe() {
    return {"exact_match",
            "exact_match",
            "share of predictions that equal their reference",
            0,
            1,
            true,
            ""};
  }
  const exact_match_options& options() const { return options_; }

  std::size_t width() const { return 2; }  // equal lines, lines
  void measure(std::string_view prediction, texts references, std::span<double> row) {
    if (references.size() != 1)
      throw option_error("exact_match: expected one reference a line, got " +
                         std::to_string(references.size()));
    row[0] = reduced(prediction) == reduced(references[0]);
    row[1] = 1;
  }
  exact_match_result score(std::span<const double> totals) const { return {headline(totals)}; }
  double headline(std::span<const double> totals) const { return totals[0] / totals[1]; }

 private:
  std::string reduced(std::string_view text) const {
    std::string s(text);
    for (const tokenizers::regex& expression : expressions_) {
      std::string kept;
      std::size_t from = 0;
      expression.each(s, [&](std::size_t begin, std::size_t end) {
        kept.append(s, from, begin - from);
        from = end;
      });
      kept.append(s, from);
      s = std::move(kept);
    }
    if (options_.ignore_case) {
      std::string lowered;
      lower_into(s, lowered);
      s = std::move(lowered);
    }
    std::erase_if(s, [this](char c) {
      const auto byte = static_cast<unsigned char>(c);
      return (options_.ignore_punctuation && is_ascii_punctuation(byte)) ||
             (options_.ignore_numbers && c >= '0' && c <= '9');
    });
    return s;
  }

  exact_match_options options_;
  std::vector<tokenizers::regex> expressions_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
