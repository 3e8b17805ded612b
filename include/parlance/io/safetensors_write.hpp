// SPDX-License-Identifier: Apache-2.0
// Writes safetensors files as the Python library does, byte for byte: tensors by dtype (largest
// first) then name, the header padded to 8 bytes. A file appears under its name only when complete.
// Sharded checkpoints are cut and indexed as huggingface_hub does.
// Sources: safetensors 0.8 (tensor.rs, prepare), huggingface_hub 0.36 (serialization/_base.py).
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "parlance/core/file.hpp"
#include "parlance/core/format.hpp"
#include "parlance/core/json.hpp"
#include "parlance/core/shape.hpp"
#include "parlance/io/impl/input.hpp"
#include "parlance/io/impl/safetensors_header.hpp"

namespace parlance::inline PARLANCE_ABI::io {

struct tensor_to_write {
  std::string name;
  format type = format::f32;
  shape dims;
  std::span<const std::byte> data;  // row-major, little-endian; unused by safetensors_writer
};

namespace detail {

inline const std::map<std::string, std::string> pytorch_metadata = {{"format", "pt"}};

// Place of a format in safetensors_dtypes; block formats have none.
inline std::size_t dtype_rank(const tensor_to_write& t) {
  for (std::size_t i = 0; i < safetensors_dtypes.size(); ++i)
    if (safetensors_dtypes[i].type == t.type) return i;
  throw unsupported_error(
      "tensor " + in_quotes(t.name) + ": safetensors has no dtype for " + std::string(name(t.type)),
      "dequantise it first, or keep the GGUF file");
}

// Without data, in the order of the file.
inline std::vector<tensor_to_write> file_order(std::span<const tensor_to_write> tensors) {
  std::vector<tensor_to_write> order(tensors.begin(), tensors.end());
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    const std::size_t i = dtype_rank(a), j = dtype_rank(b);
    return i != j ? i > j : a.name < b.name;
  });
  for (std::size_t i = 0; i < order.size(); ++i) {
    dtype_rank(order[i]);
    if (order[i].name.empty() || order[i].name == "__metadata__")
      throw option_error("a tensor cannot be named " + in_quotes(order[i].name));
  }
  return order;
}

inline std::string json_text(const std::string& text) {
  try {
    return json(text).dump();
  } catch (const json::exception&) {
    throw text_error("tensor names and metadata must be UTF-8, got " + in_quotes(text));
  }
}

// The length, the JSON and the padding.
inline std::string safetensors_header_bytes(std::span<const tensor_to_write> order,
                                            const std::map<std::string, std::string>& metadata) {
  std::string header = "{";
  if (!metadata.empty()) {
    header += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata)
      header += (header.back() == '{' ? "" : ",") + json_text(key) + ":" + json_text(value);
    header += "}";
  }
  std::uint64_t begin = 0;
  for (const tensor_to_write& t : order) {
    const std::uint64_t bytes = storage_bytes(t.type, static_cast<std::uint64_t>(t.dims.size()));
    std::uint64_t end = 0;
    if (__builtin_add_overflow(begin, bytes, &end))
      throw shape_error("the file would be too large");
    if (header.size() > 1) header += ',';
    header += json_text(t.name);
    header += ":{\"dtype\":\"";
    header += safetensors_dtypes[dtype_rank(t)].name;
    header += "\",\"shape\":[";
    for (int i = 0; i < t.dims.rank(); ++i) {
      if (i) header += ',';
      header += std::to_string(t.dims[i]);
    }
    header += "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]}";
    begin = end;
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  if (header.size() > safetensors_header_limit)
    throw unsupported_error("the safetensors header would take " + std::to_string(header.size()) +
                            " bytes, more than readers accept");
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header;
}

}  // namespace detail

// Writes one file tensor by tensor, for data that is converted on the way. The tensors must come in
// the order of `order()`, each in one or several pieces.
class safetensors_writer {
 public:
  safetensors_writer(const std::filesystem::path& path, std::span<const tensor_to_write> tensors,
                     const std::map<std::string, std::string>& metadata = detail::pytorch_metadata)
      : order_(detail::file_order(tensors)), out_(path) {
    std::vector<std::string_view> names;
    for (const tensor_to_write& t : order_) names.push_back(t.name);
    std::sort(names.begin(), names.end());
    if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end())
      throw option_error("two tensors named " + detail::in_quotes(*twice));
    out_.write(detail::safetensors_header_bytes(order_, metadata));
    next();
  }

  std::span<const tensor_to_write> order() const { return order_; }

  // The next bytes of the tensor `name`.
  void write(std::string_view name, std::span<const std::byte> piece) {
    if (piece.empty()) return;
    if (current_ == order_.size() || order_[current_].name != name)
      throw option_error(
          "safetensors_writer: got tensor " + detail::in_quotes(name) + ", expected " +
          (current_ == order_.size() ? "no more" : detail::in_quotes(order_[current_].name)));
    if (piece.size() > left_)
      throw shape_error("safetensors_writer: tensor " + detail::in_quotes(name) + " has " +
                        std::to_string(left_) + " bytes left, got " + std::to_string(piece.size()));
    out_.write(piece.data(), piece.size());
    left_ -= piece.size();
    if (left_ == 0) {
      ++current_;
      next();
    }
  }
  // Completes the file; without it nothing is left behind.
  void commit() {
    if (current_ != order_.size())
      throw option_error("safetensors_writer: tensor " + detail::in_quotes(order_[current_].name) +
                         " is not complete");
    out_.commit();
  }

 private:
  // Passes over tensors without bytes.
  void next() {
    for (; current_ < order_.size(); ++current_) {
      const tensor_to_write& t = order_[current_];
      left_ = storage_bytes(t.type, static_cast<std::uint64_t>(t.dims.size()));
      if (left_ != 0) return;
    }
  }
  std::vector<tensor_to_write> order_;
  atomic_writer out_;
  std::size_t current_ = 0;
  std::uint64_t left_ = 0;
};

// Writes a whole file.
inline void write_safetensors(
    const std::filesystem::path& path, std::span<const tensor_to_write> tensors,
    const std::map<std::string, std::string>& metadata = detail::pytorch_metadata) {
  for (const tensor_to_write& t : tensors)
    if (const auto bytes = storage_bytes(t.type, static_cast<std::uint64_t>(t.dims.size()));
        bytes != t.data.size())
      throw shape_error("tensor " + detail::in_quotes(t.name) + " " + t.dims.to_string() + " of " +
                        std::string(name(t.type)) + " takes " + std::to_string(bytes) +
                        " bytes, got " + std::to_string(t.data.size()));
  safetensors_writer writer(path, tensors, metadata);
  for (const tensor_to_write& t : writer.order()) writer.write(t.name, t.data);
  writer.commit();
}

namespace detail {

// Cuts as huggingface_hub: in the given order, a tensor above the limit alone in its shard.
inline std::vector<std::vector<tensor_to_write>> cut_into_shards(
    std::span<const tensor_to_write> tensors, std::uint64_t max_shard_size) {
  std::vector<std::vector<tensor_to_write>> shards;
  std::vector<tensor_to_write> current;
  std::uint64_t size = 0;
  for (const tensor_to_write& t : tensors) {
    if (t.data.size() > max_shard_size) {
      shards.push_back({t});
      continue;
    }
    if (size + t.data.size() > max_shard_size) {
      shards.push_back(std::exchange(current, {}));
      size = 0;
    }
    current.push_back(t);
    size += t.data.size();
  }
  if (!current.empty() || shards.empty()) shards.push_back(std::move(current));
  return shards;
}

inline std::string shard_name(std::size_t i, std::size_t count) {
  const auto padded = [](std::size_t v) {
    const std::string digits = std::to_string(v);
    return std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
  };
  return count == 1 ? "model.safetensors"
                    : "model-" + padded(i + 1) + "-of-" + padded(count) + ".safetensors";
}

// model.safetensors, model-00001-of-00002.safetensors, model.safetensors.index.json
inline bool is_weights_name(std::string_view file) {
  if (file == "model.safetensors" || file == "model.safetensors.index.json") return true;
  constexpr std::string_view pattern = "model-#####-of-#####.safetensors";
  if (file.size() != pattern.size()) return false;
  for (std::size_t i = 0; i < file.size(); ++i)
    if (pattern[i] == '#' ? file[i] < '0' || file[i] > '9' : file[i] != pattern[i]) return false;
  return true;
}

}  // namespace detail

// Writes the weights of a checkpoint into an existing folder: model.safetensors, or shards of at
// most `max_shard_size` bytes and their index. Weight files of an earlier save (those names only)
// that the new one does not replace are removed at the end, lest a loader picks them up.
inline void write_sharded_safetensors(
    const std::filesystem::path& folder, std::span<const tensor_to_write> tensors,
    std::uint64_t max_shard_size = 5'000'000'000,
    const std::map<std::string, std::string>& metadata = detail::pytorch_metadata) {
  const auto shards = detail::cut_into_shards(tensors, max_shard_size);
  std::vector<std::string> written;
  std::uint64_t total = 0;
  std::string map_text;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    written.push_back(detail::shard_name(i, shards.size()));
    write_safetensors(folder / written.back(), shards[i], metadata);
    for (const tensor_to_write& t : shards[i]) {
      total += t.data.size();
      map_text += (map_text.empty() ? "\n    " : ",\n    ") + json(t.name).dump(-1, ' ', true) +
                  ": \"" + written.back() + "\"";
    }
  }
  if (shards.size() > 1) {
    written.push_back("model.safetensors.index.json");
    write_atomic(folder / written.back(),
                 "{\n  \"metadata\": {\n    \"total_size\": " + std::to_string(total) +
                     "\n  },\n  \"weight_map\": {" + map_text + "\n  }\n}");
  }
  for (const std::string& file : detail::names_in(folder)) {
    std::error_code ignored;
    if (detail::is_weights_name(file) &&
        std::find(written.begin(), written.end(), file) == written.end())
      std::filesystem::remove(folder / file, ignored);
  }
}

}  // namespace parlance::inline PARLANCE_ABI::io
