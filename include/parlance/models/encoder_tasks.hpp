// SPDX-License-Identifier: Apache-2.0
// The task interfaces of encoders (and of whatever else serves these tasks): which numbers come out
// for which rows, and the loss to train them with. Virtual calls happen once per forward pass.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "parlance/io/bind.hpp"
#include "parlance/models/encoder_input.hpp"
#include "parlance/ops/loss.hpp"
#include "parlance/ops/math.hpp"
#include "parlance/ops/shape.hpp"

namespace parlance::inline PARLANCE_ABI::models {

namespace detail {

// Mean over the sequences of the cross entropy of picking place[i] among the rows of sequence i by
// row `kind` of the scores (kinds, rows).
inline tensor<float> place_loss(const tensor<float>& scores, std::size_t kind,
                                const std::vector<std::int64_t>& offsets,
                                std::span<const std::int32_t> places) {
  if (places.size() + 1 != offsets.size())
    throw shape_error("question answering: " + std::to_string(places.size()) + " places for " +
                      std::to_string(offsets.size() - 1) + " sequences");
  tensor<float> total = tensor<float>::zeros({});
  float count = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const std::int64_t n = offsets[i + 1] - offsets[i];
    if (places[i] < 0 || places[i] >= n) continue;
    std::vector<std::int32_t> labels(static_cast<std::size_t>(scores.rows()), ops::ignore_index);
    labels.at(kind) = places[i];
    total = ops::add(total, ops::cross_entropy(ops::columns(scores, offsets[i], n), labels));
    ++count;
  }
  return count > 0 ? ops::scale(total, 1 / count) : total;
}

}  // namespace detail

// What all tasks share.
class encoder_task {
 public:
  virtual ~encoder_task() = default;
  virtual void visit(nn::visitor<float>& v) = 0;
  // The parameters that are not the backbone's, under the same names.
  virtual void visit_head(nn::visitor<float>& v) = 0;
  virtual void save_weights(const std::filesystem::path& folder) = 0;
  // Rows that a sequence may have, special tokens included.
  virtual std::int64_t max_positions() const = 0;

  const json& config() const { return config_; }
  // Names of the classes, in order: id2label, else LABEL_0 and so on as transformers has them.
  const std::vector<std::string>& labels() const { return labels_; }
  // config.json and model.safetensors, as transformers reads them.
  void save_pretrained(const std::filesystem::path& folder) {
    std::filesystem::create_directories(folder);
    save_weights(folder);
    write_atomic(folder / "config.json", config_.dump(2) + "\n");
  }

 protected:
  json config_;
  std::vector<std::string> labels_;
  friend struct encoder_task_access;
};

// What loaders set on a new model.
struct encoder_task_access {
  static void set(encoder_task& m, json config, std::vector<std::string> labels) {
    m.config_ = std::move(config);
    m.labels_ = std::move(labels);
  }
};

// The bare model: feature extraction, sentence embeddings.
class encoder : public encoder_task {
 public:
  virtual std::int64_t hidden_size() const = 0;
  // The last hidden states: (rows, hidden_size).
  virtual tensor<float> hidden(const encoder_input& in) const = 0;
  // What the model's own pooler makes of the first row of each sequence, given all hidden states:
  // (sequences, hidden_size). option_error when the checkpoint has no pooler.
  virtual tensor<float> pooled(const tensor<float>& hidden, const encoder_input& in) const = 0;
};

class masked_lm : public encoder_task {
 public:
  // Scores of the vocabulary at the given rows (all when empty): (rows, vocabulary).
  virtual tensor<float> logits(const encoder_input& in,
                               std::span<const std::int64_t> rows = {}) const = 0;
  // Mean cross entropy of each row's label, ops::ignore_index left out.
  tensor<float> loss(const encoder_input& in, std::span<const std::int32_t> labels) const {
    return ops::cross_entropy<float>(logits(in), labels);
  }
};

class sequence_classifier : public encoder_task {
 public:
  virtual tensor<float> logits(const encoder_input& in) const = 0;  // (sequences, labels)
  // problem_type single_label_classification: mean cross entropy.
  tensor<float> loss(const encoder_input& in, std::span<const std::int32_t> labels) const {
    return ops::cross_entropy<float>(logits(in), labels);
  }
  // regression: mean squared error; multi_label_classification: mean binary cross entropy.
  // targets (sequences, labels).
  tensor<float> loss(const encoder_input& in, const tensor<float>& targets) const {
    const tensor<float> scores = logits(in);
    return problem_type() == "regression" ? ops::mean_squared_error(scores, targets)
                                          : ops::binary_cross_entropy(scores, targets);
  }
  // As config.json says, else what transformers assumes: regression for one label.
  std::string problem_type() const {
    if (const auto t = config_.find("problem_type"); t != config_.end() && t->is_string())
      return t->get<std::string>();
    return labels_.size() == 1 ? "regression" : "single_label_classification";
  }
};

class token_classifier : public encoder_task {
 public:
  virtual tensor<float> logits(const encoder_input& in) const = 0;  // (rows, labels)
  tensor<float> loss(const encoder_input& in, std::span<const std::int32_t> labels) const {
    return ops::cross_entropy<float>(logits(in), labels);
  }
};

// Extractive question answering.
class question_answerer : public encoder_task {
 public:
  // Columns: the score of each row as first and as last of the answer. (rows, 2)
  virtual tensor<float> logits(const encoder_input& in) const = 0;
  // The mean of the cross entropies of first and last row, both counted in their sequence; rows
  // outside of it do not count.
  tensor<float> loss(const encoder_input& in, std::span<const std::int32_t> first,
                     std::span<const std::int32_t> last) const {
    const tensor<float> scores = ops::transpose(logits(in));
    const std::vector<std::int64_t> offsets = detail::row_offsets(in);
    return ops::scale(ops::add(detail::place_loss(scores, 0, offsets, first),
                               detail::place_loss(scores, 1, offsets, last)),
                      0.5f);
  }
};

// Each choice is a sequence of its own.
class multiple_choice : public encoder_task {
 public:
  virtual tensor<float> logits(const encoder_input& in) const = 0;  // (sequences, 1)
  // The sequences are groups of `choices`; labels: the right choice of each group.
  tensor<float> loss(const encoder_input& in, std::int64_t choices,
                     std::span<const std::int32_t> labels) const {
    const tensor<float> scores = logits(in);
    if (choices < 1 || scores.rows() % choices)
      throw shape_error("multiple choice: " + std::to_string(scores.rows()) +
                        " sequences are not groups of " + std::to_string(choices));
    return ops::cross_entropy(ops::reshape(scores, {scores.rows() / choices, choices}), labels);
  }
};

}  // namespace parlance::inline PARLANCE_ABI::models
