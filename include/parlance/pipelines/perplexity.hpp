// SPDX-License-Identifier: Apache-2.0
// Perplexity of texts under a causal language model: exp of the mean negative log-probability of
// their tokens. Source: the perplexity module of evaluate 0.4; sliding windows as in transformers'
// guide to the perplexity of fixed-length models.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "parlance/kernels/loss.hpp"
#include "parlance/metrics/metric.hpp"
#include "parlance/pipelines/language_model.hpp"
#include "parlance/pipelines/next_token_scores.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

struct perplexity_options {
  // The text's first token is judged too, after the bos token (if there is one).
  bool add_start_token = true;
  std::optional<std::int64_t> max_length{};  // cuts texts to so many tokens, the bos token included
  // Not cut but read in windows of max_length tokens (not set: what the model takes) that begin so
  // many tokens apart; each token is judged once, with all of its window before it.
  std::optional<std::int64_t> stride{};
  bool operator==(const perplexity_options&) const = default;
};

struct perplexity_result {
  std::vector<double> perplexities;  // of each text
  double mean_perplexity = 0;
  double corpus_perplexity = 0;  // of all tokens together
  // Those of evaluate's module.
  metrics::record fields() const {
    return {{"perplexities", perplexities}, {"mean_perplexity", mean_perplexity}};
  }
};

class perplexity {
 public:
  explicit perplexity(const std::string& model, perplexity_options o = {},
                      const pipeline_options& load = {})
      : perplexity(load_language_model(model, load), o) {}
  perplexity(language_model parts, perplexity_options o)
      : parts_(std::make_shared<const language_model>(std::move(parts))), options_(o) {
    const std::int64_t most = window();
    if (most < 2 || (options_.stride && (*options_.stride < 1 || *options_.stride >= most)))
      throw option_error("perplexity: windows of " + std::to_string(most) + " tokens, " +
                         std::to_string(options_.stride.value_or(0)) + " apart");
  }

  static constexpr metrics::description describe() {
    return {"perplexity",
            "mean_perplexity",
            "how unexpected texts are to a language model",
            1,
            metrics::no_limit,
            false,
            "Jelinek et al. 1977, Perplexity: a measure of the difficulty of speech recognition"};
  }
  // Throws option_error for a text with nothing to judge.
  void add(std::string_view text) {
    std::vector<std::int32_t> ids =
        parts_->tokenizer->encode_ids(std::string(text), {.add_special_tokens = false});
    const auto bos = options_.add_start_token ? parts_->tokenizer->bos_id() : std::nullopt;
    if (bos) ids.insert(ids.begin(), *bos);
    const auto most = static_cast<std::size_t>(window());
    if (!options_.stride && options_.max_length && ids.size() > most) ids.resize(most);
    if (ids.size() < 2)
      throw option_error("perplexity: text " + std::to_string(perplexities_.size() + 1) +
                         " has no token to judge");
    double total = 0;
    const std::size_t step =
        options_.stride ? static_cast<std::size_t>(*options_.stride) : ids.size();
    const std::size_t width = options_.stride ? most : ids.size();
    for (std::size_t begin = 0, judged = 1; judged < ids.size(); begin += step) {
      const std::size_t end = std::min(begin + width, ids.size());
      total += negative_log_likelihood({ids.data() + begin, end - begin}, judged - begin);
      judged = end;
    }
    const auto count = static_cast<double>(ids.size() - 1);
    perplexities_.push_back(std::exp(total / count));
    total_ += total;
    tokens_ += count;
  }
  void add_batch(const std::vector<std::string>& texts) {
    for (const std::string& text : texts) add(text);
  }
  // Continues where `other`, of the same model, stopped.
  void merge(const perplexity& other) {
    if (!(options_ == other.options_))
      throw option_error("merge: the two accumulators have different options");
    perplexities_.insert(perplexities_.end(), other.perplexities_.begin(),
                         other.perplexities_.end());
    total_ += other.total_;
    tokens_ += other.tokens_;
  }
  perplexity_result compute() const {
    if (perplexities_.empty()) throw option_error("perplexity: nothing was added");
    double sum = 0;
    for (const double p : perplexities_) sum += p;
    return {perplexities_, sum / static_cast<double>(perplexities_.size()),
            std::exp(total_ / tokens_)};
  }

 private:
  std::int64_t window() const {
    const std::int64_t positions = parts_->model->max_positions();
    const std::int64_t most = options_.max_length.value_or(positions > 0 ? positions : 1 << 20);
    return positions > 0 ? std::min(most, positions) : most;
  }
  // Of the ids from `first` on, given those before them.
  double negative_log_likelihood(std::span<const std::int32_t> ids, std::size_t first) const {
    double total = 0;
    for_each_next(*parts_->model, ids.first(ids.size() - 1),
                  [&](std::size_t i, std::span<const float> scores) {
                    if (i + 1 < first) return;
                    total +=
                        kernels::logsumexp(scores) - scores[static_cast<std::size_t>(ids[i + 1])];
                  });
    return total;
  }

  std::shared_ptr<const language_model> parts_;
  perplexity_options options_;
  std::vector<double> perplexities_;
  double total_ = 0, tokens_ = 0;
};

}  // namespace parlance::inline PARLANCE_ABI::pipelines
