// SPDX-License-Identifier: Apache-2.0
// tensor<T>: a shape over contiguous, shared memory. Copying a tensor copies the handle; views
// (reshape, rows) share memory. T is float to run and double to check gradients; token ids are
// plain vectors. A tensor may carry an autograd node, opaque here.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <utility>

#include "parlance/core/shape.hpp"
#include "parlance/tensor/storage.hpp"

namespace parlance::inline PARLANCE_ABI {

namespace autograd {
template <class T>
class node;
}

template <class T>
class tensor {
 public:
  using value_type = T;

  tensor() = default;
  // Uninitialised.
  explicit tensor(const shape& dims)
      : storage_(bytes(dims)), data_(reinterpret_cast<T*>(storage_.data())), dims_(dims) {}
  // A view of foreign memory, kept alive by `owner`. Must be aligned for T.
  tensor(const shape& dims, const T* data, std::shared_ptr<const void> owner)
      : storage_(data, std::move(owner)), data_(const_cast<T*>(data)), dims_(dims) {}

  static tensor full(const shape& dims, T value) {
    tensor t(dims);
    std::fill_n(t.data_, t.size(), value);
    return t;
  }
  static tensor zeros(const shape& dims) { return full(dims, T(0)); }
  static tensor from(const shape& dims, std::span<const T> values) {
    if (dims.size() != static_cast<std::int64_t>(values.size()))
      throw shape_error("tensor::from: " + std::to_string(values.size()) + " values for shape " +
                        dims.to_string());
    tensor t(dims);
    std::copy(values.begin(), values.end(), t.data_);
    return t;
  }
  static tensor from(const shape& dims, std::initializer_list<T> values) {
    return from(dims, std::span<const T>(values.begin(), values.size()));
  }

  bool defined() const { return data_ != nullptr; }
  const shape& dims() const { return dims_; }
  std::int64_t dim(int i) const { return dims_[i]; }
  std::int64_t size() const { return dims_.size(); }
  std::int64_t rows() const { return dims_.rows(); }
  std::int64_t cols() const { return dims_.cols(); }

  const T* data() const { return data_; }
  T* data() { return data_; }
  std::span<const T> values() const { return {data_, static_cast<std::size_t>(size())}; }
  std::span<T> values() { return {data_, static_cast<std::size_t>(size())}; }
  const T* row(std::int64_t i) const { return data_ + i * cols(); }
  T* row(std::int64_t i) { return data_ + i * cols(); }
  T item() const {
    if (size() != 1) throw shape_error("item: expected one element, got " + dims_.to_string());
    return data_[0];
  }

  // The same elements under another shape, without gradient tracking (see ops::reshape).
  tensor view(const shape& dims) const {
    if (dims.size() != size())
      throw shape_error("view: " + dims_.to_string() + " cannot become " + dims.to_string());
    tensor t = detach();
    t.dims_ = dims;
    return t;
  }
  // Entries [begin, end) of the first dimension, sharing memory, without gradient tracking.
  tensor slice(std::int64_t begin, std::int64_t end) const {
    if (dims_.rank() == 0 || begin < 0 || end < begin || end > dims_[0])
      throw shape_error("slice: [" + std::to_string(begin) + ", " + std::to_string(end) + ") of " +
                        dims_.to_string());
    tensor t = detach();
    if (dims_[0] > 0) t.data_ += begin * (size() / dims_[0]);
    t.dims_[0] = end - begin;
    return t;
  }
  tensor clone() const { return defined() ? from(dims_, values()) : tensor(); }
  // The same memory without its history.
  tensor detach() const {
    tensor t;
    t.storage_ = storage_;
    t.data_ = data_;
    t.dims_ = dims_;
    return t;
  }

  // True when nothing else shares the memory and it is ours, so that it may be overwritten.
  bool unique() const { return storage_.unique() && !storage_.foreign(); }
  bool foreign() const { return storage_.foreign(); }

  const std::shared_ptr<autograd::node<T>>& node() const { return node_; }
  void set_node(std::shared_ptr<autograd::node<T>> n) { node_ = std::move(n); }

 private:
  static std::size_t bytes(const shape& dims) {
    std::int64_t n = 0;
    if (__builtin_mul_overflow(dims.size(), static_cast<std::int64_t>(sizeof(T)), &n))
      throw shape_error("tensor: " + dims.to_string() + " does not fit memory");
    return static_cast<std::size_t>(n);
  }

  storage storage_;
  T* data_ = nullptr;
  shape dims_;
  std::shared_ptr<autograd::node<T>> node_;
};

inline void require_shape(const char* op, const shape& got, const shape& expected) {
  if (!(got == expected))
    throw shape_error(std::string(op) + ": expected shape " + expected.to_string() + ", got " +
                      got.to_string());
}

}  // namespace parlance::inline PARLANCE_ABI
