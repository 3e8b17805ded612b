// SPDX-License-Identifier: Apache-2.0
// The Llama decoder and its relatives (see llama_config.hpp): one definition for inference,
// training and every weight format. Sources: transformers 4.57 modeling_{llama,mistral,qwen2,qwen3,
// smollm3,gemma,gemma2,gemma3}.py.
#pragma once

#include <vector>

#include "parlance/models/decoder_input.hpp"
#include "parlance/models/llama_config.hpp"
#include "parlance/nn/activation.hpp"
#include "parlance/nn/layers.hpp"
#include "parlance/ops/loss.hpp"
#include "parlance/ops/math.hpp"
#include "parlance/ops/shape.hpp"

namespace parlance::inline PARLANCE_ABI::models {

// cos and sin of every row, (rows, rotary / 2).
template <class T>
struct rotary_angles {
  tensor<T> cos, sin;
};

template <class T>
struct llama_attention {
  nn::linear<T> q_proj, k_proj, v_proj, o_proj;
  std::optional<nn::rms_norm<T>> q_norm, k_norm;
  kernels::attention_params params;

  llama_attention(const llama_config& c, std::size_t layer)
      : q_proj(c.hidden_size, c.num_attention_heads * c.head_dim, c.qkv_bias),
        k_proj(c.hidden_size, c.num_key_value_heads * c.head_dim, c.qkv_bias),
        v_proj(c.hidden_size, c.num_key_value_heads * c.head_dim, c.qkv_bias),
        o_proj(c.num_attention_heads * c.head_dim, c.hidden_size, c.output_bias) {
    params.heads = static_cast<int>(c.num_attention_heads);
    params.kv_heads = static_cast<int>(c.num_key_value_heads);
    params.head_dim = static_cast<int>(c.head_dim);
    params.scale = static_cast<float>(c.attention_scale);
    params.window = c.windows[layer];
    params.softcap = static_cast<float>(c.attention_softcap);
    if (c.qk_norm) {
      q_norm.emplace(c.head_dim, c.rms_norm_eps, c.norm_plus_one);
      k_norm.emplace(c.head_dim, c.rms_norm_eps, c.norm_plus_one);
    }
  }

  // Norm over each head: (rows, heads * head_dim) seen as (rows * heads, head_dim).
  tensor<T> per_head(const nn::rms_norm<T>& norm, const tensor<T>& x) const {
    const shape heads{x.size() / params.head_dim, params.head_dim};
    return ops::reshape(norm(ops::reshape(x, heads)), x.dims());
  }

  tensor<T> forward(const tensor<T>& x, const rotary_angles<T>* angles, const decoder_input& in,
                    std::int64_t layer) const {
    auto [q, k, v] = nn::apply_together<T>(x, q_proj, k_proj, v_proj);
    if (q_norm) q = per_head(*q_norm, q), k = per_head(*k_norm, k);
    if (angles) {
      q = ops::rope(q, params.head_dim, angles->cos, angles->sin);
      k = ops::rope(k, params.head_dim, angles->cos, angles->sin);
    }
    return o_proj(attend(q, k, v, params, in, layer));
  }

  void visit(nn::visitor<T>& v) {
    v("q_proj", q_proj), v("k_proj", k_proj), v("v_proj", v_proj), v("o_proj", o_proj);
    v("q_norm", q_norm), v("k_norm", k_norm);
  }
};

template <class T>
struct llama_mlp {
  nn::linear<T> gate_proj, up_proj, down_proj;
  std::string act;

  explicit llama_mlp(const llama_config& c)
      : gate_proj(c.hidden_size, c.intermediate_size, c.mlp_bias),
        up_proj(c.hidden_size, c.intermediate_size, c.mlp_bias),
        down_proj(c.intermediate_size, c.hidden_size, c.mlp_bias),
        act(c.hidden_act) {}

  tensor<T> forward(const tensor<T>& x) const {
    auto [gate, up] = nn::apply_together<T>(x, gate_proj, up_proj);
    return down_proj(nn::gated(act, gate, up));
  }
  void visit(nn::visitor<T>& v) {
    v("gate_proj", gate_proj), v("up_proj", up_proj), v("down_proj", down_proj);
  }
};

template <class T>
struct llama_layer {
  nn::rms_norm<T> input_layernorm;
  llama_attention<T> self_attn;
  nn::rms_norm<T> post_attention_layernorm;
  std::optional<nn::rms_norm<T>> pre_feedforward_layernorm, post_feedforward_layernorm;
  llama_mlp<T> mlp;

  llama_layer(const llama_config& c, std::size_t layer)
      : input_layernorm(c.hidden_size, c.rms_norm_eps, c.norm_plus_one),
        self_attn(c, layer),
        post_attention_layernorm(c.hidden_size, c.rms_norm_eps, c.norm_plus_one),
        mlp(c) {
    if (!c.sandwich_norms) return;
    pre_feedforward_layernorm.emplace(c.hidden_size, c.rms_norm_eps, c.norm_plus_one);
    post_feedforward_layernorm.emplace(c.hidden_size, c.rms_norm_eps, c.norm_plus_one);
  }

  tensor<T> forward(const tensor<T>& x, const rotary_angles<T>* angles, const decoder_input& in,
                    std::int64_t layer) const {
    tensor<T> a = self_attn.forward(input_layernorm(x), angles, in, layer);
    if (pre_feedforward_layernorm) {
      const tensor<T> h = ops::add(x, post_attention_layernorm(a));
      const tensor<T> f = mlp.forward((*pre_feedforward_layernorm)(h));
      return ops::add(h, (*post_feedforward_layernorm)(f));
    }
    const tensor<T> h = ops::add(x, a);
    return ops::add(h, mlp.forward(post_attention_layernorm(h)));
  }

  void visit(nn::visitor<T>& v) {
    v("input_layernorm", input_layernorm), v("self_attn", self_attn);
    v("post_attention_layernorm", post_attention_layernorm);
    v("pre_feedforward_layernorm", pre_feedforward_layernorm);
    v("post_feedforward_layernorm", post_feedforward_layernorm);
    v("mlp", mlp);
  }
};

template <class T>
struct llama_model {
  nn::embedding<T> embed_tokens;
  std::vector<llama_layer<T>> layers;
  nn::rms_norm<T> norm;

  explicit llama_model(const llama_config& c)
      : embed_tokens(c.vocab_size, c.hidden_size),
        norm(c.hidden_size, c.rms_norm_eps, c.norm_plus_one) {
    for (std::int64_t i = 0; i < c.num_hidden_layers; ++i)
      layers.emplace_back(c, static_cast<std::size_t>(i));
  }
  void visit(nn::visitor<T>& v) {
    v("embed_tokens", embed_tokens), v("layers", layers), v("norm", norm);
  }
};

template <class T = float>
struct llama {
  using scalar = T;
  using config_type = llama_config;

  llama_config config;
  llama_model<T> model;
  std::optional<nn::linear<T>> lm_head;  // absent when tied to the embeddings

  explicit llama(const llama_config& c)
      : config(c), model(c), rotary_(c.rope, c.head_dim), local_rotary_(c.local_rope, c.head_dim) {
    if (!c.tie_word_embeddings) lm_head.emplace(c.hidden_size, c.vocab_size, false);
  }

  // Final hidden states, (rows, hidden_size).
  tensor<T> hidden(const decoder_input& in) const {
    begin_step(in);
    const detail::row_places& at = detail::positions(in);
    rotary_angles<T> global, local;
    rotary_.angles<T>(at.position, at.length, global.cos, global.sin);
    if (config.model_type == "gemma3_text")
      local_rotary_.angles<T>(at.position, at.length, local.cos, local.sin);

    tensor<T> x = model.embed_tokens(in.ids);
    if (config.embedding_scale != 1) x = ops::scale(x, static_cast<T>(config.embedding_scale));
    if (in.observe) in.observe(0, &x);
    for (std::size_t i = 0; i < model.layers.size(); ++i) {
      throw_if_stopped(in.stop, "forward");
      const rotary_angles<T>* angles = config.local_rope_layers[i] ? &local : &global;
      if (!config.rotary_layers[i]) angles = nullptr;
      x = model.layers[i].forward(x, angles, in, static_cast<std::int64_t>(i));
      if (in.observe) in.observe(static_cast<int>(i) + 1, &x);
    }
    finish_step(in);
    return model.norm(x);
  }

  const weight<T>& head() const {
    return lm_head ? lm_head->weight.value : model.embed_tokens.weight.value;
  }
  // (rows, vocab_size)
  tensor<T> logits(const tensor<T>& hidden) const {
    const tensor<T> out = ops::linear(hidden, head());
    return config.final_softcap > 0 ? ops::softcap(out, static_cast<T>(config.final_softcap)) : out;
  }
  // Mean cross entropy of each row's label (not shifted), ops::ignore_index left out.
  tensor<T> loss(const tensor<T>& hidden, std::span<const std::int32_t> labels) const {
    if (config.final_softcap > 0) return ops::cross_entropy(logits(hidden), labels);
    return ops::linear_cross_entropy(hidden, head(), labels);
  }

  nn::kv_cache::layout cache_layout() const {
    return {config.num_hidden_layers, config.num_key_value_heads, config.head_dim, format::f32};
  }
  std::int64_t vocab_size() const { return config.vocab_size; }
  std::int64_t max_positions() const { return config.max_position_embeddings; }

  void visit(nn::visitor<T>& v) { v("model", model), v("lm_head", lm_head); }

 private:
  nn::rotary rotary_, local_rotary_;
};

}  // namespace parlance::inline PARLANCE_ABI::models
