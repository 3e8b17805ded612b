// SPDX-License-Identifier: Apache-2.0
// The task interface of encoder-decoders, and the adapter that gives it to a concrete model. To
// generate: encode the sources once, then run the decoder with the memory that this gives.
#pragma once

#include "parlance/models/cross_attention.hpp"
#include "parlance/models/token_decoder.hpp"
#include "parlance/ops/shape.hpp"

namespace parlance::inline PARLANCE_ABI::models {

class seq2seq_lm : public token_decoder {
 public:
  using token_decoder::logits;

  // Positions that a source may have; 0: any number. max_positions() are those of a target.
  virtual std::int64_t max_source_positions() const = 0;
  // The encoder's last hidden states: (rows, hidden_size).
  virtual tensor<float> encoder_states(const encoder_input& source) const = 0;
  // Keys and values of the cross-attention of every layer, one sequence a source, for
  // decoder_input::memory.
  virtual nn::kv_cache encode(const encoder_input& source) const = 0;
  // Logits of every row of the targets, one target a source; differentiable.
  virtual tensor<float> logits(const encoder_input& source, const decoder_input& target) const = 0;
  // Mean cross entropy against labels[i], the id that should follow row i of the targets.
  virtual tensor<float> loss(const encoder_input& source, const decoder_input& target,
                             std::span<const std::int32_t> labels) const = 0;
};

// Model: encode(source), hidden(target, encoded), memory(encoded, layout), logits(hidden),
// loss(hidden, labels), cache_layout(), max_source_positions(), visit().
template <class Model>
class seq2seq_lm_of final : public token_decoder_of<Model, seq2seq_lm> {
 public:
  using token_decoder_of<Model, seq2seq_lm>::token_decoder_of;
  using token_decoder_of<Model, seq2seq_lm>::model;

  std::int64_t max_source_positions() const override { return model.max_source_positions(); }
  tensor<float> encoder_states(const encoder_input& source) const override {
    return model.encode(source).states;
  }
  nn::kv_cache encode(const encoder_input& source) const override {
    nn::kv_cache::layout l = model.cache_layout();
    l.element = this->cache_element();
    return model.memory(model.encode(source), l);
  }
  tensor<float> logits(const decoder_input& in, std::span<const std::int64_t> rows) const override {
    const tensor<float> h = model.hidden(in, nullptr);
    return model.logits(rows.empty() ? h : ops::gather_rows(h, rows));
  }
  tensor<float> logits(const encoder_input& source, const decoder_input& target) const override {
    const kernels::one_row_path same_bits;
    const encoded_source<float> encoded = model.encode(source);
    return model.logits(model.hidden(target, &encoded));
  }
  tensor<float> loss(const encoder_input& source, const decoder_input& target,
                     std::span<const std::int32_t> labels) const override {
    const encoded_source<float> encoded = model.encode(source);
    return model.loss(model.hidden(target, &encoded), labels);
  }
};

}  // namespace parlance::inline PARLANCE_ABI::models
