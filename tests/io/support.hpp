// SPDX-License-Identifier: Apache-2.0
// Helpers of the io tests: a folder that removes itself, and files built byte by byte.
#pragma once

#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>
#include <string>
#include <string_view>

#include "parlance/core/error.hpp"

namespace io_test {

inline const std::filesystem::path data = std::filesystem::path(PARLANCE_TEST_DATA) / "io";

class temporary_folder {
 public:
  temporary_folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "parlance_io_XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  temporary_folder(const temporary_folder&) = delete;
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline void put(const std::filesystem::path& file, std::string_view text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}
inline std::string get(const std::filesystem::path& file) {
  std::ostringstream out;
  out << std::ifstream(file, std::ios::binary).rdbuf();
  return out.str();
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

template <class T>
std::string raw(T value) {
  std::string text(sizeof(T), '\0');
  std::memcpy(text.data(), &value, sizeof(T));
  return text;
}

// A safetensors file of a header and `data` zero bytes.
inline std::string safetensors(std::string header, std::size_t data) {
  return raw<std::uint64_t>(header.size()) + header + std::string(data, '\0');
}

// Pieces of a GGUF file.
inline std::string gguf_text(std::string_view text) {
  return raw<std::uint64_t>(text.size()) + std::string(text);
}
inline std::string gguf_head(std::uint64_t tensors, std::uint64_t values,
                             std::uint32_t version = 3) {
  return "GGUF" + raw(version) + raw(tensors) + raw(values);
}
template <class T>
std::string gguf_pair(std::string_view key, std::uint32_t type, T value) {
  return gguf_text(key) + raw(type) + raw(value);
}
inline std::string gguf_tensor(std::string_view name, std::initializer_list<std::int64_t> dims,
                               std::uint32_t type, std::uint64_t offset) {
  std::string text = gguf_text(name) + raw(static_cast<std::uint32_t>(dims.size()));
  for (const std::int64_t d : dims) text += raw(d);
  return text + raw(type) + raw(offset);
}
inline std::string padded(std::string text, std::size_t alignment = 32) {
  text.resize((text.size() + alignment - 1) / alignment * alignment, '\0');
  return text;
}

// The message of the parlance::error that `run` throws; other exceptions pass.
template <class Run>
std::string message_of(Run&& run) {
  try {
    run();
  } catch (const parlance::error& e) {
    return e.what();
  }
  return "no error";
}

inline bool has(const std::string& text, std::string_view part) {
  return text.find(part) != text.npos;
}

}  // namespace io_test
