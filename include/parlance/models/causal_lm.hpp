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
class causal_lm_of final : public token_decoder_of<Model, causal_lm> {
 public:
  using token_decoder_of<Model, causal_lm>::token_decoder_of;
  using token_decoder_of<Model, causal_lm>::model;

  tensor<float> logits(const decoder_input& in, std::span<const std::int64_t> rows) const override {
    const tensor<float> h = model.hidden(in);
    return model.logits(rows.empty() ? h : ops::gather_rows(h, rows));
  }
  tensor<float> hidden(const decoder_input& in) const override { return model.hidden(in); }
  tensor<float> loss(const decoder_input& in, std::span<const std::int32_t> labels) const override {
    return model.loss(model.hidden(in), labels);
  }
};

}  // namespace parlance::inline PARLANCE_ABI::models
