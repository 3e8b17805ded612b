// SPDX-License-Identifier: Apache-2.0
// Error rates of speech recognition as jiwer 4.0.0 computes them: word, character and match error
// rate, word information lost (Morris et al. 2004). wer and cer are evaluate's. 0 is best.
#pragma once

#include <string>

#include "parlance/metrics/edit_counts.hpp"
#include "parlance/metrics/metric.hpp"
#include "parlance/metrics/word_ids.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

enum class error_kind : std::uint8_t { wer, cer, mer, wil };

struct error_rate_options {
  // Of evaluate: one call on all texts. The numbers are the same; nothing else changes.
  bool concatenate_texts = false;
  bool operator==(const error_rate_options&) const = default;
};

struct error_rate_result {
  std::string_view name;
  double rate = 0;
  record fields() const { return {{std::string(name), rate}}; }
};

template <error_kind Kind>
class error_rate : public corpus_metric<error_rate<Kind>> {
 public:
  explicit error_rate(error_rate_options options = {}) : options_(options) {}

  static constexpr description describe() {
    constexpr std::string_view asr =
        "Morris et al. 2004, From WER and RIL to MER and WIL: improved evaluation measures for "
        "connected speech recognition";
    switch (Kind) {
      case error_kind::wer:
        return {"wer", "wer", "wrong, missing and added words per reference word", 0, no_limit,
                false, asr};
      case error_kind::cer:
        return {"cer", "cer",    "wrong, missing and added characters per reference character",
                0,     no_limit, false,
                asr};
      case error_kind::mer:
        return {"mer", "mer", "share of word matches that are errors", 0, 1, false, asr};
      default:
        return {"wil", "wil", "share of word information that is lost", 0, 1, false, asr};
    }
  }
  const error_rate_options& options() const { return options_; }

  std::size_t width() const { return 4; }  // edits, hits, units of the reference, of the prediction
  void measure(std::string_view prediction, texts references, std::span<double> row) {
    if (references.size() != 1)
      throw option_error(std::string(describe().name) + ": expected one reference a line, got " +
                         std::to_string(references.size()));
    read(references[0], reference_, [this](std::string_view w) { return ids_.insert(w); });
    const std::int32_t different = ids_.count();
    read(prediction, prediction_, [this](std::string_view w) { return ids_.find(w); });
    constexpr bool needs_hits = Kind == error_kind::mer || Kind == error_kind::wil;
    const edit_count c = edits_(reference_, different, prediction_, needs_hits);
    row[0] = static_cast<double>(c.edits);
    row[1] = static_cast<double>(c.hits);
    row[2] = static_cast<double>(reference_.size());
    row[3] = static_cast<double>(prediction_.size());
  }

  error_rate_result score(std::span<const double> totals) const {
    return {describe().name, headline(totals)};
  }
  // Throws option_error where evaluate divides by zero: no reference words (wer, cer).
  double headline(std::span<const double> totals) const {
    const double edits = totals[0], hits = totals[1], reference = totals[2], predicted = totals[3];
    if constexpr (Kind == error_kind::wer || Kind == error_kind::cer) {
      if (reference == 0)
        throw option_error(std::string(describe().name) +
                           ": the references are empty, so the rate is not defined");
      return edits / reference;
    }
    if (Kind == error_kind::mer)
      return reference == 0 ? (predicted > 0 ? 1.0 : 0.0) : edits / (hits + edits);
    if (reference == 0) return predicted > 0 ? 1.0 : 0.0;
    return 1 - (predicted > 0 ? (hits / reference) * (hits / predicted) : 0.0);
  }

 private:
  // Runs of white space become a space, the ends are stripped, words stand between spaces (other
  // single white space stays inside its word). Characters: the ends are stripped.
  template <class Number>
  void read(std::string_view text, std::vector<std::int32_t>& out, Number&& number) {
    out.clear();
    text = strip(text);
    if constexpr (Kind == error_kind::cer) {
      start(out, text.size());
      for (std::size_t i = 0; i < text.size();) {
        const unsigned n =
            static_cast<unsigned char>(text[i]) < 0x80 ? 1 : utf8_decode(text, i).length;
        out.push_back(number(text.substr(i, n)));
        i += n;
      }
      return;
    }
    start(out, text.size() / 2 + 1);
    const char *p = text.data(), *end = p + text.size(), *word = p;
    while (p < end) {
      const unsigned space = space_bytes(p, end);
      if (space == 0) {
        ++p;
        continue;
      }
      const char* after = p + space;
      unsigned count = 1;
      for (unsigned more = 0; after < end && (more = space_bytes(after, end)) > 0; after += more)
        ++count;
      if (count > 1 || *p == ' ') {
        if (word < p) out.push_back(number({word, static_cast<std::size_t>(p - word)}));
        word = after;
      }
      p = after;
    }
    if (word < end) out.push_back(number({word, static_cast<std::size_t>(end - word)}));
  }
  void start(const std::vector<std::int32_t>& side, std::size_t expected) {
    if (&side == &reference_) ids_.start(expected);
  }

  error_rate_options options_;
  word_ids ids_;
  std::vector<std::int32_t> reference_, prediction_;
  edit_counts edits_;
};

using wer = error_rate<error_kind::wer>;
using cer = error_rate<error_kind::cer>;
using mer = error_rate<error_kind::mer>;
using wil = error_rate<error_kind::wil>;

}  // namespace parlance::inline PARLANCE_ABI::metrics
