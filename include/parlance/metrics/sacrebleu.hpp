// SPDX-License-Identifier: Apache-2.0
// BLEU as papers compare it (Post 2018, "A call for clarity in reporting BLEU scores"): sacreBLEU
// 2.6.0, metrics/bleu.py, with the options of evaluate's `sacrebleu`. From 0 to 100.
#pragma once

#include <cmath>
#include <optional>
#include <string>

#include "parlance/metrics/bleu_tokenizers.hpp"
#include "parlance/metrics/bleu_words.hpp"
#include "parlance/metrics/metric.hpp"
#include "parlance/metrics/signature.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

enum class bleu_smoothing : std::uint8_t { exp, floor, add_k, none };
inline constexpr std::array<std::string_view, 4> bleu_smoothing_names = {"exp", "floor", "add-k",
                                                                         "none"};

struct sacrebleu_options {
  bleu_smoothing smooth_method = bleu_smoothing::exp;
  std::optional<double> smooth_value = {};  // default: 0.1 for floor, 1 for add_k
  bool lowercase = false;
  bleu_tokenizer tokenize = bleu_tokenizer::v13a;
  bool use_effective_order = false;
  int max_ngram_order = 4;
  bool operator==(const sacrebleu_options&) const = default;
};

struct sacrebleu_result {
  double score = 0;
  std::vector<double> counts, totals;  // add_k adds its value from the second order on
  std::vector<double> precisions;
  double bp = 0;
  std::int64_t sys_len = 0, ref_len = 0;

  // evaluate's fields; counts are whole numbers unless add_k made them otherwise.
  record fields() const {
    return {{"score", score},
            {"counts", whole(counts)},
            {"totals", whole(totals)},
            {"precisions", precisions},
            {"bp", bp},
            {"sys_len", sys_len},
            {"ref_len", ref_len}};
  }

 private:
  static value whole(const std::vector<double>& numbers) {
    std::vector<std::int64_t> out;
    for (const double n : numbers) {
      if (n != std::floor(n)) return numbers;
      out.push_back(static_cast<std::int64_t>(n));
    }
    return out;
  }
};

class sacrebleu : public corpus_metric<sacrebleu> {
 public:
  explicit sacrebleu(sacrebleu_options options = {}) : options_(options) {
    if (options_.max_ngram_order < 1 || options_.max_ngram_order > ngram_matches::max_order)
      throw option_error("max_ngram_order: expected 1 to " +
                         std::to_string(ngram_matches::max_order) + ", got " +
                         std::to_string(options_.max_ngram_order));
  }

  static constexpr description describe() {
    return {"sacrebleu",
            "score",
            "n-gram precision of translations against references, times a brevity penalty",
            0,
            100,
            true,
            "Post 2018, A Call for Clarity in Reporting BLEU Scores"};
  }
  const sacrebleu_options& options() const { return options_; }

  // [length, reference length, matches of each order, n-grams of each order]
  std::size_t width() const { return 2 + 2 * orders(); }
  void measure(std::string_view prediction, texts references, std::span<double> row) {
    words_.read(prediction, references,
                [this](std::string_view text, detail::text_buffers& buffers, words& out) {
                  if (options_.lowercase) {
                    lower_into(text, buffers.lowered);
                    text = buffers.lowered;
                  }
                  tokenize(options_.tokenize, strip_right(text), buffers.rewritten, out);
                });
    row[0] = static_cast<double>(words_.length());
    row[1] = static_cast<double>(words_.closest_reference_length());
    words_.count_any(options_.max_ngram_order, row.data() + 2);
    for (std::size_t n = 1; n <= orders(); ++n)
      row[1 + orders() + n] = detail::ngram_total(words_.length(), n);
  }

  sacrebleu_result score(std::span<const double> totals) const {
    sacrebleu_result r;
    r.sys_len = static_cast<std::int64_t>(totals[0]);
    r.ref_len = static_cast<std::int64_t>(totals[1]);
    r.counts.assign(totals.begin() + 2, totals.begin() + 2 + static_cast<std::ptrdiff_t>(orders()));
    r.totals.assign(totals.end() - static_cast<std::ptrdiff_t>(orders()), totals.end());
    r.precisions.assign(orders(), 0.0);
    r.score = evaluate(totals, r.counts.data(), r.totals.data(), r.precisions.data());
    r.bp = brevity_penalty(totals);
    return r;
  }
  double headline(std::span<const double> totals) const {
    double counts[ngram_matches::max_order], ngrams[ngram_matches::max_order],
        precisions[ngram_matches::max_order] = {};
    std::copy_n(totals.data() + 2, orders(), counts);
    std::copy_n(totals.data() + 2 + orders(), orders(), ngrams);
    return evaluate(totals, counts, ngrams, precisions);
  }

  metrics::signature signature() const {
    std::string smooth(bleu_smoothing_names[static_cast<std::size_t>(options_.smooth_method)]);
    if (options_.smooth_method == bleu_smoothing::floor ||
        options_.smooth_method == bleu_smoothing::add_k)
      smooth += "[" + fixed(smooth_value(), 2) + "]";
    metrics::signature s(reference_count());
    s.add("case", "c", options_.lowercase ? "lc" : "mixed");
    s.add("eff", "e", options_.use_effective_order ? "yes" : "no");
    s.add("tok", "tok", name(options_.tokenize));
    s.add("smooth", "s", smooth);
    return s;
  }
  static std::string title() { return "BLEU"; }
  // What sacreBLEU prints after the score.
  static std::string details(const sacrebleu_result& r) {
    std::string text;
    for (const double p : r.precisions) text += (text.empty() ? "" : "/") + fixed(p, 1);
    const double ratio = r.ref_len ? double(r.sys_len) / double(r.ref_len) : 0.0;
    return text + " (BP = " + fixed(r.bp, 3) + " ratio = " + fixed(ratio, 3) +
           " hyp_len = " + std::to_string(r.sys_len) + " ref_len = " + std::to_string(r.ref_len) +
           ")";
  }

 private:
  std::size_t orders() const { return static_cast<std::size_t>(options_.max_ngram_order); }
  double smooth_value() const {
    return options_.smooth_value.value_or(options_.smooth_method == bleu_smoothing::floor ? 0.1
                                                                                          : 1.0);
  }
  static double brevity_penalty(std::span<const double> totals) {
    if (totals[0] >= totals[1]) return 1.0;
    return totals[0] > 0 ? std::exp(1 - totals[1] / totals[0]) : 0.0;
  }
  double evaluate(std::span<const double> sums, double* counts, double* ngrams,
                  double* precisions) const {
    const int orders = options_.max_ngram_order;
    if (std::all_of(counts, counts + orders, [](double c) { return c == 0; })) return 0.0;
    const bleu_smoothing method = options_.smooth_method;
    double halves = 1;
    int effective = orders;
    for (int n = 1; n <= orders; ++n) {
      double &count = counts[n - 1], &total = ngrams[n - 1];
      if (method == bleu_smoothing::add_k && n > 1)
        count += smooth_value(), total += smooth_value();
      if (total == 0) break;
      if (options_.use_effective_order) effective = n;
      double& precision = precisions[n - 1];
      if (count != 0)
        precision = 100.0 * count / total;
      else if (method == bleu_smoothing::exp)
        precision = 100.0 / ((halves *= 2) * total);
      else if (method == bleu_smoothing::floor)
        precision = 100.0 * smooth_value() / total;
    }
    double sum = 0;
    for (int n = 0; n < effective; ++n)
      sum += precisions[n] == 0 ? -9999999999.0 : std::log(precisions[n]);
    return brevity_penalty(sums) * std::exp(sum / effective);
  }

  sacrebleu_options options_;
  detail::bleu_words words_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
