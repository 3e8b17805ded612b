// SPDX-License-Identifier: Apache-2.0
// evaluate's `squad` and `squad_v2` (the official scripts of Rajpurkar et al. 2016 and 2018): exact
// match and word overlap of answers, from 0 to 100, the best of several gold answers.
#pragma once

#include <algorithm>
#include <string>

#include "parlance/metrics/answers.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

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
    const detail::answer_totals all(pairs_);
    return {100.0 * all.exact / all.questions, 100.0 * all.f1 / all.questions};
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
