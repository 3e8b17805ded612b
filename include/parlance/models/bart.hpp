// SPDX-License-Identifier: Apache-2.0
// BART (Lewis et al. 2020) and its relatives mBART, Pegasus, Marian, M2M100 and NLLB: one
// definition, whose differences are data of bart_config.
// Source: transformers 4.57 modeling_bart.py, modeling_mbart.py, modeling_pegasus.py,
// modeling_marian.py, modeling_m2m_100.py.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "parlance/models/bart_config.hpp"
#include "parlance/models/cross_attention.hpp"
#include "parlance/nn/activation.hpp"
#include "parlance/ops/loss.hpp"

namespace parlance::inline PARLANCE_ABI::models {

template <class T>
struct bart_attention {
  nn::linear<T> k_proj, v_proj, q_proj, out_proj;
  kernels::attention_params params;

  bart_attention(std::int64_t width, std::int64_t heads, bool causal)
      : k_proj(width, width, true),
        v_proj(width, width, true),
        q_proj(width, width, true),
        out_proj(width, width, true) {
    params.heads = params.kv_heads = static_cast<int>(heads);
    params.head_dim = static_cast<int>(width / heads);
    params.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(width / heads)));
    params.causal = causal;
  }
  const nn::linear<T>& key() const { return k_proj; }
  const nn::linear<T>& value() const { return v_proj; }
  void visit(nn::visitor<T>& v) {
    v("k_proj", k_proj), v("v_proj", v_proj), v("q_proj", q_proj), v("out_proj", out_proj);
  }
};

// A layer of the encoder, or with `encoder_attn` of the decoder.
template <class T>
struct bart_layer {
  bart_attention<T> self_attn;
  nn::layer_norm<T> self_attn_layer_norm;
  std::optional<bart_attention<T>> encoder_attn;
  std::optional<nn::layer_norm<T>> encoder_attn_layer_norm;
  nn::linear<T> fc1, fc2;
  nn::layer_norm<T> final_layer_norm;
  std::string activation;
  bool pre_norm;

  bart_layer(const bart_config& c, bool decoder)
      : self_attn(c.d_model, decoder ? c.decoder_attention_heads : c.encoder_attention_heads,
                  decoder),
        self_attn_layer_norm(c.d_model, 1e-5),
        fc1(c.d_model, decoder ? c.decoder_ffn_dim : c.encoder_ffn_dim, true),
        fc2(decoder ? c.decoder_ffn_dim : c.encoder_ffn_dim, c.d_model, true),
        final_layer_norm(c.d_model, 1e-5),
        activation(c.activation_function),
        pre_norm(c.pre_norm) {
    if (!decoder) return;
    encoder_attn.emplace(c.d_model, c.decoder_attention_heads, false);
    encoder_attn_layer_norm.emplace(c.d_model, 1e-5);
  }
  const bart_attention<T>& cross_attention() const { return *encoder_attn; }

  // `attend(q, k, v, params)` of x to itself, `attend_source(q)` to the encoder's states.
  template <class Attend, class AttendSource>
  tensor<T> forward(const tensor<T>& x, const Attend& attend,
                    const AttendSource& attend_source) const {
    tensor<T> h = around(x, self_attn_layer_norm, [&](const tensor<T>& in) {
      const auto [q, k, v] =
          nn::apply_together(in, self_attn.q_proj, self_attn.k_proj, self_attn.v_proj);
      return self_attn.out_proj(attend(q, k, v, self_attn.params));
    });
    if (encoder_attn)
      h = around(h, *encoder_attn_layer_norm, [&](const tensor<T>& in) {
        return encoder_attn->out_proj(attend_source(encoder_attn->q_proj(in)));
      });
    return around(h, final_layer_norm,
                  [&](const tensor<T>& in) { return fc2(nn::activate(activation, fc1(in))); });
  }
  void visit(nn::visitor<T>& v) {
    v("self_attn", self_attn), v("self_attn_layer_norm", self_attn_layer_norm);
    v("encoder_attn", encoder_attn), v("encoder_attn_layer_norm", encoder_attn_layer_norm);
    v("fc1", fc1), v("fc2", fc2), v("final_layer_norm", final_layer_norm);
  }

 private:
  template <class Block>
  tensor<T> around(const tensor<T>& x, const nn::layer_norm<T>& norm, const Block& block) const {
    return pre_norm ? ops::add(x, block(norm(x))) : norm(ops::add(x, block(x)));
  }
};

template <class T>
struct bart_stack {
  std::optional<nn::embedding<T>> embed_positions;
  std::vector<bart_layer<T>> layers;
  std::optional<nn::layer_norm<T>> layernorm_embedding, layer_norm;

  bart_stack(const bart_config& c, bool decoder) {
    if (c.positions == bart_positions::learned)
      embed_positions.emplace(c.max_position_embeddings + 2, c.d_model);
    for (std::int64_t i = 0; i < (decoder ? c.decoder_layers : c.encoder_layers); ++i)
      layers.emplace_back(c, decoder);
    if (c.norm_embedding) layernorm_embedding.emplace(c.d_model, 1e-5);
    if (c.pre_norm) layer_norm.emplace(c.d_model, 1e-5);
  }
  void visit(nn::visitor<T>& v) {
    v("embed_positions", embed_positions), v("layers", layers);
    v("layernorm_embedding", layernorm_embedding), v("layer_norm", layer_norm);
  }
};

template <class T>
struct bart_model {
  bart_config config;
  nn::embedding<T> shared;
  bart_stack<T> encoder, decoder;
  weight<T> sinusoidal;  // where positions are not learned

  explicit bart_model(const bart_config& c)
      : config(c), shared(c.vocab_size, c.d_model), encoder(c, false), decoder(c, true) {
    if (c.positions == bart_positions::learned) return;
    tensor<T> table({c.max_position_embeddings, c.d_model});
    std::ranges::transform(sinusoids(c), table.data(), [](double x) { return static_cast<T>(x); });
    sinusoidal = weight<T>(std::move(table));
  }

  tensor<T> embed(const bart_stack<T>& stack, std::span<const std::int32_t> ids,
                  std::vector<std::int32_t> positions) const {
    for (const std::int32_t p : positions)
      if (p >= config.max_position_embeddings)
        throw option_error("position " + std::to_string(p) + " is past the model's " +
                           std::to_string(config.max_position_embeddings) + " positions");
    tensor<T> x = shared(ids);
    if (config.scale_embedding) x = ops::scale(x, std::sqrt(static_cast<T>(config.d_model)));
    if (stack.embed_positions) {
      for (std::int32_t& p : positions) p += 2;
      x = ops::add(x, (*stack.embed_positions)(positions));
    } else {
      x = ops::add(x, ops::embedding<T>(positions, sinusoidal));
    }
    return stack.layernorm_embedding ? (*stack.layernorm_embedding)(x) : x;
  }

  encoded_source<T> encode(const encoder_input& in) const {
    const std::vector<std::int64_t> offsets = detail::row_offsets(in);
    const ops::packed_rows rows(offsets);
    tensor<T> x = embed(encoder, in.ids, detail::row_positions(offsets).position);
    if (in.observe) in.observe(0, &x);
    for (std::size_t i = 0; i < encoder.layers.size(); ++i) {
      throw_if_stopped(in.stop, "encode");
      x = encoder.layers[i].forward(
          x, [&](auto& q, auto& k, auto& v, auto& p) { return ops::attention(q, k, v, p, rows); },
          [](const tensor<T>& q) { return q; });
      if (in.observe) in.observe(static_cast<int>(i) + 1, &x);
    }
    return {encoder.layer_norm ? (*encoder.layer_norm)(x) : x, offsets};
  }

  // Hidden states of the decoder's rows, from the memory of the input or else from `source`.
  tensor<T> decode(const decoder_input& in, const encoded_source<T>* source) const {
    begin_step(in);
    tensor<T> x = embed(decoder, in.ids, detail::positions(in).position);
    if (in.observe) in.observe(0, &x);
    for (std::size_t i = 0; i < decoder.layers.size(); ++i) {
      throw_if_stopped(in.stop, "forward");
      const auto layer = static_cast<std::int64_t>(i);
      const bart_attention<T>& cross = decoder.layers[i].cross_attention();
      x = decoder.layers[i].forward(
          x, [&](auto& q, auto& k, auto& v, auto& p) { return attend(q, k, v, p, in, layer); },
          [&](const tensor<T>& q) {
            return attend_source(q, cross.k_proj, cross.v_proj, cross.params, in, source, layer);
          });
      if (in.observe) in.observe(static_cast<int>(i) + 1, &x);
    }
    finish_step(in);
    return decoder.layer_norm ? (*decoder.layer_norm)(x) : x;
  }
  void visit(nn::visitor<T>& v) {
    v("shared", shared), v("encoder", encoder), v("decoder", decoder);
  }
};

template <class T = float>
struct bart {
  using scalar = T;
  using config_type = bart_config;

  bart_config config;
  bart_model<T> model;
  std::optional<nn::linear<T>> lm_head;
  // Zero unless the checkpoint has one; a buffer of the original, which is not trained.
  nn::parameter<T> final_logits_bias;

  explicit bart(const bart_config& c) : config(c), model(c) {
    if (!c.tie_word_embeddings) lm_head.emplace(c.d_model, c.vocab_size, false);
    if (!c.logits_bias) return;
    final_logits_bias = {{1, c.vocab_size}, nn::init_kind::zeros, false, {}};
    final_logits_bias.value = weight<T>(tensor<T>::zeros({1, c.vocab_size}));
  }

  encoded_source<T> encode(const encoder_input& in) const { return model.encode(in); }
  nn::kv_cache memory(const encoded_source<T>& source,
                      const nn::kv_cache::layout& l) const requires std::same_as<T, float> {
    return make_memory(source, l, model.decoder.layers);
  }
  tensor<T> hidden(const decoder_input& in, const encoded_source<T>* source) const {
    return model.decode(in, source);
  }
  tensor<T> logits(const tensor<T>& hidden) const {
    const weight<T>& head = lm_head ? lm_head->weight.stored() : model.shared.weight.stored();
    const tensor<T> bias = final_logits_bias.dense();
    return ops::linear(hidden, head, bias.defined() ? bias.view({config.vocab_size}) : bias);
  }
  tensor<T> loss(const tensor<T>& hidden, std::span<const std::int32_t> labels) const {
    return ops::cross_entropy(logits(hidden), labels);
  }
  nn::kv_cache::layout cache_layout() const {
    return {config.decoder_layers, config.decoder_attention_heads,
            config.d_model / config.decoder_attention_heads, format::f32};
  }
  std::int64_t vocab_size() const { return config.vocab_size; }
  std::int64_t max_positions() const { return config.max_position_embeddings; }
  void visit(nn::visitor<T>& v) {
    v("model", model), v("lm_head", lm_head), v("final_logits_bias", final_logits_bias);
  }
};

}  // namespace parlance::inline PARLANCE_ABI::models
