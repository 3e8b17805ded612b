// SPDX-License-Identifier: Apache-2.0
// evaluate's `super_glue` (Wang et al. 2019): the numbers that each task of the benchmark reports.
// multirc and record, whose examples are not single labels, are types of their own.
#pragma once

#include <map>
#include <string>

#include "parlance/metrics/answers.hpp"
#include "parlance/metrics/glue.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

namespace detail {
constexpr description super_glue_description(std::string_view headline, double low) {
  return {"super_glue",
          headline,
          "scores of the SuperGLUE tasks",
          low,
          1,
          true,
          "Wang et al. 2019, SuperGLUE: A Stickier Benchmark"};
}
}  // namespace detail

// The tasks boolq, copa, rte, wic, wsc, wsc.fixed, axg, cb and axb.
class super_glue {
 public:
  using element = label;
  explicit super_glue(glue_options options) : options_(std::move(options)) {
    require_task(options_.config_name);
    if (options_.config_name == "multirc" || options_.config_name == "record")
      throw option_error("super_glue: " + options_.config_name + " does not take labels",
                         "super_glue_multirc and super_glue_record are its metrics");
  }
  static void require_task(const std::string& name) {
    constexpr std::string_view names[] = {"boolq", "copa", "rte", "wic",     "wsc",   "wsc.fixed",
                                          "axg",   "cb",   "axb", "multirc", "record"};
    glue::require_name("super_glue", name, names);
  }
  description describe() const {
    return options_.config_name == "axb"
               ? detail::super_glue_description("matthews_correlation", -1)
               : detail::super_glue_description("accuracy", 0);
  }
  void add(label prediction, label reference) {
    accuracy_.add(prediction, reference);
    f1_.add(prediction, reference);
    matthews_.add(prediction, reference);
  }
  void merge(const super_glue& other) {
    accuracy_.merge(other.accuracy_);
    f1_.merge(other.f1_);
    matthews_.merge(other.matthews_);
  }
  glue_result compute() const {
    if (options_.config_name == "axb") return {matthews_.compute().fields()};
    record out = accuracy_.compute().fields();
    if (options_.config_name == "cb") out.push_back({"f1", f1_.compute().scores[0]});
    return {out};
  }

 private:
  glue_options options_;
  accuracy accuracy_;
  f1 f1_{label_score_options{.average = label_average::macro}};
  matthews_correlation matthews_;
};

// Answers of questions, each right or wrong, by question.
class super_glue_multirc {
 public:
  static constexpr description describe() { return detail::super_glue_description("f1_a", 0); }
  void add(const multirc_prediction& prediction, label reference) {
    answers_.push_back(
        {{prediction.paragraph, prediction.question}, prediction.prediction, reference});
  }
  void merge(const super_glue_multirc& other) {
    answers_.insert(answers_.end(), other.answers_.begin(), other.answers_.end());
  }
  // exact_match: the share of questions with all answers judged right; f1_m: the mean of the
  // questions' macro F1; f1_a: F1 over all answers.
  glue_result compute() const {
    if (answers_.empty()) throw option_error("super_glue: nothing was added");
    f1 all;
    std::vector<judged> questions;  // in order of appearance, as the original adds them
    std::map<std::pair<std::int64_t, std::int64_t>, std::size_t> places;
    for (const answer& a : answers_) {
      all.add(a.prediction, a.reference);
      const std::size_t at = places.try_emplace(a.question, questions.size()).first->second;
      if (at == questions.size()) questions.emplace_back();
      questions[at].macro.add(a.prediction, a.reference);
      questions[at].exact &= a.prediction == a.reference;
    }
    double exact = 0, macro = 0;
    for (const judged& q : questions) exact += q.exact, macro += q.macro.compute().scores[0];
    const auto count = static_cast<double>(questions.size());
    return {{{"exact_match", exact / count},
             {"f1_m", macro / count},
             {"f1_a", all.compute().scores[0]}}};
  }

 private:
  struct judged {
    bool exact = true;
    f1 macro{label_score_options{.average = label_average::macro}};
  };
  struct answer {
    std::pair<std::int64_t, std::int64_t> question;
    label prediction, reference;
  };
  std::vector<answer> answers_;
};

// Answers extracted from passages: as squad, but from 0 to 1.
class super_glue_record {
 public:
  static constexpr description describe() { return detail::super_glue_description("f1", 0); }
  void add(squad_prediction prediction, squad_reference reference) {
    if (reference.answers.empty())
      throw option_error("super_glue: query '" + reference.id + "' has no gold answer");
    pairs_.add(std::move(prediction), std::move(reference));
  }
  void merge(const super_glue_record& other) { pairs_.merge(other.pairs_); }
  glue_result compute() const {
    if (pairs_.references().empty()) throw option_error("super_glue: nothing was added");
    const detail::answer_totals all(pairs_);
    return {{{"exact_match", all.exact / all.questions}, {"f1", all.f1 / all.questions}}};
  }

 private:
  detail::answer_pairs pairs_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
