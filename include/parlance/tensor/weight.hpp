// SPDX-License-Identifier: Apache-2.0
// A weight as it is stored: dense T, bf16, f16 (possibly a view of a mapped file) or a quantised
// matrix repacked for the kernels. Only ops::linear and ops::embedding look inside, so one model
// definition serves every format.
#pragma once

#include <memory>
#include <utility>
#include <variant>

#include "parlance/core/float16.hpp"
#include "parlance/core/format.hpp"
#include "parlance/kernels/quant_matrix.hpp"
#include "parlance/tensor/tensor.hpp"

namespace parlance::inline PARLANCE_ABI {

// A row-major matrix of 16-bit floats kept alive by `owner`.
template <class E>
struct half_matrix {
  const E* data = nullptr;
  std::shared_ptr<const void> owner;
};

template <class T>
class weight {
 public:
  using quantised = std::shared_ptr<const kernels::quant_matrix>;
  using variant =
      std::variant<std::monostate, tensor<T>, half_matrix<bf16>, half_matrix<f16>, quantised>;

  weight() = default;
  weight(const shape& dims, variant stored, bool exact = true)
      : dims_(dims), stored_(std::move(stored)), exact_(exact) {}
  explicit weight(tensor<T> dense) : dims_(dense.dims()), stored_(std::move(dense)) {}

  bool defined() const { return stored_.index() != 0; }
  const shape& dims() const { return dims_; }
  // False when 16-bit formats may use 16-bit dot products on rounded inputs.
  bool exact() const { return exact_; }

  format type() const {
    if (std::holds_alternative<half_matrix<bf16>>(stored_)) return format::bf16;
    if (std::holds_alternative<half_matrix<f16>>(stored_)) return format::f16;
    if (const auto* q = std::get_if<quantised>(&stored_)) return (*q)->type();
    return sizeof(T) == 8 ? format::f64 : format::f32;
  }
  std::uint64_t bytes() const {
    if (const auto* q = std::get_if<quantised>(&stored_)) return (*q)->bytes();
    return defined() ? storage_bytes(type(), static_cast<std::uint64_t>(dims_.size())) : 0;
  }

  tensor<T>* dense() { return std::get_if<tensor<T>>(&stored_); }
  const tensor<T>* dense() const { return std::get_if<tensor<T>>(&stored_); }
  const variant& stored() const { return stored_; }

  // Rows [first, first + count) as T, whatever the format.
  void read_rows(std::int64_t first, std::int64_t count, T* out) const {
    const std::int64_t cols = dims_.cols();
    const auto convert = [&](const auto* data) {
      for (std::int64_t i = 0; i < count * cols; ++i)
        out[i] = static_cast<T>(static_cast<float>(data[first * cols + i]));
    };
    if (const tensor<T>* d = dense()) {
      std::copy_n(d->data() + first * cols, count * cols, out);
    } else if (const auto* b = std::get_if<half_matrix<bf16>>(&stored_)) {
      convert(b->data);
    } else if (const auto* h = std::get_if<half_matrix<f16>>(&stored_)) {
      convert(h->data);
    } else if (const auto* q = std::get_if<quantised>(&stored_)) {
      if constexpr (std::is_same_v<T, float>) {
        for (std::int64_t i = 0; i < count; ++i) (*q)->row(first + i, out + i * cols);
      } else {
        std::vector<float> row(static_cast<std::size_t>(cols));
        for (std::int64_t i = 0; i < count; ++i) {
          (*q)->row(first + i, row.data());
          std::copy(row.begin(), row.end(), out + i * cols);
        }
      }
    } else {
      throw option_error("weight: read before it was loaded or initialised");
    }
  }
  tensor<T> to_dense() const {
    if (const tensor<T>* d = dense()) return *d;
    tensor<T> out(dims_);
    read_rows(0, dims_.rows(), out.data());
    return out;
  }

 private:
  shape dims_;
  variant stored_;
  bool exact_ = true;
};

}  // namespace parlance::inline PARLANCE_ABI
