// SPDX-License-Identifier: Apache-2.0
// Tensors as they lie in files: name, format, shape and a view of their bytes. A `tensor_source` is
// any set of them (a safetensors file, a sharded checkpoint, a GGUF file); `tensor_table` is the
// implementation that the readers share. Values are converted by io/dequantize.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "parlance/core/error.hpp"
#include "parlance/core/format.hpp"
#include "parlance/core/nearest.hpp"
#include "parlance/core/shape.hpp"

namespace parlance::inline PARLANCE_ABI::io {

struct stored_tensor {
  std::string name;
  format type = format::f32;
  shape dims;                         // PyTorch order, outermost first, also for GGUF
  std::span<const std::byte> data;    // possibly unaligned
  std::shared_ptr<const void> owner;  // keeps `data` alive; null when the caller does
  std::string file;
};

class tensor_source {
 public:
  virtual ~tensor_source() = default;
  virtual std::span<const stored_tensor> tensors() const = 0;
  virtual const stored_tensor* find(std::string_view name) const {
    for (const stored_tensor& t : tensors())
      if (t.name == name) return &t;
    return nullptr;
  }
  // The tensor of that name, or an error with the nearest one.
  const stored_tensor& at(std::string_view name) const {
    if (const stored_tensor* t = find(name)) return *t;
    std::vector<std::string_view> names;
    for (const stored_tensor& t : tensors()) names.push_back(t.name);
    throw option_error(describe() + ": no tensor '" + std::string(name) + "'",
                       did_you_mean(name, names));
  }
  // Free text of the file's header.
  virtual const std::map<std::string, std::string>& metadata() const {
    static const std::map<std::string, std::string> none;
    return none;
  }
  virtual std::string describe() const { return std::to_string(tensors().size()) + " tensors"; }
};

// A list of tensors with a hashed index by name.
class tensor_table : public tensor_source {
 public:
  tensor_table(std::string where, std::vector<stored_tensor> tensors,
               std::map<std::string, std::string> metadata = {})
      : where_(std::move(where)), tensors_(std::move(tensors)), metadata_(std::move(metadata)) {
    index_.reserve(tensors_.size());
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      const auto [first, added] = index_.emplace(tensors_[i].name, i);
      if (added) continue;
      const std::string &a = tensors_[first->second].file, &b = tensors_[i].file;
      throw format_error(where_, -1,
                         "two tensors named '" + tensors_[i].name + "'" +
                             (a == b ? std::string{} : ": in " + a + " and in " + b));
    }
  }
  std::span<const stored_tensor> tensors() const override { return tensors_; }
  const stored_tensor* find(std::string_view name) const override {
    const auto it = index_.find(name);
    return it == index_.end() ? nullptr : &tensors_[it->second];
  }
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }
  std::string describe() const override {
    return where_ + ": " + std::to_string(tensors_.size()) + " tensors";
  }

 private:
  std::string where_;
  std::vector<stored_tensor> tensors_;
  std::map<std::string, std::string> metadata_;
  std::unordered_map<std::string_view, std::size_t> index_;  // keys point into tensors_
};

}  // namespace parlance::inline PARLANCE_ABI::io
