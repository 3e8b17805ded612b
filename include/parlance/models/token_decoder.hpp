// SPDX-License-Identifier: Apache-2.0
// What decoding drives: a decoder with a cache, whether it continues prompts or reads what an
// encoder made (seq2seq_lm.hpp). Virtual calls happen once per forward pass, never inside.
#pragma once

#include <filesystem>
#include <string>

#include "parlance/io/bind.hpp"
#include "parlance/models/decoder_input.hpp"

namespace parlance::inline PARLANCE_ABI::models {

class token_decoder {
 public:
  virtual ~token_decoder() = default;

  // Logits of the given rows of the input (all rows when empty): (rows, vocab_size).
  virtual tensor<float> logits(const decoder_input& in,
                               std::span<const std::int64_t> rows = {}) const = 0;
  virtual nn::kv_cache make_cache(std::int64_t sequences, format element) const = 0;
  virtual std::int64_t vocab_size() const = 0;
  // Positions that there are; 0: any number.
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
  friend struct token_decoder_access;
};

// What loaders set on a new model.
struct token_decoder_access {
  static void set(token_decoder& m, json config, json generation_config, format cache_element) {
    m.config_ = std::move(config);
    m.generation_config_ = std::move(generation_config);
    m.cache_element_ = cache_element;
  }
};

// What every concrete model answers alike. Interface: causal_lm or seq2seq_lm; Model:
// cache_layout(), vocab_size(), max_positions(), visit().
template <class Model, class Interface>
class token_decoder_of : public Interface {
 public:
  explicit token_decoder_of(const typename Model::config_type& c) : model(c) {}

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
