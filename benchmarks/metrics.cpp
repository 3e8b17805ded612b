// SPDX-License-Identifier: Apache-2.0
// Lines a second of the metrics: benchmark_metrics TEXTS LINES [THREADS], with the texts that
// benchmarks/reference/metrics.py makes. Prints the score too, to be compared with the original's.
// benchmark_metrics --peak METRIC TEXTS LINES reads line by line and prints the peak memory.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "parlance/metrics/load.hpp"
#include "parlance/metrics/parallel.hpp"
#include "parlance/metrics/significance.hpp"

namespace {

namespace metrics = parlance::metrics;

std::vector<std::string> read(const std::string& path, std::size_t lines) {
  std::ifstream in(path);
  std::vector<std::string> out;
  for (std::string line; out.size() < lines && std::getline(in, line);) out.push_back(line);
  return out;
}
double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::vector<std::string> hypotheses, references;

template <class M, class Score>
void time_metric(const char* name, M metric, Score&& score) {
  double best = 1e9;
  M filled = metric;
  for (int round = 0; round < 3; ++round) {
    filled = metric;
    const double start = seconds();
    metrics::add_parallel(filled, hypotheses, references);
    best = std::min(best, seconds() - start);
  }
  std::printf("%s %.0f %.17g\n", name, static_cast<double>(hypotheses.size()) / best,
              score(filled));
}

int print_peak(const std::string& name, const std::string& texts, std::int64_t lines) {
  const auto metric = metrics::load(name);
  std::ifstream hypotheses_in(texts + ".hyp"), references_in(texts + ".ref");
  std::string hypothesis, reference;
  std::int64_t n = 0;
  for (; n < lines && std::getline(hypotheses_in, hypothesis); ++n) {
    std::getline(references_in, reference);
    metric->add(metrics::item(hypothesis), metrics::item(reference));
  }
  metric->compute();
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  std::printf("%s %lld lines, peak %.1f MB\n", name.c_str(), static_cast<long long>(n),
              static_cast<double>(use.ru_maxrss) / 1024);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 5 && std::string_view(argv[1]) == "--peak")
    return print_peak(argv[2], argv[3], std::atoll(argv[4]));
  if (argc < 3) return std::fprintf(stderr, "usage: metrics TEXTS LINES [THREADS]\n"), 2;
  parlance::set_num_threads(argc > 3 ? std::atoi(argv[3]) : 1);
  const auto lines = static_cast<std::size_t>(std::atol(argv[2]));
  hypotheses = read(std::string(argv[1]) + ".hyp", lines);
  references = read(std::string(argv[1]) + ".ref", lines);
  time_metric("bleu", metrics::bleu(), [](auto& m) { return m.compute().bleu; });
  time_metric("sacrebleu", metrics::sacrebleu(), [](auto& m) { return m.compute().score; });
  time_metric("chrf++", metrics::chrf({.word_order = 2}),
              [](auto& m) { return m.compute().score; });
  time_metric("ter", metrics::ter(), [](auto& m) { return m.compute().score; });
  time_metric("rouge", metrics::rouge({.use_aggregator = false, .use_stemmer = true}), [](auto& m) {
    double sum = 0;
    const auto all = m.compute().lines[2];
    for (const double f : all) sum += f;
    return sum / static_cast<double>(all.size());
  });
  time_metric("wer", metrics::wer(), [](auto& m) { return m.compute().rate; });
  time_metric("cer", metrics::cer(), [](auto& m) { return m.compute().rate; });
  time_metric("meteor", metrics::meteor(), [](auto& m) { return m.compute().meteor; });
  const metrics::sacrebleu bleu;
  const auto statistics = metrics::measure_lines(bleu, hypotheses, references);
  const double start = seconds();
  const auto interval = metrics::bootstrap(bleu, statistics);
  std::printf("bootstrap_seconds %.3f %.17g\n", seconds() - start, interval.mean);
}
