// SPDX-License-Identifier: Apache-2.0
// Options of a metric that arrive as names and texts (a command line, a configuration file): read
// with the types of the option structs. Values look as in Python: 3, 0.5, true, True, none; lists
// are separated by commas. A name nobody asked for is an error that says the nearest one.
#pragma once

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/error.hpp"
#include "parlance/core/nearest.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

using setting = std::pair<std::string, std::string>;

class settings_reader {
 public:
  // Settings that nobody asks for are an error, or named in `unused` when that is given.
  settings_reader(std::string_view metric, std::span<const setting> settings,
                  std::vector<std::string>* unused = nullptr)
      : metric_(metric), settings_(settings), unused_(unused) {}

  void read(std::string_view name, bool& to) {
    if (const std::string* text = find(name)) {
      if (*text == "true" || *text == "True" || *text == "1")
        to = true;
      else if (*text == "false" || *text == "False" || *text == "0")
        to = false;
      else
        fail(name, "true or false", *text);
    }
  }
  template <class Number>
  requires std::is_arithmetic_v<Number>
  void read(std::string_view name, Number& to) {
    if (const std::string* text = find(name)) to = number<Number>(name, *text);
  }
  template <class Number>
  void read(std::string_view name, std::optional<Number>& to) {
    const std::string* text = find(name);
    if (text && *text != "none" && *text != "None") to = number<Number>(name, *text);
  }
  void read(std::string_view name, std::string& to) {
    if (const std::string* text = find(name)) to = *text;
  }
  void read(std::string_view name, std::vector<std::string>& to) {
    const std::string* text = find(name);
    if (text && *text != "none" && *text != "None") to = split(*text);
  }
  template <class Number>
  void read(std::string_view name, std::vector<Number>& to) {
    const std::string* text = find(name);
    if (!text || *text == "none" || *text == "None") return;
    to.clear();
    for (const std::string& part : split(*text)) to.push_back(number<Number>(name, part));
  }
  // One of `names`, by its place.
  template <class Enum, class Names>
  void choose(std::string_view name, const Names& names, Enum& to) {
    const std::string* text = find(name);
    if (!text) return;
    const std::string plain = *text == "None" ? "none" : *text;
    std::size_t place = 0;
    for (const std::string_view candidate : names) {
      if (candidate == plain) {
        to = static_cast<Enum>(place);
        return;
      }
      ++place;
    }
    throw option_error(std::string(metric_) + ": unknown " + std::string(name) + " '" + *text + "'",
                       did_you_mean(*text, names));
  }
  // The text of an option, for those with a form of their own; nullptr when it is not set.
  const std::string* find(std::string_view name) {
    known_.emplace_back(name);
    const std::string* found = nullptr;
    for (const setting& s : settings_)
      if (s.first == name) found = &s.second;
    return found;
  }

  // To be called when all options were read. What evaluate.load takes is taken for every metric.
  void finish() const {
    for (const setting& s : settings_) {
      if (s.first == "seed" || s.first == "config_name") continue;
      if (std::find(known_.begin(), known_.end(), s.first) != known_.end()) continue;
      if (unused_ == nullptr)
        throw option_error(std::string(metric_) + ": unknown option '" + s.first + "'",
                           did_you_mean(s.first, known_));
      unused_->push_back(s.first);
    }
  }

 private:
  [[noreturn]] void fail(std::string_view name, std::string_view expected,
                         const std::string& got) const {
    throw option_error(std::string(metric_) + ": " + std::string(name) + ": expected " +
                       std::string(expected) + ", got '" + got + "'");
  }
  template <class Number>
  Number number(std::string_view name, const std::string& text) const {
    Number out{};
    const auto end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, out);
    if (result.ec != std::errc() || result.ptr != end)
      fail(name, std::is_integral_v<Number> ? "a whole number" : "a number", text);
    return out;
  }
  static std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts(1);
    for (const char c : text) {
      if (c == ',')
        parts.emplace_back();
      else
        parts.back() += c;
    }
    if (parts.size() == 1 && parts[0].empty()) parts.clear();
    return parts;
  }

  std::string_view metric_;
  std::span<const setting> settings_;
  std::vector<std::string>* unused_;
  std::vector<std::string> known_;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
