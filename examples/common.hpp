// SPDX-License-Identifier: Apache-2.0
// What the example programs share: options, JSON lines, errors and exit codes. Nothing that the
// library itself should hold.
#pragma once

#include <sys/resource.h>

#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "parlance/core/thread_pool.hpp"
#include "parlance/generation/config_json.hpp"
#include "parlance/pipelines/language_model.hpp"

namespace examples {

using namespace parlance;

struct usage_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Options that a program knows: with a value, or plain flags.
struct known_options {
  std::vector<std::string_view> values, flags;
  bool generation = false;  // also every option of generation_config
};

class arguments {
 public:
  arguments(int argc, char** argv, const char* usage, known_options known)
      : known_(std::move(known)) {
    if (known_.generation)
      for (const auto name : generation::option_names()) known_.values.push_back(name);
    for (int i = 1; i < argc; ++i) {
      std::string word = argv[i];
      if (word == "--help" || word == "-h") {
        std::fputs(usage, stdout);
        std::exit(0);
      }
      if (!word.starts_with("--")) {
        positional.push_back(word);
        continue;
      }
      word.erase(0, 2);
      std::string value = "true";
      const auto equals = word.find('=');
      const bool joined = equals != word.npos;
      if (joined) value = word.substr(equals + 1), word.resize(equals);
      if (contains(known_.flags, word)) {
        set_[word] = value;
      } else if (contains(known_.values, word)) {
        if (!joined && ++i >= argc) throw usage_error("--" + word + " needs a value");
        set_[word] = joined ? value : argv[i];
      } else {
        std::vector<std::string_view> all = known_.values;
        all.insert(all.end(), known_.flags.begin(), known_.flags.end());
        throw usage_error("unknown option --" + word + " (" + did_you_mean(word, all) + ")");
      }
    }
  }

  bool has(const std::string& name) const { return set_.contains(name); }
  std::string text(const std::string& name, const std::string& otherwise = {}) const {
    const auto found = set_.find(name);
    return found == set_.end() ? otherwise : found->second;
  }
  long integer(const std::string& name, long otherwise) const {
    return has(name) ? static_cast<long>(number(name, 0)) : otherwise;
  }
  double number(const std::string& name, double otherwise) const {
    if (!has(name)) return otherwise;
    const std::string value = text(name);
    char* end = nullptr;
    const double v = std::strtod(value.c_str(), &end);
    if (value.empty() || *end) throw usage_error("--" + name + ": '" + value + "' is no number");
    return v;
  }
  std::string required(std::size_t i, const char* what) const {
    if (i >= positional.size()) throw usage_error(std::string("missing ") + what);
    return positional[i];
  }

  // The generation options among those given.
  generation::generation_config generation_options() const {
    generation::generation_config c;
    for (const auto name : generation::option_names())
      if (const auto found = set_.find(std::string(name)); found != set_.end())
        generation::set_option(c, name, found->second);
    return c;
  }
  // --threads, --weights, --precision, --cache
  pipelines::pipeline_options model_options() const {
    if (has("threads")) set_num_threads(static_cast<int>(integer("threads", 0)));
    pipelines::pipeline_options o;
    if (const std::string w = text("weights", "auto"); w != "auto") o.weights = parse_format(w);
    const std::string compute = text("precision", "auto");
    if (compute != "auto" && compute != "exact" && compute != "native")
      throw usage_error("--precision: expected auto, exact or native");
    if (compute != "auto")
      o.compute = compute == "exact" ? io::precision::exact : io::precision::native;
    o.cache = text("cache");
    return o;
  }

  std::vector<std::string> positional;

 private:
  static bool contains(const std::vector<std::string_view>& list, std::string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
  }
  known_options known_;
  std::map<std::string, std::string> set_;
};

// Options of every program that loads a model.
inline const std::vector<std::string_view> model_values = {"threads", "weights", "precision",
                                                           "cache"};

inline json error_object(const error& e) {
  return {{"error", {{"kind", e.kind()}, {"message", e.what()}}}};
}

// f(value of the line) -> JSON to print; a bad line prints an error object in its place.
inline void for_each_json_line(const std::function<json(const json&)>& f) {
  std::string line;
  for (std::size_t n = 1; std::getline(std::cin, line); ++n) {
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    json out;
    try {
      out = f(parse_json(line, "line " + std::to_string(n)));
    } catch (const error& e) {
      out = error_object(e);
    } catch (const json::exception& e) {
      out = {{"error", {{"kind", "format"}, {"message", e.what()}}}};
    }
    std::cout << to_json_line(out) << std::endl;
  }
}

inline double peak_megabytes() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return static_cast<double>(use.ru_maxrss) / 1024;
}

// Runs a program with the exit codes of the documentation: 0, 1 failed, 2 wrong usage.
inline int run(int argc, char** argv, const char* usage, const known_options& known,
               const std::function<void(const arguments&)>& program) {
  try {
    program(arguments(argc, argv, usage, known));
    return 0;
  } catch (const usage_error& e) {
    std::fprintf(stderr, "error: usage: %s\n", e.what());
    return 2;
  } catch (const error& e) {
    std::fprintf(stderr, "error: %s: %s\n", e.kind().c_str(), e.what());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "error: internal: %s\n", e.what());
  }
  return 1;
}

inline std::vector<std::string_view> with_model(std::vector<std::string_view> more) {
  more.insert(more.end(), model_values.begin(), model_values.end());
  return more;
}

}  // namespace examples
