// SPDX-License-Identifier: Apache-2.0
// Tensors: values, views and slices that share memory, clones that do not, foreign memory.
#include "parlance/tensor/tensor.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <vector>

using namespace parlance;

namespace {

template <class T>
std::vector<T> list(const tensor<T>& t) {
  return {t.values().begin(), t.values().end()};
}

}  // namespace

TEST_CASE_TEMPLATE("tensors are made and read", T, float, double) {
  const auto t = tensor<T>::from({2, 3}, {1, 2, 3, 4, 5, 6});
  CHECK(t.defined());
  CHECK(t.dims() == shape{2, 3});
  CHECK(t.dim(-1) == 3);
  CHECK(t.size() == 6);
  CHECK(t.rows() == 2);
  CHECK(t.cols() == 3);
  CHECK(t.row(1)[2] == T(6));
  CHECK(reinterpret_cast<std::uintptr_t>(t.data()) % 64 == 0);
  CHECK(list(tensor<T>::zeros({3})) == std::vector<T>(3, T(0)));
  CHECK(list(tensor<T>::full({2, 1}, T(7))) == std::vector<T>(2, T(7)));
  CHECK(tensor<T>::full({}, T(5)).item() == T(5));
  CHECK(tensor<T>::from({1, 1}, {T(4)}).item() == T(4));
  CHECK_THROWS_WITH_AS(t.item(), "item: expected one element, got [2, 3]", shape_error);
  CHECK_THROWS_AS(tensor<T>::from({2, 2}, {T(1)}), shape_error);
}

TEST_CASE("undefined and empty tensors differ") {
  const tensor<float> none, empty({0, 3});
  CHECK_FALSE(none.defined());
  CHECK_FALSE(none.clone().defined());
  CHECK_FALSE(none.detach().defined());
  CHECK_FALSE(none.unique());
  CHECK(empty.defined());
  CHECK(empty.size() == 0);
  CHECK(empty.values().empty());
  CHECK(empty.clone().dims() == shape{0, 3});
}

TEST_CASE("sizes that do not fit memory are refused, not wrapped around") {
  CHECK_THROWS_AS(tensor<float>({std::int64_t{1} << 62}), shape_error);
  CHECK_THROWS_AS(tensor<double>({std::int64_t{1} << 61}), shape_error);
  CHECK_THROWS_AS(tensor<double>({std::int64_t{1} << 32, std::int64_t{1} << 32}), shape_error);
}

TEST_CASE("copies, views and slices share memory; clones do not") {
  auto t = tensor<float>::from({3, 2}, {1, 2, 3, 4, 5, 6});
  CHECK(t.unique());
  {
    tensor<float> copy = t, view = t.view({2, 3}), slice = t.slice(1, 3), detached = t.detach();
    CHECK_FALSE(t.unique());
    CHECK(view.dims() == shape{2, 3});
    CHECK(slice.dims() == shape{2, 2});
    CHECK(slice.data() == t.data() + 2);
    CHECK(list(slice) == std::vector<float>{3, 4, 5, 6});
    CHECK(detached.data() == t.data());
    view.row(1)[0] = 40;  // element 3
    CHECK(copy.row(1)[1] == 40);
    CHECK(slice.row(0)[1] == 40);
    const tensor<float> clone = t.clone();
    CHECK(clone.unique());
    CHECK(clone.data() != t.data());
    CHECK(list(clone) == list(t));
    const auto inner = slice.slice(1, 2);  // of a slice
    CHECK(list(inner) == std::vector<float>{5, 6});
    CHECK(list(slice.clone()) == std::vector<float>{3, 40, 5, 6});
  }
  CHECK(t.unique());
  const tensor<float> last = tensor<float>(t.slice(2, 3));
  t = {};
  CHECK(list(last) == std::vector<float>{5, 6});  // a slice keeps the memory
  CHECK(last.unique());
}

TEST_CASE("views and slices are checked") {
  const auto t = tensor<float>::zeros({3, 2});
  CHECK_THROWS_WITH_AS(t.view({4}), "view: [3, 2] cannot become [4]", shape_error);
  CHECK(t.view({3, 1, 2}).rows() == 3);
  CHECK(t.slice(0, 0).dims() == shape{0, 2});
  CHECK(t.slice(3, 3).size() == 0);
  CHECK_THROWS_WITH_AS(t.slice(1, 4), "slice: [1, 4) of [3, 2]", shape_error);
  CHECK_THROWS_AS(t.slice(-1, 1), shape_error);
  CHECK_THROWS_AS(t.slice(2, 1), shape_error);
  CHECK_THROWS_AS(tensor<float>::full({}, 1).slice(0, 1), shape_error);
  const tensor<float> empty({0, 2});
  CHECK(empty.slice(0, 0).dims() == shape{0, 2});
  CHECK_THROWS_WITH_AS(require_shape("op", {2, 3}, {3}), "op: expected shape [3], got [2, 3]",
                       shape_error);
}

TEST_CASE("foreign memory is used in place, kept alive, and never unique") {
  auto owner = std::make_shared<std::vector<float>>(std::vector<float>{1, 2, 3, 4});
  const std::weak_ptr<std::vector<float>> watch = owner;
  tensor<float> t({2, 2}, owner->data(), owner);
  CHECK(t.foreign());
  CHECK_FALSE(t.unique());
  CHECK(t.data() == owner->data());
  owner.reset();
  CHECK_FALSE(watch.expired());
  tensor<float> slice = t.slice(1, 2), clone = t.clone();
  CHECK(slice.foreign());
  CHECK_FALSE(clone.foreign());
  CHECK(clone.unique());
  t = {};
  CHECK(list(slice) == std::vector<float>{3, 4});
  CHECK_FALSE(watch.expired());
  slice = {};
  CHECK(watch.expired());
  CHECK(list(clone) == std::vector<float>{1, 2, 3, 4});
}
