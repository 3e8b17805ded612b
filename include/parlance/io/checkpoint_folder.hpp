// SPDX-License-Identifier: Apache-2.0
// A model folder as downloaded from the Hugging Face hub: config.json, optionally
// generation_config.json, and the weights in safetensors, single or sharded. What a config means is
// the models' business; tokenizer files are read by tokenizers.
// Source: transformers 4.57 (PreTrainedModel.from_pretrained).
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include "parlance/core/json.hpp"
#include "parlance/io/impl/input.hpp"
#include "parlance/io/safetensors.hpp"
#include "parlance/io/tensor_source.hpp"

namespace parlance::inline PARLANCE_ABI::io {

struct checkpoint_folder {
  std::filesystem::path folder;
  json config;
  json generation_config;  // null when there is none
  std::shared_ptr<tensor_source> tensors;
};

namespace detail {

inline bool is_file(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored) && !std::filesystem::is_directory(path, ignored);
}

// What else lies in a folder without model.safetensors.
inline std::string other_weights_hint(const std::filesystem::path& folder) {
  std::string gguf, tensors;
  for (const std::string& file : names_in(folder)) {
    const std::string_view f = file;
    if (f.ends_with(".bin") || f.ends_with(".pt") || f.ends_with(".pth") || f.ends_with(".ckpt") ||
        f.ends_with(".h5") || f.ends_with(".msgpack"))
      return file +
             " is not read: pickles can run code; convert it in Python with "
             "from_pretrained(...).save_pretrained(folder, safe_serialization=True)";
    if (f.ends_with(".gguf")) gguf = file;
    if (f.ends_with(".safetensors")) tensors = file;
  }
  if (!gguf.empty()) return "there is " + gguf + ": pass that file itself";
  if (tensors == "adapter_model.safetensors")
    return "this is an adapter (LoRA): open the base model, then load the adapter on it";
  if (!tensors.empty()) return "there is " + tensors + ": rename it to model.safetensors";
  return {};
}

inline std::shared_ptr<tensor_source> open_weights(const std::filesystem::path& folder) {
  if (const auto file = folder / "model.safetensors"; is_file(file)) return open_safetensors(file);
  if (const auto index = folder / "model.safetensors.index.json"; is_file(index))
    return open_sharded_safetensors(index);
  throw io_error(folder.string() +
                     ": no weights; looked for model.safetensors and model.safetensors.index.json",
                 other_weights_hint(folder));
}

inline json read_config(const std::filesystem::path& file) {
  json config = read_json(file);
  if (!config.is_object()) throw format_error(file.string(), 0, "expected a JSON object");
  return config;
}

}  // namespace detail

// Opens a model folder. Weights are mapped, not copied.
inline checkpoint_folder open_checkpoint(const std::filesystem::path& folder) {
  std::error_code code;
  const auto status = std::filesystem::status(folder, code);
  if (status.type() == std::filesystem::file_type::not_found)
    throw io_error(
        folder.string() + ": no such folder",
        detail::near_miss(folder.filename().string(), detail::names_in(folder.parent_path())));
  if (!std::filesystem::is_directory(status))
    throw io_error(folder.string() + ": not a folder",
                   folder.extension() == ".gguf" ? "a .gguf file is opened with open_gguf"
                                                 : "pass the folder that holds config.json");
  if (!detail::is_file(folder / "config.json")) {
    const std::string hint = detail::other_weights_hint(folder);
    throw io_error(
        folder.string() + ": no config.json",
        hint.empty() ? detail::near_miss("config.json", detail::names_in(folder)) : hint);
  }
  checkpoint_folder out{folder, detail::read_config(folder / "config.json"), nullptr, nullptr};
  if (const auto file = folder / "generation_config.json"; detail::is_file(file))
    out.generation_config = detail::read_config(file);
  out.tensors = detail::open_weights(folder);
  return out;
}

}  // namespace parlance::inline PARLANCE_ABI::io
