// SPDX-License-Identifier: Apache-2.0
// evaluate's `glue` (Wang et al. 2018): the numbers that each task of the benchmark reports.
#pragma once

#include <string>

#include "parlance/metrics/classification.hpp"
#include "parlance/metrics/regression.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

struct glue_options {
  std::string config_name = {};  // cola, sst2, mrpc, ...; super_glue: boolq, cb, ...
};
struct glue_result {
  record values;
  record fields() const { return values; }
};

class glue {
 public:
  using element = double;
  explicit glue(glue_options options) : options_(std::move(options)) {
    constexpr std::string_view names[] = {
        "cola",         "sst2", "mrpc", "qqp",  "stsb", "mnli", "mnli_mismatched",
        "mnli_matched", "qnli", "rte",  "wnli", "hans"};
    require_name("glue", options_.config_name, names);
  }
  static constexpr description describe() {
    return {"glue",
            "accuracy",
            "scores of the GLUE tasks",
            -1,
            1,
            true,
            "Wang et al. 2018, GLUE: A Multi-Task Benchmark and Analysis Platform"};
  }
  void add(double prediction, double reference) {
    const bool real = options_.config_name == "stsb";  // in single precision, as the original
    pairs_.add(real ? static_cast<float>(prediction) : prediction,
               real ? static_cast<float>(reference) : reference);
  }
  void merge(const glue& other) { pairs_.merge(other.pairs_); }

 private:
  template <class M>
  auto over() const {
    return over<M>(pairs_.predictions, pairs_.references);
  }
  template <class M>
  static auto over(const std::vector<double>& predictions, const std::vector<double>& references) {
    M m;
    for (std::size_t i = 0; i < predictions.size(); ++i)
      m.add(static_cast<typename M::element>(predictions[i]),
            static_cast<typename M::element>(references[i]));
    return m.compute();
  }

 public:
  glue_result compute() const {
    if (options_.config_name == "stsb")  // the sides the other way round than in those metrics
      return {{{"pearson", over<pearsonr>(pairs_.references, pairs_.predictions).score},
               {"spearmanr", over<spearmanr>(pairs_.references, pairs_.predictions).score}}};
    if (options_.config_name == "cola") return {over<matthews_correlation>().fields()};
    record out = over<accuracy>().fields();
    if (options_.config_name == "mrpc" || options_.config_name == "qqp")
      out.push_back({"f1", over<f1>().scores[0]});
    return {out};
  }

  static void require_name(std::string_view who, const std::string& name,
                           std::span<const std::string_view> names) {
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw option_error(std::string(who) + ": unknown config_name '" + name + "'",
                         did_you_mean(name, names));
  }

 private:
  glue_options options_;
  detail::number_pairs pairs_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
