// SPDX-License-Identifier: Apache-2.0
// GPT-2 (Radford et al. 2019): learned positions, LayerNorm before each block, fused q/k/v, weights
// stored transposed (Conv1D). Source: transformers 4.57 modeling_gpt2.py.
#pragma once

#include <vector>

#include "parlance/models/config.hpp"
#include "parlance/models/decoder_input.hpp"
#include "parlance/nn/activation.hpp"
#include "parlance/nn/layers.hpp"
#include "parlance/ops/loss.hpp"
#include "parlance/ops/math.hpp"
#include "parlance/ops/shape.hpp"

namespace parlance::inline PARLANCE_ABI::models {

struct gpt2_config {
  std::int64_t vocab_size = 50257, n_positions = 1024, n_embd = 768, n_layer = 12, n_head = 12;
  std::int64_t n_inner = 3072;
  double layer_norm_epsilon = 1e-5;
  std::string activation_function = "gelu_new";
  bool scale_attn_weights = true, scale_attn_by_inverse_layer_idx = false;
  bool tie_word_embeddings = true;
};

inline gpt2_config read_gpt2_config(const json& config) {
  const config_reader c(config);
  gpt2_config m;
  m.vocab_size = c.size("vocab_size", m.vocab_size);
  m.n_positions = c.size("n_positions", m.n_positions);
  m.n_embd = c.size("n_embd", m.n_embd);
  m.n_layer = c.size("n_layer", m.n_layer);
  m.n_head = c.size("n_head", m.n_head);
  m.n_inner = c.size("n_inner", 4 * m.n_embd);
  m.layer_norm_epsilon = c.number("layer_norm_epsilon", m.layer_norm_epsilon);
  m.activation_function = c.text("activation_function", m.activation_function);
  m.scale_attn_weights = c.flag("scale_attn_weights", true);
  m.scale_attn_by_inverse_layer_idx = c.flag("scale_attn_by_inverse_layer_idx", false);
  m.tie_word_embeddings = c.flag("tie_word_embeddings", true);
  if (m.n_embd % m.n_head) c.fail("n_head", "a divisor of n_embd");
  return m;
}

template <class T>
struct gpt2_attention {
  nn::conv1d<T> c_attn, c_proj;
  kernels::attention_params params;

  gpt2_attention(const gpt2_config& c, std::int64_t layer)
      : c_attn(c.n_embd, 3 * c.n_embd), c_proj(c.n_embd, c.n_embd) {
    const std::int64_t d = c.n_embd / c.n_head;
    params.heads = params.kv_heads = static_cast<int>(c.n_head);
    params.head_dim = static_cast<int>(d);
    double scale = c.scale_attn_weights ? 1 / std::sqrt(static_cast<double>(d)) : 1;
    if (c.scale_attn_by_inverse_layer_idx) scale /= static_cast<double>(layer + 1);
    params.scale = static_cast<float>(scale);
  }
  tensor<T> forward(const tensor<T>& x, const decoder_input& in, std::int64_t layer) const {
    const tensor<T> qkv = c_attn(x);
    const std::int64_t n = x.cols();
    return c_proj(attend(ops::columns(qkv, 0, n), ops::columns(qkv, n, n),
                         ops::columns(qkv, 2 * n, n), params, in, layer));
  }
  void visit(nn::visitor<T>& v) { v("c_attn", c_attn), v("c_proj", c_proj); }
};

template <class T>
struct gpt2_mlp {
  nn::conv1d<T> c_fc, c_proj;
  std::string act;

  explicit gpt2_mlp(const gpt2_config& c)
      : c_fc(c.n_embd, c.n_inner), c_proj(c.n_inner, c.n_embd), act(c.activation_function) {}
  tensor<T> forward(const tensor<T>& x) const { return c_proj(nn::activate(act, c_fc(x))); }
  void visit(nn::visitor<T>& v) { v("c_fc", c_fc), v("c_proj", c_proj); }
};

template <class T>
struct gpt2_block {
  nn::layer_norm<T> ln_1;
  gpt2_attention<T> attn;
  nn::layer_norm<T> ln_2;
  gpt2_mlp<T> mlp;

  gpt2_block(const gpt2_config& c, std::int64_t layer)
      : ln_1(c.n_embd, c.layer_norm_epsilon),
        attn(c, layer),
        ln_2(c.n_embd, c.layer_norm_epsilon),
        mlp(c) {}
  tensor<T> forward(const tensor<T>& x, const decoder_input& in, std::int64_t layer) const {
    const tensor<T> h = ops::add(x, attn.forward(ln_1(x), in, layer));
    return ops::add(h, mlp.forward(ln_2(h)));
  }
  void visit(nn::visitor<T>& v) {
    v("ln_1", ln_1), v("attn", attn), v("ln_2", ln_2), v("mlp", mlp);
  }
};

template <class T>
struct gpt2_model {
  nn::embedding<T> wte, wpe;
  std::vector<gpt2_block<T>> h;
  nn::layer_norm<T> ln_f;

  explicit gpt2_model(const gpt2_config& c)
      : wte(c.vocab_size, c.n_embd),
        wpe(c.n_positions, c.n_embd),
        ln_f(c.n_embd, c.layer_norm_epsilon) {
    for (std::int64_t i = 0; i < c.n_layer; ++i) h.emplace_back(c, i);
  }
  void visit(nn::visitor<T>& v) { v("wte", wte), v("wpe", wpe), v("h", h), v("ln_f", ln_f); }
};

template <class T = float>
struct gpt2 {
  using scalar = T;
  using config_type = gpt2_config;

  gpt2_config config;
  gpt2_model<T> transformer;
  std::optional<nn::linear<T>> lm_head;

  explicit gpt2(const gpt2_config& c) : config(c), transformer(c) {
    if (!c.tie_word_embeddings) lm_head.emplace(c.n_embd, c.vocab_size, false);
  }

  tensor<T> hidden(const decoder_input& in) const {
    const std::vector<std::int32_t>& at = detail::positions(in).position;
    for (const std::int32_t p : at)
      if (p >= config.n_positions)
        throw option_error("gpt2: position " + std::to_string(p) + " is past the model's " +
                           std::to_string(config.n_positions) + " positions");
    begin_step(in);
    tensor<T> x = ops::add(transformer.wte(in.ids), transformer.wpe(at));
    if (in.observe) in.observe(0, &x);
    for (std::size_t i = 0; i < transformer.h.size(); ++i) {
      throw_if_stopped(in.stop, "forward");
      x = transformer.h[i].forward(x, in, static_cast<std::int64_t>(i));
      if (in.observe) in.observe(static_cast<int>(i) + 1, &x);
    }
    finish_step(in);
    return transformer.ln_f(x);
  }
  const weight<T>& head() const {
    return lm_head ? lm_head->weight.value : transformer.wte.weight.value;
  }
  tensor<T> logits(const tensor<T>& hidden) const { return ops::linear(hidden, head()); }
  tensor<T> loss(const tensor<T>& hidden, std::span<const std::int32_t> labels) const {
    return ops::linear_cross_entropy(hidden, head(), labels);
  }
  nn::kv_cache::layout cache_layout() const {
    return {config.n_layer, config.n_head, config.n_embd / config.n_head, format::f32};
  }
  std::int64_t vocab_size() const { return config.vocab_size; }
  std::int64_t max_positions() const { return config.n_positions; }

  void visit(nn::visitor<T>& v) { v("transformer", transformer), v("lm_head", lm_head); }
};

}  // namespace parlance::inline PARLANCE_ABI::models
