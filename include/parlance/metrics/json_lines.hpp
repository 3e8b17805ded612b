// SPDX-License-Identifier: Apache-2.0
// Predictions and references as JSON: {"prediction": P, "references": [R, ...]}, the examples as
// evaluate's modules take them. The only header of this folder that includes the JSON library.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "parlance/core/json.hpp"
#include "parlance/metrics/any_metric.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

namespace detail {

// "id", or the query that super_glue's record counts by.
inline std::string answer_id(const json& j) {
  return j.contains("idx") ? j.at("idx").at("query").dump() : j.at("id").get<std::string>();
}
inline item item_from_object(const json& j) {
  if (j.contains("answers")) {
    const json& answers = j.at("answers");
    const json& texts = answers.is_object() ? answers.at("text") : answers;
    return squad_reference{answer_id(j), texts.get<std::vector<std::string>>()};
  }
  if (j.contains("prediction_text"))
    return squad_prediction{answer_id(j), j.at("prediction_text").get<std::string>(),
                            j.value("no_answer_probability", 0.0)};
  const json& idx = j.at("idx");
  return multirc_prediction{idx.at("paragraph").get<std::int64_t>(),
                            idx.at("question").get<std::int64_t>(),
                            j.at("prediction").get<std::int64_t>()};
}

}  // namespace detail

// Throws format_error for a value that no metric takes. `takes` tells what an empty list is of.
inline item item_from_json(const json& j, any_metric::input takes, const std::string& where = {}) {
  const auto all = [&](auto&& is) { return std::all_of(j.begin(), j.end(), is); };
  try {
    if (j.is_string()) return j.get<std::string>();
    if (j.is_boolean()) return j.get<bool>() ? 1.0 : 0.0;
    if (j.is_number()) return j.get<double>();
    if (j.is_object()) return detail::item_from_object(j);
    const bool empty_tags = j.empty() && takes == any_metric::input::tags;
    if (j.is_array() && (empty_tags || !j.empty()) &&
        all([](const json& x) { return x.is_string(); }))
      return j.get<std::vector<std::string>>();
    if (j.is_array() && all([](const json& x) { return x.is_number(); }))
      return j.get<std::vector<double>>();
  } catch (const json::exception& e) {
    const std::string what = e.what();  // "[json.exception...] what"
    throw format_error(where, -1, what.substr(what.find("] ") + 2));
  }
  throw format_error(where, -1, "expected text, a number, a list of either, or an answer");
}

// Adds one line. Measurements also take the value alone, a list of values, or {"data": ...}; one
// reference may stand without a list. Throws format_error.
inline void add_json(combined& to, const json& line, const std::string& where = {}) {
  const any_metric::input takes = to[0].takes();
  const bool object = line.is_object();
  bool needs_references = false;
  for (std::size_t i = 0; i < to.size(); ++i) needs_references |= to[i].needs_references();
  if (needs_references && (!object || !line.contains("prediction") || !line.contains("references")))
    throw format_error(where, -1, "expected {\"prediction\": ..., \"references\": [...]}");
  std::vector<item> references;
  if (needs_references) {
    const json& given = line.at("references");
    if (!given.is_array()) references.push_back(item_from_json(given, takes, where));
    for (std::size_t i = 0; given.is_array() && i < given.size(); ++i)
      references.push_back(item_from_json(given[i], takes, where));
  }
  const json& value = !object                       ? line
                      : line.contains("prediction") ? line.at("prediction")
                      : line.contains("data")       ? line.at("data")
                                                    : line;
  if (needs_references || !value.is_array()) {
    to.add(item_from_json(value, takes, where), references);
    return;
  }
  for (const json& one : value) to.add(item_from_json(one, takes, where), references);
}

}  // namespace parlance::inline PARLANCE_ABI::metrics
