// SPDX-License-Identifier: Apache-2.0
// The folder of a tokenizer without a tokenizer.json.
#pragma once

#include <filesystem>
#include <string>

#include "parlance/core/file.hpp"
#include "parlance/tokenizers/json_fields.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct slow_files {
  std::filesystem::path folder;
  json settings = json::object();  // tokenizer_config.json

  bool has(const char* name) const { return std::filesystem::exists(folder / name); }
  std::string read(const char* name) const { return read_text(folder / name); }
  std::string name(const char* file) const { return (folder / file).string(); }
  bool flag(const char* key, bool otherwise) const {
    return json_fields(settings, name("tokenizer_config.json")).flag(key, otherwise);
  }
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
