// SPDX-License-Identifier: Apache-2.0
// A record as text, Markdown, JSON, CSV or a page of its own (HTML with SVG bars), and the same for
// several systems side by side. Numbers have the digits that read back as the same double.
#pragma once

#include <cmath>
#include <ctime>
#include <string>
#include <vector>

#include "parlance/core/nearest.hpp"
#include "parlance/metrics/any_metric.hpp"
#include "parlance/metrics/record.hpp"
#include "parlance/metrics/signature.hpp"
#include "parlance/tokenizers/python_real.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

enum class report_format : std::uint8_t { json, text, markdown, csv, html };
inline constexpr std::array<std::string_view, 5> report_format_names = {"json", "text", "markdown",
                                                                        "csv", "html"};

// One system's fields; `intervals` belong to fields by name.
struct report_column {
  std::string name;
  record fields;
  struct range {
    std::string field;
    double low, high;
  };
  std::vector<range> intervals = {};
  struct chance {
    std::string field;
    double p_value;  // that the difference from the first column comes by chance
  };
  std::vector<chance> p_values = {};
};

namespace detail {

inline std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + '"';
}
// JSON has no not-a-number and no infinity: null stands for them.
inline std::string json_number(double x) {
  return std::isfinite(x) ? tokenizers::jinja::repr_real(x) : "null";
}
inline std::string json_value(const value& v);
inline std::string json_object(const record& fields) {
  std::string out = "{";
  for (const field& f : fields)
    out += (out.size() > 1 ? ", " : "") + json_text(f.name) + ": " + json_value(f.data);
  return out + "}";
}
inline std::string json_value(const value& v) {
  const auto list = [](const auto& items, auto&& text) {
    std::string out = "[";
    for (const auto& item : items) out += (out.size() > 1 ? ", " : "") + text(item);
    return out + "]";
  };
  switch (v.index()) {
    case 0:
      return std::to_string(std::get<0>(v));
    case 1:
      return json_number(std::get<1>(v));
    case 2:
      return json_text(std::get<2>(v));
    case 3:
      return list(std::get<3>(v), [](std::int64_t n) { return std::to_string(n); });
    case 4:
      return list(std::get<4>(v), json_number);
    case 5:
      return list(std::get<5>(v), [](const std::string& s) { return json_text(s); });
    case 7:
      return list(std::get<7>(v),
                  [&](const std::vector<double>& row) { return list(row, json_number); });
    default:
      return json_object(std::get<6>(v));
  }
}
inline std::string plain_value(const value& v) {
  return v.index() == 2 ? std::get<2>(v) : json_value(v);
}
inline std::string escape_markup(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c == '&'   ? "&amp;"
           : c == '<' ? "&lt;"
           : c == '>' ? "&gt;"
           : c == '"' ? "&quot;"
                      : std::string(1, c);
  return out;
}

// What stands in a cell: the number, its interval and the chance that it is none.
inline std::string cell(const report_column& column, const std::string& name) {
  const value* const v = find(column.fields, name);
  if (v == nullptr) return "";
  std::string out = plain_value(*v);
  for (const auto& i : column.intervals)
    if (i.field == name) out += " [" + fixed(i.low, 4) + ", " + fixed(i.high, 4) + "]";
  for (const auto& p : column.p_values)
    if (p.field == name) out += " (p = " + fixed(p.p_value, 4) + ")";
  return out;
}
inline std::vector<std::string> field_names(const std::vector<report_column>& columns) {
  std::vector<std::string> names;
  for (const report_column& c : columns)
    for (const field& f : c.fields)
      if (std::find(names.begin(), names.end(), f.name) == names.end()) names.push_back(f.name);
  return names;
}

inline std::string text_table(const std::vector<report_column>& columns) {
  const std::vector<std::string> names = field_names(columns);
  std::vector<std::vector<std::string>> rows(1, {""});
  for (const report_column& c : columns) rows[0].push_back(c.name);
  for (const std::string& name : names) {
    rows.push_back({name});
    for (const report_column& c : columns) rows.back().push_back(cell(c, name));
  }
  if (columns.size() == 1 && columns[0].name.empty()) rows.erase(rows.begin());
  std::vector<std::size_t> widths(columns.size() + 1);
  for (const auto& row : rows)
    for (std::size_t k = 0; k < row.size(); ++k)
      widths[k] = std::max(widths[k], utf8_length(row[k]));
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t k = 0; k < row.size(); ++k)
      line += row[k] + std::string(widths[k] - utf8_length(row[k]) + 2, ' ');
    line.resize(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}
inline std::string markdown_table(const std::vector<report_column>& columns) {
  std::string out = "| metric |", rule = "|---|";
  for (const report_column& c : columns) {
    out += " " + (c.name.empty() ? "value" : c.name) + " |";
    rule += "---|";
  }
  out += "\n" + rule + "\n";
  for (const std::string& name : field_names(columns)) {
    out += "| " + name + " |";
    for (const report_column& c : columns) {
      std::string text = cell(c, name);
      replace_all(text, "|", "\\|");
      out += " " + text + " |";
    }
    out += "\n";
  }
  return out;
}
inline std::string csv_table(const std::vector<report_column>& columns) {
  const auto quoted = [](std::string text) {
    if (text.find_first_of(",\"\n") == text.npos) return text;
    replace_all(text, "\"", "\"\"");
    return "\"" + text + "\"";
  };
  std::string out = "metric";
  for (const report_column& c : columns) out += "," + quoted(c.name.empty() ? "value" : c.name);
  out += "\n";
  for (const std::string& name : field_names(columns)) {
    out += quoted(name);
    for (const report_column& c : columns) {
      const value* const v = find(c.fields, name);
      out += "," + (v ? quoted(plain_value(*v)) : "");
    }
    out += "\n";
  }
  return out;
}

// Bars of one field over the systems, with a line for the interval.
inline std::string bars(const std::vector<report_column>& columns, const std::string& name) {
  double most = 0;
  for (const report_column& c : columns) {
    if (const value* v = find(c.fields, name)) most = std::max(most, v->number());
    for (const auto& i : c.intervals)
      if (i.field == name) most = std::max(most, i.high);
  }
  if (!(most > 0)) return {};
  std::string svg = "<h2>" + escape_markup(name) + "</h2>\n<svg width=\"640\" height=\"" +
                    std::to_string(24 * columns.size()) + "\" role=\"img\">\n";
  const auto x = [&](double v) { return fixed(160 + 360 * std::max(v, 0.0) / most, 1); };
  for (std::size_t k = 0; k < columns.size(); ++k) {
    const value* const v = find(columns[k].fields, name);
    if (v == nullptr || !std::isfinite(v->number())) continue;
    const std::string y = std::to_string(24 * k), middle = std::to_string(24 * k + 10);
    svg += "<text x=\"0\" y=\"" + std::to_string(24 * k + 14) + "\">" +
           escape_markup(columns[k].name) + "</text><rect x=\"160\" y=\"" + y + "\" width=\"" +
           fixed(360 * std::max(v->number(), 0.0) / most, 1) + "\" height=\"20\"/>";
    for (const auto& i : columns[k].intervals)
      if (i.field == name)
        svg += "<line x1=\"" + x(i.low) + "\" x2=\"" + x(i.high) + "\" y1=\"" + middle +
               "\" y2=\"" + middle + "\"/>";
    svg += "<text x=\"530\" y=\"" + std::to_string(24 * k + 14) + "\">" + fixed(v->number(), 4) +
           "</text>\n";
  }
  return svg + "</svg>\n";
}
// Fields that every system has, each on an axis of its own, from a little below the least value to
// a little above the largest (as evaluate.visualization.radar_plot).
inline std::string radar(const std::vector<report_column>& columns) {
  std::vector<std::string> names;
  for (const std::string& name : field_names(columns)) {
    bool everywhere = true;
    for (const report_column& c : columns) {
      const value* const v = find(c.fields, name);
      everywhere = everywhere && v && v->is_number() && std::isfinite(v->number());
    }
    if (everywhere) names.push_back(name);
  }
  if (columns.size() < 2 || names.size() < 3) return {};
  const auto point = [&](std::size_t axis, double r) {
    const double angle =
        2 * 3.14159265358979 * static_cast<double>(axis) / static_cast<double>(names.size());
    return fixed(220 + 150 * r * std::sin(angle), 1) + "," +
           fixed(190 - 150 * r * std::cos(angle), 1);
  };
  std::string svg = "<h2>All fields</h2>\n<svg width=\"640\" height=\"390\" role=\"img\">\n";
  for (const double ring : {1.0 / 3, 2.0 / 3, 1.0}) {
    svg += "<polygon class=\"ring\" points=\"";
    for (std::size_t a = 0; a < names.size(); ++a) svg += point(a, ring) + " ";
    svg += "\"/>";
  }
  for (std::size_t a = 0; a < names.size(); ++a) {
    const std::string at = point(a, 1.12);
    svg += "<text text-anchor=\"middle\" x=\"" + at.substr(0, at.find(',')) + "\" y=\"" +
           at.substr(at.find(',') + 1) + "\">" + escape_markup(names[a]) + "</text>";
  }
  constexpr std::string_view colors[] = {"#3465a4", "#cc6633", "#4e9a06", "#75507b"};
  for (std::size_t k = 0; k < columns.size(); ++k) {
    const std::string color(colors[k % std::size(colors)]);
    svg += "<polygon fill=\"none\" stroke-width=\"2\" stroke=\"" + color + "\" points=\"";
    for (std::size_t a = 0; a < names.size(); ++a) {
      double low = no_limit, high = -no_limit;
      for (const report_column& c : columns) {
        low = std::min(low, find(c.fields, names[a])->number());
        high = std::max(high, find(c.fields, names[a])->number());
      }
      low -= 0.1 * (high - low);
      high += 0.1 * (high - low);
      const double v = find(columns[k].fields, names[a])->number();
      svg += point(a, high > low ? (v - low) / (high - low) : 0.5) + " ";
    }
    svg += "\"/><text fill=\"" + color + "\" x=\"440\" y=\"" + std::to_string(30 + 20 * k) + "\">" +
           escape_markup(columns[k].name) + "</text>\n";
  }
  return svg + "</svg>\n";
}

inline std::string html_page(const std::vector<report_column>& columns,
                             const std::vector<description>& explained) {
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Evaluation</title>\n"
      "<style>body{font:14px sans-serif;margin:2em}table{border-collapse:collapse}"
      "td,th{border:1px solid #ccc;padding:4px 8px;text-align:left}rect{fill:#7aa5d2}"
      "line{stroke:#222;stroke-width:2}.ring{fill:none;stroke:#ddd}</style></head><body>\n"
      "<h1>Evaluation</h1>\n<table><tr><th>metric</th>";
  for (const report_column& c : columns)
    out += "<th>" + escape_markup(c.name.empty() ? "value" : c.name) + "</th>";
  out += "</tr>\n";
  const std::vector<std::string> names = field_names(columns);
  for (const std::string& name : names) {
    out += "<tr><td>" + escape_markup(name) + "</td>";
    for (const report_column& c : columns) out += "<td>" + escape_markup(cell(c, name)) + "</td>";
    out += "</tr>\n";
  }
  out += "</table>\n";
  for (const std::string& name : names) out += bars(columns, name);
  out += radar(columns);
  for (const description& d : explained) {
    out += "<p><b>" + escape_markup(d.name) + "</b>: " + escape_markup(d.measures) + "; from " +
           fixed(d.low, 0) + (d.high < no_limit ? " to " + fixed(d.high, 0) : " up") + ", " +
           (d.higher_is_better ? "higher" : "lower") + " is better.";
    if (!d.citation.empty()) out += " <i>" + escape_markup(d.citation) + "</i>";
    out += "</p>\n";
  }
  return out + "</body></html>\n";
}

}  // namespace detail

inline std::string to_json(const record& fields) { return detail::json_object(fields); }

// A table of all systems; ends with a line break. HTML explains the metrics that are given.
inline std::string report(const std::vector<report_column>& columns, report_format format,
                          const std::vector<description>& explained = {}) {
  switch (format) {
    case report_format::text:
      return detail::text_table(columns);
    case report_format::markdown:
      return detail::markdown_table(columns);
    case report_format::csv:
      return detail::csv_table(columns);
    case report_format::html:
      return detail::html_page(columns, explained);
    case report_format::json:
      break;
  }
  if (columns.size() == 1 && columns[0].name.empty()) return to_json(columns[0].fields) + "\n";
  record all;
  for (const report_column& c : columns) {
    record fields = c.fields;
    for (const auto& i : c.intervals)
      fields.push_back({i.field + "_confidence_interval", std::vector<double>{i.low, i.high}});
    for (const auto& p : c.p_values) fields.push_back({p.field + "_p_value", p.p_value});
    all.push_back({c.name, fields});
  }
  return to_json(all) + "\n";
}

// One call from texts to a table: `m` gets all lines, then its fields are reported.
template <class Predictions, class References>
std::string evaluate(combined& m, const Predictions& predictions, const References& references,
                     report_format format = report_format::text) {
  detail::require_same_number(std::size(predictions), std::size(references));
  auto reference = std::begin(references);
  for (const auto& prediction : predictions) {
    const texts all(*reference++);
    std::vector<item> items;
    for (std::size_t i = 0; i < all.size(); ++i) items.emplace_back(std::string(all[i]));
    m.add(item(std::string(prediction)), items);
  }
  std::vector<description> explained;
  for (std::size_t i = 0; i < m.size(); ++i) explained.push_back(m[i].describe());
  return report({{"", m.compute()}}, format, explained);
}

// What evaluate.save writes: the fields with the time, the version and the settings. `when` as of
// std::time. The caller stores the text.
inline std::string save_record(const record& fields, const std::vector<std::string>& metric_names,
                               const record& settings, std::time_t when) {
  char stamp[32];
  std::tm parts{};
  gmtime_r(&when, &parts);
  std::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &parts);
  record all = fields;
  all.push_back({"_timestamp", std::string(stamp)});
  all.push_back({"_parlance_version", std::string(version)});
  all.push_back({"_metrics", metric_names});
  all.push_back({"_settings", settings});
  return to_json(all) + "\n";
}

}  // namespace parlance::inline PARLANCE_ABI::metrics
