// SPDX-License-Identifier: Apache-2.0
// The encoder of BERT (Devlin et al. 2019) and its relatives (see bert_config.hpp): one definition,
// rows of many sequences without padding. Sources: transformers 4.57 modeling_{bert,roberta,
// electra,distilbert,albert,mpnet}.py.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "parlance/models/bert_config.hpp"
#include "parlance/models/encoder_input.hpp"
#include "parlance/nn/activation.hpp"
#include "parlance/nn/layers.hpp"

namespace parlance::inline PARLANCE_ABI::models {

// Attention, norm, feed-forward, norm; each norm after the residual sum.
template <class T>
struct bert_layer {
  const bert_layer_names* names;
  nn::linear<T> query, key, value, attention_output;
  nn::layer_norm<T> attention_norm;
  nn::linear<T> up, down;
  nn::layer_norm<T> output_norm;
  kernels::attention_params params;
  std::string act;

  explicit bert_layer(const bert_config& c)
      : names(c.names),
        query(c.hidden_size, c.hidden_size, true),
        key(c.hidden_size, c.hidden_size, true),
        value(c.hidden_size, c.hidden_size, true),
        attention_output(c.hidden_size, c.hidden_size, true),
        attention_norm(c.hidden_size, c.norm_eps),
        up(c.hidden_size, c.intermediate_size, true),
        down(c.intermediate_size, c.hidden_size, true),
        output_norm(c.hidden_size, c.norm_eps),
        act(c.hidden_act) {
    params.heads = params.kv_heads = static_cast<int>(c.num_attention_heads);
    params.head_dim = static_cast<int>(c.hidden_size / c.num_attention_heads);
    params.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(params.head_dim)));
    params.causal = false;
  }

  tensor<T> forward(const tensor<T>& x, const ops::packed_rows& rows,
                    const ops::score_bias<T>& bias) const {
    auto [q, k, v] = nn::apply_together<T>(x, query, key, value);
    return feed_forward(x, ops::attention(q, k, v, params, rows, bias));
  }
  // From the result of attention on.
  tensor<T> feed_forward(const tensor<T>& x, const tensor<T>& attended) const {
    const tensor<T> h = attention_norm(ops::add(x, attention_output(attended)));
    return output_norm(ops::add(h, down(nn::activate(act, up(h)))));
  }

  void visit(nn::visitor<T>& v) {
    v(names->query, query), v(names->key, key), v(names->value, value);
    v(names->attention_output, attention_output), v(names->attention_norm, attention_norm);
    v(names->up, up), v(names->down, down), v(names->output_norm, output_norm);
  }
};

template <class T>
struct bert_embeddings {
  nn::embedding<T> word_embeddings;
  std::optional<nn::embedding<T>> position_embeddings, token_type_embeddings;
  nn::layer_norm<T> layer_norm;

  bert_embeddings(const encoder_config& c, std::int64_t position_rows, std::int64_t type_rows,
                  std::int64_t norm_width)
      : word_embeddings(c.vocab_size, c.embedding_size), layer_norm(norm_width, c.norm_eps) {
    if (position_rows) position_embeddings.emplace(position_rows, c.embedding_size);
    if (type_rows) token_type_embeddings.emplace(type_rows, c.embedding_size);
  }

  // Word, position and segment of each row, added up, not yet normed.
  tensor<T> sum(const encoder_input& in, std::span<const std::int32_t> positions) const {
    tensor<T> x = word_embeddings(in.ids);
    if (token_type_embeddings) {
      if (!in.type_ids.empty() && in.type_ids.size() != in.ids.size())
        throw shape_error("encoder: " + std::to_string(in.type_ids.size()) + " type ids for " +
                          std::to_string(in.ids.size()) + " ids");
      const std::vector<std::int32_t> zeros(in.type_ids.empty() ? in.ids.size() : 0);
      x = ops::add(x, (*token_type_embeddings)(zeros.empty() ? in.type_ids : zeros));
    }
    return position_embeddings ? ops::add(x, (*position_embeddings)(positions)) : x;
  }
  void visit(nn::visitor<T>& v) {
    v("word_embeddings", word_embeddings), v("position_embeddings", position_embeddings);
    v("token_type_embeddings", token_type_embeddings), v("LayerNorm", layer_norm);
  }
};

namespace detail {

inline void check_length(std::int64_t longest, std::int64_t most) {
  if (longest > most)
    throw option_error("encoder: a sequence of " + std::to_string(longest) +
                           " rows is longer than the model's " + std::to_string(most) +
                           " positions",
                       "truncate the text");
}

// As RoBERTa counts: from padding + 1 on, padding ids stay at padding.
inline void count_past_padding(std::span<const std::int32_t> ids, std::int32_t padding,
                               std::vector<std::int32_t>& positions) {
  std::int32_t next = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (positions[i] == 0) next = padding + 1;  // a sequence begins
    positions[i] = ids[i] == padding ? padding : next++;
  }
}

}  // namespace detail

template <class T = float>
struct bert {
  using scalar = T;
  using config_type = bert_config;

  bert_config config;
  bert_embeddings<T> embeddings;
  std::optional<nn::linear<T>> projection;
  std::optional<nn::embedding<T>> relative_attention_bias;
  std::vector<bert_layer<T>> layer;

  explicit bert(const bert_config& c)
      : config(c), embeddings(c, c.position_rows, c.type_rows, c.embedding_size) {
    if (!c.projection.empty()) projection.emplace(c.embedding_size, c.hidden_size, true);
    if (c.buckets.count) relative_attention_bias.emplace(c.buckets.count, c.num_attention_heads);
    const std::int64_t stored = c.groups ? c.groups * c.group_layers : c.num_hidden_layers;
    for (std::int64_t i = 0; i < stored; ++i) layer.emplace_back(c);
  }

  // (rows, hidden_size)
  tensor<T> hidden(const encoder_input& in) const {
    const kernels::one_row_path same_bits;
    const ops::packed_rows rows(detail::row_offsets(in));
    detail::row_positions at(rows.q);
    detail::check_length(at.longest, config.max_positions);
    if (config.padding_id >= 0)
      detail::count_past_padding(in.ids, static_cast<std::int32_t>(config.padding_id), at.position);
    tensor<T> x = embeddings.layer_norm(embeddings.sum(in, at.position));
    if (projection) x = (*projection)(x);
    ops::score_bias<T> bias;
    if (relative_attention_bias)
      bias = nn::relative_bias(*relative_attention_bias, config.buckets, at.longest);
    if (in.observe) in.observe(0, &x);
    for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
      throw_if_stopped(in.stop, "forward");
      for (std::int64_t j = 0; j < config.group_layers; ++j)
        x = layer[stored_layer(i, j)].forward(x, rows, bias);
      if (in.observe) in.observe(static_cast<int>(i) + 1, &x);
    }
    return x;
  }
  const nn::embedding<T>& word_embeddings() const { return embeddings.word_embeddings; }

  void visit(nn::visitor<T>& v) {
    v("embeddings", embeddings), v(config.projection, projection);
    v("encoder.relative_attention_bias", relative_attention_bias);
    if (!config.groups) return v(config.layers, layer);
    for (std::size_t i = 0; i < layer.size(); ++i) {
      const auto per_group = static_cast<std::size_t>(config.group_layers);
      v("encoder.albert_layer_groups." + std::to_string(i / per_group) + ".albert_layers." +
            std::to_string(i % per_group),
        layer[i]);
    }
  }

 private:
  // ALBERT: the layers of a group serve several depths.
  std::size_t stored_layer(std::int64_t depth, std::int64_t j) const {
    if (!config.groups) return static_cast<std::size_t>(depth);
    const std::int64_t group = depth * config.groups / config.num_hidden_layers;
    return static_cast<std::size_t>(group * config.group_layers + j);
  }
};

}  // namespace parlance::inline PARLANCE_ABI::models
