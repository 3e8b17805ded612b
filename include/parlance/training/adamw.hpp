// SPDX-License-Identifier: Apache-2.0
// AdamW over the trainable parameters of a model, and clipping of the gradient's norm. As
// torch.optim.AdamW and torch.nn.utils.clip_grad_norm_ (2.x).
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "parlance/kernels/update.hpp"
#include "parlance/nn/module.hpp"

namespace parlance::inline PARLANCE_ABI::training {

struct adamw_options {
  double learning_rate = 5e-5, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0;
};

// f(name, values, gradient) for every trainable parameter that has a gradient.
template <class T, class M, class F>
void for_each_gradient(M& model, F f) {
  nn::for_each_parameter<T>(model, [&](const std::string& name, nn::parameter<T>& p) {
    if (!p.trainable()) return;
    tensor<T>& values = *p.value.dense();
    if (values.node()->grad().defined()) f(name, values, values.node()->grad());
  });
}

// The 2-norm of all gradients together, in a fixed order.
template <class T = float, class M>
double grad_norm(M& model) {
  double squares = 0;
  for_each_gradient<T>(model, [&](const std::string&, tensor<T>&, tensor<T>& g) {
    squares += kernels::sum_of_squares(g.size(), g.data());
  });
  return std::sqrt(squares);
}

// The norm, and the factor that brings it down to max_norm: pass it to adamw::step.
struct clipped_norm {
  double norm = 0, scale = 1;
};
template <class T = float, class M>
clipped_norm clip_grad_norm(M& model, double max_norm) {
  const double norm = grad_norm<T>(model);
  return {norm, std::min(1.0, max_norm / (norm + 1e-6))};
}

template <class M, class T = float>
class adamw {
 public:
  explicit adamw(M& model, const adamw_options& options = {}) : model_(model), options_(options) {}

  // One update; `grad_scale` multiplies the gradients (clipping), `learning_rate` replaces the
  // option's for this step (schedules).
  void step(double grad_scale = 1, std::optional<double> learning_rate = {}) {
    ++steps_;
    const kernels::adamw_step s{learning_rate.value_or(options_.learning_rate),
                                options_.beta1,
                                options_.beta2,
                                options_.epsilon,
                                options_.weight_decay,
                                steps_,
                                grad_scale};
    std::size_t i = 0;
    nn::for_each_parameter<T>(model_, [&](const std::string&, nn::parameter<T>& p) {
      const std::size_t slot = i++;
      if (slot >= state_.size()) state_.resize(slot + 1);
      if (!p.trainable() || !p.value.dense()->node()->grad().defined()) return;
      tensor<T>& values = *p.value.dense();
      moments& m = state_[slot];
      if (!m.first.defined()) {
        m.first = tensor<T>::zeros(values.dims());
        m.second = tensor<T>::zeros(values.dims());
      }
      kernels::adamw(values.size(), values.data(), values.node()->grad().data(), m.first.data(),
                     m.second.data(), s);
    });
  }
  void zero_grad() {
    nn::for_each_parameter<T>(model_, [](const std::string&, nn::parameter<T>& p) {
      if (p.trainable()) p.value.dense()->node()->grad() = {};
    });
  }
  std::int64_t steps() const { return steps_; }

 private:
  struct moments {
    tensor<T> first, second;
  };
  M& model_;
  adamw_options options_;
  std::vector<moments> state_;
  std::int64_t steps_ = 0;
};

}  // namespace parlance::inline PARLANCE_ABI::training
