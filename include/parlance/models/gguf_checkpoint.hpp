// SPDX-License-Identifier: Apache-2.0
// GGUF files as Hugging Face checkpoints: the metadata becomes a config.json, tensor names map to
// checkpoint names, and what llama.cpp's converter changed is undone by the loader (rotary row
// order of Llama's q and k, Gemma's norms plus one, GPT-2's transposes). Source: llama.cpp
// convert_hf_to_gguf.py and gguf-py constants, 2025.
#pragma once

#include <string>

#include "parlance/core/json.hpp"
#include "parlance/io/bind.hpp"
#include "parlance/io/gguf.hpp"

namespace parlance::inline PARLANCE_ABI::models {

namespace detail {

inline std::string gguf_model_type(const std::string& architecture) {
  if (architecture == "gemma3") return "gemma3_text";
  for (const char* known : {"llama", "qwen2", "qwen3", "smollm3", "gemma", "gemma2", "gpt2"})
    if (architecture == known) return architecture;
  throw unsupported_error(
      "GGUF architecture '" + architecture +
      "'; supported: llama, qwen2, qwen3, smollm3, gemma, gemma2, gemma3, gpt2");
}

inline json gguf_rope_scaling(const io::gguf_file& f, const std::string& arch) {
  const auto key = [&](const char* k) { return arch + ".rope.scaling." + k; };
  const std::string type = f.get_string(key("type"), "none");
  json s;
  // Llama 3.1 keeps its scaling as a tensor of divisors, one per rotary pair.
  if (const io::stored_tensor* t = f.find("rope_freqs.weight")) {
    std::vector<float> factors(static_cast<std::size_t>(t->dims.size()));
    io::read_floats(*t, factors.data());
    s["rope_type"] = "longrope";
    s["short_factor"] = s["long_factor"] = factors;
    s["attention_factor"] = 1.0;
    return s;
  }
  if (type == "none" || type.empty()) return nullptr;
  s["rope_type"] = type;
  s["factor"] = f.get_f64(key("factor"), 1.0);
  if (const auto n = f.get_i64(key("original_context_length")))
    s["original_max_position_embeddings"] = *n;
  if (type == "yarn") {
    s["beta_fast"] = f.get_f64(key("yarn_beta_fast"), 32.0);
    s["beta_slow"] = f.get_f64(key("yarn_beta_slow"), 1.0);
  }
  return s;
}

inline json gguf_gpt2_config(const io::gguf_file& f, std::int64_t vocabulary) {
  json c;
  c["architectures"] = {"GPT2LMHeadModel"};
  c["model_type"] = "gpt2";
  c["vocab_size"] = vocabulary;
  c["n_positions"] = f.require_i64("gpt2.context_length");
  c["n_embd"] = f.require_i64("gpt2.embedding_length");
  c["n_layer"] = f.require_i64("gpt2.block_count");
  c["n_head"] = f.require_i64("gpt2.attention.head_count");
  c["n_inner"] = f.require_i64("gpt2.feed_forward_length");
  c["layer_norm_epsilon"] = f.require_f64("gpt2.attention.layer_norm_epsilon");
  return c;
}

inline void gguf_gemma_fields(const io::gguf_file& f, const std::string& arch, json& c) {
  const auto key = [&](const char* k) { return arch + "." + k; };
  c["hidden_activation"] = "gelu_pytorch_tanh";
  // The scale of attention is head_dim^-0.5 except in the largest Gemma 2 and 3.
  const std::int64_t layers = c["num_hidden_layers"], heads = c["num_attention_heads"];
  const bool largest = (arch == "gemma2" && layers == 46) || (arch == "gemma3" && layers == 62);
  c["query_pre_attn_scalar"] =
      largest ? c["hidden_size"].get<std::int64_t>() / heads : c["head_dim"].get<std::int64_t>();
  if (const auto cap = f.get_f64(key("attn_logit_softcapping"))) c["attn_logit_softcapping"] = *cap;
  if (const auto cap = f.get_f64(key("final_logit_softcapping")))
    c["final_logit_softcapping"] = *cap;
  if (arch == "gemma3") c["rope_local_base_freq"] = f.get_f64(key("rope.freq_base_swa"), 10000.0);
}

}  // namespace detail

// The config.json that Hugging Face would ship with this model.
inline json gguf_config(const io::gguf_file& f) {
  const std::string arch = f.architecture();
  const std::string type = detail::gguf_model_type(arch);
  const io::stored_tensor& table = f.at("token_embd.weight");
  const std::int64_t vocabulary = table.dims.rank() == 2 ? table.dims[0] : 0;
  if (type == "gpt2") {
    json c = detail::gguf_gpt2_config(f, vocabulary);
    c["tie_word_embeddings"] = f.find("output.weight") == nullptr;
    return c;
  }
  const auto key = [&](const char* k) { return arch + "." + k; };
  json c;
  c["model_type"] = type;
  c["vocab_size"] = vocabulary;
  c["hidden_size"] = f.require_i64(key("embedding_length"));
  c["intermediate_size"] = f.require_i64(key("feed_forward_length"));
  c["num_hidden_layers"] = f.require_i64(key("block_count"));
  const std::int64_t heads = f.require_i64(key("attention.head_count"));
  if (heads < 1)
    throw format_error(f.describe(), -1, key("attention.head_count") + " must be positive");
  c["num_attention_heads"] = heads;
  c["num_key_value_heads"] = f.get_i64(key("attention.head_count_kv"), heads);
  c["head_dim"] =
      f.get_i64(key("attention.key_length"), f.require_i64(key("embedding_length")) / heads);
  c["max_position_embeddings"] = f.get_i64(key("context_length"), 2048);
  c["rms_norm_eps"] = f.get_f64(key("attention.layer_norm_rms_epsilon"), 1e-6);
  c["rope_theta"] = f.get_f64(key("rope.freq_base"), arch == "gemma3" ? 1e6 : 10000.0);
  c["rope_scaling"] = detail::gguf_rope_scaling(f, arch);
  c["tie_word_embeddings"] = f.find("output.weight") == nullptr;
  c["attention_bias"] = f.find("blk.0.attn_q.bias") != nullptr;
  if (const auto window = f.get_i64(key("attention.sliding_window")); window && *window > 0) {
    c["sliding_window"] = *window;
    if (type == "llama") c["model_type"] = "mistral";  // llama.cpp has one name for both
  }
  if (arch.starts_with("gemma")) detail::gguf_gemma_fields(f, arch, c);
  return c;
}

namespace detail {

inline std::string replace_prefix(std::string name, std::string_view from, std::string_view to) {
  if (name.starts_with(from)) name.replace(0, from.size(), to);
  return name;
}

// "layers.3.self_attn.q_proj.weight" after the number: the GGUF name of a layer's part.
inline std::string gguf_part(std::string part, bool sandwich) {
  using pair = std::pair<std::string_view, std::string_view>;
  static constexpr pair common[] = {{"self_attn.q_proj.", "attn_q."},
                                    {"self_attn.k_proj.", "attn_k."},
                                    {"self_attn.v_proj.", "attn_v."},
                                    {"self_attn.o_proj.", "attn_output."},
                                    {"self_attn.q_norm.", "attn_q_norm."},
                                    {"self_attn.k_norm.", "attn_k_norm."},
                                    {"mlp.gate_proj.", "ffn_gate."},
                                    {"mlp.up_proj.", "ffn_up."},
                                    {"mlp.down_proj.", "ffn_down."},
                                    {"input_layernorm.", "attn_norm."},
                                    {"pre_feedforward_layernorm.", "ffn_norm."},
                                    {"post_feedforward_layernorm.", "post_ffw_norm."},
                                    {"ln_1.", "attn_norm."},
                                    {"ln_2.", "ffn_norm."},
                                    {"attn.c_attn.", "attn_qkv."},
                                    {"attn.c_proj.", "attn_output."},
                                    {"mlp.c_fc.", "ffn_up."},
                                    {"mlp.c_proj.", "ffn_down."}};
  for (const auto& [from, to] : common)
    if (part.starts_with(from)) return replace_prefix(std::move(part), from, to);
  return replace_prefix(std::move(part), "post_attention_layernorm.",
                        sandwich ? "post_attention_norm." : "ffn_norm.");
}

inline std::string gguf_name(const std::string& name, bool sandwich) {
  for (const std::string_view list : {"model.layers.", "transformer.h."}) {
    if (!name.starts_with(list)) continue;
    const std::size_t dot = name.find('.', list.size());
    return "blk." + name.substr(list.size(), dot - list.size()) + "." +
           gguf_part(name.substr(dot + 1), sandwich);
  }
  using pair = std::pair<std::string_view, std::string_view>;
  static constexpr pair top[] = {{"model.embed_tokens.", "token_embd."},
                                 {"model.norm.", "output_norm."},
                                 {"lm_head.", "output."},
                                 {"transformer.wte.", "token_embd."},
                                 {"transformer.wpe.", "position_embd."},
                                 {"transformer.ln_f.", "output_norm."}};
  for (const auto& [from, to] : top)
    if (name.starts_with(from)) return replace_prefix(name, from, to);
  return name;
}

}  // namespace detail

inline io::tensor_rules gguf_rules(const json& config) {
  const std::string type = config.at("model_type");
  const bool gemma = type.starts_with("gemma"), permuted = type == "llama" || type == "mistral";
  const std::int64_t q = config.value("num_attention_heads", std::int64_t{0});
  const std::int64_t k = config.value("num_key_value_heads", std::int64_t{0});
  return [=](const std::string& name) {
    io::tensor_rule rule;
    rule.name = detail::gguf_name(name, gemma && type != "gemma");
    if (permuted && name.find(".q_proj.") != name.npos) rule.permuted_heads = q;
    if (permuted && name.find(".k_proj.") != name.npos) rule.permuted_heads = k;
    if (gemma && name.ends_with("norm.weight")) rule.add = -1;
    rule.untransposed = true;
    return rule;
  };
}

}  // namespace parlance::inline PARLANCE_ABI::models
