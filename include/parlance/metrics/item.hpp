// SPDX-License-Identifier: Apache-2.0
// What a metric of any type can be given, as values.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "parlance/core/config.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

// Also super_glue's record, whose query is the id.
struct squad_prediction {
  std::string id, prediction_text;
  double no_answer_probability = 0;  // squad_v2
};
struct squad_reference {
  std::string id;
  std::vector<std::string> answers;  // none for a question without answer (squad_v2)
};

// One answer of super_glue's multirc, right (1) or wrong (0); its reference is a label.
struct multirc_prediction {
  std::int64_t paragraph = 0, question = 0;
  std::int64_t prediction = 0;
};

// A prediction or a reference.
using item = std::variant<std::string, double, std::vector<double>, std::vector<std::string>,
                          squad_prediction, squad_reference, multirc_prediction>;

}  // namespace parlance::inline PARLANCE_ABI::metrics
