// SPDX-License-Identifier: Apache-2.0
// What scores of extracted answers share (squad, squad_v2, super_glue's record): the normal form of
// an answer, the overlap of two, predictions by id.
#pragma once

#include <algorithm>
#include <string>

#include "parlance/metrics/item.hpp"
#include "parlance/metrics/metric.hpp"
#include "parlance/tokenizers/unicode.hpp"

namespace parlance::inline PARLANCE_ABI::metrics::detail {

// Lower case, no punctuation, no articles, single spaces.
inline std::string normalize_answer(std::string_view text) {
  std::string s;
  lower_into(text, s);
  std::erase_if(s, [](char c) { return is_ascii_punctuation(static_cast<unsigned char>(c)); });
  const auto word = [](char32_t c) {
    namespace unicode = tokenizers::unicode;
    return unicode::in(unicode::properties(c), unicode::letters | unicode::numbers) || c == '_';
  };
  // A word of the expression \b(a|an|the)\b is a run of letters and digits.
  std::string kept;
  for (std::size_t i = 0; i < s.size();) {
    const std::size_t begin = i;
    while (i < s.size()) {
      const utf8_step step = utf8_decode(s, i);
      if (!word(step.code_point)) break;
      i += step.length;
    }
    const std::string_view run(s.data() + begin, i - begin);
    kept += run == "a" || run == "an" || run == "the" ? " " : run;
    if (i < s.size()) {
      const utf8_step step = utf8_decode(s, i);
      kept.append(s, i, step.length);
      i += step.length;
    }
  }
  words pieces;
  split_words(kept, pieces);
  std::string out;
  for (const std::string_view w : pieces) (out += out.empty() ? "" : " ") += w;
  return out;
}

struct answer_words {
  explicit answer_words(std::string_view text) : normal(normalize_answer(text)) {
    split_words(normal, sorted);
    std::sort(sorted.begin(), sorted.end());
  }
  answer_words(const answer_words&) = delete;
  std::string normal;
  words sorted;
};
// F1 of the two bags of words; `empty_agrees`: two empty answers count as equal.
inline double answer_f1(const answer_words& a, const answer_words& b, bool empty_agrees) {
  if (empty_agrees && (a.sorted.empty() || b.sorted.empty()))
    return a.sorted.empty() && b.sorted.empty();
  double same = 0;
  for (std::size_t i = 0, j = 0; i < a.sorted.size() && j < b.sorted.size();) {
    if (a.sorted[i] == b.sorted[j])
      ++same, ++i, ++j;
    else
      a.sorted[i] < b.sorted[j] ? ++i : ++j;
  }
  if (same == 0) return 0;
  const double precision = same / static_cast<double>(a.sorted.size());
  const double recall = same / static_cast<double>(b.sorted.size());
  return 2 * precision * recall / (precision + recall);
}

// What both versions keep: questions in order, and the last prediction for each id.
class answer_pairs {
 public:
  void add(squad_prediction prediction, squad_reference reference) {
    require_text(prediction.prediction_text, "prediction_text");
    for (const std::string& answer : reference.answers) require_text(answer, "answer");
    predictions_.push_back(std::move(prediction));
    references_.push_back(std::move(reference));
  }
  void merge(const answer_pairs& other) {
    predictions_.insert(predictions_.end(), other.predictions_.begin(), other.predictions_.end());
    references_.insert(references_.end(), other.references_.begin(), other.references_.end());
  }
  const std::vector<squad_reference>& references() const { return references_; }
  // The predictions by id, each id once, at the place where it first came.
  std::vector<const squad_prediction*> by_id() const {
    std::vector<std::pair<std::string_view, std::size_t>> order;
    for (std::size_t i = 0; i < predictions_.size(); ++i) order.push_back({predictions_[i].id, i});
    std::stable_sort(order.begin(), order.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<const squad_prediction*> out(predictions_.size());
    for (std::size_t i = 0; i < order.size();) {
      std::size_t end = i;
      while (end < order.size() && order[end].first == order[i].first) ++end;
      out[order[i].second] = &predictions_[order[end - 1].second];
      i = end;
    }
    std::erase(out, nullptr);
    return out;
  }

 private:
  std::vector<squad_prediction> predictions_;
  std::vector<squad_reference> references_;
};

class answers_by_id {
 public:
  explicit answers_by_id(std::vector<const squad_prediction*> all) : all_(std::move(all)) {
    std::sort(all_.begin(), all_.end(), [](auto* a, auto* b) { return a->id < b->id; });
  }
  const squad_prediction* find(std::string_view id) const {
    const auto at = std::lower_bound(all_.begin(), all_.end(), id,
                                     [](auto* p, std::string_view x) { return p->id < x; });
    return at == all_.end() || (*at)->id != id ? nullptr : *at;
  }

 private:
  std::vector<const squad_prediction*> all_;
};

// Sums over the questions of the best of their gold answers; a question whose id no prediction has
// counts as wrong.
struct answer_totals {
  explicit answer_totals(const answer_pairs& pairs) {
    const answers_by_id predictions(pairs.by_id());
    questions = static_cast<double>(pairs.references().size());
    for (const squad_reference& reference : pairs.references()) {
      const squad_prediction* const p = predictions.find(reference.id);
      if (p == nullptr) continue;
      const answer_words predicted(p->prediction_text);
      double best_exact = 0, best_f1 = 0;
      for (const std::string& answer : reference.answers) {
        const answer_words gold(answer);
        best_exact = std::max<double>(best_exact, predicted.normal == gold.normal);
        best_f1 = std::max(best_f1, answer_f1(predicted, gold, false));
      }
      exact += best_exact;
      f1 += best_f1;
    }
  }
  double exact = 0, f1 = 0, questions = 0;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics::detail
