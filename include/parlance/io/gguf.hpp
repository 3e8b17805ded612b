// SPDX-License-Identifier: Apache-2.0
// Reads GGUF files (versions 2 and 3, split files too) by memory map and without copying: tensors
// in PyTorch order under their ggml names, metadata as typed values. Mapping ggml names and layouts
// to those of Hugging Face is the models' business. Source: ggml docs/gguf.md; split files of
// llama.cpp (gguf-split).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/io/gguf_metadata.hpp"
#include "parlance/io/impl/gguf_parser.hpp"
#include "parlance/io/impl/input.hpp"
#include "parlance/io/tensor_source.hpp"

namespace parlance::inline PARLANCE_ABI::io {

class gguf_file : public tensor_source, public gguf_metadata {
 public:
  gguf_file(const std::string& where, std::uint32_t version, gguf_metadata::map values,
            std::vector<stored_tensor> tensors, std::shared_ptr<const void> owner)
      : gguf_metadata(where, std::move(values)),
        version_(version),
        owner_(std::move(owner)),
        table_(where, std::move(tensors), texts()) {}

  std::uint32_t version() const { return version_; }
  // "llama", "gemma3", ...
  std::string architecture() const { return require_string("general.architecture"); }

  std::span<const stored_tensor> tensors() const override { return table_.tensors(); }
  const stored_tensor* find(std::string_view name) const override { return table_.find(name); }
  // The scalar values as text; the typed getters of gguf_metadata see everything.
  const std::map<std::string, std::string>& metadata() const override { return table_.metadata(); }
  std::string describe() const override { return table_.describe(); }

 private:
  std::map<std::string, std::string> texts() const {
    std::map<std::string, std::string> out;
    for (const auto& [key, v] : values()) {
      if (v.is_array) continue;
      std::string& text = out[std::string(key)];
      if (v.type == gguf_type::string)
        text = v.strings[0];
      else if (v.type == gguf_type::boolean)
        text = v.item<std::uint8_t>(0) ? "true" : "false";
      else if (v.type == gguf_type::u64)
        text = std::to_string(v.item<std::uint64_t>(0));
      else
        text = is_integer(v.type) ? std::to_string(v.integer()) : std::to_string(v.number());
    }
    return out;
  }
  std::uint32_t version_;
  std::shared_ptr<const void> owner_;  // of the metadata views
  tensor_table table_;
};

namespace detail {

// "x-00001-of-00003.gguf" split into "x" and its numbers; count 0 when it has another form.
struct split_name {
  std::string stem;
  int count = 0;
  explicit split_name(const std::string& file) {
    constexpr std::size_t tail = std::string_view("-00001-of-00003.gguf").size();
    if (file.size() <= tail) return;
    const std::string_view end = std::string_view(file).substr(file.size() - tail);
    int n = 0;
    for (const char c : end.substr(10, 5)) {
      if (c < '0' || c > '9') return;
      n = n * 10 + (c - '0');
    }
    if (!end.starts_with("-00001-of-") || !end.ends_with(".gguf")) return;
    stem = file.substr(0, file.size() - tail);
    count = n;
  }
  std::string part(int i) const {
    const auto padded = [](int v) {
      const std::string digits = std::to_string(v);
      return std::string(5 - digits.size(), '0') + digits;
    };
    return stem + "-" + padded(i) + "-of-" + padded(count) + ".gguf";
  }
};

inline gguf_content read_gguf(const std::filesystem::path& path,
                              std::shared_ptr<const mapped_file>& file) {
  file = open_mapped(path);
  gguf_content content = gguf_parser(file->bytes(), path.string()).parse();
  for (stored_tensor& t : content.tensors) t.owner = file;
  return content;
}

inline std::uint64_t split_number(const gguf_content& content, const std::string& where,
                                  std::string_view key) {
  gguf_metadata::map one;
  if (const auto it = content.values.find(key); it != content.values.end()) one.insert(*it);
  return gguf_metadata(where, std::move(one)).get_u64(key, 0);
}

// Adds the tensors of parts 2, 3, ... of a split file to those of the first.
inline void read_other_parts(gguf_content& first, const std::filesystem::path& path) {
  const std::string where = path.string();
  const std::uint64_t parts = split_number(first, where, "split.count");
  if (parts <= 1) return;
  if (const auto number = split_number(first, where, "split.no"); number != 0)
    throw format_error(where, -1, "this is part " + std::to_string(number + 1) + " of a split file",
                       "open the first part, -00001-of-...");
  const split_name names(path.filename().string());
  if (static_cast<std::uint64_t>(names.count) != parts)
    throw format_error(where, -1,
                       "a file split into " + std::to_string(parts) +
                           " parts is not named ...-00001-of-0000N.gguf",
                       "keep the file names that the parts were published under");
  for (int i = 2; i <= names.count; ++i) {
    const auto part_path = path.parent_path() / names.part(i);
    std::shared_ptr<const mapped_file> file;
    gguf_content part = read_gguf(part_path, file);
    if (split_number(part, part_path.string(), "split.count") != parts ||
        split_number(part, part_path.string(), "split.no") != static_cast<std::uint64_t>(i - 1))
      throw format_error(part_path.string(), -1, "does not belong to the parts of " + where);
    std::move(part.tensors.begin(), part.tensors.end(), std::back_inserter(first.tensors));
  }
  const std::uint64_t total = split_number(first, where, "split.tensors.count");
  if (total != 0 && total != first.tensors.size())
    throw format_error(where, -1,
                       "the parts hold " + std::to_string(first.tensors.size()) +
                           " tensors, split.tensors.count is " + std::to_string(total));
}

}  // namespace detail

// Maps a GGUF file, or all parts of a split one by its first part.
inline std::shared_ptr<gguf_file> open_gguf(const std::filesystem::path& path) {
  std::shared_ptr<const mapped_file> file;
  detail::gguf_content content = detail::read_gguf(path, file);
  detail::read_other_parts(content, path);
  return std::make_shared<gguf_file>(path.string(), content.version, std::move(content.values),
                                     std::move(content.tensors), file);
}

// A whole GGUF file in memory that the caller keeps alive; `where` names it in errors.
inline std::shared_ptr<gguf_file> open_gguf(std::span<const std::byte> memory, std::string where) {
  detail::gguf_content content = detail::gguf_parser(memory, where).parse();
  if (detail::split_number(content, where, "split.count") > 1)
    throw unsupported_error(where + ": a part of a split GGUF file cannot be read from memory",
                            "open it from its folder");
  return std::make_shared<gguf_file>(where, content.version, std::move(content.values),
                                     std::move(content.tensors), nullptr);
}

}  // namespace parlance::inline PARLANCE_ABI::io
