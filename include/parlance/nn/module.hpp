// SPDX-License-Identifier: Apache-2.0
// Parameters and the one traversal. A module is a plain struct whose member names are the segments
// of the checkpoint's tensor names; its `visit` lists them once, and load, save, init, freeze,
// optimizer groups, quantise and summary are all visitors. Constructors allocate nothing.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/autograd/node.hpp"
#include "parlance/core/random.hpp"
#include "parlance/tensor/weight.hpp"

namespace parlance::inline PARLANCE_ABI::nn {

enum class init_kind : std::uint8_t { normal, zeros, ones };

// A named weight: its shape is known from the start, its storage arrives by load or init.
template <class T>
struct parameter {
  shape dims;
  init_kind init = init_kind::normal;
  bool transposed = false;  // the checkpoint stores the transpose (GPT-2's Conv1D)
  weight<T> value;

  bool defined() const { return value.defined(); }
  // The weight in whatever format it is stored.
  const weight<T>& stored() const {
    if (!defined())
      throw option_error("parameter of shape " + dims.to_string() +
                         " was not loaded or initialised");
    return value;
  }
  // The dense tensor, or an undefined one where the module has no such parameter.
  tensor<T> dense() const {
    if (dims.empty()) return {};
    if (const tensor<T>* d = stored().dense()) return *d;
    throw option_error("parameter of shape " + dims.to_string() + " is stored as " +
                       std::string(name(value.type())) + ", not dense");
  }
  bool trainable() const { return value.dense() && value.dense()->node(); }
};

template <class T>
class visitor;

template <class M, class T>
concept module = requires(M m, visitor<T>& v) {
  m.visit(v);
};

// Walks a module tree. Derive and override `on_parameter`.
template <class T>
class visitor {
 public:
  virtual ~visitor() = default;
  virtual void on_parameter(const std::string& name, parameter<T>& p) = 0;

  void operator()(std::string_view name, parameter<T>& p) {
    if (!p.dims.empty()) on_parameter(path_ + std::string(name), p);
  }
  template <module<T> M>
  void operator()(std::string_view name, M& child) {
    const std::size_t length = path_.size();
    path_ += name;
    path_ += '.';
    child.visit(*this);
    path_.resize(length);
  }
  template <class M>
  void operator()(std::string_view name, std::vector<M>& children) {
    for (std::size_t i = 0; i < children.size(); ++i)
      (*this)(std::string(name) + "." + std::to_string(i), children[i]);
  }
  template <class M>
  void operator()(std::string_view name, std::optional<M>& child) {
    if (child) (*this)(name, *child);
  }

 private:
  std::string path_;
};

// f(name, parameter&) for every parameter of the module.
template <class T, class M, class F>
void for_each_parameter(M& m, F f) {
  struct caller : visitor<T> {
    F& f;
    explicit caller(F& fn) : f(fn) {}
    void on_parameter(const std::string& name, parameter<T>& p) override { f(name, p); }
  } v(f);
  m.visit(v);
}

// True when `text` matches a pattern in which * stands for any run of characters.
inline bool matches(std::string_view text, std::string_view pattern) {
  std::size_t t = 0, p = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p, ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

// Makes the parameters whose name matches trainable: dense, in memory of their own, with gradient.
// Half-precision weights are widened. Quantised weights stay frozen.
template <class T, class M>
void unfreeze(M& m, std::string_view pattern = "*") {
  for_each_parameter<T>(m, [&](const std::string& name, parameter<T>& p) {
    if (!matches(name, pattern) || !p.defined() || is_block_format(p.value.type())) return;
    tensor<T> dense = p.value.to_dense();
    if (dense.foreign()) dense = dense.clone();
    autograd::require_grad(dense);
    p.value = weight<T>(std::move(dense));
  });
}

template <class T, class M>
void freeze(M& m, std::string_view pattern = "*") {
  for_each_parameter<T>(m, [&](const std::string& name, parameter<T>& p) {
    if (matches(name, pattern) && p.trainable()) p.value = weight<T>(p.value.dense()->detach());
  });
}

// Fresh values: normal(0, std) for matrices, zeros and ones where the module says so. A value
// depends only on the seed, the parameter's order and its own index.
template <class T, class M>
void init(M& m, std::uint64_t seed, double std = 0.02) {
  std::uint64_t stream = 0;
  for_each_parameter<T>(m, [&](const std::string&, parameter<T>& p) {
    tensor<T> value(p.dims);
    rng numbers(seed, ++stream);
    for (T& x : value.values())
      x = p.init == init_kind::normal ? static_cast<T>(std * numbers.normal())
                                      : T(p.init == init_kind::ones);
    p.value = weight<T>(std::move(value));
  });
}

template <class T, class M>
std::int64_t count_parameters(M& m) {
  std::int64_t n = 0;
  for_each_parameter<T>(m, [&](const std::string&, parameter<T>& p) { n += p.dims.size(); });
  return n;
}

}  // namespace parlance::inline PARLANCE_ABI::nn
