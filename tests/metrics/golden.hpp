// SPDX-License-Identifier: Apache-2.0
// Cases that tests/reference/metrics_*.py wrote with the originals: metric, settings, examples,
// expected fields. Numbers have to be the same doubles; a case may name a tolerance and its reason.
#pragma once

#include <cmath>
#include <fstream>
#include <string>

#include "parlance/metrics/json_lines.hpp"
#include "parlance/metrics/load.hpp"

namespace metrics_golden {

namespace metrics = parlance::metrics;
using parlance::json;

inline std::unique_ptr<metrics::any_metric> filled(const json& c, std::size_t from,
                                                   std::size_t to) {
  std::vector<metrics::setting> settings;
  for (const auto& [name, text] : c.at("settings").items()) settings.push_back({name, text});
  auto metric = metrics::load(c.at("metric").get<std::string>(), settings);
  for (std::size_t i = from; i < to; ++i) {
    const auto read = [&](const json& j) { return metrics::item_from_json(j, metric->takes()); };
    std::vector<metrics::item> references;
    if (metric->needs_references())
      for (const json& r : c.at("references")[i]) references.push_back(read(r));
    metric->add(read(c.at("predictions")[i]), references);
  }
  return metric;
}

inline bool same(const metrics::value& got, const json& want, double tolerance,
                 bool relative = false) {
  if (want.is_number()) {
    const double x = got.number(), y = want.get<double>();
    const double scale = relative ? std::abs(y) : std::max(1.0, std::abs(y));
    return x == y || std::abs(x - y) <= tolerance * scale;
  }
  if (want.is_string()) {
    const auto* text = std::get_if<std::string>(&got);
    return text && *text == want.get<std::string>();
  }
  if (want.is_null()) return got.is_number() && std::isnan(got.number());
  if (want.is_object()) {
    const auto* fields = std::get_if<metrics::record>(&got);
    if (!fields || fields->size() != want.size()) return false;
    for (const metrics::field& f : *fields)
      if (!want.contains(f.name) || !same(f.data, want.at(f.name), tolerance)) return false;
    return true;
  }
  const auto list = [&](const auto* numbers) {
    if (!numbers || numbers->size() != want.size()) return false;
    for (std::size_t i = 0; i < want.size(); ++i)
      if (!same(metrics::value((*numbers)[i]), want[i], tolerance)) return false;
    return true;
  };
  return list(std::get_if<std::vector<double>>(&got)) ||
         list(std::get_if<std::vector<std::int64_t>>(&got)) ||
         list(std::get_if<std::vector<std::string>>(&got)) ||
         list(std::get_if<std::vector<std::vector<double>>>(&got));
}

// Empty when the case holds; else what differs.
inline std::string difference(const json& c) {
  const std::size_t n = c.at("predictions").size();
  metrics::record got;
  try {
    const auto whole = filled(c, 0, n);
    got = whole->compute();
    // Any split gives the same bits.
    const auto first = filled(c, 0, n / 2), second = filled(c, n / 2, n);
    first->merge(*second);
    if (c.at("expected").is_null()) return "expected an error";
    const metrics::record merged = first->compute();
    for (std::size_t i = 0; i < got.size(); ++i)
      if (!(merged[i].data == got[i].data) && !std::isnan(got[i].data.number()))
        return "merged: " + got[i].name + " differs";
  } catch (const parlance::error& e) {
    return c.at("expected").is_null() ? "" : std::string("error: ") + e.what();
  }
  const double tolerance = c.value("tolerance", 0.0);
  for (const auto& [name, want] : c.at("expected").items()) {
    const metrics::value* field = metrics::find(got, name);
    if (!field) return "no field " + name;
    if (same(*field, want, tolerance, c.value("relative", false))) continue;
    char text[64];
    std::snprintf(text, sizeof text, "%.17g", field->number());
    return name + ": expected " + want.dump() + ", got " + text;
  }
  return "";
}

inline std::vector<json> read_cases(const std::string& path) {
  std::ifstream in(path);
  std::vector<json> cases;
  for (std::string line; std::getline(in, line);) cases.push_back(json::parse(line));
  return cases;
}

}  // namespace metrics_golden
