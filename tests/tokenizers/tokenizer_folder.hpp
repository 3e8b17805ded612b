// SPDX-License-Identifier: Apache-2.0
// A folder for the files of a tokenizer, and the folders of the expected values.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>

#include "parlance/tokenizers/tokenizer.hpp"

namespace parlance_test {

namespace fs = std::filesystem;
using parlance::json;

struct temporary_folder {
  fs::path path = fs::temp_directory_path() / ("parlance_folders_" + std::to_string(::getpid()));
  temporary_folder() {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~temporary_folder() { fs::remove_all(path); }
  void write(const std::string& name, const std::string& text) const {
    parlance::write_atomic(path / name, text);
  }
  parlance::tokenizers::tokenizer load() const {
    return parlance::tokenizers::tokenizer::from_pretrained(path);
  }
};

inline void write_files(const temporary_folder& folder, const json& files, const json& row) {
  for (const auto& [name, key] : row.at("files").items()) {
    const auto text = files.at(key.get<std::string>()).get<std::string>();
    const bool binary = key.get<std::string>().ends_with(".model");
    folder.write(name, binary ? parlance::base64_decode(text, name) : text);
  }
  json config = row.at("config");
  config["tokenizer_class"] = row.at("class");
  folder.write("tokenizer_config.json", config.dump());
  for (const auto& [name, value] : row.at("more").items()) folder.write(name, value.dump());
}

}  // namespace parlance_test
