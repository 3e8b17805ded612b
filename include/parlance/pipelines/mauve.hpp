// SPDX-License-Identifier: Apache-2.0
// MAUVE of texts: the features are what a causal model has at the last token of each text
// (mauve-text 0.4.0, utils.py).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "parlance/metrics/mauve.hpp"
#include "parlance/pipelines/language_model.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

class mauve {
 public:
  explicit mauve(const std::string& featurize_model_name, const metrics::mauve_options& o = {},
                 std::int64_t max_text_length = 1024, const pipeline_options& load = {})
      : model_(std::make_shared<const language_model>(
            load_language_model(featurize_model_name, load))),
        max_text_length_(max_text_length),
        metric_(o) {
    if (max_text_length < 1) throw option_error("mauve: max_text_length: expected 1 or more");
  }
  static constexpr metrics::description describe() { return metrics::mauve::describe(); }

  // Empty texts do not count.
  void add(std::string_view prediction, metrics::texts references) {
    add_prediction(prediction);
    for (std::size_t i = 0; i < references.size(); ++i) add_reference(references[i]);
  }
  void add_prediction(std::string_view text) {
    if (!text.empty()) metric_.add_prediction(features(text));
  }
  void add_reference(std::string_view text) {
    if (!text.empty()) metric_.add_reference(features(text));
  }
  void merge(const mauve& other) { metric_.merge(other.metric_); }
  metrics::mauve_result compute() const { return metric_.compute(); }

  // The last hidden state at the last token of a text.
  std::vector<double> features(std::string_view text) const {
    std::vector<std::int32_t> ids = model_->tokenizer->encode_ids(std::string(text));
    if (ids.size() > static_cast<std::size_t>(max_text_length_))
      ids.resize(static_cast<std::size_t>(max_text_length_));
    if (ids.empty()) throw option_error("mauve: a text without tokens");
    const autograd::no_grad off;
    models::decoder_input in;
    in.ids = ids;
    const tensor<float> hidden = model_->model->hidden(in);
    const float* const last = hidden.row(hidden.rows() - 1);
    return std::vector<double>(last, last + hidden.cols());
  }

 private:
  std::shared_ptr<const language_model> model_;
  std::int64_t max_text_length_;
  metrics::mauve metric_;
};

}  // namespace parlance::inline PARLANCE_ABI::pipelines
