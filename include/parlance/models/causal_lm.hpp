// SPDX-License-Identifier: Apache-2.0
// The task interface of decoder-only language models, and the adapter that gives it to a concrete
// model. Virtual calls happen once per forward pass, never inside.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "parlance/io/bind.hpp"
#include "parlance/models/decoder_input.hpp"
#include "parlance/ops/shape.hpp"

namespace parlance::inline PARLANCE_ABI::models {

class causal_lm {
 public:
  virtual ~causal_lm() = default;

  // Logits of the given rows of the input (all rows when empty): (rows, vocab_size).
  virtual tensor<float> logits(const decoder_input& in,
                               std::span<const std::int64_t> rows = {}) const = 0;
  // The last hidden states, normed: (rows, hidden size).
  virtual tensor<float> hidden(const decoder_input& in) const = 0;
  // Mean cross entropy against labels[i], the id that should follow row i; differentiable.
  virtual tensor<float> loss(const decoder_input& in,
                             std::span<const std::int32_t> labels) const = 0;
  virtual nn::kv_cache make_cache(std::int64_t sequences, format element) const = 0;
  virtual std::int64_t vocab_size() const = 0;
  virtual std::int64_t max_positions() const = 0;
  virtual void visit(nn::visitor<float>& v) = 0;
  virtual void save_weights(const std::filesystem::path& folder) = 0;

  const json& config() const { return config_; }
  const json& generation_config() const { return generation_config_; }
  // Precision of the keys and values that suits the weights: as exact as the arithmetic on them.
  format cache_element() const { return cache_element_; }

  // config.json, generation_config.json and model.safetensors, as transformers reads them.
  void save_pretrained(const std::filesystem::path& folder) {
    std::filesystem::create_directories(folder);
    save_weights(folder);
    write_atomic(folder / "config.json", config_.dump(2) + "\n");
    if (!generation_config_.is_null())
      write_atomic(folder / "generation_config.json", generation_config_.dump(2) + "\n");
  }

 protected:
  json config_, generation_config_;
  format cache_element_ = format::f32;
  friend struct causal_lm_access;
};

// What loaders set on a new model.
struct causal_lm_access {
  static void set(causal_lm& m, json config, json generation_config, format cache_element) {
    m.config_ = std::move(config);
    m.generation_config_ = std::move(generation_config);
    m.cache_element_ = cache_element;
  }
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
