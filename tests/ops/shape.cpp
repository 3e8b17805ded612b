// SPDX-License-Identifier: Apache-2.0
// Reshape, picked rows, columns and joined rows: values, gradients, what is refused.
#include "parlance/ops/shape.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "op_inputs.hpp"
#include "parlance/ops/math.hpp"

using namespace parlance;
using namespace ops_test;

namespace {

std::vector<double> list(const tensor<double>& t) { return {t.values().begin(), t.values().end()}; }
const auto matrix = tensor<double>::from({3, 2}, {1, 2, 3, 4, 5, 6});

tensor<double> pick(const tensor<double>& x, const std::vector<std::int64_t>& rows) {
  return ops::gather_rows<double>(x, rows);
}
tensor<double> join(const std::vector<tensor<double>>& parts) {
  return ops::concat_rows<double>(parts);
}

}  // namespace

TEST_CASE("turned matrices and means of segments") {
  CHECK(list(ops::transpose(matrix)) == std::vector<double>{1, 3, 5, 2, 4, 6});
  CHECK(ops::transpose(matrix).dims() == shape{2, 3});
  CHECK_THROWS_AS(ops::transpose(tensor<double>({2, 2, 2})), shape_error);
  CHECK(list(ops::segment_mean<double>(matrix, {0, 2, 3})) == std::vector<double>{2, 3, 5, 6});
  CHECK(list(ops::segment_mean<double>(matrix, {1, 1, 3})) == std::vector<double>{0, 0, 4, 5});
  CHECK_THROWS_AS(ops::segment_mean<double>(matrix, {0, 4}), shape_error);
  CHECK_THROWS_AS(ops::segment_mean<double>(matrix, {2, 1}), shape_error);
  CHECK_THROWS_AS(ops::segment_mean<double>(matrix, {}), shape_error);
  check_gradients([](const inputs& x) { return ops::transpose(x[0]); }, {numbers({3, 4}, 1)});
  check_gradients(
      [](const inputs& x) {
        return ops::segment_mean<double>(x[0], {0, 1, 4, 4, 6});
      },
      {numbers({7, 2}, 1)});
}

TEST_CASE("rows beside their neighbours") {
  CHECK(list(ops::unfold_rows<double>(matrix, {0, 2, 3}, 3)) ==
        std::vector<double>{0, 1, 3, 0, 2, 4, 1, 3, 0, 2, 4, 0, 0, 5, 0, 0, 6, 0});
  CHECK(list(ops::unfold_rows<double>(matrix, {0, 3}, 1)) == list(matrix));
  CHECK_THROWS_AS(ops::unfold_rows<double>(matrix, {0, 2}, 3), shape_error);
  CHECK_THROWS_AS(ops::unfold_rows<double>(matrix, {0, 3}, 0), shape_error);
  CHECK_THROWS_AS(ops::unfold_rows<double>(matrix, {}, 3), shape_error);
  check_gradients(
      [](const inputs& x) {
        return ops::unfold_rows<double>(x[0], {0, 1, 4, 7}, 5);
      },
      {numbers({7, 2}, 1)});
}

TEST_CASE("values") {
  CHECK(list(ops::reshape(matrix, {2, 3})) == list(matrix));
  CHECK(ops::reshape(matrix, {6}).dims() == shape{6});
  CHECK(list(pick(matrix, {2, 0, 2})) == std::vector<double>{5, 6, 1, 2, 5, 6});
  CHECK(pick(matrix, {}).dims() == shape{0, 2});
  CHECK(list(ops::columns(matrix, 1, 1)) == std::vector<double>{2, 4, 6});
  CHECK(ops::columns(matrix, 2, 0).dims() == shape{3, 0});
  const auto cube = numbers({2, 3, 5}, 1);
  const auto middle = ops::columns(cube, 1, 3);
  CHECK(middle.dims() == shape{2, 3, 3});
  for (int r = 0; r < 6; ++r)
    for (int c = 0; c < 3; ++c) CHECK(middle.row(r)[c] == cube.row(r)[c + 1]);
  CHECK(list(join({matrix, tensor<double>({0, 2}), matrix.slice(0, 1)})) ==
        std::vector<double>{1, 2, 3, 4, 5, 6, 1, 2});
  CHECK(join({numbers({2, 3, 4}, 1), numbers({4}, 2)}).dims() == shape{7, 4});
}

TEST_CASE("what is refused") {
  CHECK_THROWS_AS(ops::reshape(matrix, {4}), shape_error);
  CHECK_THROWS_WITH_AS(pick(matrix, {0, 3}), "gather_rows: row 3 of [3, 2]", shape_error);
  CHECK_THROWS_AS(pick(matrix, {-1}), shape_error);
  CHECK_THROWS_WITH_AS(ops::columns(matrix, 1, 2), "columns: 2 from 1 of [3, 2]", shape_error);
  CHECK_THROWS_AS(ops::columns(matrix, -1, 1), shape_error);
  CHECK_THROWS_AS(ops::columns(matrix, 0, -1), shape_error);
  CHECK_THROWS_AS(ops::columns(matrix, 1, INT64_MAX), shape_error);
  CHECK_THROWS_AS(ops::columns(tensor<double>::full({}, 1), 0, 1), shape_error);
  CHECK_THROWS_AS(join({}), shape_error);
  CHECK_THROWS_WITH_AS(join({matrix, numbers({3}, 1)}), "concat_rows: [3] beside [3, 2]",
                       shape_error);
}

TEST_CASE("gradients") {
  for (const std::int64_t rows : {1, 3, 7}) {
    const inputs in{numbers({rows, 6}, 1), numbers({2, 6}, 2)};
    check_gradients(
        [rows](const inputs& x) {
          const auto y = ops::reshape(x[0], {rows * 2, 3});
          return ops::mul(y, y);
        },
        in);
    check_gradients(
        [rows](const inputs& x) {
          return pick(x[0], {rows - 1, 0, rows - 1, 0, 0});
        },
        in);
    check_gradients([](const inputs& x) { return pick(x[0], {}); }, in);
    // Two overlapping ranges of columns and one of none.
    check_gradients(
        [](const inputs& x) {
          const auto a = ops::columns(x[0], 0, 4), b = ops::columns(x[0], 2, 4);
          return join({ops::mul(a, b), ops::columns(x[1], 1, 4)});
        },
        in);
    check_gradients([](const inputs& x) { return ops::columns(x[0], 3, 0); }, in);
    check_gradients([](const inputs& x) { return join({x[0], x[1], x[0]}); }, in);
    check_gradients(
        [](const inputs& x) {
          const auto y = join({x[0], x[1]});
          return ops::mul(y, y);
        },
        in);
  }
  check_gradients([](const inputs& x) { return ops::columns(x[0], 1, 2); },
                  {numbers({2, 3, 4}, 1)});
}

TEST_CASE("joined parts may be frozen") {
  const auto x = tracked(matrix.clone()), frozen = matrix.clone();
  const auto y = join({frozen, x});
  CHECK(y.node()->input(0) == nullptr);
  autograd::backward(y, numbers({6, 2}, 5));
  CHECK(list(autograd::grad(x)) == list(numbers({6, 2}, 5).slice(3, 6)));
  CHECK(join({frozen, frozen}).node() == nullptr);
  CHECK(pick(frozen, {1}).node() == nullptr);
  CHECK(ops::columns(frozen, 0, 1).node() == nullptr);
  CHECK(ops::reshape(frozen, {6}).node() == nullptr);
}
