// SPDX-License-Identifier: Apache-2.0
// Reads safetensors files, single or sharded, by memory map and without copying. The checks are
// those of the Rust library (contiguous, in-file, no overlap, no hole, no tail, sizes as declared)
// plus: no duplicate and no empty name, no unknown field. Writing is in io/safetensors_write.hpp.
// Source: safetensors 0.8 (safetensors/src/tensor.rs); index files of transformers 4.57.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/json.hpp"
#include "parlance/io/impl/input.hpp"
#include "parlance/io/impl/safetensors_header.hpp"
#include "parlance/io/impl/safetensors_index.hpp"
#include "parlance/io/tensor_source.hpp"

namespace parlance::inline PARLANCE_ABI::io {

namespace detail {

// Bytes of the tensor as its dtype and shape have them.
inline std::uint64_t declared_bytes(const safetensors_entry& e, const std::string& where) {
  try {
    return storage_bytes(*e.type, static_cast<std::uint64_t>(e.dims->size()));
  } catch (const shape_error& problem) {
    throw format_error(
        where, -1,
        "tensor " + in_quotes(e.name) + " " + e.dims->to_string() + ": " + problem.what());
  }
}

// Entries in the order of their bytes; checks that they fill the buffer without overlap or hole.
inline std::vector<stored_tensor> place_tensors(std::vector<safetensors_entry> entries,
                                                std::span<const std::byte> buffer,
                                                const std::string& where) {
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return *a.offsets < *b.offsets; });
  std::vector<stored_tensor> tensors;
  tensors.reserve(entries.size());
  std::uint64_t position = 0;
  for (safetensors_entry& e : entries) {
    const auto [begin, end] = *e.offsets;
    const auto fail = [&, first = begin, last = end](const std::string& what,
                                                     std::string hint = {}) {
      throw format_error(where, -1,
                         "tensor " + in_quotes(e.name) + ": data_offsets [" +
                             std::to_string(first) + ", " + std::to_string(last) + "]: " + what,
                         std::move(hint));
    };
    if (end < begin) fail("the end lies before the begin");
    if (begin < position) fail("overlaps the tensor before it");
    if (begin > position) fail("leaves a hole after byte " + std::to_string(position));
    if (end > buffer.size())
      fail("the file has only " + std::to_string(buffer.size()) + " bytes of data",
           "was the download interrupted?");
    if (const std::uint64_t size = declared_bytes(e, where); size != end - begin)
      fail(std::string(name(*e.type)) + " " + e.dims->to_string() + " takes " +
           std::to_string(size) + " bytes, not " + std::to_string(end - begin));
    tensors.push_back(
        {std::move(e.name), *e.type, *e.dims, buffer.subspan(begin, end - begin), nullptr, where});
    position = end;
  }
  if (position != buffer.size())
    throw format_error(where, -1,
                       std::to_string(buffer.size() - position) + " bytes after the last tensor");
  return tensors;
}

struct safetensors_content {
  std::vector<stored_tensor> tensors;
  std::map<std::string, std::string> metadata;
};

inline safetensors_content parse_safetensors(std::span<const std::byte> bytes,
                                             const std::string& where) {
  const std::string hint = wrong_file_hint(as_text(bytes).substr(0, 64));
  const auto fail = [&](std::int64_t offset, const std::string& what) {
    throw format_error(where, offset, what,
                       hint == "this looks like a safetensors file" ? "" : hint);
  };
  if (bytes.size() < 8) fail(0, "not a safetensors file: fewer than 8 bytes");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  if (length > safetensors_header_limit)
    fail(0, "not a safetensors file: header length " + std::to_string(length) + " is above " +
                std::to_string(safetensors_header_limit));
  if (length > bytes.size() - 8)
    fail(0, "the header takes " + std::to_string(length) + " bytes, the file has only " +
                std::to_string(bytes.size() - 8) + " after its length");
  const std::string_view header = as_text(bytes.subspan(8, length));
  const auto first = header.find_first_not_of(" \t\r\n");
  if (first == header.npos || header[first] != '{') fail(8, "the header does not start with '{'");
  // The JSON lexer takes a zero byte for the end of its input.
  if (const auto zero = header.find('\0'); zero != header.npos)
    fail(static_cast<std::int64_t>(8 + zero), "zero byte in the header");
  safetensors_header reader(where);
  parse_json_sax(header, reader);
  return {place_tensors(std::move(reader.entries), bytes.subspan(8 + length), where),
          std::move(reader.metadata)};
}

inline safetensors_content read_safetensors(const std::filesystem::path& path) {
  const auto file = open_mapped(path);
  safetensors_content content = parse_safetensors(file->bytes(), path.string());
  for (stored_tensor& t : content.tensors) t.owner = file;
  return content;
}

}  // namespace detail

// Maps a safetensors file; the tensors are views of the map and keep it alive.
inline std::shared_ptr<tensor_source> open_safetensors(const std::filesystem::path& file) {
  auto content = detail::read_safetensors(file);
  return std::make_shared<tensor_table>(file.string(), std::move(content.tensors),
                                        std::move(content.metadata));
}

// A safetensors file in memory that the caller keeps alive; `where` names it in errors.
inline std::shared_ptr<tensor_source> open_safetensors(std::span<const std::byte> memory,
                                                       std::string where) {
  auto content = detail::parse_safetensors(memory, where);
  return std::make_shared<tensor_table>(std::move(where), std::move(content.tensors),
                                        std::move(content.metadata));
}

// All shards named by a model.safetensors.index.json.
inline std::shared_ptr<tensor_source> open_sharded_safetensors(
    const std::filesystem::path& index_json) {
  const std::string where = index_json.string();
  const std::string text = read_text(index_json, safetensors_header_limit);
  detail::safetensors_index index(where);
  if (const std::string hint = detail::wrong_file_hint(text); text.empty() || text[0] == '<')
    throw format_error(where, 0, "not JSON", hint);
  parse_json_sax(text, index);
  if (!index.found) throw format_error(where, -1, "no 'weight_map'");

  std::vector<stored_tensor> tensors;
  std::map<std::string, std::string> metadata;
  std::set<std::string> files;
  for (const auto& [tensor, file] : index.weight_map) files.insert(file);
  for (const std::string& file : files) {
    auto content = detail::read_safetensors(index_json.parent_path() / file);
    std::move(content.tensors.begin(), content.tensors.end(), std::back_inserter(tensors));
    metadata.merge(content.metadata);
  }
  auto table = std::make_shared<tensor_table>(where, std::move(tensors), std::move(metadata));
  for (const auto& [tensor, file] : index.weight_map) {
    const stored_tensor* t = table->find(tensor);
    if (!t || std::filesystem::path(t->file).filename() != file)
      throw format_error(where, -1,
                         "tensor " + detail::in_quotes(tensor) + " is not in " +
                             detail::in_quotes(file) +
                             (t ? ", it is in " + detail::in_quotes(t->file) : std::string{}));
  }
  return table;
}

}  // namespace parlance::inline PARLANCE_ABI::io
