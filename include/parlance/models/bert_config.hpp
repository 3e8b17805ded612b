// SPDX-License-Identifier: Apache-2.0
// What makes BERT, RoBERTa (also XLM-RoBERTa and CamemBERT), ELECTRA, DistilBERT, ALBERT and MPNet
// differ: names, positions, embedding width, shared layers, relative bias. Defaults and heads as in
// transformers 4.57 (configuration_*.py and modeling_*.py of each).
#pragma once

#include <string>

#include "parlance/models/encoder_config.hpp"
#include "parlance/nn/relative_position.hpp"

namespace parlance::inline PARLANCE_ABI::models {

// Tensor names inside a layer.
struct bert_layer_names {
  const char *query, *key, *value, *attention_output, *attention_norm, *up, *down, *output_norm;
};

inline constexpr bert_layer_names bert_names{"attention.self.query",
                                             "attention.self.key",
                                             "attention.self.value",
                                             "attention.output.dense",
                                             "attention.output.LayerNorm",
                                             "intermediate.dense",
                                             "output.dense",
                                             "output.LayerNorm"};
inline constexpr bert_layer_names mpnet_names{
    "attention.attn.q",    "attention.attn.k",   "attention.attn.v", "attention.attn.o",
    "attention.LayerNorm", "intermediate.dense", "output.dense",     "output.LayerNorm"};
inline constexpr bert_layer_names distilbert_names{
    "attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin",
    "sa_layer_norm",   "ffn.lin1",        "ffn.lin2",        "output_layer_norm"};
inline constexpr bert_layer_names albert_names{
    "attention.query",     "attention.key", "attention.value", "attention.dense",
    "attention.LayerNorm", "ffn",           "ffn_output",      "full_layer_layer_norm"};

struct bert_config : encoder_config {
  std::int64_t num_hidden_layers = 12, num_attention_heads = 12, intermediate_size = 3072;
  std::string hidden_act = "gelu";
  std::int64_t position_rows = 512, type_rows = 2;  // of the embedding tables; 0: no such table
  // RoBERTa and MPNet: positions count from padding_id + 1 and leave padding out. -1: from 0.
  std::int64_t padding_id = -1;
  std::string projection;  // name of the layer from embedding_size to hidden_size, if any
  std::int64_t groups = 0, group_layers = 1;   // ALBERT: layers that are really there
  nn::relative_buckets buckets{0, 128, true};  // MPNet; count 0: no bias
  std::string layers = "encoder.layer";
  const bert_layer_names* names = &bert_names;
};

namespace detail {

inline head_layout dense_head(std::string dense, std::string act, std::string out,
                              std::string norm = {}) {
  return {std::move(dense), std::move(act), std::move(norm), std::move(out)};
}

inline void set_bert_heads(bert_config& m, const config_reader& c, const std::string& type) {
  const std::string& p = m.prefix;
  m.pooler = dense_head("pooler.dense", "tanh", "");
  m.choice = dense_head(p + ".pooler.dense", "tanh", "classifier");
  m.sequence = m.choice;
  if (type == "bert") {
    m.masked = dense_head("cls.predictions.transform.dense", m.hidden_act,
                          "cls.predictions.decoder", "cls.predictions.transform.LayerNorm");
    m.masked_bias = "cls.predictions.bias";
  } else if (type == "electra") {
    m.sequence = dense_head("classifier.dense", "gelu", "classifier.out_proj");
    m.choice =
        dense_head("sequence_summary.summary", c.text("summary_activation", "gelu"), "classifier");
    m.masked = dense_head("generator_predictions.dense", "gelu", "generator_lm_head",
                          "generator_predictions.LayerNorm");
    m.masked_bias = "generator_lm_head.bias";
    m.pooler = {};
  } else if (type == "distilbert") {
    m.sequence = m.choice = dense_head("pre_classifier", "relu", "classifier");
    m.masked = dense_head("vocab_transform", m.hidden_act, "vocab_projector", "vocab_layer_norm");
    m.masked_bias = "vocab_projector.bias";
    m.pooler = {};
  } else if (type == "albert") {
    m.pooler = dense_head("pooler", "tanh", "");
    m.sequence = m.choice = dense_head("albert.pooler", "tanh", "classifier");
    m.masked = dense_head("predictions.dense", m.hidden_act, "predictions.decoder",
                          "predictions.LayerNorm");
    m.masked_bias = "predictions.bias";
  } else {  // roberta, mpnet
    m.sequence = dense_head("classifier.dense", "tanh", "classifier.out_proj");
    m.masked = dense_head("lm_head.dense", "gelu", "lm_head.decoder", "lm_head.layer_norm");
    m.masked_bias = "lm_head.bias";
  }
}

inline void read_bert_sizes(bert_config& m, const config_reader& c) {
  m.hidden_size = c.size("hidden_size", m.hidden_size);
  m.num_hidden_layers = c.size("num_hidden_layers", m.num_hidden_layers);
  m.num_attention_heads = c.size("num_attention_heads", m.num_attention_heads);
  m.intermediate_size = c.size("intermediate_size", m.intermediate_size);
  m.hidden_act = c.text("hidden_act", m.hidden_act);
  m.norm_eps = c.number("layer_norm_eps", m.norm_eps);
  m.type_rows = c.size("type_vocab_size", m.type_rows);
  if (const std::string kind = c.text("position_embedding_type", "absolute"); kind != "absolute")
    throw unsupported_error("config.json: position_embedding_type '" + kind + "'",
                            "supported: absolute");
}

}  // namespace detail

inline bert_config read_bert_config(const json& config) {
  const config_reader c(config);
  std::string type = c.text("model_type", "bert");
  if (type == "xlm-roberta" || type == "camembert") type = "roberta";
  bert_config m;
  m.prefix = type;
  m.hidden_size = 768;
  m.vocab_size = c.size("vocab_size", type == "albert" ? 30000 : 30522);
  if (type == "roberta") m.vocab_size = c.size("vocab_size", 50265), m.padding_id = 1;
  if (type == "mpnet") m.vocab_size = c.size("vocab_size", 30527), m.padding_id = 1;
  if (type == "electra") m.hidden_size = 256, m.num_attention_heads = 4, m.intermediate_size = 1024;
  if (type == "albert")
    m.hidden_size = 4096, m.num_attention_heads = 64, m.intermediate_size = 16384,
    m.hidden_act = "gelu_new";
  if (type == "distilbert") {
    m.hidden_size = c.size("dim", 768);
    m.num_hidden_layers = c.size("n_layers", 6);
    m.num_attention_heads = c.size("n_heads", 12);
    m.intermediate_size = c.size("hidden_dim", 3072);
    m.hidden_act = c.text("activation", "gelu");
    m.type_rows = 0;
    m.layers = "transformer.layer";
    m.names = &distilbert_names;
  } else {
    detail::read_bert_sizes(m, c);
  }
  m.embedding_size = m.hidden_size;
  if (type == "electra" || type == "albert") m.embedding_size = c.size("embedding_size", 128);
  if (type == "electra" && m.embedding_size != m.hidden_size) m.projection = "embeddings_project";
  if (type == "albert") {
    m.projection = "encoder.embedding_hidden_mapping_in";
    m.names = &albert_names;
    m.groups = c.size("num_hidden_groups", 1);
    m.group_layers = c.size("inner_group_num", 1);
    if (m.groups > m.num_hidden_layers) c.fail("num_hidden_groups", "at most one a layer");
  }
  if (type == "mpnet") {
    m.names = &mpnet_names;
    m.type_rows = 0;
    m.buckets.count = c.size("relative_attention_num_buckets", 32);
    // The original's bucket function knows no other number.
    if (m.buckets.count != 32) c.fail("relative_attention_num_buckets", "32");
  }
  m.position_rows = c.size("max_position_embeddings", 512);
  if (m.padding_id >= 0) m.padding_id = c.integer("pad_token_id", m.padding_id);
  m.max_positions = m.position_rows - (m.padding_id + 1);
  if (m.padding_id < -1 || m.max_positions < 1)
    c.fail("pad_token_id", "one with room for positions behind it");
  if (m.hidden_size % m.num_attention_heads)
    c.fail("num_attention_heads", "a divisor of the hidden size");
  m.tie_word_embeddings = c.flag("tie_word_embeddings", true);
  m.labels = read_labels(c);
  detail::set_bert_heads(m, c, type);
  return m;
}

}  // namespace parlance::inline PARLANCE_ABI::models
