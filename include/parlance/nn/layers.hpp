// SPDX-License-Identifier: Apache-2.0
// The layers that models are made of: linear, embedding, norms. Fields are named as in checkpoints.
#pragma once

#include "parlance/nn/module.hpp"
#include "parlance/ops/linear.hpp"
#include "parlance/ops/norm.hpp"

namespace parlance::inline PARLANCE_ABI::nn {

// y = x W^T + b, weight (out, in).
template <class T>
struct linear {
  parameter<T> weight, bias;

  linear() = default;
  linear(std::int64_t in, std::int64_t out, bool with_bias)
      : weight{{out, in}, init_kind::normal, false, {}} {
    if (with_bias) bias = {{out}, init_kind::zeros, false, {}};
  }
  tensor<T> operator()(const tensor<T>& x) const {
    return ops::linear(x, weight.stored(), bias.dense());
  }
  void visit(visitor<T>& v) { v("weight", weight), v("bias", bias); }
};

// GPT-2's Conv1D: a linear layer whose checkpoint holds the weight as (in, out).
template <class T>
struct conv1d : linear<T> {
  conv1d() = default;
  conv1d(std::int64_t in, std::int64_t out) : linear<T>(in, out, true) {
    this->weight.transposed = true;
  }
};

// Several linear layers over one input.
template <class T, class... Layers>
std::array<tensor<T>, sizeof...(Layers)> apply_together(const tensor<T>& x,
                                                        const Layers&... layer) {
  return ops::linears<T, sizeof...(Layers)>(x, {&layer.weight.stored()...},
                                            {layer.bias.dense()...});
}

template <class T>
struct embedding {
  parameter<T> weight;

  embedding() = default;
  embedding(std::int64_t count, std::int64_t width)
      : weight{{count, width}, init_kind::normal, false, {}} {}
  tensor<T> operator()(std::span<const std::int32_t> ids) const {
    return ops::embedding(ids, weight.stored());
  }
  void visit(visitor<T>& v) { v("weight", weight); }
};

template <class T>
struct rms_norm {
  parameter<T> weight;
  T eps = T(1e-6), offset = T(0);  // offset 1: the checkpoint stores w - 1 (Gemma)

  rms_norm() = default;
  rms_norm(std::int64_t width, double epsilon, bool plus_one = false)
      : weight{{width}, plus_one ? init_kind::zeros : init_kind::ones, false, {}},
        eps(static_cast<T>(epsilon)),
        offset(plus_one ? T(1) : T(0)) {}
  tensor<T> operator()(const tensor<T>& x) const {
    return ops::rms_norm(x, weight.dense(), eps, offset);
  }
  void visit(visitor<T>& v) { v("weight", weight); }
};

template <class T>
struct layer_norm {
  parameter<T> weight, bias;
  T eps = T(1e-5);

  layer_norm() = default;
  layer_norm(std::int64_t width, double epsilon, bool with_bias = true)
      : weight{{width}, init_kind::ones, false, {}}, eps(static_cast<T>(epsilon)) {
    if (with_bias) bias = {{width}, init_kind::zeros, false, {}};
  }
  tensor<T> operator()(const tensor<T>& x) const {
    return ops::layer_norm(x, weight.dense(), bias.dense(), eps);
  }
  void visit(visitor<T>& v) { v("weight", weight), v("bias", bias); }
};

}  // namespace parlance::inline PARLANCE_ABI::nn
