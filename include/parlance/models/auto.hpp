// SPDX-License-Identifier: Apache-2.0
// Chooses the model class from config.json (or GGUF metadata). The table is explicit; users add
// rows of their own to a copy of it. Only this header pays for all families.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "parlance/io/gguf.hpp"
#include "parlance/models/causal_lm.hpp"
#include "parlance/models/seq2seq_lm.hpp"

namespace parlance::inline PARLANCE_ABI::models {

// A checkpoint of any kind, opened: its config, its tensors and how they map to parameters.
struct opened_checkpoint {
  json config, generation_config;
  std::shared_ptr<io::tensor_source> tensors;
  std::shared_ptr<io::gguf_file> gguf;  // null for safetensors
  std::filesystem::path path;
};

PARLANCE_SPLIT_INLINE opened_checkpoint open_checkpoint(const std::filesystem::path& path);

using causal_lm_factory = std::function<std::unique_ptr<causal_lm>(const json& config)>;
// model_type -> factory
using causal_lm_registry = std::map<std::string, causal_lm_factory, std::less<>>;

PARLANCE_SPLIT_INLINE const causal_lm_registry& causal_lm_families();

PARLANCE_SPLIT_INLINE std::unique_ptr<causal_lm> make_causal_lm(
    const json& config, const causal_lm_registry& families = causal_lm_families());

// Loads a causal language model from an opened checkpoint.
PARLANCE_SPLIT_INLINE std::unique_ptr<causal_lm> load_causal_lm(
    const opened_checkpoint& from, io::load_options options = {},
    const causal_lm_registry& families = causal_lm_families());

// From a folder, a .gguf file, or org/name in the hub cache folder given.
PARLANCE_SPLIT_INLINE std::unique_ptr<causal_lm> causal_lm_from_pretrained(
    const std::string& name, const io::load_options& options = {},
    const std::filesystem::path& cache = {});

// The same for encoder-decoders.
using seq2seq_lm_factory = std::function<std::unique_ptr<seq2seq_lm>(const json& config)>;
using seq2seq_lm_registry = std::map<std::string, seq2seq_lm_factory, std::less<>>;

PARLANCE_SPLIT_INLINE const seq2seq_lm_registry& seq2seq_lm_families();

PARLANCE_SPLIT_INLINE std::unique_ptr<seq2seq_lm> make_seq2seq_lm(
    const json& config, const seq2seq_lm_registry& families = seq2seq_lm_families());

PARLANCE_SPLIT_INLINE std::unique_ptr<seq2seq_lm> load_seq2seq_lm(
    const opened_checkpoint& from, const io::load_options& options = {},
    const seq2seq_lm_registry& families = seq2seq_lm_families());

PARLANCE_SPLIT_INLINE std::unique_ptr<seq2seq_lm> seq2seq_lm_from_pretrained(
    const std::string& name, const io::load_options& options = {},
    const std::filesystem::path& cache = {});

}  // namespace parlance::inline PARLANCE_ABI::models

#if PARLANCE_BODIES
#include "parlance/models/impl/auto.hpp"
#endif
