// SPDX-License-Identifier: Apache-2.0
// The configuration of the Llama stack and its relatives, read from config.json: Llama 1-3,
// Mistral, Qwen2, Qwen2.5, Qwen3, SmolLM2, SmolLM3, Gemma 1-3 (text). Their differences are fields
// here. Defaults: transformers 4.57
// configuration_{llama,mistral,qwen2,qwen3,smollm3,gemma,gemma2,gemma3}.
#pragma once

#include <string>
#include <vector>

#include "parlance/models/config.hpp"
#include "parlance/nn/rotary.hpp"

namespace parlance::inline PARLANCE_ABI::models {

struct llama_config {
  std::string model_type = "llama";
  std::int64_t vocab_size = 32000, hidden_size = 4096, intermediate_size = 11008;
  std::int64_t num_hidden_layers = 32, num_attention_heads = 32, num_key_value_heads = 32;
  std::int64_t head_dim = 128, max_position_embeddings = 2048;
  double rms_norm_eps = 1e-6;
  std::string hidden_act = "silu";
  bool tie_word_embeddings = false;
  bool qkv_bias = false, output_bias = false, mlp_bias = false;
  bool qk_norm = false;         // RMSNorm over each head of q and k
  bool norm_plus_one = false;   // norms scale by 1 + w
  bool sandwich_norms = false;  // norms after attention and after the MLP as well
  double embedding_scale = 1, attention_scale = 0;
  double attention_softcap = 0, final_softcap = 0;
  nn::rope_settings rope, local_rope;   // local: of sliding layers, Gemma 3
  std::vector<std::int64_t> windows;    // per layer; 0: full attention
  std::vector<bool> rotary_layers;      // per layer; false: no positions (SmolLM3)
  std::vector<bool> local_rope_layers;  // per layer: uses local_rope

  bool gemma() const { return model_type.starts_with("gemma"); }
};

namespace detail {

inline nn::rope_settings read_rope(const config_reader& c) {
  nn::rope_settings r;
  r.theta = c.number("rope_theta", 10000.0);
  r.partial_rotary_factor = c.number("partial_rotary_factor", 1.0);
  r.max_position_embeddings = c.size("max_position_embeddings", 2048);
  r.original_max_position_embeddings = c.integer("original_max_position_embeddings", 0);
  const auto s = c.object("rope_scaling");
  if (!s) return r;
  r.type = s->text("rope_type", s->text("type", "default"));
  r.factor = s->number("factor", 1.0);
  r.low_freq_factor = s->number("low_freq_factor", 1.0);
  r.high_freq_factor = s->number("high_freq_factor", 4.0);
  r.attention_factor = s->number("attention_factor", 0.0);
  r.beta_fast = s->number("beta_fast", 32.0);
  r.beta_slow = s->number("beta_slow", 1.0);
  r.mscale = s->number("mscale", 0.0);
  r.mscale_all_dim = s->number("mscale_all_dim", 0.0);
  r.truncate = s->flag("truncate", true);
  r.short_factor = s->numbers("short_factor");
  r.long_factor = s->numbers("long_factor");
  if (r.type == "longrope" && r.original_max_position_embeddings > 0)
    r.factor = static_cast<double>(r.max_position_embeddings) /
               static_cast<double>(r.original_max_position_embeddings);
  if (r.type != "longrope")
    r.original_max_position_embeddings = s->integer("original_max_position_embeddings", 0);
  return r;
}

// Which layers see a window only: layer_types when the file has it, else the family's rule.
inline std::vector<bool> read_sliding(const config_reader& c, const llama_config& m) {
  std::vector<bool> out(static_cast<std::size_t>(m.num_hidden_layers), false);
  const std::vector<std::string> types = c.texts("layer_types");
  if (!types.empty() && types.size() != out.size())
    c.fail("layer_types", std::to_string(out.size()) + " entries");
  const bool qwen = m.model_type == "qwen2" || m.model_type == "qwen3";
  const bool enabled = (!qwen && m.model_type != "smollm3") || c.flag("use_sliding_window", false);
  const std::int64_t from = c.integer("max_window_layers", 28);
  const std::int64_t pattern = c.integer("sliding_window_pattern", 6);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto layer = static_cast<std::int64_t>(i);
    if (!types.empty()) {
      out[i] = types[i] == "sliding_attention";
      if (!out[i] && types[i] != "full_attention")
        c.fail("layer_types", "full_attention or sliding_attention");
    } else if (m.model_type == "gemma2") {
      out[i] = layer % 2 == 0;
    } else if (m.model_type == "gemma3_text") {
      out[i] = pattern > 0 && (layer + 1) % pattern != 0;
    } else {
      out[i] = m.model_type == "mistral" || (qwen && layer >= from) ||
               (m.model_type == "smollm3" && !m.rotary_layers[i]);
    }
    out[i] = out[i] && enabled;
  }
  return out;
}

inline void read_family(const config_reader& c, llama_config& m) {
  const std::string& type = m.model_type;
  if (type == "qwen2") {
    m.qkv_bias = true;
  } else if (type != "mistral" && type != "gemma2") {
    m.qkv_bias = m.output_bias = c.flag("attention_bias", false);
  }
  if (type == "gemma2") m.qkv_bias = m.output_bias = c.flag("attention_bias", false);
  if (type == "llama" || type == "smollm3") m.mlp_bias = c.flag("mlp_bias", false);
  m.qk_norm = type == "qwen3" || type == "gemma3_text";
  if (!m.gemma()) return;
  m.norm_plus_one = true;
  m.sandwich_norms = type != "gemma";
  m.embedding_scale = static_cast<float>(std::sqrt(static_cast<double>(m.hidden_size)));
  m.hidden_act = c.has("hidden_activation") ? c.text("hidden_activation") : "gelu_pytorch_tanh";
  if (type == "gemma") return;
  m.attention_scale = 1 / std::sqrt(c.number("query_pre_attn_scalar", 256.0));
  const bool gemma2 = type == "gemma2";
  const auto cap = [&](const char* key, double otherwise) {
    return gemma2 && !c.has(key) ? otherwise : c.number(key, 0.0);
  };
  m.attention_softcap = cap("attn_logit_softcapping", 0.0);
  m.final_softcap = cap("final_logit_softcapping", 0.0);
}

}  // namespace detail

inline llama_config read_llama_config(const json& config) {
  const config_reader c(config);
  llama_config m;
  m.model_type = c.text("model_type", "llama");
  const bool tied = m.gemma() || m.model_type == "smollm3";
  m.vocab_size = c.size("vocab_size");
  m.hidden_size = c.size("hidden_size");
  m.intermediate_size = c.size("intermediate_size");
  m.num_hidden_layers = c.size("num_hidden_layers");
  m.num_attention_heads = c.size("num_attention_heads");
  m.num_key_value_heads = c.size("num_key_value_heads", m.num_attention_heads);
  m.head_dim = c.size("head_dim", std::max<std::int64_t>(m.hidden_size / m.num_attention_heads, 1));
  m.max_position_embeddings = c.size("max_position_embeddings", 2048);
  m.rms_norm_eps = c.number("rms_norm_eps", 1e-6);
  m.hidden_act = c.text("hidden_act", "silu");
  m.tie_word_embeddings = c.flag("tie_word_embeddings", tied);
  if (m.num_attention_heads % m.num_key_value_heads)
    c.fail("num_key_value_heads", "a divisor of num_attention_heads");
  if (m.head_dim % 2) c.fail("head_dim", "an even size");
  const auto layers = static_cast<std::size_t>(m.num_hidden_layers);
  m.attention_scale = 1 / std::sqrt(static_cast<double>(m.head_dim));
  detail::read_family(c, m);
  m.rope = m.local_rope = detail::read_rope(c);
  m.rotary_layers.assign(layers, true);
  m.local_rope_layers.assign(layers, false);
  if (m.model_type == "smollm3") {
    const std::vector<double> listed = c.numbers("no_rope_layers");
    const std::int64_t interval = std::max<std::int64_t>(c.integer("no_rope_layer_interval", 4), 1);
    for (std::size_t i = 0; i < layers; ++i)
      m.rotary_layers[i] = listed.size() == layers
                               ? listed[i] != 0
                               : (static_cast<std::int64_t>(i) + 1) % interval != 0;
  }
  if (m.model_type == "gemma3_text") {
    m.rope.theta = c.number("rope_theta", 1e6);
    m.local_rope = {};
    m.local_rope.theta = c.number("rope_local_base_freq", 10000.0);
    m.local_rope.max_position_embeddings = m.max_position_embeddings;
  }
  const std::vector<bool> sliding = detail::read_sliding(c, m);
  const bool windowed =
      m.model_type != "llama" && m.model_type != "gemma" && c.has("sliding_window");
  const std::int64_t window = windowed ? c.size("sliding_window") : 0;
  for (std::size_t i = 0; i < layers; ++i) {
    m.windows.push_back(sliding[i] ? window : 0);
    m.local_rope_layers[i] = m.model_type == "gemma3_text" && sliding[i];
  }
  return m;
}

}  // namespace parlance::inline PARLANCE_ABI::models
