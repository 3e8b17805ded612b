// SPDX-License-Identifier: Apache-2.0
// How sure a corpus score is, and whether two systems differ: bootstrap intervals and the paired
// tests of sacreBLEU 2.6.0 (significance.py; Koehn 2004, Riezler and Maxwell 2005), for every
// metric derived from corpus_metric. Lines are drawn as numpy draws them for the same seed; scores
// are computed in double precision, as with numpy 1 (numpy 2 rounds parts of them to single).
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "parlance/metrics/metric.hpp"
#include "parlance/metrics/numpy_random.hpp"
#include "parlance/metrics/sums.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

inline constexpr std::uint64_t sacrebleu_seed = 12345;

struct resampling_options {
  int samples = 1000;
  std::uint64_t seed = sacrebleu_seed;
};

// The sums that a metric needs, line by line.
struct line_statistics {
  std::size_t width = 0;
  std::vector<double> values;  // lines x width

  std::size_t lines() const { return width == 0 ? 0 : values.size() / width; }
  const double* line(std::size_t i) const { return values.data() + i * width; }
  std::vector<double> totals() const {
    std::vector<double> out(width);
    for (std::size_t i = 0; i < lines(); ++i)
      for (std::size_t k = 0; k < width; ++k) out[k] += line(i)[k];
    return out;
  }
};

// Takes the metric only for its options; nothing is added to it.
template <class M, class Predictions, class References>
line_statistics measure_lines(M metric, const Predictions& predictions,
                              const References& references) {
  detail::require_same_number(std::size(predictions), std::size(references));
  line_statistics s{metric.width(), {}};
  s.values.resize(s.width * std::size(predictions));
  auto reference = std::begin(references);
  std::size_t i = 0;
  for (const auto& prediction : predictions) {
    const texts all(*reference++);
    detail::require_line(prediction, all, static_cast<std::int64_t>(i));
    metric.measure(prediction, all, std::span(s.values).subspan(i++ * s.width, s.width));
  }
  return s;
}

// The score of every line on its own.
template <class M, class Predictions, class References>
std::vector<double> line_scores(const M& metric, const Predictions& predictions,
                                const References& references) {
  const line_statistics s = measure_lines(metric, predictions, references);
  std::vector<double> out;
  for (std::size_t i = 0; i < s.lines(); ++i) out.push_back(metric.headline({s.line(i), s.width}));
  return out;
}

struct interval {
  double score = 0;       // of all lines
  double mean = 0;        // of the resampled scores
  double half_width = 0;  // of the interval that holds 95 % of them
  double low = 0, high = 0;
};

struct comparison {
  interval baseline, system;
  double p_value = 1;  // that a difference this large comes by chance
};

namespace detail {

inline void require_lines(const line_statistics& s) {
  if (s.lines() == 0) throw option_error("resampling: no lines");
}
inline void require_same_lines(const line_statistics& a, const line_statistics& b) {
  require_lines(a);
  if (a.lines() != b.lines() || a.width != b.width)
    throw option_error("paired test: the systems have " + std::to_string(a.lines()) + " and " +
                       std::to_string(b.lines()) + " lines");
}

// Scores of `samples` corpora of lines drawn with replacement, for each of several systems over the
// same lines.
template <class M>
std::vector<std::vector<double>> resampled(const M& metric,
                                           std::span<const line_statistics* const> systems,
                                           const resampling_options& options) {
  const std::size_t width = systems[0]->width;
  const auto lines = static_cast<std::uint32_t>(systems[0]->lines());
  pcg64 random(options.seed);
  std::vector<std::vector<double>> scores(systems.size());
  std::vector<std::uint32_t> drawn(lines);
  std::vector<double> sums(width);
  for (int s = 0; s < options.samples; ++s) {
    for (std::uint32_t& line : drawn) line = random.below(lines);
    for (std::size_t k = 0; k < systems.size(); ++k) {
      std::fill(sums.begin(), sums.end(), 0.0);
      for (const std::uint32_t line : drawn) {
        const double* const row = systems[k]->line(line);
        for (std::size_t i = 0; i < width; ++i) sums[i] += row[i];
      }
      scores[k].push_back(metric.headline(sums));
    }
  }
  return scores;
}

inline interval make_interval(double score, std::vector<double> scores, double mean) {
  std::sort(scores.begin(), scores.end());
  const std::size_t n = scores.size(), cut = n / 40;
  const double low = scores[cut], high = scores[n - cut - 1];
  return {score, mean, 0.5 * (high - low), low, high};
}
inline double p_value(const std::vector<double>& statistics, double difference) {
  const auto larger =
      std::count_if(statistics.begin(), statistics.end(), [&](double x) { return x > difference; });
  return (static_cast<double>(larger) + 1) / (static_cast<double>(statistics.size()) + 1);
}

}  // namespace detail

template <class M>
interval bootstrap(const M& metric, const line_statistics& lines, resampling_options options = {}) {
  detail::require_lines(lines);
  const line_statistics* const systems[] = {&lines};
  const std::vector<double> scores = detail::resampled(metric, systems, options)[0];
  std::vector<double> sorted = scores;
  std::sort(sorted.begin(), sorted.end());
  return detail::make_interval(metric.headline(lines.totals()), scores, exact_mean(sorted));
}

// Two-sided; `samples` as of sacreBLEU: 1000.
template <class M>
comparison paired_bootstrap(const M& metric, const line_statistics& baseline,
                            const line_statistics& system, resampling_options options = {}) {
  detail::require_same_lines(baseline, system);
  const line_statistics* const systems[] = {&baseline, &system};
  const auto scores = detail::resampled(metric, systems, options);
  comparison c;
  c.baseline = detail::make_interval(metric.headline(baseline.totals()), scores[0],
                                     pairwise_mean(scores[0]));
  c.system =
      detail::make_interval(metric.headline(system.totals()), scores[1], pairwise_mean(scores[1]));
  std::vector<double> differences(scores[0].size());
  for (std::size_t i = 0; i < differences.size(); ++i)
    differences[i] = std::abs(scores[1][i] - scores[0][i]);
  const double mean = pairwise_mean(differences);
  for (double& d : differences) d -= mean;
  c.p_value = detail::p_value(differences, std::abs(c.baseline.score - c.system.score));
  return c;
}

// Two-sided approximate randomisation: lines change sides by a coin; sacreBLEU's default is 10,000
// trials. Intervals are not computed.
template <class M>
comparison approximate_randomization(const M& metric, const line_statistics& baseline,
                                     const line_statistics& system,
                                     resampling_options options = {10000, sacrebleu_seed}) {
  detail::require_same_lines(baseline, system);
  const std::size_t width = baseline.width, lines = baseline.lines();
  comparison c;
  c.baseline.score = metric.headline(baseline.totals());
  c.system.score = metric.headline(system.totals());
  const double real = std::abs(c.baseline.score - c.system.score);
  pcg64 random(options.seed);
  std::vector<double> a(width), b(width), differences;
  for (int t = 0; t < options.samples; ++t) {
    std::fill(a.begin(), a.end(), 0.0);
    std::fill(b.begin(), b.end(), 0.0);
    for (std::size_t i = 0; i < lines; ++i) {
      const bool stays = random.coin();
      const double* const one = (stays ? baseline : system).line(i);
      const double* const two = (stays ? system : baseline).line(i);
      for (std::size_t k = 0; k < width; ++k) a[k] += one[k], b[k] += two[k];
    }
    differences.push_back(std::abs(metric.headline(a) - metric.headline(b)));
  }
  c.p_value = detail::p_value(differences, real);
  return c;
}

}  // namespace parlance::inline PARLANCE_ABI::metrics
