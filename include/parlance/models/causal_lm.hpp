// SPDX-License-Identifier: Apache-2.0
// The task interface of decoder-only language models, and the adapter that gives it to a concrete
// model.
#pragma once

#include <filesystem>
#include <memory>

#include "parlance/models/token_decoder.hpp"
#include "parlance/ops/shape.hpp"

namespace parlance::inline PARLANCE_ABI::models {

class causal_lm : public token_decoder {
 public:
  // The last hidden states, normed: (rows, hidden size).
  virtual tensor<float> hidden(const decoder_input& in) const = 0;
  // Mean cross entropy against labels[i], the id that should follow row i; differentiable.
  virtual tensor<float> loss(const decoder_input& in,
                             std::span<const std::int32_t> labels) const = 0;
};

// Model: hidden(input), logits(hidden), loss(hidden, labels), cache_layout(), visit().
template <class Model>
class causal_lm_of final : public causal_lm {
 public:
  explicit causal_lm_of(const typename Model::config_type& c) : model(c) {}

  tensor<float> logits(const decoder_input& in, std::span<const std::int64_t> rows) const override {
    const tensor<float> h = model.hidden(in);
    return model.logits(rows.empty() ? h : ops::gather_rows(h, rows));
  }
  tensor<float> hidden(const decoder_input& in) const override { return model.hidden(in); }
  tensor<float> loss(const decoder_input& in, std::span<const std::int32_t> labels) const override {
    return model.loss(model.hidden(in), labels);
  }
  nn::kv_cache make_cache(std::int64_t sequences, format element) const override {
    nn::kv_cache::layout l = model.cache_layout();
    l.element = element;
    return nn::kv_cache(l, sequences);
  }
  std::int64_t vocab_size() const override { return model.vocab_size(); }
  std::int64_t max_positions() const override { return model.max_positions(); }
  void visit(nn::visitor<float>& v) override { model.visit(v); }
  void save_weights(const std::filesystem::path& folder) override {
    io::save_parameters<float>(model, folder);
  }

  Model model;
};

}  // namespace parlance::inline PARLANCE_ABI::models
