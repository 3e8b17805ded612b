// SPDX-License-Identifier: Apache-2.0
// Scores of predictions against references, as Hugging Face evaluate and the sacrebleu command.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>
#include <string>

#include "parlance/core/thread_pool.hpp"
#include "parlance/metrics/json_lines.hpp"
#include "parlance/metrics/report.hpp"
#include "parlance/metrics/significance.hpp"
#include "parlance/pipelines/model_metrics.hpp"

namespace {

using namespace parlance;

constexpr const char* usage =
    "usage: evaluate METRIC[,METRIC...] [REFERENCES...] [options] < input\n\n"
    "Without REFERENCES the input is JSON lines: {\"prediction\": P, \"references\": [R, ...]};\n"
    "measurements and perplexity also take the values alone.\n"
    "With files of references, one text a line, the input is predictions, one text a line.\n\n"
    "  --NAME VALUE         an option of the metric, with the names of evaluate's compute\n"
    "  --seed N             of the resampling in rouge and of the tests below\n"
    "  --config_name NAME   as of evaluate.load\n"
    "  --format FORMAT      json, text, markdown, csv or html\n"
    "  --input FILE,...     predictions from files; several files are several systems\n"
    "  --confidence [true]  bootstrap interval of bleu scores, chrf and ter (--samples N, 1000)\n"
    "  --paired bs|ar       tests the systems after the first against it: paired bootstrap, or\n"
    "                       approximate randomisation (--samples N, 1000 or 10000)\n"
    "  --list               names the metrics\n"
    "  --threads N  --weights FORMAT  --cache DIR   for metrics with a model:\n\n"
    "  evaluate perplexity --model_id MODEL [--max_length N] [--stride N]\n"
    "  evaluate bertscore --model_type MODEL [--num_layers N] [--idf true]\n"
    "  evaluate mauve [--featurize_model_name MODEL], else of features\n\n"
    "wer, cer, mer, wil, rouge, squad, accuracy, ...: see docs/metrics.md.\n";

struct usage_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct command {
  std::vector<std::string> metrics, reference_files, inputs;
  std::map<std::string, std::string> own;  // options of this program
  std::vector<metrics::setting> settings;  // of the metrics

  std::string option(const char* name) const {
    const auto found = own.find(name);
    return found == own.end() ? std::string() : found->second;
  }
};

std::vector<std::string> split_commas(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ',')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

command parse(int argc, char** argv) {
  constexpr std::string_view own[] = {"format",  "input",   "confidence", "paired",
                                      "samples", "threads", "weights",    "cache"};
  command c;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    if (!word.starts_with("--")) {
      if (c.metrics.empty())
        c.metrics = split_commas(word);
      else
        c.reference_files.push_back(word);
      continue;
    }
    word.erase(0, 2);
    std::string value;
    if (const auto equals = word.find('='); equals != word.npos) {
      value = word.substr(equals + 1);
      word.resize(equals);
    } else if (word == "confidence" && (i + 1 >= argc || std::string_view(argv[i + 1]) != "true")) {
      value = "true";
    } else {
      if (++i >= argc) throw usage_error("--" + word + " needs a value");
      value = argv[i];
    }
    if (std::find(std::begin(own), std::end(own), word) != std::end(own))
      c.own[word] = value;
    else
      c.settings.push_back({word, value});
  }
  if (c.metrics.empty()) throw usage_error("missing METRIC");
  if (c.own.contains("input")) c.inputs = split_commas(c.own["input"]);
  return c;
}

// The metrics; a setting has to be known to at least one of them.
metrics::combined make(const command& c) {
  pipelines::pipeline_options load;
  load.cache = c.option("cache");
  if (const std::string w = c.option("weights"); !w.empty() && w != "auto")
    load.weights = parse_format(w);
  if (const std::string n = c.option("threads"); !n.empty()) set_num_threads(std::atoi(n.c_str()));
  metrics::combined all;
  std::map<std::string, std::size_t> refused;
  for (const std::string& name : c.metrics) {
    std::vector<std::string> unused;
    all.include(name, pipelines::load_metric(name, c.settings,
                                             c.metrics.size() > 1 ? &unused : nullptr, load));
    for (const std::string& setting : unused) ++refused[setting];
  }
  for (const auto& [setting, count] : refused)
    if (count == c.metrics.size())
      throw option_error("unknown option '" + setting + "' of all metrics");
  return all;
}

std::vector<std::string> read_lines(std::istream& in) {
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.emplace_back(metrics::strip_right(line));
  return lines;
}
std::vector<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw io_error(path + ": cannot be opened");
  return read_lines(in);
}

// Reference texts of each line.
std::vector<std::vector<std::string>> read_references(const command& c, std::size_t lines) {
  std::vector<std::vector<std::string>> all(lines);
  for (const std::string& path : c.reference_files) {
    std::vector<std::string> one = read_file(path);
    if (one.size() != lines)
      throw option_error(path + ": " + std::to_string(one.size()) + " lines for " +
                         std::to_string(lines) + " predictions");
    for (std::size_t i = 0; i < lines; ++i) all[i].push_back(std::move(one[i]));
  }
  return all;
}

struct system_output {
  std::string name;
  std::vector<std::string> lines;
};

// Intervals and tests of one metric over all systems.
template <class M>
void test_metric(const M& metric, const command& c, const std::vector<system_output>& systems,
                 const std::vector<std::vector<std::string>>& references, const std::string& field,
                 std::vector<metrics::report_column>& columns) {
  metrics::resampling_options o;
  const std::string paired = c.option("paired");
  if (!paired.empty() && paired != "bs" && paired != "ar")
    throw usage_error("--paired: expected bs or ar");
  o.samples = paired == "ar" ? 10000 : 1000;
  if (!c.option("samples").empty()) o.samples = std::atoi(c.option("samples").c_str());
  if (o.samples < 1) throw usage_error("--samples: expected a whole number above 0");
  for (const metrics::setting& s : c.settings)
    if (s.first == "seed") o.seed = std::strtoull(s.second.c_str(), nullptr, 10);
  std::vector<metrics::line_statistics> lines;
  for (const system_output& s : systems)
    lines.push_back(metrics::measure_lines(metric, s.lines, references));
  for (std::size_t k = 0; k < systems.size(); ++k) {
    if (paired != "ar") {
      const metrics::interval i = metrics::bootstrap(metric, lines[k], o);
      columns[k].intervals.push_back({field, i.low, i.high});
    }
    if (paired.empty() || k == 0) continue;
    const metrics::comparison test =
        paired == "bs" ? metrics::paired_bootstrap(metric, lines[0], lines[k], o)
                       : metrics::approximate_randomization(metric, lines[0], lines[k], o);
    columns[k].p_values.push_back({field, test.p_value});
  }
}

void test_all(const command& c, const std::vector<system_output>& systems,
              const std::vector<std::vector<std::string>>& references,
              std::vector<metrics::report_column>& columns) {
  for (const std::string& name : c.metrics) {
    std::vector<std::string> unused;
    metrics::settings_reader settings(name, c.settings, &unused);
    const auto run = [&](const auto& metric, const std::string& key) {
      const bool shared = metrics::find(columns[0].fields, key) == nullptr;
      test_metric(metric, c, systems, references, shared ? name + "_" + key : key, columns);
    };
    if (name == "sacrebleu")
      run(metrics::detail::make_sacrebleu(settings), "score");
    else if (name == "chrf")
      run(metrics::detail::make_chrf(settings), "score");
    else if (name == "ter")
      run(metrics::detail::make_ter(settings), "score");
    else if (name == "bleu")
      run(metrics::detail::make_bleu(settings), "bleu");
    else if (name == "google_bleu")
      run(metrics::detail::make_google_bleu(settings), "google_bleu");
    else if (name == "wer")
      run(metrics::detail::make_error_rate<metrics::wer>(settings), "wer");
    else if (name == "cer")
      run(metrics::detail::make_error_rate<metrics::cer>(settings), "cer");
    else if (name == "mer")
      run(metrics::detail::make_error_rate<metrics::mer>(settings), "mer");
    else if (name == "wil")
      run(metrics::detail::make_error_rate<metrics::wil>(settings), "wil");
    else if (name == "exact_match")
      run(metrics::detail::make_exact_match(settings), "exact_match");
    else
      throw unsupported_error("resampling of " + name,
                              "it works for sacrebleu, chrf, ter, bleu, google_bleu, wer, cer, "
                              "mer, wil and exact_match");
  }
}

bool evaluate(const command& c) {
  auto format = metrics::report_format::json;
  const std::vector<metrics::setting> own(c.own.begin(), c.own.end());
  std::vector<std::string> unused;
  metrics::settings_reader reader("evaluate", own, &unused);
  reader.choose("format", metrics::report_format_names, format);
  const bool tests = c.own.contains("confidence") || c.own.contains("paired");

  bool all_well = true;
  std::vector<metrics::report_column> columns;
  std::vector<metrics::description> explained;
  const auto finish = [&](const std::string& name, const metrics::combined& all) {
    columns.push_back({name, all.compute()});
    if (columns.size() == 1)
      for (std::size_t i = 0; i < all.size(); ++i) explained.push_back(all[i].describe());
  };
  if (c.reference_files.empty()) {
    if (tests || !c.inputs.empty())
      throw usage_error("--input, --confidence and --paired need files of references");
    metrics::combined all = make(c);
    std::string line;
    for (std::size_t n = 1; std::getline(std::cin, line); ++n) {
      if (line.find_first_not_of(" \t\r") == line.npos) continue;
      const auto report = [&](const std::string& kind, const std::string& message) {
        all_well = false;
        const json object = {{"error", {{"kind", kind}, {"message", message}}}};
        std::cout << to_json_line(object) << "\n";
      };
      try {
        const std::string where = "line " + std::to_string(n);
        metrics::add_json(all, parse_json(line, where), where);
      } catch (const error& e) {
        report(e.kind(), e.what());
      }
    }
    finish("", all);
  } else {
    std::vector<system_output> systems;
    if (c.inputs.empty())
      systems.push_back({"", read_lines(std::cin)});
    else
      for (const std::string& path : c.inputs) systems.push_back({path, read_file(path)});
    if (systems.size() == 1 && !tests) systems[0].name.clear();
    if (c.own.contains("paired") && systems.size() < 2)
      throw usage_error("--paired needs two systems or more: --input FILE,FILE");
    std::vector<std::vector<std::string>> references;
    for (const system_output& s : systems) {
      references = read_references(c, s.lines.size());
      metrics::combined all = make(c);
      for (std::size_t i = 0; i < s.lines.size(); ++i) {
        const std::vector<metrics::item> items(references[i].begin(), references[i].end());
        all.add(metrics::item(s.lines[i]), items);
      }
      finish(tests && s.name.empty() ? "system" : s.name, all);
    }
    if (tests) test_all(c, systems, references, columns);
  }
  std::cout << metrics::report(columns, format, explained);
  return all_well;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    for (int i = 1; i < argc; ++i) {
      const std::string_view word = argv[i];
      if (word == "--help" || word == "-h") {
        std::cout << usage;
        return 0;
      }
      if (word == "--list") {
        for (const std::string_view name : pipelines::metric_names()) std::cout << name << "\n";
        return 0;
      }
    }
    return evaluate(parse(argc, argv)) ? 0 : 1;
  } catch (const usage_error& e) {
    std::cerr << "error: usage: " << e.what() << "\n";
    return 2;
  } catch (const option_error& e) {
    std::cerr << "error: option: " << e.what() << "\n";
    // Wrong names and values of options are wrong usage; wrong data is not.
    return std::string_view(e.what()).find("unknown ") != std::string_view::npos ? 2 : 1;
  } catch (const error& e) {
    std::cerr << "error: " << e.kind() << ": " << e.what() << "\n";
  } catch (const std::exception& e) {
    std::cerr << "error: internal: " << e.what() << "\n";
  }
  return 1;
}
