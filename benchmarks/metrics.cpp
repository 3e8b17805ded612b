// SPDX-License-Identifier: Apache-2.0
// Lines a second of the metrics: benchmark_metrics TEXTS LINES [THREADS], with the texts that
// benchmarks/reference/metrics.py makes. Prints the score too, to be compared with the original's.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "parlance/metrics/chrf.hpp"
#include "parlance/metrics/meteor.hpp"
#include "parlance/metrics/parallel.hpp"
#include "parlance/metrics/rouge.hpp"
#include "parlance/metrics/sacrebleu.hpp"
#include "parlance/metrics/significance.hpp"
#include "parlance/metrics/ter.hpp"
#include "parlance/metrics/wer.hpp"

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

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return std::fprintf(stderr, "usage: metrics TEXTS LINES [THREADS]\n"), 2;
  parlance::set_num_threads(argc > 3 ? std::atoi(argv[3]) : 1);
  const auto lines = static_cast<std::size_t>(std::atol(argv[2]));
  hypotheses = read(std::string(argv[1]) + ".hyp", lines);
  references = read(std::string(argv[1]) + ".ref", lines);
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
