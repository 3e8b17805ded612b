// SPDX-License-Identifier: Apache-2.0
// ModernBERT (Warner et al. 2024): norms before each block, rotary positions, a window in most
// layers, gated feed-forward, no biases. Source: transformers 4.57 modeling_modernbert.py.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "parlance/models/bert.hpp"
#include "parlance/nn/rotary.hpp"

namespace parlance::inline PARLANCE_ABI::models {

struct modernbert_config : encoder_config {
  std::int64_t intermediate_size = 1152, num_hidden_layers = 22, num_attention_heads = 12;
  std::string hidden_activation = "gelu";
  bool norm_bias = false, attention_bias = false, mlp_bias = false;
  double global_rope_theta = 160000, local_rope_theta = 10000;
  std::int64_t global_attn_every_n_layers = 3, local_attention = 128;

  bool global(std::size_t layer) const {
    return layer % static_cast<std::size_t>(global_attn_every_n_layers) == 0;
  }
};

inline modernbert_config read_modernbert_config(const json& config) {
  const config_reader c(config);
  modernbert_config m;
  m.prefix = "model";
  m.vocab_size = c.size("vocab_size", 50368);
  m.hidden_size = m.embedding_size = c.size("hidden_size", 768);
  m.intermediate_size = c.size("intermediate_size", m.intermediate_size);
  m.num_hidden_layers = c.size("num_hidden_layers", m.num_hidden_layers);
  m.num_attention_heads = c.size("num_attention_heads", m.num_attention_heads);
  if (m.hidden_size % m.num_attention_heads || m.hidden_size / m.num_attention_heads % 2)
    c.fail("num_attention_heads", "a divisor of the hidden size that gives even heads");
  m.hidden_activation = c.text("hidden_activation", m.hidden_activation);
  m.max_positions = c.size("max_position_embeddings", 8192);
  m.norm_eps = c.number("norm_eps", 1e-5);
  m.norm_bias = c.flag("norm_bias", false);
  m.attention_bias = c.flag("attention_bias", false);
  m.mlp_bias = c.flag("mlp_bias", false);
  m.global_rope_theta = c.number("global_rope_theta", m.global_rope_theta);
  m.local_rope_theta = c.has("local_rope_theta")             ? c.number("local_rope_theta")
                       : config.contains("local_rope_theta") ? m.global_rope_theta
                                                             : m.local_rope_theta;
  m.global_attn_every_n_layers = c.size("global_attn_every_n_layers", 3);
  m.local_attention = c.size("local_attention", 128);
  m.tie_word_embeddings = c.flag("tie_word_embeddings", true);
  m.labels = read_labels(c);
  const std::string pooling = c.text("classifier_pooling", "cls");
  if (pooling != "cls" && pooling != "mean") c.fail("classifier_pooling", "cls or mean");
  m.masked = {"head.dense", c.text("classifier_activation", "gelu"), "head.norm",
              "decoder",    c.flag("classifier_bias", false),        m.norm_bias,
              false};
  if (c.flag("decoder_bias", true)) m.masked_bias = "decoder.bias";
  m.token = m.question = m.masked;
  m.token.out = m.question.out = "classifier";
  m.sequence = m.choice = m.token;
  m.sequence.mean = m.choice.mean = pooling == "mean";
  return m;
}

template <class T>
struct modernbert_attention {
  nn::linear<T> Wqkv, Wo;
  kernels::attention_params params;

  modernbert_attention(const modernbert_config& c, std::size_t layer)
      : Wqkv(c.hidden_size, 3 * c.hidden_size, c.attention_bias),
        Wo(c.hidden_size, c.hidden_size, c.attention_bias) {
    params.heads = params.kv_heads = static_cast<int>(c.num_attention_heads);
    params.head_dim = static_cast<int>(c.hidden_size / c.num_attention_heads);
    params.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(params.head_dim)));
    params.causal = false;
    // Distances up to half of local_attention are seen.
    if (!c.global(layer)) params.window = c.local_attention / 2 + 1;
  }
  tensor<T> forward(const tensor<T>& x, const ops::packed_rows& rows, const tensor<T>& cos,
                    const tensor<T>& sin) const {
    const tensor<T> qkv = Wqkv(x);
    const std::int64_t n = x.cols();
    const auto part = [&](std::int64_t i) { return ops::columns(qkv, i * n, n); };
    return Wo(ops::attention(ops::rope(part(0), params.head_dim, cos, sin),
                             ops::rope(part(1), params.head_dim, cos, sin), part(2), params, rows));
  }
  void visit(nn::visitor<T>& v) { v("Wqkv", Wqkv), v("Wo", Wo); }
};

template <class T>
struct modernbert_mlp {
  nn::linear<T> Wi, Wo;
  std::string act;

  explicit modernbert_mlp(const modernbert_config& c)
      : Wi(c.hidden_size, 2 * c.intermediate_size, c.mlp_bias),
        Wo(c.intermediate_size, c.hidden_size, c.mlp_bias),
        act(c.hidden_activation) {}
  tensor<T> forward(const tensor<T>& x) const {
    const tensor<T> both = Wi(x);
    const std::int64_t n = both.cols() / 2;
    return Wo(nn::gated(act, ops::columns(both, 0, n), ops::columns(both, n, n)));
  }
  void visit(nn::visitor<T>& v) { v("Wi", Wi), v("Wo", Wo); }
};

template <class T>
struct modernbert_layer {
  std::optional<nn::layer_norm<T>> attn_norm;  // the first layer has none
  modernbert_attention<T> attn;
  nn::layer_norm<T> mlp_norm;
  modernbert_mlp<T> mlp;

  modernbert_layer(const modernbert_config& c, std::size_t layer)
      : attn(c, layer), mlp_norm(c.hidden_size, c.norm_eps, c.norm_bias), mlp(c) {
    if (layer > 0) attn_norm.emplace(c.hidden_size, c.norm_eps, c.norm_bias);
  }
  tensor<T> forward(const tensor<T>& x, const ops::packed_rows& rows, const tensor<T>& cos,
                    const tensor<T>& sin) const {
    const tensor<T> h = ops::add(x, attn.forward(attn_norm ? (*attn_norm)(x) : x, rows, cos, sin));
    return ops::add(h, mlp.forward(mlp_norm(h)));
  }
  void visit(nn::visitor<T>& v) {
    v("attn_norm", attn_norm), v("attn", attn), v("mlp_norm", mlp_norm), v("mlp", mlp);
  }
};

template <class T = float>
struct modernbert {
  using scalar = T;
  using config_type = modernbert_config;

  modernbert_config config;
  nn::embedding<T> tok_embeddings;
  nn::layer_norm<T> norm;
  std::vector<modernbert_layer<T>> layers;
  nn::layer_norm<T> final_norm;

  explicit modernbert(const modernbert_config& c)
      : config(c),
        tok_embeddings(c.vocab_size, c.hidden_size),
        norm(c.hidden_size, c.norm_eps, c.norm_bias),
        final_norm(c.hidden_size, c.norm_eps, c.norm_bias),
        global_rotary_(rotary_of(c, c.global_rope_theta)),
        local_rotary_(rotary_of(c, c.local_rope_theta)) {
    for (std::int64_t i = 0; i < c.num_hidden_layers; ++i)
      layers.emplace_back(c, static_cast<std::size_t>(i));
  }

  // (rows, hidden_size)
  tensor<T> hidden(const encoder_input& in) const {
    const kernels::one_row_path same_bits;
    const ops::packed_rows rows(detail::row_offsets(in));
    const detail::row_positions at(rows.q);
    detail::check_length(at.longest, config.max_positions);
    const std::vector<std::int64_t> lengths(at.position.size());  // frequencies are fixed
    tensor<T> cos[2], sin[2];
    global_rotary_.angles<T>(at.position, lengths, cos[0], sin[0]);
    local_rotary_.angles<T>(at.position, lengths, cos[1], sin[1]);
    tensor<T> x = norm(tok_embeddings(in.ids));
    if (in.observe) in.observe(0, &x);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      throw_if_stopped(in.stop, "forward");
      const int kind = config.global(i) ? 0 : 1;
      x = layers[i].forward(x, rows, cos[kind], sin[kind]);
      if (in.observe) in.observe(static_cast<int>(i) + 1, &x);
    }
    return final_norm(x);
  }
  const nn::embedding<T>& word_embeddings() const { return tok_embeddings; }

  void visit(nn::visitor<T>& v) {
    v("embeddings.tok_embeddings", tok_embeddings), v("embeddings.norm", norm);
    v("layers", layers), v("final_norm", final_norm);
  }

 private:
  static nn::rotary rotary_of(const modernbert_config& c, double theta) {
    nn::rope_settings settings;
    settings.theta = theta;
    return nn::rotary(settings, c.hidden_size / c.num_attention_heads);
  }

  nn::rotary global_rotary_, local_rotary_;
};

}  // namespace parlance::inline PARLANCE_ABI::models
