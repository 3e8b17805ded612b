// SPDX-License-Identifier: Apache-2.0
// ROUGE (Lin 2004) as rouge_score 0.1.2 computes it, with the options of evaluate's `rouge`: one F
// measure a type, from 0 to 1. With the aggregator it is the median of 1,000 resampled means, drawn
// by a seeded generator that goes on from type to type, not the mean of the lines.
#pragma once

#include <algorithm>
#include <string>

#include "parlance/core/nearest.hpp"
#include "parlance/metrics/common_subsequence.hpp"
#include "parlance/metrics/metric.hpp"
#include "parlance/metrics/ngram_matches.hpp"
#include "parlance/metrics/numpy_random.hpp"
#include "parlance/metrics/rouge_words.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

struct rouge_options {
  std::vector<std::string> rouge_types = {"rouge1", "rouge2", "rougeL", "rougeLsum"};
  bool use_aggregator = true;
  bool use_stemmer = false;
  std::uint32_t seed = 0;  // of the resampling; the original draws it at random by default
  bool operator==(const rouge_options&) const = default;
};

struct rouge_score {
  double precision = 0, recall = 0, fmeasure = 0;
};

struct rouge_result {
  std::vector<std::string> types;
  std::vector<double> scores;              // one a type, with the aggregator
  std::vector<std::vector<double>> lines;  // F measure of each line, without
  record fields() const {
    record out;
    for (std::size_t t = 0; t < types.size(); ++t)
      out.push_back({types[t], lines.empty() ? value(scores[t]) : value(lines[t])});
    return out;
  }
};

class rouge {
 public:
  explicit rouge(rouge_options options = {})
      : options_(std::move(options)), words_(options_.use_stemmer) {
    constexpr std::string_view known[] = {"rouge1", "rouge2", "rouge3",   "rouge4",
                                          "rouge5", "rouge6", "rouge7",   "rouge8",
                                          "rouge9", "rougeL", "rougeLsum"};
    for (const std::string& type : options_.rouge_types) {
      if (std::find(std::begin(known), std::end(known), type) == std::end(known))
        throw option_error("unknown rouge type '" + type + "'", did_you_mean(type, known));
      if (type == "rougeLsum")
        sentences_ = true;
      else if (type != "rougeL")
        longest_ = std::max(longest_, type[5] - '0');
    }
    fmeasures_.resize(options_.rouge_types.size());
  }

  static constexpr description describe() {
    return {"rouge", "rougeL", "overlap of words, word runs and subsequences with a reference",   0,
            1,       true,     "Lin 2004, ROUGE: A Package for Automatic Evaluation of Summaries"};
  }
  const rouge_options& options() const { return options_; }

  void add(std::string_view prediction, texts references) {
    const std::vector<rouge_score>& best = sentence_score(prediction, references);
    for (std::size_t t = 0; t < best.size(); ++t) fmeasures_[t].push_back(best[t].fmeasure);
    ++lines_;
  }
  template <class Predictions, class References>
  void add_batch(const Predictions& predictions, const References& references) {
    add_all(*this, predictions, references);
  }
  void merge(const rouge& other) {
    if (!(options_ == other.options_))
      throw option_error("merge: the two accumulators have different options");
    for (std::size_t t = 0; t < fmeasures_.size(); ++t)
      fmeasures_[t].insert(fmeasures_[t].end(), other.fmeasures_[t].begin(),
                           other.fmeasures_[t].end());
    lines_ += other.lines_;
  }
  rouge_result compute() const {
    if (lines_ == 0) throw option_error("rouge: nothing was added");
    rouge_result r{options_.rouge_types, {}, {}};
    if (!options_.use_aggregator) {
      r.lines = fmeasures_;
      return r;
    }
    mersenne_twister random(options_.seed);
    for (const auto& line : fmeasures_) r.scores.push_back(median_of_means(line, random));
    return r;
  }

  void reset() {
    for (auto& line : fmeasures_) line.clear();
    lines_ = 0;
  }

  // One score a type: that of the reference with the highest F measure.
  const std::vector<rouge_score>& sentence_score(std::string_view prediction, texts references) {
    detail::require_line(prediction, references, lines_);
    words_.read_prediction(prediction, sentences_);
    matches_.start(words_.prediction().ids, words_.different());
    best_.assign(options_.rouge_types.size(), {});
    for (std::size_t r = 0; r < references.size(); ++r) {
      words_.read_reference(references[r], sentences_);
      compare();
      for (std::size_t t = 0; t < best_.size(); ++t) {
        const rouge_score now = score(options_.rouge_types[t]);
        if (r == 0 || now.fmeasure > best_[t].fmeasure) best_[t] = now;
      }
    }
    return best_;
  }

 private:
  static rouge_score make_score(double hits, double predicted, double wanted) {
    rouge_score s{hits / std::max(predicted, 1.0), hits / std::max(wanted, 1.0), 0};
    if (s.precision + s.recall > 0)
      s.fmeasure = 2 * s.precision * s.recall / (s.precision + s.recall);
    return s;
  }
  void compare() {
    std::fill(std::begin(found_), std::end(found_), 0.0);
    matches_.count(words_.reference().ids, longest_, found_);
    common_ = -1;
  }
  rouge_score score(const std::string& type) {
    const auto& prediction = words_.prediction();
    const auto& reference = words_.reference();
    const auto predicted = static_cast<double>(prediction.ids.size());
    const auto wanted = static_cast<double>(reference.ids.size());
    if (type == "rougeL" || (type == "rougeLsum" && one_sentence())) {
      if (common_ < 0)
        common_ = static_cast<double>(
            subsequence_.length(prediction.ids, words_.different(), reference.ids));
      return make_score(common_, predicted, wanted);
    }
    if (type == "rougeLsum")
      return make_score(static_cast<double>(summary_hits()), predicted, wanted);
    const double n = type[5] - '1';
    return make_score(found_[type[5] - '1'], std::max(predicted - n, 0.0),
                      std::max(wanted - n, 0.0));
  }
  // Then the union of subsequences is one subsequence, whose words cannot be counted twice.
  bool one_sentence() const {
    return words_.prediction().ends.size() <= 1 && words_.reference().ends.size() <= 1;
  }
  // Words of reference sentences in the union of their common subsequences with the sentences of
  // the prediction, each word at most as often as either side has it.
  std::int64_t summary_hits() {
    const auto& prediction = words_.prediction();
    const auto& reference = words_.reference();
    const auto count = [&](const id_list& ids, std::vector<std::int32_t>& left) {
      left.assign(static_cast<std::size_t>(words_.different()), 0);
      for (const std::int32_t id : ids)
        if (id >= 0) ++left[static_cast<std::size_t>(id)];
    };
    count(prediction.ids, predicted_left_);
    count(reference.ids, wanted_left_);
    std::int64_t hits = 0;
    std::size_t from = 0;
    for (const std::size_t to : reference.ends) {
      const std::span<const std::int32_t> sentence(reference.ids.data() + from, to - from);
      in_union_.assign(sentence.size(), 0);
      std::size_t other = 0;
      for (const std::size_t end : prediction.ends) {
        subsequence_.mark(sentence, {prediction.ids.data() + other, end - other},
                          words_.different(), in_union_);
        other = end;
      }
      for (std::size_t i = 0; i < sentence.size(); ++i) {
        if (!in_union_[i]) continue;
        const auto id = static_cast<std::size_t>(sentence[i]);
        if (predicted_left_[id] > 0 && wanted_left_[id] > 0)
          ++hits, --predicted_left_[id], --wanted_left_[id];
      }
      from = to;
    }
    return hits;
  }

  // np.percentile(means of 1,000 resamples, 50).
  static double median_of_means(const std::vector<double>& line, mersenne_twister& random) {
    constexpr std::size_t samples = 1000;
    std::vector<double> means(samples);
    const auto n = static_cast<std::uint32_t>(line.size());
    for (double& mean : means) {
      double sum = 0;
      for (std::uint32_t i = 0; i < n; ++i) sum += line[random.below(n)];
      mean = sum / n;
    }
    std::nth_element(means.begin(), means.begin() + samples / 2, means.end());
    const double high = means[samples / 2];
    const double low = *std::max_element(means.begin(), means.begin() + samples / 2);
    return high - (high - low) * 0.5;
  }

  rouge_options options_;
  detail::rouge_words words_;
  ngram_matches matches_;
  common_subsequence subsequence_;
  int longest_ = 0;
  bool sentences_ = false;
  double found_[9] = {}, common_ = -1;
  std::vector<std::int32_t> predicted_left_, wanted_left_;
  std::vector<std::uint8_t> in_union_;
  std::vector<rouge_score> best_;
  std::vector<std::vector<double>> fmeasures_;
  std::int64_t lines_ = 0;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
