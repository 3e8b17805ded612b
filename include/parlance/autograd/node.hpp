// SPDX-License-Identifier: Apache-2.0
// Reverse-mode differentiation, eager: an operation on tracked tensors hangs a node on its result;
// the node knows its inputs' nodes and how to turn the gradient of the result into theirs.
// Untracked (frozen) inputs have no node, so they cost no gradient and no saved tensor. First order
// only.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "parlance/tensor/tensor.hpp"

namespace parlance::inline PARLANCE_ABI::autograd {

namespace detail {
inline bool& grad_disabled() {
  thread_local bool disabled = false;
  return disabled;
}
// One count for all threads: a graph may be continued on another thread.
inline std::uint64_t next_order() {
  static std::atomic<std::uint64_t> order{0};
  return order.fetch_add(1, std::memory_order_relaxed) + 1;
}
}  // namespace detail

// While alive, operations of this thread record nothing.
class no_grad {
 public:
  no_grad() : previous_(std::exchange(detail::grad_disabled(), true)) {}
  no_grad(const no_grad&) = delete;
  ~no_grad() { detail::grad_disabled() = previous_; }

 private:
  bool previous_;
};

inline bool grad_enabled() { return !detail::grad_disabled(); }

template <class T>
class node {
 public:
  // Turns the gradient of the output into gradients of the inputs, through accumulate().
  using backward_function = std::function<void(node& self, const tensor<T>& grad)>;

  node() = default;  // a leaf: keeps its gradient
  node(std::vector<std::shared_ptr<node>> inputs, backward_function backward)
      : inputs_(std::move(inputs)), backward_(std::move(backward)), order_(detail::next_order()) {}
  node(const node&) = delete;
  // Long chains are released in a loop: one destructor calling the next would exhaust the stack.
  ~node() {
    std::vector<std::shared_ptr<node>> pending = std::move(inputs_);
    while (!pending.empty()) {
      const std::shared_ptr<node> last = std::move(pending.back());
      pending.pop_back();
      if (last && last.use_count() == 1)
        for (auto& input : last->inputs_) pending.push_back(std::move(input));
    }
  }

  bool leaf() const { return !backward_ && inputs_.empty(); }
  std::uint64_t order() const { return order_; }
  const std::vector<std::shared_ptr<node>>& inputs() const { return inputs_; }
  // The i-th input's node, null when that input is not tracked.
  node* input(std::size_t i) const { return inputs_[i].get(); }

  tensor<T>& grad() { return grad_; }

  // Adds g to the gradient. The memory of g may be shared: it is copied before it is written.
  void accumulate(tensor<T> g) {
    if (!grad_.defined()) {
      grad_ = std::move(g);
      return;
    }
    tensor<T> sum = grad_.unique() ? grad_ : grad_.clone();
    T* out = sum.data();
    const T* in = g.data();
    for (std::int64_t i = 0, n = sum.size(); i < n; ++i) out[i] += in[i];
    grad_ = std::move(sum);
  }
  // Memory of the given shape that a kernel adds to: (tensor, beta) with beta 0 when it is fresh.
  std::pair<tensor<T>, T> accumulator(const shape& dims) {
    if (!grad_.defined()) {
      grad_ = tensor<T>(dims);
      return {grad_, T(0)};
    }
    if (!grad_.unique()) grad_ = grad_.clone();
    return {grad_, T(1)};
  }

  // Runs the backward function and frees what it saved.
  void run() {
    if (leaf()) return;
    const tensor<T> g = std::exchange(grad_, {});
    const backward_function f = std::exchange(backward_, nullptr);
    if (!g.defined()) return;
    if (!f) throw option_error("backward: the graph was used up by an earlier backward");
    f(*this, g);
  }

 private:
  std::vector<std::shared_ptr<node>> inputs_;
  backward_function backward_;
  tensor<T> grad_;
  std::uint64_t order_ = 0;
};

// True when an operation on these tensors has to be recorded.
template <class... Tensors>
bool tracking(const Tensors&... inputs) {
  return grad_enabled() && ((inputs.node() != nullptr) || ...);
}

// Hangs a node on `out`. `backward(self, grad)` sees the inputs in the order given here; it must
// capture saved tensors detached.
template <class T, class F>
void record(tensor<T>& out, std::vector<std::shared_ptr<node<T>>> inputs, F backward) {
  out.set_node(std::make_shared<node<T>>(std::move(inputs), std::move(backward)));
}

template <class T>
void require_grad(tensor<T>& t) {
  if (!t.node()) t.set_node(std::make_shared<node<T>>());
}

// Back-propagates from `loss` (gradient `seed`, ones when not given) into the leaves, adding to
// gradients that are already there. The graph is used up: a second backward through any part of it
// is an option_error.
template <class T>
void backward(const tensor<T>& loss, tensor<T> seed = {}) {
  if (!loss.node()) throw option_error("backward: the tensor does not depend on a tracked one");
  if (!seed.defined()) seed = tensor<T>::full(loss.dims(), T(1));
  require_shape("backward", seed.dims(), loss.dims());
  loss.node()->accumulate(std::move(seed));

  // Creation order is a topological order; visit each node once, newest first.
  const auto older = [](const auto& a, const auto& b) { return a->order() < b->order(); };
  std::vector<std::shared_ptr<node<T>>> heap{loss.node()};
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), older);
    const std::shared_ptr<node<T>> current = std::move(heap.back());
    heap.pop_back();
    while (!heap.empty() && heap.front() == current) {
      std::pop_heap(heap.begin(), heap.end(), older);
      heap.pop_back();
    }
    current->run();
    for (const auto& input : current->inputs()) {
      if (!input || input->leaf()) continue;
      heap.push_back(input);
      std::push_heap(heap.begin(), heap.end(), older);
    }
  }
}

// The gradient that backward left in a leaf; undefined when none arrived.
template <class T>
tensor<T> grad(const tensor<T>& leaf) {
  return leaf.node() ? leaf.node()->grad() : tensor<T>();
}

}  // namespace parlance::inline PARLANCE_ABI::autograd
