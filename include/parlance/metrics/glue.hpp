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
    if (options_.config_name == "stsb") {
      // In single precision, and the sides the other way round than pearsonr and spearmanr.
      const auto p = static_cast<float>(prediction);
      pearson_.add(static_cast<float>(reference), p);
      spearman_.add(static_cast<float>(reference), p);
      return;
    }
    const auto p = static_cast<label>(prediction), r = static_cast<label>(reference);
    accuracy_.add(p, r);
    f1_.add(p, r);
    matthews_.add(p, r);
  }
  void merge(const glue& other) {
    pearson_.merge(other.pearson_);
    spearman_.merge(other.spearman_);
    accuracy_.merge(other.accuracy_);
    f1_.merge(other.f1_);
    matthews_.merge(other.matthews_);
  }
  glue_result compute() const {
    if (options_.config_name == "stsb")
      return {{{"pearson", pearson_.compute().score}, {"spearmanr", spearman_.compute().score}}};
    if (options_.config_name == "cola") return {matthews_.compute().fields()};
    record out = accuracy_.compute().fields();
    if (options_.config_name == "mrpc" || options_.config_name == "qqp")
      out.push_back({"f1", f1_.compute().scores[0]});
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
  pearsonr pearson_;
  spearmanr spearman_;
  accuracy accuracy_;
  f1 f1_;
  matthews_correlation matthews_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
