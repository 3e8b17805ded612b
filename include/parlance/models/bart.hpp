// SPDX-License-Identifier: Apache-2.0
// BART (Lewis et al. 2020) and its relatives mBART, Pegasus, Marian, M2M100 and NLLB: one
// definition, whose differences are data of bart_config.
// Source: transformers 4.57 modeling_bart.py, modeling_mbart.py, modeling_pegasus.py,
// modeling_marian.py, modeling_m2m_100.py.
#pragma once

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "parlance/models/bart_config.hpp"
#include "parlance/models/cross_attention.hpp"
#include "parlance/nn/activation.hpp"
#include "parlance/ops/loss.hpp"

namespace parlance::inline PARLANCE_ABI::models {

// Attention of the encoder to itself, of the decoder to itself, or to the encoder's states.
template <class T>
struct bart_attention {
  nn::linear<T> k_proj, v_proj, q_proj, out_proj;
  kernels::attention_params params;

  bart_attention(const bart_config& c, bool decoder, std::int64_t /*layer*/)
      : k_proj(c.d_model, c.d_model, true),
        v_proj(c.d_model, c.d_model, true),
        q_proj(c.d_model, c.d_model, true),
        out_proj(c.d_model, c.d_model, true),
        params(params_of(c, decoder)) {
    params.causal = decoder;
  }
  const nn::linear<T>& key() const { return k_proj; }
  const nn::linear<T>& value() const { return v_proj; }

  // `attend(q, k, v, params)`
  template <class Attend>
  tensor<T> forward(const tensor<T>& x, const Attend& attend) const {
    const auto [q, k, v] = nn::apply_together(x, q_proj, k_proj, v_proj);
    return out_proj(attend(q, k, v, params));
  }
  tensor<T> encode(const tensor<T>& x, const ops::packed_rows& rows, const encoder_input&) const {
    return forward(
        x, [&](auto& q, auto& k, auto& v, auto& p) { return ops::attention(q, k, v, p, rows); });
  }
  void visit(nn::visitor<T>& v) {
    v("k_proj", k_proj), v("v_proj", v_proj), v("q_proj", q_proj), v("out_proj", out_proj);
  }
  static kernels::attention_params params_of(const bart_config& c, bool decoder) {
    const std::int64_t heads = decoder ? c.decoder_attention_heads : c.encoder_attention_heads;
    kernels::attention_params p;
    p.heads = p.kv_heads = static_cast<int>(heads);
    p.head_dim = static_cast<int>(c.d_model / heads);
    p.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(p.head_dim)));
    p.causal = false;
    return p;
  }
};

// A layer of the encoder, or with `encoder_attn` of the decoder.
template <class T, class SelfAttention = bart_attention<T>>
struct bart_layer {
  SelfAttention self_attn;
  nn::layer_norm<T> self_attn_layer_norm;
  std::optional<bart_attention<T>> encoder_attn;
  std::optional<nn::layer_norm<T>> encoder_attn_layer_norm;
  nn::linear<T> fc1, fc2;
  nn::layer_norm<T> final_layer_norm;
  std::string activation;
  bool pre_norm;

  bart_layer(const bart_config& c, bool decoder, std::int64_t layer)
      : self_attn(c, decoder, layer),
        self_attn_layer_norm(c.d_model, 1e-5),
        fc1(c.d_model, decoder ? c.decoder_ffn_dim : c.encoder_ffn_dim, true),
        fc2(decoder ? c.decoder_ffn_dim : c.encoder_ffn_dim, c.d_model, true),
        final_layer_norm(c.d_model, 1e-5),
        activation(c.activation_function),
        pre_norm(c.pre_norm) {
    if (!decoder) return;
    encoder_attn.emplace(c, decoder, layer);
    encoder_attn->params.causal = false;
    encoder_attn_layer_norm.emplace(c.d_model, 1e-5);
  }
  const bart_attention<T>& cross_attention() const { return *encoder_attn; }

  // `attend(x)` is the attention of x to itself, `attend_source(q)` to the encoder's states.
  template <class Attend, class AttendSource>
  tensor<T> forward(const tensor<T>& x, const Attend& attend,
                    const AttendSource& attend_source) const {
    tensor<T> h = around(x, self_attn_layer_norm, attend);
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

template <class T, class Layer>
struct bart_stack {
  std::optional<nn::embedding<T>> embed_tokens;  // where source and target share none
  std::optional<nn::embedding<T>> embed_positions;
  std::vector<Layer> layers;
  std::optional<nn::layer_norm<T>> layernorm_embedding, layer_norm;
  std::int64_t positions;

  bart_stack(const bart_config& c, bool decoder)
      : positions(decoder ? c.max_target_positions : c.max_source_positions) {
    if (!c.shared_embeddings) embed_tokens.emplace(c.vocab_size, c.d_model);
    if (c.positions == bart_positions::learned)
      embed_positions.emplace(positions + c.position_offset, c.d_model);
    for (std::int64_t i = 0; i < (decoder ? c.decoder_layers : c.encoder_layers); ++i)
      layers.emplace_back(c, decoder, i);
    if (c.norm_embedding) layernorm_embedding.emplace(c.d_model, 1e-5);
    if (c.pre_norm) layer_norm.emplace(c.d_model, 1e-5);
  }
  void visit(nn::visitor<T>& v) {
    v("embed_tokens", embed_tokens), v("embed_positions", embed_positions), v("layers", layers);
    v("layernorm_embedding", layernorm_embedding), v("layer_norm", layer_norm);
  }
};

// EncoderAttention: encode(x, rows, input) and visit(), made of (config, decoder, layer).
template <class T, class EncoderAttention = bart_attention<T>>
struct bart_model {
  bart_config config;
  std::optional<nn::embedding<T>> shared;
  bart_stack<T, bart_layer<T, EncoderAttention>> encoder;
  bart_stack<T, bart_layer<T>> decoder;
  weight<T> sinusoidal;  // where positions are not learned

  explicit bart_model(const bart_config& c) : config(c), encoder(c, false), decoder(c, true) {
    if (c.shared_embeddings) shared.emplace(c.vocab_size, c.d_model);
    if (c.positions == bart_positions::learned) return;
    std::vector<std::int32_t> all(static_cast<std::size_t>(c.max_source_positions));
    std::iota(all.begin(), all.end(), 0);
    sinusoidal = weight<T>(sinusoids(all));
  }

  tensor<T> sinusoids(std::span<const std::int32_t> positions) const {
    tensor<T> out({static_cast<std::int64_t>(positions.size()), config.d_model});
    for (std::size_t i = 0; i < positions.size(); ++i)
      std::ranges::transform(sinusoid(config, positions[i]), out.row(static_cast<std::int64_t>(i)),
                             [](double x) { return static_cast<T>(x); });
    return out;
  }

  template <class Stack>
  const nn::embedding<T>& tokens(const Stack& stack) const {
    return stack.embed_tokens ? *stack.embed_tokens : *shared;
  }
  template <class Stack>
  tensor<T> embed(const Stack& stack, std::span<const std::int32_t> ids,
                  std::vector<std::int32_t> positions) const {
    const std::int32_t last = positions.empty() ? 0 : std::ranges::max(positions);
    const bool beyond = last >= stack.positions;
    if (beyond && config.positions != bart_positions::m2m100)
      throw option_error("position " + std::to_string(stack.positions) + " is past the model's " +
                         std::to_string(stack.positions) + " positions");
    tensor<T> x = tokens(stack)(ids);
    if (config.scale_embedding) x = ops::scale(x, std::sqrt(static_cast<T>(config.d_model)));
    if (stack.embed_positions) {
      for (std::int32_t& p : positions) p += static_cast<std::int32_t>(config.position_offset);
      x = ops::add(x, (*stack.embed_positions)(positions));
    } else {
      x = ops::add(x, beyond ? sinusoids(positions) : ops::embedding<T>(positions, sinusoidal));
    }
    return stack.layernorm_embedding ? (*stack.layernorm_embedding)(x) : x;
  }

  encoded_source<T> encode(const encoder_input& in) const {
    const kernels::one_row_path same_bits;
    const std::vector<std::int64_t> offsets = detail::row_offsets(in);
    const ops::packed_rows rows(offsets);
    tensor<T> x = embed(encoder, in.ids, detail::row_positions(offsets).position);
    if (in.observe) in.observe(0, &x);
    for (std::size_t i = 0; i < encoder.layers.size(); ++i) {
      throw_if_stopped(in.stop, "encode");
      const auto& layer = encoder.layers[i];
      x = layer.forward(
          x, [&](const tensor<T>& h) { return layer.self_attn.encode(h, rows, in); },
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
      const auto index = static_cast<std::int64_t>(i);
      const bart_layer<T>& layer = decoder.layers[i];
      const bart_attention<T>& cross = layer.cross_attention();
      x = layer.forward(
          x,
          [&](const tensor<T>& h) {
            return layer.self_attn.forward(h, [&](auto& q, auto& k, auto& v, auto& p) {
              return attend(q, k, v, p, in, index);
            });
          },
          [&](const tensor<T>& q) {
            return attend_source(q, cross.k_proj, cross.v_proj, cross.params, in, source, index);
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

template <class T, class EncoderAttention>
struct bart_lm {
  using scalar = T;
  using config_type = bart_config;

  bart_config config;
  bart_model<T, EncoderAttention> model;
  std::optional<nn::linear<T>> lm_head;
  // Zero unless the checkpoint has one; a buffer of the original, which is not trained.
  nn::parameter<T> final_logits_bias;

  explicit bart_lm(const bart_config& c) : config(c), model(c) {
    const std::int64_t outputs = c.target_vocab_size();
    if (!c.tie_word_embeddings) lm_head.emplace(c.d_model, outputs, false);
    if (!c.logits_bias) return;
    final_logits_bias = {{1, outputs}, nn::init_kind::zeros, false, {}};
    final_logits_bias.value = weight<T>(tensor<T>::zeros({1, outputs}));
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
    const weight<T>& head =
        lm_head ? lm_head->weight.stored() : model.tokens(model.decoder).weight.stored();
    const tensor<T> bias = final_logits_bias.dense();
    return ops::linear(hidden, head, bias.defined() ? bias.view({vocab_size()}) : bias);
  }
  tensor<T> loss(const tensor<T>& hidden, std::span<const std::int32_t> labels) const {
    return ops::cross_entropy(logits(hidden), labels);
  }
  nn::kv_cache::layout cache_layout() const {
    return {config.decoder_layers, config.decoder_attention_heads,
            config.d_model / config.decoder_attention_heads, format::f32};
  }
  std::int64_t vocab_size() const { return config.target_vocab_size(); }
  std::int64_t max_positions() const { return endless() ? 0 : config.max_target_positions; }
  std::int64_t max_source_positions() const { return endless() ? 0 : config.max_source_positions; }
  void visit(nn::visitor<T>& v) {
    v(config.base_name, model), v("lm_head", lm_head);
    v("final_logits_bias", final_logits_bias);
  }

 private:
  bool endless() const { return config.positions == bart_positions::m2m100; }
};

template <class T = float>
struct bart : bart_lm<T, bart_attention<T>> {
  using bart_lm<T, bart_attention<T>>::bart_lm;
};

}  // namespace parlance::inline PARLANCE_ABI::models
