// SPDX-License-Identifier: Apache-2.0
// BART as a classifier of texts, as facebook/bart-large-mnli: encoder and decoder read the same
// text (the decoder shifted by one), and the decoder's state at the last end-of-sequence decides.
// Source: transformers 4.57 modeling_bart.py (BartForSequenceClassification).
#pragma once

#include <vector>

#include "parlance/models/bart.hpp"
#include "parlance/models/encoder_config.hpp"
#include "parlance/models/encoder_tasks.hpp"

namespace parlance::inline PARLANCE_ABI::models {

template <class T>
struct bart_classification_head {
  nn::linear<T> dense, out_proj;

  bart_classification_head(std::int64_t width, std::int64_t labels)
      : dense(width, width, true), out_proj(width, labels, true) {}
  tensor<T> operator()(const tensor<T>& x) const {
    return out_proj(nn::activate("tanh", dense(x)));
  }
  void visit(nn::visitor<T>& v) { v("dense", dense), v("out_proj", out_proj); }
};

class bart_classifier final : public sequence_classifier {
 public:
  explicit bart_classifier(const json& config)
      : model_(read_bart_config(config)),
        classification_head_(model_.config.d_model,
                             static_cast<std::int64_t>(read_labels(config_reader(config)).size())),
        eos_(static_cast<std::int32_t>(config_reader(config).integer("eos_token_id", 2))),
        start_(
            static_cast<std::int32_t>(config_reader(config).integer("decoder_start_token_id", 2))) {
  }

  tensor<float> logits(const encoder_input& in) const override {
    const encoded_source<float> source = model_.encode(in);
    std::vector<std::int32_t> shifted;
    std::vector<std::int64_t> lengths, last;
    for (std::size_t s = 0; s + 1 < source.offsets.size(); ++s) {
      const std::int64_t begin = source.offsets[s], n = source.offsets[s + 1] - begin;
      const auto ids = in.ids.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(n));
      const auto end = std::find(ids.rbegin(), ids.rend(), eos_);
      if (end == ids.rend())
        throw option_error("bart: sequence " + std::to_string(s) + " has no end-of-sequence id " +
                               std::to_string(eos_),
                           "add special tokens");
      shifted.push_back(start_);
      shifted.insert(shifted.end(), ids.begin(), ids.end() - 1);
      lengths.push_back(n);
      last.push_back(source.offsets[s + 1] - 1 - (end - ids.rbegin()));
    }
    decoder_input target;
    target.ids = shifted;
    target.lengths = lengths;
    target.stop = in.stop;
    return classification_head_(ops::gather_rows(model_.decode(target, &source), last));
  }
  void visit(nn::visitor<float>& v) override {
    v("model", model_);
    visit_head(v);
  }
  void visit_head(nn::visitor<float>& v) override {
    v("classification_head", classification_head_);
  }
  void save_weights(const std::filesystem::path& folder) override {
    io::save_parameters<float>(*this, folder);
  }
  std::int64_t max_positions() const override { return model_.config.max_source_positions; }

 private:
  bart_model<float> model_;
  bart_classification_head<float> classification_head_;
  std::int32_t eos_, start_;
};

}  // namespace parlance::inline PARLANCE_ABI::models
