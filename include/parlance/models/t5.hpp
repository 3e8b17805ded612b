// SPDX-License-Identifier: Apache-2.0
// T5 (Raffel et al. 2020): v1, v1.1 and Flan (gated), mT5, umT5. Norms without mean before each
// block, no biases, positions only as a learned bias on the scores of self-attention, which the
// first layer holds for all (umT5: each its own).
// Source: transformers 4.57 modeling_t5.py, modeling_mt5.py, modeling_umt5.py.
#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "parlance/models/config.hpp"
#include "parlance/models/cross_attention.hpp"
#include "parlance/nn/activation.hpp"
#include "parlance/nn/relative_position.hpp"
#include "parlance/ops/loss.hpp"

namespace parlance::inline PARLANCE_ABI::models {

struct t5_config {
  std::int64_t vocab_size = 32128, d_model = 512, d_kv = 64, d_ff = 2048;
  std::int64_t num_layers = 6, num_decoder_layers = 6, num_heads = 8;
  std::int64_t relative_attention_num_buckets = 32, relative_attention_max_distance = 128;
  double layer_norm_epsilon = 1e-6;
  std::string activation = "relu";
  bool gated = false, tie_word_embeddings = true;
  bool bias_in_every_layer = false;
};

inline t5_config read_t5_config(const json& config) {
  const config_reader c(config);
  const std::string type = c.text("model_type", "t5");
  t5_config m;
  m.vocab_size = c.size("vocab_size", type == "t5" ? 32128 : 250112);
  m.d_model = c.size("d_model", 512);
  m.d_kv = c.size("d_kv", 64);
  m.d_ff = c.size("d_ff", type == "t5" ? 2048 : 1024);
  m.num_layers = c.size("num_layers", type == "t5" ? 6 : 8);
  m.num_decoder_layers = c.size("num_decoder_layers", m.num_layers);
  m.num_heads = c.size("num_heads", type == "t5" ? 8 : 6);
  m.relative_attention_num_buckets = c.size("relative_attention_num_buckets", 32);
  m.relative_attention_max_distance = c.size("relative_attention_max_distance", 128);
  m.layer_norm_epsilon = c.number("layer_norm_epsilon", 1e-6);
  m.tie_word_embeddings = c.flag("tie_word_embeddings", type != "mt5");
  m.bias_in_every_layer = type == "umt5";
  const std::string act = c.text("feed_forward_proj", type == "t5" ? "relu" : "gated-gelu");
  m.gated = act.starts_with("gated-");
  m.activation = m.gated ? act.substr(6) : act;
  if (act == "gated-gelu") m.activation = "gelu_new";
  return m;
}

template <class T>
struct t5_attention {
  nn::linear<T> q, k, v, o;
  std::optional<nn::embedding<T>> relative_attention_bias;
  kernels::attention_params params;

  t5_attention(const t5_config& c, bool causal, bool with_bias)
      : q(c.d_model, c.num_heads * c.d_kv, false),
        k(c.d_model, c.num_heads * c.d_kv, false),
        v(c.d_model, c.num_heads * c.d_kv, false),
        o(c.num_heads * c.d_kv, c.d_model, false) {
    if (with_bias) relative_attention_bias.emplace(c.relative_attention_num_buckets, c.num_heads);
    params.heads = params.kv_heads = static_cast<int>(c.num_heads);
    params.head_dim = static_cast<int>(c.d_kv);
    params.causal = causal;
  }
  const nn::linear<T>& key() const { return k; }
  const nn::linear<T>& value() const { return v; }
  void visit(nn::visitor<T>& visitor) {
    visitor("q", q), visitor("k", k), visitor("v", v), visitor("o", o);
    visitor("relative_attention_bias", relative_attention_bias);
  }
};

template <class T>
struct t5_feed_forward {
  std::optional<nn::linear<T>> wi, wi_0, wi_1;
  nn::linear<T> wo;
  std::string activation;

  explicit t5_feed_forward(const t5_config& c)
      : wo(c.d_ff, c.d_model, false), activation(c.activation) {
    if (!c.gated) {
      wi.emplace(c.d_model, c.d_ff, false);
      return;
    }
    wi_0.emplace(c.d_model, c.d_ff, false);
    wi_1.emplace(c.d_model, c.d_ff, false);
  }
  tensor<T> operator()(const tensor<T>& x) const {
    if (wi) return wo(nn::activate(activation, (*wi)(x)));
    const auto [gate, up] = nn::apply_together(x, *wi_0, *wi_1);
    return wo(nn::gated(activation, gate, up));
  }
  void visit(nn::visitor<T>& v) { v("wi", wi), v("wi_0", wi_0), v("wi_1", wi_1), v("wo", wo); }
};

// One sub-layer, called `name` in the checkpoint, with the norm before it.
template <class T, class Part>
struct t5_sublayer {
  std::string name;
  Part part;
  nn::rms_norm<T> layer_norm;

  t5_sublayer(std::string segment, const t5_config& c, Part p)
      : name(std::move(segment)), part(std::move(p)), layer_norm(c.d_model, c.layer_norm_epsilon) {}
  void visit(nn::visitor<T>& v) { v(name, part), v("layer_norm", layer_norm); }
};

template <class T>
struct t5_block {
  t5_sublayer<T, t5_attention<T>> self;
  std::optional<t5_sublayer<T, t5_attention<T>>> cross;
  t5_sublayer<T, t5_feed_forward<T>> feed_forward;

  t5_block(const t5_config& c, bool decoder, bool with_bias)
      : self("SelfAttention", c, {c, decoder, with_bias}),
        feed_forward("DenseReluDense", c, t5_feed_forward<T>(c)) {
    if (decoder) cross.emplace("EncDecAttention", c, t5_attention<T>(c, false, false));
  }
  const t5_attention<T>& cross_attention() const { return cross->part; }

  tensor<T> attend_to_source(const tensor<T>& x, const decoder_input& in,
                             const encoded_source<T>* source, std::int64_t layer) const {
    const t5_attention<T>& a = cross->part;
    return ops::add(
        x, a.o(attend_source(a.q(cross->layer_norm(x)), a.k, a.v, a.params, in, source, layer)));
  }
  // x + attention, by `attend(q, k, v, params)`, of x to itself.
  template <class Attend>
  tensor<T> attend_to_self(const tensor<T>& x, const Attend& attend) const {
    const t5_attention<T>& a = self.part;
    const auto [q, k, v] = nn::apply_together(self.layer_norm(x), a.q, a.k, a.v);
    return ops::add(x, a.o(attend(q, k, v, a.params)));
  }
  tensor<T> feed(const tensor<T>& x) const {
    return ops::add(x, feed_forward.part(feed_forward.layer_norm(x)));
  }
  void visit(nn::visitor<T>& v) {
    v("layer.0", self);
    if (cross) v("layer.1", *cross);
    v(cross ? "layer.2" : "layer.1", feed_forward);
  }
};

template <class T>
struct t5_stack {
  std::vector<t5_block<T>> block;
  nn::rms_norm<T> final_layer_norm;
  nn::relative_buckets buckets;

  t5_stack(const t5_config& c, bool decoder)
      : final_layer_norm(c.d_model, c.layer_norm_epsilon),
        buckets{c.relative_attention_num_buckets, c.relative_attention_max_distance, !decoder} {
    const std::int64_t layers = decoder ? c.num_decoder_layers : c.num_layers;
    for (std::int64_t i = 0; i < layers; ++i)
      block.emplace_back(c, decoder, i == 0 || c.bias_in_every_layer);
  }
  // The bias of layer `i`, given that of the layer before it.
  ops::score_bias<T> bias(std::size_t i, std::int64_t longest, ops::score_bias<T> before) const {
    const auto& own = block[i].self.part.relative_attention_bias;
    return own ? nn::relative_bias(*own, buckets, longest) : before;
  }
  void visit(nn::visitor<T>& v) { v("block", block), v("final_layer_norm", final_layer_norm); }
};

template <class T = float>
struct t5 {
  using scalar = T;
  using config_type = t5_config;

  t5_config config;
  nn::embedding<T> shared;
  t5_stack<T> encoder, decoder;
  std::optional<nn::linear<T>> lm_head;

  explicit t5(const t5_config& c)
      : config(c), shared(c.vocab_size, c.d_model), encoder(c, false), decoder(c, true) {
    if (!c.tie_word_embeddings) lm_head.emplace(c.d_model, c.vocab_size, false);
  }

  encoded_source<T> encode(const encoder_input& in) const {
    const kernels::one_row_path same_bits;
    const std::vector<std::int64_t> offsets = detail::row_offsets(in);
    const std::int64_t longest = detail::row_positions(offsets).longest;
    const ops::packed_rows rows(offsets);
    tensor<T> x = shared(in.ids);
    if (in.observe) in.observe(0, &x);
    ops::score_bias<T> bias;
    for (std::size_t i = 0; i < encoder.block.size(); ++i) {
      throw_if_stopped(in.stop, "encode");
      const t5_block<T>& block = encoder.block[i];
      bias = encoder.bias(i, longest, bias);
      x = block.feed(block.attend_to_self(x, [&](auto& q, auto& k, auto& v, auto& p) {
        return ops::attention(q, k, v, p, rows, bias);
      }));
      if (in.observe) in.observe(static_cast<int>(i) + 1, &x);
    }
    return {encoder.final_layer_norm(x), offsets};
  }
  nn::kv_cache memory(const encoded_source<T>& source,
                      const nn::kv_cache::layout& l) const requires std::same_as<T, float> {
    return make_memory(source, l, decoder.block);
  }

  // Hidden states of the decoder's rows, from the memory of the input or else from `source`.
  tensor<T> hidden(const decoder_input& in, const encoded_source<T>* source) const {
    const std::int64_t longest = std::ranges::max(detail::positions(in).length);
    begin_step(in);
    tensor<T> x = shared(in.ids);
    if (in.observe) in.observe(0, &x);
    ops::score_bias<T> bias;
    for (std::size_t i = 0; i < decoder.block.size(); ++i) {
      throw_if_stopped(in.stop, "forward");
      const auto layer = static_cast<std::int64_t>(i);
      const t5_block<T>& block = decoder.block[i];
      bias = decoder.bias(i, longest, bias);
      x = block.attend_to_self(x, [&](auto& q, auto& k, auto& v, auto& p) {
        return attend(q, k, v, p, in, layer, bias);
      });
      x = block.feed(block.attend_to_source(x, in, source, layer));
      if (in.observe) in.observe(static_cast<int>(i) + 1, &x);
    }
    finish_step(in);
    x = decoder.final_layer_norm(x);
    // The input embeddings have unit variance, the head wants less.
    return lm_head ? x : ops::scale(x, T(1) / std::sqrt(static_cast<T>(config.d_model)));
  }
  const weight<T>& head() const {
    return lm_head ? lm_head->weight.stored() : shared.weight.stored();
  }
  tensor<T> logits(const tensor<T>& hidden) const { return ops::linear(hidden, head()); }
  tensor<T> loss(const tensor<T>& hidden, std::span<const std::int32_t> labels) const {
    return ops::linear_cross_entropy(hidden, head(), labels);
  }
  nn::kv_cache::layout cache_layout() const {
    return {config.num_decoder_layers, config.num_heads, config.d_kv, format::f32};
  }
  std::int64_t vocab_size() const { return config.vocab_size; }
  std::int64_t max_positions() const { return 0; }
  std::int64_t max_source_positions() const { return 0; }
  void visit(nn::visitor<T>& v) {
    v("shared", shared), v("encoder", encoder), v("decoder", decoder), v("lm_head", lm_head);
  }
};

}  // namespace parlance::inline PARLANCE_ABI::models
