// SPDX-License-Identifier: Apache-2.0
// Bodies of models/auto.hpp: the table of families and the loading of a checkpoint into one.
#pragma once

#include <set>

#include "parlance/io/checkpoint_folder.hpp"
#include "parlance/io/hub_cache.hpp"
#include "parlance/models/auto.hpp"
#include "parlance/models/gguf_checkpoint.hpp"
#include "parlance/models/gpt2.hpp"
#include "parlance/models/llama.hpp"

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

PARLANCE_SPLIT_INLINE std::unique_ptr<causal_lm> make_causal_lm(
    const json& config, const causal_lm_registry& families) {
  const std::string type = config_reader(config).text("model_type", "");
  if (const auto found = families.find(type); found != families.end()) return found->second(config);
  std::string known;
  for (const auto& [name, factory] : families) known += (known.empty() ? "" : ", ") + name;
  throw unsupported_error("model_type '" + type + "' is not a decoder this library knows",
                          "supported: " + known);
}

namespace detail {

// Buffers that old checkpoints carry, and copies of tied weights.
inline bool ignorable_tensor(const std::string& name, bool tied) {
  return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias") ||
         name.ends_with("rotary_emb.inv_freq") || name == "rope_freqs.weight" ||
         name.starts_with("rope_factors_") || (tied && name == "lm_head.weight");
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
  nn::for_each_parameter<float>(*model, [&](const std::string&, nn::parameter<float>& p) {
    narrow = narrow || (is_block_format(p.value.type()) && !p.value.exact());
  });
  if (options.compute == io::precision::exact) narrow = false;
  causal_lm_access::set(*model, from.config, from.generation_config,
                        narrow ? format::f16 : format::f32);
  return model;
}

PARLANCE_SPLIT_INLINE std::unique_ptr<causal_lm> causal_lm_from_pretrained(
    const std::string& name, const io::load_options& options, const std::filesystem::path& cache) {
  return load_causal_lm(open_checkpoint(io::resolve_model(name, cache)), options);
}

}  // namespace parlance::inline PARLANCE_ABI::models
