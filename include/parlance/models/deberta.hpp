// SPDX-License-Identifier: Apache-2.0
// DeBERTa, versions 1, 2 and 3 (He et al. 2021): scores add content-to-position and
// position-to-content parts. Sources: transformers 4.57 modeling_deberta.py,
// modeling_deberta_v2.py.
#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "parlance/models/bert.hpp"
#include "parlance/ops/disentangled.hpp"

namespace parlance::inline PARLANCE_ABI::models {

inline constexpr bert_layer_names deberta_names{"attention.self.query_proj",
                                                "attention.self.key_proj",
                                                "attention.self.value_proj",
                                                "attention.output.dense",
                                                "attention.output.LayerNorm",
                                                "intermediate.dense",
                                                "output.dense",
                                                "output.LayerNorm"};

struct deberta_config : bert_config {
  bool first_version = false;  // fused projections without the later names
  bool relative_attention = false, share_att_key = false, c2p = false, p2c = false;
  bool norm_relative = false;
  std::int64_t position_buckets = -1, max_relative_positions = 512;
  std::int64_t conv_kernel_size = 0;  // above 0: a convolution beside the first layer
  std::string conv_act = "tanh";

  // Half the rows of the table of relative embeddings.
  std::int64_t span() const {
    return position_buckets > 0 ? position_buckets : max_relative_positions;
  }
};

namespace detail {

inline void read_deberta_attention(deberta_config& m, const config_reader& c) {
  m.relative_attention = c.flag("relative_attention", false);
  m.max_relative_positions = c.integer("max_relative_positions", -1);
  if (m.max_relative_positions < 1)
    m.max_relative_positions = c.size("max_position_embeddings", 512);
  // A list, or names joined by |.
  for (const std::string& part : c.texts_or_joined("pos_att_type")) {
    m.c2p = m.c2p || part == "c2p";
    m.p2c = m.p2c || part == "p2c";
  }
  if (m.first_version) return;
  m.position_buckets = c.integer("position_buckets", -1);
  m.share_att_key = c.flag("share_att_key", false);
  m.norm_relative = c.text("norm_rel_ebd", "none").find("layer_norm") != std::string::npos;
  m.conv_kernel_size = c.integer("conv_kernel_size", 0);
  m.conv_act = c.text("conv_act", "tanh");
  if (m.conv_kernel_size > 0 && (m.conv_kernel_size % 2 == 0 || m.conv_kernel_size > 255))
    c.fail("conv_kernel_size", "an odd number below 256");
}

inline void refuse_deberta_extras(const config_reader& c) {
  if (c.integer("conv_groups", 1) != 1) throw unsupported_error("config.json: conv_groups");
  if (c.flag("talking_head", false)) throw unsupported_error("config.json: talking_head");
  if (c.integer("z_steps", 0) > 1) throw unsupported_error("config.json: z_steps above 1");
}

}  // namespace detail

inline deberta_config read_deberta_config(const json& config) {
  const config_reader c(config);
  detail::refuse_deberta_extras(c);
  deberta_config m;
  m.first_version = c.text("model_type", "") == "deberta";
  m.prefix = "deberta";
  m.names = &deberta_names;
  m.norm_eps = 1e-7;
  m.hidden_size = m.first_version ? 768 : 1536;
  m.vocab_size = c.size("vocab_size", m.first_version ? 50265 : 128100);
  m.type_rows = 0;
  if (!m.first_version)
    m.num_hidden_layers = 24, m.num_attention_heads = 24, m.intermediate_size = 6144;
  m.hidden_size = c.size("hidden_size", m.hidden_size);
  m.num_hidden_layers = c.size("num_hidden_layers", m.num_hidden_layers);
  m.num_attention_heads = c.size("num_attention_heads", m.num_attention_heads);
  m.intermediate_size = c.size("intermediate_size", m.intermediate_size);
  m.hidden_act = c.text("hidden_act", m.hidden_act);
  m.norm_eps = c.number("layer_norm_eps", m.norm_eps);
  m.type_rows = c.integer("type_vocab_size", 0);
  if (m.type_rows < 0 || m.type_rows > 65536) c.fail("type_vocab_size", "a small size");
  m.embedding_size = c.size("embedding_size", m.hidden_size);
  if (m.hidden_size % m.num_attention_heads)
    c.fail("num_attention_heads", "a divisor of the hidden size");
  const std::int64_t positions = c.size("max_position_embeddings", 512);
  const bool biased = c.flag("position_biased_input", true);
  m.position_rows = biased ? positions : 0;
  m.max_positions = positions;
  detail::read_deberta_attention(m, c);
  m.tie_word_embeddings = c.flag("tie_word_embeddings", true);
  m.labels = read_labels(c);
  m.sequence = m.choice =
      detail::dense_head("pooler.dense", c.text("pooler_hidden_act", "gelu"), "classifier");
  const bool legacy = c.flag("legacy", true);
  const std::string head = legacy ? "cls.predictions.transform" : "lm_predictions.lm_head";
  m.masked = detail::dense_head(head + ".dense", m.hidden_act, "cls.predictions.decoder",
                                head + ".LayerNorm");
  m.masked_bias = legacy ? "cls.predictions.bias" : "lm_predictions.lm_head.bias";
  return m;
}

// Queries, keys and values of rows, and of relative embeddings.
template <class T>
struct deberta_projections {
  std::optional<nn::linear<T>> in_proj;  // version 1: of each head query, key and value rows
  nn::parameter<T> q_bias, v_bias;
  std::optional<nn::linear<T>> position_key, position_query;
  std::int64_t heads;
  bool first;

  explicit deberta_projections(const deberta_config& c)
      : heads(c.num_attention_heads), first(c.first_version) {
    const std::int64_t n = c.hidden_size;
    if (first) {
      in_proj.emplace(n, 3 * n, false);
      q_bias = {{n}, nn::init_kind::zeros, false, {}};
      v_bias = {{n}, nn::init_kind::zeros, false, {}};
    }
    if (!c.relative_attention || c.share_att_key) return;
    if (c.c2p) position_key.emplace(n, n, !first);
    if (c.p2c) position_query.emplace(n, n, true);
  }
  std::array<tensor<T>, 3> fused(const tensor<T>& x) const {
    const std::int64_t rows = x.rows(), n = x.cols(), d = n / heads;
    const tensor<T> all = ops::reshape((*in_proj)(x), {rows * heads, 3 * d});
    const auto part = [&](std::int64_t i) {
      return ops::reshape(ops::columns(all, i * d, d), {rows, n});
    };
    return {ops::add(part(0), q_bias.dense()), part(1), ops::add(part(2), v_bias.dense())};
  }
  void visit(nn::visitor<T>& v) {
    v("in_proj", in_proj), v("q_bias", q_bias), v("v_bias", v_bias);
    v(first ? "pos_proj" : "pos_key_proj", position_key);
    v(first ? "pos_q_proj" : "pos_query_proj", position_query);
  }
};

template <class T>
struct deberta_layer {
  bert_layer<T> block;  // version 1 has no separate projections in it
  deberta_projections<T> self;
  bool share_att_key, c2p, p2c;

  explicit deberta_layer(const deberta_config& c)
      : block(c), self(c), share_att_key(c.share_att_key), c2p(c.c2p), p2c(c.p2c) {
    if (c.first_version) block.query = block.key = block.value = {};
    block.params.scale = static_cast<float>(
        1 / std::sqrt(static_cast<double>(block.params.head_dim) * (1 + c2p + p2c)));
  }
  // positions: the relative embeddings that `distances` speaks of, or undefined.
  tensor<T> forward(const tensor<T>& x, const ops::packed_rows& rows, const tensor<T>& positions,
                    const ops::distance_rows& distances) const {
    auto [q, k, v] =
        self.first ? self.fused(x) : nn::apply_together<T>(x, block.query, block.key, block.value);
    ops::score_bias<T> bias;
    if (positions.defined()) {
      tensor<T> key, query;
      if (c2p) key = share_att_key ? block.key(positions) : (*self.position_key)(positions);
      if (p2c) query = share_att_key ? block.query(positions) : (*self.position_query)(positions);
      bias.dense = ops::disentangled_bias(q, k, key, query, std::int64_t{block.params.heads},
                                          static_cast<T>(block.params.scale), rows.q, distances);
    }
    return block.feed_forward(x, ops::attention(q, k, v, block.params, rows, bias));
  }
  void visit(nn::visitor<T>& v) { block.visit(v), v("attention.self", self); }
};

// Of versions 2 and 3: joins a convolution over the embeddings to what the first layer made.
template <class T>
struct deberta_convolution {
  nn::parameter<T> weight, bias;
  nn::layer_norm<T> layer_norm;
  std::string activation;

  explicit deberta_convolution(const deberta_config& c)
      : weight{{c.hidden_size, c.hidden_size, c.conv_kernel_size},
               nn::init_kind::normal,
               false,
               {}},
        bias{{c.hidden_size}, nn::init_kind::zeros, false, {}},
        layer_norm(c.hidden_size, c.norm_eps),
        activation(c.conv_act) {}
  tensor<T> forward(const tensor<T>& embedded, const tensor<T>& x,
                    const ops::packed_rows& rows) const {
    const tensor<T> flat =
        ops::reshape(weight.dense(), {weight.dims[0], weight.dims[1] * weight.dims[2]});
    const tensor<T> near = ops::unfold_rows(embedded, rows.q, weight.dims[2]);
    const tensor<T> sums = ops::linear(near, parlance::weight<T>(flat), bias.dense());
    return layer_norm(ops::add(x, nn::activate(activation, sums)));
  }
  void visit(nn::visitor<T>& v) {
    v("conv.weight", weight), v("conv.bias", bias), v("LayerNorm", layer_norm);
  }
};

template <class T = float>
struct deberta {
  using scalar = T;
  using config_type = deberta_config;

  deberta_config config;
  bert_embeddings<T> embeddings;
  std::optional<nn::linear<T>> embed_proj;
  std::vector<deberta_layer<T>> layer;
  std::optional<deberta_convolution<T>> conv;
  std::optional<nn::embedding<T>> rel_embeddings;
  std::optional<nn::layer_norm<T>> relative_norm;

  explicit deberta(const deberta_config& c)
      : config(c), embeddings(c, c.position_rows, c.type_rows, c.hidden_size) {
    if (c.embedding_size != c.hidden_size)
      embed_proj.emplace(c.embedding_size, c.hidden_size, false);
    for (std::int64_t i = 0; i < c.num_hidden_layers; ++i) layer.emplace_back(c);
    if (c.conv_kernel_size > 0) conv.emplace(c);
    if (c.relative_attention) rel_embeddings.emplace(2 * c.span(), c.hidden_size);
    if (c.norm_relative) relative_norm.emplace(c.hidden_size, c.norm_eps);
  }

  // (rows, hidden_size)
  tensor<T> hidden(const encoder_input& in) const {
    const kernels::one_row_path same_bits;
    const ops::packed_rows rows(detail::row_offsets(in));
    const detail::row_positions at(rows.q);
    // Relative positions have no end; only a table of positions has.
    if (config.position_rows) detail::check_length(at.longest, config.max_positions);
    tensor<T> x = embeddings.sum(in, at.position);
    if (embed_proj) x = (*embed_proj)(x);
    x = embeddings.layer_norm(x);
    tensor<T> positions;
    ops::distance_rows distances;
    if (rel_embeddings && (config.c2p || config.p2c)) positions = relative(at.longest, distances);
    if (in.observe) in.observe(0, &x);
    for (std::size_t i = 0; i < layer.size(); ++i) {
      throw_if_stopped(in.stop, "forward");
      const tensor<T> before = x;
      x = layer[i].forward(x, rows, positions, distances);
      if (conv && i == 0) x = conv->forward(before, x, rows);
      if (in.observe) in.observe(static_cast<int>(i) + 1, &x);
    }
    return x;
  }
  const nn::embedding<T>& word_embeddings() const { return embeddings.word_embeddings; }

  void visit(nn::visitor<T>& v) {
    v("embeddings", embeddings), v("embeddings.embed_proj", embed_proj);
    v("encoder.layer", layer), v("encoder.conv", conv);
    v("encoder.rel_embeddings", rel_embeddings);
    v("encoder.LayerNorm", relative_norm);
  }

 private:
  // The row of the table for a distance i - j: in single precision as the original
  // (make_log_bucket_position).
  std::int32_t table_row(std::int64_t distance) const {
    const std::int64_t span = config.span(), mid = config.position_buckets / 2;
    std::int64_t bucket = distance;
    if (config.position_buckets > 0 && config.max_relative_positions > 0 &&
        std::abs(distance) > mid) {
      const float m = static_cast<float>(mid);
      const float log_position =
          std::ceil(
              std::log(static_cast<float>(std::abs(distance)) / m) /
              std::log(static_cast<float>(static_cast<double>(config.max_relative_positions - 1) /
                                          static_cast<double>(mid))) *
              (m - 1)) +
          m;
      bucket = static_cast<std::int64_t>(distance < 0 ? -log_position : log_position);
    }
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(bucket + span, 0, 2 * span - 1));
  }
  // The embeddings that sequences of up to `longest` rows look up, and where: rows grow with the
  // distance, so they are a run of the table.
  tensor<T> relative(std::int64_t longest, ops::distance_rows& distances) const {
    distances.reach = longest;
    for (std::int64_t d = 1 - longest; d < longest; ++d) distances.row.push_back(table_row(d));
    const std::int32_t first = distances.row.front(), last = distances.row.back();
    std::vector<std::int32_t> ids;
    for (std::int32_t r = first; r <= last; ++r) ids.push_back(r);
    for (std::int32_t& r : distances.row) r -= first;
    const tensor<T> x = (*rel_embeddings)(ids);
    return relative_norm ? (*relative_norm)(x) : x;
  }
};

}  // namespace parlance::inline PARLANCE_ABI::models
