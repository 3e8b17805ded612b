// SPDX-License-Identifier: Apache-2.0
// Bodies of models/auto.hpp: the table of families and the loading of a checkpoint into one.
#pragma once

#include <algorithm>
#include <set>

#include "parlance/io/checkpoint_folder.hpp"
#include "parlance/io/hub_cache.hpp"
#include "parlance/models/auto.hpp"
#include "parlance/models/bart.hpp"
#include "parlance/models/gguf_checkpoint.hpp"
#include "parlance/models/gpt2.hpp"
#include "parlance/models/led.hpp"
#include "parlance/models/llama.hpp"
#include "parlance/models/t5.hpp"

namespace parlance::inline PARLANCE_ABI::models {

PARLANCE_SPLIT_INLINE opened_checkpoint open_checkpoint(const std::filesystem::path& path) {
  if (path.extension() == ".gguf") {
    auto file = io::open_gguf(path);
    return {gguf_config(*file), nullptr, file, file, path};
  }
  io::checkpoint_folder folder = io::open_checkpoint(path);
  return {std::move(folder.config), std::move(folder.generation_config), std::move(folder.tensors),
          nullptr, path};
}

PARLANCE_SPLIT_INLINE const causal_lm_registry& causal_lm_families() {
  static const causal_lm_registry table = [] {
    causal_lm_registry t;
    const causal_lm_factory stack = [](const json& c) {
      return std::make_unique<causal_lm_of<llama<>>>(read_llama_config(c));
    };
    for (const char* type :
         {"llama", "mistral", "qwen2", "qwen3", "smollm3", "gemma", "gemma2", "gemma3_text"})
      t[type] = stack;
    t["gpt2"] = [](const json& c) {
      return std::make_unique<causal_lm_of<gpt2<>>>(read_gpt2_config(c));
    };
    return t;
  }();
  return table;
}

PARLANCE_SPLIT_INLINE const seq2seq_lm_registry& seq2seq_lm_families() {
  static const seq2seq_lm_registry table = [] {
    seq2seq_lm_registry t;
    for (const char* type : {"t5", "mt5", "umt5"})
      t[type] = [](const json& c) {
        return std::make_unique<seq2seq_lm_of<t5<>>>(read_t5_config(c));
      };
    for (const char* type : {"bart", "mbart", "pegasus", "marian", "m2m_100"})
      t[type] = [](const json& c) {
        return std::make_unique<seq2seq_lm_of<bart<>>>(read_bart_config(c));
      };
    t["led"] = [](const json& c) {
      return std::make_unique<seq2seq_lm_of<led<>>>(read_bart_config(c));
    };
    return t;
  }();
  return table;
}

namespace detail {

// The model of a config by a table of families; `kind` is what these are.
template <class Registry>
auto make_model(const json& config, const Registry& families, const char* kind) {
  const std::string type = config_reader(config).text("model_type", "");
  if (const auto found = families.find(type); found != families.end()) return found->second(config);
  std::string known;
  for (const auto& [name, factory] : families) known += (known.empty() ? "" : ", ") + name;
  throw unsupported_error("model_type '" + type + "' is not " + kind + " this library knows",
                          "supported: " + known);
}

}  // namespace detail

PARLANCE_SPLIT_INLINE std::unique_ptr<causal_lm> make_causal_lm(
    const json& config, const causal_lm_registry& families) {
  return detail::make_model(config, families, "a decoder");
}

PARLANCE_SPLIT_INLINE std::unique_ptr<seq2seq_lm> make_seq2seq_lm(
    const json& config, const seq2seq_lm_registry& families) {
  return detail::make_model(config, families, "an encoder-decoder");
}

namespace detail {

// Buffers that old checkpoints carry, and copies of tied weights.
inline bool ignorable_tensor(const std::string& name, bool tied) {
  return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias") ||
         name.ends_with("rotary_emb.inv_freq") || name == "rope_freqs.weight" ||
         name.starts_with("rope_factors_") || (tied && name == "lm_head.weight");
}

// Of encoder-decoders: embeddings that are one table, positions that are computed.
inline bool ignorable_seq2seq_tensor(const std::string& name, bool tied, bool computed_positions) {
  return name.ends_with("coder.embed_tokens.weight") || name.ends_with("coder.version") ||
         name.ends_with("EncDecAttention.relative_attention_bias.weight") ||
         (computed_positions && (name.ends_with("embed_positions.weight") ||
                                 name.ends_with("embed_positions.weights"))) ||
         (tied && name == "lm_head.weight");
}

// True when some matrices are kept narrow and their products are computed on rounded inputs.
inline bool computes_narrow(token_decoder& model) {
  bool narrow = false;
  nn::for_each_parameter<float>(model, [&](const std::string&, nn::parameter<float>& p) {
    narrow = narrow || (is_block_format(p.value.type()) && !p.value.exact());
  });
  return narrow;
}

}  // namespace detail

PARLANCE_SPLIT_INLINE std::unique_ptr<causal_lm> load_causal_lm(
    const opened_checkpoint& from, io::load_options options, const causal_lm_registry& families) {
  std::unique_ptr<causal_lm> model = make_causal_lm(from.config, families);
  if (options.compute == io::precision::automatic)
    options.compute = from.gguf ? io::precision::native : io::precision::automatic;
  std::set<std::string> names;
  nn::for_each_parameter<float>(
      *model, [&](const std::string& name, nn::parameter<float>&) { names.insert(name); });
  const bool tied = !names.contains("lm_head.weight");
  io::load_parameters<float>(
      *model, *from.tensors, from.gguf ? gguf_rules(from.config) : io::folder_rules(), options,
      [&](const std::string& n) { return detail::ignorable_tensor(n, tied); });
  bool narrow = from.gguf != nullptr;  // as llama.cpp: f16 keys and values
  narrow = narrow || detail::computes_narrow(*model);
  if (options.compute == io::precision::exact) narrow = false;
  token_decoder_access::set(*model, from.config, from.generation_config,
                            narrow ? format::f16 : format::f32);
  return model;
}

PARLANCE_SPLIT_INLINE std::unique_ptr<causal_lm> causal_lm_from_pretrained(
    const std::string& name, const io::load_options& options, const std::filesystem::path& cache) {
  return load_causal_lm(open_checkpoint(io::resolve_model(name, cache)), options);
}

PARLANCE_SPLIT_INLINE std::unique_ptr<seq2seq_lm> load_seq2seq_lm(
    const opened_checkpoint& from, const io::load_options& options,
    const seq2seq_lm_registry& families) {
  if (from.gguf) throw unsupported_error("an encoder-decoder in a GGUF file", "use its folder");
  std::unique_ptr<seq2seq_lm> model = make_seq2seq_lm(from.config, families);
  std::set<std::string> names;
  nn::for_each_parameter<float>(
      *model, [&](const std::string& name, nn::parameter<float>&) { names.insert(name); });
  const bool tied = !names.contains("lm_head.weight");
  const bool computed = std::ranges::none_of(
      names, [](const std::string& n) { return n.ends_with("encoder.embed_positions.weight"); });
  io::load_parameters<float>(
      *model, *from.tensors, io::folder_rules(), options,
      [&](const std::string& n) { return detail::ignorable_seq2seq_tensor(n, tied, computed); });
  token_decoder_access::set(
      *model, from.config, from.generation_config,
      detail::computes_narrow(*model) && options.compute != io::precision::exact ? format::f16
                                                                                 : format::f32);
  return model;
}

PARLANCE_SPLIT_INLINE std::unique_ptr<seq2seq_lm> seq2seq_lm_from_pretrained(
    const std::string& name, const io::load_options& options, const std::filesystem::path& cache) {
  return load_seq2seq_lm(open_checkpoint(io::resolve_model(name, cache)), options);
}

}  // namespace parlance::inline PARLANCE_ABI::models
