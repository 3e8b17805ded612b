// SPDX-License-Identifier: Apache-2.0
// Parses one GGUF file (versions 2 and 3) with the checks of ggml and a few more: every length is
// compared with what is left of the file before anything is reserved or read. Not a public header.
// Source: ggml docs/gguf.md, ggml/src/gguf.cpp.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/format.hpp"
#include "parlance/io/gguf_metadata.hpp"
#include "parlance/io/impl/input.hpp"
#include "parlance/io/tensor_source.hpp"

namespace parlance::inline PARLANCE_ABI::io::detail {

struct gguf_tensor_type {
  std::uint32_t id;
  format type;
};

inline constexpr std::array gguf_tensor_types = {
    gguf_tensor_type{0, format::f32},      gguf_tensor_type{1, format::f16},
    gguf_tensor_type{2, format::q4_0},     gguf_tensor_type{3, format::q4_1},
    gguf_tensor_type{6, format::q5_0},     gguf_tensor_type{7, format::q5_1},
    gguf_tensor_type{8, format::q8_0},     gguf_tensor_type{9, format::q8_1},
    gguf_tensor_type{10, format::q2_k},    gguf_tensor_type{11, format::q3_k},
    gguf_tensor_type{12, format::q4_k},    gguf_tensor_type{13, format::q5_k},
    gguf_tensor_type{14, format::q6_k},    gguf_tensor_type{15, format::q8_k},
    gguf_tensor_type{16, format::iq2_xxs}, gguf_tensor_type{17, format::iq2_xs},
    gguf_tensor_type{18, format::iq3_xxs}, gguf_tensor_type{19, format::iq1_s},
    gguf_tensor_type{20, format::iq4_nl},  gguf_tensor_type{21, format::iq3_s},
    gguf_tensor_type{22, format::iq2_s},   gguf_tensor_type{23, format::iq4_xs},
    gguf_tensor_type{24, format::i8},      gguf_tensor_type{25, format::i16},
    gguf_tensor_type{26, format::i32},     gguf_tensor_type{27, format::i64},
    gguf_tensor_type{28, format::f64},     gguf_tensor_type{29, format::iq1_m},
    gguf_tensor_type{30, format::bf16},    gguf_tensor_type{34, format::tq1_0},
    gguf_tensor_type{35, format::tq2_0},   gguf_tensor_type{39, format::mxfp4},
    gguf_tensor_type{40, format::nvfp4},   gguf_tensor_type{41, format::q1_0},
    gguf_tensor_type{42, format::q2_0},
};

struct gguf_content {
  std::uint32_t version = 0;
  gguf_metadata::map values;
  std::vector<stored_tensor> tensors;
};

class gguf_parser {
 public:
  gguf_parser(std::span<const std::byte> bytes, std::string where)
      : bytes_(bytes), in_(bytes, std::move(where)) {}

  gguf_content parse() {
    gguf_content content;
    content.version = header();
    values(content.values);
    const std::uint64_t alignment = read_alignment(content.values);
    tensor_infos(content.tensors);
    place(content.tensors, alignment);
    return content;
  }

 private:
  std::uint32_t header() {
    const std::string hint = wrong_file_hint(as_text(bytes_).substr(0, 64));
    if (!as_text(bytes_).starts_with("GGUF"))
      in_.fail("not a GGUF file: it does not start with 'GGUF'", hint);
    in_.take(4, "the magic number");
    const auto version = in_.read<std::uint32_t>("the version");
    if (version != 0 && (version & 0xFFFF) == 0)
      in_.fail("a big-endian GGUF file", "convert it to little-endian");
    if (version != 2 && version != 3)
      throw unsupported_error(
          in_.where() + ": GGUF version " + std::to_string(version) + ", versions 2 and 3 are read",
          version == 1 ? "convert it again with a current llama.cpp" : "");
    tensor_count_ = in_.read<std::uint64_t>("the tensor count");
    value_count_ = in_.read<std::uint64_t>("the metadata count");
    // The least that a key-value pair and a tensor take.
    if (value_count_ > in_.left() / 14) in_.fail(too_many("metadata entries", value_count_));
    if (tensor_count_ > in_.left() / 25) in_.fail(too_many("tensors", tensor_count_));
    return version;
  }
  std::string too_many(const std::string& what, std::uint64_t n) const {
    return std::to_string(n) + " " + what + " do not fit the " + std::to_string(in_.left()) +
           " bytes left of the file";
  }

  void values(gguf_metadata::map& map) {
    for (std::uint64_t i = 0; i < value_count_; ++i) {
      const std::string_view key = in_.text("a metadata key");
      if (key.empty()) in_.fail("an empty metadata key");
      if (map.count(key)) in_.fail("duplicate metadata key " + in_quotes(key));
      map.emplace(key, read_value(key));
    }
  }
  gguf_type read_type(std::string_view key) {
    const auto type = in_.read<std::uint32_t>("a metadata type");
    if (type >= gguf_type_count)
      in_.fail("key " + in_quotes(key) + " has the unknown value type " + std::to_string(type));
    return static_cast<gguf_type>(type);
  }
  gguf_value read_value(std::string_view key) {
    gguf_value v;
    v.type = read_type(key);
    if (v.type == gguf_type::array) {
      v.is_array = true;
      v.type = read_type(key);
      if (v.type == gguf_type::array)
        throw unsupported_error(in_.where() + ": key " + in_quotes(key) + " is an array of arrays");
      v.count = in_.read<std::uint64_t>("an array length");
    }
    const std::uint64_t least = v.type == gguf_type::string ? 8 : item_bytes(v.type);
    if (v.count > in_.left() / least)
      in_.fail("key " + in_quotes(key) + ": " + too_many("items", v.count));
    if (v.type == gguf_type::string) {
      v.strings.reserve(v.count);
      for (std::uint64_t i = 0; i < v.count; ++i) v.strings.push_back(in_.text("a string"));
      return v;
    }
    v.data = in_.take(v.count * least, "a metadata value");
    if (v.type == gguf_type::boolean)
      for (const std::byte b : v.data)
        if (b > std::byte{1})
          in_.fail("key " + in_quotes(key) + ": a bool is " +
                   std::to_string(std::to_integer<int>(b)) + ", expected 0 or 1");
    return v;
  }

  std::uint64_t read_alignment(const gguf_metadata::map& map) const {
    const auto it = map.find("general.alignment");
    if (it == map.end()) return 32;
    const gguf_value& v = it->second;
    if (v.is_array || v.type != gguf_type::u32)
      in_.fail("general.alignment is " + v.type_name() + ", expected u32");
    const auto alignment = v.item<std::uint32_t>(0);
    if (!std::has_single_bit(alignment))
      in_.fail("general.alignment is " + std::to_string(alignment) + ", expected a power of two");
    return alignment;
  }

  void tensor_infos(std::vector<stored_tensor>& tensors) {
    tensors.reserve(tensor_count_);
    offsets_.reserve(tensor_count_);
    for (std::uint64_t i = 0; i < tensor_count_; ++i) tensors.push_back(tensor_info());
  }
  stored_tensor tensor_info() {
    stored_tensor t;
    t.name = in_.text("a tensor name");
    t.file = in_.where();
    if (t.name.empty() || t.name.size() >= 64)
      in_.fail("tensor name " + in_quotes(t.name) + " has " + std::to_string(t.name.size()) +
               " bytes, expected 1 to 63");
    const auto rank = in_.read<std::uint32_t>("a tensor's number of dimensions");
    if (rank > 4)
      in_.fail("tensor " + in_quotes(t.name) + " has " + std::to_string(rank) +
               " dimensions, at most 4 are allowed");
    std::array<std::int64_t, 4> fastest_first{};
    for (std::uint32_t d = 0; d < rank; ++d) {
      fastest_first[d] = in_.read<std::int64_t>("a tensor's shape");
      if (fastest_first[d] <= 0)
        in_.fail("tensor " + in_quotes(t.name) + ": dimension " + std::to_string(fastest_first[d]));
    }
    for (std::uint32_t d = rank; d > 0; --d) t.dims.push_back(fastest_first[d - 1]);
    t.type = tensor_type(t.name);
    offsets_.push_back(in_.read<std::uint64_t>("a tensor's offset"));
    return t;
  }
  format tensor_type(const std::string& tensor) {
    const auto id = in_.read<std::uint32_t>("a tensor's type");
    for (const auto& known : gguf_tensor_types)
      if (known.id == id) return known.type;
    throw unsupported_error(in_.where() + ": tensor " + in_quotes(tensor) + " has type " +
                                std::to_string(id) + ", which ggml does not define or has removed",
                            "quantise the model again with a current llama.cpp");
  }

  std::uint64_t data_bytes(const stored_tensor& t) const {
    try {
      const std::int64_t elements = t.dims.size();
      if (t.dims.cols() % info(t.type).block)
        in_.fail("tensor " + in_quotes(t.name) + ": rows of " + std::to_string(t.dims.cols()) +
                 " elements are not whole blocks of " + std::string(name(t.type)) + " (" +
                 std::to_string(info(t.type).block) + ")");
      return storage_bytes(t.type, static_cast<std::uint64_t>(elements));
    } catch (const shape_error& problem) {
      in_.fail("tensor " + in_quotes(t.name) + " " + t.dims.to_string() + ": " + problem.what());
    }
  }
  void place(std::vector<stored_tensor>& tensors, std::uint64_t alignment) const {
    const auto padded = [alignment](std::uint64_t n) {
      return (n + alignment - 1) & ~(alignment - 1);
    };
    const std::uint64_t start = padded(in_.position());
    const std::uint64_t available = bytes_.size() > start ? bytes_.size() - start : 0;
    std::uint64_t position = 0;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      stored_tensor& t = tensors[i];
      if (offsets_[i] != position)
        in_.fail("tensor " + in_quotes(t.name) + " is at offset " + std::to_string(offsets_[i]) +
                 " of the data, expected " + std::to_string(position));
      const std::uint64_t size = data_bytes(t);
      if (position > available || size > available - position)
        in_.fail("tensor " + in_quotes(t.name) + " takes " + std::to_string(size) +
                     " bytes, the file has only " +
                     std::to_string(available - std::min(position, available)) + " left for it",
                 "was the download interrupted?");
      t.data = bytes_.subspan(start + position, size);
      position += padded(size);
    }
  }

  std::span<const std::byte> bytes_;
  byte_reader in_;
  std::uint64_t tensor_count_ = 0, value_count_ = 0;
  std::vector<std::uint64_t> offsets_;
};

}  // namespace parlance::inline PARLANCE_ABI::io::detail
