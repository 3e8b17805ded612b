// SPDX-License-Identifier: Apache-2.0
// evaluate's `squad` and `squad_v2` (the official scripts of Rajpurkar et al. 2016 and 2018): exact
// match and word overlap of answers, from 0 to 100, the best of several gold answers.
#pragma once

#include <algorithm>
#include <string>

#include "parlance/metrics/metric.hpp"
#include "parlance/tokenizers/unicode.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

struct squad_prediction {
  std::string id, prediction_text;
  double no_answer_probability = 0;  // squad_v2
};
struct squad_reference {
  std::string id;
  std::vector<std::string> answers;  // none for a question without answer (squad_v2)
};

namespace detail {

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

}  // namespace detail

struct squad_result {
  double exact_match = 0, f1 = 0;
  record fields() const { return {{"exact_match", exact_match}, {"f1", f1}}; }
};

// A question whose id no prediction has counts as wrong.
class squad {
 public:
  static constexpr description describe() {
    return {"squad",
            "f1",
            "overlap of extracted answers with the gold answers",
            0,
            100,
            true,
            "Rajpurkar et al. 2016, SQuAD: 100,000+ Questions for Machine Comprehension of Text"};
  }
  void add(squad_prediction prediction, squad_reference reference) {
    if (reference.answers.empty())
      throw option_error("squad: question '" + reference.id + "' has no gold answer",
                         "squad_v2 knows questions without answer");
    pairs_.add(std::move(prediction), std::move(reference));
  }
  void merge(const squad& other) { pairs_.merge(other.pairs_); }
  squad_result compute() const {
    if (pairs_.references().empty()) throw option_error("squad: nothing was added");
    const detail::answers_by_id predictions(pairs_.by_id());
    double exact = 0, f1 = 0;
    for (const squad_reference& reference : pairs_.references()) {
      const squad_prediction* const p = predictions.find(reference.id);
      if (p == nullptr) continue;
      const detail::answer_words predicted(p->prediction_text);
      double best_exact = 0, best_f1 = 0;
      for (const std::string& answer : reference.answers) {
        const detail::answer_words gold(answer);
        best_exact = std::max<double>(best_exact, predicted.normal == gold.normal);
        best_f1 = std::max(best_f1, detail::answer_f1(predicted, gold, false));
      }
      exact += best_exact;
      f1 += best_f1;
    }
    const auto total = static_cast<double>(pairs_.references().size());
    return {100.0 * exact / total, 100.0 * f1 / total};
  }

 private:
  detail::answer_pairs pairs_;
};

struct squad_v2_options {
  double no_answer_threshold = 1.0;
};

struct squad_v2_result {
  record values;
  record fields() const { return values; }
};

class squad_v2 {
 public:
  explicit squad_v2(squad_v2_options options = {}) : options_(options) {}
  static constexpr description describe() {
    return {"squad_v2",
            "f1",
            "overlap of extracted answers with the gold answers, if there are any",
            0,
            100,
            true,
            "Rajpurkar et al. 2018, Know What You Don't Know: Unanswerable Questions for SQuAD"};
  }
  void add(squad_prediction prediction, squad_reference reference) {
    // The original keeps it in single precision.
    prediction.no_answer_probability = static_cast<float>(prediction.no_answer_probability);
    pairs_.add(std::move(prediction), std::move(reference));
  }
  void merge(const squad_v2& other) { pairs_.merge(other.pairs_); }

  squad_v2_result compute() const {
    const std::vector<question> all = questions();
    if (all.empty()) throw option_error("squad_v2: nothing was added");
    squad_v2_result r;
    const auto block = [&](const std::string& prefix, auto&& belongs) {
      double exact = 0, f1 = 0;
      std::int64_t total = 0;
      for (const question& q : all) {
        if (!belongs(q)) continue;
        const bool no_answer = q.probability > options_.no_answer_threshold;
        exact += no_answer ? !q.has_answer : q.exact;
        f1 += no_answer ? !q.has_answer : q.f1;
        ++total;
      }
      if (total == 0) return;
      r.values.push_back({prefix + "exact", 100.0 * exact / static_cast<double>(total)});
      r.values.push_back({prefix + "f1", 100.0 * f1 / static_cast<double>(total)});
      r.values.push_back({prefix + "total", total});
    };
    block("", [](const question&) { return true; });
    block("HasAns_", [](const question& q) { return q.has_answer; });
    block("NoAns_", [](const question& q) { return !q.has_answer; });
    best(all, &question::exact, "best_exact", r.values);
    best(all, &question::f1, "best_f1", r.values);
    return r;
  }

 private:
  struct question {
    bool has_answer, says_something;
    double probability, exact, f1;
    std::size_t place;  // of its prediction
  };

  std::vector<question> questions() const {
    const std::vector<const squad_prediction*> order = pairs_.by_id();
    const detail::answers_by_id predictions(order);
    std::vector<question> out;
    for (const squad_reference& reference : pairs_.references()) {
      const squad_prediction* const p = predictions.find(reference.id);
      if (p == nullptr)
        throw option_error("squad_v2: no prediction has the id '" + reference.id + "'");
      const detail::answer_words predicted(p->prediction_text);
      question q{
          !reference.answers.empty(),
          !p->prediction_text.empty(),
          p->no_answer_probability,
          0,
          0,
          static_cast<std::size_t>(std::find(order.begin(), order.end(), p) - order.begin())};
      bool any = false;
      const auto compare = [&](std::string_view answer) {
        const detail::answer_words gold(answer);
        if (gold.normal.empty() && !answer.empty()) return;
        any = true;
        q.exact = std::max<double>(q.exact, predicted.normal == gold.normal);
        q.f1 = std::max(q.f1, detail::answer_f1(predicted, gold, true));
      };
      for (const std::string& answer : reference.answers)
        if (!answer.empty()) compare(answer);
      if (!any) compare("");
      out.push_back(q);
    }
    return out;
  }
  // The threshold that would have been best, in the order of the predictions' probabilities.
  void best(std::vector<question> all, double question::*score, const char* name,
            record& out) const {
    std::sort(all.begin(), all.end(),
              [](const question& a, const question& b) { return a.place < b.place; });
    std::stable_sort(all.begin(), all.end(), [](const question& a, const question& b) {
      return a.probability < b.probability;
    });
    double now = 0, threshold = 0;
    for (const question& q : all) now += !q.has_answer;
    double most = now;
    for (const question& q : all) {
      now += q.has_answer ? q.*score : q.says_something ? -1 : 0;
      if (now > most) most = now, threshold = q.probability;
    }
    out.push_back({name, 100.0 * most / static_cast<double>(all.size())});
    out.push_back({std::string(name) + "_thresh", threshold});
  }

  squad_v2_options options_;
  detail::answer_pairs pairs_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
